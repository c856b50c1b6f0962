"""What the verb doctor shows: the examination of flash and card together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from maixfs.cli.findings import draw_findings, examination_json
from maixfs.cli.screen import Progress, Screen, Text
from maixfs.cli.targets import note_holder
from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from maixfs.finding import Examination
    from maixfs.image.address import TargetPath
    from maixfs.image.cardreport import CardSummary
    from maixfs.image.entries import Where


class Checkup(NamedTuple):
    """An examination, with what is known of the card."""

    target: TargetPath
    verdict: str
    examination: Examination
    card: CardSummary | None
    """The card, or that in the slot of a board; ``None`` if there is none."""

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "target": str(self.target),
            "verdict": self.verdict,
            **examination_json(self.examination),
            "card": self.card and self.card.as_dict(),
        }


def look_at(screen: Screen, there: TargetPath, where: Where) -> Checkup:
    """Examine a flash image, a board with its card, a SPIFFS image or a card."""
    from maixfs.doctor import Subject, examine_card, examine_subject, verdict
    from maixfs.image.cardreport import summarize_card
    from maixfs.image.opening import open_image

    with (
        Progress(screen) as progress,
        open_image(there, geometry=where.geometry, base=where.base) as image,
    ):
        if image.format is not None:
            examination = image.findings()
            return Checkup(there, verdict(examination), examination, None)
        if not image.is_flash:
            card = summarize_card(image, progress)
            return Checkup(there, card.report.verdict, examine_card(card.report), card)
        note_holder(screen, there.host, image.holder)
        subject = Subject.of_image(image, progress)
        examination = examine_subject(subject) + image.packing
        slot = subject.card.summary if subject.card else None
        return Checkup(there, verdict(examination), examination, slot)


def draw_checkup(screen: Screen, checkup: Checkup) -> None:
    """Print the verdict, then each finding with cause and fix."""
    examination = checkup.examination
    screen.line(Text(checkup.verdict, "good" if examination.healthy else "bad"))
    card = checkup.card
    is_card = card is not None and card.report.verdict == checkup.verdict
    if card is not None and not is_card:
        screen.line(Text(f"card {card.host}", "heading"), f": {card.report.verdict}")
    draw_findings(screen, examination.findings, checkup.target.host)
    # The verdict on a flash without problems names what was left out; that on a card does not.
    if examination.not_checked and (is_card or not examination.healthy):
        screen.line()
        for sentence in examination.left_out:
            screen.paragraph("  ", Text("not checked:", "dim"), sentence)
