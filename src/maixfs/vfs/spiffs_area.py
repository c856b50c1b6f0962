"""Where a SPIFFS lies: on a flash driver of ours, or behind a program's own object."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from maixfs.spiffs import PRESETS, Geometry, Spiffs

if TYPE_CHECKING:
    from maixfs.nor.device import Buffer, NorDevice

_DESCRIPTOR_BYTES = 64
_CACHE_PAGES = 4


class Area(NamedTuple):
    """A flash driver and the shape of the file system on it, mounted or not."""

    device: NorDevice
    geometry: Geometry
    max_files: int = 2
    """Descriptors: the firmware's ``/flash`` has two."""

    def mount(self, *, read_only: bool = False) -> Spiffs:
        """Mount with the firmware's resources; raises ``SpiffsError``."""
        return Spiffs(
            self.device,
            self.geometry,
            read_only=read_only,
            max_files=self.max_files,
            cache_pages=_CACHE_PAGES,
        )

    def format(self) -> None:
        """Write an empty file system; raises ``SpiffsError``."""
        Spiffs.format(self.device, self.geometry)


class UserFlash:
    """Flash that a MicroPython program provides: ``read``, ``write``, ``erase`` of its object.

    Its methods get a buffer, a length and an address (``erase``: length and address).
    """

    def __init__(self, provider: Any) -> None:
        self._provider = provider
        self.size = int(provider.fs_size)
        self.erase_size = int(provider.erase_block)

    def read(self, address: int, length: int) -> bytes:
        """Return ``length`` bytes."""
        buffer = bytearray(length)
        self._provider.read(buffer, length, address)
        return bytes(buffer)

    def program(self, address: int, data: Buffer) -> None:
        """Hand ``data`` to the program's ``write``."""
        self._provider.write(bytearray(data), len(data), address)

    def erase(self, address: int, length: int) -> None:
        """Have each unit erased on its own, as SPIFFS asks for it."""
        for unit in range(address, address + length, self.erase_size):
            self._provider.erase(self.erase_size, unit)

    def window(self) -> memoryview | None:
        """Say that every read has to go through the program."""
        return None


def user_area(provider: Any) -> Area:
    """Return the area that ``uos.VfsSpiffs(provider)`` is about.

    ``provider`` has ``fs_size``, ``erase_block``, ``log_block_size`` and ``log_page_size`` in
    bytes; without one of them this raises ``AttributeError``, with numbers that contradict each
    other ``GeometryError``. The firmware keeps four bytes per page of a block for descriptors of
    64 bytes each (docs/SPEC.md, section 10).
    """
    geometry = replace(
        PRESETS["maixpy"],
        base=0,
        size=int(provider.fs_size),
        block_size=int(provider.log_block_size),
        page_size=int(provider.log_page_size),
        erase_size=int(provider.erase_block),
    )
    max_files = geometry.pages_per_block * 4 // _DESCRIPTOR_BYTES
    return Area(UserFlash(provider), geometry, max_files)
