"""A chip as cells: whose they are, how worn, how random; and the pictures made of them."""

from __future__ import annotations

import io
import sys
from dataclasses import replace
from itertools import combinations
from xml.etree import ElementTree as ET

import pytest

from kmodel.make_models import make_v3
from maixfs.draw import (
    KINDS,
    PAGES,
    chart_entropy,
    chart_pages,
    chart_parts,
    chart_wear,
    draw_png,
    draw_svg,
    ink_on,
    lay_out,
    page_states,
    terminal_colour,
)
from maixfs.draw.chart import block_wear, level_shade, usual_unit
from maixfs.errors import MaixfsError, UsageError
from maixfs.firmware import wrap
from maixfs.image.parts import Parts
from maixfs.nor import IdealDriver, NorChip
from maixfs.spiffs import PRESETS, SpiffsCore
from maixfs.spiffs.pack import pack

SIZE = 0x100000
AREA = replace(PRESETS["maixpy"], base=0x40000, size=0xA0000)
PROGRAM = b"\x21\xa8\xef\xbe\xad\xde\x01\x00\x01\x00" + bytes(range(256)) * 200


@pytest.fixture(scope="module")
def image() -> bytes:
    """Firmware of 12.5 sectors, a model, a file system with a deleted file, zeros, random."""
    chip = NorChip.in_memory(SIZE)

    def put(address: int, data: bytes) -> None:
        chip.program(address, data)

    put(0, wrap(PROGRAM))
    put(0x20000, make_v3())
    put(AREA.base, bytes(pack({"/a.bin": bytes(9000), "/b.bin": b"b" * 4000}, AREA)))
    SpiffsCore(IdealDriver(chip), AREA, faithful=True).remove("/b.bin")
    put(0xF0000, bytes(0x4000))
    put(0xF8000, bytes(range(256)) * 16)
    return chip.read(0, SIZE)


def letters(cells: object) -> str:
    return "".join(cell.shade.letter for cell in cells)  # type: ignore[attr-defined]


def test_parts_chart_has_a_cell_per_sector(image: bytes) -> None:
    chart = chart_parts(Parts(image))
    assert chart.unit == 0x1000
    row = letters(chart.cells)
    assert len(row) == SIZE // 0x1000
    assert row[:14] == "F" * 13 + "."
    assert row[0x20] == "m"
    assert row[0x40:0x4A] == "SSSSSxx___"
    assert row[0xE0:] == "................" + "0000....?......."
    assert {shade.letter for shade in chart.legend} == set("FMS?.0x_")


def test_large_cell_has_the_kind_that_fills_most_of_it(image: bytes) -> None:
    chart = chart_parts(Parts(image), 0x10000)
    assert letters(chart.cells) == "F.m.s_________.?"
    assert (
        chart.cells[4].text
        == "file system, in use 31 %, file system, deleted data 12 %, file system, free 56 %"
    )
    assert sum(cell.size for cell in chart.cells) == SIZE


@pytest.mark.parametrize("unit", [1, 0x800, 0x1800])
def test_unit_that_is_no_multiple_of_a_sector_raises(image: bytes, unit: int) -> None:
    with pytest.raises(UsageError, match="no multiple of a sector"):
        chart_parts(Parts(image), unit)


@pytest.mark.parametrize(
    ("size", "unit"), [(1 << 24, 0x10000), (1 << 23, 0x8000), (1 << 20, 0x1000), (7, 0x1000)]
)
def test_usual_unit_gives_at_most_256_cells(size: int, unit: int) -> None:
    assert usual_unit(size) == unit


@pytest.mark.parametrize("data", [b"", b"\xff", b"\x00" * 5000, b"\x03\x00\x00\x00" * 99])
def test_any_bytes_can_be_charted(data: bytes) -> None:
    found = Parts(data)
    for chart in (chart_parts(found), chart_entropy(found), chart_wear(len(data), [])):
        assert sum(cell.size for cell in chart.cells) == len(data)
        assert draw_svg(lay_out(chart, "t"))


def test_pages_chart_has_the_state_of_each_page(image: bytes) -> None:
    found = Parts(image)
    chart = chart_pages(found, found.areas[0])
    row = letters(chart.cells)
    assert chart.row == 32
    assert row[:32] == "LHDDDxx" + "." * 25  # a page header takes 5 bytes: 9000 need 3 pages
    assert row[32:] == ("L" + "." * 31) * 4


