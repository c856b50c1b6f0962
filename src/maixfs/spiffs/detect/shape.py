"""Find the name length, the meta length and the table alignment from the headers of files.

An area does not store them (docs/SPEC.md, section 3.2). But the table of a header must list the
pages that carry the file's object id and the right spans: that gives the size of the header, and
the start of the area. Names are padded with zeros: that separates the name from the meta.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import replace
from enum import Enum

from maixfs.spiffs import ondisk
from maixfs.spiffs.detect.dump import Census, Dump
from maixfs.spiffs.geometry import PRESETS, Geometry
from maixfs.tuples import NamedTuple

_LONGEST_HEADER = 512
_SPANS_COMPARED = 4
_LEAST_TABLE = 3
"""Bytes for one entry, and for the padding before it."""
_C_DEFAULT = (32, 0, False)
"""Name length, meta length and alignment of SPIFFS' own default configuration."""


class Source(Enum):
    """The evidence for a header layout."""

    TABLES = "tables of files"
    NAMES = "names of files"
    PRESET = "a preset"


class TableFit(NamedTuple):
    """The header size and start of the area with which most tables list the right pages."""

    header_size: int
    base: int
    files: int


class Layout(NamedTuple):
    """The layout of index headers."""

    name_length: int
    meta_length: int
    aligned_tables: bool
    source: Source


def fit_tables(
    dump: Dump, area: Geometry, census: Census, bases: Collection[int]
) -> TableFit | None:
    """Return the best fit of the files' tables, or ``None`` where no file has data.

    ``bases`` are the addresses at which the area may start.
    """
    weights: Counter[tuple[int, int]] = Counter()
    files: Counter[tuple[int, int]] = Counter()
    for page in _pages(dump, area, census):
        for fit, weight in _fits(area, census, page, bases).items():
            weights[fit] += weight
            files[fit] += 1
    if not weights:
        return None
    # A long file also fits with the area one block earlier, one block of entries later.
    header_size, base = min(weights, key=lambda fit: (-weights[fit], fit[0], -fit[1]))
    return TableFit(header_size, base, files[header_size, base])


def _pages(dump: Dump, area: Geometry, census: Census) -> list[bytes]:
    return [dump.bytes_at(header, area.page_size) for header in census.headers]


def _has_name(page: bytes) -> bool:
    name, zero, _ = page[ondisk.NAME_OFFSET :].partition(b"\0")
    return bool(name and zero) and page[ondisk.TYPE.offset] == ondisk.TYPE_FILE


def _fits(
    area: Geometry, census: Census, page: bytes, bases: Collection[int]
) -> dict[tuple[int, int], int]:
    """Return how many entries agree for each (header size, base) that this header allows."""
    obj_id = ondisk.U16.unpack_from(page)[0] & ~ondisk.ID_INDEX
    spans = [census.data.get((obj_id, span)) for span in range(_SPANS_COMPARED)]
    if spans[0] is None:
        return {}
    starts = {(spans[0] - base) // area.page_size: base for base in bases}
    fits = {}
    for offset in (ondisk.NAME_OFFSET + 1, ondisk.NAME_OFFSET + 2):
        words = _words(page, offset)
        for index, word in enumerate(words):
            if word in starts:
                base = starts[word]
                expected = [_entry(at, base, area) for at in spans]
                fits[offset + 2 * index, base] = _agreeing(words[index:], expected)
    return fits


def _entry(address: int | None, base: int, area: Geometry) -> int:
    return ondisk.PAGE_NONE if address is None else (address - base) // area.page_size


def _agreeing(words: array[int], expected: list[int]) -> int:
    return sum(word == entry for word, entry in zip(words, expected, strict=False))


def _words(page: bytes, offset: int) -> array[int]:
    return ondisk.u16_array(page[offset:_LONGEST_HEADER])


def read_layout(dump: Dump, area: Geometry, census: Census, header_size: int | None) -> Layout:
    """Return the layout that fits the headers; presets are preferred where several do."""
    pages = [page for page in _pages(dump, area, census) if _has_name(page)]
    least, most = _name_bounds(pages, header_size or area.page_size - _LEAST_TABLE)
    if header_size is not None:
        choices = list(_splits(header_size, least, most))
        if choices:
            usual = _nearest_presets(area)
            split = min(choices, key=lambda choice: _oddity(choice, usual, most))
            return Layout(*split, Source.TABLES)
    presets = [p for p in (*_nearest_presets(area), _C_DEFAULT) if _possible(p, area)]
    if not pages:
        return Layout(*presets[0], Source.PRESET)
    for preset in presets:
        if least <= preset[0] <= most <= preset[0] + 1 + preset[1]:
            return Layout(*preset, Source.NAMES)
    if most > 2 and (most - 1) & (most - 2) == 0 and least < most:
        return Layout(most - 1, 0, True, Source.NAMES)  # the table is aligned: one zero is padding
    return Layout(max(least, most), 0, False, Source.NAMES)


def _name_bounds(pages: list[bytes], end: int) -> tuple[int, int]:
    """Return the smallest and the largest possible length of the name field."""
    least, most = 1, max(1, end - ondisk.NAME_OFFSET)
    for page in pages:
        field = page[ondisk.NAME_OFFSET : end]
        name = field.find(b"\0")
        if name >= 0:
            least = max(least, name + 1)
            most = min(most, len(field) - len(field[name:].lstrip(b"\0")))
    return least, most


def _splits(header_size: int, least: int, most: int) -> Iterator[tuple[int, int, bool]]:
    """Yield each (name length, meta length, aligned) that gives this header size."""
    total = header_size - ondisk.NAME_OFFSET
    totals = [(total, False)] if header_size % 2 else [(total - 1, True), (total, False)]
    for size, aligned in totals:
        for name_length in range(least, min(size, most) + 1):
            yield name_length, size - name_length, aligned


def _oddity(
    choice: tuple[int, int, bool], nearest: list[tuple[int, int, bool]], most: int
) -> tuple[int, ...]:
    """Return a sort key: the smallest belongs to the likeliest layout."""
    name_length, meta_length, aligned = choice
    presets = [(p.name_length, p.meta_length) for p in PRESETS.values()]
    usual = [(n, m) for n, m, _ in nearest]
    pair = (name_length, meta_length)
    return (
        pair not in usual,
        pair not in presets,
        bool(meta_length) and name_length != most,
        name_length & (name_length - 1) != 0,
        meta_length,
        aligned,
    )


def _nearest_presets(area: Geometry) -> list[tuple[int, int, bool]]:
    """Return the layouts of the presets with this page size, the most similar first."""
    alike = [preset for preset in PRESETS.values() if preset.page_size == area.page_size]
    alike.sort(
        key=lambda preset: (
            preset.use_magic_length != area.use_magic_length,
            preset.block_size != area.block_size,
        )
    )
    return [(p.name_length, p.meta_length, p.aligned_tables) for p in alike]


def _possible(layout: tuple[int, int, bool], area: Geometry) -> bool:
    return ondisk.NAME_OFFSET + layout[0] + layout[1] + _LEAST_TABLE <= area.page_size


def with_layout(area: Geometry, layout: Layout) -> tuple[Geometry, str | None]:
    """Return the area with its header layout, and the name of the preset with that format."""
    whole = replace(
        area,
        name_length=layout.name_length,
        meta_length=layout.meta_length,
        aligned_tables=layout.aligned_tables,
    )
    for name, preset in PRESETS.items():
        if replace(whole, size=0, base=0) == replace(preset, size=0, base=0):
            return replace(preset, size=whole.size, base=whole.base), name
    return whole, None
