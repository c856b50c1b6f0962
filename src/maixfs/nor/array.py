"""What is inside a flash chip: cells, wear, the time it is busy, and whoever watches.

All contents lie in one buffer (RAM or a mapped file) that every operation changes at once: a
chip that is simply dropped leaves what a chip without power leaves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.host.mapped import MappedFile
from maixfs.nor.cells import ERASED, erase_cells, program_cells
from maixfs.nor.device import Buffer
from maixfs.nor.errors import NorError, out_of_range
from maixfs.nor.observe import Cause, Kind, NorEvent, Observer
from maixfs.nor.wear import WearCounts

if TYPE_CHECKING:
    from maixfs.nor.clock import DeviceClock
    from maixfs.nor.parts import Part

PAGE = 256
SECTOR = 0x1000
BLOCK32 = 0x8000
BLOCK64 = 0x10000


class FlashArray:
    """The array of a flash chip of ``size`` bytes, and what its own logic does to it.

    ``wear`` counts erases per 4 KiB sector, ``current_cause`` is what ``cause`` set last,
    ``busy_byte`` is what a busy chip answers to a read (0xFF; some chips hold the line at 0).
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

    def peek(self, address: int, length: int) -> bytes:
        """Return bytes as ``read`` does, unseen by clock and observers (for those)."""
        self._check(address, length)
        return self._cells[address : address + length].tobytes()

    def poke(self, address: int, data: Buffer) -> None:
        """Set bytes as no command can: for fault injection (torn programs, half erases)."""
        self.check_write(address, len(data))
        self._cells[address : address + len(data)] = data

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

    def drop(self, kind: Kind, address: int, length: int) -> None:
        """Count a command that came while the chip was busy, and tell the observers."""
        if self._clock is not None:
            self._clock.counts["dropped"] += 1
        event = NorEvent(kind, address, length, self.current_cause, dropped=True)
        for observer in self._observers:
            observer.after(self, event)

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

    def _check(self, address: int, length: int) -> None:
        if not self._open:
            raise NorError("the flash chip is closed")
        if address < 0 or length < 0 or address + length > self.size:
            raise out_of_range(address, length, self.size)

    def _clear(self, address: int, end: int) -> None:
        erase_cells(self._cells, address, end)
        self.wear.add(address // SECTOR, (end - address) // SECTOR)

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


def _erase_time(clock: DeviceClock, unit: int, size: int) -> int:
    times = clock.times
    units = {SECTOR: times.sector, BLOCK32: times.block32, BLOCK64: times.block64}
    return times.chip if unit == size else units[unit]
