"""A driver's open file in RAM, with short transfers and bad offsets."""

from __future__ import annotations

import io

from maixfs.vfs import Errno, VfsError


class MemoryFile:
    """Bytes with a position; a read or write transfers at most ``most`` bytes at a time.

    A read that touches ``bad`` (an offset) fails and moves nothing.
    """

    def __init__(
        self, data: bytes = b"", *, lookahead: int = 16, most: int = 1 << 30, bad: int = -1
    ) -> None:
        self.stream = io.BytesIO(data)
        self.lookahead = lookahead
        self.most = most
        self.bad = bad
        self.flushes = 0
        self.reads: list[int] = []

    @property
    def data(self) -> bytes:
        return self.stream.getvalue()

    def read(self, size: int) -> bytes:
        self.reads.append(size)
        place = self.stream.tell()
        if place <= self.bad < place + size:
            raise VfsError(Errno.EIO)
        return self.stream.read(min(size, self.most))

    def read_all(self) -> bytes:
        return self.stream.read()

    def write(self, data: memoryview) -> int:
        return self.stream.write(data[: self.most])

    def seek(self, offset: int, whence: int) -> int:
        return self.stream.seek(offset, whence)

    def flush(self) -> None:
        self.flushes += 1

    def close(self) -> None:
        self.stream.close()
