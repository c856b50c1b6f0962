"""The interface ``FileSystem`` over every driver and geometry."""

from __future__ import annotations

import errno
import gc
import io
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from filesystem.kinds import Medium
from maixfs.errors import ClosedError, FileSystemError, MaixfsError
from maixfs.filesystem import FileSystem, StatVfs, normalise

Fs = FileSystem[Any]


def names(fs: Fs, path: str = "/") -> list[str]:
    return sorted(fs.listdir(path))


def code(call: Callable[[], object]) -> int | None:
    """Return the errno that a call raises; the error is an OSError of this package."""
    with pytest.raises(FileSystemError) as caught:
        call()
    assert isinstance(caught.value, OSError)
    assert isinstance(caught.value, MaixfsError)
    return caught.value.errno


# Files


@pytest.mark.parametrize("size", [0, 1, 255, 256, 4091, 4096, 20000])
def test_written_bytes_are_read_back_after_a_new_mount(disk: Medium, size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    with disk.mount() as fs:
        assert fs.write_bytes("/a.bin", data[:size]) == size
    with disk.mount(read_only=True) as fs:
        assert fs.read_bytes("/a.bin") == data[:size]
        assert fs.stat("/a.bin").size == size


def test_text_is_utf8_by_default_and_newlines_are_universal(fs: Fs) -> None:
    assert fs.write_text("/t", "Größe\n漢字\r\n") == 10
    assert fs.read_bytes("/t") == "Größe\n漢字\r\n".encode()
    assert fs.read_text("/t") == "Größe\n漢字\n"
    with fs.open("/t", newline="") as file:
        assert file.readlines() == ["Größe\n", "漢字\r\n"]
    fs.write_text("/l", "é", encoding="latin-1")
    assert fs.read_bytes("/l") == b"\xe9"
    with pytest.raises(UnicodeDecodeError):
        fs.read_text("/l")
    assert fs.read_text("/l", errors="replace") == "\ufffd"


@pytest.mark.parametrize(
    ("mode", "before", "after"),
    [
        ("wb", b"0123456789", b"xy"),
        ("w+b", b"0123456789", b"xy"),
        ("ab", b"0123456789", b"0123456789xy"),
        ("a+b", b"0123456789", b"0123456789xy"),
        ("r+b", b"0123456789", b"xy23456789"),
        ("xb", None, b"xy"),
        ("wb", None, b"xy"),
        ("ab", None, b"xy"),
    ],
)
def test_mode_decides_where_a_write_goes(
    fs: Fs, mode: str, before: bytes | None, after: bytes
) -> None:
    if before is not None:
        fs.write_bytes("/f", before)
    with fs.open("/f", mode) as file:
        assert file.write(b"xy") == 2
    assert fs.read_bytes("/f") == after


@pytest.mark.parametrize(("mode", "number"), [("rb", errno.ENOENT), ("r+", errno.ENOENT)])
def test_missing_file_is_not_found(fs: Fs, mode: str, number: int) -> None:
    assert code(lambda: fs.open("/none", mode)) == number
    with pytest.raises(FileNotFoundError):
        fs.open("/none", mode)
    assert names(fs) == []


def test_exclusive_mode_refuses_an_existing_file_and_keeps_it(fs: Fs) -> None:
    fs.write_bytes("/f", b"old")
    with pytest.raises(FileExistsError):
        fs.open("/f", "xb")
    assert fs.read_bytes("/f") == b"old"


def test_append_mode_writes_at_the_end_after_a_seek(fs: Fs) -> None:
    fs.write_bytes("/f", b"abc")
    with fs.open("/f", "a+b") as file:
        file.seek(0)
        assert file.read(1) == b"a"
        file.write(b"d")
    assert fs.read_bytes("/f") == b"abcd"


def test_gap_left_by_a_seek_past_the_end_reads_as_zeros(fs: Fs) -> None:
    with fs.open("/f", "wb") as file:
        file.write(b"a")
        assert file.seek(700) == 700
        file.write(b"z")
    assert fs.read_bytes("/f") == b"a" + bytes(699) + b"z"
    with fs.open("/f", "rb") as file:
        assert file.seek(9000) == 9000
        assert file.read() == b""


def test_truncate_shortens_and_lengthens(fs: Fs) -> None:
    fs.write_bytes("/f", b"0123456789" * 100)
    with fs.open("/f", "r+b") as file:
        assert file.truncate(15) == 15
        assert file.seek(0, io.SEEK_END) == 15
        assert file.truncate(20) == 20
    assert fs.read_bytes("/f") == b"012345678901234" + bytes(5)


@pytest.mark.parametrize("whence", [io.SEEK_SET, io.SEEK_CUR, io.SEEK_END])
def test_negative_position_is_a_value_error_and_moves_nothing(fs: Fs, whence: int) -> None:
    fs.write_bytes("/f", b"0123456789")
    with fs.open("/f", "rb", buffering=0) as file:
        file.seek(4)
        with pytest.raises(ValueError):
            file.seek(-11, whence)
        assert file.tell() == 4


@pytest.mark.parametrize("arguments", [(0, 7), (1.5,), ("0",), (0, None)])
def test_seek_refuses_arguments_that_cannot_be(fs: Fs, arguments: tuple[Any, ...]) -> None:
    fs.write_bytes("/f", b"0123456789")
    with fs.open("/f", "rb", buffering=0) as file, pytest.raises((TypeError, ValueError)):
        file.seek(*arguments)


def test_stream_refuses_what_its_mode_does_not_allow(fs: Fs) -> None:
    fs.write_bytes("/f", b"data")
    with fs.open("/f", "rb", buffering=0) as file:
        assert (file.readable(), file.writable(), file.seekable()) == (True, False, True)
        with pytest.raises(io.UnsupportedOperation):
            file.write(b"x")
        with pytest.raises(io.UnsupportedOperation):
            file.truncate()
    with fs.open("/f", "wb", buffering=0) as file:
        with pytest.raises(io.UnsupportedOperation):
            file.read()
        with pytest.raises(io.UnsupportedOperation):
            file.readinto(bytearray(1))


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (("/f", "q"), ValueError),
        (("/f", "rw"), ValueError),
        (("/f", "rbt"), ValueError),
        (("/f", ""), ValueError),
        (("/f", "r", 0), ValueError),
        (("/f", "rb", -1, "utf-8"), ValueError),
        (("/f", "w", -1, "no-such-encoding"), LookupError),
        (("/f", "w", -1, None, None, "x"), ValueError),
        (("/f", 3), TypeError),
        (("/f", "w", 1.5), TypeError),
        ((b"/f", "w"), TypeError),
        ((5, "w"), TypeError),
        ((None, "w"), TypeError),
        (("/f\0g", "w"), ValueError),
    ],
)
def test_open_refuses_wrong_arguments_before_anything_changes(
    fs: Fs, arguments: tuple[Any, ...], kind: type[Exception]
) -> None:
    fs.write_bytes("/f", b"old")
    with pytest.raises(kind):
        fs.open(*arguments)
    assert fs.read_bytes("/f") == b"old"
    assert names(fs) == ["f"]


