"""Modes, positions and descriptors of files on MaixPy's SPIFFS."""

from __future__ import annotations

import pytest

from maixfs.vfs import Errno, Vfs
from vfs.board import Board
from vfs.drivers import errno_of

WORD = 1 << 64


def test_x_mode_empties_an_existing_file(board: Board) -> None:
    board.write("f", "precious")
    board.vfs.open("f", "x").close()
    assert board.read("f") == ""
    board.vfs.open("f", "x").close()
    assert board.quirk_keys() == ["x-truncates"]
    assert "/f" in board.quirks[0][1]


def test_x_mode_of_a_new_file_is_not_reported(board: Board) -> None:
    board.vfs.open("new", "x").close()
    board.vfs.open("other", "w").close()
    board.vfs.open("other", "w").close()
    assert board.quirk_keys() == []


def test_mode_letters_are_ored(board: Board) -> None:
    board.write("f", "precious")
    with board.vfs.open("f", "rw") as file:
        file.write("new")
        file.seek(0)
        assert file.read() == "new"
    assert board.quirk_keys() == ["rw-truncates"]


def test_x_mode_of_a_long_name_is_enoent(board: Board) -> None:
    assert errno_of(board.vfs.open, "n" * 200, "x") == Errno.ENOENT
    assert board.quirk_keys() == ["open-hides-reason"]


def test_mode_without_letters_gives_no_rights(board: Board) -> None:
    board.write("f", "text")
    with board.vfs.open("f", "b?!") as file:
        assert errno_of(file.read, 1) == Errno.EIO
        assert errno_of(file.write, "x") == Errno.EIO
        assert file.seek(2) == 2


def test_last_of_b_and_t_wins(board: Board) -> None:
    board.write("f", "text")
    with board.vfs.open("f", "rbt") as text, board.vfs.open("f", "rtb") as binary:
        assert (text.read(), binary.read()) == ("text", b"text")


def test_append_mode_needs_the_file(board: Board) -> None:
    assert errno_of(board.vfs.open, "none", "a") == Errno.ENOENT
    assert board.quirk_keys() == ["append-needs-file"]


def test_append_mode_always_writes_at_the_end(board: Board) -> None:
    board.write("f", "0123456789")
    with board.vfs.open("f", "a") as file:
        file.seek(2)
        file.write("Z")
        file.seek(0)
        assert file.read() == "0123456789Z"


def test_tell_after_small_appends_is_behind(board: Board) -> None:
    board.write("f", "0123456789abc")
    with board.vfs.open("f", "a") as file:
        file.write("12345")
        file.write("67890")
        assert file.tell() == 18
        assert file.seek(0, 2) == 23


@pytest.mark.parametrize(("profile", "text"), [("maixpy", "caf\udce9"), ("modern", None)])
def test_invalid_utf8_is_kept_or_refused_by_profile(
    board: Board, profile: str, text: str | None
) -> None:
    vfs = Vfs(profile)
    vfs.attach(board.driver, "/v")
    with vfs.open("/v/f", "w") as file:
        file.write(b"caf\xe9")
    with vfs.open("/v/f") as file:
        if text is None:
            with pytest.raises(UnicodeError):
                file.read()
        else:
            assert file.read() == text
    with vfs.open("/v/f", "rb") as file:
        assert file.read() == b"caf\xe9"


def test_seek_returns_spiffs_errors_as_positions(board: Board) -> None:
    board.write("f", "0123456789")
    file = board.vfs.open("f")
    assert file.seek(11) == WORD - 10003
    assert file.tell() == 10
    assert file.seek(-11, 2) == WORD - 10040
    assert file.tell() == 10
    assert errno_of(file.seek, -1) == Errno.EINVAL
    assert file.seek((1 << 32) + 3) == 3
    assert file.seek(5, 7) == 0
    assert file.tell() == 3
    file.close()
    assert file.tell() == WORD - 10010
    assert file.seek(5, 7) == 0


def test_closed_file_is_eio(board: Board) -> None:
    board.write("f", "x")
    file = board.vfs.open("f", "r+")
    file.close()
    assert errno_of(file.read) == Errno.EIO
    assert errno_of(file.write, "x") == Errno.EIO
    assert errno_of(file.flush) == Errno.EIO
    assert file.write("") == 0


def test_third_descriptor_is_refused(board: Board) -> None:
    board.write("c", "third")
    one, two = board.vfs.open("a", "w"), board.vfs.open("b", "w")
    assert errno_of(board.vfs.open, "c") == Errno.ENOENT
    assert errno_of(board.vfs.remove, "c") == Errno.EMFILE
    assert errno_of(board.vfs.rename, "c", "d") == Errno.EMFILE
    assert errno_of(board.vfs.rename, "c", "a") == Errno.EEXIST
    assert board.vfs.stat("c")[6] == 5
    one.close()
    assert board.read("c") == "third"
    two.close()
    assert board.quirk_keys() == ["open-hides-reason"]
    assert "-10007" in board.quirks[0][1]


def test_dropped_file_keeps_its_descriptor_until_collect(board: Board) -> None:
    board.write("f", "text")
    for _ in range(2):
        board.vfs.open("f").read()
    assert errno_of(board.vfs.open, "f") == Errno.ENOENT
    assert board.vfs.collect() == 2
    assert board.read("f") == "text"


def test_failed_close_keeps_its_descriptor(board: Board) -> None:
    one, two = board.vfs.open("a", "w"), board.vfs.open("b", "w")
    one.write("cached")
    two.write("cached")
    two.flush()
    two.close()
    board.fill()
    assert errno_of(one.close) == Errno.EIO
    one.close()
    assert board.vfs.collect() == 0
    with board.vfs.open("b", "r"):
        assert errno_of(board.vfs.open, "filler") == Errno.ENOENT
    assert board.quirk_keys() == ["close-keeps-descriptor", "open-hides-reason"]
    board.driver.mount(False, False)
    with board.vfs.open("b", "r") as file:
        assert board.read("a") == ""
        assert file.read() == "cached"


def test_collect_ignores_a_failing_close(board: Board) -> None:
    board.vfs.open("a", "w").write("cached")
    board.fill()
    assert board.vfs.collect() == 1
    assert board.quirk_keys() == ["close-keeps-descriptor"]


def test_full_volume_is_eio(board: Board) -> None:
    board.fill()
    with board.vfs.open("filler", "rb+") as file:
        file.seek(0, 2)
        assert errno_of(file.write, bytes(8192)) == Errno.EIO
    assert errno_of(board.vfs.open, "new", "w") == Errno.ENOENT
    assert "-10001" in board.quirks[-1][1]
