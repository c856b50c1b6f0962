"""What lies at a place of a card, and why the board would not mount it.

found = probe_volume(card, 2048, 81920)
found.kind, found.why_not      # "exFAT", "the board reads FAT12, FAT16 and FAT32 only"
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from maixfs.fat import ondisk
from maixfs.fat.errors import FatError
from maixfs.fat.geometry import FatGeometry, is_boot_sector, is_fat, read_geometry
from maixfs.fat.magic import PROBE_SECTORS, foreign_kind
from maixfs.fat.ondisk import FS_INFO, FsInfo
from maixfs.sd.device import SECTOR
from maixfs.sd.errors import SectorError
from maixfs.sd.gpt import GPT_SIGNATURE
from maixfs.sd.mbr import plausible_slots

if TYPE_CHECKING:
    from maixfs.sd.device import SectorDevice


class FsInfoState(NamedTuple):
    """What the FSInfo sector of a FAT32 volume says, and whether FatFs listens."""

    used: bool
    """The boot sector names sector 1, and the signatures are right."""
    free: int | None
    """Free clusters; ``None``: unknown, or more than there are."""
    next_free: int | None
    """Where the search for a free cluster starts; ``None``: at the first one."""
    why_not: str | None
    """Why FatFs does not listen."""


class DirtyMarks(NamedTuple):
    """Marks that a system left which did not unmount the volume; FatFs sees none of them."""

    boot: bool = False
    """Bit 0 of BS_Reserved1: Linux, at mount."""
    fat: bool = False
    """The bit in FAT[1] that says "cleanly shut down" is off: Windows."""
    errors: bool = False
    """The bit in FAT[1] that says "no disk errors" is off."""

    def __bool__(self) -> bool:
        return any(self)


class Probe(NamedTuple):
    """What was found."""

    kind: str
    """``FAT12``, ``FAT16``, ``FAT32``, the name of another file system, ``partition table``,
    ``GPT``, ``blank``, ``unreadable`` or ``unknown``."""
    start: int
    fat: FatGeometry | None = None
    """The volume, if FatFs would mount it."""
    why_not: str | None = None
    """Why FatFs would not mount it."""
    hint: str | None = None
    """What to do about that."""
    dirty: DirtyMarks = DirtyMarks()
    fsinfo: FsInfoState | None = None
    past_partition: int = 0
    """Sectors of the volume that lie past the end of its partition."""
    past_card: int = 0
    """Sectors that lie past the end of the card."""
    backup: FatGeometry | None = None
    """What the copy of a damaged boot sector says (FAT32)."""


def probe_volume(device: SectorDevice, start: int = 0, sectors: int | None = None) -> Probe:
    """Say what lies at sector ``start``; ``sectors`` is the length of the partition, if known.

    Nothing is written, and nothing is raised for what is on the card: sectors that cannot be
    read are an answer too.
    """
    try:
        head = _head(device, start)
    except SectorError as error:
        return Probe("unreadable", start, why_not=str(error), hint=error.hint)
    try:
        fat = read_geometry(head[:SECTOR])
    except FatError as error:
        return _refused(start, head, error)
    return Probe(
        f"FAT{fat.fat_type}",
        start,
        fat=fat,
        dirty=_dirty(device, start, fat, head),
        fsinfo=_fsinfo(device, start, fat),
        past_partition=max(0, fat.total_sectors - sectors) if sectors else 0,
        past_card=max(0, start + fat.total_sectors - device.sectors),
    )


def _refused(start: int, head: bytes, error: FatError) -> Probe:
    if is_fat(head[:SECTOR]):
        kind, why_not = _kind_in_words(head), str(error)
    elif (foreign := foreign_kind(head)) is not None:
        kind, why_not = foreign, f"{foreign}, and the board reads FAT12, FAT16 and FAT32 only"
    else:
        kind = _table_kind(head) or _hidden_fat(head) or _emptiness(head)
        why_not = _WHY_NOT.get(kind, str(error))
    hint = _HINTS.get(kind, error.hint)
    return Probe(kind, start, why_not=why_not, hint=hint, backup=_backup(head))


def _head(device: SectorDevice, start: int) -> bytes:
    """Return the first sectors of a volume, as many as the card has."""
    return device.read(start, max(1, min(PROBE_SECTORS, device.sectors - start)))


def _kind_in_words(boot: bytes) -> str:
    """Return the type that a boot sector claims, where its numbers do not say one."""
    if boot[82:87] == b"FAT32":
        return "FAT32"
    claim = boot[54:59].decode("ascii", "replace")
    return claim if claim in ("FAT12", "FAT16") else "FAT"


def _backup(head: bytes) -> FatGeometry | None:
    """Return what sector 6 says, if it is the copy of a FAT32 boot sector."""
    try:
        copy = read_geometry(head[6 * SECTOR : 7 * SECTOR])
    except FatError:
        return None
    return copy if copy.backup_sector == 6 else None


_CLEAN = {16: (0x8000, 0x4000), 32: (0x08000000, 0x04000000)}
"""Bits of FAT[1]: cleanly shut down, no disk errors. FAT12 has none."""


def _dirty(device: SectorDevice, start: int, fat: FatGeometry, head: bytes) -> DirtyMarks:
    mark = bool(head[65 if fat.fat_type == 32 else 37] & 1)
    if fat.fat_type not in _CLEAN:
        return DirtyMarks(boot=mark)
    try:
        table = device.read(start + fat.fat_start, 1)
    except SectorError:
        return DirtyMarks(boot=mark)
    size = fat.fat_type // 8
    entry = int.from_bytes(table[size : 2 * size], "little")
    clean, sound = _CLEAN[fat.fat_type]
    return DirtyMarks(boot=mark, fat=not entry & clean, errors=not entry & sound)


def _fsinfo(device: SectorDevice, start: int, fat: FatGeometry) -> FsInfoState | None:
    if fat.fat_type != 32:
        return None
    if fat.fsinfo_sector != 1:
        return _no_fsinfo(f"BPB_FSInfo is {fat.fsinfo_sector}, FatFs wants 1")
    try:
        sector = device.read(start + 1, 1)
    except SectorError as error:
        return _no_fsinfo(str(error))
    info = FsInfo._make(FS_INFO.unpack(sector))
    signatures = (info.FSI_LeadSig, info.FSI_StrucSig)
    if signatures != (ondisk.FSI_LEAD_SIG, ondisk.FSI_STRUC_SIG) or not is_boot_sector(sector):
        return _no_fsinfo("its signatures are damaged")
    free = info.FSI_Free_Count if info.FSI_Free_Count <= fat.clusters else None
    good = 2 <= info.FSI_Nxt_Free < fat.n_fatent
    return FsInfoState(True, free, info.FSI_Nxt_Free if good else None, None)


def _no_fsinfo(why: str) -> FsInfoState:
    return FsInfoState(used=False, free=None, next_free=None, why_not=why)


def _table_kind(head: bytes) -> str | None:
    if head[SECTOR : SECTOR + len(GPT_SIGNATURE)] == GPT_SIGNATURE:
        return "GPT"
    return "partition table" if plausible_slots(head) else None


def _hidden_fat(head: bytes) -> str | None:
    """Name a FAT volume whose numbers are right, but which FatFs passes by for its marks."""
    marked = bytearray(head[:SECTOR])
    marked[:1], marked[54:57], marked[510:512] = b"\xeb", b"FAT", b"\x55\xaa"
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
"""What to do about a kind, where the error has nothing better."""
