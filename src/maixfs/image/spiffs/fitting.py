"""Does it fit, and what to say where it does not."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from maixfs.image.errors import FitError
from maixfs.spiffs import Geometry, SpiffsCore
from maixfs.spiffs.pack import file_pages, pages_needed

Label = Callable[[bytes], str]
_LARGEST_SHOWN = 3


def free_pages(fs: SpiffsCore) -> int:
    """Return the pages that can be written, two blocks set aside; negative in those."""
    return fs.statvfs().free - 2 * fs.geometry.usable_pages


def check_fits(fs: SpiffsCore, sizes: Mapping[bytes, int], label: Label, host: str) -> None:
    """Raise ``FitError`` where files of these sizes (bytes, by stored name) can never fit.

    Garbage and the files that they replace count as free.
    """
    needed, free, deleted, replaced = _pages(fs, sizes)
    if needed > free + deleted + replaced:
        raise fit_error(fs, sizes, label, host)


def fit_error(fs: SpiffsCore, sizes: Mapping[bytes, int], label: Label, host: str) -> FitError:
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
    hint = f"maixfs gc {host} frees up to {deleted} pages"
    if missing > 0 or not deleted:
        largest = _largest(fs, fs.geometry, label)
        hint = f"{max(1, missing)} too many; the largest files, in pages: {largest}"
    return FitError(text, needed=needed, free=max(0, free), deleted=deleted, hint=hint)


def _pages(fs: SpiffsCore, sizes: Mapping[bytes, int]) -> tuple[int, int, int, int]:
    """Return the pages needed, free, deleted, and in the files that are replaced."""
    there = [fs.stat(name).size for name in sizes if fs.exists(name)]
    needed = pages_needed(sizes.values(), fs.geometry)
    return needed, free_pages(fs), fs.statvfs().deleted, pages_needed(there, fs.geometry)


def _largest(fs: SpiffsCore, geometry: Geometry, label: Label) -> str:
    files = sorted(fs.scandir(), key=lambda file: (-file.size, file.raw_name))
    return ", ".join(
        f"{label(file.raw_name)} ({file_pages(file.size, geometry).total})"
        for file in files[:_LARGEST_SHOWN]
    )
