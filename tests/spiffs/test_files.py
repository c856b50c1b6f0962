"""Operations on open files, with the C's numbers, on every kind of area."""

from __future__ import annotations

import os

import pytest

from maixfs.errors import FullError
from maixfs.spiffs import OpenFlag, SpiffsCore
from spiffs.areas import (
    APPEND,
    CREAT,
    DIRECT,
    EXCL,
    NEW,
    RW,
    TRUNC,
    Area,
    R,
    W,
    code_of,
    get,
    pattern,
    put,
)


def lengths(fs: SpiffsCore) -> list[int]:
    """Return file lengths around every limit of the layout."""
    d, page = fs.geometry.data_size, fs.geometry.page_size
    return [1, 2, d - 1, d, d + 1, page, page + 1, 2 * d, 3 * d - 1, 5 * d + 7]


def test_files_of_every_length_read_back(area: Area, fs: SpiffsCore) -> None:
    for number, length in enumerate(lengths(fs)):
        put(fs, "f", pattern(length, number))
        assert get(fs, "f") == pattern(length, number)
        assert fs.stat("f").size == length
        assert get(area.mount(read_only=True), "f") == pattern(length, number)


@pytest.mark.parametrize("step", [1, 7, 64, 251, 4096])
def test_files_written_in_pieces_read_back(fs: SpiffsCore, step: int) -> None:
    data = pattern(min(300 * step, 5 * fs.geometry.data_size))
    with fs.open_descriptor("f", NEW) as file:
        for at in range(0, len(data), step):
            file.write(data[at : at + step])
    assert get(fs, "f") == data


@pytest.mark.parametrize("step", [1, 100, 5000])
def test_files_can_be_read_in_pieces(fs: SpiffsCore, step: int) -> None:
    data = pattern(min(100 * step, 5 * fs.geometry.data_size))
    put(fs, "f", data)
    with fs.open_descriptor("f", R) as file:
        assert b"".join(iter(lambda: file.read(step), b"")) == data
        assert file.tell() == len(data)
        assert file.read(1) == b""
        assert file.readinto(bytearray(9)) == 0


def test_readinto_fills_a_buffer(fs: SpiffsCore) -> None:
    data = pattern(2 * fs.geometry.data_size)
    put(fs, "f", data)
    buffer = bytearray(len(data) + 5)
    with fs.open_descriptor("f", R) as file:
        assert file.readinto(memoryview(buffer)[:10]) == 10
        assert file.readinto(memoryview(buffer)[10:]) == len(data) - 10
    assert buffer == data + bytes(5)


def test_overwrites_at_any_offset_read_back(fs: SpiffsCore) -> None:
    d = fs.geometry.data_size
    data = bytearray(pattern(4 * d + 9))
    put(fs, "f", data)
    for number, (at, length) in enumerate(
        [(0, 1), (d - 1, 2), (0, d), (d, 2 * d), (3, 3 * d), (4 * d, 9), (4 * d + 8, 1)]
    ):
        new = pattern(length, number + 1)
        data[at : at + length] = new
        with fs.open_descriptor("f", RW) as file:
            assert file.seek(at) == at
            assert file.write(new) == length
            assert file.tell() == at + length
        assert get(fs, "f") == bytes(data)


def test_write_across_the_end_extends_the_file(fs: SpiffsCore) -> None:
    d = fs.geometry.data_size
    put(fs, "f", pattern(d + 10))
    with fs.open_descriptor("f", RW) as file:
        file.seek(d - 5)
        file.write(pattern(2 * d, 1))
    assert get(fs, "f") == pattern(d + 10)[: d - 5] + pattern(2 * d, 1)


def test_append_extends_the_file(fs: SpiffsCore) -> None:
    data = b""
    for number, length in enumerate(lengths(fs)[:6]):
        with fs.open_descriptor("f", W | CREAT | APPEND) as file:
            file.write(more := pattern(length, number))
        data += more
        assert get(fs, "f") == data


def test_append_ignores_the_offset(fs: SpiffsCore) -> None:
    put(fs, "f", b"12345")
    with fs.open_descriptor("f", RW | APPEND) as file:
        assert file.read(2) == b"12"
        file.write(b"6")
        file.seek(0)
        file.write(b"7")
        file.seek(0)
        assert file.read() == b"1234567"


def test_truncate_shortens_the_file(fs: SpiffsCore) -> None:
    d = fs.geometry.data_size
    for keep in (0, 1, d - 1, d, d + 1, 2 * d, 4 * d, 4 * d + 3):
        put(fs, "f", pattern(4 * d + 3))
        with fs.open_descriptor("f", RW) as file:
            file.truncate(keep)
            assert file.size == keep
        assert get(fs, "f") == pattern(4 * d + 3)[:keep]
    assert code_of(fs.open_descriptor("f", W).truncate, 4 * d + 4) == -10003
    assert code_of(fs.open_descriptor("f", W).truncate, -1) == -10003
    assert code_of(fs.open_descriptor("f", R).truncate, 0) == -10021


