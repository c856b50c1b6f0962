"""The sectors of a volume: counted from its boot sector, failures in FatFs's numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.fat.errors import FatError, FResult, fat_error
from maixfs.sd.errors import SectorError

if TYPE_CHECKING:
    from maixfs.sd.device import Buffer, SectorDevice


class VolumeSectors:
    """A device from sector ``start`` on.

    Raises ``FatError`` (``DISK_ERR``) where the device raises ``SectorError``; what else a
    device raises passes through, it is a program's own.
    """

    __slots__ = ("device", "start")

    def __init__(self, device: SectorDevice, start: int) -> None:
        self.device = device
        self.start = start

    def read(self, sector: int, count: int) -> bytes:
        """Return ``count`` sectors."""
        # Only a device's own error: what a program's block device raises must reach the program
        # unchanged, as on the board.
        try:
            return self.device.read(self.start + sector, count)
        except SectorError as error:
            raise _disk_error(error) from error

    def readinto(self, sector: int, buffer: memoryview) -> None:
        """Fill ``buffer``, whole sectors long."""
        try:
            self.device.readinto(self.start + sector, buffer)
        except SectorError as error:
            raise _disk_error(error) from error

    def write(self, sector: int, data: Buffer) -> None:
        """Write ``data``, whole sectors long."""
        try:
            self.device.write(self.start + sector, data)
        except SectorError as error:
            raise _disk_error(error) from error

    def sync(self) -> None:
        """Return when everything written is on the medium."""
        try:
            self.device.sync()
        except SectorError as error:
            raise _disk_error(error) from error


def _disk_error(error: SectorError) -> FatError:
    return fat_error(FResult.DISK_ERR, "", str(error), hint=error.hint)
