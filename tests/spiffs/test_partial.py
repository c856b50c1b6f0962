"""Mounting what there is of an area: cut off, padded, shifted, with missing blocks."""

from __future__ import annotations

import errno

import pytest

from maixfs.errors import DamagedError, ReadOnlyError
from maixfs.nor.view import ImageDevice, PaddedFlash
from maixfs.spiffs import Geometry, Spiffs, SpiffsCore, SpiffsError
from maixfs.spiffs.rescue import rescue
from spiffs.areas import Area, code_of, get, pattern, put

GEOMETRY = Geometry(0x10000, 0x2000, 256, base=0x3000)
FILES = {f"/{number}": pattern(1000 * number, number) for number in range(1, 9)}


@pytest.fixture(scope="module")
def image() -> bytes:
    """A chip with an area from 0x3000 on; the files fill four and a half of its eight blocks."""
    area = Area(GEOMETRY)
    with area.mount() as fs:
        for name, data in FILES.items():
            put(fs, name, data)
    return area.chip.peek(0, area.chip.size)


@pytest.mark.parametrize("blocks", range(1, 8))
def test_an_area_that_is_cut_off_lists_and_reads_what_is_there(image: bytes, blocks: int) -> None:
    device = ImageDevice(image[: 0x3000 + blocks * 0x2000])
    with pytest.raises(SpiffsError):
        SpiffsCore(device, GEOMETRY, read_only=True)
    fs = SpiffsCore(device, GEOMETRY, partial=True)
    assert fs.missing_blocks == tuple(range(blocks, 8))
    whole: set[bytes] = set()
    for entry in fs.scandir():
        try:
            assert get(fs, entry.raw_name) == FILES[entry.name]
            whole.add(entry.raw_name)
        except DamagedError:
            continue
    assert b"/1" in whole
    assert (len(whole) == len(FILES)) == (blocks >= 5)
    assert {file.name for file in rescue(device, GEOMETRY) if file.complete} == whole


def test_a_cut_inside_a_block_keeps_the_pages_in_front_of_it(image: bytes) -> None:
    fs = SpiffsCore(ImageDevice(image[:0x3A00]), GEOMETRY, partial=True)
    assert get(fs, "/1") == FILES["/1"]


def test_a_partial_mount_is_read_only(image: bytes) -> None:
    fs = Spiffs(ImageDevice(image), GEOMETRY, partial=True)
    assert fs.read_only
    with pytest.raises(ReadOnlyError):
        fs.write_bytes("/new", b"")


@pytest.mark.parametrize("block", [0, 2, 7])
def test_a_block_of_foreign_bytes_hides_no_other_file(image: bytes, block: int) -> None:
    broken = bytearray(image)
    start = 0x3000 + block * 0x2000
    broken[start : start + 0x2000] = pattern(0x2000, 99)
    broken[0x3000 + 6 * 0x2000 :][:0x2000] = b"\0" * 0x2000
    fs = SpiffsCore(ImageDevice(bytes(broken)), GEOMETRY, partial=True)
    assert fs.missing_blocks[0] in (block, 6)
    names = [entry.name for entry in fs.scandir()]
    assert set(names) <= set(FILES)
    read = [name for name in names if code_of(get, fs, name) == 0]
    assert all(get(fs, name) == FILES[name] for name in read)
    assert len(read) >= {0: 4, 2: 5, 7: 8}[block]


def test_a_block_that_lost_its_magic_alone_keeps_its_files(image: bytes) -> None:
    broken = bytearray(image)
    for block in (0, 1):
        broken[0x3000 + block * 0x2000 + GEOMETRY.magic_offset] ^= 1
    fs = SpiffsCore(ImageDevice(bytes(broken)), GEOMETRY, partial=True)
    assert {entry.name: get(fs, entry.name) for entry in fs.scandir()} == FILES


def test_bytes_without_any_block_do_not_mount() -> None:
    with pytest.raises(SpiffsError) as caught:
        SpiffsCore(ImageDevice(bytes(0x13000)), GEOMETRY, partial=True)
    assert caught.value.errno == errno.ENODEV


@pytest.mark.parametrize("start", [-0x123, 0, 0x123])
def test_a_shifted_dump_is_mounted_through_a_padded_flash(image: bytes, start: int) -> None:
    dump = b"\x5a" * -start + image if start < 0 else image[start:]
    flash = PaddedFlash(ImageDevice(dump), len(image), start=start)
    fs = SpiffsCore(flash, GEOMETRY, read_only=True)
    assert {entry.name: get(fs, entry.name) for entry in fs.scandir()} == FILES
