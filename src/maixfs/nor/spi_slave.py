"""The flash chip as it is behind its six pins: a SPI slave that understands commands.

What the silicon does is modelled: BUSY and WEL, commands that a busy, sleeping or protected
chip ignores, quad commands only with QE set, programs that wrap in their page, reads that wrap
at the end of the chip, suspend and resume, reset, security registers, SFDP. Not there: QPI,
continuous read (XIP), single sector locks (WPS), and half-done operations: an erase that is
suspended or reset has already landed.

Nothing is an error here, as on a real bus: a command that the chip does not take has no effect,
and what nobody drives reads as 0xFF. Status and security registers live as long as the object.
"""

from __future__ import annotations

from collections.abc import Callable

from maixfs.nor import sfdp
from maixfs.nor.array import BLOCK32, BLOCK64, PAGE, SECTOR
from maixfs.nor.cells import blank
from maixfs.nor.chip import NorChip
from maixfs.nor.clock import MICROSECOND, DeviceClock
from maixfs.nor.commands import BUSY, SHAPES, WEL, Op, Shape
from maixfs.nor.device import Buffer
from maixfs.nor.errors import NorError
from maixfs.nor.security import SecurityRegisters
from maixfs.nor.status import SUSPENDED, Area, StatusRegisters

MAX_SIZE = 0x1000000
"""16 MiB: what three address bytes reach."""
_RESET_TIME = 30
"""Microseconds until the chip listens again after a reset (tRST of the W25Q128)."""
_STATUS_READS = (Op.READ_STATUS1, Op.READ_STATUS2, Op.READ_STATUS3)
_READS = (
    Op.READ,
    Op.FAST_READ,
    Op.FAST_READ_DUAL_OUTPUT,
    Op.FAST_READ_QUAD_OUTPUT,
    Op.FAST_READ_DUAL_IO,
    Op.FAST_READ_QUAD_IO,
)
_PROGRAMS = (Op.PAGE_PROGRAM, Op.QUAD_PAGE_PROGRAM)
_ERASES = {Op.ERASE_SECTOR: SECTOR, Op.ERASE_BLOCK32: BLOCK32, Op.ERASE_BLOCK64: BLOCK64}
_CHIP_ERASES = (Op.ERASE_CHIP, Op.ERASE_CHIP_ALT)
_NEEDS_WEL = {*_PROGRAMS, *_ERASES, *_CHIP_ERASES, Op.PROGRAM_SECURITY, Op.ERASE_SECURITY}
_DUMMIES_BEFORE_ID = 3


