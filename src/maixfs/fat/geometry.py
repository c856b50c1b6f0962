"""Boot sectors: the geometry of a volume, and the faults for which FatFs refuses it.

The checks and their order are those of FatFs R0.13c at mount (docs/SPEC.md, section 14.2).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from maixfs.fat import ondisk
from maixfs.fat.errors import FatError, FResult, fat_error
from maixfs.fat.ondisk import BootSector, Extension16, Extension32
from maixfs.sd.device import SECTOR
from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


class FatGeometry(NamedTuple):
    """Shape of a FAT volume; sectors are counted from its boot sector, sizes in sectors."""

    fat_type: int
    """12, 16 or 32: FatFs derives it from the number of clusters alone."""
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
    """Sector of the backup of the boot sector; 0 without one."""
    hidden: int
    """Sectors before the volume, as its formatter noted them."""
    media: int
    serial: int
    label: str
    """Label in the boot sector, without padding; systems show the one in the root."""
    oem_name: bytes
    sector_size: int = SECTOR
    """Bytes of a sector as the boot sector has them; all fields count sectors of 512."""

    @property
    def cluster_size(self) -> int:
        """Bytes of a cluster."""
        return self.sectors_per_cluster * SECTOR

    @property
    def n_fatent(self) -> int:
        """Entries of the FAT: valid cluster numbers are 2 to ``n_fatent`` - 1."""
        # Entries 0 and 1 belong to no cluster.
        return self.clusters + 2

    @property
    def fat_start(self) -> int:
        """First sector of the first FAT."""
        return self.reserved

    @property
    def root_start(self) -> int:
        """First sector of the root of FAT12 and FAT16; on FAT32 the start of the data."""
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
        """One past the last sector of the last cluster."""
        return self.data_start + self.clusters * self.sectors_per_cluster

    def sector_of(self, cluster: int) -> int:
        """Return the first sector of a cluster."""
        return self.data_start + (cluster - 2) * self.sectors_per_cluster


class VolumeInfo(NamedTuple):
    """Size and room of a volume."""

    fat_type: int
    cluster_size: int
    """Bytes."""
    clusters: int
    free: int | None
    """Free clusters according to FSInfo; ``None`` if they were not counted."""
    label: str
    serial: int

    @property
    def used(self) -> int | None:
        """Clusters in use, as far as is known."""
        return None if self.free is None else self.clusters - self.free


class BootFault(NamedTuple):
    """A reason for which FatFs does not mount a volume."""

    field: str
    """Field of the boot sector, such as ``BPB_NumFATs``, or what follows from several fields:
    ``size``, ``clusters``, ``signature``, ``type``, ``root``, ``fat size``."""
    value: int
    what: str
    hint: str | None = None


class BootReport(NamedTuple):
    """All that a boot sector contains, right or wrong."""

    boot: BootSector
    narrow: Extension16
    """The rest of the sector, if it is of FAT12 or FAT16."""
    wide: Extension32
    """The rest of the sector, if it is of FAT32."""
    fat_sectors: int
    total_sectors: int
    clusters: int
    """0 where they cannot be computed."""
    fat_type: int
    """12, 16 or 32 as FatFs counts clusters; 0 if the cluster count is invalid."""
    faults: tuple[BootFault, ...]
    """In the order in which FatFs finds them: it refuses the volume at the first one."""


def is_boot_sector(sector: bytes) -> bool:
    """Return True if a sector ends in AA55h."""
    return sector[ondisk.SIGNATURE_OFFSET : SECTOR] == ondisk.SIGNATURE_BYTES


def has_fat_text(sector: bytes) -> bool:
    """Return True if a sector has "FAT" or "FAT32" where a FAT boot sector has its type."""
    return sector[_TEXT_16 : _TEXT_16 + 3] == b"FAT" or sector[_TEXT_32 : _TEXT_32 + 5] == b"FAT32"


def is_fat(sector: bytes) -> bool:
    """Return True if FatFs takes a sector for the boot sector of a FAT volume.

    It looks at the signature, at a jump at the start and for one of two texts; it ignores the
    formatter's name, the media byte and the rest (docs/SPEC.md, section 14.2).
    """
    return is_boot_sector(sector) and sector[:1] in _JUMPS and has_fat_text(sector)


# E8 is a call and no jump; FatFs accepts it, so a card with it mounts on the board.
_JUMPS = (b"\xeb", b"\xe9", b"\xe8")
_TEXT_16 = Extension16.offset_of("BS_FilSysType")
_TEXT_32 = Extension32.offset_of("BS_FilSysType")


def read_geometry(sector: bytes) -> FatGeometry:
    """Read a boot sector of 512 bytes.

    Raises ``FatError`` (``NO_FILESYSTEM``) where FatFs would not mount the volume; the message
    names the first field, in FatFs's order, that is wrong.
    """
    report = examine_boot_sector(sector)
    for fault in report.faults:
        raise fat_error(FResult.NO_FILESYSTEM, "", fault.what, hint=fault.hint)
    boot, wide = report.boot, report.wide
    is_32 = report.fat_type == 32
    names: Extension16 | Extension32 = wide if is_32 else report.narrow
    return FatGeometry(
        fat_type=report.fat_type,
        sectors_per_cluster=boot.BPB_SecPerClus,
        reserved=boot.BPB_RsvdSecCnt,
        fats=boot.BPB_NumFATs,
        fat_sectors=report.fat_sectors,
        root_entries=boot.BPB_RootEntCnt,
        root_cluster=wide.BPB_RootClus if is_32 else 0,
        total_sectors=report.total_sectors,
        clusters=report.clusters,
        fsinfo_sector=wide.BPB_FSInfo if is_32 else 0,
        backup_sector=wide.BPB_BkBootSec if is_32 else 0,
        hidden=boot.BPB_HiddSec,
        media=boot.BPB_Media,
        serial=names.BS_VolID,
        label=names.BS_VolLab.rstrip(b" \0").decode("cp437"),
        oem_name=boot.BS_OEMName,
    )


SECTOR_SIZES = (512, 1024, 2048, 4096)
"""Bytes of a sector that Microsoft's specification allows."""


