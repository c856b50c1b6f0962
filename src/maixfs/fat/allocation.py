"""Taking and freeing clusters, in the order in which FatFs does.

A new chain starts at the first free cluster after the one that was taken last; a chain grows
into its own next cluster if that is free, or else after the one that was taken last. The
search wraps around once (docs/SPEC.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.fat.errors import FResult, fat_error
from maixfs.fat.table import END_OF_CHAIN

if TYPE_CHECKING:
    from maixfs.fat.fsinfo import FreeSpace
    from maixfs.fat.table import Table

Run = tuple[int, int]
"""First cluster and number of clusters that lie one after the other."""


class Allocator:
    """Takes clusters from a table and gives them back; keeps count in ``space``.

    ``freed`` says that a cluster was given back since it was last cleared.
    """

    __slots__ = ("freed", "space", "table")

    def __init__(self, table: Table, space: FreeSpace) -> None:
        self.table = table
        self.space = space
        self.freed = False

    def start(self, count: int) -> list[Run]:
        """Begin a chain of ``count`` clusters; returns its runs, shorter or none when full."""
        first = self._find(self._hint() or 1) if count and self.space.free else 0
        if not first:
            return []
        run = self._take(first, count)
        if run[1] == count:
            return [run]
        return [run, *self.grow(first + run[1] - 1, count - run[1])]

    def grow(self, last: int, count: int) -> list[Run]:
        """Add ``count`` clusters to the chain that ends in ``last``; returns the new runs."""
        table, runs = self.table, list[Run]()
        while count > 0 and self.space.free:
            first = last + 1 if last + 1 < table.count else 2
            if table.get(first):
                first = self._find(self._hint() or last)
                if not first:
                    break
            run = self._take(first, count)
            table.put(last, first)
            if runs and sum(runs[-1]) == first:
                runs[-1] = (runs[-1][0], runs[-1][1] + run[1])
            else:
                runs.append(run)
            last = first + run[1] - 1
            count -= run[1]
        return runs

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

        Returns the number of clusters freed. Stops at a free cluster, so that a chain that
        loops comes to an end. Raises ``INT_ERR`` where a chain begins or goes where no cluster
        is; what comes before that is free then.
        """
        table = self.table
        if not 2 <= cluster < table.count:
            raise fat_error(FResult.INT_ERR, f"a chain starts at cluster {cluster:#x}")
        if previous:
            table.put(previous, END_OF_CHAIN)
        freed = 0
        self.freed = True
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
