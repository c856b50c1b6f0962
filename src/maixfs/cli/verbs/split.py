"""``maixfs split``: a whole flash is taken apart into files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from maixfs.cli.options import bytes_option, force_option, json_option
from maixfs.cli.place import WHOLE
from maixfs.cli.screen import Column, Screen, Text
from maixfs.cli.verb import verb
from maixfs.cli.wording import count_text, hex_text

if TYPE_CHECKING:
    from maixfs.image.entries import Written
    from maixfs.recipes import Split, SplitPart

_COLUMNS = (Column("address"), Column("size", right=True), Column("kind"), Column("file"))


@verb(
    "split",
    ("maixfs split dump.bin parts", "Firmware, models, file systems and the rest as files."),
    ("maixfs split board parts --json", "The same of a virtual board's flash, for a program."),
)
@click.argument("target", type=WHOLE)
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False))
@force_option
@bytes_option
@json_option
def split(screen: Screen, target: str, folder: str, force: bool) -> None:
    """TARGET is a dump of a whole flash, or a board. Parts are found, not believed: firmware
    without its header, models, file systems; what else is not erased becomes raw data. In DIR is
    then also recipe.toml: maixfs build makes of it the very same flash, byte for byte.
    """
    from maixfs.cli.kfpkg.flashfile import read_flash
    from maixfs.cli.kfpkg.output import write_folder
    from maixfs.recipes import RECIPE_NAME
    from maixfs.recipes import split as split_image

    found = split_image(read_flash(Path(target)))
    files = {part.name: part.data for part in found.parts if part.name}
    files[RECIPE_NAME] = found.recipe.encode()
    written = write_folder(screen, Path(folder), files, force=force)
    if screen.json:
        screen.emit(_as_json(folder, found, written))
        return
    rows = [
        (
            hex_text(part.address),
            screen.cell(part.size),
            part.kind,
            part.name or Text(f"bytes of {part.value:#04x}", "dim"),
        )
        for part in found.parts
    ]
    screen.table(_COLUMNS, rows)
    size = screen.size(sum(len(data) for data in files.values()))
    news = sum(one.changed for one in written)
    state = "" if news == len(written) else f", {len(written) - news} up to date"
    recipe = next(one for one in written if one.path.endswith(RECIPE_NAME))
    screen.line(
        "wrote " if news else "up to date: ", Text(folder, "heading"),
        f": {count_text(len(written), 'file')}, {size}{state}, {RECIPE_NAME} sha256"
        f" {recipe.sha256}",
    )  # fmt: skip
    screen.line("  ", Text("next:", "hint"), f" maixfs build {recipe.path} -o NEW.bin")


def _as_json(folder: str, found: Split, written: list[Written]) -> dict[str, Any]:
    from maixfs.cli.proof import file_json

    return {
        "folder": folder,
        "parts": [_part_json(part) for part in found.parts],
        "files": [file_json(one) for one in written],
    }


def _part_json(part: SplitPart) -> dict[str, Any]:
    return {
        "kind": part.kind,
        "file": part.name or None,
        "address": part.address,
        "size": part.size,
        "value": None if part.name else part.value,
    }
