"""Room on a volume: how much is free (FSInfo), which clusters come next, which ones a file has.

A new chain starts at the first free cluster after the one that was taken last; a chain grows
into its own next cluster if that is free, or else after the one that was taken last. The
search wraps around once (docs/SPEC.md). Both allocators choose the same clusters: ``Allocator``
takes many at a time and asks for a safe order of writes, ``WindowAllocator`` looks at and changes
one FAT entry after the other, as FatFs does.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from maixfs.fat.errors import FatError, FResult, fat_error
from maixfs.fat.geometry import is_boot_sector
from maixfs.fat.ondisk import (
    FSI_COUNTS,
    FSI_LEAD_SIG,
    FSI_STRUC_SIG,
    FSI_TRAIL_SIG,
    FSI_UNKNOWN,
    FsInfo,
)
from maixfs.fat.table import END_OF_CHAIN, check_link

if TYPE_CHECKING:
    from collections.abc import Callable

    from maixfs.fat.geometry import FatGeometry
    from maixfs.fat.sectors import VolumeSectors
    from maixfs.fat.table import Table
    from maixfs.fat.window import Window

Run = tuple[int, int]
"""First cluster and number of clusters that lie one after the other."""
_FSINFO_SECTOR = 1
"""Sector of FSInfo; FatFs ignores FSInfo in any other sector."""
_NO_COUNTS = FsInfo(FSI_LEAD_SIG, FSI_STRUC_SIG, 0, 0, FSI_TRAIL_SIG).pack()
"""FSInfo with counts of 0, which are filled in before it is written."""
_LOOK_AHEAD = 64
"""Clusters by which a run is followed further than was asked for."""


class FreeSpace:
    """Number of free clusters and the cluster that was taken last (FSInfo).

    ``free`` is trusted as the card gives it, right or wrong, unless it is larger than the number
    of clusters: then it is unknown. FatFs does so, and says that a volume is full when a wrong
    count reaches 0. The search for a free cluster begins after ``last``. ``moved``: clusters were
    taken or freed since the last ``flush``.
    """

    __slots__ = ("_changed", "_clusters", "_data", "_sectors", "_used", "free", "last", "moved")

    def __init__(self, sectors: VolumeSectors, geometry: FatGeometry) -> None:
        self._sectors = sectors
        self._clusters = geometry.clusters
        self.free = self.last = FSI_UNKNOWN
        self._used = False
        self._changed = False
        self._data = bytearray(_NO_COUNTS)
        self.moved = False
        if geometry.fat_type == 32 and geometry.fsinfo_sector == _FSINFO_SECTOR:
            self._load()

    def _load(self) -> None:
        """Load the counts; a sector that cannot be read is never written, as in FatFs."""
        try:
            sector = self._sectors.read(_FSINFO_SECTOR, 1)
        except FatError:
            return
        # Before the signatures are judged: FatFs repairs a damaged sector with its next change, as
        # long as the boot sector names it.
        self._used = True
        info = FsInfo.unpack(sector)
        # FatFs tests the upper half of the last signature only.
        if is_boot_sector(sector) and (info.FSI_LeadSig, info.FSI_StrucSig) == (
            FSI_LEAD_SIG,
            FSI_STRUC_SIG,
        ):
            self.free, self.last = info.FSI_Free_Count, info.FSI_Nxt_Free

    @property
    def known(self) -> bool:
        """Whether ``free`` is a count."""
        return self.free <= self._clusters

    def took(self, count: int, last: int) -> None:
        """Note that ``count`` clusters were taken, ``last`` the last of them."""
        # A count that is not known stays so until somebody counts.
        if self.free <= self._clusters:
            self.free -= count
        self.last = last
        self._changed = self.moved = True

    def gave(self, count: int) -> None:
        """Note that ``count`` clusters were freed."""
        # FatFs leaves a count that is already at its largest; it would pass for unknown above
        # that.
        if count and self.free < self._clusters:
            self.free = min(self.free + count, self._clusters)
            self._changed = self.moved = True

    def counted(self, free: int) -> None:
        """Note that the FAT has ``free`` free entries."""
        self.free = free
        # Not ``moved``: a better count alone is no reason to write to a card.
        self._changed = True

    def flush(self) -> None:
        """Write the sector if it is in use and something changed: the whole of it."""
        if self._changed and self._used:
            # Made anew as in sync_fs, zeros between the fields: what another system kept there is
            # lost.
            FSI_COUNTS.pack_into(self._data, 0, self.free & FSI_UNKNOWN, self.last & FSI_UNKNOWN)
            self._sectors.write(_FSINFO_SECTOR, bytes(self._data))
            self._changed = False
        self.moved = False


class Allocator:
    """Takes clusters from a table and gives them back; keeps count in ``space``.

    So that losing power does no harm, what owned a cluster is on the card without it before the
    cluster is freed, and a chain is on the card before something leads back to it.

    With ``freed`` the table has given clusters back since it was written last, and taken none;
    with ``shortened`` some of them from the end of chains that go on. ``flush_metadata`` writes
    entries and table to the card in the order that this asks for.
    """

    __slots__ = ("flush_metadata", "freed", "shortened", "space", "table")

    def __init__(self, table: Table, space: FreeSpace, flush_metadata: Callable[[], None]) -> None:
        self.table = table
        self.space = space
        self.flush_metadata = flush_metadata
        self.freed = False
        self.shortened = False

    def start(self, count: int) -> list[Run]:
        """Begin a chain of ``count`` clusters; returns its runs, shorter or none when full."""
        # A freed cluster may be taken now. The entry that had it must be gone from the card first,
        # or a cut leaves it in two files.
        if self.freed:
            self.flush_metadata()
        # FatFs begins after the last cluster taken, or at 2 without one. A count of 0 ends it here
        # without a look at the FAT, even where FSInfo is wrong: the board does the same.
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
            self.flush_metadata()
        table, runs = self.table, list[Run]()
        while count > 0 and self.space.free:
            # The neighbour first, which keeps a file in one piece; only then after the hint.
            first = last + 1 if last + 1 < table.count else 2
            if table.get(first):
                first = self._find(self._hint() or last)
                if not first:
                    break
            run = self._take(first, count)
            # The FAT goes to the card from its end, so a run behind ``last`` lands before its
            # link. One in front of it would land after, and the link would lead into free
            # clusters.
            if first < last:
                self._flush_run(first)
            table.put(last, first)
            if runs and sum(runs[-1]) == first:
                runs[-1] = (runs[-1][0], runs[-1][1] + run[1])
            else:
                runs.append(run)
            last = first + run[1] - 1
            count -= run[1]
        return runs

    def _flush_run(self, first: int) -> None:
        """Write a run before a lower cluster links to it; release it if that fails.

        The table is written from its end: a link to a higher cluster needs no such care.
        """
        try:
            self.flush_metadata()
        except BaseException:
            self._release(first)
            raise

    def _hint(self) -> int:
        last = self.space.last
        # A hint from the card may be anything: FatFs ignores one that is no cluster.
        return last if 2 <= last < self.table.count else 0

    def _find(self, after: int) -> int:
        """Return the first free cluster after ``after``, around the end, or 0."""
        table, next_one = self.table, after + 1
        if 2 <= next_one < table.count and not table.get(next_one):
            return next_one
        # Around the end once, so that a hint behind the only free cluster finds it too.
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
            # Chains that grew are written downwards and freed ones upwards; what has grown goes
            # first.
            if self.table.dirty and not self.freed:
                self.flush_metadata()
        finally:
            if previous:
                # The end before what is cut off, so that no chain leads into a free cluster.
                self.table.put(previous, END_OF_CHAIN)
                self.shortened = True
            self.freed = True
            freed = self._release(cluster)
        return freed

    def _unlinker(self) -> Callable[[int], int]:
        """Return the function that frees one entry and returns what it was; see ``Table``."""
        return self.table.unlink

    def _release(self, cluster: int) -> int:
        freed = 0
        try:
            count, unlink = self.table.count, self._unlinker()
            while cluster < count:
                link = unlink(cluster)
                # A loop comes back to a cluster that is free by now, and ends there.
                if link == 0:
                    break
                if link == 1:
                    about = f"cluster {cluster:#x}"
                    raise fat_error(FResult.INT_ERR, about, "its entry is 1")
                freed += 1
                cluster = link
        finally:
            self.space.gave(freed)
        return freed

    def grow_some(self, last: int, count: int) -> list[Run]:
        """Add some of ``count`` clusters to the chain that ends in ``last``: here, all of them."""
        return self.grow(last, count)

    def look(self, cluster: int) -> int:
        """Return the entry of a valid cluster."""
        return self.table.get(cluster)


class WindowAllocator(Allocator):
    """Takes and frees clusters one by one, and looks at FAT entries in FatFs's order.

    ``window`` learns of each look and of each change before the next one, so that what it writes
    in between has the content that FatFs would write. ``flush_metadata`` does nothing: FatFs frees
    clusters before the entry that owned them is on the card, and links a cluster before it is
    filled.
    """

    __slots__ = ("_fat_start", "_window")

    def __init__(self, table: Table, space: FreeSpace, window: Window, fat_start: int) -> None:
        super().__init__(table, space, _flush_nothing)
        self._window = window
        self._fat_start = fat_start

    def _look(self, cluster: int) -> int:
        """Return an entry, seen through the window (get_fat)."""
        if self._window.waiting:
            first, last = self.table.places(cluster)
            self._window.visit(self._fat_start + first)
            if last != first:
                self._window.visit(self._fat_start + last)
        return self.table.get(cluster)

    def _put(self, cluster: int, value: int) -> None:
        """Change an entry in the window (put_fat); one of FAT12 may lie in two sectors."""
        window, table, start = self._window, self.table, self._fat_start
        first, last = table.places(cluster)
        window.visit(start + first)
        table.put(cluster, value)
        window.hold(start + first, table, first)
        if last != first:
            window.visit(start + last)
            window.hold(start + last, table, last)

    def start(self, count: int) -> list[Run]:
        """Begin a chain of ``count`` clusters; returns its runs, shorter or none when full."""
        if not count or not self.space.free:
            return []
        # Both allocators find the same cluster; here the looks on the way can write the window.
        first = self._search(self._hint() or 1)
        if not first:
            return []
        self._put(first, END_OF_CHAIN)
        self.space.took(1, first)
        runs = self.grow(first, count - 1) if count > 1 else []
        return _joined(first, runs)

    def grow(self, last: int, count: int) -> list[Run]:
        """Add ``count`` clusters to the chain that ends in ``last``; returns the new runs."""
        runs: list[Run] = []
        while count > 0:
            run = self.grow_some(last, count)
            if not run:
                break
            first, length = run[0]
            if runs and sum(runs[-1]) == first:
                runs[-1] = (runs[-1][0], runs[-1][1] + length)
            else:
                runs.append((first, length))
            last = first + length - 1
            count -= length
        return runs

    def grow_some(self, last: int, count: int) -> list[Run]:
        """Add one cluster to a chain, and of ``count`` those after it that need no other sector.

        Taking these is seen on the card only when the sector of the FAT that waits is written.
        """
        # create_chain begins with the link of the last cluster.
        self._look(last)
        first = self._next_for(last) if self.space.free else 0
        if not first:
            return []
        self._put(first, END_OF_CHAIN)
        # End mark first, link second: where a cut comes between their sectors, the cluster is
        # lost, and no chain leads into a free one.
        self._put(last, first)
        self.space.took(1, first)
        return [(first, 1 + self._take_more(first, count - 1))]

    def _take_more(self, last: int, count: int) -> int:
        """Take the clusters after ``last`` whose entries lie in its sector of the FAT.

        One by one they would look at and change that sector alone; returns how many they are.
        """
        table, space = self.table, self.space
        place = table.places(last)
        if count <= 0 or self._window.waiting != self._fat_start + place[0]:
            return 0
        if space.known:
            count = min(count, space.free)
        length = table.free_run(last + 1, min(count, table.per_sector))
        while length and table.places(last + length) != place:
            length -= 1
        # The same entries as one by one, and the same sector is written: many times faster for
        # large files.
        if length:
            table.link_run(last + 1, length)
            table.put(last, last + 1)
            space.took(length, last + length)
        return length

    def _next_for(self, last: int) -> int:
        """Return the free cluster that a chain ending in ``last`` grows into, or 0."""
        # After the last cluster of the volume the first one counts as its neighbour.
        first = last + 1 if last + 1 < self.table.count else 2
        if not self._look(first):
            return first
        return self._search(self._hint() or last)

    def _search(self, after: int) -> int:
        """Return the first free cluster after ``after``, around the end, or 0.

        FatFs looks at every entry on the way. Only the first and the last sector of a row count:
        one of them is not the sector that waits, if any is not.
        """
        found = self._find(after)
        if self._window.waiting:
            start = after + 1 if after + 1 < self.table.count else 2
            stop = found or after
            self._look(start)
            if stop < start:
                self._look(self.table.count - 1)
                self._look(2)
            if stop >= 2:
                self._look(stop)
        return found

    def free_chain(self, cluster: int, previous: int = 0) -> int:
        """Free a chain from ``cluster`` on; ``previous``, if not 0, becomes its end.

        Returns the number of clusters freed; see ``Allocator.free_chain`` for the errors.
        """
        if not 2 <= cluster < self.table.count:
            raise fat_error(FResult.INT_ERR, f"a chain starts at cluster {cluster:#x}")
        if previous:
            self._put(previous, END_OF_CHAIN)
        return self._release(cluster)

    def look(self, cluster: int) -> int:
        """Return the entry of a valid cluster, as FatFs would look at it now."""
        return self._look(cluster)

    def _unlinker(self) -> Callable[[int], int]:
        return self._unlink

    def _unlink(self, cluster: int) -> int:
        first, last = self.table.places(cluster)
        if first == last and self._window.waiting == self._fat_start + first:
            # The sector of the FAT that waits: neither the look nor the change writes it.
            return self.table.unlink(cluster)
        link = self._look(cluster)
        if link > 1:
            self._put(cluster, 0)
        return link


def _flush_nothing() -> None:
    """Write nothing."""


def _joined(first: int, runs: list[Run]) -> list[Run]:
    """Return the runs of a chain that begins with one cluster and goes on with ``runs``."""
    if runs and runs[0][0] == first + 1:
        return [(first, runs[0][1] + 1), *runs[1:]]
    return [(first, 1), *runs]


class Chain:
    """The clusters of a file as runs, from cluster ``first`` on; 0: no cluster yet.

    Clusters are counted from 0 in the order of the file. ``length`` of them are known so far;
    ``ended``: these are all; ``grown``: some were added. A chain that loops is followed up to the
    requested index only, so the size of a file is the bound.
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
        # Most files lie in one run.
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
                # Any number past the last cluster ends a chain in FatFs, the mark of a bad cluster
                # and rubbish too.
                if cluster >= table.count:
                    self.ended = True
                    break
            # A little further than asked for: reads come in order, and a run costs one comparison.
            self._add(cluster, table.run_from(cluster, count - self.length + _LOOK_AHEAD))
        return self.length

    def take_over(self, other: Chain, count: int) -> None:
        """Copy the first ``count`` clusters from ``other`` without reading the FAT."""
        while self.length < min(count, other.length):
            first, row = other.locate(self.length)
            self._add(first, min(row, count - self.length))

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
        self._extend(allocator.grow(self.last, wanted) if self.length else allocator.start(wanted))
        return self.length

    def stretch_some(self, count: int) -> int:
        """Make the chain longer by one cluster, or up to ``count`` where that looks the same.

        All clusters must be known. Returns the length then: it is the same when the volume is
        full.
        """
        allocator = self._allocator
        if self.length:
            self._extend(allocator.grow_some(self.last, count - self.length))
        else:
            self._extend(allocator.start(1))
        return self.length

    def _extend(self, runs: list[Run]) -> None:
        for first, length in runs:
            self.grown = True
            self._add(first, length)
        if not self.first and runs:
            self.first = runs[0][0]

    def cut(self, keep: int) -> None:
        """Free all clusters but the first ``keep``."""
        if keep == 0:
            first = self.first
            # Forgotten before it is freed: a failure in between must not leave a way to free
            # clusters.
            self._reset(0)
            if first:
                self._allocator.free_chain(first)
            return
        if self.reach(keep) < keep:
            return
        last, _ = self.locate(keep - 1)
        link = check_link(self._allocator.look(last), last)
        self._shorten(keep)
        # A file whose chain ends here already has nothing to free, whatever its size says.
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
