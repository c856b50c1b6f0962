"""A card with everything that is written to it laid over it."""

from __future__ import annotations

import random

import pytest

from maixfs.sd.media import RamSectors
from maixfs.sd.overlay import PAGE, Overlay


def test_an_overlay_is_a_card(monkeypatch: pytest.MonkeyPatch) -> None:
    """It reads as a card that is written at once, in memory or spilled to a file."""
    for bound in (1 << 14, 3):
        monkeypatch.setattr("maixfs.sd.overlay.IN_MEMORY", bound)
        chance = random.Random(bound)
        below, plain = RamSectors(99, b"\x11" * 50688), RamSectors(99, b"\x11" * 50688)
        overlay = Overlay(below)
        for _ in range(300):
            start = chance.randrange(99)
            count = chance.randrange(1, min(40, 100 - start))
            data = chance.randbytes(count * 512)
            choice = chance.randrange(5)
            if choice == 0:
                overlay.zero(start, count)
                plain.zero(start, count)
            elif choice == 1:
                overlay.mark()
                overlay.write(start, data)
                overlay.zero(0, 3)
                overlay.undo()
            else:
                overlay.write(start, data)
                plain.write(start, data)
            assert overlay.read(start, count) == plain.read(start, count)
        into = memoryview(bytearray(50688))
        overlay.readinto(0, into)
        assert bytes(into) == plain.read(0, 99) == overlay.read(0, 99)
        assert below.read(0, 99) == b"\x11" * 50688
        covered = [at for start, count in overlay.runs() for at in range(start, start + count)]
        assert covered == sorted(set(covered))
        assert -(-len(covered) // PAGE) == len(overlay)
        overlay.clear()
        assert overlay.read(0, 99) == b"\x11" * 50688


def test_what_was_interrupted_can_be_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_self: Overlay, _content: bytes) -> int:
        raise KeyboardInterrupt

    overlay = Overlay(RamSectors(64))
    overlay.write(0, b"\x22" * 512)
    monkeypatch.setattr("maixfs.sd.overlay.IN_MEMORY", 2)
    monkeypatch.setattr(Overlay, "_spilled", interrupt)
    overlay.mark()
    with pytest.raises(KeyboardInterrupt):
        overlay.write(0, b"\x11" * 512 * 64)
    overlay.undo()
    assert overlay.read(0, 64) == b"\x22" * 512 + bytes(512 * 63)
