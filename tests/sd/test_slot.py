"""A board's slot, and that ``TimedSectors`` take the time of the bus."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maixfs.errors import ReadOnlyError
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
def test_timed_sectors_take_the_time_of_the_bus(
    timing: SdTiming, work: list[tuple[str, int]], kind: CardKind, fast: bool, stuff: int
) -> None:
    sectors = SIZES[kind]
    card = SdCard(RamSectors(sectors), kind, timing=timing, faults=Faults(stuff_byte=stuff))
    bus = SpiSdSlave(card)
    driver = FirmwareSdCard(bus, fast_sdsc=fast)
    clock = SdClock()
    timed = TimedSectors(RamSectors(sectors), clock, timing, hz=driver.hz, stuff_byte=stuff)
    start = bus.clock.now
    for index, (what, count) in enumerate(work):
        for device in (driver, timed):
            if what == "write":
                device.write(3, noise(count, index))
            else:
                device.read(3, count)
        assert clock.now == bus.clock.now - start
    assert timed.read(0, 20) == driver.read(0, 20)
    assert not timed.too_slow


@pytest.mark.parametrize("protected", [False, True])
def test_refusals_take_the_time_of_the_bus(protected: bool) -> None:
    card = SdCard(RamSectors(SIZE), write_protected=protected)
    bus = SpiSdSlave(card)
    driver, clock = FirmwareSdCard(bus), SdClock()
    timed = TimedSectors(card.medium, clock, read_only=protected)
    start = bus.clock.now
    for sector in (SIZE, 5):
        for device in (driver, timed):
            if protected:
                with pytest.raises(SdError):
                    device.write(sector, noise(2))
            else:
                with pytest.raises(SdError):
                    device.read(SIZE, 1)
        assert clock.now == bus.clock.now - start


def test_timed_sectors_are_a_sector_device() -> None:
    clock = SdClock()
    timed = TimedSectors(RamSectors(SIZE), clock)
    assert timed.sectors == SIZE
    buffer = bytearray(1024)
    timed.write(1, noise(2))
    timed.readinto(1, memoryview(buffer))
    assert bytes(buffer) == noise(2)
    before = clock.now
    timed.zero(1, 1)
    assert clock.now - before == timed.write_time(1)
    assert timed.read(1, 2) == bytes(512) + noise(2)[512:]
    timed.sync()
    with pytest.raises(SectorError) as caught:
        timed.write(0, b"short")
    assert caught.value.errno == errno.EINVAL
    with pytest.raises(TypeError):
        timed.write(0, "text")  # type: ignore[arg-type]
    before = clock.now
    with pytest.raises(TypeError):
        timed.read(1e9, 1)  # type: ignore[arg-type]
    assert clock.now == before
    assert TimedSectors(RamSectors(SIZE), clock, SLOWEST).too_slow
    assert timed.read_time(0) == timed.write_time(0) == 0


def test_time_of_a_mebibyte_is_mostly_bus_time() -> None:
    timed = TimedSectors(RamSectors(SIZE), SdClock(), TYPICAL)
    bytes_alone = 2048 * 512 * 320
    assert bytes_alone < timed.read_time(2048) < bytes_alone * 1.2
    assert timed.write_time(2048) > 2048 * (512 * 320 + MILLISECOND)


# The slot


def test_card_is_inserted_used_and_removed() -> None:
    clock = SdClock()
    slot = SdSlot(clock)
    card = slot.insert(RamSectors(SIZE))
    assert card.kind is CardKind.SDHC
    with pytest.raises(SdError) as caught:
        slot.insert(RamSectors(SIZE))
    assert caught.value.errno == errno.EBUSY
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
        with pytest.raises(SdError, match=r"sector 0x5: .*0xFF"):
            work()
        assert clock.now - before > 20 * MILLISECOND
    device.sync()
    assert card.medium.read(5, 3) == noise(3)
    assert slot.remove() is None


def test_reinserted_card_is_found_by_the_next_init() -> None:
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


def test_power_on_resets_the_card() -> None:
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


def test_empty_slot_raises_after_three_tries() -> None:
    clock = SdClock()
    slot = SdSlot(clock)
    with pytest.raises(SdError, match=r"CMD0: .*0xFF"):
        slot.init()
    assert 7_800 * MILLISECOND < slot.init_time < 8_000 * MILLISECOND
    assert clock.now == 0


def test_refused_card_gives_no_device() -> None:
    slot = SdSlot()
    slot.insert(SdCard(RamSectors(SIZES[CardKind.SDSC_V1]), CardKind.SDSC_V1))
    with pytest.raises(SdError, match="CMD8"):
        slot.init()
    assert slot.device is None


def test_faults_are_visible_through_the_slot() -> None:
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


def test_fault_switched_on_later_takes_effect() -> None:
    faults = Faults()
    card = SdCard(RamSectors(SIZE), faults=faults)
    assert card.faults is faults
    faults.refuses_spi = True
    slot = SdSlot()
    slot.insert(card)
    with pytest.raises(SdError, match="CMD0"):
        slot.init()


def test_card_too_slow_for_the_driver_fails() -> None:
    slot = SdSlot()
    slow = SdTiming(read_access=30 * MILLISECOND)
    slot.insert(SdCard(RamSectors(SIZE), timing=slow))
    device = slot.init()
    with pytest.raises(SdError, match="0xFF"):
        device.read(0, 1)


def test_read_only_image_rejects_writes(tmp_path: Path) -> None:
    path = tmp_path / "card.img"
    with FileSectors.create(path, 4096) as image:
        image.write(0, noise(1))
    with FileSectors.open(path) as image:
        slot = SdSlot()
        card = slot.insert(image)
        assert card.kind is CardKind.SDSC_V2
        device = slot.init()
        assert device.read(0, 1) == noise(1)
        with pytest.raises(SdError, match="0x0D") as caught:
            device.write(0, noise(1))
        assert isinstance(caught.value, ReadOnlyError)
        assert caught.value.errno == errno.EROFS


def test_wrong_type_is_not_inserted() -> None:
    slot = SdSlot()
    with pytest.raises(TypeError):
        slot.insert("card.img")  # type: ignore[arg-type]
    assert slot.card is None
    slot.insert(RamSectors(SIZE))
