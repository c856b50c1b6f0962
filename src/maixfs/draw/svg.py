"""A picture as SVG: text that every browser shows, with a tip on each cell."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from maixfs.draw.palette import Rgb
from maixfs.draw.picture import Box, Picture, Words

_HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="{0}" height="{1}" viewBox="0 0 {0} {1}"'
    ' role="img" font-family="monospace">'
)
_LETTER_SHARE = 0.6


def draw_svg(picture: Picture) -> str:
    """Return the document."""
    return "\n".join(_lines(picture)) + "\n"


def _lines(picture: Picture) -> Iterator[str]:
    yield _HEAD.format(picture.width, picture.height)
    yield f"<title>{_text(picture.title)}</title>"
    yield '<rect width="100%" height="100%" fill="#ffffff"/>'
    yield from map(_box, picture.boxes)
    yield from map(_words, picture.words)
    yield "</svg>"


def _box(box: Box) -> str:
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


def _words(words: Words) -> str:
    bold = ' font-weight="bold"' if words.bold else ""
    place = f'x="{words.x}" y="{words.y}" font-size="{words.height}"{bold}'
    return f'<text {place} fill="{_colour(words.ink)}">{_text(words.text)}</text>'


def _text(text: str) -> str:
    """Return text that XML can hold: what does not print goes as an escape."""
    clean = "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)
    return escape(clean)


def _colour(rgb: Rgb) -> str:
    return "#{:02x}{:02x}{:02x}".format(*rgb)
