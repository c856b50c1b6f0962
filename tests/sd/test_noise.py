"""Drivers on noisy lines: every operation ends, with the right data or with ``SdError``."""

from __future__ import annotations

import errno
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maixfs.sd import FirmwareSdCard, SdError, SpiSdCard, SpiSdSlave
from maixfs.sd.bus import GarbledError
from maixfs.sd.clock import SECOND

from .conftest import make_bus, noise


class Garbage:
    """A bus that returns random bytes, with a clock of its own."""

    def __init__(self, seed: int, choices: bytes) -> None:
        self._random = random.Random(seed)
        self._choices = choices
        self._now = 0

    def set_clock(self, hz: int) -> None:
        return

    def select(self) -> None:
        return

    def deselect(self) -> None:
        return

    def time(self) -> int:
        return self._now

    def sleep(self, nanoseconds: int) -> None:
        self._now += nanoseconds

    def transfer(self, tx: bytes) -> bytes:
        self._now += 50_000 * len(tx)
        return bytes(self._random.choices(self._choices, k=len(tx)))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.integers(0, 1 << 30),
    st.binary(min_size=1, max_size=6)
    | st.sampled_from([b"\x00\x01\xff\xfe\x05\xaa", b"\x01\xff"]),
    st.sampled_from([SpiSdCard, FirmwareSdCard]),
)
def test_random_responses_to_the_initialisation_raise_sd_error(
    seed: int, choices: bytes, driver: type[SpiSdCard] | type[FirmwareSdCard]
) -> None:
    bus = Garbage(seed, choices)
    with pytest.raises(SdError) as caught:
        driver(bus)
    assert caught.value.errno == errno.EIO
    assert bus.time() < 20 * SECOND


class NoisyBlocks:
    """A bus that inverts one bit in one of ``rate`` long transfers."""

    def __init__(self, bus: SpiSdSlave, seed: int, rate: int) -> None:
        self._bus = bus
        self._random = random.Random(seed)
        self._rate = rate
        self.set_clock, self.select, self.deselect = bus.set_clock, bus.select, bus.deselect
        self.time, self.sleep, self.skip = bus.time, bus.sleep, bus.skip

    def transfer(self, tx: bytes) -> bytes:
        return self._flipped(self._bus.transfer(self._flipped(bytes(tx))))

    def _flipped(self, data: bytes) -> bytes:
        if len(data) < 100 or self._random.randrange(self._rate):
            return data
        at = self._random.randrange(2, len(data) - 1)  # the data, not the bytes around it
        return data[:at] + bytes([data[at] ^ 1 << self._random.randrange(8)]) + data[at + 1 :]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 1 << 30), st.sampled_from([1, 2, 4, 8, 12]))
def test_damaged_blocks_are_never_returned(seed: int, rate: int) -> None:
    bus = make_bus()
    card = SpiSdCard(NoisyBlocks(bus, seed, rate))
    for count in (1, 5):
        try:
            card.write(10, noise(count, seed))
            assert bus.card.medium.read(10, count) == noise(count, seed)
            assert card.read(10, count) == noise(count, seed)
        except SdError:
            assert rate < 12


def test_noisy_line_raises_garbled_error() -> None:
    with pytest.raises(GarbledError):
        SpiSdCard(NoisyBlocks(make_bus(), 1, 1)).write(0, noise(1))
