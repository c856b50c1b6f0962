"""SPIFFS error numbers and the exceptions that carry them.

The numbers are those of the C implementation (docs/SPEC.md, section 9).
"""

from __future__ import annotations

import errno
from enum import IntEnum

from maixfs.errors import (
    ClosedError,
    DamagedError,
    FileSystemError,
    MaixfsError,
    combined,
    error_class,
)


class Code(IntEnum):
    """Error numbers of SPIFFS (docs/SPEC.md, section 9)."""

    NOT_MOUNTED = -10000
    FULL = -10001
    NOT_FOUND = -10002
    END_OF_OBJECT = -10003
    DELETED = -10004
    NOT_FINALIZED = -10005
    NOT_INDEX = -10006
    OUT_OF_FILE_DESCS = -10007
    FILE_CLOSED = -10008
    FILE_DELETED = -10009
    BAD_DESCRIPTOR = -10010
    IS_INDEX = -10011
    IS_FREE = -10012
    INDEX_SPAN_MISMATCH = -10013
    DATA_SPAN_MISMATCH = -10014
    INDEX_REF_FREE = -10015
    INDEX_REF_LU = -10016
    INDEX_REF_INVALID = -10017
    INDEX_FREE = -10018
    INDEX_LU = -10019
    INDEX_INVALID = -10020
    NOT_WRITABLE = -10021
    NOT_READABLE = -10022
    CONFLICTING_NAME = -10023
    NOT_CONFIGURED = -10024
    NOT_A_FS = -10025
    MOUNTED = -10026
    ERASE_FAIL = -10027
    MAGIC_NOT_POSSIBLE = -10028
    NO_DELETED_BLOCKS = -10029
    FILE_EXISTS = -10030
    NOT_A_FILE = -10031
    RO_NOT_IMPL = -10032
    RO_ABORTED_OPERATION = -10033
    PROBE_TOO_FEW_BLOCKS = -10034
    PROBE_NOT_A_FS = -10035
    NAME_TOO_LONG = -10036
    SEEK_BOUNDS = -10040
    INTERNAL = -10050


_SENTENCES = {
    Code.NOT_MOUNTED: "the file system is not mounted",
    Code.FULL: "no room: the file system is full",
    Code.NOT_FOUND: "no such file",
    Code.END_OF_OBJECT: "past the end of the file",
    Code.DELETED: "a page of this file is marked deleted",
    Code.NOT_FINALIZED: "a page of this file was never finished",
    Code.NOT_INDEX: "a page that should be an index page is not one",
    Code.OUT_OF_FILE_DESCS: "all file descriptors are in use",
    Code.FILE_CLOSED: "the file is closed",
    Code.FILE_DELETED: "the file was removed while it was open",
    Code.BAD_DESCRIPTOR: "not a file descriptor",
    Code.IS_INDEX: "a data page of this file is an index page",
    Code.IS_FREE: "a page of this file is free",
    Code.INDEX_SPAN_MISMATCH: "an index page carries another span",
    Code.DATA_SPAN_MISMATCH: "a data page carries another span",
    Code.INDEX_REF_FREE: "the index has no page for this part of the file",
    Code.INDEX_REF_LU: "the index points at a look-up page",
    Code.INDEX_REF_INVALID: "the index points outside of the file system",
    Code.INDEX_FREE: "an index page that should be there is not listed",
    Code.INDEX_LU: "an index page is looked for in a look-up page",
    Code.INDEX_INVALID: "an index page is looked for outside of the file system",
    Code.NOT_WRITABLE: "the file is not open for writing",
    Code.NOT_READABLE: "the file is not open for reading",
    Code.CONFLICTING_NAME: "there is a file of this name already",
    Code.NOT_CONFIGURED: "the geometry does not fit the device",
    Code.NOT_A_FS: "not a SPIFFS of this geometry",
    Code.MOUNTED: "the file system is mounted",
    Code.ERASE_FAIL: "a block could not be erased",
    Code.MAGIC_NOT_POSSIBLE: "no room for the magic behind the look-up entries",
    Code.NO_DELETED_BLOCKS: "no block has only deleted pages",
    Code.FILE_EXISTS: "the file exists",
    Code.NOT_A_FILE: "not a file",
    Code.RO_NOT_IMPL: "the file system is mounted read-only",
    Code.RO_ABORTED_OPERATION: "an erase was interrupted, and a read-only mount cannot repeat it",
    Code.PROBE_TOO_FEW_BLOCKS: "fewer than three blocks, too few to find a geometry",
    Code.PROBE_NOT_A_FS: "no SPIFFS magic found",
    Code.NAME_TOO_LONG: "the name is too long",
    Code.SEEK_BOUNDS: "seek before the start of the file",
    Code.INTERNAL: "the state in RAM is not what it should be",
}


