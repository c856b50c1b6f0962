"""The flash devices that test_device.py runs over."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from maixfs.nor import (
    DeviceClock,
    IdealDriver,
    LiteralDriver,
    MaixpyDriver,
    NorChip,
    NorDevice,
    SpiFlash,
    SpiFlashSlave,
)


def clocked(driver: Callable[[NorChip], NorDevice]) -> Callable[[NorChip], NorDevice]:
    """Return a factory of ``driver`` over a chip with a clock, which has no fast paths."""

    def make(chip: NorChip) -> NorDevice:
        chip.clock = DeviceClock(chip.part)
        return driver(chip)

    return make


def over_bus(lines: int) -> Callable[[NorChip], NorDevice]:
    """Return a factory of the SPI driver over the SPI slave, on ``lines`` data lines."""
    return lambda chip: SpiFlash(SpiFlashSlave(chip), lines=lines)


DEVICES: dict[str, Callable[[NorChip], NorDevice]] = {
    "ideal": IdealDriver,
    "literal": LiteralDriver,
    "maixpy": MaixpyDriver,
    "ideal-clocked": clocked(IdealDriver),
    "literal-clocked": clocked(LiteralDriver),
    "maixpy-clocked": clocked(MaixpyDriver),
    "spi-1": over_bus(1),
    "spi-2": over_bus(2),
    "spi-4": over_bus(4),
}


@pytest.fixture(params=[0x8000, 0x40000], ids=["32K", "256K"])
def chip(request: pytest.FixtureRequest) -> NorChip:
    """A chip whose bytes count up."""
    return NorChip.in_memory(content=bytes(range(256)) * (request.param // 256))


@pytest.fixture(params=list(DEVICES))
def make_device(request: pytest.FixtureRequest) -> Callable[[NorChip], NorDevice]:
    """The factory of the device over a chip."""
    return DEVICES[request.param]


@pytest.fixture
def device(make_device: Callable[[NorChip], NorDevice], chip: NorChip) -> NorDevice:
    return make_device(chip)
