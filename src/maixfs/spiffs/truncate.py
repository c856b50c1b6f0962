"""Cutting a file short, and removing it (docs/SPEC.md, section 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.spiffs import events, gc, ondisk
from maixfs.spiffs.errors import Code, SpiffsError
from maixfs.spiffs.headers import rewrite_header
from maixfs.spiffs.pages import (
    allocate,
    check_data_page,
    check_index_page,
    drop_data_page,
    find_index_page,
    load_index_page,
    move_index_page,
)

if TYPE_CHECKING:
    from maixfs.spiffs.slots import Slot
    from maixfs.spiffs.volume import Volume


def truncate(volume: Volume, slot: Slot, new_size: int, *, exact: bool = False) -> None:
    """Cut a file to ``new_size`` bytes, not more than it has.

    Where less than a page goes but the cut lies in an earlier page than the last byte, the last
    page is shortened instead of the one that holds the cut; the C does so, and so do we
    (docs/SPEC.md, section 5.5), unless ``exact`` asks for the right page. Raises ``FullError``
    when there is no room for the new pages.
    """
    if slot.known_size == 0:
        return
    gc.make_room(volume, volume.geometry.data_size * 2)
    _Cut(volume, slot, exact=exact).run(new_size)


def remove(volume: Volume, slot: Slot) -> None:
    """Remove the file of a descriptor; all its descriptors close.

    First the header is marked, so that an interrupted removal shows. Needs no free page.
    """
    volume.set_flags(slot.header_page, ondisk.FLAGS_REMOVING)
    volume.learn_again(slot.header_page)
    _Cut(volume, slot, removing=True).run(0)


class _Cut:
    """One truncation, from the end of the file backwards."""

    def __init__(
        self, volume: Volume, slot: Slot, *, removing: bool = False, exact: bool = False
    ) -> None:
        self.volume = volume
        self.slot = slot
        self.removing = removing
        self.exact = exact
        self.size = slot.known_size
        self.index_span = -1
        self.index_page = slot.header_page
        self.work = bytearray()

    def run(self, new_size: int) -> None:
        geometry = self.volume.geometry
        span = max(self.size - 1, 0) // geometry.data_size
        while self.size > new_size:
            if geometry.index_span(span) != self.index_span:
                self._turn_to(geometry.index_span(span))
            entry = geometry.index_slot(span)
            page: int = ondisk.U16.unpack_from(self.work, entry)[0]
            ondisk.U16.pack_into(self.work, entry, ondisk.PAGE_NONE)
            try:
                if self._goes_whole(span, new_size):
                    self._drop_page(page, span)
                else:
                    self._shorten(page, span, new_size)
            except SpiffsError:
                break  # a bad page: what was cut so far is stored, as the C does
            span -= 1
        if self.index_span >= 0 or self.removing:  # else making room found a shorter file
            self._store()

    def _goes_whole(self, span: int, new_size: int) -> bool:
        data_size = self.volume.geometry.data_size
        if self.exact:
            return span * data_size >= new_size
        return new_size == 0 or self.size - new_size >= data_size

    def _turn_to(self, index_span: int) -> None:
        """Delete the index page at hand, whose range is gone, and load the one before."""
        volume, slot = self.volume, self.slot
        if self.index_span > 0:
            check_index_page(volume, slot.object_id, self.index_page, self.index_span)
            volume.delete_page(self.index_page)
            events.index_gone(volume, slot.object_id, self.index_span)
            if not self.removing:
                rewrite_header(volume, slot, slot.object_id, slot.header_page, size=self.size)
            slot.size = self.size
        self.index_page = slot.header_page
        if index_span:
            self.index_page = find_index_page(volume, slot.object_id, index_span)
        self.work = load_index_page(volume, slot.object_id, self.index_page, index_span)
        slot.cursor_page, slot.cursor_span = self.index_page, index_span
        self.index_span = index_span

    def _drop_page(self, page: int, span: int) -> None:
        data_size = self.volume.geometry.data_size
        try:
            check_data_page(self.volume, page, span)
        except SpiffsError as error:
            if error.code not in (Code.DELETED, Code.INDEX_REF_FREE):
                raise
        else:
            drop_data_page(self.volume, self.slot.object_id, page)
        self.size -= self.size % data_size or data_size
        self.slot.size = self.size

    def _shorten(self, page: int, span: int, new_size: int) -> None:
        volume, slot, geometry = self.volume, self.slot, self.volume.geometry
        check_data_page(volume, page, span)
        object_id = slot.object_id & ~ondisk.ID_INDEX
        new = allocate(volume, object_id, span, ondisk.FLAGS_OPEN)
        start = ondisk.PAGE_HEADER.size
        keep = new_size % geometry.data_size
        if keep:
            content = volume.device.read(volume.page_address(page) + start, keep)
            volume.program(new, start, content)
        if new != page:
            drop_data_page(volume, object_id, page)
        volume.set_flags(new, ondisk.FLAGS_DATA)
        ondisk.U16.pack_into(self.work, geometry.index_slot(span), new)
        self.size = slot.size = new_size

    def _store(self) -> None:
        volume, slot, index_span = self.volume, self.slot, max(self.index_span, 0)
        if index_span == 0 and self.size == 0 and self.removing:
            check_index_page(volume, slot.object_id, self.index_page, 0)
            volume.delete_page(self.index_page)
            events.index_gone(volume, slot.object_id, 0)
        elif index_span == 0:
            self._store_header()
        else:
            check_index_page(volume, slot.object_id, self.index_page, index_span)
            page = move_index_page(volume, slot.object_id, self.work, self.index_page)
            events.index_moved(volume, slot.object_id, index_span, page)
            slot.cursor_page, slot.cursor_span = page, index_span
            rewrite_header(volume, slot, slot.object_id, slot.header_page, size=self.size)
        slot.size = self.size

    def _store_header(self) -> None:
        geometry, size = self.volume.geometry, self.size
        if size == 0:
            table = geometry.page_size - geometry.header_size
            self.work[geometry.header_size :] = b"\xff" * table
            size = ondisk.SIZE_UNDEFINED
        rewrite_header(
            self.volume,
            self.slot,
            self.slot.object_id,
            self.index_page,
            work=self.work,
            size=size,
        )
