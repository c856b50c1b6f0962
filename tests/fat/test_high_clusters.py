"""First clusters of 65,536 and above: an entry holds them in two halves."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest

from fat.volumes import NOW, faults, new_card
from maixfs.fat import FatCore, FatEntry, FatError, FResult, OpenFlag
from maixfs.fat.ondisk import CLUSTER_HIGH, ENTRY_SIZE, FSI_COUNTS, DirEntry
from maixfs.sd import SECTOR, RamSectors

READ, WRITE, EMPTY = OpenFlag.READ, OpenFlag.WRITE, OpenFlag.CREATE_ALWAYS
FIRST = 0x10005
"""The cluster that is taken first."""


@pytest.fixture
def card() -> RamSectors:
    """Return an empty FAT32 volume whose search for a free cluster begins above 65,535."""
    card = new_card("fat32")
    info = bytearray(card.read(1, 1))
    free, _ = FSI_COUNTS.unpack(info)
    FSI_COUNTS.pack_into(info, 0, free, FIRST - 1)
    card.write(1, info)
    return card


@pytest.fixture(params=[False, True], ids=["safe", "faithful"])
def fat(card: RamSectors, request: pytest.FixtureRequest) -> Iterator[FatCore]:
    """Return a mount; the card must be without faults when the test is over."""
    core = FatCore(card, faithful=request.param, clock=lambda: NOW)
    yield core
    core.close()
    assert faults(card) == []


def remount(fat: FatCore) -> FatCore:
    """Return a second, reading mount of what is on the card."""
    fat.sync()
    return FatCore(fat.device, read_only=True)


def raw_entry(fat: FatCore, entry: FatEntry) -> DirEntry:
    """Return the short entry of a file as it lies in the first cluster of its folder."""
    geometry = fat.geometry
    folder = entry.folder or geometry.root_cluster
    sector = geometry.data_start + (folder - 2) * geometry.sectors_per_cluster
    return DirEntry.unpack(fat.device.read(sector, 1), entry.slot * ENTRY_SIZE)


def test_file_is_read_back_from_high_clusters(fat: FatCore) -> None:
    fat.write_bytes("/f", b"abc" * 1000)
    entry = fat.stat("/f")
    assert entry.cluster == FIRST
    raw = raw_entry(fat, entry)
    assert (raw.DIR_FstClusHI, raw.DIR_FstClusLO) == (1, 5)
    other = remount(fat)
    assert other.stat("/f").cluster == FIRST
    assert other.read_bytes("/f") == b"abc" * 1000
    sector = fat.geometry.data_start + (FIRST - 2) * fat.geometry.sectors_per_cluster
    assert fat.device.read(sector, 1) == (b"abc" * 1000)[:SECTOR]


def test_file_grows_and_shrinks_in_high_clusters(fat: FatCore) -> None:
    fat.write_bytes("/f", b"1" * 700)
    with fat.open("/f", WRITE | OpenFlag.APPEND) as file:
        file.write(b"2" * 1000)
    assert remount(fat).read_bytes("/f") == b"1" * 700 + b"2" * 1000
    with fat.open("/f", WRITE) as file:
        file.seek(600)
        file.truncate()
    assert remount(fat).read_bytes("/f") == b"1" * 600
    with fat.open("/f", WRITE) as file:
        file.truncate()
    entry = remount(fat).stat("/f")
    assert (entry.size, entry.cluster) == (0, 0)


def test_file_that_is_created_again_gives_its_high_clusters_back(fat: FatCore) -> None:
    free = fat.free_clusters()
    fat.write_bytes("/f", b"1" * 3000)
    fat.write_bytes("/f", b"2" * 100)
    assert remount(fat).read_bytes("/f") == b"2" * 100
    assert fat.stat("/f").cluster == FIRST
    assert fat.count_free() == free - 1
    fat.write_bytes("/f", b"")
    assert raw_entry(fat, fat.stat("/f")).DIR_FstClusHI == 0
    assert fat.count_free() == free


def test_file_in_high_clusters_is_removed(fat: FatCore) -> None:
    free = fat.free_clusters()
    fat.write_bytes("/f", b"1" * 3000)
    fat.remove("/f")
    assert fat.count_free() == free


def test_file_keeps_its_high_cluster_when_it_is_renamed(fat: FatCore) -> None:
    fat.write_bytes("/f", b"1" * 3000)
    fat.rename("/f", "/A new name of the file")
    assert fat.stat("/A new name of the file").cluster == FIRST
    assert remount(fat).read_bytes("/A new name of the file") == b"1" * 3000


def test_folder_in_a_high_cluster_holds_files_and_folders(fat: FatCore) -> None:
    fat.mkdir("/d")
    fat.mkdir("/d/e")
    for number in range(20):
        fat.write_bytes(f"/d/e/File number {number}", bytes((number,)) * 600)
    above = fat.stat("/d")
    assert above.cluster == FIRST
    assert fat.stat("/d/e").folder == FIRST
    other = remount(fat)
    assert other.stat("/d/e/..").cluster == FIRST
    assert other.stat("/d/e/.").cluster == fat.stat("/d/e").cluster > 0xFFFF
    assert other.read_bytes("/d/e/File number 19") == b"\x13" * 600
    assert len(list(other.scandir("/d/e"))) == 20
    other.chdir("/d/e")
    assert other.getcwd() == b"/d/e"
    assert other.read_bytes("../e/File number 0") == b"\0" * 600


def test_folder_that_moves_points_to_the_high_folder_above(fat: FatCore) -> None:
    fat.mkdir("/d")
    fat.mkdir("/e")
    fat.write_bytes("/e/inside", b"i" * 600)
    fat.rename("/e", "/d/e")
    other = remount(fat)
    assert other.stat("/d/e/..").cluster == fat.stat("/d").cluster == FIRST
    assert other.read_bytes("/d/e/inside") == b"i" * 600
    fat.rename("/d/e", "/e")
    assert remount(fat).stat("/e/..").cluster == 0
    assert remount(fat).read_bytes("/e/inside") == b"i" * 600


def test_folder_in_a_high_cluster_is_removed_with_its_tree(fat: FatCore) -> None:
    free = fat.free_clusters()
    fat.mkdir("/d")
    fat.mkdir("/d/e")
    fat.write_bytes("/d/e/f", b"1" * 600)
    assert fat.remove_tree("/d") == 3
    assert fat.count_free() == free


def test_folder_does_not_move_below_itself(fat: FatCore) -> None:
    fat.mkdir("/d")
    fat.mkdir("/d/e")
    with pytest.raises(FatError) as caught:
        fat.rename("/d", "/d/e/d")
    assert caught.value.result is FResult.INVALID_PARAMETER
    assert fat.exists("/d/e")


def test_entries_in_high_folders_work_by_slot(fat: FatCore) -> None:
    fat.mkdir("/d")
    fat.write_bytes("/d/f", b"1" * 600)
    entry = fat.stat("/d/f")
    with fat.open_entry(entry.folder, entry.slot) as file:
        assert file.read() == b"1" * 600
    fat.rename_entry(entry.folder, entry.slot, "/g")
    assert fat.read_bytes("/g") == b"1" * 600
    entry = fat.stat("/g")
    fat.remove_entry(entry.folder, entry.slot)
    assert [found.name for _, found in fat.walk()] == ["d"]


@pytest.mark.parametrize("kind", ["fat12", "fat16"])
@pytest.mark.parametrize("faithful", [False, True])
def test_upper_half_means_nothing_without_fat32(kind: str, *, faithful: bool) -> None:
    card = new_card(kind)
    with FatCore(card, faithful=faithful, clock=lambda: NOW) as fat:
        fat.write_bytes("/f", b"1" * 700)
        root, slot = fat.geometry.root_start, fat.stat("/f").slot
    sector = bytearray(card.read(root, 1))
    CLUSTER_HIGH.pack_into(sector, slot * ENTRY_SIZE, 0x1234)
    card.write(root, sector)
    with FatCore(card, faithful=faithful, clock=lambda: NOW) as fat:
        assert fat.stat("/f").cluster < 0x10000
        assert fat.read_bytes("/f") == b"1" * 700
        with fat.open("/f", WRITE | OpenFlag.APPEND) as file:
            file.write(b"2" * 700)
        assert fat.read_bytes("/f") == b"1" * 700 + b"2" * 700
        fat.write_bytes("/f", b"3")
    (high,) = struct.unpack_from("<H", card.read(root, 1), slot * ENTRY_SIZE + CLUSTER_HIGH.offset)
    assert high == 0x1234
    assert faults(card) == []
