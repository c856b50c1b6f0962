"""Does it fit on a card, and what to say where it does not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from maixfs.errors import FitError
from maixfs.image.fat.catalog import FatCatalog

LARGEST_FILE = 0xFFFFFFFF
"""Bytes of a file on FAT at most."""
_LARGEST_SHOWN = 3


class Need(NamedTuple):
    """What files take, in clusters."""

    needed: int
    free: int
    replaced: int
    """In the files that they replace."""

    @property
    def fits(self) -> bool:
        """Whether there is room."""
        return self.needed <= self.free + self.replaced


def fit_error(
    need: Need, sizes: Mapping[str, int], cluster_size: int, catalog: FatCatalog
) -> FitError:
    """Return the error that says how many clusters are needed, and how many there are."""
    if len(sizes) == 1:
        text = f"{next(iter(sizes))} does not fit: needs"
    else:
        text = f"{len(sizes)} files do not fit: they need"
    text += f" {need.needed} {'cluster' if need.needed == 1 else 'clusters'}"
    text += f" of {cluster_size} bytes, {need.free} {'is' if need.free == 1 else 'are'} free"
    text += f", {need.replaced} more in what is replaced" if need.replaced else ""
    missing = max(1, need.needed - need.free - need.replaced)
    hint = f"{missing} too many; {_largest(catalog)}"
    return FitError(text, needed=need.needed, free=need.free, deleted=0, hint=hint)


def too_large(path: str, size: int) -> FitError:
    """Return the error for a file that FAT cannot hold at all."""
    return FitError(
        f"{path} has {size} bytes, a file on FAT at most {LARGEST_FILE}",
        needed=size,
        free=LARGEST_FILE,
        deleted=0,
        hint="split it",
    )


def _largest(catalog: FatCatalog) -> str:
    files = [entry for entry in catalog.below(catalog.mount) if not entry.is_dir]
    files.sort(key=lambda entry: (-entry.units, entry.path))
    names = ", ".join(f"{entry.path} ({entry.units})" for entry in files[:_LARGEST_SHOWN])
    return f"the largest files, in clusters: {names}" if names else "take a larger card"
