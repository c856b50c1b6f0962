"""Power lost between and within all flash operations of each call of a SPIFFS.

A closed file that the call does not touch reads as it was; where garbage is collected, a cut may
make it unreadable, as in the C, but never gives other bytes. The file in flight is the old one,
the new one or an allowed state between (docs/SPEC.md, section 5.8). Every state mounts.
"""

from __future__ import annotations

import pytest

from cuts.counting import CountCuts
from cuts.spiffs_operations import (
    AREAS,
    OPERATIONS,
    UNREADABLE,
    Judge,
    contents,
    prepared,
    record,
    tears,
)
from maixfs.nor import TEARS, NorRecorder, SnapshotFlash
from maixfs.spiffs import SpiffsCore
from spiffs.areas import get, pattern

CASES = [(area, name) for name, entry in OPERATIONS.items() for area in entry.areas]
MOST = 64
"""Of longer recordings only each N-th operation is cut; ``dev.py cuts`` cuts them all."""
WORKS = 11
"""Every so many cuts, the area is also written to."""


@pytest.mark.parametrize(("area", "name"), CASES, ids=["-".join(case) for case in CASES])
def test_every_cut_leaves_what_is_promised(area: str, name: str, count_cuts: CountCuts) -> None:
    recording = record(area, name)
    assert len(recording) >= OPERATIONS[name].least
    judge = Judge(area, name, recording)
    step = 1 + len(recording) // MOST * 2  # odd, so that all pages of a sector get their turn
    cuts = lost = 0
    seen: set[int] = set()
    for cut in recording.cuts(tears(area), selected=lambda number: number % step == 0):
        cuts += 1
        state = cut.state.fingerprint()
        if state in seen:
            continue
        seen.add(state)
        wrong, unreadable = judge.judge(cut)
        assert wrong == [], f"spiffs/{area}/{name}@{cut.label}"
        lost += bool(unreadable)
        if len(seen) % WORKS == 0:
            assert judge.works(cut) == [], f"spiffs/{area}/{name}@{cut.label}"
    assert cuts > len(recording) // step
    if OPERATIONS[name].collects:  # the promise is as weak as it is said to be, but no weaker
        assert lost > 0
        assert area != "tight" or lost < len(seen) / 8
    count_cuts(f"spiffs/{area}", cuts, len(seen), lost)


@pytest.mark.parametrize("area", ["maix", "esp-idf"])
def test_overwriting_can_make_the_file_unreadable(area: str) -> None:
    """As section 5.8 of the specification says: the pages go before the index follows."""
    recording = record(area, "overwrite")
    judge = Judge(area, "overwrite", recording)
    reads = [
        contents(judge.mount(cut.state, read_only=True))[b"/a"]
        for cut in recording.cuts({"none": TEARS["none"]})
    ]
    assert [UNREADABLE] in reads
    assert [judge.after[b"/a"]] == reads[-1] != reads[0] == [judge.before[b"/a"]]


@pytest.mark.parametrize("count", range(4))
def test_the_mending_of_a_mount_can_be_cut_too(count: int) -> None:
    """An aborted erase is erased and signed again: one erase, two programs."""
    geometry = AREAS["tight"].geometry
    state = prepared("tight", None).copy()
    state.fill((geometry.blocks - 1) * geometry.block_size, geometry.block_size, 0)
    recorder = NorRecorder(SnapshotFlash(state.copy()))
    SpiffsCore(recorder, geometry, faithful=True)
    assert len(recorder.recording) == 3
    for cut in recorder.recording.cuts(TEARS):
        if cut.number == count:
            fs = SpiffsCore(SnapshotFlash(cut.state), geometry, faithful=True)
            assert get(fs, "/still") == pattern(100, 12), cut.label
