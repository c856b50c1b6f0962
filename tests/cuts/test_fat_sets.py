"""FatFs's cards cut after every sector, and the cards of our driver for the same scripts."""

from __future__ import annotations

from collections import Counter

import pytest

from cuts.counting import CountCuts
from cuts.fat_sets import SETS, FatSet, load
from maixfs.sd import SECTOR

every_set = pytest.mark.parametrize("name", SETS)


def judged(fat_set: FatSet, count_cuts: CountCuts, driver: str) -> tuple[Counter[str], int]:
    """Read the card after every cut; return how often the file in flight was in which state,
    and how many cuts there were. No closed file may be lost.
    """
    flights: Counter[str] = Counter()
    states: set[int] = set()
    for cut in fat_set.recording.cuts():
        line = fat_set.line_of(cut)
        verdict = fat_set.judge(line, fat_set.read(cut.state))
        assert verdict.lost == {}, f"{driver}/{fat_set.name}@{cut.label}"
        flights[verdict.flight] += 1
        states.add(cut.state.fingerprint())
    count_cuts(f"{driver}/{fat_set.name}", flights.total(), len(states))
    return flights, flights.total()


@every_set
def test_recording_has_the_truth_of_its_manifest(name: str) -> None:
    fat_set = load(name)
    kinds = Counter(operation.kind for operation in fat_set.recording.operations)
    sectors = sum(operation.sectors for operation in fat_set.recording.operations)
    assert (sectors, kinds["sync"]) == (
        fat_set.manifest["sector_writes"],
        fat_set.manifest["syncs"],
    )
    assert fat_set.differences_from_truth() == []
    last = fat_set.read(fat_set.recording.at(len(fat_set.recording)))
    assert last == fat_set.trees[-1].files


@every_set
def test_cards_of_fatfs_read_as_measured(name: str, count_cuts: CountCuts) -> None:
    measured = load(name).manifest["measured"]["c_order"]
    flights, cuts = judged(load(name), count_cuts, "fat-set")
    assert flights == measured["in_flight"]
    assert cuts == measured["cuts"]


@every_set
def test_our_cards_lose_no_closed_file(name: str, count_cuts: CountCuts) -> None:
    fat_set = load(name)
    ours = fat_set.replay()
    flights, cuts = judged(ours, count_cuts, "fat-own")
    assert fat_set.read(ours.recording.at(len(ours.recording))) == fat_set.trees[-1].files
    assert cuts > 300
    # In place of a file that is renamed or written again there is never none at all.
    assert flights["wrong"] == flights["unreadable"] == flights["gone"] == 0


@every_set
def test_faithful_driver_writes_what_fatfs_writes(name: str) -> None:
    """Sector by sector and sync by sync, so that its cuts are those of a board's card.

    Bytes may differ only where FatFs leaves what was in its window behind the end of a file.
    """
    ours = load(name).replay(faithful=True).recording.operations
    theirs = load(name).recording.operations
    assert [(op.kind, op.sector, op.sectors) for op in ours] == [
        (op.kind, op.sector, op.sectors) for op in theirs
    ]
    for own, other in zip(ours, theirs, strict=True):
        for at in range(0, len(own.data), SECTOR):
            data = own.data[at : at + SECTOR]
            end = len(data.rstrip(b"\0"))
            assert data[:end] == other.data[at : at + end], own.cause


@every_set
@pytest.mark.parametrize("seed", [1, 2])
def test_a_cache_that_reorders_sectors_loses_no_closed_file(
    name: str, seed: int, count_cuts: CountCuts
) -> None:
    """The driver syncs after each operation; in between any sector may be missing."""
    fat_set = load(name)
    cuts, states = 0, set()
    for cut in fat_set.recording.reordered_cuts(seed):
        verdict = fat_set.judge(fat_set.line_of(cut), fat_set.read(cut.state))
        assert verdict.lost == {}, f"fat-set/{name}@{cut.label}"
        cuts += 1
        states.add(cut.state.fingerprint())
    count_cuts(f"fat-set/{name}/reordered", cuts, len(states))
    assert cuts == fat_set.manifest["measured"]["c_order_reorder_seed_1"]["cuts"]
