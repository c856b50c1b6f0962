"""Flash drivers over a chip: the driver decides what a write becomes (docs/SPEC.md, 11.2).

* ``ideal``: programs the given bytes and waits for every erase. Bits that are 0 stay 0 (ESP-IDF,
  and every data sheet).
* ``literal``: the write path of the K210 firmware (``w25qxx_write_data_dma``). It reads the whole
  4 KiB sector, erases it if a bit must go from 0 to 1, and programs all 16 pages again, so that
  the bytes become those that were written. Erases wait.
* ``maixpy``: the same, with the firmware's erase as built: one command per 4 KiB without a wait,
  so that the chip ignores the commands that reach it while it is busy.
"""

from __future__ import annotations

from collections.abc import Callable

from maixfs.nor.chip import Cause, NorChip
from maixfs.nor.clock import DeviceClock
from maixfs.nor.device import BUFFERS, PAGE, SECTOR, Buffer, NorDevice, needs_erase, octets
from maixfs.nor.errors import invalid, misaligned


class IdealDriver:
    """Programs are ANDed into the cells, erases are waited for; ``chip`` is the chip."""

    erase_size = SECTOR

    def __init__(self, chip: NorChip) -> None:
        self.chip = chip

    @property
    def size(self) -> int:
        """Capacity in bytes."""
        return self.chip.size

    def cause(self, text: str) -> Cause:
        """Return a context manager in which the chip's events have ``text`` as their cause."""
        return self.chip.cause(text)

    def read(self, address: int, length: int) -> bytes:
        """Return ``length`` bytes."""
        return self.chip.read(address, length)

    def program(self, address: int, data: Buffer) -> None:
        """AND ``data`` into the cells, page by page."""
        self.chip.program(address, data)

    def erase(self, address: int, length: int) -> None:
        """Erase whole sectors, in the largest units that fit, and wait."""
        self.chip.erase(address, length)

    def window(self) -> memoryview | None:
        """Return a live view of the contents, ``None`` if reads are counted or observed."""
        return self.chip.window()


class LiteralDriver(IdealDriver):
    """Bytes become those that are written: read, erase if needed, program the whole sector.

    The price is the firmware's: one changed bit costs 16 page programs and often an erase, and a
    power cut after the erase loses the sector.
    """

    def program(self, address: int, data: Buffer) -> None:
        """Replace the bytes at ``address``; each sector with a bit that must rise is erased."""
        if type(data) not in BUFFERS:
            data = octets(data)
        length = len(data)
        offset = address % SECTOR
        # SPIFFS writes within a page, so nearly all writes end here, with one slice assignment.
        if offset + length <= SECTOR and self.chip.plain:
            self.chip.replace(address, data)
            return
        self.chip.check_write(address, length)
        start = 0
        while start < length:
            stop = min(length, start + SECTOR - (address + start) % SECTOR)
            self._write_sector(address + start, data[start:stop])
            start = stop

    def erase(self, address: int, length: int) -> None:
        """Erase sector by sector, with a wait before each and at the end."""
        if self.chip.plain or address % SECTOR or length % SECTOR:
            self.chip.erase(address, length)
            return
        self.chip.check_write(address, length)
        # Command 20h only, as in the firmware: SPIFFS asks it for one sector after the other.
        for sector in range(address, address + length, SECTOR):
            self.chip.wait()
            self.chip.erase_sector(sector)
        self.chip.wait()

    def _write_sector(self, address: int, data: Buffer) -> None:
        """Write within one sector with the firmware's sequence of commands."""
        chip = self.chip
        if chip.plain:
            chip.replace(address, data)
            return
        sector = address - address % SECTOR
        # No wait before this read, as in the firmware: a busy chip gives 0xFF for the sector, and
        # the decision below is made on that.
        merged = bytearray(chip.read(sector, SECTOR))
        place = slice(address - sector, address - sector + len(data))
        # Only the bytes to write are compared. The others are programmed again with their own
        # values, which needs no erase.
        if needs_erase(merged[place], data):
            chip.erase_sector(sector)
            self._wait()
        merged[place] = data
        # The first page is sent without a wait before it. If an erase of MaixpyDriver still runs,
        # this page is lost and the wait after it saves the other 15.
        chip.page_program(sector, merged[:PAGE])
        self._wait()
        chip.program(sector + PAGE, merged[PAGE:])

    def _wait(self) -> None:
        """Poll BUSY until the chip is idle."""
        self.chip.wait()


class MaixpyDriver(LiteralDriver):
    """The K210 firmware as built: literal writes, and erases without a wait.

    BUSY needs time. A chip without a clock gets a temporary one for the time of an erase: it
    starts with the erase command, advances with the bytes that cross the bus, and is removed by
    the first operation that finds the chip idle.
    """

    def __init__(self, chip: NorChip) -> None:
        super().__init__(chip)
        self._temporary_clock: DeviceClock | None = None

    def read(self, address: int, length: int) -> bytes:
        """Return ``length`` bytes, all 0xFF while the chip is busy with an erase."""
        if self._temporary_clock is not None:
            self._remove_idle_clock()
        return self.chip.read(address, length)

    def program(self, address: int, data: Buffer) -> None:
        """Replace bytes as the literal driver does, whatever the chip is doing.

        While it is busy the sector reads as 0xFF, so no erase seems needed; the first page
        program is ignored and the wait after it ends the erase; the other 15 pages are ANDed.
        """
        if self._temporary_clock is not None:
            self._remove_idle_clock()
        super().program(address, data)

    def erase(self, address: int, length: int) -> None:
        """Send one erase command per sector without a wait: a busy chip ignores the rest.

        Of the 32 commands for a SPIFFS block only the first takes effect. Boards' dumps show it:
        blocks that were erased keep the old bytes from their second sector on.
        """
        if address % SECTOR or length % SECTOR:
            raise misaligned(address, length, SECTOR)
        chip = self.chip
        chip.check_write(address, length)
        clock = chip.clock
        if clock is None:
            # With the typical times of the part: a chip that is slower loses the same commands.
            self._temporary_clock = chip.clock = clock = DeviceClock(chip.part)
        end = address + length
        while address < end:
            chip.erase_sector(address)
            address += SECTOR
            # Without observers the ignored commands are only counted: formatting 3 MiB sends 768.
            if not chip.observers:
                address += clock.charge_ignored_erases((end - address) // SECTOR) * SECTOR

    def window(self) -> memoryview | None:
        """Return a live view of the contents, ``None`` if reads are seen or an erase runs."""
        if self._temporary_clock is not None:
            self._remove_idle_clock()
        return self.chip.window()

    def _wait(self) -> None:
        self.chip.wait()
        self._remove_idle_clock()

    def _remove_idle_clock(self) -> None:
        """Remove the temporary clock if the erase has ended; keep a clock set by the caller."""
        if self.chip.clock is not self._temporary_clock:
            self._temporary_clock = None
        elif self._temporary_clock is not None and not self._temporary_clock.busy:
            self._temporary_clock = self.chip.clock = None


DRIVERS: dict[str, Callable[[NorChip], NorDevice]] = {
    "ideal": IdealDriver,
    "literal": LiteralDriver,
    "maixpy": MaixpyDriver,
}


def make_driver(name: str, chip: NorChip) -> NorDevice:
    """Return the driver ``name`` over ``chip``; raises ``NorError`` (EINVAL) for another name."""
    try:
        driver = DRIVERS[name]
    except KeyError:
        raise invalid(
            f"no flash driver called {name!r}", hint=f"the drivers are {', '.join(DRIVERS)}"
        ) from None
    return driver(chip)
