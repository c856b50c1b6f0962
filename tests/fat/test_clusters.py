"""The FAT: its entries, which cluster is taken next, what FSInfo says."""

from __future__ import annotations

import random
import struct

import pytest

from fat.volumes import every_kind, faults, mount, new_card
from maixfs.fat import FatCore, FatError, FResult, OpenFlag
from maixfs.fat.geometry import FatGeometry, read_geometry
from maixfs.fat.sectors import VolumeSectors
from maixfs.fat.table import Table, open_table
from maixfs.sd import SECTOR, RamSectors

WRITE, EMPTY = OpenFlag.WRITE, OpenFlag.CREATE_ALWAYS


class PlainTable:
    """Entries in a list, for comparison."""

    def __init__(self, table: Table, seed: int) -> None:
        self.table = table
        self.count = table.count
        luck = random.Random(seed)
        self.entries = [1, 1]
        cluster = 2
        while cluster < table.count:
            length = luck.choice((1, 2, 3, 8, 9, 100, 2000))
            kind = luck.choice(["free", "chain"])
            for at in range(cluster, min(cluster + length, table.count)):
                link = at + 1 if kind == "chain" else 0
                self.entries.append(link)
                table.put(at, link)
            cluster += length
        self.luck = luck

    def check(self) -> None:
        for _ in range(300):
            at, most = self.luck.randrange(2, self.count), self.luck.choice((1, 5, 50, 5000))
            end = min(at + most, self.count)
            free = next((n for n in range(at, end) if not self.entries[n]), 0)
            assert self.table.find_free(at, end) == free
            used = next((n for n in range(at, end) if self.entries[n]), end)
            assert self.table.free_run(at, most) == used - at
            run = 1
            while run < end - at and self.entries[at + run - 1] == at + run:
                run += 1
            assert self.table.run_from(at, most) == run


def table_of(card: RamSectors) -> tuple[Table, FatGeometry]:
    geometry = read_geometry(card.read(0, 1))
    return open_table(VolumeSectors(card, 0), geometry), geometry


