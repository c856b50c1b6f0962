"""Find areas without magic, by the pages that their look-up entries describe.

The first entry of a block describes its first object page: where both carry the same object
id, and the page's flags are those of that kind of page, a block may start. A block that was
only formatted is blank but for its erase count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from maixfs.spiffs import ondisk
from maixfs.spiffs.detect.census import block_agreement
from maixfs.spiffs.detect.dump import BLANK, SECTOR, Dump, frame
from maixfs.spiffs.detect.extent import is_formatted
from maixfs.spiffs.detect.magics import Raster, rasters
from maixfs.spiffs.geometry import PRESETS, Geometry

_BLOCKS_COMPARED = 16
_LEAST_BLOCKS = 3


class _Sown(NamedTuple):
    """Sectors at which blocks of this raster may start."""

    raster: Raster
    starts: list[int]


def find_unmarked(dump: Dump) -> list[Geometry]:
    """Return the areas with files that may be there, the likeliest first."""
    grown = [pair for one in _sow(dump) for pair in _grow(dump, one)]
    return [area for _, area in sorted(grown, key=lambda pair: -pair[0])]


def _sow(dump: Dump) -> Iterator[_Sown]:
    entries = dump.column(0)
    for raster in rasters(magic=False):
        page = raster.magic_offset + 4
        columns = zip(entries, dump.column(page), strict=False)
        alike = [s for s, (entry, obj_id) in enumerate(columns) if entry == obj_id]
        used = [s for s in alike if entries[s] not in (ondisk.ID_DELETED, ondisk.ID_FREE)]
        if used:
            flags = dump.column(page + ondisk.FLAGS_OFFSET)
            starts = [s for s in used if flags[s] & 0xFF == _flags_of(entries[s])]
            yield _Sown(raster, starts)


def _flags_of(entry: int) -> int:
    return ondisk.FLAGS_INDEX if entry & ondisk.ID_INDEX else ondisk.FLAGS_DATA


def _grow(dump: Dump, sown: _Sown) -> Iterator[tuple[int, Geometry]]:
    """Yield (how much speaks for it, area) for each block size that may be."""
    for stride in sown.raster.strides if sown.starts else ():
        (residue, _), *_ = Counter(start % stride for start in sown.starts).most_common(1)
        starts = [start for start in sown.starts if start % stride == residue]
        blocks = max(_LEAST_BLOCKS, (starts[-1] - starts[0]) // stride + 1)
        base, block_size = starts[0] * SECTOR, stride * SECTOR
        area = frame(base, blocks, block_size, sown.raster.page_size, magic=False)
        if area:
            probed = [start * SECTOR for start in starts[:_BLOCKS_COMPARED]]
            score = sum(block_agreement(dump, area, address) for address in probed)
            if score > 0:
                yield score + _row(dump, area), area


def _row(dump: Dump, area: Geometry) -> int:
    """Return how many formatted blocks follow the area's first, used ones among them or not."""
    formatted = 0
    for block in range(1, _BLOCKS_COMPARED):
        address = area.base + block * area.block_size
        if is_formatted(dump, area, address):
            formatted += 1
        elif dump.bytes_at(address, 2) in (b"", b"\xff\xff"):
            break
    return formatted


def find_formatted(dump: Dump) -> list[Geometry]:
    """Return the areas without magic and files: rows of blocks that have an erase count only.

    Page sizes share their place of the erase count: the presets' come first.
    """
    usual = [preset.page_size for preset in PRESETS.values()]
    found = [area for raster in rasters(magic=False) for area in _formatted(dump, raster)]
    return sorted(found, key=lambda a: (-a.blocks, a.page_size not in usual, a.page_size))


def _formatted(dump: Dump, raster: Raster) -> Iterator[Geometry]:
    columns = (dump.column(raster.magic_offset + offset) for offset in (0, 2))
    blank = zip(dump.column(0), *columns, strict=False)
    counted = [s for s, words in enumerate(blank) if words[0] == words[1] == BLANK != words[2]]
    blocks = [s for s in counted if is_formatted(dump, raster.smallest, s * SECTOR)]
    steps = {after - before for before, after in pairwise(blocks)}
    if len(blocks) < _LEAST_BLOCKS or len(steps) != 1 or not steps <= set(raster.strides):
        return
    size = steps.pop() * SECTOR
    area = frame(blocks[0] * SECTOR, len(blocks), size, raster.page_size, magic=False)
    if area:
        written = area.size - dump.bytes_at(area.base, area.size).count(0xFF)
        if written <= 2 * len(blocks):
            yield area
