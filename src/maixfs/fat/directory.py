"""Folders: slots in RAM, read from the card as far as they were needed.

Names are found in indexes, and free slots by the first slot that can be free, so that the cost of
an operation does not grow with the folder. FatFs scans a folder from its start each time; while
its window holds a pending sector, the sectors that such a scan passes are reported to the volume's
``writer``.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from typing import TYPE_CHECKING, Generic, TypeVar

from maixfs.fat.codepage import upcase
from maixfs.fat.entries import Item, Items, SlotReader, first_cluster, make_entry
from maixfs.fat.errors import FatError, FResult, fat_error, full_error
from maixfs.fat.names import long_entries, numbered
from maixfs.fat.ondisk import (
    ATTR_LONG_NAME_MASK,
    ATTRIBUTES,
    CLUSTER_HIGH,
    CLUSTER_LOW,
    CREATED,
    ENTRY_FREE,
    ENTRY_SIZE,
    EXTENT,
    LOW_AND_SIZE,
    MAX_DIRECTORY,
    NAME_LENGTH,
    TAIL,
    Attribute,
)
from maixfs.fat.table import check_link
from maixfs.fat.volume import Volume
from maixfs.sd.device import SECTOR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maixfs.fat.entries import Batch, Clock, FatEntry
    from maixfs.fat.names import NewName
    from maixfs.record import Part
    from maixfs.sd.device import SectorDevice

_MOST_SLOTS = MAX_DIRECTORY // ENTRY_SIZE
_PER_SECTOR = SECTOR // ENTRY_SIZE
_LONGEST_SET = 21
"""Slots of the longest name: 20 long entries and the short one."""
_TRIES = 99
"""Numbers that FatFs tries for a short name, and how many of them are numbers."""
_PLAIN_NUMBERS = 5
_FIRST_READ = 8
"""Sectors read at once: few for a look at a small folder, twice as many each time after that."""
_MOST_READ = 64
_LISTED_AT_ONCE = 256
"""Entries of a listing for which one copy of the order is made."""
_MOST_DIRECTORIES = 256
"""Folders kept in RAM; those in use are kept in any case."""
_ATTRIBUTES = ATTRIBUTES.offset
_DIRECTORY = int(Attribute.DIRECTORY)
_VOLUME_ID = int(Attribute.VOLUME_ID)
_ARCHIVE = int(Attribute.ARCHIVE)
_FREE = (0, ENTRY_FREE)
_UNUSED = [bytes(count) for count in range(_LONGEST_SET + 1)]
"""First bytes of slots that were never used."""
_NOWHERE = _MOST_SLOTS
_Name = TypeVar("_Name", str, bytes)


class NameIndex(Generic[_Name]):
    """Which slot has a name: the first one where several have it, as on damaged cards."""

    __slots__ = ("_others", "first")

    def __init__(self) -> None:
        self.first: dict[_Name, int] = {}
        self._others: dict[_Name, list[int]] = {}

    def add(self, name: _Name, slot: int) -> None:
        """Note that ``slot`` has ``name``."""
        known = self.first.setdefault(name, slot)
        if known != slot:
            self.first[name] = min(known, slot)
            self._others.setdefault(name, []).append(max(known, slot))

    def add_all(self, names: list[_Name], slots: list[int]) -> None:
        """Note the names of many slots; they are new in all likelihood."""
        known = self.first
        new = dict(zip(names, slots, strict=True))
        if len(new) == len(slots) and known.keys().isdisjoint(new):
            known.update(new)
            return
        for name, slot in zip(names, slots, strict=True):
            self.add(name, slot)

    def take_out(self, name: _Name, slot: int) -> None:
        """Note that ``slot`` does not have ``name`` any more."""
        others = self._others.get(name)
        if others is None:
            del self.first[name]
            return
        if slot == self.first[name]:
            slot = self.first[name] = min(others)
        others.remove(slot)
        if not others:
            del self._others[name]


class Directory:
    """The folder whose first cluster is ``cluster``; 0 is the root.

    ``items`` are its entries by slot, as far as it was read; ``pins`` counts the open files whose
    entries lie here.
    """

    def __init__(self, volume: Volume, cluster: int) -> None:
        self.volume = volume
        self.cluster = cluster
        self.data = bytearray()
        self.items = Items()
        self.changes = 0
        self.pins = 0
        self._writer = volume.writer
        self._reader = SlotReader(self.data)
        self._order: list[int] = []
        self._unindexed: list[int] = []
        self._failure: FatError | None = None
        self._long = NameIndex[str]()
        self._short = NameIndex[bytes]()
        self._first_fit: dict[int, int] = {}
        """Number of consecutive free slots: the first slot where such a run can begin."""
        self._entries: dict[int, FatEntry] = {}
        """Decoded entries by slot, until something in the slot changes."""
        self._tails: dict[bytes, int] = {}
        """Short names without their number, and how many numbers are taken from 1 on."""
        self._clusters: list[int] = []
        self._seen: set[int] = set()
        self._step = _FIRST_READ
        geometry = volume.geometry
        self._per_cluster = geometry.sectors_per_cluster
        self._fixed = 0 if cluster or volume.wide else geometry.root_entries * ENTRY_SIZE
        if not self._fixed:
            self._enter(cluster or geometry.root_cluster)

    # Reading

    def _enter(self, cluster: int) -> None:
        # FatFs mounts a volume with such a root, and fails at the first look into it.
        if not 2 <= cluster < self.volume.table.count:
            raise fat_error(
                FResult.INT_ERR, f"a folder at cluster {cluster:#x}", "there is no such cluster"
            )
        self._clusters.append(cluster)
        self._seen.add(cluster)

    def sector_of(self, index: int) -> int:
        """Return the sector of the volume that the ``index``-th sector of the folder is."""
        if self._fixed:
            return self.volume.geometry.root_start + index
        each = self._per_cluster
        return self.volume.base + self._clusters[index // each] * each + index % each

    def save_sector(self, index: int) -> None:
        """Write one sector to the card."""
        at = index * SECTOR
        self.volume.sectors.write(self.sector_of(index), self.data[at : at + SECTOR])
        self._writer.dirty.pop((self, index), None)

    def _load(self) -> bool:
        """Read on; ``False`` at the end of the folder. Raises ``INT_ERR``, ``DISK_ERR``."""
        index = len(self.data) // SECTOR
        if self._fixed:
            left = (self._fixed - len(self.data)) // SECTOR
        else:
            left = self._sectors_in_a_row(index)
        count = min(left, self._step)
        if count <= 0:
            return False
        self.data += self.volume.sectors.read(self.sector_of(index), count)
        self._step = min(self._step * 2, _MOST_READ)
        return True

    def _sectors_in_a_row(self, index: int) -> int:
        """Return how many sectors from ``index`` on lie in a row, about what is read at once."""
        each, clusters, table = self._per_cluster, self._clusters, self.volume.table
        if index == len(clusters) * each and not self._follow():
            return 0
        while len(clusters) * each - index < self._step:
            last = clusters[-1]
            if table.get(last) != last + 1 or not self._follow():
                break
        return len(clusters) * each - index

    def _follow(self) -> bool:
        """Go to the next cluster; a folder ends where it comes back, and at its greatest size."""
        last = self._clusters[-1]
        link = check_link(self.volume.table.get(last), last)
        # FatFs follows a chain that loops until the folder has its greatest size, and lists the
        # same names again and again. Here it ends where it comes back.
        if link >= self.volume.table.count or link in self._seen or self._is_longest():
            return False
        self._enter(link)
        return True

    def _is_longest(self) -> bool:
        return len(self._clusters) * self.volume.cluster_size >= MAX_DIRECTORY

    def _read_on(self) -> bool:
        """Read more entries; returns ``False`` at the end of the folder."""
        reader = self._reader
        if reader.ended:
            return False
        if reader.next * ENTRY_SIZE >= len(self.data) and not self._load_ahead():
            return False
        self._take(reader.read())
        return True

    def _load_ahead(self) -> bool:
        """Read as much again as was read so far; ``False`` at the end of the folder.

        Decoding many slots at once costs a tenth for each. An error counts when what was read
        before it has been used.
        """
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
        start = len(self.data)
        try:
            while self._load():
                if len(self.data) >= 2 * start or 0 in self.data[start::ENTRY_SIZE]:
                    break
        except FatError as error:
            if len(self.data) == start:
                raise
            self._failure = error
        return len(self.data) > start

    def _take(self, batch: Batch) -> None:
        """Take in what the reader found."""
        slots, order = batch.slots, self._order
        self.items.add(batch)
        unfound, unlisted = batch.unfound, batch.unlisted
        self._unindexed += [slot for slot in slots if slot not in unfound] if unfound else slots
        listed = [slot for slot in slots if slot not in unlisted] if unlisted else slots
        if listed and order and listed[0] < order[-1]:
            for slot in listed:
                insort(order, slot)
        else:
            order += listed

    def load(self, slots: int) -> None:
        """Read at least ``slots`` slots; raises ``INT_ERR`` if the folder has fewer."""
        while len(self.data) < slots * ENTRY_SIZE:
            if not self._load():
                raise fat_error(FResult.INT_ERR, f"the folder at cluster {self.cluster:#x}")

    # What FatFs's window would pass

    def _pass(self, start: int, stop: int) -> None:
        """Report a scan from slot ``start`` to ``stop``, or to the end of the folder."""
        writer, loaded = self._writer, len(self.data) // SECTOR
        first, last = start // _PER_SECTOR, stop // _PER_SECTOR
        if self._fixed:
            last = min(last, loaded - 1)  # its end is no entry of the FAT
        if first < loaded:
            writer.visit(self.sector_of(first))
        if last > first:
            # Another sector of the folder, or the FAT for its next cluster. After the visit to
            # the first one, none of them can be what waits.
            writer.visit_others()

    def _pass_all(self, start: int = 0) -> None:
        """Report a scan from ``start`` to the end that FatFs sees: a free slot or the last one."""
        reader = self._reader
        self._pass(start, reader.next if reader.ended else len(self.data) // ENTRY_SIZE)

    # Names

    def _index(self) -> None:
        """Add the names of new entries to the indexes. Listings do not need them."""
        data, longs = self.data, self.items.longs
        slots = self._unindexed
        if len(slots) == 1:  # a file that was just made
            slot = slots.pop()
            at, long = slot * ENTRY_SIZE, longs[slot]
            self._short.add(bytes(data[at : at + NAME_LENGTH]), slot)
            if long:
                self._long.add(upcase(long), slot)
            return
        # Names are needed to find one, not to list them; they are decoded all at once.
        starts = [slot * ENTRY_SIZE for slot in slots]
        self._short.add_all([bytes(data[at : at + NAME_LENGTH]) for at in starts], slots)
        named = {slot: long for slot in slots if (long := longs[slot])}
        if named:
            # One call for all names; a name never contains a 0.
            self._long.add_all(upcase("\0".join(named.values())).split("\0"), list(named))
        self._unindexed.clear()

    def short_of(self, slot: int) -> bytes:
        """Return the eleven bytes of a short name."""
        at = slot * ENTRY_SIZE
        return bytes(self.data[at : at + NAME_LENGTH])

    def find(self, name: NewName) -> Item | None:
        """Return the first entry of that name, long or short, in the order of the card."""
        key = name.key
        longs, shorts = self._long.first, self._short.first
        while True:
            if self._unindexed:
                self._index()
            slot = longs.get(key, _NOWHERE)
            # A short name that lost something stands for many names, so FatFs does not compare it.
            if not name.lossy:
                # Long or short, the first match on the card wins: damaged folders have several.
                slot = min(slot, shorts.get(name.short, _NOWHERE))
            if slot != _NOWHERE:
                if self._writer.waiting:
                    self._pass(0, slot)
                return self.items[slot]
            if not self._read_on():
                if self._writer.waiting:
                    self._pass_all()
                return None

    def numbered_short(self, name: NewName) -> bytes:
        """Return the short name of a long one, with the first number that is not taken.

        Raises ``DENIED`` when FatFs's tries are used up.
        """
        start = self._tails.get(name.short, 0) + 1
        for number in range(start, _TRIES + 1):
            short = numbered(name.short, name.long, number)
            if not self.has_short(short):
                if self._writer.waiting:
                    self._pass_all()
                return short
            if number <= _PLAIN_NUMBERS:
                # These do not depend on the long name, and stay taken until one is removed.
                self._tails[name.short] = number
        raise full_error(name.long, "all short names that FatFs tries for it are taken")

    def has_short(self, short: bytes) -> bool:
        """Return True if there is an entry of this short name."""
        if self._unindexed:
            self._index()
        while short not in self._short.first:
            if not self._read_on():
                return False
            self._index()
        return True

    # Entries

    def find_label(self) -> int | None:
        """Return the slot of the volume's label, if there is one."""
        while self._read_on():
            pass
        for slot in range(self._reader.next):
            at = slot * ENTRY_SIZE
            attributes = self.data[at + _ATTRIBUTES] & ~_ARCHIVE & ATTR_LONG_NAME_MASK
            if self.data[at] != ENTRY_FREE and attributes == _VOLUME_ID:
                return slot
        return None

    def item_at(self, slot: int) -> Item | None:
        """Return the entry whose short entry is ``slot``, if there is one."""
        while slot not in self.items.longs and self._read_on():
            pass
        return self.items[slot] if slot in self.items.longs else None

    def list_items(self) -> Iterator[Item]:
        """Yield the entries that FatFs lists; they may come and go meanwhile."""
        items = self.items
        return (items[slot] for slot in self._list_slots(0, ahead=False))

    def list_entries(self, *, ahead: bool = False) -> Iterator[FatEntry]:
        """Yield the same entries decoded, each as it is when it is asked for.

        ``ahead``: FatFs goes to the slot after an entry before it returns that (f_readdir).
        """
        longs, data, folder, wide = self.items.longs, self.data, self.cluster, self.volume.wide
        entries, writer, order, at, seen = (
            self._entries,
            self._writer,
            self._order,
            0,
            self.changes,
        )
        while not writer.waiting:
            # The same as below, at half the cost: most listings have no sector to report.
            for slot in order[at : at + _LISTED_AT_ONCE]:
                entry = entries.get(slot)
                if entry is None:
                    entry = entries[slot] = make_entry(
                        data, slot, longs[slot], folder=folder, wide=wide
                    )
                yield entry
                at += 1
                if self.changes != seen:
                    seen = self.changes
                    at = bisect_right(order, slot)
                    break
                if writer.waiting:
                    break
            if at >= len(order) and not writer.waiting and not self._read_on():
                return
        for slot in self._list_slots(at, ahead=ahead):
            yield make_entry(data, slot, longs[slot], folder=folder, wide=wide)

    def _list_slots(self, at: int, *, ahead: bool) -> Iterator[int]:
        order, seen = self._order, self.changes
        writer, reached = self._writer, order[at - 1] + 1 if at else 0
        while True:
            while at < len(order):
                slot = order[at]
                if writer.waiting:
                    self._pass(reached, slot)
                    if ahead and not self._fixed and (slot + 1) % self._slots_per_cluster == 0:
                        writer.visit_others()
                reached = slot + 1
                yield slot
                at += 1
                if self.changes != seen:
                    seen = self.changes
                    at = bisect_right(order, slot)
            if not self._read_on():
                if writer.waiting:
                    self._pass_all(reached)
                return

    @property
    def _slots_per_cluster(self) -> int:
        return self._per_cluster * _PER_SECTOR

    def attributes(self, item: Item) -> int:
        """Return DIR_Attr of an item."""
        return self.data[item.slot * ENTRY_SIZE + _ATTRIBUTES]

    def extent(self, item: Item) -> tuple[int, int]:
        """Return first cluster (0: no cluster) and size of an item."""
        high, _, _, low, size = EXTENT.unpack(self.data, item.slot * ENTRY_SIZE)
        return (high << 16 | low if self.volume.wide else low), size

    def first_cluster(self, item: Item) -> int:
        """Return the first cluster of an item; 0: no cluster."""
        return first_cluster(self.data, item.slot * ENTRY_SIZE, wide=self.volume.wide)

    def parent(self) -> int:
        """Return the first cluster of the folder above, as the second slot says."""
        self.load(2)
        return first_cluster(self.data, ENTRY_SIZE, wide=self.volume.wide)

    def has_parent_entry(self) -> bool:
        """Return True if the second slot is the ``..`` entry, as far as FatFs looks."""
        return self.data[ENTRY_SIZE + 1] == ord(".")

    def is_folder(self, item: Item) -> bool:
        """Return True if an item is a folder."""
        return bool(self.data[item.slot * ENTRY_SIZE + _ATTRIBUTES] & _DIRECTORY)

    def entry(self, item: Item) -> FatEntry:
        """Return the decoded entry of an item."""
        entry = self._entries.get(item.slot)
        if entry is None:
            entry = self._entries[item.slot] = make_entry(
                self.data, item.slot, item.long or "", folder=self.cluster, wide=self.volume.wide
            )
        return entry

    # Changing

    def put(self, slot: int, part: Part, *values: object) -> None:
        """Put values into the fields of a slot."""
        writer, sector = self._writer, slot // _PER_SECTOR
        # Before the change: FatFs's window writes another sector out first, and that must not have
        # this change in it.
        if writer.waiting:
            writer.change_folder(self, sector)
        part.pack_into(self.data, slot * ENTRY_SIZE, *values)
        writer.folder_changed(self, sector)
        self._entries.pop(slot, None)

    def put_raw(self, slot: int, entry: bytes) -> None:
        """Put bytes into a slot, from its start on."""
        sector = slot // _PER_SECTOR
        self._writer.change_folder(self, sector)
        start = slot * ENTRY_SIZE
        self.data[start : start + len(entry)] = entry
        self._entries.pop(slot, None)
        self._writer.folder_changed(self, sector)

    def put_cluster(self, slot: int, cluster: int) -> None:
        """Let a slot lead to ``cluster``; FatFs leaves the upper half alone unless on FAT32."""
        if self.volume.wide:
            self.put(slot, CLUSTER_HIGH, cluster >> 16)
        self.put(slot, CLUSTER_LOW, cluster & 0xFFFF)

    def record(
        self,
        item: Item,
        first: int,
        size: int,
        stamp: tuple[int, int],
        *,
        archive: bool = False,
    ) -> None:
        """Record first cluster, size and time of writing of a file; no date of access, as FatFs.

        ``stamp`` is date and time; with ``archive`` the attribute is set too. The upper half of
        the cluster number stays as it is unless on FAT32.
        """
        slot, data, writer = item.slot, self.data, self._writer
        at, sector = slot * ENTRY_SIZE, slot // _PER_SECTOR
        # On FAT12 and FAT16 other systems keep data of their own in the upper half.
        high = first >> 16 if self.volume.wide else CLUSTER_HIGH.unpack(data, at)[0]
        date, time = stamp
        if writer.waiting:
            writer.change_folder(self, sector)
        # f_sync sets it each time: it tells a backup that the file changed.
        if archive:
            data[at + _ATTRIBUTES] |= _ARCHIVE
        # The 0 is DIR_LstAccDate: f_sync clears the date of access that other systems keep there.
        TAIL.pack_into(data, at, 0, high, time, date, first & 0xFFFF, size)
        writer.folder_changed(self, sector)
        self._entries.pop(slot, None)

    def empty(self, item: Item, date: int, time: int) -> None:
        """Take size, clusters and attributes from a file that is created again."""
        slot = item.slot
        self.put(slot, ATTRIBUTES, _ARCHIVE)
        self.put(slot, CREATED, time, date)
        if self.volume.wide:
            self.put(slot, CLUSTER_HIGH, 0)
        # The times of writing and access stay until the next sync, as in f_open.
        self.put(slot, LOW_AND_SIZE, 0, 0)

    def visit_slot(self, slot: int) -> None:
        """Report a look at a slot."""
        if self._writer.waiting:
            self._writer.visit(self.sector_of(slot // _PER_SECTOR))

    def register(self, name: NewName | None, attributes: int, rest: bytes) -> Item:
        """Write the entries of a new name; ``rest`` is the short one from its times on.

        Raises ``INVALID_NAME`` for dots, ``DENIED`` without room or a short name to be had.
        """
        if name is None or name.dot:
            raise fat_error(FResult.INVALID_NAME)
        # A short name that lost nothing needs no number: whatever has the same short name is the
        # same name, and was found.
        short = self.numbered_short(name) if name.lossy else name.short
        entry = short + bytes((attributes, name.nt)) + rest
        if not name.needs_long:
            return self.insert(entry, None)
        return self.insert(long_entries(name.long, short) + entry, name.long)

    def insert(self, entries: bytes, long: str | None) -> Item:
        """Write a set of entries, the short one last, where the first room for them is.

        Raises ``DENIED`` when the folder cannot grow any more.
        """
        # FatFs has read the whole folder by now: it looked for the name.
        if not self._reader.ended:
            while self._read_on():
                pass
        count = len(entries) // ENTRY_SIZE
        first = self._room_for(count)
        slot = first + count - 1
        if self._writer.waiting:
            self._pass(0, slot)
        # The short entry last: without it, parts of a long name belong to nothing, so a cut
        # between two sectors leaves no name that is half made.
        self._fill(first, entries)
        self._first_fit[count] = first + count
        label = entries[-ENTRY_SIZE + _ATTRIBUTES] & _VOLUME_ID
        item = Item(slot, first, long, found=not label, listed=not label)
        self._place(item)
        return item

    def _fill(self, slot: int, entries: bytes) -> None:
        """Write entries from ``slot`` on, sector by sector.

        A write of the window that fails in between leaves the sectors that follow as they were.
        """
        writer, data = self._writer, self.data
        at = start = slot * ENTRY_SIZE
        end = start + len(entries)
        while at < end:
            sector = at // SECTOR
            stop = (sector + 1) * SECTOR
            if writer.waiting:
                writer.change_folder(self, sector)
            if at == start and end <= stop:
                data[at:end] = entries
                stop = end
            else:
                stop = min(stop, end)
                data[at:stop] = entries[at - start : stop - start]
            writer.folder_changed(self, sector)
            at = stop

    def _place(self, item: Item) -> None:
        """Register a new item, and the entries behind the old end that it makes visible.

        Where the slots after the end were not all free, FatFs may find room beyond the end. Such
        an entry is never found again; kept, because the board does the same.
        """
        reader = self._reader
        if item.first > reader.next:
            return
        if item.found:
            self._add(item)
        self.changes += 1
        if item.slot >= reader.next:
            reader.resume(item.slot + 1)
            after = reader.next * ENTRY_SIZE
            if after < len(self.data) and not self.data[after]:
                reader.ended = True  # as nearly always: nothing was there yet
            else:
                self._take(reader.read())

    def _add(self, item: Item) -> None:
        """Take in a file that was just written."""
        slot, order = item.slot, self._order
        self._entries.pop(slot, None)  # of a removed file: it can still be asked for
        self.items.add_item(item)
        self._unindexed.append(slot)
        if not order or slot > order[-1]:
            order.append(slot)
        else:
            insort(order, slot)

    def _room_for(self, count: int) -> int:
        """Return the first of ``count`` free slots in a row; the folder grows where it must."""
        # FatFs tries every slot from the first one on. No room lies before the slot that is
        # remembered, so starting there finds the same place.
        slot = self._first_fit.get(count, -1)
        if slot < 0:
            smaller = (room for size, room in self._first_fit.items() if size < count)
            slot = max(smaller, default=0)
        free, data = 0, self.data
        at = slot * ENTRY_SIZE
        # Nearly always: the slots after the last entry were never used.
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
        if self._writer.waiting:
            self._pass(0, len(self.data) // ENTRY_SIZE)
        # A chain that loops has no end to be made longer. FatFs goes round it until the folder has
        # its greatest size, and refuses then.
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
        """Make the newest cluster zeros."""
        index = len(self.data) // SECTOR
        # Zeros, because a first byte of 0 ends a folder: old contents would be listed.
        self.data += bytes(self.volume.cluster_size)
        self._writer.clear_cluster(self, index)

    def remove(self, item: Item) -> None:
        """Mark the slots of an item free."""
        self._drop(item)
        self.free_slots(item.first, item.slot)

    def _drop(self, item: Item) -> None:
        self._index()
        # Paths that were remembered may lead through this entry.
        self.volume.paths.clear()
        slot = item.slot
        self._entries.pop(slot, None)
        if slot not in self.items.longs:
            return  # written beyond the end, and never found
        self.items.drop(slot)
        if item.found:
            self._short.take_out(self.short_of(slot), slot)
            if item.long is not None:
                self._long.take_out(upcase(item.long), slot)
        if item.listed:
            del self._order[bisect_left(self._order, slot)]
        self.changes += 1
        # A number that was taken may be free again.
        self._tails.clear()

    def free_slots(self, first: int, last: int) -> None:
        """Mark slots free, the last one first, or the first one first as FatFs does.

        Where they lie in two sectors, the short entry goes first in the safe order: what a cut
        leaves of a file whose long name went first shows up under its short name.
        """
        writer, data = self._writer, self.data
        if writer.waiting and last > first:
            # FatFs goes to the start of the long name by the FAT, and comes back to a sector that
            # it had in its window: without a long name it stays there.
            for cluster in self._clusters[: first // self._slots_per_cluster]:
                writer.visit_entry(cluster)
        slots = range(first, last + 1)
        for slot in slots if writer.faithful else reversed(slots):
            sector = slot // _PER_SECTOR
            if writer.waiting:
                writer.change_folder(self, sector)
            data[slot * ENTRY_SIZE] = ENTRY_FREE
            writer.folder_changed(self, sector)
        # Free slots before these make a longer row with them, of use up to the longest name.
        start = first
        while start and first - start < _LONGEST_SET and self._is_free(start - 1):
            start -= 1
        for count, room in self._first_fit.items():
            if room > start:
                self._first_fit[count] = start

    def _is_free(self, slot: int) -> bool:
        return self.data[slot * ENTRY_SIZE] in _FREE


class Tree(Volume):
    """A volume with its folders, kept in RAM once they were read."""

    def __init__(
        self,
        device: SectorDevice,
        start: int,
        *,
        read_only: bool,
        faithful: bool,
        clock: Clock | None,
    ) -> None:
        super().__init__(device, start, read_only=read_only, faithful=faithful, clock=clock)
        self._directories: dict[int, Directory] = {}

    def directory(self, cluster: int) -> Directory:
        """Return the folder that starts at ``cluster``; 0 is the root. Raises ``INT_ERR``."""
        if cluster == self.geometry.root_cluster:
            cluster = 0
        directory = self._directories.pop(cluster, None)
        if directory is None:
            if len(self._directories) >= _MOST_DIRECTORIES:
                self._drop_unused()
            directory = Directory(self, cluster)
        self._directories[cluster] = directory  # the last one now: used most recently
        return directory

    def _drop_unused(self) -> None:
        writer = self.writer
        busy = {id(folder) for folder, _ in (*writer.dirty, *writer.fresh)}
        for cluster, directory in list(self._directories.items())[: _MOST_DIRECTORIES // 2]:
            # What has open files or unwritten sectors is newer than the card.
            if not directory.pins and id(directory) not in busy:
                del self._directories[cluster]

    def forget_directory(self, cluster: int) -> None:
        """Drop a removed folder and its unwritten sectors."""
        directory = self._directories.pop(cluster, None)
        if directory is not None:
            self.writer.drop_folder(directory)

    def abandon(self) -> None:
        """End the mount and forget everything that was not written."""
        super().abandon()
        self._directories.clear()
