"""Mounting, formatting, room, times and names of FAT volumes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from maixfs.fat.errors import FatError
from maixfs.fat.mkfs import format_volume
from maixfs.sd import RamSectors
from maixfs.vfs import Errno, FatOptions, PlainOSError, Vfs, VfsError, VfsFat, fat_class
from vfs.drivers import FAT_SECTORS, RamDevice, errno_of, fat_sectors
from vfs.fat_board import NOON_SECONDS, FatBoard, ram_board

# Mounting


def test_missing_file_system_is_an_error_at_mount() -> None:
    driver = VfsFat(RamSectors(64))
    assert not driver.has_filesystem
    assert driver.stat("/")[0] == 0x4000
    assert errno_of(driver.statvfs, "") == Errno.ENODEV
    assert errno_of(driver.getcwd) == Errno.ENODEV
    assert errno_of(Vfs().mount, driver, "/sd") == Errno.ENODEV
    with pytest.raises(FatError):
        driver.fs.info()


def test_mount_with_mkfs_formats_a_blank_device() -> None:
    driver, vfs = VfsFat(RamSectors(64)), Vfs()
    vfs.mount(driver, "/sd", mkfs=True)
    assert driver.has_filesystem
    assert vfs.statvfs("/sd") == (512, 512, 30, 30, 30, 0, 0, 0, 0, 255)
    assert vfs.listdir("/sd") == []


def test_mount_with_mkfs_keeps_an_existing_file_system() -> None:
    board = FatBoard()
    board.write("f", "kept")
    vfs = Vfs()
    vfs.mount(VfsFat(board.device), "/sd", mkfs=True)
    assert vfs.listdir("/sd") == ["f"]


def test_mount_uses_the_result_of_the_constructor() -> None:
    device = RamSectors(64)
    driver = VfsFat(device)
    VfsFat.mkfs(device)
    assert errno_of(driver.mount, False, False) == Errno.ENODEV
    assert driver.statvfs("")[2] == 30
    driver = VfsFat(device)
    driver.mount(False, False)


def test_mkfs_formats_an_existing_file_system() -> None:
    board = ram_board()
    board.write("f", "lost")
    VfsFat.mkfs(board.device)
    assert board.again().vfs.listdir() == []


def test_mkfs_of_a_tiny_device_is_eio() -> None:
    for sectors in (0, 1, 21):
        assert errno_of(VfsFat.mkfs, RamDevice(sectors)) == Errno.EIO


def test_mkfs_without_a_block_count_is_typeerror() -> None:
    device = RamDevice(64)
    device.ioctl = lambda op, arg: None  # type: ignore[method-assign]
    with pytest.raises(TypeError, match="can't convert NoneType to int"):
        VfsFat.mkfs(device)


def test_mkfs_of_a_large_device_makes_fat32_in_a_partition() -> None:
    device = RamSectors(10 << 21)
    VfsFat.mkfs(device)
    driver = VfsFat(device, part=1)
    assert driver.has_filesystem
    assert driver.fs.geometry.fat_type == 32
    assert VfsFat(device).statvfs("") == driver.statvfs("")
    assert not VfsFat(device, part=2).has_filesystem


def test_mount_with_mkfs_does_not_make_fat32() -> None:
    driver = VfsFat(RamSectors(10 << 21))
    assert errno_of(driver.mount, False, True) == Errno.EIO


def partitioned() -> RamSectors:
    """Return a card with two volumes in slots 1 and 3."""
    device = RamSectors(8192)
    table = bytearray(512)
    for slot, start in ((0, 64), (2, 4096)):
        format_volume(device, start, 2048, fat_type=12, serial=slot)
        entry = table[446 + 16 * slot : 462 + 16 * slot]
        entry[4], entry[8:12] = 1, start.to_bytes(4, "little")
        entry[12:16] = (2048).to_bytes(4, "little")
        table[446 + 16 * slot : 462 + 16 * slot] = entry
    table[510:512] = b"\x55\xaa"
    device.write(0, table)
    return device


def test_part_selects_a_partition_slot() -> None:
    device = partitioned()
    found = [VfsFat(device, part=part).has_filesystem for part in range(5)]
    assert found == [True, True, False, True, False]
    vfs = Vfs()
    vfs.mount(VfsFat(device, part=1), "/sd")
    vfs.mount(VfsFat(device, part=3), "/sd3")
    with vfs.open("/sd3/f", "w") as file:
        file.write("third")
    assert vfs.listdir("/sd") == []
    assert VfsFat(device, part=3).open("/f", "r").read() == "third"


def test_mount_with_mkfs_does_not_format_a_slot() -> None:
    driver = VfsFat(partitioned(), part=2)
    assert errno_of(driver.mount, False, True) == Errno.ENODEV


def test_superfloppy_has_no_slots() -> None:
    assert not VfsFat(fat_sectors(12), part=1).has_filesystem


def test_failing_device_is_eio() -> None:
    device = RamDevice(64)
    device.failing.add("read")
    assert errno_of(VfsFat, device) == Errno.EIO
    assert errno_of(VfsFat.mkfs, device) == Errno.EIO


def test_device_not_ready_is_ebusy() -> None:
    device = RamDevice(64)
    device.ioctl = lambda op, arg: 1  # type: ignore[method-assign]
    assert errno_of(VfsFat, device) == Errno.EBUSY


@pytest.mark.parametrize("what", [1, None, object()])
def test_object_without_readblocks_is_attributeerror(what: Any) -> None:
    with pytest.raises(AttributeError, match="readblocks"):
        VfsFat(what)


def test_device_exception_passes_and_does_no_harm() -> None:
    board = ram_board()
    board.write("f", "x" * 3000)

    class OwnError(Exception):
        pass

    def fail(number: int, buffer: bytearray) -> int:
        raise OwnError

    fresh = RamDevice(256)
    fresh.blocks = board.device.blocks
    honest, fresh.readblocks = fresh.readblocks, fail  # type: ignore[method-assign]
    with pytest.raises(OwnError):
        VfsFat(fresh)
    fresh.readblocks = honest  # type: ignore[method-assign]
    assert VfsFat(fresh).open("f", "r").read() == "x" * 3000


class OwnErrors(RamDevice):
    """A device whose methods raise an error of the program's own."""

    error = PlainOSError(5, "own")
    broken = ""

    def readblocks(self, number: int, buffer: bytearray) -> int:
        if self.broken == "read":
            raise self.error
        return super().readblocks(number, buffer)

    def writeblocks(self, number: int, buffer: bytearray) -> int:
        if self.broken == "write":
            raise self.error
        return super().writeblocks(number, buffer)

    def passes_on(self, call: Callable[..., Any], *arguments: Any) -> None:
        with pytest.raises(PlainOSError) as caught:
            call(*arguments)
        assert caught.value is self.error


