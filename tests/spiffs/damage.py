"""Careful writing into damaged areas: what becomes of the files that are not written.

python3 dev.py damage          4,000 damaged areas, written by the driver and by edits
python3 dev.py damage 100000   that many
"""

from __future__ import annotations

import argparse
import random
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache

from maixfs.errors import DamagedError, FileSystemError
from maixfs.nor import OverlayFlash
from maixfs.nor.view import ImageDevice
from maixfs.spiffs import Geometry, Spiffs, SpiffsCore, SpiffsError
from maixfs.spiffs.edit import SpiffsEdit
from spiffs.areas import Area, get, pattern, put

Way = Callable[[OverlayFlash, Geometry, list[bytes]], Counter[str]]
SMALL = [Geometry(0x8000, 0x1000, 256), Geometry(0x14000, 0x2000, 256, meta_length=4)]
NEW, OTHER = b"/a new file", b"/another name"


def damage(image: bytes, geometry: Geometry, seed: int) -> bytes:
    """Return the image with one to three fields of its records changed."""
    chance, area = random.Random(seed), bytearray(image)
    used = [
        (block * geometry.block_size + 2 * entry, page)
        for block in range(geometry.blocks)
        for entry in range(geometry.usable_pages)
        for page in [block * geometry.pages_per_block + geometry.lookup_pages + entry]
        if area[block * geometry.block_size + 2 * entry :][:2] != b"\xff\xff"
    ]
    if not used:
        used = [(0, geometry.lookup_pages)]
    for _ in range(chance.randint(1, 3)):
        entry, page = chance.choice(used)
        at = page * geometry.page_size
        kind = chance.randrange(6)
        if kind == 0:
            area[entry + chance.randrange(2)] ^= 1 << chance.randrange(8)
        elif kind == 1:
            area[entry : entry + 2] = chance.choice([b"\0\0", b"\xff\xff", b"\x01\0", b"\x01\x80"])
        elif kind == 2:
            area[at + chance.randrange(5)] ^= 1 << chance.randrange(8)
        elif kind == 3:
            area[at + 4] = chance.choice([0xFF, 0xFC, 0xF8, 0x7C, 0x00, 0xB8])
        elif kind == 4:
            area[at + chance.randrange(5, 16)] ^= 1 << chance.randrange(8)
        else:
            slot = at + chance.choice([8, geometry.header_size]) + 2 * chance.randrange(8)
            struct.pack_into("<H", area, slot, chance.choice(used)[1])
    return bytes(area)


def readable(device: OverlayFlash, geometry: Geometry) -> dict[bytes, bytes] | None:
    """Return the files that can be read by name, ``None`` if the area does not mount."""
    try:
        fs = SpiffsCore(device, geometry, read_only=True)
    except SpiffsError:
        return None
    found: dict[bytes, bytes] = {}
    for entry in fs.scandir():
        try:
            found[entry.raw_name] = get(fs, entry.raw_name)
        except SpiffsError:
            continue
    return found


def by_driver(device: OverlayFlash, geometry: Geometry, files: list[bytes]) -> Counter[str]:
    """Write, replace, rename, remove with the careful driver; return how the calls ended."""
    fs = Spiffs(device, geometry).core
    works: list[Callable[[], object]] = [lambda: put(fs, NEW, pattern(geometry.size // 8, 1))]
    if len(files) > 2:
        works += [
            lambda: put(fs, files[0], pattern(geometry.size // 16, 2)),
            lambda: fs.rename(files[1], OTHER),
            lambda: fs.remove(files[2]),
        ]
    works.append(lambda: fs.gc(geometry.size // 16))
    return attempts(works)


def by_edit(device: OverlayFlash, geometry: Geometry, files: list[bytes]) -> Counter[str]:
    """Do the same with an edit."""
    edit = SpiffsEdit(device, geometry)
    works: list[Callable[[], object]] = [lambda: edit.write(NEW, pattern(geometry.size // 8, 1))]
    if len(files) > 2:
        works += [
            lambda: edit.write(files[0], pattern(geometry.size // 16, 2)),
            lambda: edit.rename({files[1]: OTHER}),
            lambda: edit.remove([files[2]]),
        ]
    if geometry not in SMALL:  # it tries each block: too slow for hundreds of images
        works.append(edit.gc)
    return attempts(works)


def attempts(works: list[Callable[[], object]]) -> Counter[str]:
    ends: Counter[str] = Counter()
    for work in works:
        try:
            work()
        except DamagedError:
            ends["damaged"] += 1
        except FileSystemError:
            ends["refused"] += 1
        else:
            ends["done"] += 1
    return ends


@cache
def used_area(geometry: Geometry, seed: int) -> bytes:
    """Return an area in which files were written, replaced and removed."""
    chance, area = random.Random(seed), Area(geometry)
    with area.mount(faithful=False) as fs:
        for number in range(40):
            name = f"/file {chance.randrange(12)}"
            with suppress(SpiffsError):
                if number % 5 == 4 and fs.exists(name):
                    fs.remove(name)
                else:
                    put(fs, name, pattern(chance.randrange(1, 2600), number))
    return area.image


def changed_files(image: bytes, geometry: Geometry, way: Way, ends: Counter[str]) -> list[bytes]:
    """Write, and return the names of the other files that then have other bytes."""
    device = OverlayFlash(ImageDevice(image))
    before = readable(device, geometry)
    if before is None:
        return []
    files = sorted(before)[:3]
    before = {name: data for name, data in before.items() if name not in files}
    ends += way(device, geometry, files)
    after = readable(device, geometry)
    if after is None:
        return [b"mount"]
    return [name for name, data in before.items() if after.get(name) != data]


def damaged_areas(seeds: range) -> Iterator[tuple[int, bytes, Geometry]]:
    """Yield a seed, the damaged image of a used area, and its geometry."""
    for seed in seeds:
        geometry = SMALL[seed % 2]
        yield seed, damage(used_area(geometry, seed % 20), geometry, seed), geometry


def main() -> int:
    """Write into many damaged areas; print how the calls ended and the seeds that lost files."""
    parser = argparse.ArgumentParser(prog="dev.py damage", description=__doc__.splitlines()[0])
    parser.add_argument("images", nargs="?", type=int, default=4000)
    images = parser.parse_args().images
    failed = False
    for way in (by_driver, by_edit):
        ends: Counter[str] = Counter()
        for seed, image, geometry in damaged_areas(range(images)):
            if lost := changed_files(image, geometry, way, ends):
                failed = True
                print(f"{way.__name__}, seed {seed}: {lost} changed", flush=True)
        print(f"{way.__name__}: {images} images, {dict(ends)}", flush=True)
    return int(failed)
