"""Wear counts beside the image: kept, reopened, refused if they do not fit."""

from __future__ import annotations

import errno
import gc
from pathlib import Path
from struct import pack

import pytest

from maixfs.nor import NorChip, NorImageError, WearCounts

SIZE = 0x10000
SECTORS = SIZE // 0x1000


@pytest.fixture
def image(tmp_path: Path) -> Path:
    NorChip.create(tmp_path / "flash.bin", SIZE, wear_path=tmp_path / "wear").close()
    return tmp_path / "flash.bin"


def open_chip(image: Path, **options: bool) -> NorChip:
    return NorChip.open(image, wear_path=image.with_name("wear"), **options)


def test_counts_survive_reopening(image):
    with open_chip(image) as chip:
        chip.erase(0x1000, 0x3000)
    with open_chip(image) as chip:
        chip.erase_sector(0x2000)
    with open_chip(image, read_only=True) as chip:
        assert chip.wear.counts() == (0, 1, 2, 1) + (0,) * 12


def test_dropped_chip_loses_no_count(image):
    chip = open_chip(image)
    chip.erase_chip()
    del chip
    gc.collect()
    with open_chip(image) as chip:
        assert chip.wear.total() == SECTORS


def test_wear_file_is_a_header_and_one_word_per_sector(image):
    with open_chip(image) as chip:
        chip.erase_sector(0xF000)
    expected = b"MAIXWEAR" + pack("<II", 1, SECTORS) + bytes(4 * 15) + pack("<I", 1)
    assert image.with_name("wear").read_bytes() == expected


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda old: b"", id="empty"),
        pytest.param(lambda old: old[:10], id="cut-header"),
        pytest.param(lambda old: b"NOT WEAR" + old[8:], id="magic"),
        pytest.param(lambda old: old[:8] + pack("<I", 9) + old[12:], id="version"),
        pytest.param(lambda old: old[:-1], id="short"),
        pytest.param(lambda old: old + b"x", id="long"),
        pytest.param(lambda old: old[:12] + pack("<I", 15) + old[16:], id="sectors"),
    ],
)
def test_unfit_wear_file_is_refused_and_kept(image, damage):
    wear = image.with_name("wear")
    damaged = damage(wear.read_bytes())
    wear.write_bytes(damaged)
    with pytest.raises(NorImageError) as caught:
        open_chip(image)
    assert str(wear) in str(caught.value)
    assert caught.value.errno == errno.EINVAL
    assert caught.value.hint
    assert wear.read_bytes() == damaged


def test_read_only_chip_creates_no_wear_file(image):
    image.with_name("wear").unlink()
    with open_chip(image, read_only=True) as chip:
        assert chip.wear.total() == 0
    assert not image.with_name("wear").exists()


def test_counts_without_a_path_are_in_ram(image):
    with NorChip.open(image) as chip:
        chip.erase_chip()
        assert chip.wear.highest() == 1
    with open_chip(image) as chip:
        assert chip.wear.total() == 0


def test_count_stops_at_its_largest_value(tmp_path):
    path = tmp_path / "wear"
    path.write_bytes(b"MAIXWEAR" + pack("<IIII", 1, 2, 0xFFFFFFFF, 0xFFFFFFFE))
    counts = WearCounts.open(path, 2)
    counts.add(0)
    counts.add(0, 2)
    counts.add(1)
    assert counts.counts() == (0xFFFFFFFF, 0xFFFFFFFF)
    counts.close()
    counts.close()


def test_chip_in_memory_can_have_a_wear_file(tmp_path):
    with NorChip.in_memory(SIZE, wear_path=tmp_path / "w") as chip:
        chip.erase_sector(0)
    assert WearCounts.open(tmp_path / "w", SECTORS, read_only=True)[0] == 1
