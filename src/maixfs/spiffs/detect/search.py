"""Find areas by the magics of their blocks, or, without magic, by their look-up entries.

A magic with length holds the number of blocks from its block to the end of the area, so all
magics of an area give the same end. Magics without length are all equal. Without magic, a block
may start where its first look-up entry and the first object page carry the same object id.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import groupby, pairwise

from maixfs.nor.device import is_filled
from maixfs.spiffs import ondisk
from maixfs.spiffs.detect.dump import BLANK, SECTOR, Dump, block_agreement, frame
from maixfs.spiffs.geometry import PRESETS, Geometry
from maixfs.tuples import NamedTuple

PAGE_SIZES = tuple(64 << shift for shift in range(9))
"""64 bytes to 16 KiB."""
STRIDES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
"""Block sizes in sectors: 4 KiB to 1 MiB."""
_MOST_PAGES = 0xFFFF
_MOST_ENDS = 16


class Marked(NamedTuple):
    """An area that was found by its magics."""

    magics: int
    """How many of its magics were found."""
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
        """Return the most blocks of ``stride`` sectors that an area can have."""
        return _MOST_PAGES * self.page_size // (stride * SECTOR)


@cache
def rasters(*, magic: bool = True) -> tuple[Raster, ...]:
    """Return every page size with its block sizes; with ``magic`` only those with room for it."""
    shapes = []
    for page_size in PAGE_SIZES:
        areas = [(stride, frame(0, 3, stride * SECTOR, page_size)) for stride in STRIDES]
        usable = [
            (stride, area) for stride, area in areas if area and (area.magic_possible or not magic)
        ]
        for _, group in groupby(usable, key=lambda pair: pair[1].magic_offset):
            alike = list(group)
            shapes.append(Raster(alike[0][1], tuple(stride for stride, _ in alike)))
    return tuple(shapes)


def find_whole(dump: Dump) -> Geometry | None:
    """Return the area that fills the image, where it is shaped as a preset and has all magics."""
    for preset in PRESETS.values():
        if not preset.use_magic_length or dump.size % preset.block_size:
            continue
        area = frame(0, dump.size // preset.block_size, preset.block_size, preset.page_size)
        if area is not None:
            words = dump.words[area.magic_offset // 2 :: area.block_size // 2].tolist()
            if words == [*map(area.magic, range(area.blocks))]:
                return area
    return None


def find_marked(dump: Dump) -> list[Marked]:
    """Return the areas found by magics, those with most magics first."""
    if is_filled(dump.view):
        return []  # most gaps of a flash are erased
    areas = [*_with_length(dump), *_without_length(dump)]
    return sorted(areas, key=lambda marked: (-marked.magics, marked.area.base))


def _with_length(dump: Dump) -> Iterator[Marked]:
    for raster in rasters():
        most, plain = raster.most_blocks(raster.strides[0]), raster.plain_magic
        column = dump.column(raster.magic_offset)
        # Blank words are left out by the limit: no area has that many blocks. Distinct words come
        # first, because in most of a dump there are few.
        possible = {
            word: blocks for word in set(column) if word and 0 < (blocks := word ^ plain) <= most
        }
        left = (
            {sector: possible[word] for sector, word in enumerate(column) if word in possible}
            if possible
            else {}
        )
        # Words that are a magic by chance hardly ever have the number of a block that follows.
        numbers = set(left.values())
        followed = [
            (sector, blocks)
            for sector, blocks in left.items()
            if blocks - 1 in numbers or blocks - 2 in numbers
        ]
        for stride in raster.strides if followed else ():
            yield from _ends(left, followed, raster, stride, dump)


def _ends(
    left: dict[int, int],
    followed: list[tuple[int, int]],
    raster: Raster,
    stride: int,
    dump: Dump,
) -> Iterator[Marked]:
    """Yield an area for each end on which two blocks agree that are one or two strides apart.

    ``left`` is the number of blocks up to the end, by sector, where a word can be a magic;
    ``followed`` are those of which one or two less occurs too.
    """
    most, other = raster.most_blocks(stride), left.get
    votes = Counter(
        sector + stride * blocks
        for sector, blocks in followed
        if blocks <= most
        and (other(sector + stride) == blocks - 1 or other(sector + 2 * stride) == blocks - 2)
    )
    for end, count in votes.most_common(_MOST_ENDS):
        members = sorted(n for sector, n in left.items() if sector + stride * n == end)
        # In a big dump one pair can be chance; hardly so if both numbers are this low.
        if count < 2 and members[-1] > 4:
            continue
        unseen = max(0, (end * SECTOR - dump.size) // (stride * SECTOR))
        blocks = _dense_top(members, unseen)
        area = frame((end - stride * blocks) * SECTOR, blocks, stride * SECTOR, raster.page_size)
        if area:
            yield Marked(sum(n <= blocks for n in members), area)


def _dense_top(members: list[int], unseen: int) -> int:
    """Return the highest number of blocks of which at least half have a magic.

    The last ``unseen`` blocks are past the end of the image and count as if they had one.
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
    """Return rows of sectors that are ``stride`` apart; up to two in a row may be missing."""
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


