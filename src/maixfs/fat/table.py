"""The file allocation table: one entry for each cluster, in the width of the volume's type.

FatFs reads the first FAT alone, and writes each sector that it changed to both
(docs/SPEC.md). Entries are loaded when they are needed, in pages of a few sectors, and the
sectors that changed stay here until they are saved.

Free entries are counted without decoding them where possible: on most cards they lie in long
rows, which one comparison counts. numpy is loaded for the rest only where that is much, because
loading it takes as long as counting a million entries.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from array import array
from typing import TYPE_CHECKING

from maixfs.fat.errors import FResult, fat_error
from maixfs.fat.ondisk import FAT32_MASK
from maixfs.sd.device import SECTOR

if TYPE_CHECKING:
    from maixfs.fat.geometry import FatGeometry
    from maixfs.fat.sectors import VolumeSectors

END_OF_CHAIN = 0xFFFFFFFF
"""What FatFs stores into the last entry of a chain; cut to the entry's width."""
_PAGE_SECTORS = 8
_MOST_PAGES = 4096
"""Pages kept at most (16 MiB); those that changed are kept in any case."""
_SHORT_RUN = 8
"""Entries that are looked at one by one before whole pieces are compared."""
_AHEAD = 32
"""Pages read in one go where a search goes through them one after the other."""
_SWAPPED = sys.byteorder == "big"
_BLOCK = 1 << 16
_EMPTY = bytes(_BLOCK)
_FEW = 1 << 19
"""Mixed entries that are counted sooner than numpy is loaded."""
_COUNTING = bytes(range((FAT32_MASK >> 24) + 1))
"""Values of the last byte of a FAT32 entry whose upper four bits, which do not count, are 0."""
_LANES = _BLOCK // 4
_MASKS = int.from_bytes(FAT32_MASK.to_bytes(4, "little") * _LANES, "little")
_CARRIES = _MASKS + int.from_bytes(b"\1\0\0\0" * _LANES, "little") & ~_MASKS


class Table(ABC):
    """Entries of the first FAT.

    ``count`` is FatFs's n_fatent: cluster numbers run from 2 to ``count`` - 1, and what is
    stored in an entry is a link below ``count``, or the end of a chain.
    """

    def __init__(self, sectors: VolumeSectors, geometry: FatGeometry) -> None:
        self._sectors = sectors
        self._start = geometry.fat_start
        self._length = geometry.fat_sectors
        self._copies = geometry.fats
        self.count = geometry.n_fatent
        self.per_sector = SECTOR * 8 // geometry.fat_type
        """Entries that lie in one sector, whole ones."""
        self._dirty: dict[int, None] = {}

    @abstractmethod
    def get(self, cluster: int) -> int:
        """Return the entry of a valid cluster: 0 free, the next one, or ``count`` and more."""

    @abstractmethod
    def put(self, cluster: int, value: int) -> None:
        """Store ``value`` into the entry of a valid cluster."""

    def unlink(self, cluster: int) -> int:
        """Return the entry of a valid cluster and free it; an entry of 1 stays, as no link."""
        link = self.get(cluster)
        if link > 1:
            self.put(cluster, 0)
        return link

    @abstractmethod
    def find_free(self, start: int, stop: int) -> int:
        """Return the first free cluster from ``start`` to before ``stop``, or 0."""

    @abstractmethod
    def free_run(self, start: int, most: int) -> int:
        """Return how many clusters from ``start`` on are free, ``most`` of them at most."""

    @abstractmethod
    def link_run(self, first: int, length: int) -> None:
        """Chain ``length`` free clusters from ``first`` on; the last one ends the chain."""

    @abstractmethod
    def run_from(self, cluster: int, most: int) -> int:
        """Return how many clusters from ``cluster`` on follow one another in a chain.

        Each but the last one has its successor in number as its link; at most ``most``.
        """

    @abstractmethod
    def count_free(self) -> int:
        """Count the free entries as FatFs does."""

    @abstractmethod
    def places(self, cluster: int) -> tuple[int, int]:
        """Return the first and the last sector of the FAT that a cluster's entry lies in."""

    @abstractmethod
    def _content(self, sector: int) -> bytes:
        """Return a sector of the FAT as it is in RAM."""

    @property
    def dirty(self) -> bool:
        """Whether sectors changed that are not on the device."""
        return bool(self._dirty)

    def flush(self, *, upwards: bool = False) -> None:
        """Write the sectors that changed to all FATs; those that cannot be stay dirty.

        The last one goes first, unless ``upwards``.
        """
        dirty = self._dirty
        if not dirty:
            return
        # From the end backwards: most chains lead upwards, so what a chain grew by is on the card
        # before its link. Freed clusters ask for the other way: the new end before what it cut
        # off.
        for sector in sorted(dirty, reverse=not upwards) if len(dirty) > 1 else list(dirty):
            self.save_sector(sector)

    def save_sector(self, sector: int) -> None:
        """Write one sector to all FATs, the first one first."""
        write, place, data = self._sectors.write, self._start + sector, self._content(sector)
        write(place, data)
        # FatFs reads the first FAT alone, so that one decides after a cut between the two. The
        # second is for other systems, and is never compared.
        if self._copies == 2:
            write(place + self._length, data)
        # Clean only when both have it: a failed write is tried again as a whole.
        self._dirty.pop(sector, None)

    def forget(self) -> None:
        """Drop what was not written."""
        self._dirty.clear()


