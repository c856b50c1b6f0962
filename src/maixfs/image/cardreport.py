"""Everything that ``info`` says of a card."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from maixfs.cards.doctor import examine
from maixfs.cards.report import CardReport
from maixfs.host.files import Stamp, status_of
from maixfs.image.entries import Kind
from maixfs.image.media import CardMedium
from maixfs.sd.device import SECTOR

if TYPE_CHECKING:
    from pathlib import Path

    from maixfs.image.address import TargetPath
    from maixfs.image.entries import Progress


class CardSummary(NamedTuple):
    """What is known of a card, or of one partition of it."""

    host: str
    size: int
    """Bytes."""
    report: CardReport

    @property
    def healthy(self) -> bool:
        """Whether nothing is wrong."""
        return self.report.healthy

    def as_dict(self) -> dict[str, Any]:
        """Return it all as plain values that JSON has."""
        about = {"target": self.host, "kind": str(Kind.CARD), "size": self.size}
        return {**about, "card": self.report.as_dict(), "healthy": self.healthy}


def summarize_card(place: TargetPath, progress: Progress | None = None) -> CardSummary:
    """Look through a card, or through the partition ``place.slot``; nothing is written.

    What no board would mount is reported, not raised.
    """
    summary = summarize_file(place.host, str(place.whole), progress)
    if place.slot is None:
        return summary
    report = summary.report
    parts = tuple(part for part in report.partitions if part.number == place.slot)
    findings = tuple(one for one in report.findings if one.partition in (None, place.slot))
    return summary._replace(report=report._replace(partitions=parts, findings=findings))


def summarize_file(file: Path, name: str, progress: Progress | None = None) -> CardSummary:
    """Look through the card in a file; ``name`` is how the user calls it."""
    medium = CardMedium(file, Stamp.of(status_of(file, devices=True)), writable=False)
    try:
        report = examine(medium.device, card=str(file), progress=progress)
        return CardSummary(name, medium.device.sectors * SECTOR, report)
    finally:
        medium.close()
