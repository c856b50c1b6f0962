"""A picture as PNG, drawn by Pillow, which only this needs (``maixfs[png]``)."""

from __future__ import annotations

import io
from importlib import import_module
from typing import Any

from maixfs.draw.picture import Picture
from maixfs.errors import MaixfsError

_SCALE = 2
"""Pixels per unit of the layout, so that letters are sharp."""
_LETTER_SHARE = 0.6


def draw_png(picture: Picture) -> bytes:
    """Return the file; raises ``MaixfsError`` where Pillow is not installed."""
    try:
        image_module, draw_module = import_module("PIL.Image"), import_module("PIL.ImageDraw")
    except ImportError as error:
        raise MaixfsError(
            "a PNG needs the package Pillow, which is not installed",
            hint="pip install 'maixfs[png]', or --svg",
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
    """Pillow's own font, by height in pixels."""

    def __init__(self) -> None:
        self._load = import_module("PIL.ImageFont").load_default
        self._known: dict[int, Any] = {}

    def of(self, height: float) -> Any:
        """Return the font of about that height."""
        size = max(6, round(height))
        if size not in self._known:
            self._known[size] = self._load(size)
        return self._known[size]
