"""The flash chip behind its six pins: a SPI slave that executes commands.

It models the silicon: BUSY and WEL, commands that a busy, sleeping or protected chip ignores,
quad commands only with QE set, programs that wrap in their page, reads that wrap at the end of
the chip, status and security registers, suspend and resume, reset, SFDP. Not modelled: QPI,
continuous read (XIP), single sector locks (WPS), and half-done operations: an erase that is
suspended or reset has taken effect already.

No command raises an error, as on a real bus: a command that the chip does not accept has no
effect, and a line that is not driven reads as 0xFF. Status and security registers exist as long
as the object.
"""

from __future__ import annotations

from collections.abc import Callable

from maixfs.nor import sfdp
from maixfs.nor.bus import (
    BLOCK_PROTECT,
    BLOCK_PROTECT_SHIFT,
    BUSY,
    COMPLEMENT,
    LOCK_SECURITY,
    LOCK_SECURITY_SHIFT,
    MAX_ADDRESSED,
    QUAD_ENABLE,
    SECTOR_PROTECT,
    SHAPES,
    STATUS_LOCK,
    SUSPENDED,
    TOP_BOTTOM,
    WEL,
    Op,
    Shape,
)
from maixfs.nor.chip import NorChip
from maixfs.nor.clock import MICROSECOND, DeviceClock
from maixfs.nor.device import BLOCK32, BLOCK64, PAGE, SECTOR, Buffer, blank, octets, program_cells
from maixfs.nor.errors import invalid
from maixfs.tuples import NamedTuple

_RESET_TIME = 30
"""Microseconds until the chip accepts commands again after a reset (tRST of the W25Q128)."""
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
_WRITABLE = (0xFC, COMPLEMENT | LOCK_SECURITY | QUAD_ENABLE | STATUS_LOCK, 0xE0)
"""Writable bits by status register; WPS (single sector locks) of the third is not modelled."""
_WHOLE_CHIP = 7
"""Protection level that selects the whole chip, by blocks and by sectors."""
_SMALLEST_FRACTION = 64
"""Level 1 protects 1/64 of the chip; each further level twice as much."""
_LARGEST_SECTOR_LEVEL = 4
"""With SEC set, levels above 4 protect 32 KiB like level 4."""
_SECURITY_REGISTERS = 3
_SECURITY_SHIFT = 12
"""Security register n is at address n * 0x1000; bits 8 to 11 of the address are 0."""
_SECURITY_ZERO_BITS = 0xF00


class Area(NamedTuple):
    """A range of bytes: ``start`` up to, not including, ``end``."""

    start: int
    end: int

    def touches(self, address: int, length: int) -> bool:
        """Return True if some of the bytes are in the area."""
        return max(address, self.start) < min(address + length, self.end)


