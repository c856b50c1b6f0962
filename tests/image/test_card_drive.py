"""A card in a reader: a drive of the host, here played by a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from image.cards import FILES, make_card, tree_of
from maixfs.cards.newimage import CardError
from maixfs.errors import Command
from maixfs.host.drives import DriveFacts, journal_of
from maixfs.image.address import parse_target
from maixfs.image.entries import Kind, Where
from maixfs.image.errors import TargetError
from maixfs.image.fatvolume import FatVolume
from maixfs.image.media import finish_card_journal
from maixfs.image.opening import open_image
from maixfs.sd.journal import Journal, Run, pending
from maixfs.sd.media import FileSectors
from maixfs.transfer.copying import CopyOptions, copy_files
from maixfs.transfer.formatting import format_partition
from maixfs.transfer.packing import CardShape


@pytest.fixture
def drive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a card that is taken for a drive; journals of drives lie in tmp_path/state."""
    folder = tmp_path / "dev"
    folder.mkdir()
    card = make_card(folder / "sdz", 16)
    (folder / "note.txt").write_bytes(b"note")
    for module in ("host.drives", "host.files", "image.source", "sd.journal"):
        monkeypatch.setattr(
            f"maixfs.{module}.is_drive",
            lambda path: path.is_file() and path.stat().st_size > 1 << 20,
        )
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return card


def test_drive_is_read(drive: Path) -> None:
    with open_image(drive) as target:
        assert target.kind is Kind.CARD
        assert target.size == drive.stat().st_size
    assert tree_of(f"{drive}@1:/") == FILES


def test_drive_is_written_only_on_request(drive: Path) -> None:
    with pytest.raises(TargetError, match="is a drive of this computer") as caught:
        open_image(drive, "r+")
    assert [step.verb for step in caught.value.fix if isinstance(step, Command)] == [
        "sd read",
        "sd write",
    ]
    with open_image(drive, "r+", drives=True) as target:
        target.write_bytes("/x", b"1")
        assert target.commit() != []
    assert {path.name for path in drive.parent.iterdir()} == {"sdz", "note.txt"}
    assert tree_of(drive)["/x"] == b"1"
    note = drive.with_name("note.txt")
    with pytest.raises(TargetError, match="drive"):
        copy_files([note], f"{drive}:/")
    copy_files([note], f"{drive}:/", CopyOptions(where=Where(drives=True)))
    assert tree_of(drive)["/note.txt"] == b"note"
    with pytest.raises(TargetError, match="drive"):
        format_partition(parse_target(f"{drive}@1"), CardShape(), force=True)
    format_partition(parse_target(f"{drive}@1"), CardShape(), force=True, drives=True)
    assert tree_of(drive) == {}


def test_drive_in_use_is_refused(drive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = DriveFacts(drive, regular=False, in_use=("/media/card",))
    monkeypatch.setattr("maixfs.host.drives.drive_facts", lambda _path: facts)
    with pytest.raises(CardError, match="is in use: /media/card"):
        open_image(drive, "r+", drives=True)


def pending_of(drive: Path) -> list[Run]:
    with FileSectors.open(drive) as device:
        return pending(drive, device)


def test_journal_of_one_card_is_not_applied_to_another(drive: Path) -> None:
    with open_image(drive, "r+", drives=True) as target:
        target.write_bytes("/main.py", b"changed")
        volume = target.main
        assert isinstance(volume, FatVolume)
        overlay = volume.medium.overlay
        journal = Journal(drive)
        journal.write(overlay, overlay.below, [*overlay.runs()], None)
        journal.leave()
        overlay.clear()
    assert journal_of(drive).parent.name == "maixfs"
    first = drive.read_bytes()
    with drive.open("r+b") as stream:  # another card, with nothing but its first sectors alike
        stream.seek(1 << 20)
        stream.write(b"\x55" * (2 << 20))
    assert pending_of(drive) == []
    drive.write_bytes(first)
    assert tree_of(drive)["/main.py"] == b"changed"
    assert finish_card_journal(drive)
    assert tree_of(drive)["/main.py"] == b"changed"
    assert not journal_of(drive).exists()
