"""Devices of 512-byte sectors: the interface of file systems, and windows into a device."""

from __future__ import annotations

from typing import Protocol, TypeAlias

from maixfs.sd.errors import out_of_card, partial_sector

Buffer: TypeAlias = bytes | bytearray | memoryview

SECTOR = 512
"""Bytes of a sector: of every SD card's in SPI mode, and the only size that the firmware knows."""
_ZERO_RUN = 128
"""Sectors of zeros that are written at once: 64 KiB."""
_ZEROS = memoryview(bytes(_ZERO_RUN * SECTOR))


class SectorDevice(Protocol):
    """A card, or anything else that is read and written in sectors of 512 bytes.

    Sectors are counted from the start of the device. Every method raises ``SectorError`` if
    sectors lie past the end or the medium fails, and ``write`` also if it is read-only.
    """

    @property
    def sectors(self) -> int:
        """Capacity in sectors."""

    @property
    def read_only(self) -> bool:
        """Whether ``write`` is refused."""

    def read(self, sector: int, count: int) -> bytes:
        """Return ``count`` sectors."""

    def readinto(self, sector: int, buffer: memoryview) -> None:
        """Fill ``buffer``, whole sectors long, without an intermediate copy if possible."""

    def write(self, sector: int, data: Buffer) -> None:
        """Write ``data``, whole sectors long."""

    def sync(self) -> None:
        """Return when everything written is on the medium."""


class SectorWindow:
    """The ``sectors`` sectors of ``device`` from ``start`` on, as a device of their own.

    Raises ``SectorError`` if they reach past the end of the device.
    """

    def __init__(self, device: SectorDevice, start: int, sectors: int) -> None:
        if start < 0 or sectors <= 0 or start + sectors > device.sectors:
            raise out_of_card(start, sectors, device.sectors)
        self.device = device
        self.start = start
        self.sectors = sectors

    @property
    def read_only(self) -> bool:
        """Whether ``write`` is refused."""
        return self.device.read_only

    def read(self, sector: int, count: int) -> bytes:
        """Return ``count`` sectors."""
        self._check(sector, count)
        return self.device.read(self.start + sector, count)

    def readinto(self, sector: int, buffer: memoryview) -> None:
        """Fill ``buffer``, whole sectors long."""
        self._check(sector, sectors_in(buffer.nbytes))
        self.device.readinto(self.start + sector, buffer)

    def write(self, sector: int, data: Buffer) -> None:
        """Write ``data``, whole sectors long."""
        self._check(sector, sectors_in(memoryview(data).nbytes))
        self.device.write(self.start + sector, data)

    def zero(self, sector: int, count: int) -> None:
        """Make ``count`` sectors zero."""
        self._check(sector, count)
        zero_sectors(self.device, self.start + sector, count)

    def sync(self) -> None:
        """Return when everything written is on the medium."""
        self.device.sync()

    def _check(self, sector: int, count: int) -> None:
        if sector < 0 or count < 0 or sector + count > self.sectors:
            raise out_of_card(sector, count, self.sectors)


def sectors_in(length: int) -> int:
    """Return the sectors in ``length`` bytes; raises ``SectorError`` for a part of a sector."""
    if length % SECTOR:
        raise partial_sector(length)
    return length // SECTOR


def zero_sectors(device: SectorDevice, sector: int, count: int) -> None:
    """Make ``count`` sectors of any device zero: with its ``zero`` method if it has one."""
    # ``zero`` is not part of the protocol: a device needs only to read and write sectors.
    zero = getattr(device, "zero", None)
    if zero is not None:
        zero(sector, count)
    else:
        write_zeros(device, sector, count)


def write_zeros(device: SectorDevice, sector: int, count: int) -> None:
    """Make ``count`` sectors zero by writing them."""
    # In pieces, since formatting may clear gigabytes and must not allocate them.
    for start in range(sector, sector + count, _ZERO_RUN):
        device.write(start, _ZEROS[: min(_ZERO_RUN, sector + count - start) * SECTOR])
