"""The MaixPy firmware's own card driver, with what it does and what it leaves out.

It takes SDHC, SDXC and SDSC cards of version 2; older ones and MMCs it refuses. It does not
look at the echo of CMD8, sends CMD0 once, has no limit but counts (65,535 bytes for a block, which
at 25 MHz are 21 ms of the 100 that a card may take), writes each sector by a CMD24
of its own, never by CMD25, keeps chip select low from one sector to the next, reads many by
CMD18, never checks a CRC, and takes an error token for a failure like any other.

Where the firmware would wait for ever, for a card that stays busy, this driver gives up after
ten seconds of bus time and says so.
"""

from __future__ import annotations

from maixfs.sd.bus import GuardedBus, SdBus
from maixfs.sd.card import CSD_V1, CSD_V2, take_apart
from maixfs.sd.clock import FAST_HZ, INIT_HZ, SECOND, byte_time
from maixfs.sd.commands import (
    ACCEPTED,
    CHECK_PATTERN,
    HIGH_CAPACITY,
    RESPONSE_MASK,
    START_BLOCK,
    Cmd,
    explain_r1,
    explain_token,
)
from maixfs.sd.device import SECTOR, Buffer
from maixfs.sd.errors import SdError, SectorError

BOOT_TRIES = 3
"""Initialisations before the boot goes on without a card."""
RESPONSE_BYTES = 0xFFFF
"""Bytes that are read for a response or a token that does not come."""
_LOOPS = 255
"""Most rounds of CMD55 and ACMD41, and of CMD58; running out of them goes unnoticed."""
_NO_CRC = 0x01
_GO_IDLE_CRC, _IF_COND_CRC = 0x95, 0x87
_NOTHING = 0xFF
_WAKE_BYTES = 10
PATIENCE = 10 * SECOND
"""Nanoseconds after which a busy card is given up here; the firmware never does."""
_MASK32 = 0xFFFFFFFF


