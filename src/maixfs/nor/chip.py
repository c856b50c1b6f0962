"""The flash chip: contents, wear, device time and observers.

There are two levels. Single commands (``read``, ``page_program``, ``erase_sector`` ...) are those
of the chip itself: with a clock attached, a chip that is still busy answers a read with 0xFF and
ignores the other commands, as silicon does (W25Q128 data sheet, BUSY). Runs (``program``,
``erase``) are any number of commands with a wait after each. Without a clock no time passes and
the chip is never busy.

All contents are in one buffer (RAM or a mapped file) that every operation changes at once. So an
object that is dropped without ``close`` leaves what a chip leaves when its power fails.

Observers see every read, program and erase, before and after it takes effect. An observer that
raises in ``before`` stops the operation. With ``NorChip.poke`` that is enough for a power cut:
write as much as the torn operation leaves, then raise.
"""

from __future__ import annotations

import errno
import os
from operator import index
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from maixfs.host.drafts import write_file
from maixfs.host.mapped import MappedFile
from maixfs.nor.device import (
    BLOCK32,
    BLOCK64,
    BUFFERS,
    CHUNK,
    ERASED,
    PAGE,
    SECTOR,
    Buffer,
    and_bytes,
    blank,
    erase_cells,
    needs_erase,
    octets,
    program_cells,
)
from maixfs.nor.errors import (
    FILE_ERRORS,
    NorError,
    NorImageError,
    closed,
    invalid,
    misaligned,
    nor_error,
    out_of_range,
)
from maixfs.nor.wear import WearCounts
from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from maixfs.nor.clock import DeviceClock
    from maixfs.nor.parts import Part

DEFAULT_SIZE = 0x1000000
"""16 MiB, the chip of K210 boards."""
MAX_SIZE = 0x10000000
"""256 MiB, the largest chip of this command family."""

Kind: TypeAlias = Literal["read", "program", "erase"]
_PathLike = str | os.PathLike[str]


class NorEvent(NamedTuple):
    """One operation of the chip.

    ``length`` is in bytes; a program stays in one 256-byte page, an erase is one command (4, 32
    or 64 KiB or the chip). ``data`` are the bytes to program. ``cause`` is the text of
    ``NorChip.cause``. ``dropped``: the chip was busy and ignored the command.
    """

    kind: Kind
    address: int
    length: int
    cause: str | None = None
    data: bytes = b""
    dropped: bool = False

    def outcome(self, old: bytes) -> bytes:
        """Return the bytes of the cells after the operation; ``old`` are those before it."""
        if self.dropped or self.kind == "read":
            return old
        return blank(self.length) if self.kind == "erase" else and_bytes(old, self.data)


class Observer(Protocol):
    """An observer of a chip; a subclass overrides the methods that it needs.

    ``chip.peek`` returns the bytes: the old ones in ``before``, the new ones in ``after``.
    """

    def before(self, chip: NorChip, event: NorEvent) -> None:
        """Handle an operation that is about to take effect; raise to stop it."""

    def after(self, chip: NorChip, event: NorEvent) -> None:
        """Handle an operation that took effect, or a command that a busy chip dropped."""


class Cause:
    """The context manager of ``NorChip.cause``: it sets ``current_cause`` and restores it."""

    __slots__ = ("_chip", "_outer", "_text")

    def __init__(self, chip: NorChip, text: str) -> None:
        self._chip = chip
        self._text = text
        self._outer: str | None = None

    def __enter__(self) -> None:
        self._outer = self._chip.current_cause
        self._chip.current_cause = self._text

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._chip.current_cause = self._outer


