"""Errors of the flash chip and its drivers.

Every error is a ``NorError``, an ``OSError`` whose ``errno`` says what kind it is:

* EINVAL: an address, a length, a size or a name that the chip or the driver does not have;
* EROFS: the chip is open for reading only, or its block protection is set;
* ENODEV, ETIMEDOUT: no chip answers on the bus, or one does not finish;
* EBADF: the chip was closed (the error is a ``ClosedError``, a ``ValueError``);
* the host's own number where a file of the host is the cause (ENOENT, EEXIST, ENOSPC ...);
* EIO: everything else.

Errors with a builtin counterpart are that builtin too: ``FileNotFoundError`` for ENOENT.
"""

from __future__ import annotations

import errno
from operator import index

from maixfs.errors import ClosedError, DeviceError, ImageError, combined, error_class
from maixfs.host.errors import ErrorTypes


class NorError(DeviceError):
    """The chip or its driver could not do what was asked; the message has the address."""


class NorImageError(NorError, ImageError):
    """The file with the chip's contents or its wear counts has a wrong size or format (EINVAL)."""

    def __init__(
        self, message: str, *, errno: int = errno.EINVAL, hint: str | None = None
    ) -> None:
        super().__init__(message, errno=errno, hint=hint)


FILE_ERRORS = ErrorTypes(failed=NorError, unfit=NorImageError)
"""What the files of a chip raise."""


def nor_error(message: str, number: int, *, hint: str | None = None) -> NorError:
    """Return the error for errno ``number``, of the builtin class that CPython has for it."""
    return error_class(NorError, number)(message, errno=number, hint=hint)


def invalid(message: str, *, hint: str | None = None) -> NorError:
    """Return the error for an argument that the chip or the driver cannot use (EINVAL)."""
    return NorError(message, errno=errno.EINVAL, hint=hint)


def closed() -> NorError:
    """Return the error for the use of a closed chip: EBADF, and a ``ClosedError``."""
    return combined(NorError, ClosedError)("the flash chip is closed", errno=errno.EBADF)


def out_of_range(address: int, length: int, size: int) -> NorError:
    """Return the error for an operation that leaves a chip of ``size`` bytes (EINVAL)."""
    address, length = index(address), index(length)  # TypeError if not an integer
    if address < 0 or length < 0:
        return invalid(f"address {address} and length {length} must not be negative")
    return invalid(
        f"0x{length:X} bytes at 0x{address:06X} reach past the end of the chip (0x{size:X})",
        hint="check the base address and the size of the area",
    )


def misaligned(address: int, length: int, unit: int) -> NorError:
    """Return the error for an erase that is not aligned to ``unit`` bytes (EINVAL)."""
    address, length = index(address), index(length)
    return invalid(
        f"an erase of 0x{length:X} bytes at 0x{address:06X} is not aligned to 0x{unit:X}",
        hint=f"erase whole units of {unit // 1024} KiB",
    )
