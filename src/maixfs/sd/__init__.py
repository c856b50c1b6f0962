"""What a card is made of: sectors and what holds them, SPI mode, the partition table.

    card = RamSectors(128 << 21)             # 128 GiB; costs what is written to it
    card = FileSectors.open("card.img")      # read-only unless asked

The names below are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.lazy import lazy_names

if TYPE_CHECKING:
    from maixfs.sd.device import SECTOR, Buffer, SectorDevice
    from maixfs.sd.errors import CardImageError, SdError, SectorError
    from maixfs.sd.media import FileSectors, Medium, RamSectors, SectorWindow, zero_sectors
    from maixfs.sd.observe import SectorObserver

__all__ = [
    "SECTOR",
    "Buffer",
    "CardImageError",
    "FileSectors",
    "Medium",
    "RamSectors",
    "SdError",
    "SectorDevice",
    "SectorError",
    "SectorObserver",
    "SectorWindow",
    "zero_sectors",
]

__getattr__ = lazy_names(
    __name__,
    {
        "device": ("SECTOR", "Buffer", "SectorDevice"),
        "errors": ("CardImageError", "SdError", "SectorError"),
        "media": ("FileSectors", "Medium", "RamSectors", "SectorWindow", "zero_sectors"),
        "observe": ("SectorObserver",),
    },
)
