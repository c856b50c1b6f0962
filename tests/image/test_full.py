"""A full file system: what does not fit is refused, and no byte of an existing file is lost."""

from __future__ import annotations

import contextlib
import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from image.places import SMALL, Place, has_errors, make_bare, make_board
from maixfs.errors import FitError
from maixfs.image.image import Image
from maixfs.image.opening import open_image
from maixfs.image.report import make_report
from maixfs.spiffs import PRESETS

TINY = replace(PRESETS["esp-idf"], size=0x8000)


def fill(target: Image, path: str, size: int) -> dict[str, bytes]:
    """Write files until none fits; returns them."""
    held: dict[str, bytes] = {}
    source = random.Random(1)
    for number in range(2000):
        name, data = f"{path}{number:04}", source.randbytes(size)
        try:
            target.write_bytes(name, data)
        except FitError:
            return held
        held[name] = data
    raise AssertionError("nothing fills this file system")


def all_of(target: Image, held: dict[str, bytes]) -> bool:
    return all(target.read_bytes(name) == data for name, data in held.items())


@pytest.mark.parametrize("size", [300, 9000])
@pytest.mark.parametrize("geometry", [SMALL, TINY])
def test_write_that_does_not_fit_keeps_the_old_files(
    tmp_path: Path, geometry: object, size: int
) -> None:
    place = make_bare(tmp_path, geometry, {})  # type: ignore[arg-type]
    with open_image(place.host, "r+") as target:
        held = fill(target, "/f", size)
        assert held
        victim = next(iter(held))
        for failing in (
            lambda: target.write_bytes(victim, b"\x5a" * 2_000_000),
            lambda: target.write_bytes("/new", b"\x5a" * 2_000_000),
        ):
            with pytest.raises(FitError):
                failing()
            assert all_of(target, held)
            assert not target.exists("/new")
    check(place, held)


def test_reported_room_can_be_used(tmp_path: Path) -> None:
    for geometry in (SMALL, TINY):
        with open_image(make_bare(tmp_path, geometry, {}).host, "r+") as target:
            room = target.room()
            pages = room.free_pages
            index = 1 + max(0, pages - geometry.header_entries - 1) // (geometry.index_entries + 1)
            most = (pages - index) * room.data_size
            target.check_fits({"/all": most})
            with pytest.raises(FitError):
                target.check_fits({"/all": most + room.data_size})
            target.write_bytes("/all", b"a" * most)
            assert target.room().free_pages == 0
            target.write_bytes("/all", b"b" * most)
            assert target.read_bytes("/all") == b"b" * most


def test_file_in_a_full_area_can_be_replaced_renamed_and_removed(tmp_path: Path) -> None:
    place = make_bare(tmp_path, SMALL, {})
    with open_image(place.host, "r+") as target:
        held = fill(target, "/f", 3000)
        one, two, *_ = held
        held[one] = b"z" * 3000
        target.write_bytes(one, held[one])
        target.rename(two, "/renamed")
        held["/renamed"] = held.pop(two)
        assert all_of(target, held)
        target.remove("/renamed")
        target.write_bytes("/again", held.pop("/renamed"))
        assert all_of(target, held)


def test_rename_works_without_a_free_page(tmp_path: Path) -> None:
    place = make_bare(tmp_path, SMALL, {})
    with open_image(place.host, "r+") as target:
        room = target.room()
        target.write_bytes("/a", b"a" * 4091 * (room.free_pages - 5))
        target.write_bytes("/b", b"b" * 4091)
        target.write_bytes("/c", b"c" * 4091)
        assert target.room().free_pages == target.room().deleted_pages == 0
        for number in range(20):
            target.rename("/b" if not number else f"/b{number - 1}", f"/b{number}")
        target.rename("/c", "/b19", replace=True)
        assert target.room().spare_blocks == 2
        assert [entry.name for entry in target.scandir()] == ["a", "b19"]
        assert target.read_bytes("/b19") == b"c" * 4091
        assert target.read_bytes("/a") == b"a" * 4091 * (room.free_pages - 5)


def test_fit_error_counts_pages(tmp_path: Path) -> None:
    place = make_board(tmp_path, SMALL, 0x100000, {})
    with open_image(place.host, "r+") as target:
        target.write_bytes("/flash/big", b"b" * 4091 * 50)
        target.remove("/flash/big")
        room = target.room()
        assert room.deleted_pages == 51
        with pytest.raises(FitError) as caught:
            target.write_bytes("/flash/more", b"m" * 4091 * 100)
        error = caught.value
        assert str(error) == (
            f"/flash/more does not fit: needs 101 pages, {room.free_pages} are free,"
            " 51 more hold deleted data"
        )
        assert (error.needed, error.free, error.deleted) == (101, room.free_pages, 51)
        assert isinstance(error, OSError)
        missing = 101 - room.free_pages - 51
        assert error.hint is not None
        assert error.hint.startswith(f"{missing} too many; the largest files, in pages:")