@pytest.mark.parametrize("data", ["text", 5, None, [1, 2]])
def test_write_bytes_refuses_other_types_and_keeps_the_file(fs: Fs, data: Any) -> None:
    fs.write_bytes("/f", b"old")
    with pytest.raises(TypeError):
        fs.write_bytes("/f", data)
    assert fs.read_bytes("/f") == b"old"


@pytest.mark.parametrize("data", [b"bytes", 5, None])
def test_write_text_refuses_other_types_and_keeps_the_file(fs: Fs, data: Any) -> None:
    fs.write_text("/f", "old")
    with pytest.raises(TypeError):
        fs.write_text("/f", data)
    with pytest.raises(UnicodeEncodeError):
        fs.write_text("/f", "ä", encoding="ascii")
    assert fs.read_text("/f") == "old"


def test_write_that_does_not_fit_is_full_and_leaves_other_files(disk: Medium) -> None:
    with disk.mount() as fs:
        fs.write_bytes("/kept", b"k" * 3000)
        room = fs.statvfs()
        with pytest.raises(FileSystemError) as caught:
            fs.write_bytes("/big", bytes(room.f_bsize * (room.f_bavail + 2)))
        assert caught.value.errno == errno.ENOSPC
    with disk.mount() as fs:
        assert fs.read_bytes("/kept") == b"k" * 3000


