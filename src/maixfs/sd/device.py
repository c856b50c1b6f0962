"""What a file system asks of a card: sectors, read and written."""

from __future__ import annotations

from typing import Protocol, TypeAlias

Buffer: TypeAlias = bytes | bytearray | memoryview

SECTOR = 512
"""Bytes of a sector: of every SD card's in SPI mode, and the only size that the firmware knows."""


class SectorDevice(Protocol):
    """A card, or anything that can be read and written in sectors of 512 bytes.

    Sectors are counted from the start of the device. Every method raises ``SectorError`` where
    sectors lie past the end or the medium fails, and ``write`` where it cannot be written.
    """

    @property
    def sectors(self) -> int:
        """Capacity in sectors."""

    @property
    def read_only(self) -> bool:
        """Whether ``write`` is refused."""

    def read(self, sector: int, count: int) -> bytes:
        """Return ``count`` sectors."""

    def readinto(self, sector: int, buffer: memoryview) -> None:
        """Fill ``buffer``, whole sectors long, without a copy between where that can be."""

    def write(self, sector: int, data: Buffer) -> None:
        """Write ``data``, whole sectors long."""

    def sync(self) -> None:
        """Return when everything written is on the medium."""
