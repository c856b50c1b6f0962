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
    CRC_BYTES,
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
    crc16,
    parse_frame,
)
from maixfs.sd.device import SECTOR, zero_sectors
from maixfs.sd.errors import SectorError

FOREVER = 1 << 80
"""A duration that never ends."""
# Long waits are answered in slices of these, so that skipping them costs the host little.
_PIECE = 1 << 16
_SILENCE = b"\xff" * _PIECE
_BUSY = bytes(_PIECE)


class Outlet:
    """The bytes that a card drives on MISO, in their order, and their times.

    First the queue; then, if a block is being prepared, 0xFF until it is ready; then 0x00 while
    the card is busy; then 0xFF.
    """

    def __init__(self, clock: SdClock) -> None:
        self._clock = clock
        self._bytes = bytearray()
        self._supply: Callable[[], bytes] | None = None
        self._gap = 0
        self._ready_at = self._busy_until = 0
        self._another_follows = False

    @property
    def busy(self) -> bool:
        """Whether the card is busy with a command."""
        return self._clock.now < self._busy_until

    def clear(self) -> None:
        """Discard the queue and the block being prepared; a busy card stays busy."""
        self._bytes.clear()
        self._supply = None
        self._another_follows = False

    def stop_busy(self) -> None:
        """End the busy time."""
        self._busy_until = 0

    def queue(self, data: bytes) -> None:
        """Queue ``data``."""
        self._bytes += data
        self._another_follows = False

    def stay_busy(self, nanoseconds: int) -> None:
        """Be busy for that long after the queue has been sent."""
        if nanoseconds > 0:
            self._busy_until = self._end_of_queue() + nanoseconds

    def prepare(self, supply: Callable[[], bytes], wait: int, gap: int | None = None) -> None:
        """Send the block that ``supply`` returns, ``wait`` nanoseconds after the queue.

        With ``gap`` it repeats: that many nanoseconds after each block the next one is ready,
        until the outlet is cleared or ``supply`` calls ``finish``.
        """
        self._supply = supply
        self._ready_at = self._end_of_queue() + wait
        self._gap = -1 if gap is None else gap

    def finish(self) -> None:
        """Make the block being prepared the last one."""
        self._gap = -1

    def ahead(self, limit: int) -> bytes:
        """Return the next bytes without sending them: at least one, at most ``limit``."""
        limit = min(limit, _PIECE)
        if not self._bytes and self._supply is not None:
            wait = self._bytes_until(self._ready_at)
            if wait > 0:
                return _SILENCE[: min(limit, wait)]
            self._fetch(self._supply)
        if self._bytes:
            return bytes(memoryview(self._bytes)[:limit])
        wait = self._bytes_until(self._busy_until)
        return _BUSY[: min(limit, wait)] if wait > 0 else _SILENCE[:limit]

    def advance(self, count: int) -> None:
        """Send ``count`` of the bytes that ``ahead`` returned, and let their time pass."""
        self._clock.spend(count)
        if self._bytes:
            del self._bytes[:count]
            if not self._bytes and self._another_follows:
                self._another_follows = False
                self._ready_at = self._clock.now + self._gap

    def send(self, count: int) -> bytes:
        """Send the next ``count`` bytes and return them."""
        sent = bytearray()
        while len(sent) < count:
            run = self.ahead(count - len(sent))
            self.advance(len(run))
            sent += run
        return bytes(sent)

    def _fetch(self, supply: Callable[[], bytes]) -> None:
        self._bytes += supply()
        self._another_follows = self._gap >= 0
        if not self._another_follows:
            self._supply = None

    def _end_of_queue(self) -> int:
        return self._clock.now + len(self._bytes) * self._clock.byte

    def _bytes_until(self, moment: int) -> int:
        """Return the number of bytes before the first one that starts at ``moment`` or later."""
        return -(-(moment - self._clock.now) // self._clock.byte)


class CardStore:
    """The memory of one powered card; ``status`` are the bits that CMD13 returns.

    Positions are in bytes from the start of the card. Errors of the medium become those that a
    card reports for worn-out memory, since the host behind the bus can see no more.
    """

    def __init__(self, card: SdCard) -> None:
        self.card = card
        self.status = R2(0)
        # Sectors that the CSD cannot express can be addressed all the same.
        self.size = max(card.sectors, card.medium.sectors) * SECTOR
        self._unsaved: dict[int, bytes] = {}

    def position(self, argument: int) -> int:
        """Return the position that the argument of a command addresses."""
        return argument * SECTOR if self.card.kind.by_blocks else argument

    def check(self, position: int, length: int) -> R1:
        """Return the error bits for a block of ``length`` bytes at ``position``.

        A block may neither cross a sector boundary nor the end of the card.
        """
        if position + length > self.size:
            return R1.PARAMETER
        if position % SECTOR + length > SECTOR:
            return R1.ADDRESS
        return R1(0)

    def load(self, position: int, length: int) -> tuple[bytes, int]:
        """Return a block and 0, or no bytes and the error token."""
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
        """Make the sectors from one position to another zero; return their number."""
        if last < first:
            self.status |= R2.ERASE_PARAMETER
            return 0
        if self.card.write_protected:
            self.status |= R2.ERASE_SKIPPED
            return 0
        start, count = first // SECTOR, last // SECTOR - first // SECTOR + 1
        # A card that drops writes drops erases as well, and reports success for both.
        if self.card.faults.drops_writes:
            return count
        try:
            self._zero(start, count)
        except SectorError:
            self.status |= R2.ERROR
        return count

    def take_status(self) -> R2:
        """Return the status bits and clear them, as reading them does on a card."""
        status, self.status = self.status, R2(0)
        return status

    def lose_power(self) -> None:
        """Discard the writes that ``drops_writes`` kept in RAM, and the status."""
        self._unsaved.clear()
        self.status = R2(0)

    def _real(self, sector: int) -> int:
        """Return the sector of the memory: addresses of a card of fake capacity wrap."""
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
_NO_ERROR = R1(0)
# Commands that are legal in one state only; ERASE_RESET and ILLEGAL follow from these sets.
_WHILE_IDLE = {Cmd.GO_IDLE, Cmd.SEND_OP_COND, Cmd.SEND_IF_COND, Cmd.APP, Cmd.READ_OCR}
_WHILE_IDLE |= {Cmd.CRC_ON_OFF}
_IN_TRANSFER = {Cmd.GO_IDLE, Cmd.STOP, Cmd.SEND_STATUS}
_ERASING = {Cmd.ERASE_START, Cmd.ERASE_END, Cmd.ERASE, Cmd.SEND_STATUS}


class CardController:
    """The controller of one powered card: a state machine over commands and blocks.

    ``wanted`` is the number of bytes still missing of a block that is being written.
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
        """Enter the state after power-up: SD mode, until CMD0 comes with chip select low."""
        self._store.lose_power()
        self._outlet.clear()
        self._outlet.stop_busy()
        self._in_spi = False
        self._init_since: int | None = None
        self._cmd0_count = 0
        self._blocks_written = 0
        self._go_idle()

    def dip(self) -> None:
        """Enter the state after a short power dip.

        Cards that users report are idle then but still in SPI mode: they answer the next
        command with the idle bit instead of ignoring it.
        """
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
        self._flags = _NO_ERROR
        self.wanted = 0

    # Input

    @property
    def awaits_token(self) -> bool:
        """Whether a block to be written may start now."""
        return self._writing != "none" and not self.wanted

    def token(self, byte: int) -> None:
        """Take a byte where a token may stand; any other value is ignored."""
        start = START_BLOCK if self._writing == "one" else START_MULTI_WRITE
        if byte == start:
            self._block.clear()
            self.wanted = SECTOR + CRC_BYTES
        elif byte == STOP_MULTI_WRITE and self._writing == "many":
            self._writing = "none"
            # One byte passes before the card signals busy after the stop token.
            self._outlet.queue(b"\xff")
            self._outlet.stay_busy(self.card.timing.stop_busy)

    def take(self, data: bytes) -> None:
        """Take bytes of a block, at most ``wanted``."""
        self._block += data
        self.wanted -= len(data)
        if not self.wanted:
            self._finish_block()

    def abort_block(self) -> None:
        """Discard an incomplete block because chip select went high."""
        if self.wanted:
            self.wanted = 0
            self._block.clear()

    def execute(self, frame: bytes) -> None:
        """Execute a command of six bytes."""
        command, argument, intact = parse_frame(frame)
        # A busy card ignores everything but the reset.
        if self._outlet.busy and command != Cmd.GO_IDLE:
            return
        # In SD mode CRCs count, and only CMD0 with chip select low leads out of it.
        if not self._in_spi and (command != Cmd.GO_IDLE or not intact):
            return
        app, self._app = self._app, False
        # CMD18 goes on while a command comes in: only CMD12 may end it.
        if self._reading != "many":
            self._outlet.clear()
        self._clock.counts[f"{'ACMD' if app else 'CMD'}{command}"] += 1
        # CRCs are off by default in SPI mode, except for CMD8 (section 7.2.2).
        if not intact and (self._crc_on or command == Cmd.SEND_IF_COND):
            self._answer(R1.CRC)
            return
        if self._erase_first is not None and command not in _ERASING:
            # A foreign command between CMD32 and CMD38 cancels the erase.
            self._erase_first = self._erase_last = None
            self._handler(command, app=app, flags=R1.ERASE_RESET)(argument)
        else:
            self._handler(command, app=app)(argument)

    def _handler(self, command: int, *, app: bool, flags: R1 = _NO_ERROR) -> Handler:
        """Return the handler of a command in the current state of the card."""
        refused = self.card.faults.refused_app if app else self.card.faults.refused
        handler = self._app_commands.get(command) if app else None
        name = command if handler is None else -1
        # After CMD55 a number without an application command is the plain command.
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

    def _answer(self, flags: R1 = _NO_ERROR, extra: bytes = b"") -> None:
        """Queue R1 with ``flags`` after the response time, then ``extra``."""
        idle = self._idle or (self.card.faults.sticky_idle and self._init_since is not None)
        value = flags | self._flags | (R1.IDLE if idle else _NO_ERROR)
        self._flags = _NO_ERROR
        self._outlet.queue(b"\xff" * self.card.timing.response + bytes([value]) + extra)

    def _send_register(self, data: bytes, extra: bytes = b"") -> None:
        self._answer(extra=extra)
        block = bytes([START_BLOCK]) + data + crc16(data).to_bytes(CRC_BYTES, "big")
        self._outlet.prepare(lambda: block, self.card.timing.register_access)

    # Initialisation

    def _reset(self, argument: int) -> None:
        faults = self.card.faults
        self._cmd0_count += 1
        if faults.refuses_spi or self._cmd0_count < faults.cmd0_tries:
            return
        self._in_spi = True
        self._outlet.clear()
        # CMD0 ends a write, but not the hang of ``hangs_after``, which only power does.
        if self._outlet.busy and faults.hangs_after != 0:
            self._outlet.stop_busy()
        self._go_idle()
        if faults.cmd0_answer is None:
            self._answer()
        else:
            self._outlet.queue(b"\xff" * self.card.timing.response + bytes([faults.cmd0_answer]))

    def _if_cond(self, argument: int) -> None:
        """Answer the accepted voltage (0x1: 2.7 to 3.6 V, else 0) and the check pattern."""
        voltage = argument >> 8 & 0xF
        self._saw_if_cond = True
        echo = self.card.faults.cmd8_echo
        pattern = argument & 0xFF if echo is None else echo & 0xFF
        self._answer(extra=bytes([0, 0, voltage if voltage == 1 else 0, pattern]))

    def _app_next(self, argument: int) -> None:
        self._app = True
        self._answer()

    def _op_cond(self, argument: int) -> None:
        """Start the initialisation, which then runs by itself, or report its state.

        A card addressed by sectors stays idle until the host has sent CMD8 and HCS, which say
        that it can do that; older hosts would address it by bytes.
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
        self._outlet.queue(b"\xff" * self.card.timing.response + b"\x00")

    def _read_ocr(self, argument: int) -> None:
        ocr = OCR_VOLTAGES
        if not self._idle:
            ocr |= POWERED_UP | (HIGH_CAPACITY if self.card.kind.by_blocks else 0)
        self._answer(extra=ocr.to_bytes(4, "big"))

    def _switch_crc(self, argument: int) -> None:
        self._crc_on = bool(argument & 1)
        self._answer()

    def _set_block_length(self, argument: int) -> None:
        """Set the length of blocks that are read; no effect on cards addressed by sectors."""
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
        self._outlet.prepare(self._next_block, timing.read_access, gap)

    def _next_block(self) -> bytes:
        """Return the next block with its token and CRC, or an error token."""
        length = self._block_length
        data, token = self._store.load(self._position, length)
        self._position += length
        if self._reading == "one":
            self._reading = "none"
        if token:
            # After an error token the transfer is over, although the host still sends CMD12.
            self._outlet.finish()
            return bytes([token])
        check = crc16(data).to_bytes(CRC_BYTES, "big")
        if self.card.faults.flipped_reads > 0:
            self.card.faults.flipped_reads -= 1
            data = _flip(data)
        return bytes([START_BLOCK]) + data + check

    def _stop(self, argument: int) -> None:
        """End a transfer of many blocks: a stuff byte, R1, then busy if it was a write."""
        self._outlet.clear()
        self._outlet.queue(bytes([self.card.faults.stuff_byte]))
        wrote = self._writing != "none"
        self._reading = self._writing = "none"
        self._answer()
        if wrote:
            self._outlet.stay_busy(self.card.timing.stop_busy)

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
        """Answer a complete block and be busy with it."""
        many = self._writing == "many"
        if not many:
            self._writing = "none"
        # After one rejected block of CMD25 the card rejects the rest until it is stopped.
        if self._failed_with == ACCEPTED:
            self._failed_with = self._write_block()
        # The upper three bits are undefined; most cards send ones.
        self._outlet.queue(bytes([0xE0 | self._failed_with]))
        if self._failed_with == ACCEPTED:
            self._position += SECTOR
            self._well_written += 1
            self._outlet.stay_busy(self._write_time(many=many))

    def _write_block(self) -> int:
        # The line flips a bit after the host computed the CRC, so the card can detect it.
        data, check = bytes(self._block[:SECTOR]), bytes(self._block[SECTOR:])
        if self.card.faults.flipped_writes > 0:
            self.card.faults.flipped_writes -= 1
            data = _flip(data)
        if self._crc_on and check != crc16(data).to_bytes(CRC_BYTES, "big"):
            return CRC_REJECTED
        return self._store.save(self._position, data)

    def _write_time(self, *, many: bool) -> int:
        """Return the busy time of the block that was just accepted."""
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
        self._outlet.stay_busy(-(-count // AU_SECTORS) * self.card.timing.erase_busy)


def _flip(data: bytes) -> bytes:
    """Return ``data`` with its first bit inverted."""
    return bytes([data[0] ^ 0x80]) + data[1:]
