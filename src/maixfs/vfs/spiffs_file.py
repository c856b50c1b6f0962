"""An open SPIFFS file as MaixPy's file objects use it: names, modes, error numbers, positions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.spiffs import OpenFlag
from maixfs.spiffs.errors import Code, SpiffsError
from maixfs.vfs.errors import Errno, VfsError
from maixfs.vfs.files import c_string

if TYPE_CHECKING:
    from maixfs.spiffs import Descriptor
    from maixfs.vfs.profile import Quirks

_WHENCES = (0, 1, 2)
_FIRST = 10000


# Errors

# Index 0 stands for -10000 (docs/SPEC.md, section 10).
_ERRNOS = (
    Errno.ENOEXEC,  # not mounted
    Errno.ENOSPC,  # full
    Errno.ENOENT,  # not found
    Errno.EIO,  # end of object
    Errno.EIO,  # deleted
    Errno.EIO,  # not finalized
    Errno.EIO,  # not index
    Errno.EMFILE,  # out of file descriptors
    Errno.EPERM,  # file closed
    Errno.EIO,  # file deleted
    Errno.EBADF,  # bad descriptor
    Errno.EPERM,  # is index
    Errno.EIO,  # is free
    Errno.EIO,  # index span mismatch
    Errno.EIO,  # data span mismatch
    Errno.EIO,  # index ref free
    Errno.EIO,  # index ref look-up
    Errno.EINVAL,  # index ref invalid
    Errno.EIO,  # index free
    Errno.EIO,  # index look-up
    Errno.EINVAL,  # index invalid
    Errno.EPERM,  # not writable
    Errno.EPERM,  # not readable
    Errno.EEXIST,  # conflicting name
    Errno.EIO,  # not configured
    Errno.EIO,  # not a file system
    Errno.EIO,  # mounted
    Errno.EIO,  # erase fail
    Errno.EIO,  # magic not possible
    Errno.EAGAIN,  # no deleted blocks
    Errno.EEXIST,  # file exists
    Errno.ENOENT,  # not a file
    Errno.EIO,  # read-only, not implemented
    Errno.EIO,  # read-only, aborted operation
    Errno.EIO,  # probe: too few blocks
    Errno.EIO,  # probe: not a file system
    Errno.EINVAL,  # name too long
    Errno.EIO,  # index map unmapped
    Errno.EIO,  # index map mapped
    Errno.EIO,  # index map bad range
    Errno.ESPIPE,  # seek bounds
)


def errno_of(code: int) -> Errno:
    """Return the errno for a SPIFFS number (-10000 and below).

    Past the end of the table it is EIO; the firmware returns whatever memory holds there.
    """
    place = -int(code) - _FIRST
    return _ERRNOS[place] if 0 <= place < len(_ERRNOS) else Errno.EIO


def error_of(error: SpiffsError, fallback: Errno | None = None) -> VfsError:
    """Return what a program sees for ``error``; raise it ``from error``.

    The SPIFFS number decides, not the errno of ``error``, which is the host's. ``fallback`` is
    the number of a call that gives the same one for every failure. A read-only mount always
    gives EROFS: the firmware has none (it would call a null pointer), MicroPython's others do.
    """
    if error.code == Code.RO_NOT_IMPL:
        return VfsError(Errno.EROFS)
    return VfsError(errno_of(error.code) if fallback is None else fallback)


# Names and modes

_LETTERS = {
    "r": OpenFlag.RDONLY,
    "w": OpenFlag.RDWR | OpenFlag.CREAT | OpenFlag.TRUNC,
    "x": OpenFlag.RDWR | OpenFlag.CREAT | OpenFlag.TRUNC,
    "a": OpenFlag.RDWR | OpenFlag.APPEND,
    "+": OpenFlag.RDWR,
}


def stored_name(path: object) -> str:
    """Return the name under which SPIFFS stores ``path``: ``x`` and ``./x`` are ``/x``.

    Raises ``TypeError`` for a path that is neither ``str`` nor ``bytes``.
    """
    text = c_string(path)
    if text.startswith("./"):
        return text[1:]
    return text if text.startswith("/") else f"/{text}"


def open_flags(letters: str) -> OpenFlag:
    """Return the flags of a mode.

    As in the firmware all letters are or-ed, unknown ones are ignored, "x" truncates like "w"
    and "a" does not create.
    """
    flags = OpenFlag(0)
    for letter in letters:
        flags |= _LETTERS.get(letter, OpenFlag(0))
    return flags


# Files


class SpiffsFile:
    """A SPIFFS descriptor with MaixPy's error numbers: every failure is EIO.

    After ``close`` the file has descriptor 0, which SPIFFS does not know: everything but another
    ``close`` fails. A ``close`` that fails leaves the descriptor in use (docs/SPEC.md,
    section 10).
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
        """Lose the descriptor to a new mount: nothing is written, every later call fails."""
        self._forgotten = True

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes."""
        try:
            return self._open().read(size)
        except SpiffsError as error:
            raise error_of(error, Errno.EIO) from error

    def read_all(self) -> bytes:
        """Return everything from the position to the end."""
        return self.read(-1)

    def write(self, data: memoryview) -> int:
        """Write all of ``data``; SPIFFS has no short writes, a full volume is EIO."""
        try:
            return self._open().write(data)
        except SpiffsError as error:
            raise error_of(error, Errno.EIO) from error

    def seek(self, offset: int, whence: int) -> int:
        """Move the position; the firmware returns SPIFFS's error number as if it were one.

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
        """Write the contents of the cache."""
        try:
            self._open().flush()
        except SpiffsError as error:
            raise error_of(error, Errno.EIO) from error

    def close(self) -> None:
        """Write the contents of the cache and free the descriptor, unless the write fails."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        if self._forgotten:
            raise VfsError(Errno.EIO)
        try:
            descriptor.close()
        except SpiffsError as error:
            # The file object is closed, but the C keeps a descriptor whose flush failed: with
            # two of them the volume cannot open anything until the next mount.
            if not descriptor.closed:
                self._quirks.report("close-keeps-descriptor", descriptor.name)
            raise error_of(error, Errno.EIO) from error

    def _open(self) -> Descriptor:
        if self._descriptor is None or self._forgotten:
            raise VfsError(Errno.EIO)
        return self._descriptor


def _int32(offset: int) -> int:
    """Return the low 32 bits, signed: SPIFFS's offsets drop the others."""
    return (offset + (1 << 31)) % (1 << 32) - (1 << 31)
