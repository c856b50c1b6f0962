"""The cells of NOR flash: what a program does to bytes, and what it cannot do.

All functions take plain buffers; they know of no chip.
"""

from __future__ import annotations

from maixfs.nor.device import Buffer

ERASED = 0xFF
CHUNK = 0x10000
"""Longest run that is handled in one go (64 KiB), so that temporary copies stay small."""
_BLANK = bytes([ERASED]) * CHUNK
_BLANK_SECTOR = _BLANK[:0x1000]
_SHORT = 8


def blank(length: int) -> bytes:
    """Return ``length`` erased bytes (0xFF)."""
    return _BLANK[:length] if length <= CHUNK else bytes([ERASED]) * length


def and_bytes(old: Buffer, new: Buffer) -> bytes:
    """Return ``old`` AND ``new``, two buffers of one length: what a program leaves in cells."""
    both = int.from_bytes(old, "little") & int.from_bytes(new, "little")
    return both.to_bytes(len(new), "little")


def erase_cells(cells: memoryview, address: int, end: int) -> None:
    """Set the cells from ``address`` to ``end`` to 0xFF."""
    if end - address == len(_BLANK_SECTOR):
        cells[address:end] = _BLANK_SECTOR
        return
    while end - address > CHUNK:
        cells[address : address + CHUNK] = _BLANK
        address += CHUNK
    cells[address:end] = _BLANK[: end - address]


def program_cells(cells: memoryview, address: int, data: Buffer) -> None:
    """Program ``data`` at ``address``: bits go from 1 to 0 only."""
    length = len(data)
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
    old[:] = data if _BLANK.startswith(old) else and_bytes(old, data)


def needs_erase(old: Buffer, new: Buffer) -> bool:
    """Return whether some bit of ``new`` is 1 where ``old`` has 0 (both of one length)."""
    if _SHORT < len(new) <= CHUNK and _BLANK.startswith(old):
        return False
    return int.from_bytes(new, "little") & ~int.from_bytes(old, "little") != 0
