"""Flash whose programs and erases stay in memory until they are committed or discarded.

    overlay = OverlayFlash(device)
    token = overlay.savepoint()
    try:
        change(overlay)
    except BaseException:
        overlay.rollback(token)
        raise
    overlay.release(token)

The device below is only read. Sectors of 4 KiB are copied when they are first changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.nor.device import (
    BUFFERS,
    SECTOR,
    Buffer,
    NorDevice,
    blank,
    octets,
    program_cells,
)
from maixfs.nor.errors import misaligned, out_of_range
from maixfs.savepoints import Savepoint, UndoLog

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class OverlayFlash:
    """The bytes of ``below`` with the changes on top; a ``NorDevice``.

    A program clears bits, an erase sets them. ``size`` is that of ``below``, rounded up to whole
    sectors: behind the end of a file of an odd length lie erased bytes. Methods raise
    ``NorError`` as a chip does, and whatever reading ``below`` raises.
    """

    erase_size = SECTOR

    def __init__(self, below: NorDevice) -> None:
        self.below = below
        self.size = -(-below.size // SECTOR) * SECTOR
        self._held: dict[int, bytearray] = {}
        self._erases: dict[int, int] = {}
        self._undo: UndoLog[tuple[bytes | None, int]] = UndoLog(self._restore)
        self.writes = 0
        """A number that every write raises."""

    # The device

    def read(self, address: int, length: int) -> bytes:
        """Return ``length`` bytes in their current state."""
        sector, start = divmod(address, SECTOR)
        end = start + length
        if 0 <= start <= end <= SECTOR and 0 <= address <= self.size - length:
            held = self._held.get(sector)
            return self._below(address, length) if held is None else bytes(held[start:end])
        self._check(address, length)
        if not self._held:
            return self._below(address, length)
        last = -(-(address + length) // SECTOR)
        data = b"".join(map(self._sector, range(sector, last)))
        return data[start:end]

    def program(self, address: int, data: Buffer) -> None:
        """Program ``data`` across pages and sectors: bits go from 1 to 0 only."""
        if type(data) not in BUFFERS:
            data = octets(data)
        sector, start = divmod(address, SECTOR)
        if start + len(data) <= SECTOR and 0 <= address <= self.size - len(data):
            if data:
                program_cells(memoryview(self._changeable(sector)), start, data)
            return
        self._check(address, len(data))
        for sector, start, piece in _pieces(address, data):
            program_cells(memoryview(self._changeable(sector)), start, piece)

    def erase(self, address: int, length: int) -> None:
        """Erase whole sectors of 4 KiB and count each of them."""
        if address % SECTOR or length % SECTOR:
            raise misaligned(address, length, SECTOR)
        self._check(address, length)
        self.writes += 1
        for sector in range(address // SECTOR, (address + length) // SECTOR):
            self._remember(sector)
            self._held[sector] = bytearray(blank(SECTOR))
            self._erases[sector] = self._erases.get(sector, 0) + 1

    def poke(self, address: int, data: Buffer) -> None:
        """Set bytes as no command of a chip can; no erase is counted."""
        data = octets(data)
        self._check(address, len(data))
        for sector, start, piece in _pieces(address, data):
            self._changeable(sector)[start : start + len(piece)] = piece

    def window(self) -> memoryview | None:
        """Return ``None``: the contents lie in pieces."""
        return None

    # What was changed

    @property
    def erases(self) -> Mapping[int, int]:
        """How often each sector (its number) was erased since the overlay was made or cleared.

        A rollback takes back the erases that it undoes.
        """
        return self._erases

    def changed_sectors(self) -> Iterator[int]:
        """Yield the addresses of the sectors that differ from ``below``, in ascending order."""
        for sector in sorted(self._held):
            address = sector * SECTOR
            if self._held[sector] != self._below(address, SECTOR):
                yield address

    def changed_since(self, token: Savepoint) -> bool:
        """Return True if any byte differs from its state at ``token``."""
        return any(
            self._sector(sector)
            != (self._below(sector * SECTOR, SECTOR) if before is None else before)
            for sector, (before, _) in self._undo.since(token).items()
        )

    def image(self) -> bytes:
        """Return all bytes in their current state, as many as ``below`` has."""
        return self.read(0, self.below.size)

    def clear(self) -> None:
        """Discard all changes, erase counts and savepoints."""
        self._undo.clear()
        self._held.clear()
        self._erases.clear()

    # Savepoints

    def savepoint(self) -> Savepoint:
        """Return a token for the present state; savepoints are nested."""
        return self._undo.savepoint()

    def rollback(self, token: Savepoint) -> None:
        """Restore the state of ``token`` and end it, with all savepoints made after it.

        Raises ``ValueError`` for a token that has ended or belongs to another device.
        """
        self._undo.rollback(token)

    def release(self, token: Savepoint) -> None:
        """End ``token``, with all savepoints made after it, and keep the changes.

        The savepoint around it can still undo them. Raises ``ValueError`` as ``rollback`` does.
        """
        self._undo.release(token)

    def _restore(self, sector: int, state: tuple[bytes | None, int]) -> None:
        content, erases = state
        if content is None:
            self._held.pop(sector, None)
        else:
            self._held[sector] = bytearray(content)
        if erases:
            self._erases[sector] = erases
        else:
            self._erases.pop(sector, None)

    def _remember(self, sector: int) -> None:
        if not self._undo.remembers(sector):
            held = self._held.get(sector)
            content = None if held is None else bytes(held)
            self._undo.remember(sector, (content, self._erases.get(sector, 0)))

    def _changeable(self, sector: int) -> bytearray:
        self._remember(sector)
        self.writes += 1
        held = self._held.get(sector)
        if held is None:
            held = self._held[sector] = bytearray(self._below(sector * SECTOR, SECTOR))
        return held

    def _sector(self, sector: int) -> bytes | bytearray:
        held = self._held.get(sector)
        return self._below(sector * SECTOR, SECTOR) if held is None else held

    def _below(self, address: int, length: int) -> bytes:
        there = self.below.size - address
        if length <= there:
            return self.below.read(address, length)
        data = self.below.read(address, there) if there > 0 else b""
        return data + blank(length - len(data))

    def _check(self, address: int, length: int) -> None:
        if address < 0 or length < 0 or address + length > self.size:
            raise out_of_range(address, length, self.size)


def _pieces(address: int, data: Buffer) -> Iterator[tuple[int, int, memoryview]]:
    """Yield (sector, offset in it, bytes) for each sector that ``data`` at ``address`` touches."""
    view, done = memoryview(data), 0
    while done < len(view):
        sector, start = divmod(address + done, SECTOR)
        piece = view[done : done + SECTOR - start]
        yield sector, start, piece
        done += len(piece)
