"""Pools, tensors and sections, which all kinds of v5 have alike."""

from __future__ import annotations

from typing import NamedTuple

from maixfs.kmodel import ondisk
from maixfs.kmodel.model import Layer, Tensor
from maixfs.kmodel.names import V5_DATA, V5_DATATYPES, V5_LOCATIONS, named
from maixfs.kmodel.parts import MOST_RANK, MOST_SIDE
from maixfs.kmodel.reader import ModelReader

_MOST_BYTES = 1 << 24


class Pools(NamedTuple):
    """Memory of a module."""

    data: int
    """Bytes for intermediate results."""


class Section(NamedTuple):
    """A section of a module."""

    layer: Layer
    is_weights: bool
    """It is ``.rdata``; the others are code, or parts of it."""


def read_pools(reader: ModelReader, offset: int, count: int) -> Pools:
    """Return what a module's memory pools ask for."""
    data = 0
    for i, row in enumerate(reader.rows(ondisk.V5_POOL, offset, count, "memory pools")):
        pool = ondisk.V5Pool._make(row)
        reader.check("mempool.size", pool.size, offset + 8 * i + 4, 0, _MOST_BYTES)
        data += pool.size if pool.location == V5_DATA else 0
    return Pools(data)


def read_tensors(
    reader: ModelReader, offset: int, name: str, count: int
) -> tuple[tuple[Tensor, ...], int]:
    """Return so many inputs or outputs, and the offset behind them."""
    rows = list(reader.rows(ondisk.V5_RANGE, offset, count, f"{name}s"))
    place = offset + count * ondisk.V5_RANGE.size
    tensors = []
    for i, row in enumerate(rows):
        at = ondisk.V5Range._make(row)
        shape, place = _shape(reader, place)
        datatype, memory = (
            named(V5_DATATYPES, at.datatype),
            named(V5_LOCATIONS, at.memory_location),
        )
        tensors.append(Tensor(f"{name} {i}", datatype, shape, at.size, memory, at.start))
    return tuple(tensors), place


def _shape(reader: ModelReader, offset: int) -> tuple[tuple[int, ...], int]:
    (rank,) = reader.row(ondisk.V5_RANK, offset, "a shape")
    reader.check("rank", rank, offset, 0, MOST_RANK)
    first = offset + ondisk.V5_RANK.size
    sides = tuple(side for (side,) in reader.rows(ondisk.V5_RANK, first, rank, "a shape"))
    for axis, side in enumerate(sides):
        reader.check("shape", side, first + 4 * axis, 0, MOST_SIDE)
    return sides, first + 4 * rank


def read_sections(
    reader: ModelReader, offset: int, count: int, kind: str, end: int
) -> tuple[Section, ...]:
    """Return a module's sections; ``end`` is where the module ends."""
    sections, place = [], offset
    for _ in range(count):
        row = reader.take(place, ondisk.V5_SECTION.size, "a section")
        head = ondisk.V5Section._make(ondisk.V5_SECTION.unpack(row))
        name = head.name.rstrip(b"\0").decode("ascii", "replace")
        body, merged = place + ondisk.V5_SECTION.size, head.flags & ondisk.MERGED_INTO_RDATA
        if merged:
            at, following = head.body_start, body
        else:
            at, following = body + head.body_start, body + head.body_start + head.body_size
            if following > end:
                rule = f"its end 0x{following:X} is past the module's"
                raise reader.wrong("section.body_size", head.body_size, place + 24, rule)
        sections.append(Section(Layer(f"{kind} {name}", at, head.body_size), name == ".rdata"))
        place = following
    return tuple(sections)
