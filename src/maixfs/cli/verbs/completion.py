"""``maixfs completion``: the script that a shell reads."""

from __future__ import annotations

import click

from maixfs.cli.screen import Screen
from maixfs.cli.verb import verb

SHELLS = ("bash", "zsh", "fish")


@verb(
    "completion",
    (
        'eval "$(maixfs completion bash)"',
        "For this shell; put the line into ~/.bashrc to keep it.",
    ),
    ("maixfs completion fish > ~/.config/fish/completions/maixfs.fish", "For fish, permanently."),
)
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, screen: Screen, shell: str) -> None:
    """The shell then completes verbs, options, host files, and names in TARGET:PATH."""
    from maixfs.cli.completing import script_for

    click.echo(script_for(context.find_root().command, shell))
