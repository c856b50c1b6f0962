"""``maixfs kfpkg make``: a package from a recipe or from files."""

from __future__ import annotations

from pathlib import Path

import click

from maixfs.cli.kfpkg.catalogue import kfpkg_verb
from maixfs.cli.kfpkg.parts import Parts, flasher_option, part_options
from maixfs.cli.options import bytes_option, force_option, json_option
from maixfs.cli.screen import Screen
from maixfs.cli.wording import count_text


@kfpkg_verb(
    "make",
    (
        "maixfs kfpkg make -o face.kfpkg --model face.kmodel@0x300000",
        "A package with a model alone.",
    ),
    (
        "maixfs kfpkg make recipe.toml -o all.kfpkg --flasher kflash-64k",
        "What the recipe says, safe for a flasher that fills up to 64 KiB.",
    ),
)
@click.option(
    "-o",
    "--output",
    metavar="PACKAGE",
    required=True,
    type=click.Path(dir_okay=False),
    help="The package to make.",
)
@part_options
@flasher_option
@force_option
@bytes_option
@json_option
def make_verb(screen: Screen, output: str, parts: Parts, flasher: str | None, force: bool) -> int:
    """Files are written in the order of their addresses. Firmware goes in without header and hash,
    which flashers add; its flag for dual I/O is theirs, too. Equal files give equal bytes.

    The recipe is that of maixfs build.
    """
    from maixfs.cli.flash.output import write_new
    from maixfs.cli.kfpkg.report import draw_plan, plan_json, refused
    from maixfs.cli.proof import draw_proof, file_json
    from maixfs.kfpkg import make_kfpkg
    from maixfs.recipes import parts_of, plan

    recipe = parts.load()
    for note in recipe.notes:
        screen.note(note)
    planned = plan(recipe.pieces, recipe.layout, size=recipe.size, flasher=flasher or "none")
    if refused(screen, planned):
        return 1
    data = make_kfpkg(parts_of(planned.pieces))
    written = write_new(screen, Path(output), data, force=force)
    if screen.json:
        screen.emit({"written": file_json(written), **plan_json(planned)})
        return 0
    draw_plan(screen, planned)
    about = count_text(len(planned.pieces), "file")
    draw_proof(screen, output, written.size, written.sha256, written.changed, about)
    return 0
