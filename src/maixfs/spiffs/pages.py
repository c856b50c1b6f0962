"""Object pages: find a free one, fill it, move it, check it; create and rewrite index headers."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from maixfs.spiffs import ondisk
from maixfs.spiffs.blocks import erase_quick
from maixfs.spiffs.errors import (
    Code,
    SpiffsError,
    missing_page,
    shared_object,
    spiffs_error,
    unregistered_page,
)
from maixfs.spiffs.volume import index_moved

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maixfs.nor.device import Buffer
    from maixfs.spiffs.state import Slot
    from maixfs.spiffs.volume import Volume

_SPARE_BLOCKS = 2
_unpack_header = ondisk.PageHeader.struct.unpack_from
_pack_header = ondisk.PageHeader.struct.pack
_pack_index_header = ondisk.IndexHeader.struct.pack_into
_PADDING = bytes(3)
_STATE = ondisk.USED | ondisk.FINAL | ondisk.DELET | ondisk.INDEX
_LIVE_DATA = ondisk.DELET | ondisk.INDEX
_LIVE_INDEX = ondisk.DELET


@contextmanager
def spare_blocks(volume: Volume) -> Iterator[None]:
    """Allow pages to be taken from the two spare blocks: a move there frees more elsewhere."""
    volume.cleaning = True
    try:
        yield
    finally:
        volume.cleaning = False


def find_free(volume: Volume) -> int:
    """Return the first free page at or after the free cursor and step the cursor over it.

    Two blocks stay empty: outside of garbage collection this erases a fully deleted block when
    fewer are, and raises ``FullError`` when there is none.
    """
    # Garbage collection needs free pages for what it moves out of a block. Without two blocks that
    # nobody else may take, a full area could never be cleaned again.
    if not volume.cleaning and volume.free_blocks < _SPARE_BLOCKS:
        erase_quick(volume, 0)
        if volume.free_blocks < _SPARE_BLOCKS:
            raise spiffs_error(Code.FULL)
    page = _first_free(volume)
    geometry = volume.geometry
    block, in_block = divmod(page, geometry.pages_per_block)
    entry = in_block - geometry.lookup_pages
    # Kept in RAM alone, as in the C: a mount starts at 0 and fills the holes in front first. So
    # the same writes with a remount between them lie elsewhere.
    volume.free_block, volume.free_entry = block, entry + 1
    if entry == 0:
        volume.free_blocks -= 1
    return page


def _first_free(volume: Volume) -> int:
    geometry, lookup = volume.geometry, volume.lookup
    start = volume.free_block * geometry.pages_per_block
    start += geometry.lookup_pages + volume.free_entry
    # Deleted entries do not count: their bits cannot rise again before the block is erased.
    try:
        return lookup.index(ondisk.ID_FREE, start)
    except ValueError:
        pass
    try:
        return lookup.index(ondisk.ID_FREE)
    except ValueError:
        raise spiffs_error(Code.NOT_FOUND, "free page") from None


def find_index_page(volume: Volume, object_id: int, span: int) -> int:
    """Return the live index page of an object (id with bit 15) and store it as the search cursor.

    Raises ``DamagedError`` with the C's code for "not found" when there is none: the file is
    there, and a program that catches ``FileNotFoundError`` must not take it for absent.
    """
    pages = volume.index.pages_of(object_id, span)
    # A search of the C reads page headers past its cache, so no cache page was read last and
    # writes can have them all (docs/SPEC.md, section 5.7).
    volume.caches.spare = True
    if not pages:
        if volume.caches.limit is not None:
            volume.caches.spare = _search_ends_at_index_page(volume)
        raise missing_page(f"index page {span} of object {object_id:#x}")
    return _first_from_cursor(volume, pages)


def find_name(volume: Volume, name: bytes) -> int:
    """Return the header page of a file and leave the search cursor there.

    Raises ``NotFoundError`` when no file has that name.
    """
    page = search_name(volume, name)
    if page is None:
        raise no_name(name)
    return page


def search_name(volume: Volume, name: bytes) -> int | None:
    """Return what ``find_name`` does, ``None`` when no file has that name.

    Every new file is looked for in vain first: an exception would cost as much as its header.
    """
    pages = volume.index.pages_named(name)
    volume.caches.spare = True
    if not pages:
        if volume.caches.limit is not None:
            volume.caches.spare = _search_ends_at_index_page(volume)
        return None
    return _first_from_cursor(volume, pages)


def no_name(name: bytes) -> SpiffsError:
    """Return the error for a name that no file has."""
    return spiffs_error(Code.NOT_FOUND, name.decode("utf-8", "backslashreplace"))


def _search_ends_at_index_page(volume: Volume) -> bool:
    """Return True if an unsuccessful search reads a header after the last look-up page.

    The C reads headers past its cache. It starts at the search cursor, goes once round, and reads
    the block of the cursor to its end again unless the cursor was at the block's start.
    """
    geometry = volume.geometry
    block, in_block = divmod(volume.search_page, geometry.pages_per_block)
    if in_block <= geometry.lookup_pages:
        block = (block or geometry.blocks) - 1
    per_page = geometry.page_size // 2
    first = (geometry.usable_pages - 1) // per_page * per_page
    start = block * geometry.pages_per_block + geometry.lookup_pages
    entries = volume.lookup[start + first : start + geometry.usable_pages]
    return any(ondisk.ID_INDEX <= entry < ondisk.ID_FREE for entry in entries)


def _first_from_cursor(volume: Volume, pages: list[int]) -> int:
    page = pages[0]
    # A power loss can leave two. The C takes the first one from where its last search ended, so
    # that either can open; that choice is kept.
    if len(pages) > 1:
        start, total = volume.search_page, volume.geometry.pages
        page = min(pages, key=lambda candidate: (candidate - start) % total)
    volume.search_page = page
    return page


def allocate(volume: Volume, object_id: int, span: int, flags: int) -> int:
    """Take a free page for an object: look-up entry, then page header; returns the page.

    Raises ``FullError``.
    """
    page = find_free(volume)
    # Claimed before anything lies in it: a cut in between costs the page until garbage collection.
    # The other order would leave bytes in a page that the look-up calls free.
    volume.claim(page, object_id)
    volume.program(page, 0, _pack_header(object_id, span, flags & ~ondisk.USED))
    return page


def append_data_page(volume: Volume, object_id: int, span: int, data: Buffer) -> int:
    """Write a data page behind the end of a file; returns the page."""
    # FINAL from the start, unlike a page that replaces another one: no index lists the page before
    # its bytes are programmed, and this saves a write.
    page = allocate(volume, object_id & ~ondisk.ID_INDEX, span, ondisk.FLAGS_DATA)
    volume.program(page, ondisk.PageHeader.size, data)
    return page


def replace_data_page(volume: Volume, object_id: int, span: int, data: Buffer) -> int:
    """Write a data page that replaces another one; returns the page."""
    page = allocate(volume, object_id & ~ondisk.ID_INDEX, span, ondisk.FLAGS_OPEN)
    volume.program(page, ondisk.PageHeader.size, data)
    # FINAL last: the index may still list the old page of this span, and a cut must not leave two
    # finished pages of which one is incomplete.
    volume.set_flags(page, ondisk.FLAGS_DATA)
    return page


def move_index_page(volume: Volume, object_id: int, work: bytearray, source: int) -> int:
    """Write ``work``, the new content of index page ``source``, to a free page; delete source.

    ``object_id`` carries bit 15. Returns the new page. The order of writes is the C's.
    """
    page = find_free(volume)
    # Without FINAL at first: until the flags are programmed below, the copy does not count.
    was_final = not work[ondisk.FLAGS_OFFSET] & ondisk.FINAL
    work[ondisk.FLAGS_OFFSET] = (work[ondisk.FLAGS_OFFSET] | ondisk.FINAL) & ~ondisk.USED
    volume.program(page, 0, work)
    # The C claims a page that it moves after its content. A cut before the claim leaves bytes in a
    # page that the look-up calls free, and the next use mixes with them.
    volume.claim(page, object_id)
    if was_final:
        work[ondisk.FLAGS_OFFSET] &= ~(ondisk.FINAL | ondisk.USED)
        volume.set_flags(page, work[ondisk.FLAGS_OFFSET])
    volume.learn(page)
    # Last, so that a cut leaves at least one of the two. From the flags to here both count: a cut
    # shows the file twice, and the search cursor decides which one opens.
    volume.delete_page(source)
    return page


def copy_page(volume: Volume, object_id: int, source: int) -> int:
    """Copy a page as it is to a free one and delete the source; returns the new page."""
    page = find_free(volume)
    size = volume.geometry.page_size
    volume.copy(volume.page_address(source), volume.page_address(page), size)
    # Flags were copied with the rest, so the copy counts as soon as it is claimed.
    volume.claim(page, object_id)
    if object_id & ondisk.ID_INDEX:
        volume.learn(page)
    volume.delete_page(source)
    return page


def drop_data_page(volume: Volume, object_id: int, page: int) -> None:
    """Delete a data page that the index of a file (``object_id``) lists, if it is that file's.

    Only a damaged index lists a page of another file. The C deletes it, and the other file loses
    it. A faithful mount does not copy this loss.
    """
    geometry = volume.geometry
    if page >= geometry.pages or geometry.is_lookup_page(page):
        return
    # FFFF and 0000 belong to nobody; the C deletes such a page as well.
    if volume.lookup[page] in (object_id & ~ondisk.ID_INDEX, ondisk.ID_FREE, ondisk.ID_DELETED):
        volume.delete_page(page)


def other_headers(volume: Volume, slot: Slot) -> bool:
    """Return whether the object of a descriptor has a second header, with another name.

    A power cut in a rename leaves that. The two files share their data pages: a careful mount
    changes neither of them, and removing one leaves the data to the other.
    """
    return not volume.faithful and len(volume.index.pages_of(slot.object_id, 0)) > 1


def check_single(volume: Volume, slot: Slot) -> None:
    """Raise ``DamagedError`` if another file shares the pages of this one."""
    if other_headers(volume, slot):
        pages = sorted(volume.index.pages_of(slot.object_id, 0))
        raise shared_object(slot.object_id & ~ondisk.ID_INDEX, pages)


def check_owner(volume: Volume, page: int, object_id: int) -> None:
    """Raise ``DamagedError`` unless the look-up gives a data page to this object.

    The C programs into whatever page a damaged index lists, and another file changes.
    """
    if volume.lookup[page] != object_id & ~ondisk.ID_INDEX:
        raise unregistered_page(
            page, volume.page_address(page), f"object {object_id & ~ondisk.ID_INDEX}"
        )


def check_data_page(volume: Volume, page: int, span: int) -> None:
    """Raise the C's number unless ``page`` is a live data page of that span.

    The object id in the page header is not compared (docs/SPEC.md, section 9).
    """
    # A header is read once, not at each read of the file: it only changes with calls that drop the
    # page from here.
    if volume.checked.get(page) == span:
        return
    geometry = volume.geometry
    # The C lets the number through that is one too large, and reads what follows the area.
    if page >= geometry.pages or geometry.is_lookup_page(page):
        raise _bad_reference(volume, page, span)
    _, page_span, flags = volume.read_header(page)
    if flags & _STATE != _LIVE_DATA or page_span != span:
        raise _bad_page(volume, page, flags, data=True)
    volume.checked[page] = span


def check_index_page(volume: Volume, object_id: int, page: int, span: int) -> None:
    """Raise the C's number unless ``page`` is a live index page of that span."""
    geometry = volume.geometry
    if page >= geometry.pages or geometry.is_lookup_page(page):
        raise _bad_index_reference(volume, page)
    _, page_span, flags = volume.read_header(page)
    check_index_header(volume, page, flags, object_id, page_span - span)


