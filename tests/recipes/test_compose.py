"""Whole flashes put together: who may lie where, what is refused, and taking them apart again."""

from __future__ import annotations

import pytest

from kmodel.make_models import make_v3
from maixfs.errors import MaixfsError
from maixfs.firmware import FirmwareError, read_firmware, wrap
from maixfs.image.layout import find_layout
from maixfs.kfpkg import Part, make_kfpkg, read_kfpkg
from maixfs.kmodel import reverse_words
from maixfs.recipes import (
    FLASHERS,
    ComposeError,
    Piece,
    Plan,
    apply,
    assemble,
    guess_layout,
    kind_of,
    parts_of,
    pieces_of,
    plan,
)
from maixfs.recipes.pieces import firmware_piece
from maixfs.spiffs import PRESETS
from maixfs.spiffs.pack import pack

MAIXPY = find_layout("maixpy-16m")
KRUX = find_layout("krux-16m")
PAYLOAD = b"\x21\xa8\xef\xbe\xad\xde\x01\x00\x01\x00" + bytes(range(251)) * 20
MODEL = make_v3()
AREA = bytes(pack([("/main.py", b"print(1)\n")], PRESETS["maixpy"]))
CHIP = 0x1000000


def firmware(size: int = len(PAYLOAD), address: int = 0, name: str = "maixpy.bin") -> Piece:
    return firmware_piece(name, PAYLOAD[:16].ljust(size, b"\x5a"), address)


def model(address: int = 0x300000, size: int = len(MODEL), name: str = "face.kmodel") -> Piece:
    return Piece(name, "model", address, MODEL.ljust(size, b"\1"))


def data(address: int, size: int = 100, name: str = "raw.bin") -> Piece:
    return Piece(name, "data", address, b"\x77" * size)


def area(address: int = 0xD00000, content: bytes = AREA) -> Piece:
    return Piece("fs.bin", "spiffs", address, content)


def keys(planned: Plan) -> list[tuple[str, bool]]:
    return [(one.key, one.is_error) for one in planned.conflicts]


def only(planned: Plan) -> str:
    assert len(planned.conflicts) == 1, planned.conflicts
    return planned.conflicts[0].message


# Building


def test_assembled_flash_has_its_pieces_and_is_erased_elsewhere() -> None:
    planned = plan([firmware(), model(), area()], MAIXPY)
    assert planned.conflicts == ()
    flash = assemble(planned)
    assert len(flash) == CHIP
    assert read_firmware(flash).sha_ok
    assert flash[0x300000:].startswith(MODEL)
    assert flash[0xD00000:] == AREA
    end = read_firmware(flash).total
    assert flash[end:0x300000].count(0xFF) == 0x300000 - end


def test_plan_spans_have_owners_and_padding() -> None:
    spans = plan([area(), firmware()], MAIXPY, flasher="kflash-64k").spans
    assert [(one.start, one.name, one.owners) for one in spans] == [
        (0, "maixpy.bin", ("the firmware",)),
        (0xD00000, "fs.bin", ("the file system /flash",)),
    ]
    assert spans[0].end + spans[0].padding == 0x10000


def test_apply_keeps_the_rest() -> None:
    flash = bytes(assemble(plan([firmware(), model(), area()], MAIXPY)))
    changed = apply(plan([model(0x400000)], image=flash), flash)
    assert changed[0x400000:].startswith(MODEL)
    changed[0x400000 : 0x400000 + len(MODEL)] = b"\xff" * len(MODEL)
    assert changed == flash


@pytest.mark.parametrize("name", FLASHERS)
def test_padding_of_a_flasher_is_written(name: str) -> None:
    unit = {"none": 1, "kflash-4k": 0x1000, "kflash-64k": 0x10000, "ktool": 0x1000}[name]
    flash = assemble(plan([model(size=5000)], MAIXPY, flasher=name))
    end = 0x300000 + 5000
    padding = -5000 % unit
    assert flash[end : end + padding] == bytes(padding)
    assert flash[end + padding] == 0xFF


def test_ktool_pads_large_files_to_64_kib() -> None:
    assert FLASHERS["ktool"].padding(0x1FFFF) == 1
    assert FLASHERS["ktool"].padding(0x20001) == 0xFFFF


def test_unknown_flasher_raises() -> None:
    with pytest.raises(MaixfsError, match="no flasher 'x'"):
        plan([model()], MAIXPY, flasher="x")


# What is refused


def test_overlap_is_an_error_with_both_names() -> None:
    planned = plan([firmware(0x2000), data(0x2000)], MAIXPY)
    message = only(planned)
    assert message == "maixpy.bin (0x0-0x2025) and raw.bin (0x2000-0x2064) overlap"
    assert planned.errors[0].hint == "the next free address behind maixpy.bin is 0x3000"
    with pytest.raises(ComposeError, match="overlap") as caught:
        assemble(planned)
    assert caught.value.conflicts == planned.errors


