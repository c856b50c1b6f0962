"""The board's card slot: a card comes and goes with the file that holds it."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from maixfs.board.cardfile import OnFailure, card_over, opened_card
from maixfs.image.boardconfig import SdConfig
from maixfs.sd.clock import SdClock
from maixfs.sd.errors import SdError

if TYPE_CHECKING:
    from maixfs.sd.card import CardKind, SdCard
    from maixfs.sd.device import SectorDevice
    from maixfs.sd.slot import SdSlot, SlotDevice


class CardSlot:
    """A slot, empty at first; it closes the image of the card that leaves it.

    ``clock`` counts the time of reads and writes, nanoseconds since the board was opened.
    ``on_failure`` hears where the host's file of a card fails.
    """

    def __init__(self, on_failure: OnFailure | None = None) -> None:
        self.clock = SdClock()
        self._on_failure = on_failure
        self._slot: SdSlot | None = None  # made for the first card: many boards have none
        self._holding = ExitStack()

    @property
    def card(self) -> SdCard | None:
        """The card that is in."""
        return None if self._slot is None else self._slot.card

    @property
    def device(self) -> SlotDevice | None:
        """The card as the firmware reads and writes it; ``None`` before it was started."""
        return None if self._slot is None else self._slot.device

    def init(self) -> SlotDevice:
        """Start the card as the firmware does; an earlier ``device`` fails from now on.

        Raises ``SdError`` where no card is in or the firmware gives it up.
        """
        if self._slot is None:
            raise SdError("no card is in the slot")
        return self._slot.init()

    def insert_image(self, path: Path, config: SdConfig) -> None:
        """Put in the card that is in a file or a block device, as ``config`` has it.

        Raises ``BoardError`` for an image that cannot be used and ``BoardBusyError`` for one
        that another board uses.
        """
        with ExitStack() as holding:
            opened = opened_card(path, read_only=config.read_only, on_failure=self._on_failure)
            sectors = holding.enter_context(opened)
            self.insert_card(sectors, config.card_kind)
            self._holding = holding.pop_all()

    def insert_card(self, card: SdCard | SectorDevice, kind: CardKind | None = None) -> None:
        """Put in a card, or one of ``kind`` over sectors; raises ``BoardError``."""
        from maixfs.sd.card import SdCard
        from maixfs.sd.slot import SdSlot

        if self._slot is None:
            self._slot = SdSlot(self.clock)
        self._slot.insert(card if isinstance(card, SdCard) else card_over(card, kind))

    def eject(self) -> None:
        """Pull the card out, if there is one, and close its image."""
        if self._slot is not None:
            self._slot.remove()
        self._holding.close()

    def close(self) -> None:
        """Let go of the card's image: the board is off."""
        self.eject()
