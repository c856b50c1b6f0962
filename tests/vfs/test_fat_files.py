"""Modes, positions and ends of files on FAT."""

from __future__ import annotations

import pytest

from maixfs.vfs import Errno, FileIO, TextIOWrapper
from vfs.drivers import errno_of, fat_sectors
from vfs.fat_board import FatBoard, ram_board


@pytest.fixture
def board() -> FatBoard:
    return FatBoard()


def test_letters_add_up(board: FatBoard) -> None:
    board.write("f", "precious")
    with board.vfs.open("f", "rw") as file:
        assert file.read() == ""
        file.write("new")
    with board.vfs.open("f", "b") as file:
        assert type(file) is FileIO
        assert errno_of(file.read) == Errno.EACCES
        assert errno_of(file.write, "x") == Errno.EACCES
    with board.vfs.open("f", "rbt?") as file:
        assert type(file) is TextIOWrapper
        assert file.read() == "new"


def test_rights(board: FatBoard) -> None:
    with board.vfs.open("f", "w") as file:
        assert errno_of(file.read) == Errno.EACCES
    with board.vfs.open("f", "a+") as file:
        assert file.read() == ""


def test_a_goes_to_the_end_only_once(board: FatBoard) -> None:
    board.write("f", "0123456789")
    with board.vfs.open("f", "a+") as file:
        assert file.tell() == 10
        file.write("ab")
        assert board.quirk_keys() == []
        assert file.seek(2) == 2
        file.write("Z")
    assert board.read("f") == "01Z3456789ab"
    assert board.quirk_keys() == ["fat-append-once"]


def test_a_makes_the_file(board: FatBoard) -> None:
    with board.vfs.open("new", "a") as file:
        file.write("x")
    assert board.read("new") == "x"


def test_a_reader_stops_at_the_end(board: FatBoard) -> None:
    board.write("f", "abc")
    with board.vfs.open("f", "rb") as file:
        assert file.seek(10) == 3
        assert file.seek(-1, 1) == 2
        assert file.seek(-1, 2) == 2
        assert file.seek(-100, 1) == 3
        assert file.seek(5, 7) == 3
        assert file.seek((1 << 32) + 1) == 1
        assert file.read() == b"bc"
        assert errno_of(file.seek, -1) == Errno.EINVAL
    assert board.quirk_keys() == []


def test_a_writer_makes_the_file_longer(board: FatBoard) -> None:
    with board.vfs.open("f", "wb") as file:
        file.write(b"abc")
        assert file.seek(2000) == 2000
    assert board.vfs.stat("f")[6] == 2000
    assert board.quirk_keys() == ["fat-seek-grows"]


@pytest.mark.parametrize("whence", [1, 2])
def test_a_seek_to_before_the_start_fills_the_volume(board: FatBoard, whence: int) -> None:
    room = board.vfs.statvfs("")[3] * 512
    with board.vfs.open("f", "w+b") as file:
        file.write(b"abc")
        assert file.seek(-100, whence) == room
    assert board.vfs.statvfs("")[3] == 0
    assert board.vfs.stat("f")[6] == room
    assert board.quirk_keys() == ["fat-seek-fills"]


def test_guarded_it_is_refused() -> None:
    board = FatBoard(guarded=True)
    with board.vfs.open("f", "w+b") as file:
        file.write(b"abc")
        assert errno_of(file.seek, -100, 1) == Errno.EINVAL
        assert file.tell() == 3
    with board.vfs.open("f", "rb") as file:
        assert file.seek(-100, 2) == 3
    assert board.quirk_keys() == []


def test_what_does_not_fit(board: FatBoard) -> None:
    room = board.vfs.statvfs("")[3] * 512
    file = board.vfs.open("f", "wb")
    assert file.write(b"1" * (room - 100)) == room - 100
    assert errno_of(file.write, b"2" * 200) == Errno.ENOSPC
    assert file.tell() == room
    file.close()
    assert board.vfs.stat("f")[6] == room
    board.vfs.open("empty", "w").close()
    assert errno_of(board.vfs.mkdir, "d") == Errno.EACCES
    assert board.quirk_keys() == []


def test_a_wrong_free_count_is_believed() -> None:
    device = fat_sectors(32)
    info = bytearray(device.read(1, 1))
    info[488:492] = (3).to_bytes(4, "little")
    device.write(1, info)
    board = FatBoard(device)
    assert board.vfs.statvfs("")[3] == 3
    with board.vfs.open("f", "wb") as file:
        assert errno_of(file.write, bytes(512 * 4)) == Errno.ENOSPC
    assert board.quirk_keys() == ["fat-free-count"]


def test_lines_across_sectors(board: FatBoard) -> None:
    lines = [f"{number} {'x' * (number * 7)}\n" for number in range(40)]
    board.write("f", "".join(lines))
    with board.vfs.open("f") as file:
        assert file.readline(1) == "0"
        file.seek(0)
        assert list(file) == lines
        assert file.tell() == sum(map(len, lines))


def test_a_closed_file(board: FatBoard) -> None:
    file = board.vfs.open("f", "w+")
    file.write("abc")
    file.close()
    file.close()
    for call in (file.read, file.flush, file.readline):
        assert errno_of(call) == Errno.EINVAL
    assert errno_of(file.write, "x") == Errno.EINVAL
    assert file.write("") == 0
    assert file.seek(1) == file.tell() == 3


def test_nobody_locks(board: FatBoard) -> None:
    one, two = board.vfs.open("f", "w"), board.vfs.open("f", "w")
    one.write("aaaa")
    two.write("bb")
    one.close()
    two.close()
    assert board.read("f") == "bb"
    three = board.vfs.open("f", "a")
    board.vfs.remove("f")
    three.write("lost")
    three.close()
    assert board.vfs.listdir() == []


def test_forty_files_at_once(board: FatBoard) -> None:
    files = [board.vfs.open(f"f{number}", "w") for number in range(40)]
    for number, file in enumerate(files):
        file.write(str(number))
    for file in files:
        file.close()
    assert [board.read(f"f{number}") for number in range(40)] == [str(n) for n in range(40)]


def test_files_that_were_dropped_are_closed_late(board: FatBoard) -> None:
    for number in range(50):
        board.vfs.open(f"f{number}", "w").write("x")
    with board.vfs.open("held", "w"):
        assert board.vfs.collect() == 50
    assert board.again().vfs.stat("f49")[6] == 1


def test_a_close_that_fails_can_be_tried_again() -> None:
    board = ram_board()
    file = board.vfs.open("f", "w")
    file.write("abc")
    board.device.failing.add("write")
    assert errno_of(file.close) == Errno.EIO
    board.device.failing.clear()
    file.close()
    assert board.again().read("f") == "abc"


def test_a_device_that_fails_to_read() -> None:
    board = ram_board()
    board.write("f", "x" * 5000)
    file = board.vfs.open("f")
    assert file.read(10) == "x" * 10
    board.device.failing.add("read")
    assert errno_of(file.read) == Errno.EIO
    board.device.failing.clear()
    assert errno_of(file.readline) == Errno.EIO
    assert file.tell() == 10
    file.close()
    assert board.read("f") == "x" * 5000
    assert board.quirk_keys() == ["device-error-ignored"]


def test_formatting_ends_what_was_open() -> None:
    board = ram_board()
    file = board.vfs.open("f", "w")
    file.write("abc")
    board.driver._format(fat32=False)
    assert errno_of(file.write, "x") == Errno.EINVAL
    assert errno_of(file.close) == Errno.EINVAL
    assert errno_of(file.close) == Errno.EINVAL
    assert file.tell() == 3
    assert board.vfs.listdir() == []
