"""``maixfs du``: show how much space files and folders use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from maixfs.cli.listing import Listing, read_listing
from maixfs.cli.options import PLACE, bytes_option, json_option, places_or_default
from maixfs.cli.screen import Column, Part, Screen, Text, percent_text
from maixfs.cli.targets import where_options
from maixfs.cli.verb import verb
from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from maixfs.image.entries import Where

COLUMNS = [
    Column("takes", right=True),
    Column("size", right=True),
    Column("share", right=True),
    Column("", spare=True),
    Column("name"),
]


class _Sum(NamedTuple):
    size: int
    units: int
    on_medium: int


@verb(
    "du",
    ("maixfs du", 'Space used on the board in the folder "board".'),
    ("maixfs du -R dump.bin:/flash/lib", "Each file of a folder, the largest first."),
)
@click.argument("places", metavar="[TARGET[:PATH]]...", nargs=-1, type=PLACE)
@click.option("-R", "--recursive", is_flag=True, help="List everything inside folders.")
@click.option("-s", "--summarize", is_flag=True, help="Print only the total of each argument.")
@bytes_option
@json_option
@where_options
def du(
    screen: Screen,
    places: tuple[str, ...],
    recursive: bool,
    summarize: bool,
    where: Where,
) -> None:
    """On flash a file takes whole pages, and one or more for its index; on a card whole clusters.
    The list starts with the largest; each line has its share of the total.

    The default TARGET is the board in the folder "board".
    """
    listings = [
        read_listing(screen, place, where, recursive) for place in places_or_default(places, "du")
    ]
    if screen.json:
        screen.emit({"targets": [_as_json(listing, summarize) for listing in listings]})
        return
    for listing in listings:
        _draw(screen, listing, summarize)


def _as_json(listing: Listing, summarize: bool) -> dict[str, object]:
    total, shown = _sum(listing), listing.as_json()
    is_flash = listing.formats <= {"SPIFFS"}
    taken = {"pages": total.units} if is_flash else {}
    return {
        **(shown | {"entries": []} if summarize else shown),
        "size": total.size,
        **taken,
        "on_flash" if is_flash else "on_card": total.on_medium,
    }


def _sum(listing: Listing) -> _Sum:
    """Return the sum of a listing, in which a folder may stand beside what is in it."""
    folders = {entry.path for entry in listing.entries if entry.is_dir}
    # A folder counts what is in it: entries below it would count twice.
    tops = [entry for entry in listing.entries if entry.path.rpartition("/")[0] not in folders]
    return _Sum(
        sum(entry.size for entry in tops),
        sum(entry.units for entry in tops),
        sum(entry.on_medium for entry in tops),
    )


def _draw(screen: Screen, listing: Listing, summarize: bool) -> None:
    total = _sum(listing)
    rows: list[list[Part]] = []
    if not summarize:
        ranked = sorted(listing.entries, key=lambda entry: (-entry.on_medium, entry.path))
        for entry in ranked:
            rows.append(
                [
                    screen.cell(entry.on_medium),
                    screen.cell(entry.size),
                    percent_text(entry.on_medium, total.on_medium),
                    screen.bar(entry.on_medium, total.on_medium),
                    listing.label(entry),
                ]
            )
    sums = screen.cell(total.on_medium), screen.cell(total.size)
    rows.append([*sums, "", "", Text(listing.place, "heading")])
    screen.table(COLUMNS, rows)
