"""Whole cards: made, examined, converted, and moved between images and drives.

    new_card(Path("card.img"), 8 << 30)                  # MBR and FAT32
    with FileSectors.open("card.img") as card:
        print(examine(card).verdict)                     # would a board mount it?

The names below are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.lazy import lazy_names

if TYPE_CHECKING:
    from maixfs.card.doctor import examine, examine_slot
    from maixfs.card.errors import CardError, ProofError
    from maixfs.card.fix import Fixed, fix_card
    from maixfs.card.make import (
        NewCard,
        NewPartition,
        PartitionWish,
        new_card,
        write_card_layout,
    )
    from maixfs.card.report import CardReport, Finding, PartitionReport, Severity
    from maixfs.card.transfer import Transfer, read_card, write_card

__all__ = [
    "CardError",
    "CardReport",
    "Finding",
    "Fixed",
    "NewCard",
    "NewPartition",
    "PartitionReport",
    "PartitionWish",
    "ProofError",
    "Severity",
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
        "doctor": ("examine", "examine_slot"),
        "errors": ("CardError", "ProofError"),
        "fix": ("Fixed", "fix_card"),
        "make": ("NewCard", "NewPartition", "PartitionWish", "new_card", "write_card_layout"),
        "report": ("CardReport", "Finding", "PartitionReport", "Severity"),
        "transfer": ("Transfer", "read_card", "write_card"),
    },
)
