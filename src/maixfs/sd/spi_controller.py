"""The controller of a simulated card in SPI mode: what it answers, stores and sends, and when.

SD Physical Layer Simplified Specification, section 7. ``spi_slave`` splits the bytes on the bus
into commands and blocks; here a command is six bytes and a block is 512.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

from maixfs.sd.card import AU_SECTORS, OCR_VOLTAGES, CardKind, SdCard
from maixfs.sd.clock import SdClock
from maixfs.sd.commands import (
    ACCEPTED,
    CRC_REJECTED,
    HIGH_CAPACITY,
    POWERED_UP,
    R1,
    R2,
    START_BLOCK,
    START_MULTI_WRITE,
    STOP_MULTI_WRITE,
    TOKEN_ECC,
    TOKEN_ERROR,
    TOKEN_RANGE,
    WRITE_FAILED,
    Cmd,
    crc7,
    crc16,
)
from maixfs.sd.device import SECTOR, zero_sectors
from maixfs.sd.errors import SectorError

FOREVER = 1 << 80
"""A time that does not come."""
_PIECE = 1 << 16
_SILENCE = b"\xff" * _PIECE
_BUSY = bytes(_PIECE)


class Outlet:
    """The bytes that a card sends, in the order in which they leave it.

    First what is queued; then, where a block is on its way, 0xFF until it is there; then 0x00
    while the card is busy; then 0xFF.
    """

    def __init__(self, clock: SdClock) -> None:
        self._clock = clock
        self._queue = bytearray()
        self._supply: Callable[[], bytes] | None = None
        self._gap = 0
        self._ready_at = self._busy_until = 0
        self._flowing = False

    @property
    def busy(self) -> bool:
        """Whether the card works on what it was told."""
        return self._clock.now < self._busy_until

    def clear(self) -> None:
        """Forget what was to be sent; a busy card stays busy."""
        self._queue.clear()
        self._supply = None
        self._flowing = False

    def stop_busy(self) -> None:
        """Let the card be idle."""
        self._busy_until = 0

    def say(self, data: bytes) -> None:
        """Queue ``data``."""
        self._queue += data
        self._flowing = False

    def work(self, nanoseconds: int) -> None:
        """Be busy for so long after what is queued has been sent."""
        if nanoseconds > 0:
            self._busy_until = self._end_of_queue() + nanoseconds

    def promise(self, supply: Callable[[], bytes], wait: int, gap: int | None = None) -> None:
        """Send what ``supply`` returns, ``wait`` nanoseconds after what is queued.

        With ``gap`` that goes on: so long after each block the next one is ready, until the
        outlet is cleared or ``supply`` says ``finish``.
        """
        self._supply = supply
        self._ready_at = self._end_of_queue() + wait
        self._gap = -1 if gap is None else gap

    def finish(self) -> None:
        """Let the block that is on its way be the last."""
        self._gap = -1

    def ahead(self, limit: int) -> bytes:
        """Return the next bytes, ``limit`` at most and at least one, without sending them."""
        limit = min(limit, _PIECE)
        if not self._queue and self._supply is not None:
            wait = self._bytes_until(self._ready_at)
            if wait > 0:
                return _SILENCE[: min(limit, wait)]
            self._fetch(self._supply)
        if self._queue:
            return bytes(memoryview(self._queue)[:limit])
        wait = self._bytes_until(self._busy_until)
        return _BUSY[: min(limit, wait)] if wait > 0 else _SILENCE[:limit]

    def advance(self, count: int) -> None:
        """Let ``count`` of the bytes that ``ahead`` showed go, and their time pass."""
        self._clock.spend(count)
        if self._queue:
            del self._queue[:count]
            if not self._queue and self._flowing:
                self._flowing = False
                self._ready_at = self._clock.now + self._gap

    def send(self, count: int) -> bytes:
        """Return the next ``count`` bytes as they go out."""
        sent = bytearray()
        while len(sent) < count:
            run = self.ahead(count - len(sent))
            self.advance(len(run))
            sent += run
        return bytes(sent)

    def _fetch(self, supply: Callable[[], bytes]) -> None:
        self._queue += supply()
        self._flowing = self._gap >= 0
        if not self._flowing:
            self._supply = None

    def _end_of_queue(self) -> int:
        return self._clock.now + len(self._queue) * self._clock.byte

    def _bytes_until(self, moment: int) -> int:
        """Return how many bytes pass before one starts at ``moment`` or later."""
        return -(-(moment - self._clock.now) // self._clock.byte)


class CardStore:
    """Reads, writes and erases of one powered card; ``status`` are the bits for CMD13.

    Positions are in bytes from the start of the card.
    """

    def __init__(self, card: SdCard) -> None:
        self.card = card
        self.status = R2(0)
        self.size = max(card.sectors, card.medium.sectors) * SECTOR
        self._unsaved: dict[int, bytes] = {}

    def position(self, argument: int) -> int:
        """Return the byte that a command's argument means."""
        return argument * SECTOR if self.card.kind.by_blocks else argument

    def check(self, position: int, length: int) -> R1:
        """Return what is wrong with a position for blocks of ``length`` bytes.

        A block may neither lie across two sectors nor past the end.
        """
        if position + length > self.size:
            return R1.PARAMETER
        if position % SECTOR + length > SECTOR:
            return R1.ADDRESS
        return R1(0)

    def load(self, position: int, length: int) -> tuple[bytes, int]:
        """Return a block and 0, or nothing and the error token."""
        sector = position // SECTOR
        if position + length > self.size:
            self.status |= R2.OUT_OF_RANGE
            return b"", TOKEN_RANGE | TOKEN_ERROR
        token = self.card.faults.read_tokens.get(sector, 0)
        data = b""
        if not token:
            try:
                data = self._sector(sector)
            except SectorError:
                token = TOKEN_ECC
        if token:
            self.status |= R2.ECC if token & TOKEN_ECC else R2.ERROR
            return b"", token
        return data[position % SECTOR :][:length], 0

    def save(self, position: int, data: bytes) -> int:
        """Write one sector and return the data response."""
        sector = position // SECTOR
        card = self.card
        problem = R2(0)
        if card.write_protected:
            problem = R2.PROTECTED
        elif position + len(data) > self.size:
            problem = R2.OUT_OF_RANGE
        elif sector in card.faults.write_errors:
            problem = R2.ERROR
        elif card.faults.drops_writes:
            self._unsaved[self._real(sector)] = data
        else:
            try:
                card.medium.write(self._real(sector), data)
            except SectorError:
                problem = R2.ERROR
        self.status |= problem
        return WRITE_FAILED if problem else ACCEPTED

    def erase(self, first: int, last: int) -> int:
        """Make the sectors of two positions and all between zero; return how many there are."""
        if last < first:
            self.status |= R2.ERASE_PARAMETER
            return 0
        if self.card.write_protected:
            self.status |= R2.ERASE_SKIPPED
            return 0
        start, count = first // SECTOR, last // SECTOR - first // SECTOR + 1
        if self.card.faults.drops_writes:
            return count
        try:
            self._zero(start, count)
        except SectorError:
            self.status |= R2.ERROR
        return count

    def take_status(self) -> R2:
        """Return the status bits, which are clear afterwards."""
        status, self.status = self.status, R2(0)
        return status

    def lose_power(self) -> None:
        """Forget what was only pretended to be written."""
        self._unsaved.clear()
        self.status = R2(0)

    def _real(self, sector: int) -> int:
        """Return where a sector really lies: a card of fake capacity wraps."""
        real = self.card.faults.real_sectors
        return sector % real if real else sector

    def _sector(self, sector: int) -> bytes:
        real = self._real(sector)
        unsaved = self._unsaved.get(real)
        return self.card.medium.read(real, 1) if unsaved is None else unsaved

    def _zero(self, start: int, count: int) -> None:
        real = self.card.faults.real_sectors
        medium = self.card.medium
        if not real:
            zero_sectors(medium, start, min(count, medium.sectors - start))
            return
        start, count = start % real, min(count, real)
        zero_sectors(medium, start, min(count, real - start))
        zero_sectors(medium, 0, max(0, start + count - real))


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
