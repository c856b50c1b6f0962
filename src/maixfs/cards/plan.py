"""What becomes of each volume when a card is converted, decided before anything is written."""

from __future__ import annotations

from enum import Enum

from maixfs.cards.newimage import CardError
from maixfs.fat import ondisk
from maixfs.fat.geometry import FatGeometry, decode_geometry, has_fat_text, read_geometry
from maixfs.fat.ondisk import BootSector, Extension16, Extension32
from maixfs.fat.probe import probe_volume
from maixfs.fat.reader import FatReader
from maixfs.record import Part
from maixfs.sd.device import SectorDevice
from maixfs.sd.errors import SectorError
from maixfs.sd.mbr import FAT_TYPES, SLOTS, partition_type
from maixfs.sd.partitions import CardPartition, PartitionTable
from maixfs.tuples import NamedTuple

_BACKUPS = (6, 12)
"""Where formatters put the backup of a FAT32 boot sector."""
_HIDDEN = BootSector.part("BPB_HiddSec")
_TOTAL_16 = BootSector.part("BPB_TotSec16")
_TOTAL_32 = BootSector.part("BPB_TotSec32")
_FSINFO = Extension32.part("BPB_FSInfo")
_MARK_16 = Extension16.part("BS_Reserved1")
_MARK_32 = Extension32.part("BS_Reserved1")
_EXFAT = b"EXFAT   "
"""BS_OEMName of exFAT."""


class Readable(NamedTuple):
    """A FAT volume that can be read, and the boot sector that makes that so."""

    boot: bytes
    geometry: FatGeometry
    is_mountable: bool
    """Whether FatFs accepts it."""
    change: str = ""
    """The change of the boot sector, as a sentence."""


def find_readable(device: SectorDevice, start: int) -> Readable | None:
    """Return the FAT volume at sector ``start``, or ``None`` if it cannot be read.

    A damaged boot sector is replaced by its backup if that is better.
    """
    sector = _read(device, start)
    if sector is None or BootSector.unpack(sector).BS_OEMName == _EXFAT:
        return None
    # The gentlest correction first: the sector as it is, then with its signature, then a backup,
    # which may be older.
    signed = sector[: ondisk.SIGNATURE_OFFSET] + ondisk.SIGNATURE_BYTES
    tries = [(sector, ""), (signed, "its boot sector got 55 AA")]
    for at in _BACKUPS:
        backup = _read(device, start + at)
        if backup is not None:
            tries.append((backup, "its boot sector was taken from the backup"))
    for boot, change in tries:
        geometry, refusal = decode_geometry(boot)
        if geometry is not None and refusal is None:
            return Readable(boot, geometry, True, change)
    geometry = decode_geometry(sector)[0] if has_fat_text(sector) else None
    return None if geometry is None else Readable(sector, geometry, False)


def moved(boot: bytes, start: int) -> bytes:
    """Return a boot sector for a volume that begins at sector ``start`` of its card."""
    # FatFs does not read the field; computers that boot from the volume do.
    return _put(boot, _HIDDEN, start)


def shortened(boot: bytes, sectors: int) -> bytes | None:
    """Return a boot sector for a volume cut to ``sectors`` sectors.

    ``None`` where so few clusters would make it another type of FAT.
    """
    old = read_geometry(boot)
    if sectors <= old.data_start:
        return None
    # The 16-bit field wins where it is not 0, so that one has to change (docs/SPEC.md, 14.2).
    is_16 = BootSector.unpack(boot).BPB_TotSec16 != 0
    cut = _put(boot, _TOTAL_16 if is_16 else _TOTAL_32, sectors)
    new, refusal = decode_geometry(cut)
    # The number of clusters alone decides the type: a shorter volume could become FAT16, whose
    # entries have another size.
    is_same = new is not None and refusal is None and new.fat_type == old.fat_type
    return cut if is_same else None


def unmarked(boot: bytes, fat_type: int) -> bytes:
    """Return a boot sector without the mark that the volume was not unmounted."""
    mark = _MARK_32 if fat_type == 32 else _MARK_16
    return _put(boot, mark, mark.unpack(boot)[0] & ~ondisk.BOOT_DIRTY)


def with_fsinfo(boot: bytes, sector: int) -> bytes:
    """Return a FAT32 boot sector that says where FSInfo is."""
    return _put(boot, _FSINFO, sector)


