"""The image that is searched: its words in columns, and the look-up entries of an area."""

from __future__ import annotations

import sys
from functools import cached_property

from maixfs.nor.device import CHUNK, is_filled
from maixfs.spiffs import ondisk
from maixfs.spiffs.geometry import Geometry, GeometryError
from maixfs.tuples import NamedTuple

SECTOR = 4096
"""Every area starts at an erase unit, and no chip's unit is smaller (docs/SPEC.md, section 1)."""
BLANK = 0xFFFF


class Dump:
    """An image to search: its bytes and its little-endian words, without a copy.

    An odd last byte is ignored.
    """

    def __init__(self, image: bytes | bytearray | memoryview) -> None:
        flat = memoryview(image).cast("B")
        self.size = len(flat) & ~1
        self.view = flat[: self.size].toreadonly()
        if sys.byteorder == "little":
            self.words = self.view.cast("H")
        else:
            self.words = memoryview(ondisk.u16_array(self.view))
        self._columns: dict[int, list[int]] = {}

    def column(self, offset: int) -> list[int]:
        """Return the word at ``offset`` bytes from the start of each sector."""
        if offset not in self._columns:
            skipped, within = divmod(offset, SECTOR)
            self._columns[offset] = (
                self.column(within)[skipped:] if skipped else self._column_of_sectors(within)
            )
        return self._columns[offset]

    def _column_of_sectors(self, offset: int) -> list[int]:
        column = [BLANK] * len(range(offset, self.size - 1, SECTOR))
        for start in self._written:
            end = min(start + CHUNK, self.size)
            words = self.words[(start + offset) // 2 : end // 2 : SECTOR // 2].tolist()
            first = start // SECTOR
            column[first : first + len(words)] = words
        return column

    @cached_property
    def _written(self) -> list[int]:
        """Start of each chunk that is not erased: most of a flash is."""
        starts = range(0, self.size, CHUNK)
        return [start for start in starts if not is_filled(self.view[start : start + CHUNK])]

    def bytes_at(self, address: int, length: int) -> bytes:
        """Return up to ``length`` bytes from ``address``."""
        return bytes(self.view[address : address + length])

    def whole_blocks(self, geometry: Geometry) -> int:
        """Return how many of the blocks of an area are inside the image."""
        return max(0, min(geometry.blocks, (self.size - geometry.base) // geometry.block_size))


def frame(
    base: int,
    blocks: int,
    block_size: int,
    page_size: int,
    *,
    magic: bool = True,
    length: bool = True,
) -> Geometry | None:
    """Return a geometry without a header layout yet; ``None`` where the numbers are impossible."""
    try:
        return Geometry(
            size=blocks * block_size,
            block_size=block_size,
            page_size=page_size,
            use_magic=magic,
            use_magic_length=magic and length,
            base=base,
        )
    except GeometryError:
        return None


_STATE = ondisk.USED | ondisk.FINAL | ondisk.INDEX | ondisk.DELET
_LIVE_DATA = ondisk.INDEX | ondisk.DELET
_LIVE_INDEX = ondisk.DELET
_DONE = ondisk.USED | ondisk.FINAL | ondisk.INDEX
_SPAN_WORD = ondisk.PageHeader.offset_of("span_ix") // 2
_MOST_HEADERS = 48
_ENTRIES_COMPARED = 256


class Census(NamedTuple):
    """Pages by address in the image; file data by (object id, span)."""

    used: int
    """Look-up entries that name an object."""
    agreeing: int
    """Of these, the ones whose page carries the same object id."""
    headers: tuple[int, ...]
    """Index headers of files, at most 48 from all over the area."""
    data: dict[tuple[int, int], int]
    live: bool
    """Whether headers and data are those of existing files; else they are of deleted ones."""


class _Pages(NamedTuple):
    """Columns of the page headers of an area, its look-up pages included."""

    ids: list[int]
    spans: list[int]
    flags: bytes


def take_census(dump: Dump, area: Geometry) -> Census:
    """Return the census of the part of an area that is inside the image.

    Where there is no live file, the headers are those of deleted files whose pages are not
    erased yet.
    """
    pages = _page_headers(dump, area)
    entries = _entries(dump, area)
    used = [(page, entry) for page, entry in entries if entry]
    agreeing = [page for page, entry in used if pages.ids[page] == entry]
    headers = [
        page
        for page in agreeing
        if pages.ids[page] & ondisk.ID_INDEX
        and not pages.spans[page]
        and pages.flags[page] & (_STATE | ondisk.IXDELE) == _LIVE_INDEX | ondisk.IXDELE
    ]
    live = bool(headers)
    data = [page for page in agreeing if pages.flags[page] & _STATE == _LIVE_DATA]
    if not live:
        headers, data = _dead(pages, area)
    return Census(
        len(used),
        len(agreeing),
        tuple(area.page_address(page) for page in _spread(headers)),
        {(pages.ids[p], pages.spans[p]): area.page_address(p) for p in data},
        live,
    )


def _page_headers(dump: Dump, area: Geometry) -> _Pages:
    start = area.base // 2
    end = start + dump.whole_blocks(area) * area.block_size // 2
    step = area.page_size // 2
    return _Pages(
        dump.words[start:end:step].tolist(),
        dump.words[start + _SPAN_WORD : end : step].tolist(),
        dump.view[2 * start + ondisk.FLAGS_OFFSET : 2 * end : area.page_size].tobytes(),
    )


def _entries(dump: Dump, area: Geometry) -> list[tuple[int, int]]:
    """Return (page, look-up entry) for all entries that are not free."""
    entries: list[tuple[int, int]] = []
    count = min(area.usable_pages, area.lookup_pages * area.page_size // 2)
    blank = b"\xff" * (2 * count)
    for block in range(dump.whole_blocks(area)):
        at = area.base + block * area.block_size
        if dump.bytes_at(at, 2 * count) == blank:
            continue
        first = block * area.pages_per_block + area.lookup_pages
        row = dump.words[at // 2 : at // 2 + count].tolist()
        entries += [pair for pair in enumerate(row, first) if pair[1] != ondisk.ID_FREE]
    return entries


def block_agreement(dump: Dump, area: Geometry, address: int) -> int:
    """Return the entries of a block that agree with their pages, minus twice those that do not.

    A page agrees if it has the object id of the entry and flags of the same kind. A used page
    with a free entry counts against the block size: with the right size the page would belong
    to another block.
    """
    count = min(area.usable_pages, area.magic_offset // 2 + 1, _ENTRIES_COMPARED)
    entries = dump.words[address // 2 : address // 2 + count].tolist()
    first, end = address + area.lookup_pages * area.page_size, address + area.block_size
    ids = dump.words[first // 2 : end // 2 : area.page_size // 2].tolist()
    flags = dump.view[first + ondisk.FLAGS_OFFSET : end : area.page_size].tobytes()
    score = 0
    for entry, obj_id, flag in zip(entries, ids, flags, strict=False):
        kind = 0 if entry & ondisk.ID_INDEX else ondisk.INDEX
        if entry in (ondisk.ID_FREE, ondisk.ID_DELETED):
            score -= 2 * (entry == ondisk.ID_FREE != obj_id)
        else:
            agrees = entry == obj_id and flag & (ondisk.USED | ondisk.INDEX) == kind
            score += 1 if agrees else -2
    return score


def _dead(pages: _Pages, area: Geometry) -> tuple[list[int], list[int]]:
    """Return the header and data pages that deleted files left behind.

    A driver that replaces bytes leaves 7E as the flags of a deleted page, which does not say
    what the page was. Then the index bit of the object id and the span decide.
    """
    headers, data = [], []
    for page, (obj_id, flags) in enumerate(zip(pages.ids, pages.flags, strict=True)):
        if area.is_lookup_page(page) or flags & ondisk.USED or obj_id in (0, ondisk.ID_FREE):
            continue
        replaced = flags == ondisk.FLAGS_DELETE
        if obj_id & ondisk.ID_INDEX:
            if pages.spans[page] == 0 and (replaced or not flags & _DONE):
                headers.append(page)
        elif replaced or flags & _DONE == ondisk.INDEX:
            data.append(page)
    return headers, data


def _spread(pages: list[int]) -> list[int]:
    """Return at most 48 of the pages, evenly spread over the area."""
    return pages[:: max(1, -(-len(pages) // _MOST_HEADERS))]
