"""``open`` is typed by its mode: the type checker knows text from binary streams."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
from maixfs.spiffs import Spiffs
def text(fs: Spiffs) -> str:
    fs.open("/a", "w").write(b"")  # line 4
    fs.open("/a").write("right")
    return fs.open("/a").read()
def binary(fs: Spiffs) -> bytes:
    fs.open("/a", "wb").write("")  # line 8
    fs.open("/a", "r+b").write(b"right")
    return fs.open("/a", "rb").read()
"""


def test_type_checker_tells_text_from_binary_streams(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    result = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-incremental", "program.py"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    wrong = [line.split(":")[1] for line in result.stdout.splitlines() if ": error:" in line]
    assert wrong == ["4", "8"], result.stdout
