"""``maixfs sd write`` and ``maixfs sd read``: a card image and a card in a reader."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from maixfs.cli.failures import WrongUsage
from maixfs.cli.options import bytes_option, force_option, json_option
from maixfs.cli.progress import Progress
from maixfs.cli.screen import Screen, Text
from maixfs.cli.sd.card import CARD, card_path, held, held_output, refuse_itself
from maixfs.cli.sd.catalogue import sd_verb

if TYPE_CHECKING:
    from maixfs.cards.transfer import Transfer

used_option = click.option(
    "--used",
    is_flag=True,
    help="Only what is in use: free clusters stay as they are, which is much quicker.",
)


@sd_verb(
    "write",
    ("maixfs sd write card.img /dev/sdb", "Write it; asks before, reads back after."),
    ("maixfs sd write card.img /dev/sdb --used --yes", "Only what files take, unasked."),
)
@click.argument("image", metavar="IMAGE", type=CARD)
@click.argument("device", metavar="DEVICE", type=CARD)
@used_option
@click.option("--yes", is_flag=True, help="Do not ask; all that is on DEVICE is lost.")
@click.option(
    "-f", "--force", is_flag=True, help="Also to a drive that is not removable, or very large."
)
@bytes_option
@json_option
def write_verb(
    screen: Screen, image: Path, device: Path, used: bool, yes: bool, force: bool
) -> None:
    """DEVICE is the drive that the card is in, as /dev/sdb; a file that is there may stand in for
    one. A drive that is mounted is refused. What was written is read back and compared.
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


@sd_verb(
    "read",
    ("maixfs sd read /dev/sdb -o card.img", "Make an image of the card, and compare it."),
    ("maixfs sd read /dev/sdb -o card.img --used", "Only what is in use; the rest is zero."),
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
    """The image is sparse: where the card holds zeros it takes no room. It is read back and
    compared with what the card gave.
    """
    from maixfs.cards.transfer import read_card

    with held(device), held_output(output, device), Progress(screen, rates=True) as progress:
        done = read_card(device, output, used_only=used, force=force, progress=progress)
    _draw(screen, done, "read")


def _ask(screen: Screen, device: Path) -> None:
    """Have the user confirm that a drive may be overwritten."""
    from maixfs.cli.settings import is_terminal

    if screen.json or not is_terminal(sys.stdin):
        raise WrongUsage(
            f"all that is on {device} would be lost", hint="--yes says that this is meant"
        )
    click.confirm(f"All that is on {device} will be lost. Go on?", abort=True, err=True)


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
