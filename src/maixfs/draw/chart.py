"""A chip as cells of equal size: their owners, their wear, how random their bytes are.

Colours are those of Okabe and Ito, which people with any colour vision can tell apart
(M. Okabe, K. Ito: Color Universal Design, 2008). Each kind has a letter too: no colour is the
only sign.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from maixfs.errors import UsageError
from maixfs.image.parts import (
    BLANK_KINDS,
    BOOT_CONFIG,
    ERASED,
    FIRMWARE,
    KBOOT_STAGE,
    MODEL,
    SPIFFS,
    UNKNOWN,
    ZERO,
    Found,
    Parts,
)
from maixfs.nor.device import blank
from maixfs.spiffs import Geometry, ondisk
from maixfs.spiffs.detect import Detection
from maixfs.tuples import NamedTuple

# Colours and letters

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
    """Letter and colour of a kind."""

    letter: str
    rgb: Rgb
    name: str
    """Its name in a legend."""


KINDS: dict[str, Shade] = {
    FIRMWARE: Shade("F", SKY_BLUE, "firmware"),
    KBOOT_STAGE: Shade("K", BLUE, "Kboot"),
    BOOT_CONFIG: Shade("C", YELLOW, "boot configuration"),
    MODEL: Shade("M", ORANGE, "model"),
    SPIFFS: Shade("S", GREEN, "file system, in use"),
    UNKNOWN: Shade("?", PURPLE, "unknown data"),
    ZERO: Shade("0", GREY, "zeros"),
    ERASED: Shade(".", PALE, "erased"),
    "spiffs deleted": Shade("x", VERMILLION, "file system, deleted data"),
    "spiffs free": Shade("_", PALE, "file system, free"),
}
"""Kinds of parts; a small letter means that the part fills less than half of its cell."""

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
"""States of a SPIFFS page."""

LEVELS = 9
"""Steps of a scale above 0."""


def level_shade(level: int) -> Shade:
    """Return the shade of a step of a scale, from 0 to ``LEVELS``."""
    mix = [
        round(pale + (full - pale) * level / LEVELS)
        for pale, full in zip(PALE, VERMILLION, strict=True)
    ]
    return Shade("." if not level else str(level), (mix[0], mix[1], mix[2]), str(level))


def ink_on(rgb: Rgb) -> Rgb:
    """Return the colour of letters on a background: black or white."""
    red, green, blue = rgb
    return BLACK if 299 * red + 587 * green + 114 * blue > 128_000 else WHITE


def terminal_colour(rgb: Rgb) -> int:
    """Return the nearest colour of a terminal's 6x6x6 cube, which begins at number 16."""
    red, green, blue = (0 if part < 48 else 1 if part < 115 else (part - 35) // 40 for part in rgb)
    return 16 + 36 * red + 6 * green + blue


# States of SPIFFS pages, from their bytes alone: damaged areas too

_STATE = ondisk.USED | ondisk.FINAL | ondisk.INDEX | ondisk.DELET
_LIVE_DATA = ondisk.INDEX | ondisk.DELET
_LIVE_INDEX = ondisk.DELET


def page_states(image: memoryview, geometry: Geometry) -> list[str]:
    """Return the state of each page, a key of ``PAGES``; pages past the image count as free.

    ``geometry.base`` is the address of the area in ``image``.
    """
    area = image[geometry.base : geometry.base + geometry.size]
    states: list[str] = []
    for block in range(geometry.blocks):
        start = block * geometry.block_size
        entries = ondisk.u16_array(area[start : start + 2 * geometry.usable_pages])
        entries.extend([ondisk.ID_FREE] * (geometry.usable_pages - len(entries)))
        states += ["look-up"] * geometry.lookup_pages
        first = start + geometry.lookup_pages * geometry.page_size
        states += [
            _state(area[at : at + geometry.page_size], entry)
            for at, entry in zip(
                range(first, start + geometry.block_size, geometry.page_size),
                entries,
                strict=True,
            )
        ]
    return states


def _state(page: memoryview, entry: int) -> str:
    if entry == ondisk.ID_FREE:
        return "free" if bytes(page) == blank(len(page)) else "stale"
    if entry == ondisk.ID_DELETED:
        return "deleted"
    if len(page) < ondisk.PageHeader.size:
        return "wrong"
    object_id, span, flags = ondisk.PageHeader.struct.unpack_from(page)
    # A page counts as sound only if look-up entry, page header and flags agree.
    is_index = bool(entry & ondisk.ID_INDEX)
    if object_id != entry or flags & _STATE != (_LIVE_INDEX if is_index else _LIVE_DATA):
        return "wrong"
    if not is_index:
        return "data"
    return "index" if span else "index header"


# Charts

SECTOR = 0x1000
_USUAL_CELLS = 256
_MAX_CELLS = 1 << 16
_LIVE = frozenset({"index header", "index", "data", "wrong"})


class Cell(NamedTuple):
    """A piece of the chip."""

    start: int
    size: int
    key: str
    """A key of ``KINDS`` or ``PAGES``, or the level of a scale."""
    shade: Shade
    text: str
    """Its description, for a tool tip."""
    value: float | None = None
    """The value on a scale: erases, or bits per byte."""


class Chart(NamedTuple):
    """All cells, by address, and the legend."""

    mode: str
    """``parts``, ``pages``, ``wear`` or ``entropy``."""
    unit: int
    """Bytes per cell."""
    row: int
    """Cells of a row (those of a block), or 0 for any number."""
    cells: tuple[Cell, ...]
    legend: tuple[Shade, ...]


def usual_unit(size: int) -> int:
    """Return the default size of a cell: 64 KiB for a chip of 16 MiB."""
    unit = SECTOR
    while unit * _USUAL_CELLS < size:
        unit *= 2
    return unit


def chart_parts(image: Parts, unit: int | None = None) -> Chart:
    """Return a chart of the parts: each cell has the kind that fills most of it.

    Raises ``UsageError`` for a ``unit`` that is no multiple of a sector or far too small.
    """
    unit = _checked(unit, image.size)
    claims = sorted(_claims(image))
    cells = tuple(
        _part_cell(start, size, mine) for start, size, mine in _shared(image.size, unit, claims)
    )
    used = {cell.key for cell in cells}
    return Chart("parts", unit, 0, cells, tuple(KINDS[key] for key in KINDS if key in used))


def _checked(unit: int | None, size: int) -> int:
    unit = usual_unit(size) if unit is None else unit
    if unit <= 0 or unit % SECTOR:
        raise UsageError(f"a cell of {unit:#x} bytes is no multiple of a sector ({SECTOR:#x})")
    if size > unit * _MAX_CELLS:
        raise UsageError(f"{size // unit} cells are too many to draw")
    return unit


def _claims(image: Parts) -> Iterator[tuple[int, int, str]]:
    """Yield (start, end, kind) of all parts; of file systems page by page."""
    for part in image.ranges:
        if part.kind == SPIFFS and isinstance(part.what, Detection):
            yield from _page_claims(image.view, part.what)
        else:
            yield part.start, part.end, part.kind


def _page_claims(view: memoryview, area: Detection) -> Iterator[tuple[int, int, str]]:
    geometry = area.geometry
    for page, kind in enumerate(_page_kinds(view, area)):
        start = geometry.page_address(page)
        yield start, start + geometry.page_size, kind


def _page_kinds(view: memoryview, area: Detection) -> Iterator[str]:
    """Yield the kind of each page; look-up pages are in use if any page of their block is."""
    per_block = area.geometry.pages_per_block
    states = page_states(view, area.geometry)
    for first in range(0, len(states), per_block):
        block = states[first : first + per_block]
        lookup = SPIFFS if not _LIVE.isdisjoint(block) else "spiffs free"
        for state in block:
            if state == "look-up":
                yield lookup
            elif state == "deleted":
                yield "spiffs deleted"
            else:
                yield SPIFFS if state in _LIVE else "spiffs free"


def _shared(
    size: int, unit: int, claims: Sequence[tuple[int, int, str]]
) -> Iterator[tuple[int, int, dict[str, int]]]:
    """Yield start and size of each cell, and its bytes by kind."""
    count = -(-size // unit)
    shares: list[dict[str, int]] = [{} for _ in range(count)]
    for start, end, kind in claims:
        for number in range(start // unit, min(count, -(-end // unit))):
            room = min(end, (number + 1) * unit) - max(start, number * unit)
            shares[number][kind] = shares[number].get(kind, 0) + room
    for number, share in enumerate(shares):
        yield number * unit, min(unit, size - number * unit), share


def _part_cell(start: int, size: int, share: dict[str, int]) -> Cell:
    """Return a cell of the kind that fills most of it; blank only if it has no other."""
    rank = {key: at for at, key in enumerate(KINDS)}
    owned = {key: room for key, room in share.items() if key not in BLANK_KINDS}
    # A file system's free pages must not hide a small file in the same cell.
    live = {key: room for key, room in owned.items() if not key.startswith("spiffs ")}
    candidates = live or owned or share or {"erased": size}
    key = max(candidates, key=lambda kind: (candidates[kind], -rank[kind]))
    shade = KINDS[key]
    if 2 * candidates[key] < size:
        shade = shade._replace(letter=shade.letter.lower())
    named = [f"{KINDS[kind].name} {room * 100 // size} %" for kind, room in share.items()]
    return Cell(start, size, key, shade, ", ".join(named))


def chart_pages(image: Parts, area: Detection) -> Chart:
    """Return what each page of a SPIFFS area is; a block to a row."""
    geometry = area.geometry
    size = geometry.page_size
    cells = tuple(
        Cell(geometry.page_address(page), size, state, PAGES[state], f"page {page}: {state}")
        for page, state in enumerate(page_states(image.view, geometry))
    )
    used = {cell.key for cell in cells}
    legend = tuple(PAGES[key] for key in PAGES if key in used)
    return Chart("pages", size, geometry.pages_per_block, cells, legend)


def chart_wear(size: int, wear: Sequence[int], unit: int | None = None) -> Chart:
    """Return the most erases of any sector in each cell; ``wear`` has a count per sector."""
    unit = _checked(unit, size)
    step = unit // SECTOR
    values = [max(wear[at : at + step], default=0) for at in range(0, -(-size // SECTOR), step)]
    highest = max(values, default=0)
    levels = [-(-value * LEVELS // highest) if highest else 0 for value in values]
    return _scale("wear", unit, size, values, levels, "erases")


def block_wear(image: Parts) -> list[int]:
    """Return a count per sector as the file systems keep it: erases of their blocks."""
    counts = [0] * -(-image.size // SECTOR)
    for area in image.areas:
        geometry = area.geometry
        for block in range(geometry.blocks):
            start = geometry.base + block * geometry.block_size
            at = start + geometry.magic_offset
            if at + ondisk.BlockSignature.size > image.size:
                break
            erases = ondisk.BlockSignature.unpack(image.view, at).erase_count
            if erases < ondisk.ERASE_COUNT_WRAP:
                last = min(len(counts), (start + geometry.block_size) // SECTOR)
                counts[start // SECTOR : last] = [erases] * (last - start // SECTOR)
    return counts


def chart_entropy(image: Parts, unit: int | None = None) -> Chart:
    """Return how random the bytes of each cell are: 0 (all the same) to 8 bits per byte."""
    import numpy as np

    unit = _checked(unit, image.size)
    values = []
    for start in range(0, image.size, unit):
        counts = np.bincount(np.frombuffer(image.view[start : start + unit], np.uint8))
        shares = counts[counts > 0] / min(unit, image.size - start)
        values.append(abs(float(-(shares * np.log2(shares)).sum())))
    levels = [-(-int(value * 1000) * LEVELS // 8000) for value in values]
    return _scale("entropy", unit, image.size, values, levels, "bits per byte")


def _scale(
    mode: str,
    unit: int,
    size: int,
    values: Sequence[float],
    levels: Sequence[int],
    what: str,
) -> Chart:
    cells = tuple(
        Cell(
            at * unit,
            min(unit, size - at * unit),
            str(level),
            level_shade(level),
            f"{what}: {value:.4g}",
            value,
        )
        for at, (value, level) in enumerate(zip(values, levels, strict=True))
    )
    top = 8.0 if mode == "entropy" else max(values, default=0)
    legend = [
        level_shade(level)._replace(name=_level_name(level, top, what, exact=mode == "entropy"))
        for level in sorted({0, *levels})
    ]
    return Chart(mode, unit, 0, cells, tuple(legend))


def _level_name(level: int, top: float, what: str, *, exact: bool) -> str:
    if not level:
        return f"{what}: 0"
    limit = top * level / LEVELS
    return f"up to {limit:.1f}" if exact else f"up to {int(limit)}"


def used_bytes(parts: Iterable[Found], view: memoryview) -> dict[int, int]:
    """Return the bytes in use of each part, by its address; of file systems their live pages."""
    used = {}
    for part in parts:
        used[part.start] = 0 if part.kind in BLANK_KINDS else part.size
        if part.kind == SPIFFS and isinstance(part.what, Detection):
            live = sum(kind == SPIFFS for kind in _page_kinds(view, part.what))
            used[part.start] = live * part.what.geometry.page_size
    return used
