"""Edits of an area: each is carried out as a whole or not at all."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maixfs.errors import ClosedError, DamagedError, FitError, NameTooLongError, NotFoundError
from maixfs.nor import Buffer, OverlayFlash
from maixfs.nor.view import ImageDevice
from maixfs.spiffs import Geometry, OpenFlag, SpiffsCore
from maixfs.spiffs.edit import SpiffsEdit
from maixfs.spiffs.room import free_pages, room_of
from spiffs.areas import NEW, Area, contents, get, pattern

GEOMETRY = Geometry(0x10000, 0x2000, 256, meta_length=4, base=0x1000)
D = GEOMETRY.data_size
CROWDED = Geometry(0x6000, 0x1000, 256)


def empty(geometry: Geometry = GEOMETRY) -> tuple[OverlayFlash, SpiffsEdit]:
    area = Area(geometry)
    device = OverlayFlash(ImageDevice(area.chip.peek(0, area.chip.size)))
    return device, SpiffsEdit(device, geometry)


def stored(device: OverlayFlash, geometry: Geometry = GEOMETRY) -> dict[str, bytes]:
    return contents(SpiffsCore(device, geometry, read_only=True))


def test_write_creates_and_replaces_files_and_keeps_meta() -> None:
    device, edit = empty()
    edit.write(b"/a", b"one", b"meta")
    edit.write(b"/a", pattern(5 * D))
    edit.write(b"/b", b"")
    assert stored(device) == {"/a": pattern(5 * D), "/b": b""}
    assert edit.fs.stat("/a").meta == b"meta"
    assert edit.fs.stat("/b").meta == b"\xff" * 4


def test_rename_replaces_and_remove_is_all_or_nothing() -> None:
    device, edit = empty()
    for name in (b"/a", b"/b", b"/c"):
        edit.write(name, name)
    edit.rename({b"/a": b"/b", b"/c": b"/d"})
    assert stored(device) == {"/b": b"/a", "/d": b"/c"}
    with pytest.raises(NotFoundError):
        edit.remove([b"/b", b"/none"])
    assert stored(device) == {"/b": b"/a", "/d": b"/c"}
    edit.remove([b"/b", b"/d"])
    assert stored(device) == {}


def test_a_name_that_is_too_long_is_refused_before_anything_changes() -> None:
    device, edit = empty()
    for work in (
        lambda: edit.write(b"/" + b"n" * 40, b""),
        lambda: edit.rename({b"/a": b"/" + b"n" * 40}),
    ):
        with pytest.raises(NameTooLongError):
            work()
    assert not [*device.changed_sectors()]


class Interrupted(OverlayFlash):
    """A device on which Ctrl-C comes after ``left`` programs."""

    left = -1

    def program(self, address: int, data: Buffer) -> None:
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt
        super().program(address, data)


@pytest.mark.parametrize("at", [1, 2, 5, 20, 50])
def test_an_interrupt_leaves_every_byte_as_it_was(at: int) -> None:
    area = Area(GEOMETRY)
    device = Interrupted(ImageDevice(area.chip.peek(0, area.chip.size)))
    edit = SpiffsEdit(device, GEOMETRY)
    edit.write(b"/a", pattern(20 * D, 1))
    before, erases = device.image(), dict(device.erases)
    opened = edit.fs.open_descriptor("/a", OpenFlag.RDONLY)
    device.left = at
    with pytest.raises(KeyboardInterrupt):
        edit.write(b"/a", pattern(30 * D, 2))
    assert device.image() == before
    assert device.erases == erases
    assert get(edit.fs, "/a") == pattern(20 * D, 1)
    with pytest.raises(ClosedError):
        opened.read()


def test_edits_inside_a_savepoint_of_the_caller_can_be_undone() -> None:
    device, edit = empty()
    before = device.image()
    token = device.savepoint()
    edit.write(b"/a", b"1")
    edit.write(b"/b", b"2")
    edit.gc()
    device.rollback(token)
    assert device.image() == before


def test_what_can_never_fit_raises_fit_error_with_the_pages() -> None:
    device, edit = empty()
    edit.write(b"/a", pattern(10 * D))
    edit.remove([b"/a"])
    before, free = device.image(), free_pages(edit.fs)
    with pytest.raises(FitError) as caught:
        edit.write(b"/big", bytes(300 * D))
    assert (caught.value.free, caught.value.deleted) == (free, 11)
    assert caught.value.needed > 300
    assert device.image() == before
    with pytest.raises(FitError):
        edit.check_fits({b"/x": free * D, b"/y": 20 * D})
    edit.check_fits({b"/x": (free - 2) * D})
    assert room_of(edit.fs).deleted_pages == 11


def test_a_full_area_is_repacked_and_keeps_two_spare_blocks() -> None:
    device, edit = empty(CROWDED)
    files: dict[str, bytes] = {}
    for number in range(40):
        name = f"/{number}"
        with contextlib.suppress(FitError):
            edit.write(name.encode(), pattern(2 * D, number))
            files[name] = pattern(2 * D, number)
    for number in range(60):
        name = f"/{number % len(files)}"
        edit.write(name.encode(), pattern(2 * D, number + 100))
        files[name] = pattern(2 * D, number + 100)
        assert edit.fs.statvfs().free_blocks >= 2
    assert stored(device, CROWDED) == files
    edit.rename({b"/0": b"/renamed"})
    files["/renamed"] = files.pop("/0")
    assert stored(device, CROWDED) == files


def test_free_pages_with_old_bytes_are_wiped_and_no_erase_is_counted() -> None:
    area = Area(GEOMETRY)
    image = bytearray(area.chip.peek(0, area.chip.size))
    for page in range(GEOMETRY.pages):
        if not GEOMETRY.is_lookup_page(page):
            start = GEOMETRY.page_address(page)
            image[start + 9 : start + 256] = b"\x11" * 247
    device = OverlayFlash(ImageDevice(bytes(image)))
    edit = SpiffsEdit(device, GEOMETRY)
    edit.write(b"/a", pattern(40 * D))
    assert stored(device) == {"/a": pattern(40 * D)}
    assert not device.erases


@pytest.mark.parametrize("entry", [0xFFFF, 5, 0x8001])
def test_a_page_that_is_not_marked_as_used_refuses_every_change(entry: int) -> None:
    area = Area(GEOMETRY)
    with area.mount() as fs, fs.open_descriptor("/a", NEW) as file:
        file.write(pattern(3 * D))
    page = area.table(SpiffsCore(area.device, GEOMETRY, read_only=True).stat("/a").page)[1]
    area.poke_entry(page, entry)
    device = OverlayFlash(ImageDevice(area.chip.peek(0, area.chip.size)))
    edit = SpiffsEdit(device, GEOMETRY)
    for work in (
        lambda: edit.write(b"/b", b""),
        lambda: edit.remove([b"/a"]),
        lambda: edit.rename({b"/a": b"/b"}),
        edit.gc,
    ):
        with pytest.raises(DamagedError):
            work()
    assert not [*device.changed_sectors()]
    assert stored(device) == {"/a": pattern(3 * D)}


def test_a_page_that_is_marked_deleted_too_early_is_copied() -> None:
    """As garbage collection leaves it when power goes between its two writes."""
    area = Area(GEOMETRY)
    with area.mount() as fs, fs.open_descriptor("/a", NEW) as file:
        file.write(pattern(3 * D))
    page = area.table(SpiffsCore(area.device, GEOMETRY, read_only=True).stat("/a").page)[1]
    area.poke_entry(page, 0)
    device = OverlayFlash(ImageDevice(area.chip.peek(0, area.chip.size)))
    edit = SpiffsEdit(device, GEOMETRY)
    edit.write(b"/b", b"b")
    edit.gc()
    assert stored(device) == {"/a": pattern(3 * D), "/b": b"b"}


CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["write", "write", "write", "remove", "rename", "gc"]),
        st.integers(0, 5),
        st.integers(0, 5),
        st.integers(0, 3000),
    ),
    max_size=30,
)


@settings(max_examples=25)
@given(CHANGES)
def test_edits_equal_a_dictionary(changes: list[tuple[str, int, int, int]]) -> None:
    device, edit = empty(CROWDED)
    files: dict[str, bytes] = {}
    for verb, first, second, size in changes:
        old, new = f"/{first}", f"/{second}"
        with contextlib.suppress(FitError):
            if verb == "write":
                edit.write(old.encode(), pattern(size, second))
                files[old] = pattern(size, second)
            elif verb == "gc":
                edit.gc()
            elif old in files and verb == "remove":
                edit.remove([old.encode()])
                del files[old]
            elif old in files and old != new:
                edit.rename({old.encode(): new.encode()})
                files[new] = files.pop(old)
        assert stored(device, CROWDED) == files
