"""A chart as a picture: where each cell and each word goes, for SVG and PNG alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from maixfs.draw.chart import Chart
from maixfs.draw.palette import BLACK, Rgb, ink_on

MARGIN = 16
LINE = 20
_ADDRESS_WIDTH = 84
_LARGE, _SMALL = 22, 12
_LETTER_ROOM = 12
"""Cells under this size have no letters: they could not be read."""
_MOST_LARGE = 512


class Box(NamedTuple):
    """A filled square with a letter; lengths in pixels."""

    x: int
    y: int
    size: int
    rgb: Rgb
    letter: str
    ink: Rgb
    text: str
    """For a person who points at it; empty in legends."""


class Words(NamedTuple):
    """A line of text; ``y`` is its base line."""

    x: int
    y: int
    text: str
    height: int
    bold: bool = False
    ink: Rgb = BLACK


class Picture(NamedTuple):
    """Everything to draw."""

    title: str
    width: int
    height: int
    boxes: tuple[Box, ...]
    words: tuple[Words, ...]


def lay_out(chart: Chart, title: str, notes: Sequence[str] = ()) -> Picture:
    """Return the picture of a chart under ``title``, with a legend and lines of ``notes``."""
    columns = columns_of(chart, 64 if len(chart.cells) > _MOST_LARGE else 32)
    pitch = _SMALL if len(chart.cells) > _MOST_LARGE else _LARGE
    top = MARGIN + 2 * LINE
    boxes = list(_cells(chart, columns, pitch, top))
    words = [Words(MARGIN, MARGIN + LINE, title, 16, bold=True)]
    rows = -(-len(chart.cells) // columns)
    words += [
        Words(MARGIN, top + row * pitch + pitch * 3 // 4, _address(chart, row * columns), 12)
        for row in range(0, rows, 1 if pitch == _LARGE else 2)
    ]
    y = top + rows * pitch + LINE
    for shade in chart.legend:
        boxes.append(_box(MARGIN, y, 18, shade.rgb, shade.letter, ""))
        words.append(Words(MARGIN + 28, y + 14, shade.name, 13))
        y += LINE + 2
    for note in notes:
        y += LINE
        words.append(Words(MARGIN, y, note, 13))
    grid = _ADDRESS_WIDTH + columns * pitch
    widest = max(len(one.text) for one in words) * 8
    width = 2 * MARGIN + max(grid, widest)
    return Picture(title, width, y + LINE + MARGIN, tuple(boxes), tuple(words))


def columns_of(chart: Chart, usual: int) -> int:
    """Return how many cells go in a row; rows of blocks that fit stay whole."""
    if not chart.row:
        return usual
    return chart.row if chart.row <= usual else usual


def _cells(chart: Chart, columns: int, pitch: int, top: int) -> Iterator[Box]:
    for number, cell in enumerate(chart.cells):
        row, column = divmod(number, columns)
        x = MARGIN + _ADDRESS_WIDTH + column * pitch
        letter = cell.shade.letter if pitch >= _LETTER_ROOM else ""
        text = f"0x{cell.start:06X}: {cell.text}"
        yield _box(x, top + row * pitch, pitch - 1, cell.shade.rgb, letter, text)


def _box(x: int, y: int, size: int, rgb: Rgb, letter: str, text: str) -> Box:
    return Box(x, y, size, rgb, letter, ink_on(rgb), text)


def _address(chart: Chart, number: int) -> str:
    return f"0x{chart.cells[number].start:06X}"
