"""The records of FAT as they lie on a card, and nothing else (docs/SPEC.md).

All integers are little-endian. Field names are those of Microsoft's FAT specification.
"""

from __future__ import annotations

import struct
from enum import IntFlag
from typing import NamedTuple

SIGNATURE = 0xAA55
"""Last two bytes of a boot sector, of an FSInfo sector and of a partition table."""
SIGNATURE_OFFSET = 510


class BootSector(NamedTuple):
    """What FAT12, FAT16 and FAT32 have in common, from the start of the boot sector."""

    BS_jmpBoot: bytes
    BS_OEMName: bytes
    BPB_BytsPerSec: int
    BPB_SecPerClus: int
    BPB_RsvdSecCnt: int
    BPB_NumFATs: int
    BPB_RootEntCnt: int
    BPB_TotSec16: int
    BPB_Media: int
    BPB_FATSz16: int
    BPB_SecPerTrk: int
    BPB_NumHeads: int
    BPB_HiddSec: int
    BPB_TotSec32: int


BOOT_SECTOR = struct.Struct("<3s8sHBHBHHBHHHII")


class Extension16(NamedTuple):
    """What FAT12 and FAT16 have at offset 36."""

    BS_DrvNum: int
    BS_Reserved1: int
    BS_BootSig: int
    BS_VolID: int
    BS_VolLab: bytes
    BS_FilSysType: bytes


EXTENSION_16 = struct.Struct("<BBBI11s8s")


class Extension32(NamedTuple):
    """What FAT32 has at offset 36."""

    BPB_FATSz32: int
    BPB_ExtFlags: int
    BPB_FSVer: int
    BPB_RootClus: int
    BPB_FSInfo: int
    BPB_BkBootSec: int
    BPB_Reserved: bytes
    BS_DrvNum: int
    BS_Reserved1: int
    BS_BootSig: int
    BS_VolID: int
    BS_VolLab: bytes
    BS_FilSysType: bytes


EXTENSION_32 = struct.Struct("<IHHIHH12sBBBI11s8s")
EXTENSION_OFFSET = BOOT_SECTOR.size


class FsInfo(NamedTuple):
    """The FSInfo sector of FAT32."""

    FSI_LeadSig: int
    FSI_StrucSig: int
    FSI_Free_Count: int
    FSI_Nxt_Free: int
    FSI_TrailSig: int


FS_INFO = struct.Struct("<I480xIII12xI")
FSI_LEAD_SIG = 0x41615252
FSI_STRUC_SIG = 0x61417272
FSI_TRAIL_SIG = 0xAA550000
FSI_UNKNOWN = 0xFFFFFFFF
"""A free count or next-free cluster that nobody knows."""


class Attribute(IntFlag):
    """Attributes of a directory entry."""

    READ_ONLY = 0x01
    HIDDEN = 0x02
    SYSTEM = 0x04
    VOLUME_ID = 0x08
    DIRECTORY = 0x10
    ARCHIVE = 0x20


ATTR_LONG_NAME = 0x0F
ATTR_LONG_NAME_MASK = 0x3F


class DirEntry(NamedTuple):
    """A directory entry: 32 bytes."""

    DIR_Name: bytes
    DIR_Attr: int
    DIR_NTRes: int
    DIR_CrtTimeTenth: int
    DIR_CrtTime: int
    DIR_CrtDate: int
    DIR_LstAccDate: int
    DIR_FstClusHI: int
    DIR_WrtTime: int
    DIR_WrtDate: int
    DIR_FstClusLO: int
    DIR_FileSize: int


DIR_ENTRY = struct.Struct("<11sBBBHHHHHHHI")
ENTRY_SIZE = DIR_ENTRY.size
NT_LOWER_BASE = 0x08
"""Bit of DIR_NTRes: the body of the short name is shown in lower case."""
NT_LOWER_EXT = 0x10
"""Bit of DIR_NTRes: its extension is."""
ENTRY_END = 0x00
"""First byte of an entry: this one is free, and so is all that follows."""
ENTRY_FREE = 0xE5
"""First byte of an entry that was deleted."""
ENTRY_KANJI_E5 = 0x05
"""First byte of a name that really begins with E5."""


class LongEntry(NamedTuple):
    """A part of a long name: an entry before the short one that it belongs to."""

    LDIR_Ord: int
    LDIR_Name1: bytes
    LDIR_Attr: int
    LDIR_Type: int
    LDIR_Chksum: int
    LDIR_Name2: bytes
    LDIR_FstClusLO: int
    LDIR_Name3: bytes


LONG_ENTRY = struct.Struct("<B10sBBB12sH4s")
LAST_LONG_ENTRY = 0x40
"""Set in LDIR_Ord of the part that comes first on the card: the end of the name."""
LONG_UNITS = 13
"""UTF-16 units in one part."""
MAX_LONG_NAME = 255
"""UTF-16 units of a long name at most."""
MAX_DIRECTORY = 0x200000
"""Bytes of a directory at most: 65,536 entries."""

FAT32_MASK = 0x0FFFFFFF
"""The upper four bits of a FAT32 entry are kept as they are."""
FAT12_CLUSTERS = 0xFF5
"""A volume with at most so many clusters is FAT12 to FatFs, one more than the specification's."""
FAT16_CLUSTERS = 0xFFF5
"""At most so many: FAT16."""
FAT32_CLUSTERS = 0x0FFFFFF5

