"""The host's files: looked at without a trace, compared, protected."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from maixfs.nor import Buffer
from maixfs.sd.hostfile import is_drive
from maixfs.target.content import Content
from maixfs.target.errors import MissingError, TakenError, TargetError

if TYPE_CHECKING:
    from datetime import datetime

_MAY_WRITE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


class Stamp(NamedTuple):
    """What changes when somebody else writes or replaces a file."""

    device: int
    inode: int
    size: int
    modified: int

    @classmethod
    def of(cls, status: os.stat_result) -> Stamp:
        """Return the stamp of a file."""
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def reason_of(error: OSError | ValueError) -> str:
    """Return what the host says, without the path (messages have that)."""
    return getattr(error, "strerror", None) or str(error)


def look_at(path: Path, *, devices: bool = False) -> os.stat_result:
    """Return the status of a file or folder; with ``devices`` of a block device, too.

    Raises ``MissingError``, and ``TargetError`` for what is none of them (a pipe).
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        raise MissingError(f"{path} does not exist") from None
    except (OSError, ValueError) as error:
        raise TargetError(f"{path} cannot be looked at: {reason_of(error)}") from error
    known = stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)
    if not (known or (devices and is_drive(path))):
        raise TargetError(
            f"{path} is neither a file nor a folder", hint="copy its bytes to a file first"
        )
    return status


def refuse_protected(path: Path, status: os.stat_result) -> None:
    """Raise ``TargetError`` for a file whose mode or folder forbids to write it.

    The mode counts for administrators too: replacing a file does not ask for it.
    """
    if not status.st_mode & _MAY_WRITE or not os.access(path, os.W_OK):
        raise TargetError(
            f"{path} is write-protected", hint="give yourself the right to write it, or copy it"
        )


def read_file(path: Path) -> bytes:
    """Return the bytes of a host's file; raises ``MissingError`` or ``TargetError``."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise MissingError(f"{path} does not exist") from None
    except IsADirectoryError:
        raise TargetError(f"{path} is a folder") from None
    except (OSError, ValueError) as error:
        raise TargetError(f"{path} cannot be read: {reason_of(error)}") from error


def read_start(path: Path, length: int) -> bytes:
    """Return the first bytes of a file, fewer where it is shorter; raises as ``read_file``."""
    with _opened(path) as stream:
        return stream.read(length)


def host_content(path: Path) -> Content:
    """Return what is in a host's file; raises as ``read_file``, also when it is opened."""
    status = look_at(path)
    if stat.S_ISDIR(status.st_mode):
        raise TargetError(f"{path} is a folder")
    return Content(status.st_size, lambda: _opened(path), local_time(status.st_mtime))


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise MissingError(f"{path} does not exist") from None
    except (OSError, ValueError) as error:
        raise TargetError(f"{path} cannot be read: {reason_of(error)}") from error


def local_time(seconds: float) -> datetime | None:
    """Return a host's time stamp as this computer's clock showed it; ``None`` where it cannot."""
    from datetime import datetime

    try:
        return datetime.fromtimestamp(seconds)
    except (OSError, OverflowError, ValueError):
        return None


def same_content(path: Path, pieces: Sequence[Buffer]) -> bool:
    """Tell whether a file is there and holds exactly the ``pieces``, one after the other."""
    try:
        if path.stat().st_size != sum(map(len, pieces)):
            return False
        with path.open("rb") as stream:
            return all(stream.read(len(piece)) == piece for piece in pieces)
    except (OSError, ValueError):
        return False


def refuse_taken(path: Path, *, force: bool) -> None:
    """Raise ``TakenError`` where something is at ``path``, unless ``force`` may replace a file.

    Folders, devices and pipes are never replaced.
    """
    if path.exists() and not path.is_file():
        what = "a folder" if path.is_dir() else "no ordinary file"
        raise TakenError(f"{path} is {what}", hint="choose another name")
    if not force and (path.exists() or path.is_symlink()):
        raise TakenError(f"{path} exists already", hint="--force replaces it")
