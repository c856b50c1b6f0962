"""The flash chip: cells that programs clear and erases set, wear, and whoever watches.

Two levels of use. Single commands (``read``, ``page_program``, ``erase_sector`` ...) are what the
chip itself knows; with a clock attached, a chip that is still busy answers a read with 0xFF and
ignores the others, as silicon does. Runs (``program``, ``erase``) are any number of commands with
a wait after each. Without a clock nothing takes time and nothing is ever busy.

All contents lie in one buffer (RAM or a mapped file) that every operation changes at once: a
chip that is simply dropped leaves what a chip without power leaves.
"""

from __future__ import annotations

import os
from types import TracebackType
from typing import TYPE_CHECKING

from maixfs.nor.cells import ERASED, blank, erase_cells, needs_erase, program_cells
from maixfs.nor.device import Buffer
from maixfs.nor.errors import NorError, NorImageError, misaligned, out_of_range
from maixfs.nor.hostfile import MappedFile, create_file
from maixfs.nor.observe import Cause, Kind, NorEvent, Observer
from maixfs.nor.wear import WearCounts

if TYPE_CHECKING:
    from maixfs.nor.clock import DeviceClock
    from maixfs.nor.parts import Part

PAGE = 256
SECTOR = 0x1000
BLOCK32 = 0x8000
BLOCK64 = 0x10000
DEFAULT_SIZE = 0x1000000
"""16 MiB, the chip of K210 boards."""
MAX_SIZE = 0x10000000
"""256 MiB, the largest chip of this command family."""

_PathLike = str | os.PathLike[str]


