"""Where on a card volumes are, or should be: by its table, or where formatters put them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from maixfs.fat.probe import probe_volume
from maixfs.sd.device import SectorDevice
from maixfs.sd.gpt import Gpt
from maixfs.sd.mbr import PROTECTIVE, Mbr, Partition, is_volume, read_mbr, read_slots

USUAL_STARTS = (63, 2048, 8192, 32768)
"""Sectors at which formatters let the first partition of a card begin."""


class Place(NamedTuple):
    """A place on a card where a volume is, or should be."""

    number: int
    """1 to 4: slots of the MBR; from 5: logical partitions; by order in a GPT; 0: the card."""
    scheme: str
    """``MBR``, ``logical``, ``GPT`` or ``none``."""
    type: str
    """Type byte as ``0x0C``, or the GUID of a GPT's type; empty where no table says one."""
    type_name: str
    type_byte: int | None
    start: int
    sectors: int
    kind: str
    """What is there, as ``probe_volume`` says."""
    bootable: bool = False
    extended: bool = False
    """Whether it only holds logical partitions."""


class Table(NamedTuple):
    """What divides a card."""

    scheme: str
    """``MBR``, ``GPT`` or ``none``."""
    places: tuple[Place, ...]
    signature: bool
    """Whether sector 0 ends in 55 AA."""
    superfloppy: bool
    """Whether a volume starts at sector 0."""
    lost: bool
    """Whether no table leads to the places: they are where volumes usually begin."""
    blank: bool
    """Whether sector 0 holds nothing, and nothing else was found."""
    disk_id: int


def read_table(device: SectorDevice) -> Table:
    """Return what divides a card; raises ``SectorError`` where sector 0 cannot be read."""
    mbr = read_mbr(device)
    sector = device.read(0, 1)
    others = [slot for slot in mbr.used if slot.type != PROTECTIVE]
    if mbr.superfloppy or is_volume(sector):
        places = [_whole(device)]
        return Table("none", tuple(places), mbr.signature, True, False, False, mbr.disk_id)
    if mbr.gpt is not None and not others:
        found = tuple(_of_gpt(device, mbr.gpt))
        return Table("GPT", found, mbr.signature, False, False, False, mbr.disk_id)
    found = tuple(_of_mbr(device, mbr) if mbr.signature else _unsigned(device, sector))
    lost = () if found else tuple(_lost(device))
    empty = not sector.strip(b"\0") or not sector.strip(b"\xff")
    blank = empty and not (found or lost)
    scheme = "MBR" if found or (mbr.signature and not lost) else "none"
    return Table(scheme, found or lost, mbr.signature, False, bool(lost), blank, mbr.disk_id)


def _whole(device: SectorDevice) -> Place:
    kind = probe_volume(device, 0).kind
    return Place(0, "none", "", "no table", None, 0, device.sectors, kind)


def _of_mbr(device: SectorDevice, mbr: Mbr) -> Iterator[Place]:
    for partition in mbr.used:
        yield _slot(device, partition, "MBR")
    for partition in mbr.logical:
        yield _slot(device, partition, "logical")


def _unsigned(device: SectorDevice, sector: bytes) -> Iterator[Place]:
    """Yield the slots of a table without 55 AA, if there are volumes where they lead to."""
    slots = [slot for slot in read_slots(sector) if slot.used]
    if all(0 < slot.start < slot.end and slot.start < device.sectors for slot in slots):
        places = [_slot(device, slot, "MBR") for slot in slots]
        if any(place.kind.startswith("FAT") for place in places):
            yield from places


def _slot(device: SectorDevice, slot: Partition, scheme: str) -> Place:
    kind = "extended" if slot.extended else probe_volume(device, slot.start).kind
    return Place(
        slot.slot, scheme, f"0x{slot.type:02X}", slot.type_name, slot.type,
        slot.start, slot.sectors, kind, slot.bootable, slot.extended,
    )  # fmt: skip


def _of_gpt(device: SectorDevice, gpt: Gpt) -> Iterator[Place]:
    for one in gpt.partitions:
        kind = probe_volume(device, one.start).kind
        yield Place(
            one.number, "GPT", one.type_guid, one.type_name, None, one.start, one.sectors, kind
        )


def _lost(device: SectorDevice) -> Iterator[Place]:
    """Yield the FAT volumes that begin where formatters let them."""
    number = end = 0
    for start in USUAL_STARTS:
        probe = probe_volume(device, start) if end <= start < device.sectors else None
        if probe is not None and probe.fat is not None:
            number += 1
            end = start + probe.fat.total_sectors
            length = min(end, device.sectors) - start
            yield Place(number, "none", "", "no table", None, start, length, probe.kind)
