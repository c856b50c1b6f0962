"""Whole cards: make, examine and convert them, copy them between images and drives.

    new_card(Path("card.img"), 8 << 30)                  # MBR and FAT32
    with FileSectors.open("card.img") as card:
        print(examine(card).verdict)                     # would a board mount it?

The names below are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.lazy import lazy_names

if TYPE_CHECKING:
    from maixfs.cards.check import CardReport, PartitionReport, examine, examine_slot
    from maixfs.cards.fix import Fixed, fix_card
    from maixfs.cards.make import (
        NewCard,
        NewPartition,
        PartitionRequest,
        new_card,
        write_card_layout,
    )
    from maixfs.cards.newimage import CardError, ProofError
    from maixfs.cards.transfer import Transfer, read_card, write_card

__all__ = [
    "CardError",
    "CardReport",
    "Fixed",
    "NewCard",
    "NewPartition",
    "PartitionReport",
    "PartitionRequest",
    "ProofError",
    "Transfer",
    "examine",
    "examine_slot",
    "fix_card",
    "new_card",
    "read_card",
    "write_card",
    "write_card_layout",
]

__getattr__ = lazy_names(
    __name__,
    {
        "check": ("CardReport", "PartitionReport", "examine", "examine_slot"),
        "fix": ("Fixed", "fix_card"),
        "make": ("NewCard", "NewPartition", "PartitionRequest", "new_card", "write_card_layout"),
        "newimage": ("CardError", "ProofError"),
        "transfer": ("Transfer", "read_card", "write_card"),
    },
)
