"""What an examination says of an image: one record, for every rule and every command.

A kind of finding is declared once, beside the rule that reports it::

    ABORTED_ERASE = kind(
        "aborted-erase",
        Severity.WARNING,
        "A block whose erase was cut short.",
        why="power was lost while the block was erased",
    )

    @rule("spiffs", Cost.MOUNT, ABORTED_ERASE)
    def aborted_erase(area: AreaCheck) -> Iterator[Finding]:
        if area.aborted_block is not None:
            yield ABORTED_ERASE.found(f"block {area.aborted_block} ...", where=0xD00000)

``examine`` runs the rules of a subject. Code compares keys, never message text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from importlib import import_module
from types import MappingProxyType
from typing import Any

from maixfs.errors import Command, MaixfsError, Step
from maixfs.tuples import NamedTuple

__all__ = [
    "IMAGE_EXAMINER",
    "MAX_PATHS",
    "RULE_MODULES",
    "Command",
    "Cost",
    "Examination",
    "Finding",
    "FindingKind",
    "Rule",
    "Severity",
    "Step",
    "examine",
    "examine_image",
    "kind",
    "kinds",
    "rule",
    "rules",
]


class Severity(StrEnum):
    """How bad something is, worst first."""

    ERROR = "error"
    """Data is lost or cannot be read, or a board does not start, mount or load it."""
    WARNING = "warning"
    """It works now, and will go wrong."""
    NOTE = "note"
    """Good to know."""


class Cost(IntEnum):
    """What a rule reads, cheapest first."""

    MOUNT = 1
    """No more than identifying and mounting reads anyway."""
    METADATA = 2
    """All structures: look-up pages, index headers, FATs, folders, headers of parts."""
    CONTENT = 3
    """The contents of files and models."""


class Finding(NamedTuple):
    """Something that a rule found out."""

    key: str
    """Which kind it is; stays the same from version to version."""
    severity: Severity
    what: str
    """What is wrong, and with which file or part."""
    why: str = ""
    """How it comes about, and what it means for a board."""
    fix: tuple[Step, ...] = ()
    """What to do, step by step; empty where there is nothing to do or to be done."""
    where: int | None = None
    """Byte address in the image."""
    paths: tuple[str, ...] = ()
    """The files and folders that it concerns, at most ``MAX_PATHS``; ``data["cases"]`` counts."""
    data: Mapping[str, Any] = MappingProxyType({})
    """Values for programs, such as ``partition`` or ``cases``."""

    @property
    def is_problem(self) -> bool:
        """Whether it is more than a note."""
        return self.severity is not Severity.NOTE

    @property
    def cases(self) -> int:
        """How many things of this kind it stands for."""
        return int(self.data.get("cases", 1))

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values that JSON has."""
        steps = [[*step] if isinstance(step, Command) else step for step in self.fix]
        return {
            "key": self.key,
            "severity": str(self.severity),
            "what": self.what,
            "why": self.why,
            "fix": steps,
            "where": self.where,
            "paths": [*self.paths],
            "data": dict(self.data),
        }


MAX_PATHS = 20


class FindingKind(NamedTuple):
    """The constant part of a finding."""

    key: str
    severity: Severity
    meaning: str
    """A sentence for docs/FINDINGS.md."""
    why: str = ""
    fix: tuple[Step, ...] = ()

    def found(
        self,
        what: str,
        *,
        where: int | None = None,
        paths: Iterable[str] = (),
        severity: Severity | None = None,
        why: str | None = None,
        fix: tuple[Step, ...] | None = None,
        **data: Any,
    ) -> Finding:
        """Return a finding of this kind; what is not given is the kind's."""
        return Finding(
            self.key,
            severity or self.severity,
            what,
            self.why if why is None else why,
            self.fix if fix is None else fix,
            where,
            tuple(paths)[:MAX_PATHS],
            data,
        )


class Rule(NamedTuple):
    """A function that looks for one kind of finding, or for a few that belong together."""

    subject: str
    """What it takes: a key of ``RULE_MODULES``."""
    cost: Cost
    kinds: tuple[FindingKind, ...]
    run: Callable[[Any], Iterable[Finding]]

    @property
    def name(self) -> str:
        """What it looks for, in words."""
        return self.run.__name__.strip("_").replace("_", " ")


RULE_MODULES: Mapping[str, tuple[str, ...]] = {
    "spiffs": ("maixfs.spiffs.check",),
    "fat": ("maixfs.fat.check",),
    "card": ("maixfs.doctor.card",),
    "flash": ("maixfs.doctor.flash",),
    "board": ("maixfs.doctor.programs", "maixfs.doctor.models"),
}
"""By subject, the modules whose import registers its rules, in the order of their findings.

``spiffs`` and ``fat`` rules take the examination of one file system, ``card`` rules a card,
``flash`` and ``board`` rules a ``maixfs.doctor.Subject``.
"""

