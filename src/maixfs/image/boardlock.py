"""Locks of boards, cards and images, and what can be wrong with a board: one writer at a time.

Two boards with one flash or one card would destroy its file system, and two commits to one image
would lose what the first one wrote.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

from maixfs.errors import DeviceError, ImageError, MaixfsError
from maixfs.host.interrupts import held
from maixfs.host.locks import FileLock, LockedError, SidecarLock, sidecar_of
from maixfs.image.errors import ImageBusyError

LOCK_NAME = "board.lock"
_PATIENCE = 0.1
"""Seconds: a process that only asks whether a board is on has the lock for a moment."""


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


class BoardLock:
    """The right to write a board's folder, for as long as this object is entered.

    The lock file holds the number of the process, for those who are refused.
    """

    def __init__(self, folder: Path, *, wait: float = _PATIENCE) -> None:
        self._folder = folder
        self._lock = SidecarLock(folder / LOCK_NAME, wait=max(wait, _PATIENCE))

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

    def __init__(self, path: Path, *, read_only: bool, wait: float = 0.0) -> None:
        self._lock = FileLock(path, shared=read_only, wait=wait)
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


class ImageLock:
    """The right to replace an image, for as long as this object is entered.

    The lock is a file beside the image, because the image is replaced by a rename.
    """

    def __init__(self, file: Path, *, wait: float) -> None:
        self._file = file
        self._lock = SidecarLock(sidecar_of(file), wait=wait)

    def __enter__(self) -> ImageLock:
        """Take the lock; raises ``ImageBusyError`` where another has it, ``DeviceError``."""
        try:
            self._lock.acquire()
        except LockedError as error:
            who = "another process" if error.pid is None else f"process {error.pid}"
            who += " (this one)" if error.pid == os.getpid() else ""
            raise ImageBusyError(
                f"{self._file} is being changed by {who}",
                error.pid,
                hint="run the command again when that has ended",
            ) from None
        except DeviceError as error:
            error.hint = f"a lock file and the new image must fit into {self._lock.path.parent}"
            raise
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        with held():
            # Safe while the lock is held: a process that opened the file before and gets the lock
            # afterwards sees that the path no longer leads to it, and starts again.
            if self._lock.is_mine:
                with suppress(OSError):
                    self._lock.path.unlink()
            self._lock.release()