def test_device_oserror_reaches_the_program_unchanged() -> None:
    """It is not one of the driver's errors, although those are ``OSError``s too."""
    device = OwnErrors(256)
    VfsFat.mkfs(device)
    board = FatBoard(device)
    board.write("f", "line\n" * 400)
    board.vfs.mkdir("d")
    board.write("d/g", "x")
    device.broken = "read"
    device.passes_on(VfsFat, device)
    device.passes_on(Vfs().mount, device, "/sd")
    device.broken = ""
    driver = VfsFat(device)
    file = driver.open("f", "r")
    device.broken = "read"
    for call in (file.read, file.readline, file.readlines):
        device.passes_on(call)
    device.passes_on(next, driver.ilistdir("d"))
    device.passes_on(driver.stat, "d/g")
    device.passes_on(driver.import_stat, "d/g")
    device.broken = ""
    written = driver.open("new", "w")
    written.write("x")
    device.broken = "write"
    device.passes_on(written.flush)
    device.passes_on(written.close)
    device.passes_on(driver.mkdir, "e")
    device.broken = ""
    written.close()
    assert VfsFat(device).open("new", "r").read() == "x"


# Read-only


def refuses_writes(vfs: Vfs) -> None:
    for mode in ("w", "a", "x", "r+"):
        assert errno_of(vfs.open, "f", mode) == Errno.EROFS
    assert errno_of(vfs.mkdir, "d") == Errno.EROFS
    assert errno_of(vfs.remove, "f") == Errno.EROFS
    assert errno_of(vfs.rename, "f", "g") == Errno.EROFS
    assert errno_of(vfs.remove, "none") == Errno.ENOENT
    assert errno_of(vfs.rmdir, "f") == Errno.ENOTDIR
    with vfs.open("f") as file:
        assert file.read() == "text"


