"""Boot sectors: geometry, faults, and what FatFs refuses."""

from __future__ import annotations

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fat.cards import FOLDERS, boot_sector, manifest
from maixfs.fat.errors import FatError, FResult
from maixfs.fat.geometry import examine_boot_sector, fat_sectors_for, is_fat, read_geometry
from maixfs.fat.mkfs import format_volume
from maixfs.sd import RamSectors

PARTITIONS = [(name, part) for name in FOLDERS for part in manifest(name)["partitions"]]
MOUNTED = [(name, part) for name, part in PARTITIONS if "statvfs" in part.get("oofatfs", {})]


@pytest.mark.parametrize(
    ("name", "part"), MOUNTED, ids=[f"{name}-{part['slot']}" for name, part in MOUNTED]
)
def test_read_geometry_equals_fatfs_and_the_formatter(name, part):
    geometry = read_geometry(boot_sector(name, part["slot"]))
    size, _, clusters = part["oofatfs"]["statvfs"][:3]
    assert (geometry.cluster_size, geometry.clusters) == (size, clusters)
    bpb = part["bpb"]
    assert geometry.sectors_per_cluster == bpb["spc"]
    assert geometry.reserved == bpb["rsv"]
    assert geometry.fats == bpb["nf"]
    assert geometry.fat_sectors == bpb["fsz"]
    assert geometry.root_entries == bpb["nroot"]
    assert geometry.total_sectors == bpb["ts"]
    assert geometry.root_cluster == (bpb["root"] if geometry.fat_type == 32 else 0)


def test_corpus_has_all_three_types():
    found = {read_geometry(boot_sector(name, part["slot"])).fat_type for name, part in MOUNTED}
    assert found == {12, 16, 32}


REFUSED = {
    "bad_bpb": "BPB_SecPerClus",
    "few_clusters": "root",
    "exfat": "type",
    "ntfs": "type",
}


@pytest.mark.parametrize("name", REFUSED)
def test_read_geometry_refuses_the_volumes_that_fatfs_refuses(name):
    sector = boot_sector(name)
    fault = examine_boot_sector(sector).faults[0]
    assert fault.field == REFUSED[name]
    with pytest.raises(FatError) as caught:
        read_geometry(sector)
    assert caught.value.result is FResult.NO_FILESYSTEM
    assert caught.value.errno == errno.ENODEV


def test_sectors_of_4096_bytes_are_refused():
    fault = examine_boot_sector(boot_sector("sector4096", 0)).faults[0]
    assert fault[:2] == ("BPB_BytsPerSec", 4096)
    assert "512" in str(fault.hint)


def sound(**options: object) -> bytearray:
    card = RamSectors(0x20000)
    format_volume(card, serial=1, clock=lambda: (0x21, 0), **options)  # type: ignore[arg-type]
    return bytearray(card.read(0, 1))


FAT32 = sound(fat_type=32)
FAT16 = sound(fat_type=16)


def changed(sector: bytes, at: int, value: bytes) -> bytes:
    copy = bytearray(sector)
    copy[at : at + len(value)] = value
    return bytes(copy)


@pytest.mark.parametrize(
    ("sector", "field", "value"),
    [
        (b"", "size", 0),
        (bytes(512), "signature", 0),
        (changed(FAT32, 0, b"\0"), "type", 0),
        (changed(FAT32, 82, b"fat32"), "type", 0xEB),
        (changed(FAT32, 11, b"\0\x04"), "BPB_BytsPerSec", 1024),
        (changed(FAT32, 16, b"\3"), "BPB_NumFATs", 3),
        (changed(FAT32, 16, b"\0"), "BPB_NumFATs", 0),
        (changed(FAT32, 13, b"\0"), "BPB_SecPerClus", 0),
        (changed(FAT16, 17, b"\x07\0"), "BPB_RootEntCnt", 7),
        (changed(FAT32, 14, b"\0\0"), "BPB_RsvdSecCnt", 0),
        (changed(FAT32, 32, b"\x20\0\0\0"), "size", 0x20),
        (changed(FAT32, 36, b"\xff\xff\xff\xff"), "size", 0x20000),
        (changed(FAT16, 17, b"\0\0"), "root", 0),
        (changed(FAT32, 42, b"\1"), "BPB_FSVer", 1),
        (changed(FAT32, 17, b"\x10\0"), "BPB_RootEntCnt", 16),
        (changed(FAT32, 36, b"\1\0\0\0"), "fat size", 1),
        (changed(FAT16, 22, b"\1\0"), "fat size", 1),
        (changed(changed(FAT32, 32, b"\xff\xff\xff\xff"), 13, b"\1"), "clusters", 0xFFFFFBDE),
    ],
)
def test_examine_boot_sector_names_the_first_wrong_field(sector, field, value):
    assert examine_boot_sector(sector).faults[0][:2] == (field, value)
    with pytest.raises(FatError):
        read_geometry(sector)


