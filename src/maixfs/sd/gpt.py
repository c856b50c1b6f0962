"""GUID partition tables (GPT), read defensively to name what is on a card.

The board does not know them: FatFs only sees the protective entry of sector 0. Source: UEFI
specification, section 5.3.
"""

from __future__ import annotations

import uuid
from binascii import crc32
from typing import TYPE_CHECKING, NamedTuple

from maixfs.record import Record, field
from maixfs.sd.device import SECTOR
from maixfs.sd.errors import SectorError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maixfs.sd.device import SectorDevice

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


TYPE_NAMES = {
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
        return TYPE_NAMES.get(self.type_guid, self.type_guid)

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
