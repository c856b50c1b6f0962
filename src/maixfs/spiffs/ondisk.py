"""The records of SPIFFS as they lie on flash, and nothing else (docs/SPEC.md, sections 2 and 3).

All integers are little-endian. Field names are those of the specification.
"""

from __future__ import annotations

import struct
import sys
from array import array
from typing import NamedTuple

ID_FREE = 0xFFFF
"""Look-up entry of a page that was never written since its block was erased."""
ID_DELETED = 0x0000
"""Look-up entry of a deleted page."""
ID_INDEX = 0x8000
"""Set in an object id: the page is an index page of that object."""
PAGE_NONE = 0xFFFF
"""Index table entry that names no page."""
SIZE_UNDEFINED = 0xFFFFFFFF
"""Size of an object that was created and never written; it means 0."""
MAGIC = 0x20140529
"""Base of the block magic."""
ERASE_COUNT_WRAP = 0x8000
"""The erase counter goes back to 0 here."""
TYPE_FILE = 1
"""The only object type that is ever written."""

# Flags of a page are active low.
USED = 0x01
FINAL = 0x02
INDEX = 0x04
IXDELE = 0x40
DELET = 0x80

FLAGS_OPEN = 0xFF & ~USED
"""Page in use, being written."""
FLAGS_DATA = 0xFF & ~(USED | FINAL)
"""Data page, finished."""
FLAGS_INDEX = 0xFF & ~(USED | FINAL | INDEX)
"""Index page, finished."""
FLAGS_INDEX_OPEN = 0xFF & ~(USED | INDEX)
"""Index page, being written."""
FLAGS_REMOVING = 0xFF & ~(USED | FINAL | INDEX | IXDELE)
"""Index header of a file that is being removed."""
FLAGS_DELETE = 0xFF & ~(USED | DELET)
"""What is programmed over the flags of a page to delete it, without looking at them."""


class PageHeader(NamedTuple):
    """First bytes of every object page."""

    obj_id: int
    span_ix: int
    flags: int


PAGE_HEADER = struct.Struct("<HHB")
FLAGS_OFFSET = 4
INDEX_PAGE_TABLE = 8
"""Offset of the table in an index page of span 1 and up."""


class IndexHeader(NamedTuple):
    """Start of the object index header, the index page of span 0 (then name, meta, table)."""

    obj_id: int
    span_ix: int
    flags: int
    size: int
    type: int


INDEX_HEADER = struct.Struct("<HHB3xIB")
SIZE_OFFSET = 8
NAME_OFFSET = INDEX_HEADER.size
BLOCK_SIGNATURE = struct.Struct("<HH")
"""Magic and erase count, the last four bytes of the look-up pages of a block."""
U16 = struct.Struct("<H")
U32 = struct.Struct("<I")

FIELDS: dict[str, tuple[tuple[str, int, int, str], ...]] = {
    "page header": (
        ("obj_id", 0, 2, "object id; bit 15 set on index pages"),
        ("span_ix", 2, 2, "which part of the object this is, from 0"),
        ("flags", 4, 1, "active low: USED 01, FINAL 02, INDEX 04, IXDELE 40, DELET 80"),
    ),
    "object index header": (
        ("obj_id", 0, 2, "object id with bit 15"),
        ("span_ix", 2, 2, "0"),
        ("flags", 4, 1, "F8 when live"),
        ("_align", 5, 3, "not defined; copied along"),
        ("size", 8, 4, "bytes of the file; FFFFFFFF before the first write"),
        ("type", 12, 1, "1 = file"),
        ("name", 13, -1, "NAME_LEN bytes, padded with zeros, ends in a zero"),
        ("meta", -1, -1, "META_LEN bytes, FF when not given"),
        ("table", -1, -1, "page number of each data page, 16 bits each; FFFF = none"),
    ),
    "object index page": (
        ("obj_id", 0, 2, "object id with bit 15"),
        ("span_ix", 2, 2, "1, 2, 3, ..."),
        ("flags", 4, 1, "F8 when live"),
        ("_align", 5, 3, "FF when created"),
        ("table", 8, -1, "page number of each data page, 16 bits each; FFFF = none"),
    ),
}
"""Field name, offset, length (-1: depends on the geometry), meaning; for docs and hex views."""


def u16_array(data: bytes | bytearray | memoryview) -> array[int]:
    """Return little-endian 16-bit words; an odd last byte is dropped."""
    words = array("H", bytes(data[: len(data) & ~1]))
    if sys.byteorder == "big":
        words.byteswap()
    return words


def until_nul(name: bytes) -> bytes:
    """Return a name field up to its first zero byte."""
    return name.partition(b"\0")[0]
