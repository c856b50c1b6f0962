"""What a mounted SPIFFS keeps in RAM: block counts, object ids, index pages, descriptors, cache.

Nothing here reads or programs flash. Each class answers one question in constant time that the C
answers by scanning look-up pages and page headers, and gives the C's answer, ties included:
which page it finds decides where everything written later is placed.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from maixfs.spiffs import ondisk
from maixfs.spiffs.errors import Code, spiffs_error
from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from array import array
    from collections.abc import Iterator

    from maixfs.spiffs.geometry import Geometry


class BlockCount(NamedTuple):
    """Look-up entries of one block; the first two stop at the first free entry."""

    deleted_before_free: int
    used_before_free: int
    deleted: int
    free: int


class BlockCounts:
    """Counts for every block of a look-up mirror."""

    def __init__(self, lookup: array[int], geometry: Geometry) -> None:
        self._lookup = lookup
        self._per_block = geometry.pages_per_block
        self._first = geometry.lookup_pages
        self._known: list[BlockCount | None] = [None] * geometry.blocks

    def touch(self, page: int) -> None:
        """Note that the entry of ``page`` changed."""
        self._known[page // self._per_block] = None

    def __getitem__(self, block: int) -> BlockCount:
        known = self._known[block]
        if known is None:
            known = self._known[block] = self._count(block)
        return known

    def _count(self, block: int) -> BlockCount:
        start = block * self._per_block
        entries = self._lookup[start + self._first : start + self._per_block]
        free = entries.count(ondisk.ID_FREE)
        head = entries[: entries.index(ondisk.ID_FREE)] if free else entries
        # Two pairs of counts: the C's score of a block ends at the first free entry, while an
        # erase takes all of them out of the statistics.
        deleted = head.count(ondisk.ID_DELETED)
        return BlockCount(
            deleted,
            len(head) - deleted,
            entries.count(ondisk.ID_DELETED),
            free,
        )


_MAX_ID = 0x7FFF


class IdPool:
    """Chooses the id of a new file (docs/SPEC.md, section 4).

    The C has a work buffer of one page for this. Where a bit per id fits into it, the smallest id
    that no look-up entry carries is taken. Else ids are counted in buckets, over finished headers
    only (those of files being removed too), and the first empty bucket gives its first id.
    """

    def __init__(self, geometry: Geometry) -> None:
        self._buffer = geometry.page_size
        self._max = geometry.blocks * geometry.usable_pages // 2 + 1
        self._uses: dict[int, int] = {}
        self._lowest = 1
        self._headers: dict[int, int] = {}
        self._bucket_size = (self._max - 1) // self._buffer
        self._buckets: list[int] | None = None
        if self._max - 1 > self._buffer * 8:
            self._buckets = [0] * self._buffer

    def take(self, object_id: int, pages: int = 1) -> None:
        """Count more pages of an id (bit 15 does not matter)."""
        number = object_id & _MAX_ID
        self._uses[number] = self._uses.get(number, 0) + pages

    def give_back(self, object_id: int) -> None:
        """Count one page less of an id."""
        number = object_id & _MAX_ID
        left = self._uses[number] - 1
        if left:
            self._uses[number] = left
            return
        del self._uses[number]
        # The smallest unused id is wanted each time; nothing below this one is unused.
        self._lowest = min(self._lowest, number)

    def header_seen(self, object_id: int) -> None:
        """Count a finished header."""
        self._headers[object_id] = self._headers.get(object_id, 0) + 1
        self._count_in_bucket(object_id, 1)

    def header_gone(self, object_id: int) -> None:
        """Count a finished header less."""
        self._headers[object_id] -= 1
        if not self._headers[object_id]:
            del self._headers[object_id]
        self._count_in_bucket(object_id, -1)

    def _count_in_bucket(self, object_id: int, step: int) -> None:
        if self._buckets is None or not 1 <= object_id <= self._max:
            return
        bucket = (object_id - 1) // self._bucket_size
        if bucket < self._buffer:  # the C counts the rest past the end of its buffer
            self._buckets[bucket] += step

    def choose(self) -> int:
        """Return a free id; raises ``FullError`` when there is none."""
        if self._buckets is not None:
            return self._choose_by_bucket(self._buckets)
        number = max(self._lowest, 1)
        # One bit of the C's work page for each id.
        limit = self._buffer * 8
        while number in self._uses:
            number += 1
        self._lowest = number
        if number > min(limit, _MAX_ID):
            raise spiffs_error(Code.FULL, "object ids")
        return number

    def _choose_by_bucket(self, buckets: list[int]) -> int:
        fewest = min(buckets)
        if fewest == self._bucket_size:
            raise spiffs_error(Code.FULL, "object ids")
        first = 1 + buckets.index(fewest) * self._bucket_size
        # The C counts again within a bucket of more ids than its buffer has bits. There are none:
        # 32,767 ids in 64 buckets, those of the smallest page, are 511 each.
        return self._first_unused(first) if fewest else first

    def _first_unused(self, low: int) -> int:
        for number in range(low, min(low + self._buffer * 8, _MAX_ID + 1)):
            if number not in self._uses:
                return number
        raise spiffs_error(Code.FULL, "object ids")


Key = TypeVar("Key")

_unpack_header = ondisk.IndexHeader.struct.unpack_from
_LIVE_MASK = ondisk.USED | ondisk.FINAL | ondisk.DELET
_VISIBLE_MASK = ondisk.FINAL | ondisk.DELET | ondisk.IXDELE
_VISIBLE = ondisk.DELET | ondisk.IXDELE
_HEADER_MASK = ondisk.FINAL | ondisk.DELET | ondisk.INDEX


class DirEntry(NamedTuple):
    """A file as listings and stat give it."""

    name: str
    """The name; bytes that are not UTF-8 are kept as surrogate escapes."""
    raw_name: bytes
    object_id: int
    type: int
    size: int
    """Bytes."""
    page: int
    """Page of the object index header."""
    meta: bytes


class ObjectIndex:
    """Index pages in RAM, by (id, span) and by name.

    By id and span the C looks for a live page whose header says so; by name and in listings it
    looks for a visible header and does not compare its id (docs/SPEC.md, section 4). On a sound
    file system both find the same page. A power loss can leave two; then the first one from the
    search cursor on counts.
    """

    def __init__(self, geometry: Geometry) -> None:
        self._name_end = ondisk.NAME_OFFSET + geometry.name_length
        self._meta_end = self._name_end + geometry.meta_length
        self.visible: dict[int, DirEntry] = {}
        """Headers that listings show, by page."""
        self._by_name: dict[bytes, list[int]] = {}
        self._by_span: dict[tuple[int, int], list[int]] = {}
        self._keys: dict[int, tuple[int, int]] = {}
        self._owners: dict[int, int] = {}
        self._order: list[int] | None = None
        self.changes = 0
        """Goes up whenever the listing changes."""
        self.name_changes = 0
        """Goes up whenever a name appears or disappears; not where its header only moves."""

    def add(self, page: int, entry: int, raw: bytes) -> int | None:
        """Add an index page: its look-up entry and its first ``header_size`` bytes.

        Returns the object id if the page is a finished header, also that of a file whose
        removal was interrupted.
        """
        object_id, span, flags, _, size, kind = _unpack_header(raw)
        # By id and span: the page header must agree with its look-up entry. IXDELE counts for
        # headers alone: index pages of a file that is being removed stay reachable.
        live = object_id == entry and flags & _LIVE_MASK == ondisk.DELET
        if live and (span or flags & ondisk.IXDELE):
            key = self._keys[page] = (entry, span)
            _add(self._by_span, key, page)
        if span:
            return None
        # By name and in listings: the C compares neither USED nor the id, so that a header whose
        # id differs from its entry is listed.
        if flags & _VISIBLE_MASK == _VISIBLE:
            self._show(page, entry, raw, size, kind)
        if flags & _HEADER_MASK != ondisk.DELET:
            return None
        number = self._owners[page] = entry & ~ondisk.ID_INDEX
        return number

    def _show(self, page: int, entry: int, raw: bytes, size: int, kind: int) -> None:
        name = ondisk.until_nul(raw[ondisk.NAME_OFFSET : self._name_end])
        self.visible[page] = DirEntry(
            name.decode("utf-8", "surrogateescape"),
            name,
            entry & ~ondisk.ID_INDEX,
            kind,
            0 if size == ondisk.SIZE_UNDEFINED else size,
            page,
            raw[self._name_end : self._meta_end],
        )
        self.name_changes += name not in self._by_name
        _add(self._by_name, name, page)
        # Sorted when it is asked for: many files may come between two listings.
        self._order = None
        self.changes += 1

    def drop(self, page: int) -> int | None:
        """Remove a page; returns what ``add`` returned for it."""
        key = self._keys.pop(page, None)
        if key is not None:
            _remove(self._by_span, key, page)
        shown = self.visible.pop(page, None)
        if shown is not None:
            _remove(self._by_name, shown.raw_name, page)
            self.name_changes += shown.raw_name not in self._by_name
            self._order = None
            self.changes += 1
        return self._owners.pop(page, None)

    def pages_of(self, entry: int, span: int) -> list[int]:
        """Return the live index pages of ``entry`` (id with bit 15) and ``span``."""
        return self._by_span.get((entry, span), [])

    def duplicates(self) -> list[list[int]]:
        """Return the pages of each id and span of which there is more than one live page."""
        return [pages for pages in self._by_span.values() if len(pages) > 1]

    def pages_named(self, name: bytes) -> list[int]:
        """Return the header pages that carry ``name``."""
        return self._by_name.get(name, [])

    def in_order(self) -> list[int]:
        """Return the visible header pages in the order of the medium."""
        if self._order is None:
            self._order = sorted(self.visible)
        return self._order


def _add(index: dict[Key, list[int]], key: Key, page: int) -> None:
    pages = index.get(key)
    if pages is None:
        index[key] = [page]
    else:
        pages.append(page)


def _remove(index: dict[Key, list[int]], key: Key, page: int) -> None:
    pages = index[key]
    # Nearly always: only a move that is under way or was cut leaves two pages for a key.
    if len(pages) == 1:
        del index[key]
    else:
        pages.remove(page)


class WriteCache:
    """Bytes of one object that were written but are not on flash yet."""

    __slots__ = ("data", "object_id", "offset")

    def __init__(self, object_id: int, offset: int) -> None:
        self.object_id = object_id
        self.offset = offset
        self.data = bytearray()

    @property
    def end(self) -> int:
        """File offset behind the last cached byte."""
        return self.offset + len(self.data)

    def takes(self, offset: int, length: int, page_size: int) -> bool:
        """Return whether a write can be merged: no gap, and within one page from the start."""
        start = self.offset
        return start <= offset <= self.end and offset + length <= start + page_size

    def put(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Merge a write for which ``takes`` is true."""
        # A later write wins over what waits, as it would on flash.
        at = offset - self.offset
        self.data[at : at + len(data)] = data


