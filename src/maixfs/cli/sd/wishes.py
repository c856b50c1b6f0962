"""``--partitions`` on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from maixfs.cli.numbers import parse_size

if TYPE_CHECKING:
    from maixfs.cards.make import PartitionWish

_TYPES = {"fat32": 32, "fat16": 16, "fat12": 12}


class PartitionsType(click.ParamType):  # type: ignore[type-arg]
    """``SIZE[:WORD...],...``: sizes as ``512M``, ``25%``, ``rest``; words say the volume."""

    name = "partitions"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[PartitionWish, ...]:
        """Return one wish for each partition."""
        if isinstance(value, tuple):
            return value
        return tuple(self._wish(text, param, ctx) for text in str(value).split(","))

    def _wish(
        self, text: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> PartitionWish:
        from maixfs.cards.make import PartitionWish

        size, *words = (word.strip() for word in text.split(":"))
        wish = PartitionWish(size)
        for word in words:
            key, is_pair, given = word.partition("=")
            cluster = parse_size(given) if key == "cluster" else None
            if word.lower() in _TYPES:
                wish = wish._replace(fat_type=_TYPES[word.lower()])
            elif key == "label" and is_pair:
                wish = wish._replace(label=given)
            elif cluster is not None:
                wish = wish._replace(cluster_size=cluster)
            else:
                self.fail(
                    f"{word!r} in {text!r} is none of fat32, fat16, fat12, label=TEXT,"
                    " cluster=BYTES",
                    param,
                    ctx,
                )
        return wish


PARTITIONS = PartitionsType()
