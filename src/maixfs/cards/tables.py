"""The partition table of a converted card."""

from __future__ import annotations

from maixfs.cards.moves import How, Move, Plan
from maixfs.cards.places import Table
from maixfs.fat.geometry import read_geometry
from maixfs.sd.device import SectorDevice
from maixfs.sd.mbr import BOOT_CODE_SIZE, Partition, make_mbr, partition_type


def write_table(source: SectorDevice, new: SectorDevice, table: Table, plan: Plan) -> None:
    """Write sector 0 of the new card; boot code and number of an old MBR stay."""
    partitions = [_partition(new, slot, move) for slot, move in enumerate(plan.moves, 1)]
    for slot, place in enumerate(plan.extended, len(partitions) + 1):
        kind = place.type_byte or 0x0F
        partitions.append(Partition(slot, kind, place.start, place.sectors))
    code = source.read(0, 1)[:BOOT_CODE_SIZE] if table.scheme == "MBR" else b""
    serials = [move.volume.layout.serial for move in plan.moves if move.volume]
    disk_id = (table.disk_id if table.scheme == "MBR" else 0) or next(iter(serials), 0)
    new.write(0, make_mbr(partitions, disk_id=disk_id, boot_code=code))


def _partition(new: SectorDevice, slot: int, move: Move) -> Partition:
    kind = move.type_byte
    if move.how is How.REBUILD:
        made = read_geometry(new.read(move.start, 1))
        kind = partition_type(made.fat_type, move.start, move.sectors)
    return Partition(slot, kind, move.start, move.sectors, move.place.bootable)
