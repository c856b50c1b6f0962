"""Our SPIFFS driver beside the C, over recordings of the C that are cut at every operation."""

from __future__ import annotations

import hashlib
from collections import Counter
from itertools import islice

import pytest

from cuts.counting import CountCuts
from cuts.spiffs_sets import SETS, joined, load, sectors_alone

EVERY = {"esp-idf": 16, "esp8266": 16, "maixpy-3m": 20, "maixpy512": 1, "maixpy512-literal": 1}
"""Of the cuts of each set this test reads each N-th; ``dev.py cuts`` reads them all."""
SAMPLED = {
    "esp-idf": {"cuts": 899, "lost": 14, "in_flight_bad": 108, "phantoms": 2},
    "esp8266": {"cuts": 1140, "lost": 91, "in_flight_bad": 151, "phantoms": 5},
}
"""What these samples lose; the manifests have only figures of the whole sets."""
every_set = pytest.mark.parametrize("name", SETS)


def test_all_sets_are_there() -> None:
    assert sorted(EVERY) == SETS


@every_set
def test_recording_replays_to_the_area_of_the_c(name: str) -> None:
    cut_set = load(name)
    manifest, recording = cut_set.manifest, cut_set.recording
    kinds = Counter(operation.kind for operation in recording.operations)
    assert kinds == {"program": manifest["programs"], "erase": manifest["erases"]}
    for state, digest in ((0, "initial_sha256"), (len(recording), "final_sha256")):
        area = cut_set.area(recording.at(state))
        assert hashlib.sha256(area).hexdigest() == manifest[digest]
    assert cut_set.differences_from_truth() == []
    assert sum(1 for _ in cut_set.cuts()) == manifest["cuts"]["thinned_24"]


@every_set
def test_driver_issues_the_operations_of_the_c_in_its_order(name: str) -> None:
    cut_set = load(name)
    lines = 0
    for line, theirs, ours in cut_set.replay(copy_pieces=False):
        expected, places = joined(theirs)
        operations, own_places = joined(ours)
        assert operations == expected, line.text
        assert own_places <= places, f"{line.text}: a cut that the C does not have"
        lines += 1
    assert lines == cut_set.manifest["operations"]


@every_set
def test_driver_that_copies_in_pieces_issues_the_very_calls_of_the_c(name: str) -> None:
    for line, theirs, ours in load(name).replay(copy_pieces=True):
        assert sectors_alone(ours) == sectors_alone(theirs), line.text


@every_set
def test_cuts_lose_exactly_what_the_c_loses(name: str, count_cuts: CountCuts) -> None:
    cut_set, every = load(name), EVERY[name]
    totals: Counter[str] = Counter()
    flights: Counter[str] = Counter()
    states: set[int] = set()
    for cut in islice(cut_set.cuts(), every - 1, None, every):
        verdict = cut_set.judge(cut_set.line_of(cut), cut_set.read(cut.state))
        totals += Counter(cuts=1, lost=bool(verdict.lost), phantoms=bool(verdict.strange))
        flights[verdict.flight] += 1
        states.add(cut.state.fingerprint())
        assert "other bytes" not in verdict.lost.values(), f"spiffs-set/{name}@{cut.label}"
    bad = sum(flights[state] for state in ("gone", "unreadable", "wrong"))
    assert flights["gone"] == flights["wrong"] == 0
    count_cuts(f"spiffs-set/{name}", totals["cuts"], len(states), totals["lost"])
    measured = cut_set.manifest["read_as_it_is"]
    if measured["every"] == every:
        assert flights == measured["in_flight"]
    else:
        measured = SAMPLED[name]
    assert {**totals, "in_flight_bad": bad} == {
        key: measured[key] for key in ("cuts", "lost", "phantoms", "in_flight_bad")
    }
