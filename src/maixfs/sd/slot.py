"""The card slot of a board, and the card in it as the firmware reads and writes it.

``TimedSectors`` reads and writes the medium directly and charges the clock for the bus transfer
that it replaces, since moving each byte would cost the host far more time than the board.
``SlotDevice`` uses it as long as the card has no faults, which only the bus can show.
"""

from __future__ import annotations

import errno
from operator import index

from maixfs.errors import error_class
from maixfs.sd.card import SdCard
from maixfs.sd.clock import FAST_HZ, TYPICAL, SdClock, SdTiming, TimeBase, byte_time
from maixfs.sd.device import SECTOR, Buffer, SectorDevice, sectors_in, zero_sectors
from maixfs.sd.errors import SdError
from maixfs.sd.firmware import BOOT_TRIES, PATIENCE, RESPONSE_BYTES, FirmwareSdCard
from maixfs.sd.spi_slave import SpiSdSlave

# Bytes of the firmware's exchanges, without the waits that depend on the card.
_COMMAND = 6
_BLOCK = SECTOR + 2
_END = 1
_WRITE_HEAD = 2
_DATA_RESPONSE = 1


class TimedSectors:
    """``device`` as a card under the firmware's driver, without moving bytes over a bus.

    ``clock`` is charged the nanoseconds that ``FirmwareSdCard`` takes over ``SpiSdSlave`` with
    the same ``timing`` on a bus of ``hz``; a test holds the two equal. ``stuff_byte`` is the
    byte after CMD12, which the driver takes for the response unless it is 0xFF. Errors are those
    of a card: ``SdError``. If ``too_slow`` is true the driver would fail where this does not.
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
        # The firmware does not read the protection: it writes, and the card refuses.
        self.read_only = False
        self._byte = byte_time(hz)
        self._set_costs(timing, stuff_byte)

    def _set_costs(self, timing: SdTiming, stuff_byte: int) -> None:
        """Compute the bytes of each part of an exchange, once: reads and writes are frequent."""
        ask = _COMMAND + timing.response + 1
        # A stuff byte of 0xFF looks like "no response yet", so the driver reads the real response
        # after it; any other value it takes for the response.
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
        """Return the nanoseconds of reading ``count`` sectors at once."""
        if count == 0:
            return 0
        if count == 1:
            return self._read_one * self._byte
        return (self._read_many + (count - 1) * self._read_next) * self._byte

    def write_time(self, count: int) -> int:
        """Return the nanoseconds of writing ``count`` sectors."""
        return (count * self._write_each + 2 * _END) * self._byte if count else 0

    def read(self, sector: int, count: int) -> bytes:
        """Return ``count`` sectors."""
        self._check("read", sector, count)
        self.clock.advance(self.read_time(count))
        return self.device.read(sector, count)

    def readinto(self, sector: int, buffer: memoryview) -> None:
        """Fill ``buffer``, whole sectors long."""
        count = sectors_in(len(buffer))
        self._check("read", sector, count)
        self.clock.advance(self.read_time(count))
        self.device.readinto(sector, buffer)

    def write(self, sector: int, data: Buffer) -> None:
        """Write ``data``, whole sectors long."""
        count = sectors_in(memoryview(data).nbytes)
        self._check_write(sector, count)
        self.device.write(sector, data)
        self.clock.advance(self.write_time(count))

    def zero(self, sector: int, count: int) -> None:
        """Make ``count`` sectors zero; the clock is charged for writing them, as on the board."""
        self._check_write(sector, count)
        zero_sectors(self.device, sector, count)
        self.clock.advance(self.write_time(count))

    def sync(self) -> None:
        """Return when everything written is on the medium."""
        self.device.sync()

    def _wait(self, nanoseconds: int) -> int:
        """Return the bytes that the driver reads during a wait for the card."""
        return -(-nanoseconds // self._byte)

    def _check_write(self, sector: int, count: int) -> None:
        self._check("write", sector, count)
        if self.protected and count:
            self.clock.advance(self._rejected * self._byte)
            raise error_class(SdError, errno.EROFS)(
                f"CMD24 (write) of sector {sector:#x}: the card answers the data with 0x0D"
                " (write-protected)",
                errno=errno.EROFS,
                hint="the card or its image is read-only",
            )

    def _check(self, what: str, sector: int, count: int) -> None:
        if sector >= 0 and count >= 0 and sector + count <= self.device.sectors:
            return
        where = f"{index(sector):#x}"
        self.clock.advance(self._refused * self._byte)
        raise SdError(
            f"{what} of {count} sectors at sector {where}: the card has"
            f" {self.device.sectors:#x} (parameter error)",
            errno=errno.EINVAL,
            hint="the card is smaller than its partition table says",
        )


class SdSlot:
    """A card slot, empty at first.

    ``base`` is the board's clock, which is charged for reads and writes. It is not charged for
    initialisations: the firmware runs them on its second core while the first one boots;
    ``init_time`` is the duration of the last one (ns). The board has no card-detect pin: a card
    that is inserted under power is found by the next ``init``, and after a removal the next
    operation fails.
    """

    def __init__(self, base: TimeBase | None = None) -> None:
        self._time = _SlotTime(base or SdClock())
        self._slave: SpiSdSlave | None = None
        self._driver: FirmwareSdCard | None = None
        self.card: SdCard | None = None
        self.device: SlotDevice | None = None
        self.init_time = 0

    def insert(self, card: SdCard | SectorDevice) -> SdCard:
        """Insert a card; a plain ``SectorDevice`` becomes a card of its size.

        Raises ``SdError`` if the slot has one already.
        """
        if self.card is not None:
            message = "the slot has a card already"
            raise SdError(message, errno=errno.EBUSY, hint="remove it first")
        self.card = card if isinstance(card, SdCard) else SdCard(card)
        self._slave = SpiSdSlave(self.card, self._time)
        return self.card

    def remove(self) -> SdCard | None:
        """Remove the card and return it; devices that ``init`` returned fail from now on."""
        card, self.card = self.card, None
        self._lose_device()
        if self._slave is not None:
            self._slave.remove()
            self._slave = None
        return card

    def power_on(self) -> None:
        """Switch the power on: the card starts in its initial state."""
        self._lose_device()
        if self._slave is not None:
            self._slave.power_cycle()

    def init(self, tries: int = BOOT_TRIES) -> SlotDevice:
        """Initialise the card as the firmware does and return it as a ``SectorDevice``.

        An earlier device of the slot fails from now on. Raises ``SdError`` if the slot is empty
        or the card fails to start.
        """
        self._lose_device()
        start = self._time.now
        # The bus needs the time to pass for its timeouts, but the board does not wait for it.
        self._time.second_core = True
        bus = self._slave or _EmptySlot(SdClock(self._time))
        try:
            driver = FirmwareSdCard(bus, tries=tries)
        finally:
            self._time.second_core = False
            self.init_time = self._time.now - start
        assert self.card is not None  # with an empty slot the driver has raised
        self.device = SlotDevice(driver, self.card, self._time)
        return self.device

    def _lose_device(self) -> None:
        if self.device is not None:
            self.device.lose()
            self.device = None


class SlotDevice:
    """The card in a slot, as the firmware's driver reads and writes it; a ``SectorDevice``.

    A card without faults and within the driver's limits is accessed through ``TimedSectors``;
    any other card byte by byte over the bus, so that its behaviour shows. After ``lose`` every
    operation raises ``SdError``.
    """

    def __init__(self, driver: FirmwareSdCard, card: SdCard, time: TimeBase) -> None:
        self.driver = driver
        self.card = card
        self.sectors = driver.sectors
        self.read_only = False
        self.lost = False
        self._time = time
        self._timed = TimedSectors(
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
        return self._access("read", sector).read(sector, count)

    def readinto(self, sector: int, buffer: memoryview) -> None:
        """Fill ``buffer``, whole sectors long."""
        self._access("read", sector).readinto(sector, buffer)

    def write(self, sector: int, data: Buffer) -> None:
        """Write ``data``, whole sectors long."""
        self._access("write", sector).write(sector, data)

    def zero(self, sector: int, count: int) -> None:
        """Make ``count`` sectors zero."""
        zero_sectors(self._access("write", sector), sector, count)

    def sync(self) -> None:
        """Sync the medium of the card; after a removal there is nothing to sync."""
        if not self.lost:
            self.card.medium.sync()

    def _access(self, what: str, sector: int) -> SectorDevice:
        """Return the device that performs an operation now; raises ``SdError`` after ``lose``."""
        if self.lost:
            # The driver waits for a response as long as it does without a card.
            self._time.advance((_COMMAND + RESPONSE_BYTES + 1) * byte_time(FAST_HZ))
            raise SdError(
                f"{what} of sector {sector:#x}: the card does not answer (0xFF)",
                hint="it was removed: insert it and power the board off and on",
            )
        # Asked at each access: faults may be switched on while the card is in use.
        over_the_bus = self.card.faults or self._timed.too_slow
        return self.driver if over_the_bus else self._timed


class _SlotTime:
    """The clock of a board plus the time that passed on the second core only."""

    def __init__(self, base: TimeBase) -> None:
        self._base = base
        self._spent = 0
        self.second_core = False

    @property
    def now(self) -> int:
        """Nanoseconds since power-on; never decreases."""
        return self._base.now + self._spent

    def advance(self, nanoseconds: int) -> None:
        """Let time pass, for the board or on the second core only."""
        if self.second_core:
            self._spent += nanoseconds
        else:
            self._base.advance(nanoseconds)


class _EmptySlot:
    """A bus without a card: the pull-up keeps MISO high."""

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
