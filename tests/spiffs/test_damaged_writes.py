"""Writes on a damaged area leave other files unchanged and the state in RAM right."""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable

import pytest

from maixfs.errors import DamagedError
from maixfs.spiffs import Code, Geometry, SpiffsCore
from spiffs.areas import APPEND, DIRECT, NEW, RW, Area, W, code_of, contents, get, pattern, put

GEOMETRY = Geometry(0x8000, 0x1000, 256)
D = GEOMETRY.data_size
A, B = pattern(3 * D, 1), pattern(3 * D, 2)


def area_with(**files: bytes) -> Area:
    area = Area(GEOMETRY)
    with area.mount() as fs:
        for name, data in files.items():
            put(fs, name, data)
    return area


def header_of(area: Area, name: str) -> int:
    return area.mount(read_only=True).stat(name).page


def overwrite(fs: SpiffsCore) -> None:
    with fs.open_descriptor("a", W) as file:
        file.write(bytes(3 * D))


def cut(fs: SpiffsCore) -> None:
    with fs.open_descriptor("a", W) as file:
        file.truncate(10)


CHANGES: dict[str, Callable[[SpiffsCore], None]] = {
    "remove": lambda fs: fs.remove("a"),
    "replace": lambda fs: put(fs, "a", b"new"),
    "overwrite": overwrite,
    "cut": cut,
}


@pytest.mark.parametrize("change", CHANGES)
def test_page_listed_by_two_files_is_kept_for_its_owner(change: str) -> None:
    area = area_with(a=A, b=B)
    for slot, page in enumerate(area.table(header_of(area, "b"))[:3]):
        area.poke_table(header_of(area, "a"), slot, page)
    fs = area.mount()
    assert get(fs, "a") == B
    CHANGES[change](fs)
    assert get(fs, "b") == B
    fs.unmount()
    assert get(area.mount(), "b") == B


@pytest.mark.parametrize("entry", [0xFFFF, 0], ids=["free", "deleted"])
@pytest.mark.parametrize("change", CHANGES)
def test_listed_pages_without_an_owner_can_be_dropped(change: str, entry: int) -> None:
    area = area_with(a=A, b=B)
    for page in area.table(header_of(area, "a"))[:3]:
        area.poke_entry(page, entry)
    fs = area.mount()
    assert get(fs, "a") == A
    CHANGES[change](fs)
    put(fs, "c", pattern(2000, 3))
    assert get(fs, "b") == B
    assert get(fs, "c") == pattern(2000, 3)
    room = fs.statvfs()
    fs.unmount()
    assert area.mount().statvfs()[:5] == room[:5]


def test_index_entry_out_of_range_can_be_overwritten() -> None:
    area = area_with(a=A, b=B)
    header = header_of(area, "a")
    for slot, page in enumerate([0xFFFF, 0, GEOMETRY.pages]):
        area.poke_table(header, slot, page)
    with area.mount() as fs:
        overwrite(fs)
    assert contents(area.mount()) == {"a": bytes(3 * D), "b": B}


def test_new_file_takes_a_free_page_that_an_index_lists() -> None:
    """A page that was checked before is checked again, and the new file keeps its page."""
    area = area_with(a=A)
    page = area.table(header_of(area, "a"))[1]
    area.poke_entry(page, 0xFFFF)
    area.poke(page * 256, b"\xff" * 256)
    area.poke(page * 256, struct.pack("<HHB", 1, 1, 0xFC))
    fs = area.mount()
    assert len(get(fs, "a")) == 3 * D
    fs.create("x")
    assert fs.stat("x").page == page
    assert code_of(get, fs, "a") == -10011


def test_a_listed_page_is_overwritten_by_its_own_file() -> None:
    area = area_with(a=A)
    page = area.table(header_of(area, "a"))[0]
    area.poke_entry(page, 0xFFFF)
    area.poke(page * 256, b"\xff" * 256)
    fs = area.mount()
    overwrite(fs)
    assert get(fs, "a") == bytes(3 * D)
    assert area.table(fs.stat("a").page)[0] == page


