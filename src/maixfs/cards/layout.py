"""What lies where in a FAT volume, read as leniently as can be.

The firmware refuses volumes whose files are all there (docs/SPEC.md has its rules). The doctor
says what is in them, and a conversion saves it; so both read the boot sector with these eyes.
"""

from __future__ import annotations

from typing import NamedTuple

from maixfs.fat import ondisk
from maixfs.fat.geometry import examine_boot_sector
from maixfs.sd.device import SECTOR

SECTOR_SIZES = (512, 1024, 2048, 4096)
"""Bytes of a sector that Microsoft's specification knows."""


class Layout(NamedTuple):
    """Places in a FAT volume: sectors of 512 bytes, counted from its boot sector."""

    fat_type: int
    """12, 16 or 32."""
    sector_size: int
    """Bytes of a sector as the boot sector has them."""
    cluster_sectors: int
    """Sectors (of 512 bytes) of a cluster."""
    fat_start: int
    fat_sectors: int
    """Sectors of one FAT."""
    fats: int
    root_start: int
    """First sector of the root of FAT12 and FAT16; on FAT32 the same as ``data_start``."""
    root_entries: int
    root_cluster: int
    """First cluster of the root of FAT32; 0 on the others."""
    data_start: int
    clusters: int
    sectors: int
    """Sectors of the volume by its boot sector."""
    fsinfo: int
    """Sector of FSInfo; 0 where there is none."""
    backup: int
    """Sector of the backup of the boot sector; 0 where there is none."""
    label: bytes
    serial: int

    @property
    def cluster_size(self) -> int:
        """Bytes of a cluster."""
        return self.cluster_sectors * SECTOR

    @property
    def limit(self) -> int:
        """The first cluster number that there is not; data clusters start at 2."""
        return self.clusters + 2

    def sector_of(self, cluster: int) -> int:
        """Return the first sector of a cluster."""
        return self.data_start + (cluster - 2) * self.cluster_sectors


def read_layout(sector: bytes, fat_type: int | None = None) -> Layout | None:
    """Return the layout that a boot sector describes, ``None`` where it describes none.

    Without a ``fat_type`` a volume that has only the 32-bit size of a FAT is FAT32, however few
    clusters it has; so do Linux, Windows and the tools that made it.
    """
    report = examine_boot_sector(sector)
    bpb, wide = report.boot, report.wide
    if not _possible(bpb):
        return None
    scale = bpb.BPB_BytsPerSec // SECTOR
    fat_sectors = report.fat_sectors * scale
    root_start = bpb.BPB_RsvdSecCnt * scale + bpb.BPB_NumFATs * fat_sectors
    root_bytes = bpb.BPB_RootEntCnt * ondisk.ENTRY_SIZE
    data_start = root_start + -(-root_bytes // bpb.BPB_BytsPerSec) * scale
    sectors = report.total_sectors * scale
    cluster_sectors = bpb.BPB_SecPerClus * scale
    clusters = (sectors - data_start) // cluster_sectors
    if clusters <= 0 or not fat_sectors:
        return None
    is_wide = fat_type == 32 or (fat_type is None and not bpb.BPB_FATSz16)
    kind = fat_type or (32 if is_wide else _type_by_count(clusters))
    clusters = min(clusters, fat_sectors * SECTOR * 8 // kind - 2)
    if clusters <= 0:
        return None
    about = wide if is_wide else report.narrow
    return Layout(
        fat_type=kind,
        sector_size=bpb.BPB_BytsPerSec,
        cluster_sectors=cluster_sectors,
        fat_start=bpb.BPB_RsvdSecCnt * scale,
        fat_sectors=fat_sectors,
        fats=bpb.BPB_NumFATs,
        root_start=root_start,
        root_entries=0 if is_wide else bpb.BPB_RootEntCnt,
        root_cluster=wide.BPB_RootClus if is_wide else 0,
        data_start=data_start,
        clusters=clusters,
        sectors=sectors,
        fsinfo=_inside(wide.BPB_FSInfo, bpb) * scale if is_wide else 0,
        backup=_inside(wide.BPB_BkBootSec, bpb) * scale if is_wide else 0,
        label=about.BS_VolLab,
        serial=about.BS_VolID,
    )


def _possible(bpb: ondisk.BootSector) -> bool:
    """Tell whether the numbers leave something to compute with."""
    size = bpb.BPB_SecPerClus
    return (
        bpb.BPB_BytsPerSec in SECTOR_SIZES
        and size > 0
        and size & (size - 1) == 0
        and bpb.BPB_RsvdSecCnt > 0
        and 1 <= bpb.BPB_NumFATs <= 2
        and bpb.BS_jmpBoot[0] in {0xE9, 0xEB, 0xE8}
    )


def _type_by_count(clusters: int) -> int:
    if clusters <= ondisk.FAT12_CLUSTERS:
        return 12
    return 16 if clusters <= ondisk.FAT16_CLUSTERS else 32


def _inside(sector: int, bpb: ondisk.BootSector) -> int:
    """Return a sector of the reserved area, 0 where the boot sector names none."""
    return sector if 0 < sector < bpb.BPB_RsvdSecCnt else 0
