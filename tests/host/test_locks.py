"""Locks of the host: one writer or several readers, also where the file is replaced."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from maixfs.errors import DeviceError
from maixfs.host import locks
from maixfs.host.locks import (
    FileLock,
    LockedError,
    SidecarLock,
    holder_of,
    locked_by,
    sidecar_of,
)

posix_only = pytest.mark.skipif(os.name == "nt", reason="Windows has no shared locks")


@pytest.fixture
def card(tmp_path: Path) -> Path:
    path = tmp_path / "card.img"
    path.write_bytes(b"card")
    return path


def test_exclusive_lock_keeps_others_out(card: Path) -> None:
    with FileLock(card):
        with pytest.raises(LockedError) as caught:
            FileLock(card).acquire()
        assert isinstance(caught.value, BlockingIOError)
        assert (caught.value.errno, caught.value.pid) == (errno.EAGAIN, None)
    FileLock(card).acquire().release()
    assert card.read_bytes() == b"card"


@posix_only
def test_shared_locks_share_and_keep_a_writer_out(card: Path) -> None:
    with FileLock(card, shared=True), FileLock(card, shared=True), pytest.raises(LockedError):
        FileLock(card).acquire()
    with FileLock(card), pytest.raises(LockedError):
        FileLock(card, shared=True).acquire()


def test_missing_file_cannot_be_locked(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        FileLock(tmp_path / "none").acquire()
    assert isinstance(caught.value, DeviceError)
    assert not (tmp_path / "none").exists()


def test_release_twice_is_allowed(card: Path) -> None:
    lock = FileLock(card).acquire()
    lock.release()
    lock.release()


def test_wait_takes_a_lock_that_is_released_meanwhile(
    card: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = FileLock(card).acquire()
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            held.release()

    monkeypatch.setattr(locks.time, "sleep", sleep)
    FileLock(card, wait=0.1).acquire().release()
    assert len(pauses) == 3


def test_wait_for_a_lock_ends(card: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(locks.time, "sleep", pauses.append)
    with FileLock(card), pytest.raises(LockedError):
        FileLock(card, wait=0.1).acquire()
    assert sum(pauses) == pytest.approx(0.1)


@posix_only
def test_lock_follows_a_file_that_was_replaced_before_it_was_locked(
    card: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = locks.try_lock
    replaced: list[int] = []

    def replace_first(handle: int, **options: Any) -> bool:
        if not replaced:
            replaced.append(handle)
            other = card.with_name("other")
            other.write_bytes(b"new card")
            other.replace(card)
        return real(handle, **options)

    monkeypatch.setattr(locks, "try_lock", replace_first)
    with FileLock(card):
        monkeypatch.undo()
        with pytest.raises(LockedError):
            FileLock(card).acquire()


@posix_only
def test_sidecar_lock_outlives_the_replacement_of_its_file(card: Path) -> None:
    with SidecarLock(sidecar_of(card)):
        card.with_name("other").write_bytes(b"new card")
        card.with_name("other").replace(card)
        with pytest.raises(LockedError) as caught:
            SidecarLock(sidecar_of(card)).acquire()
        assert caught.value.pid == os.getpid()


def test_sidecar_lies_beside_the_file_that_a_link_leads_to(tmp_path: Path, card: Path) -> None:
    assert sidecar_of(card) == Path(os.path.realpath(tmp_path)) / ".card.img.maixfs-lock"
    if os.name != "nt":
        (tmp_path / "sub").mkdir()
        (tmp_path / "sub" / "link").symlink_to(card)
        assert sidecar_of(tmp_path / "sub" / "link") == sidecar_of(card)


def test_sidecar_names_its_holder_only_while_it_is_held(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert locked_by(path) is None
    with SidecarLock(path):
        assert holder_of(path) == locked_by(path) == os.getpid()
    assert path.exists()
    assert holder_of(path) is None
    assert locked_by(path) is None


HOLD = """
import sys
from pathlib import Path
from maixfs.host.locks import SidecarLock
SidecarLock(Path(sys.argv[1])).acquire()
print("held", flush=True)
sys.stdin.read()
"""


def test_lock_goes_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    line = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == b"held"
        with pytest.raises(LockedError) as caught:
            SidecarLock(path).acquire()
        assert caught.value.pid == locked_by(path) == process.pid
        process.kill()
    assert locked_by(path) is None
    with SidecarLock(path):
        assert holder_of(path) == os.getpid()


@posix_only
def test_file_system_without_locks_lets_everybody_in(
    card: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    def unknown(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", unknown)
    with FileLock(card), FileLock(card):
        assert locked_by(card) is None


def test_full_disk_does_not_keep_a_board_from_its_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    with SidecarLock(tmp_path / "lock"), pytest.raises(LockedError) as caught:
        SidecarLock(tmp_path / "lock").acquire()
    assert caught.value.pid is None
