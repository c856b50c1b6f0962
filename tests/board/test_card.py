"""A board that starts with a card: mounts, programs, cover files."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from board.cards import put_in, put_in_new
from board.desk import Desk
from maixfs.board import BoardError, eject_card
from maixfs.board.boot import DEFAULT_MAIN, _BootScript
from maixfs.sd.media import FileSectors

HELLO = Path(__file__).parents[2] / "examples" / "hello_flash.py"

WHERE = "import uos, sys\nprint(uos.getcwd(), sys.path, uos.listdir('/'))"
NOWHERE = "/flash ['', '.', '/flash'] ['flash']\n"
REFUSED = "PYB: can't mount SD card\n"

# What is mounted

MOUNTED = {
    "part1_0b": ["sd"],
    "part1_0c": ["sd"],
    "fat16": ["sd"],
    "fat12": ["sd"],
    "part2": ["sd", "sd2"],
    "part4": ["sd", "sd2", "sd3", "sd4"],
    "empty_first": ["sd"],
    "foreign_first": ["sd"],
    "extended": ["sd"],
    "part_past_end": ["sd"],
    "sparse128": ["sd"],
}


@pytest.mark.parametrize(("name", "mounts"), MOUNTED.items(), ids=MOUNTED)
def test_partitions_with_fat_are_mounted(desk: Desk, name: str, mounts: list[str]) -> None:
    put_in(desk, name)
    output = desk.run(WHERE)
    assert output.out == f"/sd ['', '.', '/sd', '/flash'] {['flash', *mounts]}\n"
    assert REFUSED not in output.err


NOT_MOUNTED = {
    "superfloppy": "no partition table: its one volume starts at sector 0",
    "superfloppy_ff": "no partition table: its one volume starts at sector 0",
    "exfat": "partition 1 .* does not start with a FAT boot sector",
    "ntfs": "partition 1 .* does not start with a FAT boot sector",
    "gpt": "partition 1 .* does not start with a FAT boot sector",
    "blank": "does not end in 55 AA",
    "no_55aa": "does not end in 55 AA",
    "bad_bpb": ".",
    "few_clusters": ".",
    "sector4096": ".",
}


@pytest.mark.parametrize(("name", "why"), NOT_MOUNTED.items(), ids=NOT_MOUNTED)
def test_unmountable_card_is_reported_and_not_changed(desk: Desk, name: str, why: str) -> None:
    image = put_in(desk, name)
    before = image.read_bytes()
    output = desk.run(WHERE)
    assert output.out == NOWHERE
    assert output.err.count(REFUSED) == 4
    remark = output.err.splitlines()[-1]
    assert remark.startswith("maixfs: the card in the slot is not mounted: ")
    assert re.search(why, remark)
    assert str(image) in remark
    assert image.read_bytes() == before


def test_partition_keeps_its_number_after_an_unmountable_one(desk: Desk) -> None:
    image = put_in_new(desk, 4)
    with FileSectors(image, read_only=False) as card:
        table = bytearray(card.read(0, 1))
        for slot in (0, 2):
            table[446 + 16 * slot : 462 + 16 * slot] = bytes(16)
        card.write(0, table)
    assert desk.run("import uos\nprint(uos.listdir('/'))").out == "['flash', 'sd', 'sd4']\n"


def test_card_that_the_firmware_refuses_is_reported(desk: Desk) -> None:
    put_in_new(desk, 2)
    assert "the firmware as it is released stops after /sd" in desk.run("", explain=True).err
    assert "released" not in desk.run("").err


def test_board_without_mount_all_mounts_one_partition(desk: Desk) -> None:
    put_in_new(desk, 3)
    path = desk.folder / "board.toml"
    path.write_text(path.read_text(encoding="utf-8") + "mount_all = false\n", encoding="utf-8")
    assert desk.run("import uos\nprint(uos.listdir('/'))").out == "['flash', 'sd']\n"


def test_empty_slot_prints_nothing(desk: Desk) -> None:
    log = io.StringIO()
    output = desk.run(WHERE, boot_log=log)
    assert output.out == NOWHERE
    assert output.err == ""
    assert "SD" not in log.getvalue()


@pytest.mark.parametrize("kind", ["MMC", "SDSC v1"])
def test_unknown_card_kind_does_not_start(desk: Desk, kind: str) -> None:
    put_in_new(desk)
    path = desk.folder / "board.toml"
    path.write_text(path.read_text(encoding="utf-8") + f'kind = "{kind}"\n', encoding="utf-8")
    output = desk.run(WHERE)
    assert output.out == NOWHERE
    assert "maixfs: the card in the slot does not start: CMD" in output.err
    assert REFUSED not in output.err


# Programs


def test_documented_program_runs_on_a_card(desk: Desk) -> None:
    put_in_new(desk)
    program = HELLO.read_text(encoding="utf-8").replace("/flash", "/sd")
    assert desk.run(program).out == (
        "files: ['main.py']\nfiles: ['main.py', 'test.txt']\nread: hello text\n"
    )
    assert desk.run(program).out == "files: ['main.py', 'test.txt']\n" * 2 + "read: hello text\n"


def test_main_and_boot_of_the_card_run_instead_of_the_flash(desk: Desk) -> None:
    for name in ("boot.py", "main.py"):
        desk.put(name, f"print('flash {name}')")
    put_in_new(desk)
    assert desk.run().out == ""
    write(desk, "/sd/main.py", "print('card main.py')\nimport mine")
    write(desk, "/sd/mine.py", "print('card mine.py')")
    assert desk.run().out == "card main.py\ncard mine.py\n"
    write(desk, "/sd/boot.py", "print('card boot.py')")
    assert desk.run("import mine").out == "card boot.py\ncard mine.py\n"
    eject_card(desk.folder)
    assert desk.run().out == "flash boot.py\nflash main.py\n"


def test_default_main_is_written_to_the_card(desk: Desk) -> None:
    put_in_new(desk)
    assert read(desk, "/sd/main.py") == DEFAULT_MAIN
    with desk.on() as board:
        assert board.uos.listdir("/flash") == ["freq.conf"]


def write(desk: Desk, path: str, content: bytes | str) -> None:
    with desk.on() as board, board.open(path, "wb") as file:
        file.write(content)


def read(desk: Desk, path: str) -> bytes:
    with desk.on() as board, board.open(path, "rb") as file:
        return bytes(file.read())


@pytest.mark.parametrize("name", ["boot.py", "main.py"])
def test_cover_file_replaces_the_file_on_the_flash(desk: Desk, name: str) -> None:
    desk.put(name, "print('old')")
    put_in_new(desk)
    new = "print('neu: ä')\r\n"
    write(desk, f"/sd/cover.{name}", new)
    output = desk.run("import machine\nprint(machine.reset_cause() == machine.SOFT_RESET)")
    assert output.out == "True\n"
    assert f"/flash/{name} was replaced by the card's cover.{name}" in output.err
    assert read(desk, f"/flash/{name}") == new.encode()
    assert "was replaced" not in desk.err.getvalue()
    assert desk.run("import machine\nprint(machine.reset_cause())").out == "0\n"


def test_two_cover_files_take_two_restarts(desk: Desk) -> None:
    put_in_new(desk)
    write(desk, "/sd/cover.boot.py", "print('boot')")
    write(desk, "/sd/cover.main.py", "print('main')")
    with desk.on() as board:
        assert board.uos.listdir("/flash") == ["freq.conf", "boot.py", "main.py"]
    eject_card(desk.folder)
    assert desk.run().out == "boot\nmain\n"


def test_empty_cover_file_replaces_only_an_existing_file(desk: Desk) -> None:
    desk.put("main.py", "print('old')")
    put_in_new(desk)
    write(desk, "/sd/cover.boot.py", "")
    write(desk, "/sd/cover.main.py", "")
    with desk.on() as board:
        assert board.uos.listdir("/flash") == ["freq.conf", "main.py"]
        assert board.open("/flash/main.py").read() == ""


def test_cover_file_on_the_flash_is_an_ordinary_file(desk: Desk) -> None:
    desk.put("cover.main.py", "print('cover')")
    desk.put("main.py", "print('main')")
    assert desk.run().out == "main\n"


def test_cover_file_that_does_not_fit_stops_the_board(desk: Desk) -> None:
    desk.put("main.py", "")
    put_in_new(desk)
    write(desk, "/sd/cover.main.py", "#" * (4 << 20))
    with desk.on() as board:
        assert board.run("print('never')").exit_code == 1
    out = desk.out.getvalue()
    assert out.startswith('Traceback (most recent call last):\n  File "_boot.py", line 136, in')
    assert "nothing was run" in desk.err.getvalue()


def test_cover_file_that_is_not_text_stops_the_board(desk: Desk) -> None:
    put_in_new(desk)
    write(desk, "/sd/cover.boot.py", b"\xff")
    assert read(desk, "/flash/boot.py") == b"\xff"
    write(desk, "/sd/cover.main.py", b"\xff")
    path = desk.folder / "board.toml"
    modern = path.read_text(encoding="utf-8").replace('profile = "maixpy"', 'profile = "modern"')
    path.write_text(modern, encoding="utf-8")
    assert desk.run("print('never')").out == (
        'Traceback (most recent call last):\n  File "_boot.py", line 118, in <module>\n'
        "UnicodeError: \n"
    )


def test_endless_restarts_raise_board_error(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    put_in_new(desk)
    write(desk, "/sd/cover.main.py", "print('new')")
    monkeypatch.setattr(_BootScript, "_read", lambda _script, path, _line: path)
    with pytest.raises(BoardError, match="restarted itself 10 times"), desk.on():
        raise AssertionError("it must not start")
