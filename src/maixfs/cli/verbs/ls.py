"""``maixfs ls``: list files and folders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from maixfs.cli.listing import Listing, read_listing
from maixfs.cli.options import PLACE, bytes_option, json_option, places_or_default
from maixfs.cli.screen import Column, Part, Screen, Text, hex_text
from maixfs.cli.targets import where_options
from maixfs.cli.verb import verb

if TYPE_CHECKING:
    from maixfs.image.entries import Where
    from maixfs.image.volume import ImageEntry


@verb(
    "ls",
    ("maixfs ls -lR 'dump.bin:*.py'", "List the Python files in a dump, with all details."),
    ("maixfs ls card.img@2:/music", "A folder on the second partition of a card."),
)
@click.argument("places", metavar="[TARGET[:PATH]]...", nargs=-1, type=PLACE)
@click.option("-R", "--recursive", is_flag=True, help="List everything inside folders.")
@click.option("-l", "--long", is_flag=True, help="Show all details.")
@click.option("-1", "--names", is_flag=True, help="Print only the names, one per line.")
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
    SPIFFS has no folders: names that contain slashes are shown as folders.

    The default TARGET is the board in the folder "board".
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
    formats = listing.formats
    if long and formats <= {"SPIFFS"}:
        columns[1:1] = [Column("pages", right=True), Column("id", right=True), Column("header")]
    elif long and not any(name.startswith("FAT") for name in formats):
        columns[1:1] = [Column("written")]
    elif long:
        units = Column("units" if "SPIFFS" in formats else "clusters", right=True)
        columns[1:1] = [units, Column("attr"), Column("written")]
    # Three columns explain themselves; spoken rows need their headings.
    elif not screen.plain:
        columns = [column._replace(heading="") for column in columns]
    details = _on_flash if formats <= {"SPIFFS"} else _on_card
    if not any(name == "SPIFFS" or name.startswith("FAT") for name in formats):
        details = _elsewhere
    rows = []
    for entry in listing.entries:
        row: list[Part] = [screen.cell(entry.size)]
        if long:
            row += details(listing, entry)
        fault: Part = Text(f"unreadable: {entry.fault}", "bad") if entry.fault else ""
        rows.append([*row, listing.label(entry), fault])
    screen.table(columns, rows)


def _on_flash(listing: Listing, entry: ImageEntry) -> list[Part]:
    if entry.is_dir:
        return [str(entry.units), "", ""]
    address = hex_text(listing.facts[entry.path]["address"])
    return [str(entry.units), f"0x{entry.native.object_id:04X}", address]


def _elsewhere(_listing: Listing, entry: ImageEntry) -> list[Part]:
    return [entry.modified.strftime("%Y-%m-%d %H:%M:%S") if entry.modified else ""]


_LETTERS = ((0x01, "r"), (0x02, "h"), (0x04, "s"), (0x20, "a"))
"""Read-only, hidden, system, archive; folders have a slash at the end of their name."""


def _on_card(_listing: Listing, entry: ImageEntry) -> list[Part]:
    letters = "".join(letter if entry.native.attributes & bit else "-" for bit, letter in _LETTERS)
    written = entry.modified.strftime("%Y-%m-%d %H:%M:%S") if entry.modified else ""
    return [str(entry.units), letters, written]
