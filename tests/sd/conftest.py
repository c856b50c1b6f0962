"""Simulated cards of every kind, and the two drivers."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TypeAlias

import pytest

from maixfs.sd import (
    CardKind,
    Faults,
    FirmwareSdCard,
    RamSectors,
    SdCard,
    SdTiming,
    SpiSdCard,
    SpiSdSlave,
)

Driver: TypeAlias = Callable[[SpiSdSlave], SpiSdCard | FirmwareSdCard]
SIZES = {
    CardKind.MMC: 1 << 16,
    CardKind.SDSC_V1: 1 << 17,
    CardKind.SDSC_V2: 2 << 21,
    CardKind.SDHC: 8 << 21,
    CardKind.SDXC: 128 << 21,
}
QUICK = SdTiming(read_access=3000, write_busy=3000, stop_busy=2000, erase_busy=900, init=3_000_000)


def noise(count: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(count * 512)


def make_bus(
    kind: CardKind = CardKind.SDHC, *, timing: SdTiming = QUICK, faults: Faults | None = None
) -> SpiSdSlave:
    """Return a bus with a card of ``kind`` on it."""
    return SpiSdSlave(SdCard(RamSectors(SIZES[kind]), kind, timing=timing, faults=faults))


@pytest.fixture
def bus() -> SpiSdSlave:
    return make_bus()


@pytest.fixture(params=[SpiSdCard, FirmwareSdCard], ids=["spi", "firmware"])
def driver(request: pytest.FixtureRequest) -> Driver:
    chosen: Driver = request.param
    return chosen
