"""Examine images: one list of findings for a dump, a SPIFFS image, a board or a card.

examination = examine_target("dump.bin", Cost.CONTENT)
print(verdict(examination))
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.lazy import lazy_names

if TYPE_CHECKING:
    from maixfs.doctor.boot import BootReport, report_boot
    from maixfs.doctor.examine import (
        examine_card,
        examine_subject,
        examine_target,
        verdict,
    )
    from maixfs.doctor.fixes import FIXES
    from maixfs.doctor.subject import Card, Subject

__all__ = [
    "FIXES",
    "BootReport",
    "Card",
    "Subject",
    "examine_card",
    "examine_subject",
    "examine_target",
    "report_boot",
    "verdict",
]

__getattr__ = lazy_names(
    __name__,
    {
        "boot": ("BootReport", "report_boot"),
        "examine": ("examine_card", "examine_subject", "examine_target", "verdict"),
        "fixes": ("FIXES",),
        "subject": ("Card", "Subject"),
    },
)
