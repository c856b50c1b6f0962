"""``maixfs hex`` and ``maixfs explain``: bytes of an image, with the fields that they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from maixfs.cli.flash.image import ADDRESS, opened_fields
from maixfs.cli.options import PLACE, SIZE, json_option
from maixfs.cli.screen import Part, Screen, Text, count_text, hex_text
from maixfs.cli.targets import where_options
from maixfs.cli.verb import verb
from maixfs.errors import UsageError

if TYPE_CHECKING:
    from maixfs.explain.fields import Address, Field, FieldSource, Line, Piece
    from maixfs.image.entries import Where


_USUAL = 256
_ROLES = ("hint", "good", "folder", "warning")
"""Colours of neighbouring fields, in turn; a bar stands between them as well."""
_QUIET = frozenset({"erased", "erased flash", "zeros", "unused", "padding", "name's padding"})
_BYTES_WIDTH = 48
_LONGEST_VALUE = 20
_MARGIN = 10 + _BYTES_WIDTH + 19
"""Columns in front of the names."""


@verb(
    "hex",
    ("maixfs hex dump.bin --at page:1", "Show a page of SPIFFS: header, name, table."),
    ("maixfs hex dump.bin --at 0x300000 -n 64", "Show the header of a model."),
)
@click.argument("place", metavar="TARGET", type=PLACE)
@click.option(
    "--at",
    "address",
    type=ADDRESS,
    default="0",
    metavar="ADDRESS",
    help="First byte (default: 0).",
)
@click.option(
    "-n",
    "--length",
    type=SIZE,
    default=str(_USUAL),
    metavar="BYTES",
    help="Number of bytes (default: 256).",
)
@json_option
@where_options
def hex(  # noqa: A001 - the verb's name
    screen: Screen, place: str, address: Address, length: int, where: Where
) -> None:
    """Bars separate fields; the margin names the fields that begin in a line. Repeated lines are
    left out. ADDRESS is a number (0xD01004, 13M) or a place: sector:5, model:0x300000; in SPIFFS
    block:3, page:37, file:/main.py@100; on a card also cluster:5, fat:5. TARGET:PATH starts at
    the first byte of a file.
    """
    from maixfs.explain.fields import Address
    from maixfs.image.address import parse_target

    there = parse_target(place)
    if there.path:
        # Then --at counts from the start of the file.
        address = Address("file", 0, there.path, address.number, place)
    with opened_fields(screen, there, where) as fields:
        start = fields.resolve(address)
        if screen.json:
            screen.emit(_as_json(str(there), fields, start, length))
        elif screen.plain:
            _print_fields(screen, fields, start, length)
        else:
            _draw(screen, fields, start, length)


def _as_json(target: str, fields: FieldSource, start: int, length: int) -> dict[str, object]:
    from maixfs.explain.fields import fields_between

    data = fields.read(start, length)
    rows = [field.as_dict() for field in fields_between(fields, start, length)]
    return {
        "target": target,
        "start": start,
        "length": len(data),
        "data_hex": data.hex(),
        "fields": rows,
    }


def _print_fields(screen: Screen, fields: FieldSource, start: int, length: int) -> None:
    """Print a line for each field, for screen readers."""
    from maixfs.explain.fields import fields_between

    for field in fields_between(fields, start, length):
        size = count_text(field.size, "byte")
        value = f": {field.value}" if field.value else ""
        meaning = f", {field.meaning}" if field.meaning else ""
        screen.line(f"{hex_text(field.start)}, {size}: {field.title}{value}{meaning}")


def _draw(screen: Screen, fields: FieldSource, start: int, length: int) -> None:
    from maixfs.explain.fields import view_lines

    structure = None
    for line in view_lines(fields, start, length):
        if line.skipped:
            lines = count_text(line.skipped, "more line")
            screen.line(Text(f"*         {lines} like the one above", "dim"))
        for piece in line.pieces:
            if piece.field.structure != structure:
                structure = piece.field.structure
                screen.line(Text(f"          {structure or piece.field.region}", "heading"))
        if line.pieces:
            screen.line(*_row(line, screen.width() - _MARGIN))


def _row(line: Line, room: int) -> list[Part]:
    parts: list[Part] = [Text(hex_text(line.address), "dim"), "  "]
    for number, piece in enumerate(line.pieces):
        parts += ["|" if number else "", Text(piece.data.hex(" ").upper(), _role(piece))]
    parts.append(" " * (_BYTES_WIDTH - 3 * len(line.data)))
    parts.append(" ")
    for piece in line.pieces:
        parts.append(Text(_letters(piece.data), _role(piece)))
    parts.append(" " * (16 - len(line.data)))
    margin = ", ".join(_label(piece.field) for piece in line.pieces if piece.begins)
    if len(margin) > room > 0:
        margin = f"{margin[: room - 3]}..."
    return [*parts, "  ", margin]


def _role(piece: Piece) -> str:
    return "dim" if piece.field.name in _QUIET else _ROLES[piece.number % len(_ROLES)]


def _letters(data: bytes) -> str:
    return "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in data)


def _label(field: Field) -> str:
    value = field.value if len(field.value) <= _LONGEST_VALUE else ""
    return f"{field.name} {value}" if value else field.name


@verb(
    "explain",
    ("maixfs explain dump.bin 0xD01004", "Explain a byte of a SPIFFS area."),
    ("maixfs explain dump.bin file:/main.py@100", "Explain the byte at offset 100 of a file."),
)
@click.argument("place", metavar="TARGET", type=PLACE)
@click.argument("addresses", metavar="ADDRESS...", nargs=-1, required=True, type=ADDRESS)
@json_option
@where_options
def explain(screen: Screen, place: str, addresses: tuple[Address, ...], where: Where) -> None:
    """ADDRESS is a number (0xD01004, 13635588, 13M) or a place: sector:5, model:0x300000; in
    SPIFFS block:3, page:37, file:/main.py@100; on a card also cluster:5, fat:5. @NUMBER adds an
    offset in bytes. Sections are those of docs/SPEC.md.
    """
    from maixfs.image.address import parse_target

    there = parse_target(place)
    if there.path:
        raise UsageError(
            "explain takes a whole target and addresses: remove the path",
            hint=f"maixfs explain {there.whole} file:{there.path}",
        )
    with opened_fields(screen, there, where) as fields:
        explanations = [fields.explain(fields.resolve(address)) for address in addresses]
    if screen.json:
        screen.emit(
            {
                "target": str(there),
                "bytes": [explanation.as_dict() for explanation in explanations],
            }
        )
        return
    for explanation in explanations:
        screen.line(explanation.sentence)
        screen.line("  ", Text(f"docs/SPEC.md, section {explanation.field.section}", "dim"))
