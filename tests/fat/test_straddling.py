"""Entries that straddle two sectors: what a power cut after each sector leaves of them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest

from fat.volumes import NOW, every_kind, new_card
from maixfs.fat import FatCore, OpenFlag
from maixfs.sd import RamSectors
from maixfs.sd.device import SECTOR, Buffer

READ, WRITE, EMPTY = OpenFlag.READ, OpenFlag.WRITE, OpenFlag.CREATE_ALWAYS


class Log:
    """A card that notes what is written to it, sector by sector."""

    read_only = False

    def __init__(self, card: RamSectors) -> None:
        self.card = card
        self.sectors = card.sectors
        self.written: list[tuple[int, bytes]] = []

    def read(self, sector: int, count: int) -> bytes:
        return self.card.read(sector, count)

    def readinto(self, sector: int, buffer: memoryview) -> None:
        self.card.readinto(sector, buffer)

    def write(self, sector: int, data: Buffer) -> None:
        self.card.write(sector, data)
        content = bytes(data)
        for at in range(0, len(content), SECTOR):
            self.written.append((sector + at // SECTOR, content[at : at + SECTOR]))

    def sync(self) -> None:
        return


def straddling(kind: str) -> RamSectors:
    """Return a card whose folder /a ends a few slots before the end of a sector."""
    card = new_card(kind)
    with FatCore(card, clock=lambda: NOW) as fat:
        fat.mkdir("/a")
        fat.mkdir("/b")
        for number in range(12):
            fat.write_bytes(f"/a/f{number}", bytes((number,)) * 300)
        fat.mkdir("/a/folder")
        fat.write_bytes("/a/folder/inside", b"i" * 100)
    return card


def contents(card: RamSectors) -> dict[str, bytes]:
    """Return every file of a card as a driver that just mounted it reads them."""
    fat = FatCore(card, read_only=True)
    return {name: fat.read_bytes(name) for name, entry in fat.walk("/") if not entry.is_dir}


def after_each_write(
    kind: str, step: Callable[[FatCore], object]
) -> Iterator[tuple[dict[str, bytes], bool]]:
    """Yield the files after each sector that ``step`` writes, and if it was the last one."""
    card, log = straddling(kind), Log(straddling(kind))
    step(FatCore(log, clock=lambda: NOW))
    for number, (sector, content) in enumerate(log.written, 1):
        card.write(sector, content)
        yield contents(card), number == len(log.written)


RENAMES = {
    "across sectors": ("/a/f1", "/a/moved to the end.x"),
    "short to long": ("/a/f11", "/a/" + "n" * 200),
    "in one sector": ("/a/f1", "/a/g1"),
    "into another folder": ("/a/f1", "/b/moved to another folder"),
    "to the root": ("/a/f1", "/moved to the root folder"),
    "a folder": ("/a/folder", "/b/moved folder with a name"),
    "other letters": ("/a/f1", "/a/F1"),
}


@every_kind
@pytest.mark.parametrize("names", RENAMES.values(), ids=RENAMES)
def test_rename_keeps_the_file_under_one_of_its_names_at_every_cut(
    kind: str, names: tuple[str, str]
) -> None:
    old, new = names
    before = contents(straddling(kind))
    moved = [name for name in before if name == old or name.startswith(old + "/")]
    rest = {name: data for name, data in before.items() if name not in moved}
    for files, last in after_each_write(kind, lambda fat: fat.rename(old, new)):
        assert rest.items() <= files.items()
        for name in moved:
            target = new + name[len(old) :]
            places = {files.get(name), files.get(target)} - {None}
            assert places == {before[name]}
            if last:
                assert target in files
                assert name not in files or name.lower() == target.lower()


@every_kind
def test_rename_while_held_back_keeps_the_file_at_every_cut(kind: str) -> None:
    """An earlier change of the old name's sector does not let its deletion go first."""

    def step(fat: FatCore) -> None:
        with fat.held():
            fat.remove("/a/f0")
            fat.rename("/a/f1", "/a/moved to the end.x")

    for files, _ in after_each_write(kind, step):
        assert {files.get("/a/f1"), files.get("/a/moved to the end.x")} - {None} == {b"\1" * 300}


def make_long(fat: FatCore) -> None:
    fat.write_bytes("/a/" + "n" * 100, b"x" * 700)


def make_folder(fat: FatCore) -> None:
    fat.mkdir("/a/" + "n" * 100)


def cut_short(fat: FatCore) -> None:
    with fat.open("/a/f3", WRITE) as file:
        file.seek(100)
        file.truncate()


@every_kind
@pytest.mark.parametrize("step", [make_long, make_folder, cut_short])
def test_operations_over_several_sectors_spare_other_files_at_every_cut(
    kind: str, step: Callable[[FatCore], object]
) -> None:
    before = contents(straddling(kind))
    del before["/a/f3"]
    for files, _ in after_each_write(kind, step):
        assert before.items() <= files.items()
        assert files["/a/f3"] in (b"\3" * 300, b"\3" * 100)


@every_kind
def test_remove_deletes_the_short_entry_first(kind: str) -> None:
    """A file that is being removed never shows up under its short name."""

    def prepared() -> RamSectors:
        card = straddling(kind)
        with FatCore(card, clock=lambda: NOW) as fat:
            fat.write_bytes("/a/" + "n" * 200, b"x" * 700)
        return card

    log, card = Log(prepared()), prepared()
    FatCore(log, clock=lambda: NOW).remove("/a/" + "n" * 200)
    before = contents(card)
    for sector, content in log.written:
        card.write(sector, content)
        assert contents(card).keys() <= before.keys()
    assert "/a/" + "n" * 200 not in contents(card)


@every_kind
def test_random_renames_lose_no_file_at_any_cut(kind: str) -> None:
    randoms = random.Random(kind)
    card, log = straddling(kind), Log(straddling(kind))
    fat = FatCore(log, clock=lambda: NOW)
    names = {f"/a/f{number}": bytes((number,)) * 300 for number in range(12)}
    for turn in range(40):
        old = randoms.choice(sorted(names))
        folder = randoms.choice(("/a", "/b", ""))
        new = f"{folder}/{turn}{'x' * randoms.randrange(60)}"
        data = names.pop(old)
        log.written.clear()
        fat.rename(old, new)
        for sector, content in log.written:
            card.write(sector, content)
            files = contents(card)
            assert names.items() <= files.items()
            assert {files.get(old), files.get(new)} - {None} == {data}
        names[new] = data
