"""Entries of directories: what a slot of 32 bytes means, and which slots belong together.

Two readers share the decoding of records. ``SlotReader`` finds the files of a directory as FatFs
does, many slots at once; ``examine_slots`` classifies every slot of any bytes and never raises,
for programs that look for damage. Entries are decoded when their fields are read.
"""

from __future__ import annotations

import struct
import time
from codecs import utf_16_le_decode
from collections.abc import Callable, Iterator
from enum import Enum
from functools import lru_cache
from itertools import compress
from operator import add
from typing import Any, Protocol

from maixfs.fat import ondisk
from maixfs.fat.names import MAX_PARTS, listed_name, read_long, short_text
from maixfs.fat.ondisk import (
    ATTR_LONG_NAME,
    ATTR_LONG_NAME_MASK,
    ENTRY_FREE,
    ENTRY_SIZE,
    LAST_LONG_ENTRY,
    LONG_UNITS,
    NAME_LENGTH,
    Attribute,
    DirEntry,
    LongEntry,
)
from maixfs.tuples import NamedTuple

_DIRECTORY = int(Attribute.DIRECTORY)
_VOLUME_ID = int(Attribute.VOLUME_ID)
_ARCHIVE = int(Attribute.ARCHIVE)
_ATTRIBUTES = DirEntry.offset_of("DIR_Attr")
_NT = DirEntry.offset_of("DIR_NTRes")
_SIZE = DirEntry.part("DIR_FileSize")

# Dates and times: local time, in steps of two seconds

Clock = Callable[[], tuple[int, int]]
"""Returns the current date and time as the two words of a directory entry."""

_FIRST_YEAR, _LAST_YEAR = 1980, 2107


def pack_time(
    year: int, month: int, day: int, hour: int, minute: int, second: int
) -> tuple[int, int]:
    """Return the date word and the time word; years are limited to 1980 to 2107."""
    if year < _FIRST_YEAR:
        return 1 << 5 | 1, 0
    if year > _LAST_YEAR:
        year, month, day, hour, minute, second = _LAST_YEAR, 12, 31, 23, 59, 58
    # Seconds are halved and the rest dropped: the field has five bits.
    date = year - _FIRST_YEAR << 9 | month << 5 | day
    return date, hour << 11 | minute << 5 | min(second, 59) // 2


def unpack_time(date: int, clock_time: int) -> tuple[int, int, int, int, int, int]:
    """Return year, month, day, hour, minute and second of two words, unchecked."""
    return (
        (date >> 9) + _FIRST_YEAR, date >> 5 & 15, date & 31,
        clock_time >> 11, clock_time >> 5 & 63, (clock_time & 31) * 2,
    )  # fmt: skip


def host_clock() -> tuple[int, int]:
    """Return the host's local time."""
    return _words_of(int(time.time()))


@lru_cache(maxsize=2)
def _words_of(second: int) -> tuple[int, int]:
    return pack_time(*time.localtime(second)[:6])


# Files and folders


class FatEntry(NamedTuple):
    """A file or folder. The fields of its short entry are decoded when they are read."""

    name: str
    """Long name, or the short one in the case that its bits give."""
    raw: bytes
    """The 32 bytes of its short entry."""
    wide: bool
    """Whether DIR_FstClusHI counts: on FAT32 only."""
    size: int
    """Bytes of the file; 0 for folders. Decoded at once: nearly every listing needs it."""
    slot: int
    """Index of its short entry in its folder; -1 for the root."""
    folder: int
    """First cluster of the folder that contains it; 0 is the root."""

    @property
    def is_dir(self) -> bool:
        """Whether it is a folder."""
        return bool(self.raw[_ATTRIBUTES] & _DIRECTORY)

    @property
    def attributes(self) -> int:
        """Bits of ``Attribute``."""
        return self.raw[_ATTRIBUTES]

    @property
    def cluster(self) -> int:
        """First cluster, 0 if it has no cluster."""
        return first_cluster(self.raw, wide=self.wide)

    @property
    def oem_name(self) -> bytes:
        """The name that the firmware lists.

        That is the name in code page 437, or the short name if that lacks a character of it.
        """
        return listed_name(self.name, self.raw[:NAME_LENGTH], self.raw[_NT])

    @property
    def short_name(self) -> str:
        """The short name in upper case, such as ``MEASUR~1.CSV``."""
        return short_text(self.raw[:NAME_LENGTH], 0)

    @property
    def write_date(self) -> int:
        """Date word of the last write."""
        return self.record.DIR_WrtDate

    @property
    def write_time(self) -> int:
        """Time word of the last write."""
        return self.record.DIR_WrtTime

    @property
    def create_date(self) -> int:
        """Date word of the creation."""
        return self.record.DIR_CrtDate

    @property
    def create_time(self) -> int:
        """Time word of the creation."""
        return self.record.DIR_CrtTime

    @property
    def create_tenths(self) -> int:
        """Hundredths of two seconds to be added to ``create_time``."""
        return self.record.DIR_CrtTimeTenth

    @property
    def access_date(self) -> int:
        """Date word of the last access."""
        return self.record.DIR_LstAccDate

    @property
    def record(self) -> DirEntry:
        """All fields of the short entry."""
        return DirEntry.unpack(self.raw)


