"""A card whose writes stay in memory until they are applied or discarded.

The card below is only read. Written sectors are held in pages, in memory up to a limit and in a
temporary file of the host beyond it, so that a large copy does not exhaust the memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, TypeAlias

from maixfs.savepoints import Savepoint, UndoLog
from maixfs.sd.device import SECTOR, Buffer, SectorDevice
from maixfs.sd.errors import host_error, out_of_card, partial_sector

# Pages of 4 KiB: single sectors would take eight times the entries for a large copy, and larger
# pages would read more of the card for a single changed sector.
PAGE = 8
"""Sectors of a page."""
_BYTES = PAGE * SECTOR
IN_MEMORY = 1 << 14
"""Pages that are held in memory: 64 MiB."""
_RUN = 256
"""Pages of the longest run that ``runs`` yields: 1 MiB."""

Held: TypeAlias = bytes | int
"""The bytes of a page, or their offset in the spill file. The last page of a card may be short."""


class Overlay:
    """The sectors of ``below`` with the written ones on top; a ``SectorDevice``."""

    read_only = False

    def __init__(self, below: SectorDevice, spill_folder: Path | None = None) -> None:
        self.below = below
        self.sectors = below.sectors
        self._spill_folder = spill_folder
        self._held: dict[int, Held] = {}
        self._undo: UndoLog[Held | None] = UndoLog(self._restore)
        self._spill: BinaryIO | None = None
        self.writes = 0
        """A number that every write raises."""

    def __len__(self) -> int:
        """Number of pages held."""
        return len(self._held)

    def read(self, sector: int, count: int) -> bytes:
        """Return ``count`` sectors in their current state."""
        if not self._held or not self._touches(sector, count):
            return self.below.read(sector, count)
        self._check(sector, count)
        first, last = sector // PAGE, (sector + count - 1) // PAGE
        if first == last:
            start = (sector - first * PAGE) * SECTOR
            return self._page(first)[start : start + count * SECTOR]
        data = bytearray(count * SECTOR)
        self.readinto(sector, memoryview(data))
        return bytes(data)

    def readinto(self, sector: int, buffer: memoryview) -> None:
        """Fill ``buffer``, whole sectors long."""
        count, odd = divmod(len(buffer), SECTOR)
        if odd:
            raise partial_sector(len(buffer))
        touched = self._touched(sector, count)
        if len(touched) * PAGE < count:
            # Some pages come from below: read all of it at once, then overwrite the held ones.
            self.below.readinto(sector, buffer)
        else:
            self._check(sector, count)
            touched = [*range(sector // PAGE, -(-(sector + count) // PAGE))]
        for page in touched:
            at = (page * PAGE - sector) * SECTOR
            content = self._page(page)
            start, end = max(0, at), min(len(buffer), at + len(content))
            buffer[start:end] = content[start - at : end - at]

    def write(self, sector: int, data: Buffer) -> None:
        """Hold ``data``, whole sectors long."""
        view = memoryview(data).cast("B")
        count, odd = divmod(len(view), SECTOR)
        if odd:
            raise partial_sector(len(view))
        self._check(sector, count)
        done = 0
        while done < len(view):
            page, inside = divmod(sector * SECTOR + done, _BYTES)
            piece = view[done : done + _BYTES - inside]
            if len(piece) == _BYTES:
                # A whole page is not read from below first: copies consist of these.
                self._hold(page, bytes(piece))
            else:
                content = bytearray(self._page(page))
                content[inside : inside + len(piece)] = piece
                self._hold(page, bytes(content))
            done += len(piece)

    def zero(self, sector: int, count: int) -> None:
        """Make ``count`` sectors zero; whole pages share one object, so that this is cheap."""
        self._check(sector, count)
        self.writes += 1
        zeros = bytes(_BYTES)
        while count:
            part = min(count, PAGE - sector % PAGE)
            if part == PAGE:
                self._remember(sector // PAGE)
                self._held[sector // PAGE] = zeros
            else:
                self.write(sector, zeros[: part * SECTOR])
            sector, count = sector + part, count - part

    def sync(self) -> None:
        """Do nothing: writes are applied or discarded as a whole."""

    def savepoint(self) -> Savepoint:
        """Return a token for the present state; savepoints are nested."""
        return self._undo.savepoint()

    def rollback(self, token: Savepoint) -> None:
        """Restore the state of ``token`` and end it, with all savepoints made after it.

        Raises ``ValueError`` for a token that has ended or belongs to another device.
        """
        self._undo.rollback(token)

    def release(self, token: Savepoint) -> None:
        """End ``token``, with all savepoints made after it, and keep the writes.

        The savepoint around it can still undo them. Raises ``ValueError`` as ``rollback`` does.
        """
        self._undo.release(token)

    def changed_since(self, token: Savepoint) -> bool:
        """Return True if any sector differs from its state at ``token``."""
        return any(
            (self._below(page) if held is None else self._bytes_of(held)) != self._page(page)
            for page, held in self._undo.since(token).items()
        )

    def runs(self) -> Iterator[tuple[int, int]]:
        """Yield (first sector, sectors) of the held pages in ascending order, 1 MiB at most."""
        start, count = 0, 0
        for page in sorted(self._held):
            # Limited, so that applying the runs needs little memory and reports its progress.
            if count and page == start + count and count < _RUN:
                count += 1
                continue
            if count:
                yield self._run(start, count)
            start, count = page, 1
        if count:
            yield self._run(start, count)

    def clear(self) -> None:
        """Discard all writes and savepoints."""
        self._undo.clear()
        self._held.clear()
        if self._spill is not None:
            self._spill.close()
            self._spill = None

    def _run(self, page: int, count: int) -> tuple[int, int]:
        return page * PAGE, min(count * PAGE, self.sectors - page * PAGE)

    def _check(self, sector: int, count: int) -> None:
        if sector < 0 or count < 0 or sector + count > self.sectors:
            raise out_of_card(sector, count, self.sectors)

    def _touches(self, sector: int, count: int) -> bool:
        if count <= PAGE:
            return sector // PAGE in self._held or (sector + count - 1) // PAGE in self._held
        return bool(self._touched(sector, count))

    def _touched(self, sector: int, count: int) -> list[int]:
        """Return the held pages of a range."""
        held = self._held
        pages = range(sector // PAGE, -(-(sector + count) // PAGE))
        if len(pages) <= len(held):
            return [page for page in pages if page in held]
        return [page for page in held if page in pages]

    def _page(self, page: int) -> bytes:
        """Return the current bytes of a page."""
        held = self._held.get(page)
        if isinstance(held, bytes):
            return held
        return self._below(page) if held is None else self._bytes_of(held)

    def _below(self, page: int) -> bytes:
        return self.below.read(*self._run(page, 1))

    def _hold(self, page: int, content: bytes) -> None:
        # Noted before it changes: an interrupt between the two must leave ``rollback`` able to.
        self._remember(page)
        self.writes += 1
        in_memory = page in self._held or len(self._held) < IN_MEMORY
        self._held[page] = content if in_memory else self._spilled(content)

    def _remember(self, page: int) -> None:
        self._undo.remember(page, self._held.get(page))

    def _restore(self, page: int, held: Held | None) -> None:
        if held is None:
            # An interrupted write may have noted the page without holding it yet.
            self._held.pop(page, None)
        else:
            self._held[page] = held

    def _bytes_of(self, held: Held) -> bytes:
        if isinstance(held, bytes):
            return held
        assert self._spill is not None  # ``clear`` closes it with the last page
        self._spill.seek(held)
        return self._spill.read(_BYTES)

    def _spilled(self, content: bytes) -> int:
        """Append a page to the spill file; return its offset there."""
        try:
            if self._spill is None:
                import tempfile  # with its own imports 3 ms, and hardly any change spills

                self._spill = tempfile.TemporaryFile(dir=self._spill_folder)  # noqa: SIM115
            start = self._spill.seek(0, 2)
            self._spill.write(content.ljust(_BYTES, b"\0"))
        except OSError as error:
            raise host_error(
                "no space for the data to be written",
                error,
                hint="it is collected in a temporary file before the card changes",
            ) from error
        return start
