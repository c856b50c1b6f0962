"""``hex`` and ``explain``: fields in words and bars, for screen readers, and for programs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .conftest import FILES, SMALL, Run

ReadJson = Callable[..., dict[str, Any]]
PAGE = SMALL.base + SMALL.page_size


def test_hex_shows_the_fields_of_a_page(run: Run, place: Path) -> None:
    text = run("hex", "dump.bin", "--at", "page:1", "-n", "32").stdout
    lines = text.splitlines()
    assert lines[0].strip() == "page 1"
    assert lines[1].startswith(f"0x{PAGE:06X}  01 80|00 00|F8|")
    assert "obj_id 8001, span_ix 0000 (0), flags F8" in lines[1]
    assert "name /" in text


def test_bars_separate_fields_without_colours(run: Run, place: Path) -> None:
    plain = run("hex", "dump.bin", "--at", "page:1", "-n", "16", "--color", "never").stdout
    colored = run("hex", "dump.bin", "--at", "page:1", "-n", "16", "--color", "always").stdout
    assert "\x1b[" in colored and "\x1b[" not in plain
    assert plain.count("|") == colored.count("|") > 3


def test_lines_that_repeat_are_left_out(run: Run, place: Path) -> None:
    lines = run("hex", "dump.bin", "--at", "0", "-n", "4K").stdout.splitlines()
    assert len(lines) == 3 and "255 more lines like the one above" in lines[-1]


def test_plain_prints_a_line_for_each_field(run: Run, place: Path) -> None:
    lines = run("hex", "dump.bin", "--at", "page:1", "-n", "12", "--plain").stdout.splitlines()
    assert lines[2].startswith(f"0x{PAGE + 4:06X}, 1 byte: flags of page 1: F8, index page")
    assert len(lines) == 5


def test_fields_come_as_json(read_json: ReadJson, place: Path) -> None:
    document = read_json("hex", "dump.bin", "--at", "page:1", "-n", "16")
    assert document["start"] == PAGE and document["length"] == 16
    assert document["data_hex"] == (place / "dump.bin").read_bytes()[PAGE : PAGE + 16].hex()
    assert [field["name"] for field in document["fields"]][:3] == ["obj_id", "span_ix", "flags"]
    assert document["fields"][0].keys() == {
        *("start", "size", "end", "region", "structure", "name", "value", "meaning"),
        *("section", "owner", "offset", "is_general"),
    }


@pytest.mark.parametrize("target", ["board", "dump.bin"])
def test_hex_of_a_path_starts_at_the_first_byte(target: str, run: Run, place: Path) -> None:
    text = run("hex", f"{target}:/flash/main.py", "-n", "15").stdout
    assert FILES["/flash/main.py"].hex(" ").upper() in text


def test_explain_names_field_and_section(run: Run, place: Path) -> None:
    lines = run("explain", "dump.bin", "page:1@4", "file:main.py@3").stdout.splitlines()
    assert lines[0].startswith(f"byte 0x{PAGE + 4:06X}: flags of page 1: F8 = index page")
    assert lines[1] == "  docs/SPEC.md, section 3.1"
    assert "(6E 'n', offset 3): data of page" in lines[2]


def test_explain_works_on_an_image_of_one_file_system(run: Run, place: Path) -> None:
    assert "magic of the look-up of block 0" in run("explain", "esp.img", "0xFC").stdout
    assert "name of page" in run("explain", "esp.img", "page:1@13").stdout


def test_explanations_come_as_json(read_json: ReadJson, place: Path) -> None:
    (one,) = read_json("explain", "dump.bin", "page:1@4")["bytes"]
    assert one["address"] == PAGE + 4 and one["byte"] == 0xF8
    assert one["field"]["name"] == "flags" and one["field"]["section"] == "3.1"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (["explain", "dump.bin", "banana:3"], "'banana' is not a unit of addresses"),
        (["explain", "dump.bin", "0x99999999"], "is not in the image"),
        (["explain", "dump.bin", "file:/no"], "no such file"),
        (["explain", "dump.bin:/main.py", "0"], "whole target"),
        (["hex", "dump.bin", "--at", "page:9999"], "the SPIFFS has 160 pages"),
        (["hex", "dump.bin", "--at", "cluster:2"], "only cards"),
    ],
)
def test_bad_address_is_wrong_usage(line: list[str], message: str, run: Run, place: Path) -> None:
    result = run(*line, code=2)
    assert message in result.stderr and result.stderr.startswith("error: ")
    assert json.loads(run(*line, "--json", code=2).stdout)["error"]["exit_code"] == 2


def test_hex_and_explain_write_nothing(run: Run, place: Path) -> None:
    before = (place / "dump.bin").read_bytes(), (place / "dump.bin").stat().st_mtime_ns
    run("hex", "dump.bin", "--at", "page:1")
    run("explain", "dump.bin", "0")
    assert ((place / "dump.bin").read_bytes(), (place / "dump.bin").stat().st_mtime_ns) == before
