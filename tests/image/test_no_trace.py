"""Looking at a target changes nothing on the host: no byte, no time stamp, no new file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from image.places import Place, snapshot
from maixfs.board import Board
from maixfs.errors import FitError, ReadOnlyError
from maixfs.image.opening import open_image
from maixfs.image.report import make_report
from maixfs.transfer.copying import copy_files
from transfer.copies import plan_of


def look_at_everything(place: Place) -> None:
    with open_image(place.host) as target:
        target.scandir("/", recursive=True)
        target.glob("/**")
        target.read_bytes(place.path("main.py"))
        target.open(place.path("lib/a.py")).close()
        target.stat(place.path("lib"))
        target.room()
        make_report(target).as_dict()
        target.exists("/x")
        target.check_fits({place.path("x"): 100})
        with pytest.raises(FitError):
            target.check_fits({place.path("x"): 1 << 24})


def test_reading_leaves_no_trace(place: Place) -> None:
    before = snapshot(place.host.parent)
    look_at_everything(place)
    assert snapshot(place.host.parent) == before


def test_reading_works_where_nothing_can_be_written(place: Place) -> None:
    folders = [place.host.parent, *(p for p in place.host.parent.rglob("*") if p.is_dir())]
    files = [p for p in place.host.parent.rglob("*") if p.is_file()]
    for path in [*files, *folders]:
        path.chmod(0o444 if path.is_file() else 0o555)
    before = snapshot(place.host.parent)
    try:
        look_at_everything(place)
        assert snapshot(place.host.parent) == before
    finally:
        for path in [*folders, *files]:
            path.chmod(0o755 if path.is_dir() else 0o644)


def test_every_change_is_refused(place: Place) -> None:
    before = snapshot(place.host.parent)
    path = place.path("main.py")
    with open_image(place.host) as target:
        assert not target.writable
        for change in (
            lambda: target.write_bytes(path, b""),
            lambda: target.remove(path),
            lambda: target.rename(path, path + "2"),
            lambda: target.mkdir(place.path("d")),
            target.gc,
            target.commit,
        ):
            with pytest.raises(ReadOnlyError):
                change()
    assert snapshot(place.host.parent) == before


def test_copy_out_and_dry_run_change_nothing(place: Place, tmp_path: Path) -> None:
    source = tmp_path / "new.py"
    source.write_bytes(b"new")
    before = snapshot(place.host.parent)
    copy_files([f"{place.host}:{place.path('main.py')}"], str(tmp_path / "out.py"))
    plan_of([str(source)], f"{place.host}:{place.path('new.py')}")
    assert snapshot(place.host.parent) == before


def test_open_for_writing_without_a_change_writes_nothing(place: Place) -> None:
    before = snapshot(place.host.parent)
    with open_image(place.host, "r+") as target:
        assert not target.write_bytes(
            place.path("main.py"), target.read_bytes(place.path("main.py"))
        ).changed
        assert target.commit() == []
    after = snapshot(place.host.parent)
    for name in before:
        if Path(name).is_file() and Path(name).name != "board.lock":
            assert after[name] == before[name]


def test_running_board_is_read_as_a_copy(board: Place) -> None:
    with Board.open(board.host) as running:
        before = snapshot(board.host)
        look_at_everything(board)
        assert snapshot(board.host) == before
        with open_image(board.host) as target:
            assert target.holder == os.getpid()
            held = target.read_bytes("/flash/main.py")
            running.uos.remove("/flash/main.py")
            assert target.read_bytes("/flash/main.py") == held
            board_facts = make_report(target).board
            assert board_facts is not None
            assert board_facts.holder == os.getpid()
    with open_image(board.host) as target:
        assert target.holder is None
        assert not target.exists("/flash/main.py")
