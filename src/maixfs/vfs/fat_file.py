"""An open FAT file as MaixPy's file objects use it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from maixfs.fat.errors import FatError
from maixfs.sd.device import SECTOR
from maixfs.sd.errors import SectorError
from maixfs.vfs.errnos import Errno
from maixfs.vfs.errors import VfsError
from maixfs.vfs.fat_errno import error_of

if TYPE_CHECKING:
    from maixfs.fat import FatFile
    from maixfs.vfs.fat_watch import FileWatch

_WORD = 1 << 32
_FAILURES = (FatError, SectorError)


class FatRaw:
    """A ``FatFile`` with MicroPython's error numbers and rules for positions.

    A seek never fails: the position is then where FatFs left it. Past the end a reader stops at
    the end; a writer makes the file longer at once, until the volume is full. A close that fails
    can be tried again.
    """

    def __init__(self, file: FatFile, watch: FileWatch) -> None:
        self._file = file
        self._watch = watch
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether the file was closed; one whose volume is gone was not."""
        return self._closed

    @property
    def lookahead(self) -> int:
        """Bytes to the end of the sector: a card that fails does so between two of them."""
        return SECTOR - self._file.tell() % SECTOR

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes; EACCES without the right to, EINVAL once closed."""
        try:
            return self._file.read(size)
        except _FAILURES as error:
            raise error_of(error) from error

    def read_all(self) -> bytes:
        """Return what follows."""
        return self.read(-1)

    def write(self, data: memoryview) -> int:
        """Write all of ``data``; ENOSPC where less fits, and what fits is in the file."""
        self._watch.before_write(self._file)
        try:
            written = self._file.write(data)
        except _FAILURES as error:
            raise error_of(error) from error
        if written < len(data):
            self._watch.full()
            raise VfsError(Errno.ENOSPC)
        return written

    def seek(self, offset: int, whence: int) -> int:
        """Move the position and return where it is then; an unknown ``whence`` leaves it."""
        start = self._start(whence)
        if start is not None:
            target = start + offset
            if self._watch.refuses(self._file, target):
                raise VfsError(Errno.EINVAL)
            with suppress(*_FAILURES):  # FatFs's result is not looked at; what follows fails
                self._file.seek(target % _WORD)
        return self._file.tell()

    def _start(self, whence: int) -> int | None:
        if whence == 0:
            return 0
        if whence == 1:
            return self._file.tell()
        return self._file.size if whence == 2 else None

    def flush(self) -> None:
        """Write what the driver holds, and the entry with the size."""
        try:
            self._file.sync()
        except _FAILURES as error:
            raise error_of(error) from error

    def close(self) -> None:
        """Flush and close, unless it is closed already; EINVAL where the volume is gone."""
        if self._closed:
            return
        if self._file.closed:
            raise VfsError(Errno.EINVAL)
        try:
            self._file.close()
        except _FAILURES as error:
            raise error_of(error) from error
        self._closed = True
