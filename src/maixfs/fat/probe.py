"""Find the volume that FatFs mounts, and identify what lies at a place of a card.

start = find_volume(card)
probe = probe_volume(card, 2048)
probe.kind, probe.why_not      # "exFAT", "the board reads FAT12, FAT16 and FAT32 only"
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.errors import UsageError
from maixfs.fat import ondisk
from maixfs.fat.errors import FatError, FResult, fat_error
from maixfs.fat.geometry import FatGeometry, is_boot_sector, is_fat, read_geometry
from maixfs.fat.ondisk import Extension16, Extension32
from maixfs.fat.sectors import VolumeSectors
from maixfs.record import Record, field
from maixfs.sd.device import SECTOR
from maixfs.sd.errors import SectorError
from maixfs.sd.mbr import SLOTS
from maixfs.sd.partitions import GPT_SIGNATURE, plausible_slots, read_slots
from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from maixfs.sd.device import SectorDevice
    from maixfs.sd.mbr import Partition
    from maixfs.sd.partitions import CardPartition, PartitionTable


# Which volume of a card FatFs mounts


def find_volume(device: SectorDevice, part: int = 0) -> int:
    """Return the sector of the boot sector that FatFs mounts.

    With ``part`` 0 that is sector 0 if it is a FAT boot sector, or else where the first slot
    leads to one. 1 to 4 is a slot of the partition table, as the board's firmware asks; a card
    without a partition table then has no volume. FatFs ignores types and lengths of partitions.
    Raises ``FatError``: ``NO_FILESYSTEM``, ``DISK_ERR``; ``UsageError`` for another ``part``.
    """
    if not 0 <= part <= SLOTS:
        raise UsageError(f"there is no partition {part}: 1 to {SLOTS}, or 0 for any")
    card = VolumeSectors(device, 0)
    sector = card.read(0, 1)
    if not is_boot_sector(sector):
        raise _no_volume("the first sector of the card does not end in 55 AA")
    superfloppy = is_fat(sector)
    if superfloppy and part == 0:
        return 0
    # Types and lengths are not looked at: a Linux type or a partition past the card's end mounts
    # on the board.
    slots = list(read_slots(sector))
    if part:
        return _forced(card, slots[part - 1], superfloppy=superfloppy)
    return _first(card, slots)


def _forced(card: VolumeSectors, slot: Partition, *, superfloppy: bool) -> int:
    if _leads_to_fat(card, slot):
        return slot.start
    # Here FatFs reads boot code as a table; as a rule that is zeros, and no slot is used.
    if superfloppy:
        raise _no_volume(
            "the card has no partition table: its one volume starts at sector 0",
            "the board looks into partitions only; repartition the card with an MBR",
        )
    raise _no_volume(_refusal(slot))


def _first(card: VolumeSectors, slots: list[Partition]) -> int:
    failure: FatError | None = None
    for slot in slots:
        failure = None
        try:
            if _leads_to_fat(card, slot):
                return slot.start
        except FatError as error:
            failure = error
    # FatFs goes on after a slot that cannot be read, and keeps the result of the last slot alone:
    # an earlier read error becomes NO_FILESYSTEM.
    used = "; ".join(_refusal(slot) for slot in slots if slot.used)
    raise failure or _no_volume(used or "the partition table has no partition")


def _leads_to_fat(card: VolumeSectors, slot: Partition) -> bool:
    # FatFs cannot read sector FFFFFFFF: that number means that no sector is in RAM.
    nowhere = not slot.used or slot.start in (0, 0xFFFFFFFF)
    return not nowhere and is_fat(card.read(slot.start, 1))


def _refusal(slot: Partition) -> str:
    if not slot.used:
        return f"partition {slot.slot} is free"
    return f"partition {slot.slot} ({slot.type_name}) does not start with a FAT boot sector"


def _no_volume(what: str, hint: str | None = None) -> FatError:
    return fat_error(FResult.NO_FILESYSTEM, "", what, hint=hint)


def mount_points(device: SectorDevice) -> dict[int, str]:
    """Return by slot where a board mounts the volumes of a card: the first at ``/sd``, the others
    by their slot, ``/sd2`` to ``/sd4``. A volume without a slot is mounted nowhere."""
    slots = [slot for slot in range(1, SLOTS + 1) if _is_mounted(device, slot)]
    return {slot: f"/sd{slot}" if at else "/sd" for at, slot in enumerate(slots)}


def _is_mounted(device: SectorDevice, slot: int) -> bool:
    try:
        read_geometry(device.read(find_volume(device, slot), 1))
    except (FatError, SectorError):
        return False
    return True


def fat_volumes(table: PartitionTable, device: SectorDevice) -> list[CardPartition]:
    """Return the partitions of a card that hold a FAT volume which the driver mounts."""
    return [part for part in table.partitions if _holds_volume(device, part)]


def _holds_volume(device: SectorDevice, part: CardPartition) -> bool:
    if part.extended or part.start >= device.sectors:
        return False
    try:
        read_geometry(device.read(part.start, 1))
    except (FatError, SectorError):
        return False
    return True


# What lies at a place


class Probe(NamedTuple):
    """What lies at a sector of a card."""

    kind: str
    """``FAT12``, ``FAT16``, ``FAT32``, the name of another file system, ``partition table``,
    ``GPT``, ``blank``, ``unreadable`` or ``unknown``."""
    start: int
    fat: FatGeometry | None = None
    """Geometry of the volume, if FatFs would mount it."""
    why_not: str | None = None
    """Why FatFs would not mount it."""
    hint: str | None = None
    """How to fix that."""


def probe_volume(device: SectorDevice, start: int = 0) -> Probe:
    """Identify what lies at sector ``start``.

    Never writes, and never raises for the content of the card: ``kind`` is ``unreadable`` where
    a sector cannot be read.
    """
    try:
        head = _head(device, start)
    except SectorError as error:
        return Probe("unreadable", start, why_not=str(error), hint=error.hint)
    try:
        fat = read_geometry(head[:SECTOR])
    except FatError as error:
        return _refused(start, head, error)
    return Probe(f"FAT{fat.fat_type}", start, fat=fat)


def _refused(start: int, head: bytes, error: FatError) -> Probe:
    if is_fat(head[:SECTOR]):
        kind, why_not = _kind_in_words(head), str(error)
    # Before the partition table: NTFS and exFAT end in 55 AA too.
    elif (foreign := foreign_kind(head)) is not None:
        kind, why_not = foreign, f"{foreign}, and the board reads FAT12, FAT16 and FAT32 only"
    else:
        kind = _table_kind(head) or _hidden_fat(head) or _emptiness(head)
        why_not = _WHY_NOT.get(kind, str(error))
    hint = _HINTS.get(kind, error.hint)
    return Probe(kind, start, why_not=why_not, hint=hint)


def _head(device: SectorDevice, start: int) -> bytes:
    """Return up to ``PROBE_SECTORS`` sectors of a volume, fewer where the card ends."""
    # One read, because a card answers each one slowly.
    return device.read(start, max(1, min(PROBE_SECTORS, device.sectors - start)))


_TYPE = Extension16.offset_of("BS_FilSysType")


def _kind_in_words(boot: bytes) -> str:
    """Return the type that a boot sector with wrong numbers names in its text fields."""
    if Extension32.unpack(boot).BS_FilSysType[:5] == b"FAT32":
        return "FAT32"
    claim = boot[_TYPE : _TYPE + 5].decode("ascii", "replace")
    return claim if claim in ("FAT12", "FAT16") else "FAT"


def _table_kind(head: bytes) -> str | None:
    if head[SECTOR : SECTOR + len(GPT_SIGNATURE)] == GPT_SIGNATURE:
        return "GPT"
    return "partition table" if plausible_slots(head) else None


def _hidden_fat(head: bytes) -> str | None:
    """Return the type of a FAT volume that FatFs rejects for its marks alone."""
    # With jump, text and signature put in, do the numbers make sense? Then only the marks are
    # damaged.
    marked = bytearray(head[:SECTOR])
    marked[:1] = b"\xeb"
    marked[_TYPE : _TYPE + 3] = b"FAT"
    marked[ondisk.SIGNATURE_OFFSET :] = ondisk.SIGNATURE_BYTES
    try:
        return f"FAT{read_geometry(bytes(marked)).fat_type}"
    except FatError:
        return None


def _emptiness(head: bytes) -> str:
    return "unknown" if head.strip(b"\0") and head.strip(b"\xff") else "blank"


_WHY_NOT = {"blank": "nothing has been written here"}
_HINTS = {
    "exFAT": "format the card with FAT32; what is on it is lost, so copy it first",
    "NTFS": "format the card with FAT32; what is on it is lost, so copy it first",
    "GPT": "give the card an MBR partition table",
    "partition table": "the volumes are in its partitions",
    "blank": "format it",
}
"""How to fix a kind, if the error has no hint."""


# File systems that are not FAT


class Magic(NamedTuple):
    """Bytes at a fixed offset by which a file system is recognised."""

    kind: str
    offset: int
    magic: bytes


_MAGICS = (
    Magic("exFAT", 3, b"EXFAT   "),
    Magic("NTFS", 3, b"NTFS    "),
    Magic("BitLocker", 3, b"-FVE-FS-"),
    Magic("GPT", 0, b"EFI PART"),
    Magic("LUKS", 0, b"LUKS\xba\xbe"),
    Magic("squashfs", 0, b"hsqs"),
    Magic("XFS", 0, b"XFSB"),
    Magic("APFS", 32, b"NXSB"),
    Magic("F2FS", 1024, b"\x10\x20\xf5\xf2"),
    Magic("HFS+", 1024, b"H+"),
    Magic("HFS+", 1024, b"HX"),
    Magic("HFS", 1024, b"BD"),
    Magic("Linux swap", 4086, b"SWAPSPACE2"),
    Magic("ISO 9660", 32769, b"CD001"),
    Magic("Btrfs", 65600, b"_BHRfS_M"),
)
PROBE_SECTORS = 136
"""Sectors from the start of a volume that contain all of them."""


class ExtSuperblock(Record):
    """The fields of the superblock of ext2, ext3 and ext4 that identify it."""

    s_inodes_count: int = field("I")
    s_blocks_count_lo: int = field("I")
    s_log_block_size: int = field("I", "blocks have 1024 << this bytes", at=24)
    s_inodes_per_group: int = field("I", at=40)
    s_magic: int = field("H", "EF53", at=56)
    s_feature_compat: int = field("I", "04: has a journal", at=92)
    s_feature_incompat: int = field("I", "40: files use extents")


EXT_OFFSET = 1024
"""Offset of the superblock in the volume."""
_EXT_MAGIC, _EXT_JOURNAL, _EXT_EXTENTS = 0xEF53, 0x04, 0x40


def foreign_kind(head: bytes) -> str | None:
    """Return the kind of file system that starts with ``head``, ``None`` for FAT and unknown."""
    if len(head) >= EXT_OFFSET + ExtSuperblock.size:
        superblock = ExtSuperblock.unpack(head, EXT_OFFSET)
        if superblock.s_magic == _EXT_MAGIC:
            return _ext_kind(superblock)
    for kind, offset, magic in _MAGICS:
        if head[offset : offset + len(magic)] == magic:
            return kind
    return None


def _ext_kind(superblock: ExtSuperblock) -> str:
    if superblock.s_feature_incompat & _EXT_EXTENTS:
        return "ext4"
    return "ext3" if superblock.s_feature_compat & _EXT_JOURNAL else "ext2"
