"""MicroPython's VFS as MaixPy pins it: mount table, look-up, drivers, file objects.

    from maixfs.vfs import Vfs, VfsSpiffs

The names below are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.lazy import lazy_names

if TYPE_CHECKING:
    from maixfs.vfs.errnos import ERRORCODE, UERRNO, Errno
    from maixfs.vfs.errors import (
        PlainOSError,
        PlainTimeoutError,
        VfsError,
        without_errno_attribute,
    )
    from maixfs.vfs.fat import VfsFat
    from maixfs.vfs.fat_class import fat_class
    from maixfs.vfs.fat_options import FatOptions
    from maixfs.vfs.files import FileIO, TextIOWrapper
    from maixfs.vfs.imports import ImportStat
    from maixfs.vfs.profile import PROFILES, Profile
    from maixfs.vfs.quirks import SENTENCES, OnQuirk
    from maixfs.vfs.raw import RawFile
    from maixfs.vfs.spiffs import VfsSpiffs
    from maixfs.vfs.spiffs_area import Area
    from maixfs.vfs.vfs import Vfs

__all__ = [
    "ERRORCODE",
    "PROFILES",
    "SENTENCES",
    "UERRNO",
    "Area",
    "Errno",
    "FatOptions",
    "FileIO",
    "ImportStat",
    "OnQuirk",
    "PlainOSError",
    "PlainTimeoutError",
    "Profile",
    "RawFile",
    "TextIOWrapper",
    "Vfs",
    "VfsError",
    "VfsFat",
    "VfsSpiffs",
    "fat_class",
    "without_errno_attribute",
]

__getattr__ = lazy_names(
    __name__,
    {
        "errnos": (
            "ERRORCODE",
            "UERRNO",
            "Errno",
        ),
        "errors": (
            "PlainOSError",
            "PlainTimeoutError",
            "VfsError",
            "without_errno_attribute",
        ),
        "fat": ("VfsFat",),
        "fat_class": ("fat_class",),
        "fat_options": ("FatOptions",),
        "fat_time": (),
        "files": (
            "FileIO",
            "TextIOWrapper",
        ),
        "imports": ("ImportStat",),
        "profile": (
            "PROFILES",
            "Profile",
        ),
        "quirks": (
            "SENTENCES",
            "OnQuirk",
        ),
        "raw": ("RawFile",),
        "spiffs": ("VfsSpiffs",),
        "spiffs_area": ("Area",),
        "vfs": ("Vfs",),
    },
)
