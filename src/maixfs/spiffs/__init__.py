"""SPIFFS: the flash file system of MaixPy, ESP-IDF and the ESP8266, at any geometry.

    from maixfs.spiffs import PRESETS, SpiffsCore

The names below are loaded when they are first used. Images are packed by
``maixfs.spiffs.pack``, and ``maixfs.spiffs.detect`` finds the geometry of one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.lazy import lazy_names

if TYPE_CHECKING:
    from maixfs.spiffs.core import Info, SpiffsCore, StatVfs
    from maixfs.spiffs.descriptor import Descriptor, OpenFlag
    from maixfs.spiffs.errors import Code, SpiffsError
    from maixfs.spiffs.filesystem import Spiffs, SpiffsEntry
    from maixfs.spiffs.geometry import PRESETS, Geometry, GeometryError
    from maixfs.spiffs.state import DirEntry

__all__ = [
    "PRESETS",
    "Code",
    "Descriptor",
    "DirEntry",
    "Geometry",
    "GeometryError",
    "Info",
    "OpenFlag",
    "Spiffs",
    "SpiffsCore",
    "SpiffsEntry",
    "SpiffsError",
    "StatVfs",
]

__getattr__ = lazy_names(
    __name__,
    {
        "descriptor": ("Descriptor", "OpenFlag"),
        "errors": ("Code", "SpiffsError"),
        "filesystem": ("Spiffs", "SpiffsEntry"),
        "core": ("Info", "SpiffsCore", "StatVfs"),
        "geometry": ("PRESETS", "Geometry", "GeometryError"),
        "state": ("DirEntry",),
    },
)
