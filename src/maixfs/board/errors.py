"""What can be wrong with a board, before a script says anything."""

from __future__ import annotations

from maixfs.errors import ImageError, MaixfsError


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
