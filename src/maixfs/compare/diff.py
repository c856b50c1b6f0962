"""Two images of flash chips: what differs, by part, by file, by page.

diff = compare_images(before, after)
for part in diff.parts:
    print(part.kind, hex(part.start), part.change)
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from maixfs.compare.areadiff import compare_areas
from maixfs.compare.bytediff import SECTOR, count_differing, differing_sectors
from maixfs.compare.differences import AreaDiff, Change, ImageDiff, PartDiff, Reason
from maixfs.firmware import BootConfig
from maixfs.image.flash import FlashImage
from maixfs.image.layout import Layout
from maixfs.image.records import ERASED, SPIFFS, UNKNOWN, ZERO, Found
from maixfs.nor import Buffer
from maixfs.spiffs.detect import Detection

_OF_AREAS = {
    None: Change.MOVED,
    Reason.FILES: Change.CHANGED,
    Reason.COLLECTION: Change.GC_ONLY,
    Reason.REWRITING: Change.SAME_FILES,
    Reason.LEFTOVER: Change.SAME_FILES,
}
Pair = tuple[Found | None, Found | None]


def compare_images(old: Buffer, new: Buffer, *, layout: Layout | None = None) -> ImageDiff:
    """Compare two images, ``old`` the first; ``layout`` is as for ``FlashImage``.

    Where both are equal nothing is searched. Raises as ``FlashImage`` does.
    """
    first, second = memoryview(old).cast("B"), memoryview(new).cast("B")
    sectors = tuple(differing_sectors(first, second))
    if not sectors:
        return ImageDiff(len(first), len(second), (), ())
    comparison = _Comparison(FlashImage(first, layout), FlashImage(second, layout), sectors)
    return ImageDiff(len(first), len(second), sectors, tuple(comparison.parts()))


class _Comparison:
    """Two images that are not equal."""

    def __init__(self, old: FlashImage, new: FlashImage, sectors: tuple[int, ...]) -> None:
        self.old, self.new = old, new
        self.sectors = sectors

    def parts(self) -> list[PartDiff]:
        """Return what differs, by address."""
        pairs = _pairs(self.old.parts, self.new.parts, self._same_bytes)
        different = {pair: diff for pair in pairs if (diff := self._compare(*pair))}
        known = [one for pair in different for one in pair if one is not None]
        rest = [
            sector
            for sector in self.sectors
            if not any(one.start < sector + SECTOR and sector < one.end for one in known)
        ]
        found = [*different.values(), *map(self._unclaimed, _runs(rest))]
        return sorted(found, key=lambda diff: (diff.start, diff.kind))

    def _same_bytes(self, old: Found, new: Found) -> bool:
        return self.old.view[old.start : old.end] == self.new.view[new.start : new.end]

    def _compare(self, old: Found | None, new: Found | None) -> PartDiff | None:
        one = new or old
        if one is None:
            return None
        touched = self._touched(old, new)
        moved = old is not None and new is not None and old.start != new.start
        if not moved and (not touched or (old and new and self._same_bytes(old, new))):
            return None
        area = self._areas(old, new)
        if old is None or new is None:
            change = Change.ADDED if old is None else Change.REMOVED
        elif area is not None:
            change = _OF_AREAS[area.reason]
        else:
            change = Change.MOVED if moved else Change.CHANGED
        return PartDiff(
            kind=one.kind,
            change=change,
            start=one.start,
            size=one.size,
            old_start=old.start if old else None,
            old_detail=_detail(old),
            new_detail=_detail(new),
            sectors=len(touched),
            differing=self._differing(touched, old, new),
            area=area,
        )

    def _touched(self, *parts: Found | None) -> list[int]:
        """Return the sectors of parts that differ."""
        touched: set[int] = set()
        for one in parts:
            if one is not None:
                first = bisect_left(self.sectors, one.start - one.start % SECTOR)
                touched.update(self.sectors[first : bisect_left(self.sectors, one.end)])
        return sorted(touched)

    def _differing(self, touched: Sequence[int], *parts: Found | None) -> int:
        """Return how many bytes differ in the sectors of parts, and between the parts."""
        start = min(one.start for one in parts if one)
        end = max(one.end for one in parts if one)
        end += -end % SECTOR  # what lies behind a part in its last sector is shown nowhere else
        return count_differing(self.old.view, self.new.view, touched, start, end)

    def _areas(self, old: Found | None, new: Found | None) -> AreaDiff | None:
        before, after = old and old.what, new and new.what
        if not isinstance(before, Detection) or not isinstance(after, Detection):
            return None
        return compare_areas(self.old.view, before.geometry, self.new.view, after.geometry)

    def _unclaimed(self, run: tuple[int, int]) -> PartDiff:
        """Return the difference of sectors that belong to nothing that was found."""
        start, end = run
        before, after = (_content(image.view[start:end]) for image in (self.old, self.new))
        change = Change.CHANGED
        if before in (ERASED, "") and after != ERASED:
            change = Change.ADDED
        elif after in (ERASED, ""):
            change = Change.REMOVED
        kind = next((one for one in (after, before) if one not in (ERASED, "")), ERASED)
        touched = range(start, end, SECTOR)
        return PartDiff(
            kind=kind,
            change=change,
            start=start,
            size=min(end, max(self.old.size, self.new.size)) - start,
            old_start=start,
            old_detail=before or "not there",
            new_detail=after or "not there",
            sectors=len(touched),
            differing=count_differing(self.old.view, self.new.view, touched, start, end),
        )


def _detail(found: Found | None) -> str:
    """Return what a part is, of a boot configuration its entries."""
    if found is None:
        return ""
    if not isinstance(found.what, BootConfig):
        return found.detail
    entries = (
        f"{entry.number}: {entry.name!r} at {entry.address:#x}{'' if entry.active else ', off'}"
        for entry in found.what.present
    )
    return "; ".join(entries) or "no entries"


def _content(view: memoryview) -> str:
    """Return what bytes are that nobody claims; empty where there are none."""
    if not view:
        return ""
    data = bytes(view)
    if not data.strip(b"\xff"):
        return ERASED
    return UNKNOWN if data.strip(b"\0") else ZERO


def _runs(sectors: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of sectors that follow each other."""
    for _, group in groupby(enumerate(sectors), lambda pair: pair[1] - pair[0] * SECTOR):
        run = [sector for _, sector in group]
        yield run[0], run[-1] + SECTOR


def _pairs(
    old: Sequence[Found], new: Sequence[Found], same: Callable[[Found, Found], bool]
) -> list[Pair]:
    """Return what belongs together: by kind and address, else by content, else file systems."""
    places = {(one.kind, one.start): one for one in old}
    pairs: list[Pair] = []
    later: list[Found] = []
    for one in new:
        twin = places.pop((one.kind, one.start), None)
        if twin is None:
            later.append(one)
        else:
            pairs.append((twin, one))
    left = list(places.values())
    for one in later:
        twin = next((two for two in left if _matches(two, one, same)), None)
        if twin is not None:
            left.remove(twin)
        pairs.append((twin, one))
    return pairs + [(one, None) for one in left]


def _matches(old: Found, new: Found, same: Callable[[Found, Found], bool]) -> bool:
    if old.kind != new.kind:
        return False
    return new.kind == SPIFFS or (old.size == new.size and same(old, new))
