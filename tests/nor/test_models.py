"""Random operations on the chip and on each driver, compared with a model of plain bytes."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from maixfs.nor import (
    DeviceClock,
    IdealDriver,
    LiteralDriver,
    MaixpyDriver,
    NorChip,
    NorDevice,
    Observer,
    SpiFlash,
    SpiFlashSlave,
)

SECTOR = 0x1000
SECTORS = 6
SIZE = SECTORS * SECTOR

addresses = st.integers(0, SIZE - 1)
sectors = st.integers(0, SECTORS - 1)
lengths = st.one_of(st.integers(1, 10), st.integers(250, 260), st.integers(4000, 9000))
patterns = st.sampled_from([0x00, 0xFF, 0x7E, 0xF8, 0x55]) | st.integers(0, 255)


def fill(seed: int, length: int) -> bytes:
    """Return bytes of one value (even seeds) or of changing values (odd seeds)."""
    return bytes((seed + (seed & 1) * 37 * i) & 0xFF for i in range(length))


class Flash(RuleBasedStateMachine):
    """A device over a chip, and a model: the expected bytes and erase counts."""

    size = SIZE
    longest_read = SIZE

    def __init__(self) -> None:
        super().__init__()
        content = bytes(i * 11 & 0xFF for i in range(self.size))
        self.chip = NorChip.in_memory(content=content)
        self.bytes = bytearray(content)
        self.wear = [0] * (self.size // SECTOR)
        self.device = self.make()

    def make(self) -> NorDevice:
        raise NotImplementedError

    def program_model(self, address: int, data: bytes) -> None:
        """Program the model."""
        for place, byte in enumerate(data, address):
            self.bytes[place] &= byte

    def erase_model(self, first: int, count: int) -> None:
        for sector in range(first, first + count):
            self.bytes[sector * SECTOR : (sector + 1) * SECTOR] = b"\xff" * SECTOR
            self.wear[sector] += 1

    def expected(self, address: int, length: int) -> bytes:
        """Return the expected result of a read."""
        return bytes(self.bytes[address : address + length])

    @rule(address=addresses, length=lengths, seed=patterns)
    def program(self, address: int, length: int, seed: int) -> None:
        data = fill(seed, min(length, self.size - address))
        self.device.program(address, data)
        self.program_model(address, data)

    @rule(first=sectors, count=st.integers(1, SECTORS))
    def erase(self, first: int, count: int) -> None:
        count = min(count, SECTORS - first)
        self.device.erase(first * SECTOR, count * SECTOR)
        self.erase_model(first, count)

    @rule(address=addresses, length=lengths)
    def read(self, address: int, length: int) -> None:
        length = min(length, self.longest_read, self.size - address)
        assert self.device.read(address, length) == self.expected(address, length)

    @invariant()
    def cells_and_wear_are_as_expected(self) -> None:
        assert self.chip.peek(0, self.size) == self.bytes
        assert list(self.chip.wear.counts()) == self.wear


class IdleObserver(Observer):
    pass


class Chip(Flash):
    """The chip itself; attaching and removing clocks and observers changes no result."""

    def make(self) -> NorDevice:
        return IdealDriver(self.chip)

    @rule(clocked=st.booleans(), watched=st.booleans())
    def change_clock_and_observers(self, clocked: bool, watched: bool) -> None:
        self.chip.clock = DeviceClock() if clocked else None
        for observer in self.chip.observers:
            self.chip.detach(observer)
        if watched:
            self.chip.attach(IdleObserver())

    @precondition(lambda self: self.chip.clock is not None)
    @rule()
    def chip_is_idle_after_each_run(self) -> None:
        assert self.chip.clock is not None
        assert not self.chip.clock.busy


class Literal(Flash):
    """Bytes are replaced; a sector with a bit that must rise is erased."""

    def make(self) -> NorDevice:
        return LiteralDriver(self.chip)

    def program_model(self, address: int, data: bytes) -> None:
        risen = set()
        for place, byte in enumerate(data, address):
            if byte & ~self.bytes[place]:
                risen.add(place // SECTOR)
            self.bytes[place] = byte
        for sector in risen:
            self.wear[sector] += 1


class LiteralClocked(Literal):
    def make(self) -> NorDevice:
        self.chip.clock = DeviceClock()
        return LiteralDriver(self.chip)


class Maixpy(Literal):
    """Erases without a wait: the chip stays busy until the wait of the next write.

    The profile with 400 ms per erase is used, because the reads of a run take less time.
    """

    busy = False

    def make(self) -> NorDevice:
        self.chip.clock = DeviceClock(profile="maximum")
        return MaixpyDriver(self.chip)

    def erase_model(self, first: int, count: int) -> None:
        if not self.busy:
            super().erase_model(first, 1)
        self.busy = True

    def expected(self, address: int, length: int) -> bytes:
        return b"\xff" * length if self.busy else super().expected(address, length)

    def program_model(self, address: int, data: bytes) -> None:
        if self.busy:
            self.busy = False
            end = min(address + len(data), (address // SECTOR + 1) * SECTOR)
            seen_busy, data = data[: end - address], data[end - address :]
            first_page_end = address // SECTOR * SECTOR + 256
            for place, byte in enumerate(seen_busy, address):
                if place >= first_page_end:
                    self.bytes[place] &= byte
            address = end
        super().program_model(address, data)


class MaixpyTemporaryClock(Maixpy):
    """The same over a chip without a clock; reads are short, so that they take less than 45 ms."""

    longest_read = 300

    def make(self) -> NorDevice:
        return MaixpyDriver(self.chip)


class Spi(Flash):
    """The SPI driver over the SPI slave, whose size is a power of two."""

    size = 0x8000

    def make(self) -> NorDevice:
        return SpiFlash(SpiFlashSlave(self.chip), lines=4)


STEPS = settings(max_examples=25, stateful_step_count=25)
for machine in (Chip, Literal, LiteralClocked, Maixpy, MaixpyTemporaryClock, Spi):
    machine.TestCase.settings = STEPS
    globals()[f"Test{machine.__name__}"] = machine.TestCase
