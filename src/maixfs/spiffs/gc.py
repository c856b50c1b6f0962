"""Garbage collection: which block is erased, what is moved out of it, and when it ends.

See docs/SPEC.md, section 6. Every choice is the C's, ties included, because it decides where
all later pages are placed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.errors import DamagedError
from maixfs.spiffs import ondisk
from maixfs.spiffs.blocks import erase_block
from maixfs.spiffs.errors import Code, SpiffsError, spiffs_error
from maixfs.spiffs.pages import (
    check_data_page,
    copy_page,
    find_index_page,
    load_index_page,
    move_index_page,
    relist,
    rewrite_header,
    spare_blocks,
)
from maixfs.spiffs.volume import index_gone, index_moved

if TYPE_CHECKING:
    from maixfs.spiffs.volume import Volume

# Weights of the score of a block (docs/SPEC.md, section 6).
# One erase of age weighs as much as ten deleted pages: full blocks are moved only because they are
# old. It levels wear, and an area can be full although deleted pages would be enough.
_WEIGHT_DELETED = 5
_WEIGHT_USED = -1
_WEIGHT_AGE = 50
_ENOUGH_BLOCKS = 3
_SPARE_BLOCKS = 2


def make_room(volume: Volume, length: int) -> None:
    """Collect garbage until ``length`` bytes can be written; do nothing where they already can.

    Raises ``FullError`` when there are not enough deleted pages, or when the runs that the
    geometry allows did not free enough of them.
    """
    geometry = volume.geometry
    data_size = geometry.data_size
    free = volume.free_pages()
    # With three free blocks left collection runs for every write, however empty the area is: that
    # costs wear, and is kept because it moves every later page.
    if volume.free_blocks > _ENOUGH_BLOCKS and length < free * data_size:
        return
    needed = -(-length // data_size)
    # Even the best collection would not help, so nothing is erased for it.
    if needed > free + volume.deleted:
        raise _full(volume, needed, free)
    for _ in range(geometry.gc_max_runs):
        before = free
        _collect(volume, _choose(volume, crammed=free <= 0))
        free = volume.free_pages()
        if before <= 0 and before == free:
            break  # a run that freed nothing in a full area: the C gives up, and so must we
        if volume.free_blocks > _SPARE_BLOCKS and length <= free * data_size:
            break
    if length > free * data_size:
        raise _full(volume, needed, free)


def _full(volume: Volume, needed: int, free: int) -> Exception:
    return spiffs_error(
        Code.FULL,
        f"{needed} pages needed, {max(free, 0)} free, {volume.deleted} deleted",
    )


def _choose(volume: Volume, *, crammed: bool) -> int:
    """Return the block with the highest score, the lowest one on a tie."""
    best, best_score = 0, None
    for block in range(volume.geometry.blocks):
        count = volume.counts[block]
        score = count.deleted_before_free * _WEIGHT_DELETED
        score += count.used_before_free * _WEIGHT_USED
        if not crammed:  # in a full area the C does not level the wear
            score += _age(volume, block) * _WEIGHT_AGE
        if best_score is None or score > best_score:
            best, best_score = block, score
    return best


def _age(volume: Volume, block: int) -> int:
    """Return how many erases of the area ago the block was erased, across the counter's wrap."""
    count = volume.erase_counts[block]
    if volume.max_erase_count > count:
        return volume.max_erase_count - count
    return ondisk.ID_FREE - (count - volume.max_erase_count)


def _collect(volume: Volume, block: int) -> None:
    """Move everything out of a block and erase it.

    The copies go into the two spare blocks: that is what these are kept for.
    """
    with spare_blocks(volume):
        _empty(volume, block)
    # Erased after all moves: a cut in the erase loses nothing, and the mount repeats it.
    count = volume.counts[block]
    volume.deleted -= count.deleted
    volume.allocated -= volume.geometry.usable_pages - count.deleted - count.free
    erase_block(volume, block)


def _empty(volume: Volume, block: int) -> None:
    """Move all live pages of ``block`` to free pages elsewhere: data first, then index pages."""
    geometry = volume.geometry
    if volume.free_block == block:  # never copy into the block that is erased next
        volume.free_block, volume.free_entry = (block + 1) % geometry.blocks, 0
    first = block * geometry.pages_per_block + geometry.lookup_pages
    pages = range(first, first + geometry.usable_pages)
    # Data first: its index page changes with it and moves then, out of this block too. Index pages
    # that are still here afterwards list no data of this block and are copied as they are.
    for page in pages:
        entry = volume.lookup[page]
        if entry not in (ondisk.ID_FREE, ondisk.ID_DELETED) and not entry & ondisk.ID_INDEX:
            _move_data_like(volume, page, entry, pages)
    for page in pages:
        entry = volume.lookup[page]
        if entry not in (ondisk.ID_FREE, ondisk.ID_DELETED) and entry & ondisk.ID_INDEX:
            _move_index(volume, page, entry)


