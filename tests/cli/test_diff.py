"""``maixfs diff``: images by parts, targets by files, and exit codes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from maixfs.image.opening import open_image

from .conftest import FILES, Run

ReadJson = Callable[..., dict[str, Any]]


@pytest.fixture
def two(place: Path) -> Path:
    """Return a folder with dump.bin and a copy of it, other.bin, in which main.py is another."""
    shutil.copy("dump.bin", "other.bin")
    with open_image("other.bin", "r+") as target:
        target.write_bytes("/flash/main.py", b"print('other')\n")
    return place


def test_diff_of_equal_images_exits_with_0(run: Run, read_json: ReadJson, place: Path) -> None:
    line = run("diff", "board", "dump.bin").stdout
    assert line == "board and dump.bin are equal, 1.0 MiB\n"
    document = read_json("diff", "dump.bin", "board")
    assert document["equal"] and document["parts"] == []
    assert "have the same files: 4 files" in run("diff", "--files", "board", "dump.bin").stdout


def test_diff_names_a_changed_file(run: Run, read_json: ReadJson, two: Path) -> None:
    text = run("diff", "dump.bin", "other.bin", code=1).stdout
    assert text.startswith("dump.bin and other.bin differ: ")
    assert "changed     spiffs" in text
    assert "0x040000-0x0E0000" in text
    assert "changed   /main.py  15 B, from byte 7 on" in text
    assert "page " not in text.replace("pages", "")
    more = run("diff", "-v", "dump.bin", "other.bin", code=1).stdout
    assert "page 1 at 0x041000: " in more
    assert " -> " in more
    assert len(run("diff", "-vv", "dump.bin", "other.bin", code=1).stdout) >= len(more)
    document = read_json("diff", "dump.bin", "other.bin", code=1)
    (part,) = document["parts"]
    assert part["kind"] == "spiffs" and part["change"] == "changed"
    assert part["area"]["reason"] == "files"
    assert [one["path"] for one in part["area"]["files"]] == ["/main.py"]
    assert set(part["area"]["files"][0]) == {
        "path", "change", "old_size", "new_size", "old_path", "first", "note",
    }  # fmt: skip
    assert set(document) == {
        "old", "new", "equal", "by", "old_size", "new_size", "sectors", "parts",
    }  # fmt: skip


def test_diff_recognises_garbage_collection(run: Run, place: Path) -> None:
    for number in range(30):
        with open_image("dump.bin", "r+") as target:
            target.write_bytes("/flash/main.py", b"%d" % number)
    shutil.copy("dump.bin", "other.bin")
    run("gc", "other.bin")
    text = run("diff", "dump.bin", "other.bin", code=1).stdout
    assert "gc only" in text
    assert "all from " in text and text.rstrip().endswith("files identical")
    assert "have the same files" in run("diff", "--files", "dump.bin", "other.bin").stdout


def test_diff_shows_bytes_outside_parts(run: Run, place: Path) -> None:
    image = bytearray(Path("dump.bin").read_bytes())
    image[0xF0010:0xF0015] = b"hello"
    Path("other.bin").write_bytes(image)
    text = run("diff", "-v", "dump.bin", "other.bin", code=1).stdout
    assert "added       unknown      0x0F0000-0x0F1000" in text
    assert "0x0F0010-0x0F0015, 5 bytes: ff ff ff ff ff -> 68 65 6c 6c 6f" in text


def test_diff_compares_trees(run: Run, read_json: ReadJson, two: Path) -> None:
    run("pack", "src", "-o", "card.img")
    document = read_json("diff", "dump.bin:/flash", "card.img:/", code=1)
    changes = {one["path"]: one["change"] for one in document["files"]}
    assert document["by"] == "files"
    assert changes == {
        "/boot.py": "added",
        "/lib/a.py": "removed",
        "/lib/deep/b.py": "removed",
        "/main.py": "removed",
        "/photo.bin": "removed",
        "/sub/c.py": "added",
    }
    assert document["equal_files"] == 0
    run("diff", "dump.bin:/flash/lib", "board:/flash/lib")
    text = run("diff", "dump.bin:", "other.bin:", code=1).stdout
    assert "1 file differs, 3 files the same" in text
    assert "/main.py" in text


def test_diff_compares_cards(run: Run, place: Path, read_json: ReadJson) -> None:
    for name in ("a.img", "b.img"):
        run("sd", "new", "64M", name)
        run("cp", "-r", "src", f"{name}:/")
    run("mv", "b.img:/src/boot.py", "b.img:/src/start.py")
    document = read_json("diff", "a.img", "b.img", code=1)
    (one,) = document["files"]
    assert (one["change"], one["path"], one["old_path"]) == (
        "renamed",
        "/src/start.py",
        "/src/boot.py",
    )
    assert read_json("diff", "a.img", "a.img")["equal"]


def test_diff_refuses_wrong_places(run: Run, place: Path) -> None:
    assert "missing.bin does not exist" in run("diff", "dump.bin", "missing.bin", code=1).stderr
    assert "no such file" in run("diff", "dump.bin:/flash/x", "board:", code=1).stderr
    run("diff", "dump.bin", code=2)


def test_diff_sees_every_file(read_json: ReadJson, place: Path) -> None:
    document = read_json("diff", "--files", "dump.bin", "esp.img", code=1)
    assert document["equal_files"] == len(FILES)
    assert len(document["files"]) == 1