class NorChip:
    """A SPI NOR flash chip of ``size`` bytes; made by ``in_memory``, ``open`` or ``create``.

    ``wear`` counts erases per 4 KiB sector, ``current_cause`` is what ``cause`` set last,
    ``busy_byte`` is what a busy chip answers to a read (0xFF; some chips hold the line at 0).
    Operations raise ``NorError`` for addresses outside the chip, for writing a read-only chip
    and for any use after ``close``; an exception of an observer passes through.
    """

    page_size = PAGE
    erase_size = SECTOR

    def __init__(
        self, cells: memoryview, wear: WearCounts, part: Part | None, file: MappedFile | None
    ) -> None:
        self.size = len(cells)
        self.wear = wear
        self.busy_byte = ERASED
        self.current_cause: str | None = None
        self._cells = cells
        self._file = file
        self._part = part
        self._clock: DeviceClock | None = None
        self._observers: tuple[Observer, ...] = ()
        self._open = True
        self.read_only = file is not None and file.read_only
        self._settle()

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
        file = MappedFile(path, read_only=read_only)
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
        create_file(path, size, first)
        return cls.open(path, part=part, size=size, wear_path=wear_path)

    @property
    def part(self) -> Part:
        """The type of chip; a chip made without one is the one usual for its size."""
        if self._part is None:
            from maixfs.nor.parts import part_for

            self._part = part_for(self.size)
        return self._part

    @property
    def clock(self) -> DeviceClock | None:
        """The device clock that operations are charged to, or ``None``; can be set."""
        return self._clock

    @clock.setter
    def clock(self, clock: DeviceClock | None) -> None:
        self._clock = clock
        self._settle()

    @property
    def observers(self) -> tuple[Observer, ...]:
        """Who watches, in the order they are told."""
        return self._observers

    def attach(self, observer: Observer) -> None:
        """Have ``observer`` see every operation from now on."""
        self._observers += (observer,)
        self._settle()

    def detach(self, observer: Observer) -> None:
        """Leave ``observer`` in peace; one that is not attached is no error."""
        self._observers = tuple(other for other in self._observers if other is not observer)
        self._settle()

    def cause(self, text: str) -> Cause:
        """Return a context manager in which events say that ``text`` is why they happen."""
        return Cause(self, text)

    @property
    def plain(self) -> bool:
        """Whether nobody counts or watches, so that short cuts change nothing but the speed."""
        return self._plain

    def _settle(self) -> None:
        """Work out, once per change, which operations may take the short way."""
        self._plain = self._open and self._clock is None and not self._observers
        self._writes_plainly = self._plain and not self.read_only

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

    def peek(self, address: int, length: int) -> bytes:
        """Return bytes as ``read`` does, unseen by clock and observers (for those)."""
        self._check(address, length)
        return self._cells[address : address + length].tobytes()

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

    def _erase_unit(self, address: int, unit: int) -> None:
        if address % unit:
            raise misaligned(address, unit, unit)
        self.check_write(address, unit)
        if self._takes("erase", address, unit):
            self.array_erase(address, unit)

    def array_read(self, address: int, length: int) -> bytes:
        """Read without bus time and without looking at BUSY: for whoever sits before the chip."""
        self._check(address, length)
        event = self._announce("read", address, length)
        data = self._cells[address : address + length].tobytes()
        self._conclude(event)
        return data

    def array_program(self, address: int, data: Buffer) -> None:
        """Program one page as ``array_read`` reads; the chip is busy afterwards."""
        self.check_write(address, len(data))
        event = self._announce("program", address, len(data), data)
        program_cells(self._cells, address, data)
        if self._clock is not None:
            self._clock.counts["program"] += 1
            self._clock.start(self._clock.times.page)
        self._conclude(event)

    def array_erase(self, address: int, unit: int) -> None:
        """Erase one unit as ``array_read`` reads; the chip is busy afterwards."""
        self.check_write(address, unit)
        event = self._announce("erase", address, unit)
        self._clear(address, address + unit)
        if self._clock is not None:
            self._clock.counts["erase"] += 1
            self._clock.start(_erase_time(self._clock, unit, self.size))
        self._conclude(event)

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

    def poke(self, address: int, data: Buffer) -> None:
        """Set bytes as no command can: for fault injection (torn programs, half erases)."""
        self.check_write(address, len(data))
        self._cells[address : address + len(data)] = data

    def check_write(self, address: int, length: int) -> None:
        """Raise ``NorError`` unless these bytes are in the chip and may be written."""
        self._check(address, length)
        if self.read_only:
            name = self._file.path if self._file else "the flash chip"
            raise NorError(f"{name} is open for reading only", hint="open it for writing")

    def wait(self) -> None:
        """Wait until the chip is no longer busy (polls BUSY on the clock, if there is one)."""
        if self._clock is not None and self._clock.busy:
            self._clock.wait()

    def flush(self) -> None:
        """Have the host write image and wear counts to its disk; raises ``NorError``."""
        self._check(0, 0)
        if self._file is not None:
            self._file.flush()
        self.wear.flush()

    def close(self) -> None:
        """Flush and let the files go; closing twice is no error. Raises as ``flush`` does."""
        if not self._open:
            return
        try:
            self.flush()
        finally:
            self._open = False
            self._settle()
            self.wear.close()
            self._cells.release()
            if self._file is not None:
                self._file.close()

    def __enter__(self) -> NorChip:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _clear(self, address: int, end: int) -> None:
        erase_cells(self._cells, address, end)
        self.wear.add(address // SECTOR, (end - address) // SECTOR)

    def _check(self, address: int, length: int) -> None:
        if not self._open:
            raise NorError("the flash chip is closed")
        if address < 0 or length < 0 or address + length > self.size:
            raise out_of_range(address, length, self.size)

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

    def drop(self, kind: Kind, address: int, length: int) -> None:
        """Count a command that came while the chip was busy, and tell the observers."""
        if self._clock is not None:
            self._clock.counts["dropped"] += 1
        event = NorEvent(kind, address, length, self.current_cause, dropped=True)
        for observer in self._observers:
            observer.after(self, event)

    def _announce(
        self, kind: Kind, address: int, length: int, data: Buffer = b""
    ) -> NorEvent | None:
        if not self._observers:
            return None
        event = NorEvent(kind, address, length, self.current_cause, bytes(data))
        for observer in self._observers:
            observer.before(self, event)
        return event

    def _conclude(self, event: NorEvent | None) -> None:
        if event is not None:
            for observer in self._observers:
                observer.after(self, event)


def _largest_unit(address: int, end: int) -> int:
    for unit in (BLOCK64, BLOCK32):
        if address % unit == 0 and address + unit <= end:
            return unit
    return SECTOR


def _erase_time(clock: DeviceClock, unit: int, size: int) -> int:
    times = clock.times
    units = {SECTOR: times.sector, BLOCK32: times.block32, BLOCK64: times.block64}
    return times.chip if unit == size else units[unit]


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
