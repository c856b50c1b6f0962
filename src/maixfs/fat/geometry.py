"""What a boot sector says of its volume, read as FatFs reads it when it mounts."""

from __future__ import annotations

from typing import NamedTuple

from maixfs.fat import ondisk
from maixfs.fat.errors import FatError, FResult, fat_error
from maixfs.fat.ondisk import BootSector, Extension16, Extension32
from maixfs.sd.device import SECTOR


class FatGeometry(NamedTuple):
    """Shape of a FAT volume; sectors are counted from its boot sector, sizes in sectors."""

    fat_type: int
    """12, 16 or 32; it follows from the number of clusters alone."""
    sectors_per_cluster: int
    reserved: int
    """Sectors before the first FAT."""
    fats: int
    fat_sectors: int
    """Sectors of one FAT."""
    root_entries: int
    """Entries of the root of FAT12 and FAT16; 0 on FAT32."""
    root_cluster: int
    """First cluster of the root of FAT32, not checked; 0 on the others."""
    total_sectors: int
    clusters: int
    fsinfo_sector: int
    """Sector of FSInfo; FatFs uses it only if it is 1. 0 on FAT12 and FAT16."""
    backup_sector: int
    """Sector of the copy of the boot sector; 0: none."""
    hidden: int
    """Sectors before the volume, as the formatter saw it."""
    media: int
    serial: int
    label: str
    """Label in the boot sector, without padding; the one in the root counts more."""
    oem_name: bytes

    @property
    def cluster_size(self) -> int:
        """Bytes of a cluster."""
        return self.sectors_per_cluster * SECTOR

    @property
    def n_fatent(self) -> int:
        """Entries of the FAT: a cluster number is valid from 2 to this less one."""
        return self.clusters + 2

    @property
    def has_root(self) -> bool:
        """Whether the root's first cluster can be; FatFs finds out at the first look-up."""
        return self.fat_type != 32 or 2 <= self.root_cluster < self.n_fatent

    @property
    def fat_start(self) -> int:
        """First sector of the first FAT."""
        return self.reserved

    @property
    def root_start(self) -> int:
        """First sector of the root; on FAT32, where it would be: the start of the data."""
        return self.reserved + self.fats * self.fat_sectors

    @property
    def root_sectors(self) -> int:
        """Sectors of the root of FAT12 and FAT16."""
        return self.root_entries * ondisk.ENTRY_SIZE // SECTOR

    @property
    def data_start(self) -> int:
        """First sector of cluster 2."""
        return self.root_start + self.root_sectors

    @property
    def data_end(self) -> int:
        """Sector after the last cluster."""
        return self.data_start + self.clusters * self.sectors_per_cluster


class VolumeInfo(NamedTuple):
    """Size and room of a volume."""

    fat_type: int
    cluster_size: int
    """Bytes."""
    clusters: int
    free: int | None
    """Free clusters as FSInfo has them; ``None`` if they were not counted."""
    label: str
    serial: int

    @property
    def used(self) -> int | None:
        """Clusters in use, as far as is known."""
        return None if self.free is None else self.clusters - self.free

    @property
    def total_bytes(self) -> int:
        """Bytes of all clusters."""
        return self.clusters * self.cluster_size

    @property
    def free_bytes(self) -> int | None:
        """Bytes of the free clusters."""
        return None if self.free is None else self.free * self.cluster_size


def is_boot_sector(sector: bytes) -> bool:
    """Tell whether a sector ends in AA55h."""
    return sector[ondisk.SIGNATURE_OFFSET : SECTOR] == b"\x55\xaa"


def is_fat(sector: bytes) -> bool:
    """Tell whether FatFs takes a sector for the boot sector of a FAT volume.

    A jump at its start and one of two words; formatter's name, media byte and the rest do not
    matter (docs/SPEC.md).
    """
    word_16 = sector[54:57] == b"FAT"
    word_32 = sector[82:87] == b"FAT32"
    return is_boot_sector(sector) and sector[:1] in _JUMPS and (word_16 or word_32)


_JUMPS = (b"\xeb", b"\xe9", b"\xe8")


def read_geometry(sector: bytes) -> FatGeometry:
    """Read a boot sector of 512 bytes.

    Raises ``FatError`` (``NO_FILESYSTEM``) where FatFs would not mount the volume; the message
    names the first field, in FatFs's order, that is wrong.
    """
    if len(sector) < SECTOR:
        raise _refused(f"a boot sector has {SECTOR} bytes, not {len(sector)}")
    _check_words(sector)
    boot = BootSector.unpack(sector)
    wide = Extension32.unpack(sector)
    _check_fields(boot)
    fat_sectors = boot.BPB_FATSz16 or wide.BPB_FATSz32
    total = boot.BPB_TotSec16 or boot.BPB_TotSec32
    clusters = _clusters(boot, fat_sectors, total)
    fat_type = _type_of(clusters)
    _check_type(boot, wide, fat_type)
    _check_fat(fat_type, clusters, fat_sectors)
    narrow = Extension16.unpack(sector)
    return _geometry(boot, narrow, wide, fat_type, fat_sectors, total, clusters)


