"""Where a SPIFFS lies: on a flash driver of ours, or behind a program's own object."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from maixfs.spiffs import PRESETS, Geometry, SpiffsCore

if TYPE_CHECKING:
    from maixfs.nor.device import Buffer, NorDevice

_DESCRIPTOR_BYTES = 64
_CACHE_HEAD = 24
_CACHE_PAGE_HEAD = 20


class Area(NamedTuple):
    """A flash driver and the shape of the file system on it, mounted or not."""

    device: NorDevice
    geometry: Geometry
    max_files: int = 2
    """Descriptors: the firmware's ``/flash`` has two."""
    cache_pages: int = 4
    """Pages of the write cache."""
    unit: int | None = None
    """What ``statvfs`` counts in, bytes: a block unless given."""

    def mount(self, *, read_only: bool = False) -> SpiffsCore:
        """Mount with the firmware's resources; raises ``SpiffsError``."""
        return SpiffsCore(
            self.device,
            self.geometry,
            read_only=read_only,
            faithful=True,
            max_files=self.max_files,
            cache_pages=self.cache_pages,
        )

    def format(self) -> None:
        """Write an empty file system; raises ``SpiffsError``."""
        SpiffsCore.format(self.device, self.geometry)


class UserFlash:
    """Flash that a MicroPython program provides: ``read``, ``write``, ``erase`` of its object.

    Its methods get a buffer, a length and an address (``erase``: length and address).
    """

    def __init__(self, provider: Any) -> None:
        self._provider = provider
        self._read, self._write = provider.read, provider.write
        self.size = int(provider.fs_size)
        self.erase_size = int(provider.erase_block)

    def read(self, address: int, length: int) -> bytes:
        """Return ``length`` bytes."""
        buffer = bytearray(length)
        self._read(buffer, length, address)
        return bytes(buffer)

    def program(self, address: int, data: Buffer) -> None:
        """Hand ``data`` to the program's ``write``."""
        self._write(bytearray(data), len(data), address)

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
    64 bytes each (docs/SPEC.md, section 10), and as much for the cache, where 24 bytes and 20
    per page are its own; ``statvfs`` counts in the blocks of ``/flash``.
    """
    geometry = replace(
        PRESETS["maixpy"],
        base=0,
        size=int(provider.fs_size),
        block_size=int(provider.log_block_size),
        page_size=int(provider.log_page_size),
        erase_size=int(provider.erase_block),
    )
    room = geometry.pages_per_block * 4
    return Area(
        UserFlash(provider),
        geometry,
        max_files=room // _DESCRIPTOR_BYTES,
        cache_pages=max(0, room - _CACHE_HEAD) // (geometry.page_size + _CACHE_PAGE_HEAD),
        unit=PRESETS["maixpy"].block_size,
    )
