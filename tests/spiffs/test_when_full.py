"""A careful mount of a full file system loses no file, neither the written one nor later ones."""

from __future__ import annotations

import random
import struct

import pytest

from maixfs.errors import FullError
from maixfs.spiffs import Geometry, SpiffsCore, SpiffsError
from spiffs.areas import APPEND, CREAT, RW, Area, code_of, contents, get, pattern, put

GEOMETRY = Geometry(0x8000, 0x1000, 256)
D = GEOMETRY.data_size


def test_overwrite_without_room_for_the_index_uses_a_spare_block() -> None:
    """The free cursor does not reach the last free pages; a page of a spare block is used."""
    area = Area(GEOMETRY)
    with area.mount(faithful=False) as fs:
        put(fs, "a", pattern(9036))
        put(fs, "c", pattern(2761, 1))
        put(fs, "a", pattern(11295, 2))
    fs = area.mount(faithful=False)
    file = fs.open_descriptor("a", RW)
    file.seek(1253)
    assert file.write(pattern(3599, 3)) == 3599
    file.close()
    old = pattern(11295, 2)
    wanted = {"a": old[:1253] + pattern(3599, 3) + old[1253 + 3599 :], "c": pattern(2761, 1)}
    assert contents(fs) == wanted
    fs.unmount()
    fs = area.mount(faithful=False)
    assert contents(fs) == wanted
    fs.remove("c")
    put(fs, "d", pattern(1000, 4))
    assert contents(fs) == {"a": wanted["a"], "d": pattern(1000, 4)}


def leave_page(area: Area, page: int, object_id: int, span: int) -> None:
    """Write a data page that no index lists, as an append without room leaves it."""
    area.poke_entry(page, object_id)
    area.poke(page * 256, struct.pack("<HHB", object_id, span, 0xFC) + b"?" * D)


def collect_all(fs: SpiffsCore) -> None:
    """Collect garbage until every block was erased."""
    for _ in range(2 * fs.geometry.blocks):
        code_of(fs.gc, fs._volume.free_pages() * D)


@pytest.mark.parametrize("page", [9, 40, 100], ids=["before", "behind", "far"])
def test_collection_drops_pages_that_the_index_does_not_list(page: int) -> None:
    area = Area(GEOMETRY)
    with area.mount(faithful=False) as fs:
        put(fs, "a", pattern(5 * D))
        put(fs, "b", pattern(20 * D, 1))
        fs.remove("b")
        number = fs.stat("a").object_id
    leave_page(area, page, number, 2)
    fs = area.mount(faithful=False)
    for _ in range(8):
        collect_all(fs)
        assert contents(fs) == {"a": pattern(5 * D)}
    assert fs.statvfs().allocated == 6


def test_collection_lists_a_live_page_in_place_of_a_deleted_one() -> None:
    """What a power loss during garbage collection leaves: moved pages that no index lists."""
    area = Area(GEOMETRY)
    with area.mount(faithful=False) as fs:
        put(fs, "a", b"?" * 5 * D)
        header, number = fs.stat("a").page, fs.stat("a").object_id
    for slot in (1, 3):
        page = area.table(header)[slot]
        area.poke_entry(page, 0)
        area.poke_flags(page, 0x7C)
        leave_page(area, 40 + slot, number, slot)
    fs = area.mount(faithful=False)
    assert code_of(get, fs, "a") == -10004
    collect_all(fs)
    assert contents(fs) == {"a": b"?" * 5 * D}


