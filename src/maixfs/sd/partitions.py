"""What divides a card: its partition table, or where volumes lie without one.

    for part in read_partitions(card).partitions: ...

One defensive reader for MBR, logical partitions, GPT, cards that are one volume, and cards whose
table is gone. ``maixfs.fat.probe`` says what is in a partition and which ones a board mounts.
"""

from __future__ import annotations

import uuid
from binascii import crc32
from typing import TYPE_CHECKING

from maixfs.record import Record, field
from maixfs.sd.device import SECTOR
from maixfs.sd.errors import SectorError
from maixfs.sd.mbr import PROTECTIVE, SIGNATURE, SLOTS, MbrSector, Partition
from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maixfs.sd.device import SectorDevice

MAX_LOGICAL = 128
"""Logical partitions that are read at most: the chain of a damaged card may be a loop."""
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
    """Whether sector 0 ends in 55 AA; without it FatFs finds neither table nor volume."""
    superfloppy: bool
    """Whether sector 0 is the boot sector of a volume."""
    lost: bool
    """Whether no table leads to the partitions: they are where volumes usually start."""
    blank: bool
    """Whether sector 0 holds nothing, and nothing else was found."""
    disk_id: int
    slots: tuple[Partition, ...]
    """All four slots of the MBR; all free without the signature and on a superfloppy."""
    gpt: Gpt | None
    """A GUID partition table, which the board does not see."""
    notes: tuple[str, ...]
    """Sentences about contradictions in the table."""

    @property
    def used(self) -> tuple[Partition, ...]:
        """The slots that are not free."""
        return tuple(slot for slot in self.slots if slot.used)

    @property
    def logical(self) -> tuple[CardPartition, ...]:
        """The partitions in extended ones, which the board does not see."""
        return tuple(part for part in self.partitions if part.scheme == "logical")


def read_partitions(device: SectorDevice) -> PartitionTable:
    """Return what divides a card; raises ``SectorError`` where sector 0 cannot be read."""
    sector = device.read(0, 1)
    record = MbrSector.unpack(sector)
    signature = record.signature == SIGNATURE
    # The boot code of a volume may look like slots, so the volume is tested first, as in FatFs.
    superfloppy = is_volume(sector)
    slots = tuple(read_slots(sector if signature and not superfloppy else bytes(SECTOR)))
    # Also without a protective entry: a tool that knows only MBRs may have removed it.
    gpt = read_gpt(device)
    notes = [*_contradictions(record, slots)]
    scheme, found = _found(device, sector, slots, gpt, notes)
    lost = [] if found or scheme == "GPT" else [*_lost(device)]
    if scheme == "MBR" and (lost or not (signature or found)):
        scheme = "none"
    is_empty = not sector.strip(b"\0") or not sector.strip(b"\xff")
    return PartitionTable(
        scheme=scheme,
        partitions=tuple(found or lost),
        signature=signature,
        superfloppy=superfloppy,
        lost=bool(lost),
        blank=is_empty and scheme != "GPT" and not (found or lost),
        disk_id=record.disk_id,
        slots=slots,
        gpt=gpt,
        notes=tuple(notes),
    )


def _found(
    device: SectorDevice,
    sector: bytes,
    slots: tuple[Partition, ...],
    gpt: Gpt | None,
    notes: list[str],
) -> tuple[str, list[CardPartition]]:
    """Return scheme and partitions, as far as a table leads to them."""
    if is_volume(sector):
        return "none", [CardPartition(0, "none", "", "no table", None, 0, device.sectors)]
    used = [slot for slot in slots if slot.used]
    # Slots beside the protective one: the card was partitioned again with a tool that knows MBRs
    # only, and the GPT is left over.
    if gpt is not None and all(slot.type == PROTECTIVE for slot in used):
        return "GPT", [*_of_gpt(gpt)]
    if MbrSector.unpack(sector).signature != SIGNATURE:
        return "MBR", [*_unsigned(device, sector)]
    logical: list[Partition] = []
    # The specification allows one extended partition; cards with several are read all the same.
    for slot in used:
        if slot.extended and slot.start:
            logical += _logical(device, slot, SLOTS + 1 + len(logical), notes)
    found = [_of_slot(slot, "MBR") for slot in used]
    return "MBR", found + [_of_slot(part, "logical") for part in logical[:MAX_LOGICAL]]


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


def _contradictions(record: MbrSector, slots: tuple[Partition, ...]) -> Iterator[str]:
    """Yield a sentence for each contradiction in a slot; FatFs checks none of these."""
    for slot in slots:
        if not slot.used:
            continue
        if record.entry(slot.slot - 1).status & 0x7F:
            yield f"partition {slot.slot} has a status that is neither 00 nor 80"
        if slot.start == 0 or slot.sectors == 0:
            yield f"partition {slot.slot} has no place on the card"


