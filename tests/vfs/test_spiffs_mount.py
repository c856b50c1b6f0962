"""Mounting and formatting MaixPy's SPIFFS."""

from __future__ import annotations

from typing import Any

import pytest

from maixfs.spiffs import Code, Geometry
from maixfs.spiffs.errors import spiffs_error
from maixfs.vfs import Area, Errno, Vfs, VfsError, VfsSpiffs
from vfs.board import GEOMETRY, Board
from vfs.drivers import errno_of, spiffs_area

WORD = 1 << 64


def test_mount_drops_open_files(board: Board) -> None:
    file = board.vfs.open("f", "w")
    file.write("never written")
    board.driver.mount(False, False)
    assert errno_of(file.flush) == Errno.EIO
    assert file.tell() == WORD - 10008
    assert errno_of(file.close) == Errno.EIO
    file.close()
    assert board.read("f") == ""
    assert board.messages == ["[MAIXPY]:Spiffs Mount successful \n"]


def test_read_only_mount_refuses_writes(board: Board) -> None:
    board.write("f", "text")
    board.driver.mount(True, False)
    assert board.read("f") == "text"
    for mode in ("w", "a", "x", "r+"):
        assert errno_of(board.vfs.open, "f", mode) == Errno.EROFS
    assert errno_of(board.vfs.remove, "f") == Errno.EROFS
    assert errno_of(board.vfs.rename, "f", "g") == Errno.EROFS
    assert board.vfs.listdir() == ["f"]


def blank() -> Area:
    area = spiffs_area(GEOMETRY)
    area.device.erase(GEOMETRY.base, GEOMETRY.size)
    return area


def test_mount_ignores_mkfs() -> None:
    driver = VfsSpiffs(blank(), on_quirk=(quirks := {}).__setitem__)
    assert errno_of(Vfs().mount, driver, "/flash") == Errno.EIO
    vfs = Vfs()
    with pytest.raises(VfsError):
        vfs.mount(driver, "/flash", mkfs=True)
    assert vfs.listdir("/") == []
    assert list(quirks) == ["mkfs-ignored"]


def test_mkfs_formats_a_blank_area() -> None:
    messages: list[str] = []
    driver = VfsSpiffs(blank(), on_message=messages.append)
    VfsSpiffs.mkfs(driver)
    assert messages == [
        "[MAIXPY]:Spiffs Mount failed \n",
        "[MAIXPY]:Spiffs Unmount.\n",
        "[MAIXPY]:Spiffs Formating...\n",
        "[MAIXPY]:Spiffs Format successful \n",
    ]
    assert errno_of(driver.stat, "/x") == Errno.ENOEXEC
    vfs = Vfs()
    vfs.mount(driver, "/flash")
    assert vfs.listdir("/flash") == []


def test_mkfs_keeps_an_existing_file_system(board: Board) -> None:
    board.write("f", "kept")
    VfsSpiffs.mkfs(board.driver)
    assert board.read("f") == "kept"


def test_mkfs_of_an_impossible_geometry_is_eio() -> None:
    no_room_for_a_magic = Geometry(size=1 << 20, block_size=1 << 15, page_size=256)
    driver = VfsSpiffs(spiffs_area(GEOMETRY)._replace(geometry=no_room_for_a_magic))
    assert errno_of(VfsSpiffs.mkfs, driver) == Errno.EIO
    assert driver.flash_format() is False


def test_mkfs_with_a_failing_erase_is_eio() -> None:
    class Stuck:
        """Flash that cannot be erased."""

        def __getattr__(self, name: str) -> Any:
            return getattr(area.device, name)

        def erase(self, address: int, length: int) -> None:
            raise spiffs_error(Code.ERASE_FAIL)

    area, messages = blank(), list[str]()
    driver = VfsSpiffs(area._replace(device=Stuck()), on_message=messages.append)  # type: ignore[arg-type]
    assert errno_of(VfsSpiffs.mkfs, driver) == Errno.EIO
    assert messages[-2:] == [
        "[MAIXPY]:Spiffs Format failed \n",
        "[MaixPy]:SPIFFS Error Code -10027\n",
    ]


def test_listing_ends_with_its_mount(board: Board) -> None:
    for name in ("a", "b", "c"):
        board.write(name, "x")
    listing = board.vfs.ilistdir()
    assert next(listing)[0] == "a"
    board.driver.flash_format()
    board.write("new", "x")
    assert list(listing) == []


def test_flash_format_empties_and_mounts(board: Board) -> None:
    board.write("f", "lost")
    assert board.driver.flash_format() is True
    assert board.vfs.listdir("/flash") == []
    board.write("g", "new")
    assert board.read("g") == "new"


def test_flash_format_returns_none_if_the_mount_fails(board: Board) -> None:
    class Wiping:
        """Flash that programs zeros, so that no mount finds a magic."""

        def __getattr__(self, name: str) -> Any:
            return getattr(board.area.device, name)

        def program(self, address: int, data: Any) -> None:
            board.area.device.program(address, bytes(len(data)))

    driver = VfsSpiffs(board.area._replace(device=Wiping()))  # type: ignore[arg-type]
    assert driver.flash_format() is None


def test_quirk_is_reported_once_and_needs_an_observer(board: Board) -> None:
    for _ in range(2):
        errno_of(board.vfs.open, "none", "a")
    assert board.quirk_keys() == ["append-needs-file"]
    silent = VfsSpiffs(board.area.mount())
    assert errno_of(silent.open, "none", "a") == Errno.ENOENT
