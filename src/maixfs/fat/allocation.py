"""Taking and freeing clusters, in the order in which FatFs does.

A new chain starts at the first free cluster after the one that was taken last; a chain grows
into its own next cluster if that is free, or else after the one that was taken last. The
search wraps around once (docs/SPEC.md).

So that losing power does no harm, what owned a cluster is on the card without it before the
cluster is freed, and a chain is on the card before something leads back to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.fat.errors import FResult, fat_error
from maixfs.fat.table import END_OF_CHAIN

if TYPE_CHECKING:
    from collections.abc import Callable

    from maixfs.fat.fsinfo import FreeSpace
    from maixfs.fat.table import Table

Run = tuple[int, int]
"""First cluster and number of clusters that lie one after the other."""


class Allocator:
    """Takes clusters from a table and gives them back; keeps count in ``space``.

    With ``freed`` the table has given clusters back since it was written last, and taken none;
    with ``shortened`` some of them from the end of chains that go on. ``settle`` writes entries
    and table to the card in the order that this asks for.
    """

    __slots__ = ("freed", "settle", "shortened", "space", "table")

    def __init__(self, table: Table, space: FreeSpace, settle: Callable[[], None]) -> None:
        self.table = table
        self.space = space
        self.settle = settle
        self.freed = False
        self.shortened = False

    def start(self, count: int) -> list[Run]:
        """Begin a chain of ``count`` clusters; returns its runs, shorter or none when full."""
        if self.freed:
            self.settle()
        first = self._find(self._hint() or 1) if count and self.space.free else 0
        if not first:
            return []
        run = self._take(first, count)
        if run[1] == count:
            return [run]
        return [run, *self.grow(first + run[1] - 1, count - run[1])]

    def grow(self, last: int, count: int) -> list[Run]:
        """Add ``count`` clusters to the chain that ends in ``last``; returns the new runs."""
        if self.freed:
            self.settle()
        table, runs = self.table, list[Run]()
        while count > 0 and self.space.free:
            first = last + 1 if last + 1 < table.count else 2
            if table.get(first):
                first = self._find(self._hint() or last)
                if not first:
                    break
            run = self._take(first, count)
            if first < last:
                self._settle_run(first)
            table.put(last, first)
            if runs and sum(runs[-1]) == first:
                runs[-1] = (runs[-1][0], runs[-1][1] + run[1])
            else:
                runs.append(run)
            last = first + run[1] - 1
            count -= run[1]
        return runs

    def _settle_run(self, first: int) -> None:
        """Have a run on the card before a chain leads back to it, or give it up.

        The table goes to the card from its end: what leads on comes by itself after the run.
        """
        try:
            self.settle()
        except BaseException:
            self._release(first)
            raise

    def _hint(self) -> int:
        last = self.space.last
        return last if 2 <= last < self.table.count else 0

    def _find(self, after: int) -> int:
        """Return the first free cluster after ``after``, around the end, or 0."""
        table, next_one = self.table, after + 1
        if 2 <= next_one < table.count and not table.get(next_one):
            return next_one
        return table.find_free(max(next_one, 2), table.count) or table.find_free(2, next_one)

    def _take(self, first: int, count: int) -> Run:
        """Take free clusters from ``first`` on while they follow one another."""
        if count == 1:
            self.table.put(first, END_OF_CHAIN)
            self.space.took(1, first)
            return first, 1
        if self.space.known:
            count = min(count, self.space.free)
        length = self.table.free_run(first, count)
        self.table.link_run(first, length)
        self.space.took(length, first + length - 1)
        return first, length

    def free_chain(self, cluster: int, previous: int = 0) -> int:
        """Free a chain from ``cluster`` on; ``previous``, if not 0, becomes its end.

        Whatever entry led there must lead nowhere any more, in RAM. Returns the number of
        clusters freed. Stops at a free cluster, so that a chain that loops comes to an end.
        Raises ``INT_ERR`` where a chain begins or goes where no cluster is; what comes before
        that is free then. Raises ``DISK_ERR``, and everything is free in RAM.
        """
        if not 2 <= cluster < self.table.count:
            raise fat_error(FResult.INT_ERR, f"a chain starts at cluster {cluster:#x}")
        try:
            if self.table.dirty and not self.freed:
                self.settle()
        finally:
            if previous:
                self.table.put(previous, END_OF_CHAIN)
                self.shortened = True
            self.freed = True
            freed = self._release(cluster)
        return freed

    def _release(self, cluster: int) -> int:
        table = self.table
        freed = 0
        try:
            while cluster < table.count:
                link = table.get(cluster)
                if link == 0:
                    break
                if link == 1:
                    raise fat_error(FResult.INT_ERR, f"cluster {cluster:#x}", "its entry is 1")
                table.put(cluster, 0)
                freed += 1
                cluster = link
        finally:
            self.space.gave(freed)
        return freed
