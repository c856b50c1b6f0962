"""FAT12, FAT16 and FAT32 as FatFs implements them on the board.

    from maixfs.fat import FatCore, find_volume, format_volume

The names below are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.lazy import lazy_names

if TYPE_CHECKING:
    from maixfs.fat.core import FatCore
    from maixfs.fat.entries import Clock, FatEntry, host_clock, pack_time, unpack_time
    from maixfs.fat.errors import FatError, FResult
    from maixfs.fat.file import FatFile
    from maixfs.fat.filesystem import Fat
    from maixfs.fat.geometry import FatGeometry, VolumeInfo, read_geometry
    from maixfs.fat.mkfs import format_volume, make_filesystem
    from maixfs.fat.ondisk import Attribute
    from maixfs.fat.openflag import OpenFlag
    from maixfs.fat.probe import Probe, find_volume, probe_volume

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
        "entries": ("Clock", "FatEntry", "host_clock", "pack_time", "unpack_time"),
        "errors": (
            "FResult",
            "FatError",
        ),
        "filesystem": ("Fat",),
        "file": ("FatFile",),
        "core": ("FatCore",),
        "geometry": ("FatGeometry", "VolumeInfo", "read_geometry"),
        "mkfs": ("format_volume", "make_filesystem"),
        "ondisk": ("Attribute",),
        "openflag": ("OpenFlag",),
        "probe": ("Probe", "find_volume", "probe_volume"),
    },
)