def check_index_header(
    volume: Volume, page: int, flags: int, object_id: int, span_error: int
) -> None:
    """Raise the C's number unless ``page`` is a live index page, by its flags and object id.

    ``span_error`` is 0 if the page carries the span that it should have.
    """
    if flags & _STATE != _LIVE_INDEX or span_error or not object_id & ondisk.ID_INDEX:
        raise _bad_page(volume, page, flags, data=False)


def check_index_work(
    volume: Volume, page: int, work: bytearray, object_id: int, span: int
) -> None:
    """Raise the C's number unless ``work``, the content of ``page``, is a live index page."""
    _, page_span, flags = _unpack_header(work)
    if flags & _STATE != _LIVE_INDEX or page_span != span:
        raise _bad_page(volume, page, flags, data=False)
    if not object_id & ondisk.ID_INDEX:
        raise spiffs_error(Code.NOT_INDEX, _where(volume, page))


def _where(volume: Volume, page: int) -> str:
    return f"page {page} at {volume.page_address(page):#x}"


def _bad_reference(volume: Volume, page: int, span: int) -> SpiffsError:
    if page == ondisk.PAGE_NONE:
        return spiffs_error(Code.INDEX_REF_FREE, f"span {span}")
    if volume.geometry.is_lookup_page(page):
        return spiffs_error(Code.INDEX_REF_LU, _where(volume, page))
    return spiffs_error(Code.INDEX_REF_INVALID, _where(volume, page))


