"""Options that say what a flash or a package is put together from."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import update_wrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import click

from maixfs.cli.numbers import SIZE, parse_size
from maixfs.errors import UsageError

if TYPE_CHECKING:
    from maixfs.recipes import Recipe

FLASHERS = ("none", "kflash-4k", "kflash-64k", "ktool")
"""Names of flashers (a test holds them to the library's)."""


_NEGATIVE = re.compile(r"-(0x[0-9a-f]+|[0-9]+)", re.IGNORECASE)


class Placed(NamedTuple):
    """A file and where it goes."""

    file: str
    address: int | None


class PlacedType(click.ParamType):  # type: ignore[type-arg]
    """``FILE`` or ``FILE@ADDRESS``."""

    name = "file"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Placed:
        """Return file and address; a name may have an @ of its own."""
        file, mark, text = str(value).rpartition("@")
        if mark and _NEGATIVE.fullmatch(text):
            self.fail(f"{value!r}: the address {text} is negative", param, ctx)
        address = parse_size(text) if mark else None
        return Placed(str(value), None) if address is None else Placed(file, address)


PLACED = PlacedType()


class Parts(NamedTuple):
    """What was given on the command line."""

    recipe: str | None
    firmware: tuple[Placed, ...]
    model: tuple[Placed, ...]
    spiffs: tuple[Placed, ...]
    raw: tuple[Placed, ...]
    layout: str | None
    chip_size: int | None
    dio: bool
    follow_links: bool

    def load(self) -> Recipe:
        """Read the recipe, or the files of the options; raises as ``read_recipe``."""
        from maixfs.recipes import make_recipe, read_recipe

        tables = self._tables()
        if self.recipe is None:
            if not any(tables.values()):
                raise UsageError(
                    "there is nothing to put together",
                    hint="give a recipe, or --firmware, --model, --spiffs, --raw",
                )
            return make_recipe({**self._top(), **tables}, Path(), source="command line")
        if any(tables.values()) or self.dio or self.follow_links:
            raise UsageError(
                f"{self.recipe} says what to put together, so that options cannot",
                hint="write it into the recipe",
            )
        recipe = read_recipe(self.recipe)
        return self._changed(recipe)

    def _changed(self, recipe: Recipe) -> Recipe:
        from maixfs.recipes import named_layout

        if self.layout is not None:
            layout = named_layout(self.layout)
            recipe = recipe._replace(layout=layout, size=layout.size)
        return recipe if self.chip_size is None else recipe._replace(size=self.chip_size)

    def _top(self) -> dict[str, Any]:
        given = {"layout": self.layout, "chip_size": self.chip_size, "dio": self.dio}
        return {key: value for key, value in given.items() if value is not None}

    def _tables(self) -> dict[str, list[dict[str, Any]]]:
        """Return the options as the tables of a recipe."""
        spiffs = [
            {"dir": one.file, "follow_links": self.follow_links}
            if Path(one.file).is_dir()
            else {"image": one.file}
            for one in self.spiffs
        ]
        return {
            "firmware": _tables(self.firmware),
            "model": _tables(self.model),
            "spiffs": [
                {**table, **_address(one)} for table, one in zip(spiffs, self.spiffs, strict=True)
            ],
            "raw": _tables(self.raw),
        }


def _tables(placed: Iterable[Placed]) -> list[dict[str, Any]]:
    return [{"file": one.file, **_address(one)} for one in placed]


def _address(placed: Placed) -> dict[str, int]:
    return {} if placed.address is None else {"address": placed.address}


_FILES = {
    "firmware": "The firmware: a .bin as flashers take it, or an image with header and hash.",
    "model": "A model; without address it goes where there is room for it.",
    "spiffs": "A folder to pack, or an image of a file system.",
    "raw": "Any other file; its address must be given.",
}


def part_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the argument ``RECIPE`` and the options; the function gets them as ``parts``."""

    def call(*arguments: Any, **named: Any) -> Any:
        own = {name: named.pop(name) for name in Parts._fields}
        return function(*arguments, parts=Parts(**own), **named)

    made: Callable[..., Any] = _dio(_links(update_wrapper(call, function)))
    made = chip_size_option(layout_option(made))
    for name in reversed(_FILES):
        made = _file_option(name)(made)
    return _recipe(made)


def _file_option(name: str) -> _Option:
    return click.option(
        f"--{name}", type=PLACED, multiple=True, metavar="FILE[@ADDRESS]", help=_FILES[name]
    )


_Option: TypeAlias = Callable[[Callable[..., Any]], Callable[..., Any]]
_recipe: _Option = click.argument("recipe", required=False, type=click.Path(dir_okay=False))
_dio: _Option = click.option(
    "--dio", is_flag=True, help="Set the flag for dual I/O in the firmware's header."
)
_links: _Option = click.option(
    "--follow-links", is_flag=True, help="Follow links that lead out of a packed folder."
)
layout_option: _Option = click.option(
    "--layout",
    metavar="LAYOUT",
    help="What belongs where: maixpy-16m (default), krux-16m, ..., or a TOML file.",
)
chip_size_option: _Option = click.option(
    "--chip-size", type=SIZE, help="Size of the chip (default: the layout's)."
)
flasher_option: _Option = click.option(
    "--flasher",
    type=click.Choice(FLASHERS),
    metavar="FLASHER",
    help="Who will write it: none (adds nothing, default), kflash-4k, kflash-64k or ktool; the"
    " zeros that it adds must not hit anybody.",
)
