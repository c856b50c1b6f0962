"""Rules, kinds and examinations, and that every fix is a command that exists."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from doctor.doctor_cases import CASES
from doctor.fix_commands import check_command
from maixfs import finding
from maixfs.doctor import Subject, examine_subject
from maixfs.errors import MaixfsError
from maixfs.finding import (
    RULE_MODULES,
    Command,
    Cost,
    Examination,
    Finding,
    NotChecked,
    Severity,
    examine,
    kind,
    kinds,
    rule,
    rules,
)

TOY = """
from maixfs.finding import Cost, Severity, kind, rule

SMELLS = kind("smells", Severity.WARNING, "The toy smells.", why="it is old", fix=("air it",))


@rule("flash", Cost.MOUNT, SMELLS)
def smell(subject):
    yield SMELLS.found("the toy smells", where=3, size=subject.size)
"""
ODD = kind("odd", Severity.NOTE, "The number is odd.")
LARGE = kind("large", Severity.ERROR, "The number is large.")


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Undo registrations of rules, and add the subject ``number``."""
    for subject in RULE_MODULES:
        rules(subject)  # what is registered from here on is undone
    monkeypatch.setattr(finding, "_RULES", [*finding._RULES])
    monkeypatch.setattr(finding, "_KINDS", {**finding._KINDS})
    monkeypatch.setattr(finding, "RULE_MODULES", {**RULE_MODULES, "number": ()})


def odd_number(number: int) -> Iterator[Finding]:
    if number % 2:
        yield ODD.found(f"{number} is odd", where=number)


def large_number(number: int) -> Iterator[Finding]:
    if number > 9:
        yield LARGE.found(f"{number} is large", paths=map(str, range(99)), cases=99)


def unreadable_number(number: int) -> Iterator[Finding]:
    raise MaixfsError("no number")


def test_finding_is_added_by_one_module(
    registry: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "toy_rule.py").write_text(TOY, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    image = CASES["folders"].build()
    subject = image if isinstance(image, Subject) else Subject(image)
    before = examine_subject(subject).findings
    __import__("toy_rule")
    monkeypatch.delitem(sys.modules, "toy_rule")
    assert "smells" in [each.key for each in kinds("flash")]
    new = [each for each in examine_subject(subject).findings if each.key == "smells"]
    assert [(each.severity, each.where) for each in new] == [(Severity.WARNING, 3)]
    assert len(examine_subject(subject).findings) == len(before) + 1


def test_examination_sorts_by_severity_and_says_what_was_not_checked(registry: None) -> None:
    rule("number", Cost.MOUNT, ODD)(odd_number)
    rule("number", Cost.CONTENT, LARGE)(large_number)
    rule("number", Cost.MOUNT)(unreadable_number)
    full = examine("number", 11)
    assert [each.key for each in full.findings] == ["large", "odd"]
    assert full.not_checked == (NotChecked("unreadable number", "no number"),)
    assert not full.healthy and full.findings[0].cases == 99
    assert len(full.findings[0].paths) == finding.MAX_PATHS
    shallow = examine("number", 11, Cost.METADATA)
    assert [each.key for each in shallow.findings] == ["odd"] and shallow.healthy
    assert [each.what for each in shallow.not_checked] == ["large number", "unreadable number"]


def test_sum_of_examinations_is_sorted_and_keeps_each_omission_once() -> None:
    left_out = NotChecked("room", "too deep")
    first = Examination((ODD.found("odd"),), (left_out,))
    second = Examination((LARGE.found("large"),), (left_out, NotChecked("names", "too deep")))
    both = first + second
    assert [each.key for each in both.findings] == ["large", "odd"]
    assert len(both.not_checked) == 2 and len(both.left_out) == 1


def test_key_of_a_subject_is_declared_once(registry: None) -> None:
    rule("number", Cost.MOUNT, ODD)(odd_number)
    with pytest.raises(ValueError, match="odd"):
        rule("number", Cost.MOUNT, kind("odd", Severity.NOTE, "Another."))(large_number)
    with pytest.raises(KeyError):
        rule("nothing", Cost.MOUNT, ODD)


def test_order_of_rules_is_that_of_the_modules(registry: None) -> None:
    before = rules("flash")
    finding._RULES.reverse()
    homes = [each.run.__module__ for each in rules("flash")]
    assert homes == [each.run.__module__ for each in before]


def test_json_has_the_fields_of_a_finding() -> None:
    value = ODD.found("odd", where=1, fix=(Command("gc", ("{image}",)), "wait")).as_dict()
    assert value["fix"] == [["gc", ("{image}",)], "wait"]
    assert set(value) == {"key", "severity", "what", "why", "fix", "where", "paths", "data"}


@pytest.mark.parametrize("in_place", [False, True], ids=["image", "board"])
def test_every_declared_fix_is_a_verb_with_valid_arguments(
    in_place: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    image = Path("image")
    image.mkdir() if in_place else image.touch()
    steps = [step for subject in RULE_MODULES for each in kinds(subject) for step in each.fix]
    commands = [step for step in steps if isinstance(step, Command)]
    assert len(commands) > 8
    for command in commands:
        if in_place or command.verb != "sd eject":  # takes a board
            check_command(command, image)
