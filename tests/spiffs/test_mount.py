"""Mounting: interrupted erases, foreign images, areas that do not fit, read-only mounts."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

import pytest

from maixfs.nor import MaixpyDriver, NorChip, NorEvent, make_driver
from maixfs.spiffs import Geometry, SpiffsCore, SpiffsError
from spiffs.areas import NEW, RW, TRUNC, Area, R, W, code_of, contents, get, pattern, put, ram_of

SMALL = Geometry(0x8000, 0x1000, 256)
FILES = {"a": pattern(700), "b": pattern(3000, 1), "c": b""}


class Watcher:
    """Counts programs and erases of a chip."""

    def __init__(self, chip: NorChip) -> None:
        self.reads = self.bytes_read = 0
        self.writes: list[NorEvent] = []
        chip.attach(self)

    def before(self, chip: NorChip, event: NorEvent) -> None:
        if event.kind == "read":
            self.reads += 1
            self.bytes_read += event.length
        else:
            self.writes.append(event)

    def after(self, chip: NorChip, event: NorEvent) -> None:
        """Nothing: it was counted before."""


def fill(area: Area) -> None:
    with area.mount() as fs:
        for name, data in FILES.items():
            put(fs, name, data)


def erased_block(area: Area) -> int:
    """Return a block without live pages, whose erase is interrupted."""
    return area.geometry.blocks - 1


def test_mounting_a_sound_area_writes_nothing(area: Area) -> None:
    fill(area)
    watcher = Watcher(area.chip)
    fs = area.mount()
    assert not watcher.writes
    assert watcher.reads <= 3 * area.geometry.pages
    assert contents(fs) == FILES
    assert fs.aborted_block is None


def test_mounting_twice_gives_the_same_state(area: Area) -> None:
    fill(area)
    assert ram_of(area.mount()) == ram_of(area.mount()) == ram_of(area.mount(read_only=True))


def test_interrupted_erase_is_repeated_at_mount(signed_area: Area) -> None:
    area = signed_area
    fill(area)
    block, g = erased_block(area), area.geometry
    area.poke(block * g.block_size, b"\0" * (g.magic_offset + 2))
    fs = area.mount()
    assert fs.aborted_block == block
    assert contents(fs) == FILES
    assert fs.statvfs().deleted == area.mount().statvfs().deleted
    assert area.mount().aborted_block is None


def test_read_only_mount_takes_an_interrupted_erase_as_empty(signed_area: Area) -> None:
    area = signed_area
    fill(area)
    before = area.mount().statvfs()
    block, g = erased_block(area), area.geometry
    area.poke(block * g.block_size, b"\0" * (g.magic_offset + 2))
    image = area.image
    fs = area.mount(read_only=True)
    assert fs.aborted_block == block
    assert contents(fs) == FILES
    assert fs.statvfs()[:6] == before[:6]
    assert area.image == image


def test_two_blocks_without_magic_do_not_mount(signed_area: Area) -> None:
    area = signed_area
    g = area.geometry
    for block in (0, g.blocks - 1):
        area.poke(block * g.block_size + g.magic_offset, b"\xff\xff")
    image = area.image
    for read_only in (False, True):
        assert code_of(area.mount, read_only=read_only) == -10025
    assert area.image == image


NO_FILE_SYSTEMS: dict[str, Callable[[int], bytes]] = {
    "zeros": bytes,
    "blank": lambda size: b"\xff" * size,
    "noise": lambda size: random.Random(size).randbytes(size),
    "text": lambda size: (b"It was a bright cold day in April. " * (size // 35 + 1))[:size],
    "half": lambda size: b"\xff" * (size // 2) + bytes(size - size // 2),
}


@pytest.mark.parametrize("kind", NO_FILE_SYSTEMS)
def test_foreign_images_are_not_taken_for_spiffs(area: Area, kind: str) -> None:
    """With magic: -10025. Without magic the mount succeeds, and reading stays bounded."""
    area.poke(0, NO_FILE_SYSTEMS[kind](area.geometry.size))
    image = area.image
    watcher = Watcher(area.chip)
    if area.geometry.use_magic:
        for read_only in (False, True):
            assert code_of(area.mount, read_only=read_only) == -10025
        assert not watcher.writes
    else:
        fs = area.mount()
        for entry in fs.scandir():
            code_of(fs.open_page, entry.page)
    assert watcher.reads <= 4 * area.geometry.pages
    assert area.image == image


def noise_with_headers(geometry: Geometry, seed: int) -> bytes:
    """Return random bytes with two live index headers in each block; their tables are random."""
    content = bytearray(random.Random(seed).randbytes(geometry.size))
    for block in range(geometry.blocks):
        for entry in (0, 5):
            obj_id = 0x8000 | 16 * block + entry + 1
            start = block * geometry.block_size
            struct.pack_into("<H", content, start + 2 * entry, obj_id)
            page = start + (geometry.lookup_pages + entry) * geometry.page_size
            struct.pack_into("<HHB", content, page, obj_id, 0, 0xF8)
    return bytes(content)


def test_noise_without_magic_gives_listings_and_spiffs_errors() -> None:
    geometry = Geometry(0x8000, 0x1000, 256, use_magic=False, use_magic_length=False)
    for seed in range(30):
        area = Area(geometry, content=noise_with_headers(geometry, seed))
        fs = area.mount()
        entries = list(fs.scandir())
        assert len(entries) >= 2 * geometry.blocks
        for entry in entries:
            assert code_of(read_page, fs, entry.page) < 0
        for entry in entries[:3]:
            assert code_of(fs.remove, entry.raw_name) < 0
        assert code_of(put, fs, "new", pattern(300)) == -10001


def read_page(fs: SpiffsCore, page: int) -> bytes:
    with fs.open_page(page) as file:
        return file.read(100_000)


def test_area_longer_than_its_chip_is_refused() -> None:
    device = make_driver("ideal", NorChip.in_memory(SMALL.size))
    for geometry in (SMALL.with_size(0x9000), Geometry(0x8000, 0x1000, 256, base=0x1000)):
        with pytest.raises(SpiffsError, match=hex(device.size)) as caught:
            SpiffsCore(device, geometry)
        assert caught.value.code == -10024


def test_chip_may_be_longer_than_the_area() -> None:
    chip = NorChip.in_memory(0x20000, content=b"\x5a" * 0x20000)
    device = make_driver("ideal", chip)
    geometry = Geometry(0x8000, 0x1000, 256, base=0x9000)
    SpiffsCore.format(device, geometry)
    with SpiffsCore(device, geometry) as fs:
        for number in range(200):
            put(fs, f"{number % 7}", pattern(900, number))
    around = chip.peek(0, 0x9000) + chip.peek(0x11000, 0xF000)
    assert around == b"\x5a" * len(around)


def test_geometry_without_a_size_does_not_mount() -> None:
    device = make_driver("ideal", NorChip.in_memory(SMALL.size))
    assert code_of(SpiffsCore, device, SMALL.with_size(0)) == -10024


def test_erase_unit_must_match_the_chip() -> None:
    device = make_driver("ideal", NorChip.in_memory(0x8000))
    geometry = Geometry(0x8000, 0x800, 256, erase_size=0x800)
    assert code_of(SpiffsCore, device, geometry) == -10024


def test_geometry_without_room_for_the_magic_does_not_mount() -> None:
    geometry = Geometry(0x20000, 0x8000, 256)
    area = Area(SMALL.with_size(0x20000))
    assert code_of(SpiffsCore.format, area.device, geometry) == -10028
    assert code_of(SpiffsCore, area.device, geometry) == -10028
    Area(Geometry(0x20000, 0x8000, 256, use_magic=False)).mount()


@pytest.mark.parametrize("name", ["name", "/name", "n" * 31])
def test_name_field_without_a_zero_is_read_to_its_end(name: str) -> None:
    area = Area(SMALL)
    with area.mount() as fs:
        put(fs, name, b"1")
        page = fs.stat(name).page
    area.poke(page * 256 + 13, b"z" * 32)
    fs = area.mount()
    assert fs.listdir() == ["z" * 32]
    assert code_of(fs.stat, "z" * 32) == -10036
    assert code_of(fs.stat, "z" * 31) == -10002


# A read-only mount


def test_read_calls_write_nothing(area: Area) -> None:
    fill(area)
    watcher = Watcher(area.chip)
    fs = area.mount(read_only=True)
    assert fs.read_only
    assert contents(fs) == FILES
    assert fs.stat("a").size == 700
    fs.info(), fs.statvfs(), fs.listdir()
    with fs.open_descriptor("b", R) as file:
        file.seek(10)
        file.tell()
        file.flush()
    fs.unmount()
    assert not watcher.writes


def test_read_only_mount_refuses_writes(area: Area) -> None:
    fill(area)
    watcher = Watcher(area.chip)
    fs = area.mount(read_only=True)
    for flags in (NEW, RW, W, R | TRUNC):
        assert code_of(fs.open_descriptor, "a", flags) == -10032
    for call in (fs.create, fs.remove):
        assert code_of(call, "a") == -10032
    assert code_of(fs.rename, "a", "x") == -10032
    assert code_of(fs.set_meta, "a", bytes(area.geometry.meta_length)) == -10032
    assert code_of(fs.gc, 1) == code_of(fs.gc_quick) == -10032
    file = fs.open_descriptor("a", R)
    assert code_of(file.write, b"1") == code_of(file.truncate, 0) == -10032
    assert code_of(file.write_now, b"1") == -10032
    assert not watcher.writes
    assert contents(fs) == FILES


def test_format_empties_the_area(area: Area) -> None:
    fill(area)
    SpiffsCore.format(area.device, area.geometry)
    fs = area.mount()
    assert fs.listdir() == []
    assert fs.statvfs().free == fs.statvfs().pages
    put(fs, "a", b"1")
    assert get(fs, "a") == b"1"


def test_format_signs_every_block(area: Area) -> None:
    g = area.geometry
    for block in range(g.blocks):
        at = block * g.block_size + g.magic_offset
        magic, count = struct.unpack("<HH", area.image[at : at + 4])
        if g.use_magic:
            assert magic == (0x0529 ^ g.page_size ^ (g.blocks - block) * g.use_magic_length)
        else:
            assert magic == 0xFFFF
        # A chip that is busy with the erase drops what the MaixPy driver programs first.
        assert count in ({0, 0xFFFF} if isinstance(area.device, MaixpyDriver) else {0})