def _logical(
    device: SectorDevice, extended: Partition, number: int, notes: list[str]
) -> Iterator[Partition]:
    """Yield the partitions of an extended one: each has a boot record that names the next.

    Starts at slot ``number``. Stops with a note at the first record that cannot be used.
    """
    # A record that is visited twice closes a loop; the limit bounds a chain without one.
    at, seen = extended.start, set[int]()
    while at not in seen and len(seen) < MAX_LOGICAL:
        seen.add(at)
        try:
            record = MbrSector.unpack(device.read(at, 1))
        except SectorError:
            notes.append(f"the extended boot record at {at:#x} cannot be read")
            return
        if record.signature != SIGNATURE:
            notes.append(f"the extended boot record at {at:#x} does not end in 55 AA")
            return
        entry, following = record.entry(0), record.entry(1)
        if entry.type and entry.sectors:
            # Its start counts from this record; that of the next record from the first one.
            start, bootable = at + entry.start, entry.status == 0x80
            yield Partition(number, entry.type, start, entry.sectors, bootable)
            number += 1
        if not following.type or not following.start:
            return
        at = extended.start + following.start
    notes.append(f"the chain of extended boot records from {extended.start:#x} on has no end")


# Boot sectors and slots


class _VolumeMarks(Record):
    """The fields that distinguish the boot sector of a volume from a partition table."""

    jump: bytes = field("1s", "first byte of a jump instruction")
    oem_name: bytes = field("8s", "names exFAT and NTFS", at=3)
    sectors_16: int = field("H", "sectors of a FAT volume; 0: see sectors_32", at=19)
    sectors_32: int = field("I", "the same, 32 bits", at=32)
    fat: bytes = field("3s", "start of the type on FAT12 and FAT16", at=54)
    fat32: bytes = field("5s", "start of the type on FAT32", at=82)


def is_volume(sector: bytes) -> bool:
    """Return True if a sector is the boot sector of a FAT, exFAT or NTFS volume."""
    marks = _VolumeMarks.unpack(sector)
    jump = marks.jump in (b"\xeb", b"\xe9", b"\xe8")
    fat = marks.fat == b"FAT" or marks.fat32 == b"FAT32"
    return jump and (fat or marks.oem_name in (b"EXFAT   ", b"NTFS    "))


def volume_sectors(sector: bytes) -> int:
    """Return the length of the FAT volume that starts with ``sector``; 0 where none is stored."""
    marks = _VolumeMarks.unpack(sector)
    return marks.sectors_16 or marks.sectors_32 if is_volume(sector) else 0


def read_slots(sector: bytes) -> Iterator[Partition]:
    """Yield the four slots of a sector without checking that it is a partition table."""
    table = MbrSector.unpack(sector)
    for number in range(SLOTS):
        entry = table.entry(number)
        yield Partition(number + 1, entry.type, entry.start, entry.sectors, entry.status == 0x80)


def plausible_slots(sector: bytes) -> tuple[Partition, ...]:
    """Return the used slots if all four look like those of a table, with or without 55 AA."""
    table = MbrSector.unpack(sector)
    used = [slot for slot in read_slots(sector) if slot.used]
    # The bytes of a blank or random sector rarely have four valid status bytes and places.
    plausible = all(table.entry(number).status in (0, 0x80) for number in range(SLOTS))
    placed = all(slot.start and slot.sectors for slot in used)
    return tuple(used) if plausible and placed else ()


# GUID partition tables (UEFI specification, section 5.3)

GPT_SIGNATURE = b"EFI PART"


class GptHeader(Record):
    """The header of a table, in sector 1 and, as a copy, in the last sector."""

    signature: bytes = field("8s", "EFI PART")
    revision: int = field("I")
    header_size: int = field("I", "bytes that header_crc covers")
    header_crc: int = field("I", "CRC-32 of the header with this field 0")
    reserved: int = field("I")
    my_lba: int = field("Q", "sector of this header")
    alternate_lba: int = field("Q", "sector of the other one")
    first_usable: int = field("Q")
    last_usable: int = field("Q")
    disk_guid: bytes = field("16s")
    entries_lba: int = field("Q", "first sector of the entries")
    entries: int = field("I", "number of entries")
    entry_size: int = field("I", "bytes of each entry")
    entries_crc: int = field("I", "CRC-32 of all entries")


class GptEntry(Record):
    """A partition: the first 128 bytes of its entry."""

    type_guid: bytes = field("16s", "zero: the entry is unused")
    guid: bytes = field("16s")
    first: int = field("Q", "first sector")
    last: int = field("Q", "last sector")
    attributes: int = field("Q")
    name: bytes = field("72s", "UTF-16")


