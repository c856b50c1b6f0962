"""The one table from FatFs's result numbers to what a program sees on MaixPy."""

from __future__ import annotations

from maixfs.fat.errors import FatError, FResult
from maixfs.sd.errors import SectorError
from maixfs.vfs.errnos import Errno
from maixfs.vfs.errors import VfsError

# Index 0 stands for OK (docs/SPEC.md, section 17.4).
_TABLE = (
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
    """Return the errno for a result of FatFs; EIO for a number that it does not have."""
    return _TABLE[result] if 0 <= result < len(_TABLE) else Errno.EIO


def error_of(error: FatError | SectorError) -> VfsError:
    """Return what a program sees for ``error``; raise it ``from error``.

    A medium that fails is EIO, also where the driver could not say more.
    """
    if isinstance(error, FatError):
        return VfsError(errno_of(error.result))
    return VfsError(errno_of(FResult.DISK_ERR))
