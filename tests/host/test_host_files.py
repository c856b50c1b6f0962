"""Files of the host read whole, at offsets, mapped; their errors."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from maixfs.errors import DeviceError, error_class
from maixfs.host.drives import drive_facts, is_drive, size_of
from maixfs.host.errors import ErrorTypes, host_error
from maixfs.host.files import (
    HostFile,
    OccupiedError,
    is_protected,
    make_folder,
    read_file,
    read_start,
    refuse_occupied,
    same_content,
    status_of,
    write_new,
)
from maixfs.host.mapped import MappedFile


class FailedError(DeviceError):
    pass


class UnfitError(DeviceError):
    pass


TYPES = ErrorTypes(FailedError, UnfitError)


@pytest.mark.parametrize("name", ["ENOENT", "EACCES", "ENOSPC", "EIO", "EROFS", "EISDIR"])
def test_host_error_is_of_the_builtin_class_for_its_errno(tmp_path: Path, name: str) -> None:
    number = getattr(errno, name)
    error = host_error(tmp_path, "fails", OSError(number, ""), base=FailedError)
    assert isinstance(error, error_class(FailedError, number))
    assert isinstance(error, type(OSError(number, "")))
    assert (error.errno, error.filename) == (number, str(tmp_path))


@pytest.mark.parametrize("opened", [HostFile, MappedFile])
def test_devices_get_their_own_class_of_error(
    tmp_path: Path, opened: type[HostFile] | type[MappedFile]
) -> None:
    with pytest.raises(FileNotFoundError) as missing:
        opened(tmp_path / "none", errors=TYPES)
    with pytest.raises(IsADirectoryError) as folder:
        opened(tmp_path, errors=TYPES)
    with pytest.raises(FailedError) as name:
        opened(Path("a\0b"), errors=TYPES)
    assert isinstance(missing.value, FailedError)
    assert isinstance(folder.value, FailedError)
    assert name.value.errno == errno.EINVAL


def test_empty_file_cannot_be_mapped(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"")
    with pytest.raises(UnfitError):
        MappedFile(tmp_path / "x", errors=TYPES)


def test_file_cut_while_it_is_open_is_unfit(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(bytes(0x3000))
    file = HostFile(path, errors=TYPES)
    os.truncate(path, 0x1800)
    with pytest.raises(UnfitError, match="0x1800"):
        file.read(0x1000, 0x1000)
    with pytest.raises(UnfitError, match="0x1800"):
        file.readinto(0x1000, memoryview(bytearray(0x1000)))
    file.close()
    with pytest.raises(FailedError):
        file.read(0, 1)


def test_read_file_and_its_bound(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"12345")
    assert read_file(path) == read_file(path, 5) == b"12345"
    assert read_start(path, 2) == b"12"
    with pytest.raises(DeviceError) as caught:
        read_file(path, 4)
    assert caught.value.errno == errno.EFBIG


@pytest.mark.parametrize(
    ("path", "number"),
    [("none", errno.ENOENT), (".", errno.EISDIR), ("n" * 5000, errno.ENAMETOOLONG)],
)
def test_read_file_has_the_errno_of_the_host(tmp_path: Path, path: str, number: int) -> None:
    with pytest.raises(DeviceError) as caught:
        read_file(tmp_path / path)
    assert caught.value.errno == number


def test_status_of_a_device_is_refused_unless_asked_for() -> None:
    if os.name == "nt":
        pytest.skip("Windows has no such files")
    with pytest.raises(DeviceError) as caught:
        status_of(Path("/dev/null"), devices=True)  # not a block device either
    assert caught.value.errno == errno.EINVAL


def test_protected_file_is_seen_by_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"")
    assert not is_protected(path)
    path.chmod(0o444)
    assert is_protected(path)
    assert not is_protected(tmp_path / "none")
    path.chmod(0o644)


def test_refuse_occupied_raises_for_a_file_with_contents(tmp_path: Path) -> None:
    path = tmp_path / "x"
    refuse_occupied(path, force=False)
    path.write_bytes(b"")
    refuse_occupied(path, force=True)
    with pytest.raises(OccupiedError) as caught:
        refuse_occupied(path, force=False)
    assert caught.value.replaceable
    assert isinstance(caught.value, FileExistsError)
    with pytest.raises(OccupiedError) as folder:
        refuse_occupied(tmp_path, force=True)
    assert not folder.value.replaceable


def test_write_new_leaves_the_same_content_alone(tmp_path: Path) -> None:
    path = tmp_path / "x"
    assert write_new(path, (b"a", b"b"), force=False)
    before = path.stat()
    assert not write_new(path, (b"ab",), force=False)
    assert path.stat().st_ino == before.st_ino
    with pytest.raises(OccupiedError):
        write_new(path, (b"other",), force=False)
    assert write_new(path, (b"other",), force=True)
    assert path.read_bytes() == b"other"
    assert list(tmp_path.iterdir()) == [path]


def test_same_content_compares_all_pieces(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"abc")
    assert same_content(path, (b"ab", b"c"))
    assert not same_content(path, (b"ab", b"d"))
    assert not same_content(path, (b"ab",))
    assert not same_content(tmp_path / "none", ())


def test_make_folder_names_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"")
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    for path in (tmp_path / "x", tmp_path / "x" / "y"):
        with pytest.raises(DeviceError) as caught:
            make_folder(path)
        assert caught.value.errno in (errno.EEXIST, errno.ENOTDIR)


def test_drive_questions_about_files(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"abc")
    assert not is_drive(path)
    assert not is_drive(Path("a\0b"))
    assert size_of(path) == 3
    assert drive_facts(path).regular
    with pytest.raises(FileNotFoundError):
        drive_facts(tmp_path / "none")
    with pytest.raises(IsADirectoryError):
        drive_facts(tmp_path)


def test_no_module_of_the_host_needs_posix() -> None:
    code = """
import sys
for name in ("fcntl", "msvcrt", "termios", "pwd", "grp", "resource"):
    sys.modules[name] = None
import maixfs.host.drafts, maixfs.host.drives, maixfs.host.errors, maixfs.host.files
import maixfs.host.locks, maixfs.host.mapped
"""
    subprocess.run([sys.executable, "-c", code], check=True)
