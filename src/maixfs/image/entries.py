"""What a target answers: kinds, entries, room, and what was written."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from datetime import datetime

    from maixfs.spiffs import Geometry

Progress = Callable[[str, int, int], None]
"""Called with (phase, done, total); it may raise to stop, and then nothing is kept."""


class Where(NamedTuple):
    """What was said about where a file system lies; ``None`` has it found."""

    geometry: Geometry | None = None
    base: int | None = None
    drives: bool = False
    """Whether drives of the host may be written, not only images."""

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


class Entry(NamedTuple):
    """A file or a folder. SPIFFS has no folders, but slashes in names read as if it had."""

    path: str
    """Where it is in the target, as it can be given back; odd bytes as ``\\xNN``."""
    name: str
    """The last part of ``path``."""
    is_dir: bool
    size: int
    """Bytes; of a folder, those of all its files."""
    units: int
    """Pages (SPIFFS, index included) or clusters (FAT) that it takes."""
    on_medium: int
    """Bytes that those take."""
    object_id: int = 0
    """SPIFFS: number of the file."""
    stored_name: bytes = b""
    """SPIFFS: the name as it lies on flash; empty for a folder."""
    page: int = 0
    """SPIFFS: page of the index header."""
    fault: str | None = None
    """Why the file cannot be read to its end, or ``None`` where nothing is known against it."""
    modified: datetime | None = None
    """FAT: when it was last written, by the clock of who wrote it."""
    attributes: int = 0
    """FAT: bits of ``maixfs.fat.ondisk.Attribute``."""
    short_name: str = ""
    """FAT: the 8.3 name."""
    cluster: int = 0
    """FAT: the first cluster; 0 where there is none."""

    @property
    def parts(self) -> tuple[str, ...]:
        """The path, part by part."""
        return tuple(self.path[1:].split("/"))

    @property
    def readable(self) -> bool:
        """Whether nothing is known that keeps the file from being read."""
        return self.fault is None


Entries = list[Entry]


class Room(Protocol):
    """Room in a file system, in bytes; ``as_dict`` has its own units too."""

    @property
    def total(self) -> int:
        """Bytes that files could take if there were none."""

    @property
    def used(self) -> int:
        """Bytes that files take, in whole units."""

    @property
    def deleted(self) -> int:
        """Bytes that garbage collection can give back; where there is none, 0."""

    @property
    def free(self) -> int:
        """Bytes that can be written at once."""

    def as_dict(self) -> dict[str, Any]:
        """Return it all by name, in units and in bytes."""


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