def _geometry(
    boot: BootSector,
    narrow: Extension16,
    wide: Extension32,
    fat_type: int,
    fat_sectors: int,
    total: int,
    clusters: int,
) -> FatGeometry:
    is_32 = fat_type == 32
    names: Extension16 | Extension32 = wide if is_32 else narrow
    return FatGeometry(
        fat_type=fat_type,
        sectors_per_cluster=boot.BPB_SecPerClus,
        reserved=boot.BPB_RsvdSecCnt,
        fats=boot.BPB_NumFATs,
        fat_sectors=fat_sectors,
        root_entries=boot.BPB_RootEntCnt,
        root_cluster=wide.BPB_RootClus if is_32 else 0,
        total_sectors=total,
        clusters=clusters,
        fsinfo_sector=wide.BPB_FSInfo if is_32 else 0,
        backup_sector=wide.BPB_BkBootSec if is_32 else 0,
        hidden=boot.BPB_HiddSec,
        media=boot.BPB_Media,
        serial=names.BS_VolID,
        label=names.BS_VolLab.rstrip(b" \0").decode("cp437"),
        oem_name=boot.BS_OEMName,
    )


def _check_words(sector: bytes) -> None:
    if not is_boot_sector(sector):
        raise _refused(
            "the sector does not end in 55 AA",
            "the card is blank, was wiped, or its first sectors are damaged",
        )
    if not is_fat(sector):
        raise _refused(
            'the boot sector is not of a FAT volume: no jump at its start, or neither "FAT" at'
            ' offset 54 nor "FAT32" at 82',
            "the board reads FAT12, FAT16 and FAT32 only",
        )


def _check_fields(boot: BootSector) -> None:
    """Raise for a field that is wrong whatever the others say, in FatFs's order."""
    fats, per_cluster = boot.BPB_NumFATs, boot.BPB_SecPerClus
    if boot.BPB_BytsPerSec != SECTOR:
        raise _refused(
            f"BPB_BytsPerSec is {boot.BPB_BytsPerSec}, and the board knows {SECTOR} only",
            "format the card with sectors of 512 bytes",
        )
    if fats not in (1, 2):
        raise _damaged("BPB_NumFATs", fats, "must be 1 or 2")
    if per_cluster == 0 or per_cluster & (per_cluster - 1):
        raise _damaged("BPB_SecPerClus", per_cluster, "must be a power of two")
    if boot.BPB_RootEntCnt % (SECTOR // ondisk.ENTRY_SIZE):
        raise _damaged("BPB_RootEntCnt", boot.BPB_RootEntCnt, "must be a multiple of 16")
    if boot.BPB_RsvdSecCnt == 0:
        raise _damaged("BPB_RsvdSecCnt", 0, "must not be 0")


def _clusters(boot: BootSector, fat_sectors: int, total: int) -> int:
    # In FatFs this sum wraps at 32 bits; FATs of such a size are damage, and are refused here.
    root = boot.BPB_RootEntCnt * ondisk.ENTRY_SIZE // SECTOR
    system = boot.BPB_RsvdSecCnt + boot.BPB_NumFATs * fat_sectors + root
    if total < system:
        raise _refused(f"the volume has {total} sectors, its FATs and root alone take {system}")
    clusters = (total - system) // boot.BPB_SecPerClus
    if clusters == 0:
        raise _refused(f"the volume of {total} sectors has no room for a cluster")
    return clusters


def _type_of(clusters: int) -> int:
    for fat_type, most in (
        (12, ondisk.FAT12_CLUSTERS),
        (16, ondisk.FAT16_CLUSTERS),
        (32, ondisk.FAT32_CLUSTERS),
    ):
        if clusters <= most:
            return fat_type
    raise _refused(f"{clusters} clusters are more than FAT32 can have")


def _check_type(boot: BootSector, wide: Extension32, fat_type: int) -> None:
    if fat_type == 32 and wide.BPB_FSVer:
        raise _damaged("BPB_FSVer", wide.BPB_FSVer, "must be 0")
    if fat_type == 32 and boot.BPB_RootEntCnt:
        raise _damaged("BPB_RootEntCnt", boot.BPB_RootEntCnt, "must be 0 on FAT32")
    if fat_type != 32 and not boot.BPB_RootEntCnt:
        raise _refused(
            f"made as FAT32 with so few clusters that it counts as FAT{fat_type}, and then"
            " BPB_RootEntCnt must not be 0",
            "format it with smaller clusters, or make it larger",
        )


def _check_fat(fat_type: int, clusters: int, fat_sectors: int) -> None:
    needed = fat_sectors_for(fat_type, clusters)
    if fat_sectors < needed:
        raise _refused(f"a FAT of {fat_sectors} sectors is too short, {clusters} need {needed}")


def fat_sectors_for(fat_type: int, clusters: int) -> int:
    """Return the sectors that a FAT for ``clusters`` clusters takes at least."""
    size = ((clusters + 2) * fat_type + 7) // 8
    return -(-size // SECTOR)


def _damaged(field: str, value: int, must: str) -> FatError:
    return _refused(f"{field} is {value}, it {must}")


def _refused(what: str, hint: str | None = None) -> FatError:
    return fat_error(FResult.NO_FILESYSTEM, "", what, hint=hint)
