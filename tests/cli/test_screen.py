"""Colours, encodings, widths and progress."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from maixfs.cli.screen import Column, Progress, Screen, Settings, Text

from .conftest import Run, run_process

ESC = "\x1b["


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environment", "color", "terminal", "colored"),
    [
        ({}, "auto", True, True),
        ({}, "auto", False, False),
        ({"TERM": "dumb"}, "auto", True, False),
        ({"NO_COLOR": "1"}, "auto", True, False),
        ({"NO_COLOR": ""}, "auto", True, True),
        ({"FORCE_COLOR": "1"}, "auto", False, True),
        ({"FORCE_COLOR": "0"}, "auto", False, False),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, "auto", True, False),
        ({"NO_COLOR": "1"}, "always", False, True),
        ({"FORCE_COLOR": "1"}, "never", True, False),
    ],
)
def test_colours_follow_the_options_and_environment(
    environment: dict[str, str], color: str, terminal: bool, colored: bool
) -> None:
    settings = Settings(environment)
    settings.color = color
    assert settings.colored(Terminal() if terminal else io.StringIO()) is colored
    settings.plain = True
    assert not settings.colored(Terminal())


def test_closed_stream_gets_no_colours() -> None:
    closed = io.StringIO()
    closed.close()
    assert not Settings({}).colored(closed)
    assert not Settings({}).colored(None)


def test_color_option_decides(run: Run, place: Path) -> None:
    assert ESC not in run("ls").stdout
    assert ESC in run("ls", "--color", "always").stdout
    assert ESC in run("--color", "always", "ls").stdout
    assert ESC in run("ls", env={"FORCE_COLOR": "1"}, color=True).stdout
    assert ESC not in run("ls", env={"FORCE_COLOR": "1", "NO_COLOR": "1"}, color=True).stdout
    assert ESC in run("ls", "nope", "--color", "always", code=1).stderr


def test_json_has_no_colours(run: Run, place: Path) -> None:
    text = run("info", "--json", "--color", "always").stdout
    assert json.loads(text)["maixfs"] == 1
    assert text.isascii()


def test_escaped_name_can_be_typed_as_printed(run: Run, place: Path) -> None:
    shown = r"odd\xff\x1b[31m.txt"
    assert shown in run("ls", "-1", "esp.img").stdout.splitlines()
    assert run("cat", f"esp.img:{shown}").stdout == "odd\n"
    for verb in ("ls", "tree", "du"):
        assert "\x1b" not in run(verb, "esp.img").stdout


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_stdout_without_utf_8_gets_escapes(encoding: str, place: Path, run: Run) -> None:
    Path("图.txt").write_bytes(b"x")
    run("cp", "图.txt", "esp.img:/")
    environment = {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    done = run_process("tree", "esp.img", env=environment)
    assert (done.returncode, done.stderr) == (0, b"")
    assert rb"-- \xe5\x9b\xbe.txt  1 B" in done.stdout
    assert run_process("cat", r"esp.img:\xe5\x9b\xbe.txt", env=environment).stdout == b"x"
    assert run_process("info", "esp.img", env=environment).stdout.isascii()
    wrong = run_process("cat", "esp.img:/图图", env=environment)
    assert wrong.returncode == 1
    assert rb"\xe5\x9b\xbe" in wrong.stderr


class Desk:
    """A screen on terminals of 40 columns."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.stdout, self.stderr = Terminal(), Terminal()
        monkeypatch.setattr("sys.stdout", self.stdout)
        monkeypatch.setattr("sys.stderr", self.stderr)
        monkeypatch.setenv("COLUMNS", "40")
        self.screen = Screen(Settings({"NO_COLOR": "1"}), "test")

    def progress(self, *times: float) -> Progress:
        """Return a progress whose clock shows these times."""
        clock = iter(times)
        return Progress(self.screen, lambda: next(clock))


def test_tables_align_wide_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch)
    columns = [Column("name"), Column("size", right=True)]
    desk.screen.table(columns, [["图", "1"], ["abc", "20"]])
    assert desk.stdout.getvalue() == "name  size\n图       1\nabc     20\n"


def test_spare_column_is_dropped_on_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch)
    columns = [Column("name"), Column("", spare=True), Column("use", right=True)]
    desk.screen.table(columns, [["n" * 20, "#" * 12, "9 %"]])
    desk.screen.table(columns, [["n" * 30, "#" * 12, "9 %"]])
    short, wide = "n" * 20, "n" * 30
    assert desk.stdout.getvalue().splitlines() == [
        "name" + " " * 32 + "use",
        f"{short}  {'#' * 12}  9 %",
        "name" + " " * 28 + "use",
        f"{wide}  9 %",
    ]


def test_table_rows_have_no_trailing_blanks(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch)
    desk.screen.settings.color = "always"
    desk.screen.table([Column(""), Column(""), Column("")], [["ab", "c", ""], ["a", "", "bad"]])
    assert desk.stdout.getvalue() == "ab  c\na      bad\n"


def test_long_values_are_folded_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch)
    desk.screen.facts([("short", "one"), ("long", Text("word " * 12, "good"))])
    lines = desk.stdout.getvalue().splitlines()
    assert lines[0] == "  short  one"
    assert max(map(len, lines)) <= 40
    assert lines[2].startswith("         word")


def test_name_with_a_newline_stays_on_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch)
    desk.screen.line("a\rb\n", Text("c\x07", "bad"))
    assert desk.stdout.getvalue() == r"a\x0db\x0ac\x07" + "\n"


def test_fast_work_shows_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch)
    with desk.progress(0.0, 0.1, 0.4) as progress:
        progress("pack", 0, 2)
        progress("pack", 2, 2)
    assert desk.stderr.getvalue() == ""


def test_slow_work_shows_a_bar_with_its_phase(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch)
    with desk.progress(0.0, 0.6, 0.65, 0.8, 0.9) as progress:
        progress("pack", 0, 4)
        shown = desk.stderr.getvalue()
        assert "pack" in shown
        progress("pack", 1, 4)
        assert desk.stderr.getvalue() == shown  # too soon to draw again
        progress("pack", 2, 4)
        assert "50%" in desk.stderr.getvalue()
        progress("write", 1, 2)
        assert "write" in desk.stderr.getvalue()
    assert desk.stdout.getvalue() == ""


def test_plain_progress_names_each_phase_once(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch)
    desk.screen.settings.plain = True
    with desk.progress(0.0, 0.6, 0.7, 0.8) as progress:
        progress("pack", 0, 2)
        progress("pack", 1, 2)
        progress("write", 0, 1)
    assert desk.stderr.getvalue() == "pack ...\nwrite ...\n"


def test_pipe_gets_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch)
    pipe = io.StringIO()
    monkeypatch.setattr("sys.stderr", pipe)
    with desk.progress(0.0, 9.0) as progress:
        progress("pack", 1, 2)
    assert pipe.getvalue() == ""
