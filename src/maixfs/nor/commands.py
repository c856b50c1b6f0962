"""The commands of a SPI NOR flash chip (W25Q family) and the shape of their frames."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class Op(IntEnum):
    """Command bytes, named as in the firmware's driver and the W25Q128 data sheet."""

    WRITE_STATUS1 = 0x01
    PAGE_PROGRAM = 0x02
    READ = 0x03
    WRITE_DISABLE = 0x04
    READ_STATUS1 = 0x05
    WRITE_ENABLE = 0x06
    FAST_READ = 0x0B
    WRITE_STATUS3 = 0x11
    READ_STATUS3 = 0x15
    ERASE_SECTOR = 0x20
    WRITE_STATUS2 = 0x31
    QUAD_PAGE_PROGRAM = 0x32
    READ_STATUS2 = 0x35
    FAST_READ_DUAL_OUTPUT = 0x3B
    PROGRAM_SECURITY = 0x42
    ERASE_SECURITY = 0x44
    READ_SECURITY = 0x48
    UNIQUE_ID = 0x4B
    WRITE_ENABLE_VOLATILE = 0x50
    ERASE_BLOCK32 = 0x52
    READ_SFDP = 0x5A
    ERASE_CHIP_ALT = 0x60
    ENABLE_RESET = 0x66
    FAST_READ_QUAD_OUTPUT = 0x6B
    SUSPEND = 0x75
    RESUME = 0x7A
    READ_ID = 0x90
    RESET = 0x99
    JEDEC_ID = 0x9F
    RELEASE_POWER_DOWN = 0xAB
    POWER_DOWN = 0xB9
    FAST_READ_DUAL_IO = 0xBB
    ERASE_CHIP = 0xC7
    ERASE_BLOCK64 = 0xD8
    FAST_READ_QUAD_IO = 0xEB


BUSY = 0x01
"""Status register 1, bit 0."""
WEL = 0x02
"""Status register 1, bit 1: write enable latch."""
BLOCK_PROTECT = 0x1C
"""Status register 1, bits 2 to 4."""
QUAD_ENABLE = 0x02
"""Status register 2, bit 1."""


class Shape(NamedTuple):
    """What a command's frame looks like.

    ``address`` and ``dummy`` (mode bits included) are bytes, on ``address_lines``; what follows
    is on ``data_lines``. ``silent``: the chip takes neither data nor gives any, and a frame
    that goes on is not carried out. ``when_busy``: the chip listens even while it is busy.
    """

    address: int = 0
    dummy: int = 0
    address_lines: int = 1
    data_lines: int = 1
    silent: bool = False
    when_busy: bool = False

    @property
    def head(self) -> int:
        """Bytes before the data: command, address, dummies."""
        return 1 + self.address + self.dummy

    def cycles(self, data: int) -> int:
        """Return the SPI clocks of a frame with so many data bytes either way."""
        ahead = (self.address + self.dummy) * 8 // self.address_lines
        return 8 + ahead + data * 8 // self.data_lines


_SILENT = Shape(silent=True)
_ERASE = Shape(address=3, silent=True)
_STATUS = Shape(when_busy=True)
_DATA = Shape()

SHAPES: dict[int, Shape] = {
    Op.WRITE_ENABLE: _SILENT,
    Op.WRITE_DISABLE: _SILENT,
    Op.WRITE_ENABLE_VOLATILE: _SILENT,
    Op.READ_STATUS1: _STATUS,
    Op.READ_STATUS2: _STATUS,
    Op.READ_STATUS3: _STATUS,
    Op.WRITE_STATUS1: _DATA,
    Op.WRITE_STATUS2: _DATA,
    Op.WRITE_STATUS3: _DATA,
    Op.READ: Shape(address=3),
    Op.FAST_READ: Shape(address=3, dummy=1),
    Op.FAST_READ_DUAL_OUTPUT: Shape(address=3, dummy=1, data_lines=2),
    Op.FAST_READ_QUAD_OUTPUT: Shape(address=3, dummy=1, data_lines=4),
    Op.FAST_READ_DUAL_IO: Shape(address=3, dummy=1, address_lines=2, data_lines=2),
    Op.FAST_READ_QUAD_IO: Shape(address=3, dummy=3, address_lines=4, data_lines=4),
    Op.PAGE_PROGRAM: Shape(address=3),
    Op.QUAD_PAGE_PROGRAM: Shape(address=3, data_lines=4),
    Op.ERASE_SECTOR: _ERASE,
    Op.ERASE_BLOCK32: _ERASE,
    Op.ERASE_BLOCK64: _ERASE,
    Op.ERASE_CHIP: _SILENT,
    Op.ERASE_CHIP_ALT: _SILENT,
    Op.SUSPEND: Shape(silent=True, when_busy=True),
    Op.RESUME: _SILENT,
    Op.JEDEC_ID: _DATA,
    Op.READ_ID: Shape(address=3),
    Op.RELEASE_POWER_DOWN: _DATA,
    Op.POWER_DOWN: _SILENT,
    Op.UNIQUE_ID: Shape(dummy=4),
    Op.READ_SFDP: Shape(address=3, dummy=1),
    Op.ENABLE_RESET: Shape(silent=True, when_busy=True),
    Op.RESET: Shape(silent=True, when_busy=True),
    Op.READ_SECURITY: Shape(address=3, dummy=1),
    Op.PROGRAM_SECURITY: Shape(address=3),
    Op.ERASE_SECURITY: _ERASE,
}
"""Every command that the chip knows; it ignores the others (QPI and XIP among them)."""
