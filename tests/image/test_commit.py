"""The host's file is replaced whole, or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from image.places import FILES, SMALL, Place, litter, snapshot
from maixfs.errors import DeviceError
from maixfs.host.drafts import Draft, clear_drafts
from maixfs.image.errors import TargetError
from maixfs.image.opening import open_image
from maixfs.transfer.copying import copy_files
from maixfs.transfer.formatting import make_image
from maixfs.transfer.unpacking import unpack_files


def image_of(place: Place) -> Path:
    return place.host / "flash.bin" if place.host.is_dir() else place.host


def interrupt_at_first(_phase: str, _done: int, _total: int) -> None:
    raise KeyboardInterrupt


def interrupt_at_last(_phase: str, done: int, total: int) -> None:
    if done == total:
        raise KeyboardInterrupt


def files_of(place: Place) -> dict[str, tuple[int, int, bytes]]:
    """Return what lies in the folder, without the lock that a writer leaves."""
    found = snapshot(place.host.parent)
    return {name: seen for name, seen in found.items() if Path(name).is_file() and seen[2]}


def test_exception_in_a_write_leaves_the_old_file(place: Place) -> None:
    before = files_of(place)
    with pytest.raises(ZeroDivisionError), open_image(place.host, "r+") as target:
        target.write_bytes(place.path("main.py"), b"new")
        1 // 0
    assert files_of(place) == before
    assert litter(place.host.parent) == []


@pytest.mark.parametrize("interrupt", [interrupt_at_first, interrupt_at_last])
def test_interrupted_write_leaves_the_old_file(
    place: Place, interrupt: Callable[[str, int, int], None]
) -> None:
    before = files_of(place)
    with pytest.raises(KeyboardInterrupt), open_image(place.host, "r+") as target:
        target.write_bytes(place.path("main.py"), b"new")
        target.commit(interrupt)
    assert files_of(place) == before
    assert litter(place.host.parent) == []


def test_progress_names_its_phase_and_ends(place: Place) -> None:
    seen: list[tuple[str, int, int]] = []
    with open_image(place.host, "r+") as target:
        target.write_bytes(place.path("main.py"), b"new")
        target.commit(lambda *report: seen.append(report))
        size = target.size
    assert {phase for phase, _, _ in seen} == {"write"}
    assert seen[-1][1:] == (size, size)
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_failing_host_keeps_the_old_file(
    place: Place, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    before = files_of(place)

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with (
        pytest.raises(DeviceError, match="cannot be written: No space") as caught,
        open_image(place.host, "r+") as target,
    ):
        target.write_bytes(place.path("main.py"), b"new")
        monkeypatch.setattr(*(os, "fsync") if failing == "fsync" else (Path, "replace"), fail)
    assert caught.value.hint == "the old file has not changed"
    monkeypatch.undo()
    assert files_of(place) == before
    assert litter(place.host.parent) == []


def test_file_changed_by_another_program_is_not_replaced(place: Place) -> None:
    image = image_of(place)
    with (
        pytest.raises(TargetError, match="changed by another program"),
        open_image(place.host, "r+") as target,
    ):
        target.write_bytes(place.path("main.py"), b"new")
        image.write_bytes(b"other" * 5000)
    assert image.read_bytes() == b"other" * 5000


def test_vanished_file_raises(place: Place) -> None:
    with (
        pytest.raises(FileNotFoundError),
        open_image(place.host, "r+") as target,
    ):
        target.write_bytes(place.path("main.py"), b"new")
        image_of(place).unlink()
    assert not image_of(place).exists()
    assert litter(place.host.parent) == []


def test_protected_file_is_refused_before_writing(place: Place) -> None:
    image = image_of(place)
    image.chmod(0o444)
    with pytest.raises(PermissionError):
        open_image(place.host, "r+")


def test_commit_keeps_mode_and_links(place: Place, tmp_path: Path) -> None:
    image = image_of(place)
    image.chmod(0o640)
    link = tmp_path / "link"
    link.symlink_to(place.host)
    with open_image(link, "r+") as target:
        target.write_bytes(place.path("main.py"), b"new")
    assert link.is_symlink()
    if os.name != "nt":
        assert image.stat().st_mode & 0o777 == 0o640
    with open_image(place.host) as target:
        assert target.read_bytes(place.path("main.py")) == b"new"


def test_commits_can_follow_each_other(place: Place) -> None:
    with open_image(place.host, "r+") as target:
        for text in (b"one", b"two"):
            target.write_bytes(place.path("main.py"), text)
            assert target.commit() != []
        target.write_bytes(place.path("main.py"), b"three")
    with open_image(place.host) as target:
        assert target.read_bytes(place.path("main.py")) == b"three"
        assert target.read_bytes(place.path("lib/a.py")) == FILES[b"/lib/a.py"]


def test_unfinished_draft_is_removed(tmp_path: Path) -> None:
    with Draft(tmp_path / "x") as draft:
        draft.write([b"a", b"b"], 2, None)
        assert draft.file.read_bytes() == b"ab"
    assert list(tmp_path.iterdir()) == []


def test_new_file_has_the_mode_of_the_umask(tmp_path: Path) -> None:
    with Draft(tmp_path / "x") as draft:
        draft.write([b"a"], 1, None)
        draft.finish()
    (tmp_path / "y").write_bytes(b"a")
    assert (tmp_path / "x").stat().st_mode == (tmp_path / "y").stat().st_mode


def test_next_run_removes_drafts_of_killed_ones(place: Place) -> None:
    left = [image_of(place).with_name(f".maixfs-{number:012x}.new") for number in (0, 0xABC)]
    other = image_of(place).with_name(".maixfs-notes.new")
    for path in (*left, other):
        path.write_bytes(b"half")
    with open_image(place.host) as target:
        target.read_bytes(place.path("main.py"))
    assert all(path.exists() for path in left)
    with open_image(place.host, "r+") as target:
        target.write_bytes(place.path("main.py"), b"new")
    assert not any(path.exists() for path in left)
    assert other.exists()


def test_drafts_are_removed_from_written_folders(board: Place, tmp_path: Path) -> None:
    names = [tmp_path / part / ".maixfs-0123456789ab.new" for part in ("out", "copy", "fs")]
    for path in names:
        path.parent.mkdir()
        path.write_bytes(b"half")
    with open_image(board.host) as target:
        unpack_files(target, None, tmp_path / "out")
    copy_files([f"{board.host}:main.py"], tmp_path / "copy")
    make_image(tmp_path / "fs" / "new.img", SMALL)
    assert not any(path.exists() for path in names)


@pytest.mark.skipif(os.name == "nt", reason="an open file cannot go there anyway")
def test_draft_in_use_is_kept(tmp_path: Path) -> None:
    with Draft(tmp_path / "x") as draft:
        draft.write([b"a"], 1, None)
        clear_drafts(tmp_path)
        assert draft.file.exists()
        draft.finish()
    assert (tmp_path / "x").read_bytes() == b"a"


@pytest.mark.parametrize(
    ("name", "number", "hint"),
    [
        ("none/x", errno.ENOENT, "make the folder {}/none first"),
        ("x", errno.EROFS, "it is written under another name first: {} must take a new file"),
        ("x", errno.ENOSPC, None),
    ],
)
def test_failed_write_has_the_hint_of_its_errno(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, number: int, hint: str | None
) -> None:
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fdopen", fail)
    with pytest.raises(DeviceError, match="x cannot be written: ") as caught:
        make_image(tmp_path / name, SMALL)
    assert caught.value.hint == (hint and hint.format(tmp_path))
