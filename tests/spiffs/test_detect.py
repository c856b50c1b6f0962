"""Detection: the geometry of images, dumps and damaged areas; nothing in other bytes."""

from __future__ import annotations

import mmap
import random
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.corpus import SpiffsCase, spiffs_cases
from maixfs.spiffs.detect import Detection, detect
from maixfs.spiffs.geometry import PRESETS, Geometry, GeometryError
from maixfs.spiffs.pack import pack, page_capacity
from maixfs.spiffs.room import pages_needed
from spiffs.geometries import GEOMETRIES, IDF, MAIXPY

CASES = spiffs_cases()
WITH_LENGTH = [case for case in CASES if case.geometry.use_magic_length]
ESP8266 = GEOMETRIES["esp8266"]
every_case = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
every_geometry = pytest.mark.parametrize("name", GEOMETRIES)


def some_files(g: Geometry) -> list[tuple[str, bytes, bytes]]:
    chance = random.Random(1)
    sizes = [1, 0, 3 * g.data_size, g.data_size + 1, 9 * g.data_size]
    if pages_needed(sizes, g) > page_capacity(g):
        sizes = sizes[:1]
    meta = bytes(range(1, g.meta_length + 1))
    return [(f"/file{k}.py", chance.randbytes(size), meta) for k, size in enumerate(sizes)]


def area_of(g: Geometry) -> bytes:
    return bytes(pack(some_files(g), g))


def embedded(area: bytes, base: int, *, fill: bytes = b"\xff", after: bytes = b"") -> bytes:
    return fill * base + area + after


def only(image: bytes) -> Detection:
    (found,) = detect(image)
    return found


def numbers_of(detection: Detection) -> dict[str, tuple[int, ...]]:
    """Return the numbers of the reasons by their keys."""
    return {reason.key: reason.numbers for reason in detection.reasons}


def break_magic(image: bytes, g: Geometry, *blocks: int) -> bytes:
    broken = bytearray(image)
    for block in blocks:
        at = block * g.block_size + g.magic_offset
        broken[at : at + 2] = b"\xff\xff"
    return bytes(broken)


# The golden images


@every_case
def test_golden_images_are_detected(case: SpiffsCase) -> None:
    found = only(case.image)
    assert found.geometry == case.geometry
    config = case.manifest["config_name"].split("-")[0]
    presets = {"maixpy": "maixpy", "idf": "esp-idf", "esp8266": "esp8266"}
    named = config in presets and found.geometry in (
        replace(PRESETS[presets[config]], size=case.geometry.size, base=0),
    )
    assert found.preset == (presets[config] if named else None)


@every_case
def test_golden_images_are_detected_after_their_check(case: SpiffsCase) -> None:
    if case.after_check is not None:
        assert only(case.after_check).geometry == case.geometry


@every_case
def test_confidence_matches_the_evidence(case: SpiffsCase) -> None:
    found = only(case.image)
    readable = any(file["size"] for file in case.manifest["files"] or ())
    if case.manifest["mount_result"]:
        assert found.confidence < 0.75
    elif readable and "corrupt" not in case.name:
        assert found.confidence > 0.95
    elif not case.manifest["files"] and case.manifest["category"] == "fresh":
        assert found.confidence == 0.8


@every_case
def test_golden_images_are_detected_inside_a_dump(case: SpiffsCase) -> None:
    base = 0x1000 * (len(case.name) + 3)
    fill = b"\xff" if len(case.name) % 2 else b"\0"
    found = only(embedded(case.image, base, fill=fill, after=b"text " * 999))
    expected = replace(case.geometry, base=base)
    if case.geometry.use_magic_length:
        assert found.geometry == expected
    else:
        assert replace(found.geometry, size=case.geometry.size) == expected


