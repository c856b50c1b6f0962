"""Two images of flash chips: what differs, by part, by file, by page, and why."""

from __future__ import annotations

import io
import os
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from pathlib import Path

from maixfs.compare.files import (
    AreaDiff,
    Change,
    FileDiff,
    FileSide,
    ImageDiff,
    PageDiff,
    PartDiff,
    Range,
    Reason,
    compare_files,
)
from maixfs.errors import UsageError
from maixfs.firmware import BootConfig
from maixfs.host.files import read_file
from maixfs.image.entries import Kind
from maixfs.image.image import Image
from maixfs.image.layout import Layout
from maixfs.image.parts import ERASED, SPIFFS, UNKNOWN, ZERO, Found, Parts
from maixfs.image.source import find_source
from maixfs.nor import Buffer, NorError
from maixfs.nor.view import ImageDevice
from maixfs.spiffs import Geometry, SpiffsCore, SpiffsError, ondisk
from maixfs.spiffs.detect import Detection
from maixfs.tuples import NamedTuple

# Parts

_MAX_IMAGE = 64 << 20
"""Bytes of a dump; the largest chips of these boards have as many."""
SECTOR = 0x1000
_OF_AREAS = {
    None: Change.MOVED,
    Reason.FILES: Change.CHANGED,
    Reason.COLLECTION: Change.GC_ONLY,
    Reason.REWRITING: Change.SAME_FILES,
    Reason.LEFTOVER: Change.SAME_FILES,
}
Pair = tuple[Found | None, Found | None]


Flash = str | os.PathLike[str] | Image | Buffer


def diff(old: Flash, new: Flash, *, layout: Layout | None = None) -> ImageDiff:
    """Compare two flash chips: paths of dumps or boards, open images, or bytes.

    ``layout`` names the regions of both (default: the preset that fits each). Raises
    ``DeviceError`` for files that cannot be read, ``UsageError`` for an image of a card.
    """
    first, second = (memoryview(_bytes_of(image)).cast("B") for image in (old, new))
    # Slices are compared in C; only sectors that differ are looked at byte by byte.
    sectors = tuple(differing_sectors(first, second))
    if not sectors:  # nothing has to be identified
        return ImageDiff(len(first), len(second), (), ())
    comparison = _Comparison(Parts(first, layout), Parts(second, layout), sectors)
    return ImageDiff(len(first), len(second), sectors, tuple(comparison.parts()))


def _bytes_of(image: Flash) -> Buffer:
    if isinstance(image, str | os.PathLike):
        return read_file(find_source(Path(image), writable=False).file, _MAX_IMAGE)
    if not isinstance(image, Image):
        return image
    if image.kind is Kind.CARD:
        raise UsageError(f"{image.host} is a card: flash chips are compared")
    return image.read(0, image.size)


