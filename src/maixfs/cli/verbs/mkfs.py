"""``maixfs mkfs``: an empty file system."""

from __future__ import annotations

from pathlib import Path

import click

from maixfs.cli.layout import NewLayout, layout_options
from maixfs.cli.options import bytes_option, force_option, json_option
from maixfs.cli.place import WHOLE
from maixfs.cli.progress import Progress
from maixfs.cli.proof import draw_written, written_json
from maixfs.cli.screen import Screen
from maixfs.cli.verb import verb


@verb(
    "mkfs",
    ("maixfs mkfs empty.img", "An image of a MaixPy board's file system, 3 MiB."),
    ("maixfs mkfs esp.img --preset esp-idf --size 512K", "One for a partition of an ESP32."),
)
@click.argument("image", metavar="IMG", type=WHOLE)
@layout_options
@force_option
@bytes_option
@json_option
def mkfs(screen: Screen, image: str, layout: NewLayout, force: bool) -> None:
    """IMG is made, with the file system alone in it. Where IMG is a board's folder, or an image of
    a flash that has the place for it, the file system is made there and all else stays.

    Files that are there are lost only with --force.
    """
    from maixfs.target import make_image

    place = Path(image)
    geometry, flash_size = layout.resolve()
    if not layout.is_given and place.is_dir():
        from maixfs.board.config import BoardConfig

        geometry = BoardConfig.load(place).geometry
    with Progress(screen) as progress:
        written = make_image(
            place, geometry, flash_size=flash_size, force=force, progress=progress
        )
    if screen.json:
        screen.emit({"written": written_json([written]), "changed": written.changed})
    else:
        draw_written(screen, [written])