def _bad_index_reference(volume: Volume, page: int) -> SpiffsError:
    if page == ondisk.PAGE_NONE:
        return spiffs_error(Code.INDEX_FREE)
    if volume.geometry.is_lookup_page(page):
        return spiffs_error(Code.INDEX_LU, _where(volume, page))
    return spiffs_error(Code.INDEX_INVALID, _where(volume, page))


def _bad_page(volume: Volume, page: int, flags: int, *, data: bool) -> SpiffsError:
    """Return the error that the C checks for first in a page that is not what it should be."""
    if flags & ondisk.USED:
        code = Code.IS_FREE
    elif not flags & ondisk.DELET:
        code = Code.DELETED
    elif flags & ondisk.FINAL:
        code = Code.NOT_FINALIZED
    elif data:
        code = Code.DATA_SPAN_MISMATCH if flags & ondisk.INDEX else Code.IS_INDEX
    else:
        code = Code.NOT_INDEX if flags & ondisk.INDEX else Code.INDEX_SPAN_MISMATCH
    return spiffs_error(code, _where(volume, page))


def load_index_page(volume: Volume, object_id: int, page: int, span: int) -> bytearray:
    """Return a copy of an index page after checking its header."""
    work = volume.read_page(page)
    check_index_work(volume, page, work, object_id, span)
    return work


