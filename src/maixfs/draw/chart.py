"""A chip as cells of equal size: who has them, how worn they are, how random their bytes.

chart = chart_parts(FlashImage(dump))
print("".join(cell.shade.letter for cell in chart.cells))
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from maixfs.draw.pagestates import page_states
from maixfs.draw.palette import KINDS, LEVELS, PAGES, Shade, level_shade
from maixfs.errors import UsageError
from maixfs.image.flash import FlashImage
from maixfs.image.records import BLANK_KINDS, SPIFFS, Found
from maixfs.spiffs import ondisk
from maixfs.spiffs.detect import Detection

SECTOR = 0x1000
_USUAL_CELLS = 256
_MOST_CELLS = 1 << 16
_LIVE = frozenset({"index header", "index", "data", "wrong"})


class Cell(NamedTuple):
    """A piece of the chip."""

    start: int
    size: int
    key: str
    """What it is: a key of ``palette.KINDS`` or ``PAGES``, or the level of a scale."""
    shade: Shade
    text: str
    """For a person who points at it."""
    value: float | None = None
    """What a scale shows: erases, or bits per byte."""


class Chart(NamedTuple):
    """All cells, by address, and what their letters mean."""

    mode: str
    """``parts``, ``pages``, ``wear`` or ``entropy``."""
    unit: int
    """Bytes per cell."""
    row: int
    """How many cells belong in a row (those of a block); 0 where that does not matter."""
    cells: tuple[Cell, ...]
    legend: tuple[Shade, ...]


def usual_unit(size: int) -> int:
    """Return the size of cells that suits a chip: 64 KiB for 16 MiB."""
    unit = SECTOR
    while unit * _USUAL_CELLS < size:
        unit *= 2
    return unit


def chart_parts(image: FlashImage, unit: int | None = None) -> Chart:
    """Return what each cell belongs to, and whether more than half of it is in use.

    Raises ``UsageError`` for a ``unit`` that is no number of sectors, or far too small.
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
    if size > unit * _MOST_CELLS:
        raise UsageError(f"{size // unit} cells are too many to be drawn")
    return unit


def _claims(image: FlashImage) -> Iterator[tuple[int, int, str]]:
    """Yield (start, end, kind) of everything; of file systems, page by page."""
    for one in image.found:
        if one.kind == SPIFFS and isinstance(one.what, Detection):
            yield from _page_claims(image.view, one.what)
        else:
            yield one.start, one.end, one.kind


def _page_claims(view: memoryview, area: Detection) -> Iterator[tuple[int, int, str]]:
    geometry = area.geometry
    for page, kind in enumerate(_page_kinds(view, area)):
        start = geometry.page_address(page)
        yield start, start + geometry.page_size, kind


def _page_kinds(view: memoryview, area: Detection) -> Iterator[str]:
    """Yield the kind of each page; look-up pages are in use where anything in their block is."""
    per_block = area.geometry.pages_per_block
    states = page_states(view, area.geometry)
    for first in range(0, len(states), per_block):
        block = states[first : first + per_block]
        books = SPIFFS if not _LIVE.isdisjoint(block) else "spiffs free"
        for state in block:
            if state == "look-up":
                yield books
            elif state == "deleted":
                yield "spiffs deleted"
            else:
                yield SPIFFS if state in _LIVE else "spiffs free"


def _shared(
    size: int, unit: int, claims: Sequence[tuple[int, int, str]]
) -> Iterator[tuple[int, int, dict[str, int]]]:
    """Yield start and size of each cell, and how many bytes of it are of which kind."""
    count = -(-size // unit)
    shares: list[dict[str, int]] = [{} for _ in range(count)]
    for start, end, kind in claims:
        for number in range(start // unit, min(count, -(-end // unit))):
            room = min(end, (number + 1) * unit) - max(start, number * unit)
            shares[number][kind] = shares[number].get(kind, 0) + room
    for number, share in enumerate(shares):
        yield number * unit, min(unit, size - number * unit), share


def _part_cell(start: int, size: int, share: dict[str, int]) -> Cell:
    """Return the cell of whoever has most of it; what is blank only counts where nobody is."""
    rank = {key: at for at, key in enumerate(KINDS)}
    owned = {key: room for key, room in share.items() if key not in BLANK_KINDS}
    live = {key: room for key, room in owned.items() if not key.startswith("spiffs ")}
    candidates = live or owned or share or {"erased": size}
    key = max(candidates, key=lambda one: (candidates[one], -rank[one]))
    shade = KINDS[key]
    if 2 * candidates[key] < size:
        shade = shade._replace(letter=shade.letter.lower())
    named = [f"{KINDS[one].name} {room * 100 // size} %" for one, room in share.items()]
    return Cell(start, size, key, shade, ", ".join(named))


def chart_pages(image: FlashImage, area: Detection) -> Chart:
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
    most = max(values, default=0)
    levels = [-(-value * LEVELS // most) if most else 0 for value in values]
    return _scale("wear", unit, size, values, levels, "erases")


def block_wear(image: FlashImage) -> list[int]:
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


def chart_entropy(image: FlashImage, unit: int | None = None) -> Chart:
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


def used_bytes(found: Iterable[Found], view: memoryview) -> dict[int, int]:
    """Return how much of each part is in use, by its address; of file systems their live pages."""
    used = {}
    for one in found:
        used[one.start] = 0 if one.kind in BLANK_KINDS else one.size
        if one.kind == SPIFFS and isinstance(one.what, Detection):
            live = sum(kind == SPIFFS for kind in _page_kinds(view, one.what))
            used[one.start] = live * one.what.geometry.page_size
    return used
