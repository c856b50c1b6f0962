"""Descriptors: their number, several of them on one file, the write cache, opening by page."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from maixfs.spiffs import Geometry, SpiffsCore
from spiffs.areas import APPEND, CREAT, NEW, RW, TRUNC, Area, R, W, code_of, contents, get, put

SMALL = Geometry(0x10000, 0x1000, 256)


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_opening_more_files_than_descriptors_is_refused(limit: int) -> None:
    fs = Area(SMALL).mount(max_files=limit)
    files = [fs.open_descriptor(f"{number}", NEW) for number in range(limit)]
    assert [file.number for file in files] == list(range(1, limit + 1))
    fs.create("needs no descriptor")
    assert code_of(fs.open_descriptor, "0", R) == -10007
    assert code_of(fs.remove, "0") == code_of(fs.rename, "0", "x") == -10007
    assert code_of(fs.open_page, fs.stat("0").page) == -10007
    assert fs.stat("0").size == 0
    files[0].close()
    fs.remove("0")
    fs.open_descriptor("x", NEW).close()
    assert fs.open_descriptor("y", NEW).number == 1


def test_descriptors_are_unlimited_by_default(area: Area) -> None:
    fs = area.mount()
    count = min(40, (area.geometry.blocks - 2) * area.geometry.usable_pages // 4)
    files = [fs.open_descriptor(f"{number}", NEW) for number in range(count)]
    for number, file in enumerate(files):
        file.write(b"%d" % number)
    for file in files:
        file.close()
    assert contents(fs) == {f"{number}": b"%d" % number for number in range(count)}


def test_failed_open_frees_its_descriptor() -> None:
    fs = Area(SMALL).mount(max_files=1)
    put(fs, "a", b"1")
    for _ in range(3):
        assert code_of(fs.open_descriptor, "missing", R) == -10002
        assert code_of(fs.open_descriptor, "n" * 40, NEW) == -10036
        assert code_of(fs.open_descriptor, "a", RW | CREAT | 64) == -10030
        assert code_of(fs.remove, "missing") == code_of(fs.rename, "missing", "x") == -10002
        assert code_of(fs.open_page, 5) == -10031
    assert get(fs, "a") == b"1"


def test_old_descriptor_does_not_reach_a_new_file() -> None:
    fs = Area(SMALL).mount(max_files=1)
    old = fs.open_descriptor("a", NEW)
    old.close()
    new = fs.open_descriptor("b", NEW)
    assert new.number == old.number
    assert old.closed
    assert code_of(old.write, b"1") == code_of(old.close) == -10008
    assert not new.closed


def test_reader_sees_flushed_writes(fs: SpiffsCore) -> None:
    put(fs, "a", b"12345")
    writer, reader = fs.open_descriptor("a", RW | APPEND), fs.open_descriptor("a", R)
    assert reader.read() == b"12345"
    writer.write(b"678")
    assert reader.read() == b"678"
    assert reader.read() == b""
    reader.seek(0)
    assert reader.read() == b"12345678"


def test_reader_of_an_empty_file_sees_the_first_flush(
    fs: SpiffsCore,
) -> None:
    """Reading a file that has no size yet does not flush the cache."""
    writer, reader = fs.open_descriptor("a", NEW), fs.open_descriptor("a", R)
    writer.write(b"123")
    assert reader.read() == b""
    writer.flush()
    assert reader.read() == b"123"


def test_two_writers_share_one_cache_page(fs: SpiffsCore) -> None:
    first, second = fs.open_descriptor("a", NEW), fs.open_descriptor("a", W)
    first.write(b"ABCDEF")
    second.write(b"abc")
    assert (first.tell(), second.tell()) == (6, 3)
    first.close()
    second.write(b"d")
    second.close()
    assert get(fs, "a") == b"abcdEF"


def test_truncation_is_seen_by_other_descriptors(fs: SpiffsCore) -> None:
    put(fs, "a", b"12345")
    reader = fs.open_descriptor("a", R)
    reader.read(4)
    fs.open_descriptor("a", W | TRUNC).close()
    assert reader.read() == b""
    assert (reader.size, reader.tell()) == (0, 0)
    put(fs, "a", b"6789")
    assert reader.read() == b"6789"


def test_interleaved_writes_keep_files_apart(fs: SpiffsCore) -> None:
    names = "abc"
    files = [fs.open_descriptor(name, NEW) for name in names]
    expected = dict.fromkeys(names, b"")
    for number in range(60):
        for name, file in zip(names, files, strict=True):
            piece = f"{name}{number} ".encode() * (number % 5)
            file.write(piece)
            expected[name] += piece
    for file in files:
        file.close()
    assert contents(fs) == expected


@pytest.mark.parametrize(("pages", "waiting"), [(0, 0), (1, 0), (2, 1), (3, 2), (None, 3)])
def test_short_writes_after_opens_wait_in_all_but_one_cache_page(
    pages: int | None, waiting: int
) -> None:
    """An open ends with a read that goes through the cache; its page is not given to a write."""
    fs = Area(SMALL).mount(cache_pages=pages)
    files = [fs.open_descriptor(name, NEW) for name in "abc"]
    for file in files:
        file.write(b"12")
        file.write(b"345")
    assert [file.size == 0 for file in files] == [True] * waiting + [False] * (3 - waiting)
    for file in files:
        file.close()
    assert contents(fs) == dict.fromkeys("abc", b"12345")


CACHE_STEPS: dict[str, tuple[Callable[[SpiffsCore], object], bool]] = {
    "a listing that finds a name": (lambda fs: fs.find("b"), True),
    "a stat": (lambda fs: fs.stat("b"), False),
    "a create of a taken name": (lambda fs: code_of(fs.create, "b"), True),
    "a rename to a taken name": (lambda fs: code_of(fs.rename, "b", "a"), True),
    "a search in vain from a block's middle": (lambda fs: code_of(fs.stat, "none"), True),
    "a search in vain from the start": (
        lambda fs: (fs.stat("a"), code_of(fs.stat, "none")),
        False,
    ),
    "a removal": (lambda fs: fs.remove("c"), True),
    "a removal and an open": (lambda fs: (fs.remove("c"), get(fs, "b")), False),
    "a block erased by hand": (lambda fs: (put(fs, "c", b""), fs.gc_quick(31)), True),
}
"""The call between two short writes, and whether the second one waits in the last cache page.

