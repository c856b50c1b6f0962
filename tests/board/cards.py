"""Cards for the slot of a board on the desk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from board.desk import Desk
from golden.extents import unpack_card
from maixfs.board import SteppedClock, insert_card
from maixfs.card.make import PartitionWish, new_card

GOLDEN = Path(__file__).parents[1] / "data" / "fat"

SMALL_CARD = 40 << 20
"""Bytes: as small as a card of one FAT32 partition can be."""


def put_in(desk: Desk, name: str, **options: Any) -> Path:
    """Insert a card of the field into the board and return its image."""
    image = desk.folder.parent / f"{name}.img"
    unpack_card(GOLDEN / name / "image.ext.gz", image)
    insert_card(desk.folder, image, **options)
    return image


def put_in_new(desk: Desk, partitions: int = 1, **options: Any) -> Path:
    """Insert a new card with so many partitions of FAT32 and return its image."""
    image = desk.folder.parent / "new.img"
    wishes = [PartitionWish(34 << 20, 32) for _ in range(partitions)]
    new_card(image, SMALL_CARD * partitions, wishes, serial=1)
    insert_card(desk.folder, image, **options)
    return image


class Moments(SteppedClock):
    """A clock at whose ``sleep`` something happens: the script's ``utime.sleep(1)`` does it."""

    def __init__(self, *actions: Callable[[], object]) -> None:
        super().__init__()
        self.actions = list(actions)

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        if self.actions:
            self.actions.pop(0)()
