"""Boards: their lock, their wear counts, their own image opened by itself."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from image.places import FILES, SMALL, Place, findings_of, make_board, snapshot
from maixfs.board import Board, BoardBusyError, BoardConfigError, BoardError
from maixfs.errors import ReadOnlyError, UsageError
from maixfs.host.locks import holder_of
from maixfs.image.boardlock import BoardLock
from maixfs.image.entries import Kind
from maixfs.image.errors import NoFileSystemError, TargetError
from maixfs.image.opening import open_image, open_mounted
from maixfs.image.report import make_report
from maixfs.image.source import board_holder
from maixfs.nor import NorImageError, WearCounts
from maixfs.spiffs import PRESETS
from maixfs.transfer.formatting import make_image

SECTORS = 0x100


def wear_of(place: Place) -> tuple[int, ...]:
    counts = WearCounts.open(place.host / "wear.bin", SECTORS, read_only=True)
    try:
        return counts.counts()
    finally:
        counts.close()


def test_running_board_is_not_changed(board: Place) -> None:
    with Board.open(board.host):
        with pytest.raises(BoardBusyError, match=f"process {os.getpid()}") as caught:
            open_image(board.host, "r+")
        assert caught.value.pid == os.getpid()
        with pytest.raises(BoardBusyError):
            open_image(board.host / "flash.bin", "r+")


def test_open_image_refuses_a_second_writer(board: Place) -> None:
    with open_image(board.host, "r+"):
        with pytest.raises(BoardBusyError):
            open_image(board.host, "r+")
        with pytest.raises(BoardBusyError):
            Board.open(board.host)
    with open_image(board.host, "r+") as target:
        assert target.writable


def test_lock_of_a_dead_process_is_free(board: Place) -> None:
    code = (
        "import os, sys; from maixfs.image.boardlock import BoardLock; from pathlib import Path;"
        "BoardLock(Path(sys.argv[1])).__enter__(); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code, str(board.host)], check=True)
    assert holder_of(board.host / "board.lock")
    with open_image(board.host) as target:
        assert target.holder is None
    with open_image(board.host, "r+") as target:
        target.write_bytes("/flash/main.py", b"new")


def test_holder_without_a_number_is_reported_as_zero(board: Place) -> None:
    with BoardLock(board.host):
        (board.host / "board.lock").write_bytes(b"")
        with open_image(board.host) as target:
            assert target.holder == 0


@pytest.mark.skipif(os.name == "nt", reason="its locks are of another kind")
def test_host_without_locks_allows_writing(board: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    with BoardLock(board.host):
        monkeypatch.setattr(fcntl, "flock", no_locks)
        assert board_holder(board.host) == os.getpid()
        (board.host / "board.lock").write_bytes(b"")
        assert board_holder(board.host) is None
        monkeypatch.undo()


def test_erases_are_counted_beside_the_flash(board: Place) -> None:
    before = wear_of(board)
    assert sum(before) == 0
    with open_image(board.host, "r+") as target:
        for number in range(60):
            target.write_bytes("/flash/churn", bytes([number]) * 30000)
        target.gc()
    first = wear_of(board)
    area = range(SMALL.base >> 12, (SMALL.base + SMALL.size) >> 12)
    assert sum(first) > 0
    assert all(count == 0 for sector, count in enumerate(first) if sector not in area)
    with open_image(board.host, "r+") as target:
        for number in range(60):
            target.write_bytes("/flash/churn", bytes([number]) * 20000)
    assert sum(wear_of(board)) > sum(first)
    with open_image(board.host) as target:
        counts = make_report(target).sector_erases
        assert counts is not None
        assert counts.most == max(wear_of(board))


def test_uncommitted_changes_count_no_erases(board: Place) -> None:
    with pytest.raises(ZeroDivisionError), open_image(board.host, "r+") as target:
        for number in range(60):
            target.write_bytes("/flash/churn", bytes([number]) * 30000)
        1 // 0
    assert sum(wear_of(board)) == 0


def test_flash_of_a_board_opened_by_itself_counts_erases(board: Place) -> None:
    with open_image(board.host / "flash.bin", "r+") as target:
        assert target.kind is Kind.FLASH_IMAGE
        for number in range(60):
            target.write_bytes("/flash/churn", bytes([number]) * 30000)
    assert sum(wear_of(board)) > 0


@pytest.mark.skipif(os.name == "nt", reason="links are a right of their own there")
def test_link_to_the_flash_of_a_board_counts_erases(board: Place, tmp_path: Path) -> None:
    (tmp_path / "link.img").symlink_to(board.host / "flash.bin")
    with Board.open(board.host), pytest.raises(BoardBusyError):
        open_image(tmp_path / "link.img", "r+")


def test_counts_of_another_chip_are_refused(board: Place) -> None:
    (board.host / "wear.bin").write_bytes(b"nonsense" * 4)
    before = snapshot(board.host)
    for writable in (False, True):
        with pytest.raises(NorImageError, match="wear"):
            open_image(board.host, "r+" if writable else "r")
    assert (
        snapshot(board.host)[str(board.host / "flash.bin")]
        == before[str(board.host / "flash.bin")]
    )


def test_board_without_erase_counts_gets_them(board: Place) -> None:
    (board.host / "wear.bin").unlink()
    with open_image(board.host) as target:
        assert make_report(target).sector_erases is None
    assert not (board.host / "wear.bin").exists()
    with open_image(board.host, "r+") as target:
        for number in range(60):
            target.write_bytes("/flash/churn", bytes([number]) * 30000)
    assert sum(wear_of(board)) > 0


def test_first_write_formats_a_board_that_was_never_on(board: Place) -> None:
    (board.host / "flash.bin").write_bytes(b"\xff" * 0x100000)
    with open_image(board.host, "r+") as target:
        assert target.spiffs.blank
    assert (board.host / "flash.bin").read_bytes() == b"\xff" * 0x100000
    with open_image(board.host) as target:
        (finding,) = findings_of(target.host)
        assert (finding.key, finding.is_problem) == ("blank", False)
    with open_image(board.host, "r+") as target:
        target.write_bytes("/flash/main.py", b"first")
    with open_image(board.host) as target:
        assert not target.spiffs.blank
        assert target.read_bytes("/flash/main.py") == b"first"
    with Board.open(board.host) as running:
        assert "main.py" in running.uos.listdir("/flash")


def test_host_and_board_read_each_others_files(board: Place) -> None:
    with open_image(board.host, "r+") as target:
        target.write_bytes("/flash/lib/a.py", b"from the host")
    with Board.open(board.host) as running:
        with running.open("/flash/lib/a.py") as file:
            assert file.read() == "from the host"
        with running.open("/flash/note.txt", "w") as file:
            file.write("from the board")
    with open_image(board.host) as target:
        assert target.read_bytes("/flash/note.txt") == b"from the board"


def test_folder_that_is_no_board_is_refused(tmp_path: Path, board: Place) -> None:
    with pytest.raises(BoardError, match=r"is not a board: it has no board\.toml"):
        open_image(tmp_path)
    (board.host / "board.toml").write_text("format = 'x'")
    with pytest.raises(BoardConfigError):
        open_image(board.host)


def test_flash_of_another_size_is_refused(board: Place) -> None:
    flash = board.host / "flash.bin"
    flash.write_bytes(flash.read_bytes()[:-4096])
    for writable in (False, True):
        with pytest.raises(TargetError, match="the board's chip has 1048576"):
            open_image(board.host, "r+" if writable else "r")
    flash.unlink()
    with pytest.raises(FileNotFoundError):
        open_image(board.host)


def test_unmountable_board_has_the_hint_that_it_formats(board: Place) -> None:
    flash = board.host / "flash.bin"
    flash.write_bytes(b"\x5a" * 0x100000)
    before = snapshot(board.host)
    with pytest.raises(NoFileSystemError, match="does not mount") as caught:
        open_mounted(board.host)
    assert "formats it when it starts" in str(caught.value.hint)
    assert snapshot(board.host) == before
    with pytest.raises(NoFileSystemError):
        open_mounted(board.host, "r+")
    assert flash.read_bytes() == b"\x5a" * 0x100000


def test_mkfs_on_a_board_with_files_needs_force(board: Place) -> None:
    with pytest.raises(FileExistsError, match="is not blank"):
        make_image(board.host, SMALL)
    with pytest.raises(UsageError, match=r"is the one in its board\.toml"):
        make_image(board.host, PRESETS["esp-idf"], force=True)
    before = (board.host / "flash.bin").read_bytes()
    make_image(board.host, SMALL, force=True)
    after = (board.host / "flash.bin").read_bytes()
    assert before[: SMALL.base] == after[: SMALL.base]
    assert sum(wear_of(board)) == SMALL.size >> 12
    with open_image(board.host) as target:
        assert target.scandir() == []
    assert FILES[b"/main.py"] not in after[SMALL.base :]


def test_commit_of_a_board_includes_its_settings(tmp_path: Path) -> None:
    board = make_board(tmp_path, SMALL, 0x100000)
    with open_image(board.host, "r+") as image:
        assert image.config is not None
        old = image.config
        new = replace(old, ignore_firmware=not old.ignore_firmware)
        with pytest.raises(KeyError), image.transaction():
            image.config = new
            raise KeyError
        assert image.config == old and not image.changed
        image.config = new
        image.discard()
        assert image.config == old
        image.config = new
        image.write_bytes("/flash/new", b"new")
        assert [Path(written.path).name for written in image.commit()] == [
            "flash.bin",
            "board.toml",
        ]
        assert not image.changed
    with open_image(board.host) as image:
        assert image.config == new and image.read_bytes("/flash/new") == b"new"
        with pytest.raises(ReadOnlyError):
            image.config = old
