"""A card that is being written when its writer is killed: the old one or the new one."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import pytest

from image.cards import FILES, complaints, make_card, tree_of
from maixfs.host.drives import journal_of
from maixfs.image.errors import TargetError
from maixfs.image.fatvolume import FatVolume
from maixfs.image.media import finish_card_journal
from maixfs.image.opening import open_image
from maixfs.sd.errors import SectorError
from maixfs.sd.journal import Journal, read_journal
from maixfs.sd.media import FileSectors
from maixfs.sd.overlay import Overlay

NEW = {"/main.py": b"new" * 900, "/added/deep/x": b"y" * 20000}


@pytest.fixture
def card(tmp_path: Path) -> Path:
    return make_card(tmp_path / "card.img", 16)


def change(card: Path, runs_done: int | None) -> int:
    """Change a card as far as a writer came that was killed after so many runs; returns all.

    ``None`` stands for a writer that was killed before its journal was whole.
    """
    with open_image(card, "r+") as target:
        for path, data in NEW.items():
            target.write_bytes(path, data)
        volume = target.main
        assert isinstance(volume, FatVolume)
        volume.core.sync()
        overlay = volume.medium.overlay
        assert isinstance(overlay, Overlay)
        runs = [*overlay.runs()]
        journal = Journal(card)
        journal.write(overlay, overlay.below, runs, None)
        journal.leave()
        if runs_done is None:
            whole = journal_of(card).read_bytes()
            journal_of(card).write_bytes(whole[: len(whole) * 2 // 3])
        with FileSectors.open(card, read_only=False) as device:
            for start, count in runs[: runs_done or 0]:
                device.write(start, overlay.read(start, count))
        overlay.clear()
    return len(runs)


def test_next_writer_applies_the_journal_of_a_killed_one(card: Path, tmp_path: Path) -> None:
    original = card.read_bytes()
    total = change(card, 0)
    assert total > 3
    for done in range(total + 1):
        card.write_bytes(original)
        journal_of(card).unlink(missing_ok=True)
        change(card, done)
        half = card.read_bytes()
        assert tree_of(card) == {**FILES, **NEW}, done  # read as if it were whole
        assert card.read_bytes() == half
        assert finish_card_journal(card)
        assert not journal_of(card).exists()
        assert tree_of(card) == {**FILES, **NEW}
    assert complaints(card, tmp_path / "volume") == ""
    assert not finish_card_journal(card)


def test_incomplete_journal_is_discarded(card: Path) -> None:
    original = card.read_bytes()
    change(card, None)
    assert read_journal(card) is None
    assert tree_of(card) == FILES
    with open_image(card, "r+") as target:
        target.write_bytes("/x", b"1")
    assert not journal_of(card).exists()
    assert tree_of(card) == {**FILES, "/x": b"1"}
    assert card.read_bytes() != original


def test_every_cut_of_a_journal_leaves_a_readable_card(card: Path) -> None:
    change(card, 0)
    whole = journal_of(card).read_bytes()
    for length in [0, 1, 15, 16, 19, 20, 24, 100, 1000, len(whole) - 4, len(whole) - 1]:
        journal_of(card).write_bytes(whole[:length])
        assert read_journal(card) is None, length
    for at in random.Random(4).sample(range(len(whole)), 50):
        journal_of(card).write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert read_journal(card) is None, at


def test_card_changed_by_another_program_is_not_written(card: Path) -> None:
    change(card, 1)
    runs = read_journal(card)
    assert runs
    with FileSectors.open(card, read_only=False) as device:
        device.write(runs[-1].start, b"\x77" * 512)
    before = card.read_bytes()
    for work in (lambda: open_image(card), lambda: open_image(card, "r+")):
        with pytest.raises(TargetError, match="changed by another program") as caught:
            work()
        assert str(journal_of(card)) in (caught.value.hint or "")
    assert card.read_bytes() == before
    journal_of(card).unlink()
    open_image(card).close()


def test_second_writer_of_a_card_is_refused(card: Path) -> None:
    journal = Journal(card)
    with pytest.raises(SectorError, match="is being written by another process"):
        Journal(card)
    if sys.platform != "win32":
        with pytest.raises(TargetError, match="is being written by another process"):
            open_image(card, "r+")
    assert tree_of(card) == FILES
    journal.close()
    open_image(card, "r+").close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a process is killed")
@pytest.mark.parametrize("calls", range(0, 14, 2))
def test_killed_process_leaves_old_or_new_sectors(card: Path, tmp_path: Path, calls: int) -> None:
    pid = os.fork()
    if not pid:
        _write_and_die(card, calls)
    os.waitpid(pid, 0)
    with open_image(card, "r+"):
        pass
    assert tree_of(card) in (FILES, {**FILES, **NEW})
    assert not journal_of(card).exists()
    assert complaints(card, tmp_path / "volume") == ""


def _write_and_die(card: Path, calls: int) -> None:
    """Change a card in this process, which ends at the given step of the saving."""
    left = iter(range(calls))

    def step(_phase: str, _done: int, _total: int) -> None:
        if next(left, None) is None:
            os._exit(9)

    try:
        target = open_image(card, "r+")
        for path, data in NEW.items():
            target.write_bytes(path, data)
        target.commit(step)
    finally:
        os._exit(0)


@pytest.mark.parametrize("phase", ["journal", "write", "verify"])
def test_interrupted_commit_leaves_old_or_new_sectors(card: Path, phase: str) -> None:
    def interrupt(now: str, _done: int, _total: int) -> None:
        if now == phase:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), open_image(card, "r+") as target:
        for path, data in NEW.items():
            target.write_bytes(path, data)
        target.commit(interrupt)
    assert not journal_of(card).exists()
    assert tree_of(card) == (FILES if phase == "journal" else {**FILES, **NEW})


def test_unwritable_folder_of_a_journal_raises(
    card: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    before = card.read_bytes()
    with open_image(card, "r+") as target:
        target.write_bytes("/x", b"1")
        with monkeypatch.context() as patch:
            patch.setattr(os, "open", refuse)
            with pytest.raises(TargetError, match="Permission denied"):
                target.commit()
        assert card.read_bytes() == before
    assert tree_of(card)["/x"] == b"1"


class _Breaking:
    """A card that fails at a write, as long as ``broken``."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
        self.broken = True
        write = FileSectors.write

        def fail(device: FileSectors, sector: int, data: bytes) -> None:
            if self.broken and sector > 0x40:
                raise error
            write(device, sector, data)

        monkeypatch.setattr(FileSectors, "write", fail)


