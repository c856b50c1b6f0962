"""Power that goes between any two writes of a sector: what each cut leaves on the card."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fat.volumes import NOW, Checker, every_kind, faults
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
