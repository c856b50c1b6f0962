"""The longer run over power cuts: every operation, every torn model, one line for each set.

    python3 dev.py cuts                                   everything; takes some ten minutes
    python3 dev.py cuts --every 20 spiffs-set fat         each 20th cut of the names that start so
    python3 dev.py cuts spiffs/maix/overwrite@cut8.half  one cut, as a failing test names it

``spiffs-set`` and ``fat-set`` are recordings of the C, ``fat-own`` are the scripts of fat-set run
with our driver, ``spiffs`` and ``fat`` are single operations, ``fat-faithful`` the same in the
order of FatFs, of which only closed files are judged. A line has the cuts that were
tried, the different states among them, the cuts that lost a file that was closed and not in
flight, and the cuts with anything else that must not be. Exit code 1 where a line is not as it
should be: then the first cuts that are wrong follow.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from cuts import fat_operations, fat_sets, spiffs_operations, spiffs_sets
from cuts.scripts import Verdict
from maixfs.errors import UsageError
from maixfs.nor import NorCut
from maixfs.sd import SectorCut

Cut = TypeVar("Cut", NorCut, SectorCut)
SEEDS = range(1, 4)
_SHOWN = 3


@dataclass
class Count:
    """What the cuts of one name cost; ``wrong`` has the labels of cuts that must not be."""

    name: str
    cuts: int = 0
    states: set[int] = field(default_factory=set)
    lost: int = 0
    bad: int = 0
    expected: tuple[int, int] | None = None
    """Lost and bad of the C over the same cuts; without it nothing may be bad."""
    wrong: list[str] = field(default_factory=list)

    @property
    def as_expected(self) -> bool:
        if self.expected is None:
            return not self.wrong
        return (self.lost, self.bad) == self.expected

    def __str__(self) -> str:
        text = f"{self.name}: cuts {self.cuts}, states {len(self.states)}"
        text += f", lost {self.lost}, bad {self.bad}"
        if self.expected is not None:
            text += f" (the C: lost {self.expected[0]}, bad {self.expected[1]})"
        if not self.as_expected:
            text += "".join(f"\n  {line}" for line in ("NOT AS EXPECTED", *self.wrong[:_SHOWN]))
        return text


def every(cuts: Iterable[Cut], step: int, count: Count) -> Iterator[tuple[Cut, bool]]:
    """Yield each ``step``-th cut and whether its state is new, and count it."""
    for number, cut in enumerate(cuts, 1):
        if number % step == 0:
            count.cuts += 1
            state = cut.state.fingerprint()
            new = state not in count.states
            count.states.add(state)
            yield cut, new


def _note(count: Count, cut: NorCut | SectorCut, verdict: Verdict) -> None:
    count.lost += bool(verdict.lost)
    bad = verdict.flight in ("gone", "unreadable", "wrong")
    count.bad += bad
    if bad or verdict.lost:
        count.wrong.append(f"{count.name}@{cut.label}: {verdict.flight}, {verdict.lost}")


def spiffs_set(name: str, step: int) -> Iterator[Count]:
    """Cut a recording of the C, in the way in which its manifest's figures were measured."""
    cut_set = spiffs_sets.load(name)
    count = Count(f"spiffs-set/{name}")
    for cut, _ in every(cut_set.cuts(), step, count):
        _note(count, cut, cut_set.judge(cut_set.line_of(cut), cut_set.read(cut.state)))
    measured = cut_set.manifest["read_as_it_is"]
    if step == measured["every"]:
        count.expected = measured["lost"], measured["in_flight_bad"]
    else:
        count.wrong.clear()  # the C loses files too, but nobody counted them for this step
    yield count


def fat_set(name: str, step: int, *, own: bool = False) -> Iterator[Count]:
    """Cut a recording of FatFs, or our driver's for the same script, in order and reordered."""
    cut_set = fat_sets.load(name).replay() if own else fat_sets.load(name)
    count = Count(f"fat-{'own' if own else 'set'}/{name}")
    for cut, _ in every(cut_set.recording.cuts(), step, count):
        _note(count, cut, cut_set.judge(cut_set.line_of(cut), cut_set.read(cut.state)))
    yield count
    for seed in SEEDS:
        count = Count(f"fat-{'own' if own else 'set'}/{name}/reordered {seed}")
        for cut, _ in every(cut_set.recording.reordered_cuts(seed), step, count):
            _note(count, cut, cut_set.judge(cut_set.line_of(cut), cut_set.read(cut.state)))
        # A file in flight may be anything then; closed files must be there.
        count.wrong = count.wrong if count.lost else []
        yield count


