"""Reading a file: which bytes of flash hold which bytes of the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.spiffs import ondisk
from maixfs.spiffs.pages import check_data_page, find_index_page, load_index_page

if TYPE_CHECKING:
    from array import array

    from maixfs.spiffs.slots import Slot
    from maixfs.spiffs.volume import Volume


def extents(volume: Volume, slot: Slot, offset: int, length: int) -> list[tuple[int, int]]:
    """Return (address, length) on the chip of a part of a file that lies inside its size.

    Each page is checked before it is listed; a bad one raises the C's number, and then nothing
    of the part is read.
    """
    geometry, checked = volume.geometry, volume.checked
    data_size, page_size = geometry.data_size, geometry.page_size
    start = geometry.base + ondisk.PAGE_HEADER.size
    found: list[tuple[int, int]] = []
    span, in_page = divmod(offset, data_size)
    while length > 0:
        index_span = geometry.index_span(span)
        table = _table(volume, slot, index_span)
        first = geometry.first_span(index_span)
        for page in table[span - first :]:
            if checked.get(page) != span:
                check_data_page(volume, page, span)
            take = min(length, data_size - in_page)
            found.append((start + page * page_size + in_page, take))
            length -= take
            if length <= 0:
                break
            in_page = 0
            span += 1
    return found


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
    """Return a part of a file that lies inside its size."""
    window = volume.device.window()
    parts = extents(volume, slot, offset, length)
    if window is None:
        device_read = volume.device.read
        return b"".join([device_read(address, size) for address, size in parts])
    return b"".join([window[address : address + size] for address, size in parts])


def read_into(volume: Volume, slot: Slot, offset: int, buffer: memoryview) -> None:
    """Fill ``buffer`` with a part of a file that lies inside its size."""
    window = volume.device.window()
    at = 0
    for address, size in extents(volume, slot, offset, len(buffer)):
        source = (
            volume.device.read(address, size)
            if window is None
            else window[address : address + size]
        )
        buffer[at : at + size] = source
        at += size
