"""Boot sectors that are put right in a copy: from their backup, for another place or length."""

from __future__ import annotations

import struct
from typing import NamedTuple

from maixfs.card.layout import Layout, read_layout
from maixfs.fat import ondisk
from maixfs.fat.errors import FatError
from maixfs.fat.geometry import FatGeometry, read_geometry
from maixfs.sd.device import SECTOR, SectorDevice
from maixfs.sd.errors import SectorError

_BACKUPS = (6, 12)
"""Where formatters put the backup of a FAT32 boot sector."""
_HIDDEN = 28
_TOTAL_16 = 19
_TOTAL_32 = 32
_MARK = {32: 65, 16: 37, 12: 37}
"""Byte of a boot sector whose lowest bit says that the volume was not unmounted."""


class Readable(NamedTuple):
    """A FAT volume that can be read, and the boot sector that makes that so."""

    boot: bytes
    layout: Layout
    geometry: FatGeometry | None
    """What FatFs makes of it; ``None``: FatFs refuses it."""
    change: str = ""
    """What was done to the boot sector."""


def find_readable(device: SectorDevice, start: int) -> Readable | None:
    """Return the FAT volume at sector ``start``, ``None`` where none can be read.

    A boot sector that is damaged is replaced by its backup, if that is better.
    """
    sector = _read(device, start)
    if sector is None or sector[3:11] == b"EXFAT   ":
        return None
    tries = [(sector, ""), (sector[: SECTOR - 2] + b"\x55\xaa", "its boot sector got 55 AA")]
    for at in _BACKUPS:
        backup = _read(device, start + at)
        if backup is not None:
            tries.append((backup, "its boot sector was taken from the backup"))
    for boot, change in tries:
        geometry = _geometry(boot)
        layout = read_layout(boot, geometry.fat_type) if geometry else None
        if layout is not None:
            return Readable(boot, layout, geometry, change)
    layout = read_layout(sector) if _looks_like_fat(sector) else None
    return None if layout is None else Readable(sector, layout, None)


def moved(boot: bytes, start: int) -> bytes:
    """Return a boot sector for a volume that begins at sector ``start`` of its card."""
    return _put(boot, _HIDDEN, "<I", start)


def shortened(boot: bytes, sectors: int) -> bytes | None:
    """Return a boot sector for a volume cut to ``sectors`` sectors.

    ``None`` where so few clusters would make it another type of FAT.
    """
    old = read_geometry(boot)
    if sectors <= old.data_start:
        return None
    narrow = struct.unpack_from("<H", boot, _TOTAL_16)[0]
    cut = _put(boot, _TOTAL_16, "<H", sectors) if narrow else _put(boot, _TOTAL_32, "<I", sectors)
    new = _geometry(cut)
    return cut if new is not None and new.fat_type == old.fat_type else None


def unmarked(boot: bytes, fat_type: int) -> bytes:
    """Return a boot sector without the mark that the volume was not unmounted."""
    at = _MARK[fat_type]
    return boot[:at] + bytes((boot[at] & ~1,)) + boot[at + 1 :]


def with_fsinfo(boot: bytes, sector: int) -> bytes:
    """Return a FAT32 boot sector that says where FSInfo is."""
    return _put(boot, ondisk.EXTENSION_OFFSET + 12, "<H", sector)


def _looks_like_fat(sector: bytes) -> bool:
    return sector[82:87] == b"FAT32" or sector[54:57] == b"FAT"


def _geometry(boot: bytes) -> FatGeometry | None:
    try:
        return read_geometry(boot)
    except FatError:
        return None


def _read(device: SectorDevice, sector: int) -> bytes | None:
    try:
        return device.read(sector, 1)
    except SectorError:
        return None


def _put(boot: bytes, offset: int, form: str, value: int) -> bytes:
    changed = bytearray(boot)
    struct.pack_into(form, changed, offset, value)
    return bytes(changed)