class NorChip:
    """A SPI NOR flash chip of ``size`` bytes; made by ``in_memory``, ``open`` or ``create``.

    ``wear`` counts erases per 4 KiB sector, ``current_cause`` is the text of the innermost
    ``cause``, ``busy_byte`` is what a busy chip answers to a read (0xFF; some chips hold the
    line at 0).

    Operations raise ``NorError``: EINVAL for addresses outside the chip, EROFS for a change of a
    read-only chip, and a ``ClosedError`` after ``close``. Data that is not a buffer raises
    ``TypeError``. Nothing has changed then. An exception of an observer passes through.
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
        self._update_plain()

    @classmethod
    def in_memory(
        cls,
        size: int | None = None,
        part: Part | None = None,
        content: Buffer | None = None,
        *,
        wear_path: _PathLike | None = None,
    ) -> NorChip:
        """Return a chip in RAM: ``content`` first, 0xFF after it.

        The size is ``size``, else the part's, else the content's, else 16 MiB. Raises
        ``NorImageError`` for a size that no chip has or a content that is larger.
        """
        size, first = _checked_size(size, part, content, "a chip in memory")
        cells = bytearray(blank(size))
        cells[: len(first)] = first
        wear = _open_wear(wear_path, size, read_only=False)
        return cls(memoryview(cells), wear, part, None)

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
        """Open the image file ``path`` as a chip; opening writes nothing to it.

        ``size`` or ``part`` require exactly that size; without them any whole number of sectors
        is accepted. Raises ``NorError`` for a file that is missing or may not be written and
        ``NorImageError`` for one of a wrong size.
        """
        file = MappedFile(path, read_only=read_only, errors=FILE_ERRORS)
        try:
            _check_size(len(file), part, str(path), size)
            wear = _open_wear(wear_path, len(file), read_only=read_only)
        except BaseException:
            # A map that stays open keeps Windows from replacing or removing the file.
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
        """Create an image file with the contents of ``in_memory``, and open it.

        Raises ``NorError`` (EEXIST) if ``path`` exists: no file is overwritten.
        """
        # All arguments are checked first: a file that is too short or too long must not be left.
        size, first = _checked_size(size, part, content, str(path))
        rest = (blank(min(CHUNK, size - at)) for at in range(len(first), size, CHUNK))
        write_file(Path(path), (first, *rest), replace=False, base=NorError)
        return cls.open(path, part=part, size=size, wear_path=wear_path)

    @property
    def part(self) -> Part:
        """The type of chip; without one the usual part of this size."""
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
        self._update_plain()

    @property
    def observers(self) -> tuple[Observer, ...]:
        """The attached observers, in the order of their calls."""
        return self._observers

    def attach(self, observer: Observer) -> None:
        """Call ``observer`` for every operation from now on."""
        self._observers += (observer,)
        self._update_plain()

    def detach(self, observer: Observer) -> None:
        """Stop calling ``observer``; one that is not attached is ignored."""
        # By identity: two observers may compare equal (dataclasses).
        self._observers = tuple(other for other in self._observers if other is not observer)
        self._update_plain()

    def cause(self, text: str) -> Cause:
        """Return a context manager in which events have ``text`` as their cause."""
        return Cause(self, text)

    @property
    def plain(self) -> bool:
        """True if no clock and no observer is attached: fast paths change only the speed."""
        return self._plain

    def _update_plain(self) -> None:
        # Decided once per change of clock or observers: SPIFFS makes thousands of small reads
        # and programs, and each then tests one attribute.
        self._plain = self._open and self._clock is None and not self._observers
        self._writes_plainly = self._plain and not self.read_only

    # Single commands

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
                # The firmware reads without asking for BUSY, and gets an idle data line.
                self.drop("read", address, length)
                return bytes([self.busy_byte]) * length
        return self.array_read(address, length)

    def page_program(self, address: int, data: Buffer) -> None:
        """Program up to 256 bytes within one page: bits go from 1 to 0; a busy chip ignores it.

        Raises ``NorError`` (EINVAL) if ``data`` crosses the end of its page. Silicon wraps to
        the start of the page; here that is always a mistake of the caller.
        """
        if type(data) not in BUFFERS:
            data = octets(data)
        if address % PAGE + len(data) > PAGE:
            address = index(address)
            raise invalid(
                f"a program of {len(data)} bytes at 0x{address:06X} crosses its {PAGE}-byte page",
                hint="program() splits at page boundaries",
            )
        if self._writes_plainly and 0 <= address <= self.size - len(data):
            program_cells(self._cells, address, data)
            return
        self.check_write(address, len(data))
        if self._accepts("program", address, len(data)):
            self.array_program(address, data)

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

    def _erase_unit(self, address: int, unit: int) -> None:
        if address % unit:
            raise misaligned(address, unit, unit)
        self.check_write(address, unit)
        if self._accepts("erase", address, unit):
            self.array_erase(address, unit)

    def _accepts(self, kind: Kind, address: int, length: int) -> bool:
        """Charge the bus for a command; return False, and drop it, if the chip is busy."""
        clock = self._clock
        if clock is None:
            return True
        # BUSY is sampled before the frame: a chip that gets idle during it has missed its start.
        busy = clock.busy
        if kind == "program":
            clock.charge_program(length)
        else:
            clock.charge_erase()
        if busy:
            self.drop(kind, address, length)
        return not busy

    # Runs of commands

    def program(self, address: int, data: Buffer) -> None:
        """Program any number of bytes, page by page, with a wait after each."""
        if type(data) not in BUFFERS:
            data = octets(data)
        if self._writes_plainly and 0 <= address <= self.size - len(data):
            # Without clock and observers the pages make no difference: one AND for all of them.
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

    def erase(self, address: int, length: int) -> None:
        """Erase whole sectors, in the largest aligned units, with a wait after each."""
        if address % SECTOR or length % SECTOR:
            raise misaligned(address, length, SECTOR)
        end = address + length
        if self._writes_plainly and 0 <= address < end <= self.size:
            self._clear(address, end)
            return
        self.check_write(address, length)
        self.wait()
        # A 64 KiB erase takes 150 ms, the 16 sector erases in its place 720 ms (W25Q128JV).
        while address < end:
            unit = _largest_unit(address, end)
            self._erase_unit(address, unit)
            self.wait()
            address += unit

    def replace(self, address: int, data: Buffer) -> bool:
        """Put ``data`` in place of the old bytes: the result of read, modify, erase, program.

        Only for a plain chip and within one sector. Counts the erase if a bit had to go from 0
        to 1, and returns True then.
        """
        end = address + len(data)
        if not self._writes_plainly or not 0 <= address <= end <= self.size:
            self.check_write(address, len(octets(data)))
            raise invalid("replace() needs a chip without clock and observers")
        old = self._cells[address:end]
        erased = needs_erase(old, data)
        old[:] = data  # TypeError if not a buffer, before a byte changes
        if erased:
            self.wear.add(address // SECTOR)
        return erased

    def wait(self) -> None:
        """Wait until the chip is no longer busy (polls BUSY on the clock, if there is one)."""
        if self._clock is not None and self._clock.busy:
            self._clock.wait()

    def window(self) -> memoryview | None:
        """Return a live read-only view of the contents, ``None`` if reads are counted or seen.

        An existing view stays live when a clock or an observer is attached later: ask again
        after that.
        """
        return self._cells.toreadonly() if self._plain else None

    # Access for observers, fault injection and the SPI slave

    def peek(self, address: int, length: int) -> bytes:
        """Return bytes without charging the clock or calling observers."""
        self._check(address, length)
        return self._cells[address : address + length].tobytes()

    def poke(self, address: int, data: Buffer) -> None:
        """Set bytes as no command can: for fault injection (torn programs, half erases)."""
        data = octets(data)
        self.check_write(address, len(data))
        self._cells[address : address + len(data)] = data

    def array_read(self, address: int, length: int) -> bytes:
        """Read without bus time and without regard to BUSY: the SPI slave handles both."""
        self._check(address, length)
        event = self._notify_before("read", address, length)
        data = self._cells[address : address + length].tobytes()
        self._notify_after(event)
        return data

    def array_program(self, address: int, data: Buffer) -> None:
        """Program one page without bus time and BUSY check; the chip is busy afterwards."""
        self.check_write(address, len(data))
        event = self._notify_before("program", address, len(data), data)
        # The cells change at the start of the busy time; a torn program is left to observers.
        program_cells(self._cells, address, data)
        if self._clock is not None:
            self._clock.counts["program"] += 1
            self._clock.start(self._clock.times.page)
        self._notify_after(event)

    def array_erase(self, address: int, unit: int) -> None:
        """Erase one unit without bus time and BUSY check; the chip is busy afterwards."""
        self.check_write(address, unit)
        event = self._notify_before("erase", address, unit)
        self._clear(address, address + unit)
        if self._clock is not None:
            self._clock.counts["erase"] += 1
            self._clock.start(_erase_time(self._clock, unit, self.size))
        self._notify_after(event)

    def drop(self, kind: Kind, address: int, length: int) -> None:
        """Count a command that a busy chip ignored, and call the observers."""
        if self._clock is not None:
            self._clock.counts["dropped"] += 1
        # No call of ``before``: nothing takes effect that an observer could stop.
        event = NorEvent(kind, address, length, self.current_cause, dropped=True)
        for observer in self._observers:
            observer.after(self, event)

    def check_write(self, address: int, length: int) -> None:
        """Raise ``NorError`` if the bytes are outside the chip (EINVAL) or read-only (EROFS)."""
        self._check(address, length)
        if self.read_only:
            name = self._file.path if self._file else "the flash chip"
            raise nor_error(
                f"{name} is open for reading only", errno.EROFS, hint="open it for writing"
            )

    def _check(self, address: int, length: int) -> None:
        if not self._open:
            raise closed()
        if address < 0 or length < 0 or address + length > self.size:
            raise out_of_range(address, length, self.size)

    def _clear(self, address: int, end: int) -> None:
        # Cells first: a process that is killed in between has a wear count that is one too low,
        # never an erase that is counted and did not happen.
        erase_cells(self._cells, address, end)
        self.wear.add(address // SECTOR, (end - address) // SECTOR)

    def _notify_before(
        self, kind: Kind, address: int, length: int, data: Buffer = b""
    ) -> NorEvent | None:
        if not self._observers:
            return None
        event = NorEvent(kind, address, length, self.current_cause, bytes(data))
        for observer in self._observers:
            observer.before(self, event)
        return event

    def _notify_after(self, event: NorEvent | None) -> None:
        if event is not None:
            for observer in self._observers:
                observer.after(self, event)

    # Files

    def flush(self) -> None:
        """Write image and wear counts to the host's disk; raises ``NorError``."""
        self._check(0, 0)
        # The image first: if the host fails in between, a count is too low and no data is lost.
        if self._file is not None:
            self._file.flush()
        self.wear.flush()

    def close(self) -> None:
        """Flush and close the files; a second call does nothing. Raises as ``flush`` does."""
        if not self._open:
            return
        try:
            self.flush()
        finally:
            # Also after a failed flush: a second close must not report the same failure again.
            self._open = False
            self._update_plain()
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


