"""Find SPIFFS areas in an image or a dump, and their geometry.

The evidence: the magics of the blocks, look-up entries and page headers with the same object
ids, and tables in the headers of files that list the files' pages. Areas without magic are
searched only if no area with magic is found.
"""

from __future__ import annotations

from collections.abc import Iterable

from maixfs.nor.device import is_filled
from maixfs.spiffs.detect.dump import Census, Dump, take_census
from maixfs.spiffs.detect.search import (
    find_formatted,
    find_marked,
    find_unmarked,
    find_whole,
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
from maixfs.tuples import NamedTuple

__all__ = ["Detection", "Reason", "detect"]

_MOST_EXAMINED = 32
_MOST_UNMARKED = 8
_SURE = 0.9

_MAGICS_SOUND = 1.0
_MAGICS_BROKEN = 0.7
_NO_MAGIC = 0.6
_NO_MAGIC_NO_FILES = 0.3
_LAYOUT_SHARE = {Source.TABLES: 1.0, Source.NAMES: 0.9, Source.PRESET: 0.8}


class Reason(NamedTuple):
    """Evidence for or against an area; ``str`` is a sentence."""

    key: str
    """``magics``, ``no-magic``, ``no-length``, ``one-magic-wrong``, ``magics-wrong``,
    ``cut-short``, ``empty``, ``entries``, ``preset``, ``names`` or ``tables``."""
    text: str
    numbers: tuple[int, ...] = ()
    """The numbers in it: counts, block numbers, name length and meta length."""

    def __str__(self) -> str:
        return self.text


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
    reasons: tuple[Reason, ...]
    preset: str | None
    """Name of the preset with the same format, at any place and of any size."""


def detect(image: bytes | bytearray | memoryview, *, base: int | None = None) -> list[Detection]:
    """Return the SPIFFS areas in ``image``, the highest confidence first; they do not overlap.

    ``base`` limits the result to the area at this address. An image without SPIFFS gives an empty
    list; no bytes raise an error.
    """
    if is_filled(image):
        return []
    dump = Dump(image)
    # No search is needed where nothing else can be in the image.
    whole = find_whole(dump)
    found = _examine(dump, whole) if whole else None
    if found and found.confidence >= _SURE and found.geometry.size == dump.size:
        return [found] if base in (None, found.geometry.base) else []
    detections = (
        _examine_all(dump, [marked.area for marked in find_marked(dump)])
        or _examine_all(dump, find_unmarked(dump)[:_MOST_UNMARKED])
        or _examine_all(dump, find_formatted(dump))
    )
    detections.sort(key=lambda detection: (-detection.confidence, detection.geometry.base))
    chosen: list[Detection] = []
    for detection in detections:
        geometry = detection.geometry
        if base in (None, geometry.base) and not _overlaps(geometry, chosen):
            chosen.append(detection)
    return chosen


def _examine_all(dump: Dump, areas: list[Geometry]) -> list[Detection]:
    detections: list[Detection] = []
    tries = _MOST_EXAMINED
    for area in areas:
        sure = (detection for detection in detections if detection.confidence >= _SURE)
        if tries and not _overlaps(area, sure):
            tries -= 1
            detection = _examine(dump, area)
            if detection:
                detections.append(detection)
    return detections


def _overlaps(area: Geometry, others: Iterable[Detection]) -> bool:
    end = area.base + area.size
    spans = ((other.geometry.base, other.geometry.size) for other in others)
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
    magics, reasons = _judge_magics(dump, geometry, census)
    confidence = round(magics * _LAYOUT_SHARE[layout.source] * agreement, 3)
    reasons.append(_census_reason(census))
    reasons.append(_layout_reason(layout, census, fit, preset))
    return Detection(geometry, confidence, tuple(reasons), preset)


def _judge_magics(dump: Dump, area: Geometry, census: Census) -> tuple[float, list[Reason]]:
    seen = dump.whole_blocks(area)
    if not area.use_magic:
        share = _NO_MAGIC if census.used else _NO_MAGIC_NO_FILES
        text = "no magic: blocks are recognised by their look-up pages alone"
        return share, [Reason("no-magic", text)]
    words = dump.words[(area.base + area.magic_offset) // 2 :: area.block_size // 2]
    magics = words[:seen].tolist()
    wrong = [block for block, magic in enumerate(magics) if magic != area.magic(block)]
    share = _MAGICS_SOUND if len(wrong) < 2 else _MAGICS_BROKEN
    right = seen - len(wrong)
    text = f"{right} of {area.blocks} blocks carry their magic"
    reasons = [Reason("magics", text, (right, area.blocks))]
    if not area.use_magic_length:
        text = "the magic holds no length: the size is that of the row of blocks"
        reasons.append(Reason("no-length", text))
    if len(wrong) == 1:
        text = f"block {wrong[0]} carries none, as after an erase that was cut short"
        reasons.append(Reason("one-magic-wrong", text, (wrong[0],)))
    elif wrong:
        text = f"{len(wrong)} magics are wrong: the firmware would not mount it"
        reasons.append(Reason("magics-wrong", text, (len(wrong),)))
    if seen < area.blocks:
        share *= (1 + seen / area.blocks) / 2
        text = f"the image ends after {seen} of {area.blocks} blocks"
        reasons.append(Reason("cut-short", text, (seen, area.blocks)))
    return share, reasons


def _census_reason(census: Census) -> Reason:
    if not census.used:
        return Reason("empty", "no page is in use")
    text = f"{census.agreeing} of {census.used} look-up entries agree with their pages"
    return Reason("entries", text, (census.agreeing, census.used))


def _layout_reason(
    layout: Layout, census: Census, fit: TableFit | None, preset: str | None
) -> Reason:
    numbers = (layout.name_length, layout.meta_length)
    lengths = f"name length {layout.name_length}, meta length {layout.meta_length}"
    if layout.source is Source.PRESET:
        text = f"no file shows it, taken from {preset or 'the nearest preset'}: {lengths}"
        return Reason("preset", text, numbers)
    whose = "files" if census.live else "deleted files"
    if layout.source is Source.NAMES or fit is None:
        return Reason("names", f"derived from the names of {whose} alone: {lengths}", numbers)
    text = f"derived from the tables of {whose}, {fit.files} of them: {lengths}"
    return Reason("tables", text, numbers)
