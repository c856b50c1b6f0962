"""The edit of an image: modes, commit and discard, transactions, locks, lost handles."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import maixfs
from image.cards import make_card
from image.places import KINDS, SMALL, make_bare, make_board, make_image
from maixfs.errors import ClosedError, ReadOnlyError
from maixfs.image.boardlock import BoardBusyError
from maixfs.image.errors import ImageBusyError, MissingError
from maixfs.image.opening import open_image

MODES = ["rw", "w", "a", "rb", "r+b", "", "R", "True"]


def make_any(kind: str, folder: Path) -> tuple[Path, str]:
    """Return an image and the path of a file in it."""
    if kind == "card":
        return make_card(folder / "card.img", 16), "/main.py"
    if kind == "superfloppy":
        return make_card(folder / "card.img", 16, superfloppy=True), "/main.py"
    if kind == "card in a board":
        board = make_board(folder, SMALL, 0x100000).host
        make_card(board / "sd.img", 16)
        text = (board / "board.toml").read_text() + '\n[sd]\nimage = "sd.img"\n'
        (board / "board.toml").write_text(text)
        return board, "/sd/main.py"
    place = KINDS[kind](folder)
    return place.host, place.path("main.py")


ALL = [*KINDS, "card", "superfloppy", "card in a board"]


@pytest.fixture(params=ALL)
def image(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str]:
    folder = tmp_path / "host"
    folder.mkdir()
    return make_any(request.param, folder)


def read(host: Path, path: str) -> bytes:
    with open_image(host) as target:
        return target.read_bytes(path)


# Modes


@pytest.mark.parametrize("mode", MODES)
def test_invalid_mode_raises_value_error(tmp_path: Path, mode: str) -> None:
    host = make_bare(tmp_path, SMALL).host
    with pytest.raises(ValueError, match="invalid mode"):
        maixfs.open(host, mode)


@pytest.mark.parametrize("mode", [True, 1, None, b"r"])
def test_mode_that_is_not_text_raises_type_error(tmp_path: Path, mode: object) -> None:
    with pytest.raises(TypeError):
        maixfs.open(make_bare(tmp_path, SMALL).host, mode)  # type: ignore[arg-type]


def test_mode_r_refuses_every_change(image: tuple[Path, str]) -> None:
    host, path = image
    with maixfs.open(host, "r") as target:
        assert (target.mode, target.writable) == ("r", False)
        for change in (
            lambda: target.write_bytes(path, b"x"),
            lambda: target.write(0, b"x"),
            lambda: target.open(path, "w"),
            lambda: target.fs(target.main.mount.point).write_bytes("x", b""),
            lambda: target.remove(path),
            lambda: target.rename(path, path + "2"),
            lambda: target.mkdir(path + "d"),
            lambda: target.transaction().__enter__(),
            target.commit,
            target.discard,
            target.gc,
        ):
            with pytest.raises(ReadOnlyError):
                change()


# The end of an edit


def test_close_commits(image: tuple[Path, str]) -> None:
    host, path = image
    target = maixfs.open(host, "r+")
    target.write_bytes(path, b"closed")
    target.close()
    target.close()
    assert target.closed
    assert read(host, path) == b"closed"


def test_close_flushes_streams_that_are_open(image: tuple[Path, str]) -> None:
    host, path = image
    target = maixfs.open(host, "r+")
    stream = target.open(path, "w")
    stream.write("streamed")
    target.close()
    assert read(host, path) == b"streamed"


def test_exception_discards_the_changes(image: tuple[Path, str]) -> None:
    host, path = image
    before = read(host, path)

    class StopError(Exception):
        pass

    with pytest.raises(StopError), maixfs.open(host, "r+") as target:
        target.write_bytes(path, b"discarded")
        raise StopError
    assert read(host, path) == before


def test_discard_returns_to_the_last_commit(image: tuple[Path, str]) -> None:
    host, path = image
    with maixfs.open(host, "r+") as target:
        target.write_bytes(path, b"first")
        assert target.changed
        assert target.commit()
        assert not target.changed
        target.write_bytes(path, b"second")
        target.discard()
        assert not target.changed
        assert target.read_bytes(path) == b"first"
    assert read(host, path) == b"first"


def test_unclosed_image_with_changes_warns_and_discards(image: tuple[Path, str]) -> None:
    host, path = image
    before = read(host, path)
    target = maixfs.open(host, "r+")
    target.write_bytes(path, b"forgotten")
    with pytest.warns(ResourceWarning):
        del target
        gc.collect()
    assert read(host, path) == before
    with maixfs.open(host, "r+") as again:  # the lock went with it
        assert again.read_bytes(path) == before


def test_unclosed_image_without_changes_is_silent(image: tuple[Path, str]) -> None:
    host, path = image
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        target = maixfs.open(host, "r+")
        target.read_bytes(path)
        del target
        gc.collect()


def test_closed_image_raises_closed_error(image: tuple[Path, str]) -> None:
    host, path = image
    target = maixfs.open(host, "r+")
    fs = target.volume(path).fs
    target.close()
    for use in (
        lambda: target.read_bytes(path),
        target.scandir,
        lambda: target.write_bytes(path, b""),
        lambda: target.read(0, 1),
        lambda: fs.listdir("/"),
        target.commit,
        target.__enter__,
    ):
        with pytest.raises(ClosedError):
            use()


# Bytes


def test_bytes_are_read_and_written_by_address(image: tuple[Path, str]) -> None:
    host, path = image
    with maixfs.open(host, "r+") as target:
        content = target.read_bytes(path) if "/sd/" not in path else b""
        last = target.size - 1
        old = target.read(last, 1)
        new = bytes([old[0] ^ 0xFF])
        target.write(last, new)
        assert target.read(last, 1) == new
        if content:
            assert target.read_bytes(path) == content
    with maixfs.open(host) as target:
        assert target.read(last, 1) == new


# Transactions


def test_transaction_that_raises_is_undone(image: tuple[Path, str]) -> None:
    host, path = image
    with maixfs.open(host, "r+") as target:
        target.write_bytes(path, b"before")
        with pytest.raises(ZeroDivisionError), target.transaction():
            target.write_bytes(path, b"inside")
            target.write_bytes(path + "2", b"new")
            raise ZeroDivisionError
        assert target.read_bytes(path) == b"before"
        assert not target.exists(path + "2")
    assert read(host, path) == b"before"


def test_transactions_are_nested(image: tuple[Path, str]) -> None:
    host, path = image
    with maixfs.open(host, "r+") as target:
        with target.transaction():
            target.write_bytes(path, b"outer")
            with pytest.raises(ZeroDivisionError), target.transaction():
                target.write_bytes(path, b"inner")
                raise ZeroDivisionError
            assert target.read_bytes(path) == b"outer"
            with target.transaction():
                target.write_bytes(path, b"kept")
        with pytest.raises(ZeroDivisionError), target.transaction():
            with target.transaction():
                target.write_bytes(path, b"released inside")
            raise ZeroDivisionError
    assert read(host, path) == b"kept"


def test_streams_of_an_undone_transaction_are_closed(image: tuple[Path, str]) -> None:
    host, path = image
    with maixfs.open(host, "r+") as target:
        before = target.read_bytes(path)
        with pytest.raises(ZeroDivisionError), target.transaction():
            stream = target.open(path, "wb")
            stream.write(b"never")
            raise ZeroDivisionError
        with pytest.raises(ValueError, match="closed"):
            stream.write(b"more")
        assert target.read_bytes(path) == before


def test_transaction_spans_all_file_systems(tmp_path: Path) -> None:
    board, _ = make_any("card in a board", tmp_path)
    with maixfs.open(board, "r+") as target:
        with pytest.raises(ZeroDivisionError), target.transaction():
            target.write_bytes("/flash/x", b"1")
            target.write_bytes("/sd/x", b"2")
            raise ZeroDivisionError
        assert not target.exists("/flash/x")
        assert not target.exists("/sd/x")
        assert not target.changed


def test_file_systems_are_used_as_such(image: tuple[Path, str]) -> None:
    host, path = image
    with maixfs.open(host, "r+") as target:
        fs, inner = target.resolve(path)
        assert fs is target.resolve(path)[0]
        fs.write_bytes(inner, b"by the file system")
        assert target.read_bytes(path) == b"by the file system"
        assert target.volume(path).mount.point in target.filesystems
        with pytest.raises(MissingError):
            target.fs("/nothing/there")
    assert read(host, path) == b"by the file system"


# Locks


def test_second_writer_is_refused_with_the_process(image: tuple[Path, str]) -> None:
    host, path = image
    with maixfs.open(host, "r+") as target:
        target.exists(path)  # a board's card is locked when it is used
        with pytest.raises((ImageBusyError, BoardBusyError)) as caught:
            maixfs.open(host, "r+")
        if host.suffix != ".img" or "spiffs" in host.name or "flash" in host.name:
            assert caught.value.pid == os.getpid()
        assert read(host, path)  # readers are not refused
    with maixfs.open(host, "r+"):
        pass


def test_two_names_of_an_image_share_one_lock(tmp_path: Path) -> None:
    host = make_image(tmp_path, SMALL, 0x100000).host
    link = tmp_path / "link"
    link.symlink_to(host)
    with maixfs.open(link, "r+"), pytest.raises(ImageBusyError):
        maixfs.open(host, "r+")


def test_board_and_its_flash_share_one_lock(tmp_path: Path) -> None:
    board = make_board(tmp_path, SMALL, 0x100000).host
    with maixfs.open(board, "r+"), pytest.raises(BoardBusyError):
        maixfs.open(board / "flash.bin", "r+")


def test_writer_leaves_no_lock_file(tmp_path: Path) -> None:
    host = make_image(tmp_path, SMALL, 0x100000).host
    with maixfs.open(host, "r+") as target:
        target.write_bytes("/flash/x", b"1")
    assert [path.name for path in tmp_path.iterdir()] == [host.name]


ONE_WRITER = """
import sys, maixfs, maixfs.image.source
maixfs.image.source.PATIENCE = 30.0
host, name = sys.argv[1:]
for number in range(5):
    with maixfs.open(host, "r+") as target:
        target.write_bytes(f"{name}{number}", name.encode() * 100)