def create_header(volume: Volume, object_id: int, name: bytes, meta: bytes | None) -> int:
    """Write the header of a new, empty file and return its page.

    Its size and table stay erased, so that the first write needs no new page. The caller made
    room. The three padding bytes are 0; the C leaves what was on its stack.
    """
    geometry = volume.geometry
    entry = object_id | ondisk.ID_INDEX
    page = find_free(volume)
    volume.claim(page, entry)
    header = bytearray(geometry.header_size)
    _pack_index_header(
        header, 0, entry, 0, ondisk.FLAGS_INDEX, _PADDING, ondisk.SIZE_UNDEFINED, ondisk.TYPE_FILE
    )
    put_name(header, name, geometry.name_length)
    meta_start = ondisk.NAME_OFFSET + geometry.name_length
    put_meta(header, meta or b"\xff" * geometry.meta_length, meta_start)
    # One program, with the flags of a finished page, as in the C: a cut in it can show a file with
    # an incomplete name.
    volume.program(page, 0, header)
    volume.learn(page)
    index_moved(volume, entry, 0, page, ondisk.SIZE_UNDEFINED)
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
    """Write the header at ``page``, with changes, to a new page and return the new page.

    ``work`` is its content if the caller changed the table; ``name``, ``meta`` and ``size`` (0:
    no change, as in the C) change those fields. All descriptors of the file are updated.
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
        ondisk.SIZE.pack_into(work, 0, size)
    new_page = move_index_page(volume, entry, work, page)
    now = ondisk.SIZE.unpack(work)[0]
    index_moved(volume, entry, 0, new_page, now)
    if slot is not None:
        slot.header_page = new_page
    return new_page


def relist(
    volume: Volume, index_id: int, index_span: int, page: int, moved: dict[int, int]
) -> None:
    """Write an index page anew that lists other pages: ``moved`` has the new ones by the old.

    ``page`` is the index page, or for a further part of a file its header.
    """
    if index_span and volume.index.pages_of(index_id, index_span).count(page) == 0:
        page = find_index_page(volume, index_id, index_span)
    work = load_index_page(volume, index_id, page, index_span)
    start = ondisk.INDEX_PAGE_TABLE if index_span else volume.geometry.header_size
    for entry in range(start, len(work) - 1, 2):
        (listed,) = ondisk.U16.unpack_from(work, entry)
        if listed != ondisk.PAGE_NONE:
            ondisk.U16.pack_into(work, entry, moved.get(listed, listed))
    if index_span == 0:
        rewrite_header(volume, None, index_id, page, work=work)
    else:
        new_page = move_index_page(volume, index_id, work, page)
        index_moved(volume, index_id, index_span, new_page)
