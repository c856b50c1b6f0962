"""What becomes of each volume when a card is converted, decided before anything is written."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from maixfs.cards.bootsector import Readable, find_readable, shortened
from maixfs.cards.errors import CardError
from maixfs.cards.places import Place, Table
from maixfs.cards.volume import VolumeReader
from maixfs.sd.device import SectorDevice
from maixfs.sd.mbr import FAT_TYPES, partition_type

GAP = 2048
"""Sectors in front of the first partition, 1 MiB."""
_SLOTS = 4
_EFI_SYSTEM = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
"""Type of the partition that holds boot loaders (UEFI specification)."""


class How(Enum):
    """How a volume gets into the new card."""

    KEEP = "keep"
    """Its sectors are copied, and little is put right in the copy."""
    REBUILD = "rebuild"
    """A new volume is made, and every file is copied into it."""
    RAW = "raw"
    """Its sectors are copied; what is in them is not known."""


class Move(NamedTuple):
    """What becomes of one volume."""

    place: Place
    how: How
    start: int
    """First sector on the new card."""
    sectors: int
    type_byte: int
    volume: Readable | None = None


class Plan(NamedTuple):
    """What becomes of a card."""

    sectors: int
    """Capacity of the new one."""
    moves: tuple[Move, ...]
    """In the order of the new card's slots."""
    changes: tuple[str, ...]
    """What is different from the old one, beside what the copying puts right."""
    extended: tuple[Place, ...] = ()
    """Extended partitions that stay, with the logical ones in them."""


def plan_moves(device: SectorDevice, table: Table, sectors: int | None = None) -> Plan:
    """Decide what becomes of the volumes of a card.

    ``sectors`` is the new card's capacity where that is to be another. Raises ``CardError``
    where there is nothing that could be converted, or no room for it.
    """
    planner = _Planner(device, sectors)
    if table.scheme == "GPT":
        return planner.of_gpt(table)
    return planner.of_superfloppy(table) if table.superfloppy else planner.of_slots(table)


