"""pytest fixtures: a SPIFFS, a card and a board, each new for the test and loaded with a folder.

    @pytest.fixture
    def maixfs_folder():
        return Path("device-files")

    def test_settings(maixfs_board):
        maixfs_board.run("import settings; settings.save()")
        assert_tree(maixfs_board, {"/flash/settings.json": b"{}", ...})

The fixtures are ``maixfs_spiffs`` (``Spiffs``, MaixPy's geometry), ``maixfs_card`` (``Fat``: FAT32
on a card of 64 MiB in memory) and ``maixfs_board`` (``Board``, powered on, the folder on
``/flash``).
``maixfs_folder`` names the folder that is copied into each; without it they are empty.
``assert_tree`` compares files with what is expected.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from maixfs.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from maixfs.board import Board
    from maixfs.fat import Fat
    from maixfs.filesystem import FileSystem
    from maixfs.spiffs import Spiffs

    Content = bytes | str

_CARD_SECTORS = 64 << 11
_SHOWN = 40
"""Characters of a file that a failed comparison shows from where the two differ."""


@pytest.fixture
def maixfs_folder() -> Path | None:
    """Return the folder whose files the other fixtures hold; override it. Nothing by default."""
    return None


@pytest.fixture
def maixfs_spiffs(maixfs_folder: Path | None) -> Iterator[Spiffs]:
    """Yield a new SPIFFS of MaixPy's geometry, in memory."""
    from maixfs.nor import NorChip, make_driver
    from maixfs.spiffs import PRESETS, Spiffs

    flash = make_driver("ideal", NorChip.in_memory())
    Spiffs.format(flash, PRESETS["maixpy"])
    with Spiffs(flash, PRESETS["maixpy"]) as fs:
        _load(fs, maixfs_folder)
        yield fs


@pytest.fixture
def maixfs_card(maixfs_folder: Path | None) -> Iterator[Fat]:
    """Yield a new FAT32 volume on a card of 64 MiB, in memory."""
    from maixfs.fat import Fat, format_volume
    from maixfs.sd import RamSectors

    card = RamSectors(_CARD_SECTORS)
    format_volume(card, 0, card.sectors, fat_type=32)
    with Fat(card) as fs:
        _load(fs, maixfs_folder)
        yield fs


@pytest.fixture
def maixfs_board(tmp_path: Path, maixfs_folder: Path | None) -> Iterator[Board]:
    """Yield a new board that has booted with the folder's files on its ``/flash``."""
    from maixfs.board import Board

    home = tmp_path / "maixfs-board"
    Board.create(home)
    with Board.open(home) as board:
        for name, data in _files_of(maixfs_folder):
            with board.open(f"/flash{name}", "wb") as file:
                file.write(data)
    with Board.open(home) as board:
        yield board


def _files_of(folder: Path | None) -> Iterator[tuple[str, bytes]]:
    """Yield path (from ``/``) and contents of every file below a folder, in order of names.

    Raises ``UsageError`` where there is no such folder: a wrong path must not pass for empty.
    """
    if folder is not None:
        if not Path(folder).is_dir():
            raise UsageError(f"{folder} is no folder")
        for path in sorted(Path(folder).rglob("*")):
            if path.is_file():
                yield f"/{path.relative_to(folder).as_posix()}", path.read_bytes()


def _load(fs: FileSystem[Any], folder: Path | None) -> None:
    for name, data in _files_of(folder):
        fs.makedirs(os.path.dirname(name), exist_ok=True)  # noqa: PTH120 - a path in an image
        fs.write_bytes(name, data)


def assert_tree(
    actual: FileSystem[Any] | Board | str | os.PathLike[str],
    expected: Mapping[str, Content] | FileSystem[Any] | str | os.PathLike[str],
    *,
    only: str = "/",
) -> None:
    """Fail unless two trees hold the same files with the same contents.

    A tree is a ``FileSystem``, a board (its volumes by their mount points), a folder of this
    computer, or a dictionary of paths and contents, where text counts as UTF-8. ``only`` compares
    what is under one folder. Empty folders do not count. The message lists every file that is
    missing, unexpected or different, and where it differs.
    """
    __tracebackhide__ = True
    there, wanted = _tree(actual, only), _tree(expected, only)
    problems = [f"missing: {path}" for path in sorted(wanted.keys() - there.keys())]
    problems += [f"unexpected: {path}" for path in sorted(there.keys() - wanted.keys())]
    problems += [
        _difference(path, there[path], wanted[path])
        for path in sorted(there.keys() & wanted.keys())
        if there[path] != wanted[path]
    ]
    if problems:
        pytest.fail("the trees differ\n" + "\n".join(problems), pytrace=False)


def _tree(tree: Any, only: str) -> dict[str, bytes]:
    """Return the files of a tree by path."""
    if isinstance(tree, str | os.PathLike):
        files = dict(_files_of(Path(tree)))
    elif hasattr(tree, "items"):
        files = {"/" + path.lstrip("/"): _content(path, data) for path, data in tree.items()}
    elif hasattr(tree, "uos"):
        files = dict(_board_files(tree, "/"))
    else:
        files = {
            entry.path: tree.read_bytes(entry)
            for _, _, entries in tree.walk()
            for entry in entries
        }
    below = "/" + only.strip("/")
    return {
        path: data
        for path, data in files.items()
        if below in ("/", path) or path.startswith(below + "/")
    }


def _content(path: str, data: Any) -> bytes:
    if isinstance(data, str):
        return data.encode()
    if not isinstance(data, bytes | bytearray | memoryview):
        raise TypeError(f"{path}: bytes or text expected, not {type(data).__name__}")
    return bytes(data)


def _board_files(board: Board, folder: str) -> Iterator[tuple[str, bytes]]:
    for name, mode, *_ in board.uos.ilistdir(folder):
        path = f"{folder.rstrip('/')}/{name}"
        if mode & 0x4000:
            yield from _board_files(board, path)
        else:
            with board.open(path, "rb") as file:
                yield path, file.read()


def _difference(path: str, there: bytes, wanted: bytes) -> str:
    """Return one line that says from which byte on two contents differ."""
    pairs = enumerate(zip(there, wanted, strict=False))
    shorter = min(len(there), len(wanted))
    at = next((at for at, (actual, expected) in pairs if actual != expected), shorter)
    return (
        f"different: {path}: {len(there)} bytes instead of {len(wanted)}, from byte {at:#x} on"
        f" {there[at : at + _SHOWN]!r} instead of {wanted[at : at + _SHOWN]!r}"
    )
