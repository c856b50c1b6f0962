"""The programs in examples/ that use the package run as a user runs them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import maixfs

EXAMPLES = Path(__file__).parents[1] / "examples"
FLASH = 16 << 20


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "main.py").write_text("print(1)\n")
    maixfs.pack("files", "dump.bin", flash_size=FLASH)
    return tmp_path


def run(name: str, *arguments: str, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def test_inspect_dump_lists_parts_and_writes_files(folder: Path) -> None:
    output = run("inspect_dump.py", "dump.bin", "out")
    assert "0xD00000" in output
    assert (folder / "out" / "main.py").read_text() == "print(1)\n"


def test_update_files_writes_and_removes_in_one_step(folder: Path) -> None:
    (folder / "files" / "new.py").write_text("NEW = 1\n")
    with maixfs.open("dump.bin", "r+") as image:
        image.write_bytes("/flash/old.py", b"old")
    run("update_files.py", "files", "dump.bin:/flash", "old.py", "older.py")
    with maixfs.open("dump.bin") as image:
        assert [entry.name for entry in image.scandir("/flash")] == ["main.py", "new.py"]


def test_update_files_that_do_not_fit_changes_nothing(folder: Path) -> None:
    before = (folder / "dump.bin").read_bytes()
    (folder / "files" / "huge").write_bytes(bytes(4 << 20))
    assert "nothing was changed" in run("update_files.py", "files", "dump.bin:/flash", code=1)
    assert (folder / "dump.bin").read_bytes() == before


def test_try_program_shows_what_a_program_changed(folder: Path) -> None:
    (folder / "program.py").write_text(
        "with open('/flash/log', 'w') as f:\n    f.write('x' * 9)\n"
    )
    output = run("try_program.py", "files", "board", "program.py")
    assert "log had no bytes, has 9" in output
    assert "spiffs at 0xd00000" in output


def test_every_program_that_imports_the_package_is_run_here() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    programs = [path for path in EXAMPLES.glob("*.py") if "import maixfs" in path.read_text()]
    assert len(programs) >= 3
    for path in programs:
        assert f'"{path.name}"' in text
