"""What a careful mount makes sure of before its first write.

The driver writes to pages that the look-up calls free, and erases blocks in which the look-up
calls every page free or deleted. On a damaged area the look-up can be wrong about a page that a
file needs, and on boards whose flash driver does not wait for erases most free pages hold old
bytes (docs/SPEC.md, section 11.2), which a program would mix with the new ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.nor.device import blank
from maixfs.spiffs import ondisk
from maixfs.spiffs.blocks import count_pages, erase_block
from maixfs.spiffs.errors import unregistered_page
from maixfs.spiffs.pages import find_free, relist, spare_blocks

if TYPE_CHECKING:
    from array import array
    from collections.abc import Callable, Iterator

    from maixfs.spiffs.state import DirEntry
    from maixfs.spiffs.volume import Volume

_STATE = ondisk.USED | ondisk.FINAL | ondisk.DELET | ondisk.INDEX
_LIVE_DATA = ondisk.DELET | ondisk.INDEX
_LIVE_INDEX = ondisk.DELET


def prepare_write(volume: Volume) -> None:
    """Raise unless the mount may write; make sure of what it needs before the first write.

    Raises -10000, -10032 on a read-only mount, and ``DamagedError`` as ``check_registered``. To
    be called before names and index pages are looked for.
    """
    volume.check_writable()
    if not volume.blank_checked:
        prepare_removal(volume)
        delete_leftovers(volume)
        restore_deleted(volume)
        volume.blank_checked = True


def prepare_removal(volume: Volume) -> None:
    """Do what ``prepare_write`` does for a change that takes no free page."""
    volume.check_writable()
    if not volume.registered:
        check_registered(volume)
        volume.registered = True


def check_registered(volume: Volume) -> None:
    """Raise ``DamagedError`` if writing could change a file that can be read now.

    Then nothing has changed. Else index pages that a power cut left beside their successors are
    deleted: garbage collection would update one of the two, and a search finds either.
    """
    for page, entry in unregistered_pages(volume).items():
        if not _is_restorable(volume, page, entry):
            raise unregistered_page(page, volume.page_address(page), entry.name)
    stale = [page for page in volume.index.visible if _is_torn(volume, page)]
    stale += [page for pages in _duplicates(volume) for page in _superseded(volume, pages)]
    for page in stale:
        volume.delete_page(page)


def restore_deleted(volume: Volume) -> None:
    """Copy pages that are marked deleted but still listed to pages that belong to their file.

    A page is deleted in two writes, before the index lists its successor. Power that goes between
    leaves a file that is read through a page that the next erase of its block takes away.
    ``check_registered`` comes first.
    """
    for _ in range(volume.geometry.pages):
        page, entry = next(iter(unregistered_pages(volume).items()), (0, None))
        if entry is None:
            return
        index_id = volume.lookup[entry.page]
        index_span = volume.geometry.index_span(_page_header(volume, page).span_ix)
        # An index page and a data page are freed below, so the spare blocks get back what this
        # takes from them.
        with spare_blocks(volume):
            copy = find_free(volume)
            size = volume.geometry.page_size
            volume.copy(volume.page_address(page), volume.page_address(copy), size)
            volume.claim(copy, index_id & ~ondisk.ID_INDEX)
            relist(volume, index_id, index_span, entry.page, {page: copy})
        volume.set_flags(page, ondisk.FLAGS_DELETE)


def _is_restorable(volume: Volume, page: int, entry: DirEntry) -> bool:
    own = volume.lookup[entry.page] & ~ondisk.ID_INDEX
    return volume.lookup[page] == ondisk.ID_DELETED and _page_header(volume, page).obj_id == own


def unregistered_pages(volume: Volume) -> dict[int, DirEntry]:
    """Return pages that a readable file uses and that the look-up does not give to it.

    Such a page can be taken for free or deleted, or go with the other file. The value is one of
    the files that use it. Files that cannot be read have no such pages.
    """
    found: dict[int, DirEntry] = {}
    for page, entry in volume.index.visible.items():
        found.update(dict.fromkeys(_unregistered(volume, page, entry), entry))
    return found


def leftover_pages(volume: Volume) -> list[int]:
    """Return the free pages that are not blank."""
    geometry, lookup = volume.geometry, volume.lookup
    window, size = volume.device.window(), geometry.page_size
    # Through the window where there is one: an empty area of 3 MiB is not copied then.
    read = volume.device.read if window is None else _reader(window)
    empty = blank(geometry.block_size)
    found: list[int] = []
    for first in range(0, geometry.pages, geometry.pages_per_block):
        entries = lookup[first : first + geometry.pages_per_block]
        free = entries.count(ondisk.ID_FREE)
        if not free:
            continue
        start = entries.index(ondisk.ID_FREE)
        # In nearly all blocks the free pages lie together at the end: one read for all of them.
        if start + free == len(entries) and empty.startswith(
            read(volume.page_address(first + start), free * size)
        ):
            continue
        found += [
            page
            for page, entry in enumerate(entries, first)
            if entry == ondisk.ID_FREE
            and not empty.startswith(read(volume.page_address(page), size))
        ]
    return found


def _reader(window: memoryview) -> Callable[[int, int], memoryview]:
    return lambda address, length: window[address : address + length]


def delete_leftovers(volume: Volume) -> None:
    """Mark free pages that are not blank as deleted, and erase blocks that hold nothing else.

    Also repeats the erase that a power cut ended early. ``check_registered`` comes first.
    """
    geometry = volume.geometry
    by_block: dict[int, list[int]] = {}
    for page in leftover_pages(volume):
        by_block.setdefault(page // geometry.pages_per_block, []).append(page)
    if volume.aborted_block is not None:
        by_block[volume.aborted_block] = []
    for block, pages in sorted(by_block.items()):
        count = volume.counts[block]
        if count.deleted + count.free == geometry.usable_pages:
            erase_block(volume, block)
        else:
            volume.mark_deleted(pages)
    if by_block:
        count_pages(volume)


def _unregistered(volume: Volume, header: int, entry: DirEntry) -> Iterator[int]:
    """Yield the pages of one file that ``unregistered_pages`` returns."""
    lookup = volume.lookup
    number = lookup[header] & ~ondisk.ID_INDEX
    known = header in volume.index.pages_of(lookup[header], 0) and number
    pages, _ = _data_pages(volume, entry)
    try:
        own = set(map(lookup.__getitem__, pages)) <= {number}
    except IndexError:
        own = False
    if known and own:
        return
    if not _is_readable(volume, entry) or (not known and _is_torn(volume, header)):
        return
    if not known:
        yield header
    yield from (page for page in pages if lookup[page] != number)


def _is_torn(volume: Volume, header: int) -> bool:
    """Return whether a header was about to be deleted: power went within its look-up entry.

    Then some bits of the entry are cleared, and the header's successor is there already: with
    another name after a rename.
    """
    object_id, found = _page_header(volume, header).obj_id, volume.lookup[header]
    if found == object_id or found & ~object_id:
        return False
    visible = volume.index.visible
    pages = set(_data_pages(volume, visible[header])[0])
    # Only a successor shares data pages with it; a wrong id alone can be that of any file.
    return any(
        page in visible
        and _is_readable(volume, visible[page])
        and (pages & {*_data_pages(volume, visible[page])[0]} or not (pages or visible[page].size))
        for page in volume.index.pages_of(object_id, 0)
    )


def _data_pages(volume: Volume, entry: DirEntry) -> tuple[list[int], bool]:
    """Return the pages that the index of a file lists, and whether it lists all of them."""
    geometry = volume.geometry
    pages: list[int] = []
    count = -(-entry.size // geometry.data_size)
    index, index_id = entry.page, volume.lookup[entry.page]
    for span in range(geometry.index_span(count - 1) + 1 if count else 0):
        if span:
            copies = volume.index.pages_of(index_id, span)
            # Of several copies a read finds the first one after the index page before it.
            index = min(copies, key=lambda page: (page < index, page), default=0)
            if not copies or not _opens(volume, index):
                return pages, False
        pages += _listed(volume, index, span, count)
    return pages, True


def _listed(volume: Volume, page: int, span: int, count: int) -> array[int]:
    """Return the table of an index page, as far as a file of ``count`` data pages uses it."""
    geometry = volume.geometry
    first = geometry.first_span(span)
    room = geometry.index_entries if span else geometry.header_entries
    start = volume.page_address(page) + geometry.index_slot(first)
    return ondisk.u16_array(volume.device.read(start, 2 * min(room, max(0, count - first))))


def _accepted(volume: Volume, page: int, span: int) -> bool:
    """Return whether a read takes a page for the data page of this span."""
    geometry = volume.geometry
    if page >= geometry.pages or geometry.is_lookup_page(page):
        return False
    header = _page_header(volume, page)
    return header.flags & _STATE == _LIVE_DATA and header.span_ix == span


def _page_header(volume: Volume, page: int) -> ondisk.PageHeader:
    raw = volume.device.read(volume.page_address(page), ondisk.PageHeader.size)
    return ondisk.PageHeader.unpack(raw)


def _opens(volume: Volume, page: int) -> bool:
    """Return whether the flags of an index page let it be read."""
    (flags,) = volume.device.read(volume.page_address(page) + ondisk.FLAGS_OFFSET, 1)
    return bool(flags & _STATE == _LIVE_INDEX)


def _is_readable(volume: Volume, entry: DirEntry) -> bool:
    pages, complete = _data_pages(volume, entry)
    return (
        complete
        and _opens(volume, entry.page)
        and all(_accepted(volume, page, span) for span, page in enumerate(pages))
    )


def _duplicates(volume: Volume) -> list[list[int]]:
    """Return the pages of each index page that is there more than once.

    First come those of open files, which go on with them, then the one that a fresh mount finds.
    """
    used = {
        page for slot in volume.slots.open_slots() for page in (slot.header_page, slot.cursor_page)
    }
    return [
        sorted(pages, key=lambda page: (page not in used, page))
        for pages in volume.index.duplicates()
    ]


def _superseded(volume: Volume, pages: list[int]) -> list[int]:
    """Return all of the copies of one index page but the first that its file is readable with."""
    visible = volume.index.visible
    if pages[0] in visible:
        # A cut in a rename leaves one object under two names. Nobody knows which one is meant, so
        # both stay; see ``pages.other_headers``.
        if len({visible[page].raw_name for page in pages if page in visible}) > 1:
            return []
        good = [page for page in pages if page in visible and _is_readable(volume, visible[page])]
    else:
        good = [page for page in pages if _lists_live_pages(volume, page)]
    return [page for page in pages if page != good[0]] if good else []


def _lists_live_pages(volume: Volume, page: int) -> bool:
    span = _page_header(volume, page).span_ix
    headers = volume.index.pages_of(volume.lookup[page], 0)
    sizes = [volume.index.visible[at].size for at in headers if at in volume.index.visible]
    if not sizes or not _opens(volume, page):
        return False
    count = -(-max(sizes) // volume.geometry.data_size)
    first = volume.geometry.first_span(span)
    listed = _listed(volume, page, span, count)
    return all(_accepted(volume, at, number) for number, at in enumerate(listed, first))
