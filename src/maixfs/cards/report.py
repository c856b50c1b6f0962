"""What the doctor says of a card."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any, NamedTuple

Progress = Callable[[str, int, int], None]
"""Called with (phase, done, total); it may raise to stop."""


class Severity(StrEnum):
    """How bad something is, worst first."""

    ERROR = "error"
    """A board does not mount the card, or files on it are lost or damaged."""
    WARNING = "warning"
    """A board mounts it, and something will go wrong sooner or later."""
    NOTE = "note"
    """Good to know."""


class Finding(NamedTuple):
    """Something that was found out about a card."""

    id: str
    """What kind of thing it is; stays the same from version to version."""
    severity: Severity
    what: str
    where: int | None = None
    """The sector of the card that shows it."""
    why: str = ""
    """What it means for a board."""
    mend: str = ""
    """What to do about it."""
    partition: int | None = None
    """The partition that it is about (``PartitionReport.number``), ``None``: the whole card."""
    cases: int = 1
    """How many such things there are."""
    paths: tuple[str, ...] = ()
    """The first of them, where they are files or folders."""


class PartitionReport(NamedTuple):
    """A place on the card where a volume is, or should be."""

    number: int
    """1 to 4: slots of the MBR; from 5: logical partitions; by order in a GPT; 0: the card."""
    scheme: str
    """``MBR``, ``logical``, ``GPT`` or ``none`` (the volume starts at sector 0)."""
    type: str
    """Type byte as ``0x0C``, or the type of a GPT's partition."""
    start: int
    """First sector."""
    sectors: int
    kind: str
    """What is in it: ``FAT32``, ``FAT16``, ``FAT12``, ``exFAT``, ``NTFS``, ..."""
    mount_point: str | None = None
    """Where a board mounts it, ``None`` where it does not."""
    why_not: str | None = None
    """Why FatFs does not mount it, ``None`` where it does."""
    label: str = ""
    serial: int | None = None
    cluster_size: int | None = None
    clusters: int | None = None
    free_clusters: int | None = None
    """Counted in the FAT, whatever FSInfo says."""
    files: int | None = None
    folders: int | None = None


class CardReport(NamedTuple):
    """All that was found out about a card."""

    sectors: int
    """Capacity; 0 where the card does not even start up."""
    table: str
    """``MBR``, ``GPT`` or ``none``."""
    partitions: tuple[PartitionReport, ...]
    findings: tuple[Finding, ...]
    """Worst first."""

    @property
    def mountable(self) -> bool:
        """Whether a board mounts something of it when it starts."""
        return any(part.mount_point for part in self.partitions)

    @property
    def healthy(self) -> bool:
        """Whether there is neither an error nor a warning."""
        return all(finding.severity is Severity.NOTE for finding in self.findings)

    @property
    def verdict(self) -> str:
        """The whole of it in one sentence."""
        mounts = [
            f"partition {part.number} on {part.mount_point}"
            for part in self.partitions
            if part.mount_point
        ]
        if mounts:
            broken = any(found.severity is Severity.ERROR for found in self.findings)
            but = "; but not all of it is sound" if broken else ""
            return f"A board mounts this card: {', '.join(mounts)}{but}"
        reason = self.findings[0].what if self.findings else "there is nothing on it"
        return f"A board would not mount this card: {reason}"

    def as_dict(self) -> dict[str, Any]:
        """Return it all as plain values that JSON has."""
        return {
            "verdict": self.verdict,
            "mountable": self.mountable,
            "healthy": self.healthy,
            "sectors": self.sectors,
            "table": self.table,
            "partitions": [part._asdict() for part in self.partitions],
            "findings": [
                {**finding._asdict(), "severity": str(finding.severity)}
                for finding in self.findings
            ],
        }
