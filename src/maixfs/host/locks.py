"""Locks of the host: one process at a time writes a file, or several read it.

They are advisory (``flock``; on Windows a locked byte far behind the end of the file) and go with
the process that holds them, however it ends. Two kinds:

* ``FileLock`` locks the file itself. Who replaces the file by renaming another over it leaves
  the lock on the old one, so taking the lock compares the file that was locked with the one
  that the path leads to, and starts again where they differ.
* ``SidecarLock`` locks a file made for that purpose, which nobody renames and which holds the
  number of the process. It is the lock for files that are replaced whole (``sidecar_of`` names
  it). Only the holder of the lock may remove the file.

A file system without locks (some network ones) lets everybody in: refusing would make it unusable.
"""

from __future__ import annotations

import errno
import math
import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from maixfs.errors import DeviceError
from maixfs.host.errors import not_opened

POLL = 0.01
"""Seconds between two attempts."""
_FAR = 1 << 62
"""The byte that Windows locks. It lies behind the end of every file, because Windows refuses
others to read and write the locked file."""
_RETRIES = 8
"""Attempts to take a lock on a file that is replaced meanwhile."""
_BINARY = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


class LockedError(DeviceError, BlockingIOError):
    """Another process, or another user in this one, has the lock (EAGAIN).

    ``pid`` is that process, ``None`` if it is not known.
    """

    pid: int | None = None


class FileLock:
    """A lock on an existing file, from ``acquire`` (or ``with``) to ``release``.

    ``shared`` locks are held by several at once, and keep exclusive ones out; Windows has none
    that Python can ask for, so there a shared lock takes nothing. ``wait`` is how long another
    holder is waited for, in seconds.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, shared: bool = False, wait: float = 0.0
    ) -> None:
        self.path = Path(path)
        self.shared = shared
        self._wait = wait
        self._handle = -1
        self._process = 0

    def acquire(self) -> Self:
        """Take the lock; raises ``LockedError``, ``DeviceError`` for a file that is not there."""
        for attempt in range(1 + math.ceil(self._wait / POLL)):
            if attempt:
                time.sleep(POLL)
            if self._try():
                return self
        pid = self._holder()
        who = "another process" if pid is None else f"process {pid}"
        error = LockedError(f"{self.path} is locked by {who}", errno=errno.EAGAIN)
        error.pid = pid
        raise error

    def release(self) -> None:
        """Give the lock back; releasing twice is allowed."""
        handle, self._handle = self._handle, -1
        if handle >= 0:
            os.close(handle)

    @property
    def is_mine(self) -> bool:
        """Whether this process took the lock; one that was forked shares it with its parent."""
        return self._handle >= 0 and self._process == os.getpid()

    def __enter__(self) -> Self:
        return self.acquire()

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.release()

    def _try(self) -> bool:
        for _ in range(_RETRIES):
            handle = self._open()
            try:
                # First the lock, then the comparison: between opening and locking another process
                # may have put a new file in place, and a lock on the old one keeps nobody out.
                locked = try_lock(handle, shared=self.shared)
                if locked and _leads_to(self.path, handle):
                    self._handle, handle = handle, -1
                    self._process = os.getpid()
                    return True
            finally:
                if handle >= 0:
                    os.close(handle)
            if not locked:
                return False
        return False

    def _open(self) -> int:
        try:
            return os.open(self.path, os.O_RDONLY | _BINARY)
        except (OSError, ValueError) as reason:
            raise not_opened(self.path, reason) from reason

    def _holder(self) -> int | None:
        """Return the process that has the lock; a locked file has no room for its number."""
        return None


class SidecarLock(FileLock):
    """A lock in a file of its own, which is created if it is missing and stays after ``release``.

    The holder of an exclusive lock writes its process number into it, for those it refuses.
    """

    def acquire(self) -> Self:
        """Take the lock; raises ``LockedError``, ``DeviceError`` if the file cannot be made."""
        super().acquire()
        if not self.shared:
            with suppress(OSError):  # a full disk: the lock counts, only its holder is not named
                # After the lock was taken: an earlier number may be longer than this one.
                os.ftruncate(self._handle, 0)
                os.write(self._handle, b"%d\n" % os.getpid())
        return self

    def release(self) -> None:
        """Give the lock back, and remove the number first: it would name the wrong process."""
        if self.is_mine and not self.shared:
            with suppress(OSError):
                os.ftruncate(self._handle, 0)
        super().release()

    def _open(self) -> int:
        try:
            return os.open(self.path, os.O_RDWR | os.O_CREAT | _BINARY, 0o666)
        except (OSError, ValueError) as reason:
            raise not_opened(self.path, reason, read_only=False) from reason

    def _holder(self) -> int | None:
        return holder_of(self.path)


def sidecar_of(path: str | os.PathLike[str]) -> Path:
    """Return the path of the hidden lock file beside ``path``."""
    real = Path(os.path.realpath(path))
    return real.with_name(f".{real.name}.maixfs-lock")


def holder_of(path: Path) -> int | None:
    """Return the process number in a lock file; ``None`` if there is none to read."""
    try:
        return int(path.read_bytes())
    except (OSError, ValueError):
        return None


def locked_by(path: Path) -> int | None:
    """Return the process that holds the lock in a lock file exclusively, 0 if not known.

    ``None`` where nobody holds it. Nothing is written; the lock is taken for a moment, which
    other users wait out (``wait``). On a file system without locks the number in the file is
    all there is to know.
    """
    try:
        handle = os.open(path, os.O_RDONLY | _BINARY)
    except OSError:
        return None
    try:
        # Windows has no shared lock; an exclusive one answers the question as well.
        shared = sys.platform != "win32"
        if not try_lock(handle, shared=shared):
            return holder_of(path) or 0
        # A real lock answers yes both times; on a file system without locks the second answer is
        # no.
        return None if try_lock(handle, shared=shared, unknown=False) else holder_of(path)
    finally:
        os.close(handle)


def try_lock(handle: int, *, shared: bool = False, unknown: bool = True) -> bool:
    """Lock an open file until it is closed; return False where another has it locked.

    ``unknown`` is the answer on a file system that has no locks.
    """
    if sys.platform == "win32":
        # msvcrt has exclusive locks only: a reader that took one would keep other readers out.
        return shared or _try_on_windows(handle)
    import fcntl

    try:
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        # Some network file systems have none; the caller decides what that means.
        return unknown
    return True


def _try_on_windows(handle: int) -> bool:
    if sys.platform == "win32":
        import msvcrt

        # The lock begins at the file position, which the file's own writer still needs.
        position = os.lseek(handle, 0, os.SEEK_CUR)
        os.lseek(handle, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            os.lseek(handle, position, os.SEEK_SET)
    return True


def _leads_to(path: Path, handle: int) -> bool:
    """Return whether ``path`` leads to the open file: its lock would guard a removed one."""
    try:
        return os.path.samestat(path.stat(), os.fstat(handle))
    except OSError:
        return False