FIELDS: dict[str, tuple[tuple[str, int, int, str], ...]] = {
    "boot sector": (
        ("BS_jmpBoot", 0, 3, "EB xx 90 or E9 xx xx"),
        ("BS_OEMName", 3, 8, "name of the formatter; means nothing"),
        ("BPB_BytsPerSec", 11, 2, "bytes per sector: 512"),
        ("BPB_SecPerClus", 13, 1, "sectors per cluster, a power of two"),
        ("BPB_RsvdSecCnt", 14, 2, "sectors before the first FAT"),
        ("BPB_NumFATs", 16, 1, "copies of the FAT, 1 or 2"),
        ("BPB_RootEntCnt", 17, 2, "entries of the root of FAT12 and FAT16; 0 on FAT32"),
        ("BPB_TotSec16", 19, 2, "sectors of the volume, or 0: see BPB_TotSec32"),
        ("BPB_Media", 21, 1, "F8"),
        ("BPB_FATSz16", 22, 2, "sectors of a FAT, or 0: see BPB_FATSz32"),
        ("BPB_SecPerTrk", 24, 2, "geometry for BIOSes"),
        ("BPB_NumHeads", 26, 2, "geometry for BIOSes"),
        ("BPB_HiddSec", 28, 4, "sectors before the volume"),
        ("BPB_TotSec32", 32, 4, "sectors of the volume"),
    ),
    "boot sector, FAT12 and FAT16": (
        ("BS_DrvNum", 36, 1, "80"),
        ("BS_Reserved1", 37, 1, "bit 0: not cleanly unmounted (Linux)"),
        ("BS_BootSig", 38, 1, "29: the next three fields are there"),
        ("BS_VolID", 39, 4, "serial number"),
        ("BS_VolLab", 43, 11, "label"),
        ("BS_FilSysType", 54, 8, 'begins with "FAT"; FatFs looks for it'),
    ),
    "boot sector, FAT32": (
        ("BPB_FATSz32", 36, 4, "sectors of a FAT"),
        ("BPB_ExtFlags", 40, 2, "mirroring; FatFs takes no notice"),
        ("BPB_FSVer", 42, 2, "0"),
        ("BPB_RootClus", 44, 4, "first cluster of the root"),
        ("BPB_FSInfo", 48, 2, "sector of FSInfo: 1"),
        ("BPB_BkBootSec", 50, 2, "sector of the backup of this sector: 6"),
        ("BPB_Reserved", 52, 12, "zeros"),
        ("BS_DrvNum", 64, 1, "80"),
        ("BS_Reserved1", 65, 1, "bit 0: not cleanly unmounted (Linux)"),
        ("BS_BootSig", 66, 1, "29: the next three fields are there"),
        ("BS_VolID", 67, 4, "serial number"),
        ("BS_VolLab", 71, 11, "label"),
        ("BS_FilSysType", 82, 8, '"FAT32"; FatFs looks for it'),
    ),
    "FSInfo sector": (
        ("FSI_LeadSig", 0, 4, "41615252"),
        ("FSI_StrucSig", 484, 4, "61417272"),
        ("FSI_Free_Count", 488, 4, "free clusters, or FFFFFFFF"),
        ("FSI_Nxt_Free", 492, 4, "last cluster that was taken, or FFFFFFFF"),
        ("FSI_TrailSig", 508, 4, "AA550000"),
    ),
    "directory entry": (
        ("DIR_Name", 0, 11, "body 8, extension 3, padded with spaces; E5: deleted; 00: end"),
        ("DIR_Attr", 11, 1, "read-only 01, hidden 02, system 04, label 08, folder 10, archive 20"),
        ("DIR_NTRes", 12, 1, "08: body in lower case; 10: extension in lower case"),
        ("DIR_CrtTimeTenth", 13, 1, "hundredths of two seconds"),
        ("DIR_CrtTime", 14, 2, "hours << 11 | minutes << 5 | seconds / 2"),
        ("DIR_CrtDate", 16, 2, "years since 1980 << 9 | month << 5 | day"),
        ("DIR_LstAccDate", 18, 2, "date of the last access"),
        ("DIR_FstClusHI", 20, 2, "first cluster, upper half"),
        ("DIR_WrtTime", 22, 2, "time of the last write"),
        ("DIR_WrtDate", 24, 2, "date of the last write"),
        ("DIR_FstClusLO", 26, 2, "first cluster, lower half; 0: no cluster"),
        ("DIR_FileSize", 28, 4, "bytes; 0 for a folder"),
    ),
    "long name entry": (
        ("LDIR_Ord", 0, 1, "which part, from 1; 40: the last part, which comes first"),
        ("LDIR_Name1", 1, 10, "five UTF-16 units"),
        ("LDIR_Attr", 11, 1, "0F"),
        ("LDIR_Type", 12, 1, "0"),
        ("LDIR_Chksum", 13, 1, "checksum of the short name"),
        ("LDIR_Name2", 14, 12, "six units"),
        ("LDIR_FstClusLO", 26, 2, "0"),
        ("LDIR_Name3", 28, 4, "two units; a 0 ends the name, FFFF fills up"),
    ),
}
"""Field name, offset, length, meaning; for docs and hex views."""