def spiffs_operation(area: str, name: str, step: int) -> Iterator[Count]:
    """Cut an operation of a SPIFFS in each way that its area is torn in."""
    recording = spiffs_operations.record(area, name)
    judge = spiffs_operations.Judge(area, name, recording)
    count = Count(f"spiffs/{area}/{name}")
    for cut, new in every(recording.cuts(spiffs_operations.tears(area)), step, count):
        if new:
            wrong, lost = judge.judge(cut)
            wrong += judge.works(cut)
            count.lost += bool(lost)
            count.bad += bool(wrong)
            count.wrong += [f"{count.name}@{cut.label}: {fault}" for fault in wrong]
    yield count


def fat_operation(kind: str, name: str, step: int, *, faithful: bool = False) -> Iterator[Count]:
    """Cut an operation of a FAT volume after each sector."""
    recording = fat_operations.record(kind, name, faithful=faithful)
    judge = fat_operations.Judge(name, recording)
    count = Count(f"{'fat-faithful' if faithful else 'fat'}/{kind}/{name}")
    for cut, new in every(recording.cuts(), step, count):
        if new:
            wrong = judge.lost(cut) if faithful else judge.faults(cut) + judge.works(cut)
            count.bad += bool(wrong)
            count.wrong += [f"{count.name}@{cut.label}: {fault}" for fault in wrong]
    yield count


def runs() -> Iterator[tuple[str, Callable[[int], Iterator[Count]]]]:
    """Yield the name of everything that can be cut, and a function that cuts each N-th place."""
    for name in spiffs_sets.SETS:
        yield f"spiffs-set/{name}", lambda step, name=name: spiffs_set(name, step)
    for name in fat_sets.SETS:
        yield f"fat-set/{name}", lambda step, name=name: fat_set(name, step)
        yield f"fat-own/{name}", lambda step, name=name: fat_set(name, step, own=True)
    for name, entry in spiffs_operations.OPERATIONS.items():
        for area in entry.areas:
            yield (
                f"spiffs/{area}/{name}",
                lambda step, area=area, name=name: spiffs_operation(area, name, step),
            )
    for name in fat_operations.OPERATIONS:
        for kind in fat_operations.KINDS:
            yield (
                f"fat/{kind}/{name}",
                lambda step, kind=kind, name=name: fat_operation(kind, name, step),
            )
            yield (
                f"fat-faithful/{kind}/{name}",
                lambda step, kind=kind, name=name: fat_operation(kind, name, step, faithful=True),
            )


def one_cut(identifier: str) -> list[str]:
    """Return what is wrong with the one cut that ``identifier`` names."""
    path, _, label = identifier.partition("@")
    kind, _, rest = path.partition("/")
    where, _, name = rest.partition("/")
    if kind == "spiffs":
        recording = spiffs_operations.record(where, name)
        return spiffs_operations.Judge(where, name, recording).judge(recording.cut(label))[0]
    if kind in ("fat", "fat-faithful"):
        written = fat_operations.record(where, name, faithful=kind != "fat")
        judge = fat_operations.Judge(name, written)
        return (judge.faults if kind == "fat" else judge.lost)(written.cut(label))
    if kind == "spiffs-set":
        areas = spiffs_sets.load(where)
        cut = areas.recording.cut(label)
        verdict = areas.judge(areas.line_of(cut), areas.read(cut.state))
    else:
        cards = fat_sets.load(where).replay() if kind == "fat-own" else fat_sets.load(where)
        card = cards.recording.cut(label)
        verdict = cards.judge(cards.line_of(card), cards.read(card.state))
    lost = [f"{name!r} is lost: {why}" for name, why in verdict.lost.items()]
    return [*lost, f"the file in flight: {verdict.flight}"]


def main(arguments: list[str] | None = None) -> int:
    """Run what the arguments name; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="dev.py cuts", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="beginnings of names, or cuts")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="try each N-th cut")
    chosen = parser.parse_args(arguments)
    cuts = [name for name in chosen.names if "@" in name]
    for identifier in cuts:
        try:
            print(identifier, *one_cut(identifier), sep="\n  ")
        except UsageError as error:
            parser.error(f"{identifier}: {error}")
    starts = tuple(name for name in chosen.names if "@" not in name)
    if cuts and not starts:
        return 0
    failed = 0
    for name, run in runs():
        if not starts or name.startswith(starts):
            for count in run(max(1, chosen.every)):
                print(count, flush=True)
                failed += not count.as_expected
    print(f"{failed} not as expected")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
