"""What is on a card and whether it is sound, for ``info`` and ``doctor``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from maixfs.cards.check import CardReport, examine
from maixfs.host.files import Stamp, status_of
from maixfs.image.entries import Kind
from maixfs.image.media import CardMedium
from maixfs.sd.device import SECTOR
from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

    from maixfs.image.address import TargetPath
    from maixfs.image.entries import Progress


class CardSummary(NamedTuple):
    """The report on a card, or on one partition of it."""

    host: str
    file: str
    """Path of its image or drive."""
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
    """Examine a card, or the partition ``place.slot``; nothing is written.

    Damage and volumes that no board mounts are reported, not raised.
    """
    summary = summarize_file(place.host, str(place.whole), progress)
    if place.slot is None:
        return summary
    report = summary.report
    parts = tuple(part for part in report.partitions if part.number == place.slot)
    findings = tuple(
        found for found in report.findings if found.data.get("partition", place.slot) == place.slot
    )
    examination = replace(report.examination, findings=findings)
    return summary._replace(report=report._replace(partitions=parts, examination=examination))


def summarize_file(file: Path, name: str, progress: Progress | None = None) -> CardSummary:
    """Examine the card in a file; ``name`` is the user's name for it."""
    medium = CardMedium(file, Stamp.of(status_of(file, devices=True)), writable=False)
    try:
        report = examine(medium.device, progress=progress)
        return CardSummary(name, str(file), medium.device.sectors * SECTOR, report)
    finally:
        medium.close()
