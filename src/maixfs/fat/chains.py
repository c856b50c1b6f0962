"""Chains of clusters as an examination follows them, past any damage, and who owns each cluster.

The driver's table stops at damage; these go on. A chain is followed run by run: clusters that lie
one after the other are one step. ``FatArray`` holds the whole FAT as one array, because questions
about all four million clusters of a large card need that; ``PagedChains`` reads the pages that the
chains lead to and needs no numpy.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from maixfs.fat.ondisk import FAT32_MASK
from maixfs.sd.device import SECTOR
from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from maixfs.fat.geometry import FatGeometry
    from maixfs.sd.device import SectorDevice

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
    LOOP = "is already in this chain"
    ODD = "points past the last cluster"
    SHARED = "also belongs to another file"
    OUT = "does not exist"


class Chain(NamedTuple):
    """How far a claimed chain goes."""

    clusters: int
    """Clusters that had no owner before."""
    ending: Ending
    at: int
    """The cluster that ``ending`` is about."""
    owner: int = 0
    """The other owner of a cluster that is ``SHARED``."""


class Chains(Protocol):
    """Follows chains and records owners; owner 0 means none."""

    def runs(self, start: int, clusters: int) -> Iterator[tuple[int, int]]:
        """Yield first cluster and length of the runs of a chain, ``clusters`` in all; fewer where
        the chain ends or breaks before."""

    def claim(self, start: int, owner: int) -> Chain:
        """Follow a chain and record its owner; end at the first cluster that has an owner."""


class PagedChains:
    """Chains in the pages of the FAT that they lead to; enough to walk a volume."""

    def __init__(self, device: SectorDevice, start: int, geometry: FatGeometry) -> None:
        from maixfs.fat.sectors import VolumeSectors
        from maixfs.fat.table import open_table

        self._table = open_table(VolumeSectors(device, start), geometry)
        self._limit = geometry.n_fatent
        self._bad = bad_mark(geometry.fat_type)
        self._claimed: list[tuple[int, int, int]] = []
        """The claimed runs, disjoint and in order: first cluster, last cluster, owner."""

    def runs(self, start: int, clusters: int) -> Iterator[tuple[int, int]]:
        """Yield the runs of a chain, as ``Chains.runs``."""
        at = start
        while clusters > 0 and self._refusal(at) is None:
            length, following = self._run(at, clusters)
            yield at, length
            clusters -= length
            at = following

    def claim(self, start: int, owner: int) -> Chain:
        """Follow a chain and record its owner, as ``Chains.claim``."""
        claimed = self._claimed
        count, at = 0, start
        while True:  # ends: every turn claims a cluster that had no owner
            wrong = self._refusal(at)
            if wrong is not None:
                return Chain(count, wrong, at)
            length, following = self._run(at, self._limit)
            last = at + length - 1
            index = bisect_left(claimed, (at + 1,))
            if index and claimed[index - 1][1] >= at:
                return self._met(index - 1, at, owner, count)
            is_met = index < len(claimed) and claimed[index][0] <= last
            if is_met:
                last = claimed[index][0] - 1
            claimed.insert(index, (at, last, owner))
            count += last - at + 1
            if is_met:
                return self._met(index + 1, last + 1, owner, count)
            at = following
            if at >= self._limit:
                return Chain(count, _ending_of(at, self._bad), last)

    def _run(self, at: int, most: int) -> tuple[int, int]:
        """Return the length of the run at a used cluster, and the entry of its last cluster."""
        length = self._table.run_from(at, most)
        value = self._table.get(at + length - 1)
        if length > 1 and value in (0, self._bad):
            # The link leads there, but the chain cannot go through it.
            return length - 1, at + length - 1
        return length, value

    def _met(self, index: int, at: int, owner: int, count: int) -> Chain:
        other = self._claimed[index][2]
        return Chain(count, Ending.LOOP if other == owner else Ending.SHARED, at, other)

    def _refusal(self, cluster: int) -> Ending | None:
        if not 2 <= cluster < self._limit:
            return Ending.OUT
        value = self._table.get(cluster)
        if value == 0:
            return Ending.FREE
        return Ending.BAD if value == self._bad else None


class FatArray:
    """The whole first FAT of a volume as an array, and the owners of its clusters."""

    def __init__(self, device: SectorDevice, start: int, geometry: FatGeometry) -> None:
        import numpy as np

        self.geometry = geometry
        self.table = _read_table(device, start, geometry)
        self._bad = bad_mark(geometry.fat_type)
        self._breaks = _run_ends(self.table)
        self._owners = np.zeros(len(self._breaks), np.uint32)
        self._lowest = np.zeros(len(self._breaks), np.uint32)
        # Single items of an array are read through its buffer: that takes half the time.
        self._next = self.table.data
        self._ends = self._breaks.data
        self._owned_by = self._owners.data
        self._entered_at = self._lowest.data

    def count_free(self) -> int:
        """Return the number of free clusters."""
        import numpy as np

        return self.geometry.clusters - int(np.count_nonzero(self.table[2:]))

    def highest_used(self) -> int:
        """Return the last cluster that is not free; 0 without any."""
        import numpy as np

        for end in range(len(self.table), 2, -_PIECE):
            start = max(2, end - _PIECE)
            used = np.flatnonzero(self.table[start:end])
            if len(used):
                return start + int(used[-1])
        return 0

    def runs(self, start: int, clusters: int) -> Iterator[tuple[int, int]]:
        """Yield the runs of a chain, as ``Chains.runs``."""
        at = start
        while clusters > 0 and self._refusal(at) is None:
            last = self._ends[bisect_left(self._ends, at)]
            following = self._next[last]
            if following == self._bad:  # the last cluster is bad, and not the first: see above
                last, following = last - 1, last
            length = min(last - at + 1, clusters)
            yield at, length
            clusters -= length
            at = following

    def claim(self, start: int, owner: int) -> Chain:
        """Follow a chain and record its owner, as ``Chains.claim``."""
        ends, owners, entries, following = self._ends, self._owned_by, self._entered_at, self._next
        count, at, index = 0, start, 0
        while True:  # ends: every turn claims a run that had no owner
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
            if at >= self.geometry.n_fatent:
                ending = _ending_of(at, self._bad)
                # The link leads to a bad cluster, but the chain cannot go through it.
                return Chain(count - (ending is Ending.BAD), ending, last)

    def _run_of(self, cluster: int, before: int) -> int:
        """Return the index of a used cluster's run; most chains go on close to ``before``."""
        ends = self._ends
        near = before + _NEAR
        if near < len(ends) and ends[before] < cluster <= ends[near]:
            return bisect_left(ends, cluster, before + 1, near)
        return bisect_left(ends, cluster)

    def _met(self, index: int, at: int, owner: int, count: int) -> Chain:
        """End a chain that comes to a run with an owner."""
        other, entered = self._owned_by[index], self._entered_at[index]
        if at < entered:
            self._entered_at[index] = at
            count += entered - at
        ending = Ending.LOOP if other == owner else Ending.SHARED
        return Chain(count, ending, max(at, entered), other)

    def lost(self) -> tuple[int, int, int]:
        """Return (clusters, chains, first cluster) of the used clusters without an owner."""
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
            chains += int(np.count_nonzero(self.table[lost] >= self.geometry.n_fatent))
            first = first or int(lost[0])
        return clusters, chains, first

    def _refusal(self, cluster: int) -> Ending | None:
        """Return why a chain cannot go on with ``cluster``."""
        if not 2 <= cluster < self.geometry.n_fatent:
            return Ending.OUT
        value = self._next[cluster]
        if value == 0:
            return Ending.FREE
        return Ending.BAD if value == self._bad else None


