"""An open SPIFFS file as MaixPy's file objects use it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.spiffs.errors import Code, SpiffsError
from maixfs.vfs.errnos import Errno
from maixfs.vfs.errors import VfsError
from maixfs.vfs.spiffs_errno import error_of

if TYPE_CHECKING:
    from maixfs.spiffs import Descriptor
    from maixfs.vfs.quirks import Quirks

_WHENCES = (0, 1, 2)


class SpiffsFile:
    """A SPIFFS descriptor with MaixPy's error numbers: whatever fails is EIO.

    After ``close`` the file has descriptor 0, which SPIFFS does not know: everything but another
    ``close`` fails. A ``close`` that fails leaves the descriptor taken (docs/SPEC.md, section 10).
    """

    lookahead = 256
    """A read and the seek back change nothing on flash, and a read that fails moves nothing."""

    def __init__(self, descriptor: Descriptor, quirks: Quirks) -> None:
        self._descriptor: Descriptor | None = descriptor
        self._forgotten = False
        self._quirks = quirks

    @property
    def closed(self) -> bool:
        """Whether the file has no descriptor any more."""
        return self._descriptor is None or self._forgotten

    def forget(self) -> None:
        """Lose the descriptor to a new mount: nothing is written, all that follows fails."""
        self._forgotten = True

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes."""
        try:
            return self._open().read(size)
        except SpiffsError as error:
            raise error_of(error, Errno.EIO) from error

    def read_all(self) -> bytes:
        """Return what follows."""
        return self.read(-1)

    def write(self, data: memoryview) -> int:
        """Write all of ``data``; SPIFFS knows no short write, what does not fit is EIO."""
        try:
            return self._open().write(data)
        except SpiffsError as error:
            raise error_of(error, Errno.EIO) from error

    def seek(self, offset: int, whence: int) -> int:
        """Move the position; SPIFFS's error number is returned as if it were one.

        Past the end that is -10003 with the position at the end. An unknown ``whence`` does
        nothing and gives 0.
        """
        if whence not in _WHENCES:
            return 0
        if self._descriptor is None:
            return int(Code.BAD_DESCRIPTOR)
        if self._forgotten:
            return int(Code.FILE_CLOSED)
        try:
            return self._descriptor.seek(_int32(offset), whence)
        except SpiffsError as error:
            return int(error.code)

    def flush(self) -> None:
        """Write what the cache holds."""
        try:
            self._open().flush()
        except SpiffsError as error:
            raise error_of(error, Errno.EIO) from error

    def close(self) -> None:
        """Write what the cache holds and free the descriptor, unless that write fails."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        if self._forgotten:
            raise VfsError(Errno.EIO)
        try:
            descriptor.close()
        except SpiffsError as error:
            if not descriptor.closed:
                self._quirks.tell("close-keeps-descriptor", descriptor.name)
            raise error_of(error, Errno.EIO) from error

    def _open(self) -> Descriptor:
        if self._descriptor is None or self._forgotten:
            raise VfsError(Errno.EIO)
        return self._descriptor


def _int32(offset: int) -> int:
    """SPIFFS takes offsets of 32 bits; longer ones lose their upper part."""
    return (offset + (1 << 31)) % (1 << 32) - (1 << 31)
