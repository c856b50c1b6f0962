"""Entries and streams where something else happened to their file meanwhile."""

from __future__ import annotations

import errno
import io
import zipfile
from contextlib import suppress
from typing import Any

import pytest

from filesystem.kinds import Medium, fat, medium, spiffs
from maixfs.errors import ClosedError, DamagedError, DeviceError, FileSystemError, FullError
from maixfs.fat import Fat, format_volume
from maixfs.filesystem import FileSystem
from maixfs.sd import RamSectors

Fs = FileSystem[Any]


def test_entry_of_a_removed_file_is_not_found_whatever_took_its_place(fs: Fs) -> None:
    fs.write_bytes("/a", b"a")
    entry = fs.stat("/a")
    fs.remove("/a")
    fs.write_bytes("/b", b"precious")
    for call in (fs.read_bytes, fs.remove, fs.open, lambda e: fs.rename(e, "/c")):
        with pytest.raises(FileNotFoundError):
            call(entry)
    assert fs.read_bytes("/b") == b"precious"


def test_entry_of_a_removed_folder_reaches_nothing(fs: Fs) -> None:
    fs.makedirs("/d/e")
    folder = fs.stat("/d")
    fs.rmtree("/d")
    fs.write_bytes("/keep", b"PHOTO   JPG\x20".ljust(32, b"\1") * 40)
    for call in (fs.listdir, fs.rmtree, fs.rmdir, lambda e: list(fs.walk(e))):
        with pytest.raises(FileNotFoundError):
            call(folder)
    assert fs.read_bytes("/keep") == b"PHOTO   JPG\x20".ljust(32, b"\1") * 40


def test_entry_stays_valid_when_its_file_is_written(fs: Fs) -> None:
    fs.write_bytes("/f", b"one")
    entry = fs.stat("/f")
    fs.write_bytes("/f", b"another" * 300)
    assert fs.read_bytes(entry) == b"another" * 300


@pytest.mark.parametrize(("kind", "other"), [("maixpy", "fat16"), ("fat16", "maixpy")])
def test_entry_of_another_kind_of_file_system_is_a_type_error(kind: str, other: str) -> None:
    with medium(kind).mount() as fs, medium(other).mount() as foreign:
        foreign.write_bytes("/f", b"f")
        fs.write_bytes("/f", b"f")
        with pytest.raises(TypeError):
            fs.read_bytes(foreign.stat("/f"))


def test_folder_and_file_are_not_taken_for_each_other(fs: Fs) -> None:
    fs.makedirs("/d")
    fs.makedirs("/e")
    fs.write_bytes("/d/x", b"x")
    fs.write_bytes("/f", b"f")
    folder, file = fs.stat("/d"), fs.stat("/f")
    for call in (
        lambda: fs.open("/"),
        lambda: fs.open("/", "wb"),
        lambda: fs.open(folder),
        lambda: fs.read_bytes(folder),
        lambda: fs.remove(folder),
        lambda: fs.replace("/f", "/d"),
        lambda: fs.replace(file, "/d"),
        lambda: fs.replace(folder, "/e"),
    ):
        with pytest.raises(IsADirectoryError):
            call()
    for call in (
        lambda: fs.listdir(file),
        lambda: fs.rmdir(file),
        lambda: fs.replace("/d", "/f"),
        lambda: fs.replace(folder, "/f"),
        lambda: fs.rename("/d", "/f/d"),
        lambda: fs.mkdir("/f/d"),
        lambda: fs.write_bytes("/f/x", b""),
    ):
        with pytest.raises(NotADirectoryError):
            call()
    for target in ("/f", file):
        with pytest.raises(FileExistsError):
            fs.open(target, "xb")
    assert fs.read_bytes("/f") == b"f" and fs.read_bytes("/d/x") == b"x"


def test_root_entry_is_guarded_like_its_path(fs: Fs) -> None:
    root = fs.stat("/")
    fs.mkdir("/d")
    for call in (fs.rmdir, lambda e: fs.rename(e, "/d/x")):
        with pytest.raises(FileSystemError) as caught:
            call(root)
        assert caught.value.errno == errno.EBUSY
    assert fs.listdir(root) == ["d"]


