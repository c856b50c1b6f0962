"""Flashes taken apart, and the recipes that put them together."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maixfs.errors import MaixfsError
from maixfs.firmware import read_firmware, wrap
from maixfs.host.files import read_file
from maixfs.image.layout import find_layout, load_layout
from maixfs.kfpkg import read_kfpkg
from maixfs.kmodel import reverse_words
from maixfs.recipes import (
    RECIPE_NAME,
    ComposeError,
    Piece,
    RecipeError,
    Split,
    assemble,
    build,
    plan,
    read_recipe,
    split,
)
from maixfs.recipes.pieces import read_ingredient, spiffs_piece
from recipes.test_compose import AREA, BOARD, CHIP, KRUX, MAIXPY, MODEL, PAYLOAD, firmware

# Taking apart

DATA = Path(__file__).parent.parent / "data" / "kmodel"
GOLDEN = Path(os.environ.get("MAIXFS_GOLDEN", "")) / "kmodel" / "real"
MODELS = [*sorted(DATA.glob("*.kmodel")), *sorted(GOLDEN.glob("*.kmodel"))]
"""Models of our own, and, where they are, those of others."""


def save(taken: Split, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    for part in taken.parts:
        if part.name:
            (folder / part.name).write_bytes(part.data)
    (folder / RECIPE_NAME).write_text(taken.recipe, encoding="utf-8")
    return folder / RECIPE_NAME


def rebuilt(taken: Split, folder: Path) -> bytes:
    recipe = read_recipe(save(taken, folder))
    return bytes(assemble(plan(recipe.pieces, recipe.layout, size=recipe.size)))


def test_split_flash_is_built_again_byte_for_byte(tmp_path: Path) -> None:
    taken = split(BOARD)
    assert [(part.kind, part.name) for part in taken.parts] == [
        ("firmware", "firmware.bin"),
        ("model", "model-0x300000.kmodel"),
        ("spiffs", "spiffs-0xD00000.bin"),
    ]
    assert taken.parts[0].data == PAYLOAD[:16].ljust(0x20000, b"\x5a")
    assert rebuilt(taken, tmp_path) == BOARD


def test_split_keeps_unknown_bytes_and_zeros(tmp_path: Path) -> None:
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


def test_split_makes_raw_of_misplaced_parts(tmp_path: Path) -> None:
    flash = bytearray(b"\xff" * CHIP)
    flash[0xD40000 : 0xD40000 + len(MODEL)] = MODEL
    taken = split(flash)
    assert [(part.kind, part.address) for part in taken.parts] == [("raw", 0xD40000)]
    assert rebuilt(taken, tmp_path) == flash


def test_split_keeps_damaged_and_encrypted_firmware(tmp_path: Path) -> None:
    damaged = bytearray(wrap(PAYLOAD, dio=True))
    damaged[-1] ^= 1
    sealed = wrap(b"\xa7" * 64)
    flash = bytes(damaged).ljust(0x80000, b"\xff") + (b"\1" + sealed[1:]).ljust(0x1000, b"\xff")
    assert rebuilt(split(flash), tmp_path) == flash


def test_split_of_a_kboot_flash_is_built_again(tmp_path: Path) -> None:
    config = bytes.fromhex("5aa5d0c500080000001aa00024c6abaa") + b"firmware".ljust(16, b"\0")
    stages = [firmware(600, 0, "lo"), firmware(8000, 0x1000, "hi"), firmware(0x9000, 0x80000)]
    configs = [Piece("config", "boot config", at, config) for at in (0x4000, 0x5000)]
    flash = bytes(assemble(plan([*stages, *configs], KRUX)))
    assert rebuilt(split(flash), tmp_path) == flash


@given(
    st.binary(max_size=300),
    st.lists(
        st.tuples(st.integers(0, 40), st.sampled_from([b"\0", b"\xff", b"\x01"]))
        | st.tuples(st.integers(0, 5000), st.binary(min_size=1, max_size=3)),
        max_size=8,
    ),
)
def test_split_of_any_bytes_is_built_again(head: bytes, runs: list[tuple[int, bytes]]) -> None:
    flash = head + b"".join(piece * (count * 400) for count, piece in runs)
    if not flash or flash.count(0xFF) == len(flash):
        return
    with tempfile.TemporaryDirectory() as folder:
        assert rebuilt(split(flash), Path(folder)) == flash


@pytest.mark.parametrize("file", MODELS, ids=lambda file: file.name)
def test_split_keeps_models_of_every_version(file: Path, tmp_path: Path) -> None:
    content = file.read_bytes()
    flash = assemble(plan([Piece(file.name, "model", 0x300000, content)], MAIXPY))
    taken = split(flash)
    assert [(part.kind, part.address) for part in taken.parts] == [("model", 0x300000)]
    assert taken.parts[0].data.rstrip(b"\xff") == content.rstrip(b"\xff")
    assert rebuilt(taken, tmp_path) == flash


# Recipes


def write(folder: Path, text: str) -> Path:
    (folder / "fw.bin").write_bytes(PAYLOAD)
    (folder / "m.kmodel").write_bytes(MODEL)
    (folder / "fs").mkdir(exist_ok=True)
    (folder / "fs" / "main.py").write_bytes(b"print(1)\n")
    recipe = folder / "recipe.toml"
    recipe.write_text(text, encoding="utf-8")
    return recipe


def test_recipe_with_all_tables_is_read(tmp_path: Path) -> None:
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
        address = 0x300000
        [[fill]]
        address = 0x700000
        size = 0x1000
    """
    recipe = read_recipe(write(tmp_path, text))
    assert [(one.address, one.kind) for one in recipe.pieces] == [
        (0, "firmware"),
        (0x300000, "data"),
        (0x310000, "model"),
        (0x320000, "model"),
        (0x700000, "data"),
        (0xD00000, "spiffs"),
    ]
    flash = assemble(plan(recipe.pieces, recipe.layout, size=recipe.size))
    assert read_firmware(flash).dio
    assert flash[0x320000:].startswith(reverse_words(MODEL))
    assert flash[0xD00000:] == AREA


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "names no files"),
        ("firmware = 7", "firmware is not a table"),
        ('firmwear = "fw.bin"', "firmwear is not a key here"),
        ('firmware = "no.bin"', "no.bin does not exist"),
        ('layout = "moon"', "no layout called 'moon'"),
        ('layout = "moon.toml"', "does not exist"),
        ("[[raw]]\nfile = 'fw.bin'", "raw: address is missing"),
        ("[[raw]]\nfile = 'fw.bin'\naddress = -1", "address is not from 0 to"),
        ("[[raw]]\nfile = 'fw.bin'\naddress = true", "address is not a whole number"),
        ("[[raw]]\nfile = ''\naddress = 1", "file is not a string"),
        ("[[spiffs]]\naddress = 0", "needs either dir or image"),
        ("[[spiffs]]\ndir = 'fs'\nimage = 'x'", "needs either dir or image"),
        ("[[spiffs]]\ndir = 'fs'\ngeometry = 'no'", "no geometry 'no'"),
        ("[[spiffs]]\ndir = 'no'", "no"),
        ("[[fill]]\naddress = 0\nsize = 0", "wrong size or value"),
        ("[[fill]]\naddress = 0\nsize = 1\nvalue = 256", "wrong size or value"),
        ('dio = "yes"\nfirmware = "fw.bin"', "dio is neither true nor false"),
        ("model = [1]", "model is not a table"),
        ("a = ", "is not TOML"),
        ('firmware = "m.kmodel"', "does not begin like a program"),
        ("[[spiffs]]\ndir = 'fs'\nsize = 0x1001", "fs: area size 0x1001"),
    ],
)
def test_invalid_recipe_raises(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(MaixfsError) as caught:
        read_recipe(write(tmp_path, text))
    assert words in str(caught.value)


def test_models_without_address_get_the_free_places(tmp_path: Path) -> None:
    text = "[[model]]\nfile='m.kmodel'\n[[model]]\nfile='m.kmodel'\naddress=0x300000\n"
    recipe = read_recipe(write(tmp_path, text))
    assert [one.address for one in recipe.pieces] == [0x300000, 0x310000]


def test_folder_is_packed_for_the_given_geometry(tmp_path: Path) -> None:
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


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")
def test_endless_file_raises(tmp_path: Path) -> None:
    endless = Path("/dev/zero")
    for read in (read_ingredient, read_recipe, load_layout, read_kfpkg):
        with pytest.raises(MaixfsError, match="is neither a file nor a folder"):
            read(endless)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RecipeError, match="is neither a file nor a folder"):
        read_ingredient(tmp_path / "pipe")


