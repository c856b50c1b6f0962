"""Every test of the board gets a new one, and none waits for the host's disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from board.desk import Desk
from image.conftest import no_waiting_for_the_disk

__all__ = ["desk", "new_board", "no_waiting_for_the_disk"]


@pytest.fixture(scope="session")
def new_board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a board that is only copied."""
    desk = Desk(tmp_path_factory.mktemp("new") / "board")
    desk.create()
    return desk.folder


@pytest.fixture
def desk(new_board: Path, tmp_path: Path) -> Iterator[Desk]:
    """Yield a new board that has never been powered on; remove its files afterwards."""
    shutil.copytree(new_board, tmp_path / "board")
    yield Desk(tmp_path / "board")
    shutil.rmtree(tmp_path / "board")
