"""Per-block counts of look-up entries, recounted only where an entry changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from maixfs.spiffs import ondisk

if TYPE_CHECKING:
    from array import array

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
        """Say that the entry of ``page`` changed."""
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
        deleted = head.count(ondisk.ID_DELETED)
        return BlockCount(
            deleted,
            len(head) - deleted,
            entries.count(ondisk.ID_DELETED),
            free,
        )
