"""``maixfs sd info`` and ``maixfs sd doctor``: contents and problems of a card."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from maixfs.cli.findings import draw_findings, health_text
from maixfs.cli.options import bytes_option, json_option
from maixfs.cli.screen import Progress, Screen, Text, count_text
from maixfs.cli.sd.card import CARD, card_path, draw_partitions, note_if_in_use
from maixfs.cli.verb import verb

if TYPE_CHECKING:
    from maixfs.cards.check import CardReport


@verb(
    "sd info",
    ("maixfs sd info card.img", "Partitions, volumes, labels, free room."),
    ("maixfs sd info board --json", "The same of the card in a board's slot, for a program."),
)
@click.argument("card", metavar="CARD", type=CARD)
@bytes_option
@json_option
def info_verb(screen: Screen, card: Path) -> int:
    """CARD is an image, a drive, or the folder of a board with a card in its slot. Free room is
    counted in the FAT. The exit code is 1 if something is wrong.
    """
    report = _examine(screen, card)
    if screen.json:
        screen.emit({"card": str(card), **report.as_dict()})
        return int(not report.healthy)
    size = screen.size(report.size)
    table = "no partition table" if report.table == "none" else report.table
    screen.line(Text(str(card), "heading"), f"  card of {size}, {table}")
    if report.partitions:
        screen.line()
        draw_partitions(screen, report)
    screen.line()
    screen.facts([("health", health_text(report.examination))])
    if report.findings:
        screen.line("  ", Text("next:", "hint"), f" maixfs sd doctor {card}")
    return int(not report.healthy)


@verb(
    "sd doctor",
    ("maixfs sd doctor card.img", "The verdict, then what was found and how to fix it."),
    ("maixfs sd doctor /dev/sdb --json", "The same of a card in a reader, for a program."),
)
@click.argument("card", metavar="CARD", type=CARD)
@bytes_option
@json_option
def doctor_verb(screen: Screen, card: Path) -> int:
    """CARD is an image, a drive, or the folder of a board with a card in its slot. It is only
    read. The exit code is 1 if something is wrong, 0 where there are only notes.
    """
    from maixfs.doctor import examine_card

    report = _examine(screen, card)
    if screen.json:
        screen.emit({"card": str(card), **report.as_dict()})
        return int(not report.healthy)
    role = "good" if report.healthy else "warning" if report.mountable else "bad"
    screen.line(Text(report.verdict, role))
    draw_findings(screen, examine_card(report).findings, card)
    for sentence in report.examination.left_out:
        screen.paragraph("  ", Text("not checked:", "dim"), sentence)
    is_whole = all(part.mount_point for part in report.partitions)
    if is_whole and not report.findings and not report.examination.not_checked:
        volumes = report.partitions
        files = count_text(sum(part.files or 0 for part in volumes), "file")
        screen.line(f"Nothing is wrong: {files} and all clusters were checked.")
    return int(not report.healthy)


def _examine(screen: Screen, card: Path) -> CardReport:
    from maixfs.cards.check import examine
    from maixfs.sd.journal import as_finished, unapplied
    from maixfs.sd.media import FileSectors

    path = card_path(card)
    with FileSectors.open(path) as device, Progress(screen) as progress:
        if device.note:
            screen.note(device.note)
        note_if_in_use(screen, card, path)
        finished = as_finished(path, device)
        return examine(finished, journal=unapplied(path), progress=progress)