def _erase_time(clock: DeviceClock, unit: int, size: int) -> int:
    times = clock.times
    # A chip of one sector or block erases it in the time of a chip erase.
    units = {SECTOR: times.sector, BLOCK32: times.block32, BLOCK64: times.block64}
    return times.chip if unit == size else units[unit]


def _largest_unit(address: int, end: int) -> int:
    for unit in (BLOCK64, BLOCK32):
        if address % unit == 0 and address + unit <= end:
            return unit
    return SECTOR


def _checked_size(
    size: int | None, part: Part | None, content: Buffer | None, name: str
) -> tuple[int, Buffer]:
    """Return size and first bytes of a new chip; raises ``NorImageError`` and ``TypeError``."""
    first = b"" if content is None else octets(content)
    if size is None:
        size = part.size if part else len(first) or DEFAULT_SIZE
    _check_size(size, part, name)
    if len(first) > size:
        raise NorImageError(f"{len(first)} bytes do not fit a chip of {size} bytes")
    return size, first


def _check_size(size: int, part: Part | None, name: str, wanted: int | None = None) -> None:
    wanted = part.size if part is not None and wanted is None else wanted
    if wanted is not None and size != wanted:
        raise NorImageError(
            f"{name} has {size} bytes, the chip has {wanted}",
            hint="a flash image has exactly the size of its chip",
        )
    if size <= 0 or size % SECTOR or size > MAX_SIZE:
        # Real sizes are powers of two. Other numbers of sectors are accepted, because single areas
        # and partial dumps are opened as chips too.
        raise NorImageError(
            f"{name} has {size} bytes, which no flash chip has",
            hint="a chip is a whole number of 4 KiB sectors, at most 256 MiB",
        )


def _open_wear(path: _PathLike | None, size: int, *, read_only: bool) -> WearCounts:
    sectors = size // SECTOR
    if path is None:
        return WearCounts(sectors)
    return WearCounts.open(path, sectors, read_only=read_only)
