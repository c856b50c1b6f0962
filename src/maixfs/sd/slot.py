"""The card slot of a board, and the card in it as the firmware reads and writes it.

``TimedSectors`` moves no byte over the bus but charges the clock what the bytes would take;
``SlotDevice`` uses it as long as the card does nothing that needs the bus.
"""

from __future__ import annotations

from maixfs.sd.card import SdCard
from maixfs.sd.clock import FAST_HZ, TYPICAL, SdClock, SdTiming, TimeBase, byte_time
from maixfs.sd.device import SECTOR, Buffer, SectorDevice, zero_sectors
from maixfs.sd.errors import SdError, SectorError
from maixfs.sd.firmware import BOOT_TRIES, PATIENCE, RESPONSE_BYTES, FirmwareSdCard
from maixfs.sd.spi_slave import SpiSdSlave

# Bytes of the firmware's exchanges, without the waits that are the card's.
_COMMAND = 6
_BLOCK = SECTOR + 2
_END = 1
_WRITE_HEAD = 2
_DATA_RESPONSE = 1


class TimedSectors:
    """``device`` as a card that the firmware's driver uses: ``clock`` is charged for the bus.

        The nanoseconds are those that ``FirmwareSdCard`` takes over ``SpiSdSlave`` with the same
    ``timing`` on a bus of ``hz``; ``stuff_byte`` is the byte after CMD12, which the driver takes
    for the response unless it is 0xFF. Errors are those of a card too: ``SdError``. A card that
    is ``too_slow`` for the driver is not one to read this way.
    """

    def __init__(
        self,
        device: SectorDevice,
        clock: TimeBase,
        timing: SdTiming = TYPICAL,
        *,
        hz: int = FAST_HZ,
        sectors: int | None = None,
        read_only: bool = False,
        stuff_byte: int = 0xFF,
    ) -> None:
        self.device = device
        self.clock = clock
        self.sectors = device.sectors if sectors is None else sectors
        self.protected = read_only or device.read_only
        self.read_only = False
        self._byte = byte_time(hz)
        self._set_costs(timing, stuff_byte)

    def _set_costs(self, timing: SdTiming, stuff_byte: int) -> None:
        """Work out the bytes of each part of an exchange."""
        ask = _COMMAND + timing.response + 1
        stop_response = 1 if stuff_byte != 0xFF else 1 + timing.response + 1
        self.too_slow = (
            max(timing.read_access, timing.next_access) > RESPONSE_BYTES * self._byte
            or timing.write_busy > PATIENCE
        )
        first = self._wait(timing.read_access) + 1 + _BLOCK
        self._refused = ask + _END
        self._read_one = ask + first + _END
        self._read_many = self._read_one + _COMMAND + stop_response + 2 * _END
        self._read_next = self._wait(timing.next_access) + 1 + _BLOCK
        self._rejected = ask + _WRITE_HEAD + _BLOCK + _DATA_RESPONSE + _END
        self._write_each = self._rejected - _END + self._wait(timing.write_busy) + 1

    def read_time(self, count: int) -> int:
        """Return nanoseconds that reading ``count`` sectors at once takes."""
        if count == 0:
            return 0
        if count == 1:
            return self._read_one * self._byte
        return (self._read_many + (count - 1) * self._read_next) * self._byte

    def write_time(self, count: int) -> int:
        """Return nanoseconds that writing ``count`` sectors takes."""
        return (count * self._write_each + 2 * _END) * self._byte if count else 0

    def read(self, sector: int, count: int) -> bytes:
        """Return ``count`` sectors."""
        self._check("read", sector, count)
        self.clock.advance(self.read_time(count))
        return self.device.read(sector, count)

    def readinto(self, sector: int, buffer: memoryview) -> None:
        """Fill ``buffer``, whole sectors long."""
        count = _sectors_of(len(buffer))
        self._check("read", sector, count)
        self.clock.advance(self.read_time(count))
        self.device.readinto(sector, buffer)

    def write(self, sector: int, data: Buffer) -> None:
        """Write ``data``, whole sectors long."""
        count = _sectors_of(memoryview(data).nbytes)
        self._check_write(sector, count)
        self.device.write(sector, data)
        self.clock.advance(self.write_time(count))

    def zero(self, sector: int, count: int) -> None:
        """Make ``count`` sectors zero; charged as the writes that the board makes of it."""
        self._check_write(sector, count)
        zero_sectors(self.device, sector, count)
        self.clock.advance(self.write_time(count))

    def sync(self) -> None:
        """Return when everything written is on the medium."""
        self.device.sync()

    def _wait(self, nanoseconds: int) -> int:
        """Return the bytes that the driver reads while the card lets it wait."""
        return -(-nanoseconds // self._byte)

    def _check_write(self, sector: int, count: int) -> None:
        self._check("write", sector, count)
        if self.protected and count:
            self.clock.advance(self._rejected * self._byte)
            raise SdError(
                f"CMD24 (write) of sector {sector:#x}: the card answers the data with 0x0D"
                " (write-protected)",
                hint="the card or its image is read-only",
            )

    def _check(self, what: str, sector: int, count: int) -> None:
        if sector >= 0 and count >= 0 and sector + count <= self.device.sectors:
            return
        self.clock.advance(self._refused * self._byte)
        raise SdError(
            f"{what} of {count} sectors at sector {sector:#x}: the card has"
            f" {self.device.sectors:#x} (parameter error)",
            hint="the card is smaller than its partition table says",
        )


def _sectors_of(length: int) -> int:
    if length % SECTOR:
        raise SectorError(f"{length} bytes are not whole sectors of {SECTOR}")
    return length // SECTOR


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
