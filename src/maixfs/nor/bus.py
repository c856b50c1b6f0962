"""The SPI bus of a flash chip: what a bus must offer, and the commands that cross it.

Command bytes, frames and status bits are those of the W25Q128 data sheets, which the firmware's
driver (w25qxx) uses too. Both sides of the bus take them from here.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Protocol

from maixfs.nor.device import Buffer
from maixfs.tuples import NamedTuple

MAX_ADDRESSED = 0x1000000
"""16 MiB: what the three address bytes of these commands reach."""


class SpiBus(Protocol):
    """A SPI master with one chip on it (mode 0 or 3, most significant bit first)."""

    def transfer(self, tx: Buffer, rx: int = 0, *, lines: int = 1) -> bytes:
        """Do one frame: select the chip, send ``tx``, read ``rx`` bytes, deselect it.

        ``tx`` is the command byte, then address, mode and dummy bytes and data, as many as the
        command has, most significant byte first. ``lines`` is how many data lines the command
        uses (1, 2 or 4); the command decides which of its phases use them (0x6B: data only,
        0xEB: address, mode and data). An adapter with one line may ignore ``lines``: a driver
        made for one line never asks for more. Returns ``rx`` bytes.
        """


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


# Status register 1: SRP (bit 7), SEC, TB, BP2 to BP0, WEL, BUSY (bit 0). Plain integers, not an
# IntFlag: they are tested at every poll.
BUSY = 0x01
WEL = 0x02
"""Write enable latch: set by 06h, used up by the next program, erase or status write."""
BLOCK_PROTECT = 0x1C
"""BP2 to BP0: which blocks are protected; 0 protects none."""
BLOCK_PROTECT_SHIFT = 2
TOP_BOTTOM = 0x20
"""TB: the protected blocks are at the start of the chip, not at its end."""
SECTOR_PROTECT = 0x40
"""SEC: BP2 to BP0 count 4 KiB sectors, not blocks."""

# Status register 2: SUS (bit 7), CMP, LB3 to LB1, reserved, QE, SRL (bit 0).
STATUS_LOCK = 0x01
"""SRL: the registers cannot be written until the next power-on."""
QUAD_ENABLE = 0x02
LOCK_SECURITY = 0x38
"""LB1 to LB3: security registers locked permanently; once set, never cleared."""
LOCK_SECURITY_SHIFT = 2
"""LB of security register n is bit n + 2."""
COMPLEMENT = 0x40
"""CMP: what BP, TB and SEC select is writable, and everything else is protected."""
SUSPENDED = 0x80


class Shape(NamedTuple):
    """The frame of a command.

    ``address`` and ``dummy`` (mode bits included) are bytes on ``address_lines``; the data after
    them is on ``data_lines``. ``no_data``: the command has no data in either direction, and the
    chip does not execute it if the frame goes on. ``when_busy``: a busy chip accepts it.
    """

    address: int = 0
    dummy: int = 0
    address_lines: int = 1
    data_lines: int = 1
    no_data: bool = False
    when_busy: bool = False

    @property
    def head(self) -> int:
        """Bytes before the data: command, address, dummies."""
        return 1 + self.address + self.dummy

    def cycles(self, data: int) -> int:
        """Return the SPI clocks of a frame with ``data`` bytes of data."""
        before_data = (self.address + self.dummy) * 8 // self.address_lines
        return 8 + before_data + data * 8 // self.data_lines


# The firmware's driver uses EBh to read and 32h to program; the other commands are here for
# drivers on other buses, adapters with one line above all.
_NO_DATA = Shape(no_data=True)
_ERASE = Shape(address=3, no_data=True)
_STATUS = Shape(when_busy=True)
_DATA = Shape()

SHAPES: dict[int, Shape] = {
    Op.WRITE_ENABLE: _NO_DATA,
    Op.WRITE_DISABLE: _NO_DATA,
    Op.WRITE_ENABLE_VOLATILE: _NO_DATA,
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
    Op.ERASE_CHIP: _NO_DATA,
    Op.ERASE_CHIP_ALT: _NO_DATA,
    # A busy chip must accept suspend and reset: they end what it is busy with.
    Op.SUSPEND: Shape(no_data=True, when_busy=True),
    Op.RESUME: _NO_DATA,
    Op.JEDEC_ID: _DATA,
    Op.READ_ID: Shape(address=3),
    # Its three dummy bytes are optional: a frame of one byte only wakes the chip.
    Op.RELEASE_POWER_DOWN: _DATA,
    Op.POWER_DOWN: _NO_DATA,
    Op.UNIQUE_ID: Shape(dummy=4),
    Op.READ_SFDP: Shape(address=3, dummy=1),
    Op.ENABLE_RESET: Shape(no_data=True, when_busy=True),
    Op.RESET: Shape(no_data=True, when_busy=True),
    Op.READ_SECURITY: Shape(address=3, dummy=1),
    Op.PROGRAM_SECURITY: Shape(address=3),
    Op.ERASE_SECURITY: _ERASE,
}
"""Every command that the simulated chip executes; it ignores all others (QPI and XIP too)."""


def frame_head(opcode: int, address: int = 0) -> bytes:
    """Return command, address and dummy bytes (mode bits 0: no continuous read)."""
    shape = SHAPES[opcode]
    return bytes([opcode]) + address.to_bytes(shape.address, "big") + bytes(shape.dummy)