def test_read_only_mount_refuses_writes_for_the_object_s_life() -> None:
    board = FatBoard()
    board.write("f", "text")
    board.vfs.umount("/sd")
    board.vfs.mount(board.driver, "/sd", readonly=True)
    board.vfs.chdir("/sd")
    refuses_writes(board.vfs)
    board.vfs.umount("/sd")
    board.vfs.mount(board.driver, "/sd")
    board.vfs.chdir("/sd")
    refuses_writes(board.vfs)
    board.again().write("g", "another object may")


def test_read_only_mount_fails_the_close_of_a_written_file() -> None:
    board = FatBoard()
    file = board.vfs.open("f", "w")
    file.write("x" * 100)
    board.driver.mount(True, False)
    assert errno_of(file.close) == Errno.EIO


def test_read_only_device_refuses_writes() -> None:
    board = FatBoard()
    board.write("f", "text")
    board.device.read_only = True
    refuses_writes(board.vfs)
    refuses_writes(board.again().vfs)


def test_mkfs_of_a_read_only_device_is_erofs() -> None:
    device = RamSectors(64)
    device.read_only = True
    assert errno_of(VfsFat.mkfs, device) == Errno.EROFS
    with pytest.raises(VfsError):
        Vfs().mount(VfsFat(RamSectors(64)), "/sd", readonly=True, mkfs=True)


# Times


def test_stat_times_are_seconds_since_2000() -> None:
    board = FatBoard()
    board.write("f", "x")
    board.vfs.mkdir("d")
    assert board.vfs.stat("f") == (0x8000, 0, 0, 0, 0, 0, 1, *[NOON_SECONDS] * 3)
    assert board.vfs.stat("d") == (0x4000, 0, 0, 0, 0, 0, 0, *[NOON_SECONDS] * 3)
    assert board.vfs.stat("/sd")[7:] == (0, 0, 0)
    assert board.driver.fs.stat(b"f").create_date == 44 << 9 | 5 << 5 | 17


def test_modern_stat_times_are_unix_time() -> None:
    board = FatBoard(profile="modern")
    board.write("f", "x")
    assert board.vfs.stat("f")[8] == NOON_SECONDS + 946684800
    assert board.vfs.stat("/sd")[8] == 946684800


def test_late_dates_are_60_years_late_and_reported() -> None:
    board = FatBoard(dates_late=True)
    board.write("f", "x")
    sixty_years = (60 * 365 + 15) * 86400
    assert board.vfs.stat("f")[8] == NOON_SECONDS + sixty_years
    assert board.quirk_keys() == ["fat-dates-late"]
    assert "2084" in board.quirks[0][1]


def test_default_clock_is_the_host_s() -> None:
    driver = VfsFat(fat_sectors(12))
    driver.open("f", "w").close()
    assert driver.stat("f")[8] > NOON_SECONDS


# Room, paths, names


def test_statvfs_counts_free_clusters() -> None:
    board = FatBoard(fat_sectors(16))
    size, _, clusters, free, *rest = board.vfs.statvfs("/sd/nowhere")
    assert (size, free, rest) == (512, clusters, [clusters, 0, 0, 0, 0, 255])
    assert clusters < FAT_SECTORS[16]
    board.write("f", "x" * 600)
    assert board.driver.statvfs(None)[3] == free - 2


