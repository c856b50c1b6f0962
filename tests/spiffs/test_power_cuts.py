"""Power lost at every program and erase of a busy hour on a tiny area, and torn in four ways.

What is promised: the next mount succeeds, also when that one's mending is cut; a file that was
closed and is not being written reads as it was or, where garbage collection was cut, gives an
error; never other bytes. Without garbage collection it reads as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from maixfs.nor import NorChip, NorEvent
from maixfs.spiffs import Geometry, SpiffsCore, SpiffsError
from spiffs.areas import APPEND, RW, Area, code_of, get, pattern, put

ROOMY = Geometry(0x8000, 0x1000, 256)
TIGHT = ROOMY.with_size(0x5000)
STILL = {"still": pattern(600, 1), "closed": pattern(100, 2)}


class Recorder:
    """Keeps what lands on a chip: address, the old bytes, the new ones."""

    def __init__(self) -> None:
        self.steps: list[tuple[int, bytes, bytes]] = []
        self.marks: list[int] = []

    def before(self, chip: NorChip, event: NorEvent) -> None:
        if event.kind != "read":
            old = chip.peek(event.address, event.length)
            self.steps.append((event.address, old, event.outcome(old)))

    def after(self, chip: NorChip, event: NorEvent) -> None:
        """Nothing: all is known before."""


def scrape(old: bytes, new: bytes) -> bytes:
    """Return the even bytes of ``new`` and the odd ones of ``old``."""
    return bytes(new[at] if at % 2 == 0 else old[at] for at in range(len(old)))


TEARS: dict[str, Callable[[bytes, bytes], bytes]] = {
    "nothing": lambda old, new: old,
    "first half": lambda old, new: new[: len(new) // 2] + old[len(new) // 2 :],
    "second half": lambda old, new: old[: len(new) // 2] + new[len(new) // 2 :],
    "every other byte": scrape,
    "some bits": lambda old, new: (
        bytes(a & (b | 0x55) for a, b in zip(old, new, strict=True))
        if any(a & ~b & 0xFF for a, b in zip(old, new, strict=True))
        else old
    ),
}


def quiet_hour(fs: SpiffsCore) -> None:
    """Everything that can be done to a file, in an area with room for it."""
    put(fs, "new", pattern(700, 3))
    with fs.open_descriptor("new", RW | APPEND) as file:
        file.write(pattern(300, 4))
    with fs.open_descriptor("new", RW) as file:
        file.seek(200)
        file.write(pattern(400, 5))
        file.truncate(260)
    fs.rename("new", "renamed")
    put(fs, "renamed", b"replaced")
    fs.remove("renamed")


def busy_hour(fs: SpiffsCore) -> None:
    """The same until blocks are collected."""
    for number in range(9):
        put(fs, "busy", pattern(900, number))
        quiet_hour(fs)


def record(geometry: Geometry, workload: Callable[[SpiffsCore], None]) -> tuple[bytes, Recorder]:
    """Return the area before the workload and what landed while it ran."""
    area = Area(geometry)
    with area.mount() as fs:
        for name, data in STILL.items():
            put(fs, name, data)
    start, recorder = area.image, Recorder()
    fs = area.mount()
    area.chip.attach(recorder)
    workload(fs)
    return start, recorder


def states(start: bytes, recorder: Recorder, every: int) -> Iterator[bytes]:
    """Yield the area after each cut, torn in each way; the same state only once in a row."""
    image = bytearray(start)
    for number, (address, old, new) in enumerate(recorder.steps):
        if number % every == 0:
            for torn in {tear(old, new) for tear in TEARS.values()} - {new}:
                image[address : address + len(old)] = torn
                yield bytes(image)
        image[address : address + len(old)] = new
    yield bytes(image)


def reads_as(fs: SpiffsCore, name: str) -> set[object]:
    """Return what each header of that name reads as, or its error number."""
    found: set[object] = set()
    for entry in fs.scandir():
        if entry.name == name:
            try:
                with fs.open_page(entry.page) as file:
                    found.add(file.read())
            except SpiffsError as error:
                found.add(int(error.code))
    return found


def test_closed_files_survive_every_cut() -> None:
    start, recorder = record(ROOMY, quiet_hour)
    assert len(recorder.steps) > 60
    for image in states(start, recorder, 1):
        fs = Area(ROOMY, content=image).mount()
        for name, data in STILL.items():
            assert reads_as(fs, name) == {data}


def test_cuts_in_garbage_collection_cost_no_wrong_byte() -> None:
    start, recorder = record(TIGHT, busy_hour)
    assert any(len(old) >= 0x1000 for _, old, _ in recorder.steps)
    unreadable = 0
    for image in states(start, recorder, 2):
        fs = Area(TIGHT, content=image).mount()
        for name, data in STILL.items():
            found = reads_as(fs, name)
            assert found
            assert {item for item in found if isinstance(item, bytes)} <= {data}
            unreadable += data not in found
    assert unreadable < len(recorder.steps) // 8


@pytest.mark.parametrize("nor", ["ideal", "literal"])
def test_every_state_can_be_worked_on(nor: str) -> None:
    """No cut leaves an area that the driver cannot take.

    A torn program leaves bytes on a page that counts as free, and no page is looked at before
    it is written. Where a driver replaces bytes, as the K210's does, that harms nothing. Where
    they are ANDed, what lands there can be lost, so nothing more is promised.
    """
    start, recorder = record(TIGHT, busy_hour)
    for image in states(start, recorder, 11):
        fs = Area(TIGHT, nor, image).mount(faithful=False)
        sound = [name for name, data in STILL.items() if reads_as(fs, name) == {data}]
        for name in fs.listdir():
            if name not in STILL:
                code_of(fs.remove, name)
        refused = {code_of(put, fs, "after", pattern(900, number)) for number in range(6)}
        if nor == "literal":
            assert {name: get(fs, name) for name in sound} == {name: STILL[name] for name in sound}
            assert refused <= {0, -10001}


@pytest.mark.parametrize("cut", range(4))
def test_the_mending_of_a_mount_can_be_cut_too(cut: int) -> None:
    """An aborted erase is erased and signed again: one erase, two programs."""
    area = Area(TIGHT)
    with area.mount() as fs:
        put(fs, "still", STILL["still"])
    block = TIGHT.blocks - 1
    area.poke(block * 0x1000, bytes(0x1000))
    start, recorder = area.image, Recorder()
    area.chip.attach(recorder)
    area.mount()
    assert len(recorder.steps) == 3
    image = bytearray(start)
    for address, _, new in recorder.steps[:cut]:
        image[address : address + len(new)] = new
    fs = Area(TIGHT, content=bytes(image)).mount()
    assert get(fs, "still") == STILL["still"]
