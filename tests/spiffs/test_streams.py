"""Python's io stack over a SPIFFS file behaves as over a file of the host."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest

from maixfs.errors import UsageError
from maixfs.spiffs import Geometry, SpiffsCore, SpiffsError
from spiffs.areas import NEW, Area, code_of, get, pattern, put
from spiffs.geometries import GEOMETRIES

POEM = "one\ntwo\r\nthrée\nfour"


@pytest.fixture(params=["maixpy-512k", "esp-idf", "8k-blocks"])
def fs(request: pytest.FixtureRequest) -> SpiffsCore:
    return Area(GEOMETRIES[request.param]).mount()


@pytest.fixture
def size(fs: SpiffsCore) -> int:
    """The bytes of one data page."""
    return fs.geometry.data_size


def test_text_streams_read_back_what_was_written(fs: SpiffsCore) -> None:
    with fs.open("poem", "w", newline="") as file:
        assert file.write(POEM) == len(POEM)
    assert get(fs, "poem") == POEM.encode()
    with fs.open("poem") as file:
        assert file.readline() == "one\n"
        assert list(file) == ["two\n", "thrée\n", "four"]
        assert file.read() == ""
    with fs.open("poem", newline="") as file:
        assert file.read() == POEM
    with fs.open("poem", encoding="ascii", errors="replace") as file:
        assert "thr??e" in file.read().replace("\ufffd", "?")


def test_binary_streams_read_back_what_was_written(fs: SpiffsCore, size: int) -> None:
    data = pattern(5 * size)
    with fs.open("b", "wb") as file:
        assert file.write(data) == len(data)
    with fs.open("b", "rb") as file:
        assert file.read(10) == data[:10]
        assert file.tell() == 10
        buffer = bytearray(size)
        assert file.readinto(buffer) == size
        assert buffer == data[10 : 10 + size]
        assert file.read() == data[10 + size :]
        assert file.read(1) == b""


@pytest.mark.parametrize("buffering", [0, 1, 16, -1])
def test_buffering_does_not_change_the_content(fs: SpiffsCore, size: int, buffering: int) -> None:
    data = pattern(2 * size + 7)
    with fs.open("b", "wb", -1 if buffering == 1 else buffering) as file:
        for at in range(0, len(data), 50):
            file.write(data[at : at + 50])
    with fs.open("b", "rb", -1 if buffering == 1 else buffering) as file:
        assert b"".join(iter(lambda: file.read(33), b"")) == data


def test_line_buffering_shows_each_line_at_once(fs: SpiffsCore) -> None:
    with fs.open("log", "w", buffering=1) as file:
        file.write("first\nsecond")
        assert get(fs, "log") == b"first\nsecond"
        file.write(" line")
    assert get(fs, "log") == b"first\nsecond line"


def test_unbuffered_text_is_refused(fs: SpiffsCore) -> None:
    with pytest.raises(ValueError, match="unbuffered"):
        fs.open("a", "w", 0)


@pytest.mark.parametrize("mode", ["", "rw", "w+a", "rr", "rbt", "z", "U"])
def test_modes_that_python_refuses_are_refused(fs: SpiffsCore, mode: str) -> None:
    with pytest.raises(UsageError):
        fs.open("a", mode)
    assert fs.listdir() == []


def test_mode_x_creates_a_new_file_only(fs: SpiffsCore) -> None:
    with fs.open("a", "xb") as file:
        file.write(b"first")
    with pytest.raises(FileExistsError):
        fs.open("a", "x")
    assert get(fs, "a") == b"first"


def test_missing_file_raises_file_not_found_error(fs: SpiffsCore) -> None:
    for mode in ("r", "r+b"):
        with pytest.raises(FileNotFoundError):
            fs.open("a", mode)


def test_append_mode_writes_at_the_end(fs: SpiffsCore, size: int) -> None:
    put(fs, "a", pattern(size + 18))
    with fs.open("a", "ab") as file:
        assert file.tell() == size + 18
        file.write(b"12345")
        assert file.tell() == size + 23
        file.seek(0)
        file.write(b"67")
        file.flush()
        assert file.tell() == size + 25
    assert get(fs, "a") == pattern(size + 18) + b"1234567"


@pytest.mark.parametrize("buffering", [0, 16, -1])
@pytest.mark.parametrize("mode", ["r+b", "w+b", "a+b"])
def test_streams_behave_like_host_files(
    fs: SpiffsCore, size: int, tmp_path: Path, mode: str, buffering: int
) -> None:
    chance = random.Random(f"{mode}{buffering}")
    put(fs, "a", pattern(2 * size))
    host = tmp_path / "a"
    host.write_bytes(pattern(2 * size))
    with fs.open("a", mode, buffering) as ours, host.open(mode, buffering) as theirs:
        for _ in range(50):
            length = theirs.seek(0, io.SEEK_END) if chance.random() < 0.2 else 0
            ours.seek(length)
            theirs.seek(length)
            for action in chance.choices(ACTIONS, k=3):
                assert action(ours, number := chance.randrange(size)) == action(theirs, number)
    assert get(fs, "a") == host.read_bytes()


def read_some(file: IO[bytes], number: int) -> object:
    return file.read(number), file.tell()


def write_some(file: IO[bytes], number: int) -> object:
    return file.write(pattern(number % 300, number)), file.flush(), file.tell()


def move(file: IO[bytes], number: int) -> object:
    end = file.seek(0, io.SEEK_END)
    return end, file.seek(-min(number, end), io.SEEK_CUR)


def read_line(file: IO[bytes], number: int) -> object:
    return file.readline(number)


def cut_some(file: IO[bytes], number: int) -> object:
    end = file.seek(0, io.SEEK_END)
    return file.truncate(end - min(end, number)), file.seek(0)


ACTIONS: list[Callable[[IO[bytes], int], object]] = [
    read_some,
    write_some,
    write_some,
    move,
    read_line,
    cut_some,
]


def test_mode_r_plus_overwrites_in_place(fs: SpiffsCore, size: int) -> None:
    data = bytearray(pattern(4 * size))
    put(fs, "a", data)
    with fs.open("a", "r+b") as file:
        for at in (0, size - 3, 2 * size, 4 * size - 5):
            file.seek(at)
            assert file.write(b"update") == 6
            data[at : at + 6] = b"update"
            file.seek(at)
            assert file.read(6) == b"update"
    assert get(fs, "a") == bytes(data)


def test_a_seek_past_the_end_stops_at_the_end(fs: SpiffsCore) -> None:
    put(fs, "a", b"12345")
    with fs.open("a", "r+b", 0) as file:
        assert file.seek(100) == 5
        assert file.seek(-2, io.SEEK_END) == 3
        assert file.seek(1, io.SEEK_CUR) == 4
        assert file.seek(50, io.SEEK_CUR) == 5
        with pytest.raises(ValueError, match="negative"):
            file.seek(-6, io.SEEK_END)
        assert file.write(b"6") == 1
    assert get(fs, "a") == b"123456"


@pytest.mark.parametrize("cut", [0, 1, 150, -1, -20])
def test_bytes_after_a_cut_are_those_written_after_it(fs: SpiffsCore, size: int, cut: int) -> None:
    """Also where the C's truncation would leave old bytes behind the end."""
    for pages, more in [(1, 0), (1, 160), (2, 0), (3, 150), (3, size - 1)]:
        data = pattern(pages * size + more)
        keep = min(pages * size + cut, len(data))
        put(fs, "a", data)
        with fs.open("a", "r+b") as file:
            assert file.truncate(keep) == keep
            assert file.seek(0, io.SEEK_END) == keep
            file.write(b"\xff" * 300)
        assert get(fs, "a") == data[:keep] + b"\xff" * 300


