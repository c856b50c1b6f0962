"""Options that say what a new file system on a card is like."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import update_wrapper
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from maixfs.cli.numbers import SIZE
from maixfs.errors import UsageError

if TYPE_CHECKING:
    from maixfs.cli.layout import NewLayout
    from maixfs.transfer.packing import CardShape

_LIKE_A_CARD = re.compile(r"(^|[^a-z])(sd|card|sdcard)([^a-z]|$)")
_SHARED = frozenset(("size",))
"""Options of a SPIFFS that a card has as well."""


class CardOptions(NamedTuple):
    """What the user says about a FAT volume that is to be made."""

    fat_type: int | None
    cluster_size: int | None
    label: str

    @property
    def is_given(self) -> bool:
        """Whether the user said anything at all."""
        return bool(self.fat_type or self.cluster_size or self.label)

    def shape(self, layout: NewLayout) -> CardShape:
        """Return the shape of the card; raises ``UsageError`` for what only a SPIFFS has."""
        from maixfs.transfer.packing import CardShape

        foreign = {*layout.changes} - _SHARED
        if layout.preset or layout.like or layout.whole_flash or layout.flash_size or foreign:
            raise UsageError(
                "a card has no geometry of a SPIFFS",
                hint="leave out all but --size, --fat, --cluster-size and --label",
            )
        size = layout.changes.get("size")
        return CardShape(size, self.fat_type, self.cluster_size, self.label)


def card_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb ``--fat``, ``--cluster-size`` and ``--label``; hands it ``card``."""

    def call(*arguments: Any, **named: Any) -> Any:
        fat_type = named.pop("fat_type")
        card = CardOptions(
            int(fat_type) if fat_type else None, named.pop("cluster_size"), named.pop("label")
        )
        return function(*arguments, card=card, **named)

    made: Callable[..., Any] = update_wrapper(call, function)
    for option in (
        click.option("--label", default="", metavar="TEXT", help="Card: the volume's label."),
        click.option("--cluster-size", type=SIZE, metavar="BYTES", help="Card: of a cluster."),
        click.option(
            "--fat",
            "fat_type",
            type=click.Choice(["32", "16", "12"]),
            metavar="BITS",
            help="Card: 32, 16 or 12 (default: 32 where it can be).",
        ),
    ):
        made = option(made)
    return made


def is_card_name(path: str) -> bool:
    """Tell whether a file's name speaks of a card: ``card.img``, ``my-sd.bin``."""
    return _LIKE_A_CARD.search(PurePath(path).stem.lower()) is not None
