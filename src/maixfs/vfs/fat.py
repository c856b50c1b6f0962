"""``VfsFat``: FAT as MicroPython's VFS shows it, with the firmware's own behaviour."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from maixfs.fat import FatCore
from maixfs.fat.codepage import oem_to_unicode
from maixfs.fat.errors import FatError, FResult, fat_error
from maixfs.fat.mkfs import make_filesystem
from maixfs.fat.mkfs_plans import Request, plan_small
from maixfs.fat.ondisk import MAX_LONG_NAME
from maixfs.fat.openflag import OpenFlag
from maixfs.fat.probe import find_volume
from maixfs.sd.errors import SectorError
from maixfs.vfs.blockdev import blocks_of
from maixfs.vfs.errnos import Errno
from maixfs.vfs.errors import VfsError
from maixfs.vfs.fat_errno import error_of
from maixfs.vfs.fat_file import FatRaw
from maixfs.vfs.fat_mode import open_flags
from maixfs.vfs.fat_options import FatOptions
from maixfs.vfs.fat_time import MILLENNIUM, late_date, seconds_since_2000, year_of
from maixfs.vfs.fat_watch import FileWatch, leads_into_itself
from maixfs.vfs.imports import ImportStat, NativeDriver
from maixfs.vfs.openfiles import OpenFiles
from maixfs.vfs.profile import profile_of
from maixfs.vfs.quirks import Quirks
from maixfs.vfs.text import c_string, decode, encode

if TYPE_CHECKING:
    from maixfs.fat import FatEntry
    from maixfs.vfs.files import FileIO, TextIOWrapper

Stat = tuple[int, int, int, int, int, int, int, int, int, int]

_DIRECTORY = 0x4000
_FILE = 0x8000
_CREATES = OpenFlag.CREATE_NEW | OpenFlag.CREATE_ALWAYS | OpenFlag.OPEN_ALWAYS
_FAILURES = (FatError, SectorError)


class VfsFat(NativeDriver):
    """A FAT volume as a driver of ``Vfs``.

    ``bdev`` is a MicroPython program's block device (``ProgramBlocks`` says what it needs) or a
    ``SectorDevice`` of ours; ``part`` the slot of its partition table, 0 for the first volume
    that there is. Without a file system nothing is raised before ``mount``. ``options`` are the
    class's own unless given; ``fat_class`` makes the class of a board. Methods raise ``VfsError``.

    Paths are the firmware's: their UTF-8 bytes are taken for code page 437, and what is listed
    is those bytes again.

    What differs from the firmware on purpose: a block device that returns an error, or has
    sectors of another size than 512, is EIO; ``getcwd`` of more bytes than the firmware's buffer
    holds is always ENOMEM (one byte more than that is written past it there); a month 0 or
    past 13 in an entry is taken for a month (``fat_time``); chains are walked with a bound.
    """

    options: FatOptions = FatOptions()

    def __init__(self, bdev: Any, /, *, part: int = 0, options: FatOptions | None = None) -> None:
        if options is not None:
            self.options = options
        self._profile = profile_of(self.options.profile)
        self._quirks = Quirks(self.options.on_quirk)
        self._device = blocks_of(bdev, self._device_failed)
        self._part = part
        self._fat: FatCore | None = None
        self._files: OpenFiles[FatRaw] = OpenFiles()
        self._has_filesystem = True
        with self._asked():
            self._look()

    @property
    def has_filesystem(self) -> bool:
        """Whether there was a file system when the object was made, or ``mount`` made one."""
        return self._has_filesystem

    @property
    def fs(self) -> FatCore:
        """The mounted FAT; raises ``FatError`` where there is none."""
        return self._volume()

    def _device_failed(self, method: str) -> None:
        if not self._profile.minds_devices:
            self._quirks.tell("device-error-ignored", method)

    # The volume

    def _look(self) -> None:
        try:
            self._volume()
        except FatError as error:
            if error.result != FResult.NO_FILESYSTEM:
                raise
            self._has_filesystem = False

    def _volume(self, *, write: bool = False) -> FatCore:
        """Return the FAT, mounted anew if it is not: every call of FatFs begins so."""
        fat = self._fat if self._fat is not None and self._fat.mounted else None
        if fat is None:
            self._device.start()
        if write and self._device.read_only:
            raise fat_error(FResult.WRITE_PROTECTED)
        if fat is None:
            start = find_volume(self._device, self._part)
            fat = FatCore(self._device, start, clock=self._now)
            self._fat = fat
        return fat

    def abandon(self) -> None:
        """Forget what is in RAM, as when power goes; open files are dead. The next call mounts."""
        if self._fat is not None:
            self._fat.abandon()

    def _now(self) -> tuple[int, int]:
        """Return the time that is written into entries."""
        date, time = self.options.clock()
        if self.options.dates_late:
            date = late_date(date)
            self._quirks.tell("fat-dates-late", year_of(date))
        return date, time

    def mount(self, readonly: object, mkfs: object, /) -> None:
        """Say whether there is a file system (ENODEV), or make one if ``mkfs`` and there is none.

        ``readonly`` refuses every write from now on, for as long as this object lives.
        """
        if readonly:
            self._device.protect()
        with self._asked():
            if not self._has_filesystem:
                if not mkfs or self._part:
                    raise fat_error(FResult.NO_FILESYSTEM)
                self._format(fat32=False)
        self._has_filesystem = True

    def umount(self) -> None:
        """Do nothing: the file system stays usable through this object and through open files."""

    @classmethod
    def mkfs(cls, bdev: Any, /) -> None:
        """Make a file system on ``bdev``, whatever is on it: FAT12, FAT16 or, where the device
        is too large for them, FAT32 with a partition table."""
        volume = cls(bdev)
        with volume._asked():
            volume._format(fat32=True)

    def _format(self, *, fat32: bool) -> None:
        self.abandon()
        self._device.start()
        if self._device.read_only:
            raise fat_error(FResult.WRITE_PROTECTED)
        capacity = self._device.capacity()
        if not capacity:
            raise fat_error(FResult.MKFS_ABORTED)
        if not fat32:
            plan_small(Request(capacity))  # raises where FAT16 does not go
        make_filesystem(self._device, clock=self._now)

    def statvfs(self, path: object, /) -> Stat:
        """Return cluster size twice, clusters, free clusters twice, zeros, longest name.

        The path is not looked at. Free clusters are what FSInfo says, where it says something.
        """
        del path
        with self._asked():
            fat = self._volume()
            free = fat.free_clusters()
        size, clusters = fat.geometry.cluster_size, fat.geometry.clusters
        return (size, size, clusters, free, free, 0, 0, 0, 0, MAX_LONG_NAME)

    # Folders

    def ilistdir(self, path: object = "", /) -> Iterator[tuple[Any, int, int, int]]:
        """Iterate over a folder as (name, mode, 0, size), in the order of the card.

        Bytes in, bytes out. What fails on the way ends the listing.
        """
        with self._asked(path) as (raw,):
            entries = self._volume().scandir(raw)
        return _listing(entries, as_bytes=isinstance(path, bytes))

    def mkdir(self, path: object, /) -> None:
        """Make a folder; EACCES where there is no room for it."""
        with self._asked(path) as (raw,):
            self._volume(write=True).mkdir(raw)
        self._note_name(raw)

    def rmdir(self, path: object, /) -> None:
        """Remove an empty folder; ENOTDIR for a file, EACCES for the current one."""
        with self._asked(path) as (raw,):
            self._remove(raw, folder=True)

    def chdir(self, path: object, /) -> None:
        """Change this volume's current folder."""
        with self._asked(path) as (raw,):
            self._volume().chdir(raw)

    def getcwd(self) -> str:
        """Return this volume's current folder, followed up to the root; ENOMEM if too long."""
        with self._asked():
            raw = self._volume().getcwd()
            if len(raw) > self._profile.path_max:
                raise fat_error(FResult.NOT_ENOUGH_CORE)
        return decode(raw)

    # Files

    def open(self, path: object, mode: object, /) -> FileIO | TextIOWrapper:
        """Open a file.

        Each letter of ``mode`` counts: r reads, w creates and empties, x creates, a creates and
        starts at the end, + reads and writes, b and t choose the class (the last one wins).
        """
        letters = c_string(mode)
        flags = open_flags(letters)
        with self._asked(path) as (raw,):
            fat = self._volume(write=flags not in (0, OpenFlag.READ))
            file = fat.open(raw, flags)
        if flags & OpenFlag.OPEN_ALWAYS:
            with suppress(*_FAILURES):
                file.seek(file.size)
        if flags & _CREATES:
            self._note_name(raw)
        watch = FileWatch(fat, decode(raw), flags, self._quirks, guarded=self.options.guarded)
        return self._files.add(FatRaw(file, watch), letters)

    def remove(self, path: object, /) -> None:
        """Remove a file; EISDIR for a folder."""
        with self._asked(path) as (raw,):
            self._remove(raw, folder=False)

    def _remove(self, raw: bytes, *, folder: bool) -> None:
        if self._stat(raw).is_dir != folder:
            raise VfsError(Errno.ENOTDIR if folder else Errno.EISDIR)
        self._volume(write=True).remove(raw)

    def rename(self, old: object, new: object, /) -> None:
        """Rename or move within the volume; a file that has the new name is removed first."""
        with self._asked(old, new) as (source, target):
            fat = self._volume(write=True)
            orphans = self._leaves_itself_behind(fat, source, target)
            try:
                fat.rename(source, target, guarded=self.options.guarded)
            except FatError as error:
                if error.result != FResult.EXIST:
                    raise
                self._replace(fat, source, target)
        if orphans:
            self._quirks.tell("fat-folder-into-itself", decode(source), decode(target))
        self._note_name(target)

    def _leaves_itself_behind(self, fat: FatCore, source: bytes, target: bytes) -> bool:
        """Whether a folder is about to go into itself; looked at only if somebody is told."""
        if self.options.guarded or not self._quirks.waits_for("fat-folder-into-itself"):
            return False
        return leads_into_itself(fat, source, target)

    def _replace(self, fat: FatCore, source: bytes, target: bytes) -> None:
        self._remove(target, folder=False)
        names = decode(source), decode(target)
        try:
            fat.rename(source, target, guarded=self.options.guarded)
        except _FAILURES:
            self._quirks.tell("rename-loses-target", *names)
            raise
        self._quirks.tell("fat-rename-replaces", *names)

    def stat(self, path: object, /) -> Stat:
        """Return mode, size and the time of the last write, three times.

        ``""`` and ``/`` are the root, whatever is on the device; other ways to it are EINVAL.
        """
        mode, size, (date, time) = _DIRECTORY, 0, MILLENNIUM
        if c_string(path) not in ("", "/"):
            with self._asked(path) as (raw,):
                entry = self._stat(raw)
            mode, size = _mode(entry), entry.size
            date, time = entry.write_date, entry.write_time
        seconds = self._profile.epoch + seconds_since_2000(date, time)
        return (mode, 0, 0, 0, 0, 0, size, seconds, seconds, seconds)

    def _stat(self, raw: bytes) -> FatEntry:
        entry = self._volume().stat(raw)
        if entry.slot < 0:  # the root, which has no entry
            raise fat_error(FResult.INVALID_NAME, decode(raw))
        return entry

    def import_stat(self, path: str) -> ImportStat:
        """Tell what ``import`` finds; the root is nothing."""
        try:
            entry = self._stat(encode(c_string(path)))
        except _FAILURES:
            return ImportStat.NONE
        return ImportStat.DIRECTORY if entry.is_dir else ImportStat.FILE

    def collect(self) -> int:
        """Close the files whose objects are gone, as the firmware's garbage collector does.

        Return how many there were.
        """
        return self._files.collect()

    @contextmanager
    def _asked(self, *paths: object) -> Iterator[tuple[bytes, ...]]:
        """Give the paths as the driver takes them; turn its errors into a program's."""
        raws = tuple(encode(c_string(path)) for path in paths)
        try:
            yield raws
        except _FAILURES as error:
            for raw in raws:
                if len(raw) > 1 and raw[-1:] in (b"/", b"\\"):
                    self._quirks.tell("fat-trailing-slash", decode(raw))
            raise error_of(error) from error

    def _note_name(self, raw: bytes) -> None:
        """Look at a name that was just made."""
        if not raw.isascii():
            self._quirks.tell("fat-name-bytes", decode(raw), oem_to_unicode(raw))


def _listing(
    entries: Iterator[FatEntry], *, as_bytes: bool
) -> Iterator[tuple[str | bytes, int, int, int]]:
    """Turn FAT's entries into MicroPython's; what fails ends the listing."""
    with suppress(*_FAILURES):
        for entry in entries:
            name = entry.oem_name
            yield (name if as_bytes else decode(name), _mode(entry), 0, entry.size)


def _mode(entry: FatEntry) -> int:
    return _DIRECTORY if entry.is_dir else _FILE
