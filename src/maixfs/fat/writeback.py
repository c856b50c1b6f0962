"""When changed sectors go to the card: in an order that is always safe, or in FatFs's.

The structures in RAM (table, folders, open files) are what counts. They report what they look
at and what they change, in FatFs's order; a policy decides when a sector of them is written.
``SafeOrder`` collects changes until the end of an operation. ``FatFsOrder`` has the firmware's
window of one sector, and writes the same sectors in the same order as FatFs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Protocol

from maixfs.fat.space import Allocator, WindowAllocator
from maixfs.fat.window import Window
from maixfs.sd.device import SECTOR

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from maixfs.fat.geometry import FatGeometry
    from maixfs.fat.sectors import VolumeSectors
    from maixfs.fat.space import FreeSpace
    from maixfs.fat.table import Table


class Folder(Protocol):
    """A directory with its sectors in RAM, counted from 0."""

    data: bytearray

    def sector_of(self, index: int, /) -> int:
        """Return where a sector lies on the volume."""

    def save_sector(self, index: int, /) -> None:
        """Write a sector to the card."""


class OpenData(Protocol):
    """An open file's data: its sector in RAM, and the size that its entry must not exceed."""

    sector: int

    def save_sector(self, index: int, /) -> None:
        """Write the sector in RAM if it is newer than the card's."""

    def record_cut(self) -> None:
        """Limit the size in the entry to the length of the chain."""


_Key = tuple[Folder, int]


class WriteBack(ABC):
    """What RAM holds that the card does not.

    ``dirty`` are sectors of folders in the order in which they are to be written, ``fresh`` those
    of clusters that nothing on the card leads to yet, ``unsaved`` the files with a partial sector,
    ``shortened`` those whose entry still says more than their chain has. ``holds`` counts the
    callers who want to write later. ``waiting`` is the sector in FatFs's window; always 0 where
    there is no window, so that nothing needs to be reported then.
    """

    faithful: ClassVar[bool] = False
    waiting: int = 0

    def __init__(
        self, sectors: VolumeSectors, geometry: FatGeometry, table: Table, space: FreeSpace
    ) -> None:
        self.sectors = sectors
        self.table = table
        self.space = space
        self.dirty: dict[_Key, None] = {}
        self.fresh: list[_Key] = []
        self.unsaved: dict[OpenData, None] = {}
        self.shortened: dict[OpenData, None] = {}
        self.holds = 0
        self._sectors_per_cluster = geometry.sectors_per_cluster
        self._fat_start = geometry.fat_start

    @property
    def changed(self) -> bool:
        """Whether RAM holds more than the card, a mere count of free clusters aside."""
        waiting = self.dirty or self.fresh or self.unsaved or self.table.dirty
        return bool(waiting) or self.space.moved

    @abstractmethod
    def allocator(self) -> Allocator:
        """Return the allocator that goes with this order."""

    # What FatFs looks at

    @abstractmethod
    def visit(self, sector: int) -> None:
        """Note that FatFs would have ``sector`` in its window now."""

    @abstractmethod
    def visit_entry(self, cluster: int) -> None:
        """Note that FatFs would look at the FAT entry of a valid cluster now."""

    @abstractmethod
    def visit_others(self) -> None:
        """Note that FatFs would look at sectors other than the one that waits."""

    @abstractmethod
    def leave(self, sector: int) -> None:
        """Note that FatFs would write ``sector`` now if it waits in the window."""

    @abstractmethod
    def overwritten(self, sector: int, count: int) -> None:
        """Note that sectors were written past the window."""

    # What changes

    @abstractmethod
    def change_folder(self, folder: Folder, index: int) -> None:
        """Note that a sector of a folder is about to change."""

    @abstractmethod
    def folder_changed(self, folder: Folder, index: int) -> None:
        """Note that a sector of a folder has changed."""

    @abstractmethod
    def clear_cluster(self, folder: Folder, first: int) -> None:
        """Write the zeroed cluster at sector ``first`` of a folder.

        It is written at the latest before an entry or the FAT refers to it.
        """

    def data_changed(self, data: OpenData) -> None:
        """Note that a file's sector in RAM has changed."""
        self.unsaved[data] = None

    def drop_folder(self, folder: Folder) -> None:
        """Drop what of a folder was not written."""
        self.fresh = [key for key in self.fresh if key[0] is not folder]
        for key in [key for key in self.dirty if key[0] is folder]:
            del self.dirty[key]

    def forget(self) -> None:
        """Forget everything that was not written."""
        self.dirty.clear()
        self.fresh.clear()
        self.unsaved.clear()
        self.shortened.clear()
        self.table.forget()

    # Writing

    @abstractmethod
    def flush_metadata(self) -> None:
        """Write what must be on the card before the next change, where the order asks for it."""

    @abstractmethod
    def flush(self) -> None:
        """Write what changed at the end of an operation, unless that is held back."""

    @abstractmethod
    def write_all(self) -> None:
        """Write what changed. What cannot be written stays here."""


