"""``maixfs gc``: free the pages that hold deleted data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from maixfs.cli.options import PLACE, bytes_option, json_option, places_or_default
from maixfs.cli.proof import commit, draw_written, written_json
from maixfs.cli.screen import Screen, count_text
from maixfs.cli.targets import opened, where_options
from maixfs.cli.verb import verb

if TYPE_CHECKING:
    from maixfs.image.entries import Where
    from maixfs.image.image import Image


@verb(
    "gc",
    ("maixfs gc", 'Free pages on the board in the folder "board".'),
    ("maixfs gc dump.bin", "Free pages in an image."),
)
@click.argument("place", metavar="[TARGET]", required=False, type=PLACE)
@bytes_option
@json_option
@where_options
def gc(screen: Screen, place: str | None, where: Where) -> None:
    """Removed and overwritten data keeps its pages until their block is erased. Blocks with such
    pages are erased after their live pages were copied, as the file system itself does when it
    runs short of pages. Files do not change.

    The default TARGET is the board in the folder "board".
    """
    from maixfs.image.address import parse_target

    (name,) = places_or_default((place,) if place else (), "gc")
    host = parse_target(name).whole
    with opened(screen, host, where, writable=True) as target:
        if target.main.format != "SPIFFS":
            _report_card(screen, str(host), target)
            return
        freed = target.gc()
        written = commit(screen, target)
        room = target.spiffs.room()
    if screen.json:
        result = {"target": str(host), "freed_pages": freed, "room": room.as_dict()}
        screen.emit({**result, "written": written_json(written)})
        return
    left = f"{room.free_pages} pages ({screen.size(room.free)}) are free now"
    word = "holds" if room.deleted_pages == 1 else "hold"
    rest = f", {room.deleted_pages} still {word} deleted data" if room.deleted_pages else ""
    if freed:
        size = screen.size(freed * room.data_size)
        screen.line(f"{host}: freed {count_text(freed, 'page')} ({size}); {left}{rest}")
    else:
        screen.line(f"{host}: nothing to free; {left}{rest}")
    draw_written(screen, written)


def _report_card(screen: Screen, host: str, target: Image) -> None:
    """Print that cards need no garbage collection."""
    room = target.room()
    if screen.json:
        result = {"target": host, "freed_pages": 0, "room": room.as_dict(), "written": None}
        screen.emit(result)
        return
    screen.line(
        f"{host}: {target.main.format} needs no garbage collection: removed data is free at"
        f" once; {screen.size(room.free)} are free"
    )
