"""Errors of the flash chip and its drivers."""

from __future__ import annotations

from maixfs.errors import DeviceError, ImageError
from maixfs.host.errors import ErrorTypes


class NorError(DeviceError):
    """The chip or a driver of it cannot do what was asked; the message names the address."""


class NorImageError(NorError, ImageError):
    """The file that holds the chip's contents or its wear counts is not what it should be."""


FILE_ERRORS = ErrorTypes(failed=NorError, unfit=NorImageError)
"""What the files of a chip raise."""


def out_of_range(address: int, length: int, size: int) -> NorError:
    """Return the error for an operation that leaves a chip of ``size`` bytes."""
    if address < 0 or length < 0:
        return NorError(f"address {address} and length {length} must not be negative")
    return NorError(
        f"0x{length:X} bytes at 0x{address:06X} reach past the end of the chip (0x{size:X})",
        hint="check the base address and the size of the area",
    )


def misaligned(address: int, length: int, unit: int) -> NorError:
    """Return the error for an erase that is no whole number of ``unit`` bytes."""
    return NorError(
        f"an erase of 0x{length:X} bytes at 0x{address:06X} is not aligned to 0x{unit:X}",
        hint=f"erase whole units of {unit // 1024} KiB",
    )
