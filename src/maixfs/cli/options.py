"""Options and argument types that several verbs share."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from maixfs.cli.failures import WrongUsage
from maixfs.cli.screen import Settings
from maixfs.cli.table import OPTIONS

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from maixfs.spiffs import Geometry


def _store(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    """Store the value of an option in the settings of the run; an absent one changes nothing."""
    settings = context.ensure_object(Settings)
    if value and parameter.name is not None:
        setattr(settings, parameter.name, value)


def common_options() -> list[click.Parameter]:
    """Return the options of every verb and of the program; the overview has the same texts."""
    texts = dict(OPTIONS)
    color = click.Option(
        ["--color"],
        type=click.Choice(["auto", "always", "never"]),
        metavar="WHEN",
        expose_value=False,
        callback=_store,
        help=texts["--color WHEN"],
    )
    plain = _switch("--plain", texts["--plain"])
    debug = _switch("--debug", texts["--debug"])
    # click's own option has the same text, and imports locale to translate it.
    about = click.Option(
        ["-h", "--help"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_print_help,
        help=texts["-h, --help"],
    )
    return [color, plain, debug, about]


def _print_help(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        click.echo(ctx.get_help())
        ctx.exit()


def _switch(name: str, about: str) -> click.Option:
    return click.Option([name], is_flag=True, expose_value=False, callback=_store, help=about)


def _setting(name: str, about: str) -> Callable[..., Any]:
    return click.option(name, is_flag=True, expose_value=False, callback=_store, help=about)


json_option = _setting("--json", "Print the result as JSON.")
bytes_option = _setting("--bytes", "Print sizes in bytes.")
recursive_option = click.option(
    "-r", "-R", "--recursive", is_flag=True, help="Include folders and everything in them."
)
dry_run_option = click.option(
    "-n", "--dry-run", is_flag=True, help="Print what would be done; write nothing."
)
follow_option = click.option(
    "--follow-links", is_flag=True, help="Follow links that lead out of a folder."
)
force_option = click.option("-f", "--force", is_flag=True, help="Overwrite existing files.")


_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_NUMBER = r"(?i)(0x[0-9a-f_]+|[0-9][0-9_]*)\s*(?:([kmg])(?:i?b)?|b)?"
_SHORT_NAMES = {"block": "block_size", "page": "page_size", "erase": "erase_size"}


class SizeType(click.ParamType):  # type: ignore[type-arg]
    """A size or an address: ``0x300000``, ``3145728``, ``3M``, ``64 KiB``."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return bytes."""
        number = parse_size(str(value))
        if number is None:
            self.fail(f"{value!r} is not a size: write 0x300000, 3145728 or 3M", param, ctx)
        return number


