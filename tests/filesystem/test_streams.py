"""Python's streams over every driver behave as over files of the host."""

from __future__ import annotations

import errno
import io
import random
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import pytest

from filesystem.kinds import SPIFFS, Medium, spiffs
from maixfs.errors import FileSystemError, FullError
from maixfs.filesystem import FileSystem
from maixfs.nor import NorChip, make_driver
from maixfs.spiffs import Geometry, OpenFlag, Spiffs
from spiffs.areas import pattern

Fs = FileSystem[Any]


@pytest.fixture
def unit(fs: Fs) -> int:
    """Bytes of one data page or one cluster."""
    return fs.statvfs().f_bsize


@pytest.mark.parametrize("buffering", [0, 16, -1])
def test_buffering_does_not_change_the_content(fs: Fs, unit: int, buffering: int) -> None:
    data = pattern(2 * unit + 7)
    with fs.open("/b", "wb", buffering) as file:
        for at in range(0, len(data), 50):
            file.write(data[at : at + 50])
    with fs.open("/b", "rb", buffering) as file:
        assert b"".join(iter(lambda: file.read(33), b"")) == data


def test_reads_of_any_kind_continue_at_the_position(fs: Fs, unit: int) -> None:
    data = pattern(5 * unit)
    fs.write_bytes("/b", data)
    for buffering in (0, -1):
        with fs.open("/b", "rb", buffering) as file:
            assert file.read(10) == data[:10]
            buffer = bytearray(unit)
            assert file.readinto(buffer) == unit  # type: ignore[attr-defined]
            assert (buffer, file.tell()) == (data[10 : 10 + unit], 10 + unit)
            assert file.read() == data[10 + unit :]
            assert file.read() == file.read(1) == b""
            assert file.readinto(buffer) == 0  # type: ignore[attr-defined]


def test_text_stream_iterates_over_lines(fs: Fs) -> None:
    fs.write_bytes("/poem", "one\ntwo\r\nthrée\nfour".encode())
    with fs.open("/poem") as file:
        assert file.readline() == "one\n"
        assert list(file) == ["two\n", "thrée\n", "four"]
        assert file.read() == ""


def test_append_position_is_the_end_from_the_start(fs: Fs, unit: int) -> None:
    fs.write_bytes("/a", pattern(unit + 18))
    with fs.open("/a", "ab") as file:
        assert file.tell() == unit + 18
        file.write(b"12345")
        assert file.tell() == unit + 23
        file.seek(0)
        file.write(b"67")
        file.flush()
        assert file.tell() == unit + 25
    assert fs.read_bytes("/a") == pattern(unit + 18) + b"1234567"


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


def write_behind_the_end(file: IO[bytes], number: int) -> object:
    return file.seek(number % 300, io.SEEK_END), file.write(b"gap"), file.flush(), file.tell()


ACTIONS: list[Callable[[IO[bytes], int], object]] = [
    read_some,
    write_some,
    write_some,
    move,
    read_line,
    cut_some,
    write_behind_the_end,
]


@pytest.mark.parametrize("buffering", [0, 16, -1])
@pytest.mark.parametrize("mode", ["r+b", "w+b", "a+b"])
def test_streams_behave_like_host_files(
    fs: Fs, unit: int, tmp_path: Path, mode: str, buffering: int
) -> None:
    chance = random.Random(f"{mode}{buffering}")
    fs.write_bytes("/a", pattern(2 * unit))
    host = tmp_path / "a"
    host.write_bytes(pattern(2 * unit))
    with fs.open("/a", mode, buffering) as ours, host.open(mode, buffering) as theirs:
        for _ in range(50):
            length = theirs.seek(0, io.SEEK_END) if chance.random() < 0.2 else 0
            ours.seek(length)
            theirs.seek(length)
            for action in chance.choices(ACTIONS, k=3):
                number = chance.randrange(unit)
                assert action(ours, number) == action(theirs, number)
    assert fs.read_bytes("/a") == host.read_bytes()


def test_mode_r_plus_overwrites_in_place(fs: Fs, unit: int) -> None:
    data = bytearray(pattern(4 * unit))
    fs.write_bytes("/a", data)
    with fs.open("/a", "r+b") as file:
        for at in (0, unit - 3, 2 * unit, 4 * unit - 5):
            file.seek(at)
            assert file.write(b"update") == 6
            data[at : at + 6] = b"update"
            file.seek(at)
            assert file.read(6) == b"update"
    assert fs.read_bytes("/a") == bytes(data)


@pytest.mark.parametrize("faithful", [False, True])
@pytest.mark.parametrize("cut", [0, 1, 150, -1, -20])
def test_bytes_after_a_cut_are_those_written_after_it(
    disk: Medium, cut: int, faithful: bool
) -> None:
    """Also where the truncation of SPIFFS's C would leave old bytes behind the end."""
    with disk.mount(faithful=faithful) as fs:
        unit = fs.statvfs().f_bsize
        for units, more in [(1, 0), (1, 160), (2, 0), (3, 150), (3, unit - 1)]:
            data = pattern(units * unit + more)
            keep = min(units * unit + cut, len(data))
            fs.write_bytes("/a", data)
            with fs.open("/a", "r+b") as file:
                assert file.truncate(keep) == keep
                assert file.seek(0, io.SEEK_END) == keep
                file.write(b"\xff" * 300)
            assert fs.read_bytes("/a") == data[:keep] + b"\xff" * 300


