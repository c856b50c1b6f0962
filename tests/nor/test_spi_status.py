"""Status registers behind the bus: writing them, and the areas that they protect."""

from __future__ import annotations

import pytest

from maixfs.nor import NorChip, SpiFlashSlave

SIZE = 0x1000000
MILLISECOND = 1_000_000


@pytest.fixture
def bus() -> SpiFlashSlave:
    return SpiFlashSlave(NorChip.in_memory(SIZE, content=bytes(SIZE)))


def write(bus: SpiFlashSlave, frame: str, *, enable: str = "06") -> None:
    bus.transfer(bytes.fromhex(enable))
    bus.transfer(bytes.fromhex(frame))
    bus.sleep(max(0, bus.clock.busy_until - bus.now()))


def registers(bus: SpiFlashSlave) -> str:
    return "".join(bus.transfer(bytes([code]), 1).hex() for code in (0x05, 0x35, 0x15))


def power_cycle(bus: SpiFlashSlave) -> None:
    bus.transfer(b"\x66")
    bus.transfer(b"\x99")
    bus.sleep(MILLISECOND)


@pytest.mark.parametrize(
    ("frame", "left"),
    [
        ("01 ff", "fc0000"),
        ("01 1c 02", "1c0200"),
        ("31 02", "000200"),
        ("31 ff", "007b00"),
        ("11 ff", "0000e0"),
    ],
)
def test_only_writable_bits_are_stored(bus, frame, left):
    write(bus, frame)
    assert registers(bus) == left


@pytest.mark.parametrize("frame", ["01", "01 000000", "31", "31 0202", "11", "11 e0e0"])
def test_status_write_of_a_wrong_length_is_ignored(bus, frame):
    write(bus, frame)
    assert registers(bus) == "020000"


def test_status_write_needs_a_write_enable_of_either_kind(bus):
    bus.transfer(b"\x31\x02")
    assert registers(bus) == "000000"
    write(bus, "31 02", enable="50")
    assert registers(bus) == "000200"
    bus.transfer(b"\x31\x00")
    assert registers(bus) == "000200"


def test_status_write_takes_10_ms_and_survives_a_reset(bus):
    bus.transfer(b"\x06")
    bus.transfer(b"\x01\x04\x02")
    assert bus.clock.busy_until - bus.now() == 10 * MILLISECOND
    assert bus.transfer(b"\x05", 1) == b"\x07"
    bus.sleep(10 * MILLISECOND)
    power_cycle(bus)
    assert registers(bus) == "040200"


def test_volatile_status_write_takes_no_time_and_ends_with_a_reset(bus):
    bus.transfer(b"\x50")
    bus.transfer(b"\x31\x02")
    assert not bus.clock.busy
    assert registers(bus) == "000200"
    power_cycle(bus)
    assert registers(bus) == "000000"


def test_locked_status_registers_cannot_be_written(bus):
    write(bus, "31 01")
    write(bus, "01 1c")
    write(bus, "31 00", enable="50")
    assert registers(bus)[2:] == "0100"


@pytest.mark.parametrize(
    ("first", "second", "start", "end"),
    [
        (0x04, 0x00, 0xFC0000, 0x1000000),  # the upper 1/64
        (0x14, 0x00, 0xC00000, 0x1000000),  # the upper quarter
        (0x18, 0x00, 0x800000, 0x1000000),
        (0x1C, 0x00, 0x000000, 0x1000000),
        (0x24, 0x00, 0x000000, 0x040000),  # the lower 1/64
        (0x38, 0x00, 0x000000, 0x800000),
        (0x44, 0x00, 0xFFF000, 0x1000000),  # the upper sector
        (0x50, 0x00, 0xFF8000, 0x1000000),
        (0x54, 0x00, 0xFF8000, 0x1000000),
        (0x64, 0x00, 0x000000, 0x001000),
        (0x6C, 0x00, 0x000000, 0x004000),
        (0x5C, 0x00, 0x000000, 0x1000000),
        (0x04, 0x40, 0x000000, 0xFC0000),  # CMP inverts the selection
        (0x24, 0x40, 0x040000, 0x1000000),
        (0x00, 0x40, 0x000000, 0x1000000),
    ],
)
def test_protected_area_cannot_be_erased(bus, first, second, start, end):
    write(bus, f"01 {first:02x} {second:02x}")
    assert bus.status.protected() == (start, end)
    inside = [start, end - 0x1000]
    outside = [place for place in (start - 0x1000, end) if 0 <= place < SIZE]
    for address in inside + outside:
        write(bus, f"20 {address:06x}")
    for address in inside:
        assert bus.chip.peek(address, 1) == b"\x00"
    for address in outside:
        assert bus.chip.peek(address, 1) == b"\xff"


@pytest.mark.parametrize("first", [0x1C, 0x04])
def test_protection_stops_programs_and_chip_erases(bus, first):
    bus.chip.poke(0xFFFFF0, b"\xff" * 16)
    write(bus, f"01 {first:02x}")
    for frame in ("02 fffff0 00", "d8 ff0000", "c7", "60"):
        write(bus, frame)
        assert registers(bus)[:2] == f"{first:02x}"
    assert bus.chip.peek(0xFFFFF0, 16) == b"\xff" * 16
    assert bus.chip.wear.total() == 0


def test_new_chip_is_not_protected(bus):
    write(bus, "c7")
    assert bus.chip.peek(SIZE - 1, 1) == b"\xff"


def test_complement_of_the_whole_chip_protects_nothing(bus):
    write(bus, "01 1c 40")
    assert not bus.status.protected().touches(0, SIZE)
