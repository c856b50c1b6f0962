"""What the works of the benchmark ask of a card, counted: cost grows with the files touched."""

from __future__ import annotations

import random

import pytest

from maixfs.fat import FatCore, OpenFlag
from maixfs.fat.mkfs import format_volume
from maixfs.sd import SECTOR, RamSectors

MIB = 2048
NEW = OpenFlag.WRITE | OpenFlag.CREATE_ALWAYS


class Counted(RamSectors):
    """A card that counts calls and sectors."""

    reads = writes = sectors_read = 0

    def read(self, sector: int, count: int) -> bytes:
        self.reads += 1
        self.sectors_read += count
        return super().read(sector, count)

    def readinto(self, sector: int, buffer: memoryview) -> None:
        self.reads += 1
        self.sectors_read += buffer.nbytes // SECTOR
        super().readinto(sector, buffer)

    def write(self, sector: int, data: bytes | bytearray | memoryview) -> None:
        self.writes += 1
        super().write(sector, data)

    def start_again(self) -> None:
        self.reads = self.writes = self.sectors_read = 0


@pytest.fixture
def card() -> Counted:
    made = Counted(320 * MIB)
    format_volume(made, fat_type=32, cluster_size=4096, layout="mkfs.fat", serial=1)
    made.start_again()
    return made


def name(number: int) -> str:
    return f"/many/A picture number {number:05d}.jpg"


def create(fs: FatCore, first: int, count: int) -> None:
    for number in range(first, first + count):
        with fs.open(name(number), NEW) as file:
            file.write(b"x" * 1024)


def test_new_file_costs_five_writes_in_any_folder(card: Counted) -> None:
    fs = FatCore(card)
    fs.mkdir("/many")
    create(fs, 0, 100)
    card.start_again()
    create(fs, 100, 100)
    early = (card.reads, card.writes)
    create(fs, 200, 800)
    card.start_again()
    create(fs, 1000, 100)
    assert card.writes <= 100 * 5 + 30  # data, two FATs, folder, FSInfo; names across sectors
    assert card.reads <= 10
    assert abs(card.writes - early[1]) < 30


def test_open_reads_a_folder_once(card: Counted) -> None:
    with FatCore(card) as fs:
        fs.mkdir("/many")
        create(fs, 0, 600)
    card.start_again()
    fs = FatCore(card)
    order = list(range(600))
    random.Random(1).shuffle(order)
    for number in order:
        assert fs.read_bytes(name(number)) == b"x" * 1024
    folder = 600 * 4 * 32 // SECTOR
    assert card.sectors_read < 600 * 2 + 2 * folder + 100
    card.start_again()
    assert sum(entry.size for entry in fs.scandir("/many")) == 600 * 1024
    assert [entry.size for _, entry in fs.walk("/many")].count(1024) == 600
    assert card.reads == card.writes == 0


def test_seek_back_reads_no_fat_sector(card: Counted) -> None:
    fs = FatCore(card)
    with fs.open("/a", NEW) as one, fs.open("/b", NEW) as other:
        for _ in range(300):
            one.write(b"1" * 4096)
            other.write(b"2" * 4096)
    places = random.Random(2)
    with fs.open("/a", OpenFlag.READ | OpenFlag.WRITE) as file:
        file.seek(file.size)
        file.seek(0)
        card.start_again()
        for _ in range(500):
            file.seek(places.randrange(300) * 4096)
            file.write(b"3" * 4096)
        assert (card.reads, card.writes) == (0, 500)


def test_large_file_is_transferred_in_large_pieces(card: Counted) -> None:
    fs = FatCore(card)
    with fs.open("/big", NEW) as file:
        for _ in range(64):
            file.write(bytes(1 << 16))
    assert card.writes < 64 + 40
    card.start_again()
    with fs.open("/big") as file:
        buffer = memoryview(bytearray(1 << 16))
        while file.readinto(buffer):
            pass
    assert card.reads <= 64 + 5
