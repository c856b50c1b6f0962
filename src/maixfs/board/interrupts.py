"""Storage operations are never cut in two by Ctrl-C or by a script that recurses too deep.

The board looks for Ctrl-C and measures its stack between two byte codes of the script, so a
write that has begun is always done. On the host the signal may come anywhere, and so may the
end of the stack; while storage is at work the one waits and the other is further away.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import ClassVar

STACK_RESERVE = 250
"""Calls that a storage operation may nest, whatever depth the script has reached."""

Handler = Callable[[int, FrameType | None], object]


class held:  # noqa: N801 - read as a word: ``with held():``
    """Context manager around a storage operation.

    A Ctrl-C inside it is handed to its handler when the body is done. Does nothing outside the
    main thread, where signals never arrive, and inside another ``held``.
    """

    _active: ClassVar[bool] = False

    def __init__(self) -> None:
        self._handler: Handler | None = None
        self._waiting: list[FrameType | None] = []
        self._outermost = False

    def __enter__(self) -> None:
        if held._active or threading.current_thread() is not threading.main_thread():
            return
        # First of all more stack: whatever comes next cannot fail for want of it.
        sys.setrecursionlimit(sys.getrecursionlimit() + STACK_RESERVE)
        try:
            self._hold()
        except BaseException:
            sys.setrecursionlimit(sys.getrecursionlimit() - STACK_RESERVE)
            raise

    def _hold(self) -> None:
        handler = signal.getsignal(signal.SIGINT)
        if callable(handler):
            self._handler = handler
            signal.signal(signal.SIGINT, self._remember)
        self._outermost = held._active = True

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        if not self._outermost:
            return
        sys.setrecursionlimit(sys.getrecursionlimit() - STACK_RESERVE)
        held._active = False
        if self._handler is not None:
            signal.signal(signal.SIGINT, self._handler)
            if self._waiting:
                self._handler(signal.SIGINT, self._waiting[-1])

    def _remember(self, _signal: int, frame: FrameType | None) -> None:
        self._waiting.append(frame)
