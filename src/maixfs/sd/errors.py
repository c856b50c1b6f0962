"""Errors of cards and of everything else that is made of sectors."""

from __future__ import annotations

from maixfs.errors import DeviceError, ImageError
from maixfs.host.errors import ErrorTypes


class SectorError(DeviceError):
    """Sectors could not be read or written; the message names the first of them."""


class SdError(SectorError):
    """A card does not answer as a card should; the message names the command."""


class CardImageError(SectorError, ImageError):
    """The file that holds a card's sectors is not what it should be."""


FILE_ERRORS = ErrorTypes(failed=SectorError, unfit=CardImageError)
"""What the file of a card raises."""


def out_of_card(sector: int, count: int, sectors: int) -> SectorError:
    """Return the error for an operation that leaves a card of ``sectors`` sectors."""
    if sector < 0 or count < 0:
        return SectorError(f"sector {sector} and count {count} must not be negative")
    return SectorError(
        f"{count} sectors at sector {sector:#x} reach past the end of the card ({sectors:#x})",
        hint="the card or its image is shorter than its partition table says",
    )