def test_check_fits_sums_several_files(tmp_path: Path) -> None:
    with open_image(make_bare(tmp_path, SMALL, {b"/a": b"a" * 40000}).host) as target:
        free = target.room().free_pages
        with pytest.raises(FitError, match=f"2 files do not fit: they need {free + 22} pages"):
            target.check_fits({"/x": 4091 * free, "/y": 4091 * 20})
        target.check_fits({"/a": 4091 * (free + 9), "/none": 0})


def test_write_uses_deleted_pages(tmp_path: Path) -> None:
    place = make_bare(tmp_path, SMALL, {})
    with open_image(place.host, "r+") as target:
        held = fill(target, "/f", 3000)
        for name in list(held)[::2]:
            target.remove(name)
            del held[name]
        free = target.room().free_pages
        size = 4091 * (free + target.room().deleted_pages // 2)
        target.write_bytes("/over", b"o" * size)
        assert target.read_bytes("/over") == b"o" * size
        assert all_of(target, held)


def crammed(tmp_path: Path, *, damaged: bool) -> tuple[Place, dict[str, bytes]]:
    """Return an area in which the driver finds no room for the pages that are deleted."""
    place = make_bare(tmp_path, SMALL, {})
    with open_image(place.host, "r+") as target:
        held = fill(target, "/f", 3000)
        one, two, *_ = held
        for name in (one, two):
            target.write_bytes(name, b"z" * 3000)
            held[name] = b"z" * 3000
        target.remove(two)
        page = target.stat(one).native.page + 1
    del held[two]
    if damaged:
        image = bytearray(place.host.read_bytes())
        image[page * SMALL.page_size + 4] = 0x7C
        place.host.write_bytes(image)
        del held[one]
    return place, held


def test_full_area_is_repacked_for_a_write(tmp_path: Path) -> None:
    place, held = crammed(tmp_path, damaged=False)
    with open_image(place.host) as target:
        before = make_report(target).block_erases
    with open_image(place.host, "r+") as target:
        target.write_bytes("/new", b"n" * 3000)
        assert all_of(target, held | {"/new": b"n" * 3000})
    with open_image(place.host) as target:
        after = make_report(target).block_erases
        assert not has_errors(target.host)
        assert before is not None
        assert after is not None
        assert after.least == before.least + 1


def test_full_area_with_a_damaged_file_is_not_repacked(tmp_path: Path) -> None:
    place, held = crammed(tmp_path, damaged=True)
    image = place.host.read_bytes()
    with open_image(place.host, "r+") as target:
        deleted = target.room().deleted_pages
        with pytest.raises(FitError, match=f"needs 2 pages, 0 are free, {deleted} more") as caught:
            target.write_bytes("/new", b"n" * 3000)
        assert caught.value.deleted == deleted
        with pytest.raises(FitError, match="/other does not fit: needs 1 page, 0 are free"):
            target.rename(next(iter(held)), "/other")
        assert all_of(target, held)
    assert place.host.read_bytes() == image


def test_spare_blocks_stay_free(tmp_path: Path) -> None:
    """The driver counts empty blocks that it collects once more; its count is set right."""
    place, held = crammed(tmp_path, damaged=False)
    name = next(iter(held))
    with open_image(place.host, "r+") as target:
        for number in range(60):
            target.rename(name, f"/renamed{number}")
            held[f"/renamed{number}"] = held.pop(name)
            name = f"/renamed{number}"
            assert target.room().spare_blocks >= 2
            assert target.room().spare_blocks < SMALL.blocks
    check(place, held)


CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["write", "write", "write", "remove", "rename", "gc"]),
        st.integers(0, 7),
        st.integers(0, 7),
        st.integers(0, 12000),
    ),
    max_size=40,
)


@settings(max_examples=25)
@given(CHANGES)
def test_random_changes_equal_a_dictionary(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[str, int, int, int]]
) -> None:
    place = make_bare(tmp_path_factory.mktemp("any"), TINY, {})
    held: dict[str, bytes] = {}
    with open_image(place.host, "r+") as target:
        for verb, one, other, size in changes:
            with contextlib.suppress(FitError):
                change(target, held, verb, f"/{one}", f"/{other}", size)
            assert {entry.path for entry in target.scandir()} == set(held)
    check(place, held)


def change(
    target: Image, held: dict[str, bytes], verb: str, one: str, other: str, size: int
) -> None:
    if verb == "write":
        data = bytes([size % 256]) * size
        target.write_bytes(one, data)
        held[one] = data
    elif verb == "gc":
        target.gc()
    elif one in held and verb == "remove":
        target.remove(one)
        del held[one]
    elif one in held and one != other:
        target.rename(one, other, replace=True)
        held[other] = held.pop(one)


def check(place: Place, held: dict[str, bytes]) -> None:
    with open_image(place.host) as target:
        assert all_of(target, held)
        assert not has_errors(target.host)
        assert target.room().spare_blocks >= 2
