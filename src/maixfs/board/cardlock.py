"""One user at a time of a card's image: two boards with one card would destroy its files."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from maixfs.board.errors import BoardBusyError, BoardError

_FAR = 1 << 62
"""Where Windows locks a byte: past the end of every card, so that nobody misses it. It has no
lock that many readers share, so there those take none."""


class CardLock:
    """The right to use the card in ``path`` until ``release``: alone, or with others to read it.

    It is the host's advisory lock of the file itself, gone with the process. Raises
    ``BoardBusyError`` where another has it and ``BoardError`` for a file that cannot be opened;
    a host that knows no such locks lets everybody in.
    """

    def __init__(self, path: Path, *, read_only: bool) -> None:
        flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        try:
            self._handle = os.open(path, flags)
        except OSError as reason:
            raise BoardError(f"{path} cannot be opened: {reason.strerror}") from reason
        if not _locked(self._handle, shared=read_only):
            self.release()
            raise BoardBusyError(
                f"{path} is in use: it is in the slot of a board that is on, or being written",
                None,
                hint="a card is in one slot at a time: switch that board off, or copy the image",
            )

    def release(self) -> None:
        """Let the card go; doing it twice is no error."""
        handle, self._handle = self._handle, -1
        if handle >= 0:
            os.close(handle)


def _locked(handle: int, *, shared: bool) -> bool:
    """Take the lock of an open file; tell whether it was free, or there is none to take."""
    if sys.platform == "win32":
        return shared or _locked_on_windows(handle)
    import fcntl

    try:
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a network's file system, say
    return True


def _locked_on_windows(handle: int) -> bool:
    if sys.platform == "win32":
        import msvcrt

        os.lseek(handle, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
    return True
