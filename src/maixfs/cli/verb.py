"""A verb: a click command whose help ends with examples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import update_wrapper
from inspect import cleandoc
from typing import Any

import click

from maixfs.cli.catalogue import VERBS
from maixfs.cli.options import common_options
from maixfs.cli.screen import Screen
from maixfs.cli.settings import Settings

WIDTH = 100
"""Columns that help takes at most, on a wider terminal too."""


class Verb(click.Command):
    """A command with the options of all, and ``examples``: command lines and what they do."""

    def __init__(self, *arguments: Any, examples: Sequence[tuple[str, str]], **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.params += common_options()
        self.examples = examples

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples as they are typed."""
        write_examples(formatter, self.examples)


def write_examples(formatter: click.HelpFormatter, examples: Sequence[tuple[str, str]]) -> None:
    """Write command lines, and under each what it does."""
    with formatter.section("Examples"):
        for line, meaning in examples:
            formatter.write(f"  {line}\n      {meaning}\n")


def verb(name: str, *examples: tuple[str, str]) -> Callable[[Callable[..., Any]], click.Command]:
    """Declare a verb; its first sentence of help is that of the catalogue.

    The function takes the ``Screen`` first, then its options and arguments, and returns its
    exit code or nothing.
    """

    def declare(function: Callable[..., Any]) -> click.Command:
        sentence = VERBS[name].sentence
        text = f"{sentence}\n\n{cleandoc(function.__doc__ or '')}"
        made: click.Command = click.command(
            name, cls=Verb, help=text, short_help=sentence, examples=examples
        )(with_screen(function, name))
        return made

    return declare


def with_screen(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """Return ``function`` called with the screen of a run of the verb ``name`` in front."""

    def call(**named: Any) -> Any:
        settings = click.get_current_context().ensure_object(Settings)
        return function(Screen(settings, name), **named)

    return update_wrapper(call, function)
