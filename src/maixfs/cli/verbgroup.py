"""A verb that has verbs of its own, which are loaded when they are called."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from inspect import cleandoc
from typing import Any

import click

from maixfs.cli.catalogue import Entry
from maixfs.cli.settings import Settings
from maixfs.cli.verb import Verb, with_screen


class VerbGroup(Verb, click.Group):
    """A verb with verbs: ``verbs`` tells name, module under ``package`` and help of each."""

    def __init__(
        self, *arguments: Any, verbs: Mapping[str, Entry], package: str, **named: Any
    ) -> None:
        super().__init__(*arguments, **named)
        self.verbs = verbs
        self.package = package

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of its verbs."""
        return list(self.verbs)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of a verb and return its command, ``None`` where there is none."""
        entry = self.verbs.get(cmd_name)
        if entry is None:
            return None
        command: click.Command = getattr(
            import_module(f"{self.package}.{entry.module}"), f"{cmd_name}_verb"
        )
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Take the verb off ``args``, and have what goes wrong told under its whole name."""
        found = super().resolve_command(ctx, args)
        ctx.ensure_object(Settings).verb = f"{self.name} {found[0]}"
        return found

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verbs, then the options."""
        width = max(map(len, self.verbs))
        with formatter.section("Verbs"):
            rows = [(name.ljust(width), entry.sentence) for name, entry in self.verbs.items()]
            formatter.write_dl(rows)
        click.Command.format_options(self, ctx, formatter)


def verb_of(
    group: str, name: str, verbs: Mapping[str, Entry], *examples: tuple[str, str]
) -> Callable[[Callable[..., Any]], click.Command]:
    """Declare a verb of a group; see ``verb`` for what the function takes and returns."""

    def declare(function: Callable[..., Any]) -> click.Command:
        sentence = verbs[name].sentence
        text = f"{sentence}\n\n{cleandoc(function.__doc__ or '')}"
        made: click.Command = click.command(
            name, cls=Verb, help=text, short_help=sentence, examples=examples
        )(with_screen(function, f"{group} {name}"))
        return made

    return declare


def declare_group(
    name: str,
    sentence: str,
    about: str,
    verbs: Mapping[str, Entry],
    package: str,
    examples: Sequence[tuple[str, str]],
) -> VerbGroup:
    """Make a group of verbs; called without one it prints its help."""
    return VerbGroup(
        name,
        help=f"{sentence}\n\n{about}",
        short_help=sentence,
        verbs=verbs,
        package=package,
        examples=examples,
        subcommand_metavar="VERB ...",
        no_args_is_help=False,
        invoke_without_command=True,
        callback=click.pass_context(_print_help),
    )


def _print_help(context: click.Context) -> None:
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
