"""Verbs, groups of verbs and the program: click commands, found through the verb table."""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import Callable, Sequence
from functools import update_wrapper
from importlib import import_module
from inspect import cleandoc
from typing import TYPE_CHECKING, Any

import click

import maixfs as package
from maixfs.cli import table
from maixfs.cli.failures import WrongUsage, did_you_mean, guarded
from maixfs.cli.options import common_options, json_option
from maixfs.cli.screen import Screen, Settings, as_escapes

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

COMPLETE_VARIABLE = "_MAIXFS_COMPLETE"
"""Set by the completion scripts when they ask for candidates."""


class Verb(click.Command):
    """A command with the common options, and ``examples``: command lines and what they do."""

    def __init__(self, *arguments: Any, examples: Sequence[tuple[str, str]], **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.add_help_option = False
        self.params += common_options()
        self.examples = examples

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples as they are typed."""
        with formatter.section("Examples"):
            for line, meaning in self.examples:
                formatter.write(f"  {line}\n      {meaning}\n")


class VerbGroup(Verb, click.Group):
    """A verb with verbs of its own, which are imported when they are run."""

    @property
    def rows(self) -> dict[str, table.Row]:
        """The rows of its verbs, by name."""
        return table.rows(self.name or "")

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of its verbs."""
        return list(self.rows)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a verb's module and return its command; ``None`` without such a verb."""
        row = self.rows.get(cmd_name)
        if row is None:
            return None
        module, _, name = row.command.partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Take the verb off ``args``; errors are reported under its whole name."""
        row = self.rows.get(args[0])
        if row is None and not ctx.resilient_parsing:
            raise no_such_verb(ctx, args[0], f"maixfs {self.name}", self.rows)
        if row is not None:
            ctx.ensure_object(Settings).verb = row.name
        return super().resolve_command(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verbs, then the options."""
        width = max(map(len, self.rows))
        with formatter.section("Verbs"):
            rows = [(name.ljust(width), row.sentence) for name, row in self.rows.items()]
            formatter.write_dl(rows)
        click.Command.format_options(self, ctx, formatter)


class Program(VerbGroup):
    """The command ``maixfs``: a path in the place of a verb means ``info`` of it."""

    @property
    def rows(self) -> dict[str, table.Row]:
        """The rows of all verbs and groups, by name."""
        return table.rows()

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Take the verb off ``args``; what looks like a target is for ``info``."""
        if args[0] not in self.rows:
            # Only where no verb has that name: a file called `ls` is named as ./ls.
            if _is_target(args[0]):
                args = ["info", *args]
            elif not ctx.resilient_parsing:
                raise no_such_verb(ctx, args[0], "maixfs", self.rows)
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete verbs, and otherwise what could be a target."""
        from maixfs.cli.options import complete_place

        return super().shell_complete(ctx, incomplete) or complete_place(incomplete)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run one command line; exit the process with its code, or return the code."""
        settings = Settings()
        _prepare_streams()
        words = expanded(sys.argv[1:]) if args is None else list(args)
        name = prog_name or "maixfs"

        def work() -> object:
            instruction = os.environ.get(complete_var or COMPLETE_VARIABLE)
            if instruction:
                from maixfs.cli.completing import complete

                return complete(self, name, instruction)
            with self.make_context(name, words, obj=settings, **extra) as context:
                return self.invoke(context)

        code = guarded(work, settings)
        if standalone_mode:
            sys.exit(code)
        return code

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the overview."""
        formatter.write(table.overview(formatter.width + 2))


def verb(name: str, *examples: tuple[str, str]) -> Callable[[Callable[..., Any]], click.Command]:
    """Declare a verb of the table; its row is the first sentence of its help.

    The function takes the ``Screen`` first, then its options and arguments, and returns its
    exit code or ``None``.
    """
    # A verb without a row could not be found by any command line: this fails when it is imported.
    (row,) = (row for row in table.ROWS if row.name == name)

    def declare(function: Callable[..., Any]) -> click.Command:
        def call(**named: Any) -> Any:
            settings = click.get_current_context().ensure_object(Settings)
            return function(Screen(settings, name), **named)

        text = f"{row.sentence}\n\n{cleandoc(function.__doc__ or '')}"
        command: click.Command = click.command(
            name.rpartition(" ")[2],
            cls=Verb,
            help=text,
            short_help=row.sentence,
            examples=examples,
        )(update_wrapper(call, function))
        return command

    return declare


def group(name: str, about: str, *examples: tuple[str, str]) -> VerbGroup:
    """Declare a group of the table; without a verb it prints its help."""
    sentence = table.rows()[name].sentence
    command = VerbGroup(
        name,
        help=f"{sentence}\n\n{about}",
        short_help=sentence,
        examples=examples,
        subcommand_metavar="VERB ...",
        no_args_is_help=False,
        invoke_without_command=True,
        callback=click.pass_context(_print_help),
    )
    json_option(command)
    command.params.insert(-1, command.params.pop())  # --help stays the last one
    return command


def no_such_verb(
    ctx: click.Context, name: str, group: str, rows: dict[str, table.Row]
) -> WrongUsage:
    """Return the error for a verb that does not exist, with the closest ones as hint."""
    if group == "maixfs" and name in table.OTHER_NAMES:
        return WrongUsage(f"there is no verb {name!r}", hint=table.OTHER_NAMES[name], ctx=ctx)
    guess = did_you_mean(name, rows)
    also = ", and no such file" if group == "maixfs" else ""
    return WrongUsage(
        f"there is no verb {name!r}{also}", hint=f"{guess}{group} --help lists the verbs", ctx=ctx
    )


def expanded(words: list[str], *, windows: bool = os.name == "nt") -> list[str]:
    """Return a command line with patterns of host files expanded, where no shell does that.

    A pattern that matches no host file stays: it may be one for a target.
    """
    if not windows:
        return words
    from glob import glob, has_magic

    return [
        match
        for word in words
        for match in (sorted(glob(word)) if has_magic(word) else []) or [word]  # noqa: PTH207
    ]


def _print_help(context: click.Context) -> None:
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def _is_target(text: str) -> bool:
    marks = (os.sep, os.altsep or os.sep, "/", ":", ".")
    return any(mark in text for mark in marks) or os.path.exists(text)  # noqa: PTH110 - no pathlib


def _prepare_streams() -> None:
    """Replace closed streams, and write characters that a stream cannot encode as escapes.

    Without that, the next file that is opened gets the number of the closed stdout, and what is
    printed is written into it.
    """
    codecs.register_error("maixfs", as_escapes)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="maixfs")


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        click.echo(f"maixfs {package.__version__}")
        ctx.exit()


maixfs = Program(
    "maixfs",
    examples=table.EXAMPLES,
    invoke_without_command=True,
    no_args_is_help=False,
    callback=click.pass_context(_print_help),
    context_settings={
        "max_content_width": table.WIDTH,
    },
    params=[
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_print_version,
            help="Print the version.",
        )
    ],
)
