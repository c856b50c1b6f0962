"""``maixfs split``: a flash becomes files, and build makes it again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .conftest import Run
from .flashes import MODEL, PAYLOAD, desk

__all__ = ["desk"]
ReadJson = Callable[..., dict[str, Any]]
PARTS = ("--firmware", "maixpy.bin", "--model", "face.kmodel", "--spiffs", "data")


def test_split_and_build_give_the_same_bytes(desk: Path, run: Run) -> None:
    run("build", "-o", "flash.bin", *PARTS, "--raw", "face.kmodel@0x600000")
    shown = run("split", "flash.bin", "parts").stdout
    assert "model-0x300000.kmodel" in shown and "recipe.toml sha256 " in shown
    assert (desk / "parts" / "firmware.bin").read_bytes() == PAYLOAD
    assert (desk / "parts" / "model-0x600000.kmodel").read_bytes() == MODEL
    run("build", "parts/recipe.toml", "-o", "new.bin")
    assert (desk / "new.bin").read_bytes() == (desk / "flash.bin").read_bytes()


def test_split_of_a_board_works(place: Path, run: Run, read_json: ReadJson) -> None:
    document = read_json("split", "board", "parts")
    assert [part["kind"] for part in document["parts"]] == ["spiffs"]
    assert {Path(one["path"]).name for one in document["files"]} == {
        "spiffs-0x040000.bin",
        "recipe.toml",
    }
    run("build", "parts/recipe.toml", "-o", "new.bin")
    assert (place / "new.bin").read_bytes() == (place / "board" / "flash.bin").read_bytes()


def test_split_keeps_existing_files(desk: Path, run: Run) -> None:
    run("build", "-o", "flash.bin", *PARTS)
    run("split", "flash.bin", "parts")
    assert "up to date: parts" in run("split", "flash.bin", "parts").stdout
    (desk / "parts" / "firmware.bin").write_bytes(b"mine")
    assert "nothing was written" in run("split", "flash.bin", "parts", code=1).stderr
    assert (desk / "parts" / "firmware.bin").read_bytes() == b"mine"
    run("split", "flash.bin", "parts", "--force")
    assert (desk / "parts" / "firmware.bin").read_bytes() == PAYLOAD


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "is not a flash image"), (bytes(510) + b"\x55\xaa" + bytes(512), "")],
)
def test_split_refuses_what_is_not_a_flash(
    desk: Path, run: Run, content: bytes, words: str
) -> None:
    (desk / "odd.bin").write_bytes(content)
    if words:
        assert words in run("split", "odd.bin", "parts", code=1).stderr
        return
    run("split", "odd.bin", "parts")
    run("build", "parts/recipe.toml", "-o", "new.bin")
    assert (desk / "new.bin").read_bytes() == content


def test_split_refuses_a_card(desk: Path, run: Run) -> None:
    run("sd", "new", "64M", "card.img")
    assert "is a card" in run("split", "card.img", "parts", code=2).stderr
    assert not (desk / "parts").exists()
