"""Device time: bus cycles of the firmware's commands, chip times of the part."""

from __future__ import annotations

import errno

import pytest

from maixfs.nor import DeviceClock, IdealDriver, LiteralDriver, NorChip, NorError, find_part
from maixfs.nor.clock import firmware_bus_hz

CYCLE = 40  # nanoseconds at 25 MHz


@pytest.fixture
def chip() -> NorChip:
    chip = NorChip.in_memory(0x40000, content=bytes(0x40000))
    chip.clock = DeviceClock()
    return chip


def test_firmware_bus_clock_is_a_sixteenth_of_the_processor_clock():
    assert firmware_bus_hz() == 25_000_000
    assert firmware_bus_hz(403_000_000) == 25_187_500
    assert DeviceClock().bus_hz == 25_000_000


def test_quad_read_takes_20_cycles_and_two_per_byte(chip):
    chip.read(0, 100)
    assert chip.clock.now == (20 + 200) * CYCLE
    assert chip.clock.counts == {"read": 1, "bytes": 100}


def test_read_over_64_kib_takes_several_transfers(chip):
    chip.read(0, 0x10001)
    assert chip.clock.now == (2 * 20 + 0x10001 * 2) * CYCLE
    assert chip.clock.counts["read"] == 2


def test_page_program_takes_bus_and_chip_time(chip):
    chip.page_program(0, b"x" * 10)
    bus = (8 + 32 + 20) * CYCLE
    assert chip.clock.now == bus
    assert chip.clock.busy_until == bus + 400_000
    assert chip.clock.busy
    chip.wait()
    assert not chip.clock.busy
    assert chip.clock.counts["poll"] == 625
    assert chip.clock.now == bus + 400_000


@pytest.mark.parametrize(
    ("profile", "sector", "block32", "block64"),
    [("typical", 45, 120, 150), ("maximum", 400, 1600, 2000)],
)
def test_erases_take_the_times_of_the_part(profile, sector, block32, block64):
    for erase, milliseconds in (
        ("erase_sector", sector),
        ("erase_block32", block32),
        ("erase_block64", block64),
    ):
        chip = NorChip.in_memory(0x40000)
        chip.clock = DeviceClock(profile=profile)
        getattr(chip, erase)(0)
        assert chip.clock.busy_until == 40 * CYCLE + milliseconds * 1_000_000


def test_chip_erase_takes_its_own_time():
    part = find_part("MX25L12833F")
    chip = NorChip.in_memory(part=part)
    chip.clock = DeviceClock(part)
    chip.erase_chip()
    assert chip.clock.busy_until - chip.clock.now == 28_000_000_000


def test_run_waits_and_uses_the_largest_erases(chip):
    chip.erase(0x7000, 0x19000)  # 4 KiB, 32 KiB, 64 KiB
    assert chip.clock.counts["erase"] == 3
    assert 315_000_000 <= chip.clock.now < 315_010_000
    chip.program(0, b"x" * 600)
    assert chip.clock.counts["program"] == 3
    assert chip.wear.total() == 25


def test_literal_write_of_two_bytes_takes_an_erase_and_16_programs(chip):
    LiteralDriver(chip).program(0x1000, b"\xff\xff")
    counts = chip.clock.counts
    assert (counts["read"], counts["erase"], counts["program"]) == (1, 1, 16)
    assert 45_000_000 + 16 * 400_000 < chip.clock.now < 52_500_000


def test_literal_erase_of_a_block_waits_for_32_sectors(chip):
    LiteralDriver(chip).erase(0, 0x20000)
    assert chip.clock.counts["erase"] == 32
    assert chip.clock.now > 32 * 45_000_000


def test_busy_chip_drops_commands_but_bus_time_passes(chip):
    chip.erase_sector(0)
    before = chip.clock.now
    chip.erase_sector(0x1000)
    chip.page_program(0x2000, b"x")
    assert chip.read(0, 1) == b"\xff"
    assert chip.clock.now == before + (40 + 42 + 22) * CYCLE
    assert chip.clock.counts["dropped"] == 3
    assert chip.peek(0x1000, 1) == b"\x00"
    chip.clock.advance(45_000_000)
    chip.erase_sector(0x1000)
    assert chip.peek(0x1000, 1) == b"\xff"


def test_charge_ignored_erases_equals_single_charges():
    for hz in (25_000_000, 25_187_500, 7):
        one, many = DeviceClock(bus_hz=hz), DeviceClock(bus_hz=hz)
        one.start(1_000)
        many.start(1_000)
        dropped = 0
        while one.busy and dropped < 500:
            one.charge_erase()
            dropped += 1
        assert many.charge_ignored_erases(500) == dropped
        assert many.now == one.now
    assert many.charge_ignored_erases(500) == 0


def test_report_has_counts_and_time(chip):
    IdealDriver(chip).program(0, b"x")
    report = chip.clock.report()
    assert report["program"] == 1
    assert report["now"] == chip.clock.now


def test_unknown_profile_raises_einval():
    with pytest.raises(NorError, match="'best'") as caught:
        DeviceClock(profile="best")
    assert caught.value.errno == errno.EINVAL
    assert caught.value.hint


@pytest.mark.parametrize("hz", [0, -1])
def test_bus_clock_of_zero_or_less_raises_einval(hz):
    with pytest.raises(NorError, match=f"{hz} Hz") as caught:
        DeviceClock(bus_hz=hz)
    assert caught.value.errno == errno.EINVAL


def test_wait_on_an_idle_clock_is_one_poll():
    clock = DeviceClock()
    clock.wait()
    assert (clock.now, clock.counts["poll"]) == (16 * CYCLE, 1)