def bad_mark(fat_type: int) -> int:
    """Return the entry of a bad cluster; end marks are above it."""
    return (1 << min(fat_type, 28)) - 9


def _ending_of(entry: int, bad: int) -> Ending:
    """Return what an entry past the last cluster says."""
    if entry == bad:
        return Ending.BAD
    return Ending.END if entry > bad else Ending.ODD


def _read_table(device: SectorDevice, start: int, geometry: FatGeometry) -> Table:
    """Return the entries of the first FAT, up to the last cluster's; FAT32 without upper bits."""
    import numpy as np

    count = geometry.n_fatent
    raw = bytearray(-(-count * geometry.fat_type // (8 * SECTOR)) * SECTOR)
    device.readinto(start + geometry.fat_start, memoryview(raw))
    if geometry.fat_type == 32:
        table: Table = np.frombuffer(raw, "<u4")[:count].astype(np.uint32, copy=False)
        table &= np.uint32(FAT32_MASK)
        return table
    if geometry.fat_type == 16:
        return np.frombuffer(raw, "<u2")[:count].astype(np.uint32)
    return _unpack_12(raw, count)


def _unpack_12(raw: bytearray, count: int) -> Table:
    """Return entries of 12 bits, two in three bytes."""
    import numpy as np

    padded = np.zeros(-(-len(raw) // 3) * 3, np.uint8)
    padded[: len(raw)] = np.frombuffer(raw, np.uint8)
    low, middle, high = padded.reshape(-1, 3).T.astype(np.uint32)
    pairs = np.empty((len(low), 2), np.uint32)
    pairs[:, 0] = low | (middle & 0x0F) << 8
    pairs[:, 1] = middle >> 4 | high << 4
    return pairs.reshape(-1)[:count].copy()


def _run_ends(table: Table) -> Table:
    """Return the last clusters of all runs: used, without a link to a used neighbour."""
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
