"""Free entries of a FAT are counted the same way by all that counts them."""

from __future__ import annotations

import random
import struct
from types import SimpleNamespace

import pytest

from maixfs.fat import table as fat_table
from maixfs.fat.table import FreeCounter

BLOCK = 1 << 14
"""Entries of a block."""
VALUES = (0, 0, 1, 0xF0000000, 0x0FFFFFFF, 0xFFFFFFFF, 0x10000, 0x0F000000, 2, 0x100)


def tables() -> dict[str, list[int]]:
    chance = random.Random(1)
    return {
        "empty": [0] * (BLOCK * 3),
        "full": list(range(3, BLOCK * 3)),
        "half": list(range(3, BLOCK)) + [0] * BLOCK * 2,
        "odd": [0xF0000000] * BLOCK * 2,
        "mixed": [chance.choice(VALUES) for _ in range(BLOCK * 2 + 77)],
        "short": [chance.choice(VALUES) for _ in range(5)],
    }


@pytest.mark.parametrize("few", [0, 1 << 40])
@pytest.mark.parametrize("kind", tables())
def test_free_entries_of_fat32_are_counted(
    kind: str, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tables()[kind]
    monkeypatch.setattr(fat_table, "_FEW", few)
    monkeypatch.setattr(fat_table, "sys", SimpleNamespace(modules={}))
    raw = memoryview(struct.pack(f"<{len(table)}I", *table))
    assert FreeCounter(4).count(raw) == sum(not entry & 0x0FFFFFFF for entry in table)


@pytest.mark.parametrize("kind", tables())
def test_numpy_counts_the_same(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fat_table, "sys", SimpleNamespace(modules={"numpy": None}))
    table = tables()[kind]
    raw = memoryview(struct.pack(f"<{len(table)}I", *table))
    assert FreeCounter(4).count(raw) == sum(not entry & 0x0FFFFFFF for entry in table)


@pytest.mark.parametrize("kind", tables())
def test_free_entries_of_fat16_are_counted(kind: str) -> None:
    table = [entry & 0xFFFF for entry in tables()[kind]]
    raw = memoryview(struct.pack(f"<{len(table)}H", *table))
    assert FreeCounter(2).count(raw) == table.count(0)
