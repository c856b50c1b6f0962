"""Calls on names: stat, listings, create, rename, remove, meta, unmount."""

from __future__ import annotations

from typing import Any

import pytest

from maixfs.errors import ClosedError, FullError
from maixfs.spiffs import Code, DirEntry, Geometry, SpiffsCore
from spiffs.areas import NEW, RW, Area, R, W, code_of, contents, get, pattern, put

SMALL = Geometry(0x8000, 0x1000, 256)
ODD_NAMES = [
    b"x",
    b"/",
    b"/no/folders/but/slashes",
    b" ",
    b"a b\tc\n",
    b"..",
    b"UPPER and lower",
    "grün 文件 🙂".encode(),
    b"\xff\xfe\x80",
    b"%41",
    b"",
]


def test_stat_and_listing_agree(area: Area, fs: SpiffsCore) -> None:
    put(fs, "/a", pattern(1000))
    fs.create("/b")
    a, b = fs.stat("/a"), fs.stat("/b")
    assert list(fs.scandir()) == sorted([a, b], key=lambda entry: entry.page)
    assert a[:5] == ("/a", b"/a", 1, 1, 1000)
    assert b[:5] == ("/b", b"/b", 2, 1, 0)
    assert a.meta == b.meta == b"\xff" * area.geometry.meta_length
    assert fs.listdir() == [entry.name for entry in fs.scandir()]
    assert (fs.exists("/a"), fs.exists("/c")) == (True, False)


@pytest.mark.parametrize("name", ODD_NAMES)
def test_any_bytes_are_a_name(name: bytes) -> None:
    area = Area(SMALL)
    with area.mount() as fs:
        put(fs, name, b"content")
        put(fs, b"neighbour", b"other")
    fs = area.mount()
    entry = fs.stat(name)
    assert entry.raw_name == name
    assert entry.name == name.decode("utf-8", "surrogateescape")
    assert get(fs, entry.name) == get(fs, name) == b"content"
    fs.rename(entry.name, b"renamed")
    assert contents(fs) == {"renamed": b"content", "neighbour": b"other"}


def test_longest_name_is_stored(fs: SpiffsCore) -> None:
    longest = "n" * (fs.geometry.name_length - 1)
    put(fs, longest, b"content")
    put(fs, longest[:-1] + "m", b"other")
    assert (get(fs, longest), fs.stat(longest).name) == (b"content", longest)
    fs.rename(longest, "short")
    fs.rename("short", longest)
    assert get(fs, longest) == b"content"


