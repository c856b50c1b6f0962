"""The board's card slot: a card comes and goes with the file that holds it."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from maixfs.board.cardfile import opened_card
from maixfs.board.errors import BoardError
from maixfs.board.sdconfig import SdConfig
from maixfs.sd.card import CardKind, SdCard
from maixfs.sd.clock import SdClock
from maixfs.sd.device import SectorDevice
from maixfs.sd.errors import SdError
from maixfs.sd.slot import SdSlot


class CardSlot(SdSlot):
    """A ``SdSlot`` that has its own clock and closes the image of the card that leaves it.

    ``clock`` counts the time of reads and writes, nanoseconds since the board was made.
    """

    def __init__(self) -> None:
        self.clock = SdClock()
        super().__init__(self.clock)
        self._holding = ExitStack()

    def insert_image(self, path: Path, config: SdConfig) -> None:
        """Put in the card that is in a file or a block device, as ``config`` has it.

        Raises ``BoardError`` for an image that cannot be used and ``BoardBusyError`` for one
        that another board uses.
        """
        with ExitStack() as holding:
            sectors = holding.enter_context(opened_card(path, read_only=config.read_only))
            self.insert_card(sectors, config.card_kind)
            self._holding = holding.pop_all()

    def insert_card(self, card: SdCard | SectorDevice, kind: CardKind | None = None) -> None:
        """Put in a card, or one of ``kind`` over sectors; raises ``BoardError``."""
        try:
            self.insert(card if isinstance(card, SdCard) else SdCard(card, kind))
        except SdError as reason:
            raise BoardError(str(reason), hint=reason.hint) from reason

    def close(self) -> None:
        """Let go of the card's image, for good: the board is off."""
        self.eject()

    def eject(self) -> SdCard | None:
        """Pull the card out, close its image and return it; ``None`` where there is none."""
        card = self.remove()
        self._holding.close()
        return card
