"""Two sets of files: which were added, removed, changed, renamed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import BinaryIO, NamedTuple

from maixfs.compare.differences import Change, FileDiff

_PIECE = 1 << 16


class FileSide(NamedTuple):
    """A file on one of two sides; ``fault`` says why it cannot be read."""

    size: int
    open: Callable[[], BinaryIO]
    fault: str | None = None


def compare_files(
    old: Mapping[str, FileSide], new: Mapping[str, FileSide]
) -> tuple[FileDiff, ...]:
    """Return the files that are not the same on both sides, by path.

    Files of the same size are read until a byte differs; what ``open`` raises is passed on.
    """
    found = [
        diff for path in old if path in new and (diff := _compare(path, old[path], new[path]))
    ]
    gone = {path: old[path] for path in old if path not in new}
    for path, side in new.items():
        if path in old:
            continue
        origin = next((at for at, other in gone.items() if _is_same(other, side)), None)
        if origin is None:
            found.append(FileDiff(path, Change.ADDED, None, side.size))
        else:
            found.append(FileDiff(path, Change.RENAMED, gone.pop(origin).size, side.size, origin))
    found += [FileDiff(path, Change.REMOVED, side.size, None) for path, side in gone.items()]
    return tuple(sorted(found, key=lambda diff: diff.path))


def _is_same(old: FileSide, new: FileSide) -> bool:
    """Tell whether one file may be the other under a new name; empty ones are no proof."""
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
    """Return the first byte that differs, ``None`` where none does."""
    with old.open() as left, new.open() as right:
        at = 0
        while True:
            one, other = left.read(_PIECE), right.read(_PIECE)
            if one != other:
                pairs = enumerate(zip(one, other, strict=False))
                shorter = min(len(one), len(other))
                return at + next((i for i, (a, b) in pairs if a != b), shorter)
            if not one:
                return None
            at += len(one)