def test_damaged_pages_have_their_own_state(image: bytes) -> None:
    damaged = bytearray(image)
    damaged[AREA.page_address(2)] ^= 0x01
    damaged[AREA.page_address(20) + 77] = 0
    states = page_states(memoryview(damaged), AREA)
    assert states[2] == "wrong"
    assert states[20] == "stale"
    cut = page_states(memoryview(damaged)[: AREA.base + 0x3002], AREA)
    assert len(cut) == AREA.pages
    assert set(states) | set(cut) <= set(PAGES)


def test_wear_chart_scales_erase_counts(image: bytes) -> None:
    counts = [0] * 256
    counts[0x41], counts[0x42] = 90, 1
    chart = chart_wear(SIZE, counts, 0x1000)
    assert letters(chart.cells)[0x40:0x44] == ".91."
    assert chart.cells[0x41].value == 90
    coarse = chart_wear(SIZE, counts, 0x10000)
    assert letters(coarse.cells) == "....9" + "." * 11
    kept = block_wear(Parts(image))
    assert len(kept) == 256 and not any(kept)
    worn = bytearray(image)
    at = AREA.base + AREA.block_size + AREA.magic_offset + 2
    worn[at : at + 2] = (7).to_bytes(2, "little")
    assert block_wear(Parts(worn)) == [0] * 0x60 + [7] * 0x20 + [0] * 0x80


def test_entropy_chart_scales_bits_per_byte(image: bytes) -> None:
    chart = chart_entropy(Parts(image), 0x1000)
    assert chart.cells[0xF8].value == 8.0
    assert chart.cells[0xF8].shade.letter == "9"
    assert chart.cells[0xF0].value == 0.0
    assert letters(chart.cells)[0xEF:0xF2] == "..."


def test_kinds_have_different_readable_letters() -> None:
    for table in (KINDS, PAGES, {str(n): level_shade(n) for n in range(10)}):
        for first, second in combinations(table.values(), 2):
            assert first.letter.lower() != second.letter.lower()
    assert len({terminal_colour(level_shade(level).rgb) for level in range(10)}) >= 5
    assert terminal_colour((0, 0, 0)) == 16 and terminal_colour((255, 255, 255)) == 231
    assert ink_on((255, 255, 255)) == (0, 0, 0) and ink_on((0, 0, 0)) == (255, 255, 255)


def test_svg_has_cells_letters_and_legend(image: bytes) -> None:
    found = Parts(image)
    for chart in (chart_parts(found), chart_pages(found, found.areas[0])):
        text = draw_svg(lay_out(chart, "a <b> & \x1b c", ["a note"]))
        root = ET.fromstring(text)
        space = "{http://www.w3.org/2000/svg}"
        tips = [one.text for one in root.iterfind(f"{space}g/{space}title")]
        assert len(tips) == len(chart.cells)
        assert tips[0] and tips[0].startswith(f"0x{chart.cells[0].start:06X}: ")
        assert root.findtext(f"{space}title") == "a <b> & \\x1b c"
        words = [one.text for one in root.iterfind(f"{space}text")]
        assert "a note" in words
        assert {shade.name for shade in chart.legend} <= set(words)
        width, height = int(root.attrib["width"]), int(root.attrib["height"])
        for box in lay_out(chart, "t").boxes:
            assert 0 <= box.x <= width - box.size and 0 <= box.y <= height - box.size


def test_png_has_the_size_of_the_picture(image: bytes) -> None:
    pil = pytest.importorskip("PIL.Image")
    picture = lay_out(chart_parts(Parts(image)), "title", ["note"])
    drawn = pil.open(io.BytesIO(draw_png(picture)))
    assert drawn.size == (2 * picture.width, 2 * picture.height)
    box = picture.boxes[0]
    assert drawn.getpixel((2 * box.x + 1, 2 * box.y + 1)) == box.rgb


def test_png_without_pillow_raises(image: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(MaixfsError, match="Pillow") as caught:
        draw_png(lay_out(chart_parts(Parts(image)), "title"))
    assert caught.value.hint == "pip install 'maixfs[png]', or draw an SVG"