def test_examine_boot_sector_finds_all_faults_and_keeps_all_fields():
    damaged = changed(changed(changed(FAT32, 16, b"\3"), 14, b"\0\0"), 510, b"\0\0")
    report = examine_boot_sector(damaged)
    assert [fault.field for fault in report.faults] == [
        "signature", "BPB_NumFATs", "BPB_RsvdSecCnt",
    ]  # fmt: skip
    assert report.boot.pack() == damaged[: report.boot.size]
    assert report.wide.BS_FilSysType == b"FAT32   "
    assert report.fat_type == 32
    assert report.total_sectors == 0x20000


def test_examine_boot_sector_of_a_sound_volume_has_no_faults():
    report, geometry = examine_boot_sector(bytes(FAT16)), read_geometry(bytes(FAT16))
    assert report.faults == ()
    assert (report.fat_type, report.clusters) == (16, geometry.clusters)
    assert report.narrow.BS_VolID == geometry.serial == 1


def test_a_volume_without_room_for_a_cluster_is_refused():
    system = read_geometry(bytes(FAT16)).data_start
    small = changed(changed(FAT16, 32, bytes(4)), 19, system.to_bytes(2, "little"))
    assert examine_boot_sector(small).faults[0][:2] == ("clusters", 0)


@pytest.mark.parametrize("jump", [b"\xeb", b"\xe9", b"\xe8"])
def test_is_fat_accepts_three_jumps(jump):
    assert is_fat(changed(FAT32, 0, jump))


def test_is_fat_accepts_the_type_text_at_either_place():
    other = changed(FAT16, 54, b"\0\0\0")
    assert not is_fat(other)
    assert read_geometry(changed(other, 82, b"FAT32")).fat_type == 16


@pytest.mark.parametrize(
    ("clusters", "fat_type"), [(4085, 12), (4086, 16), (65525, 16), (65526, 32)]
)
def test_types_change_at_the_borders_of_fatfs(clusters, fat_type):
    """One more than in the specification: at 4085 and 65525 clusters others read another type."""
    reserved, fat_sectors, entries = 32, 600, 0 if fat_type == 32 else 512
    total = reserved + fat_sectors + entries // 16 + clusters
    sector = changed(FAT32, 13, b"\1")
    for at, value, size in (
        (14, reserved, 2),
        (16, 1, 1),
        (17, entries, 2),
        (19, 0, 2),
        (22, 0, 2),
        (32, total, 4),
        (36, fat_sectors, 4),
    ):
        sector = changed(sector, at, value.to_bytes(size, "little"))
    geometry = read_geometry(sector)
    assert (geometry.clusters, geometry.fat_type) == (clusters, fat_type)
    assert geometry.data_end == total
    assert geometry.n_fatent == clusters + 2


@pytest.mark.parametrize(
    ("fat_type", "clusters", "sectors"),
    [(12, 339, 1), (12, 340, 2), (16, 254, 1), (16, 255, 2), (32, 126, 1), (32, 127, 2)],
)
def test_fat_sectors_for_counts_two_entries_more_than_clusters(fat_type, clusters, sectors):
    assert fat_sectors_for(fat_type, clusters) == sectors


def test_label_and_serial_come_from_the_extension_of_the_type():
    card = RamSectors(0x20000)
    format_volume(card, serial=0x1234ABCD, label="mein gerät", hidden=77)
    geometry = read_geometry(card.read(0, 1))
    assert (geometry.fat_type, geometry.serial) == (16, 0x1234ABCD)
    assert (geometry.label, geometry.hidden, geometry.media) == ("MEIN GERÄT", 77, 0xF8)
    assert (geometry.oem_name, geometry.fsinfo_sector) == (b"MSDOS5.0", 0)


@given(st.lists(st.tuples(st.integers(0, 90), st.integers(0, 255)), max_size=6), st.booleans())
def test_any_boot_sector_is_read_or_refused_with_no_filesystem(changes, wide):
    sector = bytearray(FAT32 if wide else FAT16)
    for at, value in changes:
        sector[at] = value
    try:
        geometry = read_geometry(bytes(sector))
    except FatError as error:
        assert error.result is FResult.NO_FILESYSTEM
        return
    assert geometry.clusters >= 1
    assert geometry.data_end <= geometry.total_sectors
    assert geometry.fat_sectors >= fat_sectors_for(geometry.fat_type, geometry.clusters)


@given(st.binary(min_size=512, max_size=512))
def test_any_sector_without_signature_is_refused(sector):
    with pytest.raises(FatError):
        read_geometry(sector[:510] + b"\0\0")
    assert examine_boot_sector(sector).boot.pack() == sector[:36]
