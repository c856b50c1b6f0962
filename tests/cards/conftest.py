"""Cards of the field, and small ones made for a test."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from golden.extents import unpack_card
from maixfs.cards.extents import copy_extents, data_extents
from maixfs.sd.media import FileSectors, RamSectors

DATA = Path(__file__).parent.parent / "data" / "fat"
NAMES = sorted(folder.name for folder in DATA.iterdir() if folder.is_dir())


def manifest(name: str) -> dict[str, Any]:
    """Return what the makers of a card of the field say of it."""
    about: dict[str, Any] = json.loads((DATA / name / "manifest.json").read_text("utf-8"))
    return about


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that gives the path of a card of the field, which is not to be written."""
    folder = tmp_path_factory.mktemp("cards")

    def path_of(name: str) -> Path:
        card = folder / f"{name}.img"
        if not card.exists():
            unpack_card(DATA / name / "image.ext.gz", card)
            card.chmod(0o444)
        return card

    return path_of


def in_memory(path: Path) -> RamSectors:
    """Return a copy of a card that may be written."""
    with FileSectors.open(path) as card:
        copy = RamSectors(card.sectors)
        copy_extents(card, copy, data_extents(card, 0, card.sectors))
        return copy


def fsck(card: FileSectors, start: int, sectors: int, volume: Path) -> str:
    """Return what fsck.fat says of a volume where it is not content; ``volume`` is a new file."""
    with FileSectors.create(volume, sectors) as copy:
        extents = data_extents(card, start, sectors)
        copy_extents(card, copy, extents, shift=-start)
    line = ["fsck.fat", "-n", str(volume)]
    check = subprocess.run(line, capture_output=True, text=True, check=False)
    return check.stdout if check.returncode else ""


needs_fsck = pytest.mark.skipif(shutil.which("fsck.fat") is None, reason="dosfstools are not here")


@pytest.fixture
def card_copy(unpacked: Callable[[str], Path]) -> Callable[[str], RamSectors]:
    """Return a function that gives a copy in memory of a card of the field."""
    return lambda name: in_memory(unpacked(name))
