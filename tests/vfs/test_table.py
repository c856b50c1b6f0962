"""The mount table: mounting, unmounting, look-up, the virtual root."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from maixfs.vfs import Errno, Vfs, VfsError, VfsFat
from vfs.drivers import RamDevice, errno_of
from vfs.recorder import Recorder, mounted

# Mounting


def test_mount_passes_its_options_to_the_driver(vfs: Vfs) -> None:
    driver = Recorder()
    vfs.mount(driver, "/a", readonly=1, mkfs="yes")
    assert driver.calls == [("mount", 1, "yes")]
    assert vfs.mounts() == [("/a", driver)]


def test_mount_options_are_keyword_only(vfs: Vfs) -> None:
    with pytest.raises(TypeError):
        vfs.mount(Recorder(), "/a", True)  # type: ignore[misc]
    with pytest.raises(TypeError):
        vfs.mount(fs=Recorder(), path="/a")  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        vfs.mount(Recorder(), 5)
    assert vfs.mounts() == []


def test_maixpy_mount_without_arguments_is_typeerror(old: Vfs) -> None:
    with pytest.raises(TypeError):
        old.mount()


def test_modern_mount_without_arguments_lists_the_mounts() -> None:
    vfs = Vfs("modern")
    assert vfs.mount() == []
    root, volume = mounted(vfs, "/"), mounted(vfs, b"/a")
    assert vfs.mount() == [(volume, "/a"), (root, "/")]
    assert vfs.mount(readonly=True) == vfs.mount()  # type: ignore[call-overload]
    assert root.calls == volume.calls == []


@pytest.mark.parametrize("arguments", [(Recorder(),), (Recorder(), "/a", "/b")])
def test_mount_with_one_or_three_arguments_is_typeerror(
    vfs: Vfs, arguments: tuple[Any, ...]
) -> None:
    with pytest.raises(TypeError):
        vfs.mount(*arguments)
    assert arguments[0].calls == []
    assert vfs.mounts() == []


@pytest.mark.parametrize("path", ["/a", "/a/", "/a/below", "a", b"/a"])
def test_mount_at_a_used_place_is_eperm(vfs: Vfs, path: Any) -> None:
    mounted(vfs)
    late = Recorder()
    assert errno_of(vfs.mount, late, path) == Errno.EPERM
    assert late.calls == [("mount", False, False)]
    assert len(vfs.mounts()) == 1


def test_failed_mount_leaves_no_entry(vfs: Vfs) -> None:
    driver = Recorder()
    driver.fails["mount"] = VfsError(Errno.ENODEV)
    assert errno_of(vfs.mount, driver, "/a") == Errno.ENODEV
    assert vfs.mounts() == []


def test_attach_does_not_call_the_driver(vfs: Vfs) -> None:
    driver = Recorder()
    vfs.attach(driver, "/flash")
    assert driver.calls == []
    assert errno_of(vfs.attach, driver, "/flash") == Errno.EPERM
    assert vfs.listdir("/") == ["flash"]


def test_mount_without_a_name_is_einval(vfs: Vfs) -> None:
    assert errno_of(vfs.mount, Recorder(), "") == Errno.EINVAL
    assert errno_of(vfs.mount, Recorder(), "\0/a") == Errno.EINVAL
    assert vfs.mounts() == []


def test_first_letter_of_a_mount_point_is_ignored(vfs: Vfs) -> None:
    driver = mounted(vfs, "rel")
    assert vfs.listdir("/") == ["el"]
    vfs.stat("/el/x")
    assert driver.calls == [("stat", "/x")]
    assert errno_of(vfs.stat, "/rel/x") == Errno.ENODEV


def test_mount_point_of_one_byte_is_the_root(vfs: Vfs) -> None:
    driver = mounted(vfs, "x")
    vfs.stat("/file")
    assert driver.calls == [("stat", "/file")]


def test_mount_point_with_a_trailing_slash_needs_the_slash(vfs: Vfs) -> None:
    mounted(vfs, "/a/")
    assert vfs.listdir("/") == ["a/"]
    assert errno_of(vfs.listdir, "/a") == Errno.ENODEV
    assert errno_of(vfs.listdir, "/a/x") == Errno.ENODEV
    assert vfs.listdir("/a/") == ["file"]
    assert vfs.listdir("/a//x") == ["file"]


def test_mount_points_with_a_common_prefix_are_distinguished(vfs: Vfs) -> None:
    short, long = mounted(vfs, "/sd"), mounted(vfs, "/sdx")
    vfs.stat("/sdx/f")
    vfs.stat("/sd/f")
    assert (short.calls, long.calls) == ([("stat", "/f")], [("stat", "/f")])
    assert errno_of(vfs.stat, "/s/f") == Errno.ENODEV


def test_root_volume_stays_last(vfs: Vfs) -> None:
    root = mounted(vfs, "/")
    mounted(vfs, "/b")
    mounted(vfs, "/a")
    assert [name for name, _ in vfs.mounts()] == ["/b", "/a", "/"]
    assert list(vfs.ilistdir("/")) == [
        ("b", 0x4000, 0),
        ("a", 0x4000, 0),
        ("file", 0x8000, 0, 5),
    ]
    vfs.stat("/q")
    assert root.calls[-1] == ("stat", "/q")


def test_mounted_block_device_gets_a_fat_driver(vfs: Vfs) -> None:
    device = RamDevice(64)
    assert errno_of(vfs.mount, device, "/sd") == Errno.ENODEV
    vfs.mount(device, "/sd", mkfs=True)
    assert isinstance(vfs.mounts()[0][1], VfsFat)
    assert vfs.statvfs("/sd")[:5] == (512, 512, 30, 30, 30)


def test_block_driver_makes_the_driver_of_a_device() -> None:
    made: list[Any] = []

    def driver_of(device: Any) -> Recorder:
        made.append(device)
        return Recorder()

    vfs = Vfs(block_driver=driver_of)
    vfs.mount(7, "/sd")
    assert made == [7]


def test_mount_of_another_object_is_attributeerror(vfs: Vfs) -> None:
    with pytest.raises(AttributeError, match="'object' object has no attribute 'readblocks'"):
        vfs.mount(object(), "/sd")
    assert vfs.mounts() == []


# Unmounting


@pytest.mark.parametrize("what", ["/nope", "a", "/a/", "", "/", b"/a", 5, None])
def test_umount_of_another_name_is_einval(vfs: Vfs, what: Any) -> None:
    mounted(vfs)
    assert errno_of(vfs.umount, what) == Errno.EINVAL
    assert vfs.listdir("/") == ["a"]


def test_umount_takes_name_or_driver(vfs: Vfs) -> None:
    one, two = mounted(vfs, "/a"), mounted(vfs, "/b")
    vfs.umount("/a")
    vfs.umount(two)
    assert (one.calls, two.calls) == ([("umount",)], [("umount",)])
    assert vfs.mounts() == []


def test_umount_of_the_current_volume_returns_to_the_root(vfs: Vfs) -> None:
    mounted(vfs)
    vfs.chdir("/a")
    vfs.umount("/a")
    assert vfs.getcwd() == "/"


def test_umount_keeps_the_other_mounts(vfs: Vfs) -> None:
    for name in "abc":
        mounted(vfs, f"/{name}1")
    vfs.umount("/b1")
    assert vfs.listdir("/") == ["a1", "c1"]


def test_failing_umount_still_removes_the_entry(vfs: Vfs) -> None:
    mounted(vfs).fails["umount"] = VfsError(Errno.EBUSY)
    assert errno_of(vfs.umount, "/a") == Errno.EBUSY
    assert vfs.mounts() == []


# Look-up


def test_dots_are_passed_to_the_driver(vfs: Vfs) -> None:
    driver = mounted(vfs)
    mounted(vfs, "/b")
    vfs.stat("/a/../b/x")
    vfs.stat("/a//x/.")
    assert driver.calls == [("stat", "/../b/x"), ("stat", "//x/.")]


def test_bytes_path_gives_bytes(vfs: Vfs) -> None:
    driver = mounted(vfs, "/é".encode())
    vfs.stat(b"/\xc3\xa9/\xff")
    vfs.stat("/é/ü")
    assert driver.calls == [("stat", b"/\xff"), ("stat", "/ü")]
    assert vfs.listdir(b"/") == ["é".encode()]


def test_path_ends_at_nul(vfs: Vfs) -> None:
    driver = mounted(vfs)
    vfs.stat("/a/x\0y")
    vfs.stat(b"/a\0/x")
    assert driver.calls == [("stat", "/x"), ("stat", b"/")]


def test_mount_point_with_a_lone_surrogate_is_found(vfs: Vfs) -> None:
    driver = mounted(vfs, "/\ud800")
    assert vfs.listdir(b"/") == [b"\xed\xa0\x80"]
    vfs.stat("/\ud800/x")
    assert driver.calls == [("stat", "/x")]


@pytest.mark.parametrize(
    "call", ["chdir", "listdir", "ilistdir", "mkdir", "remove", "rmdir", "stat", "statvfs", "open"]
)
@pytest.mark.parametrize("path", [None, 5, [], bytearray(b"/a")])
def test_path_of_another_type_is_typeerror(vfs: Vfs, call: str, path: Any) -> None:
    with pytest.raises(TypeError):
        getattr(vfs, call)(path)


def test_relative_path_goes_to_the_current_volume(vfs: Vfs) -> None:
    driver, other = mounted(vfs), mounted(vfs, "/b")
    vfs.chdir("a")
    vfs.stat("b/x")
    vfs.open("", "w")
    vfs.rename("x", "/a/y")
    assert driver.calls == [
        ("chdir", "/"),
        ("stat", "b/x"),
        ("open", "", "w"),
        ("rename", "x", "/y"),
    ]
    assert errno_of(vfs.rename, "x", "/b/x") == Errno.EPERM
    assert other.calls == []


# The virtual root


def test_virtual_root_cannot_be_written(vfs: Vfs) -> None:
    for call in (vfs.open, vfs.remove, vfs.rmdir):
        assert errno_of(call, "/") == Errno.EPERM
    assert errno_of(vfs.rename, "/", "/") == Errno.EPERM
    assert errno_of(vfs.mkdir, "/") == Errno.EEXIST
    for call in (vfs.open, vfs.remove, vfs.rmdir, vfs.mkdir, vfs.stat, vfs.statvfs, vfs.listdir):
        assert errno_of(call, "/x") == Errno.ENODEV


def test_mkdir_of_a_mount_point_is_eexist(vfs: Vfs) -> None:
    driver = mounted(vfs)
    assert errno_of(vfs.mkdir, "/a") == Errno.EEXIST
    assert errno_of(vfs.mkdir, b"/a/") == Errno.EEXIST
    vfs.mkdir("/a/b/")
    assert driver.calls == [("mkdir", "/b/")]


def test_statvfs_of_the_root_asks_a_volume_there(vfs: Vfs) -> None:
    assert vfs.statvfs("/")[:9] == (0,) * 9
    driver = mounted(vfs, "/")
    vfs.statvfs("/")
    vfs.statvfs("")
    assert driver.calls == [("statvfs", "/"), ("statvfs", "/")]


def test_root_listing_follows_changes(vfs: Vfs) -> None:
    for name in "abc":
        mounted(vfs, f"/{name}1")
    listing = vfs.ilistdir("/")
    assert iter(listing) is listing
    mounted(vfs, "/d1")
    assert next(listing) == ("a1", 0x4000, 0)
    vfs.umount("/b1")
    vfs.umount("/c1")
    mounted(vfs, "/e1")
    assert [entry[0] for entry in listing] == ["b1", "c1", "d1", "e1"]


def test_second_root_volume_hides_the_first(vfs: Vfs) -> None:
    first, second = mounted(vfs, "/"), mounted(vfs, "/")
    vfs.stat("/x")
    assert (first.calls, second.calls) == ([], [("stat", "/x")])
    vfs.umount("/")
    vfs.stat("/y")
    assert first.calls == [("stat", "/y")]


def test_driver_listing_without_next_is_typeerror(vfs: Vfs) -> None:
    driver = mounted(vfs)
    driver.answer = lambda method: [("x", 0x8000, 0, 1)]  # type: ignore[method-assign]
    with pytest.raises(TypeError):
        vfs.listdir("/a")


def test_driver_listing_may_be_a_generator(vfs: Vfs) -> None:
    def entries() -> Iterator[tuple[str]]:
        yield ("one",)
        yield ("two",)

    driver = mounted(vfs)
    driver.answer = lambda method: entries()  # type: ignore[method-assign]
    assert vfs.listdir("/a") == ["one", "two"]


# Replacing


def test_replace_drops_the_mounts_after_it() -> None:
    vfs = Vfs()
    old, new = Recorder(), Recorder()
    drivers = {"/flash": Recorder(), "/sd": old, "/a": Recorder(), "/b": Recorder()}
    for name, driver in drivers.items():
        vfs.attach(driver, name)
    assert vfs.replace(new, "/sd") == ["/a", "/b"]
    assert vfs.replace(Recorder(), "/sd2") == []
    assert [name for name, _ in vfs.mounts()] == ["/flash", "/sd", "/sd2"]
    vfs.enter("/sd")
    assert new.calls == old.calls == []
    vfs.remove("x")
    assert new.calls == [("remove", "x")]


def test_replace_of_the_first_mount_drops_all_others() -> None:
    vfs = Vfs()
    for name in ("/flash", "/sd"):
        vfs.attach(Recorder(), name)
    new = Recorder()
    assert vfs.replace(new, "/flash") == ["/sd"]
    assert vfs.mounts() == [("/flash", new)]
