"""The firmware's side of the slot: what its driver remembers from one start to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.board.cardslot import CardSlot
from maixfs.sd.errors import SdError

if TYPE_CHECKING:
    from maixfs.sd.slot import SlotDevice


class CardPort:
    """The driver of ``slot`` as the firmware has it in RAM.

    ``active`` says that the last start of a card went well, ``sectors`` how large it was.
    """

    def __init__(self, slot: CardSlot) -> None:
        self._slot = slot
        self.active = False
        self.sectors = 0

    def init(self) -> SlotDevice:
        """Start the card anew; raises ``SdError`` where none answers as the firmware expects.

        What an earlier start gave fails from now on.
        """
        self.active = False
        device = self._slot.init()
        self.active = True
        self.sectors = device.sectors
        return device

    def power_on(self) -> bool:
        """Start the card that is in use once more; tell whether there is one and it answered."""
        device = self._slot.device
        if not self.active or device is None:
            self.active = False
            return False
        try:
            device.driver.init()
        except SdError:
            self.active = False
        return self.active

    def power_off(self) -> None:
        """Take it that no card is there, until the next start; a mounted one goes on working."""
        self.active = False
