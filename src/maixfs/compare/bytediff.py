"""Which bytes of two images differ: sectors as slices, then byte by byte within those."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from maixfs.compare.differences import Range

SECTOR = 0x1000
_PIECE = 0x40000
_RUN = re.compile(rb"[^\0]+")
_NEAR = 8
"""Equal bytes between two ranges that do not divide them for a reader."""


def differing_sectors(old: memoryview, new: memoryview) -> Iterator[int]:
    """Yield the address of each sector that differs or that only one image has."""
    size = max(len(old), len(new))
    for start in range(0, size, _PIECE):
        first, second = bytes(old[start : start + _PIECE]), bytes(new[start : start + _PIECE])
        if first == second:
            continue
        for at in range(0, max(len(first), len(second)), SECTOR):
            if first[at : at + SECTOR] != second[at : at + SECTOR]:
                yield start + at


def count_differing(
    old: memoryview, new: memoryview, sectors: Iterable[int], start: int, end: int
) -> int:
    """Return how many bytes between two addresses differ; what only one image has counts.

    ``sectors`` are those that differ.
    """
    count = 0
    for sector in sectors:
        first = max(start, sector)
        size = min(end, sector + SECTOR) - first
        if size > 0:
            count += size - _mask(old, new, first, size).count(0)
    return count


def find_ranges(
    old: memoryview, new: memoryview, sectors: Iterable[int], start: int, end: int
) -> Iterator[Range]:
    """Yield the ranges of bytes between two addresses that differ, by address.

    ``sectors`` are those that differ; ranges with few equal bytes between them become one.
    """
    pending: Range | None = None
    for found in _runs(old, new, sectors, start, end):
        if pending and found.start - (pending.start + pending.size) <= _NEAR:
            pending = Range(pending.start, found.start + found.size - pending.start)
            continue
        if pending:
            yield pending
        pending = found
    if pending:
        yield pending


def _runs(
    old: memoryview, new: memoryview, sectors: Iterable[int], start: int, end: int
) -> Iterator[Range]:
    for sector in sectors:
        first, behind = max(start, sector), min(end, sector + SECTOR)
        if first < behind:
            for run in _RUN.finditer(_mask(old, new, first, behind - first)):
                yield Range(first + run.start(), run.end() - run.start())


def _mask(old: memoryview, new: memoryview, start: int, size: int) -> bytes:
    """Return a byte for each of ``size`` bytes: zero where both are the same.

    Where only one image has bytes they count as different.
    """
    first, second = bytes(old[start : start + size]), bytes(new[start : start + size])
    common = min(len(first), len(second))
    mixed = int.from_bytes(first[:common], "big") ^ int.from_bytes(second[:common], "big")
    alone = max(len(first), len(second)) - common
    return (mixed.to_bytes(common, "big") + b"\1" * alone).ljust(size, b"\0")
