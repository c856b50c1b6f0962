"""How a run ends when something goes wrong: one line, a hint, an exit code, nothing half-done."""

from __future__ import annotations

import errno
import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import click
import pytest

from maixfs.board import BoardConfig
from maixfs.cli import failures
from maixfs.cli import main as main_module
from maixfs.cli.failures import FAILED, INTERRUPTED, WRONG_USAGE, WrongUsage, guarded
from maixfs.cli.screen import Screen, Settings
from maixfs.cli.verb import expanded, maixfs
from maixfs.errors import DeviceError, ImageError, MaixfsError, UsageError
from maixfs.host.drafts import Draft
from maixfs.image.image import Image
from maixfs.image.spiffsvolume import SpiffsVolume
from maixfs.spiffs.errors import Code, spiffs_error

from .conftest import Run, command_line, run_process
from .test_look import damage_photo, snapshot

POSIX = pytest.mark.skipif(os.name == "nt", reason="signals and pipes of POSIX")


def raising(error: BaseException) -> Callable[..., None]:
    def fail(*_arguments: object, **_named: object) -> None:
        raise error

    return fail


def wrapped(error: BaseException) -> RuntimeError:
    """Return what Python makes of an exception while it builds a class."""
    outer = RuntimeError("Error calling __set_name__")
    outer.__cause__ = error
    return outer


