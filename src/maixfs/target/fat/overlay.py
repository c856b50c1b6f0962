"""A card on which everything is written to memory, until it is decided to keep it.

The card below is only read. Written sectors lie in memory up to a bound and in a nameless file
of the host after that, so that a copy may be larger than memory.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, TypeAlias

from maixfs.sd.device import SECTOR, Buffer, SectorDevice
from maixfs.sd.errors import SectorError, out_of_card

IN_MEMORY = 1 << 17
"""Sectors that are held in memory: 64 MiB."""
RUN = 2048
"""Sectors of the longest run that is given out: 1 MiB."""
_ZEROS = bytes(SECTOR)

Held: TypeAlias = bytes | int
"""A sector's bytes, or where they lie in the spill file."""


class Overlay:
    """The sectors of another device with what was written laid over them."""

    read_only = False

    def __init__(self, below: SectorDevice, spill_folder: Path | None = None) -> None:
        self.below = below
        self.sectors = below.sectors
        self._spill_folder = spill_folder
        self._held: dict[int, Held] = {}
        self._before: dict[int, Held | None] | None = None
        self._spill: BinaryIO | None = None

    def __len__(self) -> int:
        """Sectors that were written."""
        return len(self._held)

    def read(self, sector: int, count: int) -> bytes:
        """Return ``count`` sectors as they are now."""
        held = [self._held.get(at) for at in range(sector, sector + count)] if self._held else []
        if held and None not in held:
            return b"".join(self._bytes_of(one) for one in held if one is not None)
        data = self.below.read(sector, count)
        touched = self._touched(sector, count)
        if not touched:
            return data
        changed = bytearray(data)
        self._lay_over(sector, memoryview(changed), touched)
        return bytes(changed)

    def readinto(self, sector: int, buffer: memoryview) -> None:
        """Fill ``buffer``, whole sectors long."""
        self.below.readinto(sector, buffer)
        touched = self._touched(sector, len(buffer) // SECTOR)
        self._lay_over(sector, buffer, touched)

    def write(self, sector: int, data: Buffer) -> None:
        """Hold ``data``, whole sectors long."""
        view = memoryview(data).cast("B")
        count, odd = divmod(len(view), SECTOR)
        if odd:
            raise SectorError(f"{len(view)} bytes are not whole sectors of {SECTOR}")
        if sector < 0 or sector + count > self.sectors:
            raise out_of_card(sector, count, self.sectors)
        self._remember(sector, count)
        held = self._held
        if len(held) + count > IN_MEMORY:
            start = self._spilled(view)
            for at in range(count):
                held[sector + at] = start + at * SECTOR
            return
        whole = bytes(view)
        for at in range(count):
            held[sector + at] = whole[at * SECTOR : (at + 1) * SECTOR]

    def zero(self, sector: int, count: int) -> None:
        """Make ``count`` sectors zero; they share their bytes."""
        if sector < 0 or count < 0 or sector + count > self.sectors:
            raise out_of_card(sector, count, self.sectors)
        self._remember(sector, count)
        self._held.update(dict.fromkeys(range(sector, sector + count), _ZEROS))

    def sync(self) -> None:
        """Do nothing: what is written is kept or forgotten as a whole."""

    def mark(self) -> None:
        """Begin a part that ``undo`` can take back."""
        self._before = {}

    def undo(self) -> None:
        """Forget what was written since the last ``mark``."""
        for sector, held in (self._before or {}).items():
            if held is None:
                del self._held[sector]
            else:
                self._held[sector] = held
        self._before = {}

    def changed_since_mark(self) -> bool:
        """Tell whether a sector has other bytes than at the last ``mark``."""
        for sector, held in (self._before or {}).items():
            old = self.below.read(sector, 1) if held is None else self._bytes_of(held)
            if old != self._bytes_of(self._held[sector]):
                return True
        return False

    def runs(self) -> Iterator[tuple[int, int]]:
        """Yield (first sector, sectors) of what was written, upwards, none over ``RUN``."""
        start, count = 0, 0
        for sector in sorted(self._held):
            if count and sector == start + count and count < RUN:
                count += 1
                continue
            if count:
                yield start, count
            start, count = sector, 1
        if count:
            yield start, count

    def clear(self) -> None:
        """Forget everything that was written."""
        self._held.clear()
        self._before = None
        if self._spill is not None:
            self._spill.close()
            self._spill = None

    def _touched(self, sector: int, count: int) -> list[int]:
        held = self._held
        if not held:
            return []
        if count <= len(held):
            return [at for at in range(sector, sector + count) if at in held]
        return [at for at in held if sector <= at < sector + count]

    def _lay_over(self, sector: int, view: memoryview, touched: list[int]) -> None:
        for at in touched:
            start = (at - sector) * SECTOR
            view[start : start + SECTOR] = self._bytes_of(self._held[at])

    def _remember(self, sector: int, count: int) -> None:
        if self._before is not None:
            for at in range(sector, sector + count):
                self._before.setdefault(at, self._held.get(at))

    def _bytes_of(self, held: Held) -> bytes:
        if isinstance(held, bytes):
            return held
        if self._spill is None:
            raise SectorError("what was written is gone: the overlay was cleared")
        self._spill.seek(held)
        return self._spill.read(SECTOR)

    def _spilled(self, view: memoryview) -> int:
        """Write to the spill file; return where it lies there."""
        try:
            if self._spill is None:
                self._spill = tempfile.TemporaryFile(dir=self._spill_folder)  # noqa: SIM115
            start = self._spill.seek(0, 2)
            self._spill.write(view)
        except OSError as error:
            raise SectorError(
                f"no room for what is to be written: {error.strerror or error}",
                hint="it is collected in a file beside the card until all of it is there",
            ) from error
        return start
