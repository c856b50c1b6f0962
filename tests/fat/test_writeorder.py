"""``faithful=True`` writes the sectors that FatFs writes, call by call and in its order."""

from __future__ import annotations

import gzip
import json
import zlib
from functools import lru_cache
from pathlib import Path

import pytest

from fat.volumes import Recorder, faults, load_extents, new_card
from golden.corpus import case_folders, source_bytes, stored_name
from maixfs.fat import FatCore, FatError, FatFile, FResult, OpenFlag
from maixfs.sd import SECTOR, RamSectors

READ, WRITE, EMPTY = OpenFlag.READ, OpenFlag.WRITE, OpenFlag.CREATE_ALWAYS
MODES = {
    "r": READ,
    "r+": READ | WRITE,
    "w": WRITE | EMPTY,
    "w+": READ | WRITE | EMPTY,
    "x": WRITE | OpenFlag.CREATE_NEW,
    "a": WRITE | OpenFlag.OPEN_ALWAYS,
    "a+": READ | WRITE | OpenFlag.OPEN_ALWAYS,
}
CLOCK = (46 << 9 | 5 << 5 | 6, 7 << 11 | 8 << 5 | 5)
SETS = case_folders("fatwrites")
every_set = pytest.mark.parametrize("folder", SETS, ids=[folder.name for folder in SETS])
Call = tuple[int, int] | str
"""Sector and number of sectors of a write, or ``sync``."""


class Player:
    """Runs the lines of a script."""

    def __init__(self, fat: FatCore) -> None:
        self.fat = fat
        self.slots: dict[str, FatFile] = {}

    def open(self, slot: str, name: str, mode: str) -> None:
        file = self.slots[slot] = self.fat.open(stored_name(name), MODES[mode])
        if mode[0] == "a":
            file.seek(file.size)

    def write(self, slot: str, source: str, chunk: str = "0") -> None:
        data = source_bytes(source)
        step = int(chunk) or max(1, len(data))
        for at in range(0, len(data), step):
            self.slots[slot].write(data[at : at + step])

    def close(self, slot: str) -> None:
        self.slots.pop(slot).close()

    def play(self, line: str) -> None:
        word, *rest = line.split()
        match word:
            case "put" | "append":
                self.open("", rest[0], "w" if word == "put" else "a")
                self.write("", *rest[1:])
                self.close("")
            case "pwrite":
                self.open("", rest[0], "r+")
                self.slots[""].seek(int(rest[1]))
                self.write("", *rest[2:])
                self.close("")
            case "mkdir":
                self.fat.mkdir(stored_name(rest[0]))
            case "rm":
                self.fat.remove(stored_name(rest[0]))
            case "rename":
                self.fat.rename(stored_name(rest[0]), stored_name(rest[1]))
            case "open":
                self.open(*rest)
            case "write":
                self.write(*rest)
            case "seek":
                self.slots[rest[0]].seek(int(rest[1]))
            case "sync":
                self.slots[rest[0]].sync()
            case "close":
                self.close(rest[0])
            case "umount":
                self.fat.abandon()
            case _:
                raise ValueError(line)


@lru_cache(maxsize=8)
def expected(folder: Path) -> list[list[list[object]]]:
    """Return FatFs's calls for each line of a script."""
    lines = (folder / "script.txt").read_text().splitlines()
    calls: list[list[list[object]]] = [[] for _ in lines]
    with gzip.open(folder / "writes.jsonl.gz", "rt") as source:
        for text in source:
            operation, *call = json.loads(text)
            calls[operation].append(call)
    return calls


def start_of(folder: Path) -> int:
    start: int = json.loads((folder / "manifest.json").read_bytes())["card"]["partition_start"]
    return start


@every_set
def test_faithful_makes_the_calls_of_fatfs(folder: Path) -> None:
    device = Recorder(load_extents(folder / "initial.ext.gz"))
    fat = FatCore(device, start_of(folder), faithful=True, clock=lambda: CLOCK)
    data = fat.start + fat.geometry.data_start
    player = Player(fat)
    lines = (folder / "script.txt").read_text().splitlines()
    for line, calls in zip(lines, expected(folder), strict=True):
        device.calls.clear()
        player.play(line)
        made = [call if call == "sync" else call[:2] for call in device.calls]
        assert made == [call[0] if call == ["sync"] else tuple(call[:2]) for call in calls], line
        for call, known in zip(device.calls, calls, strict=True):
            if call == "sync":
                continue
            sector, count, content = call
            for number in range(count):
                raw = content[number * SECTOR : (number + 1) * SECTOR]
                if zlib.crc32(raw) != int(known[2][number], 16):  # type: ignore[index]
                    # FatFs's window has other bytes behind the end of a file, this driver zeros.
                    assert sector >= data, line
                    assert raw[-1] == 0, line


