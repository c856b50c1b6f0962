"""A card driver for any bus: initialise, read, write, erase, and come back after an accident.

    card = SpiSdCard(bus)       # any object as SdBus says: an adapter, or the simulated card
    card.read(0, 1)

Whatever the card does, every operation ends, in its data or in an ``SdError`` that says which
command, what came back and what to do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from maixfs.sd.bus import BusTime, SdBus
from maixfs.sd.card import AU_SECTORS
from maixfs.sd.clock import ERASE_LIMIT, FAST_HZ
from maixfs.sd.commands import (
    ACCEPTED,
    CRC_REJECTED,
    RESPONSE_MASK,
    START_BLOCK,
    START_MULTI_WRITE,
    STOP_MULTI_WRITE,
    Cmd,
    explain_status,
)
from maixfs.sd.device import SECTOR, Buffer
from maixfs.sd.errors import SdError, SectorError, out_of_card
from maixfs.sd.registers import SCR, take_apart
from maixfs.sd.spi_exchange import CardLostError, Exchange, GarbledError
from maixfs.sd.spi_start import start

Outcome: TypeAlias = tuple[int, SdError | None]
Step: TypeAlias = Callable[[int, memoryview], Outcome]
_TRIES = 3
_ERASE_MIN = 64
"""From how many sectors on an erase is quicker than writing zeros."""


class SpiSdCard:
    """The card on ``bus`` as a ``SectorDevice``.

    ``hz`` is the fastest clock to use; ``time`` is what to wait by: by default the bus itself
    where it has ``time`` and ``sleep``, else the host's clock. ``kind``, ``csd``, ``cid`` and
    ``crc_on`` (whether the card checks what it gets) say what was found. Raises ``SdError``
    where no card answers as one should.
    """

    def __init__(self, bus: SdBus, *, hz: int = FAST_HZ, time: BusTime | None = None) -> None:
        self._exchange = Exchange(bus, time)
        self._hz = hz
        self._start()

    def _start(self) -> None:
        """Initialise the card, which may be another than before."""
        found = start(self._exchange, self._hz)
        self.kind, self.ocr, self.csd, self.cid, self.scr = found
        self.sectors = found.csd.sectors
        self.read_only = found.csd.permanent_protect or found.csd.temporary_protect

    @property
    def crc_on(self) -> bool:
        """Whether the card checks commands and blocks, as it was asked to (CMD59)."""
        return self._exchange.crc_on

    def read(self, sector: int, count: int) -> bytes:
        """Return ``count`` sectors."""
        data = bytearray(max(0, count) * SECTOR)
        self._check(sector, count)
        self._run(sector, memoryview(data), self._read_some)
        return bytes(data)

    def readinto(self, sector: int, buffer: memoryview) -> None:
        """Fill ``buffer``, whole sectors long."""
        self._check(sector, _sectors_of(len(buffer)))
        self._run(sector, buffer, self._read_some)

    def write(self, sector: int, data: Buffer) -> None:
        """Write ``data``, whole sectors long; what the card rejects is an ``SdError``."""
        view = memoryview(data)
        self._check(sector, _sectors_of(len(view)))
        if self.read_only:
            raise SdError(
                "the card is write-protected (CSD)",
                hint="the protection is the card's own: use another card",
            )
        self._run(sector, view, self._write_some)

    def zero(self, sector: int, count: int) -> None:
        """Make ``count`` sectors zero: by an erase where the card says that erased reads 0."""
        self._check(sector, count)
        if count >= _ERASE_MIN and self._erases_to_zero() and not self.read_only:
            self.erase(sector, count)
            ends = self.read(sector, 1) + self.read(sector + count - 1, 1)
            if not any(ends):
                return
        for at in range(sector, sector + count, _ERASE_MIN):
            self.write(at, bytes(min(_ERASE_MIN, sector + count - at) * SECTOR))

    def erase(self, sector: int, count: int) -> None:
        """Let the card erase ``count`` sectors (CMD32, CMD33, CMD38): all zeros or all ones."""
        self._check(sector, count)
        if not count:
            return
        exchange = self._exchange
        what = f"erase of {count} sectors at sector {sector:#x}"
        steps = (
            (Cmd.ERASE_START, self._address(sector)),
            (Cmd.ERASE_END, self._address(sector + count - 1)),
            (Cmd.ERASE, 0),
        )
        try:
            for number, argument in steps:
                r1 = exchange.command(number, argument)[0]
                exchange.expect_ready(r1, f"CMD{number:d}, {what}")
            units = count // AU_SECTORS + 2
            exchange.wait_ready(what, ERASE_LIMIT * units)
        finally:
            exchange.release()
        self._check_status(what)

    def sync(self) -> None:
        """Return when everything is on the card: each write has waited for it already."""

    # One transfer, and what to do when it breaks off

    def _run(self, sector: int, view: memoryview, step: Step) -> None:
        """Do ``step`` until all of ``view`` is through; accidents get some more tries."""
        done = tries = 0
        count = len(view) // SECTOR
        while done < count:
            good, problem = step(sector + done, view[done * SECTOR :])
            done += good
            if problem is None:
                continue
            tries = 1 if good else tries + 1
            if tries >= _TRIES or not isinstance(problem, GarbledError | CardLostError):
                raise problem
            if isinstance(problem, CardLostError):
                self._restart(problem)

    def _restart(self, problem: SdError) -> None:
        """Initialise the card again; one that has changed meanwhile is another card."""
        before = self.cid, self.sectors
        try:
            self._start()
        except SdError as reason:
            raise SdError(f"{problem}; then {reason}", hint=reason.hint) from reason
        if (self.cid, self.sectors) != before:
            raise SdError("another card was put in", hint="open it anew")

    def _read_some(self, sector: int, view: memoryview) -> Outcome:
        """Read as many sectors as go well; return their number and what stopped it."""
        exchange = self._exchange
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
        if many:
            exchange.command(Cmd.STOP)
            exchange.wait_while(0x00, ERASE_LIMIT)
        exchange.release()
        if problem is not None or sector + good == self.sectors:
            # A card that looked past its end keeps the error bit; the next write must not see it.
            exchange.command(Cmd.SEND_STATUS, 0, 1)
            exchange.release()
        return good, problem

    def _write_some(self, sector: int, view: memoryview) -> Outcome:
        """Write as many sectors as go well; return their number and what stopped it."""
        exchange = self._exchange
        many = len(view) > SECTOR
        number = Cmd.WRITE_MULTI if many else Cmd.WRITE
        if many:
            # Only a hint for the card, so a card that refuses it is none the worse.
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
            self._check_status(what)
        except SdError as reason:
            problem = reason
            if many:
                exchange.command(Cmd.STOP)
                exchange.wait_while(0x00, ERASE_LIMIT)
            exchange.release()
        return good, self._with_status(problem)

    def _send_block(self, token: int, block: memoryview, what: str) -> None:
        """Send one block and wait until it is written; raises for any answer but 0x05."""
        response = self._exchange.send(token, block)
        kind = response & RESPONSE_MASK
        if kind == ACCEPTED:
            self._exchange.wait_ready(what)
            return
        if response == 0xFF:
            raise CardLostError(
                f"{what}: no data response (0xFF)", hint="the card was pulled out or lost power"
            )
        said = f"{what}: the card answers the data with 0x{response:02X}"
        if kind == CRC_REJECTED:
            raise GarbledError(
                f"{said} (CRC error)", hint="the line is bad: shorter wires, a slower clock"
            )
        raise WriteRejectedError(f"{said} (write error)")

    def _with_status(self, problem: SdError | None) -> SdError | None:
        """Ask the card why it rejected a block, and say it."""
        if not isinstance(problem, WriteRejectedError):
            return problem
        answer = self._exchange.command(Cmd.SEND_STATUS, 0, 1)
        self._exchange.release()
        return SdError(
            f"{problem}, status {explain_status(answer[1])}",
            hint="the card is worn out or protects itself: save what is on it, replace it",
        )

    def _check_status(self, what: str) -> None:
        """Raise ``SdError`` where the card says that what it accepted went wrong."""
        answer = self._exchange.command(Cmd.SEND_STATUS, 0, 1)
        self._exchange.release()
        self._exchange.expect_ready(answer[0], f"CMD13 after {what}")
        if answer[1]:
            raise SdError(
                f"{what}: the card reports {explain_status(answer[1])} (CMD13)",
                hint="the card is worn out or protects itself: save what is on it, replace it",
            )

    def _erases_to_zero(self) -> bool:
        return bool(self.scr) and not take_apart(SCR, self.scr)["DATA_STAT_AFTER_ERASE"]

    def _address(self, sector: int) -> int:
        """Return a sector as this card counts: by blocks or by bytes."""
        return sector if self.kind.by_blocks else sector * SECTOR

    def _check(self, sector: int, count: int) -> None:
        if sector < 0 or count < 0 or sector + count > self.sectors:
            raise out_of_card(sector, count, self.sectors)


class WriteRejectedError(SdError):
    """The card answered a block with a write error."""


def _sectors_of(length: int) -> int:
    if length % SECTOR:
        raise SectorError(f"{length} bytes are not whole sectors of {SECTOR}")
    return length // SECTOR
