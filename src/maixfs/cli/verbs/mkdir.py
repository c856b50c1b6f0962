"""``maixfs mkdir``: folders, where the file system has them."""

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
    ("maixfs mkdir -p card.img:/a/b/c", "Make those above it, too."),
)
@click.argument("places", metavar="TARGET:PATH...", nargs=-1, required=True, type=PLACE)
@click.option(
    "-p", "--parents", is_flag=True, help="Folders above, too; one that is there is no error."
)
@json_option
@writing_options
def mkdir(screen: Screen, places: tuple[str, ...], parents: bool, where: Where) -> None:
    """A card has folders. SPIFFS has none: there a name may hold slashes, and what lies under such
    a name is shown as if it lay in a folder; so write the file, and its folder shows.
    """
    results = []
    for host, paths in by_host(places, "mkdir").items():
        with opened(screen, host, where, writable=True) as target:
            made = [path for path in paths if target.mkdir(path, parents=parents)]
            written = commit(screen, target)
        results.append({"target": str(host), "made": made, "written": written_json(written)})
        if not screen.json:
            draw_written(screen, written)
    if screen.json:
        screen.emit({"targets": results})