"""


@pytest.mark.parametrize("kind", ["flash", "bare-maixpy", "board", "card"])
def test_updates_of_two_writers_are_kept(tmp_path: Path, kind: str) -> None:
    host, path = make_any(kind, tmp_path)
    folder = path.rpartition("/")[0]
    names = [f"{folder}/{letter}" for letter in "ab"]
    writers = [
        subprocess.Popen([sys.executable, "-c", ONE_WRITER, str(host), name]) for name in names
    ]
    while any(writer.poll() is None for writer in writers):
        with maixfs.open(host) as target:  # a reader beside them sees whole files
            for entry in target.scandir(folder or "/"):
                if not entry.is_dir and entry.name[0] in "ab":
                    assert len(target.read_bytes(entry)) == len(f"{folder}/a") * 100
    assert [writer.returncode for writer in writers] == [0, 0]
    with maixfs.open(host) as target:
        found = {entry.path for entry in target.scandir(folder or "/")}
    assert found >= {f"{name}{number}" for name in names for number in range(5)}


def test_opening_for_writing_applies_a_pending_journal(tmp_path: Path) -> None:
    from maixfs.host.drives import journal_of
    from maixfs.sd.journal import Journal
    from maixfs.sd.media import FileSectors
    from maixfs.sd.overlay import Overlay

    board, _ = make_any("card in a board", tmp_path)
    card = board / "sd.img"
    with FileSectors.open(card) as below:
        overlay = Overlay(below)
        overlay.write(9000, b"\x5a" * 512)
        journal = Journal(card)
        journal.write(overlay, below, [*overlay.runs()], None)
        journal.leave()
    with maixfs.open(board) as target:
        assert target.pending_journal == journal_of(card)
        assert target.exists("/sd/main.py")
        assert "unapplied-journal" in {found.key for found in target.findings().findings}
    with maixfs.open(board, "r+") as target:  # also where only the flash is used
        assert target.pending_journal is None
        target.exists("/flash/main.py")
    with maixfs.open(board) as target:
        assert "unapplied-journal" not in {found.key for found in target.findings().findings}
    assert not journal_of(card).exists()
    assert card.read_bytes()[9000 * 512 :][:512] == b"\x5a" * 512
