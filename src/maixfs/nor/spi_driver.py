"""A flash driver for any SPI bus: identify the chip, read, program, erase, wait.

The bus is any object with ``transfer`` (see ``SpiBus``): a real adapter, or the simulated chip.
Whatever the chip does, every wait ends: by the time the chip's data sheet allows, measured on
the time source that was given, and by a number of polls should that source stand still.
"""

from __future__ import annotations

from maixfs.nor.array import BLOCK32, PAGE, SECTOR
from maixfs.nor.bus import BusTime, HostTime, SpiBus
from maixfs.nor.clock import MICROSECOND, READ_PIECE
from maixfs.nor.commands import BLOCK_PROTECT, BUSY, QUAD_ENABLE, SHAPES, WEL, Op
from maixfs.nor.device import Buffer
from maixfs.nor.errors import NorError, misaligned, out_of_range
from maixfs.nor.parts import Part, default_part
from maixfs.nor.spi_identify import USUAL_ERASES, identify_chip

_ENABLE_TRIES = 3
_PATIENCE = 2
"""Times the data sheet's maximum before a chip is given up: adapters add latency."""
_POLLS_PER_TYPICAL = 8
_NOBODY = 0xFF
_WAKE_TIME = 30 * MICROSECOND
"""Longest time to wake from power-down (tRES1 of the parts is 3 to 30 us)."""
_READS = {1: Op.FAST_READ, 2: Op.FAST_READ_DUAL_IO, 4: Op.FAST_READ_QUAD_IO}
_PROGRAMS = {1: Op.PAGE_PROGRAM, 2: Op.PAGE_PROGRAM, 4: Op.QUAD_PAGE_PROGRAM}