class WriteCaches:
    """The cache pages of a file system that hold writes, by object id.

    ``limit`` is the number of cache pages that the C has (the board: 4), ``None`` as many as
    files.
    """

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self.spare = False
        """Whether a write can have the last page too.

        Reads of the C go through the same pages, and a page that was read last is not given up
        for a write. It is given up when page headers were read since, which a search reads past
        the cache; and it is free when the page in it was deleted or its block erased.
        """
        self.pages: dict[int, WriteCache] = {}
        """Cache pages in use; mostly empty, and then a flush ends at once."""

    def find(self, object_id: int) -> WriteCache | None:
        """Return the cache page of an object."""
        return self.pages.get(object_id)

    def allocate(self, object_id: int, offset: int) -> WriteCache | None:
        """Return a new cache page, or ``None`` when all are in use."""
        # Without a page the write goes to flash at once; the content is the same, but more pages
        # are used. The board has four pages, and one of them often belongs to reads.
        if self.limit is not None and len(self.pages) >= self.limit - (not self.spare):
            return None
        page = self.pages[object_id] = WriteCache(object_id, offset)
        return page

    def release(self, page: WriteCache) -> None:
        """Free a cache page; its bytes are dropped."""
        if self.pages.get(page.object_id) is page:
            if len(self.pages) == self.limit:
                self.spare = True  # all were taken, so that no read has one
            del self.pages[page.object_id]


