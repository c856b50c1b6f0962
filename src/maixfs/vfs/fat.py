"""``VfsFat``: FAT as MicroPython's VFS shows it, with the firmware's own behaviour."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from maixfs.fat import FatCore
from maixfs.fat.codepage import oem_to_unicode
from maixfs.fat.entries import Clock, host_clock
from maixfs.fat.errors import FatError, FResult, fat_error
from maixfs.fat.mkfs import make_filesystem
from maixfs.fat.mkfs_plans import Request, plan_small
from maixfs.fat.ondisk import MAX_LONG_NAME
from maixfs.fat.openflag import OpenFlag
from maixfs.fat.probe import find_volume
from maixfs.vfs.blockdev import blocks_of
from maixfs.vfs.driver import S_IFDIR, S_IFREG, ImportStat, NativeDriver, Stat
from maixfs.vfs.errors import Errno, VfsError
from maixfs.vfs.fat_file import (
    FAILURES,
    FatRaw,
    FileWatch,
    error_of,
    leads_into_itself,
    open_flags,
)
from maixfs.vfs.files import OpenFiles, c_string, decode, encode
from maixfs.vfs.profile import OnQuirk, Quirks, profile_of

if TYPE_CHECKING:
    from maixfs.fat import FatEntry
    from maixfs.vfs.files import FileIO, TextIOWrapper

_CREATES = OpenFlag.CREATE_NEW | OpenFlag.CREATE_ALWAYS | OpenFlag.OPEN_ALWAYS

# Times

_DAYS_BEFORE = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365)
_FIRST_YEAR = 1980
_YEARS = 0x7F
MILLENNIUM = (0x2821, 0)
"""2000-01-01 00:00:00, the time of every root (docs/SPEC.md, section 20.1)."""


def late_date(date: int) -> int:
    """Return ``date`` as MaixPy writes it: the calendar year instead of the years since 1980.

    Seven bits of it are stored: 2024 becomes 104, which is 2084 to everybody else.
    """
    return (year_of(date) & _YEARS) << 9 | date & 0x1FF


def year_of(date: int) -> int:
    """Return the year of a FAT date."""
    return (date >> 9 & _YEARS) + _FIRST_YEAR


def seconds_since_2000(date: int, time: int) -> int:
    """Return the seconds from 2000-01-01 to a FAT time; negative before it.

    As in v1.11 nothing is checked: 31 February is 2 or 3 March. A month 0 counts as January and
    a month past 13 as 13; the firmware reads outside its table there.
    """
    year = year_of(date)
    month, day = date >> 5 & 0xF, date & 0x1F
    leaps = (year - 1997) // 4 - (year - 1901) // 100 + (year - 1601) // 400
    is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    days = (year - 2000) * 365 + leaps + _DAYS_BEFORE[min(max(month, 1), 13) - 1] + day - 1
    if month > 2 and is_leap:
        days += 1
    hour, minute, second = time >> 11 & 0x1F, time >> 5 & 0x3F, (time & 0x1F) * 2
    return ((days * 24 + hour) * 60 + minute) * 60 + second


# The driver


@dataclass(frozen=True)
class FatOptions:
    """How a ``VfsFat`` behaves where boards differ.

    ``profile`` is a name as for ``Vfs``. ``clock`` returns the current date and time as FAT
    stores them; the default is the host's. ``dates_late``: dates are written 60 years late, as
    the firmware does. ``guarded``: operations that only lose data are EINVAL: renaming a folder
    to a place inside itself, seeking to before the start of a file that can be written.
    ``on_quirk(key, sentence)`` is called once for each quirk of the firmware (``SENTENCES``).
    """

    profile: str = "maixpy"
    clock: Clock = host_clock
    dates_late: bool = False
    guarded: bool = False
    on_quirk: OnQuirk | None = None


class VfsFat(NativeDriver):
    """A FAT volume as a driver of ``Vfs``.

    ``bdev`` is a MicroPython program's block device (``ProgramBlocks`` says what it needs) or a
    ``SectorDevice``; ``part`` is the slot in its partition table, 0 for the first volume that is
    found. A missing file system is an error only at ``mount``. ``options`` default to those of
    the class; ``fat_class`` makes the class of a board. Methods raise ``VfsError``.

    Paths are the firmware's: their UTF-8 bytes are taken for code page 437, and listings return
    the same bytes.

    What differs from the firmware on purpose: a block device that returns an error, or has
    sectors of another size than 512, is EIO; ``getcwd`` of more bytes than the firmware's buffer
    holds is always ENOMEM (the firmware writes one byte past it if there is one byte more); a
    month 0 or past 13 in an entry counts as a month (``seconds_since_2000``); chains are walked
    with a bound.
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
        with self._request():
            self._probe()

    @property
    def has_filesystem(self) -> bool:
        """Whether a file system was found by the constructor, or made by ``mount``."""
        return self._has_filesystem

    @property
    def fs(self) -> FatCore:
        """The mounted FAT; raises ``FatError`` if there is none."""
        return self._volume()

    def _device_failed(self, method: str) -> None:
        if not self._profile.checks_devices:
            self._quirks.report("device-error-ignored", method)

    # The volume

    def _probe(self) -> None:
        try:
            self._volume()
        except FatError as error:
            if error.result != FResult.NO_FILESYSTEM:
                raise
            self._has_filesystem = False

    def _volume(self, *, write: bool = False) -> FatCore:
        """Return the FAT, mounted again if necessary: every call of FatFs starts with that.

        The order of the checks is FatFs's: device ready, write-protected, file system found.
        """
        fat = self._fat if self._fat is not None and self._fat.mounted else None
        if fat is None:
            self._device.start()
        if write and self._device.read_only:
            raise fat_error(FResult.WRITE_PROTECTED)
        if fat is None:
            start = find_volume(self._device, self._part)
            fat = FatCore(self._device, start, faithful=True, clock=self._now)
            self._fat = fat
        return fat

    def abandon(self) -> None:
        """Drop what is in RAM, as a power cut does; open files are dead. The next call mounts."""
        if self._fat is not None:
            self._fat.abandon()

    def _now(self) -> tuple[int, int]:
        """Return the date and time that are written into entries."""
        date, time = self.options.clock()
        if self.options.dates_late:
            date = late_date(date)
            self._quirks.report("fat-dates-late", year_of(date))
        return date, time

    def mount(self, readonly: object, mkfs: object, /) -> None:
        """Check that there is a file system (ENODEV), or make one if ``mkfs`` and there is none.

        ``readonly`` refuses every write for the rest of this object's life: v1.11 clears the
        device's write function and never restores it.
        """
        if readonly:
            self._device.protect()
        with self._request():
            if not self._has_filesystem:
                if not mkfs or self._part:
                    raise fat_error(FResult.NO_FILESYSTEM)
                self._format(fat32=False)
        self._has_filesystem = True

    def umount(self) -> None:
        """Do nothing: the firmware keeps the file system usable through this object and files."""

    @classmethod
    def mkfs(cls, bdev: Any, /) -> None:
        """Make a file system on ``bdev``, whatever it holds.

        It is FAT12, FAT16 or, if the device is too large for them, FAT32 with a partition table.
        """
        # The constructor looks for a file system first, as in v1.11: a device that fails to read
        # cannot be formatted.
        volume = cls(bdev)
        with volume._request():
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
            plan_small(Request(capacity))  # raises if the device is too large for FAT16
        make_filesystem(self._device, clock=self._now)

    def statvfs(self, path: object, /) -> Stat:
        """Return cluster size twice, clusters, free clusters twice, zeros, longest name.

        The firmware does not look at the path, not even at its type. The number of free clusters
        comes from FSInfo if that has one.
        """
        del path
        with self._request():
            fat = self._volume()
            free = fat.free_clusters()
        size, clusters = fat.geometry.cluster_size, fat.geometry.clusters
        return (size, size, clusters, free, free, 0, 0, 0, 0, MAX_LONG_NAME)

    # Folders

    def ilistdir(self, path: object = "", /) -> Iterator[tuple[Any, int, int, int]]:
        """Iterate over a folder as (name, mode, 0, size), in the order of the card.

        A bytes path gives bytes names. An error after the start ends the listing.
        """
        with self._request(path) as (raw,):
            entries = self._volume().scandir(raw)
        return _listing(entries, as_bytes=isinstance(path, bytes))

    def mkdir(self, path: object, /) -> None:
        """Make a folder; EACCES if there is no room for it."""
        with self._request(path) as (raw,):
            self._volume(write=True).mkdir(raw)
        self._check_name(raw)

    def rmdir(self, path: object, /) -> None:
        """Remove an empty folder; ENOTDIR for a file, EACCES for the current folder."""
        with self._request(path) as (raw,):
            self._remove(raw, folder=True)

    def chdir(self, path: object, /) -> None:
        """Change this volume's current folder."""
        with self._request(path) as (raw,):
            self._volume().chdir(raw)

    def getcwd(self) -> str:
        """Return the path of this volume's current folder; ENOMEM if it is too long."""
        with self._request():
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
        with self._request(path) as (raw,):
            # f_open needs a writable volume for every flag but READ, also if nothing is written.
            fat = self._volume(write=flags not in (0, OpenFlag.READ))
            file = fat.open(raw, flags)
        if flags & OpenFlag.OPEN_ALWAYS:
            # v1.11 seeks to the end here, once, and ignores the result. It does not use FatFs's
            # append mode, so a later seek and write overwrites (quirk fat-append-once).
            with suppress(*FAILURES):
                file.seek(file.size)
        if flags & _CREATES:
            self._check_name(raw)
        watch = FileWatch(fat, decode(raw), flags, self._quirks, guarded=self.options.guarded)
        return self._files.add(FatRaw(file, watch), letters)

    def remove(self, path: object, /) -> None:
        """Remove a file; EISDIR for a folder."""
        with self._request(path) as (raw,):
            self._remove(raw, folder=False)

    def _remove(self, raw: bytes, *, folder: bool) -> None:
        # v1.11 looks at the entry before it removes it, so that a missing file or a wrong kind
        # has its own number even on a read-only volume.
        if self._stat(raw).is_dir != folder:
            raise VfsError(Errno.ENOTDIR if folder else Errno.EISDIR)
        self._volume(write=True).remove(raw)

    def rename(self, old: object, new: object, /) -> None:
        """Rename or move within the volume; an existing file of the new name is removed first."""
        with self._request(old, new) as (source, target):
            fat = self._volume(write=True)
            # Checked before the rename: afterwards the folder cannot be found any more.
            orphans = self._orphans_folder(fat, source, target)
            try:
                fat.rename(source, target, guarded=self.options.guarded)
            except FatError as error:
                if error.result != FResult.EXIST:
                    raise
                self._replace(fat, source, target)
        if orphans:
            self._quirks.report("fat-folder-into-itself", decode(source), decode(target))
        self._check_name(target)

    def _orphans_folder(self, fat: FatCore, source: bytes, target: bytes) -> bool:
        """Return True if a folder is about to be moved into itself and that is reported."""
        if self.options.guarded or not self._quirks.wanted("fat-folder-into-itself"):
            return False
        return leads_into_itself(fat, source, target)

    def _replace(self, fat: FatCore, source: bytes, target: bytes) -> None:
        # FatFs refuses an existing target, and v1.11 then removes it and tries again. If the
        # second try fails, or the power does, the target is lost: kept, as the board has it.
        self._remove(target, folder=False)
        names = decode(source), decode(target)
        try:
            fat.rename(source, target, guarded=self.options.guarded)
        except FAILURES:
            self._quirks.report("rename-loses-target", *names)
            raise
        self._quirks.report("fat-rename-replaces", *names)

    def stat(self, path: object, /) -> Stat:
        """Return mode, size and the time of the last write, three times.

        ``""`` and ``/`` are the root, whatever the device holds; other paths to it are EINVAL,
        because FatFs's f_stat has no entry to return.
        """
        mode, size, (date, time) = S_IFDIR, 0, MILLENNIUM
        if c_string(path) not in ("", "/"):
            with self._request(path) as (raw,):
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
        """Return what ``import`` finds; return ``NONE`` for the root."""
        try:
            entry = self._stat(encode(c_string(path)))
        except FAILURES:
            return ImportStat.NONE
        return ImportStat.DIRECTORY if entry.is_dir else ImportStat.FILE

    def collect(self) -> int:
        """Close the files whose objects are gone; return their number."""
        return self._files.collect()

    @contextmanager
    def _request(self, *paths: object) -> Iterator[tuple[bytes, ...]]:
        """Yield the paths as the core takes them; turn its errors into a program's.

        What a program's own block device raises passes through unchanged.
        """
        raws = tuple(encode(c_string(path)) for path in paths)
        try:
            yield raws
        except FAILURES as error:
            for raw in raws:
                if len(raw) > 1 and raw[-1:] in (b"/", b"\\"):
                    self._quirks.report("fat-trailing-slash", decode(raw))
            raise error_of(error) from error

    def _check_name(self, raw: bytes) -> None:
        """Report a new name that a PC shows differently."""
        if not raw.isascii():
            self._quirks.report("fat-name-bytes", decode(raw), oem_to_unicode(raw))


def _listing(
    entries: Iterator[FatEntry], *, as_bytes: bool
) -> Iterator[tuple[str | bytes, int, int, int]]:
    """Yield FAT's entries as MicroPython's; in v1.11 an error ends the listing silently."""
    with suppress(*FAILURES):
        for entry in entries:
            name = entry.oem_name
            yield (name if as_bytes else decode(name), _mode(entry), 0, entry.size)


def _mode(entry: FatEntry) -> int:
    return S_IFDIR if entry.is_dir else S_IFREG


def fat_class(board: FatOptions) -> type[VfsFat]:
    """Return the ``uos.VfsFat`` of one board: its objects have the options of that board."""

    class OwnVolume(VfsFat):
        options = board

        def __repr__(self) -> str:
            return "<VfsFat>"

    OwnVolume.__name__ = OwnVolume.__qualname__ = VfsFat.__name__
    OwnVolume.__module__ = "builtins"
    return OwnVolume
