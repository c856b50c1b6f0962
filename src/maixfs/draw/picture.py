"""A chart as a picture: its layout, as SVG, and as PNG drawn by Pillow (``maixfs[png]``)."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from html import escape
from importlib import import_module
from typing import Any

from maixfs.draw.chart import BLACK, Chart, Rgb, ink_on
from maixfs.errors import MaixfsError
from maixfs.tuples import NamedTuple

MARGIN = 16
LINE = 20
_ADDRESS_WIDTH = 84
_LARGE, _SMALL = 22, 12
_LETTER_ROOM = 12
"""Smaller cells have no letters: they could not be read."""
_MAX_LARGE = 512


class Box(NamedTuple):
    """A filled square with a letter; lengths in pixels."""

    x: int
    y: int
    size: int
    rgb: Rgb
    letter: str
    ink: Rgb
    text: str
    """Tool tip; empty in legends."""


class Words(NamedTuple):
    """A line of text; ``y`` is its base line."""

    x: int
    y: int
    text: str
    height: int
    bold: bool = False
    ink: Rgb = BLACK


class Picture(NamedTuple):
    """The shapes and texts to draw; lengths in pixels."""

    title: str
    width: int
    height: int
    boxes: tuple[Box, ...]
    words: tuple[Words, ...]


def lay_out(chart: Chart, title: str, notes: Sequence[str] = ()) -> Picture:
    """Return the picture of a chart under ``title``, with a legend and lines of ``notes``."""
    columns = columns_of(chart, 64 if len(chart.cells) > _MAX_LARGE else 32)
    pitch = _SMALL if len(chart.cells) > _MAX_LARGE else _LARGE
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
    widest = max(len(line.text) for line in words) * 8
    width = 2 * MARGIN + max(grid, widest)
    return Picture(title, width, y + LINE + MARGIN, tuple(boxes), tuple(words))


def columns_of(chart: Chart, usual: int) -> int:
    """Return the number of cells in a row; a block's cells stay in one row if they fit."""
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


# SVG

_HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="{0}" height="{1}" viewBox="0 0 {0} {1}"'
    ' role="img" font-family="monospace">'
)
_LETTER_SHARE = 0.6


def draw_svg(picture: Picture) -> str:
    """Return a picture as an SVG document, with a tool tip on each cell."""
    return "\n".join(_svg_lines(picture)) + "\n"


def _svg_lines(picture: Picture) -> Iterator[str]:
    yield _HEAD.format(picture.width, picture.height)
    yield f"<title>{_text(picture.title)}</title>"
    yield '<rect width="100%" height="100%" fill="#ffffff"/>'
    yield from map(_svg_box, picture.boxes)
    yield from map(_svg_words, picture.words)
    yield "</svg>"


def _svg_box(box: Box) -> str:
    tip = f"<title>{_text(box.text)}</title>" if box.text else ""
    place = f'x="{box.x}" y="{box.y}" width="{box.size}" height="{box.size}"'
    square = f'<rect {place} fill="{_colour(box.rgb)}"/>'
    if box.letter.strip():
        height = round(box.size * _LETTER_SHARE)
        x, y = box.x + box.size / 2, box.y + (box.size + height * 0.7) / 2
        square += (
            f'<text x="{x:g}" y="{y:.1f}" font-size="{height}" text-anchor="middle"'
            f' fill="{_colour(box.ink)}">{_text(box.letter)}</text>'
        )
    return f"<g>{tip}{square}</g>"


def _svg_words(words: Words) -> str:
    bold = ' font-weight="bold"' if words.bold else ""
    place = f'x="{words.x}" y="{words.y}" font-size="{words.height}"{bold}'
    return f'<text {place} fill="{_colour(words.ink)}">{_text(words.text)}</text>'


def _text(text: str) -> str:
    """Return text for XML; characters that do not print are escaped."""
    clean = "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)
    return escape(clean)


def _colour(rgb: Rgb) -> str:
    return "#{:02x}{:02x}{:02x}".format(*rgb)


# PNG

_SCALE = 2
"""Pixels per unit of the layout: letters are sharper that way."""


def draw_png(picture: Picture) -> bytes:
    """Return a picture as a PNG file; raises ``MaixfsError`` if Pillow is not installed."""
    try:
        image_module, draw_module = import_module("PIL.Image"), import_module("PIL.ImageDraw")
    except ImportError as error:
        raise MaixfsError(
            "a PNG needs the package Pillow, which is not installed",
            hint="pip install 'maixfs[png]', or draw an SVG",
        ) from error
    image = image_module.new(
        "RGB", (picture.width * _SCALE, picture.height * _SCALE), (255, 255, 255)
    )
    _draw(draw_module.Draw(image), picture)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def _draw(draw: Any, picture: Picture) -> None:
    fonts = _Fonts()
    for box in picture.boxes:
        left, top, size = box.x * _SCALE, box.y * _SCALE, box.size * _SCALE
        draw.rectangle((left, top, left + size - 1, top + size - 1), fill=box.rgb)
        if box.letter.strip():
            middle = (left + size / 2, top + size / 2)
            font = fonts.of(size * _LETTER_SHARE)
            draw.text(middle, box.letter, fill=box.ink, font=font, anchor="mm")
    for words in picture.words:
        place = (words.x * _SCALE, words.y * _SCALE)
        font = fonts.of(words.height * _SCALE)
        draw.text(place, words.text, fill=words.ink, font=font, anchor="ls")


class _Fonts:
    """Pillow's built-in font, by height in pixels."""

    def __init__(self) -> None:
        self._load = import_module("PIL.ImageFont").load_default
        self._known: dict[int, Any] = {}

    def of(self, height: float) -> Any:
        """Return the font of about that height."""
        size = max(6, round(height))
        if size not in self._known:
            self._known[size] = self._load(size)
        return self._known[size]