def test_truncate_without_size_cuts_at_the_position(fs: Fs) -> None:
    with fs.open("/a", "w+b") as file:
        file.write(b"0123456789")
        file.seek(4)
        assert file.truncate() == 4
        assert file.tell() == 4
        file.seek(0)
        assert file.read() == b"0123"


def test_flushed_bytes_of_an_unbuffered_stream_survive_a_power_cut(disk: Medium) -> None:
    fs = disk.mount()
    file = fs.open("/a", "wb", 0)
    file.write(b"kept")
    file.flush()
    fs.abandon()
    with disk.mount(read_only=True) as again:
        assert again.read_bytes("/a") == b"kept"


def test_closing_twice_is_allowed_and_other_calls_raise_value_error(fs: Fs) -> None:
    file = fs.open("/a", "wb", 0)
    file.close()
    file.close()
    assert file.closed
    for call in (file.tell, file.read, file.truncate, lambda: file.write(b"1")):
        with pytest.raises(ValueError, match="closed"):
            call()


@pytest.mark.parametrize("mode", ["w", "a", "x", "r+", "wb", "ab", "xb", "r+b"])
def test_read_only_mount_refuses_writing_modes(disk: Medium, mode: str) -> None:
    with disk.mount() as fs:
        fs.write_bytes("/a", b"old")
    with disk.mount(read_only=True) as fs:
        for path in ("/a", "/new"):
            with pytest.raises(FileSystemError) as caught:
                fs.open(path, mode)
            assert caught.value.errno == errno.EROFS
        assert fs.read_bytes("/a") == b"old"
        assert fs.listdir() == ["a"]


def test_stream_name_is_the_path(fs: Fs) -> None:
    with fs.open("a", "wb", 0) as file:
        assert file.name == "/a"


# SPIFFS


def test_stream_is_closed_even_if_its_flush_fails() -> None:
    geometry = Geometry(0x4000, 0x1000, 256)
    flash = make_driver("ideal", NorChip.in_memory(geometry.size))
    Spiffs.format(flash, geometry)
    fs = Spiffs(flash, geometry, max_files=1)
    file = fs.open("/a", "wb")
    file.write(b"x" * 30_000)
    with pytest.raises(FullError):
        file.close()
    assert file.closed
    fs.write_bytes("/b", b"the only descriptor is free")


@pytest.mark.parametrize("kind", SPIFFS)
def test_stream_and_descriptor_share_a_file(kind: str) -> None:
    fs: Any = spiffs(kind).mount(faithful=True)
    descriptor = fs.core.open_descriptor("/a", OpenFlag.CREAT | OpenFlag.RDWR)
    descriptor.write(b"one ")  # waits in the write cache
    with fs.open("/a", "ab", 0) as file:
        file.write(b"two ")
    descriptor.write(b"TWO three")
    descriptor.close()
    assert fs.read_bytes("/a") == b"one TWO three"


@pytest.mark.parametrize("kind", SPIFFS)
def test_flush_of_a_buffered_stream_reaches_flash(kind: str) -> None:
    disk = spiffs(kind)
    with disk.mount() as fs, fs.open("/a", "w") as file:
        file.write("kept")
        file.flush()
        with disk.mount(read_only=True) as other:
            assert other.read_bytes("/a") == b"kept"


@pytest.mark.parametrize("kind", SPIFFS)
def test_line_buffering_stores_each_line_at_once(kind: str) -> None:
    with spiffs(kind).mount() as fs:
        with fs.open("/log", "w", buffering=1) as file:
            file.write("first\nsecond")
            assert fs.read_bytes("/log") == b"first\nsecond"
            file.write(" line")
        assert fs.read_bytes("/log") == b"first\nsecond line"


@pytest.mark.parametrize("kind", SPIFFS)
def test_unbuffered_write_skips_the_write_cache(kind: str) -> None:
    disk = spiffs(kind)
    with disk.mount() as fs, fs.open("/a", "wb", 0) as file:
        file.write(b"unbuffered")
        with disk.mount(read_only=True) as other:
            assert other.read_bytes("/a") == b"unbuffered"


@pytest.mark.parametrize("kind", SPIFFS)
def test_position_outlives_a_cut_through_another_stream(kind: str) -> None:
    """SPIFFS moves descriptors that stand behind a new end; the stream keeps its position."""
    with spiffs(kind).mount() as fs:
        fs.write_bytes("/a", b"0123456789")
        with fs.open("/a", "rb", 0) as reader, fs.open("/a", "r+b", 0) as writer:
            assert reader.read(6) == b"012345"
            writer.truncate(2)
            assert reader.read() == b""
            writer.seek(0, io.SEEK_END)
            writer.write(b"abcdefgh")
            assert reader.read() == b"efgh"
