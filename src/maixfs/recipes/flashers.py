"""What flashers write behind the last byte of a file, as far as it matters to its neighbours."""

from __future__ import annotations

from typing import NamedTuple

from maixfs.errors import UsageError
from maixfs.image.layout import SECTOR

_FRAME = 0x10000
_LARGE = 0x20000


class Flasher(NamedTuple):
    """A flasher and the unit that it fills with zeros."""

    name: str
    about: str
    unit: int
    """Bytes; 1 where it adds nothing."""
    large_unit: int
    """The unit for files from 128 KiB on."""
    sets_dio: bool = False
    """Whether it sets the flag for dual I/O in headers, unless told otherwise."""

    def padding(self, size: int) -> int:
        """Return how many zeros follow a file of ``size`` bytes."""
        return -size % (self.large_unit if size >= _LARGE else self.unit)


FLASHERS: dict[str, Flasher] = {
    one.name: one
    for one in (
        Flasher("none", "kflash from PyPI, 1.1 and newer", 1, 1, sets_dio=True),
        Flasher("kflash-4k", "Sipeed's kflash.py", SECTOR, SECTOR),
        Flasher("kflash-64k", "Kendryte's kflash.py", _FRAME, _FRAME),
        Flasher("ktool", "LoBo's and Krux' ktool", SECTOR, _FRAME),
    )
}
"""Flashers by name."""


def find_flasher(name: str) -> Flasher:
    """Return a flasher; raises ``UsageError`` with the names that there are."""
    if name not in FLASHERS:
        raise UsageError(f"no flasher {name!r}", hint=f"there are {', '.join(FLASHERS)}")
    return FLASHERS[name]
