"""The examination of one file system: by its bytes, and of a mounted one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from maixfs.finding import Cost, examine
from maixfs.nor.view import ImageDevice
from maixfs.spiffs import PRESETS, Geometry, Spiffs, SpiffsCore, SpiffsError
from maixfs.spiffs.check import SpiffsCheck
from maixfs.spiffs.guard import leftover_pages, unregistered_pages
from maixfs.spiffs.pack import pack

MAIX = replace(PRESETS["maixpy"], base=0x20000, size=0x80000, block_size=0x10000)
GEOMETRIES = [MAIX, PRESETS["esp-idf"].with_size(0x10000)]
IDS = ["maixpy", "esp-idf"]
FILES = [("/a.txt", b"a" * 5000), ("b.txt", b"b"), ("/lib/c.txt", b"")]


def image_of(geometry: Geometry) -> bytearray:
    return bytearray(b"\xff" * geometry.base) + pack(FILES, geometry)


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=IDS)
def test_mounted_file_system_has_the_findings_of_its_bytes(geometry: Geometry) -> None:
    image = image_of(geometry)
    mounted = Spiffs(ImageDevice(bytes(image)), geometry, read_only=True)
    examination = mounted.check()
    assert examination == examine("spiffs", SpiffsCheck(bytes(image), geometry))
    assert {each.key for each in examination.findings} == {"no-slash", "folders"}
    assert mounted.check(Cost.MOUNT).not_checked


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=IDS)
def test_addresses_are_those_of_the_image(geometry: Geometry) -> None:
    image = image_of(geometry)
    core = SpiffsCore(ImageDevice(bytes(image)), geometry, read_only=True)
    (found,) = [
        each
        for each in examine("spiffs", SpiffsCheck.of_core(core)).findings
        if each.key == "no-slash"
    ]
    assert found.where is not None and found.paths == ("/b.txt",)
    assert b"b.txt" in bytes(image[found.where : found.where + 64])


def test_page_that_the_lookup_calls_free_is_unregistered_and_left_over() -> None:
    geometry = replace(MAIX, base=0)
    image = bytearray(pack(FILES, geometry))
    check = SpiffsCheck(bytes(image), geometry)
    assert unregistered_pages(check.core.volume) == {}
    assert leftover_pages(check.core.volume) == []
    page = check.entries[0].page + 1
    image[2 * (page - 1) : 2 * page] = b"\xff\xff"
    damaged = SpiffsCheck(bytes(image), geometry)
    owners = unregistered_pages(damaged.core.volume)
    assert {at: entry.name for at, entry in owners.items()} == {page: "/a.txt"}
    assert leftover_pages(damaged.core.volume) == [page]
    found = {each.key: each for each in examine("spiffs", damaged).findings}
    assert found["not-booked"].paths == ("/a.txt",)
    assert found["not-booked"].where == geometry.page_address(page)
    assert found["stale-pages"].where == geometry.page_address(page)


def test_area_that_does_not_mount_is_not_checked() -> None:
    check = SpiffsCheck(bytes(MAIX.base + MAIX.size), MAIX)
    examination = examine("spiffs", check)
    assert not check.mounts and examination.findings == ()
    assert len(examination.left_out) == 1
    with pytest.raises(SpiffsError):
        check.core.statvfs()


def test_blank_area_has_no_findings_and_nothing_left_out() -> None:
    check = SpiffsCheck(b"\xff" * (MAIX.base + MAIX.size), MAIX)
    examination = examine("spiffs", check)
    assert check.blank and check.entries == ()
    assert examination.findings == () and examination.not_checked == ()
