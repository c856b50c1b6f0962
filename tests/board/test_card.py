"""A board with a card in its slot: what it mounts, runs and keeps."""

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
def test_good_partitions_are_mounted(desk: Desk, name: str, mounts: list[str]) -> None:
    put_in(desk, name)
    said = desk.run(WHERE)
    assert said.out == f"/sd ['', '.', '/sd', '/flash'] {['flash', *mounts]}\n"
    assert REFUSED not in said.err


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
def test_what_does_not_mount_is_explained_and_left(desk: Desk, name: str, why: str) -> None:
    image = put_in(desk, name)
    before = image.read_bytes()
    said = desk.run(WHERE)
    assert said.out == NOWHERE
    assert said.err.count(REFUSED) == 4
    remark = said.err.splitlines()[-1]
    assert remark.startswith("maixfs: the card in the slot is not mounted: ")
    assert re.search(why, remark)
    assert remark.endswith(f"; maixfs sd doctor {image} says more")
    assert image.read_bytes() == before


def test_the_second_good_partition_keeps_its_number(desk: Desk) -> None:
    image = put_in_new(desk, 4)
    with FileSectors(image, read_only=False) as card:
        table = bytearray(card.read(0, 1))
        for slot in (0, 2):
            table[446 + 16 * slot : 462 + 16 * slot] = bytes(16)
        card.write(0, table)
    assert desk.run("import uos\nprint(uos.listdir('/'))").out == "['flash', 'sd', 'sd4']\n"


def test_what_the_firmware_does_not_mount_is_explained(desk: Desk) -> None:
    put_in_new(desk, 2)
    assert "the firmware as it is released stops after /sd" in desk.run("", explain=True).err
    assert "released" not in desk.run("").err


def test_a_board_as_the_firmware_is_built_stops_after_the_first(desk: Desk) -> None:
    put_in_new(desk, 3)
    path = desk.folder / "board.toml"
    path.write_text(path.read_text(encoding="utf-8") + "mount_all = false\n", encoding="utf-8")
    assert desk.run("import uos\nprint(uos.listdir('/'))").out == "['flash', 'sd']\n"


def test_no_card_is_no_word(desk: Desk) -> None:
    log = io.StringIO()
    said = desk.run(WHERE, boot_log=log)
    assert said.out == NOWHERE
    assert said.err == ""
    assert "SD" not in log.getvalue()


@pytest.mark.parametrize("kind", ["MMC", "SDSC v1"])
def test_a_card_that_the_firmware_does_not_know(desk: Desk, kind: str) -> None:
    put_in_new(desk)
    path = desk.folder / "board.toml"
    path.write_text(path.read_text(encoding="utf-8") + f'kind = "{kind}"\n', encoding="utf-8")
    said = desk.run(WHERE)
    assert said.out == NOWHERE
    assert "maixfs: the card in the slot does not start: CMD" in said.err
    assert REFUSED not in said.err


# Programs


def test_the_documented_program_on_a_card(desk: Desk) -> None:
    put_in_new(desk)
    program = HELLO.read_text(encoding="utf-8").replace("/flash", "/sd")
    assert desk.run(program).out == (
        "files: ['main.py']\nfiles: ['main.py', 'test.txt']\nread: hello text\n"
    )
    assert desk.run(program).out == "files: ['main.py', 'test.txt']\n" * 2 + "read: hello text\n"


def test_main_and_boot_of_the_card_win(desk: Desk) -> None:
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


def test_the_default_main_goes_to_the_card(desk: Desk) -> None:
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
def test_a_cover_file_replaces_that_of_the_flash(desk: Desk, name: str) -> None:
    desk.put(name, "print('old')")
    put_in_new(desk)
    new = "print('neu: ä')\r\n"
    write(desk, f"/sd/cover.{name}", new)
    said = desk.run("import machine\nprint(machine.reset_cause() == machine.SOFT_RESET)")
    assert said.out == "True\n"
    assert f"/flash/{name} was replaced by the card's cover.{name}" in said.err
    assert read(desk, f"/flash/{name}") == new.encode()
    assert "was replaced" not in desk.err.getvalue()
    assert desk.run("import machine\nprint(machine.reset_cause())").out == "0\n"


def test_both_cover_files_take_two_restarts(desk: Desk) -> None:
    put_in_new(desk)
    write(desk, "/sd/cover.boot.py", "print('boot')")
    write(desk, "/sd/cover.main.py", "print('main')")
    with desk.on() as board:
        assert board.uos.listdir("/flash") == ["freq.conf", "boot.py", "main.py"]
    eject_card(desk.folder)
    assert desk.run().out == "boot\nmain\n"


def test_an_empty_cover_file_covers_what_is_there_only(desk: Desk) -> None:
    desk.put("main.py", "print('old')")
    put_in_new(desk)
    write(desk, "/sd/cover.boot.py", "")
    write(desk, "/sd/cover.main.py", "")
    with desk.on() as board:
        assert board.uos.listdir("/flash") == ["freq.conf", "main.py"]
        assert board.open("/flash/main.py").read() == ""


def test_a_cover_file_on_the_flash_is_a_file(desk: Desk) -> None:
    desk.put("cover.main.py", "print('cover')")
    desk.put("main.py", "print('main')")
    assert desk.run().out == "main\n"


def test_a_cover_file_that_does_not_fit_stops_the_board(desk: Desk) -> None:
    desk.put("main.py", "")
    put_in_new(desk)
    write(desk, "/sd/cover.main.py", "#" * (4 << 20))
    with desk.on() as board:
        assert board.run("print('never')").exit_code == 1
    out = desk.out.getvalue()
    assert out.startswith('Traceback (most recent call last):\n  File "_boot.py", line 136, in')
    assert "nothing was run" in desk.err.getvalue()


def test_a_cover_file_that_is_no_text(desk: Desk) -> None:
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


def test_a_board_that_restarts_itself_for_ever_is_stopped(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_in_new(desk)
    write(desk, "/sd/cover.main.py", "print('new')")
    monkeypatch.setattr(_BootScript, "_read", lambda _script, path, _line: path)
    with pytest.raises(BoardError, match="restarted itself 10 times"), desk.on():
        raise AssertionError("it must not start")
