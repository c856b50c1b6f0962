"""What is held back in RAM, when it goes to the card, and in how many sectors."""

from __future__ import annotations

import pytest

from fat.volumes import NOW, faults, new_card
from maixfs.fat import FatCore, FatError
from maixfs.sd import RamSectors, SectorRecorder


def recorder() -> SectorRecorder:
    card = new_card()
    with FatCore(card, clock=lambda: NOW) as fat:
        fat.mkdir("/d")
    return SectorRecorder(card)


def card_of(card: SectorRecorder) -> RamSectors:
    assert isinstance(card.device, RamSectors)
    return card.device


def sectors_written(card: SectorRecorder) -> int:
    return sum(operation.sectors for operation in card.recording.operations)


def test_held_writes_reach_the_card_once() -> None:
    def write(fat: FatCore, card: SectorRecorder) -> int:
        for number in range(50):
            fat.write_bytes(f"/d/File {number}", b"x" * 100)
        return sectors_written(card)

    card, held = recorder(), recorder()
    usual = write(FatCore(card, clock=lambda: NOW), card)
    fat = FatCore(held, clock=lambda: NOW)
    with fat.held(), fat.held():
        assert write(fat, held) == 50
    assert sectors_written(held) < usual / 3
    fat.abandon()
    assert faults(card_of(held)) == []
    assert held.read(0, held.sectors) == card.read(0, card.sectors)


def test_held_writes_reach_the_card_after_an_error() -> None:
    card = recorder()
    fat = FatCore(card, clock=lambda: NOW)
    with pytest.raises(FatError), fat.held():
        fat.write_bytes("/d/File", b"x")
        fat.remove("/none")
    fat.abandon()
    assert faults(card_of(card)) == []
    assert FatCore(card).read_bytes("/d/File") == b"x"


def test_sync_writes_what_is_held_back() -> None:
    card = recorder()
    fat = FatCore(card, clock=lambda: NOW)
    with fat.held():
        fat.write_bytes("/d/File", b"x")
        fat.sync()
        assert FatCore(card).read_bytes("/d/File") == b"x"
        fat.write_bytes("/d/Another", b"x")
        fat.abandon()
    assert not FatCore(card).exists("/d/Another")
    assert faults(card_of(card)) == []
