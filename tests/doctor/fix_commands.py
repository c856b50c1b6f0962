"""Fixes as command lines that the command line parses."""

from __future__ import annotations

from pathlib import Path

import click

from maixfs.cli.failures import command_words
from maixfs.cli.screen import Settings
from maixfs.cli.verb import maixfs
from maixfs.finding import Command


def check_command(command: Command, image: Path) -> None:
    """Parse the command line of a fix about ``image``, which exists; nothing is run."""
    Path("DIR").mkdir(exist_ok=True)
    values = {"ENTRY": "1", "ADDRESS": "0x80000", "SIZE": "1G"}
    words = [values.get(word, word) for word in command_words(command, str(image))]
    with maixfs.make_context("maixfs", words, obj=Settings()) as context:
        _parse(maixfs, context, words)


def _parse(group: click.Group, context: click.Context, words: list[str]) -> None:
    name, command, rest = group.resolve_command(context, words)
    assert command is not None and name == words[0]
    with command.make_context(name, list(rest), parent=context) as inner:
        if isinstance(command, click.Group):
            _parse(command, inner, list(rest))
