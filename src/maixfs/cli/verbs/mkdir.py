"""``maixfs mkdir``: make folders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from maixfs.cli.options import PLACE, json_option
from maixfs.cli.proof import commit, draw_written, written_json
from maixfs.cli.screen import Screen
from maixfs.cli.targets import by_host, opened, writing_options
from maixfs.cli.verb import verb

if TYPE_CHECKING:
    from maixfs.image.entries import Where


@verb(
    "mkdir",
    ("maixfs mkdir board:/sd/music", "Make a folder on the card of a board."),
    ("maixfs mkdir -p card.img:/a/b/c", "Make the folders above it, too."),
)
@click.argument("places", metavar="TARGET:PATH...", nargs=-1, required=True, type=PLACE)
@click.option(
    "-p", "--parents", is_flag=True, help="Make the folders above, too; accept folders that exist."
)
@json_option
@writing_options
def mkdir(screen: Screen, places: tuple[str, ...], parents: bool, where: Where) -> None:
    """Cards have folders. SPIFFS has none: a name there can contain slashes, and its parts are
    shown as folders. To get a folder on SPIFFS, write a file into it.
    """
    results = []
    for host, paths in by_host(places, "mkdir").items():
        with opened(screen, host, where, writable=True) as target:
            created = [path for path in paths if target.mkdir(path, parents=parents)]
            written = commit(screen, target)
        results.append({"target": str(host), "made": created, "written": written_json(written)})
        if not screen.json:
            draw_written(screen, written)
    if screen.json:
        screen.emit({"targets": results})