def _move_data_like(volume: Volume, page: int, object_id: int, pages: range) -> None:
    """Move all data pages of the block that share an index page with ``page``."""
    geometry = volume.geometry
    span = geometry.index_span(volume.read_header(page)[1])
    index_id = object_id | ondisk.ID_INDEX
    try:
        index_page = find_index_page(volume, index_id, span)
    except DamagedError as error:
        if error.native != Code.NOT_FOUND:
            raise
        volume.delete_page(page)  # no index page refers to it: a power loss came between
        return
    # Raises for a header that is not live and ends the collection, as in the C: without a right
    # index the data could not be listed anywhere.
    work = load_index_page(volume, index_id, index_page, span)
    copies = [] if volume.faithful else _other_copies(volume, index_id, index_page, span)
    before = bytes(work) if copies else b""
    for candidate in pages:
        if volume.lookup[candidate] == object_id:
            _move_data(volume, candidate, span, work)
    if copies:
        start = volume.geometry.header_size if span == 0 else ondisk.INDEX_PAGE_TABLE
        tables = ondisk.u16_array(before[start:]), ondisk.u16_array(work[start:])
        moved = dict(zip(*tables, strict=True))
    for copy in copies:
        # The C leaves the copy as it is, and a file that is opened through it cannot be read.
        relist(volume, index_id, span, copy, moved)
    # Written once for all of them, after the old pages are gone. A cut before this line leaves a
    # file unreadable that nobody was writing; its pages still carry id and span.
    if span == 0:
        rewrite_header(volume, None, index_id, index_page, work=work)
    else:
        new_page = move_index_page(volume, index_id, work, index_page)
        index_moved(volume, object_id, span, new_page)


def _other_copies(volume: Volume, index_id: int, index_page: int, span: int) -> list[int]:
    """Return further live index pages of the same object and span, left by a power cut."""
    pages = [page for page in volume.index.pages_of(index_id, span) if page != index_page]
    for page in pages:
        load_index_page(volume, index_id, page, span)  # raises before anything has moved
    return pages


def _move_data(volume: Volume, page: int, index_span: int, work: bytearray) -> None:
    _, span, flags = volume.read_header(page)
    if volume.geometry.index_span(span) != index_span:
        # Another index page lists it: it is moved in a turn of its own.
        return
    entry = volume.geometry.index_slot(span)
    if not flags & ondisk.DELET:
        # Deleted on the page, but not in the look-up: one of the two writes was lost.
        volume.delete_page(page)
        if not volume.faithful and ondisk.U16.unpack_from(work, entry)[0] != page:
            return  # the index lists another page for this span, which the C makes it forget
        new_page = ondisk.PAGE_NONE
    elif _is_leftover(volume, page, span, ondisk.U16.unpack_from(work, entry)[0]):
        volume.delete_page(page)
        return
    else:
        new_page = copy_page(volume, volume.lookup[page], page)
    ondisk.U16.pack_into(work, entry, new_page)


def _is_leftover(volume: Volume, page: int, span: int, listed: int) -> bool:
    """Return whether the index lists another live page of the file for the span of ``page``.

    Then ``page`` was left by an append that found no more room. The C and a faithful mount move
    it and list it instead of the right page, which gives the file old bytes. Where the listed
    page is not valid, ``page`` is the right one: a power loss in garbage collection came before
    the index listed it.
    """
    if volume.faithful or listed == page or listed >= volume.geometry.pages:
        return False
    if volume.lookup[listed] != volume.lookup[page]:
        return False
    try:
        check_data_page(volume, listed, span)
    except SpiffsError:
        return False
    return True


def _move_index(volume: Volume, page: int, entry: int) -> None:
    _, span, flags = volume.read_header(page)
    if flags & ondisk.DELET:
        new_page = copy_page(volume, entry, page)
        index_moved(volume, entry, span, new_page)
    else:
        volume.delete_page(page)
        index_gone(volume, entry, span)
