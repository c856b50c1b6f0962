"""Every kind of file system that the suite of the interface runs on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from maixfs.fat import Fat, format_volume
from maixfs.filesystem import FileSystem
from maixfs.nor import NorChip, make_driver
from maixfs.sd import RamSectors
from maixfs.spiffs import Spiffs
from maixfs.spiffs.geometry import Geometry

SPIFFS = {
    "maixpy": Geometry(
        size=0x80000, block_size=0x20000, page_size=0x1000, name_length=128, aligned_tables=True
    ),
    "esp-idf": Geometry(
        size=0x40000, block_size=0x1000, page_size=0x100, name_length=64, meta_length=4
    ),
    "esp8266": Geometry(
        size=0x40000, block_size=0x2000, page_size=0x100, name_length=64,
        use_magic_length=False, aligned_tables=True,
    ),
}  # fmt: skip
FAT = {
    "fat12": (4000, {"fat_type": 12, "cluster_size": 512}),
    "fat16": (40000, {"fat_type": 16, "cluster_size": 2048, "fats": 2}),
    "fat32": (70000, {"fat_type": 32, "cluster_size": 512, "fats": 2}),
}


@dataclass
class Medium:
    """A medium with an empty file system; ``mount`` mounts it (again)."""

    kind: str
    mount: Callable[..., FileSystem[Any]]

    @property
    def is_spiffs(self) -> bool:
        return self.kind in SPIFFS


def spiffs(kind: str) -> Medium:
    geometry = SPIFFS[kind]
    flash = make_driver("ideal", NorChip.in_memory(geometry.size))
    Spiffs.format(flash, geometry)
    return Medium(kind, lambda **options: Spiffs(flash, geometry, **options))


def fat(kind: str) -> Medium:
    sectors, options = FAT[kind]
    card = RamSectors(sectors)
    format_volume(card, 0, sectors, serial=1, **options)  # type: ignore[arg-type]
    return Medium(kind, lambda **how: Fat(card, **how))


def medium(kind: str) -> Medium:
    """Return a new medium of a kind."""
    return spiffs(kind) if kind in SPIFFS else fat(kind)
