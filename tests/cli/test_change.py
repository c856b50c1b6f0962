"""The verbs that change what is in a target, and the proof that they did."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from maixfs.image.opening import open_image

from .conftest import FILES, Run

ReadJson = Callable[..., dict[str, Any]]


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def files_of(target: str) -> dict[str, bytes]:
    """Return all files of a target."""
    with open_image(target) as opened:
        entries = [entry for entry in opened.scandir(recursive=True) if not entry.is_dir]
        return {entry.path: opened.read_bytes(entry.path) for entry in entries}


def proof_of(path: Path) -> str:
    """Return the line that proves what lies in a file now."""
    size = f"{path.stat().st_size / 1024:.1f} KiB".replace("1024.0 KiB", "1.0 MiB")
    return f"wrote {path}: {size}, sha256 {sha256_of(path)}\n"


# cp


def test_cp_to_a_board_writes_the_files(run: Run, place: Path) -> None:
    text = run("cp", "src/boot.py", "board:").stdout
    assert text == "copied board:/flash/boot.py  6 B\n" + proof_of(Path("board/flash.bin"))
    assert files_of("board")["/flash/boot.py"] == b"x = 1\n"
    before = sha256_of(Path("board/flash.bin"))
    assert run("cp", "src/boot.py", ":").stdout == "up to date: board:/flash/boot.py\n"
    assert sha256_of(Path("board/flash.bin")) == before


def test_cp_of_a_folder_copies_its_contents(run: Run, place: Path) -> None:
    assert "recursively" in run("cp", "src", ":", code=1).stderr
    result = run("cp", "-r", "src", "esp.img:/")
    assert "SPIFFS has no folders" in result.stderr
    assert files_of("esp.img")["/src/sub/c.py"] == b"y = 2\n"
    run("cp", "-r", "src/.", ":lib")
    assert {"/flash/lib/boot.py", "/flash/lib/sub/c.py"} <= set(files_of("board"))
    assert run("cp", "-r", "src/.", ":lib").stdout == "2 files up to date\n"
    Path("src/new.py").write_bytes(b"z")
    lines = run("cp", "-r", "src/.", ":lib").stdout.splitlines(keepends=True)
    assert lines[:2] == ["copied board:/flash/lib/new.py  1 B\n", "2 files up to date\n"]
    assert lines[2:] == [proof_of(Path("board/flash.bin"))]


@pytest.mark.skipif(os.name == "nt", reason="links are a right of their own there")
def test_cp_follows_links_out_of_a_folder_only_if_told(run: Run, place: Path) -> None:
    Path("far.py").write_bytes(b"far")
    Path("src/link.py").symlink_to(place / "far.py")
    left = run("cp", "-r", "src/.", ":")
    assert "note: left out, as they link to outside of the folder: link.py\n" in left.stderr
    assert "/flash/link.py" not in files_of("board")
    run("cp", "-r", "--follow-links", "src/.", ":")
    assert files_of("board")["/flash/link.py"] == b"far"


def test_cp_from_a_target_writes_local_files(run: Run, place: Path) -> None:
    text = run("cp", "dump.bin:photo.bin", "photo.bin").stdout
    assert text == f"wrote photo.bin: 10.0 KiB, sha256 {sha256_of(Path('photo.bin'))}\n"
    assert Path("photo.bin").read_bytes() == FILES["/flash/photo.bin"]
    assert run("cp", "dump.bin:photo.bin", "photo.bin").stdout == "up to date: photo.bin\n"
    Path("out").mkdir()
    lines = run("cp", ":**/*.py", "out").stdout.splitlines()
    assert lines[-1] == "wrote 3 files, 5.3 KiB"
    assert run("cp", ":**/*.py", "out").stdout == "3 files up to date\n"
    Path("out/a.py").unlink()
    lines = run("cp", ":**/*.py", "out").stdout.splitlines()
    assert lines == ["copied out/a.py  6 B", "wrote 1 file, 6 B, 2 up to date"]


def test_cp_between_targets_writes_the_files(run: Run, place: Path) -> None:
    run("cp", "board:photo.bin", "esp.img:/copy.bin")
    assert files_of("esp.img")["/copy.bin"] == FILES["/flash/photo.bin"]


def test_cp_dry_run_says_what_it_would_do(run: Run, place: Path, read_json: ReadJson) -> None:
    Path("src/main.py").write_bytes(b"other")
    Path("src/photo.bin").write_bytes(FILES["/flash/photo.bin"])
    lines = run("cp", "-rn", "src/.", ":").stdout.splitlines()
    assert [line.split(" from ")[0] for line in lines] == [
        "would write board:/flash/boot.py",
        "would replace board:/flash/main.py",
        "up to date: board:/flash/photo.bin",
        "would write board:/flash/sub/c.py",
    ]
    steps = read_json("cp", "-rn", "src/.", ":")["steps"]
    assert {step["action"] for step in steps} == {"new", "replace", "up to date"}
    assert set(steps[0]) == {"source", "destination", "size", "action", "note"}


def test_cp_prints_json(read_json: ReadJson, place: Path) -> None:
    result = read_json("cp", "src/boot.py", ":")
    digest = hashlib.sha256(b"x = 1\n").hexdigest()
    assert result["files"] == [
        {
            "path": "board:/flash/boot.py",
            "size": 6,
            "sha256": digest,
            "changed": True,
            "note": "",
        }
    ]
    assert result["written"]["sha256"] == sha256_of(Path("board/flash.bin"))
    assert read_json("cp", "src/boot.py", ":")["written"] is None


def test_cp_of_what_does_not_fit_changes_nothing(run: Run, place: Path) -> None:
    Path("big.bin").write_bytes(bytes(1 << 20))
    before = sha256_of(Path("board/flash.bin"))
    error, hint = run("cp", "src/boot.py", "big.bin", ":", code=1).stderr.splitlines()
    assert error.startswith("error: 2 files do not fit: they need ")
    assert hint.startswith("  hint: ")
    assert "photo.bin" in hint
    assert sha256_of(Path("board/flash.bin")) == before


def test_cp_needs_a_source_and_a_destination(run: Run, place: Path) -> None:
    assert "maixfs cp --help" in run("cp", "src", code=2).stderr
    assert "neither source nor destination" in run("cp", "src", "other", code=2).stderr
    assert "maixfs mkfs new.img" in run("cp", "src/boot.py", "new.img:/", code=1).stderr


# rm


def test_rm_removes_files(run: Run, place: Path) -> None:
    text = run("rm", ":main.py").stdout
    assert text == "removed board:/flash/main.py  15 B\n" + proof_of(Path("board/flash.bin"))
    assert "/flash/main.py" not in files_of("board")
    assert "no such file" in run("rm", ":main.py", code=1).stderr
    assert run("rm", "-f", ":main.py").stdout == "nothing to remove\n"


def test_rm_removes_folders_and_patterns(run: Run, place: Path) -> None:
    assert "-r removes it" in run("rm", ":*", code=1).stderr
    assert set(files_of("board")) == set(FILES)
    assert run("rm", "-rn", ":**").stdout.count("would remove") == len(FILES)
    run("rm", "-r", ":lib", ":**/*.py", "esp.img:lib")
    assert set(files_of("board")) == {"/flash/photo.bin"}
    assert "/lib/a.py" not in files_of("esp.img")


def test_rm_is_done_as_a_whole(run: Run, place: Path) -> None:
    before = sha256_of(Path("board/flash.bin"))
    run("rm", ":main.py", ":nope.py", code=1)
    assert sha256_of(Path("board/flash.bin")) == before


def test_rm_of_a_whole_target_is_a_mistake(run: Run, place: Path) -> None:
    for text in ("board", "board:"):
        result = run("rm", "-r", text, code=2)
        assert "needs a path" in result.stderr
        assert "hint: maixfs rm board:PATH" in result.stderr
    assert Path("board/flash.bin").exists()


def test_rm_prints_json(read_json: ReadJson, place: Path) -> None:
    result = read_json("rm", ":main.py")
    (target,) = result["targets"]
    assert target["removed"] == [{"path": "/flash/main.py", "size": 15}]
    assert target["written"]["sha256"] == sha256_of(Path("board/flash.bin"))
    assert read_json("rm", "-n", ":photo.bin")["targets"][0]["written"] is None


# mv


def test_mv_renames_a_file(run: Run, place: Path) -> None:
    text = run("mv", ":main.py", ":old.py").stdout
    moved = "moved board:/flash/main.py to board:/flash/old.py\n"
    assert text == moved + proof_of(Path("board/flash.bin"))
    assert files_of("board")["/flash/old.py"] == FILES["/flash/main.py"]
    run("mv", ":old.py", ":photo.bin", ":lib")
    run("mv", ":lib", ":things")
    assert set(files_of("board")) == {
        "/flash/things/a.py",
        "/flash/things/deep/b.py",
        "/flash/things/old.py",
        "/flash/things/photo.bin",
    }


def test_mv_into_a_new_folder_makes_it(run: Run, place: Path) -> None:
    assert "slash at its end" in run("mv", ":main.py", ":photo.bin", ":new", code=2).stderr
    text = run("mv", "-n", ":main.py", ":photo.bin", ":new/").stdout
    assert "would move board:/flash/photo.bin to board:/flash/new/photo.bin" in text
    run("mv", ":main.py", ":photo.bin", ":new/")
    assert "/flash/new/main.py" in files_of("board")


def test_mv_to_the_root_keeps_the_name(run: Run, place: Path) -> None:
    run("mv", ":lib/a.py", ":")
    run("mv", ":lib/deep", "board:/flash")
    run("mv", "esp.img:/lib/a.py", "esp.img:")
    assert {"/flash/a.py", "/flash/deep/b.py"} <= set(files_of("board"))
    assert "/a.py" in files_of("esp.img")


def test_mv_refuses_what_would_stay_or_be_lost(run: Run, place: Path) -> None:
    before = files_of("board")
    for new in (":main.py", ":./lib/../main.py", ":"):
        assert "are the same file" in run("mv", "-f", ":main.py", new, code=2).stderr
    run("cp", "src/boot.py", ":lib/main.py")
    clash = run("mv", "-f", ":main.py", ":lib/main.py", ":new/", code=2).stderr
    assert "would both become /flash/new/main.py" in clash
    run("rm", ":lib/main.py")
    assert files_of("board") == before


def test_mv_replaces_only_with_force(run: Run, place: Path) -> None:
    result = run("mv", ":main.py", ":photo.bin", code=1)
    assert "maixfs mv -f board:/flash/main.py board:/flash/photo.bin" in result.stderr
    run("mv", "-f", ":main.py", ":photo.bin")
    assert files_of("board")["/flash/photo.bin"] == FILES["/flash/main.py"]


def test_mv_stays_in_one_target(run: Run, place: Path) -> None:
    assert "maixfs cp" in run("mv", ":main.py", "esp.img:/main.py", code=2).stderr
    assert "maixfs mv --help" in run("mv", ":main.py", code=2).stderr
    assert "needs a path" in run("mv", ":main.py", "x.py", code=2).stderr


def test_mv_prints_json(read_json: ReadJson, place: Path) -> None:
    result = read_json("mv", ":main.py", ":old.py")
    assert result["moved"] == [{"from": "/flash/main.py", "to": "/flash/old.py"}]
    assert result["written"]["sha256"] == sha256_of(Path("board/flash.bin"))


# mkdir, gc


def test_mkdir_says_that_there_are_no_folders(run: Run, place: Path) -> None:
    result = run("mkdir", ":lib", code=1)
    assert "SPIFFS has no folders" in result.stderr
    assert "hint: " in result.stderr


def test_gc_frees_what_deleted_data_holds(run: Run, place: Path, read_json: ReadJson) -> None:
    run("rm", ":photo.bin")
    deleted = read_json("df")["targets"][0]["deleted_pages"]
    assert deleted >= 4
    text = run("gc").stdout
    assert text.startswith(f"board: freed {deleted} pages (")
    assert text.endswith(proof_of(Path("board/flash.bin")))
    assert read_json("df")["targets"][0]["deleted_pages"] == 0
    assert run("gc", "board").stdout.startswith("board: nothing to free; ")
    result = read_json("gc", "board")
    assert (result["freed_pages"], result["written"]) == (0, None)


@pytest.mark.parametrize("target", ["board", "dump.bin", "esp.img"])
def test_every_kind_of_target_can_be_changed(target: str, run: Run, place: Path) -> None:
    run("cp", "src/boot.py", f"{target}:boot.py")
    run("mv", f"{target}:boot.py", f"{target}:start.py")
    run("rm", f"{target}:main.py")
    run("gc", target)
    names = run("ls", "-1", target).stdout.split()
    assert "start.py" in names
    assert "main.py" not in names
    run("info", target)


def test_write_protected_image_is_not_written(run: Run, place: Path) -> None:
    image = place / "esp.img"
    image.chmod(0o444)
    before = sha256_of(image)
    assert "write-protected" in run("rm", "esp.img:main.py", code=1).stderr
    assert sha256_of(image) == before
    image.chmod(0o644)
