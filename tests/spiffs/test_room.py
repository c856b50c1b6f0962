"""Reported room, garbage collection, and wear of blocks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from maixfs.errors import FullError
from maixfs.spiffs import PRESETS, Geometry, SpiffsCore
from spiffs.areas import NEW, Area, code_of, contents, pattern, put

SMALL = Geometry(0x8000, 0x1000, 256)


def test_empty_area_reports_its_room(area: Area, fs: SpiffsCore) -> None:
    g = area.geometry
    info, room = fs.info(), fs.statvfs()
    assert info == (((g.blocks - 2) * g.usable_pages + 1) * g.data_size, 0)
    pages = g.blocks * g.usable_pages
    assert room[:6] == (g.page_size, pages, 0, 0, pages, g.blocks)


@pytest.mark.parametrize(
    ("preset", "size", "total"),
    [("maixpy", 0x300000, 2_794_153), ("esp-idf", 0x100000, 956_561)],
)
def test_total_is_that_of_the_c(preset: str, size: int, total: int) -> None:
    area = Area(PRESETS[preset].with_size(size))
    assert area.mount().info().total == total


def test_used_bytes_are_whole_pages(fs: SpiffsCore) -> None:
    d = fs.geometry.data_size
    put(fs, "a", b"1")
    assert fs.info().used == 2 * d
    put(fs, "b", pattern(d + 1))
    fs.create("c")
    assert fs.info().used == 6 * d
    fs.remove("a")
    room = fs.statvfs()
    assert (room.allocated, fs.info().used) == (4, 4 * d)
    assert room.allocated + room.deleted + room.free == room.pages


def test_collection_frees_deleted_pages(area: Area, fs: SpiffsCore) -> None:
    g = area.geometry
    kept = pattern(2 * g.data_size, 1)
    put(fs, "kept", kept)
    for number in range(2):
        put(fs, "f", pattern((g.blocks - 3) * g.usable_pages * g.data_size // 3, number))
    fs.remove("f")
    before = fewest = fs.statvfs().deleted
    for _ in range(3 * g.blocks):  # each run may give up: the oldest blocks go first, full or not
        code_of(fs.gc, (fs._volume.free_pages() + 1) * g.data_size)
        fewest = min(fewest, fs.statvfs().deleted)
    assert fewest <= before // 4
    assert fs.statvfs().allocated == 3
    assert contents(fs) == contents(area.mount()) == {"kept": kept}


def test_collecting_more_than_the_area_holds_is_refused(fs: SpiffsCore) -> None:
    put(fs, "f", b"1")
    before = fs._volume.device.read(fs.geometry.base, 64)
    assert code_of(fs.gc, fs.geometry.size) == -10001
    assert fs._volume.device.read(fs.geometry.base, 64) == before


def test_quick_collection_erases_a_block_of_deleted_pages(area: Area, fs: SpiffsCore) -> None:
    g = area.geometry
    assert code_of(fs.gc_quick) == -10029
    put(fs, "f", pattern((g.usable_pages - 1) * g.data_size))
    put(fs, "kept", b"1")
    assert code_of(fs.gc_quick) == -10029
    fs.remove("f")
    deleted = fs.statvfs().deleted
    fs.gc_quick()
    assert fs.statvfs().deleted == deleted - g.usable_pages
    assert code_of(fs.gc_quick) == -10029
    assert contents(fs) == {"kept": b"1"}


def test_quick_collection_accepts_free_pages_up_to_a_limit() -> None:
    fs = Area(SMALL).mount()
    put(fs, "f", pattern(500))
    fs.remove("f")
    assert code_of(fs.gc_quick, 11) == -10029
    fs.gc_quick(12)
    assert fs.statvfs().deleted == 0


@pytest.mark.parametrize("nor", ["ideal", "literal"])
def test_blocks_wear_evenly(nor: str) -> None:
    """One file is rewritten beside one that never changes; all blocks are erased."""
    area = Area(SMALL, nor)
    fs = area.mount()
    put(fs, "still", still := pattern(3000))
    for number in range(1000):
        put(fs, "busy", pattern(800, number))
    counts = fs._volume.erase_counts
    assert max(counts) > 100
    assert max(counts) - min(counts) < len(counts) + 3
    assert contents(area.mount()) == {"still": still, "busy": pattern(800, 999)}


def test_full_area_can_be_used_after_removals(area: Area) -> None:
    """Fill the area until a write is refused, remove a file, write again; twice."""
    g = replace(area.geometry, gc_max_runs=100)
    fs = SpiffsCore(area.device, g, faithful=False)
    piece = max(g.size // 40, 2 * g.data_size)
    files: dict[str, bytes] = {}
    for turn in range(2):
        for number in range(100):
            name = f"{turn}-{number}"
            try:
                put(fs, name, data := pattern(piece + 7 * number, number))
            except FullError:
                if fs.exists(name):
                    fs.remove(name)
                break
            files[name] = data
        assert contents(fs) == files
        for name in sorted(files)[:: 2 + turn]:
            fs.remove(name)
            del files[name]
    put(fs, "last", pattern(piece))
    fs.unmount()
    assert contents(area.mount()) == files | {"last": pattern(piece)}


def test_small_files_fill_all_blocks_but_two() -> None:
    fs = Area(SMALL).mount()
    count = 0
    while not code_of(fs.open_descriptor, f"{count}", NEW):
        count += 1
    assert count == (SMALL.blocks - 2) * SMALL.usable_pages
    assert len(fs.listdir()) == count
