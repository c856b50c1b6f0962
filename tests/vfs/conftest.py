"""Fixtures that several test files share."""

from __future__ import annotations

import pytest

from maixfs.vfs import Vfs
from vfs.board import Board


@pytest.fixture
def board() -> Board:
    """Return a board with an empty SPIFFS at /flash, which is the current directory."""
    return Board()


@pytest.fixture(params=["maixpy", "modern"])
def vfs(request: pytest.FixtureRequest) -> Vfs:
    return Vfs(request.param)


@pytest.fixture
def old() -> Vfs:
    return Vfs("maixpy")