# Closing


def test_close_flushes_and_closes_streams_that_are_open(disk: Medium) -> None:
    fs = disk.mount()
    binary, text = fs.open("/b", "wb"), fs.open("/t", "w")
    raw = fs.open("/r", "wb", buffering=0)
    binary.write(b"binary")
    text.write("text")
    raw.write(b"raw")
    fs.close()
    for stream in (binary, text, raw):
        assert stream.closed
        with pytest.raises(ValueError, match="closed file"):
            stream.seek(0)
    with disk.mount() as again:
        assert again.read_bytes("/b") == b"binary"
        assert again.read_text("/t") == "text"
        assert again.read_bytes("/r") == b"raw"


def test_sync_makes_open_streams_durable(disk: Medium) -> None:
    fs = disk.mount()
    file = fs.open("/f", "wb")
    file.write(b"synced")
    fs.sync()
    file.write(b" and lost")
    fs.abandon()
    assert file.closed
    with disk.mount() as again:
        assert again.read_bytes("/f") == b"synced"


def test_abandon_writes_nothing_and_stays_silent(disk: Medium) -> None:
    with disk.mount() as fs:
        fs.write_bytes("/f", b"old")
    fs = disk.mount()
    file = fs.open("/f", "r+b")
    file.write(b"new")
    fs.abandon()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        del file
        gc.collect()
    with disk.mount() as again:
        assert again.read_bytes("/f") == b"old"


CALLS: dict[str, Callable[[Fs], object]] = {
    "open": lambda fs: fs.open("/f"),
    "read_bytes": lambda fs: fs.read_bytes("/f"),
    "read_text": lambda fs: fs.read_text("/f"),
    "write_bytes": lambda fs: fs.write_bytes("/f", b""),
    "write_text": lambda fs: fs.write_text("/f", ""),
    "stat": lambda fs: fs.stat("/f"),
    "exists": lambda fs: fs.exists("/f"),
    "isfile": lambda fs: fs.isfile("/f"),
    "isdir": lambda fs: fs.isdir("/"),
    "scandir": lambda fs: fs.scandir(),
    "listdir": lambda fs: fs.listdir(),
    "walk": lambda fs: list(fs.walk()),
    "glob": lambda fs: list(fs.glob("*")),
    "mkdir": lambda fs: fs.mkdir("/d"),
    "makedirs": lambda fs: fs.makedirs("/d/e"),
    "remove": lambda fs: fs.remove("/f"),
    "rmdir": lambda fs: fs.rmdir("/d"),
    "rmtree": lambda fs: fs.rmtree("/d"),
    "rename": lambda fs: fs.rename("/f", "/g"),
    "replace": lambda fs: fs.replace("/f", "/g"),
    "statvfs": lambda fs: fs.statvfs(),
    "gc": lambda fs: fs.gc(),
    "sync": lambda fs: fs.sync(),
    "with": lambda fs: fs.__enter__(),
}


@pytest.mark.parametrize("call", CALLS)
def test_every_call_after_close_is_a_value_error(disk: Medium, call: str) -> None:
    fs = disk.mount()
    fs.close()
    fs.close()
    assert fs.closed
    with pytest.raises(ValueError) as caught:
        CALLS[call](fs)
    assert isinstance(caught.value, ClosedError)


WRITING = [
    "write_bytes", "write_text", "mkdir", "makedirs", "remove", "rmdir", "rmtree", "rename",
    "replace",
]  # fmt: skip


