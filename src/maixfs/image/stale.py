"""Pages whose look-up entry does not tell what is in them.

On boards whose flash driver does not wait for erases, most free pages hold old bytes
(docs/SPEC.md, section 11.2). Programming clears bits only, so they are wiped before a change. A
damaged look-up entry can also call a page free or deleted that a file still needs; then nothing
may be written at all, for the driver would take that page or erase it.
"""

from __future__ import annotations

from collections.abc import Iterator

from maixfs.nor import NorChip
from maixfs.nor.device import blank
from maixfs.spiffs import Geometry, ondisk

_LIVE = ondisk.USED | ondisk.FINAL | ondisk.DELET


def lookup_entries(image: memoryview, geometry: Geometry) -> Iterator[tuple[int, int]]:
    """Yield (page, look-up entry) of every object page."""
    for block in range(geometry.blocks):
        start = geometry.base + block * geometry.block_size
        first = block * geometry.pages_per_block + geometry.lookup_pages
        words = ondisk.u16_array(image[start : start + 2 * geometry.usable_pages])
        yield from enumerate(words, first)


def empty_blocks(image: memoryview, geometry: Geometry) -> int:
    """Return the blocks in which nothing was written, as a mount counts them."""
    area = image[geometry.base : geometry.base + geometry.size].cast("H")
    return area[:: geometry.block_size // 2].tolist().count(ondisk.ID_FREE)


def wipe_free_pages(chip: NorChip, image: memoryview, geometry: Geometry) -> None:
    """Set every free page of an area to 0xFF."""
    empty = blank(geometry.page_size)
    for page, entry in lookup_entries(image, geometry):
        if entry == ondisk.ID_FREE:
            address = geometry.page_address(page)
            if bytes(image[address : address + geometry.page_size]) != empty:
                chip.poke(address, empty)


def endangered(image: memoryview, geometry: Geometry) -> dict[int, int]:
    """Return the pages that hold a file's data but are not booked as its own, with its id."""
    entries = dict(lookup_entries(image, geometry))
    tables = [
        (header, page)
        for page, entry in entries.items()
        if entry & ondisk.ID_INDEX and entry != ondisk.ID_FREE
        for header in (_header(image, geometry, page),)
        if header.flags & (_LIVE | ondisk.INDEX) == ondisk.DELET and header.obj_id == entry
    ]
    sizes = {head.obj_id: _size(image, geometry, at) for head, at in tables if not head.span_ix}
    return {
        page: header.obj_id & ~ondisk.ID_INDEX
        for header, table in tables
        for span, page in _listed(image, geometry, header, table, sizes.get(header.obj_id, 0))
        if entries.get(page, 0) != header.obj_id & ~ondisk.ID_INDEX
        and _is_data(image, geometry, page, header.obj_id, span)
    }


def _header(image: memoryview, geometry: Geometry, page: int) -> ondisk.PageHeader:
    start = geometry.page_address(page)
    return ondisk.PageHeader.unpack(image, start)


def _size(image: memoryview, geometry: Geometry, page: int) -> int:
    size: int = ondisk.SIZE.unpack(image, geometry.page_address(page))[0]
    return 0 if size == ondisk.SIZE_UNDEFINED else size


def _listed(
    image: memoryview, geometry: Geometry, header: ondisk.PageHeader, page: int, size: int
) -> Iterator[tuple[int, int]]:
    """Yield (span, page) of an index page, as far as the file's size goes."""
    first = geometry.first_span(header.span_ix)
    room = geometry.index_entries if header.span_ix else geometry.header_entries
    count = max(0, min(room, -(-size // geometry.data_size) - first))
    start = geometry.page_address(page) + geometry.index_slot(first)
    yield from enumerate(ondisk.u16_array(image[start : start + 2 * count]), first)


def _is_data(image: memoryview, geometry: Geometry, page: int, obj_id: int, span: int) -> bool:
    if page >= geometry.pages or geometry.is_lookup_page(page):
        return False
    header = _header(image, geometry, page)
    live = header.flags & (_LIVE | ondisk.INDEX) == ondisk.DELET | ondisk.INDEX
    return live and header.span_ix == span and header.obj_id == obj_id & ~ondisk.ID_INDEX
