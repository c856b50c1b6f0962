"""Whole flashes put together: who may lie where, what is refused, and taking them apart again."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flash.make_models import make_v3
from maixfs.errors import MaixfsError
from maixfs.flash.compose import ComposeError, Plan, apply, build, guess_layout, plan
from maixfs.flash.errors import FirmwareError
from maixfs.flash.firmware import read_firmware, wrap
from maixfs.flash.flashers import FLASHERS
from maixfs.flash.ingredients import RecipeError, spiffs_piece
from maixfs.flash.kfpkg import Part, make_kfpkg, read_kfpkg
from maixfs.flash.kmodel.reader import reverse_words
from maixfs.flash.layout import find_layout
from maixfs.flash.pieces import Piece, firmware_piece, kind_of, parts_of, pieces_of
from maixfs.flash.recipe import read_recipe
from maixfs.flash.split import RECIPE_NAME, Split, split
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


def test_a_flash_holds_its_parts_and_is_erased_elsewhere() -> None:
    planned = plan([firmware(), model(), area()], MAIXPY)
    assert planned.conflicts == ()
    flash = build(planned)
    assert len(flash) == CHIP
    assert read_firmware(flash).sha_ok
    assert flash[0x300000:].startswith(MODEL)
    assert flash[0xD00000:] == AREA
    end = read_firmware(flash).total
    assert flash[end:0x300000].count(0xFF) == 0x300000 - end


def test_a_plan_tells_who_has_what() -> None:
    spans = plan([area(), firmware()], MAIXPY, flasher="kflash-64k").spans
    assert [(one.start, one.name, one.owners) for one in spans] == [
        (0, "maixpy.bin", ("the firmware",)),
        (0xD00000, "fs.bin", ("the file system /flash",)),
    ]
    assert spans[0].end + spans[0].padding == 0x10000


def test_what_is_applied_keeps_the_rest() -> None:
    flash = bytes(build(plan([firmware(), model(), area()], MAIXPY)))
    changed = apply(plan([model(0x400000)], image=flash), flash)
    assert changed[0x400000:].startswith(MODEL)
    changed[0x400000 : 0x400000 + len(MODEL)] = b"\xff" * len(MODEL)
    assert changed == flash


@pytest.mark.parametrize("name", FLASHERS)
def test_the_zeros_of_a_flasher_are_written(name: str) -> None:
    unit = {"none": 1, "kflash-4k": 0x1000, "kflash-64k": 0x10000, "ktool": 0x1000}[name]
    flash = build(plan([model(size=5000)], MAIXPY, flasher=name))
    end = 0x300000 + 5000
    padding = -5000 % unit
    assert flash[end : end + padding] == bytes(padding)
    assert flash[end + padding] == 0xFF


def test_ktool_fills_large_files_up_to_64_kib() -> None:
    assert FLASHERS["ktool"].padding(0x1FFFF) == 1
    assert FLASHERS["ktool"].padding(0x20001) == 0xFFFF


def test_an_unknown_flasher_is_told() -> None:
    with pytest.raises(MaixfsError, match="no flasher 'x'"):
        plan([model()], MAIXPY, flasher="x")


# What is refused


def test_parts_that_overlap_are_refused_with_both_names() -> None:
    planned = plan([firmware(0x2000), data(0x2000)], MAIXPY)
    message = only(planned)
    assert message == "maixpy.bin (0x0-0x2025) and raw.bin (0x2000-0x2064) overlap"
    assert planned.errors[0].hint == "the next free address behind maixpy.bin is 0x3000"
    with pytest.raises(ComposeError, match="overlap") as caught:
        build(planned)
    assert caught.value.conflicts == planned.errors


def test_the_wrapper_counts() -> None:
    """The payload alone would fit in front of its neighbour; with 37 bytes more it does not."""
    assert keys(plan([firmware(0x1000 - 37), data(0x1000)], MAIXPY)) == []
    assert keys(plan([firmware(0x1000 - 36), data(0x1000)], MAIXPY)) == [("overlap", True)]


def test_every_overlap_with_a_long_part_is_told() -> None:
    planned = plan([data(0, 0x10000), data(0x1000), data(0x2000)], MAIXPY)
    assert keys(planned) == [("overlap", True)] * 2


def test_a_model_that_reaches_into_the_file_system_is_refused() -> None:
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
        (data(0xFFF000, 0x2000), ("end", True), "ends behind the chip (0x1000000)"),
        (data(0x2000000), ("end", True), "ends behind the chip"),
        (data(0x300000, 0), ("empty", True), "is empty"),
    ],
)
def test_places_that_are_wrong(piece: Piece, expected: tuple[str, bool], words: str) -> None:
    planned = plan([piece], MAIXPY)
    assert keys(planned) == [expected]
    assert words in planned.conflicts[0].message
    assert hex(piece.address) in planned.conflicts[0].message


def test_an_erase_package_for_the_file_system_is_fine() -> None:
    blank = Piece("blank.bin", "blank", 0xD00000, b"\xff" * 0x300000)
    assert plan([blank], MAIXPY, flasher="none").conflicts == ()


def test_a_firmware_larger_than_its_slot_is_refused() -> None:
    planned = plan([firmware(0x300001, 0x390000)], KRUX)
    assert keys(planned) == [("limit", True)]
    assert "the firmware, slot 2 (0x390000-0x6a0000) may have 0x300025" in only(planned)


def test_a_smaller_chip_has_less_room() -> None:
    assert ("end", True) in keys(plan([area()], MAIXPY, size=0x800000))


def test_raw_data_may_share_a_sector_in_a_whole_image_only() -> None:
    pieces = [model(), data(0x300000 + len(MODEL))]
    assert keys(plan(pieces, MAIXPY)) == []
    assert keys(plan(pieces, MAIXPY, flasher="none")) == [("alignment", True)]


# Zeros behind files


def test_zeros_that_destroy_what_was_written_before_are_refused() -> None:
    pieces = [model(0x310000, name="late"), model(0x300000, 0x1001)]
    assert keys(plan(pieces, MAIXPY, flasher="kflash-64k")) == []
    pieces = [model(0x302000, name="early"), model(0x300000, 0x1001)]
    planned = plan(pieces, MAIXPY, flasher="kflash-64k")
    assert keys(planned) == [("padding", True)]
    assert "destroys early (0x302000-0x" in only(planned)
    assert "up to 0x310000" in only(planned)
    assert keys(plan(pieces[::-1], MAIXPY, flasher="kflash-64k")) == []
    assert keys(plan(pieces, MAIXPY, flasher="kflash-4k")) == []


def test_zeros_over_a_region_that_nobody_writes_again_are_refused() -> None:
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
        (Part(0, "fw.bin", PAYLOAD, False), ("header", True), "firmware without header"),
        (Part(0, "fw.bin", wrap(PAYLOAD), True), ("header", True), "has a header already"),
        (Part(0x300000, "m", MODEL, True), ("header", True), "is a model but would get"),
        (Part(0x300000, "d", b"what is this", True), ("header", False), "does not begin like"),
    ],
)
def test_headers_that_are_wrong(part: Part, expected: tuple[str, bool], words: str) -> None:
    planned = plan(pieces_of([part]), flasher="none")
    assert expected in keys(planned)
    found = next(one for one in planned.conflicts if one.key == "header")
    assert words in found.message
    assert part.name in found.message


def test_a_package_of_wrapped_firmware_is_fine() -> None:
    part = Part(0, "fw.bin", wrap(PAYLOAD), False)
    assert plan(pieces_of([part]), flasher="none").conflicts == ()


def test_what_is_no_program_becomes_no_firmware() -> None:
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
def test_kinds_are_told_from_bytes(content: bytes, kind: str) -> None:
    assert kind_of(content) == kind


def test_pieces_become_a_package_and_come_back() -> None:
    pieces = [firmware(), model(), area(), firmware_piece("w.bin", wrap(PAYLOAD), 0x80000)]
    parts = parts_of(pieces)
    assert [part.sha256_prefix for part in parts] == [True, False, False, True]
    again = pieces_of(read_kfpkg(make_kfpkg(parts)).parts)
    assert [(one.address, one.data) for one in again] == [(p.address, p.data) for p in pieces]


# What is there already


BOARD = bytes(build(plan([firmware(0x20000), model(), area()], MAIXPY)))


@pytest.mark.parametrize(
    ("piece", "expected", "words"),
    [
        (data(0x10000), ("present", True), "overwrites a part of the firmware at 0x0-0x20025"),
        (data(0x300000 - 0x1000, 0x2000), ("present", False), "the model at 0x300000"),
        (data(0xD10000), ("present", True), "a part of the spiffs at 0xd00000-0x1000000"),
        (area(content=AREA[::-1]), ("present", False), "all files in it go"),
    ],
)
def test_what_is_found_in_a_flash_is_not_damaged(
    piece: Piece, expected: tuple[str, bool], words: str
) -> None:
    planned = plan([piece], MAIXPY, image=BOARD)
    found = [one for one in planned.conflicts if one.key == "present"]
    assert [(one.key, one.is_error) for one in found] == [expected]
    assert words in found[0].message


@pytest.mark.parametrize("piece", [firmware(), model(), area(), data(0x500000)])
def test_what_replaces_its_like_is_welcome(piece: Piece) -> None:
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
def test_the_layout_is_told_from_addresses(addresses: tuple[int, ...], name: str) -> None:
    pieces = [firmware(0x100, address) for address in addresses]
    assert guess_layout(pieces).name == name
    assert plan(pieces, flasher="none").conflicts == ()


# Taking apart


def save(taken: Split, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    for part in taken.parts:
        if part.name:
            (folder / part.name).write_bytes(part.data)
    (folder / RECIPE_NAME).write_text(taken.recipe, encoding="utf-8")
    return folder / RECIPE_NAME


def rebuilt(taken: Split, folder: Path) -> bytes:
    recipe = read_recipe(save(taken, folder))
    return bytes(build(plan(recipe.pieces, recipe.layout, size=recipe.size)))


def test_a_flash_is_taken_apart_by_name_and_put_together_again(tmp_path: Path) -> None:
    taken = split(BOARD)
    assert [(part.kind, part.name) for part in taken.parts] == [
        ("firmware", "firmware.bin"),
        ("model", "model-0x300000.kmodel"),
        ("spiffs", "spiffs-0xD00000.bin"),
    ]
    assert taken.parts[0].data == PAYLOAD[:16].ljust(0x20000, b"\x5a")
    assert rebuilt(taken, tmp_path) == BOARD


def test_unknown_bytes_and_zeros_come_back(tmp_path: Path) -> None:
    flash = bytearray(BOARD)
    flash[0x20025:0x30000] = bytes(0x30000 - 0x20025)
    flash[0x500123:0x500130] = b"thirteen byte"
    flash[0x600000:0x601000] = b"\x11" * 0x1000
    flash[0x602000:0x603000] = b"\x22" * 0x1000
    flash[0x300000 + len(MODEL) : 0x300000 + len(MODEL) + 20] = b"behind the model too"
    taken = split(flash)
    assert [(part.kind, part.address) for part in taken.parts] == [
        ("firmware", 0),
        ("fill", 0x20025),
        ("model", 0x300000),
        ("raw", 0x500000),
        ("raw", 0x600000),
        ("spiffs", 0xD00000),
    ]
    assert b"behind the model too" in taken.parts[2].data
    assert rebuilt(taken, tmp_path) == flash


def test_parts_that_a_recipe_may_not_have_there_are_raw(tmp_path: Path) -> None:
    flash = bytearray(b"\xff" * CHIP)
    flash[0xD40000 : 0xD40000 + len(MODEL)] = MODEL
    taken = split(flash)
    assert [(part.kind, part.address) for part in taken.parts] == [("raw", 0xD40000)]
    assert rebuilt(taken, tmp_path) == flash


def test_damaged_and_encrypted_firmware_stays_as_it_is(tmp_path: Path) -> None:
    damaged = bytearray(wrap(PAYLOAD, dio=True))
    damaged[-1] ^= 1
    sealed = wrap(b"\xa7" * 64)
    flash = bytes(damaged).ljust(0x80000, b"\xff") + (b"\1" + sealed[1:]).ljust(0x1000, b"\xff")
    assert rebuilt(split(flash), tmp_path) == flash


def test_a_flash_with_kboot_is_taken_apart(tmp_path: Path) -> None:
    config = bytes.fromhex("5aa5d0c500080000001aa00024c6abaa") + b"firmware".ljust(16, b"\0")
    stages = [firmware(600, 0, "lo"), firmware(8000, 0x1000, "hi"), firmware(0x9000, 0x80000)]
    configs = [Piece("config", "boot config", at, config) for at in (0x4000, 0x5000)]
    flash = bytes(build(plan([*stages, *configs], KRUX)))
    assert rebuilt(split(flash), tmp_path) == flash


@given(
    st.binary(max_size=300),
    st.lists(
        st.tuples(st.integers(0, 40), st.sampled_from([b"\0", b"\xff", b"\x01"]))
        | st.tuples(st.integers(0, 5000), st.binary(min_size=1, max_size=3)),
        max_size=8,
    ),
)
def test_any_bytes_come_back(head: bytes, runs: list[tuple[int, bytes]]) -> None:
    import tempfile

    flash = head + b"".join(piece * (count * 400) for count, piece in runs)
    if not flash or flash.count(0xFF) == len(flash):
        return
    with tempfile.TemporaryDirectory() as folder:
        assert rebuilt(split(flash), Path(folder)) == flash


# Recipes


def write(folder: Path, text: str) -> Path:
    (folder / "fw.bin").write_bytes(PAYLOAD)
    (folder / "m.kmodel").write_bytes(MODEL)
    (folder / "fs").mkdir(exist_ok=True)
    (folder / "fs" / "main.py").write_bytes(b"print(1)\n")
    recipe = folder / "recipe.toml"
    recipe.write_text(text, encoding="utf-8")
    return recipe


def test_a_recipe_says_it_all(tmp_path: Path) -> None:
    text = """
        layout = "maixpy-16m"
        firmware = "fw.bin"
        dio = true
        [[model]]
        file = "m.kmodel"
        [[model]]
        file = "m.kmodel"
        reverse = true
        [[spiffs]]
        dir = "fs"
        [[raw]]
        file = "m.kmodel"
        address = 0x600000
        [[fill]]
        address = 0x700000
        size = 0x1000
    """
    recipe = read_recipe(write(tmp_path, text))
    assert [(one.address, one.kind) for one in recipe.pieces] == [
        (0, "firmware"),
        (0x600000, "data"),
        (0x700000, "data"),
        (0x710000, "model"),
        (0x720000, "model"),
        (0xD00000, "spiffs"),
    ]
    flash = build(plan(recipe.pieces, recipe.layout, size=recipe.size))
    assert read_firmware(flash).dio
    assert flash[0x720000:].startswith(reverse_words(MODEL))
    assert flash[0xD00000:] == AREA


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "names no files"),
        ("firmware = 7", "firmware is no table"),
        ('firmwear = "fw.bin"', "firmwear is no key here"),
        ('firmware = "no.bin"', "no.bin cannot be read"),
        ('layout = "moon"', "no layout called 'moon'"),
        ('layout = "moon.toml"', "cannot be read"),
        ("[[raw]]\nfile = 'fw.bin'", "raw: address is missing"),
        ("[[raw]]\nfile = 'fw.bin'\naddress = -1", "address is not from 0 to"),
        ("[[raw]]\nfile = 'fw.bin'\naddress = true", "address is no whole number"),
        ("[[raw]]\nfile = ''\naddress = 1", "file is no text"),
        ("[[spiffs]]\naddress = 0", "needs either dir or image"),
        ("[[spiffs]]\ndir = 'fs'\nimage = 'x'", "needs either dir or image"),
        ("[[spiffs]]\ndir = 'fs'\ngeometry = 'no'", "no geometry 'no'"),
        ("[[spiffs]]\ndir = 'no'", "no"),
        ("[[fill]]\naddress = 0\nsize = 0", "cannot be"),
        ("[[fill]]\naddress = 0\nsize = 1\nvalue = 256", "cannot be"),
        ('dio = "yes"\nfirmware = "fw.bin"', "dio is neither true nor false"),
        ("model = [1]", "model is no table"),
        ("a = ", "is no TOML"),
        ('firmware = "m.kmodel"', "does not begin like a program"),
    ],
)
def test_recipes_that_cannot_be_are_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(MaixfsError) as caught:
        read_recipe(write(tmp_path, text))
    assert words in str(caught.value)


def test_a_folder_is_packed_for_another_geometry(tmp_path: Path) -> None:
    text = "[[spiffs]]\ndir='fs'\naddress=0x500000\ngeometry='esp-idf'\nsize=0x20000"
    piece = read_recipe(write(tmp_path, text)).pieces[0]
    assert (piece.address, piece.size) == (0x500000, 0x20000)


def test_links_out_of_a_packed_folder_are_followed_only_if_asked(tmp_path: Path) -> None:
    write(tmp_path, "")
    (tmp_path / "secret").write_bytes(b"TOP SECRET" * 10)
    try:
        (tmp_path / "fs" / "link").symlink_to(tmp_path / "secret")
    except OSError:
        pytest.skip("this host has no links")
    piece, notes = spiffs_piece(tmp_path / "fs", MAIXPY)
    assert b"TOP SECRET" not in piece.data
    assert any("link to outside" in note for note in notes)
    piece, notes = spiffs_piece(tmp_path / "fs", MAIXPY, follow_links=True)
    assert b"TOP SECRET" in piece.data


def test_a_layout_without_file_system_needs_an_address(tmp_path: Path) -> None:
    write(tmp_path, "")
    with pytest.raises(RecipeError, match="has no SPIFFS"):
        spiffs_piece(tmp_path / "fs", find_layout("kendryte"))