@every_set
def test_both_orders_leave_the_same_card(folder: Path) -> None:
    cards = []
    for faithful in (False, True):
        card = load_extents(folder / "initial.ext.gz")
        fat = FatCore(card, start_of(folder), faithful=faithful, clock=lambda: CLOCK)
        player = Player(fat)
        for line in (folder / "script.txt").read_text().splitlines():
            if line != "umount":
                player.play(line)
        fat.close()
        cards.append(card)
    assert [cards[0].read(at, 64) for at in range(0, cards[0].sectors - 64, 64)] == [
        cards[1].read(at, 64) for at in range(0, cards[1].sectors - 64, 64)
    ]


@pytest.fixture(params=["fat12", "fat16", "fat32"])
def device(request: pytest.FixtureRequest) -> Recorder:
    return Recorder(new_card(request.param))


def faithful(device: Recorder) -> FatCore:
    return FatCore(device, faithful=True, clock=lambda: CLOCK)


def places(device: Recorder) -> list[Call]:
    """Return sector and count of the calls since the last time."""
    made: list[Call] = [call if call == "sync" else call[:2] for call in device.calls]
    device.calls.clear()
    return made


def test_new_entry_waits_in_the_window_until_data_is_written(device: Recorder) -> None:
    fat = faithful(device)
    root = fat.geometry.root_start
    with fat.open("/a", WRITE | EMPTY) as file:
        assert places(device) == []
        file.write(b"x" * SECTOR)
        # The entry goes out for the FAT; the data goes past the window, in which the FAT waits.
        assert places(device) == [(root, 1), (fat.geometry.data_start + first(fat), 1)]
        assert not file.closed
    wrote = places(device)
    table = fat.geometry.fat_start
    assert wrote[0] == (table, 1)
    assert wrote[-1] == "sync"
    assert (root, 1) in wrote


def first(fat: FatCore) -> int:
    """Return the sector, from the start of the data, of the first cluster that is free."""
    return fat.geometry.sectors_per_cluster if fat.geometry.fat_type == 32 else 0


def test_another_look_at_the_waiting_sector_writes_nothing(device: Recorder) -> None:
    fat = faithful(device)
    fat.open("/a", WRITE | EMPTY)
    assert fat.exists("/a")
    assert not fat.exists("/b")
    assert [entry.name for entry in fat.scandir()] == ["a"]
    fat.open("/c", WRITE | EMPTY)
    assert places(device) == []
    fat.abandon()


def test_lookup_in_another_folder_writes_the_pending_sector(device: Recorder) -> None:
    fat = faithful(device)
    fat.mkdir("/d")
    places(device)
    fat.open("/a", WRITE | EMPTY)
    assert fat.stat("/d").is_dir
    assert places(device) == []
    list(fat.scandir("/d"))
    assert places(device) == [(fat.geometry.root_start, 1)]
    fat.abandon()


def test_counting_free_clusters_writes_the_pending_sector(device: Recorder) -> None:
    fat = faithful(device)
    fat.open("/a", WRITE | EMPTY)
    fat.free_clusters(scan=True)
    assert places(device) == [(fat.geometry.root_start, 1)]
    fat.abandon()


def test_held_has_no_effect_in_fatfs_order(device: Recorder) -> None:
    fat = faithful(device)
    with fat.held():
        fat.mkdir("/d")
        assert places(device)[-1] == "sync"


def test_a_folder_that_grows_is_linked_before_it_is_cleared(device: Recorder) -> None:
    fat = faithful(device)
    fat.mkdir("/d")
    each = fat.geometry.cluster_size // 32
    for number in range(each - 2):
        fat.open(f"/d/{number}", WRITE | EMPTY).close()
    places(device)
    fat.open("/d/last", WRITE | EMPTY).close()
    wrote = [call for call in places(device) if call != "sync"]
    table, folder = fat.geometry.fat_start, fat.stat("/d").cluster
    old = fat.geometry.data_start + (folder - 2) * fat.geometry.sectors_per_cluster
    beyond = old + fat.geometry.sectors_per_cluster
    cleared = [at for at, call in enumerate(wrote) if int(call[0]) >= beyond]
    links = [at for at, call in enumerate(wrote) if call[0] == table]
    assert links[0] < cleared[0]
    fat.close()
    assert faults(device.card) == []


