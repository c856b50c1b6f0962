"""Images as flash devices that can only be read."""

from __future__ import annotations

import errno

import pytest

from maixfs.nor import NorDevice, NorError
from maixfs.nor.view import ImageDevice, PaddedFlash


@pytest.fixture(params=["image", "padded"])
def flash(request: pytest.FixtureRequest) -> NorDevice:
    """Return a device of 0x2000 zero bytes."""
    whole = ImageDevice(bytearray(0x2000))
    if request.param == "image":
        return whole
    return PaddedFlash(whole, 0x2000)


def test_read_outside_a_view_raises_einval(flash: NorDevice) -> None:
    assert flash.size == 0x2000 and flash.read(0x1FFF, 1) == b"\0"
    assert flash.read(0x2000, 0) == b""
    for address, length in ((0x1FFF, 2), (-1, 1), (0, -1), (0x2001, 0)):
        with pytest.raises(NorError) as caught:
            flash.read(address, length)
        assert caught.value.errno == errno.EINVAL


def test_changes_of_a_view_raise_erofs(flash: NorDevice) -> None:
    for refused in (lambda: flash.program(0, b"x"), lambda: flash.erase(0, 0x1000)):
        with pytest.raises(NorError) as caught:
            refused()
        assert caught.value.errno == errno.EROFS
    assert flash.read(0, 0x2000) == bytes(0x2000)


def test_window_of_an_image_is_read_only_and_shows_later_changes() -> None:
    content = bytearray(16)
    window = ImageDevice(content).window()
    content[3] = 7
    assert window.readonly and window[3] == 7


def test_padded_flash_reads_erased_bytes_around_its_part() -> None:
    flash = PaddedFlash(ImageDevice(b"abc"), 10, start=4)
    content = b"\xff" * 4 + b"abc" + b"\xff" * 3
    for address in range(11):
        for length in range(11 - address):
            assert flash.read(address, length) == content[address : address + length]
    assert flash.window() is None


def test_padded_flash_leaves_out_bytes_before_the_chip() -> None:
    flash = PaddedFlash(ImageDevice(b"abcdef"), 8, start=-4)
    assert flash.read(0, 8) == b"ef" + b"\xff" * 6
