"""Power-on: the steps of the firmware, in its order."""

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
def test_documented_program_keeps_its_data_over_power_off(tmp_path: Path, driver: str) -> None:
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


def test_flash_image_is_accepted_by_a_flasher(desk: Desk) -> None:
    desk.run("")
    assert (desk.folder / "flash.bin").stat().st_size == SMALL_FLASH


def test_boot_log_equals_the_output_of_the_firmware(desk: Desk) -> None:
    log = io.StringIO()
    desk.run("", boot_log=log)
    output, _, printed = log.getvalue().partition("\n")
    assert (
        output == "maixfs: no firmware is on the flash: the board runs the one that maixfs brings"
    )
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


def test_freq_conf_has_the_bytes_of_the_firmware(desk: Desk) -> None:
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


def test_empty_freq_conf_is_reported_and_kept(desk: Desk) -> None:
    desk.put("freq.conf", b"")
    output = desk.run("import Maix\nprint(Maix.freq.get())")
    assert output.out == "(400, 400)\n"
    assert output.err == "maixpy can't load freq.conf\t\r\n"
    assert desk.get("freq.conf") == b""


def test_heap_larger_than_the_memory_becomes_128_kib(desk: Desk) -> None:
    desk.put("freq.conf", FREQ_CONF[:12] + (0x4000000).to_bytes(4, "little"))
    output = desk.run("import gc\nprint(gc.mem_free() + gc.mem_alloc())")
    assert output.out == "131072\n"
    assert output.err.startswith("GC heap size 67108864 is too large, reset GC heap size")


def test_default_main_is_written_only_if_main_is_missing(desk: Desk) -> None:
    assert desk.get("main.py") == DEFAULT_MAIN
    desk.put("main.py", "print('mine')")
    assert desk.run().out == "mine\n"
    assert desk.get("main.py") == b"print('mine')"


def test_boot_runs_before_main(desk: Desk) -> None:
    desk.put("boot.py", "print('boot')")
    desk.put("main.py", "print('main')")
    assert desk.run().out == "boot\nmain\n"
    assert desk.run("print('in its place')").out == "boot\nin its place\n"


@pytest.mark.parametrize("end", ["1/0", "import sys\nsys.exit()", "raise KeyboardInterrupt"])
def test_main_runs_after_a_failed_boot(desk: Desk, end: str) -> None:
    desk.put("boot.py", end)
    output = desk.run("print('main')")
    assert output.out.endswith("main\n")
    assert output.result.exit_code == 0


def test_failing_main_prints_a_traceback(desk: Desk) -> None:
    desk.put("main.py", "x = 1\nprint('unclosed'\n")
    output = desk.run()
    assert output.result.exit_code == 1
    assert output.out.endswith("\nSyntaxError: invalid syntax\n")
    assert output.out.startswith('Traceback (most recent call last):\n  File "main.py", line ')


def test_main_that_is_not_utf8_prints_a_traceback(desk: Desk) -> None:
    desk.put("main.py", b"a = 1\nb = '\xff'\n")
    assert 'File "main.py", line 2\nSyntaxError' in desk.run().out


def test_ide_mark_is_removed_and_no_program_runs(desk: Desk) -> None:
    desk.put("ide_mode.conf", b"")
    with desk.on() as board:
        assert board.started is Started.IDE_MODE
        assert board.run("print('never')").exit_code == 1
        assert "IDE mode" in desk.err.getvalue()
    assert desk.out.getvalue() == ""
    assert desk.run("print('again')").out == "again\n"


def test_start_sets_current_folder_and_sys_path(desk: Desk) -> None:
    output = desk.run("import uos, sys\nprint(uos.getcwd(), sys.path, uos.listdir('/'))")
    assert output.out == "/flash ['', '.', '/flash'] ['flash']\n"


def test_card_replaces_the_flash_as_current_folder() -> None:
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


def test_full_flash_stops_the_board_in_boot(desk: Desk) -> None:
    fill = "try:\n  while 1: f.write(bytes(4000))\nexcept OSError as e: print(e)\n"
    output = desk.run(f"import uos\nuos.remove('main.py')\nf = open('fill', 'wb')\n{fill}")
    assert output.out == "[Errno 5] EIO\n"
    output = desk.run("print('never')")
    assert output.out.startswith('Traceback (most recent call last):\n  File "_boot.py", line ')
    assert "\nOSError: [Errno " in output.out
    assert output.result.exit_code == 1
    assert "nothing was run" in output.err


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


def test_unmountable_area_is_copied_before_it_is_formatted(desk: Desk) -> None:
    old = damaged(desk)
    output = desk.run("import uos\nprint(uos.listdir())")
    assert output.out == "['freq.conf', 'main.py']\n"
    kept = list(desk.folder.glob("spiffs-*.bin"))
    assert [path.read_bytes() for path in kept] == [old]
    assert output.err == f"maixfs: the old contents of /flash are kept in {kept[0]}\n{FORMATTED}"


def test_blank_area_is_not_copied(desk: Desk) -> None:
    desk.run("")
    assert not list(desk.folder.glob("spiffs-*.bin"))


def test_area_that_cannot_be_copied_is_not_formatted(
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


def test_board_from_a_dump_has_the_files_of_the_dump(desk: Desk, tmp_path: Path) -> None:
    desk.put("kept.txt", "from the dump")
    copy = Desk(tmp_path / "copy")
    copy.create(flash_size=None, from_dump=desk.folder / "flash.bin")
    assert copy.get("kept.txt") == b"from the dump"
    assert copy.err.getvalue() == ""
    assert copy.folder.joinpath("board.toml").exists()


def test_unmountable_dump_is_copied_before_it_is_formatted(desk: Desk, tmp_path: Path) -> None:
    desk.put("kept.txt", "from the dump")
    old = (desk.folder / "flash.bin").read_bytes()
    other = Desk(tmp_path / "other")
    shifted = replace(SMALL, base=SMALL.base - SMALL.page_size)
    other.create(from_dump=desk.folder / "flash.bin", geometry=shifted)
    assert "are kept in" in other.run("").err
    (kept,) = other.folder.glob("spiffs-*.bin")
    assert kept.read_bytes() == old[shifted.base :][: shifted.size]


def test_second_start_writes_nothing(desk: Desk) -> None:
    desk.run("")
    before = (desk.folder / "flash.bin").read_bytes()
    desk.run("")
    assert (desk.folder / "flash.bin").read_bytes() == before


def test_wear_counts_are_kept_over_power_off(desk: Desk) -> None:
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


def test_config_json_gives_its_values(desk: Desk) -> None:
    ask = "import Maix\nprint(Maix.config.get_value('a', None), Maix.config.get_value('b', 7))"
    assert desk.run(ask).out == "None 7\n"
    desk.put("config.json", '{"a": [1, 2]}')
    assert desk.run(ask).out == "[1, 2] 7\n"


def test_invalid_config_json_is_printed_at_the_start(desk: Desk) -> None:
    desk.put("config.json", "{'a'")
    assert desk.run("").out == "ValueError: syntax error in JSON\n"
