"""The content of files: append, overwrite, truncate, remove, read (docs/SPEC.md, section 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.errors import FullError
from maixfs.spiffs import gc, ondisk
from maixfs.spiffs.errors import Code, SpiffsError
from maixfs.spiffs.pages import (
    allocate,
    append_data_page,
    check_data_page,
    check_index_page,
    check_owner,
    check_single,
    drop_data_page,
    find_index_page,
    load_index_page,
    move_index_page,
    other_headers,
    replace_data_page,
    rewrite_header,
    spare_blocks,
)
from maixfs.spiffs.volume import index_gone, index_moved

if TYPE_CHECKING:
    from array import array

    from maixfs.spiffs.state import Slot
    from maixfs.spiffs.volume import Volume


def append(volume: Volume, slot: Slot, offset: int, data: memoryview) -> None:
    """Write ``data`` at ``offset``, the end of the file.

    Raises ``FullError``; what was written before the room ran out stays in the file.
    """
    # SPIFFS has no holes: the C moves an offset past the end back to the end.
    offset = min(offset, slot.size)
    check_single(volume, slot)
    # One page more than the data needs, for the index page that moves.
    gc.make_room(volume, len(data) + volume.geometry.data_size)
    _Append(volume, slot, offset).run(data)


class _Append:
    """One append; ``work`` is the content of the index page that is being filled."""

    def __init__(self, volume: Volume, slot: Slot, offset: int) -> None:
        self.volume = volume
        self.slot = slot
        self.offset = offset
        self.index_span = -1
        self.index_page = slot.header_page
        self.work = bytearray()

    def run(self, data: memoryview) -> None:
        geometry = self.volume.geometry
        page_size, length = geometry.data_size, len(data)
        span, in_page = divmod(self.offset, page_size)
        written, failure = 0, None
        # Each index page lists spans up to ``turn``; nothing is computed from spans in between.
        turn, entry = span, 0
        while written < length:
            if span == turn:
                index_span = geometry.index_span(span)
                self._turn_to(index_span, written)
                turn = geometry.first_span(index_span + 1)
                entry = geometry.index_slot(span)
            take = min(length - written, page_size - in_page)
            try:
                page = self._write(span, in_page, data[written : written + take])
            except FullError as full:
                # The pages that were written are listed before the error is raised: the C does
                # so, and they would be lost otherwise.
                failure = full
                break
            ondisk.U16.pack_into(self.work, entry, page)
            in_page = 0
            span += 1
            entry += 2
            written += take
        self._finish(self.offset + written)
        if failure is not None:
            raise failure

    def _write(self, span: int, in_page: int, data: memoryview) -> int:
        volume = self.volume
        if not in_page:
            return append_data_page(volume, self.slot.object_id, span, data)
        # The last page has room; its end is still erased and is programmed where it is.
        slot = volume.geometry.index_slot(span)
        page: int = ondisk.U16.unpack_from(self.work, slot)[0]
        check_data_page(volume, page, span)
        if not volume.faithful:
            check_owner(volume, page, self.slot.object_id)
        volume.program(page, ondisk.PageHeader.size + in_page, data)
        return page

    def _turn_to(self, index_span: int, written: int) -> None:
        """Store the current index page, then load or create the next one."""
        slot = self.slot
        # Stored before the next index page is made: a cut later in a long append loses only what
        # comes after this page.
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
        # The C decides by the size whether the index page exists: a file may end exactly where an
        # index page does.
        last = geometry.index_span((slot.size - 1) // geometry.data_size)
        if fresh or index_span > last:
            # Finished from the start, and its table is programmed later: nobody reads it before
            # the header has a size that needs it.
            page = allocate(volume, slot.object_id, index_span, ondisk.FLAGS_INDEX)
            volume.learn(page)
            self.work = bytearray(b"\xff" * geometry.page_size)
            ondisk.PageHeader.struct.pack_into(
                self.work, 0, slot.object_id, index_span, ondisk.FLAGS_INDEX
            )
            index_moved(volume, slot.object_id, index_span, page)
            return page
        page = slot.cursor_page
        if slot.cursor_span != index_span:
            page = find_index_page(volume, slot.object_id, index_span)
        self.work = load_index_page(volume, slot.object_id, page, index_span)
        return page

    def _store(self, end: int) -> None:
        """Store the current index page; the file now ends at ``end``.

        A further index page is programmed again where it is, because only erased entries change;
        a header is, too, if the file was empty. Else the size changes, and the header moves.
        """
        if self.index_span != 0:
            # Index page first, size second: a cut in between leaves the old size and pages that
            # are not read. The size changes with each append, and so each costs a header page.
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
        # A header that moves tells the other descriptors its size. This one stayed in its place.
        if self.index_span == 0 and self.offset == 0:
            index_moved(self.volume, slot.object_id, 0, self.index_page, end)

    def _program_index_page(self) -> None:
        volume, slot, span = self.volume, self.slot, self.index_span
        check_index_page(volume, slot.object_id, self.index_page, span)
        if not self._program_in_place():
            with spare_blocks(volume):
                self.index_page = move_index_page(
                    volume, slot.object_id, self.work, self.index_page
                )
        index_moved(volume, slot.object_id, span, self.index_page)

    def _program_header(self, end: int) -> None:
        """Write table and size of a file that was empty into the header it has."""
        volume = self.volume
        ondisk.SIZE.pack_into(self.work, 0, end)
        check_index_page(volume, self.slot.object_id, self.index_page, 0)
        if not self._program_in_place():
            with spare_blocks(volume):
                self._move_header(end)
            self.index_page = self.slot.header_page

    def _program_in_place(self) -> bool:
        """Program the current index page in place; return whether its content is then right.

        Bits that are 0 stay 0. So it is wrong where garbage collection listed pages that an
        append without room had left, or where such an append stored size 0. The C does not read
        it back: the file is then unreadable or empty, and a faithful mount keeps that.
        """
        volume = self.volume
        # The whole page, not the entries that changed: programming 1 over a 0 bit changes nothing
        # on NOR, and the C does it without a look at what is there.
        volume.program(self.index_page, 0, self.work)
        volume.learn_again(self.index_page)
        return volume.faithful or volume.read_page(self.index_page) == self.work

    def _move_header(self, end: int) -> None:
        slot = self.slot
        rewrite_header(
            self.volume, slot, slot.object_id, slot.header_page, work=self.work, size=end
        )


def modify(volume: Volume, slot: Slot, offset: int, data: memoryview) -> None:
    """Write ``data`` over the bytes at ``offset``; all of it lies inside the file.

    Raises ``FullError``; the pages that were replaced before the room ran out stay replaced.
    """
    check_single(volume, slot)
    gc.make_room(volume, len(data) + volume.geometry.data_size)
    _Modify(volume, slot).run(offset, data)


class _Modify:
    """One overwrite; ``work`` is the content of the current index page."""

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
        # Also after a failure: the pages replaced so far are deleted and must be listed.
        self._store()
        if failure is not None:
            raise failure

    def _turn_to(self, index_span: int) -> None:
        """Store the current index page, then load the next one."""
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
        """Write a new data page with ``data`` in it, delete the old one, list the new one."""
        volume, geometry = self.volume, self.volume.geometry
        entry = geometry.index_slot(span)
        old: int = ondisk.U16.unpack_from(self.work, entry)[0]
        if len(data) == geometry.data_size:
            # As in the C, the old page is not checked where nothing of it is kept.
            new = replace_data_page(volume, self.slot.object_id, span, data)
        else:
            check_data_page(volume, old, span)
            new = self._merge(old, span, in_page, data)
        # New before old, so that one of them is complete at every moment. But the C deletes the
        # old page before the index lists the new one: after a cut here the file cannot be read.
        if new != old:  # a damaged index may list a page that was free
            drop_data_page(volume, self.slot.object_id, old)
        ondisk.U16.pack_into(self.work, entry, new)
        self.replaced = True

    def _merge(self, old: int, span: int, in_page: int, data: memoryview) -> int:
        """Write a new page in the C's order: what is before the data, what is behind, the data."""
        volume, geometry = self.volume, self.volume.geometry
        object_id = self.slot.object_id & ~ondisk.ID_INDEX
        new = allocate(volume, object_id, span, ondisk.FLAGS_OPEN)
        start = ondisk.PageHeader.size
        source, target = volume.page_address(old) + start, volume.page_address(new) + start
        behind = in_page + len(data)
        if volume.copy_pieces:
            volume.copy(source, target, in_page)
            volume.copy(source + behind, target + behind, geometry.data_size - behind)
        else:  # one read serves both parts
            content = memoryview(volume.device.read(source, geometry.data_size))
            if in_page:
                volume.program(new, start, content[:in_page])
            if behind < geometry.data_size:
                volume.program(new, start + behind, content[behind:])
        volume.program(new, start + in_page, data)
        # Last, so that a page with a part of the bytes never counts as finished.
        volume.set_flags(new, ondisk.FLAGS_DATA)
        return new

    def _store(self) -> None:
        """Write the current index page to a new page.

        The old data pages are deleted by now. Where there is no page left, the C leaves a file
        that cannot be read. A mount that is not faithful takes a page of the two spare blocks:
        it frees the old index page at once.
        """
        try:
            self._move_index()
        except FullError:
            if self.volume.faithful or not self.replaced:
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
        index_moved(volume, slot.object_id, self.index_span, page)


