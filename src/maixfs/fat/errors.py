"""What FAT operations end in: FatFs's result numbers and the exceptions that carry them."""

from __future__ import annotations

import errno
from enum import IntEnum

from maixfs.errors import MaixfsError


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


class FatError(MaixfsError):
    """A FAT operation failed; ``result`` is the number that FatFs gives.

    What a program may want to catch as a builtin is also that builtin: ``NotFoundError`` is a
    ``FileNotFoundError``, ``ExistsError`` a ``FileExistsError``, ``FullError`` an ``OSError``.
    """

    result: FResult

    def __init__(self, message: str, *, result: FResult, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.result = result


class NotFoundError(FatError, FileNotFoundError):
    """There is no file or folder of that path."""


class ExistsError(FatError, FileExistsError):
    """There is a file or folder of that path."""


class FullError(FatError, OSError):
    """The volume has no free cluster, or the folder no free entry; what was there stays."""


class DamagedError(FatError):
    """The volume contradicts itself; the message says where."""


_CLASSES: dict[FResult, tuple[type[FatError], int]] = {
    FResult.NO_FILE: (NotFoundError, errno.ENOENT),
    FResult.NO_PATH: (NotFoundError, errno.ENOENT),
    FResult.EXIST: (ExistsError, errno.EEXIST),
    FResult.INT_ERR: (DamagedError, 0),
}


def fat_error(
    result: FResult, about: str = "", what: str = "", *, hint: str | None = None
) -> FatError:
    """Make the exception for ``result``.

    ``about`` says what it is about (a path, an address), ``what`` replaces the usual sentence
    where more is known.
    """
    kind, number = _CLASSES.get(result, (FatError, 0))
    return _made(kind, number, result, about, what or _SENTENCES[result], hint)


def full_error(about: str, what: str, *, hint: str | None = None) -> FatError:
    """Make the exception for a volume or a folder without room (``DENIED``)."""
    return _made(FullError, errno.ENOSPC, FResult.DENIED, about, what, hint)


def _made(
    kind: type[FatError], number: int, result: FResult, about: str, what: str, hint: str | None
) -> FatError:
    error = kind(f"{about}: {what}" if about else what, result=result, hint=hint)
    if isinstance(error, OSError):
        error.errno = number
    return error
