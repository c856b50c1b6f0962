"""What divides a card: its partition table, or where volumes lie without one.

    for part in read_partitions(card).partitions: ...

One defensive reader for MBR, logical partitions, GPT, cards that are one volume, and cards whose
table is gone. ``maixfs.fat.probe`` says what is in a partition and which ones a board mounts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from maixfs.sd.errors import SectorError
from maixfs.sd.mbr import (
    PROTECTIVE,
    Mbr,
    Partition,
    is_volume,
    read_mbr,
    read_slots,
    volume_sectors,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maixfs.sd.device import SectorDevice
    from maixfs.sd.gpt import Gpt

USUAL_STARTS = (63, 2048, 8192, 32768)
"""Sectors at which formatters start the first partition of a card."""


class CardPartition(NamedTuple):
    """A place on a card where a volume is, or should be."""

    number: int
    """1 to 4: slots of the MBR; from 5: logical partitions; by order in a GPT; 0: the card."""
    scheme: str
    """``MBR``, ``logical``, ``GPT`` or ``none``."""
    type: str
    """Type byte as ``0x0C``, or the GUID of a GPT's type; empty without a table."""
    type_name: str
    type_byte: int | None
    start: int
    """First sector."""
    sectors: int
    bootable: bool = False
    extended: bool = False
    """Whether it only holds logical partitions."""


class PartitionTable(NamedTuple):
    """What divides a card."""

    scheme: str
    """``MBR``, ``GPT`` or ``none``."""
    partitions: tuple[CardPartition, ...]
    signature: bool
    """Whether sector 0 ends in 55 AA."""
    superfloppy: bool
    """Whether a volume starts at sector 0."""
    lost: bool
    """Whether no table leads to the partitions: they are where volumes usually start."""
    blank: bool
    """Whether sector 0 holds nothing, and nothing else was found."""
    disk_id: int


def read_partitions(device: SectorDevice) -> PartitionTable:
    """Return what divides a card; raises ``SectorError`` where sector 0 cannot be read."""
    mbr = read_mbr(device)
    sector = device.read(0, 1)
    others = [slot for slot in mbr.used if slot.type != PROTECTIVE]

    def table(
        scheme: str, partitions: Iterator[CardPartition], **about: bool
    ) -> PartitionTable:  # fmt: skip
        flags = {"superfloppy": False, "lost": False, "blank": False} | about
        return PartitionTable(
            scheme, tuple(partitions), mbr.signature, disk_id=mbr.disk_id, **flags
        )

    if mbr.superfloppy or is_volume(sector):
        whole = CardPartition(0, "none", "", "no table", None, 0, device.sectors)
        return table("none", iter((whole,)), superfloppy=True)
    # Slots beside the protective one: the card was partitioned again with a tool that knows MBRs
    # only, and the GPT is left over.
    if mbr.gpt is not None and not others:
        return table("GPT", _of_gpt(mbr.gpt))
    found = [*(_of_mbr(mbr) if mbr.signature else _unsigned(device, sector))]
    if found:
        return table("MBR", iter(found))
    lost = [*_lost(device)]
    is_empty = not sector.strip(b"\0") or not sector.strip(b"\xff")
    scheme = "MBR" if mbr.signature and not lost else "none"
    return table(scheme, iter(lost), lost=bool(lost), blank=is_empty and not lost)


def _of_mbr(mbr: Mbr) -> Iterator[CardPartition]:
    for partition in mbr.used:
        yield _of_slot(partition, "MBR")
    for partition in mbr.logical:
        yield _of_slot(partition, "logical")


def _unsigned(device: SectorDevice, sector: bytes) -> Iterator[CardPartition]:
    """Yield the slots of a table without 55 AA, if one of them leads to a volume."""
    slots = [slot for slot in read_slots(sector) if slot.used]
    placed = all(0 < slot.start < min(slot.end, device.sectors) for slot in slots)
    if placed and any(_starts_volume(device, slot.start) for slot in slots):
        yield from (_of_slot(slot, "MBR") for slot in slots)


def _of_slot(slot: Partition, scheme: str) -> CardPartition:
    return CardPartition(
        slot.slot, scheme, f"0x{slot.type:02X}", slot.type_name, slot.type,
        slot.start, slot.sectors, slot.bootable, slot.extended,
    )  # fmt: skip


def _of_gpt(gpt: Gpt) -> Iterator[CardPartition]:
    for one in gpt.partitions:
        yield CardPartition(
            one.number, "GPT", one.type_guid, one.type_name, None, one.start, one.sectors
        )


def _lost(device: SectorDevice) -> Iterator[CardPartition]:
    """Yield the FAT volumes that start where formatters start them."""
    number = end = 0
    for start in USUAL_STARTS:
        # Inside of a volume that was found: left over from an earlier formatting.
        if not end <= start < device.sectors or not (sectors := _starts_volume(device, start)):
            continue
        number += 1
        end = start + sectors
        length = min(end, device.sectors) - start
        yield CardPartition(number, "none", "", "no table", None, start, length)


def _starts_volume(device: SectorDevice, start: int) -> int:
    """Return the sectors of the FAT volume that starts there; 0 without one."""
    try:
        return volume_sectors(device.read(start, 1))
    except SectorError:
        return 0
