"""SPIFFS: the flash file system of MaixPy, ESP-IDF and the ESP8266, at any geometry.

from maixfs.spiffs import PRESETS, Spiffs
"""

from __future__ import annotations

from maixfs.spiffs.descriptor import Descriptor
from maixfs.spiffs.errors import Code, ExistsError, FullError, NotFoundError, SpiffsError
from maixfs.spiffs.flags import OpenFlag
from maixfs.spiffs.fs import Info, Spiffs, StatVfs
from maixfs.spiffs.geometry import PRESETS, Geometry, GeometryError
from maixfs.spiffs.index import DirEntry

__all__ = [
    "PRESETS",
    "Code",
    "Descriptor",
    "DirEntry",
    "ExistsError",
    "FullError",
    "Geometry",
    "GeometryError",
    "Info",
    "NotFoundError",
    "OpenFlag",
    "Spiffs",
    "SpiffsError",
    "StatVfs",
]
