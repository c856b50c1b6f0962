"""Cards and volumes: partition tables, FAT, and file systems that a board does not read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.fat.probe import EXT_OFFSET, ExtSuperblock, Probe, foreign_kind, probe_volume
from maixfs.finding import Command
from maixfs.image.identify import FileKind, Identification
from maixfs.sd.device import SECTOR
from maixfs.sd.mbr import SLOTS, MbrSector
from maixfs.sd.partitions import CardPartition, PartitionTable, read_partitions

if TYPE_CHECKING:
    from maixfs.image.identify import Sample

_LIST = Command("ls", ("{image}",))
_EXAMINE = Command("sd doctor", ("{image}",))
_MOST_NAMED = 8


def gpt(sample: Sample) -> Identification | None:
    """Recognise a GUID partition table."""
    table = read_partitions(sample.device)
    if table.gpt is None or table.scheme != "GPT":
        return None
    state = "right" if table.gpt.intact else "wrong"
    copy = ", read from the copy in the last sector" if table.gpt.backup else ""
    names, lines = _contents(sample, table)
    return Identification(
        FileKind.GPT,
        f"card or disk with GPT, {_counted(names, table)}" + _short(sample, _end(table)),
        (f"GPT header in sector 0x1, checksums {state}{copy}", *lines),
        1.0 if table.gpt.intact else 0.9,
        _EXAMINE,
    )


def mbr(sample: Sample) -> Identification | None:
    """Recognise an MBR partition table."""
    found = _table(sample, "card with MBR", "which ends in 55 AA")
    if found is None:
        return None
    identification, names = found
    if not any(name[:3] == "FAT" for name in names):
        return identification
    return identification._replace(next=_LIST)


def unsigned_mbr(sample: Sample) -> Identification | None:
    """Recognise a partition table that lacks its signature, if it leads to a volume."""
    # The recogniser of tables with a signature has answered.
    if sample.head[_SIGNATURE] == b"\x55\xaa":
        return None
    ends = "which does not end in 55 AA: boards do not mount it"
    found = _table(sample, "card with MBR without signature", ends)
    return found[0] if found is not None and _PROOF.intersection(found[1]) else None


_SIGNATURE = slice(SECTOR - 2, SECTOR)


def _table(sample: Sample, words: str, ends: str) -> tuple[Identification, list[str]] | None:
    """Return a card by its table, and what is in its partitions."""
    sector = sample.head[:SECTOR]
    # A boot sector ends in 55 AA too; its code in the place of the slots rarely has two valid
    # status bytes.
    if len(sector) < SECTOR or not _has_status_bytes(sector):
        return None
    table = read_partitions(sample.device)
    if table.scheme != "MBR" or not table.partitions:
        return None
    names, lines = _contents(sample, table)
    placed = all(partition.start and partition.sectors for partition in table.partitions)
    identification = Identification(
        FileKind.CARD,
        f"{words}, {_counted(names, table)}{_short(sample, _end(table))}",
        (f"partition table in sector 0x0, {ends}", *lines, *table.notes),
        # A volume in a partition is proof; a table alone may be any bytes that end in 55 AA.
        0.99 if _PROOF.intersection(names) else 0.9 if placed else 0.6,
        _EXAMINE,
    )
    return identification, names


def _has_status_bytes(sector: bytes) -> bool:
    table = MbrSector.unpack(sector)
    return all(table.entry(slot).status in {0, 0x80} for slot in range(SLOTS))


_PROOF = frozenset({"FAT12", "FAT16", "FAT32", "exFAT", "NTFS", "ext2", "ext3", "ext4", "Btrfs"})


def _volumes(table: PartitionTable) -> list[CardPartition]:
    return [partition for partition in table.partitions if not partition.extended]


def _contents(sample: Sample, table: PartitionTable) -> tuple[list[str], list[str]]:
    """Return what is in the first partitions, and a sentence on each."""
    names, lines = [], []
    for partition in _volumes(table)[:_MOST_NAMED]:
        name = _content(probe_volume(sample.device, partition.start), partition.type_name)
        end = partition.start + partition.sectors
        place = f"{partition.start * SECTOR:#x}-{end * SECTOR:#x}"
        names.append(name)
        lines.append(f"partition {partition.number} at {place}: {name}")
    return names, lines


def _content(probe: Probe, type_name: str) -> str:
    """Return what is in a partition; by its type where its bytes do not say."""
    if probe.kind in {"unknown", "unreadable"}:
        return f"unknown ({type_name})"
    return probe.kind if probe.fat is not None or probe.kind[:3] != "FAT" else "damaged FAT"


def _counted(names: list[str], table: PartitionTable) -> str:
    count = len(_volumes(table))
    if not count:
        return "no partitions"
    more = f" and {count - len(names)} more" if count > len(names) else ""
    return f"{count} partition{'s' * (count > 1)}: {', '.join(names)}{more}"


def _end(table: PartitionTable) -> int:
    """Return the sector behind the last partition."""
    return max((part.start + part.sectors for part in _volumes(table)), default=0)


def _short(sample: Sample, end: int) -> str:
    """Return the words about an image that ends before its last partition or volume."""
    missing = end * SECTOR - sample.size
    return f"; cut short by {missing:#x} bytes" if missing > 0 and sample.complete else ""


def fat(sample: Sample) -> Identification | None:
    """Recognise a FAT volume without partition table."""
    if len(sample.head) < SECTOR:
        return None
    probe = probe_volume(sample.device)
    if not probe.kind.startswith("FAT"):
        return None
    if probe.fat is None:
        evidence = (f"boot sector at 0x0: {probe.why_not}",)
        name = f"{probe.kind} volume that is damaged"
        return Identification(FileKind.FAT, name, evidence, 0.6, _EXAMINE)
    sectors = probe.fat.total_sectors
    return Identification(
        FileKind.FAT,
        f"{probe.kind} volume without partition table" + _short(sample, sectors),
        (
            f"boot sector at 0x0, {probe.fat.clusters} clusters of"
            f" {probe.fat.cluster_size:#x} bytes",
            f"it ends at {sectors * SECTOR:#x}, the bytes at {sample.size:#x}",
        ),
        0.99,
        _LIST,
    )


def ext(sample: Sample) -> Identification | None:
    """Recognise ext2, ext3 and ext4 by their superblock."""
    if len(sample.head) < EXT_OFFSET + ExtSuperblock.size:
        return None
    block = ExtSuperblock.unpack(sample.head, EXT_OFFSET)
    # Two bytes are a weak magic: the sizes must make sense too.
    sound = block.s_log_block_size <= 6 and block.s_inodes_per_group
    if not sound or not block.s_blocks_count_lo or not block.s_inodes_count:
        return None
    size = block.s_blocks_count_lo << 10 + block.s_log_block_size
    name = foreign_kind(sample.head) or "ext"
    return Identification(
        FileKind.EXT,
        f"{name} volume without partition table" + _short(sample, size // SECTOR),
        (
            "superblock at 0x400 with the magic EF53 at 0x438",
            f"it has {block.s_inodes_count} inodes and ends at {size:#x}",
        ),
        0.97,
        "boards read FAT only: mount it on a computer with Linux",
    )


_OWN_KINDS = {"exFAT": FileKind.EXFAT, "NTFS": FileKind.NTFS}


def other_volume(sample: Sample) -> Identification | None:
    """Recognise exFAT, NTFS and the other volumes that have a magic at a fixed place."""
    name = foreign_kind(sample.head)
    if name is None or name.startswith(("ext", "GPT")):
        return None
    kind = _OWN_KINDS.get(name, FileKind.OTHER_VOLUME)
    confidence = 0.97
    # Two letters at 0x400 are chance in one of 65536 files; HFS+ has its version behind them.
    if name == "HFS+" and sample.head[1026:1028] not in {b"\0\x04", b"\0\x05"}:
        return None
    if name == "HFS":
        confidence = 0.3
    if kind is not FileKind.OTHER_VOLUME and sample.head[510:512] != b"\x55\xaa":
        confidence = 0.7
    return Identification(
        kind,
        f"{name} volume without partition table",
        (f"the magic of {name} is at its place",),
        confidence,
        _EXAMINE,
    )
