"""The common behaviour of all flash devices: drivers over the chip, and over the SPI bus."""

from __future__ import annotations

import errno

import pytest

from maixfs.errors import ClosedError, ReadOnlyError
from maixfs.nor import NorChip, NorDevice, NorError
from maixfs.nor.device import is_filled


def erase_all(device: NorDevice) -> None:
    """Erase sector by sector, with a write after each that waits: no driver drops an erase."""
    for sector in range(0, device.size, device.erase_size):
        device.erase(sector, device.erase_size)
        device.program(sector + 0xFFF, b"\xff")


def test_read_returns_the_contents_of_the_chip(device: NorDevice, chip: NorChip):
    for address, length in ((0, 0), (0, 1), (0x1234, 0x2345), (0, chip.size), (chip.size, 0)):
        assert device.read(address, length) == chip.peek(address, length)
    assert isinstance(device.read(0, 3), bytes)


def test_device_has_the_size_of_the_chip(device: NorDevice, chip: NorChip):
    assert device.size == chip.size
    assert device.erase_size == 0x1000


@pytest.mark.parametrize("length", [1, 257, 5000])
@pytest.mark.parametrize("address", [0x1FFF, 0x2F01])
def test_program_stores_bytes_in_erased_cells(device: NorDevice, chip: NorChip, address, length):
    erase_all(device)
    data = bytes((i * 31 + 1) & 0xFF for i in range(length))
    device.program(address, memoryview(data))
    assert device.read(address, length) == data
    assert chip.peek(address - 16, 16) == b"\xff" * 16
    assert chip.peek(address + length, 16) == b"\xff" * 16


def test_erase_of_one_sector_keeps_its_neighbours(device: NorDevice, chip: NorChip):
    device.erase(0x3000, 0x1000)
    device.program(0x3FFF, b"\xff")
    assert device.read(0x3000, 0x1000) == b"\xff" * 0x1000
    assert chip.peek(0x2FFF, 1) + chip.peek(0x4000, 1) == b"\xff\x00"
    assert chip.wear.counts()[2:5] == (0, 1, 0)


def test_program_that_only_clears_bits_needs_no_erase(device: NorDevice, chip: NorChip):
    device.program(0x10FF, b"\x0f\x00")
    assert device.read(0x10FF, 2) == b"\x0f\x00"
    assert chip.wear.total() == 0


def test_empty_program_and_empty_erase_change_nothing(device: NorDevice, chip: NorChip):
    before = chip.peek(0, chip.size)
    device.program(0x123, b"")
    device.erase(0x1000, 0)
    assert device.read(0, chip.size) == before


def test_window_equals_read_or_is_none(device: NorDevice, chip: NorChip):
    window = device.window()
    if window is not None:
        assert window.readonly
        assert window == device.read(0, chip.size)
    assert (window is None) == (chip.clock is not None)


def test_access_outside_the_chip_raises_einval_and_changes_nothing(
    device: NorDevice, chip: NorChip
):
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
        with pytest.raises(NorError) as caught:
            operation()
        assert caught.value.errno == errno.EINVAL
    assert chip.peek(0, size) == before
    assert chip.wear.total() == 0


def test_read_only_chip_refuses_changes_with_erofs(make_device, tmp_path):
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
            with pytest.raises(ReadOnlyError) as caught:
                change()
            assert isinstance(caught.value, NorError)
            assert caught.value.errno == errno.EROFS
    assert path.read_bytes() == bytes(0x10000)


@pytest.mark.parametrize("data", ["text", [1, 2], 7])
def test_data_that_is_not_a_buffer_raises_type_error(device: NorDevice, chip: NorChip, data):
    before = chip.peek(0, chip.size)
    with pytest.raises(TypeError):
        device.program(0x1000, data)
    assert chip.peek(0, chip.size) == before


def test_device_over_a_closed_chip_raises_closed_error(device: NorDevice, chip: NorChip):
    chip.close()
    for use in (
        lambda: device.read(0, 1),
        lambda: device.program(0, b"x"),
        lambda: device.erase(0, 0x1000),
    ):
        with pytest.raises(ClosedError):
            use()


def test_is_filled_compares_every_byte() -> None:
    assert is_filled(b"")
    assert is_filled(memoryview(b"\xff" * 70000))
    assert not is_filled(b"\xff" * 70000 + b"\xfe")
    assert not is_filled(bytearray(1))
    assert is_filled(bytes(70000), 0)
    assert not is_filled(bytes(70000) + b"\xff", 0)
