"""Errors of local files, made from the host's errno."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from maixfs.errors import DeviceError, error_class
from maixfs.tuples import NamedTuple


class ErrorTypes(NamedTuple):
    """The classes that a device uses for its file, so that its callers catch only its own."""

    failed: type[DeviceError] = DeviceError
    """The host refused."""
    unfit: type[DeviceError] = DeviceError
    """The file is empty, was cut short or grew."""


DEFAULT_TYPES = ErrorTypes()


def reason_of(reason: OSError | ValueError) -> str:
    """Return the host's message without the path (messages have that)."""
    return getattr(reason, "strerror", None) or str(reason)


def host_error(
    path: Path,
    what: str,
    reason: OSError | ValueError | int,
    *,
    hint: str | None = None,
    base: type[DeviceError] = DeviceError,
) -> DeviceError:
    """Return the error for ``path``: "PATH WHAT", with the errno of ``reason`` and its class.

    ``reason`` may be the number itself. A ``ValueError`` is a name that the host cannot have
    (a zero byte): EINVAL.
    """
    if isinstance(reason, int):
        number = reason
    elif isinstance(reason, OSError):
        # Some errors of Python's own have no number.
        number = reason.errno or errno.EIO
    else:
        number = errno.EINVAL
    error = error_class(base, number)(f"{path} {what}", errno=number, hint=hint)
    # As the builtin errors have it, for callers that print it themselves.
    error.filename = str(path)
    return error


def not_opened(
    path: Path,
    reason: OSError | ValueError,
    *,
    read_only: bool = True,
    base: type[DeviceError] = DeviceError,
) -> DeviceError:
    """Return the error for an existing file that could not be opened or read."""
    if isinstance(reason, FileNotFoundError):
        return host_error(path, "does not exist", errno.ENOENT, base=base)
    if isinstance(reason, ValueError):
        shown = Path(repr(str(path)))
        return host_error(shown, "is not a name that this computer can have", reason, base=base)
    if isinstance(reason, IsADirectoryError) or os.path.isdir(path):  # noqa: PTH112 - no error
        # Windows says EACCES of a folder, which would send the user to its permissions.
        return host_error(path, "is a folder, not a file", errno.EISDIR, base=base)
    what = f"cannot be {'read' if read_only else 'written'}: {reason_of(reason)}"
    hint = _opening_hint(reason, read_only=read_only)
    return host_error(path, what, reason, hint=hint, base=base)


def _opening_hint(reason: OSError, *, read_only: bool) -> str | None:
    if isinstance(reason, PermissionError):
        if read_only:
            return "give yourself the right to read it"
        return "give yourself the right to write it, or open it read-only"
    # What Linux answers to O_EXCL for a drive that is mounted.
    if reason.errno == errno.EBUSY:
        return "it is mounted, or another program has it: unmount all its partitions first"
    return None


def exists_already(path: Path, base: type[DeviceError] = DeviceError) -> DeviceError:
    """Return the error for a new file whose name is taken."""
    return host_error(
        path,
        "exists already",
        errno.EEXIST,
        hint="choose another name, or remove it first",
        base=base,
    )
