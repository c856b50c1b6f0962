"""Every kind of target; none waits for the host's disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from image.places import KINDS, SMALL, Place, make_board


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test does not ask what a power cut of the host would leave."""
    monkeypatch.setattr(os, "fsync", lambda _handle: None)


@pytest.fixture(params=list(KINDS))
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Return a target of each kind, with the same files in it."""
    folder = tmp_path / "host"
    folder.mkdir()
    yield KINDS[request.param](folder)
    shutil.rmtree(folder)


@pytest.fixture
def board(tmp_path: Path) -> Place:
    """Return a small board."""
    return make_board(tmp_path, SMALL, 0x100000)


@pytest.fixture(autouse=True)
def no_waiting_for_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second writer is refused at once."""
    monkeypatch.setattr("maixfs.image.source.PATIENCE", 0.0)
