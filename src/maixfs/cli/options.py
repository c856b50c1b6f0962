"""Options that several verbs have, declared once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from maixfs.cli.settings import Settings


def _store(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    """Keep an option's value in the run's settings; one that was not given changes nothing."""
    settings = context.ensure_object(Settings)
    if value and parameter.name is not None:
        setattr(settings, parameter.name, value)


def common_options() -> list[click.Parameter]:
    """Return the options that every verb has, and the program itself."""
    color = click.Option(
        ["--color"],
        type=click.Choice(["auto", "always", "never"]),
        metavar="WHEN",
        expose_value=False,
        callback=_store,
        help="Colours: auto (on a terminal, unless NO_COLOR is set), always or never.",
    )
    plain = _switch("--plain", "No drawings, no columns: for screen readers.")
    debug = _switch("--debug", "Show the traceback of an error.")
    return [color, plain, debug]


def _switch(name: str, about: str) -> click.Option:
    return click.Option([name], is_flag=True, expose_value=False, callback=_store, help=about)


def _setting(name: str, about: str) -> Callable[..., Any]:
    return click.option(name, is_flag=True, expose_value=False, callback=_store, help=about)


json_option = _setting("--json", "Print the result as JSON.")
bytes_option = _setting("--bytes", "Sizes in bytes, not in KiB and MiB.")
recursive_option = click.option(
    "-r", "-R", "--recursive", is_flag=True, help="Folders too, with all that is in them."
)
dry_run_option = click.option("-n", "--dry-run", is_flag=True, help="Only say what would be done.")
follow_option = click.option(
    "--follow-links", is_flag=True, help="Follow links that lead out of a folder."
)
force_option = click.option("-f", "--force", is_flag=True, help="Overwrite what is there.")
