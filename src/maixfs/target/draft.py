"""New content for a file of the host: it takes the old one's place whole, or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from maixfs.nor import Buffer
from maixfs.sd.drafts import clear_drafts, draft_of
from maixfs.sd.hostlock import sync_folder, try_lock
from maixfs.target.content import Content
from maixfs.target.errors import TargetError
from maixfs.target.hostfile import reason_of
from maixfs.target.records import Progress

__all__ = ["Draft", "clear_drafts", "put_file"]

_CHUNK = 1 << 20
_FORBIDDEN = frozenset((errno.EACCES, errno.EPERM, errno.EROFS))


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
        self._draft = draft_of(self._place)
        self._stream: BinaryIO | None = None

    def __enter__(self) -> Draft:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()
        with suppress(OSError):
            self._draft.unlink(missing_ok=True)

    @property
    def file(self) -> Path:
        """Where the new content lies until it is finished."""
        return self._draft

    def write(self, pieces: Iterable[Buffer], total: int, progress: Progress | None) -> None:
        """Write the new content; raises ``TargetError``, and what ``progress`` raises."""
        try:
            self._stream = stream = self._created()
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

    def make(self, size: int) -> None:
        """Make the new file, ``size`` zeros, for others to write; raises ``TargetError``."""
        try:
            self._stream = self._created()
            self._stream.truncate(size)
        except OSError as error:
            raise self._failed(error) from error

    def _created(self) -> BinaryIO:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        stream = os.fdopen(os.open(self._draft, flags, 0o666), "wb")
        try_lock(stream.fileno())
        return stream

    def finish(self) -> None:
        """Put the draft in the place of the old file."""
        if os.name == "nt":  # renames no open file
            self._close()
        try:
            with suppress(FileNotFoundError):
                self._draft.chmod(stat.S_IMODE(self._place.stat().st_mode))
            self._draft.replace(self._place)
        except OSError as error:
            raise self._failed(error) from error
        if self._durable:
            sync_folder(self._place.parent)

    def _close(self) -> None:
        """Close the draft, which also ends its lock; what is buffered is on its way out."""
        if self._stream is not None:
            with suppress(OSError):
                self._stream.close()

    def _failed(self, error: OSError) -> TargetError:
        hint = "what was there before is as it was" if self._place.exists() else None
        if not self.path.parent.is_dir():
            hint = f"make the folder {self.path.parent} first"
        elif error.errno in _FORBIDDEN:
            folder = self._place.parent
            hint = f"it is written under another name first: {folder} must take a new file"
        return TargetError(f"{self.path} cannot be written: {reason_of(error)}", hint=hint)


def put_file(path: Path, content: Content) -> str:
    """Write a file of the host, whole or not at all; return its SHA-256.

    A time that comes with the content is given to the file. Raises ``TargetError``.
    """
    digest = hashlib.sha256()

    def pieces() -> Iterator[bytes]:
        for piece in content.pieces():
            digest.update(piece)
            yield piece

    with Draft(path, durable=False) as draft:
        draft.write(pieces(), content.size, None)
        if content.modified is not None:
            seconds = content.modified.timestamp()
            with suppress(OSError, OverflowError):
                os.utime(draft.file, (seconds, seconds))
        draft.finish()
    return digest.hexdigest()
