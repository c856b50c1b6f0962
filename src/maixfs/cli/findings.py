"""How findings are written: severity, what and where, why, and the steps of the fix."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from maixfs.cli.failures import step_text
from maixfs.cli.screen import Part, Screen, Text, count_text, hex_text

if TYPE_CHECKING:
    from pathlib import Path

    from maixfs.finding import Examination, Finding

_ROLES = {"error": "bad", "warning": "warning", "note": "dim"}


def draw_findings(
    screen: Screen, findings: Iterable[Finding], image: Path, *, brief: bool = False
) -> None:
    """Write findings, in their order; ``brief`` shows neither causes nor what helps with notes.

    Commands of fixes are about ``image``, unless a finding names another one: a board's card.
    """
    for finding in findings:
        severity = str(finding.severity)
        screen.line()
        label = Text(f"{severity}:", _ROLES[severity])
        partition = finding.data.get("partition")
        about = f"partition {partition}: " if partition else ""
        screen.paragraph("  ", label, f"{about}{finding.what}")
        if finding.where is not None and not brief:
            screen.paragraph("    ", Text("where:", "dim"), _place(finding, finding.where))
        if finding.why and not brief:
            screen.paragraph("    ", Text("why:", "dim"), finding.why)
        about_image = finding.data.get("image", image)
        for step in finding.fix if finding.is_problem or not brief else ():
            screen.paragraph("    ", Text("fix:", "hint"), step_text(step, str(about_image)))


def _place(finding: Finding, address: int) -> str:
    if finding.data.get("medium") == "card":
        from maixfs.sd.device import SECTOR

        return f"sector {address // SECTOR:#x}"
    return hex_text(address)


def examination_json(examination: Examination) -> dict[str, Any]:
    """Return an examination for JSON."""
    return {
        "healthy": examination.healthy,
        "findings": [finding.as_dict() for finding in examination.findings],
        "not_checked": [each._asdict() for each in examination.not_checked],
    }


def health_text(examination: Examination) -> Part:
    """Return how many problems there are; nothing is called sound that was not checked."""
    problems = sum(finding.is_problem for finding in examination.findings)
    if problems:
        return Text(count_text(problems, "problem"), "bad")
    if examination.not_checked:
        return Text("nothing is wrong in what was checked", "good")
    return Text("sound", "good")