def truncate(volume: Volume, slot: Slot, new_size: int, *, exact: bool = False) -> None:
    """Cut a file to ``new_size`` bytes, not more than it has.

    Where less than a page of bytes is cut off but the cut lies in an earlier page than the last
    byte, the C shortens the last page instead of the page that holds the cut (docs/SPEC.md,
    section 5.5). This does the same unless ``exact`` asks for the right page. Raises
    ``FullError`` when there is no room for the new pages.
    """
    if slot.known_size == 0:
        return
    check_single(volume, slot)
    # One page for the header that moves, one for the data page that is shortened.
    gc.make_room(volume, volume.geometry.data_size * 2)
    _Cut(volume, slot, exact=exact).run(new_size)


def remove(volume: Volume, slot: Slot) -> None:
    """Remove the file of a descriptor; all its descriptors close. Needs no free page."""
    if other_headers(volume, slot):
        volume.delete_page(slot.header_page)
        index_gone(volume, slot.object_id, 0)
        return
    # Marked first: a removal that is cut is not listed any more. What it had not deleted yet stays
    # allocated; nothing in the firmware frees it.
    volume.set_flags(slot.header_page, ondisk.FLAGS_REMOVING)
    volume.learn_again(slot.header_page)
    _Cut(volume, slot, removing=True).run(0)
    volume.caches.spare = True  # the page read last was the header: deleted, so out of the cache


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
        # From the end, so that the size stored on the way is that of what is left.
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
                # A bad page of a damaged file: the C ends here without an error, and stores what
                # was cut off so far.
                break
            span -= 1
        # Nothing was cut where making room already left a shorter file.
        if self.index_span >= 0 or self.removing:
            self._store()

    def _goes_whole(self, span: int, new_size: int) -> bool:
        data_size = self.volume.geometry.data_size
        if self.exact:
            return span * data_size >= new_size
        # The C compares lengths, not pages: less than a page of bytes is always cut from the last
        # page, also where the new end lies in the page before, which keeps its old bytes.
        return new_size == 0 or self.size - new_size >= data_size

    def _turn_to(self, index_span: int) -> None:
        """Delete the current index page, which lists nothing any more; load the one before it."""
        volume, slot = self.volume, self.slot
        if self.index_span > 0:
            check_index_page(volume, slot.object_id, self.index_page, self.index_span)
            volume.delete_page(self.index_page)
            index_gone(volume, slot.object_id, self.index_span)
            # A removal leaves the header as it is: moving it takes a free page, and a file must be
            # removable from a full area.
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
            # A page that is deleted already costs nothing: the C goes on.
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
        start = ondisk.PageHeader.size
        source, target = volume.page_address(page) + start, volume.page_address(new) + start
        volume.copy(source, target, new_size % geometry.data_size)
        # The old page goes before the new one is final, as in the C: a cut between the two leaves
        # neither, and the file cannot be read.
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
            index_gone(volume, slot.object_id, 0)
        elif index_span == 0:
            self._store_header()
        else:
            check_index_page(volume, slot.object_id, self.index_page, index_span)
            page = move_index_page(volume, slot.object_id, self.work, self.index_page)
            index_moved(volume, slot.object_id, index_span, page)
            slot.cursor_page, slot.cursor_span = page, index_span
            rewrite_header(volume, slot, slot.object_id, slot.header_page, size=self.size)
        slot.size = self.size

    def _store_header(self) -> None:
        geometry, size = self.volume.geometry, self.size
        if size == 0:
            # An erased size and table: the next write programs them in place.
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


