"""Damaged chains, folders and FSInfo, in both orders of writes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest

from fat.volumes import NOW, Recorder, faults, new_card
from maixfs.fat import FatCore, FatError, FResult, OpenFlag
from maixfs.fat.ondisk import CLUSTER_LOW, ENTRY_SIZE, EXTENT
from maixfs.sd import RamSectors, SectorError

READ, WRITE, EMPTY = OpenFlag.READ, OpenFlag.WRITE, OpenFlag.CREATE_ALWAYS
Call = Callable[[FatCore], object]
both_orders = pytest.mark.parametrize("faithful", [False, True], ids=["safe", "faithful"])


def prepared() -> RamSectors:
    """Return a FAT16 card with files of several clusters and a folder of three."""
    card = new_card("fat16")
    with FatCore(card, clock=lambda: NOW) as fat:
        fat.write_bytes("/f", b"f" * 10_000)
        fat.mkdir("/d")
        for number in range(130):
            fat.write_bytes(f"/d/{number}", b"")
        fat.mkdir("/d/e")
        fat.write_bytes("/other", b"o" * 5000)
    return card


def clusters(card: RamSectors, path: str) -> list[int]:
    """Return the chain of a file or folder."""
    fat = FatCore(card, read_only=True)
    cluster, chain = fat.stat(path).cluster, []
    table = card.read(fat.geometry.fat_start, fat.geometry.fat_sectors)
    while 2 <= cluster < fat.geometry.n_fatent:
        chain.append(cluster)
        cluster = int.from_bytes(table[2 * cluster : 2 * cluster + 2], "little")
    return chain


def link(card: RamSectors, cluster: int, value: int) -> None:
    """Set the entry of a cluster in both FATs."""
    geometry = FatCore(card, read_only=True).geometry
    for copy in range(geometry.fats):
        sector = geometry.fat_start + copy * geometry.fat_sectors + cluster // 256
        raw = bytearray(card.read(sector, 1))
        raw[cluster % 256 * 2 : cluster % 256 * 2 + 2] = value.to_bytes(2, "little")
        card.write(sector, raw)


def lead_to(card: RamSectors, path: str, cluster: int, size: int | None = None) -> None:
    """Let an entry of the root lead to ``cluster``."""
    fat = FatCore(card, read_only=True)
    slot = fat.stat(path).slot
    sector = fat.geometry.root_start + slot // 16
    raw = bytearray(card.read(sector, 1))
    at = slot % 16 * ENTRY_SIZE
    CLUSTER_LOW.pack_into(raw, at, cluster)
    if size is not None:
        high, time, date, low, _ = EXTENT.unpack(raw, at)
        EXTENT.pack_into(raw, at, high, time, date, low, size)
    card.write(sector, raw)


def code(call: Callable[[], object]) -> FResult:
    with pytest.raises(FatError) as caught:
        call()
    return caught.value.result


@both_orders
@pytest.mark.parametrize("start", [1, 0xFFF8])
def test_file_with_an_invalid_first_cluster_is_int_err(start: int, *, faithful: bool) -> None:
    card = prepared()
    lead_to(card, "/f", start)
    fat = FatCore(card, faithful=faithful)
    with fat.open("/f", READ | WRITE) as file:
        assert code(file.read) is FResult.INT_ERR
        assert code(lambda: file.seek(5000)) is FResult.INT_ERR
    with fat.open("/f") as file:
        assert code(lambda: file.readinto(bytearray(5000))) is FResult.INT_ERR
        assert code(lambda: file.readinto(bytearray(5000))) is FResult.INT_ERR
    assert code(lambda: fat.open("/f", WRITE | OpenFlag.APPEND)) is FResult.INT_ERR
    assert code(lambda: fat.remove("/f")) is FResult.INT_ERR
    assert not fat.exists("/f")


@both_orders
@pytest.mark.parametrize("value", [0, 1])
def test_broken_chain_is_int_err_where_it_breaks(value: int, *, faithful: bool) -> None:
    card = prepared()
    chain = clusters(card, "/f")
    link(card, chain[1], value)
    fat = FatCore(card, faithful=faithful)
    with fat.open("/f") as file:
        assert file.read(4096) == b"f" * 4096
        assert code(file.read) is FResult.INT_ERR
    with fat.open("/f") as file:
        assert code(lambda: file.seek(9000)) is FResult.INT_ERR
    with fat.open("/f", WRITE) as file:
        file.seek(3000)
        assert code(file.truncate) is FResult.INT_ERR
    if value == 1:
        assert code(lambda: fat.remove("/f")) is FResult.INT_ERR
    else:
        fat.remove("/f")
    assert not fat.exists("/f")


@both_orders
def test_chain_that_is_shorter_than_its_file_is_int_err(*, faithful: bool) -> None:
    card = prepared()
    link(card, clusters(card, "/f")[1], 0xFFFF)
    fat = FatCore(card, faithful=faithful)
    with fat.open("/f") as file:
        assert code(lambda: file.seek(9000)) is FResult.INT_ERR
    with fat.open("/f", READ | WRITE) as file:
        assert file.seek(9000) == 9000  # a writer makes the chain longer
    assert len(clusters(card, "/f")) >= 2


@both_orders
def test_folder_lists_the_entries_before_the_break(*, faithful: bool) -> None:
    card = prepared()
    link(card, clusters(card, "/d")[1], 0)
    fat = FatCore(card, faithful=faithful)
    entries = fat.scandir("/d")
    names = []
    with pytest.raises(FatError) as caught:
        names.extend(entry.name for entry in entries)
    assert caught.value.result is FResult.INT_ERR
    assert code(lambda: fat.exists("/d/none")) is FResult.INT_ERR
    assert code(lambda: fat.write_bytes("/d/new", b"")) is FResult.INT_ERR
    assert fat.exists("/d/0")


def test_folder_whose_chain_loops_does_not_grow() -> None:
    card = prepared()
    chain = clusters(card, "/d")
    link(card, chain[-1], chain[0])
    fat = FatCore(card)
    assert len(list(fat.scandir("/d"))) == 131
    with pytest.raises(FatError) as caught:
        for number in range(400):
            fat.write_bytes(f"/d/new {number}", b"")
    assert caught.value.result is FResult.DENIED


def test_folders_above_that_form_a_circle_are_int_err() -> None:
    card = prepared()
    fat = FatCore(card)
    below = fat.stat("/d/e").cluster
    folder = fat._volume.directory(below)
    folder.load(2)
    folder.put_cluster(1, below)
    assert code(lambda: fat.rename("/d", "/d/e/d")) is FResult.INT_ERR
    fat.chdir("/d/e")
    assert code(fat.getcwd) is FResult.INT_ERR


@both_orders
def test_two_entries_of_one_name_are_reached_by_slot(*, faithful: bool) -> None:
    card = prepared()
    fat = FatCore(card, faithful=faithful, clock=lambda: NOW)
    first, second = fat.stat("/f"), fat.stat("/other")
    raw = bytearray(card.read(fat.geometry.root_start, 1))
    at, source = second.slot * ENTRY_SIZE, first.slot * ENTRY_SIZE
    raw[at : at + 13] = raw[source : source + 13]
    card.write(fat.geometry.root_start, raw)
    fat = FatCore(card, faithful=faithful, clock=lambda: NOW)
    assert [entry.slot for entry in fat.scandir() if entry.name == "f"] == [
        first.slot,
        second.slot,
    ]
    assert fat.read_bytes("/f") == b"f" * 10_000
    with fat.open_entry(0, second.slot, READ | WRITE) as file:
        assert file.read() == b"o" * 5000
        file.write(b"!")
    with fat.open_entry(0, second.slot) as file:
        assert file.size == 5001
    fat.rename_entry(0, second.slot, "/a name of its own")
    assert fat.read_bytes("/a name of its own") == b"o" * 5000 + b"!"
    assert code(lambda: fat.open_entry(0, 400)) is FResult.NO_FILE
    assert code(lambda: fat.remove_entry(fat.stat("/d").cluster, 0)) is FResult.NO_FILE
    assert sum(1 for _ in fat.scandir_folder(fat.stat("/d").cluster)) == 131
    fat.close()
    assert faults(card) == []


def test_short_names_run_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maixfs.fat.directory._TRIES", 2)
    fat = FatCore(new_card("fat16"), clock=lambda: NOW)
    for number in range(2):
        fat.write_bytes(f"/A long name, {number}", b"")
    with pytest.raises(FatError) as caught:
        fat.write_bytes("/A long name, 2", b"")
    assert caught.value.result is FResult.DENIED


@both_orders
def test_many_folders_and_paths_are_forgotten_and_found_again(
    monkeypatch: pytest.MonkeyPatch, *, faithful: bool
) -> None:
    monkeypatch.setattr("maixfs.fat.directory._MOST_DIRECTORIES", 4)
    monkeypatch.setattr("maixfs.fat.volume._MOST_PATHS", 4)
    monkeypatch.setattr("maixfs.fat.table._MOST_PAGES", 1)
    card = new_card("fat16")
    with FatCore(card, faithful=faithful, clock=lambda: NOW) as fat:
        for number in range(12):
            fat.mkdir(f"/{number}")
            fat.write_bytes(f"/{number}/f", bytes((number,)) * 30_000)
        pinned = fat.open("/3/f")
        for number in range(12):
            assert fat.read_bytes(f"/{number}/f") == bytes((number,)) * 30_000
        assert pinned.read(1) == b"\3"
    assert faults(card) == []


@both_orders
def test_open_files_of_a_removed_tree_live_on(*, faithful: bool) -> None:
    card = prepared()
    with FatCore(card, faithful=faithful, clock=lambda: NOW) as fat:
        fat.write_bytes("/d/e/f", b"x" * 3000)
        with fat.open("/d/e/f", READ | WRITE) as file:
            fat.remove_tree("/d")
            assert file.read() == b"x" * 3000
            file.write(b"y" * 3000)
    assert faults(card) == []


@both_orders
def test_second_writer_covers_the_sector_that_waits(*, faithful: bool) -> None:
    card = prepared()
    with FatCore(card, faithful=faithful, clock=lambda: NOW) as fat:
        one, two = fat.open("/f", READ | WRITE), fat.open("/f", READ | WRITE)
        one.write(b"1" * 10)
        two.write(b"2" * 512)
        one.close()
        two.close()
        assert fat.read_bytes("/f")[:600] == b"2" * 512 + b"f" * 88
    assert faults(card) == []


@both_orders
def test_search_for_a_free_cluster_wraps_around(*, faithful: bool) -> None:
    card = new_card("fat12")
    with FatCore(card, faithful=faithful, clock=lambda: NOW) as fat:
        fat.write_bytes("/first", b"1" * 5000)
        room = fat.free_clusters() * fat.geometry.cluster_size
        fat.write_bytes("/rest", b"2" * (room - 3000))
        fat.remove("/first")
        fat.write_bytes("/over", b"3" * 7000)
        fat.mkdir("/d")
        assert fat.read_bytes("/over") == b"3" * 7000
        fat.write_bytes("/end", b"4" * (fat.free_clusters() * fat.geometry.cluster_size))
        assert code(lambda: fat.mkdir("/e")) is FResult.DENIED
        with fat.open("/none", WRITE | EMPTY) as file:
            assert file.write(b"x") == 0
    assert faults(card) == []


class Unreadable(Recorder):
    """A card of which one sector cannot be read."""

    bad = 1

    def read(self, sector: int, count: int) -> bytes:
        if sector <= self.bad < sector + count:
            raise SectorError("no answer")
        return super().read(sector, count)


@both_orders
def test_fsinfo_that_cannot_be_read_is_not_written(*, faithful: bool) -> None:
    device = Unreadable(new_card("fat32"))
    before = device.card.read(1, 1)
    with FatCore(device, faithful=faithful, clock=lambda: NOW) as fat:
        assert fat.info().free is None
        fat.write_bytes("/f", b"x" * 3000)
        assert fat.free_clusters() == fat.count_free()
    assert device.card.read(1, 1) == before


def test_times_can_be_set_one_by_one() -> None:
    with FatCore(new_card("fat16"), clock=lambda: NOW) as fat:
        fat.write_bytes("/f", b"")
        fat.set_times("/f", modified=(0x5A22, 1))
        fat.set_times("/f", created=(0x5A23, 2))
        fat.set_times("/f", accessed=0x5A24)
        entry = fat.stat("/f")
    assert (entry.write_date, entry.write_time) == (0x5A22, 1)
    assert (entry.create_date, entry.create_time) == (0x5A23, 2)
    assert entry.access_date == 0x5A24


@both_orders
def test_failed_writes_stay_pending_in_ram(*, faithful: bool) -> None:
    device = Recorder(prepared())
    fat = FatCore(device, faithful=faithful, clock=lambda: NOW)
    file = fat.open("/f", READ | WRITE)
    file.write(b"!" * 10)
    device.refuse_after = 0
    assert code(lambda: fat.mkdir("/new")) is FResult.DISK_ERR
    assert code(file.sync) is FResult.DISK_ERR
    device.refuse_after = None
    file.close()
    assert fat.read_bytes("/f")[:11] == b"!" * 10 + b"f"
    fat.close()
    assert faults(device.card) == []


@both_orders
@pytest.mark.parametrize("after", range(6))
def test_sync_after_an_error_writes_all_that_is_pending(after: int, *, faithful: bool) -> None:
    """File, folder and FAT that a card refused go out with the next sync of the volume."""
    device = Recorder(prepared())
    fat = FatCore(device, faithful=faithful, clock=lambda: NOW)
    first, second = fat.open("/f", READ | WRITE), fat.open("/other", READ | WRITE)
    first.write(b"!" * 10)
    second.seek(4900)
    device.refuse_after = after
    for call in (
        lambda: second.write(b"?" * 2000),
        lambda: fat.mkdir("/new"),
        first.sync,
        second.sync,
    ):
        with suppress(FatError):
            call()
    device.refuse_after = None
    fat.sync()
    size = second.size
    assert size in {5000, 6900}
    fat.abandon()
    with FatCore(device.card, read_only=True) as again:
        assert again.read_bytes("/f") == b"!" * 10 + b"f" * 9990
        content = again.read_bytes("/other")
        assert content[:4900] == b"o" * 4900 and len(content) in {5000, 6900}


@both_orders
def test_folder_with_a_break_far_behind_lists_all_before_it(*, faithful: bool) -> None:
    card = new_card("fat16")
    with FatCore(card, clock=lambda: NOW) as fat:
        fat.mkdir("/d")
        for number in range(240):
            fat.write_bytes(f"/d/{number}", b"")
    link(card, clusters(card, "/d")[2], 0)
    fat = FatCore(card, faithful=faithful)
    entries = fat.scandir("/d")
    names = [next(entries).name for _ in range(3 * 64 - 2)]
    assert names[-1] == "189"
    assert code(lambda: next(entries)) is FResult.INT_ERR


@pytest.mark.parametrize("kind", ["fat12", "fat16", "fat32"])
@pytest.mark.parametrize("after", range(14))
def test_interrupted_operations_leave_a_sound_card_in_fatfs_order(kind: str, after: int) -> None:
    """A card that refuses writes for a while; what waits in the window is written later."""
    device = Recorder(new_card(kind))
    fat = FatCore(device, faithful=True, clock=lambda: NOW)
    fat.mkdir("/d")
    for number in range(13):
        fat.write_bytes(f"/d/{number}", b"x" * 600)
    device.refuse_after = after
    steps: list[Call] = [
        lambda core: core.rename("/d/3", "/d/" + "a long name " * 9),
        lambda core: core.write_bytes("/d/" + "n" * 200, b"y" * 1500),
        lambda core: core.remove("/d/4"),
    ]
    for step in steps:
        try:
            step(fat)
        except FatError as error:
            assert error.result is FResult.DISK_ERR
    device.refuse_after = None
    fat.sync()
    kept = FatCore(device.card)
    for number in (0, 1, 2, 5, 6, 7, 8, 9, 10, 11, 12):
        assert kept.read_bytes(f"/d/{number}") == b"x" * 600


@pytest.mark.parametrize("kind", ["fat12", "fat16", "fat32"])
def test_folder_on_a_full_volume_does_not_grow(kind: str) -> None:
    card = new_card(kind)
    with FatCore(card, faithful=True, clock=lambda: NOW) as fat:
        fat.mkdir("/d")
        each = fat.geometry.cluster_size // ENTRY_SIZE
        for number in range(each - 2):
            fat.write_bytes(f"/d/{number}", b"")
        fat.write_bytes("/fill", bytes(fat.free_clusters() * fat.geometry.cluster_size))
        fat.open("/waits", WRITE | EMPTY)
        assert code(lambda: fat.write_bytes("/d/one more", b"")) is FResult.DENIED
        assert len(list(fat.scandir("/d"))) == each - 2
    assert faults(card) == []


def test_listing_looks_at_the_fat_between_clusters_in_fatfs_order() -> None:
    device = Recorder(new_card("fat32"))
    fat = FatCore(device, faithful=True, clock=lambda: NOW)
    fat.mkdir("/d")
    for number in range(40):
        fat.open(f"/d/{number}", WRITE | EMPTY).close()
    listing = fat.scandir("/d")
    for _ in range(13):
        next(listing)
    fat.open("/d/0", WRITE | EMPTY)  # waits in the first cluster of the folder
    device.calls.clear()
    next(listing)  # the last entry of that cluster: f_readdir goes on to the next one
    assert len(device.calls) == 1
    fat.abandon()


def test_label_that_begins_like_a_deleted_entry_is_read() -> None:
    card = new_card("fat16")
    with FatCore(card, clock=lambda: NOW) as fat:
        fat.set_label("SLABEL")
        root = fat.geometry.root_start
    raw = bytearray(card.read(root, 1))
    raw[0] = 0x05  # stands for E5, which is free for a slot and a sigma in code page 437
    card.write(root, raw)
    with FatCore(card, clock=lambda: NOW) as fat:
        assert fat.label == "σLABEL"
        fat.set_label("")
        assert fat.label == ""
    assert faults(card) == []
