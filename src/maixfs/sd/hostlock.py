"""Locks of the host's files, and names that outlast a power cut: where the host has them."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path


def try_lock(handle: int, *, unknown: bool = True) -> bool:
    """Lock an open file until it is closed; false where another process has it locked.

    On Windows nothing is locked, and this is true; on file systems without locks ``unknown``.
    """
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return unknown
    return True


def sync_folder(folder: Path) -> None:
    """Have the host remember new names in a folder; hosts that cannot (Windows) do so anyway."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
