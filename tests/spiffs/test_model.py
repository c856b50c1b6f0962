"""Any sequence of operations gives the same results as a dictionary of bytes."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from maixfs.errors import FullError, NotFoundError
from maixfs.spiffs import Geometry
from spiffs.areas import APPEND, CREAT, NEW, RW, Area, R, contents, get, pattern, put, ram_of

GEOMETRIES = {
    "smallest": Geometry(0x4000, 0x1000, 256),
    "several index pages": Geometry(0x10000, 0x1000, 128, name_length=64),
    "large pages": Geometry(0x20000, 0x8000, 0x1000, name_length=128, aligned_tables=True),
    "two sectors a block": Geometry(0x10000, 0x2000, 256, meta_length=3, base=0x3000),
}
NAMES = st.sampled_from(["a", "b", "/c"])
SEEDS = st.integers(0, 0xFFFF)


class Files(RuleBasedStateMachine):
    """Files by name, compared with a dictionary; a full area loses no byte of another file."""

    geometry = GEOMETRIES["smallest"]
    nor = "ideal"

    def __init__(self) -> None:
        super().__init__()
        self.area = Area(self.geometry, self.nor)
        self.fs = self.area.mount(faithful=False)
        self.files: dict[str, bytes] = {}

    def lengths(self) -> list[int]:
        d, page = self.geometry.data_size, self.geometry.page_size
        room = (self.geometry.blocks - 2) * self.geometry.usable_pages
        return [1, 9, d - 1, d, d + 1, page, 3 * d + 5, room * d // 6, room * d // 2]

    def data(self, choice: int, seed: int) -> bytes:
        return pattern(self.lengths()[choice % len(self.lengths())] + seed % 3, seed)

    def refused(self, name: str, *, replaced: bool) -> None:
        """Take over what a write without room left: all old bytes, or part of the new."""
        old = self.files.pop(name, None)
        try:
            now = get(self.fs, name)
        except NotFoundError:
            assert old is None
            return
        assert replaced or old is None or len(now) >= len(old)
        self.files[name] = now

    @rule(name=NAMES, choice=SEEDS, seed=SEEDS)
    def replace(self, name: str, choice: int, seed: int) -> None:
        data = self.data(choice, seed)
        try:
            put(self.fs, name, data)
        except FullError:
            self.refused(name, replaced=True)
        else:
            self.files[name] = data

    @rule(name=NAMES, choice=SEEDS, seed=SEEDS, step=st.sampled_from([0, 5, 200]))
    def append(self, name: str, choice: int, seed: int, step: int) -> None:
        data = self.data(choice, seed)[: 100 * step or None]
        try:
            with self.fs.open_descriptor(name, RW | CREAT | APPEND) as file:
                for at in range(0, len(data), step or len(data)):
                    file.write(data[at : at + (step or len(data))])
        except FullError:
            self.close_all()
            self.refused(name, replaced=False)
        else:
            self.files[name] = self.files.get(name, b"") + data

    @precondition(lambda self: any(self.files.values()))
    @rule(pick=SEEDS, where=st.floats(0, 1), choice=SEEDS, seed=SEEDS)
    def overwrite(self, pick: int, where: float, choice: int, seed: int) -> None:
        name = self.pick(pick)
        old = self.files[name]
        at = int(where * len(old))
        data = self.data(choice, seed)
        try:
            with self.fs.open_descriptor(name, RW) as file:
                file.seek(at)
                file.write(data)
        except FullError:
            self.close_all()
            self.refused(name, replaced=False)
        else:
            self.files[name] = old[:at] + data + old[at + len(data) :]

    @precondition(lambda self: any(self.files.values()))
    @rule(pick=SEEDS, where=st.floats(0, 1))
    def cut(self, pick: int, where: float) -> None:
        name = self.pick(pick)
        size = int(where * len(self.files[name]))
        try:
            with self.fs.open_descriptor(name, RW) as file:
                file.truncate(size)
        except FullError:
            self.close_all()
        else:
            self.files[name] = self.files[name][:size]

    @precondition(lambda self: self.files)
    @rule(pick=SEEDS)
    def remove(self, pick: int) -> None:
        name = sorted(self.files)[pick % len(self.files)]
        self.fs.remove(name)
        del self.files[name]

    @precondition(lambda self: self.files)
    @rule(pick=SEEDS, new=NAMES)
    def rename(self, pick: int, new: str) -> None:
        name = sorted(self.files)[pick % len(self.files)]
        try:
            self.fs.rename(name, new)
        except (FullError, FileExistsError) as error:
            assert isinstance(error, FullError) or new in self.files
        else:
            self.files[new] = self.files.pop(name)

    @rule(name=NAMES)
    def create(self, name: str) -> None:
        try:
            self.fs.create(name)
        except (FullError, FileExistsError) as error:
            assert isinstance(error, FullError) or name in self.files
        else:
            self.files[name] = b""

    @rule(pages=st.integers(1, 40))
    def collect(self, pages: int) -> None:
        try:
            self.fs.gc(pages * self.geometry.data_size)
        except FullError:
            return

    @rule()
    def remount(self) -> None:
        self.fs.unmount()
        self.fs = self.area.mount(faithful=False)

    @rule()
    def lose_power(self) -> None:
        """All files are closed, so nothing is lost."""
        self.fs = self.area.mount(faithful=False)

    @invariant()
    def same_files(self) -> None:
        assert contents(self.fs) == self.files
        assert len(self.fs.listdir()) == len(self.files)

    def teardown(self) -> None:
        assert ram_of(self.fs) == ram_of(self.area.mount(read_only=True))

    def pick(self, number: int) -> str:
        names = sorted(name for name, data in self.files.items() if data)
        return names[number % len(names)]

    def close_all(self) -> None:
        """Close what a failed flush left open."""
        for slot in self.fs._volume.slots.open_slots():
            slot.open = False


class Handles(RuleBasedStateMachine):
    """Descriptors of one file: the write cache changes nothing but the time of a write."""

    @initialize()
    def start(self) -> None:
        self.area = Area(Geometry(0x20000, 0x2000, 256))
        self.fs = self.area.mount()
        self.open: list[tuple[Any, str]] = []
        self.files: dict[str, bytearray] = {}

    @precondition(lambda self: len(self.open) < 4)
    @rule(name=NAMES)
    def open_file(self, name: str) -> None:
        flags = RW if name in self.files else NEW
        file = self.fs.open_descriptor(name, flags)
        if name not in self.files:
            self.files[name] = bytearray(b"#")
            file.write_now(b"#")  # a file without a size shows nothing of its cache
        self.open.append((file, name))

    @precondition(lambda self: self.open)
    @rule(pick=SEEDS, where=st.floats(0, 1), length=st.integers(1, 700), seed=SEEDS)
    def write(self, pick: int, where: float, length: int, seed: int) -> None:
        file, name = self.open[pick % len(self.open)]
        whole = self.files[name]
        at = int(where * len(whole)) if len(whole) < 5000 else 0
        data = pattern(length, seed)
        assert file.seek(at) == at
        for start in range(0, length, 100):
            file.write(data[start : start + 100])
        whole[at : at + length] = data

    @precondition(lambda self: self.open)
    @rule(pick=SEEDS, where=st.floats(0, 1), length=st.integers(1, 900))
    def read(self, pick: int, where: float, length: int) -> None:
        file, name = self.open[pick % len(self.open)]
        at = int(where * len(self.files[name]))
        file.seek(at)
        assert file.read(length) == self.files[name][at : at + length]

    @precondition(lambda self: self.open)
    @rule(pick=SEEDS)
    def close(self, pick: int) -> None:
        file, _ = self.open.pop(pick % len(self.open))
        file.close()

    @precondition(lambda self: self.files)
    @rule(pick=SEEDS)
    def remove(self, pick: int) -> None:
        name = sorted(self.files)[pick % len(self.files)]
        self.fs.remove(name)
        del self.files[name]
        assert all(file.closed for file, owner in self.open if owner == name)
        self.open = [(file, owner) for file, owner in self.open if owner != name]

    @rule()
    def remount(self) -> None:
        self.fs.unmount()
        self.fs, self.open = self.area.mount(), []

    def teardown(self) -> None:
        for name, data in self.files.items():
            assert get(self.fs, name) == data
        self.fs.unmount()
        assert contents(self.area.mount()) == {name: bytes(d) for name, d in self.files.items()}


@pytest.mark.parametrize("nor", ["ideal", "literal"])
@pytest.mark.parametrize("shape", GEOMETRIES)
def test_file_system_behaves_like_a_dictionary(shape: str, nor: str) -> None:
    machine = type("Machine", (Files,), {"geometry": GEOMETRIES[shape], "nor": nor})
    run_state_machine_as_test(machine, settings=settings(max_examples=12, stateful_step_count=25))


def test_descriptors_of_one_file_see_the_same_content() -> None:
    run_state_machine_as_test(Handles, settings=settings(max_examples=20, stateful_step_count=30))


def test_reading_by_descriptor_and_by_name_is_the_same() -> None:
    fs = Area(GEOMETRIES["several index pages"]).mount()
    put(fs, "a", pattern(9000))
    with fs.open_descriptor("a", R) as file:
        assert file.read(4000) + file.read() == get(fs, "a")
