"""Object index headers: create one, or write a changed one to a new page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.spiffs import events, ondisk
from maixfs.spiffs.pages import check_index_work, find_free, move_index_page

if TYPE_CHECKING:
    from maixfs.spiffs.slots import Slot
    from maixfs.spiffs.volume import Volume


def create_header(volume: Volume, object_id: int, name: bytes, meta: bytes | None) -> int:
    """Write the header of a new, empty file and return its page.

    Its size and table stay erased, so that the first write needs no new page. Room was made
    before. The three padding bytes are 0 (the C leaves what was on its stack).
    """
    geometry = volume.geometry
    entry = object_id | ondisk.ID_INDEX
    page = find_free(volume)
    volume.claim(page, entry)
    header = bytearray(geometry.header_size)
    ondisk.INDEX_HEADER.pack_into(
        header, 0, entry, 0, ondisk.FLAGS_INDEX, ondisk.SIZE_UNDEFINED, ondisk.TYPE_FILE
    )
    put_name(header, name, geometry.name_length)
    meta_start = ondisk.NAME_OFFSET + geometry.name_length
    put_meta(header, meta or b"\xff" * geometry.meta_length, meta_start)
    volume.program(page, 0, header)
    volume.learn(page)
    events.index_moved(volume, entry, 0, page, ondisk.SIZE_UNDEFINED)
    return page


def put_name(header: bytearray, name: bytes, length: int) -> None:
    """Write a name, padded with zeros, into a header."""
    start = ondisk.NAME_OFFSET
    header[start : start + length] = name.ljust(length, b"\0")


def put_meta(header: bytearray, meta: bytes, start: int) -> None:
    """Write the meta bytes into a header."""
    header[start : start + len(meta)] = meta


def rewrite_header(
    volume: Volume,
    slot: Slot | None,
    object_id: int,
    page: int,
    *,
    work: bytearray | None = None,
    name: bytes | None = None,
    meta: bytes | None = None,
    size: int = 0,
) -> int:
    """Write the header at ``page``, changed, to a new page and return that.

    ``work`` is its content if the caller changed the table; ``name``, ``meta`` and ``size`` (0:
    as it is) change those fields. All descriptors hear of it.
    """
    geometry = volume.geometry
    entry = object_id | ondisk.ID_INDEX
    if work is None:
        work = volume.read_page(page)
    check_index_work(volume, page, work, entry, 0)
    if name is not None:
        put_name(work, name, geometry.name_length)
    if meta is not None:
        put_meta(work, meta, ondisk.NAME_OFFSET + geometry.name_length)
    if size:
        ondisk.U32.pack_into(work, ondisk.SIZE_OFFSET, size)
    new_page = move_index_page(volume, entry, work, page)
    now = ondisk.U32.unpack_from(work, ondisk.SIZE_OFFSET)[0]
    events.index_moved(volume, entry, 0, new_page, now)
    if slot is not None:
        slot.header_page = new_page
    return new_page
