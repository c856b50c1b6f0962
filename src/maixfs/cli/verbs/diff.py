"""``maixfs diff``: what differs between two images, and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from maixfs.cli.flash.image import opened_image
from maixfs.cli.options import bytes_option, json_option
from maixfs.cli.place import PLACE
from maixfs.cli.screen import Screen
from maixfs.cli.targets import where_options
from maixfs.cli.verb import verb
from maixfs.cli.wording import count_text

if TYPE_CHECKING:
    from maixfs.compare import AreaDiff, FileDiff, PartDiff
    from maixfs.image.address import TargetPath
    from maixfs.image.entries import Where


@verb(
    "diff",
    ("maixfs diff before.bin after.bin", "By firmware, model, file system, file; and why."),
    ("maixfs diff board:/flash card.img:/", "Two trees of files, wherever they lie."),
)
@click.argument("old", metavar="A", type=PLACE)
@click.argument("new", metavar="B", type=PLACE)
@click.option("--files", "by_files", is_flag=True, help="Compare only the files.")
@click.option(
    "-v", "--verbose", "level", count=True, help="Pages and bytes too; -vv shows all of them."
)
@bytes_option
@json_option
@where_options
def diff(screen: Screen, old: str, new: str, by_files: bool, level: int, where: Where) -> int:
    """A and B are flashes (images or boards), or cards, or folders in any two targets
    (board:/flash). Flashes are compared by what is found in them; of a file system it tells
    whether files changed, or garbage collection only moved them. Cards and folders are compared
    by their files. The exit code is 0 where both are equal, 1 where they differ.
    """
    from maixfs.image.address import parse_target
    from maixfs.image.opening import is_card

    places = parse_target(old), parse_target(new)
    trees = by_files or where.is_spiffs or any(place.path is not None for place in places)
    if trees or any(is_card(place, where) for place in places):
        return _diff_trees(screen, (old, new), places, where)
    return _diff_images(screen, (old, new), level)


def _diff_images(screen: Screen, names: tuple[str, str], level: int) -> int:
    from maixfs.cli.diff.drawing import Bytes, draw_images
    from maixfs.compare import diff as diff_images

    with opened_image(screen, Path(names[0])) as old, opened_image(screen, Path(names[1])) as new:
        found = diff_images(old.view, new.view)
        if screen.json:
            about = {"old": names[0], "new": names[1], "equal": found.equal, "by": "parts"}
            sizes = {"old_size": found.old_size, "new_size": found.new_size}
            parts = [_part_json(part) for part in found.parts]
            screen.emit({**about, **sizes, "sectors": len(found.sectors), "parts": parts})
        elif found.equal:
            screen.line(f"{names[0]} and {names[1]} are equal, {screen.size(found.old_size)}")
        else:
            draw_images(screen, names, found, Bytes(old.view, new.view, found.sectors), level)
    return int(not found.equal)


def _part_json(part: PartDiff) -> dict[str, Any]:
    return {**part._asdict(), "area": None if part.area is None else _area_json(part.area)}


def _area_json(area: AreaDiff) -> dict[str, Any]:
    return {
        **area._asdict(),
        "files": [_file_json(one) for one in area.files],
        "pages": [page._asdict() for page in area.pages],
    }


def _file_json(one: FileDiff) -> dict[str, Any]:
    return one._asdict()


def _diff_trees(
    screen: Screen,
    names: tuple[str, str],
    places: tuple[TargetPath, TargetPath],
    where: Where,
) -> int:
    from maixfs.cli.diff.drawing import draw_files
    from maixfs.cli.diff.trees import compare_trees

    found = compare_trees(screen, names[0], names[1], where)
    same = not found.files
    if screen.json:
        about = {"old": names[0], "new": names[1], "equal": same, "by": "files"}
        files = [_file_json(one) for one in found.files]
        screen.emit({**about, "files": files, "equal_files": found.equal_files})
        return int(not same)
    count = count_text(found.equal_files, "file")
    if same:
        screen.line(f"{names[0]} and {names[1]} hold the same: {count}")
    else:
        differ = count_text(len(found.files), "file differs", "files differ")
        screen.line(f"{names[0]} and {names[1]}: {differ}, {count} the same")
        draw_files(screen, found.files, len(found.files))
    return int(not same)
