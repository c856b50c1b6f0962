"""``maixfs sd insert`` and ``maixfs sd eject``: the card slot of a virtual board."""

from __future__ import annotations

from pathlib import Path

import click

from maixfs.cli.options import json_option
from maixfs.cli.screen import Screen, Text
from maixfs.cli.sd.card import CARD
from maixfs.cli.sd.catalogue import sd_verb

BOARD = click.Path(file_okay=False, path_type=Path)


@sd_verb(
    "insert",
    ("maixfs sd insert board card.img", "The board uses this image from its next start on."),
    ("maixfs sd insert board card.img --copy", "The board gets a copy of its own."),
)
@click.argument("board", metavar="BOARD", type=BOARD)
@click.argument("card", metavar="CARD", type=CARD)
@click.option("--read-only", is_flag=True, help="A card that refuses writing.")
@click.option("--copy", is_flag=True, help="Copy the card into the board's folder.")
@json_option
def insert_verb(screen: Screen, board: Path, card: Path, read_only: bool, copy: bool) -> None:
    """BOARD is the folder of a board that is off. Scripts write to the image itself, as to a
    real card; with --copy it stays as it is.
    """
    from maixfs.board import insert_card

    config = insert_card(board, card, read_only=read_only, copy=copy)
    place = config.sd.path(board)
    if screen.json:
        result = {"board": str(board), "card": str(place), "read_only": read_only}
        screen.emit(result)
        return
    screen.line("inserted ", Text(str(place), "heading"), f" into {board}")
    screen.line("  ", Text("next:", "hint"), f" maixfs sd doctor {board}")


@sd_verb(
    "eject",
    ("maixfs sd eject board", "The slot is empty from the next start on."),
    ("maixfs sd eject board --json", "The same, and tell a program where the card is."),
)
@click.argument("board", metavar="BOARD", type=BOARD)
@json_option
def eject_verb(screen: Screen, board: Path) -> None:
    """BOARD is the folder of a board that is off. The image stays where it is."""
    from maixfs.board import eject_card

    place = eject_card(board)
    if screen.json:
        screen.emit({"board": str(board), "card": str(place)})
        return
    screen.line("ejected ", Text(str(place), "heading"), f" from {board}; the image stays")
