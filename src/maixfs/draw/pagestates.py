"""What each page of a SPIFFS area is, told from its bytes alone: damaged areas too."""

from __future__ import annotations

from maixfs.nor.device import blank
from maixfs.spiffs import Geometry, ondisk

_STATE = ondisk.USED | ondisk.FINAL | ondisk.INDEX | ondisk.DELET
_LIVE_DATA = ondisk.INDEX | ondisk.DELET
_LIVE_INDEX = ondisk.DELET


def page_states(image: memoryview, geometry: Geometry) -> list[str]:
    """Return the state of each page, a key of ``palette.PAGES``; what is cut off counts as free.

    ``geometry.base`` is where the area starts in ``image``.
    """
    area = image[geometry.base : geometry.base + geometry.size]
    states: list[str] = []
    for block in range(geometry.blocks):
        start = block * geometry.block_size
        entries = ondisk.u16_array(area[start : start + 2 * geometry.usable_pages])
        entries.extend([ondisk.ID_FREE] * (geometry.usable_pages - len(entries)))
        states += ["look-up"] * geometry.lookup_pages
        first = start + geometry.lookup_pages * geometry.page_size
        states += [
            _state(area[at : at + geometry.page_size], entry)
            for at, entry in zip(
                range(first, start + geometry.block_size, geometry.page_size),
                entries,
                strict=True,
            )
        ]
    return states


def _state(page: memoryview, entry: int) -> str:
    if entry == ondisk.ID_FREE:
        return "free" if bytes(page) == blank(len(page)) else "stale"
    if entry == ondisk.ID_DELETED:
        return "deleted"
    if len(page) < ondisk.PageHeader.size:
        return "wrong"
    object_id, span, flags = ondisk.PageHeader.struct.unpack_from(page)
    is_index = bool(entry & ondisk.ID_INDEX)
    if object_id != entry or flags & _STATE != (_LIVE_INDEX if is_index else _LIVE_DATA):
        return "wrong"
    if not is_index:
        return "data"
    return "index" if span else "index header"
