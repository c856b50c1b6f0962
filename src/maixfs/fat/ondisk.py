"""The records of FAT as they lie on a card, declared once (docs/SPEC.md, sections 14 and 15).

All integers are little-endian. Field names are those of Microsoft's FAT specification. Offsets
count from the start of the sector, or of the 32-byte slot of a directory. Decisions are made
elsewhere: ``geometry`` judges boot sectors, ``entries`` judges directory slots.
"""

from __future__ import annotations

from enum import IntFlag

from maixfs.record import Record, field

SIGNATURE = 0xAA55
"""Last two bytes of a boot sector, of an FSInfo sector and of a partition table."""
SIGNATURE_BYTES = b"\x55\xaa"
SIGNATURE_OFFSET = 510


class BootSector(Record):
    """What FAT12, FAT16 and FAT32 have in common, from the start of the boot sector."""

    BS_jmpBoot: bytes = field("3s", "EB xx 90 or E9 xx xx")
    BS_OEMName: bytes = field("8s", "name of the formatter; means nothing")
    BPB_BytsPerSec: int = field("H", "bytes per sector: 512")
    BPB_SecPerClus: int = field("B", "sectors per cluster, a power of two")
    BPB_RsvdSecCnt: int = field("H", "sectors before the first FAT")
    BPB_NumFATs: int = field("B", "copies of the FAT, 1 or 2")
    BPB_RootEntCnt: int = field("H", "entries of the root of FAT12 and FAT16; 0 on FAT32")
    BPB_TotSec16: int = field("H", "sectors of the volume, or 0: see BPB_TotSec32")
    BPB_Media: int = field("B", "F8")
    BPB_FATSz16: int = field("H", "sectors of a FAT, or 0: see BPB_FATSz32")
    BPB_SecPerTrk: int = field("H", "geometry for BIOSes")
    BPB_NumHeads: int = field("H", "geometry for BIOSes")
    BPB_HiddSec: int = field("I", "sectors before the volume")
    BPB_TotSec32: int = field("I", "sectors of the volume")


EXTENSION_OFFSET = BootSector.size
"""Where a boot sector goes on with ``Extension16`` or ``Extension32``."""


class Extension16(Record):
    """What follows in the boot sector of FAT12 and FAT16."""

    BS_DrvNum: int = field("B", "80", at=EXTENSION_OFFSET)
    BS_Reserved1: int = field("B", "bit 0: not cleanly unmounted (Linux)")
    BS_BootSig: int = field("B", "29: the next three fields are there")
    BS_VolID: int = field("I", "serial number")
    BS_VolLab: bytes = field("11s", "label")
    BS_FilSysType: bytes = field("8s", 'begins with "FAT"; FatFs looks for it')


class Extension32(Record):
    """What follows in the boot sector of FAT32."""

    BPB_FATSz32: int = field("I", "sectors of a FAT", at=EXTENSION_OFFSET)
    BPB_ExtFlags: int = field("H", "mirroring; ignored by FatFs")
    BPB_FSVer: int = field("H", "0")
    BPB_RootClus: int = field("I", "first cluster of the root")
    BPB_FSInfo: int = field("H", "sector of FSInfo: 1")
    BPB_BkBootSec: int = field("H", "sector of the backup of this sector: 6")
    BPB_Reserved: bytes = field("12s", "zeros")
    BS_DrvNum: int = field("B", "80")
    BS_Reserved1: int = field("B", "bit 0: not cleanly unmounted (Linux)")
    BS_BootSig: int = field("B", "29: the next three fields are there")
    BS_VolID: int = field("I", "serial number")
    BS_VolLab: bytes = field("11s", "label")
    BS_FilSysType: bytes = field("8s", '"FAT32"; FatFs looks for it')


HAS_LABEL = 0x29
"""BS_BootSig of a boot sector with serial number, label and type."""
BOOT_DIRTY = 0x01
"""Bit of BS_Reserved1: Linux mounted the volume and did not unmount it."""


class FsInfo(Record):
    """The FSInfo sector of FAT32."""

    FSI_LeadSig: int = field("I", "41615252")
    FSI_StrucSig: int = field("I", "61417272", at=484)
    FSI_Free_Count: int = field("I", "free clusters, or FFFFFFFF")
    # The specification means the next cluster to try; FatFs stores the one it took last, and
    # searches after it. Both work as a hint.
    FSI_Nxt_Free: int = field("I", "last cluster that was taken, or FFFFFFFF")
    FSI_TrailSig: int = field("I", "AA550000", at=508)


FSI_COUNTS = FsInfo.part("FSI_Free_Count", "FSI_Nxt_Free")
FSI_LEAD_SIG = 0x41615252
FSI_STRUC_SIG = 0x61417272
FSI_TRAIL_SIG = 0xAA550000
FSI_UNKNOWN = 0xFFFFFFFF
"""Free count or next-free cluster that is not known."""


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


