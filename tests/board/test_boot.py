"""Power-on does what the firmware does, in its order."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from board.desk import SMALL, SMALL_FLASH, Desk
from maixfs.board import Board, Started
from maixfs.board.boot import DEFAULT_MAIN
from maixfs.board.runtime import choose_start_folder
from maixfs.nor.chip import NorChip
from maixfs.vfs import Vfs

HELLO = Path(__file__).parents[2] / "examples" / "hello_flash.py"

FORMATTED = (
    "[MAIXPY]:Spiffs Unmount.\n"
    "[MAIXPY]:Spiffs Formating...\n"
    "[MAIXPY]:Spiffs Format successful \n"
    "[MAIXPY]:Spiffs Mount successful \n"
)
FREQ_CONF = bytes.fromhex("0084d717 0084d717 01000000 00000800")


@pytest.mark.parametrize("driver", ["maixpy", "literal", "ideal"])
def test_the_documented_program_and_a_board_that_remembers(tmp_path: Path, driver: str) -> None:
    desk = Desk(tmp_path / "board")
    Board.create(desk.folder, driver=driver)  # as large as the real one
    first = desk.run(HELLO)
    assert first.out == (
        "files: ['freq.conf', 'main.py']\n"
        "files: ['freq.conf', 'main.py', 'test.txt']\n"
        "read: hello text\n"
    )
    assert first.err == FORMATTED
    second = desk.run(HELLO)
    assert second.out == (
        "files: ['freq.conf', 'main.py', 'test.txt']\n" * 2 + "read: hello text\n"
    )
    assert second.err == ""


def test_a_flasher_takes_the_image_as_it_is(desk: Desk) -> None:
    desk.run("")
    assert (desk.folder / "flash.bin").stat().st_size == SMALL_FLASH


def test_the_boot_log_has_what_the_firmware_prints(desk: Desk) -> None:
    log = io.StringIO()
    desk.run("", boot_log=log)
    said, _, printed = log.getvalue().partition("\n")
    assert said == "maixfs: no firmware is on the flash: the board runs the one that maixfs brings"
    assert printed == FORMATTED + (
        "[MAIXPY] Pll0:freq:800000000\r\n"
        "[MAIXPY] Pll1:freq:400000000\r\n"
        "[MAIXPY] Pll2:freq:45158400\r\n"
        "[MAIXPY] cpu:freq:400000000\r\n"
        "[MAIXPY] kpu:freq:400000000\r\n"
        f"[MAIXPY] Flash:0xef:{desk_device(desk)}\r\n"
        "[MaixPy] init end\r\n"
    )


def desk_device(desk: Desk) -> str:
    with desk.on() as board:
        return f"0x{board.chip.part.device[1]:02x}"


def test_freq_conf_is_written_as_the_firmware_writes_it(desk: Desk) -> None:
    assert desk.get("freq.conf") == FREQ_CONF


@pytest.mark.parametrize(
    ("content", "record"),
    [
        (FREQ_CONF.hex(), (400_000_000, 400_000_000, 1, 0x80000)),
        ("ffffffff ffffffff 02000000 00001000", (600_000_000, 1_200_000_000, 2, 0x100000)),
        ("00000000 00000000 00000000 00000000", (26_000_000, 26_000_000, 1, 0x80000)),
        ("0065cd1d", (500_000_000, 400_000_000, 1, 0x80000)),
        ("0084d717 0084d717 01000000 00000200 ffff", (400_000_000, 400_000_000, 1, 0x20000)),
    ],
    ids=["default", "too fast", "all zero", "cut short", "too long"],
)
def test_freq_conf_is_read_and_clamped(desk: Desk, content: str, record: tuple[int, ...]) -> None:
    desk.put("freq.conf", bytes.fromhex(content))
    with desk.on() as board:
        assert board.runtime.freq == record


def test_an_empty_freq_conf_is_reported_and_left(desk: Desk) -> None:
    desk.put("freq.conf", b"")
    said = desk.run("import Maix\nprint(Maix.freq.get())")
    assert said.out == "(400, 400)\n"
    assert said.err == "maixpy can't load freq.conf\t\r\n"
    assert desk.get("freq.conf") == b""


def test_a_heap_that_does_not_fit_becomes_128_kib(desk: Desk) -> None:
    desk.put("freq.conf", FREQ_CONF[:12] + (0x4000000).to_bytes(4, "little"))
    said = desk.run("import gc\nprint(gc.mem_free() + gc.mem_alloc())")
    assert said.out == "131072\n"
    assert said.err.startswith("GC heap size 67108864 is too large, reset GC heap size")


def test_a_default_main_is_written_and_ones_own_is_kept(desk: Desk) -> None:
    assert desk.get("main.py") == DEFAULT_MAIN
    desk.put("main.py", "print('mine')")
    assert desk.run().out == "mine\n"
    assert desk.get("main.py") == b"print('mine')"


def test_boot_then_main(desk: Desk) -> None:
    desk.put("boot.py", "print('boot')")
    desk.put("main.py", "print('main')")
    assert desk.run().out == "boot\nmain\n"
    assert desk.run("print('in its place')").out == "boot\nin its place\n"


@pytest.mark.parametrize("end", ["1/0", "import sys\nsys.exit()", "raise KeyboardInterrupt"])
def test_main_runs_whatever_became_of_boot(desk: Desk, end: str) -> None:
    desk.put("boot.py", end)
    said = desk.run("print('main')")
    assert said.out.endswith("main\n")
    assert said.result.exit_code == 0


def test_a_broken_main_prints_a_traceback(desk: Desk) -> None:
    desk.put("main.py", "x = 1\nprint('unclosed'\n")
    said = desk.run()
    assert said.result.exit_code == 1
    assert said.out.endswith("\nSyntaxError: invalid syntax\n")
    assert said.out.startswith('Traceback (most recent call last):\n  File "main.py", line ')


def test_a_main_that_is_not_utf8_prints_a_traceback(desk: Desk) -> None:
    desk.put("main.py", b"a = 1\nb = '\xff'\n")
    assert 'File "main.py", line 2\nSyntaxError' in desk.run().out


def test_the_mark_of_the_ide_is_removed_and_nothing_runs(desk: Desk) -> None:
    desk.put("ide_mode.conf", b"")
    with desk.on() as board:
        assert board.started is Started.IDE_MODE
        assert board.run("print('never')").exit_code == 1
        assert "IDE mode" in desk.err.getvalue()
    assert desk.out.getvalue() == ""
    assert desk.run("print('again')").out == "again\n"


def test_folder_and_path_at_the_start(desk: Desk) -> None:
    said = desk.run("import uos, sys\nprint(uos.getcwd(), sys.path, uos.listdir('/'))")
    assert said.out == "/flash ['', '.', '/flash'] ['flash']\n"


def test_a_card_takes_the_place_of_the_flash() -> None:
    class Card:
        def chdir(self, path: str) -> None:
            pass

        def getcwd(self) -> str:
            return "/"

    vfs = Vfs()
    path: list[str] = []
    vfs.attach(Card(), "/flash")
    vfs.attach(Card(), "/sd")
    choose_start_folder(vfs, path)
    assert (vfs.getcwd(), path) == ("/sd", ["", ".", "/sd", "/flash"])


def test_a_full_flash_stops_the_board_in_boot(desk: Desk) -> None:
    fill = "try:\n  while 1: f.write(bytes(4000))\nexcept OSError as e: print(e)\n"
    said = desk.run(f"import uos\nuos.remove('main.py')\nf = open('fill', 'wb')\n{fill}")
    assert said.out == "[Errno 5] EIO\n"
    said = desk.run("print('never')")
    assert said.out.startswith('Traceback (most recent call last):\n  File "_boot.py", line ')
    assert "\nOSError: [Errno " in said.out
    assert said.result.exit_code == 1
    assert "nothing was run" in said.err


# What was there before a format


def damaged(desk: Desk) -> bytes:
    """Make the area unmountable; return its bytes."""
    desk.run("")
    path = desk.folder / "flash.bin"
    image = bytearray(path.read_bytes())
    for block in range(SMALL.base, SMALL.base + SMALL.size, SMALL.block_size):
        image[block : block + SMALL.page_size] = b"\x55" * SMALL.page_size
    path.write_bytes(image)
    return bytes(image[SMALL.base : SMALL.base + SMALL.size])


def test_an_area_that_does_not_mount_is_kept_before_it_is_formatted(desk: Desk) -> None:
    old = damaged(desk)
    said = desk.run("import uos\nprint(uos.listdir())")
    assert said.out == "['freq.conf', 'main.py']\n"
    kept = list(desk.folder.glob("spiffs-*.bin"))
    assert [path.read_bytes() for path in kept] == [old]
    assert said.err == f"maixfs: the old contents of /flash are kept in {kept[0]}\n{FORMATTED}"


def test_a_blank_area_is_not_kept(desk: Desk) -> None:
    desk.run("")
    assert not list(desk.folder.glob("spiffs-*.bin"))


def test_nothing_is_formatted_where_it_cannot_be_kept(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = damaged(desk)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(Exception, match="No space left on device"), desk.on():
        raise AssertionError("it must not start")
    monkeypatch.undo()
    image = (desk.folder / "flash.bin").read_bytes()
    assert image[SMALL.base : SMALL.base + SMALL.size] == old
    assert not list(desk.folder.glob("spiffs-*"))


def test_a_board_from_a_dump_has_its_files(desk: Desk, tmp_path: Path) -> None:
    desk.put("kept.txt", "from the dump")
    copy = Desk(tmp_path / "copy")
    copy.create(flash_size=None, from_dump=desk.folder / "flash.bin")
    assert copy.get("kept.txt") == b"from the dump"
    assert copy.err.getvalue() == ""
    assert copy.folder.joinpath("board.toml").exists()


def test_a_dump_that_the_board_cannot_mount_is_kept_before_it_is_formatted(
    desk: Desk, tmp_path: Path
) -> None:
    desk.put("kept.txt", "from the dump")
    old = (desk.folder / "flash.bin").read_bytes()
    other = Desk(tmp_path / "other")
    shifted = replace(SMALL, base=SMALL.base - SMALL.page_size)
    other.create(from_dump=desk.folder / "flash.bin", geometry=shifted)
    assert "are kept in" in other.run("").err
    (kept,) = other.folder.glob("spiffs-*.bin")
    assert kept.read_bytes() == old[shifted.base :][: shifted.size]


def test_a_start_writes_nothing_where_nothing_is_new(desk: Desk) -> None:
    desk.run("")
    before = (desk.folder / "flash.bin").read_bytes()
    desk.run("")
    assert (desk.folder / "flash.bin").read_bytes() == before


def test_wear_is_counted_across_starts(desk: Desk) -> None:
    desk.run("")
    with NorChip.open(
        desk.folder / "flash.bin", read_only=True, wear_path=desk.folder / "wear.bin"
    ) as chip:
        first = chip.wear.total()
    assert first > 0
    desk.run("import uos\nuos.flash_format()")
    with desk.on() as board:
        assert board.chip.wear.total() > first


# config.json


def test_values_of_config_json(desk: Desk) -> None:
    ask = "import Maix\nprint(Maix.config.get_value('a', None), Maix.config.get_value('b', 7))"
    assert desk.run(ask).out == "None 7\n"
    desk.put("config.json", '{"a": [1, 2]}')
    assert desk.run(ask).out == "[1, 2] 7\n"


def test_a_broken_config_json_is_printed_at_the_start(desk: Desk) -> None:
    desk.put("config.json", "{'a'")
    assert desk.run("").out == "ValueError: syntax error in JSON\n"