def _addresses(volume: Volume, slot: Slot, span: int, count: int) -> list[int]:
    """Return the chip addresses of the data of ``count`` pages from data span ``span`` on.

    Each page is checked first; a bad one raises the C's number before any data is read.
    """
    geometry, checked = volume.geometry, volume.checked
    page_size = geometry.page_size
    start = geometry.base + ondisk.PageHeader.size
    addresses: list[int] = []
    end = span + count
    while span < end:
        index_span = geometry.index_span(span)
        first = geometry.first_span(index_span)
        pages = _table(volume, slot, index_span)[span - first : end - first]
        spans = range(span, span + len(pages))
        # One comparison of lists instead of a call for each page: after the first read all of them
        # were checked.
        if len(pages) == 1 or list(map(checked.get, pages)) != list(spans):
            for page, expected in zip(pages, spans, strict=True):
                check_data_page(volume, page, expected)
        addresses += [start + page * page_size for page in pages]
        span = spans.stop
    return addresses


def _extents(volume: Volume, slot: Slot, offset: int, length: int) -> list[tuple[int, int]]:
    """Return (first, end) on the chip of a part of a file that lies inside its size."""
    data_size = volume.geometry.data_size
    span, skip = divmod(offset, data_size)
    last, tail = divmod(offset + length - 1, data_size)
    addresses = _addresses(volume, slot, span, last - span + 1)
    extents = [(address, address + data_size) for address in addresses]
    extents[0] = (addresses[0] + skip, extents[0][1])
    extents[-1] = (extents[-1][0], addresses[-1] + tail + 1)
    return extents


def _table(volume: Volume, slot: Slot, index_span: int) -> array[int]:
    """Return the decoded table of an index page of a file, from RAM if it was read before."""
    # The cursor saves a search, and on a damaged area it decides which of two pages is read: the C
    # goes on with the one that it used last.
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
    """Return ``length`` bytes, at least one, that lie inside the size of the file."""
    volume.caches.spare = False
    window = volume.device.window()
    extents = _extents(volume, slot, offset, length)
    if window is None:
        device_read = volume.device.read
        return b"".join([device_read(first, end - first) for first, end in extents])
    return b"".join([window[first:end] for first, end in extents])


def read_into(volume: Volume, slot: Slot, offset: int, buffer: memoryview) -> None:
    """Fill ``buffer``, at least one byte, with bytes that lie inside the size of the file."""
    # Joined first: filling the buffer piece by piece takes twice the time for pages of 256 bytes.
    buffer[:] = read(volume, slot, offset, len(buffer))
