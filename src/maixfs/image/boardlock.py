"""Locks of a board's folder and of a card's image: one user at a time.

Two boards with one flash or one card would destroy its file system.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType

from maixfs.errors import DeviceError
from maixfs.host.interrupts import held
from maixfs.host.locks import FileLock, LockedError, SidecarLock
from maixfs.image.boarderrors import BoardBusyError, BoardError

LOCK_NAME = "board.lock"

_PATIENCE = 0.1
"""Seconds: whoever only asks whether a board is on has the lock for a moment."""


class BoardLock:
    """The right to write a board's folder, for as long as this object is entered.

    The lock file holds the number of the process, for those who are refused.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = SidecarLock(folder / LOCK_NAME, wait=_PATIENCE)

    def __enter__(self) -> BoardLock:
        """Take the lock; raises ``BoardBusyError`` where another has it."""
        try:
            self._lock.acquire()
        except LockedError as error:
            raise self._busy(error.pid) from None
        except DeviceError as error:
            message = f"{self._folder} cannot be locked: {error}"
            raise BoardError(message, hint=error.hint) from error
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        with held():  # a Ctrl-C here would leave the number, or the lock itself
            self._lock.release()

    def _busy(self, pid: int | None) -> BoardBusyError:
        who = "another process" if pid is None else f"process {pid}"
        who += " (this one)" if pid == os.getpid() else ""
        return BoardBusyError(
            f"{self._folder} is powered on by {who}",
            pid,
            hint="end that first: two writers would destroy the file system",
        )


class CardLock:
    """The right to use the card in ``path`` until ``release``: alone, or with others to read it.

    The image itself is locked, so that a lock file is not needed beside every card. Raises
    ``BoardBusyError`` where another has it and ``BoardError`` for a file that cannot be opened.
    """

    def __init__(self, path: Path, *, read_only: bool) -> None:
        self._lock = FileLock(path, shared=read_only)
        try:
            self._lock.acquire()
        except LockedError:
            raise BoardBusyError(
                f"{path} is in use: it is in the slot of a board that is on, or being written",
                None,
                hint="a card is in one slot at a time: switch that board off, or copy the image",
            ) from None
        except DeviceError as error:
            raise BoardError(str(error), hint=error.hint) from error

    def release(self) -> None:
        """Release the card; releasing twice is allowed."""
        self._lock.release()