def first_cluster(raw: bytes | bytearray, at: int = 0, *, wide: bool) -> int:
    """Return the first cluster in the short entry at byte ``at`` of ``raw``.

    FAT12 and FAT16 use the lower half alone: old systems keep other data in the upper half.
    """
    # One unpack of adjacent fields: this runs for every entry of a walk.
    high, _, _, low, _ = ondisk.EXTENT.unpack(raw, at)
    return int(high << 16 | low if wide else low)


_ROOT_DATE = 0x2821
"""2000-01-01: MicroPython's date of the root, which has no entry of its own."""
_ROOT_RAW = DirEntry(b"", _DIRECTORY, 0, 0, 0, 0, 0, 0, 0, _ROOT_DATE, 0, 0).pack()
ROOT = FatEntry("", _ROOT_RAW, wide=True, size=0, slot=-1, folder=0)
"""What ``FatCore.stat`` returns for the root."""


_RAW = struct.Struct(f"{ENTRY_SIZE}s")
_new_tuple = tuple.__new__


def make_entry(data: bytearray, slot: int, long: str, *, folder: int, wide: bool) -> FatEntry:
    """Return the entry in a slot of the directory ``data`` that starts at cluster ``folder``.

    ``long`` is its long name, empty if it has only a short one.
    """
    (raw,) = _RAW.unpack_from(data, slot * ENTRY_SIZE)
    name = long or short_text(raw[:NAME_LENGTH], raw[_NT])
    # The constructor takes four times as long, and every listing is made of this.
    return _new_tuple(FatEntry, (name, raw, wide, _SIZE.unpack(raw)[0], slot, folder))


class OpenFile(Protocol):
    """What the items of a directory know of an open file; ``node.Node`` is one."""

    high: int

    def orphan(self) -> None:
        """Note that the entry was removed."""

    def empty(self) -> None:
        """Free all clusters."""

    def move(self, directory: Any, item: Item, /) -> None:
        """Note that the entry is ``item`` of ``directory`` now."""


class Item:
    """A short entry with the long ones before it, in a directory that is in RAM.

    ``first`` is the slot from which on removing it marks slots as deleted: the last start of a
    long name before it, sound or not, as FatFs does. ``long`` is the long name if it is sound.
    ``found`` and ``listed``: FatFs finds it by name, and lists it; the dot entries are found
    only. ``node`` is the open file.
    """

    __slots__ = ("first", "found", "listed", "long", "node", "slot")

    def __init__(
        self, slot: int, first: int, long: str | None, *, found: bool = True, listed: bool = True
    ) -> None:
        self.slot = slot
        self.first = first
        self.long = long
        self.found = found
        self.listed = listed
        self.node: OpenFile | None = None


# Reading as FatFs reads


class Batch:
    """What ``SlotReader.read`` found, in the order of the slots.

    ``slots`` are those of the short entries, ``longs`` their long names, empty without one.
    The rest are exceptions: ``firsts`` as in ``Item`` where it does not follow from the long
    name; slots that FatFs does not find by name; slots that it does not list.
    """

    __slots__ = ("firsts", "longs", "slots", "unfound", "unlisted")

    def __init__(self) -> None:
        self.slots: list[int] = []
        self.longs: list[str] = []
        self.firsts: dict[int, int] = {}
        self.unfound: set[int] = set()
        self.unlisted: set[int] = set()


