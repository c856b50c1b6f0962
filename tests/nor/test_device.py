"""What every flash device does alike, whatever driver it is and whatever is below it."""

from __future__ import annotations

import pytest

from maixfs.nor import NorChip, NorDevice, NorError


def erase_all(device: NorDevice) -> None:
    """Erase sector by sector, with a write that waits after each: no driver drops any."""
    for sector in range(0, device.size, device.erase_size):
        device.erase(sector, device.erase_size)
        device.program(sector + 0xFFF, b"\xff")


def test_it_reads_what_the_chip_holds(device: NorDevice, chip: NorChip):
    for address, length in ((0, 0), (0, 1), (0x1234, 0x2345), (0, chip.size), (chip.size, 0)):
        assert device.read(address, length) == chip.peek(address, length)
    assert isinstance(device.read(0, 3), bytes)


def test_it_knows_its_size(device: NorDevice, chip: NorChip):
    assert device.size == chip.size
    assert device.erase_size == 0x1000


@pytest.mark.parametrize("length", [1, 257, 5000])
@pytest.mark.parametrize("address", [0x1FFF, 0x2F01])
def test_programs_land_on_erased_cells(device: NorDevice, chip: NorChip, address, length):
    erase_all(device)
    data = bytes((i * 31 + 1) & 0xFF for i in range(length))
    device.program(address, memoryview(data))
    assert device.read(address, length) == data
    assert chip.peek(address - 16, 16) == b"\xff" * 16
    assert chip.peek(address + length, 16) == b"\xff" * 16


def test_an_erase_of_one_sector_leaves_its_neighbours(device: NorDevice, chip: NorChip):
    device.erase(0x3000, 0x1000)
    device.program(0x3FFF, b"\xff")
    assert device.read(0x3000, 0x1000) == b"\xff" * 0x1000
    assert chip.peek(0x2FFF, 1) + chip.peek(0x4000, 1) == b"\xff\x00"
    assert chip.wear.counts()[2:5] == (0, 1, 0)


def test_bits_that_fall_need_no_erase(device: NorDevice, chip: NorChip):
    device.program(0x10FF, b"\x0f\x00")
    assert device.read(0x10FF, 2) == b"\x0f\x00"
    assert chip.wear.total() == 0


def test_an_empty_program_and_an_empty_erase_do_nothing(device: NorDevice, chip: NorChip):
    before = chip.peek(0, chip.size)
    device.program(0x123, b"")
    device.erase(0x1000, 0)
    assert device.read(0, chip.size) == before


def test_the_window_shows_what_read_gives_or_is_not_there(device: NorDevice, chip: NorChip):
    window = device.window()
    if window is not None:
        assert window.readonly
        assert window == device.read(0, chip.size)
    assert (window is None) == (chip.clock is not None)


def test_what_lies_outside_is_refused(device: NorDevice, chip: NorChip):
    before = chip.peek(0, chip.size)
    size = chip.size
    for operation in (
        lambda: device.read(size, 1),
        lambda: device.read(-1, 1),
        lambda: device.read(0, size + 1),
        lambda: device.read(8, -1),
        lambda: device.program(size - 1, b"ab"),
        lambda: device.program(-1, b"ab"),
        lambda: device.program(size - 0x800, bytes(0x2000)),
        lambda: device.erase(size, 0x1000),
        lambda: device.erase(-0x1000, 0x1000),
        lambda: device.erase(0, size + 0x1000),
        lambda: device.erase(0x100, 0x1000),
        lambda: device.erase(0, 0x800),
    ):
        with pytest.raises(NorError):
            operation()
    assert chip.peek(0, size) == before
    assert chip.wear.total() == 0


def test_a_read_only_chip_stays_as_it_is(make_device, tmp_path):
    path = tmp_path / "flash.bin"
    path.write_bytes(bytes(0x10000))
    with NorChip.open(path, read_only=True) as chip:
        device = make_device(chip)
        assert device.read(0x8000, 2) == b"\0\0"
        for change in (
            lambda: device.program(0, b"x"),
            lambda: device.program(0xFFF, b"xyz"),
            lambda: device.erase(0, 0x2000),
        ):
            with pytest.raises(NorError, match="open for reading only"):
                change()
    assert path.read_bytes() == bytes(0x10000)