class Filler:
    """Appends, overwrites, replaces and removes at random, long after the area is full."""

    def __init__(self, area: Area, seed: int) -> None:
        self.area = area
        self.random = random.Random(seed)
        self.fs = area.mount(faithful=False)
        self.files: dict[str, bytes] = {}
        self.refused = 0

    def data(self, most: int) -> bytes:
        return pattern(self.random.randint(1, most), self.random.randint(0, 0xFFFF))

    def step(self) -> None:
        name = self.random.choice("abcd")
        action = self.random.choice([self.replace, self.append, self.append, self.overwrite])
        if self.random.random() < 0.06:
            self.fs.unmount()
            self.fs = self.area.mount(faithful=False)
        try:
            action(name)
        except FullError:
            self.refused += 1
            self.after_refusal(name, action == self.replace)
        if self.random.random() < 0.1 and self.files:
            self.fs.remove(gone := self.random.choice(sorted(self.files)))
            del self.files[gone]
        assert contents(self.fs) == self.files

    def replace(self, name: str) -> None:
        data = self.data(40 * self.area.geometry.data_size)
        put(self.fs, name, data)
        self.files[name] = data

    def append(self, name: str) -> None:
        data = self.data(5 * self.area.geometry.data_size)
        with self.fs.open_descriptor(name, RW | APPEND | CREAT) as file:
            file.write(data)
        self.files[name] = self.files.get(name, b"") + data

    def overwrite(self, name: str) -> None:
        old = self.files.get(name, b"")
        if not old:
            return
        at = self.random.randrange(len(old))
        data = self.data(len(old) - at)
        with self.fs.open_descriptor(name, RW) as file:
            file.seek(at)
            file.write(data)
        self.files[name] = old[:at] + data + old[at + len(data) :]

    def after_refusal(self, name: str, replaced: bool) -> None:
        """What was refused may have been written in part; all that was there can be read."""
        old = self.files.pop(name, None)
        try:
            now = get(self.fs, name)
        except SpiffsError as error:
            assert old is None and error.code == -10002
            return
        if old is not None and not replaced:
            assert len(now) >= len(old)
        self.files[name] = now


@pytest.mark.parametrize("seed", range(8))
def test_written_bytes_stay_after_refused_writes(seed: int) -> None:
    filler = Filler(Area(GEOMETRY), seed)
    for _ in range(150):
        filler.step()
    assert filler.refused


@pytest.mark.parametrize("nor", ["ideal", "literal"])
def test_first_write_succeeds_despite_old_table_entries(nor: str) -> None:
    """Collection lists a page that an append left; the first write programs over that entry."""
    area = Area(GEOMETRY, nor)
    with area.mount(faithful=False) as fs:
        fs.create("a")
        put(fs, "b", pattern(60 * D))
        fs.remove("b")
        number = fs.stat("a").object_id
    leave_page(area, 100, number, 1)
    fs = area.mount(faithful=False)
    collect_all(fs)
    assert area.table(fs.stat("a").page)[1] != 0xFFFF
    put(fs, "c", pattern(7, 1))
    with fs.open_descriptor("a", RW) as file:
        file.write(pattern(3 * D, 2))
    assert contents(fs) == {"a": pattern(3 * D, 2), "c": pattern(7, 1)}
    fs.unmount()
    assert contents(area.mount(faithful=False)) == {"a": pattern(3 * D, 2), "c": pattern(7, 1)}


def test_append_succeeds_despite_old_index_page_entries() -> None:
    area = Area(GEOMETRY.with_size(0x10000))
    first = GEOMETRY.header_entries
    with area.mount(faithful=False) as fs:
        put(fs, "a", pattern((first + 1) * D))
        [index] = fs._volume.index.pages_of(fs.stat("a").object_id | 0x8000, 1)
    area.poke(index * 256 + 8 + 2, struct.pack("<H", 3))
    with area.mount(faithful=False) as fs, fs.open_descriptor("a", RW | APPEND) as file:
        file.write(b"+" * D)
    assert contents(area.mount(faithful=False)) == {"a": pattern((first + 1) * D) + b"+" * D}


def test_first_write_succeeds_despite_a_stored_size_of_0() -> None:
    area = Area(GEOMETRY)
    with area.mount(faithful=False) as fs:
        fs.create("a")
        area.poke(fs.stat("a").page * 256 + 8, bytes(4))
    with area.mount(faithful=False) as fs, fs.open_descriptor("a", RW) as file:
        file.write(b"first bytes")
    assert contents(area.mount(faithful=False)) == {"a": b"first bytes"}
