"""Cards for the slot of a board on the desk."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from board.desk import Desk
from golden.extents import unpack_card
from maixfs.board import SteppedClock, insert_card
from maixfs.cards.make import PartitionRequest, new_card, write_card_layout
from maixfs.fat import FatCore
from maixfs.sd import FileSectors, RamSectors

GOLDEN = Path(__file__).parents[1] / "data" / "fat"

SMALL_CARD = 40 << 20
"""Bytes of the smallest card with a FAT32 partition."""

START = 2048
"""The sector of the first partition of new cards."""

EIO = "[Errno 5] EIO"

ASK = """
import uos, utime, machine
def ask(what):
  try:
    return what()
  except OSError as e:
    return e
"""
"""The start of a script: ``ask(function)`` returns the result of the function, or its error."""


def put_in(desk: Desk, name: str, **options: Any) -> Path:
    """Insert a card with real contents into the board and return its image."""
    image = desk.folder.parent / f"{name}.img"
    unpack_card(GOLDEN / name / "image.ext.gz", image)
    insert_card(desk.folder, image, **options)
    return image


def put_in_new(desk: Desk, partitions: int = 1, **options: Any) -> Path:
    """Insert a new card with FAT32 partitions and return its image."""
    image = desk.folder.parent / "new.img"
    requests = [PartitionRequest(34 << 20, 32) for _ in range(partitions)]
    new_card(image, SMALL_CARD * partitions, requests, serial=1)
    insert_card(desk.folder, image, **options)
    return image


class Moments(SteppedClock):
    """A clock that calls a function when the script sleeps."""

    def __init__(self, *actions: Callable[[], object]) -> None:
        super().__init__()
        self.actions = list(actions)

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        if self.actions:
            self.actions.pop(0)()


def card_image(desk: Desk, name: str = "other.img") -> Path:
    image = desk.folder.parent / name
    new_card(image, SMALL_CARD, serial=2)
    return image


def ram_card() -> RamSectors:
    card = RamSectors(SMALL_CARD // 512)
    write_card_layout(card, [PartitionRequest("rest", 32)], serial=3)
    return card


def files_of(image: Path, start: int = START) -> dict[str, bytes]:
    with FileSectors.open(image) as card:
        fat = FatCore(card, start, read_only=True)
        return {path: fat.read_bytes(path) for path, entry in fat.walk() if not entry.is_dir}


def check(image: Path, start: int = START) -> str:
    """Return the output of fsck.fat for the first partition, without its totals."""
    tool = shutil.which("fsck.fat", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if tool is None:
        pytest.skip("fsck.fat is not installed")
    part = image.with_suffix(".part")
    with image.open("rb") as whole:
        whole.seek(start * 512)
        part.write_bytes(whole.read())
    result = subprocess.run([tool, "-n", part], capture_output=True, text=True, check=False)
    part.unlink()
    return "\n".join(
        line
        for line in result.stdout.splitlines()
        if not line.startswith("fsck.fat ") and " files, " not in line
    )
