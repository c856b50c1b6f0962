"""What is to be written into a file: bytes, a file of the host, or another stream."""

from __future__ import annotations

import hashlib
import io
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from maixfs.host.errors import not_opened
from maixfs.host.files import open_for_reading, status_of
from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

PIECE = 1 << 20
"""Bytes that are held at once."""


class Content(NamedTuple):
    """The bytes of a file that is to be written; ``open`` may be called several times."""

    size: int
    open: Callable[[], BinaryIO]
    modified: datetime | None = None
    """When they were written where they come from; ``None``: now."""

    @classmethod
    def of(cls, data: bytes, modified: datetime | None = None) -> Content:
        """Return the content that ``data`` is."""
        return cls(len(data), lambda: io.BytesIO(data), modified)

    @property
    def _piece(self) -> int:
        """How much to read at once: room for more than a small file has would be wasted."""
        # One byte more than it has: the read that gets less than it asked for shows the end.
        return min(PIECE, self.size + 1)

    def read(self) -> bytes:
        """Return all of it."""
        with self.open() as stream:
            return stream.read()

    def pieces(self) -> Iterator[bytes]:
        """Yield it piece by piece."""
        with self.open() as stream:
            while piece := stream.read(self._piece):
                yield piece

    def watched(self, tell: Callable[[int], None]) -> Content:
        """Return the same content; ``tell`` is called with how far its pieces were read."""
        return self._replace(open=lambda: cast(BinaryIO, _Watched(self.open(), tell)))

    def sha256(self) -> str:
        """Return its SHA-256 in hex."""
        digest = hashlib.sha256()
        for piece in self.pieces():
            digest.update(piece)
        return digest.hexdigest()

    def same(self, other: Content) -> bool:
        """Return True if another content has the same bytes."""
        if self.size != other.size:
            return False
        with self.open() as mine, other.open() as theirs:
            while True:
                piece = mine.read(self._piece)
                if piece != theirs.read(self._piece):
                    return False
                if not piece:
                    return True


def host_content(path: Path) -> Content:
    """Return what is in a host's file; raises ``DeviceError``, also when it is opened."""
    status = status_of(path)
    if stat.S_ISDIR(status.st_mode):
        raise not_opened(path, IsADirectoryError())
    return Content(status.st_size, lambda: open_for_reading(path), local_time(status.st_mtime))


def local_time(seconds: float) -> datetime | None:
    """Return a host's time stamp as this computer's clock showed it; ``None`` where it cannot."""
    from datetime import datetime

    try:
        return datetime.fromtimestamp(seconds)
    except (OSError, OverflowError, ValueError):
        return None


class _Watched(io.RawIOBase):
    """A stream that tells how far it was read."""

    def __init__(self, stream: BinaryIO, tell: Callable[[int], None]) -> None:
        super().__init__()
        self._stream = stream
        self._tell = tell
        self._done = 0

    def read(self, size: int = -1) -> bytes:
        piece = self._stream.read(size)
        self._done += len(piece)
        self._tell(self._done)
        return piece

    def close(self) -> None:
        self._stream.close()
        super().close()
