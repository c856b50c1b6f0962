"""GUID partition tables, which the board does not know: read to say what is on a card."""

from __future__ import annotations

import uuid
from binascii import crc32
from typing import TYPE_CHECKING, NamedTuple

from maixfs.sd.device import SECTOR
from maixfs.sd.errors import SectorError
from maixfs.sd.ondisk import GPT_ENTRY, GPT_HEADER, GPT_SIGNATURE, GptEntry, GptHeader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maixfs.sd.device import SectorDevice

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
"""Entries that are read at most; a usual table has 128."""
_MAX_ENTRY_SIZE = 4096


class GptPartition(NamedTuple):
    """A partition of a GUID partition table."""

    number: int
    """From 1, as the operating systems count."""
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
    """It was read from the end of the card, because the first one is gone or damaged."""


def read_gpt(device: SectorDevice) -> Gpt | None:
    """Read the table at sector 1, or where that is damaged, its copy in the last sector.

    ``None`` where there is neither. A copy alone, without anything in sector 1, is left over
    from former times and does not count.
    """
    first = _read_at(device, 1, backup=False)
    if first is None or first.intact:
        return first
    copy = _read_at(device, device.sectors - 1, backup=True)
    return copy if copy is not None and copy.intact else first


def _read_at(device: SectorDevice, sector: int, *, backup: bool) -> Gpt | None:
    raw = _read(device, sector, 1)
    if raw[: len(GPT_SIGNATURE)] != GPT_SIGNATURE:
        return None
    header = GptHeader._make(GPT_HEADER.unpack_from(raw))
    count, size = min(header.entries, MAX_ENTRIES), header.entry_size
    if not GPT_ENTRY.size <= size <= _MAX_ENTRY_SIZE:
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
    """Return sectors, or nothing where they cannot be read."""
    try:
        return device.read(sector, count)
    except SectorError:
        return b""


def _is_intact(raw: bytes, header: GptHeader) -> bool:
    if not GPT_HEADER.size <= header.header_size <= SECTOR:
        return False
    blanked = raw[:16] + bytes(4) + raw[20 : header.header_size]
    return crc32(blanked) == header.header_crc


def _partitions(table: bytes, size: int) -> Iterator[GptPartition]:
    for number, at in enumerate(range(0, len(table) - size + 1, size), 1):
        entry = GptEntry._make(GPT_ENTRY.unpack_from(table, at))
        if entry.type_guid.strip(b"\0"):
            name = entry.name.decode("utf-16-le", "replace").partition("\0")[0]
            length = max(entry.last - entry.first + 1, 0)
            yield GptPartition(number, name, _guid(entry.type_guid), entry.first, length)


def _guid(raw: bytes) -> str:
    return str(uuid.UUID(bytes_le=raw)).upper()
