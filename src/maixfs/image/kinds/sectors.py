"""The bytes that are identified, as a card."""

from __future__ import annotations

import errno
from typing import Protocol

from maixfs.sd.device import SECTOR, Buffer
from maixfs.sd.errors import out_of_card, sector_error


class _Bytes(Protocol):
    size: int

    def read(self, offset: int, length: int) -> bytes: ...


class SampleSectors:
    """A ``SectorDevice`` over a ``Sample``; never written."""

    read_only = True

    def __init__(self, sample: _Bytes) -> None:
        self._sample = sample
        self.sectors = sample.size // SECTOR

    def read(self, sector: int, count: int) -> bytes:
        """Return ``count`` sectors; raises ``SectorError`` past the end."""
        if sector < 0 or count < 0 or sector + count > self.sectors:
            raise out_of_card(sector, count, self.sectors)
        data = self._sample.read(sector * SECTOR, count * SECTOR)
        if len(data) < count * SECTOR:
            # Only the first bytes were taken.
            raise sector_error(f"sector {sector:#x} was not read", errno.EIO)
        return data

    def readinto(self, sector: int, buffer: memoryview) -> None:
        """Fill ``buffer``; raises ``SectorError`` past the end."""
        buffer[:] = self.read(sector, len(buffer) // SECTOR)

    def write(self, sector: int, data: Buffer) -> None:
        """Raise ``SectorError`` (EROFS)."""
        raise sector_error(f"sector {sector:#x} of {len(data)} bytes is read-only", errno.EROFS)

    def sync(self) -> None:
        """Do nothing."""
