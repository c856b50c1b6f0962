"""What a target answers: kinds, entries, room, and what was written."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING

from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from maixfs.spiffs import Geometry

PACKED_DAMAGE = "packed-damage"
"""Key of the note on a compressed file of which not all bytes come out."""
Progress = Callable[[str, int, int], None]
"""Called with (phase, done, total); it may raise to stop, and then nothing is kept."""


class Where(NamedTuple):
    """What was said about where a file system lies; ``None`` has it found."""

    geometry: Geometry | None = None
    base: int | None = None
    drives: bool = False
    """Whether drives of the host may be written, not only images."""
    force: bool = False
    """Whether damaged file systems may be changed."""

    @property
    def is_spiffs(self) -> bool:
        """Whether something was said that only a SPIFFS has."""
        return self.geometry is not None or self.base is not None


class Kind(StrEnum):
    """What the host's path turned out to be."""

    BOARD = "board"
    FLASH_IMAGE = "flash image"
    SPIFFS_IMAGE = "SPIFFS image"
    CARD = "card image"
    FILE_SYSTEM = "file system image"
    """One of ``image.formats``, which is only read."""


class Written(NamedTuple):
    """Proof of a write: what is there now."""

    path: str
    size: int
    """Bytes."""
    sha256: str
    changed: bool
    """False where the very same was there already, and nothing was written."""
    note: str = ""
    """What a person should know, such as a name that had to change."""
    sectors: int | None = None
    """Of a card, how many sectors were written; ``size`` and ``sha256`` are then of these."""
    rescued: bool = False
    """Whether the bytes come from a damaged file that was read through its data pages."""
