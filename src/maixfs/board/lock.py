"""One process at a time has a board powered on."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from maixfs.board.errors import BoardBusyError, BoardError
from maixfs.board.interrupts import held

LOCK_NAME = "board.lock"
HOLDER_NAME = "board.pid"

_PATIENCE = 0.1
"""Seconds: who only asks whether a board is on has the lock for a moment."""


class BoardLock:
    """The right to write a board's folder, for as long as this object is entered.

    The host's own file lock does the work, so the lock of a process that died is free again;
    the number of the holder lies beside it for those who are refused.
    """

    def __init__(self, folder: Path) -> None:
        from filelock import FileLock

        self._folder = folder
        self._lock = FileLock(folder / LOCK_NAME, timeout=_PATIENCE, thread_local=False)

    def __enter__(self) -> BoardLock:
        """Take the lock; raises ``BoardBusyError`` where another has it."""
        from filelock import Timeout

        try:
            self._lock.acquire(poll_interval=_PATIENCE / 10)
        except Timeout:
            raise self._busy() from None
        except OSError as reason:
            raise BoardError(f"{self._folder} cannot be locked: {reason.strerror}") from reason
        with suppress(OSError):  # a full disk: who is refused is told no number then
            (self._folder / HOLDER_NAME).write_text(f"{os.getpid()}\n", encoding="ascii")
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        with held():  # a Ctrl-C here would leave the number, or the lock itself
            with suppress(OSError):  # somebody reads it, or the folder is gone
                (self._folder / HOLDER_NAME).unlink()
            self._lock.release()

    def _busy(self) -> BoardBusyError:
        pid = holder_of(self._folder)
        who = "another process" if pid is None else f"process {pid}"
        who += " (this one)" if pid == os.getpid() else ""
        return BoardBusyError(
            f"{self._folder} is powered on by {who}",
            pid,
            hint="end that first: two writers would destroy the file system",
        )


def holder_of(folder: Path) -> int | None:
    """Return the process that wrote its number last, ``None`` where there is none to read."""
    try:
        text = (folder / HOLDER_NAME).read_text(encoding="ascii")
        return int(text)
    except (OSError, ValueError):
        return None
