"""Options and output that build and kfpkg share: parts of a flash, and plans made of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import update_wrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from maixfs.cli.options import SIZE, HostPath, parse_size
from maixfs.cli.screen import Column, Screen, Text, hex_text
from maixfs.errors import UsageError
from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from maixfs.recipes.compose import Plan
    from maixfs.recipes.conflicts import Conflict
    from maixfs.recipes.recipe import Recipe


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
        # What is no number behind the @ is part of the name.
        address = parse_size(text) if mark else None
        return Placed(str(value), None) if address is None else Placed(file, address)


PLACED = PlacedType()


class Parts(NamedTuple):
    """The parts that the command line names."""

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
        """Read the recipe, or the files of the options; raise what ``read_recipe`` does."""
        from maixfs.recipes.recipe import make_recipe, read_recipe

        tables = self._tables()
        if self.recipe is None:
            if not any(tables.values()):
                raise UsageError(
                    "no parts are named",
                    hint="name a recipe, or parts with --firmware, --model, --spiffs, --raw",
                )
            return make_recipe({**self._top(), **tables}, Path(), source="command line")
        # Two sources of parts would leave open which of them decides where both name one.
        if any(tables.values()) or self.dio or self.follow_links:
            raise UsageError(
                f"{self.recipe} names the parts: options cannot add others",
                hint="write them into the recipe",
            )
        recipe = read_recipe(self.recipe)
        return self._changed(recipe)

    def _changed(self, recipe: Recipe) -> Recipe:
        from maixfs.recipes.recipe import named_layout

        if self.layout is not None:
            layout = named_layout(self.layout)
            recipe = recipe._replace(layout=layout, size=layout.size)
        return recipe if self.chip_size is None else recipe._replace(size=self.chip_size)

    def _top(self) -> dict[str, Any]:
        options = {"layout": self.layout, "chip_size": self.chip_size, "dio": self.dio}
        return {key: value for key, value in options.items() if value is not None}

    def _tables(self) -> dict[str, list[dict[str, Any]]]:
        """Return the options as the tables of a recipe."""
        spiffs = [
            {"dir": part.file, "follow_links": self.follow_links}
            if Path(part.file).is_dir()
            else {"image": part.file}
            for part in self.spiffs
        ]
        return {
            "firmware": _tables(self.firmware),
            "model": _tables(self.model),
            "spiffs": [
                {**table, **_address(part)}
                for table, part in zip(spiffs, self.spiffs, strict=True)
            ],
            "raw": _tables(self.raw),
        }


def _tables(placed: Iterable[Placed]) -> list[dict[str, Any]]:
    return [{"file": part.file, **_address(part)} for part in placed]


def _address(placed: Placed) -> dict[str, int]:
    return {} if placed.address is None else {"address": placed.address}


_FILES = {
    "firmware": "Firmware: a program (.bin) or a firmware image with header and hash.",
    "model": "A model; without ADDRESS it is placed where it fits.",
    "spiffs": "A folder to pack, or an image of a file system.",
    "raw": "Any other file; needs ADDRESS.",
}


def part_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the argument ``RECIPE`` and the options; the function gets them as ``parts``."""

    def call(*arguments: Any, **named: Any) -> Any:
        own = {name: named.pop(name) for name in Parts._fields}
        return function(*arguments, parts=Parts(**own), **named)

    command: Callable[..., Any] = _dio(_links(update_wrapper(call, function)))
    command = chip_size_option(layout_option(command))
    # The option that is added last comes first in the help.
    for name in reversed(_FILES):
        command = _file_option(name)(command)
    return _recipe(command)


def _file_option(name: str) -> _Option:
    return click.option(
        f"--{name}", type=PLACED, multiple=True, metavar="FILE[@ADDRESS]", help=_FILES[name]
    )


_Option: TypeAlias = Callable[[Callable[..., Any]], Callable[..., Any]]
_recipe: _Option = click.argument("recipe", required=False, type=HostPath(dir_okay=False))
_dio: _Option = click.option(
    "--dio", is_flag=True, help="Set the dual I/O flag in the firmware's header."
)
_links: _Option = click.option(
    "--follow-links", is_flag=True, help="Follow links that lead out of a packed folder."
)
layout_option: _Option = click.option(
    "--layout",
    metavar="LAYOUT",
    help="Regions of the flash: maixpy-16m (default), krux-16m, ..., or a TOML file.",
)
chip_size_option: _Option = click.option(
    "--chip-size", type=SIZE, help="Size of the chip (default: the layout's)."
)
flasher_option: _Option = click.option(
    "--flasher",
    type=click.Choice(FLASHERS),
    metavar="FLASHER",
    help="The flasher that writes it: none (default), kflash-4k, kflash-64k or ktool. The zeros"
    " that it adds must not overwrite another part.",
)


_COLUMNS = (
    Column("address"),
    Column("end"),
    Column("size", right=True),
    Column("kind"),
    Column("name"),
    Column("owner", spare=True),
)


def draw_plan(screen: Screen, planned: Plan) -> None:
    """Print the parts of a plan, by address."""
    rows = [
        (
            hex_text(span.start),
            hex_text(span.end),
            screen.cell(span.end - span.start),
            span.kind,
            span.name,
            Text(", ".join(span.owners) or "none", "dim"),
        )
        for span in planned.spans
    ]
    screen.table(_COLUMNS, rows)


def draw_conflicts(screen: Screen, conflicts: Iterable[Conflict]) -> None:
    """Print conflicts to stderr: those that stop the work as errors, others as notes."""
    for conflict in conflicts:
        if conflict.is_error:
            screen.error(conflict.message, conflict.hint)
        else:
            screen.note(conflict.message + (f"; {conflict.hint}" if conflict.hint else ""))


def refused(screen: Screen, planned: Plan) -> bool:
    """Print the conflicts; return True if they forbid to write."""
    if screen.json:
        if planned.errors:
            screen.emit({"written": None, **plan_json(planned)})
        return bool(planned.errors)
    draw_conflicts(screen, planned.conflicts)
    if planned.errors:
        screen.note("nothing was written")
    return bool(planned.errors)


def plan_json(planned: Plan) -> dict[str, Any]:
    """Return what ``--json`` says of a plan."""
    return {
        "layout": planned.layout.name,
        "chip_size": planned.size,
        "flasher": planned.flasher.name if planned.flasher else None,
        "parts": [
            {
                "name": span.name,
                "kind": span.kind,
                "start": span.start,
                "end": span.end,
                "padding": span.padding,
                "owners": list(span.owners),
            }
            for span in planned.spans
        ],
        "conflicts": [conflict_json(conflict) for conflict in planned.conflicts],
    }


def conflict_json(conflict: Conflict) -> dict[str, Any]:
    """Return what ``--json`` says of something that would go wrong."""
    return dict(conflict._asdict())
