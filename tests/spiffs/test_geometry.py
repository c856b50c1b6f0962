"""Geometries: derived numbers, and numbers that contradict each other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from maixfs.errors import UsageError
from maixfs.spiffs import PRESETS, Geometry, GeometryError
from spiffs.geometries import GEOMETRIES

MAIXPY, IDF = PRESETS["maixpy"], PRESETS["esp-idf"].with_size(0x100000)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"page_size": 0}, "a size is 0 or negative"),
        ({"block_size": -0x1000}, "a size is 0 or negative"),
        ({"erase_size": 0}, "a size is 0 or negative"),
        ({"name_length": 0}, "a size is 0 or negative"),
        ({"meta_length": -1}, "a size is 0 or negative"),
        ({"size": -1}, "a size is 0 or negative"),
        ({"base": -0x1000}, "a size is 0 or negative"),
        ({"page_size": 32}, "page size 32 is under 64 bytes"),
        ({"page_size": 0x1000}, "block size 0x1000 is not two or more pages of 0x1000"),
        ({"page_size": 0x180}, "block size 0x1000 is not two or more pages of 0x180"),
        ({"block_size": 0x1800}, "block size 0x1800 is not a multiple of the erase size 0x1000"),
        ({"size": 0x100800}, "area size 0x100800 is not a multiple of the block size 0x1000"),
        ({"size": 0x2000}, "area size 0x2000 is under three blocks of 0x1000"),
        ({"size": 0x1000000}, "area size 0x1000000 has more than 65535 pages of 0x100"),
        ({"name_length": 240}, r"name and meta \(240 \+ 4\) fill a page of 0x100"),
        ({"meta_length": 210}, r"name and meta \(32 \+ 210\) fill a page of 0x100"),
        ({"base": 0x800}, "base 0x800 is not at an erase unit"),
    ],
)
def test_contradictory_geometries_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(GeometryError, match=message) as caught:
        replace(IDF, **changes)
    assert isinstance(caught.value, UsageError)


def test_extreme_geometries_are_allowed() -> None:
    assert replace(IDF, size=0x3000).blocks == 3
    assert replace(IDF, size=0xFFF000).pages == 0xFFF0
    assert replace(IDF, name_length=237).header_entries == 1
    assert IDF.with_size(0).blocks == 0


@pytest.mark.parametrize(
    ("geometry", "blocks", "per_block", "lookup", "data", "header", "entries", "more"),
    [
        (MAIXPY, 24, 32, 1, 4091, 142, 1977, 2044),
        (IDF, 256, 16, 1, 251, 49, 103, 124),
        (replace(IDF, aligned_tables=True), 256, 16, 1, 251, 50, 103, 124),
        (PRESETS["esp8266"], 128, 32, 1, 251, 46, 105, 124),
        (Geometry(0x200000, 0x10000, 256, erase_size=0x10000), 32, 256, 2, 251, 45, 105, 124),
        (Geometry(0x200000, 0x20000, 256), 16, 512, 4, 251, 45, 105, 124),
    ],
)
def test_derived_numbers_are_right(
    geometry: Geometry,
    blocks: int,
    per_block: int,
    lookup: int,
    data: int,
    header: int,
    entries: int,
    more: int,
) -> None:
    assert (geometry.blocks, geometry.pages_per_block) == (blocks, per_block)
    assert (geometry.lookup_pages, geometry.usable_pages) == (lookup, per_block - lookup)
    assert (geometry.data_size, geometry.header_size) == (data, header)
    assert (geometry.header_entries, geometry.index_entries) == (entries, more)
    assert geometry.magic_offset == lookup * geometry.page_size - 4


@pytest.mark.parametrize("name", GEOMETRIES)
def test_every_data_span_has_one_index_slot(name: str) -> None:
    g = GEOMETRIES[name]
    spans = range(g.header_entries + 3 * g.index_entries)
    places = [(g.index_span(span), g.index_slot(span)) for span in spans]
    assert len(set(places)) == len(places)
    assert places == sorted(places)
    assert places[-1] == (3, g.page_size - 2 - g.page_size % 2)
    assert {g.first_span(index) for index, _ in places} == {
        span for span in spans if span == 0 or places[span][0] != places[span - 1][0]
    }


@pytest.mark.parametrize("name", GEOMETRIES)
def test_look_up_pages_hold_their_entries(name: str) -> None:
    g = GEOMETRIES[name]
    lookups = [page for page in range(g.pages) if g.is_lookup_page(page)]
    assert len(lookups) == g.blocks * g.lookup_pages
    assert g.page_address(g.pages) == g.base + g.size


def test_magic_depends_on_page_size_and_block() -> None:
    assert [MAIXPY.magic(0), MAIXPY.magic(23)] == [0x1531, 0x1528]
    assert IDF.magic(0) == 0x0529
    assert PRESETS["esp8266"].magic(0) == PRESETS["esp8266"].magic(99) == 0x0429


def test_tool_flags_describe_the_geometry() -> None:
    assert "-s 0x300000 -p 4096 -b 131072" in MAIXPY.mkspiffs_flags()
    assert "-DSPIFFS_OBJ_NAME_LEN=128" in MAIXPY.mkspiffs_flags()
    flags = IDF.spiffsgen_flags()
    assert flags.startswith("0x100000 DIR IMAGE --page-size 256 --block-size 4096")
    assert "--meta-len 4" in flags
    assert "--no-magic" not in flags
    assert "--aligned-obj-ix-tables" not in flags
    assert MAIXPY.spiffsgen_flags().endswith("--aligned-obj-ix-tables")
    bare = Geometry(0x8000, 0x1000, 256, use_magic=False, use_magic_length=False)
    assert bare.spiffsgen_flags().endswith(" --no-magic --no-magic-len")


def test_geometries_compare_by_format() -> None:
    """The C's collection runs and copy buffer are not part of the format."""
    assert replace(IDF, gc_max_runs=99, copy_buffer=1) == IDF
    assert hash(replace(IDF, gc_max_runs=99)) == hash(IDF)
    assert replace(IDF, base=0x1000) != IDF
