"""Every byte of an image has a field and a sentence, whatever is in the image."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doctor.doctor_cases import CASES as CASES_OF_COMPLAINTS
from golden.corpus import SpiffsCase, spiffs_cases
from image.whole_image import FILES, MAIXPY, make_flash, payload
from kmodel.make_models import make_beta, make_sealed, make_v3
from maixfs.errors import UsageError
from maixfs.explain import AddressError, FlashFields, fields_between, parse_address, view_lines
from maixfs.firmware import make_config, make_entry, wrap
from maixfs.image.parts import Parts
from maixfs.kmodel import reverse_words
from maixfs.nor.view import ImageDevice
from maixfs.spiffs import OpenFlag, SpiffsCore

CASES = {case.name: case for case in spiffs_cases()}


@cache
def whole() -> FlashFields:
    return FlashFields(Parts(bytes(make_flash())))


@cache
def kboot() -> FlashFields:
    image = bytearray(b"\xff" * 0x1000000)
    stage = wrap(payload(0x800))
    for at, data in (
        (0, stage),
        (0x1000, b"\x00" + stage[1:5] + b"\x21\xa8\x00\x00" + b"Kboot_v1.4.1\0" + stage[18:]),
        (0x4000, make_config([make_entry(0, 0x80000, 0x20000, "firmware")])),
        (0x5000, make_config([], pin=16)),
        (0x80000, wrap(payload())),
        (0x500000, reverse_words(make_v3())),
        (0x580000, make_beta()),
        (0x600000, make_sealed()),
        (0x700000, bytes(0x10000)),
    ):
        image[at : at + len(data)] = data
    return FlashFields(Parts(bytes(image)))


@cache
def golden(case: SpiffsCase) -> FlashFields:
    """An area in its place; its geometry is found in it, or where it hides known."""
    image = Parts(case.image)
    return FlashFields(image, None if image.areas else case.geometry)


def sentence(fields: FlashFields, place: str) -> str:
    explained = fields.explain(fields.resolve(parse_address(place)))
    assert explained.field.section
    return explained.sentence


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("0", "byte 0x000000: flags of the firmware at 0x000000 (MaixPy): 00 = not encrypted"),
        ("1", "length of the firmware at 0x000000 (MaixPy): 00020000 (131072) = bytes of"),
        ("5", "(21 '!', offset 0): payload of the firmware at 0x000000"),
        ("0x20005", "SHA-256 of the firmware at 0x000000"),
        ("0x100000", "byte 0x100000 (FF): erased flash: in the region of the firmware"),
        ("model:0x300000@12", "layers_length of header of the model at 0x300000 (kmodel v3)"),
        ("0x30003C", "flags of k210_conv, layer 0, of the model at 0x300000 (kmodel v3)"),
        ("0x300058", "offset 28): body of the model at 0x300000 (kmodel v3): body of layer 0"),
        ("0x380000", "identifier of header of the model at 0x380000 (kmodel v4)"),
        ("0x400020", "type of module 0 of the model at 0x400000 (kmodel v5): 'stackvm'"),
        ("0x480014", "layer 0 of the model at 0x480000 (kmodel v1)"),
        ("block:0", "entry 0 of the look-up of block 0: 8001 = page 1 is an index page of /boot"),
        ("0xD00FFC", "magic of the look-up of block 0: 1531 = right"),
        ("0xD20FFE", "erase count of the look-up of block 1"),
        ("page:1@4", "byte 0xD01004: flags of page 1: F8 = index page, in use, final; page 1 is"),
        ("page:1@9", "byte 0xD01009 (2 of 4): size of page 1: 0000000B (11) = /boot.py has 11"),
        ("page:1@15", "name of page 1: /boot.py = the file's name as it is stored"),
        ("page:1@142", "table entry 0 of page 1: 0002 = page 2 holds the bytes from 0 on of /bo"),
        ("page:1@500", "table entries 1 to 1976 of page 1: FFFF = no page"),
        ("file:/main.py@5000", "(28 '(', offset 5000): data of page 5: bytes 4091 to 5999 of /m"),
        ("file:main.py@5000", "offset 5000"),
        ("file:/flash/main.py@5000", "offset 5000"),
        ("page:5@2000", "unused of page 5: past the end of /main.py"),
        ("file:/freq.conf@12", "gc_heap_size of /freq.conf (page at 0xD07000): 524288"),
        ("file:/empty.txt", "obj_id of page 10: 8005"),
        ("page:300", "erased of free page 300: not used since its block was erased"),
        ("sector:0xD01", "obj_id of page 1"),
    ],
)
def test_sentence_names_field_value_and_meaning(place: str, words: str) -> None:
    assert words in sentence(whole(), place)


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("0x4000", "id of entry 0 (firmware) of the main configuration: 5AA5D0C5"),
        ("0x4004", "address of entry 0 (firmware) of the main configuration: 00080000 (524288)"),
        ("0x4020", "no entry: its id"),
        ("0x4100", "no flags: the default boot pin"),
        ("0x5100", "boot flags of the backup configuration: A55A60D0 = boot pin 16"),
        ("0x5200", "not used by Kboot"),
        ("0x80000", "flags of the firmware at 0x080000"),
        ("0x50000C", "layers_length of header of the model at 0x500000 (kmodel v3): 00000003"),
        ("0x580000", "model at 0x580000 (kmodel v5 beta)"),
        ("0x600004", "length of header of the model at 0x600000"),
        ("0x700000", "zeros"),
    ],
)
def test_kboot_and_unusual_models_are_explained(place: str, words: str) -> None:
    assert words in sentence(kboot(), place)


def test_deleted_page_names_its_former_file() -> None:
    case = CASES["maixpy-heavy-literal"]
    fields, geometry = golden(case), case.geometry
    pages = [page for page in range(geometry.pages) if not geometry.is_lookup_page(page)]
    flags = [fields.at(geometry.page_address(page) + 4) for page in pages]
    said = [field.meaning for field in flags if field.structure.startswith("deleted page")]
    assert any(text.startswith("deleted; page ") and " was span " in text for text in said)
    assert any(" was the index header of /" in text for text in said)


def test_leftover_bytes_of_free_pages_are_not_erased() -> None:
    image = make_flash()
    image[0xF00000 + 0x1000 : 0xF00000 + 0x2000] = image[0xD04000:0xD05000]
    fields = FlashFields(Parts(bytes(image)))
    assert "leftover bytes in a free page" in sentence(fields, "0xF01004")
    assert fields.at(0xF01004).section == "11.2"


@pytest.mark.parametrize("name", CASES)
def test_every_byte_of_golden_areas_has_a_field(name: str) -> None:
    """Fields follow each other without gap or overlap, from the first byte to the last."""
    case = CASES[name]
    fields = golden(case)
    at = 0
    for field in fields_between(fields, 0, min(fields.size, 0x40000)):
        assert field.start <= at < field.end, field
        assert field.section
        at = field.end
    assert at >= min(fields.size, 0x40000)


def test_named_sections_are_in_the_specification() -> None:
    text = (Path(__file__).parents[2] / "docs" / "SPEC.md").read_text(encoding="utf-8")
    numbers = set(re.findall(r"^#+ (\d+(?:\.\d+)?)\.? ", text, re.MULTILINE))
    named = {
        fields.at(start).section
        for fields in (whole(), kboot(), golden(CASES["maixpy-heavy-k210nw"]))
        for at in range(0, fields.size, 0x1000)
        for start in (at, at + 4, at + 16, at + 0x800, at + 0xFFC)
        if start < fields.size
    }
    assert named >= {"2", "3.1", "3.2", "11.2", "24", "25", "26", "27.2", "27.4"}
    assert named <= numbers


@settings(max_examples=40, deadline=None, derandomize=True)
@given(data=st.data())
def test_any_byte_of_any_image_has_a_field(data: st.DataObject) -> None:
    fields = data.draw(st.sampled_from([whole(), kboot(), *map(golden, CASES.values())]))
    address = data.draw(st.integers(0, fields.size - 1))
    explained = fields.explain(address)
    assert explained.field.start <= address < explained.field.end
    assert explained.sentence.startswith(f"byte 0x{address:06X}")


@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.data())
def test_damaged_areas_have_fields(data: st.DataObject) -> None:
    """Random bytes over a sound area: every page still has fields that join."""
    case = CASES["maixpy-firmware-like"]
    image = bytearray(case.image)
    page_size = case.geometry.page_size
    for _ in range(data.draw(st.integers(1, 8))):
        page = data.draw(st.integers(0, 40))
        at = page * page_size + data.draw(st.integers(0, 200))
        image[at : at + 8] = data.draw(st.binary(min_size=8, max_size=8))
    fields = FlashFields(Parts(bytes(image)), case.geometry)
    at = 0
    for field in fields_between(fields, 0, 40 * page_size):
        assert field.start <= at < field.end, field
        at = field.end


def test_file_address_resolves_to_its_data() -> None:
    """The address of each byte of a file is that at which the driver reads it."""
    fields, content = whole(), FILES["/main.py"]
    for offset in (0, 1, 4090, 4091, len(content) - 1):
        address = fields.resolve(parse_address(f"file:/main.py@{offset}"))
        assert fields.view[address] == content[offset]
    with SpiffsCore(ImageDevice(fields.view), MAIXPY, read_only=True) as fs:
        assert fs.open_descriptor("/main.py", OpenFlag.RDONLY).read() == content


@pytest.mark.parametrize(
    "place",
    [
        "x",
        "-1",
        "0x",
        "12q",
        "",
        "banana:3",
        "page:x",
        "page:1@y",
        "page:99999",
        "block:24",
        "0x1000000",
        "99999999999999999999999",
        "file:/no",
        "file:/main.py@6000",
        "cluster:5",
        "fat:2",
        "model:0x2000000",
    ],
)
def test_places_outside_the_image_raise_address_error(place: str) -> None:
    with pytest.raises(AddressError) as caught:
        whole().resolve(parse_address(place))
    assert isinstance(caught.value, UsageError)


def test_path_may_contain_an_at_sign() -> None:
    assert parse_address("file:/a@b").path == "/a@b"
    assert parse_address("file:/a@b@7")[2:4] == ("/a@b", 7)
    assert parse_address("13M").number == 13 << 20


def test_page_address_without_spiffs_raises_address_error() -> None:
    fields = FlashFields(Parts(b"\xff" * 0x2000))
    assert "erased flash" in fields.explain(5).sentence
    with pytest.raises(AddressError, match="no SPIFFS"):
        fields.resolve(parse_address("page:1"))


def test_cut_off_area_has_fields_to_its_end() -> None:
    image = bytes(make_flash())[: 0xD00000 + 0x25003]
    fields = FlashFields(Parts(image), MAIXPY)
    for address in (0xD20000, 0xD25000, len(image) - 1):
        assert fields.explain(address).sentence


def test_overlapping_part_ends_the_field_before_it() -> None:
    fields = FlashFields(Parts(bytes(CASES_OF_COMPLAINTS["model-in-firmware"].build())))
    said = [field.structure for field in fields_between(fields, 0, 0x190000)]
    assert any("firmware at 0x000000" in text for text in said)
    assert any("model at 0x180000" in text for text in said)


def test_dump_lines_contain_every_byte_once() -> None:
    fields = whole()
    start, length = 0xD00FF0, 0x200
    lines = list(view_lines(fields, start, length))
    seen = sum(len(line.data) for line in lines) + 16 * sum(line.skipped for line in lines)
    assert seen == length
    assert any(line.skipped for line in lines)
    for line in lines:
        assert line.data == bytes(fields.view[line.address : line.address + len(line.data)])
        numbers = [piece.number for piece in line.pieces]
        assert numbers == sorted(set(numbers))