class SpiFlash:
    """The flash chip on ``bus`` as a ``NorDevice``.

    ``lines`` (1, 2 or 4) is how many data lines the adapter has wired; four set the chip's quad
    enable bit. ``time`` is what to wait by: by default the bus itself where it has ``now`` and
    ``sleep``, else the host's clock. ``part`` overrules what the chip says it is.

    ``jedec`` is the chip's id, ``part`` what it is taken for. Raises ``NorError`` where no chip
    answers or one that this driver cannot address.
    """

    erase_size = SECTOR

    def __init__(
        self,
        bus: SpiBus,
        *,
        lines: int = 1,
        time: BusTime | None = None,
        part: Part | None = None,
    ) -> None:
        if lines not in _READS:
            raise NorError(f"a flash chip has 1, 2 or 4 data lines, not {lines}")
        self.bus = bus
        self.time: BusTime = time or (bus if isinstance(bus, BusTime) else HostTime())
        self.part = part or default_part()
        self._erases = dict(USUAL_ERASES)
        self._wake()
        self.jedec = self._read_jedec()
        if part is None:
            self.part, self._erases = identify_chip(self.jedec, self._read_sfdp)
        self.size = self.part.size
        self._read_op, self._program_op = _READS[lines], _PROGRAMS[lines]
        if lines == 4:
            self._enable_quad()

    def read(self, address: int, length: int) -> bytes:
        """Return ``length`` bytes, fetched in pieces of at most 64 KiB."""
        self._check(address, length)
        pieces = []
        for start in range(address, address + length, READ_PIECE):
            count = min(READ_PIECE, address + length - start)
            pieces.append(self._fetch(self._read_op, start, count))
        return b"".join(pieces)

    def program(self, address: int, data: Buffer) -> None:
        """Program page by page; bits only go from 1 to 0."""
        length = len(data)
        self._check(address, length)
        shape = SHAPES[self._program_op]
        start = 0
        while start < length:
            stop = min(length, start + PAGE - (address + start) % PAGE)
            head = _head(self._program_op, address + start)
            self._enable_write(address + start)
            self.bus.transfer(head + bytes(data[start:stop]), lines=shape.data_lines)
            self._wait(self.part.maximum.page, self.part.typical.page)
            start = stop

    def erase(self, address: int, length: int) -> None:
        """Erase whole sectors, in the largest units that are aligned and fit."""
        if address % SECTOR or length % SECTOR:
            raise misaligned(address, length, SECTOR)
        self._check(address, length)
        end = address + length
        while address < end:
            unit = max(
                size
                for size in self._erases
                if (address % size == 0 and address + size <= end) or size == SECTOR
            )
            self._enable_write(address)
            self.bus.transfer(_head(self._erases[unit], address))
            self._wait(*self._erase_times(unit))
            address += unit

    def erase_chip(self) -> None:
        """Erase everything with one command."""
        self._enable_write(0)
        self._command(Op.ERASE_CHIP)
        self._wait(self.part.maximum.chip, self.part.typical.chip)

    def window(self) -> None:
        """Return ``None``: every byte comes over the bus."""

    def read_unique_id(self) -> bytes:
        """Return the 8 bytes that the maker gave this very chip."""
        return self._fetch(Op.UNIQUE_ID, 0, 8)

    def unprotect(self) -> None:
        """Clear the block protection bits; raises ``NorError`` where the chip keeps them."""
        self._write_status(Op.WRITE_STATUS1, bytes([self._status() & ~BLOCK_PROTECT & 0xFC]))
        if self._status() & BLOCK_PROTECT:
            raise NorError(
                f"the flash chip stays write-protected (status 0x{self._status():02X})",
                hint="its status registers are locked: look at the WP pin, or power it off and on",
            )

    # Identification

    def _wake(self) -> None:
        """Wake a sleeping chip, and let one finish what it was left with."""
        self._command(Op.RELEASE_POWER_DOWN)
        self.time.sleep(_WAKE_TIME)
        if self._status() not in (_NOBODY, 0):
            self._wait(self.part.maximum.chip, self.part.typical.sector)

    def _read_jedec(self) -> bytes:
        """Return the chip's id; raises ``NorError`` where nothing drives the line."""
        jedec = self.bus.transfer(bytes([Op.JEDEC_ID]), 3)
        if jedec in (b"\xff\xff\xff", b"\x00\x00\x00"):
            raise NorError(
                f"no flash chip answers (its id reads {jedec.hex()})",
                hint="look at wiring, power and chip select",
            )
        return jedec

    def _read_sfdp(self, address: int, count: int) -> bytes:
        return self._fetch(Op.READ_SFDP, address, count)

    # Status

    def _status(self, opcode: int = Op.READ_STATUS1) -> int:
        return self.bus.transfer(bytes([opcode]), 1)[0]

    def _wait(self, maximum: int, typical: int) -> None:
        """Wait until the chip is idle: at most twice ``maximum`` microseconds.

        Raises ``NorError`` for a chip that does not come back.
        """
        pause = max(1, typical * MICROSECOND // _POLLS_PER_TYPICAL)
        patience = _PATIENCE * maximum * MICROSECOND
        deadline = self.time.now() + patience
        status = 0
        for _ in range(patience // pause + _POLLS_PER_TYPICAL):
            status = self._status()
            if not status & BUSY:
                return
            if status == _NOBODY or self.time.now() > deadline:
                break
            self.time.sleep(pause)
        if status == _NOBODY:
            raise NorError("the flash chip no longer answers", hint="look at wiring and power")
        raise NorError(
            f"the flash chip is still busy after {patience // 1_000_000} ms",
            hint="it hangs, or it is worn out: power it off and on",
        )

    def _enable_write(self, address: int) -> None:
        """Set WEL and see that it is set; raises ``NorError`` for a chip that stays locked."""
        status = 0
        for _ in range(_ENABLE_TRIES):
            self._command(Op.WRITE_ENABLE)
            status = self._status()
            if status & BLOCK_PROTECT and status != _NOBODY:
                raise NorError(
                    f"the flash chip is write-protected (status 0x{status:02X}),"
                    f" 0x{address:06X} may not change",
                    hint="unprotect() clears the protection",
                )
            if status & (WEL | BUSY) == WEL:
                return
        raise NorError(
            f"the flash chip does not let itself be written at 0x{address:06X}"
            f" (status 0x{status:02X} after a write enable)",
            hint="look at its WP pin, and whether it is still there",
        )

    def _enable_quad(self) -> None:
        """Set QE: by the command for register 2, else as older chips want it, both at once."""
        if self._status(Op.READ_STATUS2) & QUAD_ENABLE:
            return
        second = self._status(Op.READ_STATUS2) | QUAD_ENABLE
        self._write_status(Op.WRITE_STATUS2, bytes([second]))
        if not self._status(Op.READ_STATUS2) & QUAD_ENABLE:
            self._write_status(Op.WRITE_STATUS1, bytes([self._status() & 0xFC, second]))
        if not self._status(Op.READ_STATUS2) & QUAD_ENABLE:
            raise NorError(
                "the flash chip does not take to four data lines (QE stays 0)",
                hint="use one line, or two",
            )

    def _write_status(self, opcode: Op, values: bytes) -> None:
        self._command(Op.WRITE_ENABLE)
        self.bus.transfer(bytes([opcode]) + values)
        self._wait(self.part.maximum.status, self.part.typical.status)

    # Frames

    def _command(self, opcode: Op) -> None:
        self.bus.transfer(bytes([opcode]))

    def _fetch(self, opcode: Op, address: int, count: int) -> bytes:
        data = self.bus.transfer(_head(opcode, address), count, lines=SHAPES[opcode].data_lines)
        if len(data) != count:
            raise NorError(
                f"the bus gave {len(data)} of {count} bytes at 0x{address:06X}",
                hint="the adapter was taken off or is at fault",
            )
        return data

    def _erase_times(self, unit: int) -> tuple[int, int]:
        """Return maximum and typical time in microseconds; odd units as the next larger."""
        longest, usual = self.part.maximum, self.part.typical
        if unit <= SECTOR:
            return longest.sector, usual.sector
        return (
            (longest.block32, usual.block32)
            if unit <= BLOCK32
            else (
                longest.block64,
                usual.block64,
            )
        )

    def _check(self, address: int, length: int) -> None:
        if address < 0 or length < 0 or address + length > self.size:
            raise out_of_range(address, length, self.size)


def _head(opcode: int, address: int) -> bytes:
    """Return command, address and dummy bytes (mode bits 0: no continuous read)."""
    shape = SHAPES[opcode]
    return bytes([opcode]) + address.to_bytes(shape.address, "big") + bytes(shape.dummy)
