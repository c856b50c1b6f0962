"""What is on a card and whether it is sound, for ``info`` and ``doctor``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from maixfs.cards.check import CardReport, examine
from maixfs.errors import UsageError
from maixfs.image.entries import Kind
from maixfs.image.media import CardMedium
from maixfs.sd.journal import unapplied
from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from maixfs.image.entries import Progress
    from maixfs.image.image import Image
    from maixfs.image.media import Medium


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
        """Whether there is neither an error nor a warning among what was checked."""
        return self.report.healthy

    def as_dict(self) -> dict[str, Any]:
        """Return it all as plain values that JSON has."""
        about = {"target": self.host, "kind": str(Kind.CARD), "size": self.size}
        return {**about, "card": self.report.as_dict(), "healthy": self.healthy}


def summarize_card(image: Image, progress: Progress | None = None) -> CardSummary:
    """Examine the card of an image, or the partition that it was opened by; nothing is written.

    Damage and volumes that no board mounts are reported, not raised. Raises ``UsageError`` for a
    flash.
    """
    slot = image.place.slot
    summary = _summarize(image.volumes.medium(), str(image.place.whole), progress)
    report = summary.report
    report = report._replace(examination=report.examination + image.packing)
    summary = summary._replace(report=report)
    if slot is None:
        return summary
    parts = tuple(part for part in report.partitions if part.number == slot)
    findings = tuple(
        found for found in report.findings if found.data.get("partition", slot) == slot
    )
    examination = replace(report.examination, findings=findings)
    return summary._replace(report=report._replace(partitions=parts, examination=examination))


def summarize_slot(image: Image, progress: Progress | None = None) -> CardSummary | None:
    """Examine the card in the slot of a board; ``None`` for an empty slot.

    Raises ``MissingError`` for a card whose file is missing, ``DeviceError`` or ``TargetError``
    for one that cannot be read.
    """
    medium = image.volumes.medium(("sd",)) if image.config is not None else None
    return None if medium is None else _summarize(medium, str(medium.file), progress)


def _summarize(medium: Medium | None, name: str, progress: Progress | None) -> CardSummary:
    """Examine a card; ``name`` is the user's name for it."""
    if not isinstance(medium, CardMedium):
        raise UsageError(f"{name} is not a card")
    journal = unapplied(medium.file)
    report = examine(medium.device, journal=journal, progress=progress)
    return CardSummary(name, str(medium.file), medium.size, report)
