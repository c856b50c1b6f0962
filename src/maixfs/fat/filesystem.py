"""``Fat``: a FAT volume as a ``FileSystem``."""

from __future__ import annotations

import errno
import re
import time
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from maixfs.errors import FileSystemError
from maixfs.fat.core import FatCore
from maixfs.fat.entries import FatEntry, unpack_time
from maixfs.fat.errors import FatError, FResult, fat_error, full_error
from maixfs.fat.file import MAX_SIZE
from maixfs.fat.ondisk import MAX_LONG_NAME
from maixfs.fat.openflag import OpenFlag
from maixfs.filesystem import (
    Entry,
    FileSystem,
    StatVfs,
    is_folder,
    no_entry,
    not_folder,
    parent_of,
)
from maixfs.finding import Cost, Examination, examine
from maixfs.streams import OpenMode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maixfs.fat.entries import Clock
    from maixfs.fat.file import FatFile
    from maixfs.fat.geometry import FatGeometry
    from maixfs.sd.device import SectorDevice


class Fat(FileSystem[FatEntry]):
    """A mounted FAT12, FAT16 or FAT32 volume.

    ``Fat(device, start)`` mounts the volume whose boot sector is sector ``start``; it raises
    ``FatError`` (NO_FILESYSTEM) with the reason where FatFs would not mount it.
    ``maixfs.fat.find_volume`` finds the volumes of a card, ``format_volume`` makes them.

    Names are Unicode, compared without case; a long name has up to 255 UTF-16 units.
    ``faithful`` writes sectors in FatFs's order, so that a cut between two of them is a state that
    a board can leave; the default order never loses a file that was closed. ``clock`` gives the
    date and the time that entries get.
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
        super().__init__()
        self._faithful = faithful
        self.core = FatCore(device, start, read_only=read_only, faithful=faithful, clock=clock)

    @property
    def closed(self) -> bool:
        """Whether the file system is no longer mounted."""
        return not self.core.mounted

    @property
    def read_only(self) -> bool:
        """Whether the mount or the card refuses writes."""
        return self.core.read_only

    @property
    def geometry(self) -> FatGeometry:
        """What the boot sector says."""
        return self.core.geometry

    @property
    def label(self) -> str:
        """The volume's label, empty without one; can be set (up to 11 characters)."""
        return self.core.label

    @label.setter
    def label(self, text: str) -> None:
        self.core.set_label(text)

    # Looking

    def _stat(self, path: str) -> Entry[FatEntry]:
        return _entry(parent_of(path), self._native(path), self._sizes())

    def _sizes(self) -> dict[tuple[int, int], int]:
        """Return the sizes that a host would show for files that are being written."""
        return {} if self._faithful else self.core.sizes_ahead()

    def _native(self, target: str | Entry[FatEntry]) -> FatEntry:
        """Return the native entry as it is now.

        An ``Entry`` names a slot. Once its file is removed the slot may hold another one, or the
        cluster of its folder may hold data: what does not have its name is not its file.
        """
        if isinstance(target, str):
            return self.core.stat(_checked(target))
        known = target.native
        if not isinstance(known, FatEntry):
            raise TypeError("this entry is of another kind of file system")
        if known.slot < 0:
            return known
        try:
            current = self.core.entry_at(known.folder, known.slot)
        except FatError as error:
            raise (no_entry(target.path) if error.result != FResult.DISK_ERR else error) from error
        if (current.name, current.short_name, current.is_dir) != (
            known.name, known.short_name, known.is_dir,
        ):  # fmt: skip
            raise no_entry(target.path)
        return current

    def _scandir(self, target: str | Entry[FatEntry]) -> Iterator[Entry[FatEntry]]:
        if isinstance(target, str):
            return _entries(target, self.core.scandir(_checked(target)), self._sizes())
        native = self._native(target)
        if not native.is_dir:
            raise not_folder(target.path)
        natives = self.core.scandir_folder(native.cluster)
        return _entries(target.path, natives, self._sizes())

    def _identity(self, entry: Entry[FatEntry]) -> object:
        return entry.native.cluster

    # Changing

    def _open(self, target: str | Entry[FatEntry], mode: OpenMode) -> _File:
        flags = _flags(mode)
        if mode.exclusive and (not isinstance(target, str) or self._peek(target) is not None):
            # FatFs would call a folder DENIED.
            raise fat_error(FResult.EXIST, target if isinstance(target, str) else target.path)
        if target == "/":
            raise is_folder("/")
        if isinstance(target, str):
            file = self.core.open(_checked(target), flags)
        else:
            native = self._native(target)
            file = self.core.open_entry(native.folder, native.slot, flags)
        return _File(self.core, file, shares_size=not self._faithful)

    def _mkdir(self, path: str) -> None:
        self.core.mkdir(_checked(path))

    def _remove(self, target: str | Entry[FatEntry]) -> None:
        native = self._native(target)
        if native.is_dir:
            raise is_folder(target if isinstance(target, str) else target.path)
        # FatFs has one call for files and folders; Python's verbs tell them apart.
        self.core.remove_entry(native.folder, native.slot)

    def _rmdir(self, target: str | Entry[FatEntry]) -> None:
        native = self._native(target)
        if not native.is_dir:
            raise not_folder(target if isinstance(target, str) else target.path)
        self.core.remove_entry(native.folder, native.slot)

    def _rename(self, source: str | Entry[FatEntry], target: str, *, replace: bool) -> None:
        native, new = self._native(source), _checked(target)
        if not isinstance(source, str) and target == source.path:
            return  # FatFs would write the same name into other slots
        occupant = self._peek(target) if replace else None
        # Slot and folder: another case of the same name is the same entry, and nothing is
        # replaced.
        if occupant is None or occupant.native[-2:] == native[-2:]:
            self.core.rename_entry(native.folder, native.slot, new)
            return
        if occupant.is_dir:
            raise is_folder(target)
        if native.is_dir:
            raise not_folder(target)
        # The name as it is spelled: it fits into the slots that the old file gives back.
        folder = "" if parent_of(new) == "/" else parent_of(new)
        # Together, or the removal would be on the card long before the new name. A cut can still
        # leave the target missing; the file itself has one of its names at every moment.
        with self.core.held():
            self.core.remove_entry(occupant.native.folder, occupant.native.slot)
            self.core.rename_entry(native.folder, native.slot, f"{folder}/{occupant.name}")

    # The whole

    def statvfs(self) -> StatVfs:
        """Return how much room there is, in clusters; counts the FAT where FSInfo is silent."""
        self._check_open()
        size, free = self.geometry.cluster_size, self.core.free_clusters()
        return StatVfs(size, size, self.geometry.clusters, free, free, MAX_LONG_NAME)

    def _check_writable(self, target: str | Entry[FatEntry]) -> None:
        if self.read_only:
            raise fat_error(FResult.WRITE_PROTECTED, target if isinstance(target, str) else "")

    def _sync(self) -> None:
        self.core.sync()

    def _check(self, depth: Cost) -> Examination:
        from maixfs.fat.check import FatCheck

        return examine("fat", FatCheck(self.core.device, self.core.start), depth)

    def _close(self) -> None:
        self.core.close()

    def _abandon(self) -> None:
        self.core.abandon()


