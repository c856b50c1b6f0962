"""The native core: a mounted FAT volume with FatFs's calls, flags and results."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from operator import index
from typing import TYPE_CHECKING

from maixfs.fat import label, operations
from maixfs.fat.arguments import byte_view, number, open_flags, time_stamp
from maixfs.fat.directory import Tree
from maixfs.fat.entries import ROOT, FatEntry
from maixfs.fat.errors import FatError, FResult
from maixfs.fat.file import FatFile
from maixfs.fat.geometry import FatGeometry, VolumeInfo
from maixfs.fat.openflag import OpenFlag
from maixfs.fat.operations import find, find_directory, follow, is_root, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maixfs.fat.directory import Directory
    from maixfs.fat.entries import Clock
    from maixfs.fat.operations import Path
    from maixfs.sd.device import Buffer, SectorDevice

_READ = OpenFlag.READ
_WRITE_NEW = OpenFlag.WRITE | OpenFlag.CREATE_ALWAYS
_FLAGS_END = 0x40
"""One past the highest combination of ``OpenFlag``."""
_MOST_SECTORS = 0xFFFFFFFF
"""Sector numbers are 32 bits wide."""
_ALL_ATTRIBUTES = 0x27
"""Attributes that can be set: read-only, hidden, system, archive."""


class FatCore:
    """A mounted FAT12, FAT16 or FAT32 volume.

    ``FatCore(device, start)`` mounts the volume whose boot sector is sector ``start``; it raises
    ``FatError``: ``NO_FILESYSTEM`` with what is wrong in words, ``DISK_ERR``.

    A path of ``bytes`` is the firmware's, in code page 437; one of ``str`` is Unicode. Both know
    the current directory. Operations raise ``FatError`` with FatFs's number in ``result``.

    The card gets the bytes that FatFs leaves there, except where FatFs would destroy something:
    a chain that loops ends, a folder is not moved into itself, a file that is removed or cut while
    it is open does not write to clusters that it has lost, and a sector that is written in part
    has zeros in the rest (docs/SPEC.md, section 23).

    With ``faithful`` the sectors are also written in FatFs's order and calls, so that a power cut
    leaves a state that a board can leave. Without it, the default, changes are written at the end
    of an operation in an order that loses no closed file at any cut. A folder is read once and
    then kept in RAM.
    """

    def __init__(
        self,
        device: SectorDevice,
        start: int = 0,
        *,
        read_only: bool = False,
        faithful: bool = False,
        clock: Clock | None = None,
    ) -> None:
        number(start, "start", _MOST_SECTORS)
        self._volume = Tree(device, start, read_only=read_only, faithful=faithful, clock=clock)

    @property
    def device(self) -> SectorDevice:
        """The card that the volume lies on."""
        return self._volume.sectors.device

    @property
    def start(self) -> int:
        """The volume's first sector."""
        return self._volume.sectors.start

    @property
    def geometry(self) -> FatGeometry:
        """What the boot sector says."""
        return self._volume.geometry

    @property
    def read_only(self) -> bool:
        """Whether the mount or the card refuses writes."""
        return self._volume.read_only

    @property
    def mounted(self) -> bool:
        """Whether the volume is mounted."""
        return self._volume.mounted

    def __enter__(self) -> FatCore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # The mount

    def sync(self) -> None:
        """Record every open file, and write everything to the card."""
        self._volume.check_mounted()
        if not self._volume.read_only:
            # Sizes of open files first: what is written next includes their entries.
            self._volume.sync_files()
            self._volume.writer.write_all()

    def close(self) -> None:
        """Close every open file, write all changes and end the mount."""
        volume = self._volume
        if not volume.mounted:
            return
        if not volume.read_only:
            # An open file may have clusters that no entry counts; closing it records or frees
            # them.
            volume.close_files()
            if volume.writer.changed:
                volume.writer.write_all()
        volume.abandon()

    def abandon(self) -> None:
        """End the mount without writing anything, as a power cut does."""
        self._volume.abandon()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Delay the writes of FAT and folders while many operations run: ``with fat.held():``.

        File data is written at once, FAT and folders when the block ends (also by an error), when
        freed clusters are taken again and before a rename deletes the old name. A power cut before
        that leaves a sound volume that contains a part of the block's changes: files that were
        written and closed in it may be missing. ``sync`` and ``close`` of the volume write at
        once. With ``faithful`` nothing is delayed.
        """
        volume = self._volume
        volume.check_mounted()
        writer = volume.writer
        writer.holds += 1
        try:
            yield
        finally:
            # Also after an error: what RAM holds is a whole number of operations, and only the
            # card is behind.
            writer.holds -= 1
            if not writer.holds and volume.mounted and writer.changed:
                writer.write_all()

    # Files

    def open(self, path: Path, flags: int = _READ) -> FatFile:
        """Open or create a file with FatFs's flags; ``operations.open_file`` says the errors."""
        plain = index(flags)
        if not 0 <= plain < _FLAGS_END:
            plain = open_flags(flags)
        return operations.open_file(self._volume, path, plain)

    def open_entry(self, folder: int, slot: int, flags: int = _READ) -> FatFile:
        """Open a file by the slot of its short entry in the folder at cluster ``folder``."""
        return operations.open_slot(self._volume, folder, slot, open_flags(flags))

    def entry_at(self, folder: int, slot: int) -> FatEntry:
        """Return the entry in a slot of the folder at cluster ``folder``; raises ``NO_FILE``."""
        self._volume.check_mounted()
        directory, item = operations.find_slot(self._volume, folder, slot)
        return directory.entry(item)

    def sizes_ahead(self) -> dict[tuple[int, int], int]:
        """Return by folder and slot the sizes of open files that their entries do not have yet."""
        sizes = {}
        for file in self._volume.files:
            if isinstance(file, FatFile) and file.modified and file.node.directory is not None:
                place = file.node.directory.cluster, file.node.item.slot
                sizes[place] = file.node.high
        return sizes

    def remove_entry(self, folder: int, slot: int) -> None:
        """Remove a file or an empty folder by its slot."""
        operations.remove_slot(self._volume, folder, slot)

    def rename_entry(self, folder: int, slot: int, new: Path) -> None:
        """Rename or move a file or a folder by its slot."""
        operations.rename_slot(self._volume, folder, slot, new)

    def scandir_folder(self, cluster: int) -> Iterator[FatEntry]:
        """Yield the entries of the folder at ``cluster`` (0: the root); see ``scandir``."""
        self._volume.check_mounted()
        return self._entries(self._volume.directory(number(cluster, "cluster", _MOST_SECTORS)))

    def read_bytes(self, path: Path) -> bytes:
        """Return the whole content of a file."""
        with self.open(path) as file:
            return file.read_all()

    def write_bytes(self, path: Path, data: Buffer) -> None:
        """Create a file with this content, or replace the content of the existing one.

        Raises ``DENIED`` (ENOSPC) when it does not fit; the part that fits stays.
        """
        view = byte_view(data)
        with self.open(path, _WRITE_NEW) as file:
            written = file.write(view)
        operations.check_all_written(shown(path), written, len(view))

    # Names

    def stat(self, path: Path) -> FatEntry:
        """Return the entry of a file or folder; for the root, the values MicroPython gives.

        Raises ``NO_FILE``, ``NO_PATH``, ``INVALID_NAME``.
        """
        self._volume.check_mounted()
        if is_root(path):
            return ROOT
        directory, item = find(self._volume, path)
        return directory.entry(item)

    def exists(self, path: Path) -> bool:
        """Return True if a file or folder has that path."""
        self._volume.check_mounted()
        try:
            place = follow(self._volume, path)
        except FatError as error:
            # Damage is not absence: the caller must see it.
            if error.result in (FResult.NO_PATH, FResult.INVALID_NAME):
                return False
            raise
        return place.item is not None or place.name is None

    def scandir(self, path: Path = b"/") -> Iterator[FatEntry]:
        """Yield the entries of a folder in the order of the card.

        Dot entries and labels are left out. Raises ``NO_PATH`` at once; ``INT_ERR`` and
        ``DISK_ERR`` after the entries that could be read.
        """
        self._volume.check_mounted()
        directory = find_directory(self._volume, path)
        return self._entries(directory)

    def _entries(self, directory: Directory) -> Iterator[FatEntry]:
        volume = self._volume
        for entry in directory.list_entries(ahead=True):
            yield entry
            # The caller may have ended the mount between two entries.
            if not volume.mounted:
                volume.check_mounted()

    def walk(self, path: Path = "/") -> Iterator[tuple[str, FatEntry]]:
        """Yield path and entry of everything below a folder, folders first."""
        return operations.walk(self._volume, path)

    def mkdir(self, path: Path) -> None:
        """Make an empty folder; see ``operations.make_folder`` for the errors."""
        operations.make_folder(self._volume, path)

    def remove(self, path: Path) -> None:
        """Remove a file or an empty folder; see ``operations.remove`` for the errors."""
        operations.remove(self._volume, path)

    def rename(self, old: Path, new: Path, *, guarded: bool = True) -> None:
        """Rename or move a file or folder; see ``operations.rename`` for the errors.

        With ``guarded=False`` it does as FatFs does: a folder can be moved into itself and is
        lost, and a file that is open keeps under its new name the state that is on the card.
        """
        operations.rename(self._volume, old, new, guarded=guarded)

    def remove_tree(self, path: Path) -> int:
        """Remove a file, or a folder with its whole content; return the number of entries."""
        return operations.remove_tree(self._volume, path)

    def set_attributes(self, path: Path, value: int, mask: int = _ALL_ATTRIBUTES) -> None:
        """Set those of read-only, hidden, system and archive that are in ``mask``."""
        number(value, "attributes", 0xFF)
        number(mask, "mask", 0xFF)
        operations.set_attributes(self._volume, path, value, mask)

    def set_times(
        self,
        path: Path,
        *,
        modified: tuple[int, int] | None = None,
        created: tuple[int, int] | None = None,
        accessed: int | None = None,
    ) -> None:
        """Set the times of an entry: pairs of date and time, and the date of the last access."""
        if accessed is not None:
            accessed = number(accessed, "accessed", 0xFFFF)
        modified, created = time_stamp(modified, "modified"), time_stamp(created, "created")
        operations.set_times(self._volume, path, modified, created, accessed)

    def chdir(self, path: Path) -> None:
        """Make a folder the current one; raises ``NO_PATH``."""
        operations.change_directory(self._volume, path)

    def getcwd(self, most: int | None = None) -> bytes:
        """Return the path of the current directory in CP437, found by its dot entries.

        Raises ``INT_ERR`` where they are wrong, ``NOT_ENOUGH_CORE`` beyond ``most`` bytes.
        """
        if most is not None:
            number(most, "most", sys.maxsize)
        return operations.current_directory(self._volume, most)

    # The whole

    def info(self) -> VolumeInfo:
        """Return size and free space; free clusters as FSInfo gives them, right or wrong."""
        volume, geometry = self._volume, self._volume.geometry
        volume.check_mounted()
        return VolumeInfo(
            geometry.fat_type,
            geometry.cluster_size,
            geometry.clusters,
            volume.space.free if volume.space.known else None,
            geometry.label,
            geometry.serial,
        )

    def free_clusters(self, *, scan: bool = False) -> int:
        """Return the number of free clusters (f_getfree).

        FSInfo is trusted, as FatFs does; the FAT is counted only if FSInfo has no count, or with
        ``scan``. A wrong count is corrected on the card with the next write.
        """
        volume = self._volume
        volume.check_mounted()
        # A wrong count in FSInfo is used, as on the board: it reports a full volume then, and
        # this must show the same.
        if scan or not volume.space.known:
            volume.space.counted(volume.count_free())
        return volume.space.free

    def count_free(self) -> int:
        """Count the free clusters in the FAT; FSInfo is neither used nor changed."""
        self._volume.check_mounted()
        return self._volume.table.count_free()

    @property
    def label(self) -> str:
        """The volume's label in the root; the empty string if it has none."""
        self._volume.check_mounted()
        return label.read_label(self._volume)

    def set_label(self, text: str) -> None:
        """Set or, with the empty string, remove the label, in the root and the boot sector.

        Raises ``INVALID_NAME`` for more than eleven characters or ones no label can have.
        """
        label.set_label(self._volume, text)
