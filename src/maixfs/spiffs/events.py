"""What open files must hear of: their index pages move, their size changes, they are removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.spiffs import ondisk

if TYPE_CHECKING:
    from maixfs.spiffs.cache import WriteCache
    from maixfs.spiffs.slots import Slot
    from maixfs.spiffs.volume import Volume


def index_moved(
    volume: Volume, object_id: int, span: int, page: int, size: int | None = None
) -> None:
    """Tell all descriptors of an object where its index page is now.

    ``size`` is the size in a rewritten header (``None`` or 0: the size did not change).
    """
    for slot in volume.slots.of_object(object_id):
        if span == 0:
            # The C passes over descriptors that were never opened by name, such as one opened by
            # its page: it then goes on with the old header. A careful volume does not.
            if slot.score == 0 and not (volume.careful and slot.open):
                continue
            slot.header_page = page
            if size:
                _resized(volume, slot, size)
        if slot.cursor_span == span:
            slot.cursor_page = page


def index_gone(volume: Volume, object_id: int, span: int) -> None:
    """Tell all descriptors of an object that an index page was deleted; span 0 closes them."""
    for slot in volume.slots.of_object(object_id):
        if span == 0:
            if slot.open and slot.cache is not None:
                release_cache(volume, slot.cache)
            slot.open = False
            slot.object_id = ondisk.ID_DELETED
        if slot.cursor_span == span:
            slot.cursor_page = 0


def _resized(volume: Volume, slot: Slot, size: int) -> None:
    slot.size = size
    end = slot.known_size
    cache = slot.cache
    if end > 0 and cache is not None:
        end = max(end, cache.end)
    slot.offset = min(slot.offset, end)
    if cache is not None and cache.offset > end + 1:
        release_cache(volume, cache)  # the file was cut before what waits to be written


def release_cache(volume: Volume, cache: WriteCache) -> None:
    """Give a cache page back and let no open descriptor point at it."""
    for slot in volume.slots:
        if slot.open and slot.cache is cache:
            slot.cache = None
    volume.caches.release(cache)