class DirEntry(Record):
    """The short entry of a file, folder or label: 32 bytes."""

    DIR_Name: bytes = field("11s", "body 8, extension 3, padded with spaces; E5: deleted; 00: end")
    DIR_Attr: int = field(
        "B", "read-only 01, hidden 02, system 04, label 08, folder 10, archive 20"
    )
    DIR_NTRes: int = field("B", "08: body in lower case; 10: extension in lower case")
    DIR_CrtTimeTenth: int = field("B", "hundredths of two seconds")
    DIR_CrtTime: int = field("H", "hours << 11 | minutes << 5 | seconds / 2")
    DIR_CrtDate: int = field("H", "years since 1980 << 9 | month << 5 | day")
    # FatFs writes 0 here with every sync, and never a date.
    DIR_LstAccDate: int = field("H", "date of the last access")
    DIR_FstClusHI: int = field("H", "first cluster, upper half")
    DIR_WrtTime: int = field("H", "time of the last write")
    DIR_WrtDate: int = field("H", "date of the last write")
    DIR_FstClusLO: int = field("H", "first cluster, lower half; 0: no cluster")
    DIR_FileSize: int = field("I", "bytes; 0 for a folder")


ENTRY_SIZE = DirEntry.size
NAME_LENGTH = 11
"""Bytes of a short name, and of a label."""

# Parts of a directory entry. They take where the *entry* starts in the buffer.
ATTRIBUTES = DirEntry.part("DIR_Attr")
AFTER_NT = DirEntry.part("DIR_CrtTimeTenth", "DIR_FileSize")
"""What follows name, attributes and case bits: times, first cluster, size."""
CREATED = DirEntry.part("DIR_CrtTime", "DIR_CrtDate")
ACCESSED = DirEntry.part("DIR_LstAccDate")
TAIL = DirEntry.part("DIR_LstAccDate", "DIR_FileSize")
"""DIR_LstAccDate, DIR_FstClusHI, DIR_WrtTime, DIR_WrtDate, DIR_FstClusLO, DIR_FileSize."""
EXTENT = DirEntry.part("DIR_FstClusHI", "DIR_FileSize")
"""DIR_FstClusHI, DIR_WrtTime, DIR_WrtDate, DIR_FstClusLO, DIR_FileSize."""
CLUSTER_HIGH = DirEntry.part("DIR_FstClusHI")
WRITTEN = DirEntry.part("DIR_WrtTime", "DIR_WrtDate")
CLUSTER_LOW = DirEntry.part("DIR_FstClusLO")
LOW_AND_SIZE = DirEntry.part("DIR_FstClusLO", "DIR_FileSize")

NT_LOWER_BASE = 0x08
"""Bit of DIR_NTRes: the body of the short name is shown in lower case."""
NT_LOWER_EXT = 0x10
"""Bit of DIR_NTRes: the extension of the short name is shown in lower case."""
ENTRY_END = 0x00
"""First byte of an entry: this slot and all that follow are free."""
ENTRY_FREE = 0xE5
"""First byte of an entry that was deleted."""
ENTRY_KANJI_E5 = 0x05
"""First byte of a name that really begins with E5."""


class LongEntry(Record):
    """A part of a long name, in a slot before the short entry that it belongs to."""

    LDIR_Ord: int = field("B", "which part, from 1; 40: the last part, which comes first")
    LDIR_Name1: bytes = field("10s", "five UTF-16 units")
    LDIR_Attr: int = field("B", "0F")
    LDIR_Type: int = field("B", "0")
    LDIR_Chksum: int = field("B", "checksum of the short name")
    LDIR_Name2: bytes = field("12s", "six units")
    # At the place of a cluster number: old systems that know no long names must find none.
    LDIR_FstClusLO: int = field("H", "0")
    LDIR_Name3: bytes = field("4s", "two units; a 0 ends the name, FFFF fills up")


LAST_LONG_ENTRY = 0x40
"""Set in LDIR_Ord of the part that comes first on the card: the end of the name."""
LONG_UNITS = 13
"""UTF-16 units in one part."""
MAX_LONG_NAME = 255
"""Most UTF-16 units of a long name."""
MAX_DIRECTORY = 0x200000
"""Most bytes of a directory: 65,536 entries."""

FAT32_MASK = 0x0FFFFFFF
"""The upper four bits of a FAT32 entry are kept as they are."""
FAT12_CLUSTERS = 0xFF5
"""Most clusters of a volume that FatFs reads as FAT12: one more than the specification's."""
FAT16_CLUSTERS = 0xFFF5
"""Most clusters of a volume that FatFs reads as FAT16."""
FAT32_CLUSTERS = 0x0FFFFFF5
