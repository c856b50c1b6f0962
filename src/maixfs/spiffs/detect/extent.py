"""Where an area starts and ends, as far as magics leave it open.

The first block may have lost its magic, and so may the last one of an area whose magics hold no
length; an area without magics has neither start nor end to be seen. Tables know the start: they
count pages from there.
"""

from __future__ import annotations

from dataclasses import replace

from maixfs.spiffs.detect.census import block_agreement
from maixfs.spiffs.detect.dump import Dump
from maixfs.spiffs.geometry import PRESETS, Geometry

_BLOCKS_LOST = 2
"""Blocks in front of the first magic that tables may still speak of."""
_HIGHEST_ERASE_COUNT = 0x7FFF


def possible_starts(area: Geometry) -> list[int]:
    """Return the addresses at which the area may start."""
    most = _BLOCKS_LOST if area.use_magic else area.base // area.block_size
    starts = (area.base - k * area.block_size for k in range(most + 1))
    return [start for start in starts if start >= 0]


def settle(dump: Dump, area: Geometry, start: int | None) -> Geometry:
    """Return the area from ``start``, where tables tell it, or from where it is likely to be."""
    if start is None:
        start = _likely_start(dump, area)
    end = _likely_end(dump, area, start)
    most = start + 0xFFFF * area.page_size // area.block_size * area.block_size
    return replace(area, base=start, size=min(end, most) - start)


def _likely_start(dump: Dump, area: Geometry) -> int:
    before = area.base - area.block_size
    if area.use_magic:
        found = before >= 0 and _is_block(dump, area, before)
        return before if found else _usual_start(dump, area)
    while before >= 0 and _is_block(dump, area, before):
        before -= area.block_size
    return before + area.block_size


def _usual_start(dump: Dump, area: Geometry) -> int:
    """Return the start of an area whose first block was lost without a trace.

    Nothing but the place speaks for such a block: an image that is this area and no more, or
    the place of a preset's area.
    """
    before = area.base - area.block_size
    whole = before == 0 and dump.size - area.base - area.size < area.block_size
    place = (before, area.size + area.block_size)
    usual = any(place == (preset.base, preset.size) for preset in PRESETS.values() if preset.base)
    return before if whole or usual else area.base


def _likely_end(dump: Dump, area: Geometry, start: int) -> int:
    end = area.base + area.size
    if area.use_magic_length:
        return end
    rest = dump.size - end
    if start == 0 and (not area.use_magic or rest < 2 * area.block_size):
        return max(end, dump.size - dump.size % area.block_size)
    if area.use_magic:
        # Used blocks may be those of the next area, and the C allows one bad magic at most.
        return end + area.block_size if is_formatted(dump, area, end) else end
    while _is_block(dump, area, end):
        end += area.block_size
    return end


def _is_block(dump: Dump, area: Geometry, address: int) -> bool:
    """Tell whether a block of the area may be there, whatever its magic."""
    return is_formatted(dump, area, address) or block_agreement(dump, area, address) > 0


def is_formatted(dump: Dump, area: Geometry, address: int) -> bool:
    """Tell whether a block has nothing in its look-up pages but an erase count."""
    length = area.magic_offset + 4
    lookup = dump.bytes_at(address, length)
    count = int.from_bytes(lookup[-2:], "little")
    return lookup[:-2].count(0xFF) == length - 2 and count <= _HIGHEST_ERASE_COUNT
