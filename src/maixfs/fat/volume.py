"""A mounted volume: what all operations share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from maixfs.fat.entries import host_clock
from maixfs.fat.errors import FResult, fat_error
from maixfs.fat.geometry import mounted_geometry
from maixfs.fat.sectors import VolumeSectors
from maixfs.fat.space import FreeSpace
from maixfs.fat.table import open_table
from maixfs.fat.writeback import FatFsOrder, SafeOrder

if TYPE_CHECKING:
    from maixfs.fat.entries import Clock
    from maixfs.fat.writeback import WriteBack
    from maixfs.sd.device import SectorDevice

_MOST_PATHS = 64


class OpenFile(Protocol):
    """An open file, as far as the end of a mount goes."""

    def sync(self) -> None:
        """Record the file in its entry."""

    def close(self) -> None:
        """Record the file and close it."""


class Volume:
    """State of a mount.

    ``writer`` decides when changes go to the card. ``paths`` are folders that were found, by what
    stands before the last name of a path; they hold until an entry goes or the current folder,
    ``cwd``, changes.
    """

    def __init__(
        self,
        device: SectorDevice,
        start: int,
        *,
        read_only: bool,
        faithful: bool,
        clock: Clock | None,
    ) -> None:
        self.sectors = VolumeSectors(device, start)
        self.geometry = geometry = mounted_geometry(bytes(self.sectors.read(0, 1)))
        self.wide = geometry.fat_type == 32
        self.cluster_size = geometry.cluster_size
        self.cluster_shift = geometry.cluster_size.bit_length() - 1
        # Cluster numbers begin at 2, so that sector = base + cluster * size needs no subtraction.
        self.base = geometry.data_start - 2 * geometry.sectors_per_cluster
        """Sector where cluster 0 would start."""
        self.table = open_table(self.sectors, geometry)
        self.space = FreeSpace(self.sectors, geometry)
        order = FatFsOrder if faithful else SafeOrder
        self.writer: WriteBack = order(self.sectors, geometry, self.table, self.space)
        self.allocator = self.writer.allocator()
        self.clock = clock or host_clock
        self.mounted = True
        self.cwd = 0
        self.paths: dict[str, int] = {}
        self.files: dict[OpenFile, None] = {}
        self._read_only = read_only

    @property
    def read_only(self) -> bool:
        """Whether the mount or the card refuses writes."""
        # Asked each time: a card's switch can be moved while it is mounted.
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

    def remember_path(self, path: str, cluster: int) -> None:
        """Note which folder ``path`` leads to."""
        # Programs use few folders; a bound is enough, and which one is dropped does not matter.
        if len(self.paths) >= _MOST_PATHS:
            self.paths.clear()
        self.paths[path] = cluster

    def count_free(self) -> int:
        """Count the free clusters, looking at the whole FAT as f_getfree does."""
        writer = self.writer
        if writer.waiting:
            # f_getfree reads the FAT through the window, so asking for free space can write a
            # sector.
            writer.visit(self.geometry.fat_start)
            if self.table.count > self.table.per_sector:
                writer.visit_others()
        return self.table.count_free()

    def sync_files(self) -> None:
        """Record every open file that changed."""
        for file in list(self.files):
            file.sync()

    def close_files(self) -> None:
        """Close every open file, so that nothing of theirs is left without an owner."""
        for file in list(self.files):
            file.close()

    def abandon(self) -> None:
        """End the mount and forget everything that was not written."""
        self.mounted = False
        self.writer.forget()
        self.files.clear()
        self.paths.clear()
