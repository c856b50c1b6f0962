"""Mapped files with holes: a disk without room is an error, never a signal."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from maixfs.errors import DeviceError
from maixfs.host.mapped import MappedFile

SIZE = 1 << 20


@pytest.fixture
def sparse(tmp_path: Path) -> Path:
    """Return a file of ``SIZE`` bytes with holes in front of and behind its first data."""
    path = tmp_path / "flash.bin"
    with path.open("wb") as file:
        file.truncate(SIZE)
        file.seek(SIZE // 2)
        file.write(b"data")
    if path.stat().st_blocks * 512 >= SIZE:
        pytest.skip("the file system makes no holes")
    return path


def is_allocated(path: Path) -> bool:
    return path.stat().st_blocks * 512 >= SIZE


def refuse(number: int) -> object:
    def call(*_arguments: object) -> None:
        raise OSError(number, os.strerror(number))

    return call


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """Yield a folder on a disk with 64 KiB of space; only an administrator can make one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    line = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    try:
        subprocess.run(line, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting a small disk takes an administrator")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_mapping_for_writing_allocates_all_blocks(sparse: Path) -> None:
    before = sparse.read_bytes()
    MappedFile(sparse).close()
    assert is_allocated(sparse)
    assert sparse.read_bytes() == before


def test_mapping_for_reading_leaves_holes(sparse: Path) -> None:
    MappedFile(sparse, read_only=True).close()
    assert not is_allocated(sparse)


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS])
def test_holes_are_written_if_the_file_system_cannot_allocate(
    sparse: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(os, "posix_fallocate", refuse(number), raising=False)
    before = sparse.read_bytes()
    MappedFile(sparse).close()
    assert is_allocated(sparse)
    assert sparse.read_bytes() == before


def test_holes_are_written_if_the_host_cannot_allocate(
    sparse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "posix_fallocate", raising=False)
    MappedFile(sparse).close()
    assert is_allocated(sparse)


def test_full_disk_raises_enospc_before_mapping(
    sparse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "posix_fallocate", refuse(errno.ENOSPC), raising=False)
    with pytest.raises(DeviceError) as caught:
        MappedFile(sparse)
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.hint


@pytest.mark.parametrize("allocates", [True, False], ids=["posix_fallocate", "writing"])
def test_small_disk_raises_enospc_before_mapping(
    full_disk: Path, monkeypatch: pytest.MonkeyPatch, *, allocates: bool
) -> None:
    if not allocates:
        monkeypatch.delattr(os, "posix_fallocate", raising=False)
    path = full_disk / "flash.bin"
    with path.open("wb") as file:
        file.truncate(SIZE)
    with pytest.raises(DeviceError) as caught:
        MappedFile(path)
    assert caught.value.errno == errno.ENOSPC
