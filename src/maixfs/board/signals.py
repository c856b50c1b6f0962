"""The end of a board's time in power, by reset or by switch: whatever is left of it stops there.

Both exceptions are a ``GeneratorExit`` as well: a generator that Python ends with a file open in
it must be able to die without a complaint on the host's stderr.
"""

from __future__ import annotations

from typing import Protocol

from maixfs.board.errors import BoardError


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


class Checked(Protocol):
    """Something that has to be there for an operation."""

    def check(self) -> None:
        """Raise what the operation is to end in, where it is gone."""


class Power:
    """One time of being on: made at each start, over with a reset or when the board goes off."""

    def __init__(self) -> None:
        self._end: type[BoardReset] | type[BoardOffError] | None = None

    def cut(self) -> None:
        """Reset from within a program: raises ``BoardReset``, now and at all that follows."""
        self._end = BoardReset
        self.check()

    def off(self) -> None:
        """Go off: from now on ``check`` raises ``BoardOffError``."""
        self._end = BoardOffError

    def check(self) -> None:
        """Raise what ended the power, if it ended."""
        if self._end is not None:
            raise self._end