def test_file_larger_than_the_limit_raises(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(0x100001))
    with pytest.raises(OSError, match="more than 1 MiB"):
        read_file(tmp_path / "large", 0x100000)
    assert len(read_file(tmp_path / "large", 0x100001)) == 0x100001


def test_layout_without_spiffs_needs_an_address(tmp_path: Path) -> None:
    write(tmp_path, "")
    with pytest.raises(RecipeError, match="has no SPIFFS"):
        spiffs_piece(tmp_path / "fs", find_layout("kendryte"))


# One call


def test_build_takes_a_file_or_its_table(tmp_path: Path) -> None:
    (tmp_path / "m.kmodel").write_bytes(MODEL)
    (tmp_path / "recipe.toml").write_text('[[model]]\nfile = "m.kmodel"\n', encoding="utf-8")
    from_file = build(tmp_path / "recipe.toml")
    from_table = build({"model": {"file": "m.kmodel"}}, folder=tmp_path)
    assert from_file.image == from_table.image
    assert from_file.image[0x300000:].startswith(MODEL)
    assert [piece.kind for piece in from_file.plan.pieces] == ["model"]
    assert from_file.notes == ()


def test_build_of_conflicting_pieces_raises_compose_error(tmp_path: Path) -> None:
    (tmp_path / "m.kmodel").write_bytes(MODEL)
    models = [{"file": "m.kmodel", "address": address} for address in (0x300000, 0x300100)]
    with pytest.raises(ComposeError) as caught:
        build({"model": models}, folder=tmp_path)
    assert {conflict.key for conflict in caught.value.conflicts} >= {"overlap"}
