"""Data and clusters of an open file: what all open files of one directory entry share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from maixfs.fat.space import Chain
from maixfs.sd.device import SECTOR

if TYPE_CHECKING:
    from maixfs.fat.directory import Directory
    from maixfs.fat.entries import Item
    from maixfs.fat.volume import Volume

_LOW = SECTOR - 1
_NO_SECTOR = -1


class Handle(Protocol):
    """An open file, as far as its reads and writes go.

    ``partial`` is the sector of which it read or wrote a part last (fp->sect), 0 before that.
    """

    partial: int

    @property
    def size(self) -> int:
        """Bytes of the file, as this open file knows it."""


class Node:
    """A file with one or more open files.

    One sector of it may be in RAM: ``sector`` of the volume, in ``_held``; with ``unsaved`` it is
    newer than the card's. ``high`` is the largest size that an open file has given it.
    ``directory`` is ``None`` once the file was removed.
    """

    __slots__ = (
        "_cut", "_held", "_shift", "_shrunk", "_size", "_writer", "chain", "directory", "high",
        "item", "opens", "sector", "unsaved", "volume",
    )  # fmt: skip

    def __init__(
        self, volume: Volume, directory: Directory | None, item: Item, first: int, size: int
    ) -> None:
        self.volume = volume
        self._writer = volume.writer
        self.directory = directory
        self.item = item
        self.chain = Chain(volume.allocator, first)
        self.high = size
        self.opens = 0
        self.sector = _NO_SECTOR
        self.unsaved = False
        self._held = bytearray()
        self._cut = 0
        self._shrunk = False
        self._size = volume.cluster_size
        self._shift = volume.cluster_shift

    # Opening and closing

    def take(self) -> None:
        """Count one more open file."""
        self.opens += 1
        if self.opens == 1:
            self.item.node = self
            if self.directory is not None:
                self.directory.pins += 1

    def release(self) -> None:
        """Count one open file less; with the last one, free clusters that no entry needs.

        These are the chain of a file that was removed, and clusters beyond the recorded size.
        FatFs frees the chain when the file is removed, and later writes through the open file
        then damage other files.
        """
        self.opens -= 1
        if self.opens:
            return
        self.item.node = None
        self._writer.shortened.pop(self, None)
        if self.directory is None:
            self.discard()
            if self.chain.first:
                self.chain.cut(0)
                self._writer.flush()
            return
        self.directory.pins -= 1
        if self.chain.grown:
            self._trim()

    def _trim(self) -> None:
        """Free clusters that other open files took beyond the size that was recorded last."""
        directory = self.directory
        if directory is None or not self.chain.first:
            return
        first, size = directory.extent(self.item)
        keep = self.clusters_for(size)
        if keep >= self.chain.length and first == self.chain.first:
            return
        entry = directory.entry(self.item)
        # No entry has counted these, so the entry's size and time stay as they were recorded.
        self.chain.cut(keep)
        stamp = entry.write_date, entry.write_time
        directory.record(self.item, self.chain.first, size, stamp)
        self._writer.flush()

    def orphan(self) -> None:
        """Note that the entry was removed."""
        if self.directory is not None:
            self.directory.pins -= 1
            self.directory = None

    def move(self, directory: Directory, item: Item) -> None:
        """Note that the entry lies elsewhere now."""
        if self.directory is not None:
            self.directory.pins -= 1
        directory.pins += 1
        self.directory = directory
        self.item.node = None
        self.item = item
        item.node = self

    # The entry

    def record(self, size: int) -> int:
        """Write size, first cluster and time into the entry; returns the size.

        It is cut to what the chain holds if another open file shortened that.
        """
        if self._writer.shortened:
            self._writer.shortened.pop(self, None)
        # FatFs would record its own old size, and the entry would claim clusters that are free.
        if self._shrunk:
            size = min(size, self.chain.reach(self.clusters_for(size)) * self._size)
        if self.directory is not None:
            stamp = self.volume.clock()
            self.directory.record(self.item, self.chain.first, size, stamp, archive=True)
        chain = self.chain
        if self.opens == 1 and size + self._size - 1 >> self._shift >= chain.length:
            chain.grown = False  # nothing to be freed when it is let go
        return size

    def record_cut(self) -> None:
        """Limit the size in the entry to what was left when clusters were freed last."""
        directory = self.directory
        if directory is not None:
            entry = directory.entry(self.item)
            size = min(entry.size, self._cut)
            stamp = entry.write_date, entry.write_time
            directory.record(self.item, self.chain.first, size, stamp)
        del self._writer.shortened[self]

    # Clusters

    def clusters_for(self, size: int) -> int:
        """Return how many clusters ``size`` bytes take."""
        return size + self._size - 1 >> self._shift

    def stretch(self, size: int) -> int:
        """Make room for ``size`` bytes; returns the bytes there is room for, less when full."""
        count = self.clusters_for(size)
        chain = self.chain
        if count > chain.length:
            count = chain.stretch(count)
        return count << self._shift

    def follow(self, position: int, target: int, *, grows: bool) -> int:
        """Go from one position to another along the chain, as f_lseek does.

        It begins at the cluster that ends at or before ``position``, or at the first one, and
        looks at the FAT entry of each cluster on the way. With ``grows`` the chain is made
        longer; returns where that ended, before ``target`` when the volume is full.
        """
        chain, writer, shift = self.chain, self._writer, self._shift
        last, at = target - 1 >> shift, max(position - 1, 0) >> shift
        # Backwards the chain has no links: f_lseek starts at the first cluster again.
        if at > last:
            at = 0
        known = chain.reach(last + 1)
        while writer.waiting and at < min(last, known - 1):
            writer.visit_entry(chain.locate(at)[0])
            at += 1
        if known > last:
            return target
        if not grows:
            chain.locate(last)  # raises INT_ERR
        return min(target, chain.stretch(last + 1) << shift)

    def partial_sector(self, position: int) -> int:
        """Return the sector that ``position`` lies in the middle of."""
        return self._span(position - 1)[0]

    def cut(self, size: int) -> None:
        """Free the clusters beyond ``size`` bytes."""
        self.save()  # while the cluster that it lies in is still the file's
        self.sector = _NO_SECTOR
        if self.opens > 1:
            self._shrunk = True
        self.high = min(self.high, size)
        # Until this size is on the card the clusters must not be taken: an older entry there would
        # share them.
        shortened = self._writer.shortened
        self._cut = min(self._cut, size) if self in shortened else size
        shortened[self] = None
        self.chain.cut(self.clusters_for(size))

    def empty(self) -> None:
        """Free all clusters, as one more open file is about to begin with none."""
        self.discard()
        self._shrunk = True
        self.cut(0)

    def _span(self, at: int) -> tuple[int, int]:
        """Return the sector of byte ``at``, and how many sectors lie there in a row."""
        # Sectors in a row are read and written in one call: a card answers each call slowly.
        shift = self._shift
        cluster, run = self.chain.locate(at >> shift)
        within = (at & self._size - 1) >> 9
        return self.volume.base + (cluster << shift - 9) + within, (run << shift - 9) - within

    # Data

    def _visit(self, at: int, count: int) -> None:
        """Report what f_read looks at: an entry for each next cluster, sectors read in part."""
        writer, end = self._writer, at + count
        while at < end and writer.waiting:
            if not at & _LOW:
                within = at & self._size - 1
                if at and not within:
                    writer.visit_entry(self.chain.locate((at >> self._shift) - 1)[0])
                whole = min(end - at & ~_LOW, self._size - within)
                if whole:
                    at += whole
                    continue
            writer.visit(self._span(at)[0])
            at = min(end, (at | _LOW) + 1)

    def read(self, at: int, count: int, handle: Handle) -> bytes:
        """Return ``count`` bytes from ``at``, which must lie in the chain."""
        if self._writer.waiting:
            self._visit(at, count)
        self.chain.reach((at + count - 1 >> self._shift) + 1)
        pieces: list[bytes] = []
        while count:
            offset = at & _LOW
            sector, row = self._span(at)
            if offset or count < SECTOR:
                handle.partial = sector
                self._hold(sector)
                piece = bytes(self._held[offset : offset + count])
            else:
                row = min(row, count >> 9)
                piece = self.volume.sectors.read(sector, row)
                # What a program wrote it must read, also where the card is still older.
                if self.unsaved and sector <= self.sector < sector + row:
                    piece = self._patched(piece, self.sector - sector)
            pieces.append(piece)
            at += len(piece)
            count -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _patched(self, data: bytes, index: int) -> bytes:
        return data[: index * SECTOR] + self._held + data[(index + 1) * SECTOR :]

    def readinto(self, at: int, view: memoryview, handle: Handle) -> None:
        """Fill ``view`` with the bytes from ``at``, which must lie in the chain."""
        done, end = 0, len(view)
        if self._writer.waiting:
            self._visit(at, end)
        self.chain.reach((at + end - 1 >> self._shift) + 1)
        while done < end:
            offset = at + done & _LOW
            sector, row = self._span(at + done)
            if offset or end - done < SECTOR:
                handle.partial = sector
                self._hold(sector)
                piece = self._held[offset : offset + end - done]
                view[done : done + len(piece)] = piece
                done += len(piece)
                continue
            row = min(row, end - done >> 9)
            self.volume.sectors.readinto(sector, view[done : done + row * SECTOR])
            if self.unsaved and sector <= self.sector < sector + row:
                place = done + (self.sector - sector) * SECTOR
                view[place : place + SECTOR] = self._held
            done += row * SECTOR

    def write(self, at: int, view: memoryview, handle: Handle) -> int:
        """Write ``view`` at ``at``; returns the bytes written, fewer when the volume is full."""
        if self._writer.faithful:
            return self._write_in_steps(at, view, handle)
        start, end = at, at + len(view)
        if end > self.chain.length << self._shift:
            room = self.stretch(end)
            end = min(end, room)
        while at < end:
            offset, left = at & _LOW, end - at
            sector, row = self._span(at)
            if offset or left < SECTOR:
                # FatFs does not read a sector at the growing edge either: it has no content.
                self._hold(sector, load=offset > 0 or at < self.high)
                count = min(SECTOR - offset, left)
                self._held[offset : offset + count] = view[at - start : at - start + count]
                self._mark_unsaved()
            else:
                count = min(row, left >> 9) * SECTOR
                piece = view if count == len(view) else view[at - start : at - start + count]
                # Straight to the card, past all that waits: no entry on the card leads to new
                # clusters yet, and a rewrite is what the program asked for.
                self.volume.sectors.write(sector, piece)
                # The sector in RAM is older than what was just written over it.
                if sector <= self.sector < sector + (count >> 9):
                    self.discard()
            at += count
            self.high = max(self.high, at)
        return at - start if at > start else 0

    def _write_in_steps(self, at: int, view: memoryview, handle: Handle) -> int:
        """Write as f_write does: cluster by cluster, whole sectors past the window.

        A cluster is taken when its first byte is written, so the FAT sector with the link waits
        in the window while data goes to the card. Whole sectors are written in one call up to the
        end of their cluster, even where clusters follow one another.
        """
        writer, start, end = self._writer, at, at + len(view)
        entered = (at + self._size - 1) >> self._shift
        while at < end:
            offset = at & _LOW
            if not offset:
                if at >> self._shift >= entered:
                    entered = self._enter(at >> self._shift, self.clusters_for(end))
                    if at >> self._shift >= entered:
                        break
                # Only the sector that this file wrote last goes out here; a sector of another
                # file or of a folder stays in the window behind the data.
                writer.leave(handle.partial)
                stop = min(end & ~_LOW, entered << self._shift)
                if at < stop:
                    self._write_whole(at, view[at - start : stop - start])
                    at = stop
                    self.high = max(self.high, at)
                    continue
                if at >= handle.size:
                    writer.visit_others()  # the growing edge: written out before it is not read
            sector = handle.partial = self._span(at)[0]
            writer.visit(sector)
            self._hold(sector, load=offset > 0 or at < self.high)
            count = min(SECTOR - offset, end - at)
            self._held[offset : offset + count] = view[at - start : at - start + count]
            self._mark_unsaved()
            at += count
            self.high = max(self.high, at)
        return at - start

    def _enter(self, index: int, needed: int) -> int:
        """Go on to a cluster of the file, or take it.

        Returns how many clusters can be written before the FAT is looked at again with an effect
        on the card, ``needed`` at most; ``index`` or less when the volume is full.
        """
        chain, writer = self.chain, self._writer
        known = chain.reach(needed if chain.first else 0)
        if index < known:
            if writer.waiting and index:
                writer.visit_entry(chain.locate(index - 1)[0])
            # With nothing in the window, the looks at the entries that follow write nothing.
            return index + 1 if writer.waiting else min(known, needed)
        return chain.stretch_some(needed)

    def _write_whole(self, at: int, view: memoryview) -> None:
        """Write whole sectors, those of each cluster in one call."""
        writer, write, size = self._writer, self.volume.sectors.write, self._size
        done, end = 0, len(view)
        while done < end:
            sector, row = self._span(at + done)
            first, stop = sector, min(end, done + row * SECTOR)
            count = min(stop - done, size - (at + done & size - 1))
            while count:
                write(sector, view[done : done + count])
                done += count
                sector += count >> 9
                count = min(stop - done, size)
            if writer.waiting:
                writer.overwritten(first, sector - first)
            if first <= self.sector < sector:
                self.discard()

    # The sector in RAM

    def _hold(self, sector: int, *, load: bool = True) -> None:
        """Load a sector into the buffer, from the card or as zeros."""
        if sector == self.sector:
            return
        self.save()
        # First none: where the read fails, the old content must not pass for the new sector's.
        self.sector = _NO_SECTOR
        self._held = bytearray(self.volume.sectors.read(sector, 1) if load else SECTOR)
        self.sector = sector

    def _mark_unsaved(self) -> None:
        if not self.unsaved:
            self.unsaved = True
            self._writer.data_changed(self)

    def save(self) -> None:
        """Write the sector in RAM if it is newer than the card's."""
        if self.unsaved:
            self._writer.leave(self.sector)
            self.save_sector(0)

    def save_sector(self, index: int) -> None:
        """Write the sector in RAM, the only one, if it is newer than the card's."""
        del index
        if self.unsaved:
            self.volume.sectors.write(self.sector, self._held)
            # After the write: a sector that the card refused stays for another try.
            self.unsaved = False
            self._writer.unsaved.pop(self, None)

    def discard(self) -> None:
        """Drop the sector in RAM."""
        if self.unsaved:
            self._writer.overwritten(self.sector, 1)
            self.unsaved = False
            self._writer.unsaved.pop(self, None)
        self.sector = _NO_SECTOR


class FreedNode(Node):
    """What a reader has of a file that another open file emptied: clusters that were freed.

    ``chain`` is followed through the FAT as it is now, from the old first cluster, or from the
    one that ``position`` has reached. The node has no entry, records nothing and frees nothing.
    """

    __slots__ = ()

    def __init__(self, node: Node, position: int) -> None:
        first = node.chain.first
        super().__init__(node.volume, None, node.item, first, node.high)
        if position > self._size:
            self.chain.take_over(node.chain, self.clusters_for(position))
        node.release()

    def take(self) -> None:
        """Do nothing: this node is not registered in the folder."""

    def release(self) -> None:
        """Do nothing: the clusters no longer belong to the file."""
