"""What a type checker finds out about programs: streams by mode, images, boards, whole tasks."""

from __future__ import annotations

import subprocess
import sys

import pytest

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

IMAGES = """
from pathlib import Path
import maixfs
with maixfs.open("a", "r+") as image:
    reveal_type(image)
    size: str = image.size  # line 6
    reveal_type(image.fs("/flash"))
    for entry in image.scandir("/flash"):
        reveal_type(entry)
    image.write_bytes("/a", "text")  # line 10
reveal_type(maixfs.pack("a", Path("b"), geometry="maixpy"))
reveal_type(maixfs.pack("a", "b", format="card", label="X"))
maixfs.pack("a", "b", format="card", spare_blocks=1)  # line 13
reveal_type(maixfs.unpack(image, "folder"))
reveal_type(maixfs.copy(["a", Path("b")], (image, "/flash")))
maixfs.copy(1, "board:/flash")  # line 16
with maixfs.Board.open("board", timed=True) as board:
    reveal_type(board)
maixfs.Board.create("board", flash_size="16M")  # line 19
maixfs.open(7)  # line 20
reveal_type(maixfs.examine("a").findings)
reveal_type(maixfs.identify(b"x").kind)
reveal_type(maixfs.Severity.ERROR)
maixfs.no_such_name  # line 24
image.open("/a", "w").write(b"")  # line 25
image.open("/a", "wb").write("")  # line 26
image.write_text("/a", b"")  # line 27
image.open("/a").read() + image.read_text("/a")
image.open("/a", "rb").read() + image.read_bytes("/a")
"""
REVEALED = (
    "maixfs.image.image.Image",
    "maixfs.filesystem.FileSystem[Any]",
    "maixfs.image.volume.ImageEntry",
    "maixfs.transfer.packing.Packed",
    "maixfs.transfer.packing.PackedCard",
    "maixfs.image.entries.Written",
    "maixfs.transfer.copying.Copied",
    "maixfs.board.board.Board",
    "maixfs.finding.Finding",
    "maixfs.image.identify.FileKind",
    "maixfs.finding.Severity",
)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Return what mypy says of each program, line by line; it reads the package only once."""
    folder = tmp_path_factory.mktemp("programs")
    programs = {"streams.py": PROGRAM, "images.py": IMAGES}
    for name, text in programs.items():
        (folder / name).write_text(text)
    result = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-incremental", *programs],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = result.stdout.splitlines()
    return {name: [line for line in lines if line.startswith(name)] for name in programs}


def wrong_lines(answer: list[str]) -> set[str]:
    return {line.split(":")[1] for line in answer if ": error:" in line}


def test_type_checker_knows_the_public_functions(answers: dict[str, list[str]]) -> None:
    lines = answers["images.py"]
    assert wrong_lines(lines) == {"6", "10", "13", "16", "19", "20", "24", "25", "26", "27"}, lines
    notes = [line for line in lines if "Revealed type" in line]
    assert len(notes) == len(REVEALED), lines
    for note, expected in zip(notes, REVEALED, strict=True):
        assert expected in note


def test_type_checker_tells_text_from_binary_streams(answers: dict[str, list[str]]) -> None:
    assert wrong_lines(answers["streams.py"]) == {"4", "8"}, answers["streams.py"]
