"""What FAT operations end in: FatFs's result numbers and the exceptions that carry them."""

from __future__ import annotations

import errno
from enum import IntEnum

from maixfs.errors import (
    ClosedError,
    DamagedError,
    FileSystemError,
    combined,
    error_class,
)


class FResult(IntEnum):
    """Result numbers of FatFs (docs/SPEC.md says what each means and which errno it becomes)."""

    OK = 0
    DISK_ERR = 1
    INT_ERR = 2
    NOT_READY = 3
    NO_FILE = 4
    NO_PATH = 5
    INVALID_NAME = 6
    DENIED = 7
    EXIST = 8
    INVALID_OBJECT = 9
    WRITE_PROTECTED = 10
    INVALID_DRIVE = 11
    NOT_ENABLED = 12
    NO_FILESYSTEM = 13
    MKFS_ABORTED = 14
    TIMEOUT = 15
    LOCKED = 16
    NOT_ENOUGH_CORE = 17
    TOO_MANY_OPEN = 18
    INVALID_PARAMETER = 19


_SENTENCES = {
    FResult.OK: "no error",
    FResult.DISK_ERR: "the card could not be read or written",
    FResult.INT_ERR: "a cluster chain or a record is damaged",
    FResult.NOT_READY: "the card is not ready",
    FResult.NO_FILE: "no such file",
    FResult.NO_PATH: "no such folder",
    FResult.INVALID_NAME: "not a name that FAT can hold",
    FResult.DENIED: "refused: read-only, not empty, a folder, or no room in the folder",
    FResult.EXIST: "there is something of this name already",
    FResult.INVALID_OBJECT: "the file is closed, or its volume is gone",
    FResult.WRITE_PROTECTED: "the card is write-protected",
    FResult.INVALID_DRIVE: "no such volume",
    FResult.NOT_ENABLED: "the volume is not mounted",
    FResult.NO_FILESYSTEM: "no FAT volume that the firmware would mount",
    FResult.MKFS_ABORTED: "no FAT volume of this size and cluster size can be made",
    FResult.TIMEOUT: "the card took too long",
    FResult.LOCKED: "the file is in use",
    FResult.NOT_ENOUGH_CORE: "the path is too long for the firmware's buffer",
    FResult.TOO_MANY_OPEN: "too many open files",
    FResult.INVALID_PARAMETER: "an argument is out of range",
}


_ERRNO: dict[FResult, int] = {
    FResult.NOT_READY: errno.EBUSY,
    FResult.NO_FILE: errno.ENOENT,
    FResult.NO_PATH: errno.ENOENT,
    FResult.INVALID_NAME: errno.EINVAL,
    FResult.DENIED: errno.EACCES,
    FResult.EXIST: errno.EEXIST,
    FResult.INVALID_OBJECT: errno.EBADF,
    FResult.WRITE_PROTECTED: errno.EROFS,
    FResult.INVALID_DRIVE: errno.ENODEV,
    FResult.NOT_ENABLED: errno.EBADF,
    FResult.NO_FILESYSTEM: errno.ENODEV,
    FResult.MKFS_ABORTED: errno.EINVAL,
    FResult.TIMEOUT: errno.ETIMEDOUT,
    FResult.LOCKED: errno.EBUSY,
    FResult.NOT_ENOUGH_CORE: errno.ENOMEM,
    FResult.TOO_MANY_OPEN: errno.EMFILE,
    FResult.INVALID_PARAMETER: errno.EINVAL,
}
"""The errno that CPython gives for the same mistake on the host; for all others EIO.

FatFs returns DENIED for four mistakes that have different errnos on the host: the caller that
raises it passes the errno.
"""

_KINDS = {
    FResult.INT_ERR: DamagedError,
    FResult.INVALID_OBJECT: ClosedError,
    FResult.NOT_ENABLED: ClosedError,
}


class FatError(FileSystemError):
    """A FAT operation failed; ``result`` is the number that FatFs gives (``native`` too).

    ``errno`` and the builtin that it also is (``FileNotFoundError`` for NO_FILE and so on) follow
    from the result, unless the caller passes another errno.
    """

    result: FResult

    def __init__(
        self,
        message: str,
        *,
        result: FResult,
        errno: int | None = None,
        hint: str | None = None,
    ) -> None:
        # DENIED stands for several mistakes: where it is raised, the reason is known.
        number = _ERRNO.get(result, _EIO) if errno is None else errno
        super().__init__(message, errno=number, hint=hint)
        self.result = result
        self.native = int(result)


_EIO = errno.EIO


def fat_error(
    result: FResult,
    about: str = "",
    what: str = "",
    *,
    errno: int | None = None,
    hint: str | None = None,
) -> FatError:
    """Return the exception for ``result``.

    ``about`` is a path or an address for the message, ``what`` replaces the usual sentence where
    more is known, ``errno`` the usual errno.
    """
    # ClosedError and DamagedError say more than an errno would.
    if result in _KINDS:
        kind = combined(FatError, _KINDS[result])
    else:
        kind = error_class(FatError, _ERRNO.get(result, _EIO) if errno is None else errno)
    text = what or _SENTENCES[result]
    return kind(f"{about}: {text}" if about else text, result=result, errno=errno, hint=hint)


def full_error(about: str, what: str, *, hint: str | None = None) -> FatError:
    """Return the exception for a volume or a folder without room (DENIED, ENOSPC)."""
    return fat_error(FResult.DENIED, about, what, errno=errno.ENOSPC, hint=hint)