@every_kind
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("nibble", [0x00, 0xA0])
def test_run_lengths_match_the_entries(
    kind: str, seed: int, nibble: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = new_card(kind)
    table, geometry = table_of(card)
    if kind == "fat32" and nibble:
        raw = bytearray(card.read(geometry.fat_start, geometry.fat_sectors))
        raw[3::64] = bytes(byte | nibble for byte in raw[3::64])
        card.write(geometry.fat_start, raw)
    plain = PlainTable(table, seed)
    plain.check()
    assert table.count_free() == plain.entries.count(0)
    monkeypatch.setattr("maixfs.fat.table._FEW", 0)
    assert table.count_free() == plain.entries.count(0)
    table.flush()
    assert not table.dirty
    again = table_of(card)[0]
    assert [again.get(n) for n in range(2, again.count)] == plain.entries[2:]
    length = geometry.fat_sectors
    first = card.read(geometry.fat_start, length)
    for copy in range(1, geometry.fats):
        assert card.read(geometry.fat_start + copy * length, length)[:SECTOR] == first[:SECTOR]
    if kind == "fat32":
        assert all(byte & 0xF0 == nibble for byte in first[67::64][:100])


@every_kind
def test_link_run_links_every_cluster(kind: str) -> None:
    card = new_card(kind)
    table = table_of(card)[0]
    table.link_run(5, 700)
    assert [table.get(n) for n in range(5, 704)] == list(range(6, 705))
    assert table.get(704) >= table.count
    assert table.get(4) == table.get(705) == 0
    table.forget()
    assert not table.dirty


def chain_of(fat: FatCore, path: str) -> list[int]:
    table, cluster, chain = fat._volume.table, fat.stat(path).cluster, list[int]()
    while cluster and cluster < table.count:
        chain.append(cluster)
        cluster = table.get(cluster)
    return chain


@every_kind
def test_chain_grows_into_the_next_cluster(kind: str) -> None:
    fat = mount(new_card(kind))
    each = fat.geometry.cluster_size
    for name, count in (("a", 3), ("b", 2), ("c", 4)):
        fat.write_bytes(name, bytes(each * count))
    base = chain_of(fat, "a")[0]
    assert [c - base for c in chain_of(fat, "c")] == [5, 6, 7, 8]
    fat.remove("b")
    fat.write_bytes("d", bytes(each * 2))  # removing does not move the search back
    assert [c - base for c in chain_of(fat, "d")] == [9, 10]
    with fat.open("a", WRITE | OpenFlag.APPEND) as file:
        file.write(bytes(each * 3))  # its own next cluster first, and then after the last taken
    assert [c - base for c in chain_of(fat, "a")] == [0, 1, 2, 3, 4, 11]
    fat.write_bytes("c", bytes(each * 5))  # emptied first: its hole is taken again
    assert [c - base for c in chain_of(fat, "c")] == [5, 6, 7, 8, 12]


@every_kind
def test_search_for_a_free_cluster_wraps_around(kind: str) -> None:
    card = new_card(kind)
    fat = mount(card)
    each = fat.geometry.cluster_size
    fat.write_bytes("first", bytes(each * 10))
    fat.write_bytes("rest", bytes(each * (fat.free_clusters() - 1)))
    fat.remove("first")
    fat.write_bytes("new", bytes(each * 5))
    chain = chain_of(fat, "new")
    last = fat.geometry.n_fatent - 1
    assert chain[0] == last
    assert chain[1:] == list(range(chain[1], chain[1] + 4))
    assert fat.free_clusters() == fat.free_clusters(scan=True) == 6
    fat.close()
    assert faults(card) == []


def noted(card: RamSectors) -> tuple[int, int]:
    free, last = struct.unpack("<488xII16x", card.read(1, 1))
    return free, last


def test_wrong_fsinfo_count_is_used_until_a_scan() -> None:
    card = new_card("fat32")
    raw = bytearray(card.read(1, 1))
    raw[488:492] = (5).to_bytes(4, "little")
    card.write(1, raw)
    fat = mount(card)
    right = fat.geometry.clusters - 1
    assert fat.info().free == fat.free_clusters() == 5
    with fat.open("/f", WRITE | EMPTY) as file:
        assert file.write(bytes(10 * 512)) == 5 * 512
    assert fat.info().free == 0
    assert fat.free_clusters(scan=True) == right - 5
    assert fat.info().used == 6
    fat.write_bytes("/g", bytes(600))
    assert noted(card)[0] == right - 7
    assert faults(card) == []


def test_impossible_fsinfo_count_is_ignored() -> None:
    card = new_card("fat32")
    raw = bytearray(card.read(1, 1))
    raw[488:496] = b"\xff" * 8
    card.write(1, raw)
    fat = mount(card)
    assert fat.info().free is None
    assert fat.info().used is None
    assert fat.free_clusters() == fat.geometry.clusters - 1
    fat.close()
    assert noted(card) == (0xFFFFFFFF, 0xFFFFFFFF)  # a count alone is no reason to write
    fat = mount(card)
    fat.free_clusters()
    fat.sync()
    assert noted(card)[0] == fat.geometry.clusters - 1


def test_fsinfo_without_signatures_is_rewritten() -> None:
    card = new_card("fat32")
    card.write(1, bytes(SECTOR))
    fat = mount(card)
    assert fat.info().free is None
    fat.free_clusters()
    fat.write_bytes("/f", b"x")
    assert faults(card) == []
    assert card.read(1, 1)[:4] == b"RRaA"


def test_fsinfo_in_another_sector_is_not_written() -> None:
    card = new_card("fat32")
    boot = bytearray(card.read(0, 1))
    boot[48:50] = (2).to_bytes(2, "little")
    card.write(0, boot)
    before = card.read(1, 6)
    fat = mount(card)
    fat.write_bytes("/f", bytes(5000))
    fat.close()
    assert card.read(1, 6) == before


@pytest.mark.parametrize("first", [0, 1, 0x0FFFFFF0, 69999])
def test_invalid_root_cluster_is_int_err(first: int) -> None:
    card = new_card("fat32")
    boot = bytearray(card.read(0, 1))
    boot[44:48] = first.to_bytes(4, "little")
    card.write(0, boot)
    fat = mount(card)
    for call in (lambda: list(fat.scandir()), lambda: fat.open("/f"), lambda: fat.mkdir("/d")):
        with pytest.raises(FatError) as caught:
            call()
        assert caught.value.result is FResult.INT_ERR


@every_kind
def test_card_that_ends_early_is_disk_err(kind: str) -> None:
    card = new_card(kind)
    with mount(card) as fat:
        fat.write_bytes("/f", b"x" * 5000)
    short = RamSectors(fat.geometry.data_start, card.read(0, fat.geometry.data_start))
    with pytest.raises(FatError) as caught:
        mount(short).read_bytes("/f")
    assert caught.value.result is FResult.DISK_ERR


def test_mount_refuses_other_sectors() -> None:
    for card, start, result in (
        (RamSectors(100), 0, FResult.NO_FILESYSTEM),
        (RamSectors(100), 100, FResult.DISK_ERR),
    ):
        with pytest.raises(FatError) as caught:
            FatCore(card, start)
        assert caught.value.result is result


def test_count_free_leaves_fsinfo_unchanged() -> None:
    card = new_card("fat32")
    info = card.read(1, 1)
    card.write(1, info[:488] + (77).to_bytes(4, "little") + info[492:])
    with mount(card) as fat:
        assert fat.count_free() == fat.geometry.clusters - 1
        assert fat.free_clusters() == 77
    assert int.from_bytes(card.read(1, 1)[488:492], "little") == 77
