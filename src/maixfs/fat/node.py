"""What all open files of one directory entry share: its chain, its sector in RAM, its place."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from maixfs.fat.chain import Chain
from maixfs.fat.ondisk import ENTRY_SIZE, Attribute
from maixfs.sd.device import SECTOR

if TYPE_CHECKING:
    from maixfs.fat.directory import Directory
    from maixfs.fat.entries import Item
    from maixfs.fat.volume import Volume

_LOW = SECTOR - 1
_NO_SECTOR = -1
_ARCHIVE = int(Attribute.ARCHIVE)
_TAIL = struct.Struct("<HHHHHI")
_TAIL_OFFSET = 18
"""From DIR_LstAccDate to the end of an entry."""


class Node:
    """A file that is open once or more often.

    One sector of it may be in RAM, ``sector`` of the volume in ``_held``; with ``unsaved`` it
    is newer than the card's. ``high`` is the size that any of the open files has given it.
    A file that was removed meanwhile has no ``directory`` any more.
    """

    __slots__ = (
        "_cut", "_held", "_shift", "_shrunk", "_size", "chain", "directory", "high", "item",
        "opens", "sector", "unsaved", "volume",
    )  # fmt: skip

    def __init__(
        self, volume: Volume, directory: Directory, item: Item, first: int, size: int
    ) -> None:
        self.volume = volume
        self.directory: Directory | None = directory
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
        """Count one less; with the last one, free what belongs to nobody.

        That is the chain of a file that was removed, or what its chain has beyond its size.
        """
        self.opens -= 1
        if self.opens:
            return
        self.item.node = None
        self.volume.shortened.pop(self, None)
        if self.directory is None:
            self.discard()
            if self.chain.first:
                self.chain.cut(0)
                self.volume.flush()
            return
        self.directory.pins -= 1
        if self.chain.grown:
            self._trim()

    def _trim(self) -> None:
        """Free what other open files took beyond the size that was recorded last."""
        directory = self.directory
        if directory is None or not self.chain.first:
            return
        size = directory.size(self.item)
        keep = self.clusters_for(size)
        if keep >= self.chain.length and directory.first_cluster(self.item) == self.chain.first:
            return
        entry = directory.entry(self.item)
        self.chain.cut(keep)
        self._put_tail(directory, size, entry.write_date, entry.write_time)
        self.volume.flush()

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
        if self.volume.shortened:
            self.volume.shortened.pop(self, None)
        if self._shrunk:
            size = min(size, self.chain.reach(self.clusters_for(size)) * self._size)
        if self.directory is not None:
            date, time = self.volume.clock()
            self.directory.data[self.item.slot * ENTRY_SIZE + 11] |= _ARCHIVE
            self._put_tail(self.directory, size, date, time)
        chain = self.chain
        if self.opens == 1 and size + self._size - 1 >> self._shift >= chain.length:
            chain.grown = False  # nothing to be freed when it is let go
        return size

    def record_cut(self) -> None:
        """Have the entry say no more than what was left when clusters were freed last."""
        directory = self.directory
        if directory is not None:
            entry = directory.entry(self.item)
            size = min(entry.size, self._cut)
            self._put_tail(directory, size, entry.write_date, entry.write_time)
        del self.volume.shortened[self]

    def _put_tail(self, directory: Directory, size: int, date: int, time: int) -> None:
        item, data, first = self.item, directory.data, self.chain.first
        at = item.slot * ENTRY_SIZE
        if not self.volume.wide:
            first = first & 0xFFFF | data[at + 20] << 16 | data[at + 21] << 24
        low = first & 0xFFFF
        _TAIL.pack_into(data, at + _TAIL_OFFSET, 0, first >> 16, time, date, low, size)
        self.volume.dirty[directory, at // SECTOR] = None
        item.entry = None

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

    def cut(self, size: int) -> None:
        """Free the clusters beyond ``size`` bytes."""
        self.save()  # while the cluster that it lies in is still the file's
        self.sector = _NO_SECTOR
        if self.opens > 1:
            self._shrunk = True
        self.high = min(self.high, size)
        shortened = self.volume.shortened
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
        shift = self._shift
        cluster, run = self.chain.locate(at >> shift)
        within = (at & self._size - 1) >> 9
        return self.volume.base + (cluster << shift - 9) + within, (run << shift - 9) - within

    # Data

    def read(self, at: int, count: int) -> bytes:
        """Return ``count`` bytes from ``at``, which must lie in the chain."""
        self.chain.reach((at + count - 1 >> self._shift) + 1)
        pieces: list[bytes] = []
        while count:
            offset = at & _LOW
            sector, row = self._span(at)
            if offset or count < SECTOR:
                self._hold(sector)
                piece = bytes(self._held[offset : offset + count])
            else:
                row = min(row, count >> 9)
                piece = self.volume.sectors.read(sector, row)
                if self.unsaved and sector <= self.sector < sector + row:
                    piece = self._patched(piece, self.sector - sector)
            pieces.append(piece)
            at += len(piece)
            count -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _patched(self, data: bytes, index: int) -> bytes:
        return data[: index * SECTOR] + self._held + data[(index + 1) * SECTOR :]

    def readinto(self, at: int, view: memoryview) -> None:
        """Fill ``view`` with the bytes from ``at``, which must lie in the chain."""
        done, end = 0, len(view)
        self.chain.reach((at + end - 1 >> self._shift) + 1)
        while done < end:
            offset = at + done & _LOW
            sector, row = self._span(at + done)
            if offset or end - done < SECTOR:
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

    def write(self, at: int, view: memoryview) -> int:
        """Write ``view`` at ``at``; returns the bytes written, fewer when the volume is full."""
        start, end = at, at + len(view)
        if end > self.chain.length << self._shift:
            end = min(end, self.stretch(end))
        while at < end:
            offset = at & _LOW
            sector, row = self._span(at)
            if offset or end - at < SECTOR:
                # At the growing edge there is nothing to keep: FatFs does not read it either.
                self._hold(sector, load=offset > 0 or at < self.high)
                count = min(SECTOR - offset, end - at)
                self._held[offset : offset + count] = view[at - start : at - start + count]
                self._mark_unsaved()
            else:
                count = min(row, end - at >> 9) * SECTOR
                self.volume.sectors.write(sector, view[at - start : at - start + count])
                if sector <= self.sector < sector + (count >> 9):
                    self.discard()
            at += count
            self.high = max(self.high, at)
        return max(at - start, 0)

    # The sector in RAM

    def _hold(self, sector: int, *, load: bool = True) -> None:
        """Have a sector in RAM: the card's, or zeros."""
        if sector == self.sector:
            return
        self.save()
        self.sector = _NO_SECTOR
        self._held = bytearray(self.volume.sectors.read(sector, 1) if load else SECTOR)
        self.sector = sector

    def _mark_unsaved(self) -> None:
        if not self.unsaved:
            self.unsaved = True
            self.volume.unsaved[self] = None

    def save(self) -> None:
        """Write the sector in RAM if it is newer than the card's."""
        if self.unsaved:
            self.volume.sectors.write(self.sector, self._held)
            self.unsaved = False
            self.volume.unsaved.pop(self, None)

    def discard(self) -> None:
        """Drop the sector in RAM."""
        self.sector = _NO_SECTOR
        self.unsaved = False
        self.volume.unsaved.pop(self, None)
