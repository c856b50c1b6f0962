"""Writing behind the end of a file (docs/SPEC.md, section 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.errors import FullError
from maixfs.spiffs import events, gc, ondisk
from maixfs.spiffs.headers import rewrite_header
from maixfs.spiffs.pages import (
    allocate,
    append_data_page,
    check_data_page,
    check_index_page,
    find_index_page,
    load_index_page,
    move_index_page,
    spare_blocks,
)

if TYPE_CHECKING:
    from maixfs.spiffs.slots import Slot
    from maixfs.spiffs.volume import Volume


def append(volume: Volume, slot: Slot, offset: int, data: memoryview) -> None:
    """Write ``data`` at ``offset``, the end of the file.

    Raises ``FullError``; what was written before the room ran out stays in the file.
    """
    offset = min(offset, slot.size)
    gc.make_room(volume, len(data) + volume.geometry.data_size)
    _Append(volume, slot, offset).run(data)


class _Append:
    """One append: the index page at hand, and what was written so far."""

    def __init__(self, volume: Volume, slot: Slot, offset: int) -> None:
        self.volume = volume
        self.slot = slot
        self.offset = offset
        self.index_span = -1
        self.index_page = slot.header_page
        self.work = bytearray()

    def run(self, data: memoryview) -> None:
        geometry = self.volume.geometry
        span, in_page = divmod(self.offset, geometry.data_size)
        written, failure = 0, None
        while written < len(data):
            if geometry.index_span(span) != self.index_span:
                self._turn_to(geometry.index_span(span), written)
            take = min(len(data) - written, geometry.data_size - in_page)
            try:
                page = self._write(span, in_page, data[written : written + take])
            except FullError as full:
                failure = full
                break
            ondisk.U16.pack_into(self.work, geometry.index_slot(span), page)
            in_page = 0
            span += 1
            written += take
        self._finish(self.offset + written)
        if failure is not None:
            raise failure

    def _write(self, span: int, in_page: int, data: memoryview) -> int:
        volume = self.volume
        if not in_page:
            return append_data_page(volume, self.slot.object_id, span, data)
        slot = volume.geometry.index_slot(span)
        page: int = ondisk.U16.unpack_from(self.work, slot)[0]
        check_data_page(volume, page, span)
        volume.program(page, ondisk.PAGE_HEADER.size + in_page, data)
        return page

    def _turn_to(self, index_span: int, written: int) -> None:
        """Store the index page at hand, then load or create the next one."""
        slot = self.slot
        if written:
            self._store(self.offset + written)
            slot.size = self.offset + written
        if index_span == 0:
            self.work = load_index_page(self.volume, slot.object_id, self.index_page, 0)
        else:
            self.index_page = self._next_index_page(index_span, fresh=bool(written))
            slot.cursor_page, slot.cursor_span = self.index_page, index_span
            slot.size = self.offset + written
        self.index_span = index_span

    def _next_index_page(self, index_span: int, *, fresh: bool) -> int:
        volume, slot, geometry = self.volume, self.slot, self.volume.geometry
        last = geometry.index_span((slot.size - 1) // geometry.data_size)
        if fresh or index_span > last:
            page = allocate(volume, slot.object_id, index_span, ondisk.FLAGS_INDEX)
            volume.learn(page)
            self.work = bytearray(b"\xff" * geometry.page_size)
            ondisk.PAGE_HEADER.pack_into(
                self.work, 0, slot.object_id, index_span, ondisk.FLAGS_INDEX
            )
            events.index_moved(volume, slot.object_id, index_span, page)
            return page
        page = slot.cursor_page
        if slot.cursor_span != index_span:
            page = find_index_page(volume, slot.object_id, index_span)
        self.work = load_index_page(volume, slot.object_id, page, index_span)
        return page

    def _store(self, end: int) -> None:
        """Store a full index page; the file now ends at ``end``."""
        if self.index_span != 0:
            self._program_index_page()
            rewrite_header(
                self.volume, self.slot, self.slot.object_id, self.slot.header_page, size=end
            )
        elif self.offset == 0:
            self._program_header(end)
        else:
            self._move_header(end)

    def _finish(self, end: int) -> None:
        slot = self.slot
        slot.size = end
        slot.cursor_page, slot.cursor_span = self.index_page, max(self.index_span, 0)
        self._store(end)
        if self.index_span == 0 and self.offset == 0:
            events.index_moved(self.volume, slot.object_id, 0, self.index_page, end)

    def _program_index_page(self) -> None:
        volume, slot, span = self.volume, self.slot, self.index_span
        check_index_page(volume, slot.object_id, self.index_page, span)
        if not self._program_in_place():
            with spare_blocks(volume):
                self.index_page = move_index_page(
                    volume, slot.object_id, self.work, self.index_page
                )
        events.index_moved(volume, slot.object_id, span, self.index_page)

    def _program_header(self, end: int) -> None:
        """Write table and size of a file that was empty into the header it has."""
        volume = self.volume
        ondisk.U32.pack_into(self.work, ondisk.SIZE_OFFSET, end)
        check_index_page(volume, self.slot.object_id, self.index_page, 0)
        if not self._program_in_place():
            with spare_blocks(volume):
                self._move_header(end)
            self.index_page = self.slot.header_page

    def _program_in_place(self) -> bool:
        """Program the index page at hand where it lies; tell whether that will do.

        Bits that are 0 stay 0, so it does not where garbage collection listed pages that an
        append without room had left, or where such an append stored size 0. (The C does not
        look; the file is unreadable or empty then.)
        """
        volume = self.volume
        volume.program(self.index_page, 0, self.work)
        volume.learn_again(self.index_page)
        return not volume.careful or volume.read_page(self.index_page) == self.work

    def _move_header(self, end: int) -> None:
        slot = self.slot
        rewrite_header(
            self.volume, slot, slot.object_id, slot.header_page, work=self.work, size=end
        )
