"""Empty file systems: in a new image, in an existing flash, in a partition of a card."""

from __future__ import annotations

import hashlib
from pathlib import Path

from maixfs.errors import Command, UsageError
from maixfs.fat import FatError
from maixfs.fat.mkfs import format_volume
from maixfs.image.address import TargetPath
from maixfs.image.entries import Progress, Written
from maixfs.image.errors import NoFileSystemError, TakenError, TargetError
from maixfs.image.media import CardMedium
from maixfs.image.opening import open_image, refuse_cut
from maixfs.image.source import find_source, locked
from maixfs.nor.device import is_filled
from maixfs.sd.device import SECTOR, SectorDevice
from maixfs.sd.errors import SectorError
from maixfs.sd.mbr import Partition, make_mbr, partition_type
from maixfs.sd.partitions import read_partitions
from maixfs.spiffs import Geometry, SpiffsCore
from maixfs.spiffs.pack import pack
from maixfs.transfer.packing import CardShape, write_image


def make_image(
    out: Path,
    geometry: Geometry,
    *,
    flash_size: int | None = None,
    force: bool = False,
    progress: Progress | None = None,
) -> Written:
    """Make an empty file system: a new image, or inside a board or an existing flash image.

    A new image is the area alone, or with ``flash_size`` a blank flash of that many bytes around
    it. In the folder of a board, and in a file that is large enough to be a whole flash, the area
    is formatted and all other bytes stay. Formatting an area that is not blank and replacing any
    other file need ``force``. Raises ``TakenError`` or ``OccupiedError`` (both are
    ``FileExistsError``) without ``force``, ``GeometryError`` for a geometry without size,
    ``UsageError`` for one that is not the board's, ``DeviceError`` if the host refuses.
    """
    if out.is_dir() or _is_flash(out, geometry, flash_size):
        return _format_within(out, geometry, force, progress)
    area = pack([], geometry)
    return write_image(out, area, geometry, flash_size, force=force, progress=progress)


def _is_flash(out: Path, geometry: Geometry, flash_size: int | None) -> bool:
    """Return True if ``out`` is an existing image with the area of ``geometry`` inside it."""
    if not out.is_file() or not geometry.base:
        return False
    size = out.stat().st_size
    return size >= geometry.base + geometry.size and flash_size in (None, size)


def _format_within(
    out: Path, geometry: Geometry, force: bool, progress: Progress | None
) -> Written:
    with open_image(out, "r+") as image:
        if image.config is not None:
            if geometry != image.config.geometry:
                raise UsageError(
                    f"{out}: a board's geometry is the one in its board.toml",
                    hint="leave the geometry out, or change [spiffs] in board.toml",
                )
            # Of the same shape; the settings that do not belong to the shape are the board's.
            geometry = image.config.geometry
        flash = image.flash
        refuse_cut(geometry, image.size, out)
        # Not "does it mount": a damaged area can hold files that are still to be rescued.
        if not force and not is_filled(flash.image[geometry.base :][: geometry.size]):
            raise TakenError(
                f"{out}: the area at {geometry.base:#x} is not blank: its files would be lost",
                hint="unpack its files first, or force the formatting",
                fix=(Command("unpack", (str(out), "DIR")),),
            )
        SpiffsCore.format(flash.device, geometry)
        for written in image.commit(progress):
            return written
        digest = hashlib.sha256(flash.image).hexdigest()
        return Written(str(image.source.file), image.size, digest, False)


_DISK_ID = slice(0x1B8, 0x1BC)
_BOOT_CODE = slice(0, 0x1B8)
_FAT32_AT_LEAST = (34 << 20) // SECTOR
"""Sectors of the smallest volume that can be FAT32, with clusters of one sector."""
_CHECKED = 64
"""Sectors at the start of a partition that are checked for data: boot sectors and a FAT."""


def format_partition(
    place: TargetPath,
    shape: CardShape,
    *,
    serial: int | None = None,
    force: bool = False,
    drives: bool = False,
    progress: Progress | None = None,
) -> Written:
    """Make an empty FAT volume in the partition ``place.slot`` of a card; other sectors stay.

    Its type in the partition table is set accordingly. Raises ``TakenError`` if it is not blank,
    unless ``force``, ``UsageError`` for an empty slot, ``TargetError`` if the host refuses or the
    volume is impossible; then the card has not changed.
    """
    source = find_source(place.host, writable=True, drives=drives)
    with locked(source, card=True):
        medium = CardMedium(source.file, source.stamp, writable=True)
        try:
            partition = _partition(medium.device, place)
            if not force:
                _refuse_full(medium.device, partition, place)
            # Into the overlay: a volume that turns out impossible leaves the card as it was.
            _format(medium.device, partition, shape, serial)
            written = medium.save(progress)
        except (FatError, SectorError) as error:
            raise TargetError(f"{place}: {error}", hint=error.hint) from error
        finally:
            medium.close()
    if not written:
        raise TargetError(f"{place}: nothing was written")
    return written[0]


def _partition(device: SectorDevice, place: TargetPath) -> Partition:
    table = read_partitions(device)
    if not table.signature or table.superfloppy or table.gpt is not None:
        raise NoFileSystemError(
            f"{place.host} has no partition table that a board reads",
            hint="examine the card, or make a new one",
            fix=(Command("sd doctor", (str(place.host),)), Command("sd new", ("SIZE", "CARD"))),
        )
    for partition in table.slots:
        if partition.slot == place.slot and partition.used and not partition.extended:
            return partition
    used = ", ".join(f"{place.host}@{partition.slot}" for partition in table.used)
    raise UsageError(
        f"{place.host} has no partition {place.slot}",
        hint=f"there is {used}" if used else "its partition table is empty",
    )


def _refuse_full(device: SectorDevice, partition: Partition, place: TargetPath) -> None:
    count = min(_CHECKED, partition.sectors, device.sectors - partition.start)
    if any(device.read(partition.start, count)):
        raise TakenError(
            f"{place}: the partition is not blank: its files would be lost",
            hint="unpack its files first, or force the formatting",
            fix=(Command("unpack", (str(place), "DIR")),),
        )


def _format(
    device: SectorDevice, partition: Partition, shape: CardShape, serial: int | None
) -> None:
    if shape.size not in (None, partition.sectors * SECTOR):
        raise UsageError(
            "formatting cannot change the size of a partition",
            hint="make a new card with partitions of other sizes",
        )
    geometry = format_volume(
        device,
        partition.start,
        partition.sectors,
        fat_type=shape.fat_type or (32 if partition.sectors >= _FAT32_AT_LEAST else None),
        cluster_size=shape.cluster_size,
        layout="mkfs.fat",
        label=shape.label,
        serial=serial,
    )
    sector = device.read(0, 1)
    kind = partition_type(geometry.fat_type, partition.start, partition.sectors)
    slots = [
        entry._replace(type=kind) if entry.slot == partition.slot else entry
        for entry in read_partitions(device).used
    ]
    # Disk id and boot code stay: only the type of this partition may change in sector 0.
    number = int.from_bytes(sector[_DISK_ID], "little")
    device.write(0, make_mbr(slots, disk_id=number, boot_code=sector[_BOOT_CODE]))
