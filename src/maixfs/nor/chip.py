"""The flash chip: what its commands do, singly and in runs.

Two levels of use. Single commands (``read``, ``page_program``, ``erase_sector`` ...) are what the
chip itself knows; with a clock attached, a chip that is still busy answers a read with 0xFF and
ignores the others, as silicon does. Runs (``program``, ``erase``) are any number of commands with
a wait after each. Without a clock nothing takes time and nothing is ever busy.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from maixfs.host.drafts import write_file
from maixfs.host.mapped import MappedFile
from maixfs.nor.array import BLOCK32, BLOCK64, PAGE, SECTOR, FlashArray
from maixfs.nor.cells import CHUNK, blank, needs_erase, program_cells
from maixfs.nor.device import Buffer
from maixfs.nor.errors import FILE_ERRORS, NorError, NorImageError, misaligned
from maixfs.nor.observe import Kind
from maixfs.nor.wear import WearCounts

if TYPE_CHECKING:
    from maixfs.nor.parts import Part

DEFAULT_SIZE = 0x1000000
"""16 MiB, the chip of K210 boards."""
MAX_SIZE = 0x10000000
"""256 MiB, the largest chip of this command family."""

_PathLike = str | os.PathLike[str]


class NorChip(FlashArray):
    """A SPI NOR flash chip of ``size`` bytes; made by ``in_memory``, ``open`` or ``create``.

    Operations raise ``NorError`` for addresses outside the chip, for writing a read-only chip
    and for any use after ``close``; an exception of an observer passes through.
    """

    @classmethod
    def in_memory(
        cls,
        size: int | None = None,
        part: Part | None = None,
        content: Buffer | None = None,
        *,
        wear_path: _PathLike | None = None,
    ) -> NorChip:
        """Make a chip in RAM: ``content`` first, 0xFF after it.

        Its size is ``size``, else the part's, else the content's, else 16 MiB. Raises
        ``NorImageError`` for a size that no chip has or a content that is larger.
        """
        if size is None:
            size = part.size if part else len(content) if content else DEFAULT_SIZE
        _check_size(size, part, "a chip in memory")
        if content is not None and len(content) > size:
            raise NorImageError(f"{len(content)} bytes do not fit a chip of {size} bytes")
        cells = bytearray(blank(size))
        if content is not None:
            cells[: len(content)] = content
        return cls(memoryview(cells), _open_wear(wear_path, size, False), part, None)

    @classmethod
    def open(
        cls,
        path: _PathLike,
        *,
        read_only: bool = False,
        part: Part | None = None,
        size: int | None = None,
        wear_path: _PathLike | None = None,
    ) -> NorChip:
        """Open the image file ``path`` as a chip; nothing is written to it by opening.

        ``size`` or ``part`` demand that very size; without them any whole number of sectors
        will do. Raises ``NorError`` for a file that is missing or may not be written and
        ``NorImageError`` for one of a wrong size.
        """
        file = MappedFile(path, read_only=read_only, errors=FILE_ERRORS)
        try:
            _check_size(len(file), part, str(path), size)
            wear = _open_wear(wear_path, len(file), read_only)
        except NorError:
            file.close()
            raise
        return cls(file.cells, wear, part, file)

    @classmethod
    def create(
        cls,
        path: _PathLike,
        size: int | None = None,
        part: Part | None = None,
        content: Buffer | None = None,
        *,
        wear_path: _PathLike | None = None,
    ) -> NorChip:
        """Make a new image file as ``in_memory`` makes a chip, and open it.

        Raises ``NorError`` where ``path`` exists: no file is overwritten.
        """
        if size is None:
            size = part.size if part else len(content) if content else DEFAULT_SIZE
        _check_size(size, part, str(path))
        first = b"" if content is None else content
        if len(first) > size:
            raise NorImageError(f"{len(first)} bytes do not fit a chip of {size} bytes")
        rest = (blank(min(CHUNK, size - at)) for at in range(len(first), size, CHUNK))
        write_file(Path(path), (first, *rest), replace=False, base=NorError)
        return cls.open(path, part=part, size=size, wear_path=wear_path)

    def read(self, address: int, length: int) -> bytes:
        """Return ``length`` bytes; a busy chip gives ``busy_byte`` for each."""
        end = address + length
        if self._plain and 0 <= address <= end <= self.size:
            return self._cells[address:end].tobytes()
        self._check(address, length)
        clock = self._clock
        if clock is not None:
            busy = clock.busy
            clock.charge_read(length)
            if busy:
                self.drop("read", address, length)
                return bytes([self.busy_byte]) * length
        return self.array_read(address, length)

    def window(self) -> memoryview | None:
        """Return a live read-only view of the contents, or ``None`` where reads are seen.

        A view that was handed out stays live when a clock or an observer comes later: ask
        again after attaching one.
        """
        return self._cells.toreadonly() if self._plain else None

    def page_program(self, address: int, data: Buffer) -> None:
        """Program up to 256 bytes within one page: bits go from 1 to 0; a busy chip ignores it.

        Raises ``NorError`` where ``data`` crosses the end of its page.
        """
        if address % PAGE + len(data) > PAGE:
            raise NorError(
                f"a program of {len(data)} bytes at 0x{address:06X} crosses its {PAGE}-byte page",
                hint="program() splits at page boundaries",
            )
        if self._writes_plainly and 0 <= address <= self.size - len(data):
            program_cells(self._cells, address, data)
            return
        self.check_write(address, len(data))
        if self._takes("program", address, len(data)):
            self.array_program(address, data)

    def program(self, address: int, data: Buffer) -> None:
        """Program any number of bytes, page by page, each when the one before is done."""
        if self._writes_plainly and 0 <= address <= self.size - len(data):
            program_cells(self._cells, address, data)
            return
        self.check_write(address, len(data))
        self.wait()
        start = 0
        while start < len(data):
            stop = min(len(data), start + PAGE - (address + start) % PAGE)
            self.page_program(address + start, data[start:stop])
            self.wait()
            start = stop

    def erase_sector(self, address: int) -> None:
        """Erase the 4 KiB at ``address`` (aligned); a busy chip ignores it."""
        self._erase_unit(address, SECTOR)

    def erase_block32(self, address: int) -> None:
        """Erase the 32 KiB at ``address`` (aligned); a busy chip ignores it."""
        self._erase_unit(address, BLOCK32)

    def erase_block64(self, address: int) -> None:
        """Erase the 64 KiB at ``address`` (aligned); a busy chip ignores it."""
        self._erase_unit(address, BLOCK64)

    def erase_chip(self) -> None:
        """Erase everything; a busy chip ignores it."""
        self._erase_unit(0, self.size)

    def erase(self, address: int, length: int) -> None:
        """Erase whole sectors, in the largest aligned units, each when the last is done."""
        if address % SECTOR or length % SECTOR:
            raise misaligned(address, length, SECTOR)
        end = address + length
        if self._writes_plainly and 0 <= address < end <= self.size:
            self._clear(address, end)
            return
        self.check_write(address, length)
        self.wait()
        while address < end:
            unit = _largest_unit(address, end)
            self._erase_unit(address, unit)
            self.wait()
            address += unit

    def replace(self, address: int, data: Buffer) -> bool:
        """Put ``data`` in place of what is there, as a read-modify-erase-program ends up.

        Only for a plain chip and within one sector; counts the erase where a bit had to go
        from 0 to 1 and returns whether there was one.
        """
        end = address + len(data)
        if not self._writes_plainly or not 0 <= address <= end <= self.size:
            self.check_write(address, len(data))
            raise NorError("replace() is for a chip without clock and observers")
        old = self._cells[address:end]
        erased = needs_erase(old, data)
        if erased:
            self.wear.add(address // SECTOR)
        old[:] = data
        return erased

    def _erase_unit(self, address: int, unit: int) -> None:
        if address % unit:
            raise misaligned(address, unit, unit)
        self.check_write(address, unit)
        if self._takes("erase", address, unit):
            self.array_erase(address, unit)

    def _takes(self, kind: Kind, address: int, length: int) -> bool:
        """Charge the bus for a command; return whether the chip is free to carry it out."""
        clock = self._clock
        if clock is None:
            return True
        busy = clock.busy
        if kind == "program":
            clock.charge_program(length)
        else:
            clock.charge_erase()
        if busy:
            self.drop(kind, address, length)
        return not busy

    def __enter__(self) -> NorChip:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _largest_unit(address: int, end: int) -> int:
    for unit in (BLOCK64, BLOCK32):
        if address % unit == 0 and address + unit <= end:
            return unit
    return SECTOR


def _check_size(size: int, part: Part | None, name: str, wanted: int | None = None) -> None:
    wanted = part.size if part is not None and wanted is None else wanted
    if wanted is not None and size != wanted:
        raise NorImageError(
            f"{name} has {size} bytes, the chip has {wanted}",
            hint="a flash image has exactly the size of its chip",
        )
    if size <= 0 or size % SECTOR or size > MAX_SIZE:
        raise NorImageError(
            f"{name} has {size} bytes, which no flash chip has",
            hint="a chip is a whole number of 4 KiB sectors, at most 256 MiB",
        )


def _open_wear(path: _PathLike | None, size: int, read_only: bool) -> WearCounts:
    sectors = size // SECTOR
    return (
        WearCounts(sectors)
        if path is None
        else WearCounts.open(path, sectors, read_only=read_only)
    )
