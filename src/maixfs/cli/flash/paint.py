"""The colours of the flash's palette on a terminal."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from maixfs.cli.screen import ROLES, Part, Text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from maixfs.draw import Rgb, Shade

_GROUP = 16
"""Cells between two blanks, so that an eye can count them."""


def role_of(rgb: Rgb) -> str:
    """Return the role of letters on a colour; it is known to the screen from then on."""
    from maixfs.draw import ink_on, terminal_colour

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
