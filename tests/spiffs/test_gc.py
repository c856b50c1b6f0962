"""Garbage collection: pages that move out of a block, and updates of open descriptors."""

from __future__ import annotations

import pytest

from maixfs.spiffs import Geometry, SpiffsCore, gc, ondisk
from spiffs.areas import RW, Area, R, code_of, contents, get, pattern, put

SMALL = Geometry(0x5000, 0x1000, 256)
D = SMALL.data_size


def first_block_full(area: Area, size: int) -> SpiffsCore:
    """Fill the first block with a file ``a`` of ``size`` bytes and a removed one.

    The next collection takes that block.
    """
    fs = area.mount()
    put(fs, "a", pattern(size))
    rest = area.geometry.usable_pages - fs.statvfs().allocated
    put(fs, "b", bytes((rest - 1) * area.geometry.data_size))
    fs.remove("b")
    return fs


def test_collection_moves_files_and_their_descriptors() -> None:
    fs = first_block_full(Area(SMALL), 3 * D)
    file = fs.open_descriptor("a", RW)
    before = fs.stat("a").page
    fs.gc(8000)
    assert fs.stat("a").page != before
    assert file._slot.header_page == fs.stat("a").page
    assert file.read() == get(fs, "a") == pattern(3 * D)


def test_collection_of_a_header_deleted_on_its_page_closes_the_descriptors() -> None:
    """Its look-up entry still lists it, as after a torn write of the entry."""
    area = Area(SMALL)
    fs = first_block_full(area, 0)
    file, other = fs.open_descriptor("a", RW), fs.open_descriptor("a", R)
    file.write(b"waits")
    area.poke_flags(fs.stat("a").page, ondisk.FLAGS_INDEX & ~ondisk.DELET)
    fs.gc(8000)
    assert file.closed
    assert other.closed
    assert code_of(file.write, b"more") == code_of(other.read) == -10008
    assert fs._volume.caches.pages == {}
    assert contents(fs) == contents(area.mount()) == {}


def test_collection_of_a_deleted_index_page_resets_the_cursors() -> None:
    geometry = Geometry(0x18000, 0x6000, 256, name_length=160)
    area = Area(geometry)
    size = (geometry.header_entries + 1) * geometry.data_size
    fs = first_block_full(area, size)
    file = fs.open_descriptor("a", R)
    file.seek(size)
    page = file._slot.cursor_page
    assert (file._slot.cursor_span, fs._volume.lookup[page]) == (1, 1 | ondisk.ID_INDEX)
    area.poke_flags(page, ondisk.FLAGS_INDEX & ~ondisk.DELET)
    # Its data pages are elsewhere: a block with both ends the collection with an error.
    gc._move_index(fs._volume, page, 1 | ondisk.ID_INDEX)
    assert (file._slot.cursor_span, file._slot.cursor_page) == (1, 0)
    assert not file.closed


def test_collection_deletes_data_pages_that_no_index_page_refers_to() -> None:
    area = Area(SMALL)
    fs = first_block_full(area, 0)
    fs.unmount()
    free = next(
        page
        for page in range(area.geometry.pages)
        if area.mount(read_only=True)._volume.lookup[page] == ondisk.ID_DELETED
        and not area.geometry.is_lookup_page(page)
    )
    area.poke_entry(free, 77)
    fs = area.mount()
    fs.gc(8000)
    assert 77 not in fs._volume.lookup
    assert fs.listdir() == ["a"]


@pytest.mark.parametrize("flags", [0x7C, 0x78])
def test_collection_lists_no_page_for_a_data_page_deleted_on_its_page(flags: int) -> None:
    area = Area(SMALL)
    fs = first_block_full(area, 2 * D)
    page = area.table(fs.stat("a").page)[1]
    area.poke_flags(page, flags)
    fs.gc(8000)
    assert area.table(fs.stat("a").page)[1] == ondisk.PAGE_NONE
    with fs.open_descriptor("a", R) as file:
        assert file.read(D) == pattern(D)
        assert code_of(file.read) == -10015
