"""Recipes: a small TOML file that lists the parts of a whole flash.

    layout = "maixpy-16m"
    firmware = "maixpy.bin"

    [[model]]
    file = "face.kmodel"
    address = 0x300000

    [[spiffs]]
    dir = "files"

Paths are relative to the recipe.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from maixfs.errors import DeviceError
from maixfs.host.files import read_file
from maixfs.image.layout import Layout, find_layout, load_layout, preset_names
from maixfs.recipes.pieces import (
    DEFAULT_LAYOUT,
    Piece,
    RecipeError,
    data_piece,
    fill_piece,
    load_firmware,
    model_piece,
    next_address,
    spiffs_piece,
)
from maixfs.tuples import NamedTuple

MAX_RECIPE = 1 << 20
"""Bytes of a recipe; ``MAX_PIECES`` tables take less."""
MAX_PIECES = 1 << 14
"""As many as there are sectors in the largest chip."""
_TOP = ("layout", "chip_size", "dio", "firmware", "model", "spiffs", "raw", "fill")
_FIRMWARE = ("file", "address", "dio")
_MODEL = ("file", "address", "reverse")
_SPIFFS = ("dir", "image", "address", "geometry", "size", "spare_blocks", "follow_links")
_RAW = ("file", "address", "reverse")
_FILL = ("value", "address", "size")


class Recipe(NamedTuple):
    """The pieces of a whole flash."""

    layout: Layout
    size: int
    """Bytes of the chip."""
    pieces: tuple[Piece, ...]
    """By address."""
    notes: tuple[str, ...]
    """What is unusual about the files, a sentence each."""


def read_recipe(path: str | Path) -> Recipe:
    """Read a recipe and all files that it names.

    Raises ``RecipeError`` for a recipe that cannot be read, has keys that are unknown, missing or
    of the wrong kind, and for files that cannot be read; ``LayoutError`` for its layout,
    ``FirmwareError`` for a file that is no firmware, and what packing a folder raises.
    """
    import tomllib

    file = Path(path)
    try:
        table = tomllib.loads(read_file(file, MAX_RECIPE).decode("utf-8"))
    except DeviceError as error:
        raise RecipeError(str(error), hint=error.hint) from error
    except (ValueError, RecursionError) as error:  # TOML errors and UTF-8 errors are ValueErrors
        raise RecipeError(f"{file} is not TOML: {error}") from error
    return make_recipe(table, file.parent, source=str(file))


def make_recipe(table: Mapping[str, Any], folder: Path, *, source: str = "recipe") -> Recipe:
    """Return the recipe in a TOML table; paths are relative to ``folder``."""
    top = RecipeTable(table, source, _TOP)
    layout = named_layout(top.text("layout", DEFAULT_LAYOUT), folder)
    builder = _RecipeBuilder(layout, folder, dio=top.flag("dio"))
    firmware = table.get("firmware", [])
    if isinstance(firmware, str):
        firmware = [{"file": firmware}]
    builder.add(top.as_tables("firmware", firmware, _FIRMWARE), builder.firmware)
    builder.add(top.tables("spiffs", _SPIFFS), builder.spiffs)
    builder.add(top.tables("raw", _RAW), builder.raw)
    builder.add(top.tables("fill", _FILL), builder.fill)
    models = top.tables("model", _MODEL)
    models.sort(key=lambda table: "address" not in table)  # the others get the free places
    builder.add(models, builder.model)
    size = top.number("chip_size", layout.size)
    if not builder.pieces:
        raise RecipeError(f"{source} names no files", hint=f"its tables are {', '.join(_TOP[3:])}")
    pieces = sorted(builder.pieces, key=lambda piece: piece.address)
    return Recipe(layout, size, tuple(pieces), tuple(builder.notes))


def named_layout(name: str, folder: Path = Path()) -> Layout:
    """Return a preset by its name, or the layout in a file; raises ``LayoutError``."""
    # A preset wins over a file of that name: a recipe must not change its meaning with the folder
    # that it lies in.
    if name in preset_names() or not name.endswith(".toml"):
        return find_layout(name)
    return load_layout(folder / name)


class _RecipeBuilder:
    """Makes the pieces of a recipe's tables, in order."""

    def __init__(self, layout: Layout, folder: Path, *, dio: bool) -> None:
        self.pieces: list[Piece] = []
        self.notes: list[str] = []
        self._layout = layout
        self._folder = folder
        self._dio = dio

    def add(self, tables: list[RecipeTable], make: Callable[[RecipeTable], Piece]) -> None:
        """Make a piece of each table."""
        for table in tables:
            if len(self.pieces) >= MAX_PIECES:
                table.fail("", f"is one too many: a recipe has at most {MAX_PIECES} pieces")
            self.pieces.append(make(table))

    def firmware(self, table: RecipeTable) -> Piece:
        """Return the piece of a ``[[firmware]]``, or of the key of that name."""
        path = self._folder / table.text("file")
        return load_firmware(
            path, table.number("address", 0), dio=table.flag("dio", default=self._dio)
        )

    def model(self, table: RecipeTable) -> Piece:
        """Return the piece of a ``[[model]]``; without an address it gets a free place."""
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
        """Return the piece of a ``[[fill]]``: one byte, repeated."""
        return fill_piece(table.number("address"), table.number("size"), table.number("value", 0))


