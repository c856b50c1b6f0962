"""Object pages: find a free one, fill it, move it, look one up, check what one says it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.spiffs import ondisk
from maixfs.spiffs.erase import erase_quick
from maixfs.spiffs.errors import Code, spiffs_error

if TYPE_CHECKING:
    from maixfs.nor.device import Buffer
    from maixfs.spiffs.volume import Volume

_SPARE_BLOCKS = 2


def find_free(volume: Volume) -> int:
    """Return the first free page at or after the free cursor and step the cursor over it.

    Two blocks stay empty: outside of garbage collection this erases a fully deleted block when
    fewer are, and raises ``FullError`` when there is none.
    """
    if not volume.cleaning and volume.free_blocks < _SPARE_BLOCKS:
        erase_quick(volume, 0)
        if volume.free_blocks < _SPARE_BLOCKS:
            raise spiffs_error(Code.FULL)
    page = _first_free(volume)
    geometry = volume.geometry
    block, in_block = divmod(page, geometry.pages_per_block)
    entry = in_block - geometry.lookup_pages
    volume.free_block, volume.free_entry = block, entry + 1
    if entry == 0:
        volume.free_blocks -= 1
    return page


def _first_free(volume: Volume) -> int:
    geometry, lookup = volume.geometry, volume.lookup
    start = volume.free_block * geometry.pages_per_block
    start += geometry.lookup_pages + volume.free_entry
    try:
        return lookup.index(ondisk.ID_FREE, start)
    except ValueError:
        pass
    try:
        return lookup.index(ondisk.ID_FREE)
    except ValueError:
        raise spiffs_error(Code.NOT_FOUND, "free page") from None


def find_index_page(volume: Volume, object_id: int, span: int) -> int:
    """Return the live index page of an object (id with bit 15) and leave the search there.

    Raises ``NotFoundError`` when there is none.
    """
    return _found(volume, volume.index.pages_of(object_id, span), f"index page {span}")


def find_name(volume: Volume, name: bytes) -> int:
    """Return the header page of a file and leave the search cursor there.

    Raises ``NotFoundError`` when no file has that name.
    """
    return _found(volume, volume.index.pages_named(name), name.decode("utf-8", "backslashreplace"))


def _found(volume: Volume, pages: list[int], what: str) -> int:
    if not pages:
        raise spiffs_error(Code.NOT_FOUND, what)
    page = pages[0]
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
    volume.claim(page, object_id)
    volume.program(page, 0, ondisk.PAGE_HEADER.pack(object_id, span, flags & ~ondisk.USED))
    return page


def append_data_page(volume: Volume, object_id: int, span: int, data: Buffer) -> int:
    """Write a data page behind the end of a file; returns the page.

    Its header says finished before the data is there: until the index lists it nobody looks.
    """
    page = allocate(volume, object_id & ~ondisk.ID_INDEX, span, ondisk.FLAGS_DATA)
    volume.program(page, ondisk.PAGE_HEADER.size, data)
    return page


def replace_data_page(volume: Volume, object_id: int, span: int, data: Buffer) -> int:
    """Write a data page that takes the place of another, and finish it; returns the page."""
    page = allocate(volume, object_id & ~ondisk.ID_INDEX, span, ondisk.FLAGS_OPEN)
    volume.program(page, ondisk.PAGE_HEADER.size, data)
    volume.set_flags(page, ondisk.FLAGS_DATA)
    return page


def move_index_page(volume: Volume, object_id: int, work: bytearray, source: int) -> int:
    """Write ``work``, the new content of index page ``source``, to a free page; delete source.

    ``object_id`` carries bit 15. Returns the new page. Until the flags are programmed the new
    page does not count; until the source is deleted both do.
    """
    page = find_free(volume)
    was_final = not work[ondisk.FLAGS_OFFSET] & ondisk.FINAL
    work[ondisk.FLAGS_OFFSET] = (work[ondisk.FLAGS_OFFSET] | ondisk.FINAL) & ~ondisk.USED
    volume.program(page, 0, work)
    volume.claim(page, object_id)
    if was_final:
        work[ondisk.FLAGS_OFFSET] &= ~(ondisk.FINAL | ondisk.USED)
        volume.set_flags(page, work[ondisk.FLAGS_OFFSET])
    volume.learn(page)
    volume.delete_page(source)
    return page


def copy_page(volume: Volume, object_id: int, source: int) -> int:
    """Copy a page as it is to a free one and delete the source; returns the new page."""
    page = find_free(volume)
    volume.program(page, 0, volume.read_page(source))
    volume.claim(page, object_id)
    if object_id & ondisk.ID_INDEX:
        volume.learn(page)
    volume.delete_page(source)
    return page


def check_data_page(volume: Volume, page: int, span: int) -> None:
    """Raise the C's number unless ``page`` is a live data page of that span.

    The object id in the page header is not compared (docs/SPEC.md, section 9).
    """
    if volume.checked.get(page) == span:
        return
    geometry = volume.geometry
    if page == ondisk.PAGE_NONE:
        raise spiffs_error(Code.INDEX_REF_FREE, f"span {span}")
    where = f"page {page} at {geometry.page_address(page):#x}"
    if geometry.is_lookup_page(page):
        raise spiffs_error(Code.INDEX_REF_LU, where)
    if page >= geometry.pages:
        raise spiffs_error(Code.INDEX_REF_INVALID, where)
    header = volume.read_header(page)
    _check_live(header.flags, where)
    if not header.flags & ondisk.INDEX:
        raise spiffs_error(Code.IS_INDEX, where)
    if header.span_ix != span:
        raise spiffs_error(Code.DATA_SPAN_MISMATCH, where)
    volume.checked[page] = span


def check_index_page(volume: Volume, object_id: int, page: int, span: int) -> None:
    """Raise the C's number unless ``page`` is a live index page of that span."""
    geometry = volume.geometry
    where = f"page {page} at {geometry.page_address(page):#x}"
    if page == ondisk.PAGE_NONE:
        raise spiffs_error(Code.INDEX_FREE, where)
    if geometry.is_lookup_page(page):
        raise spiffs_error(Code.INDEX_LU, where)
    if page >= geometry.pages:
        raise spiffs_error(Code.INDEX_INVALID, where)
    check_index_header(volume.read_header(page), object_id, span, where)


def check_index_header(header: ondisk.PageHeader, object_id: int, span: int, where: str) -> None:
    """Raise the C's number unless a page header is that of a live index page of that span."""
    _check_live(header.flags, where)
    if header.flags & ondisk.INDEX or not object_id & ondisk.ID_INDEX:
        raise spiffs_error(Code.NOT_INDEX, where)
    if header.span_ix != span:
        raise spiffs_error(Code.INDEX_SPAN_MISMATCH, where)


def _check_live(flags: int, where: str) -> None:
    if flags & ondisk.USED:
        raise spiffs_error(Code.IS_FREE, where)
    if not flags & ondisk.DELET:
        raise spiffs_error(Code.DELETED, where)
    if flags & ondisk.FINAL:
        raise spiffs_error(Code.NOT_FINALIZED, where)


def load_index_page(volume: Volume, object_id: int, page: int, span: int) -> bytearray:
    """Return a copy of an index page after checking its header."""
    work = volume.read_page(page)
    header = ondisk.PageHeader._make(ondisk.PAGE_HEADER.unpack_from(work))
    where = f"page {page} at {volume.page_address(page):#x}"
    check_index_header(header, object_id, span, where)
    return work
