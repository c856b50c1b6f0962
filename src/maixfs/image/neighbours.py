"""Who lies on whose bytes: parts of an image that overlap, and parts in another's region."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from maixfs.image.layout import Layout, Region
from maixfs.image.records import BOOT_CONFIG, FIRMWARE, KBOOT_STAGE, MODEL, SPIFFS, Found, Overlap

MOST = 256
"""Overlaps that are reported of one image."""
_AT_HOME = {
    FIRMWARE: {"firmware", "reserved"},
    KBOOT_STAGE: {"kboot stage"},
    BOOT_CONFIG: {"boot config"},
    MODEL: {"models", "reserved", "data"},
    SPIFFS: {"spiffs", "models", "reserved"},
}
"""Kinds of regions that a part may lie in; a file system of one's own may take models' place."""


def find_overlaps(parts: Sequence[Found], layout: Layout | None) -> Iterator[Overlap]:
    """Yield the overlaps among ``parts`` (by address), then those with the layout's owners."""
    between = list(islice(_between(parts), MOST))
    yield from between
    if layout is not None:
        foreign = (one for one in _trespasses(parts, layout) if not _told(one, between))
        yield from islice(foreign, MOST - len(between))


def _between(parts: Sequence[Found]) -> Iterator[Overlap]:
    for number, first in enumerate(parts):
        for second in islice(parts, number + 1, None):
            if second.start >= first.end:
                break
            yield _overlap(first, str(second), second.start, min(first.end, second.end))


def _trespasses(parts: Sequence[Found], layout: Layout) -> Iterator[Overlap]:
    for part in parts:
        for region in layout.owner_of(part.start, part.size):
            if region.kind not in _AT_HOME[part.kind]:
                yield _in_region(part, region)


def _in_region(part: Found, region: Region) -> Overlap:
    start, end = max(part.start, region.start), min(part.end, region.end)
    return _overlap(part, f"region {region}, kept for {region.owner}", start, end)


def _overlap(part: Found, second: str, start: int, end: int) -> Overlap:
    size = end - start
    message = f"{size:#x} bytes from {start:#x} belong to two: {part}; {second}"
    return Overlap(str(part), second, start, size, message)


def _told(overlap: Overlap, others: list[Overlap]) -> bool:
    """Tell whether a trespass is that of a part on what lies in the region."""
    return any(
        overlap.first in (other.first, other.second)
        and other.start < overlap.end
        and overlap.start < other.end
        for other in others
    )