def test_two_files_of_one_name_are_told_apart_by_entry_after_an_open_by_name() -> None:
    disk = spiffs("maixpy")
    with disk.mount() as fs:
        fs.write_bytes("/a", b"1")
        fs.write_bytes("/b", b"2")
        fs.core.rename_page(fs.stat("/b").native.page, "/a")  # type: ignore[attr-defined]
    with disk.mount() as fs:
        ids = {entry.native.object_id: fs.read_bytes(entry) for entry in fs.scandir()}
        fs.read_bytes("/a")
        for entry in fs.scandir():
            assert fs.read_bytes(entry) == ids[entry.native.object_id]
            with fs.open(entry, "ab") as file:
                file.write(b"+")
        found = {entry.native.object_id: fs.read_bytes(entry) for entry in fs.scandir()}
        assert found == {number: data + b"+" for number, data in ids.items()}


def test_replace_in_a_full_root_keeps_the_old_file_or_gives_the_new() -> None:
    card = RamSectors(4000)
    format_volume(card, 0, 4000, fat_type=12, cluster_size=512)
    with Fat(card) as fs:
        for number in range(512):
            fs.write_bytes(f"/F{number:03}.TXT", b"%d" % number)
        fs.replace("/F001.TXT", "/F002.Txt")
        assert fs.read_bytes("/F002.TXT") == b"1"
        assert not fs.exists("/F001.TXT")


def test_streams_of_one_file_see_what_the_others_wrote(fs: Fs) -> None:
    first = fs.open("/log", "ab", buffering=0)
    first.write(b"A" * 100)
    with fs.open("/log", "ab") as second:
        second.write(b"B" * 10)
    first.write(b"C" * 10)
    with fs.open("/log", "rb") as reader:
        assert reader.read() == b"A" * 100 + b"B" * 10 + b"C" * 10
    first.close()
    assert fs.read_bytes("/log") == b"A" * 100 + b"B" * 10 + b"C" * 10


def test_circle_of_folders_ends_walk_glob_and_rmtree() -> None:
    disk = fat("fat16")
    with disk.mount() as fs:
        fs.makedirs("/a/b")
        core = fs.core  # type: ignore[attr-defined]
        above = fs.stat("/a").native.cluster
        directory = core._volume.directory(above)
        directory.put_cluster(fs.stat("/a/b").native.slot, above)
        assert len(list(fs.walk())) == 2
        assert {entry.name for entry in fs.glob("**/*")} == {"a", "b"}
        with pytest.raises(FileSystemError):
            fs.rmtree("/a")
        fs.abandon()


def test_deep_tree_is_walked_and_globbed(fs: Fs) -> None:
    path = "/d" * 12
    fs.makedirs(path)
    fs.write_bytes(f"{path}/x", b"")
    assert [entry.path for entry in fs.glob("**/x")] == [f"{path}/x"]
    assert [entry.path for entry in fs.glob("**/**/x")] == [f"{path}/x"]


@pytest.mark.parametrize("layer", ["text", "buffer"])
def test_detached_stream_does_not_keep_the_file_system_open(disk: Medium, layer: str) -> None:
    fs = disk.mount()
    kept: Any = fs.open("/t", "w") if layer == "text" else fs.open("/t", "wb")
    kept.write("abc" if layer == "text" else b"abc")
    below = kept.detach()
    fs.sync()
    fs.close()
    assert fs.closed
    assert below.closed
    with disk.mount() as again:
        assert again.read_bytes("/t") == b"abc"


def test_close_ends_the_mount_where_a_stream_fails(
    disk: Medium, monkeypatch: pytest.MonkeyPatch
) -> None:
    fs = disk.mount()
    streams = [fs.open(f"/{number}", "wb", buffering=0) for number in range(3)]

    def fail(*_: object) -> None:
        raise DeviceError("the medium fails")

    kind = type(streams[1]._file)  # type: ignore[attr-defined]
    failing = streams[1]._file  # type: ignore[attr-defined]
    close = kind.close
    monkeypatch.setattr(kind, "close", lambda file: fail() if file is failing else close(file))
    with pytest.raises(DeviceError):
        fs.close()
    assert fs.closed
    assert all(stream.closed for stream in streams)


def test_far_write_that_cannot_fit_changes_nothing(fs: Fs) -> None:
    before = fs.statvfs().f_bfree
    fs.write_bytes("/f", b"f")
    for position in (1 << 40, (1 << 32) + 5, 1 << 31):
        with fs.open("/f", "r+b", buffering=0) as file:
            file.seek(position)
            with pytest.raises(FileSystemError) as caught:
                file.write(b"x")
            assert caught.value.errno in (errno.ENOSPC, errno.EFBIG)
            with pytest.raises(FileSystemError):
                file.truncate(position)
    assert fs.read_bytes("/f") == b"f"
    assert before - fs.statvfs().f_bfree <= 3


