"""``maixfs kfpkg list`` and ``maixfs kfpkg verify``: what a package is, what it would do."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import click

from maixfs.cli.kfpkg.catalogue import kfpkg_verb
from maixfs.cli.kfpkg.parts import chip_size_option, flasher_option, layout_option
from maixfs.cli.options import bytes_option, json_option
from maixfs.cli.screen import Column, Screen, Text
from maixfs.cli.wording import count_text, hex_text

if TYPE_CHECKING:
    from maixfs.kfpkg import Package, Part
    from maixfs.recipes import Conflict, Piece, Plan

PACKAGE = click.argument("package", metavar="PACKAGE", type=click.Path(dir_okay=False))
_COLUMNS = (
    Column("address"),
    Column("in flash", right=True),
    Column("kind"),
    Column("file"),
    Column("flasher adds", spare=True),
)


@kfpkg_verb(
    "list",
    ("maixfs kfpkg list maixpy.kfpkg", "Addresses, sizes, kinds and names."),
    ("maixfs kfpkg list maixpy.kfpkg --json", "The same for a program, with the SHA-256 of each."),
)
@PACKAGE
@bytes_option
@json_option
def list_verb(screen: Screen, package: str) -> None:
    """Sizes are those in the flash: firmware takes 37 bytes more there, for header and hash."""
    from maixfs.kfpkg import read_kfpkg

    found = read_kfpkg(package)
    if screen.json:
        screen.emit({"package": package, **package_json(found)})
        return
    rows = [_row(screen, part) for part in found.parts]
    screen.table(_COLUMNS, rows)
    for note in found.notes:
        screen.note(note)


def _row(screen: Screen, part: Part) -> tuple[str | Text, ...]:
    from maixfs.recipes import kind_of

    adds = ["header and hash"] * part.sha256_prefix + ["reversed words"] * part.is_reversed
    place, size = hex_text(part.address), screen.cell(part.size)
    return place, size, kind_of(part.data), part.name, Text(", ".join(adds), "dim")


@kfpkg_verb(
    "verify",
    ("maixfs kfpkg verify face.kfpkg", "Overlaps, wrong headers, neighbours that would be hit."),
    (
        "maixfs kfpkg verify face.kfpkg --layout krux-16m --flasher ktool",
        "The same for a Krux device and its flasher.",
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
    """Nothing is written. Without --layout it is the one that the addresses speak of; without
    --flasher all flashers are tried. The exit code is 1 where something would go wrong.
    """
    from maixfs.cli.kfpkg.report import conflict_json, draw_conflicts, plan_json
    from maixfs.kfpkg import read_kfpkg
    from maixfs.recipes import named_layout, pieces_of, plan

    found = read_kfpkg(package)
    pieces = pieces_of(found.parts)
    chosen = named_layout(layout) if layout else None
    planned = plan(pieces, chosen, flasher=flasher or "none", size=chip_size)
    others = [] if flasher else _other_flashers(pieces, planned)
    if screen.json:
        told = [*planned.conflicts, *others]
        conflicts = [conflict_json(one) for one in told]
        document = {**plan_json(planned), "conflicts": conflicts, "notes": list(found.notes)}
        screen.emit({"package": package, **document})
        return int(bool(planned.errors))
    for note in found.notes:
        screen.note(note)
    draw_conflicts(screen, [*planned.conflicts, *others])
    files = count_text(len(pieces), "file")
    if planned.errors:
        count = count_text(len(planned.errors), "error")
        screen.line(Text("do not flash it", "bad"), f": {count} in {files}")
        return 1
    word = "can be flashed" if not others else "can be flashed, but not with every flasher"
    screen.line(Text(word, "good"), f": {files} for {planned.layout.title}")
    return 0


def _other_flashers(pieces: tuple[Piece, ...], planned: Plan) -> list[Conflict]:
    """Return as warnings what the zeros of other flashers would destroy."""
    from maixfs.recipes import FLASHERS, plan

    told: dict[str, Conflict] = {}
    for name in FLASHERS:
        tried = plan(pieces, planned.layout, flasher=name, size=planned.size)
        for one in tried.errors:
            if one.key == "padding":
                text = f"not with --flasher {name}: {one.message}"
                told.setdefault(one.message, one._replace(is_error=False, message=text))
    return list(told.values())


def package_json(found: Package) -> dict[str, Any]:
    """Return what ``--json`` says of a package."""
    return {
        "version": found.version,
        "parts": [part_json(part) for part in found.parts],
        "notes": list(found.notes),
    }


def part_json(part: Part) -> dict[str, Any]:
    """Return what ``--json`` says of a file in a package."""
    from maixfs.recipes import kind_of

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
