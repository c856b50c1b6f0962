"""Boards made and run from the command line."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from kmodel.make_models import make_v3
from maixfs.board import BoardConfig
from maixfs.firmware import wrap

from .conftest import FILES, Run, command_line, run_process

ReadJson = Callable[..., dict[str, Any]]

SMALL_BOARD = ["--flash-size", "1M", "--geometry", "maixpy,base=0x40000,size=0xA0000"]
HELLO = """\
import uos
print("files:", uos.listdir("/flash"))
with open("/flash/test.txt", "w") as f:
    f.write("hello text")
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty current directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@contextmanager
def powered_on(board: str) -> Iterator[int]:
    """Have another process power a board on; gives its number."""
    code = (
        "import sys, os\nfrom maixfs.board import Board\n"
        "with Board.open(sys.argv[1]):\n print(os.getpid(), flush=True)\n sys.stdin.read()\n"
    )
    line = [sys.executable, "-c", code, board]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdin is not None
        yield int(process.stdout.readline())
        process.stdin.close()


def test_new_board_runs_a_script(run: Run, here: Path) -> None:
    text = run("new", *SMALL_BOARD).stdout
    assert text.startswith("made board: flash W25Q128FW, 1.0 MiB, blank, SPIFFS at 0x040000;")
    assert text.endswith("next: maixfs run SCRIPT\n")
    Path("hello.py").write_text(HELLO)
    first = run("run", "hello.py")
    assert first.stdout == "files: ['freq.conf', 'main.py']\n"
    assert "Spiffs Formating" in first.stderr
    again = run("run", "hello.py")
    assert again.stdout == "files: ['freq.conf', 'main.py', 'test.txt']\n"
    assert again.stderr == ""
    assert run("cat", ":test.txt").stdout == "hello text"


def test_run_makes_a_board_where_none_is(run: Run, here: Path) -> None:
    Path("hello.py").write_text(HELLO)
    result = run("run", "hello.py", "--board", "mine")
    assert "note: made board mine: flash W25Q128FW, 16.0 MiB\n" in result.stderr
    assert "note: its flash holds no firmware" in result.stderr
    assert Path("mine/flash.bin").stat().st_size == 16 << 20


def test_run_takes_a_whole_board(run: Run, place: Path) -> None:
    assert "use the whole target, board" in run("run", "--board", "board:/flash", code=2).stderr
    assert not Path("board:").exists()
    assert run("run", "--board", "board:").stdout == "hello\n"


def test_run_of_nothing_makes_nothing(run: Run, here: Path) -> None:
    assert "nope.py does not exist" in run("run", "nope.py", code=1).stderr
    assert not Path("board").exists()


def test_new_takes_all_options(run: Run, place: Path) -> None:
    run("new", "other", "--from-dump", "dump.bin", "--driver", "ideal", "--part", "GD25LQ128C",
        *SMALL_BOARD[2:])  # fmt: skip
    config = BoardConfig.load("other")
    assert (config.part, config.driver, config.flash_size) == ("GD25LQ128C", "ideal", 1 << 20)
    assert run("cat", "other:photo.bin").stdout_bytes == FILES["/flash/photo.bin"]


def test_new_makes_a_card(run: Run, here: Path, read_json: ReadJson) -> None:
    assert "card sd.img" in run("new", "board", "--sd", "64M").stdout
    assert run("ls", "board:/sd").stdout == ""
    assert "board/sd.img" in run("new", "other", "--sd", "board/sd.img").stdout
    assert read_json("new", "third", "--sd", "40M")["sd"] == "sd.img"
    assert "none.img" in run("new", "fourth", "--sd", "none.img", code=1).stderr
    assert not (here / "fourth").exists()


def test_new_refuses_wrong_values(run: Run, place: Path) -> None:
    assert "exists already" in run("new", code=1).stderr
    assert "known are" in run("new", "x", "--part", "nope", code=1).stderr
    assert "--driver: 'fast' is not one of" in run("new", "x", "--driver", "fast", code=2).stderr
    assert "nope does not exist" in run("new", "x", "--from-dump", "nope", code=1).stderr
    bare = run("new", "x", "--from-dump", "esp.img", code=2).stderr
    assert "esp.img is a single file system" in bare
    assert "hint: maixfs new x\n  hint: maixfs cp -r esp.img: x:" in bare
    assert "use the whole target, board" in run("new", "board:/x", code=2).stderr
    assert not Path("x").exists()
    assert not Path("board:").exists()


def test_new_of_a_small_flash_says_how(run: Run, here: Path) -> None:
    for option, size in (("--flash-size", "8M"), ("--part", "W25Q64FW")):
        error, _, hint = run("new", "x", option, size, code=2).stderr.splitlines()
        assert error.endswith("ends at 0x1000000, beyond a flash of 0x800000 bytes")
        asked = hint[hint.index("--geometry") :].split()[:2]
        assert "SPIFFS at 0x500000" in run("new", f"x{size}", option, size, *asked).stdout


def test_new_from_a_dump_takes_the_geometry_that_it_finds(
    run: Run, place: Path, read_json: ReadJson
) -> None:
    made = run("new", "other", "--from-dump", "dump.bin").stdout
    assert ", as in dump.bin, SPIFFS at 0x040000; driver maixpy\n" in made
    assert run("ls", "other").stdout == run("ls", "board").stdout
    document = read_json("new", "third", "--from-dump", "dump.bin")
    assert set(document) == {
        "board",
        "from_dump",
        "part",
        "flash_size",
        "driver",
        "geometry",
        "sd",
    }
    assert (document["board"], document["flash_size"]) == ("third", 0x100000)
    assert document["geometry"]["base"] == 0x40000
    Path("blank.bin").write_bytes(b"\xff" * (16 << 20))
    assert read_json("new", "b", "--from-dump", "blank.bin")["geometry"]["base"] == 0xD00000


