"""What several files of tests here start from."""

from __future__ import annotations

import pytest

from vfs.board import Board


@pytest.fixture
def board() -> Board:
    """Return a board with an empty SPIFFS at /flash, which is the current directory."""
    return Board()
