"""How the three flash drivers differ: AND, literal, and the firmware's erase as built."""

from __future__ import annotations

import errno

import pytest

from maixfs.nor import DRIVERS, DeviceClock, MaixpyDriver, NorChip, NorError, Observer, make_driver

BLOCK = 0x20000
OLD = b"\x5a"


def fresh(name: str, *, clocked: bool = False, size: int = 2 * BLOCK):
    chip = NorChip.in_memory(content=OLD * size)
    if clocked:
        chip.clock = DeviceClock()
    return chip, make_driver(name, chip)


def test_make_driver_returns_drivers_by_name():
    assert list(DRIVERS) == ["ideal", "literal", "maixpy"]
    for name, kind in DRIVERS.items():
        assert type(make_driver(name, NorChip.in_memory(0x1000))) is kind
    with pytest.raises(NorError, match="'magic'") as caught:
        make_driver("magic", NorChip.in_memory(0x1000))
    assert caught.value.errno == errno.EINVAL
    assert all(name in caught.value.hint for name in DRIVERS)


@pytest.mark.parametrize("clocked", [False, True])
def test_spiffs_delete_flag_is_anded_or_literal(clocked):
    """SPIFFS deletes a page by writing 0x7E over 0xF8: bits 1 and 2 would have to rise."""
    left = {}
    for name in DRIVERS:
        chip, flash = fresh(name, clocked=clocked)
        chip.poke(4, b"\xf8")
        flash.program(4, b"\x7e")
        left[name] = (chip.peek(3, 3), chip.wear[0])
    assert left == {
        "ideal": (OLD + b"\x78" + OLD, 0),
        "literal": (OLD + b"\x7e" + OLD, 1),
        "maixpy": (OLD + b"\x7e" + OLD, 1),
    }


@pytest.mark.parametrize("clocked", [False, True])
@pytest.mark.parametrize("name", ["literal", "maixpy"])
def test_literal_write_erases_only_sectors_with_rising_bits(name, clocked):
    chip, flash = fresh(name, clocked=clocked)
    chip.poke(0x1000, b"\xff" * 0x1000)
    flash.program(0xF00, OLD * 0x100 + b"n" * 0x1000 + b"\xff" * 0x100)
    assert chip.peek(0xF00, 0x1300) == OLD * 0x100 + b"n" * 0x1000 + b"\xff" * 0x100 + OLD * 0x100
    assert chip.wear.counts()[:3] == (0, 0, 1)


def test_ideal_and_literal_erase_the_whole_block():
    for name in ("ideal", "literal"):
        for clocked in (False, True):
            chip, flash = fresh(name, clocked=clocked)
            flash.erase(0, BLOCK)
            assert chip.peek(0, BLOCK + 1) == b"\xff" * BLOCK + OLD
            assert set(chip.wear.counts()[:32]) == {1}


@pytest.mark.parametrize("clocked", [False, True])
def test_maixpy_block_erase_erases_the_first_sector_only(clocked):
    """32 erases without a wait, then the two bytes that SPIFFS writes at a look-up page's end."""
    chip, flash = fresh("maixpy", clocked=clocked)
    flash.erase(0, BLOCK)
    assert chip.clock.counts["dropped"] == 31
    flash.program(0xFFE, b"\x01\x00")
    assert chip.peek(0, 0x1000) == b"\xff" * 0xFFE + b"\x01\x00"
    assert chip.peek(0x1000, BLOCK - 0x1000) == OLD * (BLOCK - 0x1000)
    assert chip.wear.counts() == (1,) + (0,) * 63
    assert (chip.clock is None) is not clocked


