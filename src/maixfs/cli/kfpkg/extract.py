"""``maixfs kfpkg extract``: the files of a package, and a recipe that makes it again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from maixfs.cli.kfpkg.catalogue import kfpkg_verb
from maixfs.cli.kfpkg.look import PACKAGE
from maixfs.cli.options import bytes_option, force_option, json_option
from maixfs.cli.screen import Screen

if TYPE_CHECKING:
    from maixfs.kfpkg import Part

RECIPE_NAME = "recipe.toml"


@kfpkg_verb(
    "extract",
    ("maixfs kfpkg extract maixpy.kfpkg parts", "All files, and parts/recipe.toml."),
    ("maixfs kfpkg extract maixpy.kfpkg parts face.kmodel", "One file of it."),
)
@PACKAGE
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False))
@click.argument("names", metavar="[FILE]...", nargs=-1)
@force_option
@bytes_option
@json_option
def extract_verb(
    screen: Screen, package: str, folder: str, names: tuple[str, ...], force: bool
) -> None:
    """Files come out as they lie in the package, under names that this computer takes; none leads
    out of DIR. With all of them comes a recipe for maixfs kfpkg make and maixfs build.
    """
    from maixfs.cli.kfpkg.output import host_names, write_folder
    from maixfs.cli.proof import draw_files, file_json
    from maixfs.errors import UsageError
    from maixfs.kfpkg import read_kfpkg

    parts = read_kfpkg(package).parts
    known = {part.name: part.data for part in parts}
    for name in names:
        if name not in known:
            raise UsageError(f"{package} has no {name!r}", hint=f"it has {', '.join(known)}")
    places = host_names([*known, RECIPE_NAME])
    files = {places[name]: known[name] for name in (names or known)}
    if not names:
        files[places[RECIPE_NAME]] = "\n".join(recipe_lines(parts, places)).encode() + b"\n"
    written = write_folder(screen, Path(folder), files, force=force)
    if screen.json:
        screen.emit({"package": package, "files": [file_json(one) for one in written]})
        return
    draw_files(screen, written)


def recipe_lines(parts: tuple[Part, ...], places: dict[str, str]) -> Iterator[str]:
    """Yield the recipe of a package whose files are at ``places``."""
    from maixfs.recipes import guess_layout, pieces_of

    yield f'layout = "{guess_layout(pieces_of(parts)).name}"'
    for part in parts:
        yield ""
        yield "[[firmware]]" if part.sha256_prefix else "[[raw]]"
        yield f"file = {json.dumps(places[part.name])}"
        yield f"address = 0x{part.address:06X}"
        if part.is_reversed and not part.sha256_prefix:
            yield "reverse = true"
