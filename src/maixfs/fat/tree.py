"""Whole trees: walking and removing them, for tools of the host."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from maixfs.fat.errors import FatError, FResult, fat_error
from maixfs.fat.follow import find_directory, find_named, shown
from maixfs.fat.ondisk import Attribute
from maixfs.fat.operations import parent_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maixfs.fat.directory import Directory
    from maixfs.fat.entries import FatEntry, Item
    from maixfs.fat.follow import Path
    from maixfs.fat.volume import Volume

_READ_ONLY = int(Attribute.READ_ONLY)


def walk(volume: Volume, path: Path) -> Iterator[tuple[str, FatEntry]]:
    """Yield path and entry of everything below a folder, folders before what they hold.

    A folder that was met before is not entered again. Raises ``INT_ERR`` where a folder is
    damaged, after what could be read of it.
    """
    volume.check_mounted()
    top = find_directory(volume, path)
    base = shown(path).replace("\\", "/").rstrip("/")
    seen = {top.cluster}
    stack = [(base, top.list_entries())]
    while stack:
        base, entries = stack[-1]
        entry = next(entries, None)
        if entry is None:
            stack.pop()
            continue
        name = f"{base}/{entry.name}"
        yield name, entry
        volume.check_mounted()
        if entry.is_dir and entry.cluster not in seen:
            seen.add(entry.cluster)
            stack.append((name, volume.directory(entry.cluster).list_entries()))


def remove_tree(volume: Volume, path: Path) -> int:
    """Remove a file, or a folder with everything in it; returns how many entries that were.

    All is looked at before anything changes: raises ``DENIED`` where something is read-only or
    the current directory. Damage in the tree stops nothing; what cannot be reached is left to
    a check of the volume. Files that are open live on for those who have them open.
    """
    volume.check_writable()
    directory, item = find_named(volume, path)
    found = _gather(volume, directory, item, shown(path))
    directory.remove(item)
    try:
        for holder, inner in found:
            _let_go(volume, inner, holder.entry(inner))
    finally:
        volume.flush()
    return len(found)


def _gather(
    volume: Volume, directory: Directory, item: Item, about: str
) -> list[tuple[Directory, Item]]:
    """Return an entry and everything below it; raises ``DENIED``."""
    found = [(directory, item)]
    seen = _above(volume, directory.cluster)
    for holder, inner in found:  # grows while it is gone through
        entry = holder.entry(inner)
        if entry.attributes & _READ_ONLY:
            raise fat_error(FResult.DENIED, about, f"{entry.name} is read-only")
        if not entry.is_dir or entry.cluster in seen:
            continue
        if entry.cluster == volume.cwd:
            raise fat_error(FResult.DENIED, about, f"{entry.name} is the current directory")
        seen.add(entry.cluster)
        with suppress(FatError):
            below = volume.directory(entry.cluster)
            found.extend((below, other) for other in below.list_items())
    return found


def _above(volume: Volume, cluster: int) -> set[int]:
    """Return a folder and those above it, as far as they can be found."""
    seen = {0, volume.geometry.root_cluster}
    with suppress(FatError):
        while cluster not in seen:
            seen.add(cluster)
            cluster = parent_of(volume, cluster)
    return seen


def _let_go(volume: Volume, item: Item, entry: FatEntry) -> None:
    """Free what an entry has, unless it is open."""
    if item.node is not None:
        item.node.orphan()
        return
    if entry.is_dir:
        volume.forget_directory(entry.cluster)
    if entry.cluster:
        with suppress(FatError):
            volume.allocator.free_chain(entry.cluster)
