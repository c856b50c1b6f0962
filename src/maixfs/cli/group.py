"""``maixfs``: finds the verb, loads it, and answers for how the run ends."""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

import maixfs as package
from maixfs.cli.catalogue import SECTIONS, VERBS
from maixfs.cli.failures import WrongUsage, guarded
from maixfs.cli.options import common_options
from maixfs.cli.settings import Settings
from maixfs.cli.verb import WIDTH, write_examples
from maixfs.cli.wording import as_escapes

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

COMPLETE_VARIABLE = "_MAIXFS_COMPLETE"
"""Set by the completion scripts when they ask for candidates."""

EXAMPLES = (
    (
        "maixfs run hello.py",
        'Run a script on the board in the folder "board", made where none is.',
    ),
    ("maixfs dump.bin", "Say what is in the dump of a real board's flash."),
)

NOTES = {
    "Exit codes": [
        ("0", "Fine."),
        ("1", "A problem was found, or what was asked for failed."),
        ("2", "Wrong usage."),
        ("130", "Ctrl-C."),
    ],
    "Environment": [
        ("NO_COLOR", "No colours, on a terminal either."),
        ("FORCE_COLOR", "Colours, in a pipe too."),
        ("MAIXFS_DEBUG", "The same as --debug, for every run."),
    ],
}


class LazyGroup(click.Group):
    """A group whose verbs are imported when they are called; a path stands for ``info`` of it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all verbs."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of a verb and return its command, ``None`` where there is no such."""
        entry = VERBS.get(cmd_name)
        if entry is None:
            return None
        module = import_module(f"maixfs.cli.verbs.{entry.module}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Take the verb off ``args``; what is no verb but looks like a target is for ``info``."""
        if args[0] not in VERBS and not _is_target(args[0]):
            if ctx.resilient_parsing:
                return super().resolve_command(ctx, args)
            raise _no_such_verb(ctx, args[0])
        if args[0] not in VERBS:
            args = ["info", *args]
        ctx.ensure_object(Settings).verb = args[0]
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete verbs, and what else could be a target."""
        from maixfs.cli.completing import complete_place

        return super().shell_complete(ctx, incomplete) or complete_place(incomplete)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run one command line; leaves the process with its exit code, or returns that."""
        settings = Settings()
        _see_to_the_streams()
        words = expanded(sys.argv[1:]) if args is None else list(args)
        name = prog_name or "maixfs"

        def work() -> object:
            asked = os.environ.get(complete_var or COMPLETE_VARIABLE)
            if asked:
                return _complete(self, name, asked)
            with self.make_context(name, words, obj=settings, **extra) as context:
                return self.invoke(context)

        code = guarded(work, settings)
        if standalone_mode:
            sys.exit(code)
        return code

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write both ways to call it."""
        formatter.write("Usage: maixfs VERB [OPTIONS] ...\n       maixfs TARGET\n")

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, exit codes and environment."""
        write_examples(formatter, EXAMPLES)
        for title, rows in NOTES.items():
            with formatter.section(title):
                formatter.write_dl(rows)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verbs, then the options."""
        self.format_commands(ctx, formatter)
        click.Command.format_options(self, ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verbs by section, without loading any."""
        width = max(map(len, VERBS))
        for section, verbs in SECTIONS.items():
            with formatter.section(section):
                formatter.write_dl(
                    [(name.ljust(width), entry.sentence) for name, entry in verbs.items()]
                )


def expanded(words: list[str], *, windows: bool = os.name == "nt") -> list[str]:
    """Return a command line with the host's patterns resolved, where no shell does that.

    A pattern that no file of the host matches stays: it may be one for a target.
    """
    if not windows:
        return words
    from glob import glob, has_magic

    return [
        match
        for word in words
        for match in (sorted(glob(word)) if has_magic(word) else []) or [word]  # noqa: PTH207
    ]


def _is_target(text: str) -> bool:
    marks = (os.sep, os.altsep or os.sep, "/", ":", ".")
    return any(mark in text for mark in marks) or os.path.exists(text)  # noqa: PTH110 - no pathlib


def _no_such_verb(ctx: click.Context, name: str) -> WrongUsage:
    from difflib import get_close_matches

    close = get_close_matches(name, VERBS, n=2, cutoff=0.5)
    guess = f"did you mean {' or '.join(close)}? " if close else ""
    return WrongUsage(
        f"{name!r} is no verb, and there is no such file",
        hint=f"{guess}maixfs --help lists the verbs",
        ctx=ctx,
    )


def _see_to_the_streams() -> None:
    """Replace streams that are closed, and have the others write as escapes what they cannot.

    A file that is opened where stdout was would get what is printed.
    """
    codecs.register_error("maixfs", as_escapes)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="maixfs")


def _complete(group: click.Group, name: str, asked: str) -> int:
    from maixfs.cli.completing import complete

    return complete(group, name, asked)


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        click.echo(f"maixfs {package.__version__}")
        ctx.exit()


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": WIDTH},
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the version.",
)
@click.pass_context
def maixfs(context: click.Context) -> None:
    """The storage of a MaixPy board on your desk: flash, SPIFFS, SD card and a virtual board.

    A TARGET is a virtual board's folder, an image of a whole flash, an image of one SPIFFS, or a
    card: an image or a drive; which of them, where in it the file system lies and its geometry are
    found out. TARGET:PATH is a file or folder in it: board:/flash/main.py, board:/sd/main.py,
    card.img:/main.py. Of a card the first partition is meant that a board mounts, or with
    card.img@2 the second; of a board /flash where no path or one like board:main.py says more,
    also with a card in its slot. Where TARGET is left out, it is the folder "board" beside you,
    and :PATH is a path in that.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


maixfs.params += common_options()