def _read(device: SectorDevice, sector: int) -> bytes | None:
    try:
        return device.read(sector, 1)
    except SectorError:
        return None


def _put(boot: bytes, part: Part, value: int) -> bytes:
    changed = bytearray(boot)
    part.pack_into(changed, 0, value)
    return bytes(changed)


GAP = 2048
"""Sectors in front of the first partition, 1 MiB."""
_EFI_SYSTEM = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
"""Type of the partition that holds boot loaders (UEFI specification)."""


class How(Enum):
    """How a volume gets into the new card."""

    KEEP = "keep"
    """Its sectors are copied, and marks and counts are corrected in the copy."""
    REBUILD = "rebuild"
    """A new volume is made, and every file is copied into it."""
    RAW = "raw"
    """Its sectors are copied; the contents are unknown."""


class Move(NamedTuple):
    """How one volume gets to the new card."""

    place: CardPartition
    how: How
    start: int
    """First sector on the new card."""
    sectors: int
    type_byte: int
    volume: Readable | None = None


class Plan(NamedTuple):
    """How a card is converted."""

    sectors: int
    """Capacity of the new one."""
    moves: tuple[Move, ...]
    """In the order of the new card's slots."""
    changes: tuple[str, ...]
    """The differences from the old card, without the corrections in copied volumes."""
    extended: tuple[CardPartition, ...] = ()
    """Extended partitions that stay, with the logical ones in them."""


