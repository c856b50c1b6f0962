"""``maixfs mkdir``: folders, where the file system has them."""

from __future__ import annotations

import click

from maixfs.cli.place import PLACE
from maixfs.cli.proof import commit, draw_written
from maixfs.cli.screen import Screen
from maixfs.cli.targets import Finding, by_host, finding_options, opened
from maixfs.cli.verb import verb


@verb(
    "mkdir",
    ("maixfs mkdir board:/flash/lib", "Make a folder; SPIFFS has none and says what to do."),
    ("maixfs cp lib/a.py board:/flash/lib/a.py", "Write into a folder that a name makes."),
)
@click.argument("places", metavar="TARGET:PATH...", nargs=-1, required=True, type=PLACE)
@finding_options
def mkdir(screen: Screen, places: tuple[str, ...], finding: Finding) -> None:
    """SPIFFS has no folders: a name may hold slashes, and what lies under such a name is shown as
    if it lay in a folder.
    """
    for host, paths in by_host(places, "mkdir").items():
        with opened(screen, host, finding, writable=True) as target:
            for path in paths:
                target.mkdir(path)
            draw_written(screen, commit(screen, target))
