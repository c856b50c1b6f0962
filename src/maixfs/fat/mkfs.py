"""Make FAT volumes as FatFs or mkfs.fat makes them.

format_volume(card, 2048, card.sectors - 2048, fat_type=32, layout="mkfs.fat", label="KRUX")
make_filesystem(card)      # what VfsFat.mkfs makes of a whole card
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal

from maixfs.errors import UsageError
from maixfs.fat import ondisk
from maixfs.fat.entries import host_clock
from maixfs.fat.errors import FatError, FResult, fat_error
from maixfs.fat.geometry import FatGeometry, mounted_geometry
from maixfs.fat.label import NO_LABEL, label_bytes
from maixfs.fat.mkfs_plans import (
    DOSFS,
    FATFS,
    MAX_SECTORS_PER_CLUSTER,
    Layout,
    Request,
    Style,
    aborted,
    plan_dosfs,
    plan_fatfs,
    plan_small,
)
from maixfs.fat.sectors import VolumeSectors
from maixfs.sd.device import SECTOR, zero_sectors
from maixfs.sd.errors import SectorError
from maixfs.sd.mbr import SIGNATURE, MbrSector, PartitionEntry

if TYPE_CHECKING:
    from maixfs.fat.entries import Clock
    from maixfs.sd.device import SectorDevice

_LAYOUTS = {
    "fatfs": (plan_fatfs, FATFS),
    "mkfs.fat": (plan_dosfs, DOSFS),
}
MAX_SECTORS = 0xFFFFFFFF
"""Largest value of BPB_TotSec32: 2 TiB."""


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
    """Make an empty FAT volume of ``sectors`` sectors at sector ``start``; its content is lost.

    ``None`` leaves a choice: ``sectors`` extends to the end of the device, the layout chooses
    type, ``cluster_size`` (bytes) and number of FATs, the serial number is random. ``hidden``
    is the number of sectors before the volume that the boot sector names (default: ``start``),
    ``geometry`` its heads and sectors per track, ``clock`` gives date and time of the label.
    With serial and clock given the same call writes the same bytes. Only reserved sectors, FATs
    and root are written. Raises ``FatError`` (``MKFS_ABORTED``, ``INVALID_NAME`` for the label,
    ``WRITE_PROTECTED``), ``UsageError`` for arguments out of range.
    """
    if layout not in _LAYOUTS:
        raise UsageError(f"no layout {layout!r}: take one of {', '.join(_LAYOUTS)}")
    sectors = device.sectors - start if sectors is None else sectors
    _check_place(device, start, sectors)
    plan, style = _LAYOUTS[layout]
    request = Request(sectors, fat_type, _cluster_sectors(cluster_size), fats, geometry)
    _check_request(request)
    name = label_bytes(label)
    entry = label_entry(name, style, *(clock or host_clock)())
    number = int.from_bytes(os.urandom(4), "little") if serial is None else serial
    planned = plan(request)
    boot = boot_sector(planned, style, name, number, start if hidden is None else hidden)
    # Read before anything is written: a volume that the board would refuse is not made. The mount
    # that follows finds the result.
    result = mounted_geometry(boot)
    _write(device, start, planned, style, boot, entry)
    return result


def _cluster_sectors(size: int | None) -> int | None:
    if size is None:
        return None
    sectors, odd = divmod(size, SECTOR)
    if odd or sectors < 1 or sectors & (sectors - 1) or sectors > MAX_SECTORS_PER_CLUSTER:
        raise UsageError(
            f"a cluster cannot have {size} bytes",
            hint="take a power of two from 512 to 65536 bytes",
        )
    return sectors


def _check_request(request: Request) -> None:
    if request.fat_type not in (None, 12, 16, 32):
        raise UsageError(f"there is no FAT{request.fat_type}", hint="take 12, 16 or 32")
    if request.fats not in (None, 1, 2):
        raise UsageError(
            f"a volume cannot have {request.fats} FATs", hint="the board mounts 1 or 2"
        )
    heads, track = request.geometry or (1, 1)
    if not (1 <= heads <= 0xFFFF and 1 <= track <= 0xFFFF):
        raise UsageError(f"{heads} heads and {track} sectors per track are out of range")


def _check_place(device: SectorDevice, start: int, sectors: int) -> None:
    if device.read_only:
        raise fat_error(FResult.WRITE_PROTECTED)
    if start < 0 or sectors < 1 or start + sectors > device.sectors:
        raise UsageError(
            f"a card of {device.sectors} sectors has no {sectors} sectors from {start} on",
        )
    if sectors > MAX_SECTORS:
        raise aborted(f"{sectors} sectors are more than the {MAX_SECTORS} that FAT can count")


def _write(
    device: SectorDevice, start: int, layout: Layout, style: Style, boot: bytes, root: bytes
) -> None:
    """Write FATs and root, then the boot sector."""
    volume = VolumeSectors(device, start)
    if style.clears_reserved:
        _zero(volume, 0, layout.reserved)
    # Before the boot sector: it must not lead to an old FAT and an old root after a cut.
    head = bytes((layout.media,)) + style.fat_heads[layout.fat_type]
    for number in range(layout.fats):
        first = layout.reserved + number * layout.fat_sectors
        volume.write(first, head.ljust(SECTOR, b"\0"))
        _zero(volume, first + 1, layout.fat_sectors - 1)
    volume.write(layout.root_start, root.ljust(SECTOR, b"\0"))
    _zero(volume, layout.root_start + 1, layout.root_sectors - 1)
    if layout.fat_type == 32:
        for at, sector in enumerate((boot, fsinfo_sector(layout))):
            # The backup first: until the boot sector is there the card has no new volume.
            volume.write(_BACKUP_SECTOR + at, sector)
            volume.write(at, sector)
    else:
        volume.write(0, boot)
    volume.sync()


def _zero(volume: VolumeSectors, sector: int, count: int) -> None:
    # A device that has a quick way to zeros uses it: the FATs of a large card are many MiB.
    try:
        zero_sectors(volume.device, volume.start + sector, count)
    except SectorError as error:
        raise fat_error(FResult.DISK_ERR, "", str(error), hint=error.hint) from error


# Records

_ROOT_CLUSTER = 2
_BACKUP_SECTOR = 6


def boot_sector(layout: Layout, style: Style, label: bytes, serial: int, hidden: int) -> bytes:
    """Return the boot sector of a new volume; ``hidden`` counts the sectors before it."""
    is_32 = layout.fat_type == 32
    jump, code = style.boot[layout.fat_type]
    small = layout.sectors < 0x10000
    head = ondisk.BootSector(
        jump,
        style.oem_name,
        SECTOR,
        layout.sectors_per_cluster,
        layout.reserved,
        layout.fats,
        layout.root_entries,
        layout.sectors if small else 0,
        layout.media,
        0 if is_32 else layout.fat_sectors,
        layout.track,
        layout.heads,
        hidden & 0xFFFFFFFF,
        0 if small else layout.sectors,
    ).pack()
    sector = head + _extension(layout, style, label, serial) + code
    return sector.ljust(ondisk.SIGNATURE_OFFSET, b"\0") + ondisk.SIGNATURE_BYTES


def _extension(layout: Layout, style: Style, label: bytes, serial: int) -> bytes:
    drive = 0x80 if layout.media == 0xF8 else 0
    tail = (drive, 0, ondisk.HAS_LABEL, serial & 0xFFFFFFFF, label if label.strip() else NO_LABEL)
    name = style.type_names[layout.fat_type]
    if layout.fat_type != 32:
        return ondisk.Extension16(*tail, name).pack()[ondisk.EXTENSION_OFFSET :]
    wide = (layout.fat_sectors, 0, 0, _ROOT_CLUSTER, 1, _BACKUP_SECTOR, b"")
    return ondisk.Extension32(*wide, *tail, name).pack()[ondisk.EXTENSION_OFFSET :]


def fsinfo_sector(layout: Layout) -> bytes:
    """Return the FSInfo sector of a new FAT32 volume; the root has taken one cluster."""
    return ondisk.FsInfo(
        ondisk.FSI_LEAD_SIG,
        ondisk.FSI_STRUC_SIG,
        layout.clusters - 1,
        _ROOT_CLUSTER,
        ondisk.FSI_TRAIL_SIG,
    ).pack()


def label_entry(label: bytes, style: Style, date: int, time: int) -> bytes:
    """Return the entry of the label in the root, empty without a label."""
    if not label.strip():
        return b""
    first = (time, date, date) if style.stamps_all else (0, 0, 0)
    entry = ondisk.DirEntry(label, ondisk.Attribute.VOLUME_ID, 0, 0, *first, 0, time, date, 0, 0)
    return entry.pack()


# A whole card

_FIRST_TRACK = 63
"""First sector of the only partition that FatFs makes on a card."""


def make_filesystem(device: SectorDevice, *, clock: Clock | None = None) -> FatGeometry:
    """Format a whole card as MicroPython's ``VfsFat.mkfs`` does.

    FAT12 or FAT16 without a partition table where that is possible (up to 4 GiB), else FAT32 in
    one partition; one FAT, and the time as the serial number (docs/SPEC.md). Raises as
    ``format_volume`` does.
    """
    date, time = (clock or host_clock)()
    # FatFs takes the serial number from the clock, which on a board begins anew at each boot: two
    # cards can have the same one.
    serial = date << 16 | time
    _check_place(device, 0, device.sectors)
    try:
        layout = plan_small(Request(device.sectors))
    except FatError:
        return _format_32(device, serial)
    boot = boot_sector(layout, FATFS, b"", serial, 0)
    _write(device, 0, layout, FATFS, boot, b"")
    return mounted_geometry(boot)


def _format_32(device: SectorDevice, serial: int) -> FatGeometry:
    if device.sectors <= _FIRST_TRACK:
        raise aborted(f"a card of {device.sectors} sectors is too small for FAT")
    # The volume before the table that leads to it.
    geometry = format_volume(device, _FIRST_TRACK, fat_type=32, serial=serial)
    # FatFs lets the cylinder overflow on large cards. Systems ignore it; it is kept so that the
    # bytes are those of the board.
    cylinder = device.sectors // (63 * 255)
    last = bytes((254, cylinder >> 2 & 0xC0 | 63, cylinder & 0xFF))
    entry = PartitionEntry(0, b"\1\1\0", 0x0C, last, _FIRST_TRACK, geometry.total_sectors)
    VolumeSectors(device, 0).write(0, MbrSector(b"", 0, entry.pack(), SIGNATURE).pack())
    return geometry
