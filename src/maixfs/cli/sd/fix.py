"""``maixfs sd fix``: a card that boards mount, out of one that they do not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from maixfs.cli.numbers import SIZE
from maixfs.cli.options import bytes_option, force_option, json_option
from maixfs.cli.progress import Progress
from maixfs.cli.screen import Screen, Text
from maixfs.cli.sd.card import CARD, card_path, held, held_output
from maixfs.cli.sd.catalogue import sd_verb
from maixfs.cli.wording import count_text

if TYPE_CHECKING:
    from maixfs.cards.fix import Fixed


@sd_verb(
    "fix",
    ("maixfs sd fix card.img -o new.img", "GPT, no MBR, wrong marks: put right in a copy."),
    ("maixfs sd fix /dev/sdb -o new.img --size 8G", "The same, onto a larger card."),
)
@click.argument("card", metavar="CARD", type=CARD)
@click.option("-o", "--output", metavar="NEW", required=True, type=CARD, help="The new image.")
@click.option("--size", type=SIZE, metavar="BYTES", help="Its size (default: the old card's).")
@force_option
@bytes_option
@json_option
def fix_verb(screen: Screen, card: Path, output: Path, size: int | None, force: bool) -> int:
    """Nothing is written to CARD. Each file of it is compared with the new card's: name, time,
    attributes and content. Damaged files are not repaired; what is still wrong with the new card
    is told, and the exit code is 1 then.
    """
    from maixfs.cards.fix import fix_card
    from maixfs.sd.journal import opened_finished

    path = card_path(card)
    with (
        opened_finished(path) as device,
        held(path),
        held_output(output, path),
        Progress(screen) as progress,
    ):
        fixed = fix_card(
            device,
            output,
            sectors=None if size is None else size // 512,
            force=force,
            progress=progress,
        )
    if screen.json:
        screen.emit({"card": str(card), **fixed._asdict(), "report": fixed.report.as_dict()})
    else:
        _draw(screen, fixed)
    return int(bool(fixed.left))


def _draw(screen: Screen, fixed: Fixed) -> None:
    for change in fixed.changes:
        screen.line("  ", Text("done:", "good"), f" {change}")
    for rest in fixed.left:
        screen.line("  ", Text("left:", "warning"), f" {rest}")
    screen.line(
        "wrote ", Text(fixed.path, "heading"), f": {screen.size(fixed.size)};",
        f" {count_text(fixed.files, 'file')} in {count_text(fixed.folders, 'folder')},",
        f" {screen.size(fixed.file_bytes)}, compared with the old card's: all the same",
    )  # fmt: skip
    screen.line(fixed.report.verdict)