class GeometryType(click.ParamType):  # type: ignore[type-arg]
    """``PRESET``, ``KEY=NUMBER,...`` or both; the numbers then change the preset."""

    name = "geometry"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Geometry:
        """Return the geometry; the preset (default: MaixPy's) has the other fields."""
        from maixfs.spiffs import PRESETS

        preset, changes = "maixpy", {}
        for word in str(value).split(","):
            key, is_pair, text = word.strip().partition("=")
            if is_pair:
                changes[_SHORT_NAMES.get(key, key)] = self._number(key, text, param, ctx)
            elif key in PRESETS:
                preset = key
            else:
                self.fail(f"{key!r} is not a preset: {', '.join(PRESETS)}", param, ctx)
        return make_geometry(preset, changes)

    def _number(
        self, key: str, text: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        from maixfs.spiffs import Geometry

        known = [name for name, kind in Geometry.__annotations__.items() if kind in _SIMPLE]
        number = parse_size(text)
        if _SHORT_NAMES.get(key, key) not in known:
            self.fail(f"a geometry has no field {key!r}: {', '.join(known)}", param, ctx)
        if number is None:
            self.fail(f"{key}: {text!r} is not a number", param, ctx)
        return number


class PresetType(click.ParamType):  # type: ignore[type-arg]
    """The name of a geometry; the names are looked up when an option is given, not for help."""

    name = "preset"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name."""
        from maixfs.spiffs import PRESETS

        if value not in PRESETS:
            self.fail(f"{value!r} is not a preset: {', '.join(PRESETS)}", param, ctx)
        return str(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Complete the names."""
        from click.shell_completion import CompletionItem

        from maixfs.spiffs import PRESETS

        return [CompletionItem(name) for name in PRESETS if name.startswith(incomplete)]


_SIMPLE = {"int", "bool"}
SIZE = SizeType()
GEOMETRY = GeometryType()
PRESET = PresetType()


def parse_size(text: str) -> int | None:
    """Return the number in a text, ``None`` if it is not a number."""
    match = re.fullmatch(_NUMBER, text.strip())
    if match is None:
        return None
    try:
        return int(match[1], 0) * _UNITS[(match[2] or "").lower()]
    except ValueError:  # 0123, or an underscore out of place
        return None


def make_geometry(preset: str, changes: dict[str, int]) -> Geometry:
    """Return a preset with some fields changed; raises ``GeometryError``."""
    from dataclasses import replace

    from maixfs.spiffs import PRESETS

    base = PRESETS[preset]
    kept = {
        name: bool(value) if isinstance(getattr(base, name), bool) else value
        for name, value in changes.items()
    }
    return replace(base, **kept)  # type: ignore[arg-type]


_NOTATION = "PRESET, KEY=NUMBER,... or both, as in maixpy,size=0x400000"


def geometry_option(
    about: str = "Use this geometry instead of the detected one",
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the option ``--geometry``."""
    return click.option(
        "--geometry", type=GEOMETRY, metavar="GEOMETRY", help=f"{about}: {_NOTATION}."
    )


DEFAULT_BOARD = "board"
"""The folder of the default board."""


def default_board() -> str | None:
    """Return the board in the current directory, ``None`` without one."""
    marker = os.path.join(DEFAULT_BOARD, "board.toml")  # noqa: PTH118 - no pathlib for --help
    return DEFAULT_BOARD if os.path.isfile(marker) else None  # noqa: PTH113


def missing_target(verb: str) -> WrongUsage:
    """Return the error for a verb that was given no target, and there is no default board."""
    return WrongUsage(
        f"{verb} needs a target: there is no board in the folder {DEFAULT_BOARD!r}",
        hint=f"maixfs {verb} IMAGE names one; maixfs new {DEFAULT_BOARD} makes a board",
    )


def complete_place(incomplete: str) -> list[CompletionItem]:
    """Return the completions of ``TARGET:PATH``: names in the target.

    The shell completes host files. A target that cannot be read has no names.
    """
    from click.shell_completion import CompletionItem

    from maixfs.errors import MaixfsError
    from maixfs.image.address import parse_target
    from maixfs.image.opening import open_image

    board = default_board() if incomplete.startswith(":") else ""
    place = parse_target(f"{board}{incomplete}")
    path = place.path
    if path is None or not place.host.exists():
        return [CompletionItem(incomplete, type="file")]
    folder = path[: path.rfind("/") + 1]
    try:
        with open_image(place) as target:
            entries = target.scandir(folder)
    except (MaixfsError, OSError):
        return []
    names = [entry.name + "/" * entry.is_dir for entry in entries]
    wanted = path[len(folder) :]
    return [
        CompletionItem(f"{incomplete[: -len(path) or None]}{folder}{name}")
        for name in names
        if name.startswith(wanted)
    ]


def refuse_dash(text: str) -> None:
    """Raise ``WrongUsage`` for ``-``: images are not read from stdin or written to stdout."""
    if text == "-":
        raise WrongUsage("- is not a file: images are not piped", hint="./- is a file named -")


class HostPath(click.Path):
    """A path of this computer; ``-`` is refused, and with ``must_exist`` a missing file.

    A missing file is the same error as in every other place (exit code 1), and has its hint.
    """

    def __init__(self, *, must_exist: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.must_exist = must_exist

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path."""
        text = os.fspath(value)
        if not self.allow_dash:
            refuse_dash(text)
        is_stream = self.allow_dash and text == "-"
        if self.must_exist and not is_stream and not os.path.lexists(text):
            from pathlib import Path

            from maixfs.host.files import status_of

            status_of(Path(text))
        return super().convert(value, param, ctx)


class PlaceType(click.ParamType):  # type: ignore[type-arg]
    """``TARGET`` or ``TARGET:PATH`` as text; ``:PATH`` becomes a path on the default board."""

    name = "place"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Put the default board in front of a leading colon."""
        text = str(value)
        refuse_dash(text)
        if not text.startswith(":"):
            return text
        board = default_board()
        if board is None:
            raise missing_target(ctx.info_name or "" if ctx else "")
        return board + text

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Complete host files, and names in a target behind its colon."""
        return complete_place(incomplete)


class WholeType(click.ParamType):  # type: ignore[type-arg]
    """A whole target that exists or is to be made, as text."""

    name = "target"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Refuse ``TARGET:PATH``; remove the colon of ``TARGET:``."""
        from maixfs.image.address import parse_target

        refuse_dash(str(value))
        place = parse_target(str(value))
        if place.path:
            self.fail(f"{value!r} has a path: use the whole target, {place.whole}", param, ctx)
        return str(value) if place.path is None else str(place.whole)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Leave it to the shell, which completes host files."""
        from click.shell_completion import CompletionItem

        return [CompletionItem(incomplete, type="file")]


PLACE = PlaceType()
WHOLE = WholeType()


def places_or_default(places: tuple[str, ...], verb: str) -> tuple[str, ...]:
    """Return ``places``, or the default board where there are none."""
    if places:
        return places
    board = default_board()
    if board is None:
        raise missing_target(verb)
    return (board,)
