"""The chip alone: reads, programs, erases, and the arguments that they refuse."""

from __future__ import annotations

import errno
import pickle
from array import array

import pytest

from maixfs.errors import ClosedError, DeviceError, ImageError, MaixfsError
from maixfs.nor import (
    DRIVERS,
    DeviceClock,
    NorChip,
    NorError,
    NorImageError,
    Observer,
    find_part,
    make_driver,
)
from maixfs.nor.errors import out_of_range

MIB = 1 << 20


def test_new_chip_is_erased_and_has_16_mib():
    chip = NorChip.in_memory()
    assert chip.size == 16 * MIB
    assert chip.read(0, 4) == chip.read(chip.size - 4, 4) == b"\xff" * 4
    assert chip.part.name == "W25Q128FW"


@pytest.mark.parametrize("size", [0x1000, 0x3000, 0x10000, 3 * MIB, 8 * MIB])
def test_part_has_the_size_of_the_chip(size):
    assert NorChip.in_memory(size).part.size == size


def test_content_is_at_the_start_and_sets_the_default_size():
    content = bytes(range(256)) * 16
    assert NorChip.in_memory(content=content).size == 4096
    chip = NorChip.in_memory(0x2000, content=content)
    assert chip.read(0, 0x2000) == content + b"\xff" * 0x1000
    assert NorChip.in_memory(part=find_part("W25Q64JV")).size == 8 * MIB


@pytest.mark.parametrize("size", [0, 1, 4095, 4097, 512 * MIB])
def test_impossible_sizes_raise_nor_image_error(size):
    with pytest.raises(NorImageError, match=f"{size} bytes") as caught:
        NorChip.in_memory(size)
    assert caught.value.errno == errno.EINVAL
    assert caught.value.hint


def test_content_larger_than_the_chip_raises_nor_image_error():
    with pytest.raises(NorImageError, match="4097"):
        NorChip.in_memory(0x1000, content=bytes(0x1001))
    with pytest.raises(NorImageError, match="8388608"):
        NorChip.in_memory(0x1000, part=find_part("W25Q64JV"))


@pytest.mark.parametrize("length", [1, 2, 8, 9, 255, 256, 257, 4096, 70000, 140000])
def test_program_only_clears_bits(length):
    chip = NorChip.in_memory(0x40000)
    first = bytes((i * 7 + 3) & 0xFF for i in range(length))
    second = bytes((i * 13 + 5) & 0xFF for i in range(length))
    chip.program(0x123, first)
    assert chip.read(0x123, length) == first
    chip.program(0x123, memoryview(second))
    assert chip.read(0x123, length) == bytes(a & b for a, b in zip(first, second, strict=True))
    assert chip.read(0, 0x123) + chip.read(0x123 + length, 16) == b"\xff" * (0x123 + 16)


def test_page_program_across_a_page_end_is_refused():
    chip = NorChip.in_memory(0x1000)
    chip.page_program(0x1FE, b"ab")
    with pytest.raises(NorError, match="0x0001FE") as caught:
        chip.page_program(0x1FE, b"abc")
    assert caught.value.errno == errno.EINVAL
    assert chip.read(0x1FE, 3) == b"ab\xff"