def test_truncate_without_size_cuts_at_the_offset(fs: SpiffsCore) -> None:
    with fs.open("a", "w+b") as file:
        file.write(b"0123456789")
        file.seek(4)
        assert file.truncate() == 4
        assert file.tell() == 4
        file.seek(0)
        assert file.read() == b"0123"


@pytest.mark.parametrize("size", [-1, 6, 1 << 40])
def test_truncate_past_the_end_is_refused(size: int) -> None:
    """Truncation cannot make a file longer, and a size cannot be negative."""
    fs = Area(Geometry(0x8000, 0x1000, 256)).mount()
    put(fs, "a", b"12345")
    with fs.open("a", "r+b", 0) as file:
        assert code_of(file.truncate, size) == -10003
    assert get(fs, "a") == b"12345"


def test_streams_refuse_the_wrong_direction(fs: SpiffsCore) -> None:
    put(fs, "a", b"12345")
    with fs.open("a", "rb") as file:
        assert (file.readable(), file.writable(), file.seekable()) == (True, False, True)
        with pytest.raises(io.UnsupportedOperation):
            file.write(b"")
    with fs.open("a", "ab") as file:
        assert (file.readable(), file.writable()) == (False, True)
        with pytest.raises(io.UnsupportedOperation):
            file.read()


def test_closed_stream_raises_value_error(fs: SpiffsCore) -> None:
    file = fs.open("a", "wb", 0)
    file.close()
    file.close()
    assert file.closed
    with pytest.raises((ValueError, SpiffsError)):
        file.write(b"1")


def test_stream_can_be_closed_after_the_unmount(fs: SpiffsCore) -> None:
    file = fs.open("a", "wb", 0)
    file.write(b"flushed by the unmount")
    fs.unmount()
    file.close()
    assert file.closed


def test_stream_is_closed_even_if_its_flush_fails() -> None:
    fs = Area(Geometry(0x4000, 0x1000, 256)).mount(max_files=1)
    file = fs.open("a", "wb")
    file.write(b"x" * 30_000)
    with pytest.raises(OSError, match="full"):
        file.close()
    assert file.closed
    put(fs, "b", b"the descriptor is free")


def test_flush_writes_everything_to_flash() -> None:
    area = Area(Geometry(0x8000, 0x1000, 256))
    fs = area.mount()
    file = fs.open("a", "w")
    file.write("kept")
    file.flush()
    assert get(area.mount(read_only=True), "a") == b"kept"
    with fs.open("b", "wb", 0) as raw:
        raw.write(b"unbuffered")
        assert get(area.mount(read_only=True), "b") == b"unbuffered"


def test_stream_and_descriptor_share_a_file(fs: SpiffsCore) -> None:
    descriptor = fs.open_descriptor("a", NEW)
    descriptor.write(b"one ")
    with fs.open("a", "ab", 0) as file:
        file.write(b"two ")
    descriptor.write(b"TWO three")
    descriptor.close()
    assert get(fs, "a") == b"one TWO three"


def test_stream_name_is_the_file_name(fs: SpiffsCore) -> None:
    with fs.open("/a", "wb", 0) as file:
        assert file.name == "/a"