def test_run_without_a_script_starts_main(run: Run, place: Path) -> None:
    assert run("run").stdout == "hello\n"


def test_run_takes_a_script_from_stdin(run: Run, place: Path) -> None:
    assert run("run", "-", input="print(1 + 1)").stdout == "2\n"
    assert run("run", "-", input="dump.bin", code=1).stdout.startswith("Traceback")


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("import sys\nsys.exit(3)", 3),
        ("import sys\nsys.exit()", 0),
        ("open('/flash/nope')", 1),
        ("def f(:", 1),
    ],
)
def test_exit_code_of_run_is_that_of_the_script(
    script: str, code: int, run: Run, place: Path
) -> None:
    Path("script.py").write_text(script)
    run("run", "script.py", code=code)


def test_errors_of_the_script_are_in_the_board_s_words(run: Run, place: Path) -> None:
    Path("script.py").write_text("open('/flash/nope')\n")
    result = run("run", "script.py", code=1)
    assert result.stdout.splitlines()[-1] == "OSError: [Errno 2] ENOENT"
    assert result.stderr == ""


def test_quirks_are_explained_once_when_asked_for(run: Run, place: Path) -> None:
    Path("script.py").write_text(
        "for _ in range(3):\n    open('/flash/main.py', 'x').close()\nprint('done')\n"
    )
    assert run("run", "script.py").stderr == ""
    result = run("run", "script.py", "--explain-quirks")
    assert result.stdout == "done\n"
    assert result.stderr.count("quirk: ") == 1
    assert "main.py" in result.stderr


def test_boot_log_is_printed_on_request(run: Run, place: Path) -> None:
    result = run("run", "--boot-log")
    assert result.stdout == "hello\n"
    assert "[MaixPy] init end" in result.stderr


def test_run_prints_times_of_storage_and_models(run: Run, place: Path) -> None:
    model = make_v3(body=4096)
    with Path("board/flash.bin").open("r+b") as flash:
        flash.seek(0x10000)
        flash.write(model)
    Path("script.py").write_text("import KPU\nprint(KPU.load(0x10000).model_size())\n")
    result = run("run", "--times", "script.py")
    assert result.stdout == f"{len(model)}\n"
    total, load = result.stderr.splitlines()
    assert re.fullmatch(r"note: on a board: \d+\.\d ms for the flash, 0\.0 ms for the card", total)
    assert load == "note: kpu.load(0x10000): 12.1 KiB in 1.0 ms, 11.8 MiB per second"


def test_damaged_firmware_does_not_start(run: Run, place: Path) -> None:
    with Path("board/flash.bin").open("r+b") as flash:
        flash.write(wrap(bytes(100))[:-1] + b"x")
    result = run("run", code=1)
    assert "the board does not start: the firmware at 0x0 is damaged" in result.stderr
    assert "ignore_firmware" in result.stderr
    assert run("run", "--ignore-firmware").stdout == "hello\n"


def test_script_that_is_not_text_is_refused(run: Run, place: Path) -> None:
    Path("script.py").write_bytes(b"\xff\xfe")
    assert "not UTF-8" in run("run", "script.py", code=1).stderr


def test_run_of_a_folder_that_is_no_board_is_refused(run: Run, place: Path) -> None:
    assert "src is not a board" in run("info", "src", code=1).stderr
    Path("board/board.toml").write_text("format = 99\n")
    assert "board.toml: format is 99" in run("info", code=1).stderr
    assert "board.toml: format is 99" in run("run", code=1).stderr
    Path("board/board.toml").write_text("what = is this\n")
    assert "not TOML" in run("ls", code=1).stderr


def test_run_of_a_running_board_is_refused(run: Run, place: Path) -> None:
    with powered_on("board") as number:
        for line in (["run"], ["rm", ":main.py"], ["cp", "src/boot.py", ":"], ["gc"]):
            result = run(*line, code=1)
            assert result.stderr.startswith(f"error: board is powered on by process {number}\n")
            assert "hint: " in result.stderr
        looked = run("ls", "-1")
        assert "main.py" in looked.stdout.split()
        assert looked.stderr.startswith(f"note: board is powered on by process {number}: ")
    run("rm", ":main.py")


def test_output_is_there_before_the_script_ends(place: Path) -> None:
    Path("script.py").write_text("print('up')\nwhile True:\n    pass\n")
    line = command_line("run", "script.py")
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline().split() == [b"up"]
        process.kill()


def test_output_of_a_script_is_not_changed(place: Path) -> None:
    Path("script.py").write_bytes("print('é\\x1b[1m')\n".encode())
    done = run_process("run", "script.py")
    assert done.stdout.rstrip() == "é\x1b[1m".encode()


def test_one_of_two_new_boards_in_one_folder_wins(tmp_path: Path) -> None:
    line = command_line("new", str(tmp_path / "same"))
    both = [subprocess.Popen(line, stderr=subprocess.PIPE) for _ in range(2)]
    errors = [process.communicate(timeout=60)[1] for process in both]
    assert sorted(process.returncode for process in both) == [0, 1], errors
    assert run_process("ls", f"{tmp_path / 'same'}:").returncode == 0
