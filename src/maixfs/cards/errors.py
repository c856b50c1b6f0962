"""What can be wrong when a card is made, converted, or moved between a file and a drive."""

from __future__ import annotations

from maixfs.errors import MaixfsError


class CardError(MaixfsError):
    """A card cannot be made, converted or copied; the message says why."""


class ProofError(CardError):
    """What was read back is not what was written, or a file of the old card is not in the new."""
