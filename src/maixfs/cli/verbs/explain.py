"""``maixfs explain``: what a byte of an image is, in a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from maixfs.cli.flash.fields import ADDRESS, opened_fields
from maixfs.cli.options import json_option
from maixfs.cli.place import PLACE
from maixfs.cli.screen import Screen, Text
from maixfs.cli.targets import where_options
from maixfs.cli.verb import verb
from maixfs.errors import UsageError

if TYPE_CHECKING:
    from maixfs.explain import Address
    from maixfs.image.entries import Where


@verb(
    "explain",
    ("maixfs explain dump.bin 0xD01004", "Whose byte is it, and what does it say?"),
    ("maixfs explain dump.bin file:/main.py@100", "The byte of a file, wherever it lies."),
)
@click.argument("place", metavar="TARGET", type=PLACE)
@click.argument("addresses", metavar="ADDRESS...", nargs=-1, required=True, type=ADDRESS)
@json_option
@where_options
def explain(screen: Screen, place: str, addresses: tuple[Address, ...], where: Where) -> None:
    """ADDRESS is a number (0xD01004, 13635588, 13M), or a place: sector:5, model:0x300000; in a
    SPIFFS block:3, page:37, file:/main.py@100; on a card cluster:5, fat:5 too. @ and a number go
    so many bytes on from there. The section is that of docs/SPEC.md.
    """
    from maixfs.image.address import parse_target

    there = parse_target(place)
    if there.path:
        raise UsageError(
            "explain is about bytes of a whole target",
            hint=f"maixfs explain {there.whole} file:{there.path}",
        )
    with opened_fields(screen, there, where) as fields:
        found = [fields.explain(fields.resolve(address)) for address in addresses]
    if screen.json:
        screen.emit({"target": str(there), "bytes": [one.as_dict() for one in found]})
        return
    for one in found:
        screen.line(one.sentence)
        screen.line("  ", Text(f"docs/SPEC.md, section {one.field.section}", "dim"))
