"""The verbs of ``maixfs kfpkg`` by name: module and what the help says of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from maixfs.cli.catalogue import Entry
from maixfs.cli.verbgroup import verb_of

KFPKG_VERBS: dict[str, Entry] = {
    "make": Entry("make", "Make a package that every flasher reads."),
    "list": Entry("look", "List what is in a package, and where it goes."),
    "verify": Entry("look", "Say what would go wrong if a package were flashed."),
    "extract": Entry("extract", "Copy the files of a package into a folder, with a recipe."),
    "apply": Entry("apply", "Write a package into a board or a dump, as a flasher would."),
}


def kfpkg_verb(
    name: str, *examples: tuple[str, str]
) -> Callable[[Callable[..., Any]], click.Command]:
    """Declare a verb of ``maixfs kfpkg``."""
    return verb_of("kfpkg", name, KFPKG_VERBS, *examples)
