"""A card whose bytes are not sent one by one, but whose time is counted as if they were."""

from __future__ import annotations

from maixfs.sd.clock import FAST_HZ, TYPICAL, SdTiming, TimeBase, byte_time
from maixfs.sd.device import SECTOR, Buffer, SectorDevice
from maixfs.sd.errors import SdError, SectorError
from maixfs.sd.firmware import PATIENCE, RESPONSE_BYTES
from maixfs.sd.media import zero_sectors

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
