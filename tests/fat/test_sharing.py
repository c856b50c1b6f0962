"""Several open files of one entry, and entries that change under open files."""

from __future__ import annotations

import pytest

from fat.volumes import NOW, every_kind, faults, mount, new_card
from maixfs.fat import FatCore, FatError, FResult, OpenFlag
from maixfs.sd import RamSectors

READ, WRITE, EMPTY = OpenFlag.READ, OpenFlag.WRITE, OpenFlag.CREATE_ALWAYS


@pytest.fixture(params=["fat12", "fat16", "fat32"])
def card(request: pytest.FixtureRequest) -> RamSectors:
    return new_card(request.param)


def test_last_writer_to_close_sets_the_size(card: RamSectors) -> None:
    fat = mount(card)
    first, second = fat.open("/f", WRITE | EMPTY), fat.open("/f", WRITE | EMPTY)
    first.write(b"a" * 4)
    second.write(b"bb")
    first.close()
    second.close()
    assert fat.read_bytes("/f") == b"bb"
    fat.close()
    assert faults(card) == []


def test_clusters_beyond_the_last_size_are_freed(card: RamSectors) -> None:
    fat = mount(card)
    free = fat.free_clusters()
    first, second = fat.open("/f", WRITE | EMPTY), fat.open("/f", WRITE | EMPTY)
    first.write(b"a" * 20000)
    second.write(b"bb")
    first.close()
    second.close()
    assert fat.read_bytes("/f") == b"bb"
    assert fat.free_clusters(scan=True) == free - 1
    fat.close()
    assert faults(card) == []


def test_reader_keeps_the_size_of_its_opening(card: RamSectors) -> None:
    fat = mount(card)
    writer = fat.open("/f", WRITE | EMPTY)
    writer.write(b"x" * 600)
    reader = fat.open("/f")
    assert reader.size == 0
    assert reader.read() == b""
    writer.close()
    assert reader.read() == b""
    assert fat.open("/f").read() == b"x" * 600


def test_reader_sees_changes_within_its_size(card: RamSectors) -> None:
    fat = mount(card)
    fat.write_bytes("/f", b"." * 3000)
    with fat.open("/f") as reader, fat.open("/f", READ | WRITE) as writer:
        for at in (0, 100, 510, 2000):
            writer.seek(at)
            writer.write(b"abcd")
            reader.seek(at)
            assert reader.read(4) == b"abcd"
            room = bytearray(2000)
            reader.seek(0)
            assert reader.readinto(room) == 2000
            assert at == 2000 or room[at : at + 4] == b"abcd"


def test_removed_file_stays_usable_while_open(card: RamSectors) -> None:
    fat = mount(card)
    free = fat.free_clusters()
    fat.write_bytes("/f", b"x" * 3000)
    file = fat.open("/f", READ | WRITE)
    fat.remove("/f")
    assert not fat.exists("/f")
    fat.write_bytes("/g", b"g" * 9000)
    file.seek(2500)
    file.write(b"y" * 6000)
    file.seek(0)
    assert file.read() == b"x" * 2500 + b"y" * 6000
    file.close()
    assert fat.read_bytes("/g") == b"g" * 9000
    fat.remove("/g")
    assert fat.free_clusters(scan=True) == free
    fat.close()
    assert faults(card) == []


def test_new_file_of_a_removed_name_is_separate(card: RamSectors) -> None:
    fat = mount(card)
    old = fat.open("/f", WRITE | EMPTY)
    old.write(b"old")
    fat.remove("/f")
    with fat.open("/f", WRITE | EMPTY) as new:
        new.write(b"new!")
    old.write(b"x" * 2000)
    old.close()
    assert fat.read_bytes("/f") == b"new!"
    fat.close()
    assert faults(card) == []


def test_renamed_file_keeps_its_open_files(card: RamSectors) -> None:
    fat = mount(card)
    fat.mkdir("/d")
    file = fat.open("/f", READ | WRITE | EMPTY)
    file.write(b"before ")
    fat.rename("/f", "/d/A longer name")
    file.write(b"after")
    fat.write_bytes("/f", b"another")
    file.close()
    assert fat.read_bytes("/d/A longer name") == b"before after"
    assert fat.read_bytes("/f") == b"another"
    fat.close()
    assert faults(card) == []


