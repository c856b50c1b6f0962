"""Writing over bytes that a file has (docs/SPEC.md, section 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.errors import FullError
from maixfs.spiffs import events, gc, ondisk
from maixfs.spiffs.headers import rewrite_header
from maixfs.spiffs.pages import (
    allocate,
    check_data_page,
    check_index_page,
    drop_data_page,
    find_index_page,
    load_index_page,
    move_index_page,
    replace_data_page,
    spare_blocks,
)

if TYPE_CHECKING:
    from maixfs.spiffs.slots import Slot
    from maixfs.spiffs.volume import Volume


def modify(volume: Volume, slot: Slot, offset: int, data: memoryview) -> None:
    """Write ``data`` over the bytes at ``offset``; all of it lies inside the file.

    Raises ``FullError``; the pages that were replaced before the room ran out stay replaced.
    """
    gc.make_room(volume, len(data) + volume.geometry.data_size)
    _Modify(volume, slot).run(offset, data)


class _Modify:
    """One overwrite: the index page at hand."""

    def __init__(self, volume: Volume, slot: Slot) -> None:
        self.volume = volume
        self.slot = slot
        self.index_span = -1
        self.index_page = slot.header_page
        self.work = bytearray()
        self.replaced = False

    def run(self, offset: int, data: memoryview) -> None:
        geometry = self.volume.geometry
        span, in_page = divmod(offset, geometry.data_size)
        written, failure = 0, None
        while written < len(data):
            if geometry.index_span(span) != self.index_span:
                self._turn_to(geometry.index_span(span))
            take = min(len(data) - written, geometry.data_size - in_page)
            try:
                self._replace(span, in_page, data[written : written + take])
            except FullError as full:
                failure = full
                break
            in_page = 0
            span += 1
            written += take
        self._store()
        if failure is not None:
            raise failure

    def _turn_to(self, index_span: int) -> None:
        """Store the index page at hand, then load the next one."""
        slot = self.slot
        if self.index_span >= 0:
            self._store()
        if index_span:
            page = slot.cursor_page
            if slot.cursor_span != index_span:
                page = find_index_page(self.volume, slot.object_id, index_span)
            self.index_page = page
        self.work = load_index_page(self.volume, slot.object_id, self.index_page, index_span)
        self.index_span = index_span
        slot.cursor_page, slot.cursor_span = self.index_page, index_span

    def _replace(self, span: int, in_page: int, data: memoryview) -> None:
        """Write a data page anew with ``data`` in it, delete the old one, list the new one."""
        volume, geometry = self.volume, self.volume.geometry
        entry = geometry.index_slot(span)
        old: int = ondisk.U16.unpack_from(self.work, entry)[0]
        if len(data) == geometry.data_size:
            new = replace_data_page(volume, self.slot.object_id, span, data)
        else:
            check_data_page(volume, old, span)
            new = self._merge(old, span, in_page, data)
        if new != old:  # a damaged index may list a page that was free
            drop_data_page(volume, self.slot.object_id, old)
        ondisk.U16.pack_into(self.work, entry, new)
        self.replaced = True

    def _merge(self, old: int, span: int, in_page: int, data: memoryview) -> int:
        """Write a new page: what was before the data, what was behind it, then the data."""
        volume, geometry = self.volume, self.volume.geometry
        object_id = self.slot.object_id & ~ondisk.ID_INDEX
        new = allocate(volume, object_id, span, ondisk.FLAGS_OPEN)
        start = ondisk.PAGE_HEADER.size
        content = memoryview(volume.device.read(volume.page_address(old), geometry.page_size))
        behind = in_page + len(data)
        if in_page:
            volume.program(new, start, content[start : start + in_page])
        if behind < geometry.data_size:
            volume.program(new, start + behind, content[start + behind :])
        volume.program(new, start + in_page, data)
        volume.set_flags(new, ondisk.FLAGS_DATA)
        return new

    def _store(self) -> None:
        """Write the index page at hand to a new page.

        The old data pages are gone by now. Where room fails here the C leaves a file that cannot
        be read; a careful volume takes one page of the spare blocks.
        """
        try:
            self._move_index()
        except FullError:
            if not (self.volume.careful and self.replaced):
                raise
            with spare_blocks(self.volume):
                self._move_index()

    def _move_index(self) -> None:
        volume, slot = self.volume, self.slot
        if self.index_span <= 0:
            slot.cursor_page, slot.cursor_span = self.index_page, 0
            rewrite_header(volume, slot, slot.object_id, slot.header_page, work=self.work)
            return
        check_index_page(volume, slot.object_id, self.index_page, self.index_span)
        page = move_index_page(volume, slot.object_id, self.work, self.index_page)
        slot.cursor_page, slot.cursor_span = page, self.index_span
        events.index_moved(volume, slot.object_id, self.index_span, page)
