"""``uos.VfsSpiffs`` on flash that a MicroPython program provides."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from maixfs.errors import UsageError
from maixfs.nor import IdealDriver, NorChip
from maixfs.spiffs import PRESETS, SpiffsCore
from maixfs.vfs import PlainOSError, Vfs, VfsError, VfsSpiffs
from maixfs.vfs.spiffs import user_area

SIZE = 64 * 1024


class RamFlash:
    """A program's flash: it takes a buffer, a length and an address."""

    fs_size = SIZE
    erase_block = 4096
    log_block_size = 8192
    log_page_size = 256

    def __init__(self) -> None:
        self.cells = bytearray(b"\xff" * SIZE)
        self.erased: list[tuple[int, int]] = []

    def read(self, buffer: bytearray, size: int, address: int) -> None:
        buffer[:size] = self.cells[address : address + size]

    def write(self, buffer: bytearray, size: int, address: int) -> None:
        for place, byte in enumerate(buffer[:size], address):
            self.cells[place] &= byte

    def erase(self, size: int, address: int) -> None:
        self.erased.append((size, address))
        self.cells[address : address + size] = b"\xff" * size


def test_user_flash_is_formatted_mounted_and_written() -> None:
    flash, vfs = RamFlash(), Vfs()
    volume = VfsSpiffs(flash)
    with pytest.raises(VfsError):
        vfs.mount(volume, "/ram")
    VfsSpiffs.mkfs(volume)
    vfs.mount(volume, "/ram")
    with vfs.open("/ram/f", "w") as file:
        file.write("data")
    assert vfs.listdir("/ram") == ["f"]
    assert {size for size, _ in flash.erased} == {4096}
    again = Vfs()
    again.mount(VfsSpiffs(flash), "/ram")
    with again.open("/ram/f") as file:
        assert file.read() == "data"


def test_user_flash_has_the_geometry_of_the_firmware() -> None:
    flash = RamFlash()
    VfsSpiffs.mkfs(VfsSpiffs(flash))
    assert PRESETS["maixpy"].name_length == VfsSpiffs(flash)._area.geometry.name_length == 128
    chip = NorChip.in_memory(SIZE, content=bytes(flash.cells))
    assert SpiffsCore(IdealDriver(chip), VfsSpiffs(flash)._area.geometry).listdir() == []


def test_cache_below_one_page_writes_through() -> None:
    flash, vfs = RamFlash(), Vfs()  # 32 pages in a block make a cache of 128 bytes
    volume = VfsSpiffs(flash)
    VfsSpiffs.mkfs(volume)
    vfs.mount(volume, "/ram")
    vfs.open("/ram/f", "w").write("not flushed")
    again = Vfs()
    again.mount(VfsSpiffs(flash), "/ram")
    with again.open("/ram/f") as file:
        assert file.read() == "not flushed"


def test_cache_size_follows_pages_per_block() -> None:
    flash = RamFlash()
    assert user_area(flash).cache_pages == 0
    flash.fs_size, flash.log_block_size = 4 * SIZE, SIZE
    assert user_area(flash).cache_pages == (4 * 256 - 24) // (256 + 20) == 3


def test_statvfs_counts_in_blocks_of_the_firmware() -> None:
    vfs, volume = Vfs(), VfsSpiffs(RamFlash())
    VfsSpiffs.mkfs(volume)
    vfs.mount(volume, "/ram")
    assert vfs.statvfs("/ram") == (131072, 131072, 0, 0, 0, 0, 0, 0, 0, 128)


def test_failed_mount_prints_one_line() -> None:
    said: list[str] = []
    with pytest.raises(VfsError):
        Vfs().mount(VfsSpiffs(RamFlash(), on_message=said.append), "/ram")
    assert said == ["[MAIXPY]:Spiffs Mount failed \n"]


@pytest.mark.parametrize("method", ["read", "write"])
def test_missing_flash_method_is_attributeerror(method: str) -> None:
    names = ("fs_size", "erase_block", "log_block_size", "log_page_size")
    flash = SimpleNamespace(
        **{name: getattr(RamFlash, name) for name in names}, read=len, write=len
    )
    delattr(flash, method)
    with pytest.raises(AttributeError, match=method):
        VfsSpiffs(flash)


@pytest.mark.parametrize("name", ["fs_size", "erase_block", "log_block_size", "log_page_size"])
@pytest.mark.parametrize("value", ["8192", 8192.0, None])
def test_flash_size_of_another_type_is_typeerror(name: str, value: object) -> None:
    flash = RamFlash()
    setattr(flash, name, value)
    with pytest.raises(TypeError):
        VfsSpiffs(flash)


@pytest.mark.parametrize("volume", [None, 5, RamFlash()])
def test_mkfs_of_another_type_is_typeerror(volume: Any) -> None:
    with pytest.raises(TypeError):
        VfsSpiffs.mkfs(volume)


def test_flash_oserror_reaches_the_program_unchanged() -> None:
    own = PlainOSError(5, "own")

    class Broken(RamFlash):
        broken: str | None = None

        def read(self, buffer: bytearray, size: int, address: int) -> None:
            if self.broken == "read":
                raise own
            super().read(buffer, size, address)

        def write(self, buffer: bytearray, size: int, address: int) -> None:
            if self.broken == "write":
                raise own
            super().write(buffer, size, address)

    flash, vfs = Broken(), Vfs()
    volume = VfsSpiffs(flash)
    VfsSpiffs.mkfs(volume)
    vfs.mount(volume, "/ram")
    with vfs.open("/ram/f", "w") as file:
        file.write("data")
    flash.broken = "write"
    with pytest.raises(PlainOSError) as caught:
        vfs.open("/ram/new", "w")
    assert caught.value is own
    flash.broken = "read"
    with pytest.raises(PlainOSError) as caught:
        vfs.open("/ram/f").read()
    assert caught.value is own


def test_flash_exception_passes_through() -> None:
    class Broken(RamFlash):
        def read(self, buffer: bytearray, size: int, address: int) -> None:
            raise KeyError("own")

    with pytest.raises(KeyError):
        Vfs().mount(VfsSpiffs(Broken()), "/ram")


def test_object_without_flash_attributes_is_refused() -> None:
    with pytest.raises(AttributeError):
        VfsSpiffs(object())
    odd = RamFlash()
    odd.log_page_size = 100
    with pytest.raises(UsageError):
        VfsSpiffs(odd)