class _File:
    """A ``FatFile`` as ``RawFile`` needs it.

    FatFs lets each open file have its own idea of the size, and the last one to close wins. With
    ``shares_size`` all of them see what any of them wrote, as on a host.
    """

    def __init__(self, core: FatCore, file: FatFile, *, shares_size: bool) -> None:
        self._core = core
        self._file = file
        self._shares_size = shares_size

    @property
    def lost(self) -> bool:
        return not self._core.mounted

    @property
    def size(self) -> int:
        if self._shares_size:
            self._file.follow_size()
        return self._file.size

    def check_room(self, size: int) -> None:
        geometry = self._core.geometry
        if size > MAX_SIZE:
            message = f"{self._file.name}: a file on FAT has at most {MAX_SIZE} bytes"
            raise FileSystemError(message, errno=errno.EFBIG)
        needed = -(-size // geometry.cluster_size) - -(-self.size // geometry.cluster_size)
        if needed > self._core.free_clusters():
            raise full_error(self._file.name, f"{needed} free clusters are needed")

    def read_at(self, offset: int, size: int) -> bytes:
        geometry = self._core.geometry
        if size > geometry.clusters * geometry.cluster_size:
            raise fat_error(FResult.INT_ERR, self._file.name, "the size exceeds the volume")
        self._go(offset)
        return self._file.read(size)

    def readinto_at(self, offset: int, buffer: memoryview) -> int:
        self._go(offset)
        return self._file.readinto(buffer)

    def write_at(self, offset: int, data: memoryview) -> int:
        self._go(offset)
        written = self._file.write(data)
        # A stream of Python would try for ever where nothing is written and nothing raised.
        if not written:
            raise full_error(self._file.name, "no free cluster")
        return written

    def _go(self, offset: int) -> None:
        if self._file.tell() != offset:
            self._file.seek(offset)

    def truncate(self, size: int) -> None:
        self._go(size)
        self._file.truncate()

    def sync(self) -> None:
        if self._shares_size:
            self._file.follow_size()
        self._file.sync()

    def close(self) -> None:
        if self._shares_size:
            self._file.follow_size()
        self._file.close()


@lru_cache(maxsize=32)  # arithmetic on IntFlag costs as much as the rest of an open
def _flags(mode: OpenMode) -> int:
    flags = OpenFlag.READ if mode.reads else OpenFlag(0)
    if mode.writes:
        flags |= OpenFlag.WRITE
    if mode.exclusive:
        flags |= OpenFlag.CREATE_NEW
    elif mode.truncates:
        flags |= OpenFlag.CREATE_ALWAYS
    elif mode.creates:
        flags |= OpenFlag.OPEN_ALWAYS
    return int(flags)


def _checked(path: str) -> str:
    r"""Return a path; raises INVALID_NAME for one with ``\``, which FatFs takes for a slash."""
    if "\\" in path:
        raise fat_error(FResult.INVALID_NAME, path, r"a name cannot contain '\'")
    return path


def _entries(
    folder: str, natives: Iterator[FatEntry], sizes: dict[tuple[int, int], int]
) -> Iterator[Entry[FatEntry]]:
    names = set[str]()
    for native in natives:
        entry = _entry(folder, native, sizes)
        # Of two entries of one name, which only damage leaves, a path leads to the first.
        name = native.name
        if name in names:
            entry = replace(entry, path=f"{entry.path}\\slot{native.slot}")
        names.add(name)
        yield entry


_UNPRINTABLE = re.compile("[\0-\x1f\x7f/\\\\\ud800-\udfff]")
"""Characters that no valid name has: a damaged one may."""


def _escaped(match: re.Match[str]) -> str:
    return "".join(f"\\x{byte:02x}" for byte in match[0].encode("utf-8", "surrogatepass"))


def _entry(folder: str, native: FatEntry, sizes: dict[tuple[int, int], int]) -> Entry[FatEntry]:
    name = native.name
    # As no valid name has a backslash, the path of a damaged one is never that of another file.
    if not name.isprintable() or "/" in name or "\\" in name:
        name = _UNPRINTABLE.sub(_escaped, name)
    path = f"/{name}" if folder == "/" else f"{folder}/{name}"
    size = sizes.get((native.folder, native.slot), native.size) if sizes else native.size
    return Entry(path, native.is_dir, size, _seconds(native), native)


def _seconds(native: FatEntry) -> float | None:
    """Return the time of the last write, which FAT stores as local time."""
    if not native.write_date:
        return None
    # The host's time zone is as good a guess as any: the card does not store one.
    try:
        return time.mktime((*unpack_time(native.write_date, native.write_time), 0, 0, -1))
    except (OverflowError, ValueError):
        return None