@pytest.mark.parametrize("after", range(12))
def test_failed_writes_are_made_up_for(device: Recorder, after: int) -> None:
    fat = faithful(device)
    fat.write_bytes("/kept", b"k" * 3000)
    device.refuse_after = after
    try:
        fat.mkdir("/d")
        fat.write_bytes("/d/A file with a long name", b"x" * 5000)
        fat.rename("/kept", "/d/kept under another name")
    except FatError as error:
        assert error.result is FResult.DISK_ERR
    device.refuse_after = None
    fat.close()
    again = FatCore(device.card)
    kept = [name for name, _ in again.walk() if "kept" in name]
    assert kept
    assert all(again.read_bytes(name) == b"k" * 3000 for name in kept)


def test_seek_that_grows_takes_clusters_one_by_one(device: Recorder) -> None:
    fat = faithful(device)
    with fat.open("/a", READ | WRITE | EMPTY) as file:
        assert file.seek(100_000) == 100_000
        file.write(b"end")
        file.seek(5)
        file.seek(99_999)
        assert file.size == 100_003
    with fat.open("/a") as file:
        assert file.seek(100_000) == 100_000
        assert file.read() == b"end"
    fat.close()
    assert faults(device.card) == []


def test_write_to_a_full_volume_is_short(device: Recorder) -> None:
    with faithful(device) as fat:
        room = fat.free_clusters() * fat.geometry.cluster_size
        with fat.open("/big", WRITE | EMPTY) as file:
            written = file.write(bytes(room + 5000))
            assert written == room
            assert file.write(b"x") == 0
            assert file.seek(room + 9999) == room
        with fat.open("/none", WRITE | EMPTY) as file:
            assert file.seek(1000) == 0
            assert file.write(b"x" * 700) == 0
    assert faults(device.card) == []


def test_read_returns_the_pending_sector(device: Recorder) -> None:
    fat = faithful(device)
    with fat.open("/a", READ | WRITE | EMPTY) as file:
        file.write(b"0123456789" * 300)
        file.seek(1000)
        file.write(b"abc")
        file.seek(0)
        content = bytearray(3000)
        assert file.readinto(content) == 3000
        assert content == (b"0123456789" * 300)[:1000] + b"abc" + (b"0123456789" * 300)[1003:]
        file.seek(1001)
        assert file.read(3) == b"bc3"
        file.seek(700)
        file.truncate()
    assert fat.read_bytes("/a") == (b"0123456789" * 70)
    fat.close()
    assert faults(device.card) == []


@pytest.mark.parametrize(
    ("at", "length", "looks"),
    [
        (512, 1024, False),
        (512, 1536, False),
        (1024, 1536, True),
        (1536, 2560, True),
        (2048, 512, True),
        (2048, 2048, True),
        (2560, 1536, False),
        (0, 2048, False),
        (0, 2049, True),
        (100, 8, True),
        (512, 1025, True),
    ],
)
@pytest.mark.parametrize("into", [False, True], ids=["read", "readinto"])
def test_read_writes_the_pending_sector_when_it_looks_at_another(
    at: int, length: int, looks: bool, into: bool
) -> None:
    """A read looks at sectors of which it takes a part, and at the FAT between two clusters."""
    device = Recorder(new_card("fat16"))
    fat = faithful(device)
    size = fat.geometry.cluster_size
    assert size == 2048
    fat.write_bytes("/data", bytes(3 * size))
    with fat.open("/data") as file:
        file.seek(at)
        fat.open("/a", WRITE | EMPTY)
        places(device)
        assert (file.readinto(bytearray(length)) if into else len(file.read(length))) == length
        assert places(device) == ([(fat.geometry.root_start, 1)] if looks else [])
    fat.abandon()


def test_getcwd_and_label_work_in_this_order(device: Recorder) -> None:
    with faithful(device) as fat:
        fat.mkdir("/d")
        fat.mkdir("/d/e")
        fat.chdir("/d/e")
        fat.open("open", WRITE | EMPTY)
        assert fat.getcwd() == b"/d/e"
        fat.set_label("NAME")
        assert fat.label == "NAME"
    assert faults(device.card) == []


def test_ram_card_equals_the_recorded_writes() -> None:
    device = Recorder(new_card("fat16"))
    before = RamSectors(device.sectors)
    before.poke(0, device.card.read(0, device.sectors))
    with faithful(device) as fat:
        fat.write_bytes("/a", b"x" * 5000)
    for call in device.calls:
        if call != "sync":
            before.write(call[0], call[2])
    assert before.read(0, before.sectors) == device.card.read(0, device.sectors)