class StatusRegisters:
    """Status registers 1 to 3 (index 0 to 2) of a chip of ``size`` bytes, as the maker sells it.

    Each register has a non-volatile copy, which the chip loads at power-on and reset, and the
    live value. BUSY, WEL and SUS have no copy; ``SpiFlashSlave`` adds them.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._stored = [0, 0, 0]
        self.live = [0, 0, 0]

    @property
    def quad_enabled(self) -> bool:
        """True if the chip accepts commands on four lines (QE)."""
        return bool(self.live[1] & QUAD_ENABLE)

    @property
    def locked(self) -> bool:
        """True if the registers cannot be written until the next power-on (SRL)."""
        return bool(self.live[1] & STATUS_LOCK)

    def security_locked(self, register: int) -> bool:
        """Return True if security register 1, 2 or 3 can no longer be changed (LB)."""
        return bool(self.live[1] & 1 << register + LOCK_SECURITY_SHIFT)

    def write(self, first: int, values: bytes, *, volatile: bool) -> None:
        """Write registers from ``first`` (0 to 2) on; a stored security lock cannot be cleared."""
        for index, value in enumerate(values, first):
            locks = self._stored[index] & LOCK_SECURITY if index == 1 else 0
            self.live[index] = value & _WRITABLE[index] | locks
            if not volatile:
                self._stored[index] = self.live[index]

    def reset(self) -> None:
        """Load the non-volatile values."""
        self.live[:] = self._stored

    def protected(self) -> Area:
        """Return the bytes that programs and erases cannot change (SEC, TB, BP2 to BP0, CMP)."""
        length = self._protected_length((self.live[0] & BLOCK_PROTECT) >> BLOCK_PROTECT_SHIFT)
        at_bottom = bool(self.live[0] & TOP_BOTTOM)
        if self.live[1] & COMPLEMENT:
            length = self._size - length
            at_bottom = not at_bottom
        return Area(0, length) if at_bottom else Area(self._size - length, self._size)

    def _protected_length(self, level: int) -> int:
        """Return the bytes that a level of 0 to 7 selects, before CMP inverts the selection."""
        if level in (0, _WHOLE_CHIP):
            return self._size if level else 0
        if self.live[0] & SECTOR_PROTECT:
            return min(SECTOR << min(level, _LARGEST_SECTOR_LEVEL) - 1, self._size)
        return self._size // _SMALLEST_FRACTION << level - 1


class SecurityRegisters:
    """Security registers 1 to 3 of 256 bytes, erased; LB bits in ``status`` lock them permanently.

    An address outside of them reads as 0xFF and changes nothing.
    """

    def __init__(self, status: StatusRegisters) -> None:
        self._status = status
        self._pages = [memoryview(bytearray(blank(PAGE))) for _ in range(_SECURITY_REGISTERS)]

    def read(self, address: int, count: int) -> bytes:
        """Return ``count`` bytes; the address wraps inside its register."""
        page = self._page(address)
        if page is None:
            return b""
        start = address % PAGE
        return (bytes(page) * (-(-(start + count) // PAGE)))[start : start + count]

    def program(self, address: int, data: bytes) -> bool:
        """Program bytes, wrapping inside the register; return True if it accepted them."""
        page = self._page(address)
        if page is None or not data or self._status.security_locked(address >> _SECURITY_SHIFT):
            return False
        # The chip's page buffer holds 256 bytes: of longer data the last 256 remain.
        kept = data[-PAGE:]
        for offset, byte in enumerate(kept, len(data) - len(kept)):
            program_cells(page, (address + offset) % PAGE, bytes([byte]))
        return True

    def erase(self, address: int) -> bool:
        """Erase a register; return True if it exists and is not locked."""
        page = self._page(address)
        if page is None or self._status.security_locked(address >> _SECURITY_SHIFT):
            return False
        page[:] = blank(PAGE)
        return True

    def _page(self, address: int) -> memoryview | None:
        register = address >> _SECURITY_SHIFT
        if not 1 <= register <= _SECURITY_REGISTERS or address & _SECURITY_ZERO_BITS:
            return None
        return self._pages[register - 1]


class SpiFlashSlave:
    """A SPI bus (``SpiBus``) with ``chip`` on it, and the time on that bus (``BusTime``).

    A chip without a clock gets one, since BUSY needs time; only frames on the bus and ``sleep``
    advance it. ``unique_id`` are the 8 bytes of command 0x4B. Raises ``NorError`` (EINVAL) for a
    chip that three address bytes cannot address or whose size is not a power of two.
    """

    def __init__(self, chip: NorChip, *, unique_id: bytes = b"maixfs\x00\x01") -> None:
        if chip.size > MAX_ADDRESSED or chip.size & (chip.size - 1):
            raise invalid(
                f"a chip of 0x{chip.size:X} bytes does not fit a 24-bit SPI address",
                hint="use a power of two up to 16 MiB",
            )
        self.chip = chip
        if chip.clock is None:
            chip.clock = DeviceClock(chip.part)
        self.clock = chip.clock
        self.status = StatusRegisters(chip.size)
        self._unique_id = unique_id
        self._sfdp = sfdp.build(chip.part)
        self._security = SecurityRegisters(self.status)
        self._write_enabled = self._volatile_write_enabled = False
        self._working = self._asleep = self._reset_armed = False
        self._operation: Area | None = None
        self._suspended: tuple[Area, int] | None = None
        self._answers = self._answering_commands()
        self._actions = self._acting_commands()

    def transfer(self, tx: Buffer, rx: int = 0, *, lines: int = 1) -> bytes:
        """Do one frame as in ``SpiBus``; a command that is not accepted reads as 0xFF."""
        frame = tx if type(tx) is bytes else bytes(octets(tx))
        shape = SHAPES.get(frame[0]) if frame else None
        # Any other command between 66h and 99h cancels the reset (data sheet, Enable Reset).
        armed, self._reset_armed = self._reset_armed, False
        if shape is None or len(frame) < shape.head or lines != shape.data_lines:
            self.clock.spend((len(frame) + rx) * 8 // lines)
            return blank(rx)
        opcode, data = Op(frame[0]), frame[shape.head :]
        address = int.from_bytes(frame[1 : 1 + shape.address], "big")
        count = len(data) + rx
        accepted = self._accepts(opcode, shape, count) and (opcode != Op.RESET or armed)
        # A status read spends its time byte by byte, so that a long one sees BUSY end.
        self.clock.spend(shape.cycles(0 if opcode in _STATUS_READS else count))
        if not accepted:
            return self._ignore(opcode, address, count, rx)
        answer = self._answers.get(opcode)
        if answer is not None:
            return answer(address, count)[len(data) :].ljust(rx, b"\xff")
        self._actions[opcode](address, data)
        return blank(rx)

    def now(self) -> int:
        """Return nanoseconds of device time."""
        return self.clock.now

    def sleep(self, nanoseconds: int) -> None:
        """Let ``nanoseconds`` pass without a frame."""
        self.clock.advance(nanoseconds)

    def _accepts(self, opcode: Op, shape: Shape, count: int) -> bool:
        """Return True if the chip executes the command with ``count`` bytes after its head."""
        # In the chip's order: power, BUSY, the form of the frame, QE, WEL.
        if self._asleep:
            return opcode == Op.RELEASE_POWER_DOWN
        if self.clock.busy:
            if not shape.when_busy:
                return False
        elif self._working:
            self._finish()
        if shape.no_data and count:
            return False
        if shape.data_lines == 4 and not self.status.quad_enabled:
            return False
        return opcode not in _NEEDS_WEL or self._write_enabled

    def _finish(self) -> None:
        """Clear WEL after the end of an operation."""
        self._working = self._write_enabled = False

    def _ignore(self, opcode: Op, address: int, count: int, rx: int) -> bytes:
        """Report a read, program or erase that a busy chip ignores; return ``rx`` bytes."""
        # Only a busy chip drops commands. Others were malformed or not enabled, which is no event.
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

    # Commands that answer

    def _answering_commands(self) -> dict[Op, Callable[[int, int], bytes]]:
        """Return the functions that give ``count`` bytes for ``address``, by command."""
        part = self.chip.part
        table: dict[Op, Callable[[int, int], bytes]] = dict.fromkeys(_READS, self._read)
        for index, opcode in enumerate(_STATUS_READS):
            table[opcode] = self._status_reader(index)
        table[Op.JEDEC_ID] = lambda address, count: part.jedec[:count]
        # Address 1 swaps the two id bytes (data sheet, 90h).
        table[Op.READ_ID] = lambda address, count: (
            (part.device[::-1] if address & 1 else part.device) * count
        )[:count]
        table[Op.UNIQUE_ID] = lambda address, count: self._unique_id[:count]
        table[Op.READ_SFDP] = lambda address, count: self._sfdp[address : address + count]
        table[Op.READ_SECURITY] = self._security.read
        table[Op.RELEASE_POWER_DOWN] = self._wake
        return table

    def _read(self, address: int, count: int) -> bytes:
        """Read the array; after the end of the chip the address continues at its start."""
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
        """Return the present value of a register: a long status read sees its changes."""
        busy = self.clock.busy
        if self._working and not busy:
            self._finish()
        value = self.status.live[index]
        if index == 0:
            return value | (BUSY if busy else 0) | (WEL if self._write_enabled else 0)
        return value | SUSPENDED if index == 1 and self._suspended else value

    def _wake(self, address: int, count: int) -> bytes:
        # At once: tRES1 (3 to 30 us by part) is not modelled. SpiFlash waits for it all the same.
        self._asleep = False
        device = self.chip.part.device[1:]
        return (b"\xff" * _DUMMIES_BEFORE_ID + device * count)[:count]

    # Commands that act

    def _acting_commands(self) -> dict[Op, Callable[[int, bytes], None]]:
        """Return the functions that take an address and data, by command."""
        table: dict[Op, Callable[[int, bytes], None]] = {
            Op.WRITE_ENABLE: self._enable_write,
            Op.WRITE_DISABLE: self._disable_write,
            Op.WRITE_ENABLE_VOLATILE: self._enable_volatile_write,
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

    def _enable_write(self, address: int, data: bytes) -> None:
        self._write_enabled = True

    def _disable_write(self, address: int, data: bytes) -> None:
        self._write_enabled = False

    def _enable_volatile_write(self, address: int, data: bytes) -> None:
        self._volatile_write_enabled = True

    def _program(self, address: int, data: bytes) -> None:
        """Program one page; data after its end continues at its start, over earlier data."""
        address &= self.chip.size - 1
        if not data or not self._may_change(address & -PAGE, PAGE):
            self._write_enabled = False
            return
        self.clock.counts["bytes"] += len(data)
        if address % PAGE + len(data) > PAGE:
            # The chip collects data in a page buffer, where later bytes overwrite earlier ones.
            page = bytearray(blank(PAGE))
            for column, byte in enumerate(data, address % PAGE):
                page[column % PAGE] = byte
            address, data = address & -PAGE, bytes(page)
        self.chip.array_program(address, data)
        self._begin(Area(address & -PAGE, (address & -PAGE) + PAGE))

    def _erase(self, address: int, unit: int) -> None:
        """Erase the unit with ``address``; a chip that is smaller than it is erased as a whole."""
        # Address bits above the chip and below the unit are ignored by the silicon.
        unit = min(unit, self.chip.size)
        address &= self.chip.size - 1 & -unit
        if self._suspended or not self._may_change(address, unit):
            self._write_enabled = False
            return
        self.chip.array_erase(address, unit)
        self._begin(Area(address, address + unit))

    def _erase_chip(self, address: int, data: bytes) -> None:
        # A chip erase needs all of the chip unprotected, and cannot be suspended.
        if self._suspended or not self._may_change(0, self.chip.size):
            self._write_enabled = False
            return
        self.chip.array_erase(0, self.chip.size)
        self._begin(None)

    def _may_change(self, address: int, length: int) -> bool:
        """Return True if the bytes are neither protected nor part of a suspended operation."""
        if self._suspended and self._suspended[0].touches(address, length):
            return False
        return not self.status.protected().touches(address, length)

    def _begin(self, operation: Area | None) -> None:
        """Note the operation that keeps the chip busy; ``None`` if it cannot be suspended."""
        self._working = True
        self._operation = operation

    def _write_status(self, first: int, data: bytes) -> None:
        """Write status registers: register 1 alone or 1 and 2, register 2, register 3."""
        # Frames of another length are ignored: the data sheet wants chip select to rise right
        # after the last register.
        lengths = (1, 2) if first == 0 else (1,)
        if len(data) not in lengths or self.status.locked or self._suspended:
            return
        if self._volatile_write_enabled:
            # After 50h the live values change at once, without BUSY, and a reset reverts them.
            self.status.write(first, data, volatile=True)
            self._volatile_write_enabled = False
        elif self._write_enabled:
            self.status.write(first, data, volatile=False)
            self.clock.counts["status"] += 1
            self.clock.start(self.clock.times.status)
            self._begin(None)

    def _program_security(self, address: int, data: bytes) -> None:
        if self._security.program(address, data):
            self.clock.start(self.clock.times.page)
            self._begin(None)

    def _erase_security(self, address: int, data: bytes) -> None:
        if self._security.erase(address):
            self.clock.start(self.clock.times.sector)
            self._begin(None)

    def _suspend(self, address: int, data: bytes) -> None:
        """Interrupt a program or erase; reads and other programs are accepted meanwhile."""
        if not self.clock.busy or self._operation is None or self._suspended:
            return
        # The cells have changed already, so reads of the suspended area give its new contents.
        # Data sheets leave them undefined.
        self._suspended = (self._operation, self.clock.busy_until - self.clock.now)
        self._operation = None
        self._working = self._write_enabled = False
        self.clock.busy_until = self.clock.now

    def _resume(self, address: int, data: bytes) -> None:
        if self._suspended is None:
            return
        self._operation, remaining = self._suspended
        self._suspended = None
        self._working = True
        self.clock.start(-(-remaining // MICROSECOND))

    def _power_down(self, address: int, data: bytes) -> None:
        self._asleep = True

    def _arm_reset(self, address: int, data: bytes) -> None:
        self._reset_armed = True

    def _reset(self, address: int, data: bytes) -> None:
        """Drop all volatile state; BUSY lasts for the reset time."""
        self.status.reset()
        self._write_enabled = self._volatile_write_enabled = self._working = False
        self._operation = self._suspended = None
        self.clock.start(_RESET_TIME)
