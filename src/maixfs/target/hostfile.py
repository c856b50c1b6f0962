"""The host's files: looked at without a trace, replaced whole or not at all."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from maixfs.nor import Buffer
from maixfs.target.errors import MissingError, TakenError, TargetError
from maixfs.target.records import Progress

_CHUNK = 1 << 20
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


def reason_of(error: OSError) -> str:
    """Return what the host says, without the path (messages have that)."""
    return error.strerror or str(error)


def look_at(path: Path) -> os.stat_result:
    """Return the status of a file or folder.

    Raises ``MissingError``, and ``TargetError`` for what is neither (a device, a pipe).
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        raise MissingError(f"{path} does not exist") from None
    except (OSError, ValueError) as error:
        why = reason_of(error) if isinstance(error, OSError) else str(error)
        raise TargetError(f"{path} cannot be looked at: {why}") from error
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
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
        why = reason_of(error) if isinstance(error, OSError) else str(error)
        raise TargetError(f"{path} cannot be read: {why}") from error


class Draft:
    """A new file beside ``path`` that takes its place in one step, or goes.

    ``path`` may be a symbolic link: the file that it leads to is replaced. The mode of a file
    that is there is kept. Leaving the ``with`` without ``finish`` removes the draft. ``durable``
    waits until the host's disk has it: not for each of many files.
    """

    def __init__(self, path: Path, *, durable: bool = True) -> None:
        self.path = path
        self._durable = durable
        self._place = Path(os.path.realpath(path))
        self._draft = self._place.with_name(f".maixfs-{os.urandom(6).hex()}.new")

    def __enter__(self) -> Draft:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._draft.unlink(missing_ok=True)

    @property
    def file(self) -> Path:
        """Where the new content lies until it is finished."""
        return self._draft

    def write(self, pieces: Iterable[Buffer], total: int, progress: Progress | None) -> None:
        """Write the new content; raises ``TargetError``, and what ``progress`` raises."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        try:
            with os.fdopen(os.open(self._draft, flags, 0o666), "wb") as stream:
                done = 0
                for piece in pieces:
                    for start in range(0, len(piece), _CHUNK):
                        done += stream.write(piece[start : start + _CHUNK])
                        if progress is not None:
                            progress("write", done, total)
                stream.flush()
                if self._durable:
                    os.fsync(stream.fileno())
        except OSError as error:
            raise self._failed(error) from error

    def finish(self) -> None:
        """Put the draft in the place of the old file."""
        try:
            with suppress(FileNotFoundError):
                self._draft.chmod(stat.S_IMODE(self._place.stat().st_mode))
            self._draft.replace(self._place)
        except OSError as error:
            raise self._failed(error) from error
        if self._durable:
            _sync_folder(self._place.parent)

    def _failed(self, error: OSError) -> TargetError:
        return TargetError(
            f"{self.path} cannot be written: {reason_of(error)}",
            hint="what was there before is as it was",
        )


def _sync_folder(folder: Path) -> None:
    """Have the host remember the renaming; hosts that cannot (Windows) do so anyway."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def put_file(path: Path, content: Buffer) -> None:
    """Write a small file of the host, whole or not at all; raises ``TargetError``."""
    with Draft(path, durable=False) as draft:
        draft.write((content,), len(content), None)
        draft.finish()


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
    """Raise ``TakenError`` where something is at ``path``, unless ``force`` may replace a file."""
    if path.is_dir():
        raise TakenError(f"{path} is a folder", hint="choose another name")
    if not force and (path.exists() or path.is_symlink()):
        raise TakenError(f"{path} exists already", hint="--force replaces it")
