"""The end of a board's time in power, by reset, switch or crash: what is left of it stops.

All exceptions here are a ``GeneratorExit`` as well: a generator that Python ends with a file open
in it must be able to die without a complaint on the host's stderr.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from maixfs.image.boarderrors import BoardError


class BoardReset(GeneratorExit):
    """The script pressed reset: the board starts again from nothing but its flash.

    It is no ``Exception``, so that a script which catches all of those does not catch it.
    """


class BoardOffError(BoardError, GeneratorExit):
    """Something is used after the power that it lived on went off."""

    def __init__(self) -> None:
        super().__init__(
            "the board it was opened on is off, or was restarted since",
            hint="open the file again; what was not flushed by then is lost",
        )


class BoardCrashError(BoardError, GeneratorExit):
    """The firmware does not survive what a program asked of it: a board hangs until it is reset.

    ``reason`` says what it would do, as in "kpu.load copies more than there is memory".
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"a board would crash here: {reason}")
        self.reason = reason


class Power:
    """One time of being on: made at each start, over with a reset or when the board goes off."""

    def __init__(self) -> None:
        self._end: Callable[[], BaseException] | None = None

    def cut(self) -> None:
        """Reset from within a program: raises ``BoardReset``, now and at all that follows."""
        self._end = BoardReset
        self.check()

    def crash(self, reason: str) -> NoReturn:
        """Hang from within a program: raises ``BoardCrashError``, now and at all that follows."""
        self._end = lambda: BoardCrashError(reason)
        raise BoardCrashError(reason)

    def off(self) -> None:
        """Go off: from now on ``check`` raises ``BoardOffError``."""
        self._end = BoardOffError

    def check(self) -> None:
        """Raise what ended the power, if it ended."""
        if self._end is not None:
            raise self._end()
