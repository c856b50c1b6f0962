"""``maixfs mkfs``: an empty file system."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from maixfs.cli.cardshape import CardOptions, card_options
from maixfs.cli.layout import NewLayout, layout_options
from maixfs.cli.options import bytes_option, force_option, json_option
from maixfs.cli.place import WHOLE
from maixfs.cli.progress import Progress
from maixfs.cli.proof import draw_written, written_json
from maixfs.cli.screen import Screen
from maixfs.cli.targets import drive_option
from maixfs.cli.verb import verb
from maixfs.errors import UsageError

if TYPE_CHECKING:
    from maixfs.image.entries import Written


@verb(
    "mkfs",
    ("maixfs mkfs empty.img", "An image of a MaixPy board's file system, 3 MiB."),
    ("maixfs mkfs card.img@2 --label DATA", "An empty FAT volume in a card's partition."),
)
@click.argument("image", metavar="IMG", type=WHOLE)
@layout_options
@card_options
@drive_option
@force_option
@bytes_option
@json_option
def mkfs(
    screen: Screen, image: str, layout: NewLayout, card: CardOptions, drive: bool, force: bool
) -> None:
    """IMG is made, with the file system alone in it: a SPIFFS. Where IMG is a board's folder, or
    an image of a flash that has the place for it, the file system is made there and all else
    stays. IMG@2 is the second partition of a card that is there; maixfs sd new makes a card.

    Files that are there are lost only with --force.
    """
    from maixfs.image.address import parse_target

    place = parse_target(image)
    with Progress(screen, rates=place.slot is not None) as progress:
        if place.slot is not None:
            from maixfs.transfer.formatting import format_partition

            written = format_partition(
                place, card.shape(layout), force=force, drives=drive, progress=progress
            )
        else:
            if card.is_given or _is_card(place.host):
                raise UsageError(
                    f"{place.host} is a whole card"
                    if _is_card(place.host)
                    else "a SPIFFS has neither clusters nor a label",
                    hint=f"maixfs mkfs {place.host}@1 makes a volume in its first partition,"
                    " maixfs sd new a card",
                )
            written = _make_spiffs(place.host, layout, force, progress)
    if screen.json:
        screen.emit({"written": written_json([written]), "changed": written.changed})
    else:
        draw_written(screen, [written])


def _make_spiffs(place: Path, layout: NewLayout, force: bool, progress: Progress) -> Written:
    from maixfs.transfer.formatting import make_image

    geometry, flash_size = layout.resolve()
    if not layout.is_given and place.is_dir():
        from maixfs.image.boardconfig import BoardConfig

        geometry = BoardConfig.load(place).geometry
    return make_image(place, geometry, flash_size=flash_size, force=force, progress=progress)


def _is_card(place: Path) -> bool:
    from maixfs.image.address import TargetPath
    from maixfs.image.entries import Where
    from maixfs.image.opening import is_card

    return place.exists() and is_card(TargetPath(place), Where())
