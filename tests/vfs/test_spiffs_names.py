"""Names, listings, removal and renaming of files on MaixPy's SPIFFS."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from maixfs.spiffs import Code, DirEntry
from maixfs.spiffs.errors import spiffs_error
from maixfs.vfs import Errno
from vfs.board import Board
from vfs.drivers import errno_of


@pytest.mark.parametrize("path", ["x", "./x", "/flash/x", "/flash/./x", b"x", b"/flash/x"])
def test_name_is_stored_with_one_slash(board: Board, path: Any) -> None:
    board.write(path, "data")
    stored = [entry.name for entry in board.driver.fs.scandir()]
    assert stored == (["/./x"] if path == "/flash/./x" else ["/x"])
    assert board.read(path) == "data"


def test_listing_ignores_the_path(board: Board) -> None:
    board.write("a", "1")
    board.write("dir/b", "22")
    for path in ("/flash", "/flash/nowhere", "dir", "", "/flash/a"):
        assert board.vfs.listdir(path) == ["a", "dir/b"]


def test_listing_skips_names_without_a_slash_and_strips_all_slashes(board: Board) -> None:
    for name in (b"plain", b"//double", b"/", b"/caf\xe9"):
        board.store(name)
    assert board.vfs.listdir() == ["double", "", "caf\udce9"]
    assert board.vfs.listdir(b"") == [b"double", b"", b"caf\xe9"]
    assert board.vfs.stat(b"caf\xe9")[6] == 0


def test_listing_ends_at_an_empty_name(board: Board) -> None:
    for name in (b"/before", b"", b"/after"):
        board.store(name)
    assert board.vfs.listdir() == ["before"]


def test_listing_ends_at_an_error(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    def entries() -> Iterator[DirEntry]:
        yield from scandir()
        raise spiffs_error(Code.INDEX_REF_FREE)

    board.write("a", "1")
    scandir = board.driver.fs.scandir
    monkeypatch.setattr(board.driver.fs, "scandir", entries)
    assert board.vfs.listdir() == ["a"]


def test_unmounted_volume_has_firmware_errnos(board: Board) -> None:
    listing = board.vfs.ilistdir()
    board.write("a", "1")
    board.driver.fs.unmount()
    assert list(listing) == []
    assert errno_of(board.vfs.ilistdir) == Errno.ENOTDIR
    assert errno_of(board.vfs.stat, "a") == Errno.ENOEXEC
    assert errno_of(board.vfs.statvfs, "a") == Errno.ENOEXEC
    assert errno_of(board.vfs.remove, "a") == Errno.ENOEXEC
    assert errno_of(board.vfs.open, "a") == Errno.ENOENT
    assert board.vfs.import_stat("a").name == "NONE"


@pytest.mark.parametrize("path", ["/flash", "/flash/", "", "./", "./nowhere", "/flash/a/.."])
def test_stat_takes_dot_slash_for_the_root(board: Board, path: str) -> None:
    if path == "/flash/a/..":
        assert errno_of(board.vfs.stat, path) == Errno.ENOENT
    else:
        assert board.vfs.stat(path) == (0x4000,) + (0,) * 9


def test_statvfs_of_an_empty_area_is_the_firmware_s(board: Board) -> None:
    assert board.vfs.statvfs("/flash") == (131072, 131072, 21, 21, 21, 0, 0, 0, 0, 128)
    assert board.vfs.statvfs("/flash/nowhere") == board.vfs.statvfs("/flash")


def test_name_has_at_most_127_bytes(board: Board) -> None:
    board.write("n" * 126, "fits")
    assert errno_of(board.vfs.open, "n" * 127, "w") == Errno.ENOENT
    assert errno_of(board.vfs.remove, "n" * 127) == Errno.EINVAL
    assert errno_of(board.vfs.stat, "é" * 64) == Errno.EINVAL
    assert errno_of(board.vfs.rename, "n" * 126, "m" * 127) == Errno.EINVAL
    assert board.vfs.listdir() == ["n" * 126]


def test_directory_calls_do_what_the_firmware_does(board: Board) -> None:
    with pytest.raises(NotImplementedError, match=r"^SPIFFS not support$"):
        board.vfs.mkdir("d")
    assert errno_of(board.vfs.rmdir, "d") == Errno.EIO
    board.vfs.chdir("/flash/any/where")
    assert board.vfs.getcwd() == "/flash"
    board.write("here", "x")
    assert board.vfs.listdir() == ["here"]


def test_import_stat_finds_relative_paths_only(board: Board) -> None:
    board.write("m.py", "")
    found = {path: board.vfs.import_stat(path).name for path in ("m.py", "./m.py", "/flash/m.py")}
    assert found == {"m.py": "FILE", "./m.py": "FILE", "/flash/m.py": "NONE"}


@pytest.mark.parametrize("call", ["open", "remove", "stat", "listdir", "statvfs", "chdir"])
def test_path_of_another_type_is_typeerror(board: Board, call: str) -> None:
    with pytest.raises(TypeError):
        getattr(board.vfs, call)(5)


@pytest.mark.parametrize("arguments", [(5, "r"), ("x", 5), ("x",)])
def test_driver_open_of_another_type_is_typeerror(
    board: Board, arguments: tuple[Any, ...]
) -> None:
    with pytest.raises(TypeError):
        board.driver.open(*arguments)
    with pytest.raises(TypeError):
        list(board.driver.ilistdir(5))


def test_failed_remove_prints_the_spiffs_number(board: Board) -> None:
    assert errno_of(board.vfs.remove, "none") == Errno.ENOENT
    assert board.messages == ["[MaixPy]:SPIFFS Error Code -10002\n"]


def test_rename_onto_itself_removes_the_file(board: Board) -> None:
    board.write("f", "precious")
    assert errno_of(board.vfs.rename, "f", "./f") == Errno.ENOENT
    assert board.vfs.listdir() == []
    assert board.quirk_keys() == ["rename-onto-itself"]


def test_failed_rename_can_lose_the_target(board: Board) -> None:
    board.write("target", "precious")
    board.write("source", "x")
    target = board.vfs.open("target")
    real, calls = board.driver.fs.rename, []

    def rename_twice(old: bytes, new: bytes) -> None:
        calls.append(new)
        if len(calls) == 2:
            # Both descriptors are taken in between, as by an interrupt handler on the board.
            board.vfs.open("source")
            board.vfs.open("source")
        real(old, new)

    board.driver.fs.rename = rename_twice  # type: ignore[method-assign, assignment]
    target.close()
    assert errno_of(board.vfs.rename, "source", "target") == Errno.EMFILE
    assert board.vfs.listdir() == ["source"]
    assert board.quirk_keys() == ["rename-loses-target"]


def test_removed_open_file_is_eio(board: Board) -> None:
    board.write("f", "text")
    file = board.vfs.open("f")
    board.vfs.remove("f")
    assert errno_of(file.read) == Errno.EIO
    assert errno_of(file.close) == Errno.EIO
    assert board.quirk_keys() == []
