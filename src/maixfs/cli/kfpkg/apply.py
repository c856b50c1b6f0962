"""``maixfs kfpkg apply``: a package goes into a flash, as a flasher would write it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from maixfs.cli.kfpkg.catalogue import kfpkg_verb
from maixfs.cli.kfpkg.look import PACKAGE
from maixfs.cli.kfpkg.parts import flasher_option, layout_option
from maixfs.cli.options import bytes_option, dry_run_option, force_option, json_option
from maixfs.cli.place import WHOLE
from maixfs.cli.screen import Screen
from maixfs.cli.wording import count_text

if TYPE_CHECKING:
    from maixfs.image.entries import Written


@kfpkg_verb(
    "apply",
    ("maixfs kfpkg apply face.kfpkg board", "Flash a virtual board; all else in it stays."),
    ("maixfs kfpkg apply face.kfpkg dump.bin -o new.bin", "Make a new dump, leave the old one."),
)
@PACKAGE
@click.argument("target", type=WHOLE)
@click.option(
    "-o",
    "--output",
    metavar="IMG",
    type=click.Path(dir_okay=False),
    help="Write a new image and leave TARGET as it is.",
)
@layout_option
@flasher_option
@click.option("--dio", is_flag=True, help="Set the flag for dual I/O in headers, as kflash does.")
@dry_run_option
@force_option
@bytes_option
@json_option
def apply_verb(
    screen: Screen,
    package: str,
    target: str,
    output: str | None,
    layout: str | None,
    flasher: str | None,
    dio: bool,
    dry_run: bool,
    force: bool,
) -> int:
    """TARGET is a board or a dump of a whole flash. What would overlap, leave the chip or damage
    what is found in it is refused, and nothing is written. With --flasher the zeros that it adds
    are written, too; --force lets -o replace a file.
    """
    from maixfs.cli.kfpkg.flashfile import read_flash
    from maixfs.cli.kfpkg.report import draw_plan, plan_json, refused
    from maixfs.cli.proof import draw_proof, file_json
    from maixfs.kfpkg import read_kfpkg
    from maixfs.recipes import apply, named_layout, pieces_of, plan

    found = read_kfpkg(package)
    old = read_flash(Path(target))
    chosen = named_layout(layout) if layout else None
    pieces = pieces_of(found.parts, dio=dio)
    planned = plan(pieces, chosen, flasher=flasher or "none", image=old)
    if refused(screen, planned):
        return 1
    written = None
    if not dry_run:
        written = _write(screen, target, output, old, apply(planned, old), force)
    if screen.json:
        proof = None if written is None else file_json(written)
        screen.emit({"dry_run": dry_run, "written": proof, **plan_json(planned)})
        return 0
    draw_plan(screen, planned)
    if written is not None:
        sectors = written.sectors
        about = "" if sectors is None else f"{count_text(sectors, 'sector')} changed"
        path = written.path
        draw_proof(screen, path, written.size, written.sha256, written.changed, about)
    return 0


def _write(
    screen: Screen, target: str, output: str | None, old: bytes, new: bytearray, force: bool
) -> Written:
    from maixfs.cli.flash.output import write_new
    from maixfs.cli.kfpkg.flashfile import change_flash

    if output is None:
        return change_flash(screen, Path(target), old, new)
    return write_new(screen, Path(output), new, force=force)
