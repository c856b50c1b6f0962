"""Partition tables: what a card's first sector says, read without believing it.

table = read_mbr(card)
for partition in table.used: ...
card.write(0, make_mbr(plan_partitions(card.sectors, ["512M", "rest"])))
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

from maixfs.sd.device import SECTOR
from maixfs.sd.errors import SectorError
from maixfs.sd.gpt import Gpt, read_gpt
from maixfs.sd.mbr_plan import ALIGNMENTS, make_mbr, plan_partitions
from maixfs.sd.ondisk import (
    DISK_ID_OFFSET,
    PARTITION_ENTRY,
    PARTITION_TABLE_OFFSET,
    SIGNATURE,
    SLOTS,
    PartitionEntry,
)
from maixfs.sd.partition import PROTECTIVE, Partition, partition_type

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maixfs.sd.device import SectorDevice

__all__ = [
    "ALIGNMENTS",
    "Mbr",
    "Partition",
    "make_mbr",
    "partition_type",
    "plan_partitions",
    "read_mbr",
    "read_slots",
]

MAX_LOGICAL = 128
"""Logical partitions that are looked for at most: a chain of them may be a loop."""


class Mbr(NamedTuple):
    """What the first sectors of a card say of its partitions."""

    signature: bool
    """Sector 0 ends in 55 AA; FatFs looks no further without it."""
    superfloppy: bool
    """Sector 0 is the boot sector of a volume, and there is no table."""
    disk_id: int
    slots: tuple[Partition, ...]
    """All four, free ones too; free without signature and on a superfloppy."""
    logical: tuple[Partition, ...]
    """Partitions in extended ones, which the board does not see."""
    unsigned: tuple[Partition, ...]
    """Partitions that the sector would have if it ended in 55 AA."""
    gpt: Gpt | None
    """A GUID partition table, which the board does not see either."""
    notes: tuple[str, ...]
    """What is odd, in words."""

    @property
    def used(self) -> tuple[Partition, ...]:
        """The slots that are not free."""
        return tuple(partition for partition in self.slots if partition.used)

    @property
    def blank(self) -> bool:
        """Whether there is neither table nor volume."""
        return not (self.superfloppy or self.used or self.gpt)


def read_mbr(device: SectorDevice) -> Mbr:
    """Read the partition table of a card; raises ``SectorError`` where sector 0 cannot be read."""
    sector = device.read(0, 1)
    notes: list[str] = []
    signature = sector[-2:] == SIGNATURE
    superfloppy = signature and is_volume(sector)
    has_table = signature and not superfloppy
    slots = tuple(read_slots(sector if has_table else bytes(SECTOR)))
    logical: list[Partition] = []
    for partition in slots:
        if partition.extended and partition.start:
            logical += _logical(device, partition, SLOTS + 1 + len(logical), notes)
    if has_table:
        notes += _oddities(device, sector, slots)
    return Mbr(
        signature=signature,
        superfloppy=superfloppy,
        disk_id=int.from_bytes(sector[DISK_ID_OFFSET : DISK_ID_OFFSET + 4], "little"),
        slots=slots,
        logical=tuple(logical[:MAX_LOGICAL]),
        unsigned=() if signature else plausible_slots(sector),
        gpt=read_gpt(device),
        notes=tuple(notes),
    )


def is_volume(sector: bytes) -> bool:
    """Tell whether a sector is the boot sector of a FAT, exFAT or NTFS volume."""
    jump = sector[:1] in (b"\xeb", b"\xe9", b"\xe8")
    fat = sector[54:57] == b"FAT" or sector[82:87] == b"FAT32"
    return jump and (fat or sector[3:11] in (b"EXFAT   ", b"NTFS    "))


def read_slots(sector: bytes) -> Iterator[Partition]:
    """Yield the four slots that a sector has, whatever it is."""
    for number in range(SLOTS):
        entry = _entry(sector, number)
        yield Partition(number + 1, entry.type, entry.start, entry.sectors, entry.status == 0x80)


def plausible_slots(sector: bytes) -> tuple[Partition, ...]:
    """Return the used slots, if all four look like those of a table, signed or not."""
    entries = [_entry(sector, number) for number in range(SLOTS)]
    used = [slot for slot in read_slots(sector) if slot.used]
    right = all(entry.status in (0, 0x80) for entry in entries)
    return tuple(used) if right and all(slot.start and slot.sectors for slot in used) else ()


def _entry(sector: bytes, number: int) -> PartitionEntry:
    at = PARTITION_TABLE_OFFSET + number * PARTITION_ENTRY.size
    return PartitionEntry._make(PARTITION_ENTRY.unpack_from(sector, at))


def _oddities(device: SectorDevice, sector: bytes, slots: tuple[Partition, ...]) -> Iterator[str]:
    """Yield what a table should not say; FatFs minds none of it."""
    for partition in slots:
        if not partition.used:
            continue
        about = f"partition {partition.slot}"
        if _entry(sector, partition.slot - 1).status & 0x7F:
            yield f"{about} has a status that is neither 00 nor 80"
        if partition.start == 0 or partition.sectors == 0:
            yield f"{about} has no place on the card"
        elif partition.end > device.sectors and partition.type != PROTECTIVE:
            yield (f"{about} ends at sector {partition.end:#x}, the card at {device.sectors:#x}")
    for one, other in _overlaps(slots):
        yield f"partitions {one.slot} and {other.slot} overlap"


def _overlaps(slots: tuple[Partition, ...]) -> Iterator[tuple[Partition, Partition]]:
    used = sorted((slot for slot in slots if slot.used and slot.sectors), key=lambda p: p.start)
    for one, other in itertools.pairwise(used):
        if other.start < one.end:
            yield one, other


def _logical(
    device: SectorDevice, extended: Partition, number: int, notes: list[str]
) -> Iterator[Partition]:
    """Yield the partitions of an extended one: each has a boot record that names the next."""
    at, seen = extended.start, set[int]()
    while at not in seen and len(seen) < MAX_LOGICAL:
        seen.add(at)
        try:
            sector = device.read(at, 1)
        except SectorError:
            notes.append(f"the extended boot record at {at:#x} cannot be read")
            return
        if sector[-2:] != SIGNATURE:
            notes.append(f"the extended boot record at {at:#x} does not end in 55 AA")
            return
        one, following = _entry(sector, 0), _entry(sector, 1)
        if one.type and one.sectors:
            yield Partition(number, one.type, at + one.start, one.sectors, one.status == 0x80)
            number += 1
        if not following.type or not following.start:
            return
        at = extended.start + following.start
    notes.append(f"the chain of extended boot records from {extended.start:#x} on has no end")
