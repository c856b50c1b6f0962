"""An open FAT file as MaixPy's file objects use it: modes, error numbers, positions, quirks."""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING

from maixfs.fat.errors import FatError, FResult
from maixfs.fat.openflag import OpenFlag
from maixfs.sd.device import SECTOR
from maixfs.sd.errors import SectorError
from maixfs.vfs.errors import Errno, VfsError

if TYPE_CHECKING:
    from maixfs.fat import FatCore, FatFile
    from maixfs.vfs.profile import Quirks

FAILURES = (FatError, SectorError)
"""What the FAT core and its device raise. Not ``OSError``, which they are too: an ``OSError`` of
a program's own block device has to reach the program unchanged."""

_WORD = 1 << 32
_MAX_DEPTH = 256
"""Folders that are followed upwards: on a damaged volume they may form a loop."""


# Errors

# Index 0 stands for OK (docs/SPEC.md, section 17.4).
_ERRNOS = (
    Errno.EIO,  # OK: never an error
    Errno.EIO,  # disk error
    Errno.EIO,  # internal error
    Errno.EBUSY,  # not ready
    Errno.ENOENT,  # no file
    Errno.ENOENT,  # no path
    Errno.EINVAL,  # invalid name
    Errno.EACCES,  # denied
    Errno.EEXIST,  # exists
    Errno.EINVAL,  # invalid object
    Errno.EROFS,  # write-protected
    Errno.ENODEV,  # invalid drive
    Errno.ENODEV,  # not enabled
    Errno.ENODEV,  # no file system
    Errno.EIO,  # mkfs aborted
    Errno.EIO,  # timeout
    Errno.EIO,  # locked
    Errno.ENOMEM,  # not enough core
    Errno.EMFILE,  # too many open files
    Errno.EINVAL,  # invalid parameter
)


def errno_of(result: int) -> Errno:
    """Return the errno for a result of FatFs; EIO for an unknown number."""
    return _ERRNOS[result] if 0 <= result < len(_ERRNOS) else Errno.EIO


def error_of(error: FatError | SectorError) -> VfsError:
    """Return what a program sees for ``error``; raise it ``from error``.

    The result number decides, not the errno of ``error``: the core names EISDIR, ENOTEMPTY or
    ENOSPC where FatFs and the board know only DENIED. A device that fails is EIO.
    """
    if isinstance(error, FatError):
        return VfsError(errno_of(error.result))
    return VfsError(errno_of(FResult.DISK_ERR))


# Modes

_LETTERS = {
    "r": OpenFlag.READ,
    "w": OpenFlag.WRITE | OpenFlag.CREATE_ALWAYS,
    "x": OpenFlag.WRITE | OpenFlag.CREATE_NEW,
    "a": OpenFlag.WRITE | OpenFlag.OPEN_ALWAYS,
    "+": OpenFlag.READ | OpenFlag.WRITE,
}


@lru_cache(maxsize=64)
def open_flags(letters: str) -> OpenFlag:
    """Return the flags of a mode.

    As in v1.11 all letters are or-ed ("rw" truncates) and unknown ones are ignored.
    """
    flags = OpenFlag(0)
    for letter in letters:
        flags |= _LETTERS.get(letter, OpenFlag(0))
    return flags


# Files


