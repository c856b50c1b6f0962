"""What a card does with a command: its states, and what it answers.

SD Physical Layer Simplified Specification, section 7. The bytes themselves come and go in
``spi_slave``; here a command is six bytes, and a block is a block.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

from maixfs.sd.card import AU_SECTORS, CardKind, SdCard
from maixfs.sd.clock import SdClock
from maixfs.sd.commands import (
    ACCEPTED,
    CRC_REJECTED,
    HIGH_CAPACITY,
    POWERED_UP,
    R1,
    START_BLOCK,
    START_MULTI_WRITE,
    STOP_MULTI_WRITE,
    Cmd,
)
from maixfs.sd.crc import crc7, crc16
from maixfs.sd.device import SECTOR
from maixfs.sd.registers import OCR_VOLTAGES
from maixfs.sd.spi_outlet import FOREVER, Outlet
from maixfs.sd.spi_store import CardStore

Transfer: TypeAlias = Literal["none", "one", "many"]
Handler: TypeAlias = Callable[[int], None]
_CRC_BYTES = 2
_FINE = R1(0)
_WHILE_IDLE = {Cmd.GO_IDLE, Cmd.SEND_OP_COND, Cmd.SEND_IF_COND, Cmd.APP, Cmd.READ_OCR}
_WHILE_IDLE |= {Cmd.CRC_ON_OFF}
_IN_TRANSFER = {Cmd.GO_IDLE, Cmd.STOP, Cmd.SEND_STATUS}
_ERASING = {Cmd.ERASE_START, Cmd.ERASE_END, Cmd.ERASE, Cmd.SEND_STATUS}


class CardLogic:
    """The controller of one powered card.

    ``wanted`` is how many bytes of a block it still takes; ``awaits_token`` says that a block to
    be written may start.
    """

    def __init__(self, card: SdCard, clock: SdClock, outlet: Outlet) -> None:
        self.card = card
        self._clock = clock
        self._outlet = outlet
        self._store = CardStore(card)
        self._commands = self._command_table()
        self._app_commands: dict[int, Handler] = {
            Cmd.A_SD_STATUS: self._sd_status,
            Cmd.A_WELL_WRITTEN: self._well_written_blocks,
            Cmd.A_PRE_ERASE: lambda argument: self._answer(),
            Cmd.A_OP_COND: self._op_cond,
            Cmd.A_SEND_SCR: lambda argument: self._send_register(card.scr),
        }
        self.power_on()

    def power_on(self) -> None:
        """Be as after a power-up: in SD mode, until CMD0 comes with chip select low."""
        self._store.lose_power()
        self._outlet.clear()
        self._outlet.stop_busy()
        self._in_spi = False
        self._init_since: int | None = None
        self._cmd0_count = 0
        self._blocks_written = 0
        self._go_idle()

    def dip(self) -> None:
        """Be as after a power dip: idle, but still in SPI mode, as hosts report it."""
        self.power_on()
        self._in_spi = True

    def _go_idle(self) -> None:
        self._idle, self._crc_on, self._app = True, False, False
        self._saw_if_cond = False
        self._block_length = SECTOR
        self._reading: Transfer = "none"
        self._writing: Transfer = "none"
        self._failed_with = ACCEPTED
        self._well_written = 0
        self._erase_first: int | None = None
        self._erase_last: int | None = None
        self._block = bytearray()
        self._position = 0
        self._flags = _FINE
        self.wanted = 0

    # What comes in

    @property
    def awaits_token(self) -> bool:
        """Whether a block to be written may start now."""
        return self._writing != "none" and not self.wanted

    def token(self, byte: int) -> None:
        """See a byte where a token may stand."""
        start = START_BLOCK if self._writing == "one" else START_MULTI_WRITE
        if byte == start:
            self._block.clear()
            self.wanted = SECTOR + _CRC_BYTES
        elif byte == STOP_MULTI_WRITE and self._writing == "many":
            self._writing = "none"
            self._outlet.say(b"\xff")
            self._outlet.work(self.card.timing.stop_busy)

    def take(self, data: bytes) -> None:
        """Take ``wanted`` bytes or fewer of a block."""
        self._block += data
        self.wanted -= len(data)
        if not self.wanted:
            self._finish_block()

    def abort_block(self) -> None:
        """Forget the part of a block that has come in: chip select went high."""
        if self.wanted:
            self.wanted = 0
            self._block.clear()

    def execute(self, frame: bytes) -> None:
        """Do what six bytes say."""
        command, argument = frame[0] & 0x3F, int.from_bytes(frame[1:5], "big")
        good = frame[5] == crc7(frame[:5]) << 1 | 1
        if self._outlet.busy and command != Cmd.GO_IDLE:
            return
        if not self._in_spi and (command != Cmd.GO_IDLE or not good):
            return
        app, self._app = self._app, False
        if self._reading != "many":
            self._outlet.clear()
        self._clock.counts[f"{'ACMD' if app else 'CMD'}{command}"] += 1
        if not good and (self._crc_on or command == Cmd.SEND_IF_COND):
            self._answer(R1.CRC)
            return
        if self._erase_first is not None and command not in _ERASING:
            self._erase_first = self._erase_last = None
            self._handler(command, app=app, flags=R1.ERASE_RESET)(argument)
        else:
            self._handler(command, app=app)(argument)

    def _handler(self, command: int, *, app: bool, flags: R1 = _FINE) -> Handler:
        """Return what does a command in the state that the card is in."""
        refused = self.card.faults.refused_app if app else self.card.faults.refused
        handler = self._app_commands.get(command) if app else None
        name = command if handler is None else -1
        handler = handler or self._commands.get(command)
        legal = handler is not None and command not in refused
        if self._idle:
            legal = legal and (name in _WHILE_IDLE or (app and command == Cmd.A_OP_COND))
        if "many" in (self._reading, self._writing):
            legal = legal and name in _IN_TRANSFER
        else:
            legal = legal and name != Cmd.STOP
        self._flags = flags
        if not legal or handler is None:
            return lambda argument: self._answer(R1.ILLEGAL)
        self._writing = self._writing if name in _IN_TRANSFER else "none"
        return handler

    def _command_table(self) -> dict[int, Handler]:
        card = self.card
        table: dict[int, Handler] = {
            Cmd.GO_IDLE: self._reset,
            Cmd.SEND_OP_COND: self._op_cond,
            Cmd.SEND_CSD: lambda argument: self._send_register(card.csd),
            Cmd.SEND_CID: lambda argument: self._send_register(card.cid),
            Cmd.STOP: self._stop,
            Cmd.SEND_STATUS: lambda argument: self._answer(
                extra=bytes([self._store.take_status()])
            ),
            Cmd.SET_BLOCKLEN: self._set_block_length,
            Cmd.READ: lambda argument: self._read(argument, "one"),
            Cmd.READ_MULTI: lambda argument: self._read(argument, "many"),
            Cmd.WRITE: lambda argument: self._write(argument, "one"),
            Cmd.WRITE_MULTI: lambda argument: self._write(argument, "many"),
            Cmd.ERASE_START: self._start_erase,
            Cmd.ERASE_END: self._end_erase,
            Cmd.ERASE: self._erase,
            Cmd.READ_OCR: self._read_ocr,
            Cmd.CRC_ON_OFF: self._switch_crc,
        }
        if card.kind is not CardKind.MMC:
            table[Cmd.APP] = self._app_next
        if card.kind not in (CardKind.MMC, CardKind.SDSC_V1):
            table[Cmd.SEND_IF_COND] = self._if_cond
        return table

    # Answers

    def _answer(self, flags: R1 = _FINE, extra: bytes = b"") -> None:
        """Queue R1 with ``flags`` after the card's response time, then ``extra``."""
        idle = self._idle or (self.card.faults.sticky_idle and self._init_since is not None)
        value = flags | self._flags | (R1.IDLE if idle else _FINE)
        self._flags = _FINE
        self._outlet.say(b"\xff" * self.card.timing.response + bytes([value]) + extra)

    def _send_register(self, data: bytes, extra: bytes = b"") -> None:
        self._answer(extra=extra)
        block = bytes([START_BLOCK]) + data + crc16(data).to_bytes(_CRC_BYTES, "big")
        self._outlet.promise(lambda: block, self.card.timing.register_access)

    # Start

    def _reset(self, argument: int) -> None:
        faults = self.card.faults
        self._cmd0_count += 1
        if faults.refuses_spi or self._cmd0_count < faults.cmd0_tries:
            return
        self._in_spi = True
        self._outlet.clear()
        if self._outlet.busy and faults.hangs_after != 0:
            self._outlet.stop_busy()
        self._go_idle()
        if faults.cmd0_answer is None:
            self._answer()
        else:
            self._outlet.say(b"\xff" * self.card.timing.response + bytes([faults.cmd0_answer]))

    def _if_cond(self, argument: int) -> None:
        """Answer the voltage (0x1: 2.7 to 3.6 V, else none) and the check pattern."""
        voltage = argument >> 8 & 0xF
        self._saw_if_cond = True
        echo = self.card.faults.cmd8_echo
        pattern = argument & 0xFF if echo is None else echo & 0xFF
        self._answer(extra=bytes([0, 0, voltage if voltage == 1 else 0, pattern]))

    def _app_next(self, argument: int) -> None:
        self._app = True
        self._answer()

    def _op_cond(self, argument: int) -> None:
        """Start, or go on with, the initialisation, which runs on by itself.

        A card with block addresses waits for a host that says it knows them.
        """
        faults = self.card.faults
        if self._init_since is None:
            self._init_since = self._clock.now
        needed = self.card.timing.init if faults.init_time is None else faults.init_time
        ready = self._clock.now - self._init_since >= needed and not faults.never_ready
        if self.card.kind.by_blocks:
            ready = ready and self._saw_if_cond and bool(argument & HIGH_CAPACITY)
        if not ready:
            self._answer()
            return
        self._idle = False
        self._outlet.say(b"\xff" * self.card.timing.response + b"\x00")

    def _read_ocr(self, argument: int) -> None:
        ocr = OCR_VOLTAGES
        if not self._idle:
            ocr |= POWERED_UP | (HIGH_CAPACITY if self.card.kind.by_blocks else 0)
        self._answer(extra=ocr.to_bytes(4, "big"))

    def _switch_crc(self, argument: int) -> None:
        self._crc_on = bool(argument & 1)
        self._answer()

    def _set_block_length(self, argument: int) -> None:
        """Set the length of blocks that are read; without effect where addresses are blocks."""
        if not 0 < argument <= SECTOR:
            self._answer(R1.PARAMETER)
            return
        if not self.card.kind.by_blocks:
            self._block_length = argument
        self._answer()

    def _sd_status(self, argument: int) -> None:
        self._send_register(self.card.sd_status, extra=bytes([self._store.take_status()]))

    def _well_written_blocks(self, argument: int) -> None:
        self._send_register(self._well_written.to_bytes(4, "big"))

    # Reading

    def _read(self, argument: int, how: Transfer) -> None:
        position = self._store.position(argument)
        problem = self._store.check(position, self._block_length)
        self._answer(problem)
        if problem:
            return
        self._reading = how
        self._position = position
        timing = self.card.timing
        gap = timing.next_access if how == "many" else None
        self._outlet.promise(self._next_block, timing.read_access, gap)

    def _next_block(self) -> bytes:
        """Return the next block with its token and check, or an error token."""
        length = self._block_length
        data, token = self._store.load(self._position, length)
        self._position += length
        if self._reading == "one":
            self._reading = "none"
        if token:
            self._outlet.finish()
            return bytes([token])
        check = crc16(data).to_bytes(_CRC_BYTES, "big")
        if self.card.faults.flipped_reads > 0:
            self.card.faults.flipped_reads -= 1
            data = _flip(data)
        return bytes([START_BLOCK]) + data + check

    def _stop(self, argument: int) -> None:
        """End a transfer of many blocks: one stuff byte, then R1, then busy after writing."""
        self._outlet.clear()
        self._outlet.say(bytes([self.card.faults.stuff_byte]))
        wrote = self._writing != "none"
        self._reading = self._writing = "none"
        self._answer()
        if wrote:
            self._outlet.work(self.card.timing.stop_busy)

    # Writing

    def _write(self, argument: int, how: Transfer) -> None:
        position = self._store.position(argument)
        problem = self._store.check(position, SECTOR)
        self._answer(problem)
        if problem:
            return
        self._writing = how
        self._position = position
        self._failed_with = ACCEPTED
        self._well_written = 0

    def _finish_block(self) -> None:
        """Answer a block that came in whole, and be busy with it."""
        many = self._writing == "many"
        if not many:
            self._writing = "none"
        if self._failed_with == ACCEPTED:
            self._failed_with = self._write_block()
        self._outlet.say(bytes([0xE0 | self._failed_with]))
        if self._failed_with == ACCEPTED:
            self._position += SECTOR
            self._well_written += 1
            self._outlet.work(self._write_time(many=many))

    def _write_block(self) -> int:
        data, check = bytes(self._block[:SECTOR]), bytes(self._block[SECTOR:])
        if self.card.faults.flipped_writes > 0:
            self.card.faults.flipped_writes -= 1
            data = _flip(data)
        if self._crc_on and check != crc16(data).to_bytes(_CRC_BYTES, "big"):
            return CRC_REJECTED
        return self._store.save(self._position, data)

    def _write_time(self, *, many: bool) -> int:
        """Return how long the card is busy with the block that it has just accepted."""
        timing, faults = self.card.timing, self.card.faults
        self._blocks_written += 1
        if faults.hangs_after >= 0:
            faults.hangs_after = max(0, faults.hangs_after - 1)
            if not faults.hangs_after:
                return FOREVER
        every, long = faults.busy_every
        if every and self._blocks_written % every == 0:
            return long
        return timing.next_busy if many else timing.write_busy

    # Erasing

    def _start_erase(self, argument: int) -> None:
        position = self._store.position(argument)
        problem = self._store.check(position, 1)
        self._erase_first, self._erase_last = (None if problem else position), None
        self._answer(problem)

    def _end_erase(self, argument: int) -> None:
        position = self._store.position(argument)
        problem = self._store.check(position, 1)
        if self._erase_first is None:
            problem = R1.ERASE_SEQUENCE
        if problem:
            self._erase_first = None
        self._erase_last = None if problem else position
        self._answer(problem)

    def _erase(self, argument: int) -> None:
        first, last = self._erase_first, self._erase_last
        self._erase_first = self._erase_last = None
        if first is None or last is None:
            self._answer(R1.ERASE_SEQUENCE)
            return
        count = self._store.erase(first, last)
        self._answer()
        self._outlet.work(-(-count // AU_SECTORS) * self.card.timing.erase_busy)


def _flip(data: bytes) -> bytes:
    """Return ``data`` with its first bit turned."""
    return bytes([data[0] ^ 0x80]) + data[1:]
