"""What a killed writer left on a card: seen as done, done, or forgotten."""

from __future__ import annotations

from pathlib import Path

import pytest

from maixfs.card.extents import data_extents
from maixfs.card.outfile import new_image
from maixfs.card.transfer import read_card, write_card
from maixfs.sd.errors import SectorError
from maixfs.sd.journal import Journal, JournalError, finish, forget, journal_of, opened_finished
from maixfs.sd.media import FileSectors
from maixfs.sd.overlay import Overlay

SECTORS = 4096
NEW = {0: b"\x11", 7: b"\x22", 900: b"\x33"}


def leave(card: Path, new: dict[int, bytes], *, done: int = 1) -> bytes:
    """Leave a card as a writer does that is killed; return what it is when that is done."""
    with FileSectors.open(card, read_only=False) as below:
        overlay = Overlay(below)
        for sector, byte in new.items():
            overlay.write(sector, byte * 512)
        runs = [*overlay.runs()]
        journal = Journal(card)
        journal.write(overlay, below, runs, None)
        journal.leave()
        whole = overlay.read(0, SECTORS)
        for start, count in runs[:done]:
            below.write(start, overlay.read(start, count))
    return whole


@pytest.fixture
def card(tmp_path: Path) -> Path:
    path = tmp_path / "card.img"
    with FileSectors.create(path, SECTORS) as device:
        device.write(1000, b"old" * 512)
    return path


def test_it_is_seen_as_done_and_nothing_is_written(card: Path) -> None:
    whole = leave(card, NEW)
    half = card.read_bytes()
    assert half != whole
    with opened_finished(card) as device:
        assert device.read(0, SECTORS) == whole
        assert {at for at in (0, 7, 900, 1000) if _is_in(at, device)} == {0, 7, 900, 1000}
        if not _is_in(3000, card):  # the host knows holes
            assert not _is_in(3000, device)
    assert card.read_bytes() == half
    assert journal_of(card).exists()


def _is_in(sector: int, place: Path | object) -> bool:
    """Tell whether a sector is in the extents that have to be copied."""
    if isinstance(place, Path):
        with FileSectors.open(place) as device:
            return _is_in(sector, device)
    extents = [*data_extents(place, 0, SECTORS)]  # type: ignore[arg-type]
    ends = [start + count for start, count in extents]
    assert all(end <= start for end, (start, _) in zip(ends, extents[1:], strict=False))
    return any(start <= sector < start + count for start, count in extents)


def test_it_is_done(card: Path) -> None:
    whole = leave(card, NEW)
    assert finish(card)
    assert card.read_bytes() == whole
    assert not journal_of(card).exists()
    assert not finish(card)


def test_a_copy_is_of_the_card_as_it_is_when_done(card: Path, tmp_path: Path) -> None:
    whole = leave(card, NEW)
    read_card(card, tmp_path / "read.img")
    assert (tmp_path / "read.img").read_bytes() == whole
    (tmp_path / "drive").write_bytes(bytes(len(whole)))
    write_card(card, tmp_path / "drive")
    assert (tmp_path / "drive").read_bytes() == whole
    assert journal_of(card).exists()


def test_what_takes_the_place_of_a_card_is_whole(card: Path, tmp_path: Path) -> None:
    source = tmp_path / "other.img"
    with FileSectors.create(source, SECTORS) as device:
        device.write(7, b"other" * 512)
    leave(card, NEW)
    write_card(source, card)
    assert not journal_of(card).exists()
    assert card.read_bytes() == source.read_bytes()
    leave(card, NEW)
    with new_image(card, SECTORS, force=True):
        pass
    assert not journal_of(card).exists()
    assert card.read_bytes() == bytes(SECTORS * 512)


def test_a_card_that_is_refused_keeps_what_was_left(card: Path, tmp_path: Path) -> None:
    with FileSectors.create(tmp_path / "large.img", SECTORS + 1):
        pass
    leave(card, NEW)
    with pytest.raises(Exception, match=f"only {SECTORS}"):
        write_card(tmp_path / "large.img", card)
    assert journal_of(card).exists()


def test_what_contradicts_the_card_is_an_error(card: Path) -> None:
    leave(card, NEW)
    with FileSectors.open(card, read_only=False) as device:
        device.write(900, b"\x77" * 512)
    before = card.read_bytes()
    with pytest.raises(JournalError, match="changed by another program"):
        finish(card)
    with pytest.raises(JournalError, match="changed by another program"), opened_finished(card):
        pass
    assert card.read_bytes() == before
    forget(card)
    assert not finish(card)


def test_what_cannot_be_forgotten_is_told(card: Path) -> None:
    journal_of(card).mkdir()
    with pytest.raises(SectorError, match="cannot be removed"):
        forget(card)