class _Planner:
    def __init__(self, device: SectorDevice, sectors: int | None) -> None:
        self._device = device
        self._sectors = device.sectors if sectors is None else sectors
        self._changes: list[str] = []

    def of_superfloppy(self, table: Table) -> Plan:
        """Move the volume that fills the card behind a gap for the partition table."""
        place = table.places[0]
        volume = find_readable(self._device, 0)
        if volume is None:
            raise CardError(f"the {place.kind} on it cannot be converted")
        if volume.geometry is None:
            move = self._rebuilt(place, volume, GAP, self._sectors - GAP)
            self._changes.append("it got an MBR")
            return self._plan([move])
        wanted = min(volume.layout.sectors, self._device.sectors)
        room = self._sectors - GAP
        if wanted > room:
            cut = self._shortened(volume, room)
            if cut is None:
                self._sectors, room = wanted + GAP, wanted
            else:
                volume = cut
                self._changes.append(f"its volume was cut to {room} sectors, of free ones")
        self._changes.append(f"it got an MBR, its volume was moved to sector {GAP:#x}")
        kind = _type_byte(place, volume)
        return self._plan([Move(place, How.KEEP, GAP, min(wanted, room), kind, volume)])

    def of_gpt(self, table: Table) -> Plan:
        """Keep everything in its place, FAT with files first."""
        moves = [self._move(place) for place in table.places]
        first = [move for move in moves if move.how is not How.RAW]
        boot = [move for move in first if move.place.type.upper() == _EFI_SYSTEM]
        data = [move for move in first if move not in boot]
        empty = [move for move in boot if not self._holds_files(move)]
        order = data + [move for move in boot if move not in empty]
        order += [move for move in moves if move.how is How.RAW]
        self._changes += [
            f"partition {move.place.number}, EFI without files, is left out" for move in empty
        ]
        self._changes.append("the GPT was replaced by an MBR")
        if len(order) > _SLOTS:
            raise CardError(
                f"it has {len(order)} partitions, and an MBR has room for {_SLOTS}",
                hint="copy the files of some of them away, and remove those partitions",
            )
        return self._plan(order)

    def of_slots(self, table: Table) -> Plan:
        """Keep everything in its place, and the slots without gaps."""
        end = self._device.sectors
        extended = [
            place._replace(sectors=min(place.sectors, end - place.start))
            for place in table.places
            if place.extended and place.start < end
        ]
        logical = [self._move(place) for place in table.places if place.scheme == "logical"]
        moves = [
            self._move(place)
            for place in table.places
            if place.scheme != "logical" and not place.extended
        ]
        if table.lost:
            self._changes.append("it got an MBR that leads to the volumes that were found")
        elif not table.signature:
            self._changes.append("its partition table got 55 AA")
        if extended and len(moves) + len(logical) <= _SLOTS:
            self._changes += [
                f"logical partition {move.place.number} became slot {at}"
                for at, move in enumerate(logical, len(moves) + 1)
            ]
            moves, extended = moves + logical, []
        for at, move in enumerate(moves, 1):
            if move.place.scheme == "MBR" and move.place.number != at and not extended:
                self._changes.append(f"slot {move.place.number} became slot {at}")
        return self._plan(moves, tuple(extended))

    def _plan(self, moves: list[Move], extended: tuple[Place, ...] = ()) -> Plan:
        end = max((move.start + move.sectors for move in moves), default=0)
        if end > self._sectors:
            raise CardError(
                f"the volumes end at sector {end:#x}, the new card at {self._sectors:#x}",
                hint="make the new card larger: --size",
            )
        return Plan(self._sectors, tuple(moves), tuple(self._changes), extended)

    def _move(self, place: Place) -> Move:
        """Decide about a volume that stays in its place."""
        room = self._device.sectors - place.start
        volume = find_readable(self._device, place.start) if room > 0 else None
        sectors = min(place.sectors, room)
        if volume is None:
            if sectors <= 0:
                raise CardError(
                    f"partition {place.number} lies behind the end of the card",
                    hint="copy the card again, whole: this is the beginning of a larger one",
                )
            return Move(place, How.RAW, place.start, sectors, _type_byte(place, None))
        if volume.geometry is None:
            return self._rebuilt(place, volume, place.start, sectors)
        if max(place.sectors, volume.layout.sectors) > room:
            return self._cut(place, volume, room)
        sectors = max(place.sectors, volume.layout.sectors)
        if sectors > place.sectors:
            self._changes.append(f"partition {place.number} is as long as its volume")
        return self._kept(place, volume, sectors)

    def _kept(self, place: Place, volume: Readable, sectors: int) -> Move:
        kind = _type_byte(place, volume)
        if place.scheme in {"MBR", "logical"} and kind != place.type_byte:
            self._changes.append(
                f"partition {place.number} got type 0x{kind:02X} for {place.type}"
            )
        return Move(place, How.KEEP, place.start, sectors, kind, volume)

    def _cut(self, place: Place, volume: Readable, room: int) -> Move:
        """Shorten a volume that goes past the end of the card, or make it anew."""
        table = VolumeReader(self._device, place.start, volume.layout).table
        highest = table.highest_used()
        if highest and volume.layout.sector_of(highest + 1) > room:
            raise CardError(
                f"files of partition {place.number} lie behind the end of the card",
                hint="maixfs unpack saves the others; a whole copy of the card has them all",
            )
        if volume.layout.sectors <= room:
            self._changes.append(f"partition {place.number} ends with the card")
            return self._kept(place, volume, room)
        cut = self._shortened(volume, room, highest)
        if cut is None:
            return self._rebuilt(place, volume, place.start, room)
        self._changes.append(f"partition {place.number} and its volume end with the card")
        return self._kept(place, cut, room)

    def _shortened(
        self, volume: Readable, room: int, highest: int | None = None
    ) -> Readable | None:
        """Return the volume cut to ``room`` sectors, ``None`` where that cannot be."""
        if highest is None:
            highest = VolumeReader(self._device, 0, volume.layout).table.highest_used()
        boot = shortened(volume.boot, room)
        if boot is None or (highest and volume.layout.sector_of(highest + 1) > room):
            return None
        return volume._replace(boot=boot)

    def _rebuilt(self, place: Place, volume: Readable, start: int, sectors: int) -> Move:
        room = max(self._sectors - start, 0) if place.number == 0 else sectors
        return Move(place, How.REBUILD, start, room, _type_byte(place, volume), volume)

    def _holds_files(self, move: Move) -> bool:
        volume = move.volume
        if volume is None:
            return True
        reader = VolumeReader(self._device, move.place.start, volume.layout)
        return any(not found.item.is_dir for found in reader.walk())


def _type_byte(place: Place, volume: Readable | None) -> int:
    """Return the type byte for a partition: its own, if it fits to what is in it."""
    if volume is None:
        return place.type_byte or (0x07 if place.kind in {"exFAT", "NTFS"} else 0x83)
    if volume.geometry is not None and place.type_byte in FAT_TYPES:
        return place.type_byte
    return partition_type(volume.layout.fat_type, place.start, place.sectors)
