"""Damaged areas raise nothing but SpiffsError, and no operation reads endlessly."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

import pytest

from maixfs.nor import IdealDriver
from maixfs.spiffs import Geometry, SpiffsCore
from spiffs.areas import APPEND, CREAT, RW, Area, R, code_of, pattern, put

GEOMETRIES = [
    Geometry(0x8000, 0x1000, 256),
    Geometry(0xC000, 0x1000, 128, name_length=32, meta_length=3),
    Geometry(0x10000, 0x2000, 256, aligned_tables=True, use_magic_length=False),
]
FLAGS = [0xFF, 0xFE, 0xFC, 0xFA, 0xF8, 0xB8, 0x7C, 0x78, 0x7E, 0x38, 0x00]
SIZES = [0, 1, 250, 251, 252, 0x7FFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF]


class Counting(IdealDriver):
    """Counts reads; without a window every read is counted."""

    reads = 0

    def read(self, address: int, length: int) -> bytes:
        self.reads += 1
        return super().read(address, length)

    def window(self) -> None:
        return None


class Damage:
    """Ways to damage an area at places with a meaning."""

    def __init__(self, area: Area, chance: random.Random) -> None:
        self.area = area
        self.chance = chance
        g = area.geometry
        self.objects = [page for page in range(g.pages) if not g.is_lookup_page(page)]
        fs = area.mount(read_only=True)
        self.headers = [entry.page for entry in fs.scandir()]
        lookup = fs._volume.lookup
        self.used = [page for page in self.objects if lookup[page] not in (0, 0xFFFF)]
        self.ways: list[Callable[[], None]] = [
            self.flip_in_lookup,
            self.flip_in_header,
            self.set_flags,
            self.set_size,
            self.set_table,
            self.set_entry,
            self.copy_page,
            self.swap_pages,
            self.tear_page,
            self.spoil_lookup,
            self.spoil_signature,
            self.spoil_name,
            self.scatter,
        ]

    def do(self) -> None:
        for _ in range(self.chance.choice([1, 1, 2, 4])):
            self.chance.choice(self.ways)()

    def page(self, pages: list[int]) -> int:
        return self.chance.choice(pages)

    def peek(self, page: int) -> bytes:
        size = self.area.geometry.page_size
        return self.area.image[page * size : (page + 1) * size]

    def flip(self, at: int) -> None:
        self.area.poke(at, bytes([self.area.image[at] ^ 1 << self.chance.randrange(8)]))

    def flip_in_lookup(self) -> None:
        self.flip(self.area.entry_offset(self.page(self.used)) + self.chance.randrange(2))

    def flip_in_header(self) -> None:
        self.flip(self.page(self.used) * self.area.geometry.page_size + self.chance.randrange(5))

    def set_flags(self) -> None:
        self.area.poke_flags(self.page(self.used), self.chance.choice(FLAGS))

    def set_size(self) -> None:
        at = self.page(self.headers) * self.area.geometry.page_size + 8
        self.area.poke(at, struct.pack("<I", self.chance.choice(SIZES)))

    def set_table(self) -> None:
        g = self.area.geometry
        wrong = [0, 0xFFFF, g.pages, 0xFFFE, self.page(self.used), self.page(self.objects)]
        slot = self.chance.choice([0, 0, 1, 2, g.header_entries - 1])
        self.area.poke_table(self.page(self.headers), slot, self.chance.choice(wrong))

    def set_entry(self) -> None:
        entry = self.chance.choice([0, 0xFFFF, 0x8000, 0x7FFF, 0xFFFE, 1, 0x8001])
        self.area.poke_entry(self.page(self.used), entry)

    def copy_page(self) -> None:
        source, target = self.page(self.headers), self.page(self.objects)
        self.area.poke(target * self.area.geometry.page_size, self.peek(source))
        at = self.area.entry_offset(source)
        (entry,) = struct.unpack("<H", self.area.image[at : at + 2])
        self.area.poke_entry(target, entry)

    def swap_pages(self) -> None:
        first, second = self.page(self.used), self.page(self.used)
        size = self.area.geometry.page_size
        a, b = self.peek(first), self.peek(second)
        self.area.poke(first * size, b)
        self.area.poke(second * size, a)

    def tear_page(self) -> None:
        size = self.area.geometry.page_size
        part = self.chance.choice([size, size // 2, 8])
        at = self.page(self.used) * size + self.chance.choice([0, size - part])
        self.area.poke(at, self.chance.choice([b"\0", b"\xff"]) * part)

    def spoil_lookup(self) -> None:
        g = self.area.geometry
        length = 2 * g.usable_pages
        what = self.chance.choice([bytes(length), b"\xff" * length, self.chance.randbytes(length)])
        self.area.poke(self.chance.randrange(g.blocks) * g.block_size, what)

    def spoil_signature(self) -> None:
        g = self.area.geometry
        at = self.chance.randrange(g.blocks) * g.block_size + g.magic_offset
        self.area.poke(at + self.chance.choice([0, 2]), self.chance.randbytes(2))

    def spoil_name(self) -> None:
        at = self.page(self.headers) * self.area.geometry.page_size + 13
        length = self.area.geometry.name_length
        self.area.poke(at, self.chance.choice([b"z" * length, bytes(length), b"a\0", b"\xff" * 3]))

    def scatter(self) -> None:
        at = self.chance.randrange(self.area.geometry.size // 64) * 64
        self.area.poke(at, self.chance.randbytes(64))


def used_area(geometry: Geometry) -> bytes:
    """Return a used area: files of all kinds, deleted pages, several erase counts."""
    area = Area(geometry)
    with area.mount() as fs:
        for number in range(8):
            put(fs, "a", pattern(3000, number))
            put(fs, f"f{number % 4}", pattern(400 * number, number))
        if geometry.page_size == 128:
            put(fs, "long", pattern((geometry.header_entries + 70) * geometry.data_size, 9))
        fs.create("empty")
        fs.remove("f1")
    return area.image


IMAGES = [used_area(geometry) for geometry in GEOMETRIES]


def read_all(fs: SpiffsCore) -> None:
    for entry in list(fs.scandir()):
        code_of(read_page, fs, entry.page)
        code_of(fs.stat, entry.raw_name)
        code_of(read_name, fs, entry.raw_name)


def read_page(fs: SpiffsCore, page: int) -> None:
    with fs.open_page(page) as file:
        while file.read(4096):
            pass


def read_name(fs: SpiffsCore, name: bytes) -> None:
    with fs.open_descriptor(name, R) as file:
        file.read()


def work_on(fs: SpiffsCore, chance: random.Random) -> None:
    """Change every file and collect garbage; errors of SPIFFS are allowed."""
    for entry in list(fs.scandir())[:8]:
        action = chance.randrange(6)
        name = entry.raw_name
        if action == 0:
            code_of(fs.remove, name)
        elif action == 1:
            code_of(fs.rename, name, f"new{entry.page}")
        elif action == 2:
            code_of(put, fs, name, pattern(1500))
        else:
            code_of(change, fs, name, action, chance.randrange(1 << 13))
    code_of(fs.gc, fs.geometry.size // 3)
    code_of(fs.gc_quick, 2)
    code_of(put, fs, "fresh", pattern(2000))


def change(fs: SpiffsCore, name: bytes, action: int, where: int) -> None:
    flags = {3: RW, 4: RW | CREAT | APPEND, 5: RW}[action]
    with fs.open_descriptor(name, flags) as file:
        if action == 3:
            file.truncate(where % (file.size + 1))
        else:
            code_of(file.seek, where)
            file.write(pattern(700))


@pytest.mark.parametrize("seed", [*range(300), 7257])
def test_damaged_area_raises_only_spiffs_errors(seed: int) -> None:
    chance = random.Random(seed)
    geometry = GEOMETRIES[seed % len(GEOMETRIES)]
    area = Area(geometry, content=IMAGES[seed % len(GEOMETRIES)])
    Damage(area, chance).do()
    image = area.image
    device = Counting(area.chip)
    if code_of(SpiffsCore, device, geometry, read_only=True):
        assert code_of(SpiffsCore, device, geometry) == -10025
        return
    fs = SpiffsCore(device, geometry, read_only=True)
    assert device.reads <= 6 * geometry.pages
    read_all(fs)
    assert device.reads <= 40 * geometry.pages
    assert area.image == image
    faithful = not seed % 2
    fs = SpiffsCore(device, geometry, faithful=faithful, max_files=4, cache_pages=4)
    device.reads = 0
    work_on(fs, chance)
    assert device.reads <= 100 * geometry.pages
    read_all(fs)
    assert code_of(Area(geometry, content=area.image).mount) in (0, -10025)


def test_damage_makes_files_unreadable() -> None:
    """The damage matters: many files cannot be read any more."""
    failures = 0
    for seed in range(60):
        area = Area(GEOMETRIES[0], content=IMAGES[0])
        Damage(area, random.Random(seed)).do()
        fs = SpiffsCore(IdealDriver(area.chip), GEOMETRIES[0], read_only=True)
        failures += any(code_of(read_page, fs, entry.page) for entry in fs.scandir())
    assert failures > 15


@pytest.mark.parametrize("geometry", range(len(GEOMETRIES)))
def test_undamaged_image_reads_without_error(geometry: int) -> None:
    fs = Area(GEOMETRIES[geometry], content=IMAGES[geometry]).mount()
    assert len(fs.listdir()) > 4
    assert not any(code_of(read_page, fs, entry.page) for entry in fs.scandir())
