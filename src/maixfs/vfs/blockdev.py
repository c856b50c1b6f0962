"""The device under a FAT volume: a program's block device, or a ``SectorDevice``."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any, Protocol

from maixfs.errors import DeviceError
from maixfs.fat.errors import FResult, fat_error
from maixfs.sd.device import SECTOR, Buffer, SectorDevice
from maixfs.sd.errors import SectorError

_MAX_SECTORS = 0xFFFFFFFF
"""Sectors that FatFs can count."""
_MAX_TRANSFER = 128
"""Sectors of one call of a program's method, at most."""


class Ioctl(IntEnum):
    """Operations of a block device's ``ioctl``."""

    INIT = 1
    DEINIT = 2
    SYNC = 3
    BLOCK_COUNT = 4
    BLOCK_SIZE = 5


class Blocks(SectorDevice, Protocol):
    """A ``SectorDevice`` that can be started, measured and write-protected."""

    def start(self) -> None:
        """Make the device ready; raises ``FatError`` (not ready, disk error)."""

    def capacity(self) -> int:
        """Return the number of sectors for a new file system; raises ``TypeError`` if unknown."""

    def protect(self) -> None:
        """Refuse every later write."""


class OwnBlocks:
    """A ``SectorDevice`` whose methods are called directly, at no extra cost."""

    def __init__(self, device: SectorDevice) -> None:
        self._device = device
        self._protected = False
        # Bound once: every sector of a mounted card passes here.
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
        """Whether the device is read-only, or ``protect`` was called."""
        return self._protected or self._device.read_only

    def start(self) -> None:
        """Do nothing: the device is ready."""

    def capacity(self) -> int:
        """Return its number of sectors."""
        return self._device.sectors

    def protect(self) -> None:
        """Refuse every later write."""
        self._protected = True
        self.write = _refuse


class ProgramBlocks:
    """A MicroPython program's block device.

    It has ``readblocks(number, buffer)``, optionally ``writeblocks(number, buffer)``, and either
    ``ioctl(op, arg)`` or, in the older protocol, ``count()`` and optionally ``sync()``. As in
    the firmware they are looked up once; a missing one raises ``AttributeError``. What they
    raise passes through to the program, ``OSError`` included.

    ``on_failure`` is called when one returns a number that is not 0. The firmware ignores that
    and goes on with the contents of its buffer; here it is an error, as in later versions.
    """

    def __init__(self, device: Any, on_failure: Callable[[str], None]) -> None:
        self._on_failure = on_failure
        self._readblocks = _method(device, "readblocks")
        # A device without it is read-only, which is MicroPython's way to protect one.
        self._writeblocks: Any = getattr(device, "writeblocks", None)
        self._ioctl: Any = getattr(device, "ioctl", None)
        self._sync: Any = None
        self._count: Any = None
        self._capacity = _MAX_SECTORS
        if self._ioctl is None:
            self._sync = getattr(device, "sync", None)
            self._count = _method(device, "count")

    @property
    def sectors(self) -> int:
        """The result of ``capacity``; no limit before it: only ``mkfs`` asks the device."""
        return self._capacity

    @property
    def read_only(self) -> bool:
        """Whether it has no ``writeblocks``, or ``protect`` was called."""
        return self._writeblocks is None

    def read(self, sector: int, count: int) -> bytes:
        """Return ``count`` sectors."""
        buffer = bytearray(count * SECTOR)
        self.readinto(sector, memoryview(buffer))
        return bytes(buffer)

    def readinto(self, sector: int, buffer: memoryview) -> None:
        """Fill ``buffer``: the program gets a ``bytearray`` of whole sectors."""
        for start in range(0, len(buffer), _MAX_TRANSFER * SECTOR):
            part = buffer[start : start + _MAX_TRANSFER * SECTOR]
            # A buffer of its own, not a view: the program may keep it and change it later.
            lent = bytearray(len(part))
            self._check("readblocks", self._readblocks(sector + start // SECTOR, lent))
            if len(lent) != len(part):  # the program resized the buffer
                lent = (lent + bytes(len(part)))[: len(part)]
            part[:] = lent

    def write(self, sector: int, data: Buffer) -> None:
        """Pass ``data`` to the program in ``bytearray``s of whole sectors."""
        if self._writeblocks is None:
            _refuse(sector, data)
        view = memoryview(data)
        for start in range(0, len(view), _MAX_TRANSFER * SECTOR):
            lent = bytearray(view[start : start + _MAX_TRANSFER * SECTOR])
            result = self._writeblocks(sector + start // SECTOR, lent)
            self._check("writeblocks", result)

    def sync(self) -> None:
        """Ask the program to finish its writes; as in the firmware its answer does not count."""
        if self._ioctl is not None:
            self._ioctl(int(Ioctl.SYNC), 0)
        elif self._sync is not None:
            self._sync()

    def start(self) -> None:
        """Start the device: any answer but ``None`` and 0 (not ``False``) is NOT_READY (EBUSY).

        A device with sectors of another size is a disk error. The firmware does not ask for the
        size, and would pass 512 bytes all the same.
        """
        if self._ioctl is None:
            return
        answer = self._ioctl(int(Ioctl.INIT), 0)
        if answer is not None and (type(answer) is not int or answer != 0):
            raise fat_error(FResult.NOT_READY)
        if self._block_size() != SECTOR:
            raise fat_error(FResult.DISK_ERR, "", "its blocks are not of 512 bytes")

    def capacity(self) -> int:
        """Return the device's answer; ``TypeError`` if that is not an integer."""
        answer = self._count() if self._count else self._ioctl(int(Ioctl.BLOCK_COUNT), 0)
        if not isinstance(answer, int):
            raise TypeError(f"can't convert {type(answer).__name__} to int")
        # The firmware keeps 32 bits of the answer.
        self._capacity = answer & _MAX_SECTORS
        return self._capacity

    def protect(self) -> None:
        """Refuse every later write."""
        self._writeblocks = None

    def _block_size(self) -> int:
        try:
            size = self._ioctl(int(Ioctl.BLOCK_SIZE), 0)
        except DeviceError:
            raise  # the host's file under the program's device failed
        except Exception:  # v1.11 never asks, so that old devices may fail on this operation
            return SECTOR
        return size if type(size) is int and size > 0 else SECTOR

    def _check(self, method: str, result: Any) -> None:
        if type(result) is int and result != 0:
            self._on_failure(method)
            raise SectorError(f"the block device's {method} returned {result}")


def blocks_of(device: Any, on_failure: Callable[[str], None]) -> Blocks:
    """Return ``device`` as ``Blocks``: a ``SectorDevice`` or a program's (``ProgramBlocks``)."""
    if hasattr(device, "readinto") and not hasattr(device, "readblocks"):
        return OwnBlocks(device)
    return ProgramBlocks(device, on_failure)


def _method(device: Any, name: str) -> Any:
    """Return a method; ``AttributeError`` with MicroPython's text."""
    if not hasattr(device, name):
        raise AttributeError(f"'{type(device).__name__}' object has no attribute '{name}'")
    return getattr(device, name)


def _refuse(sector: int, data: Buffer) -> None:
    del data
    raise SectorError(f"sector {sector:#x} cannot be written: the device is read-only")
