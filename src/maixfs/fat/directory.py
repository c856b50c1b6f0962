"""A directory: its slots in RAM, read from the card as far as they were needed.

Names are found in indexes, and free slots by where none is free before, so that what an
operation costs does not grow with the directory. What changed goes to the card with the
volume's ``flush``.
"""

from __future__ import annotations

import struct
from bisect import bisect_left, bisect_right, insort
from typing import TYPE_CHECKING

from maixfs.fat.errors import FResult, fat_error, full_error
from maixfs.fat.nameindex import NameIndex
from maixfs.fat.names import numbered, upcase
from maixfs.fat.ondisk import (
    ATTR_LONG_NAME_MASK,
    ENTRY_FREE,
    ENTRY_SIZE,
    MAX_DIRECTORY,
    Attribute,
)
from maixfs.fat.slots import Item, SlotReader, make_entry
from maixfs.fat.table import check_link
from maixfs.sd.device import SECTOR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maixfs.fat.entry import FatEntry
    from maixfs.fat.names import NewName
    from maixfs.fat.volume import Volume

_MOST_SLOTS = MAX_DIRECTORY // ENTRY_SIZE
_LONGEST_SET = 21
"""Slots of the longest name: 20 long entries and the short one."""
_TRIES = 99
"""Numbers that FatFs tries for a short name, and how many of them are numbers."""
_PLAIN_NUMBERS = 5
_STEP = 8
"""Sectors read at once."""
_CLUSTER = struct.Struct("<H4xH")
_EXTENT = struct.Struct("<H4xHI")
_SIZE = struct.Struct("<I")
_DIRECTORY = int(Attribute.DIRECTORY)
_VOLUME_ID = int(Attribute.VOLUME_ID)
_ARCHIVE = int(Attribute.ARCHIVE)
_FREE = (0, ENTRY_FREE)
_UNUSED = [bytes(count) for count in range(_LONGEST_SET + 1)]
"""First bytes of slots that were never used."""
_NOWHERE = _MOST_SLOTS