_HIT_SCORE = 4
_MAX_SCORE = 0xFFFF
_HASH_START = 5381


@lru_cache(maxsize=512)
def name_hash(name: bytes) -> int:
    """Return the djb2 hash (xor form, 32 bits) under which a slot remembers a name."""
    value = _HASH_START
    for byte in name:
        value = (value * 33 ^ byte) & 0xFFFFFFFF
    return value


class Slot:
    """One file descriptor."""

    __slots__ = (
        "cache",
        "cursor_page",
        "cursor_span",
        "flags",
        "hash",
        "header_page",
        "number",
        "object_id",
        "offset",
        "open",
        "score",
        "serial",
        "size",
    )

    def __init__(self, number: int) -> None:
        self.number = number
        """The C's file handle, from 1."""
        self.open = False
        self.serial = 0
        """Goes up with each opening, so that an old handle does not reach a new file."""
        self.object_id = ondisk.ID_DELETED
        """Look-up entry of the file (bit 15 set)."""
        self.size = ondisk.SIZE_UNDEFINED
        self.header_page = 0
        self.cursor_page = 0
        self.cursor_span = 0
        self.offset = 0
        self.flags = 0
        self.cache: WriteCache | None = None
        self.hash = 0
        self.score = 0

    @property
    def known_size(self) -> int:
        """Size in bytes; 0 for a file that was never written."""
        return 0 if self.size == ondisk.SIZE_UNDEFINED else self.size

    def take(self) -> None:
        """Open the slot.

        The C keeps the cache page that the last user of the slot left, after a DIRECT
        descriptor: then two files mix. This is not kept.
        """
        self.open = True
        self.cache = None
        self.serial += 1