def test_zipfile_works_on_streams(fs: Fs) -> None:
    fs.write_bytes("/s", b"hi")
    with fs.open("/s", "rb") as file:
        assert not zipfile.is_zipfile(file)
    with fs.open("/z.zip", "w+b") as file, zipfile.ZipFile(file, "a") as archive:
        archive.writestr("a.txt", "text" * 50)
    with fs.open("/z.zip", "rb") as file, zipfile.ZipFile(file) as archive:
        assert archive.read("a.txt") == b"text" * 50


@pytest.mark.parametrize("path", ["a\0b", "\ud800"])
def test_path_that_cannot_be_does_not_exist(fs: Fs, path: str) -> None:
    assert not fs.exists(path)
    assert not fs.isfile(path)
    assert not fs.isdir(path)


def test_damaged_size_is_an_error_and_takes_no_memory() -> None:
    disk = fat("fat16")
    with disk.mount() as fs:
        fs.write_bytes("/f", b"data")
        core = fs.core  # type: ignore[attr-defined]
        directory = core._volume.directory(0)
        slot = fs.stat("/f").native.slot
        directory.record(directory.items[slot], fs.stat("/f").native.cluster, 0xFFFFFFFF, (1, 1))
        with pytest.raises(DamagedError):
            fs.read_bytes("/f")
        with pytest.raises(DamagedError):
            fs.open("/f", "rb").read()
        fs.abandon()


def test_listing_ends_although_files_are_renamed_meanwhile(fs: Fs) -> None:
    for number in range(20):
        fs.write_bytes(f"/{number}", b"x")
    for renamed, entry in enumerate(fs.scandir()):
        fs.rename(entry, f"/renamed {renamed}")
        assert renamed < 40
    assert len(fs.listdir()) == 20


def test_negative_seek_is_both_of_the_errors_that_python_has(fs: Fs) -> None:
    fs.write_bytes("/f", b"f")
    with fs.open("/f", "rb", buffering=0) as file:
        for kind in (OSError, ValueError):
            with pytest.raises(kind):
                file.seek(-5, io.SEEK_END)


def test_full_error_of_an_overwrite_names_no_other_file(fs: Fs) -> None:
    room = fs.statvfs()
    with pytest.raises(FullError):
        fs.write_bytes("/f", bytes(room.f_bsize * (room.f_bavail + 3)))


@pytest.mark.parametrize("mode", ["wb", "w+b"])
def test_open_for_writing_empties_also_what_another_stream_has_not_recorded(
    disk: Medium, fs: Fs, mode: str
) -> None:
    first = fs.open("/a", "wb")
    first.write(b"old" * 100)
    first.flush()
    with fs.open("/a", mode) as second:
        second.write(b"new")
    assert fs.read_bytes("/a") == b"new"
    first.close()
    assert fs.read_bytes("/a") == b"new"
    fs.close()
    with disk.mount() as again:
        assert again.read_bytes("/a") == b"new"


def test_appending_goes_on_at_the_start_after_another_stream_emptied_the_file(fs: Fs) -> None:
    with fs.open("/log", "ab") as log:
        log.write(b"1")
        log.flush()
        fs.open("/log", "w").close()
        log.write(b"2")
    assert fs.read_bytes("/log") == b"2"


def test_size_of_an_open_file_is_what_was_written(fs: Fs) -> None:
    with fs.open("/a", "w") as file:
        file.write("hello")
        file.flush()
        assert fs.stat("/a").size == 5
        assert next(entry.size for entry in fs.scandir() if entry.name == "a") == 5


def test_sync_flushes_every_stream_although_one_fails(fs: Fs) -> None:
    gone = fs.open("/gone", "wb", 0)
    gone.write(b"x")
    kept = fs.open("/kept", "w")
    kept.write("data")
    fs.remove("/gone")
    with suppress(ClosedError):
        fs.sync()
    assert fs.read_bytes("/kept") == b"data"


def test_entry_moved_onto_its_own_path_stays(fs: Fs) -> None:
    fs.write_bytes("/a", b"1")
    entry = next(iter(fs.scandir()))
    for _ in range(2):
        fs.replace(entry, "/a")
    assert fs.read_bytes(entry) == b"1"


def test_file_that_another_stream_truncated_can_be_opened_for_writing(fs: Fs) -> None:
    fs.write_bytes("/a", b"old" * 100)
    with fs.open("/a", "r+b") as file:
        file.truncate(0)
        fs.write_bytes("/a", b"new")
    assert fs.read_bytes("/a") == b"new"
