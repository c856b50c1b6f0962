"""The card of a board that is powered off, and the lock of its image."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from board.desk import Desk
from maixfs.board import BoardBusyError, BoardConfig, BoardError, eject_card, insert_card
from maixfs.errors import Command
from maixfs.image.boardlock import BoardLock, CardLock
from maixfs.sd.media import FileSectors

SECTORS = 5000


@pytest.fixture
def card(tmp_path: Path) -> Path:
    """Return the image of a card with data and a hole of some MiB."""
    path = tmp_path / "card.img"
    with FileSectors.create(path, SECTORS) as sectors:
        sectors.write(0, b"first".ljust(512))
        sectors.write(SECTORS - 1, b"last".ljust(512))
    return path


def test_card_is_inserted_and_ejected(desk: Desk, card: Path) -> None:
    before = (desk.folder / "board.toml").read_bytes()
    config = insert_card(desk.folder, card)
    assert BoardConfig.load(desk.folder) == config
    assert config.sd.path(desk.folder) == card
    assert eject_card(desk.folder) == card
    assert (desk.folder / "board.toml").read_bytes() == before
    assert card.exists()


def test_card_in_the_folder_is_found_after_a_move(desk: Desk, card: Path) -> None:
    own = card.rename(desk.folder / "my.img")
    assert insert_card(desk.folder, own, read_only=True).sd.image == "my.img"
    moved = desk.folder.rename(desk.folder.with_name("moved"))
    try:
        assert BoardConfig.load(moved).sd.path(moved) == moved / "my.img"
        assert BoardConfig.load(moved).sd.read_only
    finally:
        moved.rename(desk.folder)


def test_relative_card_path_is_found_from_another_folder(
    desk: Desk, card: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(card.parent)
    insert_card(desk.folder, card.name)
    assert BoardConfig.load(desk.folder).sd.image == str(card.resolve())


def test_inserted_copy_leaves_the_original_unchanged(desk: Desk, card: Path) -> None:
    card.chmod(stat.S_IREAD)
    config = insert_card(desk.folder, card, copy=True)
    own = desk.folder / "sd.img"
    assert config.sd.image == "sd.img"
    assert own.read_bytes() == card.read_bytes()
    assert not (desk.folder / "sd.new").exists()
    assert eject_card(desk.folder) == own
    with pytest.raises(BoardError, match=r"sd\.img exists already"):
        insert_card(desk.folder, card, copy=True)


def test_failed_copy_leaves_no_file(
    desk: Desk, card: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BoardError, match=r"cannot be written.*No space left"):
        insert_card(desk.folder, card, copy=True)
    assert not list(desk.folder.glob("sd.*"))
    assert BoardConfig.load(desk.folder).sd.image is None


def test_second_card_is_refused(desk: Desk, card: Path) -> None:
    insert_card(desk.folder, card)
    with pytest.raises(BoardError, match=r"card\.img is in the slot of .* already") as caught:
        insert_card(desk.folder, card)
    assert caught.value.fix == (Command("sd eject", (str(desk.folder),)),)
    eject_card(desk.folder)
    with pytest.raises(BoardError, match="no card is in the slot"):
        eject_card(desk.folder)


@pytest.mark.parametrize("verb", ["insert", "eject"])
def test_folder_without_a_board_has_no_slot(tmp_path: Path, card: Path, verb: str) -> None:
    before = sorted(tmp_path.iterdir())
    with pytest.raises(BoardError, match="is not a board"):
        insert_card(tmp_path, card) if verb == "insert" else eject_card(tmp_path)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none.img", "does not exist"),
        ("empty.img", "has 0 bytes"),
        ("odd.img", "after its last whole sector"),
        ("", "is a folder|cannot be"),
        ("locked.img", "is write-protected"),
        ("tiny.img", "has 4 sectors to 4 GiB"),
    ],
)
def test_file_that_is_not_a_card_is_refused(
    desk: Desk, tmp_path: Path, name: str, message: str
) -> None:
    (tmp_path / "empty.img").touch()
    (tmp_path / "odd.img").write_bytes(bytes(513))
    (tmp_path / "tiny.img").write_bytes(bytes(512))
    (tmp_path / "locked.img").write_bytes(bytes(512))
    (tmp_path / "locked.img").chmod(stat.S_IREAD)
    with pytest.raises(BoardError, match=message):
        insert_card(desk.folder, tmp_path / name)
    assert BoardConfig.load(desk.folder).sd.image is None


def test_write_protected_image_takes_read_only(desk: Desk, card: Path) -> None:
    card.chmod(stat.S_IREAD)
    assert insert_card(desk.folder, card, read_only=True).sd.read_only


def test_card_of_a_running_board_cannot_be_ejected(desk: Desk, card: Path) -> None:
    with BoardLock(desk.folder):
        with pytest.raises(BoardBusyError):
            insert_card(desk.folder, card)
        with pytest.raises(BoardBusyError):
            eject_card(desk.folder)
    assert BoardConfig.load(desk.folder).sd.image is None


# One writer


def test_card_has_one_writer_or_many_readers(card: Path) -> None:
    writer = CardLock(card, read_only=False)
    for read_only in (False,) if os.name == "nt" else (False, True):
        with pytest.raises(BoardBusyError, match=r"card\.img is in use"):
            CardLock(card, read_only=read_only)
    writer.release()
    writer.release()
    readers = [CardLock(card, read_only=True) for _ in range(2)]
    if os.name != "nt":
        with pytest.raises(BoardBusyError):
            CardLock(card, read_only=False)
    for reader in readers:
        reader.release()
    CardLock(card, read_only=False).release()


HOLD = """
import sys
from pathlib import Path
from maixfs.image.boardlock import CardLock
lock = CardLock(Path(sys.argv[1]), read_only=False)
print("held", flush=True)
sys.stdin.read()
"""


def test_card_lock_ends_with_its_process(card: Path) -> None:
    line = [sys.executable, "-c", HOLD, str(card)]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == b"held"
        with pytest.raises(BoardBusyError):
            CardLock(card, read_only=False)
        process.kill()
    CardLock(card, read_only=False).release()


def test_missing_card_cannot_be_locked(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match="does not exist"):
        CardLock(tmp_path / "none", read_only=True)


@pytest.mark.skipif(os.name == "nt", reason="Windows locks otherwise")
def test_card_without_lock_support_is_not_locked(
    card: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    def unknown(*_: Any) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", unknown)
    locks = [CardLock(card, read_only=False) for _ in range(2)]
    for lock in locks:
        lock.release()
