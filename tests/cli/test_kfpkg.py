"""``maixfs kfpkg``: packages made, judged, taken apart and flashed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from maixfs.firmware.container import read_firmware
from maixfs.image.opening import open_image
from maixfs.kfpkg import Part, make_kfpkg, read_kfpkg

from .conftest import FILES, Run
from .flashes import MODEL, PAYLOAD, SMALL_LAYOUT, desk

__all__ = ["desk"]
KfpkgJson = Callable[..., dict[str, Any]]
PARTS = ("--firmware", "maixpy.bin", "--model", "face.kmodel", "--spiffs", "data")


@pytest.fixture
def kfpkg_json(run: Run) -> KfpkgJson:
    """Return a function that runs a verb of the group with ``--json`` and returns the document."""

    def call(verb: str, *arguments: str, code: int = 0) -> dict[str, Any]:
        result = run("kfpkg", verb, *arguments, "--json", code=code)
        document: dict[str, Any] = json.loads(result.stdout)
        assert document.pop("maixfs") == 1
        assert document.pop("verb") == f"kfpkg {verb}"
        return document

    return call


def save(name: str, *parts: Part) -> str:
    Path(name).write_bytes(make_kfpkg(parts))
    return name


@pytest.mark.usefixtures("desk")
def test_make_and_list_agree(run: Run, kfpkg_json: KfpkgJson) -> None:
    shown = run("kfpkg", "make", "-o", "all.kfpkg", *PARTS).stdout
    assert "wrote all.kfpkg: " in shown and "3 files, sha256 " in shown
    package = read_kfpkg("all.kfpkg")
    assert [(part.address, part.name, part.sha256_prefix) for part in package.parts] == [
        (0, "maixpy.bin", True),
        (0x300000, "face.kmodel", False),
        (0xD00000, "data.bin", False),
    ]
    assert package.parts[0].data == PAYLOAD
    listed = run("kfpkg", "list", "all.kfpkg").stdout
    assert "0xD00000" in listed and "header and hash" in listed
    document = kfpkg_json("list", "all.kfpkg")
    assert document["version"] == "0.1.0" and document["notes"] == []
    assert [part["kind"] for part in document["parts"]] == ["firmware", "model", "spiffs"]
    assert document["parts"][0]["size_in_flash"] == len(PAYLOAD) + 37
    again = run("kfpkg", "make", "-o", "all.kfpkg", *PARTS).stdout
    assert again.splitlines()[-1].startswith("up to date: all.kfpkg")


@pytest.mark.usefixtures("desk")
def test_verify_reports_conflicts(run: Run, kfpkg_json: KfpkgJson) -> None:
    bad = save("bad.kfpkg", Part(0, "fw.bin", PAYLOAD, False), Part(0xE00000, "m", MODEL, True))
    result = run("kfpkg", "verify", bad, code=1)
    assert "do not flash it: 3 errors in 2 files" in result.stdout
    assert "fw.bin (0x0-" in result.stderr and "sha256Prefix must be true" in result.stderr
    assert "overwrites the file system /flash (0xd00000-0x1000000)" in result.stderr
    document = kfpkg_json("verify", bad, code=1)
    assert {one["key"] for one in document["conflicts"]} == {"header", "region"}
    good = save("good.kfpkg", Part(0, "fw.bin", PAYLOAD, True))
    assert "can be flashed: 1 file for MaixPy" in run("kfpkg", "verify", good).stdout


@pytest.mark.usefixtures("desk")
def test_verify_names_flashers_that_do_damage(run: Run) -> None:
    parts = (Part(0x302000, "early", MODEL, False), Part(0x300000, "late", MODEL, False))
    result = run("kfpkg", "verify", save("two.kfpkg", *parts))
    assert "not with the flasher kflash-64k" in result.stderr
    assert "destroys early (0x302000-" in result.stderr
    assert "kflash-4k" not in result.stderr
    assert "but not by every flasher" in result.stdout
    run("kfpkg", "verify", "two.kfpkg", "--flasher", "kflash-64k", code=1)
    run("kfpkg", "verify", "two.kfpkg", "--flasher", "ktool")


@pytest.mark.usefixtures("desk")
def test_make_with_conflicts_writes_nothing(run: Run, kfpkg_json: KfpkgJson) -> None:
    line = ("-o", "x.kfpkg", "--firmware", "maixpy.bin", "--raw", "face.kmodel@0x1000")
    assert "overlap" in run("kfpkg", "make", *line, code=1).stderr
    assert kfpkg_json("make", *line, code=1)["written"] is None
    unaligned = ("-o", "x.kfpkg", "--raw", "face.kmodel@0x300001")
    assert "does not begin at a sector" in run("kfpkg", "make", *unaligned, code=1).stderr
    assert not Path("x.kfpkg").exists()


def test_extract_writes_a_recipe_that_makes_it_again(
    desk: Path, run: Run, kfpkg_json: KfpkgJson
) -> None:
    run("kfpkg", "make", "-o", "all.kfpkg", *PARTS)
    shown = run("kfpkg", "extract", "all.kfpkg", "out").stdout
    assert "wrote 4 files" in shown
    assert (desk / "out" / "maixpy.bin").read_bytes() == PAYLOAD
    run("kfpkg", "make", "out/recipe.toml", "-o", "again.kfpkg")
    assert (desk / "again.kfpkg").read_bytes() == (desk / "all.kfpkg").read_bytes()
    document = kfpkg_json("extract", "all.kfpkg", "one", "face.kmodel")
    assert [one["size"] for one in document["files"]] == [len(MODEL)]
    assert [file.name for file in (desk / "one").iterdir()] == ["face.kmodel"]
    missing = run("kfpkg", "extract", "all.kfpkg", "one", "no.bin", code=2).stderr
    assert "it has maixpy.bin, face.kmodel" in missing


def test_extract_replaces_files_only_with_force(desk: Path, run: Run) -> None:
    run("kfpkg", "make", "-o", "all.kfpkg", *PARTS)
    (desk / "out").mkdir()
    (desk / "out" / "face.kmodel").write_bytes(b"mine")
    run("kfpkg", "extract", "all.kfpkg", "out", code=1)
    assert [file.name for file in (desk / "out").iterdir()] == ["face.kmodel"]
    run("kfpkg", "extract", "all.kfpkg", "out", "--force")
    assert (desk / "out" / "face.kmodel").read_bytes() == MODEL


def test_extract_follows_no_link_out_of_the_folder(desk: Path, run: Run) -> None:
    run("kfpkg", "make", "-o", "all.kfpkg", *PARTS)
    (desk / "out").mkdir()
    (desk / "secret").write_bytes(b"mine")
    try:
        (desk / "out" / "face.kmodel").symlink_to(desk / "secret")
    except OSError:
        pytest.skip("this host has no links")
    run("kfpkg", "extract", "all.kfpkg", "out", "--force", code=1)
    assert (desk / "secret").read_bytes() == b"mine"


# Applying


@pytest.fixture
def small(place: Path) -> Path:
    """Return the directory of the small board, with its layout and a package for it."""
    (place / "small.toml").write_text(SMALL_LAYOUT, encoding="utf-8")
    save("small.kfpkg", Part(0, "fw.bin", PAYLOAD, True), Part(0x20000, "m.kmodel", MODEL, False))
    return place


LAYOUT = ("--layout", "small.toml")


def test_apply_to_a_board_keeps_its_files(small: Path, run: Run) -> None:
    before = (small / "board" / "flash.bin").read_bytes()
    shown = run("kfpkg", "apply", "small.kfpkg", "board", *LAYOUT, "--dio").stdout
    assert "wrote board" in shown and "sectors changed, sha256 " in shown
    after = (small / "board" / "flash.bin").read_bytes()
    assert read_firmware(after).sha_ok and read_firmware(after).dio
    assert after[0x20000:].startswith(MODEL)
    assert after[0x40000:] == before[0x40000:]
    with open_image(small / "board") as target:
        assert target.read_bytes("/flash/main.py") == FILES["/flash/main.py"]
    again = run("kfpkg", "apply", "small.kfpkg", "board", *LAYOUT, "--dio").stdout
    assert "up to date: board" in again


def test_apply_with_output_keeps_the_old_image(
    small: Path, run: Run, kfpkg_json: KfpkgJson
) -> None:
    before = (small / "dump.bin").read_bytes()
    line = ("small.kfpkg", "dump.bin", *LAYOUT)
    document = kfpkg_json("apply", *line, "-o", "new.bin", "--flasher", "kflash-4k")
    assert document["written"]["path"] == "new.bin"
    assert (small / "dump.bin").read_bytes() == before
    new = (small / "new.bin").read_bytes()
    firmware = read_firmware(new)
    assert firmware.padding == -firmware.total % 0x1000
    dry = kfpkg_json("apply", *line, "-n")
    assert dry["dry_run"] and dry["written"] is None
    assert (small / "dump.bin").read_bytes() == before


def test_apply_refuses_to_damage_a_flash(small: Path, run: Run) -> None:
    before = (small / "dump.bin").read_bytes()
    save("bad.kfpkg", Part(0x50000, "m.kmodel", MODEL, False))
    result = run("kfpkg", "apply", "bad.kfpkg", "dump.bin", *LAYOUT, code=1)
    assert "overwrites the file system /flash (0x40000-0xe0000)" in result.stderr
    assert "overwrites a part of the spiffs at 0x40000-0xe0000" in result.stderr
    save("far.kfpkg", Part(0x200000, "m.kmodel", MODEL, False))
    far = run("kfpkg", "apply", "far.kfpkg", "dump.bin", *LAYOUT, code=1)
    assert "ends past the end of the chip (0x100000)" in far.stderr
    assert (small / "dump.bin").read_bytes() == before


@pytest.mark.usefixtures("desk")
@pytest.mark.parametrize("verb", ["list", "verify", "extract", "apply"])
def test_file_that_is_not_a_package_is_an_error(verb: str, run: Run) -> None:
    more = {"extract": ["out"], "apply": ["data"]}.get(verb, [])
    result = run("kfpkg", verb, "maixpy.bin", *more, code=1)
    assert "does not begin like an archive" in result.stderr
    assert not Path("out").exists()
