"""Flash drivers over a chip, as the world has them: what a write becomes depends on them.

* ``ideal``: a driver that programs what it is given and waits for every erase. Bits that are 0
  stay 0 (ESP-IDF, and every data sheet).
* ``literal``: the write path of the K210 firmware (``w25qxx_write_data_dma``). It reads the whole
  4 KiB sector, erases it where a bit must go from 0 to 1, and programs all 16 pages again, so
  that the bytes become what was written. Erases wait.
* ``maixpy``: the same, with the firmware's erase as built: one command per 4 KiB, and nobody
  waits for the chip, so that it ignores the commands that reach it while it is busy.
"""

from __future__ import annotations

from collections.abc import Callable

from maixfs.nor.array import PAGE, SECTOR
from maixfs.nor.cells import needs_erase
from maixfs.nor.chip import NorChip
from maixfs.nor.clock import DeviceClock
from maixfs.nor.device import Buffer, NorDevice
from maixfs.nor.errors import NorError, misaligned
from maixfs.nor.observe import Cause


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
        """Return a context manager that names the reason of the chip's events."""
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
        """Return the live contents where nobody counts or watches reads."""
        return self.chip.window()


class LiteralDriver(IdealDriver):
    """Bytes become what is written: read, erase where needed, program the whole sector."""

    def program(self, address: int, data: Buffer) -> None:
        """Replace the bytes at ``address``; each sector whose bits must rise is erased first."""
        length = len(data)
        offset = address % SECTOR
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
        """Erase sector by sector, each when the last is done."""
        if self.chip.plain or address % SECTOR or length % SECTOR:
            self.chip.erase(address, length)
            return
        self.chip.check_write(address, length)
        for sector in range(address, address + length, SECTOR):
            self.chip.wait()
            self.chip.erase_sector(sector)
        self.chip.wait()

    def _write_sector(self, address: int, data: Buffer) -> None:
        """Write within one sector with the firmware's very commands (BUSY and all)."""
        chip = self.chip
        if chip.plain:
            chip.replace(address, data)
            return
        sector = address - address % SECTOR
        merged = bytearray(chip.read(sector, SECTOR))
        place = slice(address - sector, address - sector + len(data))
        if needs_erase(merged[place], data):
            chip.erase_sector(sector)
            self._wait()
        merged[place] = data
        chip.page_program(sector, merged[:PAGE])
        self._wait()
        chip.program(sector + PAGE, merged[PAGE:])

    def _wait(self) -> None:
        """Poll BUSY until the chip has done."""
        self.chip.wait()


class MaixpyDriver(LiteralDriver):
    """The K210 firmware as built: literal writes, and erases that nobody waits for.

    BUSY needs time. A chip that has no clock gets one for as long as an erase runs: it starts
    with the erase command, moves with what crosses the bus, and is taken off again by the first
    operation that finds the chip idle.
    """

    def __init__(self, chip: NorChip) -> None:
        super().__init__(chip)
        self._lent: DeviceClock | None = None

    def read(self, address: int, length: int) -> bytes:
        """Return ``length`` bytes, all 0xFF while the chip is busy with an erase."""
        if self._lent is not None:
            self._take_back()
        return self.chip.read(address, length)

    def program(self, address: int, data: Buffer) -> None:
        """Replace bytes as the literal driver does, whatever state the chip is in.

        While it is busy the sector reads as 0xFF, so no erase is found necessary; the first
        page program is ignored and its wait ends the erase; the other 15 pages land by AND.
        """
        if self._lent is not None:
            self._take_back()
        super().program(address, data)

    def erase(self, address: int, length: int) -> None:
        """Send one erase command per sector, back to back: a busy chip ignores the rest."""
        if address % SECTOR or length % SECTOR:
            raise misaligned(address, length, SECTOR)
        chip = self.chip
        chip.check_write(address, length)
        clock = chip.clock
        if clock is None:
            self._lent = chip.clock = clock = DeviceClock(chip.part)
        end = address + length
        while address < end:
            chip.erase_sector(address)
            address += SECTOR
            if not chip.observers:
                address += clock.waste_erases((end - address) // SECTOR) * SECTOR

    def window(self) -> memoryview | None:
        """Return the live contents where nobody watches and no erase is under way."""
        if self._lent is not None:
            self._take_back()
        return self.chip.window()

    def _wait(self) -> None:
        self.chip.wait()
        self._take_back()

    def _take_back(self) -> None:
        """Take the lent clock off a chip that has finished its erase."""
        if self.chip.clock is not self._lent:
            self._lent = None
        elif self._lent is not None and not self._lent.busy:
            self._lent = self.chip.clock = None


DRIVERS: dict[str, Callable[[NorChip], NorDevice]] = {
    "ideal": IdealDriver,
    "literal": LiteralDriver,
    "maixpy": MaixpyDriver,
}


def make_driver(name: str, chip: NorChip) -> NorDevice:
    """Return the driver called ``name`` over ``chip``; raises ``NorError`` for another name."""
    try:
        driver = DRIVERS[name]
    except KeyError:
        raise NorError(
            f"no flash driver called {name!r}", hint=f"there are {', '.join(DRIVERS)}"
        ) from None
    return driver(chip)