@pytest.mark.parametrize(("profile", "length"), [("maixpy", 128), ("modern", 4096)])
def test_getcwd_longer_than_the_buffer_is_enomem(profile: str, length: int) -> None:
    board = FatBoard(profile=profile)
    for size in [127] * (length // 128 - 1) + [126]:
        board.vfs.mkdir("x" * size)
        board.vfs.chdir("x" * size)
    board.vfs.mkdir("y")
    assert len(board.driver.getcwd()) == length - 1
    board.vfs.chdir("y")
    assert errno_of(board.vfs.getcwd) == Errno.ENOMEM
    assert board.vfs.listdir() == []


def test_name_bytes_are_stored_as_code_page_437() -> None:
    board = FatBoard()
    board.write("café.txt", "x")
    assert board.vfs.listdir() == ["café.txt"]
    assert board.vfs.listdir(b"") == ["café.txt".encode()]
    assert [entry.name for entry in board.driver.fs.scandir()] == ["caf├⌐.txt"]
    assert board.quirk_keys() == ["fat-name-bytes"]
    assert "'caf├⌐.txt'" in board.quirks[0][1]


def test_name_from_a_pc_is_listed_as_its_bytes() -> None:
    board = FatBoard()
    board.driver.fs.write_bytes("é.txt", b"from a PC")
    assert board.vfs.listdir() == ["\udc82.txt"]
    assert board.vfs.listdir(b"") == [b"\x82.txt"]
    assert board.read("\udc82.txt") == "from a PC"


@pytest.mark.parametrize("call", ["mkdir", "rename"])
def test_new_name_outside_ascii_is_reported(call: str) -> None:
    board = FatBoard()
    board.write("f", "x")
    board.vfs.mkdir("ä") if call == "mkdir" else board.vfs.rename("f", "ä")
    assert board.quirk_keys() == ["fat-name-bytes"]


# Quirks


def test_trailing_slash_is_reported() -> None:
    board = FatBoard()
    board.vfs.mkdir("d")
    assert errno_of(board.vfs.listdir, "/sd/d/") == Errno.EINVAL
    assert errno_of(board.vfs.listdir, "/sd/d/") == Errno.EINVAL
    assert board.quirk_keys() == ["fat-trailing-slash"]
    assert "'/d/'" in board.quirks[0][1]


def test_replacing_rename_is_reported() -> None:
    board = FatBoard()
    board.write("a", "A")
    board.write("b", "B")
    board.vfs.rename("a", "c")
    assert board.quirk_keys() == []
    board.vfs.rename("c", "b")
    assert board.read("b") == "A"
    assert board.quirk_keys() == ["fat-rename-replaces"]


def test_failed_replacing_rename_loses_the_target() -> None:
    board = ram_board()
    board.write("a", "A")
    board.write("b", "B")
    real, calls = board.driver.fs.rename, []

    def rename(old: bytes, new: bytes, *, guarded: bool) -> None:
        calls.append(new)
        if len(calls) == 2:
            board.device.failing.add("write")
        real(old, new, guarded=guarded)

    board.driver.fs.rename = rename  # type: ignore[method-assign, assignment]
    assert errno_of(board.vfs.rename, "a", "b") == Errno.EIO
    assert board.quirk_keys() == ["device-error-ignored", "rename-loses-target"]


@pytest.mark.parametrize(
    ("folder", "target"),
    [("/sd", "d/e/f"), ("/sd", "/sd/D/x"), ("/sd/d", "../d/e/x"), ("/sd/d/e", "x")],
)
def test_rename_of_a_folder_into_itself_is_einval_or_reported(folder: str, target: str) -> None:
    def prepared(*, guarded: bool) -> FatBoard:
        board = FatBoard(guarded=guarded)
        board.vfs.mkdir("d")
        board.vfs.mkdir("d/e")
        board.vfs.chdir(folder)
        return board

    board = prepared(guarded=True)
    assert errno_of(board.vfs.rename, "/sd/d", target) == Errno.EINVAL
    assert board.vfs.listdir("/sd/d") == ["e"]
    board = prepared(guarded=False)
    board.vfs.rename("/sd/d", target)
    assert board.vfs.listdir("/sd") == []
    assert board.quirk_keys() == ["fat-folder-into-itself"]


@pytest.mark.parametrize("guarded", [True, False])
def test_rename_of_a_folder_elsewhere_works(guarded: bool) -> None:
    board = FatBoard(guarded=guarded)
    for name in ("d", "d/e", "f"):
        board.vfs.mkdir(name)
    board.vfs.rename("d/e", "f/e")
    board.vfs.rename("d", "f/e/d")
    assert board.vfs.listdir("f/e") == ["d"]
    assert board.quirk_keys() == []


def test_fat_class_has_the_board_s_options() -> None:
    made = fat_class(FatOptions("modern", clock=lambda: (0x2821, 0)))
    device = RamDevice(64)
    made.mkfs(device)
    driver = made(device)
    driver.open("f", "w").close()
    assert driver.stat("f")[8] == 946684800
    assert (repr(driver), made.__name__) == ("<VfsFat>", "VfsFat")


def test_abandon_loses_unwritten_data() -> None:
    board = FatBoard()
    board.write("f", "kept")
    file = board.vfs.open("f", "a")
    file.write(" and lost")
    board.driver.abandon()
    assert errno_of(file.close) == Errno.EINVAL
    assert board.read("f") == "kept"
