"""``maixfs df``: show used and free space."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from maixfs.cli.options import PLACE, bytes_option, json_option, places_or_default
from maixfs.cli.screen import Column, Part, Screen, percent_text
from maixfs.cli.targets import opened, where_options
from maixfs.cli.verb import verb

if TYPE_CHECKING:
    from maixfs.image.entries import Where
    from maixfs.image.image import Image
    from maixfs.image.volume import Room

COLUMNS = [
    Column("target"),
    Column("mounted at"),
    Column("size", right=True),
    Column("used", right=True),
    Column("deleted", right=True),
    Column("free", right=True),
    Column("use", right=True),
    Column("", spare=True),
]


@verb(
    "df",
    ("maixfs df", 'Space on the board in the folder "board".'),
    ("maixfs df --json *.bin", "Space in images, for a program."),
)
@click.argument("places", metavar="[TARGET]...", nargs=-1, type=PLACE)
@bytes_option
@json_option
@where_options
def df(screen: Screen, places: tuple[str, ...], where: Where) -> None:
    """Sizes are what files can hold. On flash, the two spare blocks of the file system do not
    count, and pages of deleted files are free after garbage collection (maixfs gc, or the board
    itself as it writes). On a card, free clusters are counted in the FAT. The
    file systems are not checked: maixfs info and maixfs doctor do that.

    The default TARGET is the board in the folder "board".
    """
    from maixfs.image.address import parse_target

    rooms: list[tuple[str, str, Room]] = []
    for place in places_or_default(places, "df"):
        whole = parse_target(place).whole
        with opened(screen, whole, where) as target:
            parts = target.partitions()
            if not parts:
                rooms += _rooms(str(whole), target)
        for part in parts.values():
            with opened(screen, part, where) as target:
                rooms += _rooms(str(part), target)
    if screen.json:
        screen.emit({"targets": [_row_json(*row) for row in rooms]})
    else:
        screen.table(COLUMNS, [_row(screen, *row) for row in rooms])


def _rooms(name: str, target: Image) -> list[tuple[str, str, Room]]:
    """Return the space of all file systems that are mounted in a target."""
    return [(name, volume.mount.point, volume.room()) for volume in target.volumes.all()]


def _row_json(host: str, mount_point: str, room: Room) -> dict[str, Any]:
    return {"target": host, "mount_point": mount_point, **room.as_dict()}


def _row(screen: Screen, host: str, mount_point: str, room: Room) -> list[Part]:
    sizes = (screen.cell(size) for size in (room.total, room.used, room.deleted, room.free))
    use = percent_text(room.used, room.total)
    return [host, mount_point, *sizes, use, screen.gauge(room.used, room.total)]
