"""New files of the host: whole or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from maixfs.errors import DeviceError, FullError
from maixfs.host import drafts
from maixfs.host.drafts import Draft, clear_drafts, create_sparse, write_file
from maixfs.nor import NorError
from maixfs.sd import SectorError
from maixfs.spiffs.errors import Code, spiffs_error


def refuse(number: int) -> object:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


def test_write_file_replaces_the_content(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"old")
    write_file(path, (b"new", memoryview(b"er")))
    assert path.read_bytes() == b"newer"
    assert list(tmp_path.iterdir()) == [path]


def test_new_file_never_replaces_another(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"old")
    with pytest.raises(FileExistsError) as caught:
        write_file(path, (b"new",), replace=False)
    assert isinstance(caught.value, DeviceError)
    assert (caught.value.errno, caught.value.filename) == (errno.EEXIST, str(path))
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("links", [True, False])
def test_new_file_never_replaces_one_that_appears_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    if not links:
        monkeypatch.setattr(os, "link", refuse(errno.EPERM))
    path = tmp_path / "x"
    with pytest.raises(FileExistsError), Draft(path, replace=False) as draft:
        draft.write((b"new",))
        path.write_bytes(b"another's")
        draft.finish()
    assert path.read_bytes() == b"another's"
    assert list(tmp_path.iterdir()) == [path]


def test_new_file_on_a_file_system_without_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", refuse(errno.EPERM))
    write_file(tmp_path / "x", (b"new",), replace=False)
    assert (tmp_path / "x").read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [tmp_path / "x"]


@pytest.mark.skipif(os.name == "nt", reason="a link needs a privilege there")
def test_dangling_link_is_not_replaced_by_a_new_file(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "none")
    with pytest.raises(FileExistsError):
        write_file(tmp_path / "link", (b"new",), replace=False)
    assert not (tmp_path / "none").exists()


def test_host_error_has_its_errno_class_and_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", refuse(errno.ENOSPC))
    with pytest.raises(NorError) as caught:
        write_file(tmp_path / "x", (b"new",), base=NorError)
    assert isinstance(caught.value, FullError)
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(tmp_path / "x"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [spiffs_error(Code.FULL, "x"), SectorError("y")])
def test_error_of_the_source_is_not_reported_as_one_of_the_file(
    tmp_path: Path, error: Exception
) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"first"
        raise error

    with pytest.raises(type(error)) as caught, Draft(tmp_path / "x") as draft:
        draft.write(pieces())
    assert caught.value is error
    assert list(tmp_path.iterdir()) == []


def test_sparse_file_has_its_size_and_zeros(tmp_path: Path) -> None:
    create_sparse(tmp_path / "card.img", 3 << 20)
    assert (tmp_path / "card.img").stat().st_size == 3 << 20
    assert not any((tmp_path / "card.img").read_bytes())
    with pytest.raises(FileExistsError):
        create_sparse(tmp_path / "card.img", 1)


def test_impossible_name_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(DeviceError) as caught:
        write_file(Path("a\0b"), (b"",), replace=False)
    assert caught.value.errno == errno.EINVAL


def test_clear_drafts_on_a_file_system_without_locks_keeps_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / ".maixfs-0123456789ab.new"
    path.write_bytes(b"half")
    monkeypatch.setattr(drafts, "try_lock", lambda _handle, *, unknown: unknown)
    clear_drafts(tmp_path)
    assert path.exists()
    monkeypatch.undo()
    clear_drafts(tmp_path)
    assert not path.exists()
