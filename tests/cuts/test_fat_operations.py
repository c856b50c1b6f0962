"""Power lost after every sector that an operation on a FAT volume writes.

No file that was closed and is not touched is lost, a file in flight is the old one, the new one
or a part of one of them, and the volume is sound but for clusters that nobody owns.
"""

from __future__ import annotations

import pytest

from cuts.counting import CountCuts
from cuts.fat_operations import KINDS, OPERATIONS, SLOW_KINDS, Judge, record
from fat.volumes import faults
from maixfs.sd import SnapshotSectors

WORKS = 10
"""Every so many cuts, the card is also written to."""


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in SLOW_KINDS])
@pytest.mark.parametrize("name", OPERATIONS)
def test_every_cut_keeps_closed_files(name: str, kind: str, count_cuts: CountCuts) -> None:
    recording = record(kind, name)
    assert faults(SnapshotSectors(recording.at(len(recording)))) == []
    judge = Judge(name, recording)
    assert judge.before != judge.after or not judge.operation.moves
    cuts, states = 0, set()
    for cut in recording.cuts():
        assert judge.faults(cut) == [], f"fat/{kind}/{name}@{cut.label}"
        if cuts % WORKS == 0:
            assert judge.works(cut) == [], f"fat/{kind}/{name}@{cut.label}"
        cuts += 1
        states.add(cut.state.fingerprint())
    assert cuts >= OPERATIONS[name].least
    count_cuts(f"fat/{kind}", cuts, len(states))


@pytest.mark.parametrize("kind", ["fat12", "fat16", "fat32"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_order_of_fatfs_keeps_closed_files_too(
    name: str, kind: str, count_cuts: CountCuts
) -> None:
    """What else FatFs leaves is not judged: a board's card has it too."""
    recording = record(kind, name, faithful=True)
    judge = Judge(name, recording)
    cuts, states = 0, set()
    for cut in recording.cuts():
        assert judge.lost(cut) == [], f"fat-faithful/{kind}/{name}@{cut.label}"
        cuts += 1
        states.add(cut.state.fingerprint())
    assert cuts >= OPERATIONS[name].least
    count_cuts(f"fat-faithful/{kind}", cuts, len(states))
