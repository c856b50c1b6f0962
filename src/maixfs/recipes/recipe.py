"""Recipes: a small TOML file that says what a whole flash is put together from.

    layout = "maixpy-16m"
    firmware = "maixpy.bin"

    [[model]]
    file = "face.kmodel"
    address = 0x300000

    [[spiffs]]
    dir = "files"

Files are looked for beside the recipe.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from maixfs.errors import DeviceError
from maixfs.host.files import read_file
from maixfs.image.layout import Layout, find_layout, load_layout, preset_names
from maixfs.recipes.compose import DEFAULT_LAYOUT
from maixfs.recipes.ingredients import (
    RecipeError,
    data_piece,
    fill_piece,
    load_firmware,
    model_piece,
    next_address,
    spiffs_piece,
)
from maixfs.recipes.pieces import Piece
from maixfs.recipes.recipefile import RecipeTable

MOST_RECIPE = 1 << 20
"""Bytes of a recipe; MOST_PIECES tables take less."""
MOST_PIECES = 1 << 14
"""As many as there are sectors in the largest chip."""
_TOP = ("layout", "chip_size", "dio", "firmware", "model", "spiffs", "raw", "fill")
_FIRMWARE = ("file", "address", "dio")
_MODEL = ("file", "address", "reverse")
_SPIFFS = ("dir", "image", "address", "geometry", "size", "spare_blocks", "follow_links")
_RAW = ("file", "address", "reverse")
_FILL = ("value", "address", "size")


class Recipe(NamedTuple):
    """What is to be put together."""

    layout: Layout
    size: int
    """Bytes of the chip."""
    pieces: tuple[Piece, ...]
    """By address."""
    notes: tuple[str, ...]
    """What there is to know about the files, a sentence each."""


def read_recipe(path: str | Path) -> Recipe:
    """Read a recipe and all files that it names.

    Raises ``RecipeError`` for a recipe that cannot be read, has keys that are unknown, missing or
    of the wrong kind, and for files that cannot be read; ``LayoutError`` for its layout,
    ``FirmwareError`` for a firmware that is none, and what packing a folder raises.
    """
    import tomllib

    file = Path(path)
    try:
        table = tomllib.loads(read_file(file, MOST_RECIPE).decode("utf-8"))
    except DeviceError as error:
        raise RecipeError(str(error), hint=error.hint) from error
    except (ValueError, RecursionError) as error:  # TOML errors and UTF-8 errors are ValueErrors
        raise RecipeError(f"{file} is no TOML: {error}") from error
    return make_recipe(table, file.parent, source=str(file))


def make_recipe(table: Mapping[str, Any], folder: Path, *, source: str = "recipe") -> Recipe:
    """Return the recipe that a table describes; paths are taken from ``folder``."""
    top = RecipeTable(table, source, _TOP)
    layout = named_layout(top.text("layout", DEFAULT_LAYOUT), folder)
    kitchen = _Kitchen(layout, folder, dio=top.flag("dio"))
    firmware = table.get("firmware", [])
    if isinstance(firmware, str):
        firmware = [{"file": firmware}]
    kitchen.add(top.given("firmware", firmware, _FIRMWARE), kitchen.firmware)
    kitchen.add(top.tables("spiffs", _SPIFFS), kitchen.spiffs)
    kitchen.add(top.tables("raw", _RAW), kitchen.raw)
    kitchen.add(top.tables("fill", _FILL), kitchen.fill)
    models = top.tables("model", _MODEL)
    models.sort(key=lambda one: "address" not in one)  # the others take what these leave
    kitchen.add(models, kitchen.model)
    size = top.number("chip_size", layout.size)
    if not kitchen.pieces:
        raise RecipeError(f"{source} names no files", hint=f"there can be {', '.join(_TOP[3:])}")
    pieces = sorted(kitchen.pieces, key=lambda one: one.address)
    return Recipe(layout, size, tuple(pieces), tuple(kitchen.notes))


def named_layout(name: str, folder: Path = Path()) -> Layout:
    """Return a preset by its name, or the layout in a file; raises ``LayoutError``."""
    if name in preset_names() or not name.endswith(".toml"):
        return find_layout(name)
    return load_layout(folder / name)


class _Kitchen:
    """Makes pieces of the tables of a recipe, one after the other."""

    def __init__(self, layout: Layout, folder: Path, *, dio: bool) -> None:
        self.pieces: list[Piece] = []
        self.notes: list[str] = []
        self._layout = layout
        self._folder = folder
        self._dio = dio

    def add(self, tables: list[RecipeTable], make: Callable[[RecipeTable], Piece]) -> None:
        """Make a piece of each table."""
        for table in tables:
            if len(self.pieces) >= MOST_PIECES:
                table.fail("", f"is one too many: {MOST_PIECES} are possible")
            self.pieces.append(make(table))

    def firmware(self, table: RecipeTable) -> Piece:
        """Return the piece of a ``[[firmware]]``, or of the key of that name."""
        path = self._folder / table.text("file")
        return load_firmware(path, table.number("address", 0), dio=table.flag("dio", self._dio))

    def model(self, table: RecipeTable) -> Piece:
        """Return the piece of a ``[[model]]``; without address it goes where there is room."""
        piece = model_piece(self._folder / table.text("file"), reverse=table.flag("reverse"))
        free = next_address(self.pieces, self._layout, piece.size)
        return piece._replace(address=table.number("address", free))

    def spiffs(self, table: RecipeTable) -> Piece:
        """Return the piece of a ``[[spiffs]]``: a folder that is packed, or an image."""
        piece, notes = spiffs_piece(
            self._folder / table.one_of("dir", "image"),
            self._layout,
            is_image="image" in table,
            address=table.number("address") if "address" in table else None,
            geometry=table.text("geometry", ""),
            size=table.number("size", 0),
            spare_blocks=table.number("spare_blocks", 2),
            follow_links=table.flag("follow_links"),
        )
        self.notes += notes
        return piece

    def raw(self, table: RecipeTable) -> Piece:
        """Return the piece of a ``[[raw]]``: a file as it is."""
        path = self._folder / table.text("file")
        return data_piece(path, table.number("address"), reverse=table.flag("reverse"))

    def fill(self, table: RecipeTable) -> Piece:
        """Return the piece of a ``[[fill]]``: one byte, again and again."""
        return fill_piece(table.number("address"), table.number("size"), table.number("value", 0))
