"""Errors of cards and of everything else that consists of sectors.

All are ``OSError`` too: ``errno`` is EINVAL for arguments out of range, EROFS for a medium that
cannot be written, the host's own if a file of the host is the cause, and EIO otherwise.
"""

from __future__ import annotations

import errno
from operator import index

from maixfs.errors import DeviceError, ImageError, error_class
from maixfs.host.errors import ErrorTypes


class SectorError(DeviceError):
    """Sectors could not be read or written; the message names the first of them."""


class SdError(SectorError):
    """A card does not answer as a card should; the message names the command."""


class CardImageError(SectorError, ImageError):
    """The file that holds a card's sectors is damaged or of another kind."""


FILE_ERRORS = ErrorTypes(failed=SectorError, unfit=CardImageError)
"""Errors that the file of a card raises."""


def sector_error(message: str, number: int, *, hint: str | None = None) -> SectorError:
    """Return the error for errno ``number``, of the builtin's class if it has one."""
    return error_class(SectorError, number)(message, errno=number, hint=hint)


def host_error(message: str, reason: OSError, *, hint: str | None = None) -> SectorError:
    """Return the error for a file that the host refused; ``message`` says which and for what."""
    words = f"{message}: {reason.strerror or reason}"
    return sector_error(words, reason.errno or errno.EIO, hint=hint)


def out_of_card(sector: int, count: int, sectors: int) -> SectorError:
    """Return the error for an operation that leaves a card of ``sectors`` sectors.

    Raises ``TypeError`` if ``sector`` or ``count`` is not an integer.
    """
    if index(sector) < 0 or index(count) < 0:
        return _invalid(f"sector {sector} and count {count} must not be negative")
    return _invalid(
        f"{count} sectors at sector {sector:#x} reach past the end of the card ({sectors:#x})",
        hint="the card or its image is shorter than its partition table says",
    )


def partial_sector(length: int) -> SectorError:
    """Return the error for a buffer of ``length`` bytes, which is not a multiple of a sector."""
    return _invalid(f"{length} bytes are not whole sectors of 512")


def invalid_size(sectors: int) -> SectorError:
    """Return the error for a medium that would have ``sectors`` sectors."""
    return _invalid(f"a card cannot have {sectors} sectors")


def read_only_error(medium: object) -> SectorError:
    """Return the error for a write to a read-only medium (EROFS)."""
    return sector_error(f"{medium} is read-only", errno.EROFS)


def _invalid(message: str, *, hint: str | None = None) -> SectorError:
    return SectorError(message, errno=errno.EINVAL, hint=hint)
