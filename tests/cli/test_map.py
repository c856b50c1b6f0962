"""``maixfs map`` on the terminal, in words, as JSON and as pictures."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from kmodel.make_models import make_v3
from maixfs.cli.screen import Screen
from maixfs.nor import WearCounts

from .conftest import SMALL, Run

ReadJson = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def dump(place: Path) -> None:
    """Put a model in front of the file system of dump.bin."""
    image = bytearray(Path("dump.bin").read_bytes())
    image[0x10000 : 0x10000 + len(make_v3())] = make_v3()
    Path("dump.bin").write_bytes(image)


def rows(text: str) -> str:
    """Return the letters of the cells."""
    lines = [line for line in text.splitlines() if line.startswith("0x")]
    return "".join(line[8:].replace(" ", "") for line in lines)


def test_map_shows_the_parts(run: Run) -> None:
    text = run("map", "dump.bin").stdout
    assert text.startswith("dump.bin  1.0 MiB, parts, 4 KiB per cell")
    cells = rows(text)
    assert len(cells) == 256
    assert cells[16] == "m"
    assert cells[SMALL.base // 4096] == "S"
    assert max(map(len, text.splitlines())) <= 120
    assert "m" not in cells[:16]
    assert "model   0x010000-0x01021C" in text
    assert "are erased or zero" in text
    assert rows(run("map", "dump.bin", "--sectors").stdout) == cells
    assert len(rows(run("map", "dump.bin", "--cell", "64K").stdout)) == 16


def test_map_writes_nothing(run: Run) -> None:
    before = Path("dump.bin").read_bytes()
    files = sorted(Path.cwd().rglob("*"))
    run("map", "dump.bin")
    run("map")
    assert Path("dump.bin").read_bytes() == before
    assert sorted(Path.cwd().rglob("*")) == files


@pytest.mark.parametrize("width", [40, 80, 120])
def test_map_fits_the_terminal(run: Run, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Screen, "width", lambda screen: width)
    for options in ((), ("--sectors",), ("--pages",), ("--wear",), ("--entropy",)):
        lines = run("map", "board", *options).stdout.splitlines()
        cells = [line for line in lines if line.startswith("0x")]
        assert cells and max(map(len, cells)) <= width
    text = run("map", "dump.bin").stdout
    if width >= 80:
        assert max(map(len, text.splitlines())) <= width
        assert "kmodel v3" in text


def test_map_shows_pages(run: Run) -> None:
    cells = rows(run("map", "dump.bin", "--pages").stdout)
    assert len(cells) == SMALL.pages
    assert cells[:3] == "LHD"
    assert set(cells) <= set("LHIDx.,!")


def test_map_shows_wear(run: Run, read_json: ReadJson) -> None:
    counts = WearCounts.open("board/wear.bin", 256)
    for _ in range(50):
        counts.add(200)
    counts.close()
    text = run("map", "--wear").stdout
    assert "worst sector 0x0C8000, erased 51 times" in text
    assert "counted by the board" in text
    assert rows(text)[200] == "9"
    document = read_json("map", "board", "--wear")
    assert document["cells"][200]["value"] == 51
    assert "per block" in run("map", "dump.bin", "--wear").stdout
    Path("blank.bin").write_bytes(b"\xff" * 0x100000)
    assert "has no erase counts" in run("map", "blank.bin", "--wear", code=2).stderr
    assert "no pages" in run("map", "blank.bin", "--pages", code=2).stderr


def test_map_shows_entropy(run: Run) -> None:
    text = run("map", "dump.bin", "--entropy").stdout
    assert "bits per byte: 0" in text
    assert rows(text)[255] == "."


def test_colours_only_when_wanted(run: Run) -> None:
    assert "\x1b" not in run("map", "dump.bin").stdout
    colored = run("map", "dump.bin", "--color", "always", color=True).stdout
    assert "\x1b[38;5;16m\x1b[48;5;178mm" in colored


def test_plain_map_is_in_words(run: Run) -> None:
    text = run("map", "dump.bin", "--plain").stdout
    assert "part model, place 0x010000-0x01021C" in text
    assert "...." not in text
    pages = run("map", "dump.bin", "--pages", "--plain").stdout
    assert "0x040000-0x041000: look-up" in pages
    assert "0x000000-0x100000: erases: 0" in run("map", "dump.bin", "--wear", "--plain").stdout


def test_map_json_has_cells_and_parts(read_json: ReadJson) -> None:
    document = read_json("map", "dump.bin")
    assert set(document) == {
        "target", "size", "layout", "mode", "cell", "cells", "legend", "parts", "overlaps",
        "notes", "pictures",
    }  # fmt: skip
    assert set(document["cells"][0]) == {"start", "size", "key", "letter", "value"}
    assert {part["kind"] for part in document["parts"]} == {"model", "spiffs", "erased"}
    assert all(set(part) >= {"kind", "start", "size", "used"} for part in document["parts"])


def test_map_names_overlapping_parts(run: Run, read_json: ReadJson) -> None:
    image = bytearray(Path("dump.bin").read_bytes())
    large = make_v3(body=0x9000)
    image[0x30000 : 0x30000 + len(large)] = large
    Path("other.bin").write_bytes(image[:0x40000] + Path("dump.bin").read_bytes()[0x40000:])
    (overlap,) = read_json("map", "other.bin")["overlaps"]
    assert overlap["start"] == 0x40000
    text = run("map", "other.bin").stdout
    assert "overlap: " in text and "0x40000" in text
    assert "overlap: " not in run("map", "dump.bin").stdout


def test_map_draws_pictures(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    line = run("map", "dump.bin", "--svg", "map.svg").stdout.splitlines()[-1]
    assert line.startswith("wrote map.svg: ")
    assert ET.fromstring(Path("map.svg").read_text(encoding="utf-8")).tag.endswith("svg")
    assert "up to date" in run("map", "dump.bin", "--svg", "map.svg").stdout
    taken = run("map", "dump.bin", "--wear", "--svg", "map.svg", code=1).stderr
    assert "exists already" in taken
    run("map", "dump.bin", "--wear", "--svg", "map.svg", "--force")
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    assert "maixfs[png]" in run("map", "dump.bin", "--png", "map.png", code=1).stderr
    assert not Path("map.png").exists()


@pytest.mark.parametrize(
    "line",
    [
        ("--pages", "--wear"),
        ("--wear", "--entropy"),
        ("--sectors", "--cell", "64K"),
        ("--cell", "1000"),
        ("--cell", "0"),
    ],
)
def test_map_refuses_contradicting_options(run: Run, line: tuple[str, ...]) -> None:
    assert run("map", "dump.bin", *line, code=2).stderr.startswith("error: ")


def test_map_refuses_a_path(run: Run) -> None:
    assert "maixfs map board" in run("map", "board:/flash/main.py", code=2).stderr
    assert "missing does not exist" in run("map", "missing", code=1).stderr


def test_long_runs_are_left_out(run: Run) -> None:
    Path("big.bin").write_bytes(b"\xff" * 0x1000000)
    text = run("map", "big.bin", "--sectors").stdout
    assert "rows like the one above" in text
    assert len(text.splitlines()) < 15