class FatRaw:
    """A ``FatFile`` with MicroPython's error numbers and rules for positions.

    A seek never fails: the position is then where FatFs left it. Past the end a reader stops at
    the end; a writer extends the file at once, until the volume is full. A close that fails
    can be tried again.
    """

    def __init__(self, file: FatFile, watch: FileWatch) -> None:
        self._file = file
        self._watch = watch
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether the file was closed; a file whose volume is gone was not."""
        return self._closed

    @property
    def lookahead(self) -> int:
        """Bytes to the end of the sector: a card fails per sector, so a program cannot see it."""
        return SECTOR - self._file.tell() % SECTOR

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes; EACCES without the right to, EINVAL once closed."""
        try:
            return self._file.read(size)
        except FAILURES as error:
            raise error_of(error) from error

    def read_all(self) -> bytes:
        """Return everything from the position to the end."""
        return self.read(-1)

    def write(self, data: memoryview) -> int:
        """Write all of ``data``; ENOSPC where less fits, and what fits is in the file."""
        self._watch.before_write(self._file)
        try:
            written = self._file.write(data)
        except FAILURES as error:
            raise error_of(error) from error
        if written < len(data):
            self._watch.full()
            raise VfsError(Errno.ENOSPC)
        return written

    def seek(self, offset: int, whence: int) -> int:
        """Move the position and return it; an unknown ``whence`` does not move it."""
        start = self._start(whence)
        if start is not None:
            target = start + offset
            if self._watch.refuses(self._file, target):
                raise VfsError(Errno.EINVAL)
            # v1.11 ignores the result of f_lseek: the error shows at the next read or write.
            with suppress(*FAILURES):
                self._file.seek(target % _WORD)
        return self._file.tell()

    def _start(self, whence: int) -> int | None:
        if whence == 0:
            return 0
        if whence == 1:
            return self._file.tell()
        return self._file.size if whence == 2 else None

    def flush(self) -> None:
        """Write what the driver holds in RAM, and the entry with the size."""
        try:
            self._file.sync()
        except FAILURES as error:
            raise error_of(error) from error

    def close(self) -> None:
        """Flush and close, unless it is closed already; EINVAL where the volume is gone."""
        if self._closed:
            return
        if self._file.closed:
            raise VfsError(Errno.EINVAL)
        try:
            self._file.close()
        except FAILURES as error:
            raise error_of(error) from error
        self._closed = True


# Quirks


class FileWatch:
    """Reports quirks of one open file of ``fs``, opened as ``path`` with ``flags``.

    With ``guarded`` a seek to before the start of a file that can be written is refused.
    """

    def __init__(
        self, fs: FatCore, path: str, flags: OpenFlag, quirks: Quirks, *, guarded: bool
    ) -> None:
        self._fs = fs
        self._path = path
        self._writes = bool(flags & OpenFlag.WRITE)
        self._appends = bool(flags & OpenFlag.OPEN_ALWAYS)
        self._quirks = quirks
        self._guarded = guarded

    def refuses(self, file: FatFile, target: int) -> bool:
        """Return True if a seek to ``target`` must not be done; report what it will do."""
        if not self._writes:
            return False
        if target < 0:
            if self._guarded:
                return True
            self._quirks.report("fat-seek-fills", self._path)
        elif target > file.size:
            self._quirks.report("fat-seek-grows", self._path)
        return False

    def before_write(self, file: FatFile) -> None:
        """Report an append that is about to overwrite."""
        if self._appends and not file.closed and file.tell() < file.size:
            self._quirks.report("fat-append-once", self._path)

    def full(self) -> None:
        """Report a write that found no room although clusters are free; reads the whole FAT."""
        if not self._quirks.wanted("fat-free-count"):
            return
        try:
            free = self._fs.count_free()
        except FAILURES:
            return
        if free:
            self._quirks.report("fat-free-count", self._path, free)


def leads_into_itself(fs: FatCore, source: bytes, target: bytes) -> bool:
    """Return True if ``source`` is a folder and ``target`` a path below it.

    Follows the ``..`` entries from the parent of ``target`` upwards.
    """
    slash = max(target.rfind(b"/"), target.rfind(b"\\"))
    place = target[:slash] if slash > 0 else b"." if slash < 0 else b"/"
    with suppress(*FAILURES):
        folder = fs.stat(source)
        if not folder.is_dir or not folder.cluster:
            return False
        for _ in range(_MAX_DEPTH):
            above = fs.stat(place).cluster
            if above in (0, folder.cluster):
                return above != 0
            place += b"/.."
    return False
