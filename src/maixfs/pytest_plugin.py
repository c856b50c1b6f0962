"""pytest fixtures: a SPIFFS, a card and a board, each new for the test and loaded with a folder.

    @pytest.fixture
    def maixfs_folder():
        return Path("device-files")

    def test_settings(maixfs_board):
        maixfs_board.run("import settings; settings.save()")
        assert_tree(maixfs_board, {"/flash/settings.json": b"{}", ...})

The fixtures are ``maixfs_spiffs`` (``Spiffs``, MaixPy's geometry), ``maixfs_card`` (``Fat``: FAT32
on a card of 64 MiB in memory), ``maixfs_image`` (``Image``: a dump of 16 MiB, open for changing,
the folder on ``/flash``) and ``maixfs_board`` (``Board``, powered on, the folder on ``/flash``).
``maixfs_folder`` names the folder that is copied into each; without it they are empty.
``assert_tree`` compares files with what is expected.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import maixfs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Content = bytes | str

_CARD_SECTORS = 64 << 11
_SHOWN = 40
"""Characters of a file that a failed comparison shows from where the two differ."""


@pytest.fixture
def maixfs_folder() -> Path | None:
    """Return the folder whose files the other fixtures hold; override it. Nothing by default."""
    return None


@pytest.fixture
def maixfs_spiffs(maixfs_folder: Path | None) -> Iterator[maixfs.Spiffs]:
    """Yield a new SPIFFS of MaixPy's geometry, in memory."""
    flash, geometry = (
        maixfs.make_driver("ideal", maixfs.NorChip.in_memory()),
        maixfs.PRESETS["maixpy"],
    )
    maixfs.Spiffs.format(flash, geometry)
    with maixfs.Spiffs(flash, geometry) as fs:
        _load(fs, maixfs_folder)
        yield fs


@pytest.fixture
def maixfs_card(maixfs_folder: Path | None) -> Iterator[maixfs.Fat]:
    """Yield a new FAT32 volume on a card of 64 MiB, in memory."""
    card = maixfs.RamSectors(_CARD_SECTORS)
    maixfs.format_volume(card, 0, card.sectors, fat_type=32)
    with maixfs.Fat(card) as fs:
        _load(fs, maixfs_folder)
        yield fs


@pytest.fixture
def maixfs_image(tmp_path: Path, maixfs_folder: Path | None) -> Iterator[maixfs.Image]:
    """Yield a new dump of 16 MiB, open for changing; ``image.host`` is its file."""
    file, empty = tmp_path / "maixfs-flash.bin", tmp_path / "maixfs-empty"
    empty.mkdir()
    maixfs.pack(empty, file, flash_size=16 << 20)
    with maixfs.open(file, "r+") as image:
        for name, data in _files_of(maixfs_folder):
            image.write_bytes(f"/flash{name}", data)
        image.commit()
        yield image


@pytest.fixture
def maixfs_board(tmp_path: Path, maixfs_folder: Path | None) -> Iterator[maixfs.Board]:
    """Yield a new board that has booted with the folder's files on its ``/flash``."""
    home = tmp_path / "maixfs-board"
    maixfs.Board.create(home)
    with maixfs.Board.open(home):
        pass  # the first start formats /flash and puts the firmware's files there
    with maixfs.open(home, "r+") as image:
        for name, data in _files_of(maixfs_folder):
            image.write_bytes(f"/flash{name}", data)
    with maixfs.Board.open(home) as board:
        yield board


def _files_of(folder: Path | None) -> Iterator[tuple[str, bytes]]:
    """Yield path (from ``/``) and contents of every file below a folder, in order of names.

    Raises ``UsageError`` where there is no such folder: a wrong path must not pass for empty.
    """
    if folder is not None:
        if not Path(folder).is_dir():
            raise maixfs.UsageError(f"{folder} is no folder")
        for path in sorted(Path(folder).rglob("*")):
            if path.is_file():
                yield f"/{path.relative_to(folder).as_posix()}", path.read_bytes()


def _load(fs: maixfs.FileSystem[Any], folder: Path | None) -> None:
    for name, data in _files_of(folder):
        fs.makedirs(os.path.dirname(name), exist_ok=True)  # noqa: PTH120 - a path in an image
        fs.write_bytes(name, data)


def assert_tree(
    actual: maixfs.FileSystem[Any] | maixfs.Image | maixfs.Board | str | os.PathLike[str],
    expected: Mapping[str, Content] | maixfs.FileSystem[Any] | str | os.PathLike[str],
    *,
    only: str = "/",
) -> None:
    """Fail unless two trees hold the same files with the same contents.

    A tree is a ``FileSystem``, an ``Image`` or a board (paths start with the mount points), a
    folder of this computer, or a dictionary of paths and contents, where text counts as UTF-8.
    ``only`` compares what is under one folder. Empty folders do not count. The message lists
    every file that is missing, unexpected or different, and where it differs.
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
    elif isinstance(tree, maixfs.Image):
        found = tree.scandir("/", recursive=True)
        files = {entry.path: tree.read_bytes(entry) for entry in found if not entry.is_dir}
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


def _board_files(board: maixfs.Board, folder: str) -> Iterator[tuple[str, bytes]]:
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
