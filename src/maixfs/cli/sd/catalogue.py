"""The verbs of ``maixfs sd`` by name: module and what the help says of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from maixfs.cli.catalogue import Entry
from maixfs.cli.verbgroup import verb_of

SD_VERBS: dict[str, Entry] = {
    "new": Entry("new", "Make a card image with partitions and FAT."),
    "info": Entry("look", "Show what is on a card: partitions, volumes, room."),
    "doctor": Entry("look", "Say why a board would not mount a card, and what to do."),
    "fix": Entry("fix", "Convert a card into one that boards mount, with all its files."),
    "insert": Entry("slot", "Put a card into the slot of a virtual board."),
    "eject": Entry("slot", "Take the card out of the slot of a virtual board."),
    "write": Entry("drive", "Write a card image to a card in a reader, and prove it."),
    "read": Entry("drive", "Read a card in a reader into an image, and prove it."),
}


def sd_verb(
    name: str, *examples: tuple[str, str]
) -> Callable[[Callable[..., Any]], click.Command]:
    """Declare a verb of ``maixfs sd``."""
    return verb_of("sd", name, SD_VERBS, *examples)
