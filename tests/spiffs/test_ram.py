"""The driver's state in RAM is always the one that a fresh scan of the flash gives."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from maixfs.spiffs import SpiffsCore, SpiffsError
from spiffs.areas import APPEND, CREAT, NEW, RW, Area, pattern, put, ram_of
from spiffs.geometries import IDF

NAMES = ["a", "b", "c", "d", "/long/name"]


class Worker:
    """Runs random operations; errors of SPIFFS are allowed."""

    def __init__(self, area: Area, seed: int, *, faithful: bool) -> None:
        self.area = area
        self.random = random.Random(seed)
        self.faithful = faithful
        self.fs = self.mount()
        self.actions: list[Callable[[str], None]] = [
            self.replace,
            self.append,
            self.overwrite,
            self.cut,
            self.remove,
            lambda name: self.fs.rename(name, self.random.choice(NAMES)),
            self.create,
            lambda name: self.fs.gc(self.length()),
            lambda name: self.fs.gc_quick(3),
            self.remount,
        ]

    def mount(self) -> SpiffsCore:
        return self.area.mount(faithful=self.faithful, max_files=3, cache_pages=4)

    def step(self) -> None:
        weights = [5, 4, 4, 2, 3, 2, 1, 1, 1, 1]
        (action,) = self.random.choices(self.actions, weights)
        try:
            action(self.random.choice(NAMES))
        except SpiffsError:
            return

    def length(self) -> int:
        d = self.area.geometry.data_size
        most = self.random.choice([20, d, 3 * d, 3 * d, self.area.geometry.size // 5])
        return self.random.randint(1, most)

    def replace(self, name: str) -> None:
        put(self.fs, name, pattern(self.length(), self.random.randint(0, 99)))

    def append(self, name: str) -> None:
        with self.fs.open_descriptor(name, RW | CREAT | APPEND) as file:
            for _ in range(self.random.randint(1, 4)):
                file.write(pattern(self.length()))

    def overwrite(self, name: str) -> None:
        with self.fs.open_descriptor(name, RW) as file:
            file.seek(self.random.randint(0, file.size))
            file.write(pattern(self.length()))

    def cut(self, name: str) -> None:
        with self.fs.open_descriptor(name, RW) as file:
            file.truncate(self.random.randint(0, file.size), exact=self.random.random() < 0.5)

    def remove(self, name: str) -> None:
        self.fs.remove(name)

    def create(self, name: str) -> None:
        self.fs.create(name)

    def remount(self, name: str) -> None:
        file = self.fs.open_descriptor(name, NEW)
        file.write(pattern(self.length()))
        self.fs.unmount()
        self.fs = self.mount()


def check_room(fs: SpiffsCore) -> None:
    room = fs.statvfs()
    assert room.allocated + room.deleted + room.free == room.pages
    assert min(room[2:5]) >= 0


@pytest.mark.parametrize("faithful", [True, False], ids=["faithful", "careful"])
def test_ram_and_flash_agree(area: Area, faithful: bool) -> None:
    worker = Worker(area, area.geometry.size, faithful=faithful)
    for _ in range(6):
        for _ in range(12):
            worker.step()
        check_room(worker.fs)
        assert ram_of(worker.fs) == ram_of(area.mount(read_only=True))


def test_ram_and_flash_agree_with_more_ids_than_bits() -> None:
    """Ids are counted in buckets there, and these counts must be right too."""
    area = Area(IDF.with_size(0x170000))
    worker = Worker(area, 3, faithful=True)
    for number in range(300):
        worker.fs.create(f"{number}")
    for number in range(0, 300, 3):
        worker.fs.remove(f"{number}")
    for _ in range(60):
        worker.step()
    fresh = area.mount(read_only=True)
    assert ram_of(worker.fs) == ram_of(fresh)
    assert worker.fs._volume.ids._buckets == fresh._volume.ids._buckets
    assert worker.fs._volume.ids.choose() == fresh._volume.ids.choose()
    assert len({entry.object_id for entry in fresh.scandir()}) == len(fresh.listdir())