class SafeOrder(WriteBack):
    """Changes go to the card at the end of an operation, so that a power cut does no harm.

    File data and new folder clusters go first, since nothing leads to them yet; then the FAT and
    the folders, in this order: what a cut leaves is a chain without an owner. Where clusters were
    freed, the entries that owned them go before the FAT. FSInfo comes last.
    """

    def allocator(self) -> Allocator:
        """Return the allocator, which flushes metadata before freed clusters are taken again."""
        self._allocator = Allocator(self.table, self.space, self.flush_metadata)
        return self._allocator

    def visit(self, sector: int) -> None:
        """Write nothing."""

    def visit_entry(self, cluster: int) -> None:
        """Write nothing."""

    def visit_others(self) -> None:
        """Write nothing."""

    def leave(self, sector: int) -> None:
        """Write nothing."""

    def overwritten(self, sector: int, count: int) -> None:
        """Write nothing."""

    def change_folder(self, folder: Folder, index: int) -> None:
        """Write nothing."""

    def folder_changed(self, folder: Folder, index: int) -> None:
        """Note that a sector of a folder has changed."""
        self.dirty[folder, index] = None

    def clear_cluster(self, folder: Folder, first: int) -> None:
        """Note that the cluster is written before anything refers to it."""
        self.fresh.extend((folder, first + n) for n in range(self._sectors_per_cluster))

    def flush(self) -> None:
        """Write what changed, or, while that is held back, what files have in RAM alone."""
        if self.holds:
            for data in list(self.unsaved):
                data.save_sector(0)
        else:
            self.write_all()

    def write_all(self) -> None:
        """Write what changed, FSInfo last."""
        # Data first: nothing on the card leads to it yet, and afterwards everything that leads
        # there finds it complete.
        if self.unsaved:
            for data in list(self.unsaved):
                data.save_sector(0)
        allocator = self._allocator
        # At the end of an operation the FAT is written in any case; within one it may wait for
        # more.
        if allocator.freed:
            allocator.shortened = True
        self.flush_metadata()
        # It only counts: a cut before this line leaves numbers that are one operation old, which
        # harms nothing and which a check corrects.
        self.space.flush()
        self.sectors.sync()

    def flush_metadata(self) -> None:
        """Write FAT and folders, before what was freed is taken, or the other way round.

        Nothing on the card leads to a freed cluster then. Where whole chains were freed, the FAT
        may be written later: no entry leads to them, however much of the FAT is on the card.
        """
        allocator = self._allocator
        if self.fresh:
            self._write_fresh()
        if allocator.freed:
            # Sizes go down on the card before their clusters are free.
            for data in list(self.shortened):
                data.record_cut()
            # Entries let go before the FAT does: a cut in between leaves lost clusters. They cost
            # room until a check frees them, and no data.
            self._write_dirty()
            if allocator.shortened:
                self.table.flush(upwards=True)
            allocator.freed = allocator.shortened = False
        else:
            # Here chains only grew: the chain is there before the name that leads to it.
            self.table.flush()
            self._write_dirty()

    def _write_fresh(self) -> None:
        """Write new clusters: of a new folder as they are, of one that grew as zeros.

        What a folder that grew has there comes with the sectors before it, in their order.
        """
        first = self._sectors_per_cluster
        for run in _runs(self.fresh):
            is_new = run[0][1] < first
            self._write_run(run, zeros=not is_new)
            for folder, index in run:
                if is_new:
                    self.dirty.pop((folder, index), None)
                elif any(folder.data[index * SECTOR : (index + 1) * SECTOR]):
                    self.dirty[folder, index] = None
        self.fresh = []

    def _write_dirty(self) -> None:
        dirty = self.dirty
        if len(dirty) > 1:
            for run in list(_runs(dirty)):
                self._write_run(run)
                for key in run:
                    del dirty[key]
            return
        for folder, index in dirty:
            at = index * SECTOR
            self.sectors.write(folder.sector_of(index), folder.data[at : at + SECTOR])
        dirty.clear()

    def _write_run(self, run: list[_Key], *, zeros: bool = False) -> None:
        folder, index = run[0]
        at, length = index * SECTOR, len(run) * SECTOR
        data = bytes(length) if zeros else folder.data[at : at + length]
        self.sectors.write(folder.sector_of(index), data)


