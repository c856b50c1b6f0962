"""The records of partition tables as they lie on a card, and nothing else (docs/SPEC.md).

All integers are little-endian; sectors are counted from the start of the card.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

SIGNATURE = b"\x55\xaa"
"""Last two bytes of sector 0, of an extended boot record and of any boot sector."""
DISK_ID_OFFSET = 440
"""Where Windows and Linux keep the number of the disk."""
PARTITION_TABLE_OFFSET = 446
SLOTS = 4


class PartitionEntry(NamedTuple):
    """A slot of the partition table: 16 bytes."""

    status: int
    chs_first: bytes
    type: int
    chs_last: bytes
    start: int
    sectors: int


PARTITION_ENTRY = struct.Struct("<B3sB3sII")


class GptHeader(NamedTuple):
    """The header of a GUID partition table, in sector 1 and in the last one."""

    signature: bytes
    revision: int
    header_size: int
    header_crc: int
    reserved: int
    my_lba: int
    alternate_lba: int
    first_usable: int
    last_usable: int
    disk_guid: bytes
    entries_lba: int
    entries: int
    entry_size: int
    entries_crc: int


GPT_HEADER = struct.Struct("<8sIIIIQQQQ16sQIII")
GPT_SIGNATURE = b"EFI PART"


class GptEntry(NamedTuple):
    """A partition of a GUID partition table: the first 128 bytes of its entry."""

    type_guid: bytes
    guid: bytes
    first: int
    last: int
    attributes: int
    name: bytes


GPT_ENTRY = struct.Struct("<16s16sQQQ72s")

FIELDS: dict[str, tuple[tuple[str, int, int, str], ...]] = {
    "partition entry": (
        ("status", 0, 1, "80: active; 00"),
        ("chs_first", 1, 3, "head, sector | cylinder 9:8 << 6, cylinder 7:0; nobody reads it"),
        ("type", 4, 1, "00: the slot is free; FatFs looks for nothing else in it"),
        ("chs_last", 5, 3, "the same for the last sector; FE FF FF where it is out of reach"),
        ("start", 8, 4, "first sector"),
        ("sectors", 12, 4, "length; FatFs reads it only when it formats"),
    ),
}
"""Field name, offset, length, meaning; for docs and hex views."""
