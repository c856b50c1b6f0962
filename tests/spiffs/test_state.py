"""RAM state and page checks in cases that few file systems reach."""

from __future__ import annotations

import pytest

from maixfs.errors import FullError, NotFoundError
from maixfs.spiffs import Geometry, SpiffsError, gc, ondisk
from maixfs.spiffs.pages import check_index_page, check_index_work, find_free, spare_blocks
from maixfs.spiffs.state import IdPool
from spiffs.areas import APPEND, RW, Area, code_of, get, pattern, put

SMALL = Geometry(0x8000, 0x1000, 256)
D = SMALL.data_size
MANY_IDS = Geometry(0x200000, 0x10000, 256)
"""2 MiB: its 4,065 ids are more than a page has bits."""


def test_the_lowest_unused_id_is_chosen() -> None:
    pool = IdPool(SMALL)
    for number in (1, 2, 4):
        pool.take(number | ondisk.ID_INDEX)
    assert pool.choose() == 3
    pool.take(3)
    assert pool.choose() == 5
    pool.give_back(2)
    assert pool.choose() == 2


def test_no_id_is_chosen_past_the_bits_of_the_work_buffer() -> None:
    pool = IdPool(SMALL)
    for number in range(1, 256 * 8 + 1):
        pool.take(number)
    with pytest.raises(FullError):
        pool.choose()


def test_the_last_id_has_15_bits_where_the_work_buffer_has_more() -> None:
    pool = IdPool(Geometry(0x100000, 0x20000, 4096))
    for number in range(1, 0x7FFF):
        pool.take(number)
    assert pool.choose() == 0x7FFF
    pool.take(0x7FFF)
    with pytest.raises(FullError):
        pool.choose()


def filled_pool() -> tuple[IdPool, int]:
    """Return a pool with one header in each bucket, and the size of a bucket."""
    pool = IdPool(MANY_IDS)
    objects = MANY_IDS.blocks * MANY_IDS.usable_pages // 2
    size = objects // MANY_IDS.page_size
    for bucket in range(MANY_IDS.page_size):
        pool.take(1 + bucket * size)
        pool.header_seen(1 + bucket * size)
    return pool, size


def test_the_first_id_of_the_first_empty_bucket_is_chosen() -> None:
    pool, size = filled_pool()
    pool.header_gone(1 + 7 * size)
    assert pool.choose() == 1 + 7 * size
    pool.header_gone(1 + 3 * size)
    assert pool.choose() == 1 + 3 * size


def test_the_first_unused_id_of_the_emptiest_bucket_is_chosen() -> None:
    pool, size = filled_pool()
    for bucket in range(MANY_IDS.page_size):
        if bucket != 9:
            pool.header_seen(2 + bucket * size)
    pool.take(2 + 9 * size)  # of a file without a finished header
    assert pool.choose() == 3 + 9 * size


def test_full_buckets_give_no_id() -> None:
    pool, size = filled_pool()
    for bucket in range(MANY_IDS.page_size):
        for number in range(1, size):
            pool.header_seen(1 + bucket * size + number)
    with pytest.raises(FullError):
        pool.choose()


def test_the_last_id_can_be_that_of_a_bucket() -> None:
    geometry = Geometry(0xFF0000, 0x10000, 256)
    pool = IdPool(geometry)
    size = geometry.blocks * geometry.usable_pages // 2 // 256
    last = 1 + 255 * size
    for bucket in range(256):
        for number in range(2 if bucket < 255 else 1):
            pool.header_seen(1 + bucket * size + number)
    for number in range(last, 0x7FFF):
        pool.take(number)
    assert pool.choose() == 0x7FFF
    pool.take(0x7FFF)
    with pytest.raises(FullError):
        pool.choose()


def test_a_bucket_whose_ids_are_all_used_gives_no_id() -> None:
    """Only pages without a finished header can use ids that no bucket counts."""
    pool, _ = filled_pool()
    for number in range(1, 0x8000):
        pool.take(number)
    with pytest.raises(FullError):
        pool.choose()