@pytest.mark.parametrize("call", WRITING)
def test_read_only_mount_refuses_every_change(disk: Medium, call: str) -> None:
    with disk.mount() as fs:
        fs.write_bytes("/f", b"old")
    with disk.mount(read_only=True) as fs:
        assert fs.read_only
        assert code(lambda: CALLS[call](fs)) == errno.EROFS
        assert fs.read_bytes("/f") == b"old"
        fs.sync()


# Names and folders


def test_folders_are_made_listed_walked_and_removed(fs: Fs) -> None:
    fs.makedirs("/a/b/c")
    fs.write_bytes("/a/1", b"1")
    fs.write_bytes("/a/b/2", b"22")
    assert names(fs) == ["a"]
    assert names(fs, "/a") == ["1", "b"]
    found = {path: ([d.name for d in ds], [f.name for f in fl]) for path, ds, fl in fs.walk()}
    assert found == {
        "/": (["a"], []), "/a": (["b"], ["1"]), "/a/b": (["c"], ["2"]), "/a/b/c": ([], []),
    }  # fmt: skip
    fs.rmtree("/a")
    assert names(fs) == []
    assert not fs.exists("/a")


def test_makedirs_accepts_an_existing_folder_only_if_told(fs: Fs) -> None:
    fs.makedirs("/a/b")
    fs.makedirs("/a/b", exist_ok=True)
    with pytest.raises(FileExistsError):
        fs.makedirs("/a/b")
    fs.write_bytes("/file", b"")
    with pytest.raises(FileExistsError):
        fs.makedirs("/file", exist_ok=True)
    with pytest.raises(NotADirectoryError):
        fs.makedirs("/file/below")


@pytest.mark.parametrize(
    ("call", "number"),
    [
        (lambda fs: fs.mkdir("/d"), errno.EEXIST),
        (lambda fs: fs.mkdir("/f"), errno.EEXIST),
        (lambda fs: fs.mkdir("/"), errno.EEXIST),
        (lambda fs: fs.mkdir("/none/x"), errno.ENOENT),
        (lambda fs: fs.rmdir("/d"), errno.ENOTEMPTY),
        (lambda fs: fs.rmdir("/f"), errno.ENOTDIR),
        (lambda fs: fs.rmdir("/none"), errno.ENOENT),
        (lambda fs: fs.rmdir("/"), errno.EBUSY),
        (lambda fs: fs.remove("/d"), errno.EISDIR),
        (lambda fs: fs.remove("/none"), errno.ENOENT),
        (lambda fs: fs.open("/d"), errno.EISDIR),
        (lambda fs: fs.open("/d", "w"), errno.EISDIR),
        (lambda fs: fs.open("/f/x"), errno.ENOTDIR),
        (lambda fs: fs.open("/f/x", "w"), errno.ENOTDIR),
        (lambda fs: fs.listdir("/f"), errno.ENOTDIR),
        (lambda fs: fs.listdir("/none"), errno.ENOENT),
        (lambda fs: fs.stat("/none"), errno.ENOENT),
        (lambda fs: fs.rmtree("/f"), errno.ENOTDIR),
        (lambda fs: fs.rename("/none", "/x"), errno.ENOENT),
        (lambda fs: fs.rename("/f", "/d/g"), errno.EEXIST),
        (lambda fs: fs.rename("/d", "/d/below"), errno.EINVAL),
        (lambda fs: fs.rename("/", "/x"), errno.EBUSY),
        (lambda fs: fs.replace("/f", "/d"), errno.EISDIR),
        (lambda fs: fs.write_bytes("/" + "n" * 300, b""), errno.ENAMETOOLONG),
        (lambda fs: fs.rename("/f", "/" + "n" * 300), errno.ENAMETOOLONG),
    ],
)
def test_mistake_has_the_errno_of_the_host_and_changes_nothing(
    fs: Fs, call: Callable[[Fs], object], number: int
) -> None:
    fs.mkdir("/d")
    fs.write_bytes("/d/g", b"g")
    fs.write_bytes("/f", b"f")
    assert code(lambda: call(fs)) == number
    assert names(fs) == ["d", "f"]
    assert names(fs, "/d") == ["g"]
    assert (fs.read_bytes("/f"), fs.read_bytes("/d/g")) == (b"f", b"g")


