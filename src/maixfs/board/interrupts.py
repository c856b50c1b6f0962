"""Ctrl-C never cuts a storage operation in two.

The board looks for Ctrl-C between two byte codes of the script, so a write that has begun is
always done. On the host the signal may come anywhere; while storage is at work it waits.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def held() -> Iterator[None]:
    """Let a Ctrl-C wait until the body is done, then hand it to whoever handles it.

    Does nothing outside the main thread (signals never arrive there) and inside another
    ``held`` body (the outer one hands it on).
    """
    handler = _handler()
    if handler is None:
        yield
        return
    waiting: list[FrameType | None] = []

    def remember(_signal: int, frame: FrameType | None) -> None:
        waiting.append(frame)

    remember.held = True  # type: ignore[attr-defined]
    signal.signal(signal.SIGINT, remember)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if waiting:
            handler(signal.SIGINT, waiting[-1])


def _handler() -> Callable[[int, FrameType | None], object] | None:
    """Return the handler to put back, or ``None`` where there is nothing to hold."""
    if threading.current_thread() is not threading.main_thread():
        return None
    handler = signal.getsignal(signal.SIGINT)
    if not callable(handler) or getattr(handler, "held", False):
        return None
    return handler
