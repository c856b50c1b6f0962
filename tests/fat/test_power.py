"""Power that goes between any two writes of a sector: what each cut leaves on the card."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest

from fat.volumes import NOW, Checker, every_kind, faults, new_card
from maixfs.fat import FatCore, FatError, OpenFlag, format_volume
from maixfs.sd import RamSectors
from maixfs.sd.device import SECTOR, Buffer

READ, WRITE, EMPTY = OpenFlag.READ, OpenFlag.WRITE, OpenFlag.CREATE_ALWAYS
HARMLESS = ("nobody's", "FATs differ", "FSInfo says")
KINDS = {
    "fat12": (2000, {"fat_type": 12, "cluster_size": 512}),
    "fat16": (9000, {"fat_type": 16, "cluster_size": 512, "fats": 2}),
    "fat32": (70000, {"fat_type": 32, "cluster_size": 512, "fats": 2}),
}


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


def across(kind: str) -> RamSectors:
    """Return a card whose files lie on both sides of where a sector of the FAT ends."""
    sectors, wish = KINDS[kind]
    card = RamSectors(sectors)
    format_volume(card, 0, sectors, serial=1, clock=lambda: NOW, **wish)  # type: ignore[arg-type]
    each = {"fat12": 341, "fat16": 256, "fat32": 128}[kind]
    with FatCore(card, clock=lambda: NOW) as fat:
        fat.mkdir("/d")
        fat.write_bytes("/old", b"o" * SECTOR * 4)
        fat.write_bytes("/fill", b"f" * SECTOR * (each - 16))
        fat.write_bytes("/border", b"\xf0" * SECTOR * 12)
        fat.write_bytes("/d/last", b"l" * SECTOR * 3)
    return card


def rewrite(fat: FatCore) -> None:
    fat.write_bytes("/border", b"n" * SECTOR * 14)


def empty_then_folder(fat: FatCore) -> None:
    fat.open("/border", WRITE | EMPTY)
    fat.mkdir("/new")
    fat.write_bytes("/new/file", b"x" * SECTOR * 3)


def empty_then_other(fat: FatCore) -> None:
    fat.open("/border", WRITE | EMPTY)
    fat.write_bytes("/other", b"x" * SECTOR * 3)


def empty_then_names(fat: FatCore) -> None:
    """A folder grows into clusters that a file had, backwards, and over the border."""
    fat.open("/old", WRITE | EMPTY)
    for number in range(9):
        fat.write_bytes(f"/d/A long name for number {number}", b"x" * 700)
    fat.open("/border", WRITE | EMPTY)
    for number in range(20):
        fat.write_bytes(f"/d/Another long name, {number}", b"")


def written_then_emptied(fat: FatCore) -> None:
    """One file has grown in RAM when another is emptied."""
    with fat.open("/d/last", READ | WRITE | OpenFlag.APPEND) as file:
        file.write(b"y" * SECTOR * 5)
        fat.open("/border", WRITE | EMPTY)
        file.write(b"z" * SECTOR * 20)


def shorten(fat: FatCore) -> None:
    with fat.open("/fill", WRITE) as file:
        file.seek(SECTOR)
        file.truncate()
        file.sync()
        fat.write_bytes("/other", b"x" * SECTOR * 3)


def shorten_and_take(fat: FatCore) -> None:
    """What was cut off is another file's before the first is closed."""
    with fat.open("/border", WRITE) as file:
        file.truncate()
        fat.write_bytes("/other", b"x" * SECTOR * 3)
        file.write(b"y" * SECTOR)


def backwards(fat: FatCore) -> None:
    """The last file goes on where the first one was."""
    fat.remove("/old")
    fat.open("/fill", WRITE | EMPTY).close()
    with fat.open("/d/last", WRITE | OpenFlag.APPEND) as file:
        for _ in range(30):
            file.write(b"y" * SECTOR * 7)


def many(fat: FatCore) -> None:
    with fat.held():
        for number in range(12):
            fat.mkdir(f"/d/Folder {number}")
            fat.write_bytes(f"/d/Folder {number}/A file of it", b"m" * 700)
        fat.write_bytes("/border", b"n" * SECTOR * 14)
        fat.remove("/old")
        fat.write_bytes("/new", b"x" * SECTOR * 6)
        assert fat.read_bytes("/d/Folder 3/A file of it") == b"m" * 700


STEPS: dict[str, Callable[[FatCore], object]] = {
    step.__name__: step
    for step in (
        rewrite,
        empty_then_folder,
        empty_then_other,
        empty_then_names,
        written_then_emptied,
        shorten,
        shorten_and_take,
        backwards,
        many,
    )
}


def is_harmless(fault: str, step: str) -> bool:
    """Room that nobody has, or that a file has beyond its size."""
    size, is_size, room = fault.rpartition(": ")[2].partition(" bytes in ")
    if is_size:
        return step.startswith("shorten") or int(size) <= int(room)
    return any(word in fault for word in HARMLESS)


@every_kind
@pytest.mark.parametrize("step", STEPS)
def test_every_cut(kind: str, step: str) -> None:
    """No cluster has two owners, no chain leads to a free one or to what another file was."""
    card = across(kind)
    log = Log(across(kind))
    fat = FatCore(log, clock=lambda: NOW)
    STEPS[step](fat)
    fat.close()
    assert faults(log.card) == []
    for number, (sector, content) in enumerate(log.written):
        found = [fault for fault in Checker(card).check().faults if not is_harmless(fault, step)]
        assert found == [], f"power went before write {number}"
        card.write(sector, content)
    assert number


def test_what_is_held_back_is_written_once() -> None:
    def writes(fat: FatCore, log: Log) -> int:
        for number in range(50):
            fat.write_bytes(f"/d/File {number}", b"x" * 100)
        return len(log.written)

    log, held = Log(across("fat32")), Log(across("fat32"))
    usual = writes(FatCore(log, clock=lambda: NOW), log)
    fat = FatCore(held, clock=lambda: NOW)
    with fat.held(), fat.held():
        assert writes(fat, held) == 50
    assert len(held.written) < usual / 3
    fat.abandon()
    assert faults(held.card) == []
    sectors = held.card.sectors
    assert held.card.read(0, sectors) == log.card.read(0, sectors)


def test_what_is_held_back_is_written_after_an_error() -> None:
    log = Log(across("fat32"))
    fat = FatCore(log, clock=lambda: NOW)
    with pytest.raises(FatError), fat.held():
        fat.write_bytes("/d/File", b"x")
        fat.remove("/none")
    fat.abandon()
    assert faults(log.card) == []
    assert FatCore(log).read_bytes("/d/File") == b"x"


def test_a_sync_writes_what_is_held_back() -> None:
    log = Log(across("fat32"))
    fat = FatCore(log, clock=lambda: NOW)
    with fat.held():
        fat.write_bytes("/d/File", b"x")
        fat.sync()
        assert FatCore(log).read_bytes("/d/File") == b"x"
        fat.write_bytes("/d/Another", b"x")
        fat.abandon()
    assert not FatCore(log).exists("/d/Another")
    assert faults(log.card) == []


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
