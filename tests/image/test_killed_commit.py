"""A commit that is killed at each operation of the host: the old files, or the new ones."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import maixfs
from image.cards import make_card
from image.places import SMALL, make_bare, make_board, make_image
from maixfs.image.image import Image

OLD, NEW = b"old content " * 300, b"new content " * 500
OPERATIONS = ("fsync", "replace", "rename", "link", "unlink", "pwrite", "open", "ftruncate")

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this host has no fork")


def make(kind: str, folder: Path) -> tuple[Path, list[str]]:
    """Return an image and the files in it that a commit changes."""
    if kind == "card":
        host, paths = make_card(folder / "card.img", 16), ["/main.py", "/deep/er/file"]
    elif kind == "board":
        host = make_board(folder, SMALL, 0x100000).host
        make_card(host / "sd.img", 16)
        toml = host / "board.toml"
        toml.write_text(toml.read_text() + '\n[sd]\nimage = "sd.img"\n')
        paths = ["/flash/main.py", "/sd/main.py"]
    elif kind == "flash":
        host, paths = make_image(folder, SMALL, 0x100000).host, ["/flash/main.py"]
    else:
        host, paths = make_bare(folder, SMALL).host, ["/main.py"]
    with maixfs.open(host, "r+") as target:
        write(target, paths, OLD)
    return host, paths


def write(target: Image, paths: list[str], content: bytes) -> None:
    for path in paths:
        target.write_bytes(path, content)


def run_killed(step: int, work: Callable[[], None]) -> bool:
    """Do ``work`` in a process that ends before its operation ``step``; return if it ended."""
    pid = os.fork()
    if not pid:
        try:
            install(step)
            work()
        except BaseException:
            os._exit(3)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, 9)
    return code == 9


def install(step: int) -> None:
    """End this process before the operation ``step``; a write ends between two sectors."""
    left = step

    def counted(name: str) -> None:
        real = getattr(os, name)

        def operation(*arguments: Any, **named: Any) -> Any:
            nonlocal left
            if not left:
                if name == "pwrite":
                    handle, data, offset = arguments
                    real(handle, bytes(data)[: len(data) // 1024 * 512], offset)
                os._exit(9)
            left -= 1
            return real(*arguments, **named)

        setattr(os, name, operation)

    for name in OPERATIONS:
        counted(name)


def work(host: Path, paths: list[str]) -> None:
    with maixfs.open(host, "r+") as target:
        write(target, paths, NEW)


@pytest.mark.parametrize("kind", ["flash", "bare", "card", "board"])
def test_killed_commit_leaves_old_or_new_bytes(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "made"
    folder.mkdir()
    host, paths = make(kind, folder)
    seen: set[tuple[bytes, ...]] = set()
    step = 0
    killed = True
    while killed:
        copy = tmp_path / f"{step}"
        shutil.copytree(folder, copy)
        place = copy / host.name
        killed = run_killed(step, lambda place=place: work(place, paths))  # type: ignore[misc]
        with maixfs.open(place) as target:
            found = tuple(target.read_bytes(path) for path in paths)
        assert set(found) <= {OLD, NEW}
        if kind == "card":  # one file of the host: both files are old, or both are new
            assert len(set(found)) == 1
        seen.add(found)
        # The next writer finds nothing in its way, sees the same and leaves nothing behind.
        with maixfs.open(place, "r+") as target:
            assert tuple(target.read_bytes(path) for path in paths) == found
            write(target, paths, NEW)
        with maixfs.open(place) as target:
            assert [target.read_bytes(path) for path in paths] == [NEW] * len(paths)
        assert litter(copy) == []
        shutil.rmtree(copy)
        step += 1
    assert step > 3
    assert {(OLD,) * len(paths), (NEW,) * len(paths)} <= seen
    if kind == "board":  # the card is committed first
        assert (OLD, NEW) in seen
        assert (NEW, OLD) not in seen


def litter(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob(".*") if "maixfs" in path.name]
