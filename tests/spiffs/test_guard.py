"""Careful writing into damaged areas: files that are not touched keep their bytes."""

from __future__ import annotations

import struct
from collections import Counter

import pytest

from golden.corpus import SpiffsCase, spiffs_cases
from maixfs.errors import DamagedError
from maixfs.spiffs import Geometry, SpiffsError, ondisk
from maixfs.spiffs.guard import unregistered_pages
from maixfs.spiffs.state import DirEntry
from spiffs.areas import Area, get, pattern, put
from spiffs.damage import Way, by_driver, by_edit, changed_files, damage, damaged_areas

CASES = [case for case in spiffs_cases() if case.manifest["mount_result"] == 0]
IMAGES = 120
WAYS = pytest.mark.parametrize("way", [by_driver, by_edit], ids=["driver", "edit"])


@WAYS
def test_writing_into_damaged_areas_changes_no_other_file(way: Way) -> None:
    ends: Counter[str] = Counter()
    for seed, image, geometry in damaged_areas(range(IMAGES)):
        assert changed_files(image, geometry, way, ends) == [], f"seed {seed}"
    assert ends["done"] > ends["damaged"] > IMAGES / 20


@WAYS
@pytest.mark.parametrize("case", CASES[::3], ids=[case.name for case in CASES[::3]])
def test_writing_into_damaged_images_of_the_c_changes_no_other_file(
    case: SpiffsCase, way: Way
) -> None:
    image = damage(case.image, case.geometry, 1)
    assert changed_files(image, case.geometry, way, Counter()) == []


LONG = Geometry(0x20000, 0x2000, 256)
CONTENT = pattern(200 * LONG.data_size, 1)
"""Long enough for two index pages: the header and one of span 1."""


def long_file() -> tuple[Area, DirEntry, int]:
    """Return an area with the file ``/long``, its entry, and its index page of span 1."""
    area = Area(LONG)
    with area.mount() as fs:
        put(fs, "/long", CONTENT)
        put(fs, "/other", b"other")
        entry = fs.stat("/long")
        (page,) = fs.volume.index.pages_of(entry.object_id | ondisk.ID_INDEX, 1)
    return area, entry, page


def copy_page(area: Area, page: int) -> int:
    """Copy a page and its look-up entry to the last free page, as a move that was cut does."""
    with area.mount() as fs:
        copy = max(p for p, entry in enumerate(fs.volume.lookup) if entry == ondisk.ID_FREE)
        entry = fs.volume.lookup[page]
    size = area.geometry.page_size
    area.poke(copy * size, area.image[page * size : (page + 1) * size])
    area.poke_entry(copy, entry)
    return copy


def lookup_of(area: Area, *pages: int) -> list[int]:
    with area.mount() as fs:
        return [fs.volume.lookup[page] for page in pages]


def test_copy_of_an_index_page_that_lists_lost_pages_is_deleted_before_a_write() -> None:
    area, entry, page = long_file()
    copy = copy_page(area, page)
    assert page < entry.page < copy  # a search begins at the header
    area.poke(copy * LONG.page_size + ondisk.INDEX_PAGE_TABLE, b"\xff\xff")
    with area.mount() as fs, pytest.raises(SpiffsError):
        get(fs, "/long")
    with area.mount(faithful=False) as fs:
        fs.remove("/other")
    assert lookup_of(area, page, copy) == [
        entry.object_id | ondisk.ID_INDEX,
        ondisk.ID_DELETED,
    ]
    with area.mount() as fs:
        assert get(fs, "/long") == CONTENT


def test_pages_are_those_of_the_copy_that_a_read_finds() -> None:
    area, entry, page = long_file()
    copy = copy_page(area, page)
    area.poke(page * LONG.page_size + ondisk.INDEX_PAGE_TABLE, b"\xff\xff")
    slot = copy * LONG.page_size + LONG.index_slot(150)
    (data_page,) = struct.unpack_from("<H", area.image, slot)
    area.poke_entry(data_page, entry.object_id + 7)
    before = area.image
    with area.mount(faithful=False) as fs:
        assert get(fs, "/long") == CONTENT
        assert [*unregistered_pages(fs.volume)] == [data_page]
        with pytest.raises(DamagedError):
            put(fs, "/new", b"x")
    assert area.image == before


@pytest.mark.parametrize("damage", ["both", "header"])
def test_copies_of_an_index_page_stay_where_no_file_is_readable_with_one(damage: str) -> None:
    area, entry, page = long_file()
    copy = copy_page(area, page)
    if damage == "header":
        area.poke_entry(entry.page, ondisk.ID_DELETED)
        area.poke_flags(entry.page, ondisk.FLAGS_DELETE)
    else:
        area.poke_flags(page, 0xFF)
        for at in (page, copy):
            area.poke(at * LONG.page_size + ondisk.INDEX_PAGE_TABLE, b"\xff\xff")
    with area.mount(faithful=False) as fs:
        fs.remove("/other")
    assert lookup_of(area, page, copy) == [entry.object_id | ondisk.ID_INDEX] * 2


def test_both_names_of_a_rename_that_was_cut_stay() -> None:
    area, entry, _ = long_file()
    copy = copy_page(area, entry.page)
    area.poke(copy * LONG.page_size + ondisk.NAME_OFFSET, b"/renamed\0")
    with area.mount(faithful=False) as fs:
        fs.remove("/other")
        assert {name: get(fs, name) for name in ("/long", "/renamed")} == {
            "/long": CONTENT,
            "/renamed": CONTENT,
        }


@pytest.mark.parametrize("span", [0, 150], ids=["header", "further index page"])
def test_page_whose_deletion_was_cut_is_copied_before_a_write(span: int) -> None:
    area, entry, page = long_file()
    if span:
        at = page * LONG.page_size + LONG.index_slot(span)
        (lost,) = struct.unpack_from("<H", area.image, at)
    else:
        lost = area.table(entry.page)[0]
    area.poke_entry(lost, ondisk.ID_DELETED)
    with area.mount(faithful=False) as fs:
        put(fs, "/other", b"changed")
        assert not unregistered_pages(fs.volume)
        assert get(fs, "/long") == CONTENT
        fs.gc(LONG.data_size * 100)
    with area.mount() as fs:
        assert get(fs, "/long") == CONTENT