@pytest.mark.parametrize(
    ("page", "code"), [(0xFFFF, -10018), (0, -10019), (16, -10019), (SMALL.pages + 1, -10020)]
)
def test_pages_that_cannot_be_index_pages_have_the_numbers_of_the_c(page: int, code: int) -> None:
    fs = Area(SMALL).mount()
    assert code_of(check_index_page, fs._volume, 1 | ondisk.ID_INDEX, page, 1) == code


def test_an_id_without_the_index_bit_is_not_an_index_page() -> None:
    fs = Area(SMALL).mount()
    put(fs, "a", b"")
    volume, page = fs._volume, fs.stat("a").page
    work = volume.read_page(page)
    check_index_work(volume, page, work, 1 | ondisk.ID_INDEX, 0)
    assert code_of(check_index_work, volume, page, work, 1, 0) == -10006


def test_pages_are_taken_from_the_spare_blocks_for_moves_only() -> None:
    volume = Area(SMALL).mount()._volume
    for _ in range((SMALL.blocks - 2) * SMALL.usable_pages + 1):
        volume.claim(find_free(volume), 1)
    with pytest.raises(FullError):
        find_free(volume)
    with spare_blocks(volume):
        while volume.free_blocks or volume.free_entry < SMALL.usable_pages:
            volume.claim(find_free(volume), 1)
        with pytest.raises(NotFoundError):
            find_free(volume)


def test_a_fully_deleted_block_is_erased_when_the_spare_blocks_are_needed() -> None:
    volume = Area(SMALL).mount()._volume
    for _ in range((SMALL.blocks - 2) * SMALL.usable_pages + 1):
        volume.claim(find_free(volume), 1)
    for page in range(1, 16):
        volume.delete_page(page)
    assert volume.free_blocks == 1
    find_free(volume)
    assert volume.lookup[1] == ondisk.ID_FREE


@pytest.fixture
def nearly_full(monkeypatch: pytest.MonkeyPatch) -> Area:
    """An area with the files ``a`` and ``b``, in which no garbage is collected any more.

    Then a write finds no page in its middle, as it does after a collection that freed too few.
    """
    area = Area(SMALL)
    with area.mount() as fs:
        put(fs, "a", pattern(5 * D))
        put(fs, "b", pattern(70 * D, 1))
    monkeypatch.setattr(gc, "make_room", lambda volume, length: None)
    return area


def test_an_append_that_finds_no_page_keeps_what_was_written(nearly_full: Area) -> None:
    fs = nearly_full.mount(faithful=False)
    with fs.open_descriptor("a", RW | APPEND) as file:
        assert code_of(file.write, pattern(40 * D, 2)) == -10001
    kept = get(fs, "a")
    assert kept == (pattern(5 * D) + pattern(40 * D, 2))[: len(kept)]
    assert get(fs, "b") == pattern(70 * D, 1)


@pytest.mark.parametrize("faithful", [True, False])
def test_an_overwrite_that_finds_no_page_stores_its_index_if_it_is_careful(
    nearly_full: Area, faithful: bool
) -> None:
    """The C has deleted the old pages, but has no page for the index that lists the new ones."""
    fs = nearly_full.mount(faithful=faithful)
    file = fs.open_descriptor("b", RW)
    assert code_of(file.write, pattern(40 * D, 2)) == -10001
    file.close()
    if faithful:
        with pytest.raises(SpiffsError):
            get(fs, "b")
        return
    kept = get(fs, "b")
    changed = next(
        at for at in range(0, 70 * D, D) if kept[at : at + D] == pattern(70 * D, 1)[at : at + D]
    )
    assert kept[:changed] == pattern(40 * D, 2)[:changed]
    assert kept[changed:] == pattern(70 * D, 1)[changed:]
    assert get(fs, "a") == pattern(5 * D)


def test_the_device_and_the_writable_check_are_those_of_the_mount() -> None:
    area = Area(SMALL)
    fs = area.mount()
    assert fs.device is area.device
    fs.check_writable()
    with area.mount(read_only=True) as reader:
        assert code_of(reader.check_writable) == -10032


def test_leaving_a_with_block_after_an_unmount_or_a_close_is_allowed() -> None:
    with Area(SMALL).mount() as fs:
        with fs.open_descriptor("a", 28) as file:
            file.close()
        fs.unmount()
    assert file.closed
    assert not fs.mounted
