"""Whole images: made empty, made of a folder, taken apart."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from maixfs.image.opening import open_image

from .conftest import ESP, FILES, SMALL, Run

ReadJson = Callable[..., dict[str, Any]]


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ([], 0x300000),
        (["--preset", "esp-idf"], 0x100000),
        (["--preset", "esp8266", "--size", "256K"], 0x40000),
        (["--size", "0x80000", "--block-size", "64K", "--page-size", "1024"], 0x80000),
        (["--whole-flash"], 0x1000000),
        (["--flash-size", "0x100000", "--base", "0x40000", "--size", "640K"], 0x100000),
        (["--like", "esp.img"], ESP.size),
        (["--like", "dump.bin"], SMALL.size),
        (["--like", "dump.bin", "--whole-flash"], 0x100000),
        (["--like", "board", "--size", "512K"], 0x80000),
    ],
    ids=str,
)
def test_mkfs_makes_a_mountable_image(
    options: list[str], size: int, run: Run, place: Path, read_json: ReadJson
) -> None:
    text = run("mkfs", "new.img", *options).stdout
    digest = hashlib.sha256(Path("new.img").read_bytes()).hexdigest()
    assert text.startswith("wrote new.img: ")
    assert text.endswith(f", sha256 {digest}\n")
    assert Path("new.img").stat().st_size == size
    assert read_json("info", "new.img")["room"]["files"] == 0


def test_mkfs_of_an_equal_image_is_up_to_date(run: Run, place: Path) -> None:
    run("mkfs", "new.img")
    before = Path("new.img").stat().st_mtime_ns
    assert run("mkfs", "new.img").stdout.startswith("up to date: new.img")
    assert Path("new.img").stat().st_mtime_ns == before


def test_mkfs_accepts_unusual_geometries(run: Run, place: Path, read_json: ReadJson) -> None:
    switches = ["--magic", "no", "--magic-length", "no", "--aligned-tables", "no"]
    run("mkfs", "new.img", "--size", "1M", "--name-length", "64", "--meta-length", "8", *switches)
    run("cp", "src/boot.py", "new.img:/", "--geometry", "size=1M,base=0,use_magic=0,"
        "use_magic_length=0,aligned_tables=0,name_length=64,meta_length=8")  # fmt: skip
    geometry = read_json("info", "new.img")["geometry"]
    assert geometry["use_magic"] is False
    assert geometry["aligned_tables"] is False
    assert (geometry["name_length"], geometry["meta_length"]) == (64, 8)


def test_mkfs_overwrites_only_with_force(run: Run, place: Path, read_json: ReadJson) -> None:
    before = Path("esp.img").read_bytes()
    result = run("mkfs", "esp.img", code=1)
    assert result.stderr == "error: esp.img exists already\n  hint: --force replaces it\n"
    assert Path("esp.img").read_bytes() == before
    assert "not blank" in run("mkfs", "board", code=1).stderr
    assert run("ls", "-1", "board").stdout != ""
    run("mkfs", "-f", "board")
    assert run("ls", "-1", "board").stdout == ""
    result = read_json("mkfs", "-f", "esp.img")
    assert result["written"]["size"] == 0x300000
    assert result["changed"] is True


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--page-size", "3000"], "not two or more pages"),
        (["--size", "3Q"], "--size: '3Q' is not a size"),
        (["--preset", "arduino"], "--preset: 'arduino' is not a preset"),
        (["--preset", "maixpy", "--like", "esp.img"], "mutually exclusive"),
        (["--flash-size", "1M"], "cannot hold the area"),
        (["--flash-size", "16777217"], "not a multiple of the sector size"),
    ],
    ids=str,
)
def test_mkfs_refuses_impossible_geometries(
    options: list[str], message: str, run: Run, place: Path
) -> None:
    assert message in run("mkfs", "new.img", *options, code=2).stderr
    assert not Path("new.img").exists()


def test_pack_and_unpack_give_the_same_files(run: Run, place: Path) -> None:
    result = run("pack", "src", "-o", "fs.img")
    digest = hashlib.sha256(Path("fs.img").read_bytes()).hexdigest()
    assert result.stdout == f"wrote fs.img: 3.0 MiB, 2 files in 4 pages, sha256 {digest}\n"
    assert "note: SPIFFS has no folders" in result.stderr
    assert run("unpack", "fs.img", "out").stdout.splitlines()[-1] == "wrote 2 files, 12 B"
    assert Path("out/sub/c.py").read_bytes() == b"y = 2\n"
    assert run("unpack", "fs.img", "out").stdout.splitlines()[-1] == "2 files up to date"


def test_pack_gives_the_same_bytes_each_time(run: Run, place: Path, read_json: ReadJson) -> None:
    first = read_json("pack", "src", "-o", "one.img", "--preset", "esp-idf")
    second = read_json("pack", "src", "-o", "two.img", "--preset", "esp-idf")
    assert first["written"]["sha256"] == second["written"]["sha256"]
    assert first["files"] == 2
    assert run("pack", "src", "-o", "one.img", "--preset", "esp-idf").stdout.startswith("up to")
    assert "exists already" in run("pack", "src", "-o", "one.img", code=1).stderr


def test_pack_like_uses_the_geometry_of_another_image(run: Run, place: Path) -> None:
    run("pack", "src", "-o", "flash.bin", "--like", "dump.bin", "--whole-flash")
    with open_image("flash.bin") as target:
        assert (target.spiffs.geometry, target.size) == (SMALL, 0x100000)
        assert target.read_bytes("/flash/sub/c.py") == b"y = 2\n"


def test_pack_of_too_much_names_the_largest_files(run: Run, place: Path) -> None:
    Path("src/large.bin").write_bytes(bytes(1 << 20))
    result = run("pack", "src", "-o", "fs.img", "--preset", "esp-idf", code=1)
    assert "pages of 256 bytes too many" in result.stderr
    assert "hint: the largest, in pages: /large.bin (" in result.stderr
    assert not Path("fs.img").exists()
    assert "spare blocks" in run("pack", "src", "-o", "x", "--spare-blocks", "99", code=2).stderr


def test_pack_requires_a_folder_and_an_output(run: Run, place: Path) -> None:
    assert "missing option '-o'" in run("pack", "src", code=2).stderr
    assert "nope does not exist" in run("pack", "nope", "-o", "x", code=1).stderr
    assert "is a file" in run("pack", "esp.img", "-o", "x", code=2).stderr


def test_unpack_writes_one_folder(run: Run, place: Path, read_json: ReadJson) -> None:
    result = read_json("unpack", "board:lib", "out")
    assert [file["path"] for file in result["files"]] == [
        str(Path("out/a.py")),
        str(Path("out/deep/b.py")),
    ]
    assert Path("out/deep/b.py").read_bytes() == FILES["/flash/lib/deep/b.py"]


def test_unpack_overwrites_only_with_force(run: Run, place: Path) -> None:
    Path("out").mkdir()
    Path("out/main.py").write_bytes(b"mine")
    result = run("unpack", "board", "out", code=1)
    assert "nothing was written" in result.stderr
    assert [path.name for path in Path("out").iterdir()] == ["main.py"]
    run("unpack", "-f", "board", "out")
    assert Path("out/main.py").read_bytes() == FILES["/flash/main.py"]


def test_unpack_leaves_out_damaged_files(run: Run, place: Path) -> None:
    from .test_look import damage_photo

    damage_photo(place / "dump.bin")
    result = run("unpack", "dump.bin", "out", "--json", code=1)
    document = json.loads(result.stdout)
    assert len(document["files"]) == len(FILES) - 1
    (reason,) = document["left_out"]
    assert reason.startswith("/flash/photo.bin cannot be read: ")
    assert "1 of 4 files left out: /flash/photo.bin" in result.stderr
    assert Path("out/lib/a.py").exists()
    assert not Path("out/photo.bin").exists()


def test_unpack_names_every_file_that_it_leaves_out(run: Run, place: Path) -> None:
    raw = bytearray((place / "dump.bin").read_bytes())
    for name in (b"/photo.bin\0", b"/lib/deep/b.py\0"):
        raw[raw.index(name) - 13 + 4096 + 4] &= 0x7F
    (place / "dump.bin").write_bytes(raw)
    lines = run("unpack", "dump.bin", "out", code=1).stderr.splitlines()
    assert sum(line.startswith("note: left out: /flash/") for line in lines) == 2
    assert lines[-2:] == [
        "error: 2 of 4 files left out, as they cannot be read",
        "  hint: maixfs info dump.bin",
    ]
