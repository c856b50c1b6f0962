"""``maixfs mkdir``: folders, where the file system has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from maixfs.cli.place import PLACE
from maixfs.cli.proof import commit, draw_written
from maixfs.cli.screen import Screen
from maixfs.cli.targets import by_host, opened, where_options
from maixfs.cli.verb import verb

if TYPE_CHECKING:
    from maixfs.target import Where


@verb(
    "mkdir",
    ("maixfs mkdir board:/flash/lib", "Make a folder; SPIFFS has none and says what to do."),
    ("maixfs cp lib/a.py board:/flash/lib/a.py", "Write into a folder that a name makes."),
)
@click.argument("places", metavar="TARGET:PATH...", nargs=-1, required=True, type=PLACE)
@where_options
def mkdir(screen: Screen, places: tuple[str, ...], where: Where) -> None:
    """SPIFFS has no folders: a name may hold slashes, and what lies under such a name is shown as
    if it lay in a folder.
    """
    for host, paths in by_host(places, "mkdir").items():
        with opened(screen, host, where, writable=True) as target:
            for path in paths:
                target.mkdir(path)
            draw_written(screen, commit(screen, target))
