"""The file system: mount, and everything that works on paths."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from maixfs.fat import label, opening, operations, tree
from maixfs.fat.entry import ROOT, FatEntry, VolumeInfo
from maixfs.fat.errors import FatError, FResult
from maixfs.fat.follow import find, find_directory, follow, shown
from maixfs.fat.openflag import OpenFlag
from maixfs.fat.volume import Volume

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maixfs.fat.clock import Clock
    from maixfs.fat.file import FatFile
    from maixfs.fat.follow import Path
    from maixfs.fat.geometry import FatGeometry
    from maixfs.sd.device import Buffer, SectorDevice

_READ = OpenFlag.READ
_WRITE_NEW = OpenFlag.WRITE | OpenFlag.CREATE_ALWAYS
_ALL_ATTRIBUTES = 0x27
"""Attributes that can be set: read-only, hidden, system, archive."""


class FatCore:
    """A mounted FAT12, FAT16 or FAT32 volume.

    ``FatCore(device, start)`` mounts the volume whose boot sector is sector ``start``; it raises
    ``FatError``: ``NO_FILESYSTEM`` with what is wrong in words, ``DISK_ERR``.

    A path of ``bytes`` is the firmware's, in code page 437; one of ``str`` is Unicode. Both know
    the current directory. Operations raise ``FatError`` with FatFs's number in ``result``.

    What lands on the card is what FatFs leaves there, but for what it would destroy: files and
    folders whose chains loop come to an end, a folder is not moved into itself, files that are
    removed or shortened while they are open do not write where they own nothing, and a sector
    that is filled for a part only has zeros in the rest. A directory is read once and then
    kept in RAM; FAT and directories go to the card at the end of each operation and when a file
    is synced or closed.
    """

    def __init__(
        self,
        device: SectorDevice,
        start: int = 0,
        *,
        read_only: bool = False,
        clock: Clock | None = None,
    ) -> None:
        self._volume = Volume(device, start, read_only=read_only, clock=clock)

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
        """Whether the mount has not ended."""
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
            self._volume.sync_files()
            self._volume.write_all()

    def close(self) -> None:
        """End the mount: close every open file, write what is not on the card."""
        volume = self._volume
        if not volume.mounted:
            return
        if not volume.read_only:
            volume.close_files()
            if volume.changed:
                volume.write_all()
        volume.abandon()

    def abandon(self) -> None:
        """End the mount as when power goes: nothing is written."""
        self._volume.abandon()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold back what operations record, for many of them in a row: ``with fat.held():``.

        File data goes to the card at once, directories and the FAT when the block ends, also by
        an error, or when clusters that were freed are taken again. If power goes before that,
        the card is whole, as it was before the block or after a part of it: files that were
        written and closed may be missing. ``sync`` and ``close`` of the volume write at once.
        """
        volume = self._volume
        volume.check_mounted()
        volume.holds += 1
        try:
            yield
        finally:
            volume.holds -= 1
            if not volume.holds and volume.mounted and volume.changed:
                volume.write_all()

    # Files

    def open(self, path: Path, flags: int = _READ) -> FatFile:
        """Open or create a file with FatFs's flags; see ``opening.open_file`` for the errors."""
        return opening.open_file(self._volume, path, int(flags))

    def open_entry(self, folder: int, slot: int, flags: int = _READ) -> FatFile:
        """Open a file by the slot of its short entry in the folder at cluster ``folder``."""
        return opening.open_slot(self._volume, folder, slot, int(flags))

    def remove_entry(self, folder: int, slot: int) -> None:
        """Remove a file or an empty folder by its slot."""
        operations.remove_slot(self._volume, folder, slot)

    def rename_entry(self, folder: int, slot: int, new: Path) -> None:
        """Rename or move a file or a folder by its slot."""
        operations.rename_slot(self._volume, folder, slot, new)

    def scandir_folder(self, cluster: int) -> Iterator[FatEntry]:
        """Yield the entries of the folder at ``cluster`` (0: the root); see ``scandir``."""
        self._volume.check_mounted()
        directory = self._volume.directory(cluster)
        return (directory.entry(item) for item in directory.list_items())

    def read_bytes(self, path: Path) -> bytes:
        """Return the whole content of a file."""
        with self.open(path) as file:
            return file.read_all()

    def write_bytes(self, path: Path, data: Buffer) -> None:
        """Make a file with this content, or give it to the one that is there.

        Raises ``DENIED`` (``FullError``) when it does not fit; what fitted stays.
        """
        with self.open(path, _WRITE_NEW) as file:
            written = file.write(data)
        operations.check_all_written(shown(path), written, memoryview(data).nbytes)

    # Names

    def stat(self, path: Path) -> FatEntry:
        """Return what is said of a file or folder; of the root, what MicroPython says.

        Raises ``NO_FILE``, ``NO_PATH``, ``INVALID_NAME``.
        """
        self._volume.check_mounted()
        if not path.strip(b"/\\" if isinstance(path, bytes) else "/\\"):  # type: ignore[arg-type]
            return ROOT
        directory, item = find(self._volume, path)
        return directory.entry(item)

    def exists(self, path: Path) -> bool:
        """Tell whether there is a file or folder of that path."""
        try:
            place = follow(self._volume, path)
        except FatError as error:
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
        return (directory.entry(item) for item in directory.list_items())

    def walk(self, path: Path = "/") -> Iterator[tuple[str, FatEntry]]:
        """Yield path and entry of everything below a folder, folders first."""
        return tree.walk(self._volume, path)

    def mkdir(self, path: Path) -> None:
        """Make an empty folder; see ``operations.make_folder`` for the errors."""
        operations.make_folder(self._volume, path)

    def remove(self, path: Path) -> None:
        """Remove a file or an empty folder; see ``operations.remove`` for the errors."""
        operations.remove(self._volume, path)

    def rename(self, old: Path, new: Path, *, guarded: bool = True) -> None:
        """Rename or move a file or folder; see ``operations.rename`` for the errors.

        Not ``guarded``, it does as FatFs does: a folder can be moved into itself, and is lost,
        and a file that is open is under its new name what it was on the card, and no more.
        """
        operations.rename(self._volume, old, new, guarded=guarded)

    def remove_tree(self, path: Path) -> int:
        """Remove a file, or a folder with all that is in it; returns how many entries."""
        return tree.remove_tree(self._volume, path)

    def set_attributes(self, path: Path, value: int, mask: int = _ALL_ATTRIBUTES) -> None:
        """Set read-only, hidden, system and archive, those of them that are in ``mask``."""
        operations.set_attributes(self._volume, path, int(value), int(mask))

    def set_times(
        self,
        path: Path,
        *,
        modified: tuple[int, int] | None = None,
        created: tuple[int, int] | None = None,
        accessed: int | None = None,
    ) -> None:
        """Set the times of an entry: pairs of date and time, and the date of the last access."""
        operations.set_times(self._volume, path, modified, created, accessed)

    def chdir(self, path: Path) -> None:
        """Make a folder the current one; raises ``NO_PATH``."""
        operations.change_directory(self._volume, path)

    def getcwd(self, most: int | None = None) -> bytes:
        """Return the path of the current directory in CP437, found by its dot entries.

        Raises ``INT_ERR`` where they are wrong, ``NOT_ENOUGH_CORE`` beyond ``most`` bytes.
        """
        return operations.current_directory(self._volume, most)

    # The whole

    def info(self) -> VolumeInfo:
        """Return size and room; free clusters as FatFs knows them, right or wrong."""
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

        FSInfo is believed, and the FAT counted only if that says nothing, or with ``scan``;
        a count that was wrong is mended with the next write to the card.
        """
        volume = self._volume
        volume.check_mounted()
        if scan or not volume.space.known:
            volume.space.counted(volume.table.count_free())
        return volume.space.free

    def count_free(self) -> int:
        """Count the free clusters in the FAT, whatever FSInfo says, and leave that as it is."""
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
