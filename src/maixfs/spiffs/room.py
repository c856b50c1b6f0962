"""Room in a SPIFFS, in pages: how much there is, and whether files fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.errors import FitError
from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from maixfs.spiffs.core import SpiffsCore
    from maixfs.spiffs.geometry import Geometry

    Label = Callable[[bytes], str]

_SPARE_BLOCKS = 2
_LARGEST_SHOWN = 3


class FilePages(NamedTuple):
    """Pages of one file."""

    data_pages: int
    index_pages: int
    """The header included."""

    @property
    def total(self) -> int:
        """All pages."""
        return self.data_pages + self.index_pages


def file_pages(size: int, geometry: Geometry) -> FilePages:
    """Return the pages that a file of ``size`` bytes takes."""
    data = -(-size // geometry.data_size)
    # An empty file has its header, and no page of data.
    return FilePages(data, geometry.index_span(data - 1) + 1 if data else 1)


def pages_needed(sizes: Iterable[int], geometry: Geometry) -> int:
    """Return the pages that files of ``sizes`` bytes take together."""
    return sum(file_pages(size, geometry).total for size in sizes)


class SpiffsRoom(NamedTuple):
    """Room in a file system, in pages; the two spare blocks are in none of the counts."""

    page_size: int
    block_size: int
    data_size: int
    """Bytes of a file that a page holds."""
    total_pages: int
    used_pages: int
    deleted_pages: int
    free_pages: int
    spare_blocks: int
    """Blocks in which nothing was written; the driver needs two."""
    files: int

    @property
    def total(self) -> int:
        """Bytes that files could take in an empty file system."""
        return self.total_pages * self.data_size

    @property
    def used(self) -> int:
        """Bytes that files take, in whole pages."""
        return self.used_pages * self.data_size

    @property
    def deleted(self) -> int:
        """Bytes that garbage collection can free."""
        return self.deleted_pages * self.data_size

    @property
    def free(self) -> int:
        """Bytes that can be written at once."""
        return self.free_pages * self.data_size

    def as_dict(self) -> dict[str, int]:
        """Return it all by name, in pages and in bytes."""
        sizes = {"total": self.total, "used": self.used, "deleted": self.deleted}
        return self._asdict() | sizes | {"free": self.free}


def room_of(fs: SpiffsCore) -> SpiffsRoom:
    """Return the room in a mounted file system."""
    state, geometry = fs.statvfs(), fs.geometry
    return SpiffsRoom(
        page_size=geometry.page_size,
        block_size=geometry.block_size,
        data_size=geometry.data_size,
        total_pages=state.pages - _SPARE_BLOCKS * geometry.usable_pages,
        used_pages=state.allocated,
        deleted_pages=state.deleted,
        free_pages=max(0, free_pages(fs)),
        spare_blocks=state.free_blocks,
        files=sum(1 for _ in fs.scandir()),
    )


def free_pages(fs: SpiffsCore) -> int:
    """Return the pages that can be written, two blocks set aside; negative inside those."""
    return fs.statvfs().free - _SPARE_BLOCKS * fs.geometry.usable_pages


def check_fits(fs: SpiffsCore, sizes: Mapping[bytes, int], label: Label) -> None:
    """Raise ``FitError`` if files of these sizes (bytes, by stored name) can never fit.

    Deleted pages and those of the files that are replaced count as free.
    """
    needed, free, deleted, replaced = _pages(fs, sizes)
    if needed > free + deleted + replaced:
        raise fit_error(fs, sizes, label)


def fit_error(fs: SpiffsCore, sizes: Mapping[bytes, int], label: Label) -> FitError:
    """Return the error that says how many pages are needed, and how many there are."""
    needed, free, deleted, replaced = _pages(fs, sizes)
    if len(sizes) == 1:
        text = f"{label(next(iter(sizes)))} does not fit: needs"
    else:
        text = f"{len(sizes)} files do not fit: they need"
    text += f" {needed} {'page' if needed == 1 else 'pages'}"
    text += f", {max(0, free)} {'is' if free == 1 else 'are'} free"
    text += f", {replaced} more in what is replaced" if replaced else ""
    text += f", {deleted} more hold deleted data" if deleted else ""
    missing = needed - max(0, free) - deleted - replaced
    hint = f"garbage collection frees up to {deleted} pages"
    if missing > 0 or not deleted:
        largest = _largest(fs, label)
        hint = f"{max(1, missing)} too many; the largest files, in pages: {largest}"
    return FitError(text, needed=needed, free=max(0, free), deleted=deleted, hint=hint)


def _pages(fs: SpiffsCore, sizes: Mapping[bytes, int]) -> tuple[int, int, int, int]:
    """Return the pages needed, free, deleted, and in the files that are replaced."""
    there = [fs.stat(name).size for name in sizes if fs.exists(name)]
    needed = pages_needed(sizes.values(), fs.geometry)
    return needed, free_pages(fs), fs.statvfs().deleted, pages_needed(there, fs.geometry)


def _largest(fs: SpiffsCore, label: Label) -> str:
    files = sorted(fs.scandir(), key=lambda file: (-file.size, file.raw_name))
    return ", ".join(
        f"{label(file.raw_name)} ({file_pages(file.size, fs.geometry).total})"
        for file in files[:_LARGEST_SHOWN]
    )
