"""What the FAT driver is timed on: cards in RAM, as FatFs is timed."""

from __future__ import annotations

import random
from typing import Any

from maixfs.fat import FatCore, OpenFlag
from maixfs.fat.mkfs import format_volume
from maixfs.sd import RamSectors
from maixfs.sd.mbr import make_mbr, plan_partitions
from works import Work

MIB = 1 << 11
"""Sectors of a MiB."""
HUGE = 128 << 10
"""MiB of the largest card that the table has."""
START = MIB
NEW = OpenFlag.WRITE | OpenFlag.CREATE_ALWAYS
PIECE = random.Random(1).randbytes(1 << 16)
MANY = "/many/A picture number {:05d}.jpg"
FOLDERS, FILES, FILE_SIZE = 50, 60, 64 * (1 << 20) // 3000


def blank(mib: int) -> RamSectors:
    """Return a card that was never written."""
    return RamSectors(mib * MIB)


def formatted(card: RamSectors, cluster_size: int | None = None) -> RamSectors:
    """Give a card one FAT32 partition, with two FATs as mkfs.fat makes them."""
    sectors = card.sectors - START
    card.write(0, make_mbr(plan_partitions(card.sectors, ["rest"])))
    format_volume(
        card, START, sectors, fat_type=32, cluster_size=cluster_size, layout="mkfs.fat", serial=1
    )
    return card


def used(card: RamSectors) -> RamSectors:
    """Give all clusters but every eighth to nobody in both FATs, so that a count meets numbers."""
    geometry = FatCore(card, START).geometry
    sector = (b"\xff\xff\xff\x0f" * 7 + bytes(4)) * 16
    for copy in range(geometry.fats):
        first = START + geometry.fat_start + copy * geometry.fat_sectors
        for at in range(1, geometry.fat_sectors, 64):
            count = min(64, geometry.fat_sectors - at)
            card.write(first + at, sector * count)
    return card


def mounted() -> FatCore:
    """Return a volume of 1 GiB with clusters of 4 KiB, empty."""
    return FatCore(formatted(blank(1024), 4096), START)


def write_big(fs: FatCore, mib: int = 256) -> FatCore:
    """Write one file in pieces of 64 KiB."""
    with fs.open("/big.bin", NEW) as file:
        for _ in range(mib * 16):
            file.write(PIECE)
    return fs


def read_big(fs: FatCore) -> None:
    """Read it in pieces of 64 KiB, into one buffer."""
    buffer = memoryview(bytearray(1 << 16))
    with fs.open("/big.bin") as file:
        while file.readinto(buffer):
            pass


def create(fs: FatCore, count: int) -> FatCore:
    """Make so many files of 1 KiB with long names in one folder."""
    fs.mkdir("/many")
    data = PIECE[:1024]
    for number in range(count):
        with fs.open(MANY.format(number), NEW) as file:
            file.write(data)
    return fs


def list_all(fs: FatCore) -> int:
    """List the folder, with what stat says of each file."""
    return sum(entry.size for entry in fs.scandir("/many"))


def read_at_random(fs: FatCore, count: int = 2000) -> None:
    """Open and read every file once, in an order without order."""
    order = list(range(count))
    random.Random(2).shuffle(order)
    for number in order:
        with fs.open(MANY.format(number)) as file:
            file.read()


def copy_tree(fs: FatCore) -> FatCore:
    """Write 3,000 files, 64 MiB together, into 50 folders."""
    data = PIECE[:FILE_SIZE]
    for folder in range(FOLDERS):
        path = f"/Folder number {folder:02d}"
        fs.mkdir(path)
        for number in range(FILES):
            with fs.open(f"{path}/Some file {number:03d}.bin", NEW) as file:
                file.write(data)
    return fs


def delete_tree(fs: FatCore) -> None:
    """Delete it."""
    for folder in range(FOLDERS):
        fs.remove_tree(f"/Folder number {folder:02d}")


def overwrite(fs: FatCore) -> None:
    """Write 4 KiB at 5,000 random places of a file of 64 MiB."""
    places, data = random.Random(3), PIECE[:4096]
    with fs.open("/big.bin", OpenFlag.READ | OpenFlag.WRITE) as file:
        for _ in range(5000):
            file.seek(places.randrange(64 * 256) * 4096)
            file.write(data)


def scan(card: RamSectors) -> None:
    """Mount a card and count its free clusters in the FAT."""
    FatCore(card, START).free_clusters(scan=True)


def ask(card: RamSectors) -> None:
    """Mount a card and ask for its free clusters."""
    FatCore(card, START).free_clusters()


def fat_works() -> list[Work]:
    """Return the lines of the table, in order."""
    return [*card_works(), *file_works()]


def card_works() -> list[Work]:
    """Return the lines about a card of 128 GiB."""
    huge: dict[str, Any] = {}

    def card() -> RamSectors:
        return huge.get("card") or huge.setdefault("card", used(formatted(blank(HUGE))))

    return [
        Work("format_128g", "format 128 GiB", 30, lambda: blank(HUGE), formatted),
        Work("mount_scan_128g", "mount 128 GiB, count the FAT", 40, card, scan),
        Work("mount_128g", "mount 128 GiB, use FSInfo", 1, card, ask),
    ]


def file_works() -> list[Work]:
    """Return the lines about files on a card of 1 GiB."""

    def many(count: int) -> Work:
        title = f"create {count:,} files of 1 KiB in one folder"
        limit = 150 if count == 2000 else 700
        return Work(f"create_{count}", title, limit, mounted, lambda fs: create(fs, count))

    kept: dict[str, FatCore] = {}

    def big() -> FatCore:
        return kept.get("big") or kept.setdefault("big", write_big(mounted()))

    def full() -> FatCore:
        return kept.get("many") or kept.setdefault("many", create(mounted(), 2000))

    def cold() -> FatCore:
        return FatCore(full().device, START)

    def sixty_four() -> FatCore:
        return kept.get("64") or kept.setdefault("64", write_big(mounted(), 64))

    return [
        Work("write_256m", "write 256 MiB in pieces of 64 KiB", 250, mounted, write_big),
        Work("read_256m", "read it", 80, big, read_big),
        many(2000),
        many(8000),
        Work("list_2000", "list 2,000 with stat", 5, full, list_all),
        Work("list_2000_cold", "the same, the first listing after a mount", 10, cold, list_all),
        Work("read_random_2000", "open and read the 2,000 at random", 60, full, read_at_random),
        Work("tree_in", "3,000 files / 64 MiB into 50 folders", 300, mounted, copy_tree),
        Work("tree_delete", "delete them", 60, lambda: copy_tree(mounted()), delete_tree),
        Work("overwrite_5000", "5,000 overwrites of 4 KiB in 64 MiB", 80, sixty_four, overwrite),
    ]
