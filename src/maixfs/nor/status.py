"""The three status registers of a flash chip, and what they protect.

Bits and protected areas are those of the W25Q128 data sheets. Each register has a non-volatile
copy (what the chip wakes up with) and the live one; BUSY, WEL and SUS are live only.
"""

from __future__ import annotations

from typing import NamedTuple

from maixfs.nor.array import SECTOR
from maixfs.nor.commands import QUAD_ENABLE

# Register 1: SRP, SEC, TB, BP2..BP0 (7..2), WEL, BUSY.
_SEC, _TB = 0x40, 0x20
# Register 2: SUS, CMP, LB3..LB1 (5..3), QE, SRL.
SUSPENDED = 0x80
_CMP, _LOCK_SECURITY, _LOCK_STATUS = 0x40, 0x38, 0x01
_WRITABLE = (0xFC, _CMP | _LOCK_SECURITY | QUAD_ENABLE | _LOCK_STATUS, 0xE0)
"""Writable bits by register; WPS (single sector locks) of the third is not there."""
_ALL = 7
_SMALLEST_FRACTION = 64
_LARGEST_SMALL = 4


class Area(NamedTuple):
    """The protected bytes: ``start`` up to, not including, ``end``."""

    start: int
    end: int

    def touches(self, address: int, length: int) -> bool:
        """Return whether some of the bytes are protected."""
        return max(address, self.start) < min(address + length, self.end)


class StatusRegisters:
    """Registers 1 to 3 (index 0 to 2) of a chip of ``size`` bytes, as fresh from the maker."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept = [0, 0, 0]
        self.live = [0, 0, 0]

    @property
    def quad_enabled(self) -> bool:
        """Whether the chip takes commands on four lines (QE)."""
        return bool(self.live[1] & QUAD_ENABLE)

    @property
    def locked(self) -> bool:
        """Whether the registers cannot be written until the next power-on (SRL)."""
        return bool(self.live[1] & _LOCK_STATUS)

    def security_locked(self, register: int) -> bool:
        """Return whether security register 1, 2 or 3 can no longer be changed (LB)."""
        return bool(self.live[1] & (0x04 << register))

    def write(self, first: int, values: bytes, *, volatile: bool) -> None:
        """Write registers from ``first`` (0 to 2) on; a security lock, once set, stays."""
        for index, value in enumerate(values, first):
            sticky = self._kept[index] & _LOCK_SECURITY if index == 1 else 0
            self.live[index] = value & _WRITABLE[index] | sticky
            if not volatile:
                self._kept[index] = self.live[index]

    def reset(self) -> None:
        """Go back to the non-volatile values."""
        self.live[:] = self._kept

    def protected(self) -> Area:
        """Return what programs and erases do not reach (SEC, TB, BP2..BP0, CMP)."""
        length = self._protected_length(self.live[0] >> 2 & 7)
        at_bottom = bool(self.live[0] & _TB)
        if self.live[1] & _CMP:
            length = self._size - length
            at_bottom = not at_bottom
        return Area(0, length) if at_bottom else Area(self._size - length, self._size)

    def _protected_length(self, level: int) -> int:
        """Return how many bytes a level of 0 to 7 stands for, before CMP turns it round.

        By blocks: 1/64 of the chip, doubled per level; by sectors (SEC): 4 KiB, doubled, at
        most 32 KiB. Level 7 is the whole chip either way.
        """
        if level in (0, _ALL):
            return self._size if level else 0
        if self.live[0] & _SEC:
            return min(SECTOR << min(level, _LARGEST_SMALL) - 1, self._size)
        return self._size // _SMALLEST_FRACTION << level - 1
