"""Reading the entries of a directory: which belong together, and what they are called.

FatFs looks a name up and lists a directory with two loops that differ in small ways
(docs/SPEC.md); one pass here yields what both need.
"""

from __future__ import annotations

import struct
from codecs import utf_16_le_decode
from operator import itemgetter
from typing import TYPE_CHECKING

from maixfs.fat.entry import FatEntry
from maixfs.fat.longname import checksum, read_long
from maixfs.fat.names import listed_name, short_oem, short_text
from maixfs.fat.ondisk import (
    ATTR_LONG_NAME,
    ATTR_LONG_NAME_MASK,
    DIR_ENTRY,
    ENTRY_FREE,
    ENTRY_SIZE,
    LAST_LONG_ENTRY,
    LONG_UNITS,
    Attribute,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maixfs.fat.node import Node

_new_tuple = tuple.__new__  # a quarter of the time that FatEntry's own takes
_DOT = ord(".")
_NOT_SHORT = (0, ENTRY_FREE, _DOT)
_VOLUME_ID = int(Attribute.VOLUME_ID)
_ARCHIVE = int(Attribute.ARCHIVE)


class Item:
    """A short entry with the long ones before it.

    ``first`` is where removing it begins: the last start of a long name before it, believed or
    not, as in FatFs. ``long`` is the long name if the entries before it are one. ``found`` and
    ``listed`` say whether FatFs finds it by name and lists it; the dot entries are found only.
    """

    __slots__ = ("entry", "first", "found", "listed", "long", "node", "slot")

    def __init__(
        self, slot: int, first: int, long: str | None, *, found: bool = True, listed: bool = True
    ) -> None:
        self.slot = slot
        self.first = first
        self.long = long
        self.found = found
        self.listed = listed
        self.entry: FatEntry | None = None
        self.node: Node | None = None


class SlotReader:
    """Reads the slots of ``data`` one after the other; remembers what a long name needs.

    ``next`` is the slot to be read next, ``ended`` says that it is the end of the directory.
    """

    __slots__ = ("_first", "_long", "data", "ended", "next")

    def __init__(self, data: bytearray) -> None:
        self.data = data
        self.next = 0
        self.ended = False
        self._long = -1
        """Where the long name starts that the next short entry may have."""
        self._first = -1
        """Where removing the next short entry begins."""

    def resume(self, slot: int) -> None:
        """Go on at ``slot``, after entries that were just written."""
        self.next = slot
        self.ended = False
        self._long = self._first = -1

    def items(self) -> Iterator[Item]:
        """Yield what the slots hold up to the end of the directory or of ``data``."""
        data = self.data
        slot, end = self.next, len(data) // ENTRY_SIZE
        while slot < end:
            at = slot * ENTRY_SIZE
            byte = data[at]
            if byte == 0:
                self.ended = True
                break
            attributes = data[at + 11] & ATTR_LONG_NAME_MASK
            if byte == ENTRY_FREE:
                self._long = self._first = -1
            elif attributes != ATTR_LONG_NAME:
                item = self._short(slot, byte, attributes)
                if item is not None:
                    yield item
            elif byte & LAST_LONG_ENTRY:
                last = slot + byte - LAST_LONG_ENTRY
                long = whole_set(data, slot, last) if last < end else None
                if long is None:
                    self._long = self._first = slot
                else:
                    yield Item(last, slot, long)
                    self._long = self._first = -1
                    slot = last
            slot += 1
        self.next = slot

    def _short(self, slot: int, byte: int, attributes: int) -> Item | None:
        found = not attributes & _VOLUME_ID
        listed = byte != _DOT and attributes & ~_ARCHIVE != _VOLUME_ID
        start, first = self._long, self._first
        self._long = self._first = -1
        if not found and not listed:
            return None
        data = self.data
        long = None
        if start >= 0 and listed:
            at = slot * ENTRY_SIZE
            long = read_long(bytes(data[start * ENTRY_SIZE : at]), bytes(data[at : at + 11]))
        return Item(slot, first if first >= 0 else slot, long or None, found=found, listed=listed)


_MOST_PARTS = 19
"""A name in 20 parts may be too long; those few are looked at slot by slot."""
_ORDERS = [bytes(range(n, 0, -1)) for n in range(_MOST_PARTS + 1)]
"""LDIR_Ord of the parts of a name, the first without its mark."""
_ATTRIBUTES = [bytes((ATTR_LONG_NAME,)) * n for n in range(_MOST_PARTS + 1)]
_ZEROS = [bytes(n) for n in range(_MOST_PARTS + 1)]
_PIECES = [struct.Struct("<" + "x10s3x12s2x4s" * n) for n in range(_MOST_PARTS + 1)]
"""The three pieces of text in each part."""
_FORWARD = [
    itemgetter(*(at + piece for at in range(n * 3 - 3, -1, -3) for piece in range(3)))
    for n in range(1, _MOST_PARTS + 1)
]
"""These pieces with the first part of the name first."""
_FILL = "\uffff" * LONG_UNITS


def whole_set(data: bytearray, first: int, last: int) -> str | None:
    """Return the long name in slots ``first`` to ``last`` - 1, where all is as it should be.

    ``None`` for everything else, which is then looked at slot by slot: a short entry that is not
    a plain file's or folder's, 20 parts, a name that ends in another part than its last.
    """
    count = last - first
    if not 0 < count <= _MOST_PARTS:
        return None
    at = last * ENTRY_SIZE
    if data[at] in _NOT_SHORT or data[at + 11] & _VOLUME_ID:
        return None
    block = bytes(data[first * ENTRY_SIZE : at + 11])
    if (
        block[ENTRY_SIZE:-11:ENTRY_SIZE] != _ORDERS[count - 1]
        or block[11::ENTRY_SIZE] != _ATTRIBUTES[count]
        or block[13::ENTRY_SIZE] != bytes((checksum(block[-11:]),)) * count
        or block[26::ENTRY_SIZE] != _ZEROS[count]
        or block[27::ENTRY_SIZE] != _ZEROS[count]
    ):
        return None
    return _joined(_PIECES[count].unpack_from(block), count)


def _joined(pieces: tuple[bytes, ...], count: int) -> str | None:
    """Return the name in ``pieces``, the last part first; ``None`` if its end is an odd one."""
    text, _ = utf_16_le_decode(b"".join(_FORWARD[count - 1](pieces)), "surrogatepass", True)
    end = text.find("\0")
    if end < 0:
        return text
    fill = len(text) - end - 1
    return text[:end] if fill < LONG_UNITS and text.endswith(_FILL[:fill]) and end else None


def make_entry(data: bytearray, item: Item, folder: int, *, wide: bool) -> FatEntry:
    """Return what ``data`` says of an item; ``wide``: cluster numbers have upper halves."""
    (
        short, attributes, nt, tenths, create_time, create_date, access_date, high,
        write_time, write_date, low, size,
    ) = DIR_ENTRY.unpack_from(data, item.slot * ENTRY_SIZE)  # fmt: skip
    long = item.long
    short_name = short_text(short, 0)
    if long is None:
        oem = short_oem(short, nt)
        name = short_text(short, nt) if nt else short_name
    elif long.isascii():
        name, oem = long, long.encode("ascii")
    else:
        name, oem = long, listed_name(long, short, nt)
    return _new_tuple(FatEntry, (
        name, oem, short_name, attributes, size, high << 16 | low if wide else low,
        write_date, write_time, create_date, create_time, tenths, access_date, item.slot, folder,
    ))  # fmt: skip