def test_too_long_names_are_refused(fs: SpiffsCore) -> None:
    limit = fs.geometry.name_length
    put(fs, "a", b"kept")
    for name in ("n" * limit, "ü" * (limit // 2), "n" * 5000):
        for call in (fs.stat, fs.remove, fs.create, fs.exists):
            assert code_of(call, name) == -10036
        for flags in (R, NEW):
            assert code_of(fs.open_descriptor, name, flags) == -10036
        assert code_of(fs.rename, "a", name) == code_of(fs.rename, name, "b") == -10036
    assert contents(fs) == {"a": b"kept"}


def test_names_with_a_zero_byte_are_not_found(fs: SpiffsCore) -> None:
    put(fs, "a", b"kept")
    for name in ("a\0", "\0", b"a\0b"):
        for call in (fs.stat, fs.remove, fs.create, fs.exists):
            assert code_of(call, name) == -10002
        assert code_of(fs.open_descriptor, name, NEW) == -10002
        assert code_of(fs.rename, "a", name) == -10002
    assert contents(fs) == {"a": b"kept"}


def test_create_makes_an_empty_file_once(fs: SpiffsCore) -> None:
    fs.create("a")
    assert code_of(fs.create, "a") == -10023
    assert contents(fs) == {"a": b""}


def test_new_file_gets_the_smallest_free_id(fs: SpiffsCore) -> None:
    for name in "abcd":
        fs.create(name)
    fs.remove("b")
    fs.remove("c")
    fs.create("e")
    fs.create("f")
    fs.create("g")
    assert [fs.stat(name).object_id for name in "adefg"] == [1, 4, 2, 3, 5]


def test_rename_keeps_content_and_refuses_taken_names(area: Area, fs: SpiffsCore) -> None:
    put(fs, "a", pattern(2000))
    put(fs, "b", b"other")
    before = fs.stat("a")
    assert code_of(fs.rename, "c", "d") == -10002
    assert code_of(fs.rename, "a", "b") == -10023
    assert code_of(fs.rename, "a", "a") == -10023
    fs.rename("a", "c")
    assert fs.stat("c")[2:5] == before[2:5]
    assert contents(fs) == contents(area.mount()) == {"c": pattern(2000), "b": b"other"}


def test_descriptor_stays_open_through_a_rename(fs: SpiffsCore) -> None:
    with fs.open_descriptor("a", NEW) as file:
        file.write(b"before, ")
        file.flush()
        fs.rename("a", "b")
        file.write(b"after")
    assert contents(fs) == {"b": b"before, after"}


def test_remove_deletes_one_file(area: Area, fs: SpiffsCore) -> None:
    put(fs, "a", pattern(3 * fs.geometry.data_size))
    put(fs, "b", b"other")
    free = fs.statvfs()
    fs.remove("a")
    assert code_of(fs.remove, "a") == code_of(fs.stat, "a") == -10002
    assert fs.statvfs().allocated == free.allocated - 4
    assert fs.statvfs().deleted == free.deleted + 4
    assert contents(fs) == contents(area.mount()) == {"b": b"other"}


def test_descriptors_of_a_removed_file_are_closed(fs: SpiffsCore) -> None:
    file = fs.open_descriptor("a", NEW)
    reader = fs.open_descriptor("a", R)
    file.write(b"lost with the file")
    fs.remove("a")
    for descriptor in (file, reader):
        assert descriptor.closed
        for call in (descriptor.read, descriptor.tell, descriptor.flush, descriptor.close):
            assert code_of(call) == -10008
        assert code_of(descriptor.write, b"1") == code_of(descriptor.seek, 0) == -10008
        with pytest.raises(Exception, match="closed"):
            descriptor.size
    put(fs, "b", b"takes the descriptor")
    assert code_of(file.read) == -10008
    assert contents(fs) == {"b": b"takes the descriptor"}


def test_removing_needs_no_free_page(area: Area) -> None:
    fs = area.mount(faithful=False)
    put(fs, "a", pattern(2 * area.geometry.data_size))
    number = 0
    with pytest.raises(FullError):
        while True:
            number += 1
            put(fs, f"{number}", bytes(min(area.geometry.size // 8, 65536)))
    fs.remove("a")
    assert "a" not in fs.listdir()


def test_files_can_be_removed_while_listing(fs: SpiffsCore) -> None:
    names = [f"f{number}" for number in range(9)]
    for name in names:
        put(fs, name, name.encode())
    for entry in fs.scandir():
        if entry.name in fs.listdir():
            fs.remove(entry.name)
    assert fs.listdir() == []


def test_listing_follows_changes(fs: SpiffsCore) -> None:
    for number in range(6):
        fs.create(f"f{number}")
    seen = []
    for entry in fs.scandir():
        seen.append(entry.name)
        if entry.name == "f1":
            fs.remove("f2")
            fs.rename("f4", "g")
            fs.create("new")
    assert seen == ["f0", "f1", "f3", "f5", "g", "new"]


def test_meta_is_stored_and_checked(area: Area, fs: SpiffsCore) -> None:
    length = area.geometry.meta_length
    put(fs, "a", pattern(700))
    fs.create("b", meta=bytes(range(length)))
    fs.set_meta("a", b"\x11" * length)
    assert code_of(fs.set_meta, "c", bytes(length)) == -10002
    too_long = "n" * area.geometry.name_length
    assert code_of(fs.stat, too_long) == -10036
    assert code_of(fs.set_meta, too_long, bytes(length)) == -10002  # as the C, which looks it up
    with pytest.raises(ValueError, match="meta"):
        fs.set_meta("a", bytes(length + 1))
    with pytest.raises(ValueError, match="meta"):
        fs.create("c", meta=bytes(length + 1))
    fs = area.mount()
    assert fs.stat("a").meta == b"\x11" * length
    assert fs.stat("b").meta == bytes(range(length))
    assert get(fs, "a") == pattern(700)


def test_many_files_are_listed_and_found(area: Area, fs: SpiffsCore) -> None:
    """Half of the object pages hold empty files; listing and look-up find each."""
    count = (area.geometry.blocks - 2) * area.geometry.usable_pages // 2
    count = min(count, 200)
    for number in range(count):
        fs.create(f"/{number}")
    listed = list(area.mount().scandir())
    assert [entry.name for entry in listed] == [f"/{number}" for number in range(count)]
    assert len({entry.object_id for entry in listed}) == count
    assert all(fs.stat(f"/{number}") == listed[number] for number in range(count))


def test_entry_fields_are_in_the_documented_order() -> None:
    assert DirEntry._fields[:5] == ("name", "raw_name", "object_id", "type", "size")


def test_every_call_after_the_unmount_is_a_closed_error(fs: SpiffsCore) -> None:
    put(fs, "a", b"1")
    page = fs.stat("a").page
    file = fs.open_descriptor("a", RW)
    listing = fs.scandir()
    next(listing)
    fs.create("b")
    fs.unmount()
    assert not fs.mounted
    calls: list[tuple[Any, ...]] = [
        (fs.info,),
        (fs.statvfs,),
        (fs.listdir,),
        (fs.scandir,),
        (next, listing),
        (fs.unmount,),
        (fs.gc, 1),
        (fs.gc_quick,),
        (fs.check_writable,),
        (fs.check_name, "a"),
        (fs.stat, "a"),
        (fs.find, "a"),
        (fs.exists, "a"),
        (fs.create, "c"),
        (fs.remove, "a"),
        (fs.rename, "a", "b"),
        (fs.set_meta, "a", bytes(fs.geometry.meta_length)),
        (fs.open_descriptor, "a", W),
        (fs.open_page, page),
        (fs.remove_page, page),
        (fs.rename_page, page, "c"),
        (getattr, file, "size"),
        (file.read,),
        (file.readinto, bytearray(1)),
        (file.write, b"1"),
        (file.write_now, b"1"),
        (file.seek, 0),
        (file.tell,),
        (file.truncate, 0),
        (file.flush,),
        (file.close,),
    ]
    for call, *arguments in calls:
        with pytest.raises(ClosedError) as caught:
            call(*arguments)
        assert caught.value.code == Code.NOT_MOUNTED  # type: ignore[attr-defined]
    fs.abandon()
    assert file.closed
