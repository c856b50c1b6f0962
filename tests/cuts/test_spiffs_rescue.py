"""After each cut of the C's recordings every closed file is rescued with the right bytes."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import pytest

from cuts.counting import CountCuts
from cuts.scripts import Found
from cuts.spiffs_sets import SETS, SpiffsSet, load
from maixfs.nor import SnapshotFlash
from maixfs.snapshot import Snapshot
from maixfs.spiffs.rescue import rescue

EVERY = {
    "esp-idf": 101,
    "esp8266": 101,
    "maixpy-3m": 101,
    "maixpy512": 25,
    "maixpy512-literal": 25,
}
"""Of the cuts of each set each N-th is read."""


def rescued(cut_set: SpiffsSet, state: Snapshot) -> Found:
    """Return what a rescue finds by name; of a file with gaps what comes before the first one."""
    found: Found = {}
    files = rescue(SnapshotFlash(state), cut_set.geometry)
    for file in sorted(files, key=lambda file: file.complete):
        if file.name is not None:
            found[file.name] = file.data if file.complete else file.leading
    return found


@pytest.mark.parametrize("name", SETS)
def test_every_closed_file_is_rescued(name: str, count_cuts: CountCuts) -> None:
    cut_set = load(name)
    totals: Counter[str] = Counter()
    flights: Counter[str] = Counter()
    states: set[int] = set()
    for cut in islice(cut_set.cuts(), EVERY[name] - 1, None, EVERY[name]):
        line = cut_set.line_of(cut)
        verdict = cut_set.judge(line, rescued(cut_set, cut.state))
        label = f"spiffs-set/{name}@{cut.label}"
        assert verdict.lost == {}, label
        assert verdict.strange == [], label
        flights[verdict.flight] += 1
        states.add(cut.state.fingerprint())
        totals["cuts"] += 1
        totals["recovered"] += len(cut_set.judge(line, cut_set.read(cut.state)).lost)
    assert totals["recovered"] > 0
    assert flights.keys() <= {"old", "new", "part", "both"}
    count_cuts(f"spiffs-rescue/{name}", totals["cuts"], len(states), 0)
    count_cuts(f"spiffs-mount/{name}", totals["cuts"], len(states), totals["recovered"])
