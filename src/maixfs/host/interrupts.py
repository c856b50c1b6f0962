"""Storage operations happen whole, one at a time, and only while the board has power.

The board looks for Ctrl-C and measures its stack between two byte codes of the script, so a
write that has begun is always done. On the host the signal may come anywhere, and so may the
end of the stack and another thread; while storage is at work these wait, and the end of the
stack is further away.
"""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import Any, ClassVar, Protocol

# The functions of ``signal`` make enumerations of all numbers, which costs ten times the call
# below them: every storage operation of a script would pay for it three times.
_plain: Any = sys.modules.get("_signal", signal)
_get_handler = _plain.getsignal
_set_handler = _plain.signal


class Checked(Protocol):
    """Something that must exist for the duration of an operation, such as the board's power."""

    def check(self) -> None:
        """Raise the error that ends the operation if it is gone."""


STACK_RESERVE = 250
"""Calls that a storage operation may nest, whatever depth the script has reached."""


class held:  # noqa: N801 - read as a word: ``with held():``
    """Context manager around a storage operation.

    With ``power`` it raises what ``power.check`` raises. Other threads wait for the body to end.
    A Ctrl-C inside it is handed to its handler when the body is done; outside the main thread
    there is none, and inside another ``held`` the outer one handles it.
    """

    _turn = threading.RLock()
    _active: ClassVar[bool] = False

    def __init__(self, power: Checked | None = None) -> None:
        self._power = power
        self._handler: object = None
        self._limit = 0
        self._waiting: list[FrameType | None] = []

    def __enter__(self) -> None:
        if self._power is not None:
            self._power.check()
        if not held._active and threading.current_thread() is threading.main_thread():
            self._hold()
        held._turn.acquire()

    def _hold(self) -> None:
        # Asked before the stack grows: what fits here fits on the way out, too.
        self._handler = _get_handler(signal.SIGINT)
        limit = sys.getrecursionlimit()
        try:
            sys.setrecursionlimit(limit + STACK_RESERVE)
            if callable(self._handler):
                _set_handler(signal.SIGINT, self._remember)
        except BaseException:
            sys.setrecursionlimit(limit)
            raise
        self._limit = limit
        held._active = True

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        held._turn.release()
        if not self._limit:
            return
        sys.setrecursionlimit(self._limit)
        held._active = False
        # The handler comes back last: until then a signal is only noted.
        if callable(self._handler):
            _set_handler(signal.SIGINT, self._handler)
            if self._waiting:
                self._handler(signal.SIGINT, self._waiting[-1])

    def _remember(self, _signal: int, frame: FrameType | None) -> None:
        self._waiting.append(frame)
