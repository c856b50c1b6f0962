"""Which object id a new file gets (docs/SPEC.md, section 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.spiffs.errors import Code, spiffs_error

if TYPE_CHECKING:
    from maixfs.spiffs.geometry import Geometry

_MAX_ID = 0x7FFF


class IdPool:
    """Counts the pages that carry each id, and the finished headers of each.

    The C has a work buffer of one page for this. Where a bit per id fits, the smallest id that
    no look-up entry carries is taken; else ids are counted in buckets, over finished headers only
    (of files being removed too), and the first empty bucket gives its first id.
    """

    def __init__(self, geometry: Geometry) -> None:
        self._buffer = geometry.page_size
        objects = geometry.blocks * geometry.usable_pages // 2
        self._max = objects + 1 if objects + 1 <= _MAX_ID else _MAX_ID
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
        limit = self._buffer * 8
        while number in self._uses:
            number += 1
        self._lowest = number
        if number > min(limit, _MAX_ID):
            raise spiffs_error(Code.FULL, "object ids")
        return number

    def _choose_by_bucket(self, buckets: list[int]) -> int:
        low, high, size = 1, self._max, self._bucket_size
        while True:
            fewest = min(buckets)
            if fewest == size:
                raise spiffs_error(Code.FULL, "object ids")
            chosen = buckets.index(fewest)
            if fewest == 0:
                return low + chosen * size
            low += chosen * size
            high = low + size
            if high - low <= self._buffer * 8:
                return self._first_unused(low)
            size = (high - low) // self._buffer
            buckets = self._recount(low, high, size)

    def _recount(self, low: int, high: int, size: int) -> list[int]:
        buckets = [0] * self._buffer
        for object_id, headers in self._headers.items():
            bucket = (object_id - low) // size
            if low <= object_id <= high and bucket < self._buffer:
                buckets[bucket] += headers
        return buckets

    def _first_unused(self, low: int) -> int:
        for number in range(low, min(low + self._buffer * 8, _MAX_ID + 1)):
            if number not in self._uses:
                return number
        raise spiffs_error(Code.FULL, "object ids")