_BLOCKS_COMPARED = 16
_LEAST_BLOCKS = 3


class _Sown(NamedTuple):
    """Sectors at which blocks of this raster may start."""

    raster: Raster
    starts: list[int]


def find_unmarked(dump: Dump) -> list[Geometry]:
    """Return areas without magic that hold files, the likeliest first."""
    grown = [pair for sown in _sow(dump) for pair in _grow(dump, sown)]
    return [area for _, area in sorted(grown, key=lambda pair: -pair[0])]


def _sow(dump: Dump) -> Iterator[_Sown]:
    entries = dump.column(0)
    for raster in rasters(magic=False):
        page = raster.magic_offset + ondisk.BlockSignature.size
        columns = zip(entries, dump.column(page), strict=False)
        alike = [s for s, (entry, obj_id) in enumerate(columns) if entry == obj_id]
        used = [s for s in alike if entries[s] not in (ondisk.ID_DELETED, ondisk.ID_FREE)]
        if used:
            # Shorter than the other columns where the image ends in the middle of a page header.
            flags = dump.column(page + ondisk.FLAGS_OFFSET)
            whole = (s for s in used if s < len(flags))
            starts = [s for s in whole if flags[s] & 0xFF == _flags_of(entries[s])]
            yield _Sown(raster, starts)


def _flags_of(entry: int) -> int:
    return ondisk.FLAGS_INDEX if entry & ondisk.ID_INDEX else ondisk.FLAGS_DATA


