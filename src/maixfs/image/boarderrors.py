"""What can be wrong with a board, before a script says anything."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from maixfs.errors import DeviceError, ImageError, MaixfsError


class BoardError(MaixfsError):
    """The board's folder cannot be used as it is."""


class BoardConfigError(BoardError, ImageError):
    """``board.toml`` says something that cannot be; the message names the key."""


class BoardBusyError(BoardError):
    """Another process has the board powered on.

    ``pid`` is that process, or ``None`` where it left no number.
    """

    def __init__(self, message: str, pid: int | None, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.pid = pid


@contextmanager
def as_board_error(hint: str | None = None) -> Iterator[None]:
    """Raise what is wrong with a file or a device of the board as ``BoardError``.

    ``hint`` is what to do unless the error says that itself.
    """
    try:
        yield
    except DeviceError as error:
        raise BoardError(str(error), hint=error.hint or hint) from error
