"""What a comparison of two images finds: records."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Change(StrEnum):
    """What became of something on the way from the first image to the second."""

    EQUAL = "equal"
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    RENAMED = "renamed"
    """A file that has the same bytes under another name."""
    MOVED = "moved"
    """The same bytes at another address; of a page: one of a file that is the same."""
    GC_ONLY = "gc only"
    """A file system with the same files, whose pages garbage collection has moved."""
    SAME_FILES = "same files"
    """A file system with the same files, of which other bytes differ."""
    LEFTOVER = "leftover"
    """A page that belongs to no file, in neither image: deleted data, or never written."""
    LOOKUP = "look-up"
    """A page in which a block keeps its books; it changes with every other page."""


class Reason(StrEnum):
    """Why the bytes of a file system differ."""

    FILES = "files"
    """Files were added, removed, changed or renamed."""
    COLLECTION = "garbage collection"
    """The files are the same; blocks were erased and their pages moved."""
    REWRITING = "rewriting"
    """The files are the same, but lie elsewhere although no block was erased."""
    LEFTOVER = "deleted data"
    """The files are the same and where they were."""


class Range(NamedTuple):
    """Bytes that differ; ``start`` counts from the start of what is compared."""

    start: int
    size: int


class FileDiff(NamedTuple):
    """A file that is not the same in both; sizes in bytes, ``None`` where it is not there."""

    path: str
    """In the second image, unless it was removed."""
    change: Change
    old_size: int | None
    new_size: int | None
    old_path: str | None = None
    """Of a file that was renamed."""
    first: int | None = None
    """Of a changed file, the first byte that differs."""
    note: str = ""


class PageDiff(NamedTuple):
    """A page whose bytes differ."""

    page: int
    address: int
    """In the second image."""
    change: Change
    path: str
    """The file that it belongs to, empty where there is none."""


class AreaDiff(NamedTuple):
    """Two SPIFFS areas; pages are compared only where the geometry is the same."""

    reason: Reason | None
    """``None`` where every byte is equal."""
    same_geometry: bool
    files: tuple[FileDiff, ...]
    """Those that are not the same."""
    equal_files: int
    pages: tuple[PageDiff, ...]
    erased_blocks: tuple[int, ...]
    """Blocks whose erase count is another."""
    fault: str = ""
    """Why the files could not be compared."""


class PartDiff(NamedTuple):
    """A part of the image, as firmware or a model, that is not the same in both."""

    kind: str
    change: Change
    start: int
    """In the second image, unless it was removed."""
    size: int
    old_start: int | None
    """``None`` where it was not there."""
    old_detail: str
    new_detail: str
    sectors: int
    """Sectors of 4 KiB with bytes that differ."""
    differing: int
    """Bytes that differ."""
    area: AreaDiff | None = None

    @property
    def end(self) -> int:
        """Address behind the last byte."""
        return self.start + self.size


class ImageDiff(NamedTuple):
    """Two images of flash chips; empty ``parts`` where they are equal."""

    old_size: int
    new_size: int
    sectors: tuple[int, ...]
    """Addresses of the sectors that differ, those that only one image has included."""
    parts: tuple[PartDiff, ...]

    @property
    def equal(self) -> bool:
        """Whether every byte is the same."""
        return not self.sectors and self.old_size == self.new_size
