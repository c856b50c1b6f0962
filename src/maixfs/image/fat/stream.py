"""A file on a FAT volume as a binary file object of Python's."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

from maixfs.errors import MaixfsError
from maixfs.image.errors import TargetError

if TYPE_CHECKING:
    from maixfs.fat import FatFile
    from maixfs.sd.device import Buffer

BUFFER = 1 << 16
"""Bytes that are read at once for readers who ask for little."""


class FatStream(io.RawIOBase):
    """Reads a file; ``failed`` makes the error for what cannot be read."""

    def __init__(self, file: FatFile, failed: Callable[[MaixfsError], TargetError]) -> None:
        super().__init__()
        self._file = file
        self._failed = failed

    def readable(self) -> bool:
        """Return true."""
        return True

    def seekable(self) -> bool:
        """Return true."""
        return True

    def readinto(self, buffer: Buffer) -> int:  # type: ignore[override]
        """Fill a buffer as far as the file goes."""
        try:
            return self._file.readinto(memoryview(buffer).cast("B"))
        except MaixfsError as error:
            raise self._failed(error) from error

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position in the file, at most to its end."""
        if whence == io.SEEK_CUR:
            offset += self._file.tell()
        elif whence == io.SEEK_END:
            offset += self._file.size
        try:
            self._file.seek(min(max(0, offset), self._file.size))
        except MaixfsError as error:
            raise self._failed(error) from error
        return self._file.tell()

    def close(self) -> None:
        """Close the file."""
        if not self.closed:
            self._file.close()
        super().close()