class Directory:
    """The directory whose first cluster is ``cluster``; 0 is the root.

    ``items`` are its entries by slot, as far as it was read.
    """

    def __init__(self, volume: Volume, cluster: int) -> None:
        self.volume = volume
        self.cluster = cluster
        self.data = bytearray()
        self.items: dict[int, Item] = {}
        self.changes = 0
        self._reader = SlotReader(self.data)
        self._order: list[int] = []
        self._unindexed: list[Item] = []
        self._long = NameIndex[str]()
        self._short = NameIndex[bytes]()
        self._first_fit: dict[int, int] = {}
        """For so many slots in a row, or more: no room begins before this one."""
        self._tails: dict[bytes, int] = {}
        """Short names without their number, and how many numbers are taken from 1 on."""
        self._clusters: list[int] = []
        self._seen: set[int] = set()
        self.pins = 0
        """Open files whose entries lie here."""
        geometry = volume.geometry
        self._fixed = 0 if cluster or volume.wide else geometry.root_entries * ENTRY_SIZE
        if not self._fixed:
            self._enter(cluster or geometry.root_cluster)

    # Reading

    def _enter(self, cluster: int) -> None:
        if not 2 <= cluster < self.volume.table.count:
            raise fat_error(
                FResult.INT_ERR, f"a folder at cluster {cluster:#x}", "there is no such cluster"
            )
        self._clusters.append(cluster)
        self._seen.add(cluster)

    def sector_of(self, index: int) -> int:
        """Return the sector of the volume that the ``index``-th sector of the directory is."""
        if self._fixed:
            return self.volume.geometry.root_start + index
        each = self.volume.geometry.sectors_per_cluster
        return self.volume.sector_of(self._clusters[index // each]) + index % each

    def _load(self) -> bool:
        """Read on; ``False`` at the end of the table. Raises ``INT_ERR``, ``DISK_ERR``."""
        index = len(self.data) // SECTOR
        if self._fixed:
            left = (self._fixed - len(self.data)) // SECTOR
        else:
            each = self.volume.geometry.sectors_per_cluster
            if index == len(self._clusters) * each and not self._follow():
                return False
            left = each - index % each
        count = min(left, _STEP)
        if count <= 0:
            return False
        self.data += self.volume.sectors.read(self.sector_of(index), count)
        return True

    def _follow(self) -> bool:
        """Go to the next cluster; a table ends where it comes back, and at its greatest size."""
        last = self._clusters[-1]
        link = check_link(self.volume.table.get(last), last)
        if link >= self.volume.table.count or link in self._seen or self._is_longest():
            return False
        self._enter(link)
        return True

    def _is_longest(self) -> bool:
        size = len(self._clusters) * self.volume.geometry.cluster_size
        return size >= MAX_DIRECTORY

    def _read_on(self) -> bool:
        """Read more entries; ``False`` when there are none any more."""
        if self._reader.ended:
            return False
        if self._reader.next * ENTRY_SIZE >= len(self.data) and not self._load():
            return False
        for item in self._reader.items():
            self._add(item)
        return True

    def load(self, slots: int) -> None:
        """Have the first so many slots in RAM; raises ``INT_ERR`` where there are fewer."""
        while len(self.data) < slots * ENTRY_SIZE:
            if not self._load():
                raise fat_error(FResult.INT_ERR, f"the folder at cluster {self.cluster:#x}")

    def _add(self, item: Item) -> None:
        slot = item.slot
        self.items[slot] = item
        if item.found:
            self._unindexed.append(item)
        if item.listed:
            if not self._order or slot > self._order[-1]:
                self._order.append(slot)
            else:
                insort(self._order, slot)

    def _index(self) -> None:
        """Take the names of new entries into the indexes; listings do without."""
        data, shorts, longs = self.data, self._short, self._long
        for item in self._unindexed:
            slot = item.slot
            at = slot * ENTRY_SIZE
            shorts.add(bytes(data[at : at + 11]), slot)
            if item.long is not None:
                longs.add(upcase(item.long), slot)
        self._unindexed.clear()

    def _drop(self, item: Item) -> None:
        self._index()
        self.volume.folders.clear()
        slot = item.slot
        del self.items[slot]
        if item.found:
            self._short.take_out(self.short_of(slot), slot)
            if item.long is not None:
                self._long.take_out(upcase(item.long), slot)
        if item.listed:
            del self._order[bisect_left(self._order, slot)]
        self.changes += 1
        self._tails.clear()

    def short_of(self, slot: int) -> bytes:
        """Return the eleven bytes of a short name."""
        at = slot * ENTRY_SIZE
        return bytes(self.data[at : at + 11])

    def find(self, name: NewName) -> Item | None:
        """Return the first entry of that name, long or short, in the order of the card."""
        key = upcase(name.long)
        longs, shorts = self._long.first, self._short.first
        while True:
            if self._unindexed:
                self._index()
            slot = longs.get(key, _NOWHERE)
            if not name.lossy:
                slot = min(slot, shorts.get(name.short, _NOWHERE))
            if slot != _NOWHERE:
                return self.items[slot]
            if not self._read_on():
                return None

    def numbered_short(self, name: NewName) -> bytes:
        """Return the short name of a long one, with the first number that is not taken.

        Raises ``DENIED`` when FatFs's tries are used up.
        """
        start = self._tails.get(name.short, 0) + 1
        for number in range(start, _TRIES + 1):
            short = numbered(name.short, name.long, number)
            if not self.has_short(short):
                return short
            if number <= _PLAIN_NUMBERS:
                # These do not depend on the long name, and stay taken until one is removed.
                self._tails[name.short] = number
        raise full_error(name.long, "all short names that FatFs tries for it are taken")

    def has_short(self, short: bytes) -> bool:
        """Tell whether there is an entry of this short name."""
        if self._unindexed:
            self._index()
        while short not in self._short.first:
            if not self._read_on():
                return False
            self._index()
        return True

    def find_label(self) -> int | None:
        """Return the slot of the volume's label, if there is one."""
        while self._read_on():
            pass
        for slot in range(self._reader.next):
            at = slot * ENTRY_SIZE
            attributes = self.data[at + 11] & ~_ARCHIVE & ATTR_LONG_NAME_MASK
            if self.data[at] != ENTRY_FREE and attributes == _VOLUME_ID:
                return slot
        return None

    def item_at(self, slot: int) -> Item | None:
        """Return the entry whose short entry is ``slot``, if there is one."""
        while slot not in self.items and self._read_on():
            pass
        return self.items.get(slot)

    def list_items(self) -> Iterator[Item]:
        """Yield the entries that FatFs lists; they may come and go meanwhile."""
        order, at, seen = self._order, 0, self.changes
        while True:
            while at < len(order):
                slot = order[at]
                yield self.items[slot]
                at += 1
                if self.changes != seen:
                    seen = self.changes
                    at = bisect_right(order, slot)
            if not self._read_on():
                return

    def attributes(self, item: Item) -> int:
        """Return DIR_Attr of an item."""
        return self.data[item.slot * ENTRY_SIZE + 11]

    def first_cluster(self, item: Item) -> int:
        """Return the first cluster of an item, 0 if there is none."""
        high, low = _CLUSTER.unpack_from(self.data, item.slot * ENTRY_SIZE + 20)
        return int(high << 16 | low if self.volume.wide else low)

    def size(self, item: Item) -> int:
        """Return DIR_FileSize of an item."""
        return int(_SIZE.unpack_from(self.data, item.slot * ENTRY_SIZE + 28)[0])

    def extent(self, item: Item) -> tuple[int, int]:
        """Return first cluster and size of an item."""
        high, low, size = _EXTENT.unpack_from(self.data, item.slot * ENTRY_SIZE + 20)
        return (high << 16 | low if self.volume.wide else low), size

    def is_folder(self, item: Item) -> bool:
        """Tell whether an item is a folder."""
        return bool(self.data[item.slot * ENTRY_SIZE + 11] & _DIRECTORY)

    def entry(self, item: Item) -> FatEntry:
        """Return what is said of an item."""
        entry = item.entry
        if entry is None:
            entry = item.entry = make_entry(self.data, item, self.cluster, wide=self.volume.wide)
        return entry

    # Changing

    def write(self, slot: int, at: int, data: bytes) -> None:
        """Put ``data`` into a slot, from its byte ``at`` on."""
        start = slot * ENTRY_SIZE + at
        self.data[start : start + len(data)] = data
        self.touch(slot)
        item = self.items.get(slot)
        if item is not None:
            item.entry = None

    def touch(self, slot: int) -> None:
        """Note that the sector of a slot is to be written."""
        self.volume.dirty[self, slot * ENTRY_SIZE // SECTOR] = None

    def insert(self, entries: bytes, long: str | None) -> Item:
        """Write a set of entries, the short one last, where the first room for them is.

        Raises ``DENIED`` when the directory cannot grow any more.
        """
        while self._read_on():
            pass
        count = len(entries) // ENTRY_SIZE
        first = self._room_for(count)
        start = first * ENTRY_SIZE
        self.data[start : start + len(entries)] = entries
        slot = first + count - 1
        dirty, sector, last = self.volume.dirty, start // SECTOR, slot * ENTRY_SIZE // SECTOR
        while sector <= last:
            dirty[self, sector] = None
            sector += 1
        self._first_fit[count] = first + count
        label = entries[-ENTRY_SIZE + 11] & _VOLUME_ID
        item = Item(slot, first, long, found=not label, listed=not label)
        self._place(item)
        return item

    def _place(self, item: Item) -> None:
        """Take a new item in, and what its writing over the old end uncovers.

        Where the slots after the end were not all free, room may have been found beyond it:
        such an entry is not found again, as in FatFs.
        """
        reader = self._reader
        if item.first > reader.next:
            return
        if item.found:
            self._add(item)
        self.changes += 1
        if item.slot >= reader.next:
            reader.resume(item.slot + 1)
            for other in reader.items():
                self._add(other)

    def _room_for(self, count: int) -> int:
        """Return the first of ``count`` free slots in a row; the table grows where it must."""
        slot = self._first_fit.get(count, -1)
        if slot < 0:
            smaller = (room for size, room in self._first_fit.items() if size < count)
            slot = max(smaller, default=0)
        free, data = 0, self.data
        at = slot * ENTRY_SIZE
        if data[at : at + count * ENTRY_SIZE : ENTRY_SIZE] == _UNUSED[count]:
            self._first_fit[count] = slot
            return slot
        while free < count:
            at = slot * ENTRY_SIZE
            if at >= len(data) and not self._load():
                self._stretch()
            free = free + 1 if data[at] in _FREE else 0
            slot += 1
        first = slot - count
        self._first_fit[count] = first
        return first

    def _stretch(self) -> None:
        """Add a cluster of zeros; raises ``DENIED`` where that cannot be."""
        volume = self.volume
        if self._fixed or self._is_longest() or self._loops():
            raise full_error("the folder", "no room for another entry")
        runs = volume.allocator.grow(self._clusters[-1], 1)
        if not runs:
            raise full_error("the folder", "no free cluster to grow into")
        self._enter(runs[0][0])
        self.add_cluster()

    def _loops(self) -> bool:
        return self.volume.table.get(self._clusters[-1]) < self.volume.table.count

    def add_cluster(self) -> None:
        """Make the newest cluster zeros, to be written before anything leads there."""
        index = len(self.data) // SECTOR
        self.data += bytes(self.volume.geometry.cluster_size)
        self.volume.fresh.extend(
            (self, index + sector) for sector in range(self.volume.geometry.sectors_per_cluster)
        )

    def remove(self, item: Item) -> None:
        """Mark the slots of an item free."""
        self._drop(item)
        self.free_slots(item.first, item.slot)

    def free_slots(self, first: int, last: int) -> None:
        """Mark slots free."""
        data = self.data
        for slot in range(first, last + 1):
            data[slot * ENTRY_SIZE] = ENTRY_FREE
            self.touch(slot)
        start = first
        while start and first - start < _LONGEST_SET and self._is_free(start - 1):
            start -= 1
        for count, room in self._first_fit.items():
            if room > start:
                self._first_fit[count] = start

    def _is_free(self, slot: int) -> bool:
        return self.data[slot * ENTRY_SIZE] in _FREE
