"""A board's slot, and that its quick way takes the time of the slow one."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maixfs.sd import (
    SLOWEST,
    TYPICAL,
    CardKind,
    Faults,
    FileSectors,
    FirmwareSdCard,
    RamSectors,
    SdCard,
    SdClock,
    SdError,
    SdSlot,
    SdTiming,
    SectorError,
    SpiSdSlave,
    TimedSectors,
)

from .conftest import SIZES, noise

MILLISECOND = 1_000_000
SIZE = 8 << 21

times = st.integers(0, 40_000)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    timing=st.builds(
        SdTiming,
        response=st.integers(0, 8),
        read_access=times,
        next_access=times,
        register_access=times,
        write_busy=times,
        init=times,
    ),
    work=st.lists(
        st.tuples(st.sampled_from(["read", "write"]), st.integers(0, 12)), min_size=1, max_size=6
    ),
    kind=st.sampled_from([CardKind.SDSC_V2, CardKind.SDHC, CardKind.SDXC]),
    fast=st.booleans(),
    stuff=st.sampled_from([0xFF, 0x7F, 0x00]),
)
def test_the_quick_way_takes_the_same_time(
    timing: SdTiming, work: list[tuple[str, int]], kind: CardKind, fast: bool, stuff: int
) -> None:
    sectors = SIZES[kind]
    card = SdCard(RamSectors(sectors), kind, timing=timing, faults=Faults(stuff_byte=stuff))
    bus = SpiSdSlave(card)
    slow = FirmwareSdCard(bus, fast_sdsc=fast)
    clock = SdClock()
    quick = TimedSectors(RamSectors(sectors), clock, timing, hz=slow.hz, stuff_byte=stuff)
    start = bus.clock.now
    for index, (what, count) in enumerate(work):
        for device in (slow, quick):
            if what == "write":
                device.write(3, noise(count, index))
            else:
                device.read(3, count)
        assert clock.now == bus.clock.now - start
    assert quick.read(0, 20) == slow.read(0, 20)
    assert not quick.too_slow


@pytest.mark.parametrize("protected", [False, True])
def test_refusals_take_the_same_time(protected: bool) -> None:
    card = SdCard(RamSectors(SIZE), write_protected=protected)
    bus = SpiSdSlave(card)
    slow, clock = FirmwareSdCard(bus), SdClock()
    quick = TimedSectors(card.medium, clock, read_only=protected)
    start = bus.clock.now
    for sector in (SIZE, 5):
        for device in (slow, quick):
            if protected:
                with pytest.raises(SdError):
                    device.write(sector, noise(2))
            else:
                with pytest.raises(SdError):
                    device.read(SIZE, 1)
        assert clock.now == bus.clock.now - start


def test_the_quick_way_is_a_device() -> None:
    clock = SdClock()
    quick = TimedSectors(RamSectors(SIZE), clock)
    assert quick.sectors == SIZE
    buffer = bytearray(1024)
    quick.write(1, noise(2))
    quick.readinto(1, memoryview(buffer))
    assert bytes(buffer) == noise(2)
    before = clock.now
    quick.zero(1, 1)
    assert clock.now - before == quick.write_time(1)
    assert quick.read(1, 2) == bytes(512) + noise(2)[512:]
    quick.sync()
    with pytest.raises(SectorError, match="whole sectors"):
        quick.write(0, b"short")
    assert TimedSectors(RamSectors(SIZE), clock, SLOWEST).too_slow
    assert quick.read_time(0) == quick.write_time(0) == 0


def test_a_mebibyte_takes_what_the_bus_takes() -> None:
    quick = TimedSectors(RamSectors(SIZE), SdClock(), TYPICAL)
    bytes_alone = 2048 * 512 * 320
    assert bytes_alone < quick.read_time(2048) < bytes_alone * 1.2
    assert quick.write_time(2048) > 2048 * (512 * 320 + MILLISECOND)


# The slot


def test_a_card_goes_in_and_out() -> None:
    clock = SdClock()
    slot = SdSlot(clock)
    card = slot.insert(RamSectors(SIZE))
    assert card.kind is CardKind.SDHC
    with pytest.raises(SdError, match="already"):
        slot.insert(RamSectors(SIZE))
    device = slot.init()
    assert device.sectors == SIZE
    assert slot.init_time > 50 * MILLISECOND
    assert clock.now == 0  # the second core waits, not the board
    device.write(5, noise(3))
    assert clock.now > 3 * MILLISECOND
    assert device.read(5, 3) == noise(3)
    buffer = bytearray(512)
    device.readinto(6, memoryview(buffer))
    assert bytes(buffer) == noise(3)[512:1024]
    device.zero(6, 1)
    assert device.read(5, 2) == noise(3)[:512] + bytes(512)
    device.write(5, noise(3))
    device.sync()
    assert slot.remove() is card
    assert slot.card is None
    for work in (
        lambda: device.read(5, 1),
        lambda: device.readinto(5, memoryview(bytearray(512))),
        lambda: device.write(5, noise(1)),
    ):
        before = clock.now
        with pytest.raises(SdError, match="does not answer"):
            work()
        assert clock.now - before > 20 * MILLISECOND
    device.sync()
    assert card.medium.read(5, 3) == noise(3)
    assert slot.remove() is None


def test_a_card_put_back_is_found_by_the_next_init() -> None:
    slot = SdSlot()
    card = slot.insert(RamSectors(SIZE, noise(1)))
    old = slot.init()
    slot.remove()
    slot.insert(card)
    with pytest.raises(SdError):
        old.read(0, 1)
    assert slot.device is None
    assert slot.init(1).read(0, 1) == noise(1)
    with pytest.raises(SdError):
        old.read(0, 1)


def test_power_makes_the_card_start_anew() -> None:
    slot = SdSlot()
    slot.power_on()
    slot.insert(SdCard(RamSectors(SIZE), faults=Faults(drops_writes=True)))
    device = slot.init()
    device.write(0, noise(1))
    assert device.read(0, 1) == noise(1)
    slot.power_on()
    with pytest.raises(SdError):
        device.read(0, 1)
    assert slot.init().read(0, 1) == bytes(512)


def test_an_empty_slot() -> None:
    clock = SdClock()
    slot = SdSlot(clock)
    with pytest.raises(SdError, match="CMD0") as caught:
        slot.init()
    assert "no card" in (caught.value.hint or "")
    assert 7_800 * MILLISECOND < slot.init_time < 8_000 * MILLISECOND
    assert clock.now == 0


def test_a_card_that_the_firmware_refuses() -> None:
    slot = SdSlot()
    slot.insert(SdCard(RamSectors(SIZES[CardKind.SDSC_V1]), CardKind.SDSC_V1))
    with pytest.raises(SdError, match="CMD8"):
        slot.init()
    assert slot.device is None


def test_faults_take_the_slow_way() -> None:
    slot = SdSlot()
    card = slot.insert(RamSectors(SIZE, noise(2)))
    device = slot.init()
    assert device.read(0, 2) == noise(2)
    card.faults.read_tokens[1] = 0x04
    with pytest.raises(SdError, match="0x04"):
        device.read(0, 2)
    card.faults.read_tokens.clear()
    assert device.read(0, 2) == noise(2)
    card.faults.busy_every = (3, MILLISECOND)
    device.zero(0, 200)
    assert device.read(0, 2) == bytes(1024)
    card.faults.removed_after = 1
    with pytest.raises(SdError):
        device.write(0, noise(2))


def test_a_fault_may_be_thrown_later() -> None:
    faults = Faults()
    card = SdCard(RamSectors(SIZE), faults=faults)
    assert card.faults is faults
    faults.refuses_spi = True
    slot = SdSlot()
    slot.insert(card)
    with pytest.raises(SdError, match="CMD0"):
        slot.init()


def test_a_slow_card_takes_the_slow_way() -> None:
    slot = SdSlot()
    slow = SdTiming(read_access=30 * MILLISECOND)
    slot.insert(SdCard(RamSectors(SIZE), timing=slow))
    device = slot.init()
    with pytest.raises(SdError, match="sends nothing"):
        device.read(0, 1)


def test_an_image_that_is_only_read(tmp_path: Path) -> None:
    path = tmp_path / "card.img"
    with FileSectors.create(path, 4096) as image:
        image.write(0, noise(1))
    with FileSectors.open(path) as image:
        slot = SdSlot()
        card = slot.insert(image)
        assert card.kind is CardKind.SDSC_V2
        device = slot.init()
        assert device.read(0, 1) == noise(1)
        with pytest.raises(SdError, match="0x0D"):
            device.write(0, noise(1))