class PagedTable(Table):
    """FAT16 and FAT32: entries of whole bytes, in arrays of a page each."""

    def __init__(self, sectors: VolumeSectors, geometry: FatGeometry) -> None:
        super().__init__(sectors, geometry)
        wide = geometry.fat_type == 32
        self._code = "I" if wide else "H"
        self._size = 4 if wide else 2
        self._mask = FAT32_MASK if wide else 0xFFFF
        self._shift = (_PAGE_SECTORS * self.per_sector).bit_length() - 1
        self._low = (1 << self._shift) - 1
        self._sector_shift = self.per_sector.bit_length() - 1
        self._pages: dict[int, array[int]] = {}
        self._odd: set[int] = set()
        """Pages with entries whose upper four bits, which do not count, are not 0."""

    def get(self, cluster: int) -> int:
        """Return an entry, without the upper four bits on FAT32."""
        number = cluster >> self._shift
        page = self._pages.get(number) or self._load(number)
        return page[cluster & self._low] & self._mask

    def put(self, cluster: int, value: int) -> None:
        """Store into an entry; the upper four bits of FAT32 stay as they are."""
        number = cluster >> self._shift
        page = self._pages.get(number) or self._load(number)
        low, mask = cluster & self._low, self._mask
        # The specification reserves the upper four bits, and FatFs keeps them.
        page[low] = value & mask | page[low] & ~mask
        self._dirty[cluster >> self._sector_shift] = None

    def unlink(self, cluster: int) -> int:
        """Return an entry and free it, with one look at its page: long chains are freed so."""
        number = cluster >> self._shift
        page = self._pages.get(number) or self._load(number)
        low, mask = cluster & self._low, self._mask
        entry = page[low]
        link = entry & mask
        if link > 1:
            page[low] = entry & ~mask
            self._dirty[cluster >> self._sector_shift] = None
        return link

    def places(self, cluster: int) -> tuple[int, int]:
        """Return the sector of an entry twice: none lies in two."""
        sector = cluster >> self._sector_shift
        return sector, sector

    def find_free(self, start: int, stop: int) -> int:
        """Return the first free cluster from ``start`` to before ``stop``, or 0."""
        cluster = start
        while cluster < stop:
            number = cluster >> self._shift
            # A search through a full card reads the whole FAT; single pages would take a call
            # each.
            page = self._pages.get(number) or self._load(number, _AHEAD)
            base = number << self._shift
            end = min(stop - base, len(page))
            found = self._zero_in(number, page, cluster - base, end)
            if found >= 0:
                return base + found
            cluster = base + len(page)
        return 0

    def _zero_in(self, number: int, page: array[int], start: int, stop: int) -> int:
        # With upper bits set a free entry is not 0 as a whole, so each one is masked.
        if number in self._odd:
            mask = self._mask
            return next((at for at in range(start, stop) if not page[at] & mask), -1)
        try:
            return page.index(0, start, stop)
        except ValueError:
            return -1

    def free_run(self, start: int, most: int) -> int:
        """Return how many clusters from ``start`` on are free, at most ``most``."""
        length = 0
        stop = min(start + most, self.count)
        while start + length < stop:
            number = start + length >> self._shift
            page = self._pages.get(number) or self._load(number)
            low = start + length & self._low
            here = min(len(page) - low, stop - start - length)
            free = self._zeros_at(number, page, low, here)
            length += free
            if free < here:
                break
        return length

    def _zeros_at(self, number: int, page: array[int], low: int, most: int) -> int:
        if number in self._odd:
            mask = self._mask
            return next((n for n in range(most) if page[low + n] & mask), most)
        raw = page[low : low + most].tobytes()
        return (len(raw) - len(raw.lstrip(b"\0"))) // self._size if page[low] == 0 else 0

    def link_run(self, first: int, length: int) -> None:
        """Chain free clusters; the upper four bits of their entries stay as they are."""
        last = first + length - 1
        start = first
        while start < last:
            number = start >> self._shift
            page = self._pages.get(number) or self._load(number)
            low = start & self._low
            here = min(len(page) - low, last - start)
            # Entry by entry only where there are upper bits to be kept.
            if number in self._odd:
                for cluster in range(start, start + here):
                    self.put(cluster, cluster + 1)
            else:
                page[low : low + here] = array(self._code, range(start + 1, start + here + 1))
            start += here
        for sector in range(first >> self._sector_shift, (last >> self._sector_shift) + 1):
            self._dirty[sector] = None
        self.put(last, END_OF_CHAIN)

    def run_from(self, cluster: int, most: int) -> int:
        """Return the length of a run of a chain, counted from ``cluster``."""
        length = 1
        stop = min(most, self.count - cluster)
        while length < stop:
            at = cluster + length - 1
            number = at >> self._shift
            page = self._pages.get(number) or self._load(number)
            low = at & self._low
            here = min(len(page) - low, stop - length)
            linked = self._successors(number, low, here, at + 1)
            length += linked
            if linked < here:
                break
        return length

    def _successors(self, number: int, low: int, most: int, value: int) -> int:
        """Return how many entries from ``low`` on are ``value``, ``value`` + 1 and so on."""
        page, mask = self._pages[number], self._mask
        one_by_one = most if number in self._odd else min(most, _SHORT_RUN)
        for step in range(one_by_one):
            if page[low + step] & mask != value + step:
                return step
        good, bad = one_by_one, most + 1
        while good + 1 < bad:
            # Doubling first, then halving: the slices compared stay about as long as the run.
            probe = min(good * 2, most) if bad > most else (good + bad) // 2
            if page[low : low + probe] == array(page.typecode, range(value, value + probe)):
                good = probe
            else:
                bad = probe
        return good

    def count_free(self) -> int:
        """Count the free entries, the first two included as in FatFs."""
        counter = FreeCounter(self._size)
        piece = 2048  # sectors: 1 MiB
        room = bytearray(piece * SECTOR)
        # f_getfree counts from entry 0 on FAT16 and FAT32. Neither of the two is ever 0 on a sound
        # volume; on a damaged one the board is off by them.
        free, left, sector = 0, self.count, 0
        while left > 0:
            length = min(piece, -(-left // self.per_sector))
            view = memoryview(room)[: length * SECTOR]
            self._sectors.readinto(self._start + sector, view)
            self._lay_over(sector, view)
            entries = min(left, length * self.per_sector)
            free += counter.count(view[: entries * self._size])
            left -= entries
            sector += length
        return free

    def _lay_over(self, sector: int, view: memoryview) -> None:
        """Put what changed since the last ``flush`` over sectors from the device."""
        end = sector + len(view) // SECTOR
        for changed in self._dirty:
            if sector <= changed < end:
                at = (changed - sector) * SECTOR
                view[at : at + SECTOR] = self._content(changed)

    def _load(self, number: int, ahead: int = 1) -> array[int]:
        """Load a page, and with ``ahead`` those after it that are not there."""
        # The FAT of a large card would take more RAM than programs expect.
        if len(self._pages) >= _MOST_PAGES:
            self._drop_clean()
        pages = 1
        last = (self.count - 1 >> self._shift) - number
        while pages <= min(ahead, last) and number + pages not in self._pages:
            pages += 1
        first = number * _PAGE_SECTORS
        length = min(pages * _PAGE_SECTORS, self._length - first)
        raw = self._sectors.read(self._start + first, length)
        for page in range(number, number + pages):
            at = (page - number) * _PAGE_SECTORS * SECTOR
            self._keep(page, raw[at : at + _PAGE_SECTORS * SECTOR])
        return self._pages[number]

    def _keep(self, number: int, raw: bytes) -> None:
        # Hardly any card uses the upper bits. Without them whole pages are searched and compared
        # in C.
        if self._size == 4 and max(raw[3::4]) > FAT32_MASK >> 24:
            self._odd.add(number)
        self._pages[number] = page = array(self._code, raw)
        if _SWAPPED:
            page.byteswap()

    def _drop_clean(self) -> None:
        # Pages that changed exist here alone.
        changed = {sector // _PAGE_SECTORS for sector in self._dirty}
        for number in [number for number in self._pages if number not in changed]:
            del self._pages[number]
        self._odd &= self._pages.keys()

    def _content(self, sector: int) -> bytes:
        start = sector % _PAGE_SECTORS * self.per_sector
        entries = self._pages[sector // _PAGE_SECTORS][start : start + self.per_sector]
        if _SWAPPED:
            entries.byteswap()
        return entries.tobytes()


class Table12(Table):
    """FAT12: entries of twelve bits, few enough to be held all at once."""

    def __init__(self, sectors: VolumeSectors, geometry: FatGeometry) -> None:
        super().__init__(sectors, geometry)
        self._raw: bytearray | None = None

    def get(self, cluster: int) -> int:
        """Return an entry."""
        raw = self._raw or self._load()
        at = cluster + (cluster >> 1)
        both = raw[at] | raw[at + 1] << 8
        return both >> 4 if cluster & 1 else both & 0xFFF

    def put(self, cluster: int, value: int) -> None:
        """Store into an entry; the half byte of its neighbour stays."""
        raw = self._raw or self._load()
        at = cluster + (cluster >> 1)
        value &= 0xFFF
        if cluster & 1:
            raw[at] = raw[at] & 0x0F | (value & 0x0F) << 4
            raw[at + 1] = value >> 4
        else:
            raw[at] = value & 0xFF
            raw[at + 1] = raw[at + 1] & 0xF0 | value >> 8
        # An entry can cross a sector's end; a cut between the two writes then damages it, on the
        # board as well.
        self._dirty[at // SECTOR] = None
        self._dirty[(at + 1) // SECTOR] = None

    def places(self, cluster: int) -> tuple[int, int]:
        """Return the sectors of the two bytes that an entry lies in."""
        at = cluster + (cluster >> 1)
        return at // SECTOR, (at + 1) // SECTOR

    def find_free(self, start: int, stop: int) -> int:
        """Return the first free cluster from ``start`` to before ``stop``, or 0."""
        return next((n for n in range(start, stop) if not self.get(n)), 0)

    def free_run(self, start: int, most: int) -> int:
        """Return how many clusters from ``start`` on are free, at most ``most``."""
        stop = min(start + most, self.count)
        return next((n for n in range(start, stop) if self.get(n)), max(start, stop)) - start

    def link_run(self, first: int, length: int) -> None:
        """Chain free clusters."""
        for cluster in range(first, first + length - 1):
            self.put(cluster, cluster + 1)
        self.put(first + length - 1, END_OF_CHAIN)

    def run_from(self, cluster: int, most: int) -> int:
        """Return the length of a run of a chain, counted from ``cluster``."""
        stop = cluster + min(most, self.count - cluster) - 1
        return next((n for n in range(cluster, stop) if self.get(n) != n + 1), stop) - cluster + 1

    def count_free(self) -> int:
        """Count the free entries."""
        # Not entries 0 and 1: FatFs's loop for FAT12 begins at 2.
        return sum(not self.get(cluster) for cluster in range(2, self.count))

    def _load(self) -> bytearray:
        needed = -(-((self.count * 3 + 1) // 2) // SECTOR)
        self._raw = bytearray(self._sectors.read(self._start, needed))
        return self._raw

    def _content(self, sector: int) -> bytes:
        raw = self._raw or self._load()
        return bytes(raw[sector * SECTOR : (sector + 1) * SECTOR])


def open_table(sectors: VolumeSectors, geometry: FatGeometry) -> Table:
    """Return the table of a volume; nothing is read yet."""
    kind = Table12 if geometry.fat_type == 12 else PagedTable
    return kind(sectors, geometry)


def check_link(value: int, cluster: int) -> int:
    """Return the link ``value`` of ``cluster``; raises ``INT_ERR`` for 0 and 1."""
    # FatFs stops here with INT_ERR. A free cluster in a chain may be somebody else's soon, so
    # going on is no option.
    if value < 2:
        what = "is free" if value == 0 else "holds 1"
        raise fat_error(
            FResult.INT_ERR, f"cluster {cluster:#x}", f"{what}, but a chain goes through it"
        )
    return value


class FreeCounter:
    """Counts entries of ``size`` bytes (2 or 4) that are 0, piece by piece."""

    __slots__ = ("_mixed", "_size", "_zeros")

    def __init__(self, size: int) -> None:
        self._size = size
        self._zeros = bytes(size)
        self._mixed = 0

    def count(self, view: memoryview) -> int:
        """Return how many entries of ``view`` are free."""
        if self._size == 4 and "numpy" in sys.modules:
            return _count_in_numpy(view)
        return sum(
            self._count_block(bytes(view[at : at + _BLOCK])) for at in range(0, len(view), _BLOCK)
        )

    def _count_block(self, raw: bytes) -> int:
        if raw == _EMPTY:
            return _BLOCK // self._size
        odd = self._size == 4 and raw[3::4].translate(None, _COUNTING)
        if not odd and self._zeros not in raw:
            return 0
        if self._size == 2:
            return array("H", raw).count(0)
        # Loading numpy pays only for a large FAT without long rows of equal entries.
        self._mixed += _LANES
        if self._mixed > _FEW:
            return _count_in_numpy(raw)
        return _count_in_lanes(raw)


def _count_in_lanes(raw: bytes) -> int:
    """Count in one large number: what is not 0 carries a bit when all ones are added."""
    entries = int.from_bytes(raw.ljust(_BLOCK, b"\1"), "little")
    return _LANES - ((entries & _MASKS) + _MASKS & _CARRIES).bit_count()


def _count_in_numpy(raw: bytes | memoryview) -> int:
    import numpy as np

    entries = np.frombuffer(raw, "<u4")
    return len(entries) - int(np.count_nonzero(entries << 4))