def test_erased_page_is_checked_again() -> None:
    area = area_with(a=pattern(14 * D))
    with area.mount() as fs, fs.open_descriptor("a", W | APPEND) as file:
        file.write(b"the header moves to the next block")
    for page in range(1, 16):
        area.poke_entry(page, 0)
    fs = area.mount()
    assert len(get(fs, "a")) > 14 * D
    fs.gc_quick(0)
    assert code_of(get, fs, "a") == -10012


def test_removal_ended_by_a_bad_page_hides_the_file_and_keeps_the_descriptor() -> None:
    area = area_with(a=A, b=B)
    area.poke_flags(area.table(header_of(area, "a"))[0], 0xFF)
    fs = area.mount(max_files=2)
    fs.remove("a")
    assert fs.listdir() == ["b"]
    with fs.open_descriptor("b", RW):
        assert code_of(fs.open_descriptor, "b", RW) == -10007
    fs.unmount()
    assert contents(area.mount()) == {"b": B}


def test_ids_of_files_being_removed_are_not_chosen() -> None:
    """In an area with more ids than bits, ids are counted in buckets of ten."""
    geometry = Geometry(0x170000, 0x1000, 256, meta_length=4)
    area = Area(geometry)
    with area.mount() as fs:
        for name in "abc":
            fs.create(name)
        assert [entry.object_id for entry in fs.scandir()] == [1, 11, 21]
        area.poke_flags(fs.stat("b").page, 0xB8)
    fs = area.mount()
    fs.create("d")
    assert [entry.object_id for entry in fs.scandir()] == [1, 21, 31]


def test_slot_of_a_direct_descriptor_has_no_old_cache_page() -> None:
    fs = Area(GEOMETRY).mount(max_files=2)
    first = fs.open_descriptor("a", NEW)
    first.write(b"cached")
    direct = fs.open_descriptor("a", W | DIRECT)
    direct.write(b"D")
    direct.close()
    put(fs, "b", b"other")
    first.close()
    assert contents(fs) == {"a": b"cached", "b": b"other"}


@pytest.mark.parametrize(
    ("counts", "next_count"),
    [
        ([0x7FFF] * 8, 0x8000),
        ([0x7FFE] * 8, 0x7FFF),
        ([0xFFFE] * 8, 0xFFFF),
        ([0xFFFF] * 8, 1),
        ([0x7FFF, 3, *[0x7FFE] * 6], 0x8000),
        ([0x8005, 3, *[1] * 6], 2),
    ],
)
def test_erase_counts_wrap(counts: list[int], next_count: int) -> None:
    """Counts half the range apart mean a wrap; else the next count is the highest + 1."""
    area = Area(GEOMETRY)
    for block, count in enumerate(counts):
        area.poke(block * 0x1000 + 254, struct.pack("<H", count))
    fs = area.mount()
    assert fs.statvfs().max_erase_count == next_count
    put(fs, "x", pattern(14 * D))
    fs.remove("x")
    fs.gc_quick(0)
    after = next_count + 1 & 0xFFFF
    assert fs.statvfs().max_erase_count == (0 if after == 0x8000 else after)


def test_file_without_one_of_its_index_pages_is_damaged_and_not_absent() -> None:
    area = Area(Geometry(0x20000, 0x1000, 256))
    with area.mount() as fs:
        put(fs, "a", pattern(0x10000, 1))
    with area.mount(read_only=True) as fs:
        lookup = fs._volume.lookup
        header = fs.stat("a").page
        extra = next(
            page for page, entry in enumerate(lookup) if entry == lookup[header] and page != header
        )
    area.poke_entry(extra, 0)
    with area.mount() as fs:
        with pytest.raises(DamagedError) as caught:
            get(fs, "a")
        assert not isinstance(caught.value, FileNotFoundError)
        assert caught.value.native == Code.NOT_FOUND
        assert caught.value.errno == errno.EIO
