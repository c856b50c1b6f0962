"""What is particular to SPIFFS behind the interface: folders from slashes, odd names, entries."""

from __future__ import annotations

from typing import Any

import pytest

from filesystem.kinds import SPIFFS, Medium, spiffs
from maixfs.errors import FileSystemError, IsFolderError, NameTooLongError, NotFolderError
from maixfs.spiffs import Spiffs, SpiffsCore


@pytest.fixture
def disk() -> Medium:
    return spiffs("maixpy")


def with_names(disk: Medium, *names: bytes) -> Any:
    """Store files under native names, each with its name as its contents; mount as folders."""
    with disk.mount() as fs:
        core: SpiffsCore = fs.core  # type: ignore[attr-defined]
        for name in names:
            with core.open_descriptor(name, 4 | 24) as descriptor:
                descriptor.write(name)
    return disk.mount()


def tree(fs: Any) -> dict[str, bytes]:
    return {entry.path: fs.read_bytes(entry) for _, _, files in fs.walk() for entry in files}


def test_name_without_leading_slash_is_found_by_its_path(disk: Medium) -> None:
    with with_names(disk, b"plain", b"lib/a.py") as fs:
        assert sorted(fs.listdir()) == ["lib", "plain"]
        assert fs.read_bytes("/plain") == b"plain"
        assert fs.read_bytes("lib/a.py") == b"lib/a.py"
        fs.write_bytes("/plain", b"new")
        assert {entry.raw_name for entry in fs.core.scandir()} == {b"plain", b"lib/a.py"}


def test_two_spellings_of_one_path_are_both_reachable_by_entry(disk: Medium) -> None:
    with with_names(disk, b"twice", b"/twice") as fs:
        assert fs.read_bytes("/twice") == b"/twice"
        entries = {entry.native.raw_name: entry for entry in fs.scandir()}
        assert fs.read_bytes(entries[b"twice"]) == b"twice"
        fs.remove(entries[b"twice"])
        assert [entry.native.raw_name for entry in fs.scandir()] == [b"/twice"]


def test_file_beside_files_below_its_name_is_both_file_and_folder(disk: Medium) -> None:
    with with_names(disk, b"/a", b"/a/b") as fs:
        assert [(entry.path, entry.is_dir) for entry in fs.scandir()] == [
            ("/a", False),
            ("/a", True),
        ]
        assert fs.isfile("/a")
        assert fs.read_bytes("/a") == b"/a"
        assert fs.read_bytes("/a/b") == b"/a/b"
        assert tree(fs) == {"/a": b"/a", "/a/b": b"/a/b"}
        with pytest.raises(NotFolderError):
            fs.write_bytes("/a/new", b"")
        fs.remove("/a")
        assert fs.isdir("/a")


def test_nothing_new_is_made_in_place_of_a_folder(disk: Medium) -> None:
    with with_names(disk, b"/d/x", b"/f") as fs:
        with pytest.raises(IsFolderError):
            fs.write_bytes("/d", b"")
        with pytest.raises(IsFolderError):
            fs.rename("/f", "/d")
        assert tree(fs) == {"/d/x": b"/d/x", "/f": b"/f"}


@pytest.mark.parametrize(
    "name", [b"", b"/", b"//x", b"/a//b", b"/d/", b"/a/../b", b"/./x", b"\xff\xfe", b"/a\nb"]
)
def test_name_that_no_path_can_hold_is_reached_by_its_entry(disk: Medium, name: bytes) -> None:
    with with_names(disk, name, b"/sound") as fs:
        odd = [
            entry for _, _, files in fs.walk() for entry in files if entry.native.raw_name == name
        ]
        assert len(odd) == 1
        assert fs.read_bytes(odd[0]) == name
        fs.rename(odd[0], "/renamed")
        assert fs.read_bytes("/renamed") == name
        fs.remove("/renamed")
        assert tree(fs) == {"/sound": b"/sound"}


def test_two_headers_of_one_name_are_two_entries(disk: Medium) -> None:
    with with_names(disk, b"/x", b"/y") as fs:
        page = fs.stat("/y").native.page
        fs.core.rename_page(page, b"/x")
        contents = {fs.read_bytes(entry) for entry in fs.scandir()}
        assert contents == {b"/x", b"/y"}
        fs.remove(next(entry for entry in fs.scandir() if entry.native.page != page))
        assert len(fs.listdir()) == 1


def test_empty_folder_lives_until_close(disk: Medium) -> None:
    with disk.mount() as fs:
        fs.makedirs("/a/b")
        fs.write_bytes("/c/x", b"")
        fs.remove("/c/x")
        assert sorted(fs.listdir()) == ["a", "c"]
        fs.rename("/a", "/d")
        assert fs.isdir("/d/b")
    with disk.mount() as fs:
        assert fs.listdir() == []


def test_folder_is_renamed_only_if_every_new_name_fits(disk: Medium) -> None:
    long = b"/d/" + b"n" * 120
    with with_names(disk, b"/d/short", long) as fs:
        with pytest.raises(NameTooLongError):
            fs.rename("/d", "/much-too-long")
        assert tree(fs) == {"/d/short": b"/d/short", long.decode(): long}


def test_without_folders_names_are_flat() -> None:
    geometry = SPIFFS["maixpy"]
    disk = spiffs("maixpy")
    with disk.mount(folders=False) as fs:
        assert isinstance(fs, Spiffs)
        assert fs.geometry == geometry
        fs.write_bytes("/a/b", b"1")
        fs.write_bytes("/a", b"2")
        assert sorted(fs.listdir()) == ["a", "b"]
        assert sorted(entry.path for entry in fs.scandir()) == ["/a", "/a/b"]
        assert not fs.isdir("/a")
        with pytest.raises(FileSystemError):
            fs.mkdir("/d")


def test_many_small_files_do_not_cost_their_square() -> None:
    """Counting the files of folders anew for each of them would be some 500,000 look-ups."""
    disk = spiffs("esp-idf")
    with disk.mount() as fs:
        calls = 0
        count = fs._count  # type: ignore[attr-defined]

        def counted(path: str, step: int) -> None:
            nonlocal calls
            calls += 1
            count(path, step)

        fs._count = counted  # type: ignore[attr-defined]
        for number in range(300):
            fs.write_bytes(f"/d{number % 7}/{number}", b"x")
            assert fs.isdir(f"/d{number % 7}")
        assert calls == 300
