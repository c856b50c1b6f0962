"""The partition table in a card's first sector (MBR): its records, planned and made.

card.write(0, make_mbr(plan_partitions(card.sectors, ["512M", "rest"])))
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from maixfs.errors import UsageError
from maixfs.record import Record, field
from maixfs.sd.device import SECTOR
from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from fractions import Fraction

SIGNATURE = b"\x55\xaa"
"""Last two bytes of sector 0, of an extended boot record and of every boot sector."""
SLOTS = 4


class PartitionEntry(Record):
    """A slot of the partition table; sectors are counted from the start of the card."""

    status: int = field("B", "80: active; 00")
    chs_first: bytes = field("3s", "head, sector | cylinder 9:8 << 6, cylinder 7:0; not used")
    type: int = field("B", "00: the slot is free; FatFs looks for nothing else in it")
    chs_last: bytes = field(
        "3s", "the same for the last sector; FE FF FF where it is out of reach"
    )
    start: int = field("I", "first sector")
    sectors: int = field("I", "length; FatFs reads it only when it formats")


class MbrSector(Record):
    """Sector 0 of a partitioned card; an extended boot record has the same shape."""

    boot_code: bytes = field("440s", "code with which PCs start; a board does not run it")
    disk_id: int = field("I", "number of the disk, for some systems")
    entries: bytes = field("64s", "the four slots of the partition table", at=446)
    signature: bytes = field("2s", "55 AA: ends a sector that may have a partition table")

    def entry(self, index: int) -> PartitionEntry:
        """Return the slot at ``index``, from 0."""
        return PartitionEntry.unpack(self.entries, index * PartitionEntry.size)


BOOT_CODE_SIZE = MbrSector.offset_of("disk_id")
"""Bytes of boot code that fit before the disk id."""


TYPE_NAMES = {
    0x00: "free",
    0x01: "FAT12",
    0x04: "FAT16 under 32 MiB",
    0x05: "extended",
    0x06: "FAT16",
    0x07: "exFAT or NTFS",
    0x0B: "FAT32",
    0x0C: "FAT32 (LBA)",
    0x0E: "FAT16 (LBA)",
    0x0F: "extended (LBA)",
    0x11: "hidden FAT12",
    0x14: "hidden FAT16",
    0x16: "hidden FAT16",
    0x17: "hidden exFAT or NTFS",
    0x1B: "hidden FAT32",
    0x1C: "hidden FAT32 (LBA)",
    0x1E: "hidden FAT16 (LBA)",
    0x27: "Windows recovery",
    0x39: "Plan 9",
    0x82: "Linux swap",
    0x83: "Linux",
    0x85: "Linux extended",
    0x8E: "Linux LVM",
    0xA5: "FreeBSD",
    0xA6: "OpenBSD",
    0xA8: "Mac OS X UFS",
    0xA9: "NetBSD",
    0xAF: "HFS+",
    0xDA: "raw data",
    0xEE: "GPT",
    0xEF: "EFI system",
    0xFB: "VMware VMFS",
    0xFD: "Linux RAID",
}
EXTENDED = (0x05, 0x0F, 0x85)
PROTECTIVE = 0xEE
"""Type of the one entry that protects a GUID partition table from old tools."""
FAT_TYPES = (0x01, 0x04, 0x06, 0x0B, 0x0C, 0x0E)


class Partition(NamedTuple):
    """A slot of the partition table, 1 to 4, or a logical partition, from 5 on."""

    slot: int
    type: int
    start: int
    """First sector, counted from the start of the card."""
    sectors: int
    bootable: bool = False

    @property
    def used(self) -> bool:
        """Whether FatFs would look at it: its type is not 0."""
        return self.type != 0

    @property
    def end(self) -> int:
        """Sector after the last one."""
        return self.start + self.sectors

    @property
    def extended(self) -> bool:
        """Whether it only holds logical partitions, which the board does not see."""
        return self.type in EXTENDED

    @property
    def type_name(self) -> str:
        """The name of its type, as partitioning programs show it."""
        return TYPE_NAMES.get(self.type, f"type {self.type:02X}")


HEADS, TRACK, CYLINDERS = 255, 63, 1024
"""The geometry that all partitioning programs use for the CHS fields."""
CHS_SECTORS = HEADS * TRACK * CYLINDERS
"""Sectors that CHS fields reach: 7.8 GiB."""


def partition_type(fat_type: int, start: int, sectors: int) -> int:
    """Return the type byte for FAT12, FAT16 or FAT32 at this place.

    Source: the SD Association's file system specification. A partition that ends past what
    CHS fields can express gets the LBA type.
    """
    # Old systems address by CHS unless the type says LBA; the board ignores the type.
    reached = start + sectors <= CHS_SECTORS
    if fat_type == 32:
        return 0x0B if reached else 0x0C
    if not reached:
        return 0x0E
    if sectors >= 0x10000:
        return 0x06
    return 0x04 if fat_type == 16 else 0x01


def chs(sector: int) -> bytes:
    """Return the CHS field of a sector: FE FF FF if CHS cannot express it."""
    if sector >= CHS_SECTORS:
        return b"\xfe\xff\xff"
    cylinder, rest = divmod(sector, HEADS * TRACK)
    head, number = divmod(rest, TRACK)
    return bytes((head, number + 1 | cylinder >> 2 & 0xC0, cylinder & 0xFF))


ALIGNMENTS = ("1MiB", "sda")
"""Alignments of partitions: that of partitioning programs, that of the SD Association."""
MAX_SECTORS = 1 << 32
"""Sectors that a slot can address."""
_MIB = 1 << 20 - 9
_BOUNDARY_UNITS = (
    (8 * _MIB, 16),
    (64 * _MIB, 32),
    (256 * _MIB, 64),
    (2048 * _MIB, 128),
    (32768 * _MIB, 8192),
    (131072 * _MIB, 32768),
    (524288 * _MIB, 65536),
)
"""Largest card, sectors of its boundary unit (SD file system specification)."""
_LARGEST_UNIT = 131072


def boundary_unit(sectors: int) -> int:
    """Return the sectors of the SD Association's boundary unit for a card."""
    return next((unit for most, unit in _BOUNDARY_UNITS if sectors <= most), _LARGEST_UNIT)