_ERRNO: dict[Code, int] = {
    Code.NOT_MOUNTED: errno.EBADF,
    Code.FULL: errno.ENOSPC,
    Code.NOT_FOUND: errno.ENOENT,
    Code.END_OF_OBJECT: errno.EINVAL,
    Code.OUT_OF_FILE_DESCS: errno.EMFILE,
    Code.FILE_CLOSED: errno.EBADF,
    Code.FILE_DELETED: errno.EBADF,
    Code.BAD_DESCRIPTOR: errno.EBADF,
    Code.NOT_WRITABLE: errno.EBADF,
    Code.NOT_READABLE: errno.EBADF,
    Code.CONFLICTING_NAME: errno.EEXIST,
    Code.NOT_CONFIGURED: errno.EINVAL,
    Code.NOT_A_FS: errno.ENODEV,
    Code.MOUNTED: errno.EBUSY,
    Code.MAGIC_NOT_POSSIBLE: errno.EINVAL,
    Code.NO_DELETED_BLOCKS: errno.EAGAIN,
    Code.FILE_EXISTS: errno.EEXIST,
    Code.NOT_A_FILE: errno.ENOENT,
    Code.RO_NOT_IMPL: errno.EROFS,
    Code.RO_ABORTED_OPERATION: errno.EROFS,
    Code.NAME_TOO_LONG: errno.ENAMETOOLONG,
    Code.SEEK_BOUNDS: errno.EINVAL,
}
"""The errno that CPython gives for the same mistake on the host; for all others EIO."""

# ValueError too, as CPython raises it for a file that is closed.
_CLOSED = (Code.NOT_MOUNTED, Code.FILE_CLOSED, Code.FILE_DELETED, Code.BAD_DESCRIPTOR)


class SpiffsError(FileSystemError):
    """A SPIFFS operation failed; ``code`` is the number that the C gives (``native`` too).

    ``errno`` and the builtin that it also is (``FileNotFoundError`` for -10002 and so on) follow
    from the code.
    """

    code: Code

    def __init__(self, message: str, *, code: Code, hint: str | None = None) -> None:
        damaged = isinstance(self, DamagedError)
        number = errno.EIO if damaged else _ERRNO.get(code, errno.EIO)
        super().__init__(message, errno=number, hint=hint)
        self.code = code
        self.native = int(code)

    def __str__(self) -> str:
        return f"{self.strerror} ({int(self.code)})"


def _class_of(code: Code) -> type[SpiffsError]:
    kind: type[MaixfsError] | None = None
    if code in _CLOSED:
        kind = ClosedError
    # What no mistake of the caller explains is damage: the host has EIO for it.
    elif code not in _ERRNO:
        kind = DamagedError
    return combined(SpiffsError, kind) if kind else error_class(SpiffsError, _ERRNO[code])


def spiffs_error(code: Code, about: str = "", *, hint: str | None = None) -> SpiffsError:
    """Return the exception for ``code``; ``about`` is a name or an address for the message."""
    sentence = _SENTENCES[code]
    return _class_of(code)(f"{about}: {sentence}" if about else sentence, code=code, hint=hint)


def unregistered_page(page: int, address: int, name: str) -> SpiffsError:
    """Return the exception for a page that a file needs and that the look-up gives to another."""
    message = f"page {page} at {address:#x} holds data of {name}, but is not marked as used by it"
    return combined(SpiffsError, DamagedError)(
        message,
        code=Code.INDEX_REF_INVALID,
        hint="writing could destroy that file: save all files and make the file system again",
    )


def shared_object(object_id: int, pages: list[int]) -> SpiffsError:
    """Return the exception for the change of an object that has several headers."""
    message = f"object {object_id} has headers at pages {', '.join(map(str, pages))}"
    return combined(SpiffsError, DamagedError)(
        f"{message}: their files share one content",
        code=Code.CONFLICTING_NAME,
        hint="remove all of them but one first",
    )


def damaged_file(name: str, reason: str) -> SpiffsError:
    """Return the exception for a file that does not keep what is written to it."""
    return combined(SpiffsError, DamagedError)(f"{name}: {reason}", code=Code.INTERNAL)


def missing_page(about: str) -> SpiffsError:
    """Return the exception for a page that a file needs and nobody lists."""
    message = f"{about}: the page is missing"
    return combined(SpiffsError, DamagedError)(message, code=Code.NOT_FOUND)