def _runs(keys: Iterable[_Key]) -> Iterator[list[_Key]]:
    """Yield ``keys`` in their order, those together that lie together on the card."""
    run: list[_Key] = []
    for key in keys:
        folder, index = key
        if run and not (
            folder is run[-1][0]
            and index == run[-1][1] + 1
            and folder.sector_of(index) == folder.sector_of(index - 1) + 1
        ):
            yield run
            run = []
        run.append(key)
    if run:
        yield run


class FatFsOrder(Window, WriteBack):
    """FatFs's order: a changed sector is written when the window is needed for another one.

    A power cut leaves what it leaves on a board: an entry without its data, a folder that leads
    to a cluster which was not cleared yet, a chain that two names share while one is renamed.
    Nothing is held back: ``holds`` would change the order.
    """

    faithful = True

    def __init__(
        self, sectors: VolumeSectors, geometry: FatGeometry, table: Table, space: FreeSpace
    ) -> None:
        Window.__init__(self)
        WriteBack.__init__(self, sectors, geometry, table, space)

    def allocator(self) -> Allocator:
        """Return the allocator that works cluster by cluster through the window."""
        return WindowAllocator(self.table, self.space, self, self._fat_start)

    def visit_entry(self, cluster: int) -> None:
        """Write what waits unless it is the sector of the FAT with the entry."""
        if self.waiting:
            first, last = self.table.places(cluster)
            self.visit(self._fat_start + first)
            if last != first:
                self.visit(self._fat_start + last)

    def visit_others(self) -> None:
        """Write what waits."""
        self.write_out()

    def leave(self, sector: int) -> None:
        """Write what waits if it is ``sector``."""
        if self.waiting == sector:
            self.write_out()

    def overwritten(self, sector: int, count: int) -> None:
        """Forget what waits if newer data was written in its place."""
        self.drop(sector, count)

    def change_folder(self, folder: Folder, index: int) -> None:
        """Write what waits unless it is the sector that changes."""
        # One sector is all that FatFs holds: a change elsewhere writes this one out, however
        # little of the operation is done.
        self.visit(folder.sector_of(index))

    def folder_changed(self, folder: Folder, index: int) -> None:
        """Let the sector wait."""
        self.dirty[folder, index] = None
        # Not written yet, as on the board: an entry stays in RAM while its file's data goes to the
        # card.
        self.hold(folder.sector_of(index), folder, index)

    def clear_cluster(self, folder: Folder, first: int) -> None:
        """Write zeros at once, sector by sector, as dir_clear does with a static name buffer.

        The chain leads there by now: a cut shows what the cluster held before as entries.
        """
        self.write_out()
        zeros, start = bytes(SECTOR), folder.sector_of(first)
        for sector in range(start, start + self._sectors_per_cluster):
            self.sectors.write(sector, zeros)

    def data_changed(self, data: OpenData) -> None:
        """Let the file's sector wait."""
        self.unsaved[data] = None
        self.hold(data.sector, data, 0)

    def forget(self) -> None:
        """Forget everything that was not written."""
        super().forget()
        self.waiting = 0

    def flush_metadata(self) -> None:
        """Write nothing: FatFs has no safe order."""

    def flush(self) -> None:
        """Write the window and FSInfo (sync_fs)."""
        self.write_all()

    def write_all(self) -> None:
        """Write the window and FSInfo (sync_fs), and what an error kept from being written."""
        self.write_out()
        if self.dirty or self.unsaved or self.table.dirty:
            self._write_rest()
        # sync_fs: window, FSInfo, then the card is asked to finish.
        self.space.flush()
        self.sectors.sync()

    def _write_rest(self) -> None:
        for data in list(self.unsaved):
            data.save_sector(0)
        self.table.flush()
        for folder, index in list(self.dirty):
            folder.save_sector(index)
