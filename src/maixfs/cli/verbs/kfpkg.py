"""``maixfs kfpkg``: packages for flashers."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from maixfs.cli.compose import Parts, chip_size_option, flasher_option, layout_option, part_options
from maixfs.cli.options import (
    WHOLE,
    HostPath,
    bytes_option,
    dry_run_option,
    force_option,
    json_option,
)
from maixfs.cli.screen import Column, Progress, Screen, Text, count_text, hex_text
from maixfs.cli.verb import group, verb

if TYPE_CHECKING:
    from maixfs.image.entries import Written
    from maixfs.kfpkg import Package, Part


ABOUT = """\
A PACKAGE (.kfpkg) is an archive with files for the flash and a list of their addresses. Flashers
differ in what they accept: packages made here suit all of them, and packages of any origin are
read and checked.
"""

kfpkg = group(
    "kfpkg",
    ABOUT,
    ("maixfs kfpkg verify face.kfpkg", "Check what it would overwrite."),
    (
        "maixfs kfpkg make -o all.kfpkg --firmware fw.bin --model m.kmodel",
        "Make a package of a firmware and a model.",
    ),
)


@verb(
    "kfpkg make",
    (
        "maixfs kfpkg make -o face.kfpkg --model face.kmodel@0x300000",
        "Make a package with a single model.",
    ),
    (
        "maixfs kfpkg make recipe.toml -o all.kfpkg --flasher kflash-64k",
        "Make it from a recipe, for a flasher that pads to 64 KiB.",
    ),
)
@click.option(
    "-o",
    "--output",
    metavar="PACKAGE",
    required=True,
    type=HostPath(dir_okay=False),
    help="The new package.",
)
@part_options
@flasher_option
@force_option
@bytes_option
@json_option
def make_verb(screen: Screen, output: str, parts: Parts, flasher: str | None, force: bool) -> int:
    """Files are stored in the order of their addresses; firmware without header, hash and DIO
    flag, which flashers add. The same files give the same bytes.

    The recipe is that of maixfs build.
    """
    from maixfs.cli.compose import draw_plan, plan_json, refused
    from maixfs.cli.proof import draw_proof, file_json, write_new
    from maixfs.kfpkg import make_kfpkg
    from maixfs.recipes.compose import plan
    from maixfs.recipes.pieces import parts_of

    recipe = parts.load()
    for note in recipe.notes:
        screen.note(note)
    planned = plan(recipe.pieces, recipe.layout, size=recipe.size, flasher=flasher or "none")
    if refused(screen, planned):
        return 1
    # Checked as pieces with header and hash, stored as payloads: flashers add both.
    data = make_kfpkg(parts_of(planned.pieces))
    written = write_new(screen, Path(output), data, force=force)
    if screen.json:
        screen.emit({"written": file_json(written), **plan_json(planned)})
        return 0
    draw_plan(screen, planned)
    about = count_text(len(planned.pieces), "file")
    draw_proof(screen, output, written.size, written.sha256, written.changed, about)
    return 0


PACKAGE = click.argument("package", metavar="PACKAGE", type=HostPath(dir_okay=False))
_COLUMNS = (
    Column("address"),
    Column("in flash", right=True),
    Column("kind"),
    Column("file"),
    Column("flasher adds", spare=True),
)


@verb(
    "kfpkg list",
    ("maixfs kfpkg list maixpy.kfpkg", "Show addresses, sizes, kinds and names."),
    ("maixfs kfpkg list maixpy.kfpkg --json", "Print JSON, with the SHA-256 of each file."),
)
@PACKAGE
@bytes_option
@json_option
def list_verb(screen: Screen, package: str) -> None:
    """Sizes are those in the flash, where firmware has 37 more bytes: header and hash."""
    from maixfs.kfpkg import read_kfpkg

    contents = read_kfpkg(package)
    if screen.json:
        screen.emit({"package": package, **package_json(contents)})
        return
    rows = [_row(screen, part) for part in contents.parts]
    screen.table(_COLUMNS, rows)
    for note in contents.notes:
        screen.note(note)


def _row(screen: Screen, part: Part) -> tuple[str | Text, ...]:
    from maixfs.recipes.pieces import kind_of

    adds = ["header and hash"] * part.sha256_prefix + ["reversed words"] * part.is_reversed
    place, size = hex_text(part.address), screen.cell(part.size)
    return place, size, kind_of(part.data), part.name, Text(", ".join(adds), "dim")


@verb(
    "kfpkg verify",
    (
        "maixfs kfpkg verify face.kfpkg",
        "Check for overlaps, wrong headers and damaged neighbours.",
    ),
    (
        "maixfs kfpkg verify face.kfpkg --layout krux-16m --flasher ktool",
        "Check it for a Krux device and its flasher.",
    ),
)
@PACKAGE
@layout_option
@chip_size_option
@flasher_option
@bytes_option
@json_option
def verify_verb(
    screen: Screen,
    package: str,
    layout: str | None,
    chip_size: int | None,
    flasher: str | None,
) -> int:
    """Nothing is written. The default layout is derived from the addresses; without --flasher all
    flashers are tried. The exit code is 1 if something would go wrong.
    """
    from maixfs.cli.compose import conflict_json, draw_conflicts, plan_json
    from maixfs.kfpkg import read_kfpkg
    from maixfs.recipes.compose import plan
    from maixfs.recipes.packages import padding_conflicts
    from maixfs.recipes.pieces import pieces_of
    from maixfs.recipes.recipe import named_layout

    contents = read_kfpkg(package)
    pieces = pieces_of(contents.parts)
    chosen = named_layout(layout) if layout else None
    planned = plan(pieces, chosen, flasher=flasher or "none", size=chip_size)
    others = [] if flasher else padding_conflicts(pieces, planned)
    if screen.json:
        all_conflicts = [*planned.conflicts, *others]
        conflicts = [conflict_json(conflict) for conflict in all_conflicts]
        document = {**plan_json(planned), "conflicts": conflicts, "notes": list(contents.notes)}
        screen.emit({"package": package, **document})
        return int(bool(planned.errors))
    for note in contents.notes:
        screen.note(note)
    draw_conflicts(screen, [*planned.conflicts, *others])
    files = count_text(len(pieces), "file")
    if planned.errors:
        count = count_text(len(planned.errors), "error")
        screen.line(Text("do not flash it", "bad"), f": {count} in {files}")
        return 1
    word = "can be flashed" if not others else "can be flashed, but not by every flasher"
    screen.line(Text(word, "good"), f": {files} for {planned.layout.title}")
    return 0


def package_json(contents: Package) -> dict[str, Any]:
    """Return what ``--json`` says of a package."""
    return {
        "version": contents.version,
        "parts": [part_json(part) for part in contents.parts],
        "notes": list(contents.notes),
    }


def part_json(part: Part) -> dict[str, Any]:
    """Return what ``--json`` says of a file in a package."""
    from maixfs.recipes.pieces import kind_of

    return {
        "name": part.name,
        "address": part.address,
        "size": len(part.data),
        "size_in_flash": part.size,
        "kind": kind_of(part.data),
        "sha256_prefix": part.sha256_prefix,
        "reverse4": part.reverse4,
        "swap": part.swap,
        "sha256": hashlib.sha256(part.data).hexdigest(),
    }


RECIPE_NAME = "recipe.toml"


@verb(
    "kfpkg extract",
    ("maixfs kfpkg extract maixpy.kfpkg parts", "Extract all files, and parts/recipe.toml."),
    ("maixfs kfpkg extract maixpy.kfpkg parts face.kmodel", "Extract one file."),
)
@PACKAGE
@click.argument("folder", metavar="DIR", type=HostPath(file_okay=False))
@click.argument("names", metavar="[FILE]...", nargs=-1)
@force_option
@bytes_option
@json_option
def extract_verb(
    screen: Screen, package: str, folder: str, names: tuple[str, ...], force: bool
) -> None:
    """Files are copied as they are, under names that are valid on this computer and stay inside
    DIR. With all files, DIR gets a recipe.toml for maixfs kfpkg make and maixfs build.
    """
    from maixfs.cli.proof import draw_files, file_json
    from maixfs.errors import UsageError
    from maixfs.kfpkg import read_kfpkg
    from maixfs.recipes.packages import package_recipe
    from maixfs.transfer.folders import host_names, write_folder

    parts = read_kfpkg(package).parts
    known = {part.name: part.data for part in parts}
    for name in names:
        if name not in known:
            raise UsageError(f"{package} has no {name!r}", hint=f"it has {', '.join(known)}")
    # The recipe is named together with the files: one of them may be called like it.
    places = host_names([*known, RECIPE_NAME])
    files = {places[name]: known[name] for name in (names or known)}
    if not names:
        files[places[RECIPE_NAME]] = package_recipe(parts, places).encode()
    with Progress(screen, rates=True) as progress:
        written = write_folder(Path(folder), files, force=force, progress=progress)
    if screen.json:
        screen.emit({"package": package, "files": [file_json(file) for file in written]})
        return
    draw_files(screen, written)


@verb(
    "kfpkg apply",
    ("maixfs kfpkg apply face.kfpkg board", "Flash a virtual board."),
    ("maixfs kfpkg apply face.kfpkg dump.bin -o new.bin", "Make a new dump; keep the old one."),
)
@PACKAGE
@click.argument("target", type=WHOLE)
@click.option(
    "-o",
    "--output",
    metavar="IMG",
    type=HostPath(dir_okay=False),
    help="Write a new image; do not change TARGET.",
)
@layout_option
@flasher_option
@click.option("--dio", is_flag=True, help="Set the dual I/O flag in headers, as kflash does.")
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
    """TARGET is a board or a dump of a flash. Nothing is written if parts overlap, leave the chip
    or damage what is in it. With --flasher the zeros that it adds are written too. --force lets -o
    replace a file.
    """
    from maixfs.cli.compose import draw_plan, plan_json, refused
    from maixfs.cli.flash.image import read_flash
    from maixfs.cli.proof import draw_proof, file_json
    from maixfs.kfpkg import read_kfpkg
    from maixfs.recipes.compose import apply, plan
    from maixfs.recipes.pieces import pieces_of
    from maixfs.recipes.recipe import named_layout

    contents = read_kfpkg(package)
    old = read_flash(Path(target))
    chosen = named_layout(layout) if layout else None
    pieces = pieces_of(contents.parts, dio=dio)
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
    from maixfs.cli.proof import write_new

    if output is None:
        from maixfs.cli.flash.image import commit_flash, edited_image
        from maixfs.image.errors import TargetError

        with Progress(screen, rates=True) as progress, edited_image(Path(target)) as image:
            # The plan was made for the bytes that were read before the lock: on others it could
            # destroy parts.
            if image.flash.image != old:
                raise TargetError(f"{target} was changed meanwhile", hint="run the command again")
            sectors = image.write(0, new)
            return commit_flash(image, progress)._replace(sectors=sectors)
    return write_new(screen, Path(output), new, force=force)
