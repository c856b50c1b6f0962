"""Folders and paths of FAT12, FAT16 and FAT32 volumes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from maixfs.vfs import Errno
from vfs.drivers import VOLUMES, Volume, errno_of

FOLDER = 0x4000
FILE = 0x8000


@pytest.fixture(params=[name for name in VOLUMES if name.startswith("fat")])
def volume(request: pytest.FixtureRequest) -> Iterator[Volume]:
    made = VOLUMES[request.param]()
    made.vfs.chdir("/v")
    yield made


def test_folder_lists_files_and_folders(volume: Volume) -> None:
    volume.vfs.mkdir("/v/d")
    volume.vfs.mkdir("d/e")
    volume.write("d/e/f.txt", "deep")
    assert list(volume.vfs.ilistdir("/v")) == [("d", FOLDER, 0, 0)]
    assert volume.vfs.listdir("d") == ["e"]
    assert list(volume.vfs.ilistdir(b"d/e")) == [(b"f.txt", FILE, 0, 4)]
    volume.power_on()
    assert volume.read("/v/d/e/f.txt") == b"deep"


def test_relative_path_starts_at_the_current_folder(volume: Volume) -> None:
    volume.vfs.mkdir("d")
    volume.vfs.chdir("d")
    assert volume.vfs.getcwd() == "/v/d"
    volume.write("f", "x")
    assert volume.vfs.listdir("..") == ["d"]
    assert volume.vfs.listdir("") == volume.vfs.listdir(".") == ["f"]
    volume.vfs.chdir("..")
    volume.vfs.chdir("..")
    assert volume.vfs.getcwd() == "/v"
    assert volume.read("./d/../d//f") == b"x"


def test_missing_folder_is_enoent(volume: Volume) -> None:
    volume.write("f", "x")
    for path in ("none", "f", "none/x", "f/x"):
        assert errno_of(volume.vfs.ilistdir, path) == Errno.ENOENT
        assert errno_of(volume.vfs.chdir, path) == Errno.ENOENT
    for path in ("none/x", "f/x"):
        assert errno_of(volume.vfs.mkdir, path) == Errno.ENOENT
        assert errno_of(volume.vfs.open, path, "w") == Errno.ENOENT


def test_existing_name_is_refused(volume: Volume) -> None:
    volume.vfs.mkdir("d")
    volume.write("f", "x")
    for path in ("d", "D", "f", "F"):
        assert errno_of(volume.vfs.mkdir, path) == Errno.EEXIST
    assert errno_of(volume.vfs.open, "f", "x") == Errno.EEXIST
    assert errno_of(volume.vfs.open, "d", "w") == Errno.EACCES
    assert errno_of(volume.vfs.open, "d", "r") == Errno.ENOENT
    assert volume.read("F") == b"x"


def test_remove_and_rmdir_check_the_kind(volume: Volume) -> None:
    volume.vfs.mkdir("d")
    volume.write("d/f", "x")
    assert errno_of(volume.vfs.remove, "d") == Errno.EISDIR
    assert errno_of(volume.vfs.rmdir, "d/f") == Errno.ENOTDIR
    assert errno_of(volume.vfs.rmdir, "d") == Errno.EACCES
    assert errno_of(volume.vfs.rmdir, "none") == Errno.ENOENT
    volume.vfs.remove("d/f")
    volume.vfs.chdir("d")
    assert errno_of(volume.vfs.rmdir, "/v/d") == Errno.EACCES
    assert errno_of(volume.vfs.rmdir, ".") == Errno.EINVAL
    volume.vfs.chdir("/v")
    volume.vfs.rmdir("d")
    assert volume.vfs.listdir() == []


def test_root_cannot_be_removed_renamed_or_opened(volume: Volume) -> None:
    for path in ("/v/.", "..", "/v//", "./"):
        assert errno_of(volume.vfs.stat, path) == Errno.EINVAL
    assert errno_of(volume.vfs.rmdir, "/v") == Errno.EINVAL
    assert errno_of(volume.vfs.open, "/v", "w") == Errno.EINVAL
    assert errno_of(volume.vfs.rename, "/v", "/v/x") == Errno.EINVAL
    assert volume.vfs.stat("/v") == (FOLDER,) + (0,) * 9
    assert volume.vfs.listdir(".") == []


def test_rename_moves_files_and_folders(volume: Volume) -> None:
    volume.vfs.mkdir("d")
    volume.vfs.mkdir("e")
    volume.write("d/f", "x")
    volume.vfs.rename("d", "e/D2")
    assert volume.vfs.listdir("e") == ["D2"]
    volume.vfs.rename("e/D2/f", "top")
    assert volume.read("top") == b"x"
    assert volume.vfs.listdir("e/D2/..") == ["D2"]
    volume.vfs.rename("top", "TOP")
    assert volume.vfs.listdir() == ["e", "TOP"]
    assert errno_of(volume.vfs.rename, "TOP", "e") == Errno.EISDIR


@pytest.mark.parametrize("path", ["d/", "d\\"])
def test_trailing_slash_is_refused(volume: Volume, path: str) -> None:
    volume.vfs.mkdir("d")
    assert errno_of(volume.vfs.stat, path) == Errno.EINVAL
    assert errno_of(volume.vfs.listdir, path) == Errno.EINVAL
    assert errno_of(volume.vfs.mkdir, f"new{path}") == Errno.ENOENT


@pytest.mark.parametrize("letter", '"*:<>?|\x7f')
def test_forbidden_character_is_einval(volume: Volume, letter: str) -> None:
    for call in (volume.vfs.mkdir, volume.vfs.stat, volume.vfs.open):
        assert errno_of(call, f"x{letter}y") == Errno.EINVAL


def test_trailing_dots_and_spaces_are_cut(volume: Volume) -> None:
    for name in ("trailing.", "space ", " lead", ".hidden", "a\x01b"):
        volume.write(name, "x")
    assert volume.vfs.listdir() == ["trailing", "space", " lead", ".hidden", "a"]


def test_name_has_at_most_255_bytes(volume: Volume) -> None:
    volume.write("n" * 255, "x")
    assert volume.vfs.listdir() == ["n" * 255]
    assert errno_of(volume.vfs.mkdir, "n" * 256) == Errno.EINVAL


def test_listing_shows_files_made_after_its_start(volume: Volume) -> None:
    listing = volume.vfs.ilistdir()
    volume.write("a", "1")
    volume.write("b", "22")
    assert [entry[0] for entry in listing] == ["a", "b"]
    assert list(listing) == []


def test_import_stat_finds_packages(volume: Volume) -> None:
    volume.vfs.mkdir("package")
    volume.write("package/__init__.py", "")
    found = [volume.vfs.import_stat(path).name for path in ("package", "package/__init__.py")]
    assert found == ["DIRECTORY", "FILE"]
    assert volume.vfs.import_stat("/v").name == "NONE"
    assert volume.vfs.import_stat("a?b").name == "NONE"


@pytest.mark.parametrize("path", [5, None, ["x"]])
@pytest.mark.parametrize("call", ["ilistdir", "mkdir", "rmdir", "remove", "chdir", "stat"])
def test_path_of_another_type_is_typeerror(volume: Volume, call: str, path: object) -> None:
    with pytest.raises(TypeError):
        getattr(volume.driver, call)(path)