def plan_partitions(
    sectors: int, sizes: Sequence[str | int], *, align: str = "1MiB"
) -> list[Partition]:
    """Lay out one to four partitions on a card of ``sectors`` sectors.

    A size is a number of bytes, ``"512M"``, ``"1.5GiB"`` (powers of 1024), ``"25%"`` of the
    space on the card, or once ``"rest"``. Each partition starts at a multiple of the alignment;
    the types are those of FAT32. Raises ``UsageError`` if they do not fit.
    """
    if sectors >= MAX_SECTORS:
        raise UsageError(f"a card of {sectors} sectors is too large for a partition table")
    if not 1 <= len(sizes) <= SLOTS:
        raise UsageError(f"a card has one to {SLOTS} partitions, not {len(sizes)}")
    if align not in ALIGNMENTS:
        raise UsageError(f"alignment {align!r} is not one of {', '.join(ALIGNMENTS)}")
    # 1 MiB is a multiple of the erase units of small cards; the SD Association's boundary unit
    # also fits large ones, and a card formatted otherwise writes more slowly.
    unit = boundary_unit(sectors) if align == "sda" else _MIB
    requested = [_requested_sectors(size, sectors - unit, unit) for size in sizes]
    lengths = _distribute(sectors, requested, unit)
    plan, at = [], unit
    for slot, length in enumerate(lengths, 1):
        plan.append(Partition(slot, partition_type(32, at, length), at, length))
        at = _round_up(at + length, unit)
    return plan


