"""``maixfs map``: a flash chip as one picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from maixfs.cli.failures import WrongUsage
from maixfs.cli.flash.image import opened_image
from maixfs.cli.options import (
    PLACE,
    SIZE,
    HostPath,
    bytes_option,
    force_option,
    json_option,
    places_or_default,
)
from maixfs.cli.proof import draw_written, write_new, written_json
from maixfs.cli.screen import (
    ROLES,
    Column,
    Part,
    Screen,
    Text,
    count_text,
    hex_text,
    percent_text,
    range_text,
    unit_text,
)
from maixfs.cli.verb import verb
from maixfs.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from maixfs.draw.chart import Chart, Rgb, Shade
    from maixfs.image.entries import Written
    from maixfs.image.image import Image
    from maixfs.image.parts import Parts


_FILE = HostPath(path_type=Path, dir_okay=False)


@verb(
    "map",
    ("maixfs map dump.bin", "Show what each 64 KiB of the chip holds."),
    ("maixfs map board --wear --svg wear.svg", "Draw a picture of the erase counts."),
)
@click.argument("place", metavar="[IMG]", required=False, type=PLACE)
@click.option("--cell", "unit", type=SIZE, help="Bytes per cell (default: 256 cells or fewer).")
@click.option("--sectors", is_flag=True, help="One cell per sector (4 KiB).")
@click.option(
    "--pages", is_flag=True, help="One cell per page of the file system, one row per block."
)
@click.option("--wear", is_flag=True, help="Show how often sectors were erased.")
@click.option("--entropy", is_flag=True, help="Show the entropy of each cell.")
@click.option("--svg", metavar="FILE", type=_FILE, help="Also write an SVG file.")
@click.option(
    "--png", metavar="FILE", type=_FILE, help="Also write a PNG file (needs maixfs[png])."
)
@force_option
@bytes_option
@json_option
def map(  # noqa: A001 - the verb's name
    screen: Screen,
    place: str | None,
    unit: int | None,
    sectors: bool,
    pages: bool,
    wear: bool,
    entropy: bool,
    svg: Path | None,
    png: Path | None,
    force: bool,
) -> None:
    """The contents are detected: firmware, models, file systems, erased and unknown ranges. A
    capital letter means that more than half of a cell is used. Erase counts are the board's
    (wear.bin), otherwise those that the file system stores for its blocks.

    The default IMG is the board in the folder "board".
    """
    from maixfs.image.address import parse_target
    from maixfs.nor.device import SECTOR

    if pages + wear + entropy > 1:
        raise UsageError("--pages, --wear and --entropy are mutually exclusive")
    if sectors + pages + (unit is not None) > 1:
        raise UsageError("--cell, --sectors and --pages are mutually exclusive")
    (name,) = places_or_default((place,) if place else (), "map")
    wanted = SECTOR if sectors else unit
    there = parse_target(name)
    if there.path:
        raise WrongUsage(
            "map shows a whole flash: remove the path", hint=f"maixfs map {there.whole}"
        )
    with opened_image(screen, there.host) as raw:
        image = raw.parts
        chart, notes = _chart(raw, image, wanted, pages=pages, wear=wear, entropy=entropy)
        words = [*part_lines(image), *notes] if chart.mode == "parts" else notes
        title = f"{name}: {chart.mode}, {unit_text(chart.unit)} per cell"
        written = _draw_files(screen, chart, title, words, (svg, png), force)
        if screen.json:
            proof = {"pictures": [written_json([file]) for file in written]}
            screen.emit({"target": name, **as_json(image, chart, notes), **proof})
            return
        draw_map(screen, name, image, chart, notes)
        draw_written(screen, written)


def _chart(
    raw: Image,
    image: Parts,
    unit: int | None,
    *,
    pages: bool,
    wear: bool,
    entropy: bool,
) -> tuple[Chart, list[str]]:
    """Return the requested chart, and the notes under it."""
    from maixfs.draw import chart

    if entropy:
        return chart.chart_entropy(image, unit), []
    if pages:
        if not image.areas:
            raise UsageError(f"{raw.source.host} has no SPIFFS, hence no pages")
        return chart.chart_pages(image, image.areas[0]), []
    if not wear:
        return chart.chart_parts(image, unit), []
    counts = raw.flash.wear
    origin = "counted by the board, per sector"
    if counts is None:
        if not image.areas:
            raise UsageError(
                f"{raw.source.host} has no erase counts",
                hint="virtual boards have them (wear.bin), and SPIFFS areas per block",
            )
        # A dump has no count of each sector; SPIFFS stores one for each block.
        counts = tuple(chart.block_wear(image))
        origin = "from the file system, per block"
    return chart.chart_wear(image.size, counts, unit), wear_notes(counts, origin)


def _draw_files(
    screen: Screen,
    chart: Chart,
    title: str,
    words: list[str],
    files: tuple[Path | None, Path | None],
    force: bool,
) -> list[Written]:
    """Draw the requested pictures; return what was written."""
    svg, png = files
    if svg is None and png is None:
        return []
    from maixfs.draw.picture import lay_out

    # Both files come from one layout: they show the same.
    picture = lay_out(chart, title, words)
    written = []
    if svg is not None:
        from maixfs.draw.picture import draw_svg

        text = draw_svg(picture).encode("utf-8")
        written.append(write_new(screen, svg, text, force=force))
    if png is not None:
        from maixfs.draw.picture import draw_png

        written.append(write_new(screen, png, draw_png(picture), force=force))
    return written


COLUMNS = [
    Column(""),
    Column("part"),
    Column("place"),
    Column("size", right=True),
    Column("used", right=True),
    Column("what it is", spare=True),
]
_WIDEST = 120
_LONG = 16
"""Rows from which on equal ones are left out."""
_ADDRESS = 10
_LEAST_DETAIL = 12
_MOST_LINES = 40
"""Parts that are named under a picture."""


def wear_notes(counts: Sequence[int], origin: str) -> list[str]:
    """Return the summary of erase counts."""
    from maixfs.nor.device import SECTOR

    most = max(counts, default=0)
    if not most:
        return [f"no sector has been erased ({origin})"]
    worst = counts.index(most) * SECTOR
    worn = [count for count in counts if count]
    mean = sum(worn) / len(worn)
    text = f"worst sector {hex_text(worst)}, erased {count_text(most, 'time')}"
    named = (
        f"{count_text(len(worn), 'sector')} of {len(counts)} were erased, {mean:.1f} times each"
    )
    return [f"{text}; {named} ({origin})"]


def draw_map(screen: Screen, name: str, image: Parts, chart: Chart, notes: Sequence[str]) -> None:
    """Print the cells, the legend, and the parts of the image."""
    layout = f", layout {image.layout.name}" if image.layout else ""
    size = screen.size(image.size)
    cell = unit_text(chart.unit)
    screen.line(Text(name, "heading"), f"  {size}, {chart.mode}, {cell} per cell{layout}")
    if not screen.plain:
        screen.line()
        _draw_cells(screen, chart)
        screen.line()
        for row in _legend(chart, min(screen.width(), _WIDEST)):
            screen.line(*row)
    if chart.mode == "parts":
        screen.line()
        _draw_parts(screen, image)
    elif screen.plain:
        _print_cells(screen, chart)
    for note in notes:
        screen.line(note)
    for overlap in image.conflicts:
        screen.paragraph("  ", Text("overlap:", "bad"), overlap.message)


def _draw_cells(screen: Screen, chart: Chart) -> None:
    columns = _columns(screen, chart)
    starts = range(0, len(chart.cells), columns)
    before: tuple[str, ...] = ()
    skipped = 0
    for start in starts:
        row = chart.cells[start : start + columns]
        letters = tuple(cell.shade.letter for cell in row)
        # The last row is always printed: it shows where the chip ends.
        is_last = start + columns >= len(chart.cells)
        if len(starts) > _LONG and letters == before and len(set(letters)) == 1 and not is_last:
            skipped += 1
            continue
        if skipped:
            screen.line(f"{'*':<{_ADDRESS}}", f"{count_text(skipped, 'row')} like the one above")
            skipped = 0
        before = letters
        shades = [cell.shade for cell in row]
        screen.line(f"{hex_text(row[0].start):<{_ADDRESS}}", *painted(shades))


def _columns(screen: Screen, chart: Chart) -> int:
    """Return the cells of a row: a power of two, or the pages of a block."""
    room = min(screen.width(), _WIDEST) - _ADDRESS
    # A power of two, so that rows begin at round addresses.
    usual = 64 if len(chart.cells) > 512 else 32
    if chart.row and chart.row <= 64:
        usual = chart.row
    while usual > 1 and usual + (usual - 1) // 16 > room:
        usual = -(-usual // 2)
    return usual


def _legend(chart: Chart, width: int) -> Iterator[list[Part]]:
    """Yield the legend in lines of at most ``width`` columns."""
    line: list[Part] = []
    used = 0
    for shade in chart.legend:
        need = len(shade.name) + 5
        if line and used + need > width:
            yield line
            line, used = [], 0
        line += [Text(shade.letter, role_of(shade.rgb)), f" {shade.name}   "]
        used += need
    if line:
        yield line


def _draw_parts(screen: Screen, image: Parts) -> None:
    from maixfs.draw.chart import KINDS, used_bytes
    from maixfs.image.parts import BLANK_KINDS

    shown = [part for part in image.ranges if part.kind not in BLANK_KINDS]
    used = used_bytes(shown, image.view)
    rows: list[list[Part]] = []
    for part in shown:
        shade = KINDS[part.kind]
        share = percent_text(used[part.start], part.size)
        place = range_text(part.start, part.end)
        letter = Text(shade.letter, role_of(shade.rgb))
        rows.append([letter, part.kind, place, screen.cell(part.size), share, part.detail])
    if rows:
        screen.table(COLUMNS, rows if screen.plain else _clipped(rows, screen.width()))
    blank = sum(part.size for part in image.ranges if part.kind in BLANK_KINDS)
    screen.line(f"{screen.size(blank)} of {screen.size(image.size)} are erased or zero")


def _clipped(rows: list[list[Part]], width: int) -> list[list[Part]]:
    """Shorten the last cells to the width of the terminal; return the rows."""
    taken = sum(
        max(len(COLUMNS[at].heading), *(len(str(row[at])) for row in rows)) + 2
        for at in range(1, len(COLUMNS) - 1)
    )
    room = max(_LEAST_DETAIL, min(width, _WIDEST) - taken - 3)
    for row in rows:
        text = str(row[-1])
        if len(text) > room:
            row[-1] = f"{text[: room - 3].rstrip()}..."
    return rows


def part_lines(image: Parts) -> list[str]:
    """Return a line for each part of an image, for the caption of a picture."""
    from maixfs.draw.chart import KINDS
    from maixfs.image.parts import BLANK_KINDS

    shown = [part for part in image.ranges if part.kind not in BLANK_KINDS]
    lines = [
        f"{KINDS[part.kind].letter}  {range_text(part.start, part.end)}"
        f"  {part.kind}: {part.detail}"
        for part in shown[:_MOST_LINES]
    ]
    return lines + ([f"... and {len(shown) - _MOST_LINES} more"] * (len(shown) > _MOST_LINES))


def _print_cells(screen: Screen, chart: Chart) -> None:
    """Print runs of equal cells in words."""
    start = 0
    for at, cell in enumerate(chart.cells):
        following = chart.cells[at + 1] if at + 1 < len(chart.cells) else None
        if following is None or following.key != cell.key or following.value != cell.value:
            first = chart.cells[start].start
            words = cell.text if chart.mode != "pages" else cell.key
            screen.line(f"{range_text(first, cell.start + cell.size)}: {words}")
            start = at + 1


def as_json(image: Parts, chart: Chart, notes: Sequence[str]) -> dict[str, Any]:
    """Return what ``--json`` says."""
    from maixfs.draw.chart import used_bytes

    used = used_bytes(image.ranges, image.view)
    return {
        "size": image.size,
        "layout": image.layout.name if image.layout else None,
        "mode": chart.mode,
        "cell": chart.unit,
        "cells": [
            {
                "start": cell.start,
                "size": cell.size,
                "key": cell.key,
                "letter": cell.shade.letter,
                "value": cell.value,
            }
            for cell in chart.cells
        ],
        "legend": [{"letter": shade.letter, "name": shade.name} for shade in chart.legend],
        "parts": [
            {
                "kind": part.kind,
                "start": part.start,
                "size": part.size,
                "used": used[part.start],
                "detail": part.detail,
                "entropy": part.entropy,
            }
            for part in image.ranges
        ],
        "overlaps": [overlap._asdict() for overlap in image.conflicts],
        "notes": list(notes),
    }


_GROUP = 16
"""Cells between two blanks, so that they can be counted."""


def role_of(rgb: Rgb) -> str:
    """Return the role of letters on a colour; register it with the screen."""
    from maixfs.draw.chart import ink_on, terminal_colour

    name = "on {}-{}-{}".format(*rgb)
    ROLES.setdefault(name, {"fg": terminal_colour(ink_on(rgb)), "bg": terminal_colour(rgb)})
    return name


def painted(shades: Sequence[Shade]) -> Iterator[Part]:
    """Yield a row of letters on their colours."""
    for start in range(0, len(shades), _GROUP):
        if start:
            yield " "
        for rgb, run in groupby(shades[start : start + _GROUP], lambda shade: shade.rgb):
            yield Text("".join(shade.letter for shade in run), role_of(rgb))
