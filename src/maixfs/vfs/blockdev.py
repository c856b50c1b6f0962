"""What lies under a FAT volume: a program's block device, or sectors of our own."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any, Protocol

from maixfs.fat.errors import FResult, fat_error
from maixfs.sd.device import SECTOR, Buffer, SectorDevice
from maixfs.sd.errors import SectorError

_NO_END = 0xFFFFFFFF
"""As many sectors as FatFs can count."""
_MOST = 128
"""Sectors that FatFs asks for in one go at most."""


class Ioctl(IntEnum):
    """What MicroPython asks of a block device's ``ioctl``."""

    INIT = 1
    DEINIT = 2
    SYNC = 3
    BLOCK_COUNT = 4
    BLOCK_SIZE = 5


class Blocks(SectorDevice, Protocol):
    """A ``SectorDevice`` that can be started, counted and locked."""

    def start(self) -> None:
        """Make it ready; raises ``FatError`` (not ready, disk error)."""

    def capacity(self) -> int:
        """Return the sectors that a new file system may use; raises ``TypeError`` if unknown."""

    def protect(self) -> None:
        """Refuse every write from now on."""


class OwnBlocks:
    """Sectors of our own: ``device``'s methods, without a way around."""

    def __init__(self, device: SectorDevice) -> None:
        self._device = device
        self._protected = False
        self.read = device.read
        self.readinto = device.readinto
        self.write = device.write
        self.sync = device.sync

    @property
    def sectors(self) -> int:
        """Sectors of the device."""
        return self._device.sectors

    @property
    def read_only(self) -> bool:
        """Whether it is read-only, or was mounted so."""
        return self._protected or self._device.read_only

    def start(self) -> None:
        """Find it ready: there is nothing to be done."""

    def capacity(self) -> int:
        """Return its sectors."""
        return self._device.sectors

    def protect(self) -> None:
        """Refuse every write from now on."""
        self._protected = True
        self.write = _refuse


class ProgramBlocks:
    """A MicroPython program's block device.

    It has ``readblocks(number, buffer)``, perhaps ``writeblocks(number, buffer)``, and either
    ``ioctl(op, arg)`` or, in the older way, ``count()`` and perhaps ``sync()``. They are looked
    up once; what is missing raises ``AttributeError``. What they raise, the program sees.

    ``on_failure`` is called when one returns a number that is not 0. The firmware takes no
    notice and goes on with whatever is in its buffer; here it is an error, as in later versions.
    """

    def __init__(self, device: Any, on_failure: Callable[[str], None]) -> None:
        self._on_failure = on_failure
        self._readblocks = _method(device, "readblocks")
        self._writeblocks: Any = getattr(device, "writeblocks", None)
        self._ioctl: Any = getattr(device, "ioctl", None)
        self._sync: Any = None
        self._count: Any = None
        self._capacity = _NO_END
        if self._ioctl is None:
            self._sync = getattr(device, "sync", None)
            self._count = _method(device, "count")

    @property
    def sectors(self) -> int:
        """What ``capacity`` found; before it no limit: only a new file system asks."""
        return self._capacity

    @property
    def read_only(self) -> bool:
        """Whether it has no ``writeblocks``, or was mounted read-only."""
        return self._writeblocks is None

    def read(self, sector: int, count: int) -> bytes:
        """Return ``count`` sectors."""
        buffer = bytearray(count * SECTOR)
        self.readinto(sector, memoryview(buffer))
        return bytes(buffer)

    def readinto(self, sector: int, buffer: memoryview) -> None:
        """Have the program fill ``buffer``; it gets a ``bytearray`` of whole sectors."""
        for start in range(0, len(buffer), _MOST * SECTOR):
            part = buffer[start : start + _MOST * SECTOR]
            lent = bytearray(len(part))
            self._check("readblocks", self._readblocks(sector + start // SECTOR, lent))
            if len(lent) != len(part):
                lent = (lent + bytes(len(part)))[: len(part)]  # the program cut it or let it grow
            part[:] = lent

    def write(self, sector: int, data: Buffer) -> None:
        """Hand ``data`` to the program in ``bytearray``s of whole sectors."""
        if self._writeblocks is None:
            _refuse(sector, data)
        view = memoryview(data)
        for start in range(0, len(view), _MOST * SECTOR):
            lent = bytearray(view[start : start + _MOST * SECTOR])
            result = self._writeblocks(sector + start // SECTOR, lent)
            self._check("writeblocks", result)

    def sync(self) -> None:
        """Tell the program that everything has to be on its medium."""
        if self._ioctl is not None:
            self._ioctl(int(Ioctl.SYNC), 0)
        elif self._sync is not None:
            self._sync()

    def start(self) -> None:
        """Ask it to start: anything but ``None`` and 0 (not ``False``) means not ready (EBUSY).

        A device with sectors of another size is a disk error. The firmware does not ask, and
        would hand it 512 bytes all the same.
        """
        if self._ioctl is None:
            return
        answer = self._ioctl(int(Ioctl.INIT), 0)
        if answer is not None and (type(answer) is not int or answer != 0):
            raise fat_error(FResult.NOT_READY)
        if self._block_size() != SECTOR:
            raise fat_error(FResult.DISK_ERR, "", "its blocks are not of 512 bytes")

    def capacity(self) -> int:
        """Return what the device says; ``TypeError`` where that is no number."""
        answer = self._count() if self._count else self._ioctl(int(Ioctl.BLOCK_COUNT), 0)
        if not isinstance(answer, int):
            raise TypeError(f"can't convert {type(answer).__name__} to int")
        self._capacity = answer & _NO_END
        return self._capacity

    def protect(self) -> None:
        """Refuse every write from now on."""
        self._writeblocks = None

    def _block_size(self) -> int:
        try:
            size = self._ioctl(int(Ioctl.BLOCK_SIZE), 0)
        except Exception:  # v1.11 never asks: a device need not know the question
            return SECTOR
        return size if type(size) is int and size > 0 else SECTOR

    def _check(self, method: str, result: Any) -> None:
        if type(result) is int and result != 0:
            self._on_failure(method)
            raise SectorError(f"the block device's {method} returned {result}")


def blocks_of(device: Any, on_failure: Callable[[str], None]) -> Blocks:
    """Return ``device`` as sectors: one of ours, or a program's (``ProgramBlocks``)."""
    if hasattr(device, "readinto") and not hasattr(device, "readblocks"):
        return OwnBlocks(device)
    return ProgramBlocks(device, on_failure)


def _method(device: Any, name: str) -> Any:
    """Return a method; ``AttributeError`` in MicroPython's words."""
    if not hasattr(device, name):
        raise AttributeError(f"'{type(device).__name__}' object has no attribute '{name}'")
    return getattr(device, name)


def _refuse(sector: int, data: Buffer) -> None:
    del data
    raise SectorError(f"sector {sector:#x} cannot be written: the device is read-only")
