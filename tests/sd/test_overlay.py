"""Overlays: reads as from a written card, while the card below stays unchanged."""

from __future__ import annotations

import errno
import random
from collections.abc import Callable

import pytest

from maixfs.errors import FullError
from maixfs.sd.errors import SectorError
from maixfs.sd.media import RamSectors
from maixfs.sd.overlay import PAGE, Overlay


def test_overlay_equals_a_card_that_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether pages are held in memory or spilled to a file."""
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
                token = overlay.savepoint()
                overlay.write(start, data)
                overlay.zero(0, 3)
                overlay.rollback(token)
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


def test_rollback_after_an_interrupted_write(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_self: Overlay, _content: bytes) -> int:
        raise KeyboardInterrupt

    overlay = Overlay(RamSectors(64))
    overlay.write(0, b"\x22" * 512)
    monkeypatch.setattr("maixfs.sd.overlay.IN_MEMORY", 2)
    monkeypatch.setattr(Overlay, "_spilled", interrupt)
    token = overlay.savepoint()
    with pytest.raises(KeyboardInterrupt):
        overlay.write(0, b"\x11" * 512 * 64)
    overlay.rollback(token)
    assert overlay.read(0, 64) == b"\x22" * 512 + bytes(512 * 63)


def test_every_kind_of_write_raises_the_write_number() -> None:
    overlay = Overlay(RamSectors(64))
    seen = [overlay.writes]
    for change in (
        lambda: overlay.write(0, b"\x01" * 512),
        lambda: overlay.zero(0, PAGE),
        lambda: overlay.zero(1, 1),
    ):
        change()
        seen.append(overlay.writes)
    assert seen == sorted({*seen})


def test_overlay_reads_across_many_pages_with_few_held() -> None:
    below = RamSectors(4096, b"\x11" * 512 * 4096)
    overlay = Overlay(below)
    overlay.write(1000, b"\x22" * 512)
    expected = bytearray(below.read(0, 4096))
    expected[1000 * 512 : 1001 * 512] = b"\x22" * 512
    assert overlay.read(0, 4096) == expected
    assert overlay.read(8, 900) == expected[8 * 512 : 908 * 512]
    assert [*overlay.runs()] == [(1000, PAGE)]


@pytest.mark.parametrize(
    "work",
    [
        lambda overlay: overlay.write(63, bytes(1024)),
        lambda overlay: overlay.write(-1, bytes(512)),
        lambda overlay: overlay.write(0, bytes(100)),
        lambda overlay: overlay.read(60, 5),
        lambda overlay: overlay.readinto(0, memoryview(bytearray(100))),
        lambda overlay: overlay.zero(64, 1),
    ],
)
def test_overlay_arguments_out_of_range_raise_einval(work: Callable[[Overlay], object]) -> None:
    overlay = Overlay(RamSectors(64))
    overlay.write(60, b"\x01" * 512)
    with pytest.raises(SectorError) as caught:
        work(overlay)
    assert caught.value.errno == errno.EINVAL
    assert [*overlay.runs()] == [(56, PAGE)]


def test_overlay_without_space_for_its_spill_file_raises_enospc(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(**_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    overlay = Overlay(RamSectors(64))
    monkeypatch.setattr("maixfs.sd.overlay.IN_MEMORY", 0)
    monkeypatch.setattr("tempfile.TemporaryFile", full)
    with pytest.raises(SectorError) as caught:
        overlay.write(0, bytes(512))
    assert isinstance(caught.value, FullError)
    assert len(overlay) == 0