class Items(dict[int, Item]):
    """The items of a directory by slot, made from the reader's columns when they are needed.

    A listing of names needs none: it takes ``longs``, the long names by slot.
    """

    __slots__ = ("_firsts", "_unfound", "_unlisted", "longs")

    def __init__(self) -> None:
        super().__init__()
        self.longs: dict[int, str] = {}
        self._firsts: dict[int, int] = {}
        self._unfound: set[int] = set()
        self._unlisted: set[int] = set()

    def add(self, batch: Batch) -> None:
        """Take over what a reader found."""
        self.longs.update(zip(batch.slots, batch.longs, strict=True))
        self._firsts |= batch.firsts
        self._unfound |= batch.unfound
        self._unlisted |= batch.unlisted

    def add_item(self, item: Item) -> None:
        """Take in an item that was just written."""
        self[item.slot] = item
        self.longs[item.slot] = item.long or ""

    def drop(self, slot: int) -> None:
        """Remove an item."""
        self.pop(slot, None)
        self._firsts.pop(slot, None)
        del self.longs[slot]
        self._unfound.discard(slot)
        self._unlisted.discard(slot)

    def __missing__(self, slot: int) -> Item:
        long = self.longs[slot]
        # A sound name fills its parts in order, so its first slot follows from its length.
        item = self[slot] = Item(
            slot,
            self._firsts.get(slot, slot - -(-len(long) // LONG_UNITS)),
            long or None,
            found=slot not in self._unfound,
            listed=slot not in self._unlisted,
        )
        return item


# Each slot gets a letter. The class of its first byte and that of its attributes are looked up
# for all slots with one ``translate`` each, and combined as the digits of one large number.
_START, _SHORT, _DOT, _ODD = b"Tsdo"
_LONG_PARTS = b"mT"
_FILES = b"sdo"


def _head_class(byte: int) -> int:
    if byte == ENTRY_FREE:
        return 12
    if byte == ord("."):
        return 8
    return 4 if byte & LAST_LONG_ENTRY else 0


def _attribute_class(byte: int) -> int:
    kind = byte & ATTR_LONG_NAME_MASK
    if kind == ATTR_LONG_NAME:
        return 0
    if kind & ~_ARCHIVE == _VOLUME_ID:
        return 2
    return 3 if kind & _VOLUME_ID else 1


_HEAD_CLASSES = bytes(map(_head_class, range(256)))
_ATTRIBUTE_CLASSES = bytes(map(_attribute_class, range(256)))
# m, T: part of a long name, and the part with bit 40h, which comes first. s: file or folder.
# d: name that begins with a dot. v: label. o, w: label by one bit, file by another, and w with a
# dot; FatFs lists o, but does not find it. f: deleted.
# FatFs tests for E5 first, then for parts, then for the dot.
# Columns: part, file, label, both. Rows: other first bytes, bit 40h, dot, E5.
_LETTERS = b"msvoTsvomdvwffff".ljust(256, b"?")
_IS_LONG = bytes(0xFF * (byte in _LONG_PARTS) for byte in range(256))
_IS_START = bytes(LAST_LONG_ENTRY * (byte == _START) for byte in range(256))
_IS_SHORT = bytes(byte not in _LONG_PARTS for byte in range(256))
_IS_FILE = bytes(byte in _FILES for byte in range(256))

_PIECE = 2048
"""Slots that are decoded together. Damage in one piece slows only that piece down."""
_FEW = 16
"""Up to this many short entries are quicker to decode one by one."""


class SlotReader:
    """Finds the files of a directory in ``data``, which grows as the directory is read.

    ``next`` is the first slot that was not read, ``ended`` is set when that is the end mark.
    FatFs looks a name up and lists a directory with two loops that differ in small ways
    (docs/SPEC.md, section 15.2); one pass here gives what both need.
    """

    __slots__ = ("_start", "data", "ended", "next")

    def __init__(self, data: bytearray) -> None:
        self.data = data
        self.next = 0
        self.ended = False
        self._start = 0
        """Slot of the long parts that the next short entry may have, if they were read."""

    def resume(self, slot: int) -> None:
        """Go on at ``slot``, after entries that were just written."""
        self.next = self._start = slot
        self.ended = False

    def read(self) -> Batch:
        """Read all slots up to the end of the directory or of ``data``."""
        batch = Batch()
        at, stop = self.next, len(self.data) // ENTRY_SIZE
        end = self.data[at * ENTRY_SIZE : stop * ENTRY_SIZE : ENTRY_SIZE].find(ondisk.ENTRY_END)
        # The first 0 ends a folder, as in FatFs, whatever lies behind it.
        if end >= 0:
            self.ended = True
            stop = at + end
        self.next = stop
        while at < stop:
            at = min(at + _PIECE, stop)
            start = self._start
            block = bytes(self.data[start * ENTRY_SIZE : at * ENTRY_SIZE])
            self._start = _read_block(block, start, batch)
        return batch


def _read_block(block: bytes, start: int, batch: Batch) -> int:
    """Add the files in ``block``, whose first slot is ``start``, to ``batch``.

    Returns the slot where the parts begin that an entry after the block may have.
    """
    letters = _letters(block)
    whole = letters.rstrip(_LONG_PARTS)
    kinds = whole.translate(None, _LONG_PARTS)
    slots = list(compress(range(start, start + len(whole)), whole.translate(_IS_SHORT)))
    names: list[str] | None = [""] * len(slots)
    if len(kinds) < len(whole):
        names = _sound_names(block, whole, start, slots) if len(slots) > _FEW else None
    if names is None:
        names = _read_slowly(block, whole, start, slots, batch.firsts)
    _emit(batch, kinds, slots, names)
    # The long name of the next entry may begin in this block, and is needed whole.
    pending = letters.rfind(_START, len(whole))
    return start + (pending if pending >= 0 else len(letters))


def _letters(block: bytes) -> bytes:
    heads = block[::ENTRY_SIZE].translate(_HEAD_CLASSES)
    attributes = block[_ATTRIBUTES::ENTRY_SIZE].translate(_ATTRIBUTE_CLASSES)
    merged = _lanes(heads) | _lanes(attributes)
    return merged.to_bytes(len(heads), "little").translate(_LETTERS)


def _lanes(column: bytes | bytearray) -> int:
    """Return a number with a byte for each slot, the first slot lowest."""
    return int.from_bytes(column, "little")


def _emit(batch: Batch, kinds: bytes, slots: list[int], names: list[str]) -> None:
    """Add the files among ``slots`` to ``batch``; ``kinds`` has a letter for each slot."""
    if kinds.count(_SHORT) < len(kinds):
        for slot, kind, name in zip(slots, kinds, names, strict=True):
            if kind == _ODD:
                batch.unfound.add(slot)
            elif kind == _DOT:
                batch.unlisted.add(slot)
                if name:
                    # FatFs does not give dots a long name, but removes it with them.
                    batch.firsts.setdefault(slot, slot - -(-len(name) // LONG_UNITS))
        names = [
            "" if kind == _DOT else name
            for kind, name in zip(kinds, names, strict=True)
            if kind in _FILES
        ]
        slots = list(compress(slots, kinds.translate(_IS_FILE)))
    batch.slots += slots
    batch.longs += names


def _read_slowly(
    block: bytes, letters: bytes, start: int, slots: list[int], firsts: dict[int, int]
) -> list[str]:
    """Return the long names of ``slots``: of few ones, or with damage; add to ``firsts``.

    FatFs starts again at each part with bit 40h, so that parts before the last such part stay
    when the file is removed.
    """
    names = []
    before = 0
    for slot in slots:
        end = slot - start
        begin = letters.rfind(_START, before, end)
        name = None
        if begin >= 0:
            firsts[slot] = start + begin
            at = end * ENTRY_SIZE
            name = read_long(block[begin * ENTRY_SIZE : at], block[at : at + NAME_LENGTH])
        names.append(name or "")
        before = end + 1
    return names


_CHECKSUM = LongEntry.offset_of("LDIR_Chksum")
_CLUSTER = LongEntry.offset_of("LDIR_FstClusLO")
_UNITS = [
    declared.offset + at
    for declared in LongEntry.fields
    if declared.name.startswith("LDIR_Name")
    for at in range(declared.size)
]
"""Offsets of the bytes of a part that are text."""
_FILL = ["", *("\0" + "\uffff" * (LONG_UNITS - 1 - rest) for rest in range(1, LONG_UNITS))]
_FILLS = _FILL * MAX_PARTS
"""What follows a name in its last part, by its length."""
_ROTATED = bytes(byte >> 1 | (byte & 1) << 7 for byte in range(256))


def _sound_names(block: bytes, letters: bytes, start: int, slots: list[int]) -> list[str] | None:
    """Return the long names of ``slots``, or ``None`` if a part before them is not sound."""
    count = len(letters)
    block = block[: count * ENTRY_SIZE]
    if not _are_sound(block, letters):
        return None
    text = _text(block, count)
    # Where a pair of surrogates became one character, the places in the text are not known.
    return _cut_names(text, start + count, slots) if len(text) == count * LONG_UNITS else None


def _are_sound(block: bytes, letters: bytes) -> bool:
    """Return True if all long parts in ``block`` belong to the short entry that follows them.

    All slots are compared at once. Shifted by a byte, a number has each slot's successor.
    Names in 20 parts are left to the slow reader, because they may have too many units.
    """
    count = len(letters)
    parts = _lanes(letters.translate(_IS_LONG))
    starts = _lanes(letters.translate(_IS_START))
    if starts != parts & ~(parts << 8) & _lanes(bytes((LAST_LONG_ENTRY,)) * count):
        return False
    orders = _lanes(block[::ENTRY_SIZE]) & parts & ~starts
    too_large = orders | orders + _lanes(bytes((0x80 - MAX_PARTS,)) * count)
    if too_large & parts & _lanes(b"\x80" * count):
        return False
    sums = (_lanes(block[_CHECKSUM::ENTRY_SIZE]) & parts) | (_lanes(_checksums(block)) & ~parts)
    clusters = _lanes(block[_CLUSTER::ENTRY_SIZE]) | _lanes(block[_CLUSTER + 1 :: ENTRY_SIZE])
    return (
        orders == (orders >> 8 & parts) + (parts & _lanes(b"\1" * count))
        and not (sums ^ sums >> 8) & parts
        and not clusters & parts
    )


def _checksums(block: bytes) -> bytes:
    """Return the checksums of the first eleven bytes of all slots: as ``names.checksum``.

    All sums are rotated by one ``translate`` and added as one large number, whose bytes must
    not carry into each other: the seven lower bits are added, the highest ones are combined.
    """
    count = len(block) // ENTRY_SIZE
    low, high = _lanes(b"\x7f" * count), _lanes(b"\x80" * count)
    sums = block[::ENTRY_SIZE]
    for at in range(1, NAME_LENGTH):
        rotated, added = _lanes(sums.translate(_ROTATED)), _lanes(block[at::ENTRY_SIZE])
        total = (rotated & low) + (added & low) ^ ((rotated ^ added) & high)
        sums = total.to_bytes(count, "little")
    return sums


def _text(block: bytes, count: int) -> str:
    """Return the text fields of all slots, 13 units each, the last slot first.

    In this order the parts of a name follow each other. Other slots give units without meaning.
    """
    text = bytearray(2 * LONG_UNITS * count)
    last = (count - 1) * ENTRY_SIZE
    for at, offset in enumerate(_UNITS):
        text[at :: 2 * LONG_UNITS] = block[last + offset :: -ENTRY_SIZE]
    return utf_16_le_decode(text, "surrogatepass", True)[0]


def _cut_names(text: str, end: int, slots: list[int]) -> list[str] | None:
    """Return the names in ``text``, which is that of the slots before ``end``.

    ``None`` if one of them does not end in its last part.
    """
    starts = [(end - slot) * LONG_UNITS for slot in slots]
    stops = [len(text), *[start - LONG_UNITS for start in starts[:-1]]]
    pieces = [text[start:stop] for start, stop in zip(starts, stops, strict=True)]
    names = [piece.rstrip("\0\uffff") for piece in pieces]
    filled = list(map(add, names, map(_FILLS.__getitem__, map(len, names))))
    return names if filled == pieces and "\0" not in "".join(names) else None


# Reading to the end, for programs that look for damage


class SlotKind(Enum):
    """What a slot of a directory is."""

    SHORT = "short entry"
    LONG = "part of a long name"
    BROKEN = "part of a damaged long name"
    """Parts before a short entry that do not make up its long name."""
    ORPHAN = "part without a short entry"
    DOT = "dot entry"
    """Any name that begins with a dot; FatFs does not list it."""
    LABEL = "label"
    DELETED = "deleted"
    FREE = "free"
    """The end mark, and all slots after it, whatever they contain."""


class Slot(NamedTuple):
    """A slot of a directory; its record is decoded when it is read."""

    number: int
    """Its index in the directory."""
    kind: SlotKind
    raw: bytes
    first: int
    """Slot where the parts of the same long name begin, sound or not; ``number`` without any."""
    long: str | None = None
    """Long name of a short entry; ``None`` without one, or where its parts are damaged."""

    @property
    def record(self) -> DirEntry | LongEntry:
        """Fields of the slot; those of deleted and free slots by their attributes."""
        attributes = self.raw[_ATTRIBUTES] & ATTR_LONG_NAME_MASK
        kind = LongEntry if attributes == ATTR_LONG_NAME else DirEntry
        return kind.unpack(self.raw)

    @property
    def entry(self) -> DirEntry:
        """Fields of the slot as those of a short entry."""
        return DirEntry.unpack(self.raw)

    @property
    def name(self) -> str:
        """Long name of a short entry, or its short name in the case that its bits give."""
        return self.long or short_text(self.raw[:NAME_LENGTH], self.raw[_NT])

    @property
    def is_long_broken(self) -> bool:
        """Whether the parts before a short entry do not make up its long name."""
        return self.first < self.number and self.long is None


def examine_slots(data: bytes, *, parts: bool = True) -> Iterator[Slot]:
    """Yield every slot of a directory in order, classified; never raises.

    All parts between two entries are taken together, and a part with bit 40h starts again, as in
    FatFs. Bytes after the last whole slot are left out; without ``parts``, so are the parts that
    a short entry follows.
    """
    count = len(data) // ENTRY_SIZE
    reader = SlotReader(bytearray(data))
    batch = reader.read()
    longs = dict(zip(batch.slots, batch.longs, strict=True))
    first = 0
    # The letters of the reader, so that a slot is never judged otherwise here than by the driver.
    for number, letter in enumerate(_letters(data[: reader.next * ENTRY_SIZE])):
        if letter in _LONG_PARTS:
            if letter == _START:
                yield from _slots_between(data, first, number, SlotKind.ORPHAN)
                first = number
            continue
        kind, at = _SLOT_KINDS[letter], number * ENTRY_SIZE
        begin, long = number, None
        if first < number and kind is not SlotKind.SHORT:
            yield from _slots_between(data, first, number, SlotKind.ORPHAN)
        elif first < number:
            begin, long = first, longs[number] or None
            if parts:
                part = SlotKind.BROKEN if long is None else SlotKind.LONG
                yield from _slots_between(data, first, number, part)
        yield _new_slot(Slot, (number, kind, data[at : at + ENTRY_SIZE], begin, long))
        first = number + 1
    yield from _slots_between(data, first, reader.next, SlotKind.ORPHAN)
    yield from _slots_between(data, reader.next, count, SlotKind.FREE)


_new_slot = tuple.__new__
_SLOT_KINDS = {
    ord("s"): SlotKind.SHORT,
    ord("o"): SlotKind.SHORT,
    ord("d"): SlotKind.DOT,
    ord("w"): SlotKind.DOT,
    ord("v"): SlotKind.LABEL,
    ord("f"): SlotKind.DELETED,
}


def _slots_between(data: bytes, first: int, end: int, kind: SlotKind) -> Iterator[Slot]:
    for number in range(first, end):
        raw = data[number * ENTRY_SIZE : (number + 1) * ENTRY_SIZE]
        yield _new_slot(Slot, (number, kind, raw, first, None))
