"""Images and parts of images as flash chips that can only be read."""

from __future__ import annotations

import errno

from maixfs.nor import Buffer, NorDevice, NorError
from maixfs.nor.device import blank
from maixfs.nor.errors import nor_error, out_of_range


class ImageDevice:
    """A flash driver over an image; addresses are those of the chip."""

    erase_size = 0x1000

    def __init__(self, image: Buffer) -> None:
        self._view = memoryview(image).cast("B").toreadonly()
        self.size = len(self._view)

    def read(self, address: int, length: int) -> bytes:
        """Return ``length`` bytes; raises ``NorError`` (EINVAL) behind the image's end."""
        if address < 0 or length < 0 or address + length > self.size:
            raise out_of_range(address, length, self.size)
        return bytes(self._view[address : address + length])

    def program(self, address: int, data: Buffer) -> None:
        """Raise ``NorError`` (EROFS)."""
        raise _read_only(address, len(data))

    def erase(self, address: int, length: int) -> None:
        """Raise ``NorError`` (EROFS)."""
        raise _read_only(address, length)

    def window(self) -> memoryview:
        """Return the image."""
        return self._view


class PaddedFlash:
    """A read-only chip of ``size`` bytes of which ``below`` has a part; the rest reads as erased.

    ``start`` is the address of the first byte of ``below``. It is negative where a dump begins
    with bytes that are not the chip's.
    """

    erase_size = 0x1000

    def __init__(self, below: NorDevice, size: int, *, start: int = 0) -> None:
        self.below = below
        self.size = size
        self.start = start

    def read(self, address: int, length: int) -> bytes:
        """Return ``length`` bytes; raises ``NorError`` (EINVAL) behind the end."""
        if address < 0 or length < 0 or address + length > self.size:
            raise out_of_range(address, length, self.size)
        first = min(max(address, self.start), address + length)
        last = max(min(address + length, self.start + self.below.size), first)
        data = self.below.read(first - self.start, last - first) if last > first else b""
        return blank(first - address) + data + blank(address + length - last)

    def program(self, address: int, data: Buffer) -> None:
        """Raise ``NorError`` (EROFS)."""
        raise _read_only(address, len(data))

    def erase(self, address: int, length: int) -> None:
        """Raise ``NorError`` (EROFS)."""
        raise _read_only(address, length)

    def window(self) -> None:
        """Return ``None``: there is no buffer of all bytes."""


def _read_only(address: int, length: int) -> NorError:
    return nor_error(
        f"the image is open for reading only (0x{length:X} bytes at 0x{address:06X})", errno.EROFS
    )
