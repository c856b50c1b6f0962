"""Every driver on every medium that it supports, for the tests that all of them have to pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from maixfs.fat.mkfs import format_volume
from maixfs.nor import NorChip, make_driver
from maixfs.sd import SECTOR, RamSectors
from maixfs.spiffs import PRESETS, Geometry
from maixfs.vfs import Area, Vfs, VfsError, VfsFat, VfsSpiffs

MEDIUM_SIZE = 1 << 20
FAT_SECTORS = {12: 2048, 16: 8192, 32: 69632}
"""Sectors of a volume with clusters of one sector, so that it is FAT12, 16 or 32."""


class Volume:
    """A medium with an empty file system, mounted at ``/v``."""

    def __init__(self, make_driver: Callable[[], Any]) -> None:
        self._make_driver = make_driver
        self.power_on()

    def power_on(self) -> None:
        """Mount again from the medium; what was only in RAM is lost."""
        self.driver = self._make_driver()
        self.vfs = Vfs()
        self.vfs.mount(self.driver, "/v")

    def write(self, path: str, data: str | bytes) -> None:
        with self.vfs.open(path, "wb" if isinstance(data, bytes) else "w") as file:
            assert file.write(data) == len(data if isinstance(data, bytes) else data.encode())

    def read(self, path: str) -> bytes:
        with self.vfs.open(path, "rb") as file:
            data: bytes = file.read()
        return data


def spiffs_area(geometry: Geometry, nor: str = "ideal") -> Area:
    """Return an empty SPIFFS on a chip in RAM."""
    chip = NorChip.in_memory(geometry.base + geometry.size)
    area = Area(make_driver(nor, chip), geometry)
    area.format()
    return area


def spiffs_volume(preset: str, nor: str) -> Volume:
    """Return a volume with the SPIFFS of a preset, on a flash driver called ``nor``."""
    geometry = PRESETS[preset]
    if preset != "maixpy":
        geometry = geometry.with_size(MEDIUM_SIZE)
    area = spiffs_area(geometry, nor)
    return Volume(lambda: VfsSpiffs(area))


class RamDevice:
    """A block device as MicroPython programs write it; methods in ``failing`` return an error."""

    def __init__(self, sectors: int) -> None:
        self.sectors_there = sectors
        self.blocks: dict[int, bytes] = {}
        self.failing: set[str] = set()

    def readblocks(self, number: int, buffer: bytearray) -> int:
        for place in range(len(buffer) // SECTOR):
            block = self.blocks.get(number + place, bytes(SECTOR))
            buffer[place * SECTOR : (place + 1) * SECTOR] = block
        return int("read" in self.failing)

    def writeblocks(self, number: int, buffer: bytearray) -> int:
        if "write" in self.failing:
            return 1
        for place in range(len(buffer) // SECTOR):
            self.blocks[number + place] = bytes(buffer[place * SECTOR : (place + 1) * SECTOR])
        return 0

    def ioctl(self, op: int, arg: int) -> int | None:
        return {4: self.sectors_there, 5: SECTOR}.get(op)


def fat_sectors(fat_type: int) -> RamSectors:
    """Return an empty FAT volume in RAM."""
    device = RamSectors(FAT_SECTORS[fat_type])
    format_volume(device, 0, device.sectors, fat_type=fat_type, cluster_size=SECTOR, serial=1)
    return device


def fat_volume(fat_type: int) -> Volume:
    """Return a FAT volume."""
    device = fat_sectors(fat_type)
    return Volume(lambda: VfsFat(device))


def program_volume() -> Volume:
    """Return a volume with FAT12 on a program's own block device."""
    device = RamDevice(1024)
    VfsFat.mkfs(device)
    return Volume(lambda: VfsFat(device))


VOLUMES: dict[str, Callable[[], Volume]] = {
    "spiffs-maixpy": lambda: spiffs_volume("maixpy", "ideal"),
    "spiffs-maixpy-literal": lambda: spiffs_volume("maixpy", "literal"),
    "spiffs-esp-idf": lambda: spiffs_volume("esp-idf", "ideal"),
    "spiffs-esp8266": lambda: spiffs_volume("esp8266", "ideal"),
    "fat12": lambda: fat_volume(12),
    "fat16": lambda: fat_volume(16),
    "fat32": lambda: fat_volume(32),
    "fat12-program": program_volume,
}


def errno_of(call: Callable[..., Any], *arguments: Any) -> int:
    """Return the number of the error that a call must raise."""
    with pytest.raises(VfsError) as caught:
        call(*arguments)
    return caught.value.errno