_ADDRESS_END = 1 << 32


class RecipeTable:
    """A table of a recipe whose values are checked; ``where`` is its name in errors."""

    def __init__(self, values: Any, where: str, known: Sequence[str]) -> None:
        self.where = where
        if not isinstance(values, Mapping):
            self.fail("", "is not a table")
        self._values = values
        for key in values:
            if key not in known:
                self.fail(str(key), "is not a key here", hint=f"the keys are {', '.join(known)}")

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def fail(self, key: str, what: str, *, hint: str | None = None) -> NoReturn:
        """Raise the error about ``key``."""
        name = f"{self.where}: {key}" if key else self.where
        raise RecipeError(f"{name} {what}", hint=hint)

    def text(self, key: str, default: str | None = None) -> str:
        """Return a string; without a default it is required."""
        value = self._values.get(key, default)
        if not isinstance(value, str) or (not value and default is None) or "\0" in value:
            self.fail(key, "is missing" if value is None else "is not a string")
        return value

    def number(self, key: str, default: int | None = None) -> int:
        """Return a number from 0 to 2^32 - 1; without a default it is required."""
        value = self._values.get(key, default)
        # To Python ``true`` is a number.
        if isinstance(value, bool) or not isinstance(value, int):
            self.fail(key, "is missing" if value is None else "is not a whole number")
        if not 0 <= value < _ADDRESS_END:
            self.fail(key, f"is not from 0 to {_ADDRESS_END - 1:#x}")
        return value

    def flag(self, key: str, *, default: bool = False) -> bool:
        """Return a boolean."""
        value = self._values.get(key, default)
        if not isinstance(value, bool):
            self.fail(key, "is neither true nor false")
        return value

    def one_of(self, first: str, second: str) -> str:
        """Return the string of whichever of two keys is present; raises unless one is."""
        if (first in self) is (second in self):
            self.fail("", f"needs either {first} or {second}")
        return self.text(first if first in self else second)

    def tables(self, key: str, known: Sequence[str]) -> list[RecipeTable]:
        """Return the tables ``[[key]]``."""
        return self.as_tables(key, self._values.get(key, []), known)

    def as_tables(self, key: str, rows: Any, known: Sequence[str]) -> list[RecipeTable]:
        """Return a value of the key as tables; one table stands for a list of one."""
        if isinstance(rows, Mapping):  # [key], a table alone
            rows = [rows]
        if not isinstance(rows, list):
            self.fail(key, f"is not a table: write [[{key}]]")
        if len(rows) == 1:
            return [RecipeTable(rows[0], f"{self.where}: {key}", known)]
        return [
            RecipeTable(row, f"{self.where}: {key} {number}", known)
            for number, row in enumerate(rows, 1)
        ]
