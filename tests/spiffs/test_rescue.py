"""Files that are read through their data pages when index or header are damaged."""

from __future__ import annotations

import pytest

from maixfs.nor.view import ImageDevice
from maixfs.spiffs import Geometry, SpiffsCore
from maixfs.spiffs.rescue import RescuedFile, rescue
from spiffs.areas import Area, code_of, get, pattern, put

GEOMETRY = Geometry(0x20000, 0x2000, 256, meta_length=4)
D = GEOMETRY.data_size
FILES = {"/short": b"one page", "/long": pattern(300 * D + 7, 1), "/empty": b""}


@pytest.fixture
def area() -> Area:
    area = Area(GEOMETRY)
    with area.mount() as fs:
        for name, data in FILES.items():
            put(fs, name, data)
        fs.create("/empty never written")
    return area


def rescued(area: Area) -> dict[bytes | None, RescuedFile]:
    return {file.name: file for file in rescue(area.device, GEOMETRY)}


def mounted(area: Area) -> SpiffsCore:
    return area.mount(read_only=True)


def test_a_sound_area_gives_all_files_whole(area: Area) -> None:
    found = rescued(area)
    assert {name: file.data for name, file in found.items()} == {
        name.encode(): data for name, data in FILES.items()
    } | {b"/empty never written": b""}
    assert all(file.complete and file.leading == file.data for file in found.values())
    assert found[b"/short"].meta == b"\xff" * 4
    assert found[b"/short"].header == mounted(area).stat("/short").page
    assert len(found[b"/long"].pages) == 301


def test_a_damaged_table_and_a_lost_index_page_cost_nothing(area: Area) -> None:
    volume = mounted(area).volume
    header = mounted(area).stat("/long").page
    (index,) = volume.index.pages_of(volume.lookup[header], 1)
    area.poke_table(header, 3, 0x1234)
    area.poke_flags(index, 0x7C)
    assert code_of(get, mounted(area), "/long") != 0
    assert rescued(area)[b"/long"].data == FILES["/long"]


def test_a_lost_header_gives_whole_pages_without_name_and_size(area: Area) -> None:
    area.poke_flags(mounted(area).stat("/long").page, 0x7C)
    file = rescued(area)[None]
    assert (file.name, file.size, file.complete, file.missing) == (None, None, False, ())
    assert file.data[: len(FILES["/long"])] == FILES["/long"]
    assert len(file.data) == 301 * D


def test_a_missing_page_is_named_and_the_rest_is_there(area: Area) -> None:
    page = area.table(mounted(area).stat("/long").page)[2]
    area.poke_flags(page, 0x00)
    file = rescued(area)[b"/long"]
    assert (file.missing, file.complete, file.size) == ((2,), False, len(FILES["/long"]))
    assert file.leading == FILES["/long"][: 2 * D]
    assert file.data[2 * D : 3 * D] == b"\xff" * D
    assert file.data[3 * D :] == FILES["/long"][3 * D :]


@pytest.mark.parametrize("entry", [0xFFFF, 0, 7, 0x7000])
def test_pages_with_a_wrong_look_up_entry_are_found(area: Area, entry: int) -> None:
    for page in area.table(mounted(area).stat("/long").page)[:4]:
        area.poke_entry(page, entry)
    assert rescued(area)[b"/long"].data == FILES["/long"]


@pytest.mark.parametrize("span", [3, 200], ids=["header", "further index page"])
def test_the_index_page_of_the_look_up_decides_between_two_data_pages(
    area: Area, span: int
) -> None:
    """A cut after an overwrite can leave the old data page and the old index page alive."""
    size = GEOMETRY.page_size
    volume = mounted(area).volume
    header = mounted(area).stat("/long").page
    object_id = volume.lookup[header]
    (index,) = volume.index.pages_of(object_id, 1)
    table = index if span == 200 else header
    free = [page for page, entry in enumerate(volume.lookup) if entry == 0xFFFF]
    new_table, new_data = free[-2:]
    slot = table * size + GEOMETRY.index_slot(span)
    old_data = int.from_bytes(area.image[slot : slot + 2], "little")
    area.poke(new_table * size, area.image[table * size : (table + 1) * size])
    area.poke(new_data * size, area.image[old_data * size : (old_data + 1) * size])
    area.poke(new_data * size + 5, b"NEW")
    area.poke(new_table * size + GEOMETRY.index_slot(span), new_data.to_bytes(2, "little"))
    area.poke_entry(new_table, object_id)
    area.poke_entry(table, 0)
    area.poke_entry(new_data, object_id & 0x7FFF)
    expected = bytearray(FILES["/long"])
    expected[span * D : span * D + 3] = b"NEW"
    (file,) = (file for file in rescue(area.device, GEOMETRY) if file.name == b"/long")
    assert file.data == expected and file.complete


def test_a_torn_header_is_no_file(area: Area) -> None:
    """Its name has no end, and its size is larger than the area."""
    page = mounted(area).stat("/empty").page
    area.poke(page * 256 + 8, b"\xff" * 248)
    assert b"/empty" not in rescued(area)
    assert all(file.size is None or file.size <= GEOMETRY.size for file in rescued(area).values())


def test_an_object_with_two_names_is_found_twice(area: Area) -> None:
    page = mounted(area).stat("/short").page
    image = area.image
    free = next(at for at, owner in enumerate(mounted(area).volume.lookup) if owner == 0xFFFF)
    header = bytearray(image[page * 256 :][:256])
    header[13:20] = b"/other\0"
    area.poke(free * 256, bytes(header))
    area.poke_entry(free, mounted(area).volume.lookup[page])
    found = rescued(area)
    assert found[b"/short"].data == found[b"/other"].data == FILES["/short"]


def test_an_object_that_is_being_removed_is_left_out(area: Area) -> None:
    area.poke_flags(mounted(area).stat("/long").page, 0xB8)
    assert rescued(area).keys() == {b"/short", b"/empty", b"/empty never written"}


def test_a_device_that_ends_inside_the_area_is_read_as_far_as_it_goes(area: Area) -> None:
    device = ImageDevice(area.image[:0x8000])
    found = {file.name: file for file in rescue(device, GEOMETRY)}
    assert found[b"/short"].complete
    headless = found[None]  # the header of the long file moved to the end
    assert not headless.complete
    assert headless.data == FILES["/long"][: len(headless.data)]
    assert len(headless.data) > 50 * D
    assert rescue(ImageDevice(b""), GEOMETRY) == []
