"""The error family of maixfs: everything that the package raises derives from ``MaixfsError``.

Every message is one line: what is wrong, where (hex addresses). ``hint`` is the fix, if there is
one. Errors that CPython has a builtin for derive from that builtin too, so that a program written
for ``os`` and ``open`` catches them without knowing maixfs:

* operations on a file system raise ``FileSystemError``, an ``OSError`` whose ``errno`` is the one
  that CPython gives for the same mistake, and whose ``native`` is the number of the C driver;
* closed files, unmounted file systems and closed devices raise ``ClosedError``, a ``ValueError``;
* arguments of a wrong type raise ``TypeError``, before anything changes.
"""

from __future__ import annotations

import errno as _errno
from typing import Any, TypeAlias, TypeVar, cast

from maixfs.tuples import NamedTuple


class Command(NamedTuple):
    """A step of a fix: a verb of maixfs, such as ``gc`` or ``sd fix``, with its arguments.

    ``{image}`` in an argument stands for the image that was examined. The argument ``{output}``
    stands for the options that say where a changed image goes: into a new file or, for a board,
    in place. A word in capitals is for the user to choose.
    """

    verb: str
    arguments: tuple[str, ...] = ()


Step: TypeAlias = Command | str
"""A step of a fix; a ``str`` is something to do by hand."""


class MaixfsError(Exception):
    """Base of all errors of maixfs.

    ``hint`` is one line that says what to do, or ``None``. ``fix`` has the same as steps; an
    interface writes each ``Command`` in its own language.
    """

    hint: str | None = None
    fix: tuple[Step, ...] = ()

    def __init__(
        self, message: str, *, hint: str | None = None, fix: tuple[Step, ...] = ()
    ) -> None:
        super().__init__(message)
        if hint is not None:
            self.hint = hint
        if fix:
            self.fix = fix

    def __reduce__(self) -> tuple[object, ...]:
        # Not by __init__: those of derived classes need more than the message.
        return _remake, (type(self), self.args, self.__dict__)


class ImageError(MaixfsError, ValueError):
    """An image, a dump or a record in it is damaged or of another kind."""


class UsageError(MaixfsError, ValueError):
    """The arguments cannot work together (exit code 2 at the command line)."""


class MaixfsOSError(MaixfsError, OSError):
    """Base of the errors that are an ``OSError``: ``errno`` and ``strerror`` are set.

    The message is ``strerror``, and ``str()`` shows it alone.
    """

    def __init__(
        self,
        message: str,
        *,
        errno: int = _errno.EIO,
        hint: str | None = None,
        fix: tuple[Step, ...] = (),
    ) -> None:
        OSError.__init__(self, errno, message)
        if hint is not None:
            self.hint = hint
        if fix:
            self.fix = fix

    def __str__(self) -> str:
        return str(self.strerror)

    def __reduce__(self) -> tuple[object, ...]:
        # Combined classes have no name in a module: pickle their parts.
        parts = getattr(type(self), "_parts", (type(self), None))
        return _rebuild, (parts, str(self.strerror), self.errno, self.filename, self.__dict__)


class DeviceError(MaixfsOSError):
    """A chip, a card or the host file behind it could not do what was asked (EIO by default)."""


class FileSystemError(MaixfsOSError):
    """An operation on a file system failed.

    ``native`` is the number that the C driver returns for it (docs/SPEC.md), ``None`` where the
    check is not the C's.
    """

    native: int | None = None


class ClosedError(MaixfsError, ValueError):
    """A file, a file system or a device was used after it was closed."""


class NotFoundError(FileSystemError, FileNotFoundError):
    """The path does not exist (ENOENT)."""


class ExistsError(FileSystemError, FileExistsError):
    """The path already exists (EEXIST)."""


class IsFolderError(FileSystemError, IsADirectoryError):
    """The path is a folder, where a file is needed (EISDIR)."""


class NotFolderError(FileSystemError, NotADirectoryError):
    """The path, or a part of it, is a file where a folder is needed (ENOTDIR)."""


class AccessError(FileSystemError, PermissionError):
    """The attributes of the file, or the way it was opened, do not allow this (EACCES, EPERM)."""


class NotEmptyError(FileSystemError):
    """The folder is not empty (ENOTEMPTY)."""


class FullError(FileSystemError):
    """There is no room (ENOSPC); what was there before is still there."""


class FitError(FullError):
    """What is to be written does not fit; ``needed``, ``free`` and ``deleted`` count its units.

    A unit is a page on SPIFFS and a cluster on FAT. ``deleted`` are the units that garbage
    collection can free.
    """

    def __init__(
        self, message: str, *, needed: int, free: int, deleted: int, hint: str | None = None
    ) -> None:
        super().__init__(message, errno=_errno.ENOSPC, hint=hint)
        self.needed = needed
        self.free = free
        self.deleted = deleted


class ReadOnlyError(FileSystemError):
    """The file system is mounted read-only, or its medium is write-protected (EROFS)."""


class NameTooLongError(FileSystemError):
    """The name is longer than the file system can store (ENAMETOOLONG)."""


class TooManyFilesError(FileSystemError):
    """All file descriptors are in use (EMFILE)."""


class DamagedError(FileSystemError):
    """The file system contradicts itself; the message says where (EIO)."""


_KINDS: dict[int, type[MaixfsError]] = {
    _errno.ENOENT: NotFoundError,
    _errno.EEXIST: ExistsError,
    _errno.EISDIR: IsFolderError,
    _errno.ENOTDIR: NotFolderError,
    _errno.EACCES: AccessError,
    _errno.EPERM: AccessError,
    _errno.ENOTEMPTY: NotEmptyError,
    _errno.ENOSPC: FullError,
    _errno.EROFS: ReadOnlyError,
    _errno.ENAMETOOLONG: NameTooLongError,
    _errno.EMFILE: TooManyFilesError,
}

Error = TypeVar("Error", bound=MaixfsOSError)


def error_class(base: type[Error], errno: int) -> type[Error]:
    """Return ``base`` combined with the class for ``errno``: an error of a driver that is also
    ``NotFoundError`` and ``FileNotFoundError``, for example; ``base`` itself without such a class.
    """
    return combined(base, _KINDS.get(errno))


_COMBINED: dict[tuple[type[Any], type[Any]], type[Any]] = {}


def combined(base: type[Error], kind: type[MaixfsError] | None) -> type[Error]:
    """Return one class that is both ``base`` and ``kind``; the same one at each call."""
    if kind is None or issubclass(base, kind):
        return base
    known = _COMBINED.get((base, kind))
    if known is None:
        body = {"__module__": base.__module__, "_parts": (base, kind)}
        known = _COMBINED[base, kind] = type(kind.__name__, (base, kind), body)
    return cast("type[Error]", known)


def _remake(
    kind: type[MaixfsError], arguments: tuple[object, ...], state: dict[str, object]
) -> MaixfsError:
    """Make a pickled error again that is not a ``MaixfsOSError``."""
    error = kind.__new__(kind)
    error.args = arguments
    error.__dict__.update(state)
    return error


def _rebuild(
    parts: tuple[type[MaixfsOSError], type[MaixfsError] | None],
    message: str,
    errno: int,
    filename: object,
    state: dict[str, object],
) -> MaixfsOSError:
    """Make a pickled error again."""
    kind = combined(*parts)
    error = kind.__new__(kind)
    OSError.__init__(error, errno, message)
    if filename is not None:
        error.filename = filename
    error.__dict__.update(state)
    return error
