"""The power of a board, and the exceptions that end a program without power.

All of them are a ``GeneratorExit`` too. Python closes a generator of a dropped board with one, and
an exception of another class from its ``finally`` would be printed on the host's stderr.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from maixfs.image.boarderrors import BoardError


class BoardReset(GeneratorExit):
    """A script reset the board, which starts again from its flash.

    It is not an ``Exception``: a script that catches every ``Exception`` does not catch it.
    """


class BoardOffError(BoardError, GeneratorExit):
    """An object of a board is used after power-off or a reset."""

    def __init__(self) -> None:
        super().__init__(
            "the board it was opened on is off, or was restarted since",
            hint="open the file again; what was not flushed by then is lost",
        )


class BoardCrashError(BoardError, GeneratorExit):
    """A call of a program makes the firmware crash: a real board hangs until it is reset.

    ``reason`` says why, for example "kpu.load copies more than there is memory".
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"a board would crash here: {reason}")
        self.reason = reason


class Power:
    """The power of one start of a board; it ends with a reset, a crash or power-off."""

    def __init__(self) -> None:
        self._end: Callable[[], BaseException] | None = None

    def cut(self) -> None:
        """Reset the board: raises ``BoardReset``, and so does every later ``check``."""
        self._end = BoardReset
        self.check()

    def crash(self, reason: str) -> NoReturn:
        """Crash the firmware: raises ``BoardCrashError``, and so does every later ``check``."""
        # A new exception for each check: raising one object in two threads would mix tracebacks.
        self._end = lambda: BoardCrashError(reason)
        raise BoardCrashError(reason)

    def off(self) -> None:
        """Switch off: every later ``check`` raises ``BoardOffError``."""
        self._end = BoardOffError

    def check(self) -> None:
        """Raise the exception that ended the power; do nothing while it is on."""
        if self._end is not None:
            raise self._end()
