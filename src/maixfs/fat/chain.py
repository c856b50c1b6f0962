"""Which clusters a file has: its chain as runs, read from the FAT as far as is needed."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from maixfs.fat.errors import FResult, fat_error
from maixfs.fat.table import check_link

if TYPE_CHECKING:
    from maixfs.fat.allocation import Allocator, Run

_LOOK_AHEAD = 64
"""Clusters by which a run is followed further than was asked for."""


class Chain:
    """The clusters from ``first`` on; 0 if there is none yet.

    Clusters are counted from 0 in the order of the file. ``length`` of them are known, and
    ``ended`` says that there are no more; ``grown`` says that some were added. A chain that
    loops is followed as far as it is asked for, which the size of a file bounds.
    """

    __slots__ = ("_allocator", "_heads", "_starts", "ended", "first", "grown", "length")

    def __init__(self, allocator: Allocator, first: int) -> None:
        self._allocator = allocator
        self.first = first
        self._starts: list[int] = []
        self._heads: list[int] = []
        self.length = 0
        self.ended = first == 0
        self.grown = False

    def locate(self, index: int) -> Run:
        """Return the ``index``-th cluster and how many from it on are known to be one run.

        Raises ``INT_ERR`` where the chain is shorter or damaged.
        """
        if index >= self.length and self.reach(index + 1) <= index:
            about = f"the chain from cluster {self.first:#x}"
            raise fat_error(FResult.INT_ERR, about, f"ends after {self.length} clusters")
        if len(self._heads) == 1:
            return self._heads[0] + index, self.length - index
        at = bisect_right(self._starts, index) - 1
        start = self._starts[at]
        end = self._starts[at + 1] if at + 1 < len(self._starts) else self.length
        return self._heads[at] + index - start, end - index

    def reach(self, count: int) -> int:
        """Follow the chain until ``count`` clusters are known; returns how many are.

        Raises ``INT_ERR`` for a link to nowhere among them.
        """
        table = self._allocator.table
        while self.length < count and not self.ended:
            if not self.length:
                if not 2 <= self.first < table.count:
                    about = f"a file starts at cluster {self.first:#x}"
                    raise fat_error(FResult.INT_ERR, about, "there is no such cluster")
                cluster = self.first
            else:
                last = self.last
                cluster = check_link(table.get(last), last)
                if cluster >= table.count:
                    self.ended = True
                    break
            self._add(cluster, table.run_from(cluster, count - self.length + _LOOK_AHEAD))
        return self.length

    @property
    def last(self) -> int:
        """The last cluster that is known; there must be one."""
        return self._heads[-1] + self.length - 1 - self._starts[-1]

    def _add(self, cluster: int, count: int) -> None:
        if not self.length or cluster != self.last + 1:
            self._starts.append(self.length)
            self._heads.append(cluster)
        self.length += count

    def stretch(self, count: int) -> int:
        """Make the chain ``count`` clusters long if it is shorter; returns its length then.

        That is less when the volume is full.
        """
        if not self.ended and self.reach(count) >= count:
            return count
        if self.length >= count:
            return count
        allocator, wanted = self._allocator, count - self.length
        runs = allocator.grow(self.last, wanted) if self.length else allocator.start(wanted)
        for first, length in runs:
            self.grown = True
            self._add(first, length)
        if not self.first and runs:
            self.first = runs[0][0]
        return self.length

    def cut(self, keep: int) -> None:
        """Free all clusters but the first ``keep``."""
        if keep == 0:
            first = self.first
            self._reset(0)
            self._allocator.free_chain(first)
            return
        if self.reach(keep) < keep:
            return
        last, _ = self.locate(keep - 1)
        link = check_link(self._allocator.table.get(last), last)
        self._shorten(keep)
        if link < self._allocator.table.count:
            self._allocator.free_chain(link, last)

    def _reset(self, first: int) -> None:
        self.first = first
        self._starts.clear()
        self._heads.clear()
        self.length = 0
        self.ended = first == 0

    def _shorten(self, keep: int) -> None:
        at = bisect_right(self._starts, keep - 1)
        del self._starts[at:], self._heads[at:]
        self.length = keep
        self.ended = True