def test_header_and_hash_count_for_overlaps() -> None:
    """The payload alone would fit in front of its neighbour; with 37 bytes more it does not."""
    assert keys(plan([firmware(0x1000 - 37), data(0x1000)], MAIXPY)) == []
    assert keys(plan([firmware(0x1000 - 36), data(0x1000)], MAIXPY)) == [("overlap", True)]


def test_every_overlap_with_a_long_part_is_reported() -> None:
    planned = plan([data(0, 0x10000), data(0x1000), data(0x2000)], MAIXPY)
    assert keys(planned) == [("overlap", True)] * 2


def test_model_that_reaches_into_the_file_system_is_an_error() -> None:
    message = only(plan([model(0xC80000, 0x100000)], MAIXPY))
    assert message == (
        "face.kmodel (0xc80000-0xd80000) reaches into"
        " the file system /flash (0xd00000-0x1000000)"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("piece", "expected", "words"),
    [
        (model(0xE00000), ("region", True), "overwrites the file system /flash"),
        (model(0x200000), ("region", False), "lies in the area of the firmware"),
        (firmware(0x100000, 0x280000), ("region", True), "reaches into models"),
        (area(0x500000), ("region", False), "lies in the area of models"),
        (area(content=AREA[:0x200000]), ("spiffs", True), "the firmware would format it"),
        (area(0xE00000, AREA[:0x200000]), ("spiffs", True), "the firmware would format it"),
        (data(0xC00000, 0x200000), ("region", False), "reaches into the file system"),
        (model(0x300800), ("alignment", True), "does not begin at a sector"),
        (data(0xFFF000, 0x2000), ("end", True), "ends past the end of the chip (0x1000000)"),
        (data(0x2000000), ("end", True), "ends past the end of the chip"),
        (data(0x300000, 0), ("empty", True), "is empty"),
    ],
)
def test_wrong_place_is_a_conflict(piece: Piece, expected: tuple[str, bool], words: str) -> None:
    planned = plan([piece], MAIXPY)
    assert keys(planned) == [expected]
    assert words in planned.conflicts[0].message
    assert hex(piece.address) in planned.conflicts[0].message


def test_blank_piece_over_the_file_system_is_no_conflict() -> None:
    blank = Piece("blank.bin", "blank", 0xD00000, b"\xff" * 0x300000)
    assert plan([blank], MAIXPY, flasher="none").conflicts == ()


def test_firmware_larger_than_its_slot_is_an_error() -> None:
    planned = plan([firmware(0x300001, 0x390000)], KRUX)
    assert keys(planned) == [("limit", True)]
    assert "the firmware, slot 2 (0x390000-0x6a0000) may have 0x300025" in only(planned)


def test_piece_past_a_smaller_chip_is_an_error() -> None:
    assert ("end", True) in keys(plan([area()], MAIXPY, size=0x800000))


def test_raw_data_may_share_a_sector_in_a_whole_image_only() -> None:
    pieces = [model(), data(0x300000 + len(MODEL))]
    assert keys(plan(pieces, MAIXPY)) == []
    assert keys(plan(pieces, MAIXPY, flasher="none")) == [("alignment", True)]


# Zeros behind files


def test_padding_over_an_earlier_piece_is_an_error() -> None:
    pieces = [model(0x310000, name="late"), model(0x300000, 0x1001)]
    assert keys(plan(pieces, MAIXPY, flasher="kflash-64k")) == []
    pieces = [model(0x302000, name="early"), model(0x300000, 0x1001)]
    planned = plan(pieces, MAIXPY, flasher="kflash-64k")
    assert keys(planned) == [("padding", True)]
    assert "destroys early (0x302000-0x" in only(planned)
    assert "up to 0x310000" in only(planned)
    assert keys(plan(pieces[::-1], MAIXPY, flasher="kflash-64k")) == []
    assert keys(plan(pieces, MAIXPY, flasher="kflash-4k")) == []


def test_padding_over_a_region_without_later_piece_is_an_error() -> None:
    stage = firmware(0x1000, 0x1000, "hi.bin")
    planned = plan([stage], KRUX, flasher="kflash-64k")
    assert set(keys(planned)) == {("padding", True), ("padding", False)}
    assert "0x4000-0x5000 of Kboot's main configuration (0x4000-0x5000)" in " ".join(
        one.message for one in planned.errors
    )
    config = b"\x5a\xa5\xd0\xc5".ljust(0x1000, b"\0")
    configs = [Piece("c", "boot config", at, config) for at in (0x4000, 0x5000)]
    again = plan([stage, *configs], KRUX, flasher="kflash-64k")
    assert not again.errors


# Headers


@pytest.mark.parametrize(
    ("part", "expected", "words"),
    [
        (Part(0, "fw.bin", PAYLOAD, False), ("header", True), "firmware without a header"),
        (Part(0, "fw.bin", wrap(PAYLOAD), True), ("header", True), "has a header already"),
        (Part(0x300000, "m", MODEL, True), ("header", True), "is a model but would get"),
        (Part(0x300000, "d", b"what is this", True), ("header", False), "does not begin like"),
    ],
)
def test_missing_or_double_header_is_a_conflict(
    part: Part, expected: tuple[str, bool], words: str
) -> None:
    planned = plan(pieces_of([part]), flasher="none")
    assert expected in keys(planned)
    found = next(one for one in planned.conflicts if one.key == "header")
    assert words in found.message
    assert part.name in found.message


