"""What a target answers: kinds, entries, room, and what was written."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from maixfs.spiffs import Geometry

Progress = Callable[[str, int, int], None]
"""Called with (phase, done, total); it may raise to stop, and then nothing is kept."""


class Where(NamedTuple):
    """What was said about where a file system lies; ``None`` has it found."""

    geometry: Geometry | None = None
    base: int | None = None


class Kind(StrEnum):
    """What the host's path turned out to be."""

    BOARD = "board"
    FLASH_IMAGE = "flash image"
    SPIFFS_IMAGE = "SPIFFS image"


class Entry(NamedTuple):
    """A file, or a folder: SPIFFS has none, but slashes in names read as if it had."""

    path: str
    """Where it is in the target, as it can be given back; odd bytes as ``\\xNN``."""
    name: str
    """The last part of ``path``."""
    is_dir: bool
    size: int
    """Bytes; of a folder, those of all its files."""
    pages: int
    """Pages that it takes, its index included."""
    object_id: int = 0
    stored_name: bytes = b""
    """The name as it lies on flash; empty for a folder."""
    page: int = 0
    """Page of the index header."""
    fault: str | None = None
    """Why the file cannot be read to its end, or ``None`` where it can."""

    @property
    def parts(self) -> tuple[str, ...]:
        """The path, part by part."""
        return tuple(self.path[1:].split("/"))

    @property
    def readable(self) -> bool:
        """Whether every page of the file is sound."""
        return self.fault is None


class Room(NamedTuple):
    """Room in a file system, in pages; the two blocks that stay spare are in none of them."""

    page_size: int
    block_size: int
    data_size: int
    """Bytes of a file that a page holds."""
    total_pages: int
    used_pages: int
    deleted_pages: int
    free_pages: int
    spare_blocks: int
    """Blocks that hold nothing at all; the file system wants two."""
    files: int

    @property
    def total(self) -> int:
        """Bytes that files could take if there were none."""
        return self.total_pages * self.data_size

    @property
    def used(self) -> int:
        """Bytes that files take, in whole pages."""
        return self.used_pages * self.data_size

    @property
    def deleted(self) -> int:
        """Bytes that garbage collection can give back."""
        return self.deleted_pages * self.data_size

    @property
    def free(self) -> int:
        """Bytes that can be written at once."""
        return self.free_pages * self.data_size

    def as_dict(self) -> dict[str, int]:
        """Return it all by name, in pages and in bytes."""
        sizes = {"total": self.total, "used": self.used, "deleted": self.deleted}
        return self._asdict() | sizes | {"free": self.free}


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
