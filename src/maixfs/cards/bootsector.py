"""Boot sectors that are put right in a copy: from their backup, for another place or length."""

from __future__ import annotations

from typing import NamedTuple

from maixfs.cards.layout import Layout, read_layout
from maixfs.fat import ondisk
from maixfs.fat.errors import FatError
from maixfs.fat.geometry import FatGeometry, has_fat_text, read_geometry
from maixfs.fat.ondisk import BootSector, Extension16, Extension32
from maixfs.record import Part
from maixfs.sd.device import SectorDevice
from maixfs.sd.errors import SectorError

_BACKUPS = (6, 12)
"""Where formatters put the backup of a FAT32 boot sector."""
_HIDDEN = BootSector.part("BPB_HiddSec")
_TOTAL_16 = BootSector.part("BPB_TotSec16")
_TOTAL_32 = BootSector.part("BPB_TotSec32")
_FSINFO = Extension32.part("BPB_FSInfo")
_MARK_16 = Extension16.part("BS_Reserved1")
_MARK_32 = Extension32.part("BS_Reserved1")
_EXFAT = b"EXFAT   "
"""BS_OEMName of exFAT."""


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
    if sector is None or BootSector.unpack(sector).BS_OEMName == _EXFAT:
        return None
    signed = sector[: ondisk.SIGNATURE_OFFSET] + ondisk.SIGNATURE_BYTES
    tries = [(sector, ""), (signed, "its boot sector got 55 AA")]
    for at in _BACKUPS:
        backup = _read(device, start + at)
        if backup is not None:
            tries.append((backup, "its boot sector was taken from the backup"))
    for boot, change in tries:
        geometry = _geometry(boot)
        layout = read_layout(boot, geometry.fat_type) if geometry else None
        if layout is not None:
            return Readable(boot, layout, geometry, change)
    layout = read_layout(sector) if has_fat_text(sector) else None
    return None if layout is None else Readable(sector, layout, None)


def moved(boot: bytes, start: int) -> bytes:
    """Return a boot sector for a volume that begins at sector ``start`` of its card."""
    return _put(boot, _HIDDEN, start)


def shortened(boot: bytes, sectors: int) -> bytes | None:
    """Return a boot sector for a volume cut to ``sectors`` sectors.

    ``None`` where so few clusters would make it another type of FAT.
    """
    old = read_geometry(boot)
    if sectors <= old.data_start:
        return None
    is_16 = BootSector.unpack(boot).BPB_TotSec16 != 0
    cut = _put(boot, _TOTAL_16 if is_16 else _TOTAL_32, sectors)
    new = _geometry(cut)
    return cut if new is not None and new.fat_type == old.fat_type else None


def unmarked(boot: bytes, fat_type: int) -> bytes:
    """Return a boot sector without the mark that the volume was not unmounted."""
    mark = _MARK_32 if fat_type == 32 else _MARK_16
    return _put(boot, mark, mark.unpack(boot)[0] & ~ondisk.BOOT_DIRTY)


def with_fsinfo(boot: bytes, sector: int) -> bytes:
    """Return a FAT32 boot sector that says where FSInfo is."""
    return _put(boot, _FSINFO, sector)


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


def _put(boot: bytes, part: Part, value: int) -> bytes:
    changed = bytearray(boot)
    part.pack_into(changed, 0, value)
    return bytes(changed)
