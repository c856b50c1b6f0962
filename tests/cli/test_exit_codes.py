"""Exit codes: 1 for a problem or a failure, 2 for wrong usage; the same in every verb."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest

from maixfs.cli import table
from maixfs.cli.failures import did_you_mean, step_text
from maixfs.cli.verb import VerbGroup, maixfs
from maixfs.errors import Command, MaixfsError

from .conftest import Run
from .test_help import command_of

GONE = "missing.bin"
MISSING = {
    "run": f"{GONE}",
    "info": GONE,
    "doctor": GONE,
    "ls": GONE,
    "tree": GONE,
    "cat": f"{GONE}:/x",
    "stat": f"{GONE}:/x",
    "df": GONE,
    "du": GONE,
    "hex": GONE,
    "explain": f"{GONE} 0",
    "map": GONE,
    "diff": f"{GONE} dump.bin",
    "cp": f"{GONE} board:/x",
    "mv": f"{GONE}:/x {GONE}:/y",
    "rm": f"{GONE}:/x",
    "mkdir": f"{GONE}:/x",
    "gc": GONE,
    "pack": f"{GONE} -o new.img",
    "unpack": f"{GONE} out",
    "build": f"{GONE} -o new.img",
    "split": f"{GONE} out",
    "flash read": f"{GONE} 0 1 out.bin",
    "flash write": f"dump.bin 0 {GONE}",
    "flash erase": f"{GONE} 0 0x1000",
    "model info": GONE,
    "firmware info": GONE,
    "firmware wrap": f"{GONE} -o new.bin",
    "firmware unwrap": f"{GONE} -o new.bin",
    "kfpkg make": f"--raw {GONE}@0 -o new.kfpkg",
    "kfpkg list": GONE,
    "kfpkg verify": GONE,
    "kfpkg extract": f"{GONE} out",
    "kfpkg apply": f"{GONE} board",
    "kboot show": GONE,
    "kboot set": f"{GONE} 0 --active no",
    "sd info": GONE,
    "sd doctor": GONE,
    "sd fix": f"{GONE} -o new.img",
    "sd insert": f"board {GONE}",
    "sd eject": GONE,
    "sd write": f"{GONE} dump.bin --yes",
    "sd read": f"{GONE} -o new.img",
}
"""For each verb that reads a file, a command line in which it is missing."""
MAKERS = {"new", "mkfs", "sd new", "completion"}
"""Verbs that read no file."""
OUTPUTS = {
    "pack": "pack src -o -",
    "mkfs": "mkfs -",
    "build": "build --raw dump.bin@0 -o -",
    "kfpkg make": "kfpkg make --raw dump.bin@0 -o -",
    "kfpkg apply": "kfpkg apply x.kfpkg dump.bin -o -",
    "firmware wrap": "firmware wrap dump.bin -o -",
    "firmware unwrap": "firmware unwrap dump.bin -o -",
    "doctor": "doctor dump.bin --fix main -o -",
    "sd new": "sd new 1M -",
    "sd fix": "sd fix dump.bin -o -",
    "sd read": "sd read dump.bin -o -",
    "map": "map dump.bin --svg -",
    "cp": "cp dump.bin:/photo.bin -",
    "unpack": "unpack dump.bin -",
    "split": "split dump.bin -",
    "new": "new -",
}


def leaves() -> list[str]:
    """Return the names of all verbs that are not groups."""
    return [row.name for row in table.ROWS if not isinstance(command_of(row.name), VerbGroup)]


def test_every_verb_has_a_case() -> None:
    assert MISSING.keys() | MAKERS == set(leaves())


@pytest.mark.parametrize("name", MISSING)
def test_missing_file_exits_with_1(name: str, run: Run, place: Path) -> None:
    before = sorted(place.rglob("*"))
    result = run(*name.split(), *MISSING[name].split(), code=1)
    assert f"error: {GONE}" in result.stderr, result.stderr
    assert "bug in maixfs" not in result.stderr
    assert sorted(place.rglob("*")) == before


@pytest.mark.parametrize("name", leaves())
def test_unknown_option_exits_with_2(name: str, run: Run, place: Path) -> None:
    assert "no such option" in run(*name.split(), "--no-such-option", code=2).stderr


def test_every_output_option_has_a_case() -> None:
    with_output = {
        name
        for name in leaves()
        for param in command_of(name).params
        if isinstance(param, click.Option) and "-o" in param.opts
    }
    assert with_output <= OUTPUTS.keys()


@pytest.mark.parametrize("line", OUTPUTS.values())
def test_dash_as_output_is_refused(line: str, run: Run, place: Path) -> None:
    result = run(*line.split(), code=2)
    assert "- is not a file" in result.stderr
    assert not (place / "-").exists()


@pytest.mark.parametrize("line", ["ls -", "info -", "flash read - 0 1 out", "hex -"])
def test_dash_as_input_is_not_read_from_stdin(line: str, run: Run, place: Path) -> None:
    result = run(*line.split(), code=2, input="")
    assert result.stderr.startswith("error: - ")


def test_misspelt_target_has_a_guess(run: Run, place: Path) -> None:
    for line in (["ls", "bord"], ["info", "dmp.bin"], ["cp", "src/bot.py", "board:/"]):
        assert "did you mean" in run(*line, code=1).stderr
    document = json.loads(run("ls", "bord", "--json", code=1).stdout)
    assert document["error"]["hint"] == "did you mean board?"
    assert "did you mean" not in run("ls", "qqqqqqq.x", code=1).stderr


def test_run_of_a_board_names_the_option(run: Run, place: Path) -> None:
    assert "maixfs run --board board" in run("run", "board", code=2).stderr


def test_cat_of_a_folder_exits_with_1(run: Run, place: Path) -> None:
    assert "lib" in run("cat", "board:/flash/lib", code=1).stderr


def test_steps_are_written_as_command_lines() -> None:
    step = Command("unpack", ("{image}", "DIR"))
    assert step_text(step, "my dump.bin") == "maixfs unpack 'my dump.bin' DIR"
    assert step_text("read {image} again", "x") == "read x again"


def test_steps_of_an_error_are_hints(
    run: Run, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fix = (Command("unpack", ("dump.bin", "DIR")), "format the card")
    error = MaixfsError("it is damaged", fix=fix)

    def fail(*_arguments: object, **_named: object) -> None:
        raise error

    monkeypatch.setattr(maixfs, "invoke", fail)
    lines = run("ls", "dump.bin", code=1).stderr.splitlines()
    assert lines[1:] == ["  hint: maixfs unpack dump.bin DIR", "  hint: format the card"]


def test_close_names_are_guessed() -> None:
    assert did_you_mean("lss", ["ls", "cat"]) == "did you mean ls? "
    assert did_you_mean("zzz", ["ls", "cat"]) == ""