def test_unguarded_rename_keeps_the_recorded_state(card: RamSectors) -> None:
    fat = mount(card)
    free = fat.count_free()
    fat.write_bytes("/old", b"o" * 700)
    new, old = fat.open("/new", WRITE | EMPTY), fat.open("/old", READ | WRITE)
    new.write(b"x" * 5000)
    old.seek(700)
    old.write(b"y" * 5000)
    fat.rename("/new", "/a", guarded=False)
    fat.rename("/old", "/b", guarded=False)
    old.write(b"y" * 5000)
    old.seek(10)
    old.truncate()
    assert fat.stat("/a").size == 0
    new.close()
    old.close()
    assert fat.read_bytes("/a") == b""
    assert fat.read_bytes("/b") == b"o" * 700
    fat.remove("/a")
    fat.remove("/b")
    fat.close()
    assert faults(card) == []
    assert mount(card).count_free() == free


def test_file_after_unguarded_rename_is_separate_from_a_new_opening(card: RamSectors) -> None:
    fat = mount(card)
    old = fat.open("/old", WRITE | EMPTY)
    old.write(b"x" * 5000)
    fat.rename("/old", "/new", guarded=False)
    with fat.open("/new", WRITE) as new:
        new.write(b"n" * 10)
        old.write(b"x" * 5000)
    old.close()
    assert fat.read_bytes("/new") == b"n" * 10
    fat.close()
    assert faults(card) == []


def test_reader_of_an_emptied_file_reads_nothing(card: RamSectors) -> None:
    fat = mount(card)
    fat.write_bytes("/f", b"x" * 5000)
    reader, writer = fat.open("/f"), fat.open("/f", READ | WRITE)
    fat.open("/f", WRITE | EMPTY).close()
    fat.write_bytes("/g", b"g" * 9000)
    with pytest.raises(FatError) as caught:
        reader.read()
    assert caught.value.result is FResult.INT_ERR
    writer.seek(100)
    writer.write(b"w" * 50)
    writer.close()
    reader.close()
    size = fat.stat("/f").size
    assert 150 <= size <= fat.geometry.cluster_size
    assert fat.read_bytes("/f")[100:150] == b"w" * 50
    assert fat.read_bytes("/g") == b"g" * 9000
    fat.close()
    assert faults(card) == []


def test_writer_of_a_cut_file_stays_sound(card: RamSectors) -> None:
    fat = mount(card)
    fat.write_bytes("/f", b"x" * 9000)
    long, short = fat.open("/f", READ | WRITE), fat.open("/f", READ | WRITE)
    short.seek(700)
    short.truncate()
    long.write(b"y" * 10)
    short.close()
    long.close()
    size = fat.stat("/f").size
    assert 700 <= size < 9000
    assert fat.read_bytes("/f")[:700] == b"y" * 10 + b"x" * 690
    fat.close()
    assert faults(card) == []


def test_writer_of_an_emptied_file_stays_sound(card: RamSectors) -> None:
    fat = mount(card)
    first, second = fat.open("/f", WRITE | EMPTY), fat.open("/f", READ | WRITE)
    second.write(b"x" * 11395)
    first.close()
    fat.open("/f", WRITE | EMPTY).close()
    fat.close()
    assert second.closed
    assert faults(card) == []


@every_kind
def test_closing_the_volume_closes_its_files(kind: str) -> None:
    card = new_card(kind)
    fat = mount(card)
    files = [fat.open(f"/{n}", WRITE | EMPTY) for n in range(5)]
    for n, file in enumerate(files):
        file.write(b"x" * (n * 700))
    fat.remove("/3")
    fat.close()
    assert all(file.closed for file in files)
    assert faults(card) == []
    assert [entry.size for entry in mount(card).scandir()] == [0, 700, 1400, 2800]


def test_reader_keeps_its_clusters_when_another_file_object_empties_the_file() -> None:
    """FatFs reads on up to the first link that is gone; the error then stays with the file."""
    card = new_card("fat16")
    fat = FatCore(card, clock=lambda: NOW, faithful=True)
    size = fat.geometry.cluster_size
    data = bytes(range(256)) * (size * 3 // 256)
    fat.write_bytes("/f", data)
    at_start, inside = fat.open("/f"), fat.open("/f")
    inside.seek(size + 100)
    with fat.open("/f", OpenFlag.WRITE | OpenFlag.CREATE_ALWAYS) as writer:
        buffer = bytearray(50)
        assert at_start.readinto(buffer) == 50
        assert at_start.read(size - 50) == data[50:size]
        assert bytes(buffer) == data[:50]
        assert inside.read(size - 100) == data[size + 100 : 2 * size]
        for reader in (at_start, inside):
            with pytest.raises(FatError) as caught:
                reader.read(1)
            assert caught.value.result == FResult.INT_ERR
            with pytest.raises(FatError):
                reader.seek(0)
            reader.close()
        writer.write(b"new")
    assert fat.read_bytes("/f") == b"new"
    assert faults(card) == []