@pytest.mark.parametrize(
    ("erase", "unit"),
    [("erase_sector", 0x1000), ("erase_block32", 0x8000), ("erase_block64", 0x10000)],
)
def test_erase_command_erases_exactly_its_unit(erase, unit):
    chip = NorChip.in_memory(content=bytes(0x40000))
    getattr(chip, erase)(0x20000)
    assert chip.read(0x20000, unit) == b"\xff" * unit
    assert chip.read(0x1FFFF, 1) == chip.read(0x20000 + unit, 1) == b"\0"
    assert chip.wear.total() == unit // 4096
    with pytest.raises(NorError, match=f"0x{0x20000 + unit // 2:06X}") as caught:
        getattr(chip, erase)(0x20000 + unit // 2)
    assert caught.value.errno == errno.EINVAL


def test_chip_erase_erases_everything():
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
def test_access_outside_the_chip_raises_einval(address, length):
    chip = NorChip.in_memory(0x1000)
    for operation in (
        lambda: chip.read(address, length),
        lambda: chip.peek(address, length),
        lambda: chip.program(address, bytes(max(length, 0))) if length >= 0 else chip.read(0, -1),
        lambda: chip.poke(address, bytes(max(length, 0))) if length >= 0 else chip.read(0, -1),
    ):
        with pytest.raises(NorError) as caught:
            operation()
        assert caught.value.errno == errno.EINVAL
    assert chip.read(0, 0x1000) == b"\xff" * 0x1000


def test_erase_outside_the_chip_changes_nothing():
    chip = NorChip.in_memory(content=bytes(0x2000))
    for address, length in ((0x1000, 0x2000), (-0x1000, 0x2000), (0x1000, -0x1000)):
        with pytest.raises(NorError) as caught:
            chip.erase(address, length)
        assert caught.value.errno == errno.EINVAL
    assert chip.read(0, 0x2000) == bytes(0x2000)
    with pytest.raises(NorError, match="0x000010"):
        chip.erase(0x10, 0x1000)
    chip.erase(0x1000, 0)
    assert chip.wear.total() == 0


def test_window_is_live_and_read_only():
    chip = NorChip.in_memory(0x1000)
    window = chip.window()
    chip.program(5, b"x")
    assert window[5] == ord("x")
    with pytest.raises(TypeError):
        window[5] = 0


def test_window_is_none_with_a_clock_or_an_observer():
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


def test_closed_chip_raises_closed_error():
    with NorChip.in_memory(0x1000) as chip:
        chip.erase_chip()
    for use in (
        lambda: chip.read(0, 1),
        lambda: chip.program(0, b"x"),
        lambda: chip.page_program(0, b"x"),
        lambda: chip.replace(0, b"x"),
        lambda: chip.peek(0, 1),
        lambda: chip.poke(0, b"x"),
        lambda: chip.erase(0, 0x1000),
        chip.erase_chip,
        chip.flush,
    ):
        with pytest.raises(ClosedError) as caught:
            use()
        assert isinstance(caught.value, NorError)
        assert isinstance(caught.value, ValueError)
        assert caught.value.errno == errno.EBADF
    assert chip.window() is None
    assert chip.wear.total() == 1
    chip.close()


def test_replace_stores_the_bytes_and_returns_whether_it_erased():
    chip = NorChip.in_memory(0x1000)
    assert chip.replace(0, b"abc") is False
    assert chip.replace(0, b"\x7e") is True
    assert chip.replace(4, b"x" * 300) is False
    assert chip.read(0, 5) == b"\x7ebc\xffx"
    assert chip.wear[0] == 1
    chip.clock = DeviceClock()
    with pytest.raises(NorError) as caught:
        chip.replace(0, b"a")
    assert caught.value.errno == errno.EINVAL


def test_chip_errors_are_maixfs_errors_and_os_errors():
    with pytest.raises(OSError, match="0x001000") as caught:
        NorChip.in_memory(0x1000).read(0x1000, 1)
    assert isinstance(caught.value, DeviceError)
    assert isinstance(caught.value, MaixfsError)
    with pytest.raises(ImageError) as image_error:
        NorChip.in_memory(3)
    assert isinstance(image_error.value, (OSError, ValueError))


def test_errors_survive_pickling():
    chip = NorChip.in_memory(0x1000)
    chip.close()
    with pytest.raises(ClosedError) as caught:
        chip.read(0, 1)
    for error in (caught.value, NorImageError("bad", hint="fix"), out_of_range(0x10, 1, 8)):
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is type(error)
        assert (str(again), again.errno, again.hint) == (str(error), error.errno, error.hint)


@pytest.mark.parametrize("data", ["text", [1, 2, 3], [0] * 20, 5, None])
@pytest.mark.parametrize("clocked", [False, True])
def test_data_that_is_not_a_buffer_raises_type_error_and_changes_nothing(data, clocked):
    chip = NorChip.in_memory(0x2000, content=bytes(range(256)))
    chip.clock = DeviceClock() if clocked else None
    before = chip.peek(0, 0x2000)
    for change in (chip.program, chip.page_program, chip.replace, chip.poke):
        with pytest.raises(TypeError):
            change(0x10, data)
    for name in DRIVERS:
        with pytest.raises(TypeError):
            make_driver(name, chip).program(0x10, data)
    assert chip.peek(0, 0x2000) == before
    assert chip.wear.total() == 0


def test_text_as_content_raises_type_error_and_creates_no_file(tmp_path):
    with pytest.raises(TypeError):
        NorChip.in_memory(0x1000, content="boot")
    with pytest.raises(TypeError):
        NorChip.create(tmp_path / "flash.bin", 0x1000, content="boot")
    assert list(tmp_path.iterdir()) == []


def test_array_of_bytes_is_accepted():
    chip = NorChip.in_memory(0x1000)
    chip.program(0, array("B", b"abc"))
    assert chip.read(0, 4) == b"abc\xff"


@pytest.mark.parametrize("view", [memoryview(array("I", range(9))), memoryview(bytes(20))[::2]])
def test_views_that_are_not_contiguous_bytes_raise_type_error(view):
    chip = NorChip.in_memory(0x1000, content=b"1234")
    for change in (chip.poke, lambda address, data: NorChip.in_memory(0x1000, content=data)):
        with pytest.raises(TypeError):
            change(0, view)
    with pytest.raises(TypeError):
        chip.program(0, array("I", range(9)))
    assert chip.read(0, 5) == b"1234\xff"


@pytest.mark.parametrize("address", ["0", 1.5, 1.0, None])
def test_wrong_address_types_raise_type_error(address):
    chip = NorChip.in_memory(content=bytes(0x1000))
    for use in (
        lambda: chip.read(address, 1),
        lambda: chip.program(address, b"x"),
        lambda: chip.program(address, b"x" * 20),
        lambda: chip.page_program(address, b"x" * 256),
        lambda: chip.replace(address, b"x"),
        lambda: chip.erase_sector(address),
        lambda: chip.erase(address, 0x1000),
    ):
        with pytest.raises(TypeError):
            use()
    assert chip.read(0, 0x1000) == bytes(0x1000)
    assert chip.wear.total() == 0


def test_drop_without_a_clock_calls_the_observers_only():
    seen = []

    class Recorder(Observer):
        def after(self, chip, event):
            seen.append((event.kind, event.dropped))

    chip = NorChip.in_memory(0x1000)
    chip.attach(Recorder())
    chip.drop("erase", 0, 0x1000)
    assert seen == [("erase", True)]
