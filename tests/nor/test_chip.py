"""The chip alone: what reads, programs and erases do, and what they refuse."""

from __future__ import annotations

import pytest

from maixfs.errors import MaixfsError
from maixfs.nor import DeviceClock, NorChip, NorError, NorImageError, Observer, find_part

MIB = 1 << 20


def test_a_new_chip_is_erased_and_16_mib():
    chip = NorChip.in_memory()
    assert chip.size == 16 * MIB
    assert chip.read(0, 4) == chip.read(chip.size - 4, 4) == b"\xff" * 4
    assert chip.part.name == "W25Q128FW"


@pytest.mark.parametrize("size", [0x1000, 0x3000, 0x10000, 3 * MIB, 8 * MIB])
def test_other_sizes_have_a_part_that_fits(size):
    assert NorChip.in_memory(size).part.size == size


def test_content_comes_first_and_sets_the_size_unless_one_is_given():
    content = bytes(range(256)) * 16
    assert NorChip.in_memory(content=content).size == 4096
    chip = NorChip.in_memory(0x2000, content=content)
    assert chip.read(0, 0x2000) == content + b"\xff" * 0x1000
    assert NorChip.in_memory(part=find_part("W25Q64JV")).size == 8 * MIB


@pytest.mark.parametrize("size", [0, 1, 4095, 4097, 512 * MIB])
def test_sizes_that_no_chip_has_are_refused(size):
    with pytest.raises(NorImageError, match="no flash chip has") as caught:
        NorChip.in_memory(size)
    assert "4 KiB" in caught.value.hint


def test_content_larger_than_the_chip_is_refused():
    with pytest.raises(NorImageError, match="do not fit"):
        NorChip.in_memory(0x1000, content=bytes(0x1001))
    with pytest.raises(NorImageError, match="the chip has"):
        NorChip.in_memory(0x1000, part=find_part("W25Q64JV"))


@pytest.mark.parametrize("length", [1, 2, 8, 9, 255, 256, 257, 4096, 70000, 140000])
def test_a_program_only_clears_bits(length):
    chip = NorChip.in_memory(0x40000)
    first = bytes((i * 7 + 3) & 0xFF for i in range(length))
    second = bytes((i * 13 + 5) & 0xFF for i in range(length))
    chip.program(0x123, first)
    assert chip.read(0x123, length) == first
    chip.program(0x123, memoryview(second))
    assert chip.read(0x123, length) == bytes(a & b for a, b in zip(first, second, strict=True))
    assert chip.read(0, 0x123) + chip.read(0x123 + length, 16) == b"\xff" * (0x123 + 16)


def test_a_page_program_stays_in_its_page():
    chip = NorChip.in_memory(0x1000)
    chip.page_program(0x1FE, b"ab")
    with pytest.raises(NorError, match="crosses its 256-byte page") as caught:
        chip.page_program(0x1FE, b"abc")
    assert "0x0001FE" in str(caught.value)
    assert chip.read(0x200, 1) == b"\xff"


@pytest.mark.parametrize(
    ("erase", "unit"),
    [("erase_sector", 0x1000), ("erase_block32", 0x8000), ("erase_block64", 0x10000)],
)
def test_an_erase_reaches_its_unit_and_no_further(erase, unit):
    chip = NorChip.in_memory(content=bytes(0x40000))
    getattr(chip, erase)(0x20000)
    assert chip.read(0x20000, unit) == b"\xff" * unit
    assert chip.read(0x1FFFF, 1) == chip.read(0x20000 + unit, 1) == b"\0"
    assert chip.wear.total() == unit // 4096
    with pytest.raises(NorError, match="not aligned"):
        getattr(chip, erase)(0x20000 + unit // 2)


def test_a_chip_erase_takes_everything():
    chip = NorChip.in_memory(content=bytes(0x5000))
    chip.erase_chip()
    assert chip.read(0, 0x5000) == b"\xff" * 0x5000
    assert chip.wear.counts() == (1,) * 5


def test_wear_counts_each_erase_of_a_sector():
    chip = NorChip.in_memory(0x10000)
    chip.erase(0x2000, 0x3000)
    chip.erase_sector(0x3000)
    assert chip.wear.counts()[:6] == (0, 0, 1, 2, 1, 0)
    assert (chip.wear[3], chip.wear.highest(), len(chip.wear)) == (2, 2, 16)
    with pytest.raises(IndexError):
        chip.wear[16]


@pytest.mark.parametrize(
    ("address", "length"),
    [(-1, 1), (0, -1), (0x1000, 1), (0, 0x1001), (0x2000, 0), (-0x1000, 0x1000)],
)
def test_nothing_reaches_past_the_chip(address, length):
    chip = NorChip.in_memory(0x1000)
    for operation in (
        lambda: chip.read(address, length),
        lambda: chip.peek(address, length),
        lambda: chip.program(address, bytes(max(length, 0))) if length >= 0 else chip.read(0, -1),
        lambda: chip.poke(address, bytes(max(length, 0))) if length >= 0 else chip.read(0, -1),
    ):
        with pytest.raises(NorError, match=r"past the end|negative"):
            operation()
    assert chip.read(0, 0x1000) == b"\xff" * 0x1000


def test_an_erase_past_the_chip_changes_nothing():
    chip = NorChip.in_memory(content=bytes(0x2000))
    for address, length in ((0x1000, 0x2000), (-0x1000, 0x2000), (0x1000, -0x1000)):
        with pytest.raises(NorError):
            chip.erase(address, length)
    assert chip.read(0, 0x2000) == bytes(0x2000)
    with pytest.raises(NorError, match="0x1000"):
        chip.erase(0x10, 0x1000)
    chip.erase(0x1000, 0)
    assert chip.wear.total() == 0


def test_the_window_is_live_and_cannot_be_written():
    chip = NorChip.in_memory(0x1000)
    window = chip.window()
    chip.program(5, b"x")
    assert window[5] == ord("x")
    with pytest.raises(TypeError):
        window[5] = 0


def test_there_is_no_window_while_somebody_counts_or_watches():
    chip = NorChip.in_memory(0x1000)
    chip.clock = DeviceClock()
    assert chip.window() is None
    chip.clock = None

    class Watcher(Observer):
        pass

    watcher = Watcher()
    chip.attach(watcher)
    assert (chip.window(), chip.plain) == (None, False)
    chip.detach(watcher)
    assert chip.plain
    assert len(chip.window()) == 0x1000


def test_a_closed_chip_says_so():
    with NorChip.in_memory(0x1000) as chip:
        chip.erase_chip()
    for use in (
        lambda: chip.read(0, 1),
        lambda: chip.program(0, b"x"),
        chip.erase_chip,
        chip.flush,
    ):
        with pytest.raises(NorError, match="closed"):
            use()
    assert chip.window() is None
    assert chip.wear.total() == 1
    chip.close()


def test_replace_writes_bytes_as_they_are_and_says_whether_it_had_to_erase():
    chip = NorChip.in_memory(0x1000)
    assert chip.replace(0, b"abc") is False
    assert chip.replace(0, b"\x7e") is True
    assert chip.replace(4, b"x" * 300) is False
    assert chip.read(0, 5) == b"\x7ebc\xffx"
    assert chip.wear[0] == 1
    chip.clock = DeviceClock()
    with pytest.raises(NorError, match="without clock"):
        chip.replace(0, b"a")


def test_errors_are_of_the_one_family():
    with pytest.raises(MaixfsError):
        NorChip.in_memory(0x1000).read(0x1000, 1)
    with pytest.raises(ValueError, match="bytes"):
        NorChip.in_memory(3)
