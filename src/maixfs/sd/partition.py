"""A partition of a card, and what its type byte means."""

from __future__ import annotations

from typing import NamedTuple

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
"""Type of the one partition that keeps old tools away from a GUID partition table."""
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
        """The name of its type, as partitioning programs have it."""
        return TYPE_NAMES.get(self.type, f"type {self.type:02X}")


HEADS, TRACK, CYLINDERS = 255, 63, 1024
"""The geometry that all partitioning programs assume for the CHS fields."""
CHS_SECTORS = HEADS * TRACK * CYLINDERS
"""Sectors that CHS fields reach: 7.8 GiB."""


def partition_type(fat_type: int, start: int, sectors: int) -> int:
    """Return the type byte for FAT12, FAT16 or FAT32 at this place.

    As the SD Association's file system specification has it; what CHS does not reach gets the
    type that says so.
    """
    reached = start + sectors <= CHS_SECTORS
    if fat_type == 32:
        return 0x0B if reached else 0x0C
    if not reached:
        return 0x0E
    if sectors >= 0x10000:
        return 0x06
    return 0x04 if fat_type == 16 else 0x01


def chs(sector: int) -> bytes:
    """Return the CHS field of a sector: FE FF FF where it is out of reach."""
    if sector >= CHS_SECTORS:
        return b"\xfe\xff\xff"
    cylinder, rest = divmod(sector, HEADS * TRACK)
    head, number = divmod(rest, TRACK)
    return bytes((head, number + 1 | cylinder >> 2 & 0xC0, cylinder & 0xFF))
