"""A mounted volume: what all operations share, and how it goes to the card."""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.fat.allocation import Allocator
from maixfs.fat.directory import Directory
from maixfs.fat.entries import host_clock
from maixfs.fat.errors import FResult, fat_error
from maixfs.fat.fsinfo import FreeSpace
from maixfs.fat.geometry import read_geometry
from maixfs.fat.sectors import VolumeSectors
from maixfs.fat.table import open_table
from maixfs.sd.device import SECTOR

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from maixfs.fat.entries import Clock, OpenFile
    from maixfs.fat.file import FatFile
    from maixfs.fat.node import Node
    from maixfs.sd.device import SectorDevice

_MOST_DIRECTORIES = 256
"""Directories kept in RAM; those in use are kept in any case."""
_MOST_FOLDERS = 64


class Volume:
    """State of a mount.

    What changed in RAM: ``dirty`` holds sectors of directories in the order in which they are
    to be written, ``fresh`` those of clusters that nothing on the card leads to yet, ``unsaved``
    the files with a partial sector, ``shortened`` those whose entry still says more than their
    chain has. ``flush`` writes them all.
    """

    def __init__(
        self, device: SectorDevice, start: int, *, read_only: bool, clock: Clock | None
    ) -> None:
        self.sectors = VolumeSectors(device, start)
        self.geometry = geometry = read_geometry(self.sectors.read(0, 1))
        self.wide = geometry.fat_type == 32
        self.cluster_size = geometry.cluster_size
        self.cluster_shift = geometry.cluster_size.bit_length() - 1
        self.table = open_table(self.sectors, geometry)
        self.space = FreeSpace(self.sectors, geometry)
        self.allocator = Allocator(self.table, self.space, self.settle)
        self.clock = clock or host_clock
        self.mounted = True
        self.holds = 0
        """How many callers want to write later."""
        self.cwd = 0
        self.folders: dict[str, int] = {}
        """Folders that were found, by what stands before the last name of a path."""
        self.dirty: dict[tuple[Directory, int], None] = {}
        self.fresh: list[tuple[Directory, int]] = []
        self.unsaved: dict[Node, None] = {}
        self.shortened: dict[Node, None] = {}
        self.files: dict[FatFile, None] = {}
        self._read_only = read_only
        self._directories: dict[int, Directory] = {}
        self.base = geometry.data_start - 2 * geometry.sectors_per_cluster

    @property
    def read_only(self) -> bool:
        """Whether the mount or the card refuses writes."""
        return self._read_only or self.sectors.device.read_only

    def check_mounted(self) -> None:
        """Raise ``NOT_ENABLED`` after the mount has ended."""
        if not self.mounted:
            raise fat_error(FResult.NOT_ENABLED)

    def check_writable(self) -> None:
        """Raise ``NOT_ENABLED``, or ``WRITE_PROTECTED``."""
        if not self.mounted:
            raise fat_error(FResult.NOT_ENABLED)
        if self._read_only or self.sectors.device.read_only:
            raise fat_error(FResult.WRITE_PROTECTED)

    def sector_of(self, cluster: int) -> int:
        """Return the first sector of a valid cluster."""
        return self.base + cluster * self.geometry.sectors_per_cluster

    # Directories

    def directory(self, cluster: int) -> Directory:
        """Return the directory that starts at ``cluster``; 0 is the root. Raises ``INT_ERR``."""
        if cluster == self.geometry.root_cluster:
            cluster = 0
        found = self._directories.pop(cluster, None)
        if found is None:
            if len(self._directories) >= _MOST_DIRECTORIES:
                self._drop_unused()
            found = Directory(self, cluster)
        self._directories[cluster] = found  # the last one now: used most recently
        return found

    def _drop_unused(self) -> None:
        busy = {directory for directory, _ in (*self.dirty, *self.fresh)}
        for cluster, directory in list(self._directories.items())[: _MOST_DIRECTORIES // 2]:
            if not directory.pins and directory not in busy:
                del self._directories[cluster]

    def remember_folder(self, path: str, cluster: int) -> None:
        """Note what ``path`` leads to until an entry goes or the current directory changes."""
        if len(self.folders) >= _MOST_FOLDERS:
            self.folders.clear()
        self.folders[path] = cluster

    def forget_directory(self, cluster: int) -> None:
        """Drop a directory that is no more, and what of it was not written."""
        directory = self._directories.pop(cluster, None)
        if directory is not None:
            self.fresh = [key for key in self.fresh if key[0] is not directory]
            for key in [key for key in self.dirty if key[0] is directory]:
                del self.dirty[key]

    # Writing

    @property
    def changed(self) -> bool:
        """Whether RAM holds more than the card, a mere count of free clusters aside."""
        waiting = self.dirty or self.fresh or self.unsaved or self.table.dirty
        return bool(waiting) or self.space.moved

    def sync_files(self) -> None:
        """Record every open file that changed."""
        for file in list(self.files):
            file.sync()

    def close_files(self) -> None:
        """Close every open file, so that nothing of theirs is left without an owner."""
        for file in list(self.files):
            file.close()

    def lose_name(self, node: OpenFile) -> None:
        """Have the open files of ``node`` record nothing any more."""
        for file in self.files:
            if file.node is node:
                file.lose_name()

    def flush(self) -> None:
        """Write what changed, or, while that is held back, what files have in RAM alone."""
        if self.holds:
            for node in list(self.unsaved):
                node.save()
        else:
            self.write_all()

    def write_all(self) -> None:
        """Write what changed, so that losing power in between does no harm.

        File data and new directory clusters go first, since nothing leads to them yet; then
        the FAT and the directories, in this order: what is lost half-way is a chain without an
        owner. Where clusters were freed, the entries that owned them go before the FAT. FSInfo
        comes last. What cannot be written stays here.
        """
        if self.unsaved:
            for node in list(self.unsaved):
                node.save()
        if self.allocator.freed:
            self.allocator.shortened = True
        self.settle()
        self.space.flush()
        self.sectors.sync()

    def settle(self) -> None:
        """Write FAT and directories, before what was freed is taken, or the other way round.

        Nothing on the card leads to a freed cluster then. The FAT may follow later where whole
        chains were freed: nobody owns them, whatever of it is on the card.
        """
        allocator = self.allocator
        if self.fresh:
            self._write_fresh()
        if allocator.freed:
            for node in list(self.shortened):
                node.record_cut()
            self._write_dirty()
            if allocator.shortened:
                self.table.flush(upwards=True)
            allocator.freed = allocator.shortened = False
        else:
            self.table.flush()
            self._write_dirty()

    def _write_fresh(self) -> None:
        """Write new clusters: of a new folder as they are, of one that grew as zeros.

        What a folder that grew has there comes with the sectors before it, in their order.
        """
        first = self.geometry.sectors_per_cluster
        for run in self._runs(self.fresh):
            is_new = run[0][1] < first
            self._write_run(run, zeros=not is_new)
            for key in run:
                if is_new:
                    self.dirty.pop(key, None)
                elif any(self._content(key)):
                    self.dirty[key] = None
        self.fresh = []

    @staticmethod
    def _content(key: tuple[Directory, int]) -> bytearray:
        directory, index = key
        return directory.data[index * SECTOR : (index + 1) * SECTOR]

    def _write_dirty(self) -> None:
        dirty = self.dirty
        if len(dirty) > 1:
            for run in list(self._runs(dirty)):
                self._write_run(run)
                for key in run:
                    del dirty[key]
            return
        for directory, index in dirty:
            at = index * SECTOR
            self.sectors.write(directory.sector_of(index), directory.data[at : at + SECTOR])
        dirty.clear()

    def _write_run(self, run: list[tuple[Directory, int]], *, zeros: bool = False) -> None:
        directory, index = run[0]
        at, length = index * SECTOR, len(run) * SECTOR
        data = bytes(length) if zeros else directory.data[at : at + length]
        self.sectors.write(directory.sector_of(index), data)

    @staticmethod
    def _runs(keys: Iterable[tuple[Directory, int]]) -> Iterator[list[tuple[Directory, int]]]:
        """Yield ``keys`` in their order, those together that lie together on the card."""
        run: list[tuple[Directory, int]] = []
        for key in keys:
            directory, index = key
            if run and not (
                directory is run[-1][0]
                and index == run[-1][1] + 1
                and directory.sector_of(index) == directory.sector_of(index - 1) + 1
            ):
                yield run
                run = []
            run.append(key)
        if run:
            yield run

    def abandon(self) -> None:
        """Forget everything that was not written."""
        self.mounted = False
        self.dirty.clear()
        self.fresh.clear()
        self.unsaved.clear()
        self.shortened.clear()
        self.files.clear()
        self.table.forget()
        self._directories.clear()
        self.folders.clear()
