"""The one table from SPIFFS's error numbers to what a program sees on MaixPy."""

from __future__ import annotations

from maixfs.spiffs.errors import Code, SpiffsError
from maixfs.vfs.errnos import Errno
from maixfs.vfs.errors import VfsError

_FIRST = 10000

# Index 0 stands for -10000 (docs/SPEC.md, section 10).
_TABLE = (
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
    """Return the errno for a SPIFFS number (-10000 and below); EIO past the end of the table,
    where the firmware reads whatever lies behind it."""
    place = -int(code) - _FIRST
    return _TABLE[place] if 0 <= place < len(_TABLE) else Errno.EIO


def error_of(error: SpiffsError, fallback: Errno | None = None) -> VfsError:
    """Return what a program sees for ``error``; raise it ``from error``.

    ``fallback`` is the number that a call gives whatever happened. A read-only mount always says
    EROFS: the firmware has no such mount (it would call a null pointer), MicroPython's others do.
    """
    if error.code == Code.RO_NOT_IMPL:
        return VfsError(Errno.EROFS)
    return VfsError(errno_of(error.code) if fallback is None else fallback)
