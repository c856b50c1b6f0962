"""``maixfs build``: a whole flash is put together from its parts."""

from __future__ import annotations

from pathlib import Path

import click

from maixfs.cli.kfpkg.parts import Parts, flasher_option, part_options
from maixfs.cli.options import bytes_option, force_option, json_option
from maixfs.cli.proof import draw_proof
from maixfs.cli.screen import Screen
from maixfs.cli.verb import verb
from maixfs.cli.wording import count_text


@verb(
    "build",
    (
        "maixfs build -o flash.bin --firmware fw.bin --model m.kmodel --spiffs data",
        "A flash with a firmware, a model at 0x300000 and the files of a folder.",
    ),
    ("maixfs build recipe.toml -o flash.bin", "The same from a recipe, as split writes one."),
)
@click.option(
    "-o",
    "--output",
    metavar="IMG",
    required=True,
    type=click.Path(dir_okay=False),
    help="The image to make.",
)
@part_options
@flasher_option
@force_option
@bytes_option
@json_option
def build(screen: Screen, output: str, parts: Parts, flasher: str | None, force: bool) -> int:
    """What no part has is erased (0xFF). Parts that overlap, leave the chip, reach into somebody
    else's area or would not start are refused, and nothing is written.

    A recipe is a TOML file with the keys layout, chip_size, firmware and the tables [[model]],
    [[spiffs]], [[raw]]; with --flasher the zeros that it would add are in the image, too.
    """
    from maixfs.cli.flash.output import write_new
    from maixfs.cli.kfpkg.report import draw_plan, plan_json, refused
    from maixfs.cli.proof import file_json
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
