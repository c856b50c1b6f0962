"""The card in the slot of a board, beside its flash."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from image.cards import FILES, make_card
from image.places import FILES as FLASH_FILES
from image.places import SMALL, make_board, snapshot
from maixfs.board import Board, BoardBusyError, BoardConfig
from maixfs.image.boardconfig import SdConfig
from maixfs.image.boardlock import BoardLock
from maixfs.image.entries import Kind
from maixfs.image.errors import MissingError, NoFileSystemError, TargetError
from maixfs.image.media import finish_board_journal
from maixfs.image.opening import open_image
from maixfs.image.report import make_report
from maixfs.transfer.copying import CopyOptions, copy_files
from maixfs.transfer.unpacking import unpack_files


def with_card(folder: Path, *fat_types: int, **options: object) -> Path:
    board = make_board(folder, SMALL, 0x100000).host
    make_card(board / "sd.img", *fat_types)
    put_in(board, **options)
    return board


def put_in(board: Path, **options: object) -> None:
    from dataclasses import replace

    config = BoardConfig.load(board)
    replace(config, sd=SdConfig("sd.img", **options)).save(board)  # type: ignore[arg-type]


@pytest.fixture
def board(tmp_path: Path) -> Path:
    return with_card(tmp_path, 32, 16, 12)


def test_board_shows_flash_and_card_as_one_tree(board: Path) -> None:
    with open_image(board) as target:
        assert target.kind is Kind.BOARD
        assert target.mount_point == "/flash"
        assert [entry.path for entry in target.scandir("/")] == ["/flash", "/sd", "/sd2", "/sd3"]
        files = {
            e.path: target.read_bytes(e.path)
            for e in target.scandir("/", recursive=True)
            if not e.is_dir
        }
        flash = {f"/flash{name.decode()}": data for name, data in FLASH_FILES.items()}
        assert files == flash | {f"/sd{name}": data for name, data in FILES.items()}
        assert target.stat("/").size == sum(map(len, files.values()))
        found = {entry.path for entry in target.glob("/**/main.py")}
        assert found == {"/flash/main.py", "/sd/main.py"}
        assert {e.path for e in target.glob("/sd/*.PY")} == {"/sd/main.py"}
        assert [volume.mount.point for volume in target.volumes.all()] == [
            "/flash",
            "/sd",
            "/sd2",
            "/sd3",
        ]


def test_session_writes_flash_and_card(board: Path) -> None:
    with open_image(board, "r+") as target:
        target.write_bytes("/flash/x", b"1")
        target.write_bytes("/sd/x", b"2")
        target.write_bytes("/sd3/Folder/x", b"3")
        with pytest.raises(Exception, match="nothing can be renamed from /sd to /flash"):
            target.rename("/sd/x", "/flash/y")
        written = target.commit()
        assert [Path(one.path).name for one in written] == ["sd.img", "flash.bin"]
        assert target.commit() == []
        target.remove_all([target.stat("/flash/x"), target.stat("/sd/x")])
    with open_image(f"{board}:/sd3") as target:
        assert target.read_bytes("/sd3/folder/X") == b"3"
        assert not target.exists("/flash/x")
        assert not target.exists("/sd/x")


def test_copy_between_flash_and_card_keeps_contents(board: Path, tmp_path: Path) -> None:
    copy_files([f"{board}:/flash/lib"], f"{board}:/sd2/", CopyOptions(recursive=True))
    copy_files([f"{board}:/sd2/lib/a.py"], f"{board}:/flash/b.py")
    with open_image(board) as target:
        assert target.read_bytes("/flash/b.py") == FLASH_FILES[b"/lib/a.py"]
        unpack_files(target, "/", tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"flash", "sd", "sd2"} | (
        {"sd3"} if (tmp_path / "out" / "sd3").exists() else set()
    )
    assert (tmp_path / "out" / "sd2" / "lib" / "deep" / "b.bin").is_file()


def test_path_on_the_card_opens_the_card_alone(board: Path) -> None:
    (board / "flash.bin").write_bytes(b"no flash at all")
    with open_image(f"{board}:/sd/main.py") as target:
        assert target.read_bytes("/sd/main.py") == FILES["/main.py"]
    with pytest.raises(TargetError, match="the board's chip has"):
        open_image(board)


def test_path_on_the_flash_opens_the_flash_alone(board: Path) -> None:
    (board / "sd.img").write_bytes(bytes(1 << 20))
    with open_image(board) as target:
        assert target.read_bytes("/flash/main.py") == FLASH_FILES[b"/main.py"]
        assert [entry.path for entry in target.scandir("/")] == ["/flash"]
        with pytest.raises(NoFileSystemError, match="blank"):
            target.scandir("/sd")


def test_board_mounts_no_card_without_a_table(tmp_path: Path) -> None:
    board = make_board(tmp_path, SMALL, 0x100000).host
    make_card(board / "sd.img", 16, superfloppy=True)
    put_in(board)
    with open_image(board) as target, pytest.raises(NoFileSystemError, match="does not mount"):
        target.read_bytes("/sd/main.py")


def test_path_on_an_empty_slot_raises_missing_error(tmp_path: Path) -> None:
    board = make_board(tmp_path, SMALL, 0x100000).host
    with open_image(board, "r+") as target:
        with pytest.raises(MissingError, match="no card in this board"):
            target.read_bytes("/sd/main.py")
        with pytest.raises(MissingError, match="no card in this board"):
            target.write_bytes("/sd/main.py", b"")


def test_unmounted_partition_has_no_path(tmp_path: Path) -> None:
    board = with_card(tmp_path, 32, 16, mount_all=False)
    with open_image(board) as target:
        assert [entry.path for entry in target.scandir("/")] == ["/flash", "/sd"]
        with pytest.raises(MissingError):
            target.scandir("/sd2")


def test_protected_card_is_not_written(tmp_path: Path) -> None:
    board = with_card(tmp_path, 16, read_only=True)
    with open_image(board, "r+") as target:
        with pytest.raises(TargetError, match="write-protected"):
            target.write_bytes("/sd/x", b"1")
        target.write_bytes("/flash/x", b"1")
    with open_image(board) as target:
        assert target.read_bytes("/sd/main.py") == FILES["/main.py"]


def test_card_of_a_running_board_is_not_written(board: Path) -> None:
    with BoardLock(board):
        for place in (f"{board}:/sd", f"{board}/sd.img:/"):
            with pytest.raises(BoardBusyError):
                open_image(place, "r+")
        with open_image(f"{board}:/sd") as target:
            assert target.read_bytes("/sd/main.py") == FILES["/main.py"]
            assert target.holder is not None or sys.platform == "win32"


def test_looking_leaves_no_trace(board: Path) -> None:
    before = snapshot(board)
    with open_image(board) as target:
        target.scandir("/", recursive=True)
        make_report(target)
    assert snapshot(board) == before


def test_report_describes_the_card(board: Path) -> None:
    with open_image(board) as target:
        report = make_report(target)
    assert report.card is not None
    assert report.card.report.mountable
    assert report.as_dict()["card"]["card"]["table"] == "MBR"


def test_script_finds_files_that_were_put_on_the_card(
    board: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with open_image(f"{board}:/sd", "r+") as target:
        target.write_bytes("/sd/note.txt", b"from the host")
    assert not finish_board_journal(board)
    with Board.open(board) as powered:
        code = powered.run(
            "print(open('/sd/note.txt').read())\n"
            "with open('/sd/back.txt', 'w') as f:\n f.write('b')\n"
        )
    assert code.exit_code == 0
    assert "from the host" in capfd.readouterr().out
    with open_image(board) as target:
        assert target.read_bytes("/sd/back.txt") == b"b"


def test_paths_without_a_slash_start_on_flash(board: Path) -> None:
    with open_image(board) as target:
        assert target.absolute("main.py") == "/flash/main.py"
        assert {entry.path.split("/")[1] for entry in target.scandir(None)} <= {"flash"}
    with open_image(f"{board}:new.py", "r+") as target:
        assert target.write_bytes("new.py", b"1").path == "/flash/new.py"
