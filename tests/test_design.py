"""docs/DESIGN.md names modules that exist, and files that its routes run through."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest
from click.testing import CliRunner

import maixfs
from image.whole_image import make_flash
from maixfs.board import Board
from maixfs.cli.verb import maixfs as program

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "maixfs"
TEXT = (ROOT / "docs" / "DESIGN.md").read_text(encoding="utf-8")
ROUTE = re.compile(r"^([^\n|]+):\n\n((?:    .+\n)+)", re.MULTILINE)
ROUTES = {
    match[1]: re.findall(r"^    ([\w/]+\.py) ", match[2], re.MULTILINE)
    for match in ROUTE.finditer(TEXT)
    if re.match(r"    [\w/]+\.py ", match[2])
}


def route(words: str) -> list[str]:
    """Return the files of the route whose introduction has these words."""
    (found,) = [files for intro, files in ROUTES.items() if words in intro]
    return found


@contextmanager
def recorded() -> Iterator[set[str]]:
    """Record the files of maixfs in which a function is called."""
    files: set[str] = set()

    def look(frame: FrameType, event: str, _argument: object) -> None:
        name = frame.f_code.co_filename
        if event == "call" and frame.f_code.co_name != "<module>" and name.startswith(str(SOURCE)):
            files.add(Path(name).relative_to(SOURCE).as_posix())

    before = sys.getprofile()
    sys.setprofile(look)
    try:
        yield files
    finally:
        sys.setprofile(before)


def test_module_tables_name_modules() -> None:
    tables = re.findall(r"^\| module of `([\w/]+)/` .*\n((?:\|.*\n)+)", TEXT, re.MULTILINE)
    assert {package for package, _ in tables} >= {"image", "spiffs", "fat"}
    for package, rows in tables:
        for cell in re.findall(r"^\| (`[^|]+) \|", rows, re.MULTILINE):
            for name in re.findall(r"`(\w+)`", cell):
                folder = SOURCE / package
                assert (folder / f"{name}.py").is_file() or (folder / name).is_dir(), name


def test_files_of_all_routes_exist() -> None:
    assert len(ROUTES) >= 7
    assert not [
        name for files in ROUTES.values() for name in files if not (SOURCE / name).exists()
    ]


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "board"
    Board.create(folder)
    with Board.open(folder) as powered:
        powered.run()
    (tmp_path / "flash.bin").write_bytes(make_flash(models={}))
    (tmp_path / "a.txt").write_bytes(b"hello")
    return folder


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("maixfs ls", ["ls", "board:/flash"]),
        ("maixfs info", ["info", "flash.bin"]),
        ("maixfs cp", ["cp", "a.txt", "board:/flash/"]),
        ("route of a finding", ["doctor", "board"]),
    ],
)
@pytest.mark.usefixtures("board")
def test_commands_run_through_the_files_of_their_route(words: str, line: list[str]) -> None:
    with recorded() as files:
        assert CliRunner().invoke(program, line).exit_code == 0
    assert [name for name in route(words) if name not in files] == []


def write(board: Board) -> None:
    with board.vfs.open("/flash/a", "w") as stream:
        stream.write("x")


def fail(board: Board) -> None:
    with pytest.raises(OSError):
        board.vfs.open("/flash/none")


@pytest.mark.parametrize(("words", "act"), [("A write on", write), ("An error on", fail)])
def test_calls_on_a_board_run_through_the_files_of_their_route(
    words: str, act: Callable[[Board], None], board: Path
) -> None:
    with Board.open(board) as powered, recorded() as files:
        act(powered)
    assert [name for name in route(words) if name not in files] == []


def test_listdir_runs_through_the_files_of_its_route(board: Path) -> None:
    with maixfs.open(board) as image:
        fs = image.fs("/flash")
        with recorded() as files:
            fs.listdir("/")
    assert files == set(route("Spiffs.listdir"))
