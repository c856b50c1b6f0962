"""Making FAT volumes, as FatFs makes them or as mkfs.fat does.

format_volume(card, 2048, card.sectors - 2048, fat_type=32, layout="mkfs.fat", label="KRUX")
make_filesystem(card)      # what VfsFat.mkfs makes of a whole card
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Literal

from maixfs.errors import UsageError
from maixfs.fat import mkfs_dosfs, mkfs_fatfs
from maixfs.fat.clock import host_clock
from maixfs.fat.errors import FatError, FResult, fat_error
from maixfs.fat.geometry import FatGeometry, read_geometry
from maixfs.fat.label import label_bytes
from maixfs.fat.mkfs_layout import (
    BACKUP_SECTOR,
    MAX_SECTORS_PER_CLUSTER,
    Layout,
    Style,
    Wish,
    aborted,
    boot_sector,
    fsinfo_sector,
    label_entry,
)
from maixfs.fat.sectors import VolumeSectors
from maixfs.sd.device import SECTOR, zero_sectors
from maixfs.sd.errors import SectorError
from maixfs.sd.mbr import SIGNATURE, MbrSector, PartitionEntry

if TYPE_CHECKING:
    from maixfs.fat.clock import Clock
    from maixfs.sd.device import SectorDevice

_LAYOUTS = {
    "fatfs": (mkfs_fatfs.plan, mkfs_fatfs.STYLE),
    "mkfs.fat": (mkfs_dosfs.plan, mkfs_dosfs.STYLE),
}
MAX_SECTORS = 0xFFFFFFFF
"""BPB_TotSec32 counts no further: 2 TiB."""


def format_volume(
    device: SectorDevice,
    start: int = 0,
    sectors: int | None = None,
    *,
    fat_type: int | None = None,
    cluster_size: int | None = None,
    fats: int | None = None,
    layout: Literal["fatfs", "mkfs.fat"] = "fatfs",
    label: str | bytes = "",
    serial: int | None = None,
    hidden: int | None = None,
    geometry: tuple[int, int] | None = None,
    clock: Clock | None = None,
) -> FatGeometry:
    """Make an empty FAT volume of ``sectors`` sectors at sector ``start``; all in it is lost.

    ``None`` leaves a choice: ``sectors`` to the end of the device, type, ``cluster_size`` (bytes)
    and number of FATs to the layout, the serial number to chance. ``hidden`` is the number of
    sectors before the volume that the boot sector names (``start``), ``geometry`` its heads and
    sectors per track, ``clock`` gives date and time of the label. With serial and clock given
    the same call writes the same bytes. Only what must not be stale is written: reserved
    sectors, FATs, root. Raises ``FatError`` (``MKFS_ABORTED``, ``INVALID_NAME`` for the label,
    ``WRITE_PROTECTED``), ``UsageError`` for arguments that no volume has.
    """
    if layout not in _LAYOUTS:
        raise UsageError(f"no layout {layout!r}: take one of {', '.join(_LAYOUTS)}")
    sectors = device.sectors - start if sectors is None else sectors
    _check_place(device, start, sectors)
    plan, style = _LAYOUTS[layout]
    wish = Wish(sectors, fat_type, _cluster_sectors(cluster_size), fats, geometry)
    _check_wish(wish)
    name = label_bytes(label)
    entry = label_entry(name, style, *(clock or host_clock)())
    number = secrets.randbits(32) if serial is None else serial
    plan_made = plan(wish)
    boot = boot_sector(plan_made, style, name, number, start if hidden is None else hidden)
    made = read_geometry(boot)
    _write(device, start, plan_made, style, boot, entry)
    return made


def _cluster_sectors(size: int | None) -> int | None:
    if size is None:
        return None
    sectors, odd = divmod(size, SECTOR)
    if odd or sectors < 1 or sectors & (sectors - 1) or sectors > MAX_SECTORS_PER_CLUSTER:
        raise UsageError(
            f"clusters of {size} bytes cannot be",
            hint="take a power of two from 512 to 65536 bytes",
        )
    return sectors


def _check_wish(wish: Wish) -> None:
    if wish.fat_type not in (None, 12, 16, 32):
        raise UsageError(f"there is no FAT{wish.fat_type}", hint="take 12, 16 or 32")
    if wish.fats not in (None, 1, 2):
        raise UsageError(f"{wish.fats} FATs cannot be", hint="the board mounts 1 or 2")
    heads, track = wish.geometry or (1, 1)
    if not (1 <= heads <= 0xFFFF and 1 <= track <= 0xFFFF):
        raise UsageError(f"{heads} heads and {track} sectors per track cannot be")


def _check_place(device: SectorDevice, start: int, sectors: int) -> None:
    if device.read_only:
        raise fat_error(FResult.WRITE_PROTECTED)
    if start < 0 or sectors < 1 or start + sectors > device.sectors:
        raise UsageError(
            f"{sectors} sectors from {start} on do not lie on a card of {device.sectors}",
        )
    if sectors > MAX_SECTORS:
        raise aborted(f"{sectors} sectors are more than the {MAX_SECTORS} that FAT can count")


def _write(
    device: SectorDevice, start: int, layout: Layout, style: Style, boot: bytes, root: bytes
) -> None:
    volume = VolumeSectors(device, start)
    if style.clears_reserved:
        _zero(volume, 0, layout.reserved)
    head = bytes((layout.media,)) + style.fat_heads[layout.fat_type]
    for number in range(layout.fats):
        first = layout.reserved + number * layout.fat_sectors
        volume.write(first, head.ljust(SECTOR, b"\0"))
        _zero(volume, first + 1, layout.fat_sectors - 1)
    volume.write(layout.root_start, root.ljust(SECTOR, b"\0"))
    _zero(volume, layout.root_start + 1, layout.root_sectors - 1)
    if layout.fat_type == 32:
        for at, sector in enumerate((boot, fsinfo_sector(layout))):
            volume.write(BACKUP_SECTOR + at, sector)
            volume.write(at, sector)
    else:
        volume.write(0, boot)
    volume.sync()


def _zero(volume: VolumeSectors, sector: int, count: int) -> None:
    try:
        zero_sectors(volume.device, volume.start + sector, count)
    except SectorError as error:
        raise fat_error(FResult.DISK_ERR, "", str(error), hint=error.hint) from error


_FIRST_TRACK = 63
"""Where FatFs lays the one partition of a card."""


def make_filesystem(device: SectorDevice, *, clock: Clock | None = None) -> FatGeometry:
    """Do what MicroPython's ``VfsFat.mkfs`` does to a whole card.

    FAT12 or FAT16 without a partition table where that is possible (up to 4 GiB), else FAT32 in
    one partition; one FAT, and the time as the serial number (docs/SPEC.md). Raises as
    ``format_volume`` does.
    """
    date, time = (clock or host_clock)()
    serial = date << 16 | time
    _check_place(device, 0, device.sectors)
    try:
        layout = mkfs_fatfs.plan_small(Wish(device.sectors))
    except FatError:
        return _format_32(device, serial)
    boot = boot_sector(layout, mkfs_fatfs.STYLE, b"", serial, 0)
    _write(device, 0, layout, mkfs_fatfs.STYLE, boot, b"")
    return read_geometry(boot)


def _format_32(device: SectorDevice, serial: int) -> FatGeometry:
    if device.sectors <= _FIRST_TRACK:
        raise aborted(f"a card of {device.sectors} sectors is too small for FAT")
    made = format_volume(device, _FIRST_TRACK, fat_type=32, serial=serial)
    # FatFs lets the cylinder overflow; nobody reads it, and the bytes are to be the same.
    cylinder = device.sectors // (63 * 255)
    last = bytes((254, cylinder >> 2 & 0xC0 | 63, cylinder & 0xFF))
    entry = PartitionEntry(0, b"\1\1\0", 0x0C, last, _FIRST_TRACK, made.total_sectors)
    VolumeSectors(device, 0).write(0, MbrSector(b"", 0, entry.pack(), SIGNATURE).pack())
    return made
