"""Each kind of finding about cards and FAT volumes is found on a card that shows it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from doctor import card_cases, doctor_cases
from maixfs import finding
from maixfs.fat import check as fat_check
from maixfs.finding import RULE_MODULES, Finding, kinds

PAGE = Path(__file__).parents[2] / "docs" / "FINDINGS.md"
TESTS = {"test_complaint": doctor_cases.CASES, "test_card_complaint": card_cases.CASES}
"""The tests that docs/FINDINGS.md names, and what they are run for."""


def found(case: card_cases.CardCase) -> list[Finding]:
    """Return the findings of the subject of a case."""
    check = case.build()
    if case.subject == "card":
        return [*finding.examine("card", check).findings]
    volumes = [part.volume for part in check.partitions if part.volume is not None]
    return [each for volume in volumes for each in finding.examine("fat", volume).findings]


@pytest.mark.parametrize("name", card_cases.CASES)
def test_card_complaint(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = card_cases.CASES[name]
    if case.most_entries is not None:
        monkeypatch.setattr(fat_check, "MOST_ENTRIES", case.most_entries)
    findings = [each for each in found(case) if each.key == case.key]
    assert findings
    declared = {kind.key: kind for kind in kinds(case.subject)}
    assert case.key in declared


@pytest.mark.parametrize("subject", ["fat", "card"])
def test_every_key_of_cards_has_a_case(subject: str) -> None:
    shown = {case.key for case in card_cases.CASES.values() if case.subject == subject}
    assert shown == {kind.key for kind in kinds(subject)}


def test_findings_page_names_a_test_for_every_key() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \|.*\| ([^|]*) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert len(rows) == sum(len(kinds(subject)) for subject in RULE_MODULES)
    for key, cell in rows:
        named = re.fullmatch(r"`(\w+)\[(.+)\]`", cell)
        assert named is not None, key
        assert TESTS[named[1]][named[2]].key == key
