"""Find areas by the magics of their blocks (docs/SPEC.md, section 2).

With length, the magic of a block tells how many blocks there are from it to the end of its
area: all magics of an area point at the same end. Without length they are all alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import groupby
from typing import NamedTuple

from maixfs.spiffs import ondisk
from maixfs.spiffs.detect.dump import SECTOR, Dump, frame
from maixfs.spiffs.geometry import Geometry

PAGE_SIZES = tuple(64 << shift for shift in range(9))
"""64 bytes to 16 KiB."""
STRIDES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
"""Block sizes in sectors: 4 KiB to 1 MiB."""
_MOST_PAGES = 0xFFFF
_MOST_ENDS = 16


class Marked(NamedTuple):
    """An area that magics point out."""

    magics: int
    """How many of its magics were seen."""
    area: Geometry


class Raster(NamedTuple):
    """Block sizes, in sectors, whose blocks have their magic at the same offset."""

    smallest: Geometry
    """Three blocks of the first of the sizes."""
    strides: tuple[int, ...]

    @property
    def page_size(self) -> int:
        """Page size in bytes."""
        return self.smallest.page_size

    @property
    def magic_offset(self) -> int:
        """Offset of the magic in every block."""
        return self.smallest.magic_offset

    @property
    def plain_magic(self) -> int:
        """The magic without length."""
        return (ondisk.MAGIC ^ self.page_size) & 0xFFFF

    def most_blocks(self, stride: int) -> int:
        """Return how many blocks of ``stride`` sectors an area can have at most."""
        return _MOST_PAGES * self.page_size // (stride * SECTOR)


@cache
def rasters(*, magic: bool = True) -> tuple[Raster, ...]:
    """Return every page size with its block sizes; with magic only where it has room."""
    found = []
    for page_size in PAGE_SIZES:
        areas = [(stride, frame(0, 3, stride * SECTOR, page_size)) for stride in STRIDES]
        usable = [
            (stride, area) for stride, area in areas if area and (area.magic_possible or not magic)
        ]
        for _, group in groupby(usable, key=lambda pair: pair[1].magic_offset):
            alike = list(group)
            found.append(Raster(alike[0][1], tuple(stride for stride, _ in alike)))
    return tuple(found)


def find_marked(dump: Dump) -> list[Marked]:
    """Return the areas that magics point out, the ones with most magics first."""
    found = [*_with_length(dump), *_without_length(dump)]
    return sorted(found, key=lambda marked: (-marked.magics, marked.area.base))


def _with_length(dump: Dump) -> Iterator[Marked]:
    for raster in rasters():
        most, plain = raster.most_blocks(raster.strides[0]), raster.plain_magic
        # Blank words drop out by themselves: no area has so many blocks.
        left = {
            sector: blocks
            for sector, word in enumerate(dump.column(raster.magic_offset))
            if word and 0 < (blocks := word ^ plain) <= most
        }
        for stride in raster.strides if len(left) > 1 else ():
            yield from _ends(left, raster, stride, dump)


def _ends(left: dict[int, int], raster: Raster, stride: int, dump: Dump) -> Iterator[Marked]:
    """Yield an area for each end at which neighbours, or those next but one, agree.

    ``left`` has the blocks left to the end, by sector, where the word there is a magic.
    """
    most, other = raster.most_blocks(stride), left.get
    votes = Counter(
        sector + stride * blocks
        for sector, blocks in left.items()
        if blocks <= most
        and (other(sector + stride) == blocks - 1 or other(sector + 2 * stride) == blocks - 2)
    )
    for end, count in votes.most_common(_MOST_ENDS):
        members = sorted(n for sector, n in left.items() if sector + stride * n == end)
        # One pair is chance in a big dump, but not when both numbers are this low.
        if count < 2 and members[-1] > 4:
            continue
        unseen = max(0, (end * SECTOR - dump.size) // (stride * SECTOR))
        blocks = _dense_top(members, unseen)
        area = frame((end - stride * blocks) * SECTOR, blocks, stride * SECTOR, raster.page_size)
        if area:
            yield Marked(sum(n <= blocks for n in members), area)


def _dense_top(members: list[int], unseen: int) -> int:
    """Return the highest member with at least half of the places under it taken.

    The lowest ``unseen`` places lie behind the end of the image.
    """
    dense = [n for rank, n in enumerate(members, 1) if 2 * rank >= n - unseen]
    return dense[-1] if dense else members[0]


def _without_length(dump: Dump) -> Iterator[Marked]:
    for raster in rasters():
        plain = raster.plain_magic
        column = dump.column(raster.magic_offset)
        if column.count(plain) < 2:
            continue
        hits = {sector for sector, word in enumerate(column) if word == plain}
        for stride in raster.strides:
            for run in _runs(hits, stride):
                blocks = (run[-1] - run[0]) // stride + 1
                start, block_size = run[0] * SECTOR, stride * SECTOR
                area = frame(start, blocks, block_size, raster.page_size, length=False)
                if area and 3 * len(run) > 2 * blocks:
                    hits.difference_update(run)
                    yield Marked(len(run), area)


def _runs(hits: set[int], stride: int) -> list[list[int]]:
    """Return the rows of sectors that are ``stride`` apart, two missing in a row at most."""
    runs: list[list[int]] = []
    for sector in sorted(hits, key=lambda hit: (hit % stride, hit)):
        if (
            runs
            and 0 < sector - runs[-1][-1] <= 3 * stride
            and (sector - runs[-1][0]) % stride == 0
        ):
            runs[-1].append(sector)
        else:
            runs.append([sector])
    return [run for run in runs if len(run) > 1]
