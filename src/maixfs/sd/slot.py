"""The card slot of a board, and what becomes of the device when the card is pulled out."""

from __future__ import annotations

from maixfs.sd.card import SdCard
from maixfs.sd.clock import FAST_HZ, SdClock, TimeBase, byte_time
from maixfs.sd.device import Buffer, SectorDevice
from maixfs.sd.errors import SdError
from maixfs.sd.firmware import BOOT_TRIES, RESPONSE_BYTES, FirmwareSdCard
from maixfs.sd.media import zero_sectors
from maixfs.sd.spi_slave import SpiSdSlave
from maixfs.sd.timed import TimedSectors

_COMMAND = 6


class SdSlot:
    """A slot, empty at first.

    ``base`` is the board's clock, which reads and writes are charged to. An initialisation is
    not: the firmware does it on its second core while the first one boots. How long that took
    is in ``init_time`` (ns). There is no pin that would tell the board of a card: one that is
    put in while the power is on is found by the next ``init``, one that is pulled out by the
    next operation, which fails.
    """

    def __init__(self, base: TimeBase | None = None) -> None:
        self._time = _AheadTime(base or SdClock())
        self._slave: SpiSdSlave | None = None
        self._driver: FirmwareSdCard | None = None
        self.card: SdCard | None = None
        self.device: SlotDevice | None = None
        self.init_time = 0

    def insert(self, card: SdCard | SectorDevice) -> SdCard:
        """Put a card in; a plain ``SectorDevice`` becomes the card of its size.

        Raises ``SdError`` where one is in already.
        """
        if self.card is not None:
            raise SdError("a card is in the slot already", hint="take it out first")
        self.card = card if isinstance(card, SdCard) else SdCard(card)
        self._slave = SpiSdSlave(self.card, self._time)
        return self.card

    def remove(self) -> SdCard | None:
        """Pull the card out and return it; what was given out as its device fails from now on."""
        card, self.card = self.card, None
        self._lose_device()
        if self._slave is not None:
            self._slave.remove()
            self._slave = None
        return card

    def power_on(self) -> None:
        """Give the board power: the card starts anew and knows nothing of before."""
        self._lose_device()
        if self._slave is not None:
            self._slave.power_cycle()

    def init(self, tries: int = BOOT_TRIES) -> SlotDevice:
        """Initialise the card as the firmware does and return it as a ``SectorDevice``.

        An earlier device of the slot fails from now on. Raises ``SdError`` where no card is in
        or the firmware gives it up.
        """
        self._lose_device()
        start = self._time.now
        self._time.ahead = True
        bus = self._slave or _EmptySlot(SdClock(self._time))
        try:
            driver = FirmwareSdCard(bus, tries=tries)
        finally:
            self._time.ahead = False
            self.init_time = self._time.now - start
        assert self.card is not None  # an empty slot has raised
        self.device = SlotDevice(driver, self.card, self._time)
        return self.device

    def _lose_device(self) -> None:
        if self.device is not None:
            self.device.lose()
            self.device = None


class SlotDevice:
    """The card in a slot, as the firmware's driver reads and writes it; a ``SectorDevice``.

    A card without faults that is no slower than the driver's limits takes the quick way, with
    the time of the slow one. After ``lose`` every operation raises ``SdError``.
    """

    def __init__(self, driver: FirmwareSdCard, card: SdCard, time: TimeBase) -> None:
        self.driver = driver
        self.card = card
        self.sectors = driver.sectors
        self.read_only = False
        self.lost = False
        self._time = time
        self._quick = TimedSectors(
            card.medium,
            time,
            card.timing,
            hz=driver.hz,
            sectors=driver.sectors,
            read_only=card.write_protected,
        )

    def lose(self) -> None:
        """Fail from now on."""
        self.lost = True

    def read(self, sector: int, count: int) -> bytes:
        """Return ``count`` sectors."""
        return self._way(f"read of sector {sector:#x}").read(sector, count)

    def readinto(self, sector: int, buffer: memoryview) -> None:
        """Fill ``buffer``, whole sectors long."""
        self._way(f"read of sector {sector:#x}").readinto(sector, buffer)

    def write(self, sector: int, data: Buffer) -> None:
        """Write ``data``, whole sectors long."""
        self._way(f"write of sector {sector:#x}").write(sector, data)

    def zero(self, sector: int, count: int) -> None:
        """Make ``count`` sectors zero."""
        zero_sectors(self._way(f"write of sector {sector:#x}"), sector, count)

    def sync(self) -> None:
        """Have the card's medium keep what was written; a lost card has nothing to keep."""
        if not self.lost:
            self.card.medium.sync()

    def _way(self, what: str) -> SectorDevice:
        """Return what does an operation; the driver waits long for a card that is gone."""
        if self.lost:
            self._time.advance((_COMMAND + RESPONSE_BYTES + 1) * byte_time(FAST_HZ))
            raise SdError(
                f"{what}: the card does not answer (0xFF)",
                hint="it was pulled out: put it back and power the board off and on",
            )
        slow = self.card.faults or self._quick.too_slow
        return self.driver if slow else self._quick


class _AheadTime:
    """A board's clock with what passed beside it, on the second core."""

    def __init__(self, base: TimeBase) -> None:
        self._base = base
        self._spent = 0
        self.ahead = False

    @property
    def now(self) -> int:
        """Nanoseconds, never fewer than before."""
        return self._base.now + self._spent

    def advance(self, nanoseconds: int) -> None:
        """Let time pass, on the board or beside it."""
        if self.ahead:
            self._spent += nanoseconds
        else:
            self._base.advance(nanoseconds)


class _EmptySlot:
    """A bus with nothing on it: MISO is pulled up."""

    def __init__(self, clock: SdClock) -> None:
        self._clock = clock

    def set_clock(self, hz: int) -> None:
        self._clock.set_hz(hz)

    def select(self) -> None:
        return

    def deselect(self) -> None:
        return

    def transfer(self, tx: Buffer) -> bytes:
        self._clock.spend(len(tx))
        return b"\xff" * len(tx)

    def skip(self, value: int, limit: int) -> tuple[int, int]:
        count = limit if value == 0xFF else 1
        self._clock.spend(count)
        return count, 0xFF
