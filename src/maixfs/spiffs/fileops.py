"""What an open file does: read, write through the cache, seek, tell, flush, close."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from maixfs.spiffs import events, ondisk, readout, truncate
from maixfs.spiffs.append import append
from maixfs.spiffs.errors import Code, SpiffsError, spiffs_error
from maixfs.spiffs.flags import OpenFlag
from maixfs.spiffs.modify import modify
from maixfs.spiffs.pages import find_index_page

if TYPE_CHECKING:
    from maixfs.nor.device import Buffer
    from maixfs.spiffs.cache import WriteCache
    from maixfs.spiffs.slots import Slot
    from maixfs.spiffs.volume import Volume

# Plain numbers: flag arithmetic on IntFlag costs more than a whole read.
_APPEND = int(OpenFlag.APPEND)
_DIRECT = int(OpenFlag.DIRECT)
_RDONLY = int(OpenFlag.RDONLY)
_WRONLY = int(OpenFlag.WRONLY)


def readable_at(volume: Volume, slot: Slot, length: int) -> int:
    """Flush the cache and return how many of ``length`` bytes can be read at the offset.

    Negative: all that follow. A file that never reached flash has nothing to read, and its
    cache stays (as in the C).
    """
    if not slot.flags & _RDONLY:
        raise spiffs_error(Code.NOT_READABLE)
    if slot.size == ondisk.SIZE_UNDEFINED:
        return 0
    if volume.caches.pages:
        _flush_quietly(volume, slot)
    rest = slot.size - slot.offset
    return rest if length < 0 or length > rest else length


def write(volume: Volume, slot: Slot, data: Buffer) -> int:
    """Write at the offset, or at the end for an O_APPEND descriptor; returns the length.

    Writes shorter than a page wait in the write cache. Raises ``FullError``; then what was
    written before the room ran out stays in the file.
    """
    if not slot.flags & _WRONLY:
        raise spiffs_error(Code.NOT_WRITABLE)
    view = memoryview(data).cast("B")
    if slot.flags & _APPEND:
        slot.offset = slot.known_size
    offset = slot.offset
    cache = _cache_of(volume, slot)
    if slot.flags & _APPEND and cache is not None:
        offset = max(offset, cache.end)
    if not slot.flags & _DIRECT:
        if len(view) < volume.geometry.page_size:
            cache = _cache_for(volume, slot, offset, len(view))
            if cache is not None:
                cache.put(offset, view)
                slot.offset += len(view)
                return len(view)
        elif cache is not None:
            _write_back(volume, slot, cache)
    _write_through(volume, slot, offset, view)
    slot.offset += len(view)
    return len(view)


def write_now(volume: Volume, slot: Slot, data: Buffer) -> int:
    """Write as ``write`` does, but nothing waits in the cache; returns the length."""
    if not slot.flags & _WRONLY:
        raise spiffs_error(Code.NOT_WRITABLE)
    view = memoryview(data).cast("B")
    flush(volume, slot)
    if slot.flags & _APPEND:
        slot.offset = slot.known_size
    _write_through(volume, slot, slot.offset, view)
    slot.offset += len(view)
    return len(view)


def _cache_of(volume: Volume, slot: Slot) -> WriteCache | None:
    if slot.cache is None:
        slot.cache = volume.caches.find(slot.object_id)
    return slot.cache


def _cache_for(volume: Volume, slot: Slot, offset: int, length: int) -> WriteCache | None:
    """Return the cache page that takes a short write, ``None`` when there is none to be had."""
    cache = slot.cache
    if cache is not None:
        if cache.takes(offset, length, volume.geometry.page_size):
            return cache
        _write_back(volume, slot, cache)
    slot.cache = volume.caches.allocate(slot.object_id, offset)
    return slot.cache


def _write_back(volume: Volume, slot: Slot, cache: WriteCache) -> None:
    """Write a cache page to flash and give it back, also when the write fails."""
    try:
        _write_through(volume, slot, cache.offset, memoryview(cache.data))
    finally:
        events.release_cache(volume, cache)


def _write_through(volume: Volume, slot: Slot, offset: int, data: memoryview) -> None:
    """Overwrite what lies inside the file, append the rest."""
    if slot.size != ondisk.SIZE_UNDEFINED and offset < slot.size:
        inside = min(slot.size - offset, len(data))
        if inside:
            modify(volume, slot, offset, data[:inside])
        data = data[inside:]
        offset += inside
    if data:
        append(volume, slot, offset, data)


def flush(volume: Volume, slot: Slot) -> None:
    """Write what the cache holds of this file; raises what the write raises."""
    if not volume.caches.pages or slot.flags & _DIRECT:
        return
    cache = _cache_of(volume, slot)
    if cache is not None:
        _write_back(volume, slot, cache)


def _flush_quietly(volume: Volume, slot: Slot) -> None:
    """Flush where the C ignores what comes of it."""
    try:
        flush(volume, slot)
    except SpiffsError:
        return


def seek(volume: Volume, slot: Slot, offset: int, whence: int) -> int:
    """Set the offset and return it.

    Raises -10040 below 0; past the end the offset becomes the end and -10003 is raised.
    """
    _flush_quietly(volume, slot)
    size = slot.known_size
    if whence == os.SEEK_CUR:
        offset += slot.offset
    elif whence == os.SEEK_END:
        offset += size
    if offset < 0:
        raise spiffs_error(Code.SEEK_BOUNDS, f"offset {offset}")
    if offset > size:
        slot.offset = size
        raise spiffs_error(Code.END_OF_OBJECT, f"offset {offset} of {size}")
    geometry = volume.geometry
    index_span = geometry.index_span(max(offset - 1, 0) // geometry.data_size)
    if slot.cursor_span != index_span:
        slot.cursor_page = find_index_page(volume, slot.object_id, index_span)
        slot.cursor_span = index_span
    slot.offset = offset
    return offset


def tell(volume: Volume, slot: Slot) -> int:
    """Flush and return the offset (off after small writes in append mode, as in the C)."""
    flush(volume, slot)
    return slot.offset


def cut(volume: Volume, slot: Slot, size: int, *, exact: bool) -> None:
    """Truncate an open file to ``size`` bytes; raises -10003 unless it has as many."""
    if not slot.flags & _WRONLY:
        raise spiffs_error(Code.NOT_WRITABLE)
    _flush_quietly(volume, slot)
    if not 0 <= size <= slot.known_size:
        raise spiffs_error(Code.END_OF_OBJECT, f"size {size} of {slot.known_size}")
    if size != slot.known_size:
        truncate.truncate(volume, slot, size, exact=exact or volume.careful)


def read(volume: Volume, slot: Slot, length: int) -> bytes:
    """Return up to ``length`` bytes (negative: all) from the offset on and step over them."""
    length = readable_at(volume, slot, length)
    if length <= 0:
        return b""
    data = readout.read(volume, slot, slot.offset, length)
    slot.offset += length
    return data


def read_into(volume: Volume, slot: Slot, buffer: memoryview) -> int:
    """Fill ``buffer`` as far as the file goes; returns the number of bytes."""
    length = max(readable_at(volume, slot, len(buffer)), 0)
    if length:
        readout.read_into(volume, slot, slot.offset, buffer[:length])
        slot.offset += length
    return length
