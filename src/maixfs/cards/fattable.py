"""The first FAT of a volume as one array, and the chains in it as runs of clusters.

A card of 128 GiB has four million clusters; what is asked of all of them is asked of the array,
and a chain is followed run by run: clusters that lie one after the other are one step.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from maixfs.cards.layout import Layout
from maixfs.fat.ondisk import FAT32_MASK
from maixfs.sd.device import SECTOR, SectorDevice

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Table = NDArray[np.uint32]

_NEAR = 8
"""Runs ahead in which the next one of a chain is looked for first."""
_PIECE = 1 << 18
"""Entries that are looked at in one go where that saves memory."""


class Ending(Enum):
    """How a chain ends; the value says it of a cluster."""

    END = "is the last one"
    FREE = "is marked free"
    BAD = "is marked bad"
    LOOP = "is in the chain already"
    ODD = "leads past the last cluster"
    SHARED = "belongs to another file, too"
    OUT = "is none of the volume's"


class Chain(NamedTuple):
    """How far a chain goes that was claimed."""

    clusters: int
    """How many clusters it has that were nobody's before."""
    ending: Ending
    at: int
    """The cluster that ``ending`` is about."""
    owner: int = 0
    """Whom the cluster belongs to that is ``SHARED``."""


class FatTable:
    """The first FAT of a volume, and who owns its clusters."""

    def __init__(self, device: SectorDevice, start: int, layout: Layout) -> None:
        import numpy as np

        self.layout = layout
        self.table = read_table(device, start, layout)
        self._bad = bad_mark(layout.fat_type)
        self._breaks = _run_ends(self.table)
        self._owners = np.zeros(len(self._breaks), np.uint32)
        self._lowest = np.zeros(len(self._breaks), np.uint32)
        # Single items of an array are read through its buffer: that takes half the time.
        self._next = self.table.data
        self._ends = self._breaks.data
        self._owned_by = self._owners.data
        self._entered_at = self._lowest.data

    def count_free(self) -> int:
        """Return how many clusters are free."""
        import numpy as np

        return self.layout.clusters - int(np.count_nonzero(self.table[2:]))

    def highest_used(self) -> int:
        """Return the last cluster that is not free, 0 where all are."""
        import numpy as np

        for end in range(len(self.table), 2, -_PIECE):
            start = max(2, end - _PIECE)
            used = np.flatnonzero(self.table[start:end])
            if len(used):
                return start + int(used[-1])
        return 0

    def runs(self, start: int, clusters: int) -> Iterator[tuple[int, int]]:
        """Yield first cluster and length of the runs of a chain, ``clusters`` in all.

        They are fewer where the chain ends or breaks before.
        """
        at = start
        while clusters > 0 and self._refusal(at) is None:
            last = self._ends[bisect_left(self._ends, at)]
            length = min(last - at + 1, clusters)
            yield at, length
            clusters -= length
            at = self._next[last]

    def claim(self, start: int, owner: int) -> Chain:
        """Follow a chain and note whose it is; ends where it is somebody's already."""
        ends, owners, entries, following = self._ends, self._owned_by, self._entered_at, self._next
        count, at, index = 0, start, 0
        while True:  # ends: every turn takes a run that nobody had
            wrong = self._refusal(at)
            if wrong is not None:
                return Chain(count, wrong, at)
            index = self._run_of(at, index)
            last = ends[index]
            if owners[index]:
                return self._met(index, at, owner, count)
            owners[index] = owner
            entries[index] = at
            count += last - at + 1
            at = following[last]
            if at >= self.layout.limit:
                ending = Ending.END if at > self._bad else Ending.BAD if at == self._bad else None
                return Chain(count, ending or Ending.ODD, last)

    def _run_of(self, cluster: int, before: int) -> int:
        """Return the number of a used cluster's run; most chains go on close to ``before``."""
        ends = self._ends
        near = before + _NEAR
        if near < len(ends) and ends[before] < cluster <= ends[near]:
            return bisect_left(ends, cluster, before + 1, near)
        return bisect_left(ends, cluster)

    def _met(self, index: int, at: int, owner: int, count: int) -> Chain:
        """End a chain that comes to a run which has an owner."""
        other, entered = self._owned_by[index], self._entered_at[index]
        if at < entered:
            self._entered_at[index] = at
            count += entered - at
        ending = Ending.LOOP if other == owner else Ending.SHARED
        return Chain(count, ending, max(at, entered), other)

    def lost(self) -> tuple[int, int, int]:
        """Return (clusters, chains, first cluster) of what is used and was not claimed."""
        import numpy as np

        clusters = chains = first = 0
        for start in range(2, len(self.table), _PIECE):
            part = self.table[start : start + _PIECE]
            used = np.flatnonzero((part != 0) & (part != self._bad)) + start
            where = np.searchsorted(self._breaks, used)
            free = (self._owners[where] == 0) | (used < self._lowest[where])
            lost = used[free]
            if not len(lost):
                continue
            clusters += len(lost)
            chains += int(np.count_nonzero(self.table[lost] >= self.layout.limit))
            first = first or int(lost[0])
        return clusters, chains, first

    def _refusal(self, cluster: int) -> Ending | None:
        """Return why a chain cannot go on with ``cluster``."""
        if not 2 <= cluster < self.layout.limit:
            return Ending.OUT
        value = self._next[cluster]
        if value == 0:
            return Ending.FREE
        return Ending.BAD if value == self._bad else None


