"""What can be wrong when a card is made, converted, or moved between a file and a drive."""

from __future__ import annotations

import errno

from maixfs.errors import MaixfsError


class CardError(MaixfsError):
    """A card cannot be made, converted or copied; the message says why."""


class TakenError(CardError, FileExistsError):
    """There is a file of that name already."""

    errno = errno.EEXIST


class ProofError(CardError):
    """What was read back is not what was written, or a file of the old card is not in the new."""
