"""The records of SPIFFS as they lie on flash (docs/SPEC.md, sections 2 and 3).

All integers are little-endian. Field names are those of the specification.
"""

from __future__ import annotations

import struct
import sys
from array import array

from maixfs.record import Record, field

ID_FREE = 0xFFFF
"""Look-up entry of a page that was not written since its block was erased."""
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

# Flags of a page are active low: clearing a bit sets the flag, so that no flag needs an erase.
# A reader must test single bits: how a deleted page looks depends on the driver of the chip.
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
FLAGS_REMOVING = 0xFF & ~(USED | FINAL | INDEX | IXDELE)
"""Index header of a file that is being removed."""
FLAGS_DELETE = 0xFF & ~(USED | DELET)
"""What is programmed over the flags of a page to delete it, without reading them."""


class PageHeader(Record):
    """First bytes of every object page."""

    obj_id: int = field("H", "object id; bit 15 set on index pages")
    span_ix: int = field("H", "which part of the object this is, from 0")
    flags: int = field("B", "active low: USED 01, FINAL 02, INDEX 04, IXDELE 40, DELET 80")


class IndexHeader(Record):
    """Start of the object index header, the index page of span 0; name, meta and table follow."""

    obj_id: int = field("H", "object id with bit 15")
    span_ix: int = field("H", "0")
    flags: int = field("B", "F8 when live")
    # The C's compiler aligns the size here; the bytes between hold whatever was on its stack.
    _align: bytes = field("3s", "not defined; copied along")
    file_size: int = field("I", "bytes of the file; FFFFFFFF before the first write")
    type: int = field("B", "1 = file")


class IndexPage(Record):
    """Start of an index page of span 1 and up; its table follows."""

    obj_id: int = field("H", "object id with bit 15")
    span_ix: int = field("H", "1, 2, 3, ...")
    flags: int = field("B", "F8 when live")
    _align: bytes = field("3s", "FF when created")


class BlockSignature(Record):
    """The last bytes of the look-up pages of a block."""

    magic: int = field("H", "follows from page size and place in the area; last one written")
    erase_count: int = field("H", "the area's erase counter when the block was erased")


FLAGS_OFFSET = PageHeader.offset_of("flags")
"""Offset of the flags in every object page."""
SIZE = IndexHeader.part("file_size")
"""The size of a file in its index header."""
TYPE = IndexHeader.part("type")
ERASE_COUNT = BlockSignature.part("erase_count")
MAGIC_WORD = BlockSignature.part("magic")
NAME_OFFSET = IndexHeader.size
"""Offset of the name in an index header."""
INDEX_PAGE_TABLE = IndexPage.size
"""Offset of the table in an index page of span 1 and up."""
U16 = struct.Struct("<H")
"""A look-up entry, and an entry of an index table."""

Row = tuple[str, int, int, str]


def _rows(record: type[Record]) -> tuple[Row, ...]:
    return tuple((f.name, f.offset, f.size, f.meaning) for f in record.fields)


_TABLE = "page number of each data page, 16 bits each; FFFF = none"
FIELDS: dict[str, tuple[Row, ...]] = {
    "page header": _rows(PageHeader),
    "object index header": (
        *_rows(IndexHeader),
        ("name", NAME_OFFSET, -1, "NAME_LEN bytes, padded with zeros, ends in a zero"),
        ("meta", -1, -1, "META_LEN bytes, FF when not given"),
        ("table", -1, -1, _TABLE),
    ),
    "object index page": (*_rows(IndexPage), ("table", INDEX_PAGE_TABLE, -1, _TABLE)),
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
