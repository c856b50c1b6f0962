"""Modes, positions and ends of files on FAT."""

from __future__ import annotations

import pytest

from maixfs.fat.errors import FResult, fat_error
from maixfs.vfs import Errno, FileIO, TextIOWrapper
from vfs.drivers import errno_of, fat_sectors
from vfs.fat_board import FatBoard, ram_board


@pytest.fixture
def board() -> FatBoard:
    return FatBoard()


def test_mode_letters_are_ored(board: FatBoard) -> None:
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


def test_missing_right_is_eacces(board: FatBoard) -> None:
    with board.vfs.open("f", "w") as file:
        assert errno_of(file.read) == Errno.EACCES
    with board.vfs.open("f", "a+") as file:
        assert file.read() == ""


def test_append_mode_seeks_to_the_end_once(board: FatBoard) -> None:
    board.write("f", "0123456789")
    with board.vfs.open("f", "a+") as file:
        assert file.tell() == 10
        file.write("ab")
        assert board.quirk_keys() == []
        assert file.seek(2) == 2
        file.write("Z")
    assert board.read("f") == "01Z3456789ab"
    assert board.quirk_keys() == ["fat-append-once"]


def test_append_mode_creates_the_file(board: FatBoard) -> None:
    with board.vfs.open("new", "a") as file:
        file.write("x")
    assert board.read("new") == "x"


def test_reader_seek_stops_at_the_end(board: FatBoard) -> None:
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


def test_writer_seek_extends_the_file(board: FatBoard) -> None:
    with board.vfs.open("f", "wb") as file:
        file.write(b"abc")
        assert file.seek(2000) == 2000
    assert board.vfs.stat("f")[6] == 2000
    assert board.quirk_keys() == ["fat-seek-grows"]


@pytest.mark.parametrize("whence", [1, 2])
def test_seek_before_the_start_fills_the_volume(board: FatBoard, whence: int) -> None:
    room = board.vfs.statvfs("")[3] * 512
    with board.vfs.open("f", "w+b") as file:
        file.write(b"abc")
        assert file.seek(-100, whence) == room
    assert board.vfs.statvfs("")[3] == 0
    assert board.vfs.stat("f")[6] == room
    assert board.quirk_keys() == ["fat-seek-fills"]


def test_guarded_seek_before_the_start_is_einval() -> None:
    board = FatBoard(guarded=True)
    with board.vfs.open("f", "w+b") as file:
        file.write(b"abc")
        assert errno_of(file.seek, -100, 1) == Errno.EINVAL
        assert file.tell() == 3
    with board.vfs.open("f", "rb") as file:
        assert file.seek(-100, 2) == 3
    assert board.quirk_keys() == []


def test_write_beyond_the_room_is_enospc(board: FatBoard) -> None:
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


def test_wrong_free_count_limits_a_write() -> None:
    device = fat_sectors(32)
    info = bytearray(device.read(1, 1))
    info[488:492] = (3).to_bytes(4, "little")
    device.write(1, info)
    board = FatBoard(device)
    assert board.vfs.statvfs("")[3] == 3
    with board.vfs.open("f", "wb") as file:
        assert errno_of(file.write, bytes(512 * 4)) == Errno.ENOSPC
    assert board.quirk_keys() == ["fat-free-count"]


def test_unreadable_fat_hides_the_wrong_free_count(
    board: FatBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> int:
        raise fat_error(FResult.DISK_ERR)

    monkeypatch.setattr(board.driver.fs, "count_free", fail)
    with board.vfs.open("f", "wb") as file:
        assert errno_of(file.write, bytes(4 << 20)) == Errno.ENOSPC
    assert board.quirk_keys() == []


def test_readline_crosses_sectors(board: FatBoard) -> None:
    lines = [f"{number} {'x' * (number * 7)}\n" for number in range(40)]
    board.write("f", "".join(lines))
    with board.vfs.open("f") as file:
        assert file.readline(1) == "0"
        file.seek(0)
        assert list(file) == lines
        assert file.tell() == sum(map(len, lines))


def test_closed_file_is_einval(board: FatBoard) -> None:
    file = board.vfs.open("f", "w+")
    file.write("abc")
    file.close()
    file.close()
    for call in (file.read, file.flush, file.readline):
        assert errno_of(call) == Errno.EINVAL
    assert errno_of(file.write, "x") == Errno.EINVAL
    assert file.write("") == 0
    assert file.seek(1) == file.tell() == 3


def test_two_writers_are_not_locked(board: FatBoard) -> None:
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


def test_reader_of_a_truncated_file_reads_the_old_first_cluster(board: FatBoard) -> None:
    """FatFs empties entry and FAT; a reader has its own copy of size and first cluster."""
    board.write("f", b"o" * 1500)
    with board.vfs.open("f", "rb") as reader, board.vfs.open("f", "wb"):
        assert reader.read(100) == b"o" * 100
        assert reader.read(412) == b"o" * 412
        assert errno_of(reader.read, 1) == Errno.EIO  # the FAT leads no further
        reader.seek(0)
        assert errno_of(reader.read, 1) == Errno.EIO  # and the error stays with the file


def test_reader_of_a_truncated_file_cannot_pass_its_first_cluster(board: FatBoard) -> None:
    board.write("f", b"o" * 1500)
    with board.vfs.open("f", "rb") as reader, board.vfs.open("f", "wb"):
        assert errno_of(reader.read) == Errno.EIO
    assert board.vfs.stat("f")[6] == 0


def test_unclosed_file_is_on_the_card_with_size_0_after_umount(board: FatBoard) -> None:
    """The first write moves FatFs's only sector buffer, which holds the new entry, to the card."""
    file = board.vfs.open("f", "w")
    file.write("x")
    board.vfs.umount("/sd")
    again = board.again()
    assert again.vfs.listdir() == ["f"]
    assert again.vfs.stat("f")[6] == 0


def test_new_file_is_not_on_the_card_before_its_first_write(board: FatBoard) -> None:
    file = board.vfs.open("f", "w")
    board.vfs.umount("/sd")
    assert board.again().vfs.listdir() == []
    file.close()
    assert board.again().vfs.listdir() == ["f"]


def test_forty_files_are_open_at_once(board: FatBoard) -> None:
    files = [board.vfs.open(f"f{number}", "w") for number in range(40)]
    for number, file in enumerate(files):
        file.write(str(number))
    for file in files:
        file.close()
    assert [board.read(f"f{number}") for number in range(40)] == [str(n) for n in range(40)]


def test_collect_closes_dropped_files(board: FatBoard) -> None:
    for number in range(50):
        board.vfs.open(f"f{number}", "w").write("x")
    with board.vfs.open("held", "w"):
        assert board.vfs.collect() == 50
    assert board.again().vfs.stat("f49")[6] == 1


def test_failed_close_can_be_repeated() -> None:
    board = ram_board()
    file = board.vfs.open("f", "w")
    file.write("abc")
    board.device.failing.add("write")
    assert errno_of(file.close) == Errno.EIO
    board.device.failing.clear()
    file.close()
    assert board.again().read("f") == "abc"


def test_failed_read_is_eio_until_the_close() -> None:
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


def test_format_ends_open_files() -> None:
    board = ram_board()
    file = board.vfs.open("f", "w")
    file.write("abc")
    board.driver._format(fat32=False)
    assert errno_of(file.write, "x") == Errno.EINVAL
    assert errno_of(file.close) == Errno.EINVAL
    assert errno_of(file.close) == Errno.EINVAL
    assert file.tell() == 3
    assert board.vfs.listdir() == []