class FirmwareSdCard:
    """The card on ``bus`` as the firmware sees it, a ``SectorDevice``.

    The bus is the board's: its clock is set to 200 kHz, then 25 MHz. ``tries`` are the
    initialisations (the boot makes three); ``fast_sdsc`` is a build option of the firmware that
    its published builds all have: without it SDSC cards stay at 200 kHz. ``active`` says whether
    the last initialisation went well, ``version`` is 2 for a card with block addresses, else 1.
    Raises ``SdError`` with the command at which the firmware gives up.
    """

    read_only = False

    def __init__(self, bus: SdBus, *, tries: int = BOOT_TRIES, fast_sdsc: bool = True) -> None:
        self._bus = GuardedBus(bus)
        self._fast_sdsc = fast_sdsc
        self._device_size = 0
        self.version = 0
        self.sectors = 0
        self.active = False
        self.csd = self.cid = b""
        self.hz = INIT_HZ
        for left in reversed(range(tries)):
            try:
                self.init()
            except SdError:
                if not left:
                    raise
            else:
                return

    def init(self) -> None:
        """Initialise the card once, as ``ioctl`` 1 of the firmware does too."""
        self.active = False
        self._set_clock(INIT_HZ)
        self._bus.deselect()
        self._transfer(b"\xff" * _WAKE_BYTES)
        self._wake()
        ocr = self._await_ready()
        self.version = 2 if ocr & HIGH_CAPACITY else 1
        if self.version == 2 or self._fast_sdsc:
            self._set_clock(FAST_HZ)
        if self.version == 1:
            # Chip select stays low after this one.
            self._expect("CMD16 (block length)", self._command(Cmd.SET_BLOCKLEN, SECTOR), 0)
        self.csd = self._register(Cmd.SEND_CSD, "CMD9 (CSD)")
        self.cid = self._register(Cmd.SEND_CID, "CMD10 (CID)")
        self.sectors = self._capacity() // SECTOR
        self.active = True

    def read(self, sector: int, count: int) -> bytes:
        """Return ``count`` sectors."""
        data = bytearray(max(0, count) * SECTOR)
        self.readinto(sector, memoryview(data))
        return bytes(data)

    def readinto(self, sector: int, buffer: memoryview) -> None:
        """Fill ``buffer``, by CMD17 for one sector and by CMD18 for more."""
        count = self._check(sector, len(buffer))
        if not count:
            return
        number = Cmd.READ if count == 1 else Cmd.READ_MULTI
        what = f"CMD{number:d} (read) of sector {sector:#x}"
        self._expect(what, self._command(number, self._address(sector)), 0)
        for at in range(0, len(buffer), SECTOR):
            token = self._response()
            if token != START_BLOCK:
                what = f"CMD{number:d} (read) of sector {sector + at // SECTOR:#x}"
                break
            buffer[at : at + SECTOR] = self._transfer(b"\xff" * SECTOR)
            self._transfer(b"\xff\xff")
        self._end()
        if count > 1:
            # The stuff byte after CMD12 passes for its response unless it happens to be 0xFF.
            self._command(Cmd.STOP)
            self._end()
            self._end()
        if token != START_BLOCK:
            raise SdError(
                f"{what}: the card {explain_token(token)}",
                hint=_gone(token) or "it cannot read what is there: save the rest, replace it",
            )

    def write(self, sector: int, data: Buffer) -> None:
        """Write ``data``, sector by sector."""
        view = memoryview(data)
        count = self._check(sector, len(view))
        for index in range(count):
            self._write_sector(sector + index, view[index * SECTOR : (index + 1) * SECTOR])
        if count:
            self._end()
            self._end()

    def sync(self) -> None:
        """Return when everything is on the card: each write has waited for it already."""

    def _write_sector(self, sector: int, block: memoryview) -> None:
        what = f"CMD24 (write) of sector {sector:#x}"
        self._expect(what, self._command(Cmd.WRITE, self._address(sector)), 0)
        start = bytes([_NOTHING, START_BLOCK])
        self._transfer(start)
        self._transfer(block)
        self._transfer(start)  # for the CRC that nobody checks
        response = self._transfer(b"\xff")[0]
        if response & RESPONSE_MASK != ACCEPTED:
            self._end()
            raise SdError(
                f"{what}: the card answers the data with 0x{response:02X}",
                hint=_gone(response) or "it is write-protected or worn out: use another card",
            )
        count, byte = self._bus.skip(0x00, PATIENCE // byte_time(self.hz))
        if byte == 0x00:
            self._end()
            raise SdError(
                f"{what}: the card is still busy after {count} bytes (MISO 0x00)",
                hint="the firmware would wait for ever: power the board off and on",
            )

    # Initialisation

    def _wake(self) -> None:
        """Send CMD0 and CMD8, one time each."""
        r1 = self._command(Cmd.GO_IDLE, 0, _GO_IDLE_CRC)
        self._end()
        if r1 != 0x01:
            raise SdError(
                f"CMD0: the card {explain_r1(r1)}, not 0x01",
                hint=_gone(r1) or "some cards need CMD0 more often than the firmware sends it",
            )
        r1 = self._command(Cmd.SEND_IF_COND, CHECK_PATTERN, _IF_COND_CRC)
        self._transfer(b"\xff" * 4)
        self._end()
        if r1 != 0x01:
            raise SdError(
                f"CMD8: the card {explain_r1(r1)}, not 0x01",
                hint="the firmware knows SD cards from version 2 on; older ones it refuses",
            )

    def _await_ready(self) -> int:
        """Go through the rounds of ACMD41 and CMD58 and return the OCR, ready or not."""
        r1 = 0x01
        for _ in range(_LOOPS):
            self._expect("CMD55", self._command(Cmd.APP), 0x01, end=True)
            r1 = self._command(Cmd.A_OP_COND, HIGH_CAPACITY)
            self._end()
            if r1 == 0x00:
                break
        ocr = 0
        for _ in range(_LOOPS):
            r1 = self._command(Cmd.READ_OCR)
            ocr = int.from_bytes(self._transfer(b"\xff" * 4), "big")
            self._end()
            if r1 == 0x00:
                break
        return ocr

    def _register(self, number: int, what: str) -> bytes:
        self._expect(what, self._command(number), 0)
        token = self._response()
        if token != START_BLOCK:
            self._end()
            raise SdError(f"{what}: the card {explain_token(token)}")
        raw = self._transfer(b"\xff" * 18)[:16]
        self._end()
        return raw

    def _capacity(self) -> int:
        """Return bytes as the firmware computes them: with 32 bits where it has no more.

        For a card with byte addresses it sets bits of a number that it never clears, so a second
        card of another size gets the bits of both.
        """
        if self.version == 2:
            fields = take_apart(CSD_V2, self.csd)
            self._device_size = fields["C_SIZE"]
            return ((self._device_size + 1) * 1024 & _MASK32) << fields["READ_BL_LEN"]
        fields = take_apart(CSD_V1, self.csd)
        self._device_size |= fields["C_SIZE"]
        shift = fields["C_SIZE_MULT"] + 2 + fields["READ_BL_LEN"]
        return self._device_size + 1 << shift & _MASK32

    # Bytes

    def _command(self, number: int, argument: int = 0, crc: int = _NO_CRC) -> int:
        """Select the card, send a command and return its response; the card stays selected."""
        self._bus.select()
        self._transfer(bytes([0x40 | number]) + argument.to_bytes(4, "big") + bytes([crc]))
        return self._response()

    def _response(self) -> int:
        return self._bus.skip(_NOTHING, RESPONSE_BYTES)[1]

    def _end(self) -> None:
        self._bus.deselect()
        self._transfer(b"\xff")

    def _expect(self, what: str, r1: int, wanted: int, *, end: bool = False) -> None:
        """Raise for another response than the one that is wanted; ``end``: deselect first."""
        if end or r1 != wanted:
            self._end()
        if r1 != wanted:
            raise SdError(f"{what}: the card {explain_r1(r1)}, not 0x{wanted:02X}", hint=_gone(r1))

    def _transfer(self, tx: Buffer) -> bytes:
        return self._bus.transfer(tx)

    def _set_clock(self, hz: int) -> None:
        self.hz = hz
        self._bus.set_clock(hz)

    def _address(self, sector: int) -> int:
        """Return a command's argument, of which 32 bits remain."""
        return (sector << 9 if self.version == 1 else sector) & _MASK32

    def _check(self, sector: int, length: int) -> int:
        """Return sectors in ``length`` bytes; the firmware does not look at the capacity."""
        if sector < 0 or length % SECTOR:
            raise SectorError(f"{length} bytes at sector {sector} are not whole sectors")
        return length // SECTOR


def _gone(byte: int) -> str | None:
    """Return the hint for a line that stays high."""
    return "no card is in the slot, or it lost power" if byte == _NOTHING else None
