"""A card driver for any bus: initialise, read, write, erase, recover from transient faults.

    card = SpiSdCard(bus)       # any SdBus: an adapter, or the simulated card
    card.read(0, 1)

Whatever the card does, every operation ends: with its result, or with an ``SdError`` that names
the command, the response and the remedy. Initialisation follows the SD Physical Layer Simplified
Specification, section 7.2.1 and figure 7-2.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from operator import index
from typing import TypeAlias

from maixfs.errors import error_class
from maixfs.sd.bus import BusTime, CardLostError, Exchange, GarbledError, SdBus
from maixfs.sd.card import (
    AU_SECTORS,
    SCR,
    CardKind,
    Cid,
    Csd,
    parse_cid,
    parse_csd,
    unpack_register,
)
from maixfs.sd.clock import ERASE_LIMIT, FAST_HZ, INIT_HZ, INIT_LIMIT, MILLISECOND
from maixfs.sd.commands import (
    ACCEPTED,
    CHECK_PATTERN,
    CRC_REJECTED,
    HIGH_CAPACITY,
    POWERED_UP,
    R1,
    RESPONSE_MASK,
    START_BLOCK,
    START_MULTI_WRITE,
    STOP_MULTI_WRITE,
    Cmd,
    explain_r1,
    explain_status,
)
from maixfs.sd.device import SECTOR, Buffer, sectors_in
from maixfs.sd.errors import SdError, out_of_card
from maixfs.tuples import NamedTuple

CMD0_TRIES = 10
"""Some cards answer only the fifth CMD0; after a broken transfer one is lost to the data."""
_PAUSE = 10 * MILLISECOND
_WAKE_BYTES = 10
"""80 clocks with chip select high; 74 are needed."""
_BROKEN_BLOCK = SECTOR + 4
_ANSWER_TRIES = 3
_CHECK_MASK = 0xFFF
_STARTS_MAX = 5_000
"""Limit of ACMD41s if the clock stands still; one takes 0.8 ms at 200 kHz."""


class Identity(NamedTuple):
    """The registers of a card as a driver reads them; ``scr`` is empty if it has none."""

    kind: CardKind
    ocr: int
    csd: Csd
    cid: Cid
    scr: bytes


def initialise(exchange: Exchange, hz: int) -> Identity:
    """Initialise the card and raise the clock to ``hz``, or to the card's limit.

    Raises ``SdError`` with the command and its response if the card fails to start.
    """
    # The start must work at the slowest clock and without CRCs: the card may just have been
    # powered up, even if it was in use before.
    exchange.crc_on = False
    exchange.set_clock(INIT_HZ)
    _enter_spi(exchange)
    exchange.crc_on = _switch_crc_on(exchange)
    version2 = _check_voltage(exchange)
    mmc = not _run_initialisation(exchange, HIGH_CAPACITY if version2 else 0)
    ocr = _read_ocr(exchange)
    by_blocks = version2 and bool(ocr & HIGH_CAPACITY)
    if mmc and ocr & HIGH_CAPACITY:
        raise SdError(
            f"the MMC addresses by sectors (OCR 0x{ocr:08X}): its size is in the EXT_CSD,"
            " which this driver does not read",
            hint="MMCs up to 2 GiB work, and all SD cards",
        )
    if not by_blocks:
        # Cards of 2 GiB state blocks of 1024 bytes and may read those by default.
        answer = exchange.command(Cmd.SET_BLOCKLEN, SECTOR)
        exchange.release()
        exchange.expect_ready(answer[0], "CMD16 (block length 512)")
    csd = parse_csd(_register(exchange, Cmd.SEND_CSD, "CMD9 (CSD)"), mmc=mmc)
    cid = parse_cid(_register(exchange, Cmd.SEND_CID, "CMD10 (CID)"), mmc=mmc)
    kind = _kind(csd, mmc=mmc, version2=version2, by_blocks=by_blocks)
    scr = b"" if mmc else _read_scr(exchange)
    exchange.set_clock(max(INIT_HZ, min(hz, csd.max_hz)))
    return Identity(kind, ocr, csd, cid, scr)


def _enter_spi(exchange: Exchange) -> None:
    """Send CMD0 until the card answers that it is idle."""
    r1 = 0xFF
    for attempt in range(CMD0_TRIES):
        exchange.release(_WAKE_BYTES)
        r1 = exchange.command(Cmd.GO_IDLE)[0]
        exchange.release()
        if r1 == R1.IDLE:
            return
        if attempt:
            # The card may be in the middle of a block that a killed program never finished:
            # then it takes the rest of the block as data before it sees a command.
            exchange.select()
            exchange.transfer(b"\xff" * _BROKEN_BLOCK)
            exchange.release()
            exchange.time.sleep(_PAUSE)
    if r1 == 0xFF:
        raise SdError(
            f"no card answers: CMD0 got no response (0xFF) {CMD0_TRIES} times",
            hint="insert a card; check wiring and power; some cards have no SPI mode",
        )
    if r1 == 0x00:
        raise SdError(
            "CMD0 is answered by 0x00: the card does not go idle, or MISO is held low",
            hint="check the wiring of MISO, and whether another chip on the bus drives it",
        )
    raise SdError(
        f"CMD0: the card {explain_r1(r1)}, not 0x01 (idle)",
        hint="the line is bad or the card is defective: power it off and on",
    )


def _switch_crc_on(exchange: Exchange) -> bool:
    """Return whether the card checks CRCs from now on; a card that refuses is used without."""
    # Sent before all else, so that noise in the later commands is detected by the card.
    answer = exchange.command(Cmd.CRC_ON_OFF, 1)
    exchange.release()
    return answer[0] & ~R1.IDLE == 0


def _check_voltage(exchange: Exchange) -> bool:
    """Return whether the card is of version 2: it knows CMD8 and returns the check pattern."""
    answer = b""
    for _ in range(_ANSWER_TRIES):
        answer = exchange.command(Cmd.SEND_IF_COND, CHECK_PATTERN, 4)
        exchange.release()
        # No response may be noise; only "illegal command" shows a card of version 1.
        if answer[0] == 0xFF:
            continue
        if answer[0] & R1.ILLEGAL:
            return False
        if int.from_bytes(answer[1:], "big") & _CHECK_MASK == CHECK_PATTERN:
            return True
    if answer[0] == 0xFF:
        raise SdError("CMD8 got no response (0xFF)", hint="check power and contacts")
    raise SdError(
        f"CMD8 returns 0x{answer[1:].hex().upper()}, not 0x{CHECK_PATTERN:08X}",
        hint="the line is bad, or the card does not support 3.3 V",
    )


def _run_initialisation(exchange: Exchange, argument: int) -> bool:
    """Wait until the card is ready; return whether it is an SD card and not an MMC."""
    answer = exchange.app_command(Cmd.A_OP_COND, argument)
    exchange.release()
    if answer[0] != 0xFF and answer[0] & R1.ILLEGAL:
        # Only an MMC does not know ACMD41; it is initialised by CMD1.
        _await_ready(exchange, "CMD1", lambda: exchange.command(Cmd.SEND_OP_COND)[0])
        return False
    if answer[0]:
        _await_ready(exchange, "ACMD41", lambda: exchange.app_command(Cmd.A_OP_COND, argument)[0])
    return True


def _await_ready(exchange: Exchange, name: str, ask: Callable[[], int]) -> None:
    # Twice the limit of the specification: adapters add latency to each round.
    limit = 2 * INIT_LIMIT
    deadline = exchange.time.time() + limit
    r1 = 0xFF
    for _ in range(_STARTS_MAX):
        r1 = ask()
        exchange.release()
        if r1 == 0:
            return
        if r1 & ~R1.IDLE or exchange.time.time() > deadline:
            break
    if r1 == R1.IDLE:
        raise SdError(
            f"the card is not ready after {limit // MILLISECOND} ms ({name} still answers 0x01)",
            hint="power it off and on; if that does not help, the card is defective",
        )
    raise SdError(
        f"{name}: the card {explain_r1(r1)}",
        hint="it is neither an SD card nor an MMC, or its contacts are bad",
    )


def _read_ocr(exchange: Exchange) -> int:
    answer = exchange.command(Cmd.READ_OCR, 0, 4)
    exchange.release()
    exchange.expect_ready(answer[0], "CMD58 (OCR)")
    ocr = int.from_bytes(answer[1:], "big")
    if not ocr & POWERED_UP:
        raise SdError(
            f"CMD58 returns OCR 0x{ocr:08X}: the card has not powered up",
            hint="power it off and on",
        )
    return ocr


def _register(exchange: Exchange, number: int, what: str) -> bytes:
    """Return the 16 bytes of a register; read it again if it was damaged on the line."""
    problem: GarbledError | None = None
    for _ in range(_ANSWER_TRIES):
        try:
            exchange.expect_ready(exchange.command(number)[0], what)
            return exchange.receive(16, what)
        except GarbledError as reason:
            problem = reason
        finally:
            exchange.release()
    raise problem or GarbledError(what)


def _read_scr(exchange: Exchange) -> bytes:
    """Return the SCR, or no bytes: not every card has it, and only ``zero`` uses it."""
    try:
        exchange.expect_ready(exchange.app_command(Cmd.A_SEND_SCR)[0], "ACMD51 (SCR)")
        return exchange.receive(8, "ACMD51 (SCR)")
    except SdError:
        return b""
    finally:
        exchange.release()


def _kind(csd: Csd, *, mmc: bool, version2: bool, by_blocks: bool) -> CardKind:
    if mmc:
        return CardKind.MMC
    if not by_blocks:
        return CardKind.SDSC_V2 if version2 else CardKind.SDSC_V1
    # By capacity, since SDHC and SDXC share the version of the CSD.
    return CardKind.SDHC if csd.sectors <= CardKind.SDHC.limit else CardKind.SDXC


Outcome: TypeAlias = tuple[int, SdError | None]
"""Sectors transferred, and what stopped the transfer."""
Step: TypeAlias = Callable[[int, memoryview], Outcome]
_TRANSFER_TRIES = 3
_WORN_OUT = "the card is worn out or protects itself: save its contents, replace it"
_ERASE_MIN = 64
"""Sectors from which an erase is faster than writing zeros."""


class SpiSdCard:
    """The card on ``bus`` as a ``SectorDevice``.

    ``hz`` is the fastest clock to use; ``time`` is the clock of timeouts, by default the bus
    itself if it has ``time`` and ``sleep``, else the host's. ``kind``, ``ocr``, ``csd``, ``cid``
    and ``scr`` describe the card. Raises ``SdError`` if no card answers as one should.
    """

    def __init__(self, bus: SdBus, *, hz: int = FAST_HZ, time: BusTime | None = None) -> None:
        self._exchange = Exchange(bus, time)
        self._hz = hz
        self._start()

    def _start(self) -> None:
        """Initialise the card and read its registers."""
        identity = initialise(self._exchange, self._hz)
        self.kind, self.ocr, self.csd, self.cid, self.scr = identity
        self.sectors = self.csd.sectors
        self.read_only = self.csd.permanent_protect or self.csd.temporary_protect

    @property
    def crc_on(self) -> bool:
        """Whether the card checks the CRCs of commands and blocks (CMD59)."""
        return self._exchange.crc_on

    def read(self, sector: int, count: int) -> bytes:
        """Return ``count`` sectors."""
        self._check(sector, count)
        data = bytearray(count * SECTOR)
        self._run(sector, memoryview(data), self._read_some)
        return bytes(data)

    def readinto(self, sector: int, buffer: memoryview) -> None:
        """Fill ``buffer``, whole sectors long."""
        self._check(sector, sectors_in(len(buffer)))
        self._run(sector, buffer, self._read_some)

    def write(self, sector: int, data: Buffer) -> None:
        """Write ``data``, whole sectors long; raises ``SdError`` if the card rejects it."""
        view = memoryview(data)
        self._check(sector, sectors_in(len(view)))
        if self.read_only:
            raise error_class(SdError, errno.EROFS)(
                "the card is write-protected (CSD)",
                errno=errno.EROFS,
                hint="the protection is a register of the card: use another card",
            )
        self._run(sector, view, self._write_some)

    def zero(self, sector: int, count: int) -> None:
        """Make ``count`` sectors zero: by an erase if erased sectors read 0 by the SCR."""
        self._check(sector, count)
        if count >= _ERASE_MIN and self._erases_to_zero() and not self.read_only:
            self.erase(sector, count)
            # Some cards ignore the erase although they accept it: the ends are checked.
            ends = self.read(sector, 1) + self.read(sector + count - 1, 1)
            if not any(ends):
                return
        for at in range(sector, sector + count, _ERASE_MIN):
            self.write(at, bytes(min(_ERASE_MIN, sector + count - at) * SECTOR))

    def erase(self, sector: int, count: int) -> None:
        """Erase ``count`` sectors (CMD32, CMD33, CMD38): they read all zeros or all ones."""
        self._check(sector, count)
        if not count:
            return
        exchange = self._exchange
        what = f"erase of {count} sectors at sector {sector:#x}"
        # The three commands must follow each other; any other one cancels the erase.
        steps = (
            (Cmd.ERASE_START, self._address(sector)),
            (Cmd.ERASE_END, self._address(sector + count - 1)),
            (Cmd.ERASE, 0),
        )
        try:
            for number, argument in steps:
                r1 = exchange.command(number, argument)[0]
                exchange.expect_ready(r1, f"CMD{number:d}, {what}")
            # The range may begin and end within an allocation unit.
            units = count // AU_SECTORS + 2
            exchange.wait_ready(what, ERASE_LIMIT * units)
        finally:
            exchange.release()
        self._check_status(what)

    def sync(self) -> None:
        """Return when everything is on the card: each write has already waited for that."""

    # One transfer, and recovery if it breaks off

    def _run(self, sector: int, view: memoryview, step: Step) -> None:
        """Repeat ``step`` until all of ``view`` is transferred; transient faults are retried."""
        done = tries = 0
        count = len(view) // SECTOR
        while done < count:
            good, problem = step(sector + done, view[done * SECTOR :])
            done += good
            if problem is None:
                continue
            # Progress resets the count: only a sector that fails three times is given up.
            tries = 1 if good else tries + 1
            if tries >= _TRANSFER_TRIES or not isinstance(problem, GarbledError | CardLostError):
                raise problem
            if isinstance(problem, CardLostError):
                self._restart(problem)

    def _restart(self, problem: SdError) -> None:
        """Initialise the card again; raises ``SdError`` if it is another card."""
        # A write that went on to another card would destroy its contents.
        before = self.cid, self.sectors
        try:
            self._start()
        except SdError as reason:
            raise SdError(f"{problem}; then {reason}", hint=reason.hint) from reason
        if (self.cid, self.sectors) != before:
            raise SdError("the card was replaced by another one", hint="open it again")

    def _read_some(self, sector: int, view: memoryview) -> Outcome:
        """Read sectors until one fails."""
        exchange = self._exchange
        # A single sector by CMD17: CMD18 would need a CMD12 as well.
        many = len(view) > SECTOR
        number = Cmd.READ_MULTI if many else Cmd.READ
        good = 0
        problem: SdError | None = None
        try:
            what = f"CMD{number:d} (read) of sector {sector:#x}"
            exchange.expect_ready(exchange.command(number, self._address(sector))[0], what)
            for at in range(0, len(view), SECTOR):
                what = f"CMD{number:d} (read) of sector {sector + good:#x}"
                view[at : at + SECTOR] = exchange.receive(SECTOR, what)
                good += 1
        except SdError as reason:
            problem = reason
        self._end_transfer(stop=many)
        if problem is not None or sector + good == self.sectors:
            # A card that read ahead past its end keeps an error bit until CMD13; without this
            # the check after the next write would report it.
            exchange.command(Cmd.SEND_STATUS, 0, 1)
            exchange.release()
        return good, problem

    def _write_some(self, sector: int, view: memoryview) -> Outcome:
        """Write sectors until one fails."""
        exchange = self._exchange
        many = len(view) > SECTOR
        number = Cmd.WRITE_MULTI if many else Cmd.WRITE
        if many:
            # Pre-erase is only a hint, so the response is not checked: some cards refuse it.
            exchange.app_command(Cmd.A_PRE_ERASE, len(view) // SECTOR)
            exchange.release()
        good = 0
        problem: SdError | None = None
        what = f"CMD{number:d} (write) of sector {sector:#x}"
        try:
            exchange.expect_ready(exchange.command(number, self._address(sector))[0], what)
            token = START_MULTI_WRITE if many else START_BLOCK
            for at in range(0, len(view), SECTOR):
                what = f"CMD{number:d} (write) of sector {sector + good:#x}"
                self._send_block(token, view[at : at + SECTOR], what)
                good += 1
            if many:
                exchange.transfer(bytes([STOP_MULTI_WRITE, 0xFF]))
                exchange.wait_ready(what)
            exchange.release()
            # The data response only says that the block was received: CMD13 says if it was
            # stored.
            self._check_status(what)
        except SdError as reason:
            problem = reason
            self._end_transfer(stop=many)
        return good, self._with_status(problem)

    def _end_transfer(self, *, stop: bool) -> None:
        """Deselect the card; with ``stop`` end a transfer of many blocks first (CMD12)."""
        if stop:
            self._exchange.command(Cmd.STOP)
            self._exchange.wait_while(0x00, ERASE_LIMIT)
        self._exchange.release()

    def _send_block(self, token: int, block: memoryview, what: str) -> None:
        """Send one block and wait until it is written; raises ``SdError`` if it is rejected."""
        response = self._exchange.send(token, block)
        kind = response & RESPONSE_MASK
        if kind == ACCEPTED:
            self._exchange.wait_ready(what)
            return
        if response == 0xFF:
            raise CardLostError(
                f"{what}: no data response (0xFF)", hint="the card was removed or lost power"
            )
        message = f"{what}: the card answers the data with 0x{response:02X}"
        if kind == CRC_REJECTED:
            raise GarbledError(
                f"{message} (CRC error)", hint="the line is bad: shorter wires, a slower clock"
            )
        raise WriteRejectedError(f"{message} (write error)")

    def _with_status(self, problem: SdError | None) -> SdError | None:
        """Return the problem with the card's status, if it rejected a block."""
        if not isinstance(problem, WriteRejectedError):
            return problem
        answer = self._exchange.command(Cmd.SEND_STATUS, 0, 1)
        self._exchange.release()
        return SdError(
            f"{problem}, status {explain_status(answer[1])}",
            hint=_WORN_OUT,
        )

    def _check_status(self, what: str) -> None:
        """Raise ``SdError`` if the card reports an error after it accepted the data."""
        answer = self._exchange.command(Cmd.SEND_STATUS, 0, 1)
        self._exchange.release()
        self._exchange.expect_ready(answer[0], f"CMD13 after {what}")
        if answer[1]:
            raise SdError(
                f"{what}: the card reports {explain_status(answer[1])} (CMD13)",
                hint=_WORN_OUT,
            )

    def _erases_to_zero(self) -> bool:
        return bool(self.scr) and not unpack_register(SCR, self.scr)["DATA_STAT_AFTER_ERASE"]

    def _address(self, sector: int) -> int:
        """Return the address of a sector for this card: in sectors or in bytes."""
        return sector if self.kind.by_blocks else sector * SECTOR

    def _check(self, sector: int, count: int) -> None:
        if index(sector) < 0 or index(count) < 0 or sector + count > self.sectors:
            raise out_of_card(sector, count, self.sectors)


class WriteRejectedError(SdError):
    """The card answered a block with a write error."""