def _distribute(sectors: int, lengths: list[int | None], unit: int) -> list[int]:
    """Return the lengths with ``None`` replaced by the sectors that the others leave."""
    if lengths.count(None) > 1:
        raise UsageError("only one partition can have the rest")
    # Every partition but the last is followed by a gap up to the next multiple of the unit.
    taken = sum(_round_up(length, unit) for length in lengths[:-1] if length is not None)
    taken += unit + (lengths[-1] or 0)
    left = sectors - taken
    if None in lengths[:-1]:
        # The rest ends at a multiple of the unit, where the next partition starts.
        left -= left % unit
    if left < 0 or (None in lengths and left == 0):
        if lengths == [None]:
            raise UsageError(
                f"a card of {sectors} sectors is too small for a partition table",
                hint=f"the first partition starts at sector {unit:#x}",
            )
        more = "more than " if None in lengths else ""
        raise UsageError(
            f"the partitions need {more}{taken} sectors, the card has {sectors}",
            hint="make one smaller, or give the last one the rest",
        )
    return [left if length is None else length for length in lengths]


def _round_up(value: int, unit: int) -> int:
    return -(-value // unit) * unit


_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", re.IGNORECASE)
_POWERS = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}


def _requested_sectors(size: str | int, available: int, unit: int) -> int | None:
    """Return the sectors of a size; ``None`` for the rest. Percentages give whole units."""
    text = str(size).strip()
    if text.lower() == "rest":
        return None
    if text.endswith("%"):
        length = int(_number(text[:-1], size) * available / 100) // unit * unit
    else:
        match = _SIZE.fullmatch(text)
        if match is None:
            raise _invalid_size(size)
        # A fraction, since a float of 1.1T would miss the sector that the user asked for.
        length = int(_number(match[1], size) * (1 << _POWERS[match[2].upper()]) / SECTOR)
    if length < 1:
        raise _invalid_size(size)
    return length


def _number(text: str, size: str | int) -> Fraction:
    if not re.fullmatch(r"\s*\d+(\.\d+)?\s*", text):
        raise _invalid_size(size)
    from fractions import Fraction

    return Fraction(text.strip())


def _invalid_size(size: str | int) -> UsageError:
    return UsageError(f"{size!r} is not a size", hint='such as "512M", "25%" or "rest"')


def make_mbr(
    partitions: Iterable[Partition], *, disk_id: int | None = None, boot_code: bytes = b""
) -> bytes:
    """Return sector 0 with ``partitions`` in their slots.

    ``disk_id`` is the number of the disk (``None``: random), ``boot_code`` the bytes before it.
    Raises ``UsageError`` for partitions that overlap or do not fit a slot.
    """
    ordered = sorted(partitions)
    _check_partitions(ordered)
    if len(boot_code) > BOOT_CODE_SIZE:
        raise UsageError(f"{len(boot_code)} bytes of boot code do not fit {BOOT_CODE_SIZE}")
    # Random by default: Windows takes one of two disks with the same id off line.
    if disk_id is None:
        disk_id = int.from_bytes(os.urandom(4), "little")
    number = disk_id & 0xFFFFFFFF
    table = {
        partition.slot: PartitionEntry(
            0x80 if partition.bootable else 0,
            chs(partition.start),
            partition.type,
            chs(partition.end - 1),
            partition.start,
            partition.sectors,
        ).pack()
        for partition in ordered
    }
    free = bytes(PartitionEntry.size)
    entries = b"".join(table.get(slot, free) for slot in range(1, SLOTS + 1))
    return MbrSector(boot_code, number, entries, SIGNATURE).pack()


def _check_partitions(partitions: list[Partition]) -> None:
    for partition in partitions:
        about = f"partition {partition.slot}"
        if not 1 <= partition.slot <= SLOTS:
            raise UsageError(f"{about}: a table has the slots 1 to {SLOTS}")
        # Type 0 would make the slot free.
        if not 1 <= partition.type <= 0xFF:
            raise UsageError(f"{about} cannot be of type {partition.type:#x}")
        if partition.start < 1 or partition.sectors < 1 or partition.end > MAX_SECTORS:
            raise UsageError(
                f"{about} cannot have {partition.sectors} sectors from {partition.start} on"
            )
    if len({partition.slot for partition in partitions}) < len(partitions):
        raise UsageError("two partitions have the same slot")
    ordered = sorted(partitions, key=lambda partition: partition.start)
    for first, second in itertools.pairwise(ordered):
        if second.start < first.end:
            raise UsageError(f"partitions {first.slot} and {second.slot} overlap")
