"""``maixfs ls``: which files there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from maixfs.cli.listing import Listing, read_listing
from maixfs.cli.options import bytes_option, json_option
from maixfs.cli.place import PLACE, places_or_default
from maixfs.cli.screen import Column, Part, Screen, Text
from maixfs.cli.targets import where_options
from maixfs.cli.verb import verb
from maixfs.cli.wording import hex_text

if TYPE_CHECKING:
    from maixfs.target import Entry, Where


@verb(
    "ls",
    ("maixfs ls board", "The files on a board's flash."),
    ("maixfs ls -lR 'dump.bin:*.py'", "All that is known of the Python files in a dump."),
)
@click.argument("places", metavar="[TARGET[:PATH]]...", nargs=-1, type=PLACE)
@click.option("-R", "--recursive", is_flag=True, help="Folders with all that is in them.")
@click.option("-l", "--long", is_flag=True, help="Pages, object id and address of the header too.")
@click.option("-1", "--names", is_flag=True, help="Only names, one a line.")
@bytes_option
@json_option
@where_options
def ls(
    screen: Screen,
    places: tuple[str, ...],
    recursive: bool,
    long: bool,
    names: bool,
    where: Where,
) -> None:
    """PATH may be a file, a folder or a pattern (*, ?, [...], ** for any folders; quote it).
    SPIFFS has no folders: what shows as one are names with slashes.

    Without TARGET it is the board in the folder "board".
    """
    listings = [
        read_listing(screen, place, where, recursive, details=long)
        for place in places_or_default(places, "ls")
    ]
    if screen.json:
        screen.emit({"targets": [listing.as_json() for listing in listings]})
        return
    for at, listing in enumerate(listings):
        if len(listings) > 1:
            if at:
                screen.line()
            screen.line(Text(f"{listing.place}:", "heading"))
        if names:
            for entry in listing.entries:
                screen.line(listing.label(entry))
        else:
            _draw(screen, listing, long)


def _draw(screen: Screen, listing: Listing, long: bool) -> None:
    columns = [Column("size", right=True), Column("name"), Column("")]
    if long:
        columns[1:1] = [Column("pages", right=True), Column("id", right=True), Column("header")]
    elif not screen.plain:
        columns = [column._replace(heading="") for column in columns]
    rows = []
    for entry in listing.entries:
        row: list[Part] = [screen.cell(entry.size)]
        if long:
            row += _details(listing, entry)
        fault: Part = Text(f"unreadable: {entry.fault}", "bad") if entry.fault else ""
        rows.append([*row, listing.label(entry), fault])
    screen.table(columns, rows)


def _details(listing: Listing, entry: Entry) -> list[Part]:
    if entry.is_dir:
        return [str(entry.units), "", ""]
    address = hex_text(listing.facts[entry.path]["address"])
    return [str(entry.units), f"0x{entry.object_id:04X}", address]