def plan_moves(device: SectorDevice, table: PartitionTable, sectors: int | None = None) -> Plan:
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

    def of_superfloppy(self, table: PartitionTable) -> Plan:
        """Move the volume that fills the card behind a gap for the partition table."""
        place = table.partitions[0]
        volume = find_readable(self._device, 0)
        if volume is None:
            what = probe_volume(self._device, 0).kind
            raise CardError(f"the {what} on it cannot be converted")
        if not volume.is_mountable:
            move = self._rebuilt(place, volume, GAP, self._sectors - GAP)
            self._changes.append("it got an MBR")
            return self._plan([move])
        wanted = min(volume.geometry.total_sectors, self._device.sectors)
        room = self._sectors - GAP
        if wanted > room:
            cut = self._shortened(volume, room)
            if cut is None:
                self._sectors, room = wanted + GAP, wanted
            else:
                volume = cut
                self._changes.append(f"its volume was cut to {room} sectors, of free ones")
        self._changes.append(f"it got an MBR, its volume was moved to sector {GAP:#x}")
        kind = self._type_byte(place, volume)
        return self._plan([Move(place, How.KEEP, GAP, min(wanted, room), kind, volume)])

    def of_gpt(self, table: PartitionTable) -> Plan:
        """Keep everything in its place, FAT with files first."""
        moves = [self._move(place) for place in table.partitions]
        first = [move for move in moves if move.how is not How.RAW]
        boot = [move for move in first if move.place.type.upper() == _EFI_SYSTEM]
        data = [move for move in first if move not in boot]
        empty = [move for move in boot if not self._holds_files(move)]
        # A board mounts the first slot with FAT as /sd: the EFI partition of a PC must not come
        # before the data.
        order = data + [move for move in boot if move not in empty]
        order += [move for move in moves if move.how is How.RAW]
        self._changes += [
            f"partition {move.place.number}, EFI without files, is left out" for move in empty
        ]
        self._changes.append("the GPT was replaced by an MBR")
        if len(order) > SLOTS:
            raise CardError(
                f"it has {len(order)} partitions, and an MBR has room for {SLOTS}",
                hint="copy the files of some of them away, and remove those partitions",
            )
        return self._plan(order)

    def of_slots(self, table: PartitionTable) -> Plan:
        """Keep everything in its place, and the slots without gaps."""
        end = self._device.sectors
        extended = [
            place._replace(sectors=min(place.sectors, end - place.start))
            for place in table.partitions
            if place.extended and place.start < end
        ]
        logical = [self._move(place) for place in table.partitions if place.scheme == "logical"]
        moves = [
            self._move(place)
            for place in table.partitions
            if place.scheme != "logical" and not place.extended
        ]
        if table.lost:
            self._changes.append("it got an MBR that leads to the volumes that were found")
        elif not table.signature:
            self._changes.append("its partition table got 55 AA")
        # FatFs never sees logical partitions, so they become primary ones where the table has
        # room.
        if extended and len(moves) + len(logical) <= SLOTS:
            self._changes += [
                f"logical partition {move.place.number} became slot {at}"
                for at, move in enumerate(logical, len(moves) + 1)
            ]
            moves, extended = moves + logical, []
        for at, move in enumerate(moves, 1):
            if move.place.scheme == "MBR" and move.place.number != at and not extended:
                self._changes.append(f"slot {move.place.number} became slot {at}")
        return self._plan(moves, tuple(extended))

    def _plan(self, moves: list[Move], extended: tuple[CardPartition, ...] = ()) -> Plan:
        end = max((move.start + move.sectors for move in moves), default=0)
        if end > self._sectors:
            raise CardError(
                f"the volumes end at sector {end:#x}, the new card at {self._sectors:#x}",
                hint="make the new card larger",
            )
        return Plan(self._sectors, tuple(moves), tuple(self._changes), extended)

    def _move(self, place: CardPartition) -> Move:
        """Decide about a volume that stays in its place."""
        room = self._device.sectors - place.start
        volume = find_readable(self._device, place.start) if room > 0 else None
        sectors = min(place.sectors, room)
        if volume is None:
            if sectors <= 0:
                raise CardError(
                    f"partition {place.number} lies behind the end of the card",
                    hint="copy the card again, completely: this is the start of a larger one",
                )
            return Move(place, How.RAW, place.start, sectors, self._type_byte(place, None))
        if not volume.is_mountable:
            return self._rebuilt(place, volume, place.start, sectors)
        if max(place.sectors, volume.geometry.total_sectors) > room:
            return self._cut(place, volume, room)
        # A table entry that is shorter than its volume does not stop FatFs (docs/SPEC.md, 13.2),
        # but computers cut such a volume off.
        sectors = max(place.sectors, volume.geometry.total_sectors)
        if sectors > place.sectors:
            self._changes.append(f"partition {place.number} is as long as its volume")
        return self._kept(place, volume, sectors)

    def _kept(self, place: CardPartition, volume: Readable, sectors: int) -> Move:
        kind = self._type_byte(place, volume)
        if place.scheme in {"MBR", "logical"} and kind != place.type_byte:
            self._changes.append(
                f"partition {place.number} got type 0x{kind:02X} for {place.type}"
            )
        return Move(place, How.KEEP, place.start, sectors, kind, volume)

    def _cut(self, place: CardPartition, volume: Readable, room: int) -> Move:
        """Shorten a volume that goes past the end of the card, or make a new one."""
        table = FatReader(self._device, place.start, volume.geometry).table
        highest = table.highest_used()
        # Only free clusters may be cut off: the last one in use must end before the card does.
        if highest and volume.geometry.sector_of(highest + 1) > room:
            raise CardError(
                f"files of partition {place.number} lie beyond the end of the card",
                hint="unpack the others, or make a complete copy of the card",
            )
        if volume.geometry.total_sectors <= room:
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
        """Return the volume cut to ``room`` sectors, or ``None`` if that is impossible."""
        if highest is None:
            highest = FatReader(self._device, 0, volume.geometry).table.highest_used()
        boot = shortened(volume.boot, room)
        if boot is None or (highest and volume.geometry.sector_of(highest + 1) > room):
            return None
        return volume._replace(boot=boot)

    def _rebuilt(self, place: CardPartition, volume: Readable, start: int, sectors: int) -> Move:
        room = max(self._sectors - start, 0) if place.number == 0 else sectors
        return Move(place, How.REBUILD, start, room, self._type_byte(place, volume), volume)

    def _holds_files(self, move: Move) -> bool:
        volume = move.volume
        if volume is None:
            return True
        reader = FatReader(self._device, move.place.start, volume.geometry)
        return any(not found.item.is_dir for found in reader.walk())

    def _type_byte(self, place: CardPartition, volume: Readable | None) -> int:
        """Return the type byte for a partition: its own, if that matches the contents."""
        if volume is None:
            kind = probe_volume(self._device, place.start).kind
            # Partitions of a GPT have no type byte: 07 is what Windows uses for both, 83 is Linux.
            return place.type_byte or (0x07 if kind in {"exFAT", "NTFS"} else 0x83)
        if volume.is_mountable and place.type_byte in FAT_TYPES:
            return place.type_byte
        return partition_type(volume.geometry.fat_type, place.start, place.sectors)
