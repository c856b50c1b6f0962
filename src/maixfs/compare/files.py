"""The records of a comparison, and the comparison of two sets of files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import BinaryIO

from maixfs.nor.device import SECTOR
from maixfs.tuples import NamedTuple


class Change(StrEnum):
    """How something differs between the first and the second image."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    RENAMED = "renamed"
    """A file with the same bytes under another name."""
    MOVED = "moved"
    """The same bytes at another address; of a page: it belongs to an unchanged file."""
    GC_ONLY = "gc only"
    """A file system with the same files; garbage collection moved their pages."""
    SAME_FILES = "same files"
    """A file system with the same files; other bytes of it differ."""
    LEFTOVER = "leftover"
    """A page without a file in both images: deleted data, or never written."""
    LOOKUP = "look-up"
    """A look-up page, which changes with every other page of its block."""


class Reason(StrEnum):
    """Why the bytes of a file system differ."""

    FILES = "files"
    """Files were added, removed, changed or renamed."""
    COLLECTION = "garbage collection"
    """The files are the same; blocks were erased and their pages moved."""
    REWRITING = "rewriting"
    """The files are the same but on other pages, although no block was erased."""
    LEFTOVER = "deleted data"
    """The files are the same, on the same pages."""


class Range(NamedTuple):
    """Bytes that differ; ``start`` is an address in both images."""

    start: int
    size: int


class FileDiff(NamedTuple):
    """A file that differs; sizes in bytes, ``None`` on the side that lacks it."""

    path: str
    """In the second image; of a removed file in the first."""
    change: Change
    old_size: int | None
    new_size: int | None
    old_path: str | None = None
    """Of a renamed file: its path in the first image."""
    first: int | None = None
    """Of a changed file: the offset of the first byte that differs."""
    note: str = ""


class PageDiff(NamedTuple):
    """A page whose bytes differ."""

    page: int
    address: int
    """In the second image."""
    change: Change
    path: str
    """Its file; empty if it has none."""


class AreaDiff(NamedTuple):
    """Two SPIFFS areas; pages are compared only if the geometry is the same."""

    reason: Reason | None
    """``None`` if every byte is equal."""
    same_geometry: bool
    files: tuple[FileDiff, ...]
    """The files that differ."""
    equal_files: int
    pages: tuple[PageDiff, ...]
    erased_blocks: tuple[int, ...]
    """Blocks whose erase count differs."""
    fault: str = ""
    """Why the files could not be compared, or empty."""


class PartDiff(NamedTuple):
    """A part of the image, such as firmware or a model, that differs."""

    kind: str
    change: Change
    start: int
    """In the second image; of a removed part in the first."""
    size: int
    old_start: int | None
    """In the first image; ``None`` if it was added."""
    old_detail: str
    new_detail: str
    sectors: int
    """Sectors of 4 KiB with bytes that differ."""
    differing: int
    """Bytes that differ."""
    area: AreaDiff | None = None

    @property
    def end(self) -> int:
        """One past the address of the last byte."""
        return self.start + self.size


class ImageDiff(NamedTuple):
    """The differences of two images of flash chips; ``parts`` is empty if they are equal."""

    old_size: int
    new_size: int
    sectors: tuple[int, ...]
    """Addresses of the sectors that differ, or that only one image has."""
    parts: tuple[PartDiff, ...]

    @property
    def total_sectors(self) -> int:
        """Number of sectors of the larger image; a partial one at its end counts."""
        return -(-max(self.old_size, self.new_size) // SECTOR)

    @property
    def equal(self) -> bool:
        """Whether every byte is the same."""
        return not self.sectors and self.old_size == self.new_size


# Files

_PIECE = 1 << 16


class FileSide(NamedTuple):
    """A file on one of two sides; ``fault`` says why it cannot be read."""

    size: int
    open: Callable[[], BinaryIO]
    fault: str | None = None


def compare_files(
    old: Mapping[str, FileSide], new: Mapping[str, FileSide]
) -> tuple[FileDiff, ...]:
    """Return the files that differ, by path.

    Files of the same size are read up to the first byte that differs; errors of ``open`` are
    passed on.
    """
    diffs = [
        diff for path in old if path in new and (diff := _compare(path, old[path], new[path]))
    ]
    gone = {path: old[path] for path in old if path not in new}
    for path, side in new.items():
        if path in old:
            continue
        origin = next((at for at, other in gone.items() if _is_same(other, side)), None)
        if origin is None:
            diffs.append(FileDiff(path, Change.ADDED, None, side.size))
        else:
            diffs.append(FileDiff(path, Change.RENAMED, gone.pop(origin).size, side.size, origin))
    diffs += [FileDiff(path, Change.REMOVED, side.size, None) for path, side in gone.items()]
    return tuple(sorted(diffs, key=lambda diff: diff.path))


def _is_same(old: FileSide, new: FileSide) -> bool:
    """Return True if one file may be the other under a new name; empty files never are."""
    readable = old.fault is None and new.fault is None
    return bool(old.size) and old.size == new.size and readable and _first(old, new) is None


def _compare(path: str, old: FileSide, new: FileSide) -> FileDiff | None:
    if old.fault is not None or new.fault is not None:
        if old.fault == new.fault and old.size == new.size:
            return None
        which = "in both" if old.fault and new.fault else "here" if new.fault else "before"
        note = f"cannot be read {which}: {new.fault or old.fault}"
        return FileDiff(path, Change.CHANGED, old.size, new.size, note=note)
    first = _first(old, new)
    if first is None:
        return None
    return FileDiff(path, Change.CHANGED, old.size, new.size, first=first)


def _first(old: FileSide, new: FileSide) -> int | None:
    """Return the offset of the first byte that differs, or ``None``."""
    with old.open() as left, new.open() as right:
        at = 0
        while True:
            before, after = left.read(_PIECE), right.read(_PIECE)
            if before != after:
                pairs = enumerate(zip(before, after, strict=False))
                shorter = min(len(before), len(after))
                return at + next((i for i, (a, b) in pairs if a != b), shorter)
            if not before:
                return None
            at += len(before)
