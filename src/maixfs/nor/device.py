"""NOR flash as file systems see it: units, what operations do to bytes, the driver interface.

The functions take plain buffers and know no chip, so that drivers, images and tests share them.
"""

from __future__ import annotations

from typing import Protocol, TypeAlias

Buffer: TypeAlias = bytes | bytearray | memoryview

PAGE = 256
"""Longest program of one command, bytes (W25Q128 data sheet: Page Program 02h)."""
SECTOR = 0x1000
"""Smallest erase unit, bytes (20h)."""
BLOCK32 = 0x8000
"""Erase unit of command 52h, bytes."""
BLOCK64 = 0x10000
"""Erase unit of command D8h, bytes."""

ERASED = 0xFF
CHUNK = 0x10000
"""Longest run that is handled at once (64 KiB), so that temporary copies stay small."""
_BLANK = bytes([ERASED]) * CHUNK
_BLANK_SECTOR = _BLANK[:SECTOR]
_SHORT = 8


BUFFERS = frozenset({bytes, bytearray, memoryview})


def octets(data: Buffer) -> Buffer:
    """Return ``data``; raises ``TypeError`` if it is no buffer of single bytes.

    Text, lists of numbers and views of larger items are refused here, before a command has
    changed anything. Hot paths test ``type(data) in BUFFERS`` themselves, which costs less.
    """
    view = memoryview(data)
    if view.itemsize != 1 or not view.contiguous:
        raise TypeError("flash data must be a contiguous buffer of bytes")
    return data


def blank(length: int) -> bytes:
    """Return ``length`` erased bytes (0xFF)."""
    return _BLANK[:length] if length <= CHUNK else bytes([ERASED]) * length


def is_filled(data: Buffer, value: int = ERASED) -> bool:
    """Return whether every byte is ``value``; the first other one ends the search.

    True for no bytes.
    """
    view = memoryview(data).cast("B")
    filled = blank(CHUNK) if value == ERASED else bytes([value]) * CHUNK
    pieces = (bytes(view[at : at + CHUNK]) for at in range(0, len(view), CHUNK))
    return all(piece == filled[: len(piece)] for piece in pieces)


def and_bytes(old: Buffer, new: Buffer) -> bytes:
    """Return ``old`` AND ``new``, two buffers of the same length: a program over ``old``."""
    # One operation on long integers: a loop over 256 bytes takes 20 times as long.
    both = int.from_bytes(old, "little") & int.from_bytes(new, "little")
    return both.to_bytes(len(new), "little")


def erase_cells(cells: memoryview, address: int, end: int) -> None:
    """Set the cells from ``address`` to ``end`` to 0xFF."""
    if end - address == SECTOR:
        cells[address:end] = _BLANK_SECTOR
        return
    while end - address > CHUNK:
        cells[address : address + CHUNK] = _BLANK
        address += CHUNK
    cells[address:end] = _BLANK[: end - address]


def program_cells(cells: memoryview, address: int, data: Buffer) -> None:
    """Program ``data`` at ``address``: bits go from 1 to 0 only."""
    length = len(data)
    # Three ways to the same bytes, because this is the inner loop of every write.
    # SPIFFS writes flags and look-up entries of 1 and 2 bytes most of the time: for those the
    # loop is quicker than slices.
    if length <= _SHORT:
        for byte in data:
            cells[address] &= byte
            address += 1
        return
    if length > CHUNK:
        view = memoryview(data)
        for offset in range(0, length, CHUNK):
            program_cells(cells, address + offset, view[offset : offset + CHUNK])
        return
    old = cells[address : address + length]
    # Most pages are programmed once after an erase: then the AND changes nothing.
    old[:] = data if _BLANK.startswith(old) else and_bytes(old, data)


def needs_erase(old: Buffer, new: Buffer) -> bool:
    """Return True if a bit of ``new`` is 1 where ``old`` has 0 (buffers of the same length)."""
    # An erased sector takes any byte. The comparison is one memcmp, the integers below are copies.
    if _SHORT < len(new) <= CHUNK and _BLANK.startswith(old):
        return False
    return int.from_bytes(new, "little") & ~int.from_bytes(old, "little") != 0


class NorDevice(Protocol):
    """A flash driver over a chip, as SPIFFS uses it.

    Addresses are bytes from the start of the chip. Every method raises ``NorError`` (EINVAL)
    for an address past the end of the chip and for an erase that is not aligned, and
    ``ClosedError`` after the chip was closed.
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
        """Write ``data``, of any length, across pages and sectors.

        The driver decides what the bytes become: old AND new (ideal) or new (literal).
        """

    def erase(self, address: int, length: int) -> None:
        """Erase whole units: address and length are multiples of ``erase_size``."""

    def window(self) -> memoryview | None:
        """Return a live read-only view of the contents, as a quick way to read.

        ``None`` where reads are counted or observed (device clock, observer, SPI bus).
        """