def test_firmware_with_flags_under_kboot_is_an_error() -> None:
    flagged = firmware_piece("fw.bin", PAYLOAD, 0x80000, dio=True)
    assert keys(plan([flagged], KRUX)) == [("kboot", True)]
    assert "fw.bin (0x80000-0x" in only(plan([flagged], KRUX))
    plain = firmware_piece("fw.bin", PAYLOAD, 0x80000)
    assert keys(plan([plain], KRUX)) == []
    assert keys(plan([plain], KRUX, flasher="none")) == [("kboot", False)]
    assert keys(plan([plain], KRUX, flasher="ktool")) == []
    assert keys(plan([firmware_piece("fw.bin", PAYLOAD, dio=True)], MAIXPY)) == []


def test_package_of_wrapped_firmware_has_no_conflict() -> None:
    part = Part(0, "fw.bin", wrap(PAYLOAD), False)
    assert plan(pieces_of([part]), flasher="none").conflicts == ()


def test_firmware_piece_of_other_data_raises() -> None:
    with pytest.raises(FirmwareError, match="does not begin like a program"):
        firmware_piece("x.bin", b"hello")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (PAYLOAD, "firmware"),
        (wrap(PAYLOAD), "firmware"),
        (MODEL, "model"),
        (reverse_words(MODEL), "model"),
        (AREA, "spiffs"),
        (b"\xff" * 5000, "blank"),
        (bytes.fromhex("5aa5d0c5") + bytes(28), "boot config"),
        (b"", "blank"),
        (b"text", "data"),
        (bytes(0x4000), "data"),
    ],
)
def test_kind_of_data(content: bytes, kind: str) -> None:
    assert kind_of(content) == kind


def test_pieces_survive_a_package() -> None:
    pieces = [firmware(), model(), area(), firmware_piece("w.bin", wrap(PAYLOAD), 0x80000)]
    parts = parts_of(pieces)
    assert [part.sha256_prefix for part in parts] == [True, False, False, True]
    again = pieces_of(read_kfpkg(make_kfpkg(parts)).parts)
    assert [(one.address, one.data) for one in again] == [(p.address, p.data) for p in pieces]


# What is there already


BOARD = bytes(assemble(plan([firmware(0x20000), model(), area()], MAIXPY)))


@pytest.mark.parametrize(
    ("piece", "expected", "words"),
    [
        (data(0x10000), ("present", True), "overwrites a part of the firmware at 0x0-0x20025"),
        (data(0x300000 - 0x1000, 0x2000), ("present", False), "the model at 0x300000"),
        (data(0xD10000), ("present", True), "a part of the spiffs at 0xd00000-0x1000000"),
        (area(content=AREA[::-1]), ("present", False), "all files in it are lost"),
    ],
)
def test_damage_to_present_parts_is_a_conflict(
    piece: Piece, expected: tuple[str, bool], words: str
) -> None:
    planned = plan([piece], MAIXPY, image=BOARD)
    found = [one for one in planned.conflicts if one.key == "present"]
    assert [(one.key, one.is_error) for one in found] == [expected]
    assert words in found[0].message


@pytest.mark.parametrize("piece", [firmware(), model(), area(), data(0x500000)])
def test_piece_that_replaces_its_like_is_no_conflict(piece: Piece) -> None:
    assert plan([piece], MAIXPY, image=BOARD).conflicts == ()


@pytest.mark.parametrize(
    ("addresses", "name"),
    [
        ((0,), "maixpy-16m"),
        ((0, 0x1000, 0x80000), "krux-16m"),
        ((0, 0x1000, 0x80000, 0x280000), "krux-16m-old"),
        ((0, 0x1000, 0x10000), "lobo-kboot-16m"),
    ],
)
def test_layout_is_guessed_from_addresses(addresses: tuple[int, ...], name: str) -> None:
    pieces = [firmware(0x100, address) for address in addresses]
    assert guess_layout(pieces).name == name
    assert plan(pieces, flasher="ktool").errors == ()


def test_chip_that_is_too_large_is_an_error() -> None:
    planned = plan([data(0)], MAIXPY, size=0xF0000000)
    assert keys(planned) == [("chip", True)]
    with pytest.raises(ComposeError, match="no flash chip of these boards has 0xf0000000 bytes"):
        assemble(planned)


def test_unknown_model_is_a_warning() -> None:
    other = Piece("fw.bin", "model", 0x300000, PAYLOAD)
    (conflict,) = plan([other], MAIXPY).conflicts
    assert (conflict.key, conflict.is_error) == ("model", False)
    assert "fw.bin (0x300000-" in conflict.message and "is no known model" in conflict.message
    turned = Piece("m.kmodel", "model", 0x300000, reverse_words(MODEL))
    assert plan([model(), turned._replace(address=0x310000)], MAIXPY).conflicts == ()