@pytest.mark.parametrize("faithful", [True, False])
def test_exact_truncation_allows_more_writes(area: Area, faithful: bool) -> None:
    fs = area.mount(faithful=faithful)
    d = area.geometry.data_size
    for keep in (0, 5, d - 1, d, 2 * d - 20, 2 * d, 2 * d + 1):
        put(fs, "f", pattern(2 * d + 9))
        used = fs.statvfs().allocated
        with fs.open_descriptor("f", RW | APPEND) as file:
            file.truncate(keep, exact=faithful)
            file.write(b"\xff" * 50)
            file.truncate(keep, exact=faithful)
        assert get(fs, "f") == pattern(2 * d + 9)[:keep]
        assert fs.statvfs().allocated == used - 3 + -(-keep // d)


def test_truncation_to_0_keeps_the_id(fs: SpiffsCore) -> None:
    put(fs, "f", pattern(3000))
    put(fs, "g", b"other")
    before = fs.stat("f").object_id
    for flags in (W | TRUNC, R | TRUNC, NEW):
        put(fs, "f", pattern(300))
        fs.open_descriptor("f", flags).close()
        assert fs.stat("f")[2:5] == (before, 1, 0)
        assert get(fs, "f") == b""


def test_seek_sets_the_offset_as_the_c_does(fs: SpiffsCore) -> None:
    size = 2 * fs.geometry.data_size
    put(fs, "f", pattern(size))
    with fs.open_descriptor("f", R) as file:
        for at in (0, size // 2, size, size - 1, 1):
            assert file.seek(at) == at == file.tell()
        assert file.seek(-1, os.SEEK_END) == size - 1
        assert file.seek(-5, os.SEEK_CUR) == size - 6
        assert file.read(1) == pattern(size)[-6:-5]
        assert code_of(file.seek, -1) == -10040
        assert file.tell() == size - 5
        assert code_of(file.seek, 6, os.SEEK_CUR) == -10003
        assert file.tell() == size
        assert file.read(10) == b""
        assert code_of(file.seek, -size - 1, os.SEEK_END) == -10040


@pytest.mark.parametrize(
    ("flags", "read", "write"),
    [(R, 0, -10021), (W, -10022, 0), (RW, 0, 0), (OpenFlag(0), -10022, -10021)],
)
def test_access_flags_decide_what_is_allowed(
    fs: SpiffsCore, flags: OpenFlag, read: int, write: int
) -> None:
    put(fs, "f", b"12345")
    with fs.open_descriptor("f", flags) as file:
        assert code_of(file.read, 1) == read
        assert code_of(file.readinto, bytearray(1)) == read
        assert code_of(file.write, b"6") == write
        assert code_of(file.write_now, b"6") == write
        assert code_of(file.truncate, 2) == write


def test_open_flags_decide_what_is_created(fs: SpiffsCore) -> None:
    assert code_of(fs.open_descriptor, "f", R) == -10002
    assert code_of(fs.open_descriptor, "f", W | TRUNC) == -10002
    assert code_of(fs.open_descriptor, "f", W | EXCL) == -10002
    fs.open_descriptor("f", R | CREAT | EXCL).close()
    assert code_of(fs.open_descriptor, "f", RW | CREAT | EXCL) == -10030
    put(fs, "f", b"kept")
    assert code_of(fs.open_descriptor, "f", RW | CREAT | EXCL | TRUNC) == -10030
    fs.open_descriptor("f", RW | CREAT).close()
    fs.open_descriptor("f", RW | EXCL).close()
    assert get(fs, "f") == b"kept"


def test_direct_writes_bypass_the_cache(area: Area, fs: SpiffsCore) -> None:
    file = fs.open_descriptor("f", NEW | DIRECT)
    file.write(b"direct")
    assert get(area.mount(read_only=True), "f") == b"direct"
    file.write(b"ly")
    assert get(area.mount(read_only=True), "f") == b"directly"


def test_short_writes_wait_for_a_flush(area: Area, fs: SpiffsCore) -> None:
    file = fs.open_descriptor("f", NEW)
    for _ in range(5):
        file.write(b"waiting ")
    assert file.size == 0
    assert get(area.mount(read_only=True), "f") == b""
    file.flush()
    assert file.size == 40
    assert get(area.mount(read_only=True), "f") == b"waiting " * 5


def test_empty_writes_change_nothing(area: Area, fs: SpiffsCore) -> None:
    put(fs, "f", b"12345")
    put(fs, "g", b"other")
    before = area.image
    with fs.open_descriptor("f", RW) as file, fs.open_descriptor("f", RW | DIRECT) as direct:
        file.seek(2)
        for stream in (file, direct):
            assert stream.write(b"") == stream.write_now(b"") == 0
        assert file.tell() == 2
    assert area.image == before


def test_write_that_does_not_fit_keeps_other_files(area: Area) -> None:
    fs = area.mount(faithful=False)
    put(fs, "kept", pattern(3 * fs.geometry.data_size))
    with pytest.raises(FullError) as caught:
        put(fs, "f", bytes(area.geometry.size))
    assert caught.value.code == -10001
    assert caught.value.errno == 28
    assert get(fs, "kept") == pattern(3 * fs.geometry.data_size)
    assert get(fs, "f") == b""


def test_largest_file_fits_in_one_write(area: Area, fs: SpiffsCore) -> None:
    """All blocks but two, plus one page; index pages need room too."""
    g = area.geometry
    room = (g.blocks - 2) * g.usable_pages
    data_pages = room - 2
    while data_pages + 2 * g.index_span(data_pages - 1) > room:
        data_pages -= 1
    data = pattern(data_pages * g.data_size)
    put(fs, "f", data)
    assert get(fs, "f") == data
    assert fs.statvfs().allocated == data_pages + g.index_span(data_pages - 1) + 1
    assert code_of(put, Area(g).mount(), "f", bytes((room + 1) * g.data_size)) == -10001