class SlotTable:
    """All descriptors: ``limit`` of them, or as many as are needed where ``limit`` is ``None``.

    A closed slot keeps the name's hash and the header page. Opening the same name again starts
    the search there; where a power loss left two headers of one name, this decides which one is
    found.
    """

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._slots = [Slot(number) for number in range(1, (limit or 0) + 1)]

    def __iter__(self) -> Iterator[Slot]:
        return iter(self._slots)

    def open_slots(self) -> list[Slot]:
        """Return the slots in use, in order."""
        return [slot for slot in self._slots if slot.open]

    def of_object(self, object_id: int) -> list[Slot]:
        """Return the slots, open or closed, that have or had the object ``object_id``."""
        # Closed slots too: the next open starts its search at the page that they remember.
        number = object_id & ~ondisk.ID_INDEX
        return [slot for slot in self._slots if slot.object_id & ~ondisk.ID_INDEX == number]

    def take(self) -> Slot:
        """Open the closed slot with the lowest score; raises -10007 when all are open."""
        closed = [slot for slot in self._slots if not slot.open]
        if not closed:
            closed = [self._grow()]
        # The first of equals, as in the C: which slot is taken decides which name is forgotten.
        slot = min(closed, key=lambda candidate: candidate.score)
        slot.take()
        return slot

    def take_for(self, name: bytes) -> tuple[Slot, int | None]:
        """Open a slot for ``name``; returns it and the page where the search should start.

        The page is ``None`` unless the slot remembers that name. Raises -10007 when all slots
        are open.
        """
        wanted = name_hash(name)
        known = oldest = None
        for closed in self._slots:
            if closed.open:
                continue
            # Ages, but not down to 0, which means that the slot never had a name.
            if closed.score > 1:
                closed.score -= 1
            if known is None and closed.hash == wanted:
                known = closed
            if oldest is None or closed.score < oldest.score:
                oldest = closed
        # A match of the hash wins over the score. Two names of one hash only mislead the start of
        # the search; it compares whole names.
        slot = known or oldest or self._grow()
        start = None
        if slot.hash == wanted and slot.score > 0:
            start = slot.header_page
            slot.score = min(slot.score + _HIT_SCORE, _MAX_SCORE)
        else:
            slot.score = _HIT_SCORE
            slot.hash = wanted
        slot.take()
        return slot, start

    def _grow(self) -> Slot:
        if self._limit is not None:
            raise spiffs_error(
                Code.OUT_OF_FILE_DESCS,
                f"{self._limit} files are open",
                hint="close one; the board's firmware has 2 descriptors",
            )
        self._slots.append(Slot(len(self._slots) + 1))
        return self._slots[-1]

    def renamed(self, old: bytes, new: bytes) -> None:
        """Make slots that remember the old name remember the new one."""
        old_hash, new_hash = name_hash(old), name_hash(new)
        for slot in self._slots:
            if slot.score > 0 and slot.hash == old_hash:
                slot.hash = new_hash
