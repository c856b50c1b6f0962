"""Find SPIFFS areas in an image or a dump, and their geometry.

The evidence: the magics of the blocks, look-up entries and page headers with the same object
ids, and tables in the headers of files that list the files' pages. Areas without magic are
searched only if no area with magic is found.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from maixfs.spiffs.detect.dump import Census, Dump, take_census
from maixfs.spiffs.detect.search import (
    find_formatted,
    find_marked,
    find_unmarked,
    fix_bounds,
    possible_starts,
)
from maixfs.spiffs.detect.shape import (
    Layout,
    Source,
    TableFit,
    fit_tables,
    read_layout,
    with_layout,
)
from maixfs.spiffs.geometry import Geometry

__all__ = ["Detection", "detect", "is_blank"]

_MOST_EXAMINED = 32
_MOST_UNMARKED = 8
_SURE = 0.9
_PIECE = 65536
_BLANK_PIECE = b"\xff" * _PIECE

_MAGICS_SOUND = 1.0
_MAGICS_BROKEN = 0.7
_NO_MAGIC = 0.6
_NO_MAGIC_NO_FILES = 0.3
_LAYOUT_SHARE = {Source.TABLES: 1.0, Source.NAMES: 0.9, Source.PRESET: 0.8}


class Detection(NamedTuple):
    """An area that was found, with a confidence from 0 to 1.

    ``confidence`` is the product of three factors.

    - Magics: 1 if at most one is wrong, as the C allows; 0.7 if more are, which the C does not
      mount; 0.6 without magic, where look-up entries had to show the blocks; 0.3 where there are
      only erase counts. Up to half of it less, in proportion, where the image ends too early.
    - Header layout: 1 if the tables of files list the files' pages with it, 0.9 if only names
      show it, 0.8 if a preset was taken because there are no files.
    - Look-up entries: the share of used entries whose page carries the same object id, with one
      agreeing entry added to both counts, because a single torn entry means little.
    """

    geometry: Geometry
    """``base`` is the address in the image."""
    confidence: float
    reasons: tuple[str, ...]
    """Sentences about the evidence."""
    preset: str | None
    """Name of the preset with the same format, at any place and of any size."""


def is_blank(image: bytes | bytearray | memoryview) -> bool:
    """Return whether every byte is FF, as in erased flash; also true for no bytes."""
    view = memoryview(image).cast("B")
    pieces = (bytes(view[at : at + _PIECE]) for at in range(0, len(view), _PIECE))
    return all(piece == _BLANK_PIECE[: len(piece)] for piece in pieces)


def detect(image: bytes | bytearray | memoryview, *, base: int | None = None) -> list[Detection]:
    """Return the SPIFFS areas in ``image``, the highest confidence first; they do not overlap.

    ``base`` limits the result to the area at this address. An image without SPIFFS gives an empty
    list; no bytes raise an error.
    """
    if is_blank(image):
        return []
    dump = Dump(image)
    found = (
        _examine_all(dump, [marked.area for marked in find_marked(dump)])
        or _examine_all(dump, find_unmarked(dump)[:_MOST_UNMARKED])
        or _examine_all(dump, find_formatted(dump))
    )
    found.sort(key=lambda one: (-one.confidence, one.geometry.base))
    chosen: list[Detection] = []
    for one in found:
        if base in (None, one.geometry.base) and not _overlaps(one.geometry, chosen):
            chosen.append(one)
    return chosen


def _examine_all(dump: Dump, areas: list[Geometry]) -> list[Detection]:
    found: list[Detection] = []
    tries = _MOST_EXAMINED
    for area in areas:
        if tries and not _overlaps(area, [one for one in found if one.confidence >= _SURE]):
            tries -= 1
            detection = _examine(dump, area)
            if detection:
                found.append(detection)
    return found


def _overlaps(area: Geometry, others: Iterable[Detection]) -> bool:
    end = area.base + area.size
    spans = ((one.geometry.base, one.geometry.size) for one in others)
    return any(area.base < base + size and base < end for base, size in spans)


def _examine(dump: Dump, area: Geometry) -> Detection | None:
    """Return what is known about an area; ``None`` if its pages contradict its look-up."""
    census = take_census(dump, area)
    fit = fit_tables(dump, area, census, possible_starts(area))
    fixed = fix_bounds(dump, area, fit.base if fit else None)
    if fixed != area:
        census = take_census(dump, fixed)
        fit = fit or fit_tables(dump, fixed, census, [fixed.base])
    agreement = (census.agreeing + 1) / (census.used + 1)
    if agreement < 0.5:
        return None
    layout = read_layout(dump, fixed, census, fit.header_size if fit else None)
    if not fixed.use_magic and census.used and layout.source is Source.PRESET:
        return None
    geometry, preset = with_layout(fixed, layout)
    magics, sentences = _judge_magics(dump, geometry, census)
    confidence = round(magics * _LAYOUT_SHARE[layout.source] * agreement, 3)
    sentences += _census_sentences(census)
    sentences.append(_layout_sentence(layout, census, fit, preset))
    return Detection(geometry, confidence, tuple(sentences), preset)


def _judge_magics(dump: Dump, area: Geometry, census: Census) -> tuple[float, list[str]]:
    seen = dump.whole_blocks(area)
    if not area.use_magic:
        share = _NO_MAGIC if census.used else _NO_MAGIC_NO_FILES
        return share, ["no magic: blocks are recognised by their look-up pages alone"]
    words = dump.words[(area.base + area.magic_offset) // 2 :: area.block_size // 2]
    magics = words[:seen].tolist()
    wrong = [block for block, magic in enumerate(magics) if magic != area.magic(block)]
    share = _MAGICS_SOUND if len(wrong) < 2 else _MAGICS_BROKEN
    sentences = [f"{seen - len(wrong)} of {area.blocks} blocks carry their magic"]
    if not area.use_magic_length:
        sentences.append("the magic holds no length: the size is that of the row of blocks")
    if len(wrong) == 1:
        sentences.append(f"block {wrong[0]} carries none, as after an erase that was cut short")
    elif wrong:
        sentences.append(f"{len(wrong)} magics are wrong: the firmware would not mount it")
    if seen < area.blocks:
        share *= (1 + seen / area.blocks) / 2
        sentences.append(f"the image ends after {seen} of {area.blocks} blocks")
    return share, sentences


def _census_sentences(census: Census) -> list[str]:
    if not census.used:
        return ["no page is in use"]
    return [f"{census.agreeing} of {census.used} look-up entries agree with their pages"]


def _layout_sentence(
    layout: Layout, census: Census, fit: TableFit | None, preset: str | None
) -> str:
    lengths = f"name length {layout.name_length}, meta length {layout.meta_length}"
    if layout.source is Source.PRESET:
        return f"no file tells, taken from {preset or 'the nearest preset'}: {lengths}"
    whose = "files" if census.live else "deleted files"
    if layout.source is Source.NAMES or fit is None:
        return f"derived from the names of {whose} alone: {lengths}"
    return f"derived from the tables of {whose}, {fit.files} of them: {lengths}"
