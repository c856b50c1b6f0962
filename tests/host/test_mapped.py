"""Mapped files: holes, a full disk."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from maixfs.errors import DeviceError
from maixfs.host.mapped import MappedFile

SIZE = 4 << 20


def sparse(path: Path) -> Path:
    with path.open("wb") as stream:
        stream.truncate(SIZE)
    return path


def test_opening_for_writing_fills_holes(tmp_path: Path) -> None:
    file = MappedFile(sparse(tmp_path / "flash.bin"))
    try:
        assert (tmp_path / "flash.bin").stat().st_blocks * 512 >= SIZE
        assert bytes(file.cells) == bytes(SIZE)
    finally:
        file.close()


def test_opening_for_reading_leaves_holes(tmp_path: Path) -> None:
    path = sparse(tmp_path / "flash.bin")
    before = path.stat()
    MappedFile(path, read_only=True).close()
    assert (path.stat().st_blocks, path.stat().st_mtime_ns) == (
        before.st_blocks,
        before.st_mtime_ns,
    )


def test_holes_are_filled_without_posix_fallocate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "posix_fallocate", raising=False)
    path = sparse(tmp_path / "flash.bin")
    MappedFile(path).close()
    assert path.stat().st_blocks * 512 >= SIZE
    assert path.read_bytes() == bytes(SIZE)


def test_a_full_disk_is_an_error_when_the_file_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_handle: int, _offset: int, _length: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(DeviceError) as caught:
        MappedFile(sparse(tmp_path / "flash.bin"))
    assert caught.value.errno == errno.ENOSPC


@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="mounting a small disk takes root"
)
def test_a_full_disk_does_not_stop_the_process(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(disk)], check=False
    )
    if mounted.returncode:
        pytest.skip("this machine mounts no tmpfs")
    try:
        with pytest.raises(DeviceError) as caught:
            MappedFile(sparse(disk / "flash.bin"))
        assert caught.value.errno == errno.ENOSPC
    finally:
        subprocess.run(["umount", str(disk)], check=True)
