"""``maixfs build`` and ``maixfs split``: a flash composed from parts, and taken apart."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from maixfs.cli.compose import Parts, flasher_option, part_options
from maixfs.cli.options import WHOLE, HostPath, bytes_option, force_option, json_option
from maixfs.cli.proof import draw_proof
from maixfs.cli.screen import Column, Progress, Screen, Text, count_text, hex_text
from maixfs.cli.verb import verb

if TYPE_CHECKING:
    from maixfs.image.entries import Written
    from maixfs.recipes.splitting import Split, SplitPart


@verb(
    "build",
    (
        "maixfs build -o flash.bin --firmware fw.bin --model m.kmodel --spiffs data",
        "Compose a firmware, a model at 0x300000 and the files of a folder.",
    ),
    (
        "maixfs build recipe.toml -o flash.bin",
        "Compose what a recipe lists; split writes such recipes.",
    ),
)
@click.option(
    "-o",
    "--output",
    metavar="IMG",
    required=True,
    type=HostPath(dir_okay=False),
    help="The new image.",
)
@part_options
@flasher_option
@force_option
@bytes_option
@json_option
def build(screen: Screen, output: str, parts: Parts, flasher: str | None, force: bool) -> int:
    """Bytes without a part are erased (0xFF). Nothing is written if parts overlap, leave the chip,
    reach into a region of the layout that is not theirs, or would not start.

    A recipe is a TOML file with the keys layout, chip_size, firmware and the tables [[model]],
    [[spiffs]], [[raw]]. With --flasher the image includes the zeros that this flasher adds.
    """
    from maixfs.cli.compose import draw_plan, plan_json, refused
    from maixfs.cli.proof import file_json, write_new
    from maixfs.recipes import assemble, plan

    recipe = parts.load()
    for note in recipe.notes:
        screen.note(note)
    planned = plan(recipe.pieces, recipe.layout, size=recipe.size, flasher=flasher)
    if refused(screen, planned):
        return 1
    image = assemble(planned)
    written = write_new(screen, Path(output), image, force=force)
    if screen.json:
        screen.emit({"written": file_json(written), **plan_json(planned)})
        return 0
    draw_plan(screen, planned)
    about = count_text(len(planned.pieces), "part")
    draw_proof(screen, output, written.size, written.sha256, written.changed, about)
    return 0


_COLUMNS = (Column("address"), Column("size", right=True), Column("kind"), Column("file"))


@verb(
    "split",
    ("maixfs split dump.bin parts", "Write firmware, models, file systems and the rest as files."),
    ("maixfs split board parts --json", "Split the flash of a virtual board; print JSON."),
)
@click.argument("target", type=WHOLE)
@click.argument("folder", metavar="DIR", type=HostPath(file_okay=False))
@force_option
@bytes_option
@json_option
def split(screen: Screen, target: str, folder: str, force: bool) -> None:
    """TARGET is a dump of a flash, or a board. Parts are detected: firmware (written without its
    header), models, file systems; other bytes that are not erased become raw data. maixfs build
    makes the same flash again, byte for byte, from DIR/recipe.toml.
    """
    from maixfs.cli.flash.image import read_flash
    from maixfs.recipes.splitting import RECIPE_NAME
    from maixfs.recipes.splitting import split as split_image
    from maixfs.transfer.folders import write_folder

    result = split_image(read_flash(Path(target)))
    files = {part.name: part.data for part in result.parts if part.name}
    files[RECIPE_NAME] = result.recipe.encode()
    with Progress(screen, rates=True) as progress:
        written = write_folder(Path(folder), files, force=force, progress=progress)
    if screen.json:
        screen.emit(_as_json(folder, result, written))
        return
    rows = [
        (
            hex_text(part.address),
            screen.cell(part.size),
            part.kind,
            part.name or Text(f"bytes of {part.value:#04x}", "dim"),
        )
        for part in result.parts
    ]
    screen.table(_COLUMNS, rows)
    size = screen.size(sum(len(data) for data in files.values()))
    news = sum(file.changed for file in written)
    state = "" if news == len(written) else f", {len(written) - news} up to date"
    recipe = next(file for file in written if file.path.endswith(RECIPE_NAME))
    screen.line(
        "wrote " if news else "up to date: ", Text(folder, "heading"),
        f": {count_text(len(written), 'file')}, {size}{state}, {RECIPE_NAME} sha256"
        f" {recipe.sha256}",
    )  # fmt: skip
    screen.line("  ", Text("next:", "hint"), f" maixfs build {recipe.path} -o NEW.bin")


def _as_json(folder: str, result: Split, written: list[Written]) -> dict[str, Any]:
    from maixfs.cli.proof import file_json

    return {
        "folder": folder,
        "parts": [_part_json(part) for part in result.parts],
        "files": [file_json(file) for file in written],
    }


def _part_json(part: SplitPart) -> dict[str, Any]:
    return {
        "kind": part.kind,
        "file": part.name or None,
        "address": part.address,
        "size": part.size,
        "value": None if part.name else part.value,
    }