class _Comparison:
    """Two images that differ, and the sectors in which they do."""

    def __init__(self, old: Parts, new: Parts, sectors: tuple[int, ...]) -> None:
        self.old, self.new = old, new
        self.sectors = sectors

    def parts(self) -> list[PartDiff]:
        """Return the parts that differ, by address."""
        pairs = _pairs(self.old, self.new, self._same_bytes)
        different = {pair: part for pair in pairs if (part := self._compare(*pair))}
        known = [part for pair in different for part in pair if part is not None]
        rest = [
            sector
            for sector in self.sectors
            if not any(part.start < sector + SECTOR and sector < part.end for part in known)
        ]
        parts = [*different.values(), *map(self._unclaimed, _sector_runs(rest))]
        return sorted(parts, key=lambda part: (part.start, part.kind))

    def _same_bytes(self, old: Found, new: Found) -> bool:
        return self.old.view[old.start : old.end] == self.new.view[new.start : new.end]

    def _compare(self, old: Found | None, new: Found | None) -> PartDiff | None:
        part = new or old
        if part is None:
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
            kind=part.kind,
            change=change,
            start=part.start,
            size=part.size,
            old_start=old.start if old else None,
            old_detail=_detail(old),
            new_detail=_detail(new),
            sectors=len(touched),
            differing=self._differing(touched, old, new),
            area=area,
        )

    def _touched(self, *parts: Found | None) -> list[int]:
        """Return the sectors of the parts that differ."""
        touched: set[int] = set()
        for part in parts:
            if part is not None:
                first = bisect_left(self.sectors, part.start - part.start % SECTOR)
                touched.update(self.sectors[first : bisect_left(self.sectors, part.end)])
        return sorted(touched)

    def _differing(self, touched: Sequence[int], *parts: Found | None) -> int:
        """Return the number of bytes that differ in the sectors of the parts and between them."""
        start = min(part.start for part in parts if part)
        end = max(part.end for part in parts if part)
        end += -end % SECTOR  # bytes behind a part in its last sector are counted nowhere else
        return count_differing(self.old.view, self.new.view, touched, start, end)

    def _areas(self, old: Found | None, new: Found | None) -> AreaDiff | None:
        before, after = old and old.what, new and new.what
        if not isinstance(before, Detection) or not isinstance(after, Detection):
            return None
        return compare_areas(self.old.view, before.geometry, self.new.view, after.geometry)

    def _unclaimed(self, run: tuple[int, int]) -> PartDiff:
        """Return the difference of sectors that belong to no known part."""
        start, end = run
        before, after = (_content(image.view[start:end]) for image in (self.old, self.new))
        change = Change.CHANGED
        if before in (ERASED, "") and after != ERASED:
            change = Change.ADDED
        elif after in (ERASED, ""):
            change = Change.REMOVED
        kind = next((kind for kind in (after, before) if kind not in (ERASED, "")), ERASED)
        touched = range(start, end, SECTOR)
        return PartDiff(
            kind=kind,
            change=change,
            start=start,
            size=min(end, max(self.old.size, self.new.size)) - start,
            old_start=start,
            old_detail=before or "missing",
            new_detail=after or "missing",
            sectors=len(touched),
            differing=count_differing(self.old.view, self.new.view, touched, start, end),
        )


def _detail(part: Found | None) -> str:
    """Return the description of a part; of a boot configuration its entries."""
    if part is None:
        return ""
    if not isinstance(part.what, BootConfig):
        return part.detail
    entries = (
        f"{entry.number}: {entry.name!r} at {entry.address:#x}{'' if entry.active else ', off'}"
        for entry in part.what.present
    )
    return "; ".join(entries) or "no entries"


def _content(view: memoryview) -> str:
    """Return the kind of bytes without a part; empty if there are none."""
    if not view:
        return ""
    data = bytes(view)
    if not data.strip(b"\xff"):
        return ERASED
    return UNKNOWN if data.strip(b"\0") else ZERO


