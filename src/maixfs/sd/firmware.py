"""The card driver of the MaixPy firmware, with its omissions.

It accepts SDHC and SDXC cards and SDSC cards of version 2; it refuses older ones and MMCs. It
ignores the check pattern of CMD8, sends CMD0 once, and has no timeouts but counts (65,535 bytes
for a block, which at 25 MHz are 21 of the 100 ms that a card may take). It writes each sector
with a CMD24 of its own, never CMD25, and keeps chip select low from one sector to the next. It
reads several sectors with CMD18. It never checks a CRC.

The firmware waits for a busy card for ever; this driver raises an error after ten seconds of bus
time, since a program on the host could not be interrupted otherwise.
"""

from __future__ import annotations

from operator import index

from maixfs.sd.bus import GuardedBus, SdBus
from maixfs.sd.card import CSD_V1, CSD_V2, REGISTER_BYTES, unpack_register
from maixfs.sd.clock import FAST_HZ, INIT_HZ, SECOND, byte_time
from maixfs.sd.commands import (
    ACCEPTED,
    CHECK_PATTERN,
    CRC_BYTES,
    HIGH_CAPACITY,
    RESPONSE_MASK,
    START_BLOCK,
    Cmd,
    explain_r1,
    explain_token,
)
from maixfs.sd.device import SECTOR, Buffer, sectors_in
from maixfs.sd.errors import SdError, out_of_card

BOOT_TRIES = 3
"""Initialisations that the boot tries before it goes on without a card."""
RESPONSE_BYTES = 0xFFFF
"""Bytes that are read in wait of a response or a token."""
_LOOPS = 255
"""Rounds of CMD55 and ACMD41, and of CMD58; the firmware does not notice that they ran out."""
_NO_CRC = 0x01
_GO_IDLE_CRC, _IF_COND_CRC = 0x95, 0x87
"""CRC bytes: constants for the two commands that every card checks, a dummy for all others."""
_NOTHING = 0xFF
_WAKE_BYTES = 10
PATIENCE = 10 * SECOND
"""Nanoseconds after which a busy card is an error here; the firmware waits for ever."""
_MASK32 = 0xFFFFFFFF


