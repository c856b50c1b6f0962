"""The golden cards in memory, with what their manifests say."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from fat.volumes import load_extents
from golden.corpus import case_folders
from maixfs.sd import RamSectors

FOLDERS = {folder.name: folder for folder in case_folders("fat")}


@lru_cache(maxsize=64)
def manifest(name: str) -> dict[str, Any]:
    about: dict[str, Any] = json.loads((FOLDERS[name] / "manifest.json").read_bytes())
    return about


def load_card(name: str) -> RamSectors:
    """Return a card of its own: what a test writes to it no other one sees."""
    return load_extents(FOLDERS[name] / "image.ext.gz")


def boot_sector(name: str, slot: int = 1) -> bytes:
    """Return the first sector of a partition of a card; slot 0 is the card itself."""
    starts = {part["slot"]: part["start"] for part in manifest(name)["partitions"]}
    return load_card(name).read(starts.get(slot, 0), 1)