def decode_geometry(sector: bytes) -> tuple[FatGeometry | None, FatError | None]:
    """Return what a boot sector describes as far as it can be decoded, and why FatFs refuses it.

    FatFs refuses volumes whose files are all there: with larger sectors, as FAT32 with few
    clusters, with a damaged field. Such a geometry is in sectors of 512 bytes too; its FSInfo and
    backup are 0 where the boot sector names no reserved sector. ``None`` where nothing can be
    computed, or where FatFs has no objection.
    """
    try:
        known, refusal = read_geometry(sector).fat_type, None
    except FatError as error:
        known, refusal = 0, error
    report = examine_boot_sector(sector)
    boot, wide = report.boot, report.wide
    if not _is_computable(boot) or not report.fat_sectors:
        return None, refusal
    # Linux and Windows take a volume without a 16-bit FAT size for FAT32, however few clusters
    # it has.
    kind = known or (0 if boot.BPB_FATSz16 else 32)
    scale = boot.BPB_BytsPerSec // SECTOR
    root_bytes = boot.BPB_RootEntCnt * ondisk.ENTRY_SIZE
    root_sectors = -(-root_bytes // boot.BPB_BytsPerSec) * scale
    reserved, fat_sectors = boot.BPB_RsvdSecCnt * scale, report.fat_sectors * scale
    total, per_cluster = report.total_sectors * scale, boot.BPB_SecPerClus * scale
    data = total - reserved - boot.BPB_NumFATs * fat_sectors - root_sectors
    clusters = data // per_cluster
    kind = kind or _type_of(clusters) or 32
    clusters = min(clusters, fat_sectors * SECTOR * 8 // kind - 2)
    if clusters <= 0:
        return None, refusal
    is_32 = kind == 32
    names: Extension16 | Extension32 = wide if is_32 else report.narrow
    return FatGeometry(
        fat_type=kind,
        sectors_per_cluster=per_cluster,
        reserved=reserved,
        fats=boot.BPB_NumFATs,
        fat_sectors=fat_sectors,
        root_entries=root_sectors * SECTOR // ondisk.ENTRY_SIZE,
        root_cluster=wide.BPB_RootClus if is_32 else 0,
        total_sectors=total,
        clusters=clusters,
        fsinfo_sector=_reserved_sector(wide.BPB_FSInfo, boot) * scale if is_32 else 0,
        backup_sector=_reserved_sector(wide.BPB_BkBootSec, boot) * scale if is_32 else 0,
        hidden=boot.BPB_HiddSec,
        media=boot.BPB_Media,
        serial=names.BS_VolID,
        label=names.BS_VolLab.rstrip(b" \0").decode("cp437"),
        oem_name=boot.BS_OEMName,
        sector_size=boot.BPB_BytsPerSec,
    ), refusal  # fmt: skip


def _is_computable(boot: BootSector) -> bool:
    """Return True if the fields leave something to compute with."""
    size = boot.BPB_SecPerClus
    return (
        boot.BPB_BytsPerSec in SECTOR_SIZES
        and size > 0
        and size & (size - 1) == 0
        and boot.BPB_RsvdSecCnt > 0
        and 1 <= boot.BPB_NumFATs <= 2
        and boot.BS_jmpBoot[:1] in _JUMPS
    )


def _reserved_sector(sector: int, boot: BootSector) -> int:
    return sector if 0 < sector < boot.BPB_RsvdSecCnt else 0


@lru_cache(maxsize=8)
def mounted_geometry(sector: bytes) -> FatGeometry:
    """Do the same for a mount: boards and programs mount the same few cards again and again."""
    return read_geometry(sector)


def examine_boot_sector(sector: bytes) -> BootReport:
    """Decode a boot sector and find all its faults; never raises.

    Missing bytes of a short sector count as zeros, and as a fault.
    """
    padded = sector.ljust(SECTOR, b"\0")
    boot, wide = BootSector.unpack(padded), Extension32.unpack(padded)
    # The 16-bit field wins where it is not 0, on FAT32 too: FatFs does not tell the types apart by
    # it.
    fat_sectors = boot.BPB_FATSz16 or wide.BPB_FATSz32
    total = boot.BPB_TotSec16 or boot.BPB_TotSec32
    # In FatFs this sum wraps at 32 bits. FATs of such a size are damage; they are refused here.
    root = boot.BPB_RootEntCnt * ondisk.ENTRY_SIZE // SECTOR
    system = boot.BPB_RsvdSecCnt + boot.BPB_NumFATs * fat_sectors + root
    # A field of 0 is reported below; here it must not divide.
    clusters = max(total - system, 0) // (boot.BPB_SecPerClus or 1)
    kind = _type_of(clusters)
    faults = [*_text_faults(sector), *_field_faults(boot), *_size_faults(total, system, clusters)]
    # In FatFs's order: the first fault is what its mount stops at.
    if kind:
        faults += _type_faults(boot, wide, kind)
        faults += _fat_faults(kind, clusters, fat_sectors)
    return BootReport(
        boot, Extension16.unpack(padded), wide, fat_sectors, total, clusters, kind, tuple(faults)
    )


def _type_of(clusters: int) -> int:
    # The number of clusters alone decides, and FatFs's limits are one above the specification's.
    # Kept: on such a volume the board reads entries in this width.
    if not 0 < clusters <= ondisk.FAT32_CLUSTERS:
        return 0
    if clusters <= ondisk.FAT12_CLUSTERS:
        return 12
    return 16 if clusters <= ondisk.FAT16_CLUSTERS else 32


def _text_faults(sector: bytes) -> Iterator[BootFault]:
    if len(sector) < SECTOR:
        what = f"a boot sector has {SECTOR} bytes, not {len(sector)}"
        yield BootFault("size", len(sector), what)
    if not is_boot_sector(sector):
        yield BootFault(
            "signature",
            int.from_bytes(sector[ondisk.SIGNATURE_OFFSET : SECTOR], "little"),
            "the sector does not end in 55 AA",
            "the card is blank, was wiped, or its first sectors are damaged",
        )
    elif not is_fat(sector):
        yield BootFault(
            "type",
            sector[0],
            'the boot sector is not of a FAT volume: no jump at its start, or neither "FAT" at'
            f' offset {_TEXT_16} nor "FAT32" at {_TEXT_32}',
            "the board reads FAT12, FAT16 and FAT32 only",
        )


def _field_faults(boot: BootSector) -> Iterator[BootFault]:
    """Yield the fields that are wrong whatever the others contain."""
    fats, per_cluster = boot.BPB_NumFATs, boot.BPB_SecPerClus
    if boot.BPB_BytsPerSec != SECTOR:
        yield BootFault(
            "BPB_BytsPerSec",
            boot.BPB_BytsPerSec,
            f"BPB_BytsPerSec is {boot.BPB_BytsPerSec}, and the board knows {SECTOR} only",
            "format the card with sectors of 512 bytes",
        )
    if fats not in (1, 2):
        yield _wrong("BPB_NumFATs", fats, "must be 1 or 2")
    if per_cluster == 0 or per_cluster & (per_cluster - 1):
        yield _wrong("BPB_SecPerClus", per_cluster, "must be a power of two")
    if boot.BPB_RootEntCnt % (SECTOR // ondisk.ENTRY_SIZE):
        yield _wrong("BPB_RootEntCnt", boot.BPB_RootEntCnt, "must be a multiple of 16")
    if boot.BPB_RsvdSecCnt == 0:
        yield _wrong("BPB_RsvdSecCnt", 0, "must not be 0")


def _size_faults(total: int, system: int, clusters: int) -> Iterator[BootFault]:
    if total < system:
        what = f"the volume has {total} sectors, its FATs and root alone take {system}"
        yield BootFault("size", total, what)
    elif clusters == 0:
        what = f"the volume of {total} sectors has no room for a cluster"
        yield BootFault("clusters", 0, what)
    elif clusters > ondisk.FAT32_CLUSTERS:
        what = f"{clusters} clusters are more than FAT32 can have"
        yield BootFault("clusters", clusters, what)


def _type_faults(boot: BootSector, wide: Extension32, fat_type: int) -> Iterator[BootFault]:
    if fat_type == 32 and wide.BPB_FSVer:
        yield _wrong("BPB_FSVer", wide.BPB_FSVer, "must be 0")
    if fat_type == 32 and boot.BPB_RootEntCnt:
        yield _wrong("BPB_RootEntCnt", boot.BPB_RootEntCnt, "must be 0 on FAT32")
    if fat_type != 32 and not boot.BPB_RootEntCnt:
        # Linux and Windows read such a volume as FAT32, because BPB_FATSz16 is 0.
        yield BootFault(
            "root",
            0,
            f"made as FAT32 with so few clusters that it counts as FAT{fat_type}, and then"
            " BPB_RootEntCnt must not be 0",
            "format it with smaller clusters, or make it larger",
        )


def _fat_faults(fat_type: int, clusters: int, fat_sectors: int) -> Iterator[BootFault]:
    needed = fat_sectors_for(fat_type, clusters)
    # Else the last entries would lie in the second FAT or in the root.
    if fat_sectors < needed:
        what = f"a FAT of {fat_sectors} sectors is too short, {clusters} clusters need {needed}"
        yield BootFault("fat size", fat_sectors, what)


def fat_sectors_for(fat_type: int, clusters: int) -> int:
    """Return the sectors that a FAT for ``clusters`` clusters takes at least."""
    size = ((clusters + 2) * fat_type + 7) // 8
    return -(-size // SECTOR)


def _wrong(field: str, value: int, must: str) -> BootFault:
    return BootFault(field, value, f"{field} is {value}, it {must}")
