"""A dump that holds two file systems: each verb lets its user choose."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from maixfs.spiffs import PRESETS
from maixfs.spiffs.pack import pack

from .conftest import SMALL, Run

OTHER = replace(PRESETS["esp-idf"], size=0x40000)
BASE = "0"
FIRST = f"{SMALL.base:#x}"
HINT = f"hint: say which one: --base 0x0 or --base {FIRST}"


@pytest.fixture
def two(place: Path) -> Path:
    """Return a dump with MaixPy's area at its place and another one in front."""
    dump = Path("dump.bin")
    flash = bytearray(dump.read_bytes())
    flash[: OTHER.size] = pack({b"/other.txt": b"other", b"/d/x": b"x" * 999}, OTHER)
    dump.write_bytes(flash)
    return dump


@pytest.mark.parametrize(
    "line",
    [
        ("info", "dump.bin"),
        ("ls", "dump.bin"),
        ("tree", "dump.bin"),
        ("cat", "dump.bin:other.txt"),
        ("stat", "dump.bin:other.txt"),
        ("df", "dump.bin"),
        ("du", "dump.bin"),
        ("cp", "dump.bin:other.txt", "here.txt"),
        ("cp", "src/boot.py", "dump.bin:"),
        ("mv", "dump.bin:other.txt", "dump.bin:moved.txt"),
        ("rm", "dump.bin:other.txt"),
        ("gc", "dump.bin"),
        ("unpack", "dump.bin", "out"),
        ("pack", "src", "-o", "new.img", "--like", "dump.bin"),
        ("mkfs", "new.img", "--like", "dump.bin"),
    ],
    ids=lambda line: " ".join(line[:2]),
)
def test_completion_of_each_verb_takes_the_answer(
    run: Run, two: Path, line: tuple[str, ...]
) -> None:
    before = two.read_bytes()
    assert HINT in run(*line, code=1).stderr
    assert two.read_bytes() == before
    run(*line, "--base", BASE)
    assert two.read_bytes()[SMALL.base :] == before[SMALL.base :]


def test_cp_says_base_of_the_side_that_is_written(run: Run, two: Path) -> None:
    run("cp", "--base", FIRST, "dump.bin:main.py", "main.py")
    assert Path("main.py").read_bytes() == b"print('hello')\n"
    error = run("cp", "dump.bin:other.txt", "board:", "--base", FIRST, code=1).stderr
    assert "hint: maixfs unpack --base ADDRESS dump.bin DIR" in error
    run("cp", "board:main.py", "dump.bin:", "--base", BASE)
    assert json.loads(run("ls", "--json", "--base", BASE, "dump.bin").stdout)
    assert "main.py" in run("ls", "--base", BASE, "dump.bin").stdout
