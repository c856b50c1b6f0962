"""``maixfs build``: a flash from files, or nothing at all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from maixfs.cli.compose import FLASHERS
from maixfs.firmware.container import read_firmware
from maixfs.image.opening import open_image
from maixfs.recipes import conflicts

from .conftest import Run
from .flashes import MODEL, desk

__all__ = ["desk"]
ReadJson = Callable[..., dict[str, Any]]
PARTS = ("--firmware", "maixpy.bin", "--model", "face.kmodel", "--spiffs", "data")

pytestmark = pytest.mark.usefixtures("desk")


def test_flasher_names_are_those_of_the_library() -> None:
    assert set(FLASHERS) == set(conflicts.FLASHERS)


def test_build_composes_parts(run: Run) -> None:
    shown = run("build", "-o", "flash.bin", *PARTS).stdout
    flash = Path("flash.bin").read_bytes()
    assert (
        f"wrote flash.bin: 16.0 MiB, 3 parts, sha256 {hashlib.sha256(flash).hexdigest()}" in shown
    )
    assert "0xD00000" in shown and "the file system /flash" in shown
    assert read_firmware(flash).sha_ok
    assert flash[0x300000:].startswith(MODEL)
    with open_image(Path("flash.bin")) as target:
        assert target.read_bytes("/flash/main.py") == b"print(1)\n"


def test_build_from_a_recipe_gives_the_same(run: Run) -> None:
    run("build", "-o", "flash.bin", *PARTS)
    text = 'firmware = "maixpy.bin"\n[[model]]\nfile = "face.kmodel"\n[[spiffs]]\ndir = "data"\n'
    Path("recipe.toml").write_text(text, encoding="utf-8")
    shown = run("build", "recipe.toml", "-o", "flash.bin").stdout
    assert "up to date: flash.bin" in shown


def test_json_has_the_plan(read_json: ReadJson) -> None:
    document = read_json("build", "-o", "flash.bin", *PARTS, "--dio", "--flasher", "kflash-4k")
    assert document["written"]["size"] == 0x1000000
    assert document["layout"] == "maixpy-16m"
    first = document["parts"][0]
    assert (first["name"], first["kind"], first["start"]) == ("maixpy.bin", "firmware", 0)
    assert (first["end"] + first["padding"]) % 0x1000 == 0
    assert document["conflicts"] == []
    assert read_firmware(Path("flash.bin").read_bytes()).dio


def test_build_with_conflicts_writes_nothing(run: Run, read_json: ReadJson) -> None:
    bad = ("-o", "flash.bin", "--raw", "face.kmodel@0x1000", "--firmware", "maixpy.bin")
    result = run("build", *bad, "--model", "face.kmodel@0xE00000", code=1)
    assert "error: maixpy.bin (0x0-" in result.stderr and "overlap" in result.stderr
    assert "overwrites the file system /flash (0xd00000-0x1000000)" in result.stderr
    assert "nothing was written" in result.stderr
    document = read_json("build", *bad, code=1)
    assert document["written"] is None
    assert [one["key"] for one in document["conflicts"]] == ["overlap"]
    assert not Path("flash.bin").exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")
def test_build_never_replaces_what_is_not_a_file(run: Run) -> None:
    os.mkfifo("pipe")
    for verb in (["build", *PARTS], ["pack", "data"]):
        said = run(*verb, "-o", "pipe", "--force", code=1).stderr
        assert "pipe is not an ordinary file" in said
    assert Path("pipe").is_fifo()


def test_build_replaces_a_file_only_with_force(run: Run) -> None:
    Path("flash.bin").write_bytes(b"mine")
    assert "exists already" in run("build", "-o", "flash.bin", *PARTS, code=1).stderr
    assert Path("flash.bin").read_bytes() == b"mine"
    run("build", "-o", "flash.bin", *PARTS, "--force")
    assert Path("flash.bin").stat().st_size == 0x1000000


def test_build_accepts_a_layout_file(run: Run) -> None:
    run("build", "-o", "flash.bin", *PARTS, "--layout", "small.toml")
    flash = Path("flash.bin").read_bytes()
    assert len(flash) == 0x100000
    assert flash[0x20000:].startswith(MODEL)
    run("build", "-o", "large.bin", *PARTS, "--layout", "small.toml", "--chip-size", "2M")
    assert Path("large.bin").stat().st_size == 0x200000


def test_build_reports_wrong_usage(run: Run) -> None:
    assert "no parts are named" in run("build", "-o", "x.bin", code=2).stderr
    below = run("build", "-o", "x", "--raw", "maixpy.bin@-0x1000", code=2)
    assert "the address -0x1000 is negative" in below.stderr
    assert "address is missing" in run("build", "-o", "x", "--raw", "maixpy.bin", code=2).stderr
    Path("recipe.toml").write_text('firmware = "maixpy.bin"', encoding="utf-8")
    both = run("build", "recipe.toml", "-o", "x.bin", "--model", "face.kmodel", code=2)
    assert "write them into the recipe" in both.stderr
    assert (
        "no.bin does not exist" in run("build", "-o", "x", "--firmware", "no.bin", code=1).stderr
    )


def test_file_name_may_have_an_at_sign(run: Run) -> None:
    Path("a@b").write_bytes(b"x")
    run("build", "-o", "x.bin", "--raw", "a@b@0x1000")
    assert Path("x.bin").read_bytes()[0x1000:0x1001] == b"x"


def test_build_reports_links_out_of_the_folder(run: Run) -> None:
    try:
        Path("data/link").symlink_to(Path("maixpy.bin").resolve())
    except OSError:
        pytest.skip("this host has no links")
    assert "link to outside" in run("build", "-o", "a.bin", "--spiffs", "data").stderr
    assert run("build", "-o", "b.bin", "--spiffs", "data", "--follow-links").stderr == ""
    assert Path("a.bin").read_bytes() != Path("b.bin").read_bytes()
