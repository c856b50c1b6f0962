"""A partition of the card as a volume: EIO from the moment that the card is pulled out."""

from __future__ import annotations

from maixfs.board.signals import Power
from maixfs.board.volume import PoweredVolume
from maixfs.sd.slot import SlotDevice
from maixfs.vfs import Errno, VfsError, VfsFat


class Contact:
    """The contact with a card that was started; another start is another contact.

    FatFs would go on with what it remembers, and answer what it still has in RAM; when that is
    written to another card it destroys it.
    """

    def __init__(self, device: SlotDevice, power: Power) -> None:
        self._device = device
        self._power = power

    def check(self) -> None:
        """Raise EIO where the card is gone, and what ``Power.check`` raises."""
        self._power.check()
        if self._device.lost:
            raise VfsError(Errno.EIO)


class CardVolume(PoweredVolume):
    """The volume of /sd, /sd2 and so on."""

    def __init__(self, fat: VfsFat, device: SlotDevice, power: Power) -> None:
        super().__init__(fat, power, Contact(device, power))
        self._fat = fat

    @property
    def fat(self) -> VfsFat:
        """The driver, without the guard of power and card."""
        return self._fat

    def abandon(self) -> None:
        """Forget what the driver holds in RAM: nothing is written."""
        self._fat.fs.abandon()