GPT_TYPE_NAMES = {
    "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7": "Microsoft basic data (FAT, exFAT, NTFS)",
    "E3C9E316-0B5C-4DB8-817D-F92DF00215AE": "Microsoft reserved",
    "DE94BBA4-06D1-4D40-A16A-BFD50179D6AC": "Windows recovery",
    "C12A7328-F81F-11D2-BA4B-00A0C93EC93B": "EFI system",
    "21686148-6449-6E6F-744E-656564454649": "BIOS boot",
    "0FC63DAF-8483-4772-8E79-3D69D8477DE4": "Linux",
    "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F": "Linux swap",
    "E6D6D379-F507-44C2-A23C-238F2A3DF928": "Linux LVM",
    "A19D880F-05FC-4D3B-A006-743F0F84911E": "Linux RAID",
    "CA7D7CCB-63ED-4C53-861C-1742536059CC": "Linux encrypted (LUKS)",
    "48465300-0000-11AA-AA11-00306543ECAC": "HFS+",
    "7C3457EF-0000-11AA-AA11-00306543ECAC": "APFS",
}
MAX_ENTRIES = 1024
"""Entries that are read at most; the usual table has 128."""
_MAX_ENTRY_SIZE = 4096


class GptPartition(NamedTuple):
    """A partition of a GUID partition table."""

    number: int
    """From 1, as operating systems count."""
    name: str
    type_guid: str
    start: int
    sectors: int

    @property
    def type_name(self) -> str:
        """The name of its type."""
        return GPT_TYPE_NAMES.get(self.type_guid, self.type_guid)

    @property
    def end(self) -> int:
        """Sector after the last one."""
        return self.start + self.sectors


class Gpt(NamedTuple):
    """A GUID partition table."""

    disk_guid: str
    partitions: tuple[GptPartition, ...]
    intact: bool
    """The checksums of header and entries are right."""
    backup: bool
    """It was read from the last sector because the one in sector 1 is damaged."""


def read_gpt(device: SectorDevice) -> Gpt | None:
    """Read the table in sector 1, or if that is damaged, its copy in the last sector.

    Returns ``None`` if sector 1 has no header. A copy alone does not count: it is left over from
    an earlier partitioning, since tools that write a new table overwrite only sectors 0 and 1.
    """
    # The copy costs a read at the end of the card, which is only needed for a damaged table.
    first = _read_at(device, 1, backup=False)
    if first is None or first.intact:
        return first
    copy = _read_at(device, device.sectors - 1, backup=True)
    return copy if copy is not None and copy.intact else first


def _read_at(device: SectorDevice, sector: int, *, backup: bool) -> Gpt | None:
    raw = _read(device, sector, 1)
    if raw[: len(GPT_SIGNATURE)] != GPT_SIGNATURE:
        return None
    header = GptHeader.unpack(raw)
    # A damaged header may claim 2^32 entries of 2^32 bytes; neither may be allocated.
    count, size = min(header.entries, MAX_ENTRIES), header.entry_size
    if not GptEntry.size <= size <= _MAX_ENTRY_SIZE:
        # The header shows that there was a table, which matters before a card is formatted.
        return Gpt(_guid(header.disk_guid), (), intact=False, backup=backup)
    table = _read(device, header.entries_lba, -(-count * size // SECTOR))[: count * size]
    whole = count == header.entries and len(table) == count * size
    return Gpt(
        disk_guid=_guid(header.disk_guid),
        partitions=tuple(_partitions(table, size)),
        intact=whole and _is_intact(raw, header) and crc32(table) == header.entries_crc,
        backup=backup,
    )


def _read(device: SectorDevice, sector: int, count: int) -> bytes:
    """Return sectors, or no bytes if they cannot be read."""
    try:
        return device.read(sector, count)
    except SectorError:
        return b""


def _is_intact(raw: bytes, header: GptHeader) -> bool:
    if not GptHeader.size <= header.header_size <= SECTOR:
        return False
    # A later revision may have a longer header, whose further bytes count too.
    rest = raw[GptHeader.size : header.header_size]
    return crc32(header.replace(header_crc=0).pack() + rest) == header.header_crc


def _partitions(table: bytes, size: int) -> Iterator[GptPartition]:
    for number, at in enumerate(range(0, len(table) - size + 1, size), 1):
        entry = GptEntry.unpack(table, at)
        if entry.type_guid.strip(b"\0"):
            name = entry.name.decode("utf-16-le", "replace").partition("\0")[0]
            # Places are not checked here: who reads them decides what a wrong one means.
            length = max(entry.last - entry.first + 1, 0)
            yield GptPartition(number, name, _guid(entry.type_guid), entry.first, length)


def _guid(raw: bytes) -> str:
    return str(uuid.UUID(bytes_le=raw)).upper()
