"""FAT12, FAT16 and FAT32 as FatFs has them on the board.

    from maixfs.fat import FatCore, find_volume, format_volume

The names below are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.lazy import lazy_names

if TYPE_CHECKING:
    from maixfs.fat.clock import Clock, host_clock, pack_time, unpack_time
    from maixfs.fat.core import FatCore
    from maixfs.fat.entry import FatEntry, VolumeInfo
    from maixfs.fat.errors import FatError, FResult
    from maixfs.fat.file import FatFile
    from maixfs.fat.filesystem import Fat
    from maixfs.fat.geometry import FatGeometry, read_geometry
    from maixfs.fat.mkfs import format_volume, make_filesystem
    from maixfs.fat.ondisk import Attribute
    from maixfs.fat.openflag import OpenFlag
    from maixfs.fat.probe import Probe, probe_volume
    from maixfs.fat.volume_find import find_volume

__all__ = [
    "Attribute",
    "Clock",
    "FResult",
    "Fat",
    "FatCore",
    "FatEntry",
    "FatError",
    "FatFile",
    "FatGeometry",
    "OpenFlag",
    "Probe",
    "VolumeInfo",
    "find_volume",
    "format_volume",
    "host_clock",
    "make_filesystem",
    "pack_time",
    "probe_volume",
    "read_geometry",
    "unpack_time",
]

__getattr__ = lazy_names(
    __name__,
    {
        "clock": ("Clock", "host_clock", "pack_time", "unpack_time"),
        "entry": ("FatEntry", "VolumeInfo"),
        "errors": (
            "FResult",
            "FatError",
        ),
        "filesystem": ("Fat",),
        "file": ("FatFile",),
        "core": ("FatCore",),
        "geometry": ("FatGeometry", "read_geometry"),
        "mkfs": ("format_volume", "make_filesystem"),
        "ondisk": ("Attribute",),
        "openflag": ("OpenFlag",),
        "probe": ("Probe", "probe_volume"),
        "volume_find": ("find_volume",),
    },
)
