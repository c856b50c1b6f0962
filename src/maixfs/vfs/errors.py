"""The error that a MicroPython program sees: ``OSError`` with a number and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from maixfs.errors import MaixfsError
from maixfs.vfs.errnos import ERRORCODE

_errno_attribute: ContextVar[bool] = ContextVar("errno_attribute", default=True)


@contextmanager
def without_errno_attribute() -> Iterator[None]:
    """Let ``error.errno`` fail inside the block, as it does in MicroPython v1.11.

    There an ``OSError`` has only ``args``. Wrap it around a board's program, so that what fails
    on the board fails on the desk.
    """
    token = _errno_attribute.set(False)
    try:
        yield
    finally:
        _errno_attribute.reset(token)


class PlainOSError(OSError):
    """``OSError`` as MicroPython has it: only ``args``, whatever and how many they are.

    ``str()`` of one number gives ``[Errno 2] ENOENT`` (the bare number where ``uerrno`` has no
    name), ``repr()`` gives ``OSError(2,)``.
    """

    def __init__(self, *args: object) -> None:
        BaseException.__init__(self, *args)  # OSError's own takes two or three arguments apart

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

    ``args`` is ``(errno,)`` with MicroPython's number (``Errno``); ``__cause__`` is the driver's
    own error where there is one.
    """

    def __init__(self, errno: int) -> None:
        super().__init__(int(errno))

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, self.args


def _rebuild(number: int) -> VfsError:
    """Make a pickled error again: its class cannot be found by the name that it shows."""
    return VfsError(number)


class PlainTimeoutError(PlainOSError):
    """``TimeoutError`` as MicroPython has it: an ``OSError`` of another name."""


# Programs print type(error).__name__, tracebacks the module too: both say what the board says.
for _class, _name in (
    (PlainOSError, "OSError"),
    (VfsError, "OSError"),
    (PlainTimeoutError, "TimeoutError"),
):
    _class.__name__ = _class.__qualname__ = _name
    _class.__module__ = "builtins"
