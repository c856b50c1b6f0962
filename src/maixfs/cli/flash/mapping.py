"""A chart on the terminal, and in JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from maixfs.cli.flash.image import range_text
from maixfs.cli.flash.paint import painted, role_of
from maixfs.cli.screen import Column, Part, Screen, Text
from maixfs.cli.wording import count_text, hex_text, percent_text, unit_text

if TYPE_CHECKING:
    from maixfs.draw import Chart
    from maixfs.image.flash import FlashImage

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
    """Return what is to be said of erase counts."""
    most = max(counts, default=0)
    if not most:
        return [f"no sector was erased yet ({origin})"]
    worst = counts.index(most) * 0x1000
    worn = [count for count in counts if count]
    mean = sum(worn) / len(worn)
    text = f"worst sector {hex_text(worst)}, erased {count_text(most, 'time')}"
    named = (
        f"{count_text(len(worn), 'sector')} of {len(counts)} were erased, {mean:.1f} times each"
    )
    return [f"{text}; {named} ({origin})"]


def draw_map(
    screen: Screen, name: str, image: FlashImage, chart: Chart, notes: Sequence[str]
) -> None:
    """Write the cells, what their letters mean, and the parts of the image."""
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
        _say_cells(screen, chart)
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
    """Return how many cells fit a row: a power of two, or the pages of a block."""
    room = min(screen.width(), _WIDEST) - _ADDRESS
    usual = 64 if len(chart.cells) > 512 else 32
    if chart.row and chart.row <= 64:
        usual = chart.row
    while usual > 1 and usual + (usual - 1) // 16 > room:
        usual = -(-usual // 2)
    return usual


def _legend(chart: Chart, width: int) -> Iterator[list[Part]]:
    """Yield what the letters mean, in lines of at most ``width`` columns."""
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


def _draw_parts(screen: Screen, image: FlashImage) -> None:
    from maixfs.draw import KINDS, used_bytes
    from maixfs.image.records import BLANK_KINDS

    shown = [one for one in image.found if one.kind not in BLANK_KINDS]
    used = used_bytes(shown, image.view)
    rows: list[list[Part]] = []
    for one in shown:
        shade = KINDS[one.kind]
        share = percent_text(used[one.start], one.size)
        place = range_text(one.start, one.end)
        letter = Text(shade.letter, role_of(shade.rgb))
        rows.append([letter, one.kind, place, screen.cell(one.size), share, one.detail])
    if rows:
        screen.table(COLUMNS, rows if screen.plain else _clipped(rows, screen.width()))
    blank = sum(one.size for one in image.found if one.kind in BLANK_KINDS)
    screen.line(f"{screen.size(blank)} of {screen.size(image.size)} are erased or zero")


def _clipped(rows: list[list[Part]], width: int) -> list[list[Part]]:
    """Return the rows with last cells that are short enough for a terminal."""
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


def part_lines(image: FlashImage) -> list[str]:
    """Return a line for each part of an image, for under a picture."""
    from maixfs.draw import KINDS
    from maixfs.image.records import BLANK_KINDS

    shown = [one for one in image.found if one.kind not in BLANK_KINDS]
    lines = [
        f"{KINDS[one.kind].letter}  {range_text(one.start, one.end)}  {one.kind}: {one.detail}"
        for one in shown[:_MOST_LINES]
    ]
    return lines + ([f"... and {len(shown) - _MOST_LINES} more"] * (len(shown) > _MOST_LINES))


def _say_cells(screen: Screen, chart: Chart) -> None:
    """Write runs of equal cells in words."""
    start = 0
    for at, cell in enumerate(chart.cells):
        following = chart.cells[at + 1] if at + 1 < len(chart.cells) else None
        if following is None or following.key != cell.key or following.value != cell.value:
            first = chart.cells[start].start
            words = cell.text if chart.mode != "pages" else cell.key
            screen.line(f"{range_text(first, cell.start + cell.size)}: {words}")
            start = at + 1


def as_json(image: FlashImage, chart: Chart, notes: Sequence[str]) -> dict[str, Any]:
    """Return what ``--json`` says."""
    from maixfs.draw import used_bytes

    used = used_bytes(image.found, image.view)
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
                "kind": one.kind,
                "start": one.start,
                "size": one.size,
                "used": used[one.start],
                "detail": one.detail,
                "entropy": one.entropy,
            }
            for one in image.found
        ],
        "overlaps": [overlap._asdict() for overlap in image.conflicts],
        "notes": list(notes),
    }
