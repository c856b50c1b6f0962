"""Probing: the volume that FatFs mounts, and what lies at other places."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fat.cards import FOLDERS, load_card, manifest
from maixfs.errors import UsageError
from maixfs.fat.errors import FatError, FResult
from maixfs.fat.geometry import read_geometry
from maixfs.fat.mkfs import format_volume
from maixfs.fat.probe import fat_volumes, find_volume, mount_points, probe_volume
from maixfs.sd import RamSectors, SectorError
from maixfs.sd.mbr import Partition, make_mbr
from maixfs.sd.partitions import read_partitions

REFUSED = {
    # Card, slot: kind.
    ("bad_bpb", 1): "FAT32",
    ("exfat", 1): "exFAT",
    ("extended", 2): "partition table",
    ("few_clusters", 1): "FAT32",
    ("foreign_first", 1): "blank",
    ("gpt", 1): "GPT",
    ("ntfs", 1): "NTFS",
}
WHOLE = {
    "blank": "blank",
    "no_55aa": "partition table",
    "sector4096": "FAT32",
}


@pytest.mark.parametrize("name", FOLDERS)
def test_probe_volume_identifies_every_partition_of_the_corpus(name):
    card = load_card(name)
    for slot in read_partitions(card).used:
        found = probe_volume(card, slot.start)
        assert found.start == slot.start
        if (name, slot.slot) in REFUSED:
            assert found.kind == REFUSED[name, slot.slot]
            assert found.why_not
            assert found.fat is None
        else:
            assert found.why_not is None
            assert found.fat == read_geometry(card.read(slot.start, 1))
            assert found.kind == f"FAT{found.fat.fat_type}"


@pytest.mark.parametrize("name", WHOLE)
def test_probe_volume_identifies_cards_without_partitions(name):
    found = probe_volume(load_card(name))
    assert found.kind == WHOLE[name]
    assert found.why_not
    assert found.hint


@pytest.mark.parametrize("name", ["superfloppy", "superfloppy_ff"])
def test_find_volume_refuses_a_superfloppy_if_a_partition_is_asked_for(name):
    card = load_card(name)
    assert probe_volume(card).why_not is None
    assert find_volume(card) == 0
    with pytest.raises(FatError) as caught:
        find_volume(card, 1)
    assert caught.value.hint


def mounts(card: RamSectors, part: int) -> bool:
    try:
        read_geometry(card.read(find_volume(card, part), 1))
    except FatError as error:
        assert error.result is FResult.NO_FILESYSTEM
        return False
    return True


@pytest.mark.parametrize("name", FOLDERS)
def test_find_volume_equals_fatfs_on_the_corpus(name):
    card, about = load_card(name), manifest(name)
    assert mounts(card, 0) == (about["oofatfs_whole_card_auto"]["mount"] == "ok")
    if name == "no_55aa":
        return  # its partition is a volume, but nobody is led there
    good = {
        part["slot"]: part["start"]
        for part in about["partitions"]
        if part["oofatfs"]["mount"] == "ok"
    }
    for part in (1, 2, 3, 4):
        assert mounts(card, part) == (part in good)
        if part in good:
            assert find_volume(card, part) == good[part]


def test_mount_points_are_by_slot_but_for_the_first():
    assert mount_points(load_card("part4")) == {1: "/sd", 2: "/sd2", 3: "/sd3", 4: "/sd4"}
    assert mount_points(load_card("foreign_first")) == {2: "/sd"}
    assert mount_points(load_card("superfloppy")) == {}
    assert mount_points(load_card("gpt")) == {}


def test_fat_volumes_are_found_whatever_leads_to_them():
    for name, numbers in (("gpt", [1]), ("extended", [1, 5]), ("superfloppy", [0]), ("ntfs", [])):
        card = load_card(name)
        found = fat_volumes(read_partitions(card), card)
        assert [part.number for part in found] == numbers


def test_find_volume_takes_the_first_good_slot():
    assert find_volume(load_card("foreign_first")) == 18432
    assert find_volume(load_card("empty_first")) == 2048
    assert find_volume(load_card("part4")) == 2048
    assert find_volume(load_card("part4"), 3) == 165888


def test_find_volume_ends_at_the_first_slot_with_fat_texts():
    """FatFs looks at the numbers only after it has settled on a partition."""
    card = load_card("part2")
    boot = bytearray(card.read(2048, 1))
    boot[13] = 3
    card.write(2048, boot)
    assert find_volume(card) == 2048


@pytest.mark.parametrize("part", [-1, 5])
def test_find_volume_accepts_parts_0_to_4(part):
    with pytest.raises(UsageError):
        find_volume(RamSectors(8), part)


class Bad(RamSectors):
    """A card with sectors that cannot be read."""

    bad: frozenset[int] = frozenset()

    def peek(self, sector, count):
        if self.bad.intersection(range(sector, sector + count)):
            raise SectorError(f"sector {sector} cannot be read")
        return super().peek(sector, count)


def two_volumes() -> Bad:
    card = Bad(40000)
    places = Partition(1, 0x0C, 100, 10000), Partition(2, 0x0C, 20000, 10000)
    card.write(0, make_mbr(places, disk_id=0))
    for start in (100, 20000):
        format_volume(card, start, 10000)
    return card


def test_find_volume_goes_on_after_an_unreadable_slot():
    card = two_volumes()
    card.bad = frozenset({100})
    assert find_volume(card) == 20000
    with pytest.raises(FatError) as caught:
        find_volume(card, 1)
    assert caught.value.result is FResult.DISK_ERR


def test_find_volume_raises_disk_err_for_the_last_slot_alone():
    card = two_volumes()
    card.bad = frozenset({100, 20000})
    with pytest.raises(FatError) as caught:
        find_volume(card)
    assert caught.value.result is FResult.NO_FILESYSTEM
    full = [Partition(slot, 0x0C, 1000 * slot, 10) for slot in (1, 2, 3, 4)]
    card.write(0, make_mbr(full, disk_id=0))
    card.bad = frozenset({4000})
    with pytest.raises(FatError) as caught:
        find_volume(card)
    assert caught.value.result is FResult.DISK_ERR


def test_find_volume_raises_disk_err_if_sector_0_is_unreadable():
    card = two_volumes()
    card.bad = frozenset({0})
    with pytest.raises(FatError) as caught:
        find_volume(card)
    assert caught.value.result is FResult.DISK_ERR
    assert probe_volume(card).kind == "unreadable"


def test_find_volume_ignores_types_and_lengths_of_partitions():
    card = two_volumes()
    slots = [Partition(1, 0x83, 100, 1), Partition(2, 0x07, 20000, 1)]
    card.write(0, make_mbr(slots, disk_id=0))
    assert (find_volume(card), find_volume(card, 2)) == (100, 20000)


@pytest.mark.parametrize("start", [0, 0xFFFFFFFF])
def test_find_volume_ignores_slots_without_a_valid_start(start):
    card = two_volumes()
    sector = bytearray(card.read(0, 1))
    sector[454:458] = start.to_bytes(4, "little")
    card.write(0, sector)
    assert find_volume(card) == 20000
    with pytest.raises(FatError) as caught:
        find_volume(card, 1)
    assert caught.value.result is FResult.NO_FILESYSTEM


def test_find_volume_refuses_a_free_slot_and_an_empty_table():
    card = two_volumes()
    for part, table in ((3, None), (0, [])):
        if table is not None:
            card.write(0, make_mbr(table, disk_id=0))
        with pytest.raises(FatError) as caught:
            find_volume(card, part)
        assert caught.value.result is FResult.NO_FILESYSTEM


@pytest.mark.parametrize(
    ("kind", "offset", "magic"),
    [
        ("exFAT", 3, b"EXFAT   "),
        ("NTFS", 3, b"NTFS    "),
        ("BitLocker", 3, b"-FVE-FS-"),
        ("LUKS", 0, b"LUKS\xba\xbe"),
        ("squashfs", 0, b"hsqs"),
        ("XFS", 0, b"XFSB"),
        ("APFS", 32, b"NXSB"),
        ("F2FS", 1024, b"\x10\x20\xf5\xf2"),
        ("HFS+", 1024, b"H+"),
        ("Linux swap", 4086, b"SWAPSPACE2"),
        ("ISO 9660", 0x8001, b"CD001"),
        ("Btrfs", 0x10040, b"_BHRfS_M"),
        ("ext2", 1080, b"\x53\xef"),
        ("ext3", 1080, b"\x53\xef" + bytes(34) + b"\x04"),
        ("ext4", 1080, b"\x53\xef" + bytes(34) + b"\x04\0\0\0\x40"),
        ("GPT", 512, b"EFI PART"),
        ("unknown", 512, b"something"),
        ("blank", 0, b"\xff" * 136 * 512),
        ("blank", 0, b""),
    ],
)
def test_probe_volume_identifies_other_file_systems(kind, offset, magic):
    card = RamSectors(400)
    content = (bytes(offset) + magic).ljust(136 * 512, b"\0")
    card.write(200, content)
    found = probe_volume(card, 200)
    assert (found.kind, found.fat) == (kind, None)
    assert found.why_not
    assert found.hint


def volume(fat_type: int, **options: object) -> RamSectors:
    card = RamSectors(80 << 11)
    format_volume(card, fat_type=fat_type, serial=1, **options)  # type: ignore[arg-type]
    return card


def change(card: RamSectors, sector: int, at: int, value: bytes) -> None:
    content = bytearray(card.read(sector, 1))
    content[at : at + len(value)] = value
    card.write(sector, content)


def test_probe_volume_names_the_type_in_the_texts_of_a_damaged_boot_sector():
    for fat_type, layout, kind in (
        (12, "mkfs.fat", "FAT12"),
        (16, "mkfs.fat", "FAT16"),
        (16, "fatfs", "FAT"),
    ):
        card = volume(fat_type, layout=layout)
        change(card, 0, 13, b"\3")
        assert probe_volume(card).kind == kind


def test_probe_volume_names_the_type_of_a_volume_without_its_text():
    card = volume(16)
    change(card, 0, 54, b"\0\0\0")
    found = probe_volume(card)
    assert (found.kind, found.fat) == ("FAT16", None)
    assert found.why_not


def test_probe_volume_outside_the_card_is_unreadable():
    assert probe_volume(RamSectors(8), 9).kind == "unreadable"
    assert probe_volume(RamSectors(8), -1).kind == "unreadable"


@given(
    st.lists(st.tuples(st.integers(0, 1023), st.binary(min_size=1, max_size=9)), max_size=8),
    st.sampled_from([12, 16, 32, 0]),
)
def test_probe_and_find_volume_raise_no_other_error_for_any_content(changes, fat_type):
    card = RamSectors(80 << 11)
    if fat_type:
        format_volume(card, fat_type=fat_type, serial=1)
    content = bytearray(card.read(0, 2))
    for at, value in changes:
        content[at : at + len(value)] = value[: 1024 - at]
    card.write(0, content)
    found = probe_volume(card, 0)
    assert (found.fat is None) == (found.why_not is not None)
    for part in range(5):
        try:
            find_volume(card, part)
        except FatError as error:
            assert error.result in (FResult.NO_FILESYSTEM, FResult.DISK_ERR)