The answers are those of the C, compiled for this geometry.
"""


@pytest.mark.parametrize("step", CACHE_STEPS)
def test_the_last_cache_page_waits_for_a_write_only_if_no_read_holds_it(step: str) -> None:
    between, waits = CACHE_STEPS[step]
    fs = Area(SMALL).mount(cache_pages=2)
    for name in "abc":
        put(fs, name, b"")
    a, b = (fs.open_descriptor(name, RW) for name in "ab")
    a.write(b"waits")
    between(fs)
    b.write(b"12")
    assert a.size == 0
    assert (b.size == 0) == waits


def test_a_full_cache_has_a_page_again_after_a_flush() -> None:
    fs = Area(SMALL).mount(cache_pages=1)
    for name in "ab":
        put(fs, name, b"")
    a, b = (fs.open_descriptor(name, RW) for name in "ab")
    assert fs.find("b") is not None
    a.write(b"waits")
    b.write(b"is written")
    assert (a.size, b.size) == (0, 10)
    a.flush()
    b.write(b", then waits")
    assert (a.size, b.size) == (5, 10)


def test_reading_nothing_flushes_a_new_file(fs: SpiffsCore) -> None:
    """As in the C, where reading anything at all of such a file flushes nothing."""
    file = fs.open_descriptor("a", NEW)
    file.write(b"12")
    assert (file.read(5), file.size) == (b"", 0)
    assert (file.read(0), file.size) == (b"", 2)


def test_dropped_descriptor_writes_nothing(area: Area) -> None:
    fs = area.mount()
    file = fs.open_descriptor("a", NEW)
    file.write(b"flushed ")
    file.flush()
    file.write(b"lost")
    del fs, file
    assert contents(area.mount()) == {"a": b"flushed "}


def test_unmount_flushes_open_files(area: Area) -> None:
    fs = area.mount()
    files = [fs.open_descriptor(name, NEW) for name in "ab"]
    for file in files:
        file.write(b"12345")
    fs.unmount()
    assert all(file.closed for file in files)
    with area.mount() as fs:
        assert contents(fs) == {"a": b"12345", "b": b"12345"}
    assert not fs.mounted


def test_close_without_room_leaves_the_descriptor_open() -> None:
    """As in the C; the bytes are gone, so that the second close succeeds."""
    fs = Area(Geometry(0x4000, 0x1000, 256)).mount(max_files=2)
    waiting = fs.open_descriptor("a", NEW)
    waiting.write(b"w" * 200)
    with fs.open_descriptor("b", NEW) as file:
        while not code_of(file.write, b"x" * 251):
            pass
    assert code_of(waiting.close) == -10001
    assert not waiting.closed
    waiting.close()
    assert get(fs, "a") == b""


def test_open_page_reads_a_file_and_refuses_writes(fs: SpiffsCore) -> None:
    put(fs, "a", b"12345")
    with fs.open_page(fs.stat("a").page) as file:
        assert file.read() == b"12345"
        assert code_of(file.write, b"6") == -10021


def test_open_page_with_write_flags_writes_and_truncates(fs: SpiffsCore) -> None:
    put(fs, "a", b"12345")
    with fs.open_page(fs.stat("a").page, RW | APPEND) as file:
        file.write(b"67")
    assert get(fs, "a") == b"1234567"
    with fs.open_page(fs.stat("a").page, W | TRUNC) as file:
        assert file.size == 0
    assert get(fs, "a") == b""


def test_pages_without_a_header_are_not_a_file(fs: SpiffsCore) -> None:
    """Free, data, deleted, look-up pages, and those that the area does not have."""
    put(fs, "a", b"12345")
    header = fs.stat("a").page
    put(fs, "b", bytes(fs.geometry.data_size))
    removed = fs.stat("b").page
    fs.remove("b")
    data = next(page for page, entry in enumerate(fs._volume.lookup) if entry == 1)
    pages = [-1, 0, fs.geometry.pages_per_block, fs.geometry.pages, 1 << 40]
    pages += [fs.geometry.pages - 1, removed, data]
    before = fs.statvfs()
    for page in pages:
        assert code_of(fs.open_page, page, RW) == -10031
        assert code_of(fs.remove_page, page) == -10031
        assert code_of(fs.rename_page, page, "c") == -10031
    assert fs.statvfs() == before
    assert [entry.page for entry in fs.scandir()] == [header]


def test_open_page_takes_a_descriptor_before_it_looks() -> None:
    fs = Area(SMALL).mount(max_files=1)
    file = fs.open_descriptor("a", NEW)
    assert code_of(fs.open_page, 0) == -10007
    file.close()
    assert code_of(fs.open_page, 0) == -10031
    assert code_of(fs.open_page, 0) == -10031


def test_files_of_one_name_are_reached_by_their_pages(area: Area) -> None:
    fs = area.mount()
    for name, data in (("a", b"first"), ("b", b"second"), ("c", b"third")):
        put(fs, name, data)
    pages = {entry.name: entry.page for entry in fs.scandir()}
    fs.rename_page(pages["b"], "a")
    fs.rename_page(pages["c"], b"a")
    assert fs.listdir() == ["a"] * 3
    read = {}
    for entry in fs.scandir():
        with fs.open_page(entry.page) as file:
            read[file.read()] = entry.page
    assert set(read) == {b"first", b"second", b"third"}
    fs.remove_page(read[b"first"])
    fs.remove_page(read[b"third"])
    assert contents(fs) == contents(area.mount()) == {"a": b"second"}


def test_rename_page_is_remembered_by_closed_descriptors(area: Area) -> None:
    fs = area.mount(max_files=1)
    put(fs, "a", b"kept")
    fs.rename_page(fs.stat("a").page, "b")
    assert fs._volume.slots.take_for(b"b")[1] == fs.stat("b").page
