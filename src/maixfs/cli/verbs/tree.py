"""``maixfs tree``: show files and folders as a tree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from maixfs.cli.listing import Listing, read_listing
from maixfs.cli.options import PLACE, bytes_option, json_option, places_or_default
from maixfs.cli.screen import Part, Screen, Text, count_text
from maixfs.cli.targets import where_options
from maixfs.cli.verb import verb
from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from maixfs.image.entries import Where
    from maixfs.image.volume import ImageEntry


@verb(
    "tree",
    ("maixfs tree", 'The board in the folder "board", as a tree.'),
    ("maixfs tree dump.bin:/flash/lib", "A folder of a dump."),
)
@click.argument("places", metavar="[TARGET[:PATH]]...", nargs=-1, type=PLACE)
@bytes_option
@json_option
@where_options
def tree(screen: Screen, places: tuple[str, ...], where: Where) -> None:
    """SPIFFS has no folders: names that contain slashes are shown as folders.

    The default TARGET is the board in the folder "board".
    """
    listings = [
        read_listing(screen, place, where, recursive=True)
        for place in places_or_default(places, "tree")
    ]
    if screen.json:
        screen.emit({"targets": [listing.as_json() for listing in listings]})
        return
    for listing in listings:
        screen.line(Text(listing.place, "heading"))
        _draw_tree(screen, listing)


class _Lines(NamedTuple):
    """The strokes of a tree: before a child, before the last, and under each of them."""

    child: str
    last: str
    under_child: str
    under_last: str


_DRAWN = _Lines("├── ", "└── ", "│   ", "    ")
_TYPED = _Lines("|-- ", "`-- ", "|   ", "    ")


def _draw_tree(screen: Screen, listing: Listing) -> None:
    children: dict[str, list[ImageEntry]] = {}
    for entry in listing.entries:
        children.setdefault(entry.path[: -len(entry.name) - 1], []).append(entry)
    lines = _DRAWN if screen.can_draw("".join(_DRAWN)) else _TYPED
    top = children.get(listing.folder.rstrip("/"), []) if listing.folder else listing.entries
    # A name has at most 255 parts, but no recursion has to rely on that.
    waiting = [("", top, 0)]
    while waiting:
        indent, siblings, at = waiting.pop()
        if at >= len(siblings):
            continue
        entry, is_last = siblings[at], at == len(siblings) - 1
        waiting.append((indent, siblings, at + 1))
        _draw_leaf(screen, listing, entry, indent + (lines.last if is_last else lines.child))
        if entry.is_dir:
            below = indent + (lines.under_last if is_last else lines.under_child)
            waiting.append((below, children.get(entry.path, []), 0))
    _draw_sum(screen, listing.entries)


def _draw_leaf(screen: Screen, listing: Listing, entry: ImageEntry, stroke: str) -> None:
    fault: Sequence[Part] = (
        (", ", Text(f"unreadable: {entry.fault}", "bad")) if entry.fault else ()
    )
    if screen.plain:
        screen.line(listing.label(entry), f", {screen.size(entry.size)}", *fault)
        return
    name = Text(f"{entry.name}/", "folder") if entry.is_dir else entry.name
    screen.line(Text(stroke, "dim"), name, Text(f"  {screen.size(entry.size)}", "dim"), *fault)


def _draw_sum(screen: Screen, entries: list[ImageEntry]) -> None:
    files = [entry for entry in entries if not entry.is_dir]
    total = screen.size(sum(entry.size for entry in files))
    folders = count_text(len(entries) - len(files), "folder")
    screen.line(f"{folders}, {count_text(len(files), 'file')}, {total}")