def read_table(device: SectorDevice, start: int, layout: Layout) -> Table:
    """Return the entries of the first FAT, up to the last cluster's; FAT32 without upper bits."""
    import numpy as np

    sectors = -(-layout.limit * layout.fat_type // (8 * SECTOR))
    raw = bytearray(sectors * SECTOR)
    device.readinto(start + layout.fat_start, memoryview(raw))
    if layout.fat_type == 32:
        table: Table = np.frombuffer(raw, "<u4")[: layout.limit].astype(np.uint32, copy=False)
        table &= np.uint32(FAT32_MASK)
        return table
    if layout.fat_type == 16:
        return np.frombuffer(raw, "<u2")[: layout.limit].astype(np.uint32)
    return _unpack_12(raw, layout.limit)


def bad_mark(fat_type: int) -> int:
    """Return the value of a bad cluster; end marks are above it."""
    return (1 << min(fat_type, 28)) - 9


def _unpack_12(raw: bytearray, count: int) -> Table:
    """Return entries of 12 bits: two of them lie in three bytes."""
    import numpy as np

    padded = np.zeros(-(-len(raw) // 3) * 3, np.uint8)
    padded[: len(raw)] = np.frombuffer(raw, np.uint8)
    low, middle, high = padded.reshape(-1, 3).T.astype(np.uint32)
    pairs = np.empty((len(low), 2), np.uint32)
    pairs[:, 0] = low | (middle & 0x0F) << 8
    pairs[:, 1] = middle >> 4 | high << 4
    return pairs.reshape(-1)[:count].copy()


def _run_ends(table: Table) -> Table:
    """Return the clusters at which runs end: used, and not led on to their neighbour."""
    import numpy as np

    found = [np.zeros(0, np.uint32)]
    last = len(table) - 1
    for start in range(2, len(table), _PIECE):
        stop = min(start + _PIECE, last)
        here = table[start:stop]
        numbers = np.arange(start + 1, stop + 1, dtype=np.uint32)
        goes_on = (here == numbers) & (table[start + 1 : stop + 1] != 0)
        found.append((np.flatnonzero((here != 0) & ~goes_on) + start).astype(np.uint32))
    if last >= 2 and table[last]:
        found.append(np.array([last], np.uint32))
    return np.concatenate(found)