def test_commit_that_failed_can_be_repeated(card: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = _Breaking(monkeypatch, SectorError("no power"))
    with open_image(card, "r+") as target:
        target.write_bytes("/main.py", b"first")
        with pytest.raises(TargetError, match="no power"):
            target.commit()
        assert target.read_bytes("/main.py") == b"first"
        state.broken = False
        target.write_bytes("/second", b"second")
    assert not journal_of(card).exists()
    assert tree_of(card) == FILES | {"/main.py": b"first", "/second": b"second"}


def test_commit_that_fails_again_says_why(card: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = _Breaking(monkeypatch, SectorError("no power"))
    with pytest.raises(TargetError, match="no power"), open_image(card, "r+") as target:
        target.write_bytes("/main.py", b"first")
        with pytest.raises(TargetError, match="no power"):
            target.commit()
    state.broken = False
    assert tree_of(card)["/main.py"] == b"first"  # through the journal


def test_discard_after_a_commit_that_failed_finishes_it(
    card: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = _Breaking(monkeypatch, SectorError("no power"))
    with open_image(card, "r+") as target:
        target.write_bytes("/main.py", b"first")
        with pytest.raises(TargetError):
            target.commit()
        state.broken = False
        target.write_bytes("/second", b"second")
        target.discard()
        assert target.read_bytes("/main.py") == b"first"
        assert not target.exists("/second")
    assert tree_of(card) == FILES | {"/main.py": b"first"}


def test_interrupt_in_a_commit_leaves_a_usable_image(card: Path) -> None:
    def interrupt(phase: str, _done: int, _total: int) -> None:
        if phase == "write":
            raise KeyboardInterrupt

    with open_image(card, "r+") as target:
        target.write_bytes("/main.py", b"first")
        with pytest.raises(KeyboardInterrupt):
            target.commit(interrupt)
        assert not target.changed
        target.write_bytes("/second", b"second")
    assert tree_of(card) == FILES | {"/main.py": b"first", "/second": b"second"}