def _sector_runs(sectors: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of runs of consecutive sectors."""
    for _, group in groupby(enumerate(sectors), lambda pair: pair[1] - pair[0] * SECTOR):
        run = [sector for _, sector in group]
        yield run[0], run[-1] + SECTOR


def _pairs(
    old: Sequence[Found], new: Sequence[Found], same: Callable[[Found, Found], bool]
) -> list[Pair]:
    """Return the parts in pairs: first by kind and address, then by content, then file systems."""
    by_place = {(part.kind, part.start): part for part in old}
    pairs: list[Pair] = []
    # Content is compared after addresses, since it reads both parts in full.
    later: list[Found] = []
    for part in new:
        twin = by_place.pop((part.kind, part.start), None)
        if twin is None:
            later.append(part)
        else:
            pairs.append((twin, part))
    left = list(by_place.values())
    for part in later:
        twin = next((other for other in left if _matches(other, part, same)), None)
        if twin is not None:
            left.remove(twin)
        pairs.append((twin, part))
    return pairs + [(part, None) for part in left]


def _matches(old: Found, new: Found, same: Callable[[Found, Found], bool]) -> bool:
    if old.kind != new.kind:
        return False
    return new.kind == SPIFFS or (old.size == new.size and same(old, new))


# SPIFFS areas: their files, whose pages differ, and why

_RANK = (Change.CHANGED, Change.ADDED, Change.REMOVED, Change.RENAMED, Change.MOVED)


class _Area(NamedTuple):
    """A SPIFFS area in an image, and its files."""

    view: memoryview
    """The bytes of the area."""
    geometry: Geometry
    """With ``base`` as in the image."""
    files: dict[str, FileSide]
    owners: dict[int, str]
    """Paths by object id."""

    def entry(self, page: int) -> int:
        """Return the look-up entry of an object page."""
        geometry = self.geometry
        block, inside = divmod(page, geometry.pages_per_block)
        at = block * geometry.block_size + ondisk.U16.size * (inside - geometry.lookup_pages)
        return int(ondisk.U16.unpack_from(self.view, at)[0])

    def owner(self, page: int) -> str:
        """Return the file of a page; empty if it has none."""
        entry = self.entry(page)
        if entry in (ondisk.ID_FREE, ondisk.ID_DELETED):
            return ""
        return self.owners.get(entry & ~ondisk.ID_INDEX, "")

    def bytes_of(self, page: int) -> bytes:
        """Return the bytes of a page."""
        size = self.geometry.page_size
        return bytes(self.view[page * size : (page + 1) * size])

    def erase_count(self, block: int) -> int:
        """Return the erase count that a block carries."""
        at = block * self.geometry.block_size + self.geometry.magic_offset
        count: int = ondisk.BlockSignature.unpack(self.view, at).erase_count
        return count


def _read_area(image: memoryview, geometry: Geometry) -> _Area:
    """Return an area with its files; raises ``SpiffsError`` if it does not mount."""
    view = image[geometry.base : geometry.base + geometry.size]
    fs = SpiffsCore(ImageDevice(view), replace(geometry, base=0), read_only=True)
    files: dict[str, FileSide] = {}
    owners: dict[int, str] = {}
    for entry in fs.scandir():
        path = entry.raw_name.decode("utf-8", "backslashreplace")
        if path not in files:  # of two files with the same name a board finds the first
            files[path] = _side(fs, entry.page, entry.size)
        owners[entry.object_id & ~ondisk.ID_INDEX] = path
    return _Area(view, geometry, files, owners)


def _side(fs: SpiffsCore, page: int, size: int) -> FileSide:
    try:
        with fs.open_page(page) as file:
            return FileSide(size, partial(io.BytesIO, file.read()))
    except SpiffsError as error:
        return FileSide(size, io.BytesIO, str(error))


def compare_areas(
    old_image: memoryview, old: Geometry, new_image: memoryview, new: Geometry
) -> AreaDiff:
    """Compare two areas; raises nothing for their contents, a fault is in the result."""
    same = replace(old, base=new.base) == new
    try:
        before, after = _read_area(old_image, old), _read_area(new_image, new)
    except (SpiffsError, NorError) as error:
        return AreaDiff(Reason.FILES, same, (), 0, (), (), f"does not mount: {error}")
    if same and before.view == after.view:
        return AreaDiff(None, same, (), len(after.files), (), ())
    # Pages are compared only within one geometry: page numbers mean nothing across two.
    files = compare_files(before.files, after.files)
    new_files = (Change.ADDED, Change.CHANGED, Change.RENAMED)
    equal = len(after.files) - sum(file.change in new_files for file in files)
    pages = tuple(_compare_pages(before, after, files)) if same else ()
    erased = tuple(
        block
        for block in range(new.blocks if same else 0)
        if before.erase_count(block) != after.erase_count(block)
    )
    reason = _reason(files, pages, erased, same)
    return AreaDiff(reason, same, files, equal, pages, erased)


def _reason(
    files: tuple[FileDiff, ...], pages: tuple[PageDiff, ...], erased: tuple[int, ...], same: bool
) -> Reason:
    if files:
        return Reason.FILES
    # The C increments the area's counter at each erase and stores it in the erased block.
    if erased:
        return Reason.COLLECTION
    moved = not same or any(page.change is Change.MOVED for page in pages)
    return Reason.REWRITING if moved else Reason.LEFTOVER


def _compare_pages(before: _Area, after: _Area, files: tuple[FileDiff, ...]) -> Iterator[PageDiff]:
    changes = {file.path: file.change for file in files}
    changes |= {file.old_path: file.change for file in files if file.old_path}
    geometry = after.geometry
    for page in range(geometry.pages):
        if before.bytes_of(page) == after.bytes_of(page):
            continue
        address = geometry.page_address(page)
        if geometry.is_lookup_page(page):
            yield PageDiff(page, address, Change.LOOKUP, "")
            continue
        owners = [after.owner(page), before.owner(page)]
        paths = {changes.get(path, Change.MOVED): path for path in reversed(owners) if path}
        change = next((change for change in _RANK if change in paths), Change.LEFTOVER)
        yield PageDiff(page, address, change, paths.get(change, ""))


# Bytes: sectors as slices, then byte by byte within those

_PIECE = 0x40000
_RUN = re.compile(rb"[^\0]+")
_NEAR = 8
"""Ranges with at most this many equal bytes between them are shown as one."""


def differing_sectors(old: memoryview, new: memoryview) -> Iterator[int]:
    """Yield the address of each sector that differs or that only one image has."""
    size = max(len(old), len(new))
    for start in range(0, size, _PIECE):
        first, second = bytes(old[start : start + _PIECE]), bytes(new[start : start + _PIECE])
        if first == second:
            continue
        for at in range(0, max(len(first), len(second)), SECTOR):
            if first[at : at + SECTOR] != second[at : at + SECTOR]:
                yield start + at


def count_differing(
    old: memoryview, new: memoryview, sectors: Iterable[int], start: int, end: int
) -> int:
    """Return the number of bytes between two addresses that differ or that only one image has.

    ``sectors`` are those that differ.
    """
    count = 0
    for sector in sectors:
        first = max(start, sector)
        size = min(end, sector + SECTOR) - first
        if size > 0:
            count += size - _mask(old, new, first, size).count(0)
    return count


def find_ranges(
    old: memoryview, new: memoryview, sectors: Iterable[int], start: int, end: int
) -> Iterator[Range]:
    """Yield the ranges of bytes between two addresses that differ, by address.

    ``sectors`` are those that differ; ranges with few equal bytes between them become one.
    """
    pending: Range | None = None
    for run in _byte_runs(old, new, sectors, start, end):
        if pending and run.start - (pending.start + pending.size) <= _NEAR:
            pending = Range(pending.start, run.start + run.size - pending.start)
            continue
        if pending:
            yield pending
        pending = run
    if pending:
        yield pending


def _byte_runs(
    old: memoryview, new: memoryview, sectors: Iterable[int], start: int, end: int
) -> Iterator[Range]:
    for sector in sectors:
        first, behind = max(start, sector), min(end, sector + SECTOR)
        if first < behind:
            for run in _RUN.finditer(_mask(old, new, first, behind - first)):
                yield Range(first + run.start(), run.end() - run.start())


def _mask(old: memoryview, new: memoryview, start: int, size: int) -> bytes:
    """Return a byte for each of ``size`` bytes, which is zero where both images are equal."""
    first, second = bytes(old[start : start + size]), bytes(new[start : start + size])
    common = min(len(first), len(second))
    mixed = int.from_bytes(first[:common], "big") ^ int.from_bytes(second[:common], "big")
    alone = max(len(first), len(second)) - common
    return (mixed.to_bytes(common, "big") + b"\1" * alone).ljust(size, b"\0")
