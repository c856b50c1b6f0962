"""MicroPython's VFS as MaixPy pins it: mount table, look-up, drivers, file objects.

    from maixfs.vfs import Vfs, VfsSpiffs

The names below are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.lazy import lazy_names

if TYPE_CHECKING:
    from maixfs.vfs.driver import ImportStat, NativeDriver
    from maixfs.vfs.errors import (
        ERRORCODE,
        UERRNO,
        Errno,
        PlainOSError,
        PlainTimeoutError,
        VfsError,
        without_errno_attribute,
    )
    from maixfs.vfs.fat import FatOptions, VfsFat, fat_class
    from maixfs.vfs.files import FileIO, RawFile, TextIOWrapper
    from maixfs.vfs.profile import PROFILES, SENTENCES, OnQuirk, Profile
    from maixfs.vfs.spiffs import Area, VfsSpiffs
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
    "NativeDriver",
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
        "driver": ("ImportStat", "NativeDriver"),
        "errors": (
            "ERRORCODE",
            "UERRNO",
            "Errno",
            "PlainOSError",
            "PlainTimeoutError",
            "VfsError",
            "without_errno_attribute",
        ),
        "fat": ("FatOptions", "VfsFat", "fat_class"),
        "files": ("FileIO", "RawFile", "TextIOWrapper"),
        "profile": ("PROFILES", "SENTENCES", "OnQuirk", "Profile"),
        "spiffs": ("Area", "VfsSpiffs"),
        "vfs": ("Vfs",),
    },
)
