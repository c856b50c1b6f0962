"""How many pages files take in an area without garbage, and whether they fit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import repeat
from typing import NamedTuple

from maixfs.errors import UsageError
from maixfs.spiffs import ondisk
from maixfs.spiffs.errors import Code, SpiffsError, spiffs_error
from maixfs.spiffs.geometry import Geometry

MOST_FILES = ondisk.ID_INDEX - 2
"""Highest object id: 0x7FFF with the index bit would read as a free page."""
_LARGEST_SHOWN = 5


class FilePages(NamedTuple):
    """Pages of one file."""

    data_pages: int
    index_pages: int
    """The header included."""

    @property
    def total(self) -> int:
        """All pages."""
        return self.data_pages + self.index_pages


class Measured(NamedTuple):
    """A file that wants room: its name as stored, its size in bytes."""

    name: bytes
    size: int


def file_pages(size: int, geometry: Geometry) -> FilePages:
    """Return the pages that a file of ``size`` bytes takes."""
    data = -(-size // geometry.data_size)
    return FilePages(data, geometry.index_span(data - 1) + 1 if data else 1)


def pages_needed(sizes: Iterable[int], geometry: Geometry) -> int:
    """Return the pages that files of ``sizes`` bytes take together."""
    return sum(file_pages(size, geometry).total for size in sizes)


def page_capacity(geometry: Geometry, spare_blocks: int = 2) -> int:
    """Return the pages that can be taken while ``spare_blocks`` blocks stay empty."""
    return (geometry.blocks - spare_blocks) * geometry.usable_pages


def lay_out(files: list[Measured], geometry: Geometry, spare_blocks: int) -> list[FilePages]:
    """Return each file's pages.

    Raises ``FullError`` when they are too many, with the largest files in its hint, and
    ``UsageError`` for a number of spare blocks that the area does not have.
    """
    if not 0 <= spare_blocks < geometry.blocks:
        raise UsageError(f"{spare_blocks} spare blocks: the area has {geometry.blocks}")
    layout = [file_pages(file.size, geometry) for file in files]
    needed = sum(pages.total for pages in layout)
    if needed > page_capacity(geometry, spare_blocks):
        raise _does_not_fit(files, layout, page_capacity(geometry, spare_blocks), geometry)
    if len(files) > MOST_FILES:
        about = f"{len(files)} files: there are object ids for {MOST_FILES}"
        raise spiffs_error(Code.FULL, about)
    return layout


def owners(obj_id: int, pages: FilePages, geometry: Geometry) -> Iterator[int]:
    """Yield the look-up entries of a file: each index page, then the data pages it lists."""
    for index_span in range(pages.index_pages):
        yield obj_id | ondisk.ID_INDEX
        first, end = geometry.first_span(index_span), geometry.first_span(index_span + 1)
        yield from repeat(obj_id, min(end, pages.data_pages) - first)


def _does_not_fit(
    files: list[Measured], layout: list[FilePages], capacity: int, geometry: Geometry
) -> SpiffsError:
    needed = sum(pages.total for pages in layout)
    about = (
        f"{needed - capacity} pages of {geometry.page_size} bytes too many:"
        f" {len(files)} files need {needed}, {capacity} fit"
    )
    ranked = sorted(zip(files, layout, strict=True), key=lambda pair: (-pair[1].total, pair[0]))
    largest = ", ".join(
        f"{file.name.decode('utf-8', 'backslashreplace')} ({pages.total})"
        for file, pages in ranked[:_LARGEST_SHOWN]
    )
    return spiffs_error(Code.FULL, about, hint=f"the largest, in pages: {largest}")
