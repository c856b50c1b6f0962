"""``maixfs sd insert``, ``eject``, ``write`` and ``read``: cards in slots and readers."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from maixfs.cli.failures import WrongUsage
from maixfs.cli.options import HostPath, bytes_option, force_option, json_option
from maixfs.cli.screen import Progress, Screen, Text
from maixfs.cli.sd.card import CARD, card_path, held, held_output, refuse_itself
from maixfs.cli.verb import verb

if TYPE_CHECKING:
    from maixfs.cards.transfer import Transfer


BOARD = HostPath(file_okay=False, path_type=Path)


@verb(
    "sd insert",
    ("maixfs sd insert board card.img", "Use this image from the next start on."),
    ("maixfs sd insert board card.img --copy", "Use a copy of it."),
)
@click.argument("board", metavar="BOARD", type=BOARD)
@click.argument("card", metavar="CARD", type=CARD)
@click.option("--read-only", is_flag=True, help="Write-protect the card.")
@click.option("--copy", is_flag=True, help="Copy the image into the board's folder.")
@json_option
def insert_verb(screen: Screen, board: Path, card: Path, read_only: bool, copy: bool) -> None:
    """BOARD is the folder of a board that is off. Scripts write to the image itself, unless --copy
    is used.
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


@verb(
    "sd eject",
    ("maixfs sd eject board", "Leave the slot empty from the next start on."),
    ("maixfs sd eject board --json", "Print where the card is as JSON."),
)
@click.argument("board", metavar="BOARD", type=BOARD)
@json_option
def eject_verb(screen: Screen, board: Path) -> None:
    """BOARD is the folder of a board that is off. The image is kept."""
    from maixfs.board import eject_card

    place = eject_card(board)
    if screen.json:
        screen.emit({"board": str(board), "card": str(place)})
        return
    screen.line("ejected ", Text(str(place), "heading"), f" from {board}; the image is kept")


used_option = click.option(
    "--used",
    is_flag=True,
    help="Copy only used clusters, which is much faster.",
)


@verb(
    "sd write",
    ("maixfs sd write card.img /dev/sdb", "Write a card, after a question; verify it."),
    (
        "maixfs sd write card.img /dev/sdb --used --yes",
        "Write only used clusters, without a question.",
    ),
)
@click.argument("image", metavar="IMAGE", type=CARD)
@click.argument("device", metavar="DEVICE", type=CARD)
@used_option
@click.option("--yes", is_flag=True, help="Do not ask; everything on DEVICE is lost.")
@click.option(
    "-f",
    "--force",
    is_flag=True,
    help="Also write to a drive that is not removable or very large.",
)
@bytes_option
@json_option
def write_verb(
    screen: Screen, image: Path, device: Path, used: bool, yes: bool, force: bool
) -> None:
    """DEVICE is the drive with the card, like /dev/sdb, or an existing file. A mounted drive is
    refused. What was written is read back and compared.
    """
    from maixfs.cards.transfer import write_card
    from maixfs.host.drives import drive_facts

    source = card_path(image)
    refuse_itself(source, device)
    if not yes and not drive_facts(device).regular:
        _ask(screen, device)
    with held(source), held(device, alone=True), Progress(screen, rates=True) as progress:
        done = write_card(source, device, used_only=used, force=force, progress=progress)
    _draw(screen, done, "wrote")


@verb(
    "sd read",
    ("maixfs sd read /dev/sdb -o card.img", "Make an image of a card; verify it."),
    ("maixfs sd read /dev/sdb -o card.img --used", "Read only used clusters; the rest is zero."),
)
@click.argument("device", metavar="DEVICE", type=CARD)
@click.option(
    "-o", "--output", metavar="IMAGE", required=True, type=CARD, help="The image to make."
)
@used_option
@force_option
@bytes_option
@json_option
def read_verb(screen: Screen, device: Path, output: Path, used: bool, force: bool) -> None:
    """The image is sparse: zeros take no space. It is read back and compared with what the card
    returned.
    """
    from maixfs.cards.transfer import read_card

    with held(device), held_output(output, device), Progress(screen, rates=True) as progress:
        done = read_card(device, output, used_only=used, force=force, progress=progress)
    _draw(screen, done, "read")


def _ask(screen: Screen, device: Path) -> None:
    """Ask the user to confirm that a drive may be overwritten."""
    from maixfs.cli.screen import is_terminal

    # A program that runs this must not wait for an answer that nobody gives.
    if screen.json or not is_terminal(sys.stdin):
        raise WrongUsage(f"everything on {device} would be lost", hint="--yes confirms it")
    click.confirm(f"Everything on {device} will be lost. Continue?", abort=True, err=True)


def _draw(screen: Screen, done: Transfer, word: str) -> None:
    if screen.json:
        screen.emit({"transfer": done._asdict()})
        return
    size = screen.size(done.size)
    some = f", {screen.size(done.copied)} of it in use" if done.copied < done.size else ""
    screen.line(
        f"{word} ", Text(done.destination, "heading"),
        f": {size}{some}, sha256 {done.sha256}, verified by reading back",
    )  # fmt: skip
