"""Waking a card in SPI mode: what it is, how large, and that it is ready.

SD Physical Layer Simplified Specification, section 7.2.1 and figure 7-2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from maixfs.sd.card import CardKind
from maixfs.sd.clock import INIT_HZ, INIT_LIMIT, MILLISECOND
from maixfs.sd.commands import (
    CHECK_PATTERN,
    HIGH_CAPACITY,
    POWERED_UP,
    R1,
    Cmd,
    explain_r1,
)
from maixfs.sd.device import SECTOR
from maixfs.sd.errors import SdError
from maixfs.sd.registers import Cid, Csd, parse_cid, parse_csd
from maixfs.sd.spi_exchange import Exchange, GarbledError

CMD0_TRIES = 10
"""Some cards answer only the fifth CMD0; one after a broken transfer takes a block more."""
_PAUSE = 10 * MILLISECOND
_WAKE_BYTES = 10
"""80 clocks with chip select high; 74 are needed."""
_BROKEN_BLOCK = SECTOR + 4
_TRIES = 3
_CHECK_MASK = 0xFFF
_STARTS_MAX = 5_000
"""Most ACMD41s; one takes 0.8 ms at 200 kHz, so time ends first unless it stands still."""


class Identity(NamedTuple):
    """What a card says of itself. ``scr`` is empty where it has none."""

    kind: CardKind
    ocr: int
    csd: Csd
    cid: Cid
    scr: bytes


def start(exchange: Exchange, hz: int) -> Identity:
    """Initialise the card and raise the clock to ``hz``, or what the card stands.

    Raises ``SdError`` for a card that does not do its part, with the command and its answer.
    """
    exchange.crc_on = False
    exchange.set_clock(INIT_HZ)
    _enter_spi(exchange)
    exchange.crc_on = _switch_crc_on(exchange)
    version2 = _check_voltage(exchange)
    mmc = not _initialise(exchange, HIGH_CAPACITY if version2 else 0)
    ocr = _read_ocr(exchange)
    by_blocks = version2 and bool(ocr & HIGH_CAPACITY)
    if mmc and ocr & HIGH_CAPACITY:
        raise SdError(
            f"the MMC addresses by sectors (OCR 0x{ocr:08X}), its size cannot be asked for here",
            hint="MMCs up to 2 GiB work, and all SD cards",
        )
    if not by_blocks:
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
    """Send CMD0 until the card says that it is idle."""
    r1 = 0xFF
    for attempt in range(CMD0_TRIES):
        exchange.release(_WAKE_BYTES)
        r1 = exchange.command(Cmd.GO_IDLE)[0]
        exchange.release()
        if r1 == R1.IDLE:
            return
        if attempt:
            # It may be in the middle of a block that another program never finished.
            exchange.select()
            exchange.transfer(b"\xff" * _BROKEN_BLOCK)
            exchange.release()
            exchange.time.sleep(_PAUSE)
    if r1 == 0xFF:
        raise SdError(
            f"no card answers: CMD0 got no response (0xFF) {CMD0_TRIES} times",
            hint="put a card in; look at wiring and power; some cards have no SPI mode at all",
        )
    if r1 == 0x00:
        raise SdError(
            "CMD0 is answered by 0x00: the card does not go idle, or MISO is held low",
            hint="look at the wiring of MISO, and whether another chip on the bus drives it",
        )
    raise SdError(
        f"CMD0: the card {explain_r1(r1)}, not 0x01 (idle)",
        hint="the line is bad, or the card is broken: power it off and on",
    )


def _switch_crc_on(exchange: Exchange) -> bool:
    """Return whether the card checks from now on; one that refuses is used without."""
    answer = exchange.command(Cmd.CRC_ON_OFF, 1)
    exchange.release()
    return answer[0] & ~R1.IDLE == 0


def _check_voltage(exchange: Exchange) -> bool:
    """Return whether the card is one of version 2, which knows CMD8 and gives its pattern back."""
    answer = b""
    for _ in range(_TRIES):
        answer = exchange.command(Cmd.SEND_IF_COND, CHECK_PATTERN, 4)
        exchange.release()
        if answer[0] == 0xFF:
            continue
        if answer[0] & R1.ILLEGAL:
            return False
        if int.from_bytes(answer[1:], "big") & _CHECK_MASK == CHECK_PATTERN:
            return True
    if answer[0] == 0xFF:
        raise SdError("CMD8 got no response (0xFF)", hint="look at power and contacts")
    raise SdError(
        f"CMD8 sends back 0x{answer[1:].hex().upper()}, not 0x{CHECK_PATTERN:08X}",
        hint="the line is bad, or the card does not stand 3.3 V",
    )


def _initialise(exchange: Exchange, argument: int) -> bool:
    """Wait until the card is ready; return whether it is an SD card, not an MMC."""
    answer = exchange.app_command(Cmd.A_OP_COND, argument)
    exchange.release()
    if answer[0] != 0xFF and answer[0] & R1.ILLEGAL:
        _await_ready(exchange, "CMD1", lambda: exchange.command(Cmd.SEND_OP_COND)[0])
        return False
    if answer[0]:
        _await_ready(exchange, "ACMD41", lambda: exchange.app_command(Cmd.A_OP_COND, argument)[0])
    return True


def _await_ready(exchange: Exchange, name: str, ask: Callable[[], int]) -> None:
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
            hint="power it off and on; if that does not help, it is broken",
        )
    raise SdError(
        f"{name}: the card {explain_r1(r1)}",
        hint="this is neither an SD card nor an MMC, or its contacts are bad",
    )


def _read_ocr(exchange: Exchange) -> int:
    answer = exchange.command(Cmd.READ_OCR, 0, 4)
    exchange.release()
    exchange.expect_ready(answer[0], "CMD58 (OCR)")
    ocr = int.from_bytes(answer[1:], "big")
    if not ocr & POWERED_UP:
        raise SdError(
            f"CMD58 gives OCR 0x{ocr:08X}: the card says that it has not powered up",
            hint="power it off and on",
        )
    return ocr


def _register(exchange: Exchange, number: int, what: str) -> bytes:
    """Return the 16 bytes of a register, once more where they came damaged."""
    problem: GarbledError | None = None
    for _ in range(_TRIES):
        try:
            exchange.expect_ready(exchange.command(number)[0], what)
            return exchange.receive(16, what)
        except GarbledError as reason:
            problem = reason
        finally:
            exchange.release()
    raise problem or GarbledError(what)


def _read_scr(exchange: Exchange) -> bytes:
    """Return the SCR, or nothing: not every card gives it, and nobody depends on it."""
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
    return CardKind.SDHC if csd.sectors <= CardKind.SDHC.limit else CardKind.SDXC