def test_maixpy_write_after_an_erase_loses_its_first_page():
    """The busy sector reads as erased; the first program is dropped, 15 others are ANDed."""
    chip, flash = fresh("maixpy")
    flash.erase(0, BLOCK)
    flash.program(BLOCK + 0xF0, b"\xa5" * 0x20)
    dropped, anded = OLD * 0x10, bytes([0x5A & 0xA5]) * 0x10
    assert chip.peek(BLOCK + 0xF0, 0x20) == dropped + anded
    flash.program(BLOCK + 0xF0, b"\xa5" * 0x20)
    assert chip.peek(BLOCK + 0xF0, 0x20) == b"\xa5" * 0x20
    assert chip.wear[32] == 1


def test_busy_chip_reads_as_ff_and_has_no_window():
    flash = fresh("maixpy")[1]
    assert flash.window() is not None
    flash.erase(0x1000, 0x1000)
    assert flash.read(0x8000, 2) == b"\xff\xff"
    assert flash.window() is None
    flash.program(0x1FFF, b"\x00")
    assert flash.read(0x8000, 2) == OLD * 2
    assert flash.window()[0x8000] == OLD[0]


def test_maixpy_erase_ends_after_45_ms_of_reads():
    """45 ms are 562,500 bytes at 25 MHz on four lines."""
    chip, flash = fresh("maixpy")
    flash.erase(0, 0x1000)
    waited = 0
    while flash.read(0x2000, 0x1000) != OLD * 0x1000:
        waited += 0x1000
        assert waited < 600_000
    assert waited > 550_000
    assert chip.clock is None


def test_maixpy_erase_of_a_busy_chip_is_lost():
    chip, flash = fresh("maixpy")
    flash.erase(0, 0x1000)
    flash.erase(0x2000, 0x1000)
    flash.program(0xFFF, b"\xff")
    assert chip.peek(0x2000, 0x1000) == OLD * 0x1000
    assert chip.wear.total() == 1


def test_maixpy_write_to_a_chip_that_reads_0_while_busy_loses_the_sector():
    """The sector reads as 0: an erase seems needed, is dropped, and zeros are programmed."""
    chip, flash = fresh("maixpy")
    chip.busy_byte = 0x00
    flash.erase(0, BLOCK)
    flash.program(0xFFE, b"\x01\x00")
    assert chip.peek(0, 0x1000) == bytes(0xFFE) + b"\x01\x00"


def test_advancing_the_clock_ends_the_erase():
    chip, flash = fresh("maixpy", clocked=True)
    flash.erase(0, BLOCK)
    chip.clock.advance(45_000_000)
    flash.program(BLOCK, b"\xff")
    assert flash.read(BLOCK, 2) == b"\xff" + OLD


def test_clock_set_during_an_erase_is_kept():
    chip, flash = fresh("maixpy")
    flash.erase(0, 0x1000)
    own = DeviceClock()
    chip.clock = own
    flash.program(0, b"\x00")
    assert chip.clock is own


def test_observers_see_dropped_commands_and_do_not_change_the_bytes():
    class Counter(Observer):
        dropped = 0

        def after(self, chip, event):
            self.dropped += event.dropped

    watched, watched_flash = fresh("maixpy")
    plain, plain_flash = fresh("maixpy")
    counter = Counter()
    watched.attach(counter)
    for flash in (watched_flash, plain_flash):
        flash.erase(BLOCK, BLOCK)
        flash.program(BLOCK + 0x1FE, b"magic")
        flash.program(BLOCK + 4, b"\x7e")
    assert counter.dropped == 31 + 2  # and the read of the busy chip, and the first page program
    assert watched.peek(0, watched.size) == plain.peek(0, plain.size)
    assert watched.wear.counts() == plain.wear.counts()
    assert isinstance(plain_flash, MaixpyDriver)


def test_device_time_is_the_same_with_and_without_observers():
    class Idle(Observer):
        pass

    times = []
    for watched in (False, True):
        chip, flash = fresh("maixpy", clocked=True)
        if watched:
            chip.attach(Idle())
        flash.erase(0, BLOCK)
        flash.program(0xFFE, b"ab")
        times.append((chip.clock.now, dict(chip.clock.counts)))
    assert times[0] == times[1]
