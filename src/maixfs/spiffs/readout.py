"""Reading a file: which bytes of flash hold which bytes of the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.spiffs import ondisk
from maixfs.spiffs.pages import check_data_page, find_index_page, load_index_page

if TYPE_CHECKING:
    from array import array

    from maixfs.spiffs.slots import Slot
    from maixfs.spiffs.volume import Volume


def _addresses(volume: Volume, slot: Slot, span: int, count: int) -> list[int]:
    """Return the chip addresses of the data of ``count`` pages from data span ``span`` on.

    Each page is checked before it is listed; a bad one raises the C's number, and then nothing
    of the part is read.
    """
    geometry, checked = volume.geometry, volume.checked
    page_size = geometry.page_size
    start = geometry.base + ondisk.PAGE_HEADER.size
    found: list[int] = []
    end = span + count
    while span < end:
        index_span = geometry.index_span(span)
        first = geometry.first_span(index_span)
        pages = _table(volume, slot, index_span)[span - first : end - first]
        spans = range(span, span + len(pages))
        if len(pages) == 1 or list(map(checked.get, pages)) != list(spans):
            for page, expected in zip(pages, spans, strict=True):
                check_data_page(volume, page, expected)
        found += [start + page * page_size for page in pages]
        span = spans.stop
    return found


def _extents(volume: Volume, slot: Slot, offset: int, length: int) -> list[tuple[int, int]]:
    """Return (first, end) on the chip of a part of a file that lies inside its size."""
    data_size = volume.geometry.data_size
    span, skip = divmod(offset, data_size)
    last, tail = divmod(offset + length - 1, data_size)
    found = _addresses(volume, slot, span, last - span + 1)
    extents = [(address, address + data_size) for address in found]
    extents[0] = (found[0] + skip, extents[0][1])
    extents[-1] = (extents[-1][0], found[-1] + tail + 1)
    return extents


def _table(volume: Volume, slot: Slot, index_span: int) -> array[int]:
    """Return the table of an index page of a file, decoded."""
    if index_span == 0:
        page = slot.header_page
    elif slot.cursor_span == index_span:
        page = slot.cursor_page
    else:
        page = find_index_page(volume, slot.object_id, index_span)
    table = volume.tables.get(page)
    if table is None:
        raw = load_index_page(volume, slot.object_id, page, index_span)
        start = volume.geometry.header_size if index_span == 0 else ondisk.INDEX_PAGE_TABLE
        table = volume.tables[page] = ondisk.u16_array(raw[start:])
    slot.cursor_page, slot.cursor_span = page, index_span
    return table


def read(volume: Volume, slot: Slot, offset: int, length: int) -> bytes:
    """Return a part of a file, not empty, that lies inside its size."""
    window = volume.device.window()
    extents = _extents(volume, slot, offset, length)
    if window is None:
        device_read = volume.device.read
        return b"".join([device_read(first, end - first) for first, end in extents])
    return b"".join([window[first:end] for first, end in extents])


def read_into(volume: Volume, slot: Slot, offset: int, buffer: memoryview) -> None:
    """Fill ``buffer``, not empty, with a part of a file that lies inside its size."""
    window = volume.device.window()
    device_read = volume.device.read
    at = 0
    for first, end in _extents(volume, slot, offset, len(buffer)):
        stop = at + end - first
        buffer[at:stop] = device_read(first, end - first) if window is None else window[first:end]
        at = stop
