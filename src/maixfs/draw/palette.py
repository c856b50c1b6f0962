"""The colours and letters of everything that is drawn of a flash, on terminals and in pictures.

Colours are those of Okabe and Ito, which people tell apart whatever colours they see
(M. Okabe, K. Ito: Color Universal Design, 2008). No colour says anything alone: each kind has a
letter too.
"""

from __future__ import annotations

from typing import NamedTuple

from maixfs.image import records

Rgb = tuple[int, int, int]

ORANGE: Rgb = (230, 159, 0)
SKY_BLUE: Rgb = (86, 180, 233)
GREEN: Rgb = (0, 158, 115)
YELLOW: Rgb = (240, 228, 66)
BLUE: Rgb = (0, 114, 178)
VERMILLION: Rgb = (213, 94, 0)
PURPLE: Rgb = (204, 121, 167)
GREY: Rgb = (153, 153, 153)
PALE: Rgb = (224, 224, 224)
WHITE: Rgb = (255, 255, 255)
BLACK: Rgb = (0, 0, 0)


class Shade(NamedTuple):
    """How something is drawn."""

    letter: str
    rgb: Rgb
    name: str
    """What it is, for a legend."""


KINDS: dict[str, Shade] = {
    records.FIRMWARE: Shade("F", SKY_BLUE, "firmware"),
    records.KBOOT_STAGE: Shade("K", BLUE, "Kboot"),
    records.BOOT_CONFIG: Shade("C", YELLOW, "boot configuration"),
    records.MODEL: Shade("M", ORANGE, "model"),
    records.SPIFFS: Shade("S", GREEN, "file system, in use"),
    records.UNKNOWN: Shade("?", PURPLE, "unknown data"),
    records.ZERO: Shade("0", GREY, "zeros"),
    records.ERASED: Shade(".", PALE, "erased"),
    "spiffs deleted": Shade("x", VERMILLION, "file system, deleted data"),
    "spiffs free": Shade("_", PALE, "file system, free"),
}
"""What a part of a chip is; a small letter says that it takes less than half of its cell."""

PAGES: dict[str, Shade] = {
    "look-up": Shade("L", YELLOW, "look-up"),
    "index header": Shade("H", BLUE, "index header of a file"),
    "index": Shade("I", SKY_BLUE, "further index"),
    "data": Shade("D", GREEN, "data"),
    "deleted": Shade("x", VERMILLION, "deleted"),
    "free": Shade(".", PALE, "free"),
    "stale": Shade(",", GREY, "free, with bytes left from before"),
    "wrong": Shade("!", PURPLE, "does not agree with its look-up entry"),
}
"""What a page of a SPIFFS is."""

LEVELS = 9
"""Steps of a scale above nothing."""


def level_shade(level: int) -> Shade:
    """Return how a step of a scale is drawn: 0 is nothing, 9 the most."""
    mix = [
        round(pale + (full - pale) * level / LEVELS)
        for pale, full in zip(PALE, VERMILLION, strict=True)
    ]
    return Shade("." if not level else str(level), (mix[0], mix[1], mix[2]), str(level))


def ink_on(rgb: Rgb) -> Rgb:
    """Return the colour of a letter that can be read on a colour: black or white."""
    red, green, blue = rgb
    return BLACK if 299 * red + 587 * green + 114 * blue > 128_000 else WHITE


def terminal_colour(rgb: Rgb) -> int:
    """Return the nearest of the 216 colours that terminals have from number 16 on."""
    red, green, blue = (0 if part < 48 else 1 if part < 115 else (part - 35) // 40 for part in rgb)
    return 16 + 36 * red + 6 * green + blue