class SpiFlashSlave:
    """A SPI bus (``SpiBus``) with ``chip`` on it, and the time on that bus (``BusTime``).

    A chip without a clock gets one, since BUSY needs time; only what crosses the bus moves it,
    and ``sleep``. ``unique_id`` are the 8 bytes of command 0x4B. Raises ``NorError`` for a chip
    that three address bytes cannot address or whose size is no power of two.
    """

    def __init__(self, chip: NorChip, *, unique_id: bytes = b"maixfs\x00\x01") -> None:
        if chip.size > MAX_SIZE or chip.size & (chip.size - 1):
            raise NorError(
                f"a chip of 0x{chip.size:X} bytes cannot sit behind a 24-bit SPI address",
                hint="take a power of two up to 16 MiB",
            )
        self.chip = chip
        if chip.clock is None:
            chip.clock = DeviceClock(chip.part)
        self.clock = chip.clock
        self.status = StatusRegisters(chip.size)
        self._unique_id = unique_id
        self._sfdp = sfdp.build(chip.part)
        self._security = SecurityRegisters()
        self._enabled = self._enabled_volatile = False
        self._working = self._asleep = self._reset_armed = False
        self._operation: Area | None = None
        self._suspended: tuple[Area, int] | None = None
        self._answers = self._answering_commands()
        self._actions = self._acting_commands()

    def transfer(self, tx: Buffer, rx: int = 0, *, lines: int = 1) -> bytes:
        """Do one frame as ``SpiBus`` says; a command that is not taken reads as 0xFF."""
        frame = bytes(tx)
        shape = SHAPES.get(frame[0]) if frame else None
        armed, self._reset_armed = self._reset_armed, False
        if shape is None or len(frame) < shape.head or lines != shape.data_lines:
            self.clock.spend((len(frame) + rx) * 8 // lines)
            return blank(rx)
        opcode, data = Op(frame[0]), frame[shape.head :]
        address = int.from_bytes(frame[1 : 1 + shape.address], "big")
        count = len(data) + rx
        taken = self._listens(opcode, shape, count) and (opcode != Op.RESET or armed)
        self.clock.spend(shape.cycles(0 if opcode in _STATUS_READS else count))
        if not taken:
            return self._refuse(opcode, address, count, rx)
        answer = self._answers.get(opcode)
        if answer is not None:
            return answer(address, count)[len(data) :].ljust(rx, b"\xff")
        self._actions[opcode](address, data)
        return blank(rx)

    def now(self) -> int:
        """Return nanoseconds of device time."""
        return self.clock.now

    def sleep(self, nanoseconds: int) -> None:
        """Leave the bus alone for so long."""
        self.clock.advance(nanoseconds)

    def _listens(self, opcode: Op, shape: Shape, count: int) -> bool:
        """Return whether the chip takes the command, ``count`` bytes of which follow its head."""
        if self._asleep:
            return opcode == Op.RELEASE_POWER_DOWN
        if self.clock.busy:
            if not shape.when_busy:
                return False
        elif self._working:
            self._working = self._enabled = False
        if shape.silent and count:
            return False
        if shape.data_lines == 4 and not self.status.quad_enabled:
            return False
        return opcode not in _NEEDS_WEL or self._enabled

    def _refuse(self, opcode: Op, address: int, count: int, rx: int) -> bytes:
        """Tell observers of a read, program or erase that a busy chip ignores; return ``rx``."""
        if self._asleep or not self.clock.busy:
            return blank(rx)
        address &= self.chip.size - 1
        if opcode in _READS:
            self.chip.drop("read", address, count)
        elif opcode in _PROGRAMS:
            self.chip.drop("program", address, count)
        elif opcode in _ERASES:
            self.chip.drop("erase", address & -_ERASES[opcode], _ERASES[opcode])
        elif opcode in _CHIP_ERASES:
            self.chip.drop("erase", 0, self.chip.size)
        return bytes([self.chip.busy_byte]) * rx

    def _answering_commands(self) -> dict[Op, Callable[[int, int], bytes]]:
        """Return what gives ``count`` bytes for ``address``, by command."""
        part = self.chip.part
        table: dict[Op, Callable[[int, int], bytes]] = dict.fromkeys(_READS, self._read)
        for index, opcode in enumerate(_STATUS_READS):
            table[opcode] = self._status_reader(index)
        table[Op.JEDEC_ID] = lambda address, count: part.jedec[:count]
        table[Op.READ_ID] = lambda address, count: (
            (part.device[::-1] if address & 1 else part.device) * count
        )[:count]
        table[Op.UNIQUE_ID] = lambda address, count: self._unique_id[:count]
        table[Op.READ_SFDP] = lambda address, count: self._sfdp[address : address + count]
        table[Op.READ_SECURITY] = self._security.read
        table[Op.RELEASE_POWER_DOWN] = self._wake
        return table

    def _read(self, address: int, count: int) -> bytes:
        """Read the array; the address runs on from the end of the chip to its start."""
        self.clock.counts["read"] += 1
        self.clock.counts["bytes"] += count
        parts = []
        while count > 0:
            address &= self.chip.size - 1
            length = min(count, self.chip.size - address)
            parts.append(self.chip.array_read(address, length))
            address += length
            count -= length
        return b"".join(parts)

    def _status_reader(self, index: int) -> Callable[[int, int], bytes]:
        def read(address: int, count: int) -> bytes:
            self.clock.counts["poll"] += 1
            answer = bytearray()
            for _ in range(count):
                self.clock.spend(8)
                answer.append(self._status_byte(index))
            return bytes(answer)

        return read

    def _status_byte(self, index: int) -> int:
        """Return a register as it reads now: a chip that goes on being read shows changes."""
        busy = self.clock.busy
        if self._working and not busy:
            self._working = self._enabled = False
        value = self.status.live[index]
        if index == 0:
            return value | (BUSY if busy else 0) | (WEL if self._enabled else 0)
        return value | SUSPENDED if index == 1 and self._suspended else value

    def _wake(self, address: int, count: int) -> bytes:
        self._asleep = False
        device = self.chip.part.device[1:]
        return (b"\xff" * _DUMMIES_BEFORE_ID + device * count)[:count]

    def _acting_commands(self) -> dict[Op, Callable[[int, bytes], None]]:
        """Return what is done with an address and data, by command."""
        table: dict[Op, Callable[[int, bytes], None]] = {
            Op.WRITE_ENABLE: lambda address, data: self._enable(True),
            Op.WRITE_DISABLE: lambda address, data: self._enable(False),
            Op.WRITE_ENABLE_VOLATILE: self._enable_volatile,
            Op.WRITE_STATUS1: lambda address, data: self._write_status(0, data),
            Op.WRITE_STATUS2: lambda address, data: self._write_status(1, data),
            Op.WRITE_STATUS3: lambda address, data: self._write_status(2, data),
            Op.ERASE_SECTOR: lambda address, data: self._erase(address, SECTOR),
            Op.ERASE_BLOCK32: lambda address, data: self._erase(address, BLOCK32),
            Op.ERASE_BLOCK64: lambda address, data: self._erase(address, BLOCK64),
            Op.PROGRAM_SECURITY: self._program_security,
            Op.ERASE_SECURITY: self._erase_security,
            Op.SUSPEND: self._suspend,
            Op.RESUME: self._resume,
            Op.POWER_DOWN: self._power_down,
            Op.ENABLE_RESET: self._arm_reset,
            Op.RESET: self._reset,
        }
        table.update(dict.fromkeys(_PROGRAMS, self._program))
        table.update(dict.fromkeys(_CHIP_ERASES, self._erase_chip))
        return table

    def _enable(self, on: bool) -> None:
        self._enabled = on

    def _enable_volatile(self, address: int, data: bytes) -> None:
        self._enabled_volatile = True

    def _program(self, address: int, data: bytes) -> None:
        """Program one page; what runs over its end goes on at its start, and wins there."""
        address &= self.chip.size - 1
        if not data or not self._may_change(address & -PAGE, PAGE):
            self._enabled = False
            return
        self.clock.counts["bytes"] += len(data)
        if address % PAGE + len(data) > PAGE:
            page = bytearray(blank(PAGE))
            for column, byte in enumerate(data, address % PAGE):
                page[column % PAGE] = byte
            address, data = address & -PAGE, bytes(page)
        self.chip.array_program(address, data)
        self._begin(Area(address & -PAGE, (address & -PAGE) + PAGE))

    def _erase(self, address: int, unit: int) -> None:
        """Erase the unit that ``address`` lies in; a chip that is smaller erases all it has."""
        unit = min(unit, self.chip.size)
        address &= self.chip.size - 1 & -unit
        if self._suspended or not self._may_change(address, unit):
            self._enabled = False
            return
        self.chip.array_erase(address, unit)
        self._begin(Area(address, address + unit))

    def _erase_chip(self, address: int, data: bytes) -> None:
        if self._suspended or not self._may_change(0, self.chip.size):
            self._enabled = False
            return
        self.chip.array_erase(0, self.chip.size)
        self._begin(None)

    def _may_change(self, address: int, length: int) -> bool:
        """Return whether the bytes are neither protected nor part of a suspended operation."""
        if self._suspended and self._suspended[0].touches(address, length):
            return False
        return not self.status.protected().touches(address, length)

    def _begin(self, operation: Area | None) -> None:
        """Note what keeps the chip busy now; ``None`` for what cannot be suspended."""
        self._working = True
        self._operation = operation

    def _write_status(self, first: int, data: bytes) -> None:
        """Write status registers: register 1 alone or 1 and 2, register 2, register 3."""
        allowed = (1, 2) if first == 0 else (1,)
        if len(data) not in allowed or self.status.locked or self._suspended:
            return
        if self._enabled_volatile:
            self.status.write(first, data, volatile=True)
            self._enabled_volatile = False
        elif self._enabled:
            self.status.write(first, data, volatile=False)
            self.clock.counts["status"] += 1
            self.clock.start(self.clock.times.status)
            self._begin(None)

    def _program_security(self, address: int, data: bytes) -> None:
        if self._security.program(address, data, self.status):
            self.clock.start(self.clock.times.page)
            self._begin(None)

    def _erase_security(self, address: int, data: bytes) -> None:
        if self._security.erase(address, self.status):
            self.clock.start(self.clock.times.sector)
            self._begin(None)

    def _suspend(self, address: int, data: bytes) -> None:
        """Interrupt a program or erase; the chip takes reads and other programs meanwhile."""
        if not self.clock.busy or self._operation is None or self._suspended:
            return
        self._suspended = (self._operation, self.clock.busy_until - self.clock.now)
        self._operation = None
        self._working = self._enabled = False
        self.clock.busy_until = self.clock.now

    def _resume(self, address: int, data: bytes) -> None:
        if self._suspended is None:
            return
        self._operation, left = self._suspended
        self._suspended = None
        self._working = True
        self.clock.start(-(-left // MICROSECOND))

    def _power_down(self, address: int, data: bytes) -> None:
        self._asleep = True

    def _arm_reset(self, address: int, data: bytes) -> None:
        self._reset_armed = True

    def _reset(self, address: int, data: bytes) -> None:
        """Forget all that is volatile."""
        self.status.reset()
        self._enabled = self._enabled_volatile = self._working = False
        self._operation = self._suspended = None
        self.clock.start(_RESET_TIME)
