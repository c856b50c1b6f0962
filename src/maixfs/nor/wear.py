"""Erase counts: one counter per 4 KiB sector, in RAM or in a file beside the image.

The file is a ``WearHeader``, then one u32 per sector, little-endian. It is mapped, so that a
count is in the file as soon as the erase is done, and an object that is dropped without ``close``
loses none. A file that does not fit is refused, never repaired or overwritten: the counts cannot
be had again. Moving it aside starts them from zero.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from struct import Struct

from maixfs.host.drafts import write_file
from maixfs.host.mapped import MappedFile
from maixfs.nor.errors import FILE_ERRORS, NorError, NorImageError
from maixfs.record import Record, field

_MAGIC = b"MAIXWEAR"
_VERSION = 1
_COUNT = Struct("<I")
_COUNTER = _COUNT.size
_LIMIT = 0xFFFFFFFF
"""Largest count; a counter stays there, because 0 would say that the sector is new."""


class WearHeader(Record):
    """The start of a wear file; the counters of all sectors follow."""

    magic: bytes = field("8s", "MAIXWEAR")
    version: int = field("I", "1")
    sectors: int = field("I", "number of counters")


_COUNTERS = WearHeader.size
"""Offset of the counters, bytes."""


@lru_cache(maxsize=64)
def _row(sectors: int) -> Struct:
    return Struct(f"<{sectors}I")


class WearCounts:
    """Erase counts of ``sectors`` sectors; ``counts[sector]`` is the count of one."""

    def __init__(self, sectors: int, file: MappedFile | None = None) -> None:
        self._sectors = sectors
        self._file = file
        self._cells: bytearray | memoryview = (
            file.cells if file else bytearray(_COUNTERS + sectors * _COUNTER)
        )

    @classmethod
    def open(
        cls, path: str | os.PathLike[str], sectors: int, *, read_only: bool = False
    ) -> WearCounts:
        """Open the counts in ``path``; a missing file is created unless ``read_only``.

        Raises ``NorImageError`` for a file that holds something else or another number of
        sectors, and leaves it as it is.
        """
        if not Path(path).exists():
            if read_only:  # inspecting writes nothing
                return cls(sectors)
            header = WearHeader(_MAGIC, _VERSION, sectors).pack()
            counts = (header, bytes(sectors * _COUNTER))
            write_file(Path(path), counts, replace=False, base=NorError)
        file = MappedFile(path, read_only=read_only, errors=FILE_ERRORS)
        try:
            _check_header(file, sectors)
        except NorImageError:
            file.close()
            raise
        return cls(sectors, file)

    def __len__(self) -> int:
        return self._sectors

    def __getitem__(self, sector: int) -> int:
        if not 0 <= sector < self._sectors:
            raise IndexError(f"sector {sector} of {self._sectors}")
        count: int = _COUNT.unpack_from(self._cells, _COUNTERS + sector * _COUNTER)[0]
        return count

    def counts(self) -> tuple[int, ...]:
        """Return all counts, in the order of the sectors."""
        return _row(self._sectors).unpack_from(self._cells, _COUNTERS)

    def total(self) -> int:
        """Return the sum of all counts."""
        return sum(self.counts())

    def highest(self) -> int:
        """Return the largest count."""
        return max(self.counts())

    def add(self, sector: int, sectors: int = 1) -> None:
        """Count one more erase for each of ``sectors`` sectors from ``sector`` on."""
        offset = _COUNTERS + sector * _COUNTER
        # One sector is the usual case (SPIFFS erases sector by sector) and needs no tuple.
        if sectors == 1:
            count = _COUNT.unpack_from(self._cells, offset)[0]
            _COUNT.pack_into(self._cells, offset, count + (count < _LIMIT))
            return
        row = _row(sectors)
        counts = row.unpack_from(self._cells, offset)
        row.pack_into(self._cells, offset, *[min(count + 1, _LIMIT) for count in counts])

    def flush(self) -> None:
        """Write the file to the host's disk; raises ``NorError`` if it is gone."""
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        """Close the file; the counts stay readable from RAM."""
        if self._file is not None:
            # Reports are made after a chip was closed, so the counts must outlive the map.
            self._cells = bytearray(self._cells)
            self._file.close()
            self._file = None


def _check_header(file: MappedFile, sectors: int) -> None:
    """Raise ``NorImageError`` if ``file`` is not the wear file of ``sectors`` sectors."""
    # Each part is checked, because counting into a foreign file would destroy it.
    hint = f"move {file.path.name} aside to start counting erases from zero"
    if len(file) < WearHeader.size:
        raise NorImageError(f"{file.path} is too short for a wear file", hint=hint)
    header = WearHeader.unpack(file.cells)
    if header.magic != _MAGIC or header.version != _VERSION:
        raise NorImageError(f"{file.path} is not a wear file of this program", hint=hint)
    if header.sectors != sectors:
        raise NorImageError(
            f"{file.path} counts {header.sectors} sectors, but the chip has {sectors}", hint=hint
        )
    size = _COUNTERS + sectors * _COUNTER
    if len(file) != size:
        raise NorImageError(
            f"{file.path} has {len(file)} bytes, a wear file for {sectors} sectors has {size}",
            hint=hint,
        )
