"""What lies on a card: which volume FatFs takes, and why it does not take the others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fat.cards import FOLDERS, load_card, manifest
from maixfs.errors import UsageError
from maixfs.fat.errors import FatError, FResult
from maixfs.fat.geometry import read_geometry
from maixfs.fat.mkfs import format_volume
from maixfs.fat.probe import DirtyMarks, FsInfoState, probe_volume
from maixfs.fat.volume_find import find_volume
from maixfs.sd import RamSectors, SectorError
from maixfs.sd.mbr import Partition, make_mbr, read_mbr

REFUSED = {
    # Card, slot: kind, words of the reason.
    ("bad_bpb", 1): ("FAT32", "BPB_SecPerClus is 3"),
    ("exfat", 1): ("exFAT", "exFAT, and the board reads"),
    ("extended", 2): ("partition table", "not of a FAT volume"),
    ("few_clusters", 1): ("FAT32", "counts as FAT16"),
    ("foreign_first", 1): ("blank", "nothing has been written"),
    ("gpt", 1): ("GPT", "GPT, and the board reads"),
    ("ntfs", 1): ("NTFS", "NTFS, and the board reads"),
}
WHOLE = {
    "blank": ("blank", "nothing has been written"),
    "no_55aa": ("partition table", "55 AA"),
    "sector4096": ("FAT32", "BPB_BytsPerSec is 4096"),
}


@pytest.mark.parametrize("name", FOLDERS)
def test_every_partition_of_the_corpus_is_told_apart(name):
    card = load_card(name)
    for slot in read_mbr(card).used:
        found = probe_volume(card, slot.start, slot.sectors)
        assert found.start == slot.start
        if (name, slot.slot) in REFUSED:
            kind, words = REFUSED[name, slot.slot]
            assert found.kind == kind
            assert words in str(found.why_not)
            assert found.fat is None
        else:
            assert found.why_not is None
            assert found.fat == read_geometry(card.read(slot.start, 1))
            assert found.kind == f"FAT{found.fat.fat_type}"
            assert found.past_partition == 0
            assert bool(found.past_card) == (name == "part_past_end")
            assert bool(found.dirty) == (name == "dirty")


@pytest.mark.parametrize("name", WHOLE)
def test_cards_without_partitions_are_told_apart(name):
    found = probe_volume(load_card(name))
    assert found.kind == WHOLE[name][0]
    assert WHOLE[name][1] in str(found.why_not)
    assert found.hint


@pytest.mark.parametrize("name", ["superfloppy", "superfloppy_ff"])
def test_a_superfloppy_is_a_volume_but_not_to_a_board_that_asks_for_a_partition(name):
    card = load_card(name)
    assert probe_volume(card).why_not is None
    assert find_volume(card) == 0
    with pytest.raises(FatError, match="no partition table") as caught:
        find_volume(card, 1)
    assert "table" in str(caught.value.hint)


def mounts(card: RamSectors, part: int) -> bool:
    try:
        read_geometry(card.read(find_volume(card, part), 1))
    except FatError as error:
        assert error.result is FResult.NO_FILESYSTEM
        return False
    return True


@pytest.mark.parametrize("name", FOLDERS)
def test_fatfs_mounts_what_the_manifest_says(name):
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


def test_any_partition_is_the_first_good_one():
    assert find_volume(load_card("foreign_first")) == 18432
    assert find_volume(load_card("empty_first")) == 2048
    assert find_volume(load_card("part4")) == 2048
    assert find_volume(load_card("part4"), 3) == 165888


def test_a_bad_boot_sector_in_the_first_good_slot_ends_the_search():
    """FatFs looks at the numbers only after it has settled on a partition."""
    card = load_card("part2")
    boot = bytearray(card.read(2048, 1))
    boot[13] = 3
    card.write(2048, boot)
    assert find_volume(card) == 2048


@pytest.mark.parametrize("part", [-1, 5])
def test_there_are_four_partitions(part):
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


def test_a_slot_that_cannot_be_read_is_passed_by():
    card = two_volumes()
    card.bad = frozenset({100})
    assert find_volume(card) == 20000
    with pytest.raises(FatError, match="cannot be read") as caught:
        find_volume(card, 1)
    assert caught.value.result is FResult.DISK_ERR


def test_only_the_last_slot_makes_a_disk_error_of_it():
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


def test_a_card_that_cannot_be_read_at_all_is_a_disk_error():
    card = two_volumes()
    card.bad = frozenset({0})
    with pytest.raises(FatError) as caught:
        find_volume(card)
    assert caught.value.result is FResult.DISK_ERR
    assert probe_volume(card).kind == "unreadable"


def test_types_and_lengths_of_partitions_do_not_matter():
    card = two_volumes()
    made = [Partition(1, 0x83, 100, 1), Partition(2, 0x07, 20000, 1)]
    card.write(0, make_mbr(made, disk_id=0))
    assert (find_volume(card), find_volume(card, 2)) == (100, 20000)


@pytest.mark.parametrize("start", [0, 0xFFFFFFFF])
def test_a_slot_that_leads_nowhere_has_no_volume(start):
    card = two_volumes()
    sector = bytearray(card.read(0, 1))
    sector[454:458] = start.to_bytes(4, "little")
    card.write(0, sector)
    assert find_volume(card) == 20000
    with pytest.raises(FatError, match="partition 1"):
        find_volume(card, 1)


def test_a_free_slot_and_an_empty_table_are_named():
    card = two_volumes()
    with pytest.raises(FatError, match="partition 3 is free"):
        find_volume(card, 3)
    card.write(0, make_mbr([], disk_id=0))
    with pytest.raises(FatError, match="no partition"):
        find_volume(card)


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
def test_other_things_are_known_by_their_magic(kind, offset, magic):
    card = RamSectors(400)
    content = (bytes(offset) + magic).ljust(136 * 512, b"\0")
    card.write(200, content)
    found = probe_volume(card, 200)
    assert (found.kind, found.fat) == (kind, None)
    assert found.why_not
    assert found.hint


def volume(fat_type: int, **wishes: object) -> RamSectors:
    card = RamSectors(80 << 11)
    format_volume(card, fat_type=fat_type, serial=1, **wishes)  # type: ignore[arg-type]
    return card


def change(card: RamSectors, sector: int, at: int, value: bytes) -> None:
    content = bytearray(card.read(sector, 1))
    content[at : at + len(value)] = value
    card.write(sector, content)


@pytest.mark.parametrize("fat_type", [12, 16, 32])
def test_a_new_volume_is_clean(fat_type):
    card = volume(fat_type)
    found = probe_volume(card)
    assert found.kind == f"FAT{fat_type}"
    assert not found.dirty
    assert (found.fsinfo is None) == (fat_type != 32)


@pytest.mark.parametrize(
    ("fat_type", "sector", "at", "value", "marks"),
    [
        (32, 0, 65, b"\1", DirtyMarks(boot=True)),
        (16, 0, 37, b"\1", DirtyMarks(boot=True)),
        (16, 1, 3, b"\x7f", DirtyMarks(fat=True)),
        (16, 1, 3, b"\xbf", DirtyMarks(errors=True)),
        (32, 32, 7, b"\xf7", DirtyMarks(fat=True)),
        (32, 32, 7, b"\xf3", DirtyMarks(fat=True, errors=True)),
    ],
)
def test_marks_of_an_unclean_end_are_seen(fat_type, sector, at, value, marks):
    card = volume(fat_type)
    change(card, sector, at, value)
    found = probe_volume(card)
    assert found.dirty == marks
    assert found.why_not is None


def test_fsinfo_is_believed_as_fatfs_believes_it():
    card = volume(32)
    clusters = read_geometry(card.read(0, 1)).clusters
    assert probe_volume(card).fsinfo == FsInfoState(True, clusters - 1, 2, None)
    change(card, 1, 488, (clusters + 1).to_bytes(4, "little") + b"\xff\xff\xff\xff")
    assert probe_volume(card).fsinfo == FsInfoState(True, None, None, None)
    change(card, 1, 0, b"X")
    assert "signatures" in str(probe_volume(card).fsinfo)
    change(card, 0, 48, b"\2")
    assert "BPB_FSInfo is 2" in str(probe_volume(card).fsinfo)


def test_the_copy_of_a_damaged_boot_sector_is_found():
    card = volume(32, layout="mkfs.fat")
    change(card, 0, 13, b"\3")
    found = probe_volume(card)
    assert found.backup == read_geometry(card.read(6, 1))
    card.write(0, bytes(512))
    assert probe_volume(card).backup == found.backup
    card.write(6, bytes(512))
    assert probe_volume(card).backup is None


def test_a_volume_without_its_words_is_named_and_refused():
    card = volume(16)
    change(card, 0, 54, b"\0\0\0")
    found = probe_volume(card)
    assert (found.kind, found.fat) == ("FAT16", None)
    assert "not of a FAT volume" in str(found.why_not)


def test_a_volume_longer_than_its_partition_and_card_says_by_how_much():
    card = volume(16)
    assert probe_volume(card, 0, 80 << 11).past_partition == 0
    assert probe_volume(card, 0, 1000).past_partition == (80 << 11) - 1000
    short = RamSectors(3000, card.read(0, 3000))
    assert probe_volume(short).past_card == (80 << 11) - 3000


def test_a_place_outside_the_card_is_unreadable():
    assert probe_volume(RamSectors(8), 9).kind == "unreadable"
    assert probe_volume(RamSectors(8), -1).kind == "unreadable"


@given(
    st.lists(st.tuples(st.integers(0, 1023), st.binary(min_size=1, max_size=9)), max_size=8),
    st.sampled_from([12, 16, 32, 0]),
)
def test_nothing_on_a_card_raises(changes, fat_type):
    card = RamSectors(80 << 11)
    if fat_type:
        format_volume(card, fat_type=fat_type, serial=1)
    content = bytearray(card.read(0, 2))
    for at, value in changes:
        content[at : at + len(value)] = value[: 1024 - at]
    card.write(0, content)
    found = probe_volume(card, 0, 100)
    assert (found.fat is None) == (found.why_not is not None)
    for part in range(5):
        try:
            find_volume(card, part)
        except FatError as error:
            assert error.result in (FResult.NO_FILESYSTEM, FResult.DISK_ERR)
