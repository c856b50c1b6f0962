"""The errors that a MicroPython program sees: ``OSError`` with a number and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import IntEnum

from maixfs.errors import MaixfsError

# Numbers


class Errno(IntEnum):
    """Error numbers that a MicroPython program finds in ``OSError.args[0]`` (v1.11).

    They are MicroPython's own: Linux's values on every port, whatever the host uses.
    """

    EPERM = 1
    ENOENT = 2
    EIO = 5
    ENOEXEC = 8
    EBADF = 9
    EAGAIN = 11
    ENOMEM = 12
    EACCES = 13
    EBUSY = 16
    EEXIST = 17
    ENODEV = 19
    ENOTDIR = 20
    EISDIR = 21
    EINVAL = 22
    EMFILE = 24
    ENOSPC = 28
    ESPIPE = 29
    EROFS = 30
    EOPNOTSUPP = 95
    EADDRINUSE = 98
    ECONNABORTED = 103
    ECONNRESET = 104
    ENOBUFS = 105
    ENOTCONN = 107
    ETIMEDOUT = 110
    ECONNREFUSED = 111
    EHOSTUNREACH = 113
    EALREADY = 114
    EINPROGRESS = 115


UERRNO_NAMES = (
    "EPERM",
    "ENOENT",
    "EIO",
    "EBADF",
    "EAGAIN",
    "ENOMEM",
    "EACCES",
    "EEXIST",
    "ENODEV",
    "EISDIR",
    "EINVAL",
    "EOPNOTSUPP",
    "EADDRINUSE",
    "ECONNABORTED",
    "ECONNRESET",
    "ENOBUFS",
    "ENOTCONN",
    "ETIMEDOUT",
    "ECONNREFUSED",
    "EHOSTUNREACH",
    "EALREADY",
    "EINPROGRESS",
)
"""Names in the board's module ``uerrno``: the only numbers that an error prints by name."""

UERRNO: dict[str, int] = {name: int(Errno[name]) for name in UERRNO_NAMES}
"""Name to number, as in ``uerrno``."""

ERRORCODE: dict[int, str] = {number: name for name, number in UERRNO.items()}
"""Number to name, ``uerrno.errorcode``; it lacks ENOSPC, EROFS and others."""


# Exceptions

_errno_attribute: ContextVar[bool] = ContextVar("errno_attribute", default=True)


@contextmanager
def without_errno_attribute() -> Iterator[None]:
    """Make ``error.errno`` an ``AttributeError`` inside the block, as in MicroPython v1.11.

    There an ``OSError`` has only ``args``. A board's program runs inside such a block, so that
    code which fails on the board fails on the desk too.
    """
    token = _errno_attribute.set(False)
    try:
        yield
    finally:
        _errno_attribute.reset(token)


class PlainOSError(OSError):
    """``OSError`` as in MicroPython: only ``args``, of any number and type.

    ``str()`` of one number gives ``[Errno 2] ENOENT`` (the bare number if ``uerrno`` has no
    name for it), ``repr()`` gives ``OSError(2,)``.
    """

    def __init__(self, *args: object) -> None:
        # OSError.__init__ would split two or three arguments into errno, strerror and filename.
        BaseException.__init__(self, *args)

    @property
    def errno(self) -> object:  # type: ignore[override]
        """The number; ``AttributeError`` inside ``without_errno_attribute()``."""
        if not _errno_attribute.get():
            raise AttributeError("'OSError' object has no attribute 'errno'")
        return self.args[0] if self.args else None

    def __str__(self) -> str:
        if len(self.args) != 1:
            return repr(self.args) if self.args else ""
        name = ERRORCODE.get(self.args[0]) if isinstance(self.args[0], int) else None
        return f"[Errno {self.args[0]}] {name}" if name else str(self.args[0])

    def __repr__(self) -> str:
        return f"{type(self).__name__}{self.args!r}"


class VfsError(PlainOSError, MaixfsError):
    """An error of the VFS or of a driver in it.

    ``args`` is ``(errno,)`` with MicroPython's number (``Errno``); ``__cause__`` is the error of
    the driver's core, if there is one. Cores raise ``OSError``s too, but with the host's errno:
    a driver maps their native numbers, and only ``PlainOSError`` reaches a program.
    """

    def __init__(self, errno: int) -> None:
        super().__init__(int(errno))

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, self.args


def _rebuild(number: int) -> VfsError:
    """Make a pickled error again; pickle cannot find the class by the name that it shows."""
    return VfsError(number)


class PlainTimeoutError(PlainOSError):
    """``TimeoutError`` as in MicroPython: an ``OSError`` with another name."""


# Programs print type(error).__name__, and tracebacks print the module too: both have to show
# the names of the board.
for _class, _name in (
    (PlainOSError, "OSError"),
    (VfsError, "OSError"),
    (PlainTimeoutError, "TimeoutError"),
):
    _class.__name__ = _class.__qualname__ = _name
    _class.__module__ = "builtins"