class FirmwareSdCard:
    """The card on ``bus`` as the firmware uses it; a ``SectorDevice``.

    The clock of the bus is set to 200 kHz, then to 25 MHz. ``tries`` is the number of
    initialisations (the boot makes three). ``fast_sdsc`` is a build option of the firmware, on
    in all published builds: without it SDSC cards stay at 200 kHz. ``active`` is whether the
    last initialisation succeeded; ``version`` is 2 for a card addressed by sectors, else 1.
    Raises ``SdError`` with the command that failed.
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
        # As at boot: every failure is retried from the start, whatever its reason.
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
        # 80 clocks with chip select high; the card needs 74.
        self._bus.deselect()
        self._transfer(b"\xff" * _WAKE_BYTES)
        self._wake()
        ocr = self._await_ready()
        # The firmware distinguishes cards only by their addresses, not by their version.
        self.version = 2 if ocr & HIGH_CAPACITY else 1
        if self.version == 2 or self._fast_sdsc:
            self._set_clock(FAST_HZ)
        if self.version == 1:
            # Unlike after all other commands the firmware leaves chip select low here.
            self._expect("CMD16 (block length)", self._command(Cmd.SET_BLOCKLEN, SECTOR), 0)
        self.csd = self._register(Cmd.SEND_CSD, "CMD9 (CSD)")
        self.cid = self._register(Cmd.SEND_CID, "CMD10 (CID)")
        self.sectors = self._capacity() // SECTOR
        self.active = True

    def read(self, sector: int, count: int) -> bytes:
        """Return ``count`` sectors."""
        if count < 0:
            raise out_of_card(sector, count, self.sectors)
        data = bytearray(count * SECTOR)
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
            # The firmware does not skip the stuff byte after CMD12: it takes that byte for the
            # response unless it is 0xFF, and ignores it either way.
            self._command(Cmd.STOP)
            self._end()
            self._end()
        if token != START_BLOCK:
            raise SdError(
                f"{what}: the card {explain_token(token)}",
                hint=_removed(token)
                or "the card cannot read this sector: save the others, replace the card",
            )

    def write(self, sector: int, data: Buffer) -> None:
        """Write ``data``, sector by sector."""
        view = memoryview(data)
        count = self._check(sector, len(view))
        for done in range(count):
            self._write_sector(sector + done, view[done * SECTOR : (done + 1) * SECTOR])
        if count:
            # The firmware deselects twice at the end, and not at all between sectors.
            self._end()
            self._end()

    def sync(self) -> None:
        """Return when everything is on the card: each write has already waited for that."""

    def _write_sector(self, sector: int, block: memoryview) -> None:
        what = f"CMD24 (write) of sector {sector:#x}"
        self._expect(what, self._command(Cmd.WRITE, self._address(sector)), 0)
        # The firmware sends its two start bytes again as the CRC.
        start = bytes([_NOTHING, START_BLOCK])
        self._transfer(start)
        self._transfer(block)
        self._transfer(start)
        response = self._transfer(b"\xff")[0]
        if response & RESPONSE_MASK != ACCEPTED:
            self._end()
            raise SdError(
                f"{what}: the card answers the data with 0x{response:02X}",
                hint=_removed(response)
                or "the card is write-protected or worn out: use another one",
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
        """Send CMD0 and CMD8, once each."""
        r1 = self._command(Cmd.GO_IDLE, 0, _GO_IDLE_CRC)
        self._end()
        if r1 != 0x01:
            raise SdError(
                f"CMD0: the card {explain_r1(r1)}, not 0x01",
                hint=_removed(r1) or "some cards need CMD0 more often than the firmware sends it",
            )
        r1 = self._command(Cmd.SEND_IF_COND, CHECK_PATTERN, _IF_COND_CRC)
        # Voltage and check pattern are read and ignored.
        self._transfer(b"\xff" * 4)
        self._end()
        if r1 != 0x01:
            raise SdError(
                f"CMD8: the card {explain_r1(r1)}, not 0x01",
                hint="the firmware supports SD cards from version 2 on, no older ones",
            )

    def _await_ready(self) -> int:
        """Repeat ACMD41, then CMD58, and return the OCR.

        The firmware does not check whether the rounds ran out, so it goes on with a card that
        is not ready; the next command fails then.
        """
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
        # The firmware reads the CRC after the register and ignores it.
        raw = self._transfer(b"\xff" * (REGISTER_BYTES + CRC_BYTES))[:REGISTER_BYTES]
        self._end()
        return raw

    def _capacity(self) -> int:
        """Return bytes as the firmware computes them: in 32 bits, which overflow at 4 GiB.

        For a card with byte addresses the firmware ORs C_SIZE into a variable that it never
        clears, so that a second card of another size gets the bits of both.
        """
        if self.version == 2:
            fields = unpack_register(CSD_V2, self.csd)
            self._device_size = fields["C_SIZE"]
            return ((self._device_size + 1) * 1024 & _MASK32) << fields["READ_BL_LEN"]
        fields = unpack_register(CSD_V1, self.csd)
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
        """Raise ``SdError`` unless the response is ``wanted``; with ``end`` deselect first."""
        if end or r1 != wanted:
            self._end()
        if r1 != wanted:
            message = f"{what}: the card {explain_r1(r1)}, not 0x{wanted:02X}"
            raise SdError(message, hint=_removed(r1))

    def _transfer(self, tx: Buffer) -> bytes:
        return self._bus.transfer(tx)

    def _set_clock(self, hz: int) -> None:
        self.hz = hz
        self._bus.set_clock(hz)

    def _address(self, sector: int) -> int:
        """Return a command's argument, cut to 32 bits as in the firmware."""
        return (sector << 9 if self.version == 1 else sector) & _MASK32

    def _check(self, sector: int, length: int) -> int:
        """Return the sectors in ``length`` bytes.

        The firmware does not compare with the capacity: past the end the card refuses.
        """
        count = sectors_in(length)
        if index(sector) < 0:
            raise out_of_card(sector, count, self.sectors)
        return count


def _removed(byte: int) -> str | None:
    """Return the hint for a line that stays high."""
    return "no card is in the slot, or it lost power" if byte == _NOTHING else None
