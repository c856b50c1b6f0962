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


class VfsError(OSError, MaixfsError):
    """``OSError(errno)`` as MicroPython raises, prints and names it.

    ``args`` is ``(errno,)`` with MicroPython's number (``Errno``), ``str()`` gives
    ``[Errno 2] ENOENT`` (the bare number where ``uerrno`` has no name), ``repr()`` gives
    ``OSError(2,)``. ``__cause__`` is the driver's own error where there is one.
    """

    def __init__(self, errno: int) -> None:
        OSError.__init__(self, int(errno))

    @property
    def errno(self) -> int:  # type: ignore[override]
        """The number; ``AttributeError`` inside ``without_errno_attribute()``."""
        if not _errno_attribute.get():
            raise AttributeError("'OSError' object has no attribute 'errno'")
        return int(self.args[0])

    def __str__(self) -> str:
        number = int(self.args[0])
        return f"[Errno {number}] {ERRORCODE[number]}" if number in ERRORCODE else str(number)

    def __repr__(self) -> str:
        return f"OSError({self.args[0]},)"

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, self.args


def _rebuild(number: int) -> VfsError:
    """Make a pickled error again: its class cannot be found by the name that it shows."""
    return VfsError(number)


# Programs print type(error).__name__, tracebacks the module too: both say what the board says.
VfsError.__name__ = VfsError.__qualname__ = "OSError"
VfsError.__module__ = "builtins"