def test_error_of_a_driver_is_not_taken_for_a_closed_pipe() -> None:
    driver = spiffs_error(Code.NOT_READABLE)
    driver.errno = errno.EINVAL
    assert isinstance(driver, OSError)
    assert not failures._pipe_closed(driver, windows=True)
    assert failures._pipe_closed(OSError(errno.EINVAL, "Invalid argument"), windows=True)
    assert not failures._pipe_closed(OSError(errno.EINVAL, "", "x.bin"), windows=True)


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (MaixfsError("it broke", hint="mend it"), 1, "error: it broke\n  hint: mend it\n"),
        (ImageError("bad image"), 1, "error: bad image\n"),
        (UsageError("cannot be"), 2, "error: cannot be\n"),
        (MaixfsError("a\x1b[2Jb\nc"), 1, "error: a\\x1b[2Jb\\x0ac\n"),
        (MaixfsError("\udcff"), 1, "error: \\xff\n"),
        (WrongUsage("no", hint="do"), 2, "error: no\n  hint: do\n"),
        (click.UsageError("No such thing."), 2, "error: no such thing\n  hint: maixfs --help\n"),
        (click.ClickException("hm"), 1, "error: hm\n"),
        (
            PermissionError(13, "Permission denied", "x.bin"),
            1,
            "error: x.bin: Permission denied\n",
        ),
        (OSError(28, "No space"), 1, "error: the output cannot be written: No space\n"),
        (MemoryError(), 1, "error: out of memory\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (wrapped(KeyboardInterrupt()), 130, "interrupted\n"),
        (click.Abort(), 130, "interrupted\n"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_errors_have_one_line_and_a_code(
    error: BaseException, code: int, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert guarded(raising(error), Settings({})) == code
    out, err = capsys.readouterr()
    assert (out, err) == ("", text)


def test_library_error_with_einval_is_not_a_closed_pipe_on_windows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(failures, "os", SimpleNamespace(name="nt"))
    error = DeviceError("0x10 is outside the chip", errno=errno.EINVAL)
    assert guarded(raising(error), Settings({})) == FAILED
    assert capsys.readouterr().err == "error: 0x10 is outside the chip\n"


@pytest.mark.parametrize(
    "error", [KeyError("k"), IndexError(), RecursionError("deep"), ValueError("x"), OSError("odd")]
)
def test_unexpected_exception_asks_for_a_report(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    assert guarded(raising(error), Settings({})) == FAILED
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith(f"error: this is a bug in maixfs: {type(error).__name__}: ")
    assert second.startswith("  hint: please report it")
    assert "--debug" in second


def test_unexpected_exception_names_its_place(
    run: Run, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SpiffsVolume, "room", raising(ZeroDivisionError("by zero")))
    result = run("df", code=1)
    assert "ZeroDivisionError: by zero (maixfs.cli.verbs.df, line " in result.stderr


@pytest.mark.parametrize(
    ("options", "environment"),
    [(["--debug"], {}), ([], {"MAIXFS_DEBUG": "1"})],
    ids=["option", "environment"],
)
def test_debug_shows_the_traceback(
    options: list[str], environment: dict[str, str], run: Run, place: Path
) -> None:
    result = run("cat", ":nope", *options, code=1, env=environment)
    assert result.stderr.startswith("Traceback (most recent call last):\n")
    assert "MissingError" in result.stderr
    assert "error: /flash/nope: no such file in board\n" in result.stderr
    assert "Traceback" not in run("cat", ":nope", code=1, env={"MAIXFS_DEBUG": "0"}).stderr


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (["ls", "--zzzz"], "no such option --zzzz"),
        (["cat"], "missing argument 'TARGET:PATH...'"),
        (["mkfs"], "missing argument 'IMG'"),
        (["--nope"], "--nope"),
        (["ls", "--color", "pink"], "--color: 'pink' is not one of"),
        (["completion", "csh"], "'csh' is not one of"),
        (["info", "a", "b"], "got unexpected extra argument"),
        (["info", "board:/flash/main.py"], "info shows a whole target"),
        (["cp", "--geometry", "x", "a", "b"], "--geometry: 'x' is not a preset"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage(line: list[str], message: str, run: Run, place: Path) -> None:
    result = run(*line, code=WRONG_USAGE)
    assert result.stdout == ""
    first, second = result.stderr.splitlines()
    assert first.startswith("error: ")
    assert message in first
    assert second.startswith("  hint: maixfs ")


def test_main_returns_the_code_to_python(place: Path) -> None:
    assert maixfs.main(["ls", "nope.bin"], standalone_mode=False) == FAILED
    assert maixfs.main(["ls"], standalone_mode=False) == 0


# Ctrl-C


WRITERS = [
    ["cp", "src/boot.py", "esp.img:/"],
    ["cp", "-r", "src/.", "board:"],
    ["rm", "esp.img:main.py"],
    ["mv", ":main.py", ":old.py"],
    ["gc", "board"],
    ["mkfs", "new.img"],
    ["mkfs", "-f", "esp.img"],
    ["pack", "src", "-o", "new.img"],
]


@pytest.mark.parametrize("moment", ["write", "finish"])
@pytest.mark.parametrize("line", WRITERS, ids=" ".join)
def test_ctrl_c_leaves_nothing_half_written(
    line: list[str], moment: str, run: Run, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("rm", ":photo.bin")  # something to collect
    before = {path: state for path, state in snapshot(place).items() if ".lock" not in path}
    monkeypatch.setattr(Draft, moment, raising(KeyboardInterrupt()))
    result = run(*line, code=INTERRUPTED)
    assert result.stdout == ""
    assert [text for text in result.stderr.splitlines() if "note: " not in text] == ["interrupted"]
    after = {path: state for path, state in snapshot(place).items() if ".lock" not in path}
    assert {path: state[2] for path, state in after.items()} == {
        path: state[2] for path, state in before.items()
    }


def test_ctrl_c_leaves_no_half_board(
    run: Run, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BoardConfig, "save", raising(KeyboardInterrupt()))
    assert run("new", "other", code=INTERRUPTED).stderr == "interrupted\n"
    assert not Path("other").exists()


@pytest.mark.parametrize("verb", ["ls", "tree", "df", "du", "info"])
def test_ctrl_c_while_reading_exits_with_130(
    verb: str, run: Run, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maixfs.image.opening.find_source", raising(KeyboardInterrupt()))
    result = run(verb, code=INTERRUPTED)
    assert (result.stdout, result.stderr) == ("", "interrupted\n")


def test_ctrl_c_at_start_exits_with_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["maixfs", "ls"])
    monkeypatch.setattr(maixfs, "main", raising(KeyboardInterrupt()))
    with pytest.raises(SystemExit) as leave:
        main_module.run()
    assert leave.value.code == INTERRUPTED
    assert capsys.readouterr().err == "interrupted\n"


@POSIX
def test_signal_ends_a_script(place: Path) -> None:
    Path("loop.py").write_text("print('up')\nwhile True:\n    pass\n")
    line = command_line("run", "loop.py")
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == b"up\n"
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=60)
    assert process.returncode == INTERRUPTED
    assert b"KeyboardInterrupt" in rest  # the board's own words
    assert errors == b""


@POSIX
def test_signal_ends_a_verb(place: Path) -> None:
    os.mkfifo("slow")
    line = command_line("run", "slow")  # waits for somebody who writes
    with (
        subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process,
        Path("slow").open("wb"),  # waits until it reads
    ):
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=60)
    assert (process.returncode, rest, errors) == (INTERRUPTED, b"", b"interrupted\n")


# Output that cannot go out


@POSIX
@pytest.mark.parametrize(
    "line", [["cat", ":big.bin"], ["ls", "-lR"], ["info", "--json"], ["tree"]], ids=" ".join
)
def test_closed_pipe_is_not_an_error(line: list[str], place: Path, run: Run) -> None:
    Path("big.bin").write_bytes(bytes(range(256)) * 900)
    run("cp", "big.bin", ":")
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        done = subprocess.run(
            command_line(*line), stdout=write_end, stderr=subprocess.PIPE, check=False, timeout=60
        )
    finally:
        os.close(write_end)
    assert done.stderr == b""
    assert done.returncode == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("line", [["cat", ":photo.bin"], ["ls"], ["df", "--json"]], ids=" ".join)
def test_full_disk_is_an_error(line: list[str], place: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            command_line(*line), stdout=full, stderr=subprocess.PIPE, check=False, timeout=60
        )
    assert done.returncode == FAILED
    assert done.stderr.startswith(b"error: the output cannot be written: ")
    assert done.stderr.count(b"\n") == 1


@POSIX
def test_closed_streams_change_nothing(place: Path) -> None:
    shell = 'exec "$@" >&- 2>&-'
    line = ["sh", "-c", shell, "sh", *command_line("ls")]
    assert subprocess.run(line, check=False, timeout=60).returncode == 0
    line[-1] = "nope"
    assert subprocess.run(line, check=False, timeout=60).returncode == WRONG_USAGE


def test_python_m_maixfs_is_the_command(place: Path) -> None:
    done = run_process("ls", "-1", ":lib")
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, [b"a.py", b"deep/"], b"")
    assert run_process("nope").returncode == WRONG_USAGE
    assert run_process().stdout.startswith(b"Usage: maixfs VERB")


def test_cat_does_not_touch_line_ends(place: Path, run: Run) -> None:
    Path("ends.txt").write_bytes(b"a\r\nb\nc\r\x1a\xff")
    run("cp", "ends.txt", ":")
    assert run_process("cat", ":ends.txt").stdout == b"a\r\nb\nc\r\x1a\xff"


def test_host_patterns_are_expanded_on_windows(place: Path) -> None:
    words = ["df", "*.bin", "board:*.py", "x[y", "*.nothing"]
    assert expanded(words, windows=True) == ["df", "dump.bin", *words[2:]]
    assert expanded(words, windows=False) == words


def test_errors_are_json_where_json_is_asked_for(run: Run, place: Path) -> None:
    result = run("cat", "--json", ":mian.py", code=1)
    document = json.loads(result.stdout)
    assert document == {
        "maixfs": 1,
        "verb": "cat",
        "error": {
            "message": "/flash/mian.py: no such file in board",
            "hint": "there is /flash/main.py",
            "exit_code": 1,
        },
    }
    assert result.stderr.startswith("error: /flash/mian.py: no such file in board\n")
    wrong = json.loads(run("ls", "--json", "--base", "x", code=2).stdout)
    assert (wrong["verb"], wrong["error"]["exit_code"]) == ("ls", 2)
    assert json.loads(run("./none.bin", "--json", code=1).stdout)["verb"] == "info"


def test_there_is_one_json_document(
    run: Run, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Screen, "table", raising(KeyboardInterrupt()))
    assert run("ls", code=130).stdout == ""
    monkeypatch.setattr(Image, "scandir", raising(KeyboardInterrupt()))
    assert json.loads(run("ls", "--json", code=130).stdout)["error"]["message"] == "interrupted"
    damage_photo(place / "dump.bin")
    monkeypatch.undo()
    monkeypatch.chdir(place)
    assert json.loads(run("unpack", "--json", "dump.bin", "out", code=1).stdout)["left_out"]


@POSIX
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("line", ["run -", "run src/hello.py", "cp src/boot.py :", "ls", "nope"])
def test_closed_streams_are_not_reported_as_a_bug(closed: str, line: str, place: Path) -> None:
    Path("src/hello.py").write_text("import sys\nprint(1)\nsys.stdin.read()\n")
    command = f"{shlex.join(command_line())} {line} {closed}"
    done = subprocess.run(["sh", "-c", command], capture_output=True, check=False, text=True)
    assert done.returncode == (2 if line == "nope" else 0), done.stderr
    assert "bug" not in done.stderr
    assert Path("board/flash.bin").stat().st_size == Path("dump.bin").stat().st_size


def test_misspelt_option_has_a_guess(run: Run, place: Path) -> None:
    error, hint = run("ls", "--jsn", code=WRONG_USAGE).stderr.splitlines()
    assert error == "error: no such option --jsn"
    assert hint == "  hint: did you mean --json? maixfs ls --help"
