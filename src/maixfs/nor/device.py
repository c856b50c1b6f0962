"""What a file system asks of flash: read, program, erase."""

from __future__ import annotations

from typing import Protocol, TypeAlias

Buffer: TypeAlias = bytes | bytearray | memoryview


class NorDevice(Protocol):
    """A flash driver over a chip, as SPIFFS sees it.

    Addresses are bytes from the start of the chip. Every method raises ``NorError`` for an
    address past the end of the chip or one that is not aligned as the operation asks.
    """

    @property
    def size(self) -> int:
        """Capacity in bytes."""

    @property
    def erase_size(self) -> int:
        """Smallest erase unit in bytes (4096 on the chips of K210 boards)."""

    def read(self, address: int, length: int) -> bytes:
        """Return ``length`` bytes."""

    def program(self, address: int, data: Buffer) -> None:
        """Write ``data``; it may be of any length and cross pages and sectors.

        What the bytes become depends on the driver: ANDed (ideal) or replaced (literal).
        """

    def erase(self, address: int, length: int) -> None:
        """Erase whole units: address and length are multiples of ``erase_size``."""

    def window(self) -> memoryview | None:
        """Return the live contents, read-only, where reading needs no ceremony.

        ``None`` where somebody counts or watches reads (a device clock, an observer, a bus).
        """
