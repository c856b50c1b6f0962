"""Every test of the board gets a new one."""

from __future__ import annotations

from pathlib import Path

import pytest

from board.desk import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Return a new board, never powered on."""
    desk = Desk(tmp_path / "board")
    desk.create()
    return desk