_RULES: list[Rule] = []
_KINDS: dict[tuple[str, str], FindingKind] = {}
"""By subject and key."""


def kind(
    key: str, severity: Severity, meaning: str, *, why: str = "", fix: tuple[Step, ...] = ()
) -> FindingKind:
    """Declare a kind of finding; the first rule that reports it registers it."""
    return FindingKind(key, severity, meaning, why, fix)


def rule(
    subject: str, cost: Cost, *kinds: FindingKind
) -> Callable[[Callable[[Any], Iterable[Finding]]], Callable[[Any], Iterable[Finding]]]:
    """Register a function as a rule of ``subject`` that reports ``kinds``.

    Raises ``ValueError`` if another kind of the subject has the same key, ``KeyError`` for an
    unknown subject.
    """

    def register(run: Callable[[Any], Iterable[Finding]]) -> Callable[[Any], Iterable[Finding]]:
        for each in kinds:
            if _KINDS.setdefault((subject, each.key), each) is not each:
                raise ValueError(f"the finding {each.key!r} of {subject} is declared twice")
        _RULES.append(Rule(subject, cost, kinds, run))
        return run

    if subject not in RULE_MODULES:
        raise KeyError(subject)
    return register


def _load(subject: str) -> tuple[str, ...]:
    """Import the modules with the rules of a subject and return their names."""
    for module in RULE_MODULES[subject]:
        import_module(module)
    return RULE_MODULES[subject]


def rules(subject: str) -> list[Rule]:
    """Return the rules of a subject, in the order of ``RULE_MODULES`` and of their declaration.

    The order does not depend on which module was imported first. Rules of other modules follow.
    """
    place = {module: at for at, module in enumerate(_load(subject))}
    registered = [each for each in _RULES if each.subject == subject]
    return sorted(registered, key=lambda each: place.get(each.run.__module__, len(place)))


def kinds(subject: str) -> list[FindingKind]:
    """Return every kind of finding of a subject, by key."""
    _load(subject)
    return [each for (known, _), each in sorted(_KINDS.items()) if known == subject]


_ORDER = {severity: at for at, severity in enumerate(Severity)}


class NotChecked(NamedTuple):
    """Something that an examination left out."""

    what: str
    reason: str


@dataclass(frozen=True, slots=True)
class Examination:
    """The findings of all rules that were run, worst first, and what was not checked."""

    findings: tuple[Finding, ...] = ()
    not_checked: tuple[NotChecked, ...] = ()
    """What was left out; nothing may be called sound beyond that."""

    @property
    def healthy(self) -> bool:
        """Whether there is neither an error nor a warning among what was checked."""
        return not any(finding.is_problem for finding in self.findings)

    @property
    def left_out(self) -> tuple[str, ...]:
        """What was not checked: a line for each reason."""
        by_reason: dict[str, list[str]] = {}
        for each in self.not_checked:
            by_reason.setdefault(each.reason, []).append(each.what)
        return tuple(f"{', '.join(what)} ({reason})" for reason, what in by_reason.items())

    def __add__(self, other: Examination) -> Examination:
        left_out = dict.fromkeys((*self.not_checked, *other.not_checked))
        return Examination(_sorted((*self.findings, *other.findings)), tuple(left_out))


def examine(subject: str, thing: Any, depth: Cost = Cost.CONTENT) -> Examination:
    """Run the rules of ``subject`` on ``thing``, as far as ``depth`` goes.

    A rule that cannot read what it needs does not end the examination: it is listed in
    ``not_checked``, with the reason.
    """
    findings: list[Finding] = []
    left_out: list[NotChecked] = []
    for each in rules(subject):
        if each.cost > depth:
            left_out.append(NotChecked(each.name, _TOO_DEEP))
            continue
        try:
            findings.extend(each.run(thing))
        except MaixfsError as error:
            left_out.append(NotChecked(each.name, str(error)))
    return Examination(_sorted(findings), tuple(left_out))


IMAGE_EXAMINER = "maixfs.doctor.examine:examine_whole"
"""``module:function`` that examines an ``Image``: it knows the rules of all its parts.

As with ``RULE_MODULES``, the name keeps an image from importing what lies on a floor above it.
"""


def examine_image(image: Any, depth: Cost, progress: Any = None) -> Examination:
    """Run the rules of everything in an ``Image``, as far as ``depth`` goes."""
    module, name = IMAGE_EXAMINER.split(":")
    examined: Examination = getattr(import_module(module), name)(image, depth, progress)
    return examined


_TOO_DEEP = "left to a deeper examination"


def _sorted(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda finding: _ORDER[finding.severity]))