@pytest.mark.parametrize("case", WITH_LENGTH, ids=[case.name for case in WITH_LENGTH])
def test_golden_images_are_detected_when_cut_short(case: SpiffsCase) -> None:
    g = case.geometry
    found = only(case.image[: len(case.image) * 2 // 3 + 77])
    assert found.geometry == g
    assert numbers_of(found)["cut-short"] == (len(case.image) * 2 // 3 // g.block_size, g.blocks)


# Every geometry


@every_geometry
def test_areas_with_files_are_detected(name: str) -> None:
    g = GEOMETRIES[name]
    found = only(area_of(g)).geometry
    assert found.header_size == g.header_size
    expected = replace(g, erase_size=0x1000, base=0)
    if name == "meta":  # five bytes of meta look like four and one of padding
        expected = replace(expected, meta_length=4)
    assert found == expected


@every_geometry
def test_areas_are_detected_inside_a_dump(name: str) -> None:
    g = GEOMETRIES[name]
    found = only(embedded(area_of(g), 0x7000, after=b"\xff" * g.block_size)).geometry
    assert (found.base, found.size) == (0x7000, g.size)
    assert (found.block_size, found.page_size) == (g.block_size, g.page_size)
    assert found.header_size == g.header_size


@every_geometry
def test_empty_areas_are_detected(name: str) -> None:
    g = GEOMETRIES[name]
    found = only(bytes(pack([], g)))
    assert found.confidence <= 0.8
    assert (found.geometry.size, found.geometry.block_size) == (g.size, g.block_size)
    assert found.geometry.page_size == g.page_size
    assert found.geometry.use_magic == g.use_magic
    assert "empty" in numbers_of(found)


@every_geometry
def test_areas_with_empty_files_only_are_detected(name: str) -> None:
    g = GEOMETRIES[name]
    found = only(bytes(pack([("/a", b""), ("/b.txt", b"")], g)))
    assert 0.5 < found.confidence <= 0.9
    assert found.geometry.page_size == g.page_size
    if (g.name_length, g.meta_length) in {(32, 0), (32, 4), (128, 0), (64, 0)}:
        assert found.geometry.name_length == g.name_length


def many_shapes() -> list[Geometry]:
    """Return geometries of five blocks, or fewer where there are too many pages."""
    shapes = []
    for page_size in (64, 128, 256, 1024, 4096, 16384):
        for block_size in (0x1000, 0x2000, 0x3000, 0x8000, 0x18000, 0x40000, 0x100000):
            blocks = min(5, 0xFFFF * page_size // block_size)
            with suppress(GeometryError):
                g = Geometry(blocks * block_size, block_size, page_size)
                if 2 * g.usable_pages <= g.magic_offset:
                    shapes.append(g)
    return shapes


@pytest.mark.parametrize("g", many_shapes(), ids=lambda g: f"{g.page_size}-{g.block_size:#x}")
def test_block_and_page_sizes_are_detected(g: Geometry) -> None:
    assert only(area_of(g)).geometry == g


@pytest.mark.parametrize(
    ("name_length", "meta_length", "aligned"),
    [
        (31, 0, False),
        (20, 0, False),
        (64, 4, True),
        (48, 8, True),
        (255, 0, False),
        (256, 4, True),
    ],
)
def test_name_and_meta_lengths_are_detected(
    name_length: int, meta_length: int, aligned: bool
) -> None:
    g = Geometry(
        0x40000,
        0x1000,
        512,
        name_length=name_length,
        meta_length=meta_length,
        aligned_tables=aligned,
    )
    assert only(area_of(g)).geometry == g


# Places, sizes, several areas


def test_maixpy_area_is_detected_in_a_flash_dump() -> None:
    flash = bytearray(b"\xff" * 0x1000000)
    flash[: 1 << 20] = random.Random(5).randbytes(1 << 20)
    flash[0xD00000:] = area_of(MAIXPY)
    found = only(bytes(flash))
    assert found.geometry == MAIXPY
    assert found.preset == "maixpy"
    assert found.confidence == 1


def test_two_areas_in_a_dump_are_detected() -> None:
    dump = embedded(area_of(IDF), 0x3000, after=b"\0" * 0x5000 + area_of(MAIXPY))
    found = detect(dump)
    bases = {0x3000: IDF, 0x8000 + IDF.size: MAIXPY}
    assert {d.geometry.base for d in found} == set(bases)
    for d in found:
        assert d.geometry == replace(bases[d.geometry.base], base=d.geometry.base)


def test_adjacent_areas_are_detected_separately() -> None:
    dump = b"".join([area_of(IDF), area_of(ESP8266), area_of(IDF)])
    starts = [0, IDF.size, IDF.size + ESP8266.size]
    assert sorted(d.geometry.base for d in detect(dump)) == starts


def test_base_limits_the_detection_to_one_area() -> None:
    dump = embedded(area_of(IDF), 0x3000, after=area_of(IDF))
    assert [d.geometry.base for d in detect(dump, base=0x3000)] == [0x3000]
    assert detect(dump, base=0) == []


def test_old_blocks_of_a_shifted_area_are_not_preferred() -> None:
    """An area was formatted again 64 KiB higher; some old magics are left before it."""
    new = area_of(MAIXPY)
    dump = area_of(MAIXPY)[:0x10000] + new
    (found, *_) = detect(dump)
    assert found.geometry == replace(MAIXPY, base=0x10000)


# Damage


@pytest.mark.parametrize("g", [MAIXPY, IDF, ESP8266], ids=["maixpy", "esp-idf", "esp8266"])
@pytest.mark.parametrize("base", [0, 0x13000])
@pytest.mark.parametrize("place", ["first", "second", "last"])
def test_area_with_one_lost_magic_is_detected(g: Geometry, base: int, place: str) -> None:
    block = {"first": 0, "second": 1, "last": g.blocks - 1}[place]
    after = b"\0" * 3 * g.block_size if base else b""
    found = only(embedded(break_magic(area_of(g), g, block), base, fill=b"\0", after=after))
    assert found.geometry == replace(g, base=base)
    assert numbers_of(found)["one-magic-wrong"] == (block,)
    assert found.confidence == 1


@pytest.mark.parametrize("base", [0, MAIXPY.base])
def test_area_with_an_erased_first_block_is_detected(base: int) -> None:
    """The block is blank, but the place shows it: a whole image, or the place of a preset."""
    area = bytearray(pack([], MAIXPY))
    area[: MAIXPY.block_size] = b"\xff" * MAIXPY.block_size
    assert only(embedded(bytes(area), base)).geometry == replace(MAIXPY, base=base)


@pytest.mark.parametrize("base", [0, 0x9000])
def test_formatted_blocks_show_an_area_without_magic_and_tables(base: int) -> None:
    g = GEOMETRIES["no-magic"]
    area = bytearray(pack([("/a", b""), ("/b", b"")], g))
    first, third = area[: g.block_size], area[2 * g.block_size : 3 * g.block_size]
    area[: g.block_size], area[2 * g.block_size : 3 * g.block_size] = third, first
    found = only(embedded(bytes(area), base, after=b"\xff" * 0x5000))
    assert (found.geometry.base, found.geometry.block_size) == (base, g.block_size)
    assert found.geometry.size >= g.size


def test_tables_give_the_start_of_an_area() -> None:
    files = {"/a": bytes(40 * 4091)}  # from the first block to the second
    packed = pack({"/0": bytes(30 * 4091), **files}, MAIXPY)
    packed[: MAIXPY.block_size] = b"\xff" * MAIXPY.block_size
    found = only(embedded(bytes(packed), 0x555000))
    assert found.geometry == replace(MAIXPY, base=0x555000)


@pytest.mark.parametrize("g", [MAIXPY, IDF, ESP8266], ids=["maixpy", "esp-idf", "esp8266"])
def test_area_with_two_lost_magics_has_less_confidence(g: Geometry) -> None:
    found = only(break_magic(area_of(g), g, 2, 5))
    assert found.geometry == replace(g, base=0)
    assert found.confidence == 0.7
    assert numbers_of(found)["magics-wrong"] == (2,)


def test_area_with_a_torn_first_create_is_detected() -> None:
    area = bytearray(pack([], MAIXPY))
    area[0:2] = b"\x01\x80"  # claimed, but the page was never written
    assert only(bytes(area)).geometry == replace(MAIXPY, base=0)


def test_images_of_other_tools_are_detected() -> None:
    area = bytearray(pack([(n, c, bytes(4)) for n, c, _ in some_files(IDF)], IDF))
    for at in range(IDF.magic_offset + 2, IDF.size, IDF.block_size):
        area[at : at + 2] = b"\xff\xff"
    assert only(bytes(area)).geometry == IDF


def test_old_bytes_in_free_pages_do_not_disturb_detection() -> None:
    """Blocks of which the erase reached the first sector only."""
    area = bytearray(area_of(MAIXPY))
    stale = area[0x1000:0x9000]
    for block in range(10, 20):
        at = block * MAIXPY.block_size + 0x1000
        area[at : at + len(stale)] = stale
    found = only(bytes(area))
    assert found.geometry == replace(MAIXPY, base=0)
    assert found.confidence == 1


# Images without an area


def fat_image() -> bytes:
    boot = b"\xeb\x58\x90MSDOS5.0\x00\x02\x08\x20\x00\x02".ljust(510, b"\0") + b"\x55\xaa"
    fat = b"".join(n.to_bytes(4, "little") for n in range(3, 20000))
    folder = (b"README  TXT\x20".ljust(32, b"\0")) * 512
    return (boot + bytes(0x4000 - 512) + fat * 2 + folder).ljust(1 << 20, b"\0")


def countdown() -> bytes:
    return b"".join(n.to_bytes(2, "little") for n in range(65535, 0, -1)) * 8


NOTHING = {
    "nothing": b"",
    "one byte": b"\0",
    "blank": b"\xff" * 0x300000,
    "zero": bytes(0x300000),
    "random": random.Random(7).randbytes(0x300000),
    "text": b"import uos\nprint(uos.listdir('/flash'))\n" * 40000,
    "one letter": b"x" * 0x100000,
    "live flags all over": b"\xf8" * 0x100000,
    "data flags all over": b"\xfc" * 0x100000,
    "fat": fat_image(),
    "numbers": countdown(),
    "small numbers": b"".join((n % 7).to_bytes(2, "little") for n in range(1 << 19)),
}


@pytest.mark.parametrize("image", NOTHING.values(), ids=NOTHING.keys())
def test_foreign_images_are_not_taken_for_spiffs(image: bytes) -> None:
    assert detect(image) == []


def test_two_blocks_are_not_an_area() -> None:
    assert detect(area_of(MAIXPY)[-2 * MAIXPY.block_size :]) == []


@given(st.binary(max_size=3 * 4096))
def test_detection_never_raises_on_random_bytes(image: bytes) -> None:
    assert isinstance(detect(image), list)


@pytest.mark.parametrize("more", range(6))
def test_image_that_ends_in_a_page_header_is_searched(more: int) -> None:
    g = GEOMETRIES["no-magic"]
    image = area_of(g)[: g.lookup_pages * g.page_size + more]
    assert detect(image) == []


@settings(max_examples=60)
@given(
    st.sampled_from(["esp-64k", "smallest", "no-magic", "8k-blocks", "tiny-pages"]),
    st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(min_size=1, max_size=300)), max_size=12),
    st.integers(0, 0x10000),
)
def test_detection_never_raises_on_damaged_areas(
    name: str, damage: list[tuple[int, bytes]], length: int
) -> None:
    image = bytearray(area_of(GEOMETRIES[name]))
    for at, data in damage:
        image[at % len(image) : at % len(image) + len(data)] = data
    for found in detect(image[: length or None]):
        assert 0 <= found.confidence <= 1
        assert found.reasons
        assert found.geometry.size >= 3 * found.geometry.block_size


@settings(max_examples=30)
@given(
    st.sampled_from([128, 256, 4096]), st.integers(0, 0xFFFF), st.binary(min_size=5, max_size=5)
)
def test_detection_never_raises_on_repeated_pages(page_size: int, word: int, head: bytes) -> None:
    page = (head + word.to_bytes(2, "little") * page_size)[:page_size]
    assert isinstance(detect(page * (0x40000 // page_size)), list)


# Kinds of input, and reasons


def test_detection_takes_any_buffer(tmp_path: Path) -> None:
    area = area_of(IDF)
    path = tmp_path / "image.bin"
    path.write_bytes(area + b"!")
    expected = detect(area)
    assert detect(bytearray(area)) == expected
    assert detect(memoryview(area)) == expected
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        assert detect(mapped) == expected
        mapped.close()  # fails while anything still looks at it


def test_detection_does_not_change_the_image() -> None:
    area = bytearray(break_magic(area_of(MAIXPY), MAIXPY, 0))
    before = bytes(area)
    detect(area)
    assert area == before


def test_detected_geometry_gives_tool_flags() -> None:
    found = only(area_of(IDF)).geometry
    assert found.spiffsgen_flags() == (
        "0x40000 DIR IMAGE --page-size 256 --block-size 4096 --obj-name-len 32 --meta-len 4"
    )
    assert found.mkspiffs_flags().startswith("-s 0x40000 -p 256 -b 4096 ")
    assert "--no-magic-len" in only(area_of(ESP8266)).geometry.spiffsgen_flags()


def test_reasons_have_keys_and_numbers() -> None:
    assert numbers_of(only(area_of(MAIXPY))) == {
        "magics": (24, 24),
        "entries": (20, 20),
        "tables": (128, 0),
    }
    assert numbers_of(only(bytes(pack([], IDF))))["preset"] == (32, 4)


def test_reason_text_names_its_numbers() -> None:
    for reason in only(break_magic(area_of(MAIXPY), MAIXPY, 3)).reasons:
        assert all(str(number) in str(reason) for number in reason.numbers)


# Without data pages only the names show the layout


@pytest.mark.parametrize(
    ("layout", "longest", "expected"),
    [
        ((32, 4, False), 4, (32, 4, False)),
        ((32, 4, False), 31, (32, 4, False)),
        ((32, 0, False), 31, (32, 4, False)),  # the table's FF look like meta
        ((33, 0, False), 32, (33, 0, False)),
        ((37, 0, False), 4, (32, 4, False)),  # five zeros more than the preset's: its meta
        ((38, 0, False), 4, (38, 0, False)),
        ((40, 0, False), 39, (40, 0, False)),
        ((64, 0, True), 4, (64, 0, True)),  # one zero before the table
        ((64, 0, True), 64, (65, 0, False)),  # a name that needs that byte
        ((65, 0, False), 4, (64, 0, True)),
        ((66, 0, False), 4, (66, 0, False)),
        ((128, 0, True), 100, (128, 0, True)),
        ((28, 4, False), 27, (28, 0, False)),
    ],
)
def test_layout_is_that_of_the_names_where_no_file_has_data(
    layout: tuple[int, int, bool], longest: int, expected: tuple[int, int, bool]
) -> None:
    name_length, meta_length, aligned = layout
    if longest == name_length:
        name_length, aligned = name_length + 1, False
    g = Geometry(
        0x10000, 0x1000, 256, name_length=name_length, meta_length=meta_length,
        aligned_tables=aligned,
    )  # fmt: skip
    meta = bytes(range(1, meta_length + 1))
    names = ["/a", "/" + "n" * (longest - 1)]
    found = only(bytes(pack([(name, b"", meta) for name in names], g))).geometry
    assert (found.name_length, found.meta_length, found.aligned_tables) == expected
