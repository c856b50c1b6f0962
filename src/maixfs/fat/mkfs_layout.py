"""What a new volume is before it is written, and the records that follow from it."""

from __future__ import annotations

from typing import NamedTuple

from maixfs.fat import ondisk
from maixfs.fat.errors import FatError, FResult, fat_error
from maixfs.fat.label import NO_LABEL
from maixfs.sd.device import SECTOR

MAX_SECTORS_PER_CLUSTER = 128
"""64 KiB: the largest cluster that BPB_SecPerClus can say."""
ROOT_CLUSTER = 2
BACKUP_SECTOR = 6


class Wish(NamedTuple):
    """What the caller wants of a volume; ``None`` leaves the choice to the layout."""

    sectors: int
    fat_type: int | None = None
    sectors_per_cluster: int | None = None
    fats: int | None = None
    geometry: tuple[int, int] | None = None
    """Heads and sectors per track that the BPB names."""


class Layout(NamedTuple):
    """Where everything of a new volume lies; sectors are counted from its boot sector."""

    fat_type: int
    sectors: int
    sectors_per_cluster: int
    reserved: int
    fats: int
    fat_sectors: int
    root_entries: int
    clusters: int
    heads: int
    track: int
    """Sectors per track."""
    media: int = 0xF8

    @property
    def root_start(self) -> int:
        """First sector of the root directory."""
        return self.reserved + self.fats * self.fat_sectors

    @property
    def root_sectors(self) -> int:
        """Sectors of the root directory: its first cluster on FAT32."""
        if self.fat_type == 32:
            return self.sectors_per_cluster
        return self.root_entries * ondisk.ENTRY_SIZE // SECTOR


class Style(NamedTuple):
    """What differs from one formatter to the other."""

    oem_name: bytes
    type_names: dict[int, bytes]
    """BS_FilSysType by the type of the FAT."""
    fat_heads: dict[int, bytes]
    """First entries of a FAT by its type, the first byte for the media byte."""
    boot: dict[int, tuple[bytes, bytes]]
    """Jump, and boot code with its message, by the type of the FAT."""
    clears_reserved: bool
    """All sectors before the first FAT are made zero."""
    stamps_all: bool
    """The label's entry has the dates of creation and access too."""


def boot_sector(layout: Layout, style: Style, label: bytes, serial: int, hidden: int) -> bytes:
    """Return the boot sector of a new volume."""
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
    return sector.ljust(ondisk.SIGNATURE_OFFSET, b"\0") + b"\x55\xaa"


def _extension(layout: Layout, style: Style, label: bytes, serial: int) -> bytes:
    drive = 0x80 if layout.media == 0xF8 else 0
    tail = (drive, 0, 0x29, serial & 0xFFFFFFFF, label if label.strip() else NO_LABEL)
    name = style.type_names[layout.fat_type]
    if layout.fat_type != 32:
        return ondisk.Extension16(*tail, name).pack()[ondisk.EXTENSION_OFFSET :]
    wide = (layout.fat_sectors, 0, 0, ROOT_CLUSTER, 1, BACKUP_SECTOR, b"")
    return ondisk.Extension32(*wide, *tail, name).pack()[ondisk.EXTENSION_OFFSET :]


def fsinfo_sector(layout: Layout) -> bytes:
    """Return the FSInfo sector of a new FAT32 volume; the root has taken one cluster."""
    return ondisk.FsInfo(
        ondisk.FSI_LEAD_SIG,
        ondisk.FSI_STRUC_SIG,
        layout.clusters - 1,
        ROOT_CLUSTER,
        ondisk.FSI_TRAIL_SIG,
    ).pack()


def label_entry(label: bytes, style: Style, date: int, time: int) -> bytes:
    """Return the root's entry of the label, or nothing where there is no label."""
    if not label.strip():
        return b""
    first = (time, date, date) if style.stamps_all else (0, 0, 0)
    entry = ondisk.DirEntry(label, ondisk.Attribute.VOLUME_ID, 0, 0, *first, 0, time, date, 0, 0)
    return entry.pack()


def aborted(what: str, hint: str | None = None) -> FatError:
    """Return the error for a volume that cannot be made (``MKFS_ABORTED``)."""
    return fat_error(FResult.MKFS_ABORTED, "", what, hint=hint)
