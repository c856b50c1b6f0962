"""``uos.VfsSpiffs`` on flash that a MicroPython program provides."""

from __future__ import annotations

import pytest

from maixfs.errors import UsageError
from maixfs.nor import IdealDriver, NorChip
from maixfs.spiffs import PRESETS, Spiffs
from maixfs.vfs import Vfs, VfsError, VfsSpiffs

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


def test_a_program_formats_mounts_and_writes() -> None:
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


def test_it_has_the_geometry_of_the_firmware() -> None:
    flash = RamFlash()
    VfsSpiffs.mkfs(VfsSpiffs(flash))
    assert PRESETS["maixpy"].name_length == VfsSpiffs(flash)._area.geometry.name_length == 128
    chip = NorChip.in_memory(SIZE, content=bytes(flash.cells))
    assert Spiffs(IdealDriver(chip), VfsSpiffs(flash)._area.geometry).listdir() == []


def test_errors_of_the_program_pass() -> None:
    class Broken(RamFlash):
        def read(self, buffer: bytearray, size: int, address: int) -> None:
            raise KeyError("own")

    with pytest.raises(KeyError):
        Vfs().mount(VfsSpiffs(Broken()), "/ram")


def test_what_is_no_flash() -> None:
    with pytest.raises(AttributeError):
        VfsSpiffs(object())
    odd = RamFlash()
    odd.log_page_size = 100
    with pytest.raises(UsageError):
        VfsSpiffs(odd)