def test_rename_moves_files_and_folders_with_what_is_in_them(disk: Medium) -> None:
    with disk.mount() as fs:
        fs.makedirs("/a/b")
        fs.write_bytes("/a/b/1", b"1")
        fs.write_bytes("/2", b"2")
        fs.rename("/2", "/a/zwei")
        fs.rename("/a", "/c")
        assert names(fs) == ["c"]
    with disk.mount() as fs:
        assert fs.read_bytes("/c/b/1") == b"1"
        assert fs.read_bytes("/c/zwei") == b"2"
        assert not fs.exists("/a")


def test_replace_gives_the_target_the_contents_of_the_source(disk: Medium) -> None:
    with disk.mount() as fs:
        fs.write_bytes("/new", b"new" * 300)
        fs.write_bytes("/old", b"old" * 200)
        fs.replace("/new", "/old")
        fs.replace("/old", "/old")
        assert names(fs) == ["old"]
    with disk.mount() as fs:
        assert fs.read_bytes("/old") == b"new" * 300


def test_entry_stands_for_its_file_in_every_call(fs: Fs) -> None:
    fs.write_bytes("/f", b"data")
    entry = next(fs.scandir())
    assert (entry.name, entry.path, entry.size, entry.is_file) == ("f", "/f", 4, True)
    assert fs.read_bytes(entry) == b"data"
    with fs.open(entry, "r+b") as file:
        file.write(b"DA")
    assert fs.read_text(entry) == "DAta"
    fs.rename(entry, "/g")
    entry = fs.stat("/g")
    fs.remove(entry)
    assert names(fs) == []
    with pytest.raises(FileNotFoundError):
        fs.read_bytes(entry)


def test_glob_matches_like_pathlib(fs: Fs) -> None:
    for path in ("/a.py", "/b.txt", "/d/c.py", "/d/e/f.py"):
        fs.makedirs(path.rpartition("/")[0], exist_ok=True)
        fs.write_bytes(path, b"")
    found = {
        pattern: sorted(entry.path for entry in fs.glob(pattern))
        for pattern in ("*.py", "/*", "d/*", "**/*.py", "d/**/f.*", "[ab].*", "?.txt", "x*")
    }
    assert found == {
        "*.py": ["/a.py"],
        "/*": ["/a.py", "/b.txt", "/d"],
        "d/*": ["/d/c.py", "/d/e"],
        "**/*.py": ["/a.py", "/d/c.py", "/d/e/f.py"],
        "d/**/f.*": ["/d/e/f.py"],
        "[ab].*": ["/a.py", "/b.txt"],
        "?.txt": ["/b.txt"],
        "x*": [],
    }


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", "/"), ("/", "/"), (".", "/"), ("a", "/a"), ("/a/", "/a"), ("//a//b", "/a/b"),
        ("/a/./b", "/a/b"), ("/a/../b", "/b"), ("/../a", "/a"), ("/a/..", "/"), ("/.a", "/.a"),
        ("/a..", "/a.."), ("/..a/b", "/..a/b"), ("/.", "/"), ("/a/.", "/a"),
    ],
)  # fmt: skip
def test_path_is_normalised(path: str, expected: str) -> None:
    assert normalise(path) == expected


def test_room_shrinks_by_what_is_written(fs: Fs) -> None:
    before = fs.statvfs()
    assert isinstance(before, StatVfs)
    fs.write_bytes("/f", bytes(before.f_bsize * 5))
    after = fs.statvfs()
    assert before.f_bfree - after.f_bfree >= 5
    assert after.f_blocks == before.f_blocks > after.f_bfree
    fs.gc(before.f_bsize)
    with pytest.raises(ValueError):
        fs.gc(-1)
    with pytest.raises(TypeError):
        fs.gc("1")  # type: ignore[arg-type]
