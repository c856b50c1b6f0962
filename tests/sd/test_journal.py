"""The journal that a killed writer leaves: overlaid, applied, refused or removed."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from zlib import crc32

import pytest

from maixfs.cards.extents import data_extents
from maixfs.cards.newimage import CardError, new_image
from maixfs.cards.transfer import read_card, write_card
from maixfs.errors import FullError
from maixfs.host.drives import journal_of
from maixfs.sd.errors import SectorError
from maixfs.sd.journal import (
    CRC,
    Journal,
    JournalError,
    JournalHeader,
    RunHeader,
    finish,
    forget,
    opened_finished,
    read_journal,
)
from maixfs.sd.media import FileSectors, RamSectors
from maixfs.sd.overlay import Overlay

SECTORS = 4096
NEW = {0: b"\x11", 7: b"\x22", 900: b"\x33"}


def leave_journal(card: Path, new: dict[int, bytes], *, done: int = 1) -> bytes:
    """Write a journal and its first ``done`` runs; return the card with all of it applied."""
    with FileSectors.open(card, read_only=False) as below:
        overlay = Overlay(below)
        for sector, byte in new.items():
            overlay.write(sector, byte * 512)
        runs = [*overlay.runs()]
        journal = Journal(card)
        journal.write(overlay, below, runs, None)
        journal.leave()
        finished = overlay.read(0, SECTORS)
        for start, count in runs[:done]:
            below.write(start, overlay.read(start, count))
    return finished


@pytest.fixture
def card(tmp_path: Path) -> Path:
    path = tmp_path / "card.img"
    with FileSectors.create(path, SECTORS) as device:
        device.write(1000, b"old" * 512)
    return path


def test_opened_finished_applies_the_journal_in_memory_only(card: Path) -> None:
    finished = leave_journal(card, NEW)
    half = card.read_bytes()
    assert half != finished
    with opened_finished(card) as device:
        assert device.read(0, SECTORS) == finished
        assert {at for at in (0, 7, 900, 1000) if is_data(at, device)} == {0, 7, 900, 1000}
        if not is_data(3000, card):  # the host reports holes
            assert not is_data(3000, device)
    assert card.read_bytes() == half
    assert journal_of(card).exists()


def is_data(sector: int, place: Path | object) -> bool:
    """Return True if a sector is in the extents that have to be copied."""
    if isinstance(place, Path):
        with FileSectors.open(place) as device:
            return is_data(sector, device)
    extents = [*data_extents(place, 0, SECTORS)]  # type: ignore[arg-type]
    ends = [start + count for start, count in extents]
    assert all(end <= start for end, (start, _) in zip(ends, extents[1:], strict=False))
    return any(start <= sector < start + count for start, count in extents)


def test_finish_applies_and_removes_the_journal(card: Path) -> None:
    finished = leave_journal(card, NEW)
    assert finish(card)
    assert card.read_bytes() == finished
    assert not journal_of(card).exists()
    assert not finish(card)


def test_copies_of_a_card_include_its_journal(card: Path, tmp_path: Path) -> None:
    finished = leave_journal(card, NEW)
    read_card(card, tmp_path / "read.img")
    assert (tmp_path / "read.img").read_bytes() == finished
    (tmp_path / "drive").write_bytes(bytes(len(finished)))
    write_card(card, tmp_path / "drive")
    assert (tmp_path / "drive").read_bytes() == finished
    assert journal_of(card).exists()


def test_replacing_a_card_removes_its_journal(card: Path, tmp_path: Path) -> None:
    source = tmp_path / "other.img"
    with FileSectors.create(source, SECTORS) as device:
        device.write(7, b"other" * 512)
    leave_journal(card, NEW)
    write_card(source, card)
    assert not journal_of(card).exists()
    assert card.read_bytes() == source.read_bytes()
    leave_journal(card, NEW)
    with new_image(card, SECTORS, force=True):
        pass
    assert not journal_of(card).exists()
    assert card.read_bytes() == bytes(SECTORS * 512)


def test_refused_replacement_keeps_the_journal(card: Path, tmp_path: Path) -> None:
    with FileSectors.create(tmp_path / "large.img", SECTORS + 1):
        pass
    leave_journal(card, NEW)
    with pytest.raises(CardError):
        write_card(tmp_path / "large.img", card)
    assert journal_of(card).exists()


def test_journal_of_a_changed_card_raises_journal_error(card: Path) -> None:
    leave_journal(card, NEW)
    with FileSectors.open(card, read_only=False) as device:
        device.write(900, b"\x77" * 512)
    before = card.read_bytes()
    with pytest.raises(JournalError):
        finish(card)
    with pytest.raises(JournalError), opened_finished(card):
        pass
    assert card.read_bytes() == before
    forget(card)
    assert not finish(card)


def test_forget_raises_if_the_journal_cannot_be_removed(card: Path) -> None:
    journal_of(card).mkdir()
    with pytest.raises(SectorError, match="journal") as caught:
        forget(card)
    assert caught.value.hint is not None


def rewrite(card: Path, change: Callable[[bytes], bytes]) -> None:
    """Change the content of a journal and give it a right checksum."""
    path = journal_of(card)
    content = change(path.read_bytes()[: -CRC.size])
    path.write_bytes(content + CRC.pack(crc32(content)))


def test_incomplete_journal_is_removed_and_the_card_unchanged(card: Path) -> None:
    leave_journal(card, NEW, done=0)
    before = card.read_bytes()
    content = journal_of(card).read_bytes()
    for length in (0, 3, JournalHeader.size, len(content) - 1):
        journal_of(card).write_bytes(content[:length])
        assert read_journal(card) is None
        with opened_finished(card) as device:
            assert device.read(0, SECTORS) == before
        assert finish(card)
        assert not journal_of(card).exists()
        assert card.read_bytes() == before


def test_damaged_journal_is_not_applied(card: Path) -> None:
    leave_journal(card, NEW, done=0)
    content = bytearray(journal_of(card).read_bytes())
    content[100] ^= 1
    journal_of(card).write_bytes(content)
    assert read_journal(card) is None


def test_journal_with_a_foreign_mark_is_ignored(card: Path) -> None:
    leave_journal(card, NEW, done=0)
    rewrite(card, lambda content: b"otherJ1x" + content[8:])
    assert read_journal(card) is None


def test_journal_reader_stops_at_missing_and_oversized_runs(card: Path) -> None:
    leave_journal(card, {0: b"\x11"}, done=0)
    header = JournalHeader(b"maixfsJ1", SECTORS, 2)
    rewrite(card, lambda content: header.pack() + content[JournalHeader.size :])
    runs = read_journal(card)
    assert runs is not None
    assert [run.start for run in runs] == [0]
    rewrite(card, lambda content: header.pack() + RunHeader(0, 1 << 31).pack())
    assert read_journal(card) == []


def test_journal_past_the_end_of_the_card_raises_journal_error(card: Path) -> None:
    leave_journal(card, {SECTORS - 1: b"\x11"}, done=0)
    os.truncate(card, (SECTORS - 1) * 512)
    with pytest.raises(JournalError):
        finish(card)


def test_journal_that_does_not_fit_a_drive_is_ignored(
    card: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for module in ("host.drives", "sd.journal"):
        monkeypatch.setattr(f"maixfs.{module}.is_drive", lambda path: path.exists())
    leave_journal(card, NEW)
    assert journal_of(card).parent == tmp_path / "state" / "maixfs"
    with FileSectors.open(card, read_only=False) as device:
        device.write(900, b"\x77" * 512)
    before = card.read_bytes()
    with opened_finished(card) as device:
        assert device.read(0, SECTORS) == before
    assert finish(card)
    assert card.read_bytes() == before


def test_second_journal_of_a_card_raises_ebusy(card: Path) -> None:
    journal = Journal(card)
    with pytest.raises(SectorError) as caught:
        Journal(card)
    assert caught.value.errno == errno.EBUSY
    journal.close()
    assert not journal_of(card).exists()
    journal.close()


@pytest.mark.skipif(sys.platform == "win32", reason="journals are not locked on Windows")
def test_finish_of_a_card_in_use_raises_ebusy(card: Path) -> None:
    journal = Journal(card)
    with pytest.raises(SectorError) as caught:
        finish(card)
    assert caught.value.errno == errno.EBUSY
    assert journal_of(card).exists()
    journal.close()


def test_journal_in_an_unwritable_folder_raises_permission_error(
    card: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(SectorError) as caught:
        Journal(card)
    assert isinstance(caught.value, PermissionError)


def test_journal_on_a_full_disk_raises_enospc_and_names_the_card(
    card: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    before = card.read_bytes()
    journal = Journal(card)
    with FileSectors.open(card) as below:
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(SectorError) as caught:
            journal.write(RamSectors(SECTORS), below, [(0, 8)], None)
    assert isinstance(caught.value, FullError)
    assert str(card) in (caught.value.hint or "")
    journal.close()
    assert card.read_bytes() == before


def test_journal_write_refused_by_the_host_raises_its_errno(
    card: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refusing(io.BytesIO):
        def write(self, _data: object) -> int:
            raise OSError(errno.EDQUOT, "Disk quota exceeded")

    journal = Journal(card)
    with FileSectors.open(card) as below, monkeypatch.context() as patch:
        patch.setattr(journal, "_stream", Refusing())
        with pytest.raises(SectorError) as caught:
            journal.write(below, below, [(0, 8)], None)
    assert caught.value.errno == errno.EDQUOT
    journal.close()


def test_journal_passes_errors_of_the_card_and_of_progress_unchanged(card: Path) -> None:
    def stop(*_: object) -> None:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    journal = Journal(card)
    with FileSectors.open(card) as below:
        with pytest.raises(SectorError) as caught:
            journal.write(RamSectors(4), below, [(0, 8)], None)
        assert caught.value.errno == errno.EINVAL
        with pytest.raises(BrokenPipeError):
            journal.write(RamSectors(SECTORS), below, [(0, 8)], stop)
    journal.close()


def test_journal_reports_its_progress_in_bytes(card: Path) -> None:
    steps: list[tuple[str, int, int]] = []
    journal = Journal(card)
    with FileSectors.open(card) as below:
        runs = [(0, 8), (16, 4)]
        journal.write(below, below, runs, lambda *step: steps.append(step))
    journal.close()
    assert steps == [("journal", 4096, 6144), ("journal", 6144, 6144)]


def test_finish_that_fails_keeps_the_journal_and_the_errno(
    card: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_self: FileSectors) -> None:
        raise SectorError("the drive is gone", errno=errno.ENODEV)

    finished = leave_journal(card, NEW)
    with monkeypatch.context() as patch:
        patch.setattr(FileSectors, "sync", fail)
        with pytest.raises(SectorError) as caught:
            finish(card)
    assert caught.value.errno == errno.ENODEV
    assert str(journal_of(card)) in (caught.value.hint or "")
    assert finish(card)
    assert card.read_bytes() == finished


def test_unreadable_journal_raises_the_errno_of_the_host(
    card: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    leave_journal(card, NEW)
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(SectorError) as caught:
        read_journal(card)
    assert isinstance(caught.value, PermissionError)