def _grow(dump: Dump, sown: _Sown) -> Iterator[tuple[int, Geometry]]:
    """Yield (score, area) for each possible block size."""
    for stride in sown.raster.strides if sown.starts else ():
        (residue, _), *_ = Counter(start % stride for start in sown.starts).most_common(1)
        starts = [start for start in sown.starts if start % stride == residue]
        blocks = max(_LEAST_BLOCKS, (starts[-1] - starts[0]) // stride + 1)
        base, block_size = starts[0] * SECTOR, stride * SECTOR
        area = frame(base, blocks, block_size, sown.raster.page_size, magic=False)
        if area:
            probed = [start * SECTOR for start in starts[:_BLOCKS_COMPARED]]
            score = sum(block_agreement(dump, area, address) for address in probed)
            if score > 0:
                yield score + _row(dump, area), area


def _row(dump: Dump, area: Geometry) -> int:
    """Return the number of formatted blocks after the first one; used blocks may lie between."""
    formatted = 0
    for block in range(1, _BLOCKS_COMPARED):
        address = area.base + block * area.block_size
        if is_formatted(dump, area, address):
            formatted += 1
        elif dump.bytes_at(address, 2) in (b"", b"\xff\xff"):
            break
    return formatted


def find_formatted(dump: Dump) -> list[Geometry]:
    """Return the areas without magic and without files: rows of blocks with an erase count only.

    Several page sizes have the erase count at the same place; those of presets come first.
    """
    usual = [preset.page_size for preset in PRESETS.values()]
    areas = [area for raster in rasters(magic=False) for area in _formatted(dump, raster)]
    return sorted(areas, key=lambda a: (-a.blocks, a.page_size not in usual, a.page_size))


def _formatted(dump: Dump, raster: Raster) -> Iterator[Geometry]:
    columns = (dump.column(raster.magic_offset + offset) for offset in (0, 2))
    blank = zip(dump.column(0), *columns, strict=False)
    counted = [s for s, words in enumerate(blank) if words[0] == words[1] == BLANK != words[2]]
    blocks = [s for s in counted if is_formatted(dump, raster.smallest, s * SECTOR)]
    steps = {after - before for before, after in pairwise(blocks)}
    if len(blocks) < _LEAST_BLOCKS or len(steps) != 1 or not steps <= set(raster.strides):
        return
    size = steps.pop() * SECTOR
    area = frame(blocks[0] * SECTOR, len(blocks), size, raster.page_size, magic=False)
    if area:
        written = area.size - dump.bytes_at(area.base, area.size).count(0xFF)
        if written <= 2 * len(blocks):
            yield area


_BLOCKS_LOST = 2
"""Blocks before the first magic to which tables may still refer."""
_HIGHEST_ERASE_COUNT = 0x7FFF


def possible_starts(area: Geometry) -> list[int]:
    """Return the addresses at which the area may start."""
    most = _BLOCKS_LOST if area.use_magic else area.base // area.block_size
    starts = (area.base - k * area.block_size for k in range(most + 1))
    return [start for start in starts if start >= 0]


def fix_bounds(dump: Dump, area: Geometry, start: int | None) -> Geometry:
    """Return the area from ``start`` if tables give one, else from its likely start."""
    if start is None:
        start = _likely_start(dump, area)
    end = _likely_end(dump, area, start)
    most = start + 0xFFFF * area.page_size // area.block_size * area.block_size
    return replace(area, base=start, size=min(end, most) - start)


def _likely_start(dump: Dump, area: Geometry) -> int:
    before = area.base - area.block_size
    if area.use_magic:
        has_block = before >= 0 and _is_block(dump, area, before)
        return before if has_block else _usual_start(dump, area)
    while before >= 0 and _is_block(dump, area, before):
        before -= area.block_size
    return before + area.block_size


def _usual_start(dump: Dump, area: Geometry) -> int:
    """Return the start of an area whose first block was erased completely.

    Only its place shows that the block belongs to the area: the image holds nothing else, or
    the area is where a preset has it.
    """
    before = area.base - area.block_size
    whole = before == 0 and dump.size - area.base - area.size < area.block_size
    place = (before, area.size + area.block_size)
    usual = any(place == (preset.base, preset.size) for preset in PRESETS.values() if preset.base)
    return before if whole or usual else area.base


def _likely_end(dump: Dump, area: Geometry, start: int) -> int:
    end = area.base + area.size
    if area.use_magic_length:
        return end
    rest = dump.size - end
    if start == 0 and (not area.use_magic or rest < 2 * area.block_size):
        return max(end, dump.size - dump.size % area.block_size)
    if area.use_magic:
        # A used block may belong to the next area; and the C mounts with one bad magic at most.
        return end + area.block_size if is_formatted(dump, area, end) else end
    while _is_block(dump, area, end):
        end += area.block_size
    return end


def _is_block(dump: Dump, area: Geometry, address: int) -> bool:
    """Return whether a block of the area can be at ``address``, whatever its magic."""
    return is_formatted(dump, area, address) or block_agreement(dump, area, address) > 0


def is_formatted(dump: Dump, area: Geometry, address: int) -> bool:
    """Return whether the look-up pages of a block hold nothing but an erase count."""
    length = area.magic_offset + ondisk.BlockSignature.size
    lookup = dump.bytes_at(address, length)
    if len(lookup) < length:
        return False
    before_count = area.magic_offset + ondisk.ERASE_COUNT.offset
    (count,) = ondisk.ERASE_COUNT.unpack(lookup, area.magic_offset)
    blank = lookup[:before_count].count(0xFF) == before_count
    return blank and bool(count <= _HIGHEST_ERASE_COUNT)
