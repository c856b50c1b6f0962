"""What lies outside of the file system of a flash, as far as its first bytes tell.

A firmware image is one flag byte (bit 0: encrypted, bit 1: dual I/O), its length as u32, the
program, and SHA-256 over all of that.
"""

from __future__ import annotations

import hashlib
import re
from struct import Struct
from typing import NamedTuple

from maixfs.nor.device import SECTOR, blank
from maixfs.spiffs import Geometry

_HEADER = Struct("<BI")
_DIGEST = 32
_FLAGS = 0x03
_LARGEST = 0x600000
"""The processor runs programs from 6 MiB of RAM."""
_KBOOT = re.compile(rb"Kboot_v[0-9.]{1,12}")
_KBOOT_PLACE = slice(0x1000, 0x1040)


class Firmware(NamedTuple):
    """A firmware image at the start of a flash."""

    size: int
    """Bytes in all, header and checksum included."""
    encrypted: bool
    intact: bool
    """Whether its SHA-256 is right."""
    loader: str | None
    """Name of the boot loader, where it is one that gives its name."""


def read_firmware(image: memoryview) -> Firmware | None:
    """Return the firmware at address 0, ``None`` where there is none."""
    if len(image) < _HEADER.size:
        return None
    flags, length = _HEADER.unpack_from(image)
    end = _HEADER.size + length
    if flags & ~_FLAGS or not 0 < length <= _LARGEST or end + _DIGEST > len(image):
        return None
    intact = hashlib.sha256(image[:end]).digest() == image[end : end + _DIGEST]
    name = _KBOOT.search(bytes(image[_KBOOT_PLACE]))
    loader = name[0].decode("ascii") if name else None
    return Firmware(end + _DIGEST, bool(flags & 1), intact, loader)


def written_outside(image: memoryview, geometry: Geometry) -> int:
    """Return the bytes of all sectors outside of the file system that are not blank."""
    empty = blank(SECTOR)
    area = range(geometry.base, geometry.base + geometry.size)
    return sum(
        min(SECTOR, len(image) - start)
        for start in range(0, len(image), SECTOR)
        if start not in area
        and bytes(image[start : start + SECTOR]) != empty[: len(image) - start]
    )
