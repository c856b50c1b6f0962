"""The current directory, opening, importing, and a board without power."""

from __future__ import annotations

from typing import Any

import pytest

from maixfs.errors import DeviceError
from maixfs.vfs import Errno, ImportStat, Vfs, VfsError, VfsFat
from vfs.drivers import RamDevice, errno_of
from vfs.recorder import mounted

# The current directory


def test_getcwd_joins_mount_point_and_driver_path(vfs: Vfs) -> None:
    driver = mounted(vfs)
    vfs.chdir("/a/x")
    assert vfs.getcwd() == "/a/cwd"
    driver.answer = lambda method: "/"  # type: ignore[method-assign]
    assert vfs.getcwd() == "/a"
    driver.answer = lambda method: 5  # type: ignore[method-assign]
    with pytest.raises(TypeError):
        vfs.getcwd()


def test_chdir_to_the_root_resets_a_root_volume(vfs: Vfs) -> None:
    root = mounted(vfs, "/")
    vfs.chdir("/x")
    assert vfs.getcwd() == "/cwd"
    vfs.chdir("/")
    assert vfs.getcwd() == "/"
    assert [call for call in root.calls if call[0] == "chdir"] == [("chdir", "/x"), ("chdir", "/")]


def test_maixpy_chdir_moves_before_it_asks(old: Vfs) -> None:
    mounted(old, "/a")
    mounted(old, "/b").fails["chdir"] = VfsError(Errno.ENOENT)
    old.chdir("/a")
    assert errno_of(old.chdir, "/b/none") == Errno.ENOENT
    assert old.getcwd() == "/b/cwd"


def test_maixpy_chdir_can_lose_the_current_directory(old: Vfs) -> None:
    mounted(old, "/a")
    assert errno_of(old.chdir, "/nowhere") == Errno.ENODEV
    assert errno_of(old.getcwd) == Errno.ENODEV
    assert errno_of(old.listdir) == Errno.ENODEV
    assert errno_of(old.stat, "a") == Errno.ENODEV
    assert errno_of(old.rename, "x", "y") == Errno.ENODEV
    assert errno_of(old.mkdir, "x") == Errno.ENODEV
    assert old.listdir("/") == ["a"]
    old.chdir("/")
    assert old.getcwd() == "/"


def test_modern_failed_chdir_changes_nothing() -> None:
    vfs = Vfs("modern")
    mounted(vfs, "/a")
    mounted(vfs, "/b").fails["chdir"] = VfsError(Errno.ENOENT)
    vfs.chdir("/a")
    assert errno_of(vfs.chdir, "/b/none") == Errno.ENOENT
    assert errno_of(vfs.chdir, "/nowhere") == Errno.ENODEV
    assert vfs.getcwd() == "/a/cwd"


def test_maixpy_unknown_relative_name_is_the_root(old: Vfs) -> None:
    mounted(old, "/a")
    assert old.listdir("nope") == ["a"]
    assert old.stat("nope") == old.stat("/")
    assert errno_of(old.mkdir, "nope") == Errno.EEXIST
    assert errno_of(old.open, "nope") == Errno.EPERM
    assert old.import_stat("nope") is ImportStat.NONE
    assert errno_of(Vfs("modern").listdir, "nope") == Errno.ENODEV


# A board without power


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        ("chdir", ("/a",)),
        ("getcwd", ()),
        ("ilistdir", ()),
        ("listdir", ("/",)),
        ("mkdir", ("/",)),
        ("mount", ()),
        ("mount", (5, 5)),
        ("open", ("/",)),
        ("remove", ("/",)),
        ("rename", ("/", "/")),
        ("rmdir", ("/",)),
        ("stat", (5,)),
        ("statvfs", ("/",)),
        ("umount", ("/a",)),
    ],
)
@pytest.mark.parametrize("profile", ["maixpy", "modern"])
def test_check_comes_before_everything_else(
    profile: str, call: str, arguments: tuple[Any, ...]
) -> None:
    class NoPowerError(Exception):
        pass

    def check() -> None:
        if not powered:
            raise NoPowerError

    powered = True
    vfs = Vfs(profile, check=check)
    driver = mounted(vfs)
    powered = False
    with pytest.raises(NoPowerError):
        getattr(vfs, call)(*arguments)
    assert driver.calls == []
    assert vfs.mounts() == [("/a", driver)]


# Opening and importing


def test_open_passes_path_and_mode_to_the_driver(vfs: Vfs) -> None:
    driver = mounted(vfs)
    assert vfs.open("/a/x") == "opened"
    assert vfs.open(file="/a/y", mode="wb", buffering=True, encoding="latin-1") == "opened"
    assert vfs.open(b"/a/z", 5) == "opened"
    assert driver.calls == [("open", "/x", "r"), ("open", "/y", "wb"), ("open", b"/z", 5)]
    with pytest.raises(TypeError):
        vfs.open("/a/x", "r", "much")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        vfs.open()  # type: ignore[call-arg]


def test_import_stat_calls_stat_of_a_python_driver(vfs: Vfs) -> None:
    driver = mounted(vfs)
    assert vfs.import_stat("/a/x.py") is ImportStat.FILE
    driver.answer = lambda method: (0x4000,) + (0,) * 9  # type: ignore[method-assign]
    assert vfs.import_stat("/a/x") is ImportStat.DIRECTORY
    driver.fails["stat"] = RuntimeError("anything")
    assert vfs.import_stat("/a/x") is ImportStat.NONE
    assert vfs.import_stat("/") is vfs.import_stat("/b/x") is ImportStat.NONE


def test_import_stat_passes_a_device_error_of_a_python_driver_on(vfs: Vfs) -> None:
    mounted(vfs).fails["stat"] = DeviceError("no space on the host")
    with pytest.raises(DeviceError):
        vfs.import_stat("/a/x")


def test_import_stat_of_a_short_tuple_is_valueerror(vfs: Vfs) -> None:
    mounted(vfs).answer = lambda method: (0x8000,)  # type: ignore[method-assign]
    with pytest.raises(ValueError, match="requested length 10"):
        vfs.import_stat("/a/x")


def test_driver_exception_passes_through(vfs: Vfs) -> None:
    mounted(vfs).fails = {"stat": KeyError("own")}
    with pytest.raises(KeyError):
        vfs.stat("/a/x")
    assert vfs.collect() == 0


def test_open_native_reads_only_native_volumes() -> None:
    device = RamDevice(64)
    VfsFat.mkfs(device)
    vfs = Vfs()
    vfs.mount(VfsFat(device), "/sd")
    with vfs.open("/sd/model", "wb") as file:
        file.write(b"data")
    with vfs.open_native("/sd/model") as file:
        assert file.read() == b"data"
    driver = mounted(vfs, "/own")
    for path in ("/own/model", "/", "/none/model"):
        assert errno_of(vfs.open_native, path) == Errno.ENOENT
    assert driver.calls == []
