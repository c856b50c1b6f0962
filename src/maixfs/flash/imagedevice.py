"""An image as a flash chip that can only be read, for mounting what lies in it."""

from __future__ import annotations

from maixfs.nor import Buffer, NorError


class ImageDevice:
    """A flash driver over an image; addresses are those of the chip."""

    erase_size = 0x1000

    def __init__(self, image: Buffer) -> None:
        self._view = memoryview(image).cast("B").toreadonly()
        self.size = len(self._view)

    def read(self, address: int, length: int) -> bytes:
        """Return ``length`` bytes; raises ``NorError`` behind the image's end."""
        if address < 0 or length < 0 or address + length > self.size:
            raise NorError(f"{length:#x} bytes at {address:#x} end behind the image")
        return bytes(self._view[address : address + length])

    def program(self, address: int, data: Buffer) -> None:
        """Refuse."""
        raise NorError(f"the image is only read ({len(data)} bytes at {address:#x})")

    def erase(self, address: int, length: int) -> None:
        """Refuse."""
        raise NorError(f"the image is only read ({length:#x} bytes at {address:#x})")

    def window(self) -> memoryview:
        """Return the image."""
        return self._view
