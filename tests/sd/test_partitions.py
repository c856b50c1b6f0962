"""Partition tables: read defensively, planned, made."""

from __future__ import annotations

import struct
import uuid
from binascii import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fat.cards import FOLDERS, load_card, manifest
from maixfs.errors import UsageError
from maixfs.sd import GptPartition, RamSectors, SectorError
from maixfs.sd.mbr import (
    CHS_SECTORS,
    Partition,
    boundary_unit,
    chs,
    make_mbr,
    partition_type,
    plan_partitions,
)
from maixfs.sd.partitions import MAX_LOGICAL, PartitionTable, read_partitions

MIB = 2048
GIB = 1 << 21


def places(table: PartitionTable) -> dict[object, tuple[int, int, int]]:
    return {
        part.number: (part.type_byte or 0, part.start, part.sectors) for part in table.partitions
    }


@pytest.mark.parametrize("name", FOLDERS)
def test_read_partitions_of_golden_cards(name):
    table = read_partitions(load_card(name))
    expected = {
        part["slot"]: (int(part["type"], 16), part["start"], part["sectors"])
        for part in manifest(name)["partitions"]
        if isinstance(part["slot"], int) and part["slot"] > 0
    }
    if name == "no_55aa":
        assert not table.signature
        assert table.slots == tuple(Partition(slot, 0, 0, 0) for slot in (1, 2, 3, 4))
        assert places(table) == expected
    elif name == "gpt":
        assert {slot.type for slot in table.used} == {0xEE}
        assert table.gpt is not None
    elif not table.superfloppy:
        assert places(table) == expected
        assert table.gpt is None
    assert table.superfloppy == (name in ("superfloppy", "superfloppy_ff", "sector4096"))
    assert table.blank == (name == "blank")
    assert table.notes == ()


def test_read_partitions_reads_the_gpt_of_a_golden_card():
    gpt = read_partitions(load_card("gpt")).gpt
    assert gpt is not None
    assert (gpt.intact, gpt.backup) == (True, False)
    (part,) = gpt.partitions
    assert (part.number, part.start, part.end) == (1, 2048, 2048 + part.sectors)
    assert "FAT" in part.type_name


def test_logical_partitions_of_a_golden_card():
    table = read_partitions(load_card("extended"))
    assert [part.number for part in table.logical] == [5]
    assert [part.extended for part in table.used] == [False, True]
    assert [part.type_name for part in table.used] == ["FAT32 (LBA)", "extended (LBA)"]


def entry(kind: int, start: int, sectors: int, status: int = 0) -> bytes:
    return struct.pack("<B3sB3sII", status, b"", kind, b"", start, sectors)


def sector(*entries: bytes) -> bytes:
    return bytes(446) + b"".join(entries).ljust(64, b"\0") + b"\x55\xaa"


def extended(*records: tuple[int, bytes]) -> PartitionTable:
    card = RamSectors(10000)
    card.write(0, sector(entry(0x05, 100, 9000)))
    for at, record in records:
        card.write(at, record)
    return read_partitions(card)


def test_logical_partitions_count_from_their_records():
    table = extended(
        (100, sector(entry(0x0B, 10, 50), entry(0x05, 500, 100))),
        (600, sector(entry(0x83, 10, 60), entry(0x05, 700, 100))),
        (800, sector(entry(0x0C, 10, 70))),
    )
    assert [(part.number, part.type_byte, part.start, part.sectors) for part in table.logical] == [
        (5, 0x0B, 110, 50),
        (6, 0x83, 610, 60),
        (7, 0x0C, 810, 70),
    ]
    assert table.notes == ()


def test_loop_of_extended_boot_records_ends_with_a_note():
    table = extended(
        (100, sector(entry(0x0B, 10, 50), entry(0x05, 500, 100))),
        (600, sector(entry(0x0B, 10, 50), entry(0x05, 500, 100))),
    )
    assert len(table.logical) == 2
    assert "0x64" in table.notes[0]


def test_logical_partitions_are_limited():
    links = [
        (100 + number, sector(entry(0x0B, 1, 1), entry(0x05, number + 1, 1)))
        for number in range(300)
    ]
    table = extended(*links)
    assert len(table.logical) == MAX_LOGICAL
    assert "0x64" in table.notes[0]


@pytest.mark.parametrize(
    ("record", "address"),
    [
        (bytes(512), "0x64"),
        (sector(entry(0x0B, 10, 50), entry(0x05, 99999, 1)), "0x18703"),
    ],
)
def test_broken_chain_of_boot_records_is_noted(record, address):
    (note,) = extended((100, record)).notes
    assert address in note


def test_extended_partition_without_a_place_is_not_followed():
    card = RamSectors(100)
    card.write(0, sector(entry(0x05, 0, 50)))
    table = read_partitions(card)
    assert table.logical == ()
    assert len(table.notes) == 1


def test_contradictions_of_a_table_are_noted():
    card = RamSectors(1000)
    card.write(0, sector(entry(0x0C, 10, 100, 0x07), entry(0x0C, 50, 100), entry(6, 500, 501)))
    (status,) = read_partitions(card).notes
    assert "partition 1" in status


def test_protective_partition_may_end_past_the_card():
    card = RamSectors(1000)
    card.write(0, sector(entry(0xEE, 1, 0xFFFFFFFF)))
    assert read_partitions(card).notes == ()


def test_read_partitions_raises_if_sector_0_is_unreadable():
    class Dead(RamSectors):
        def peek(self, sector, count):
            raise SectorError("no answer")

    with pytest.raises(SectorError):
        read_partitions(Dead(8))


KIND = uuid.UUID("EBD0A0A2-B9E5-4433-87C0-68B6B72699C7").bytes_le


def gpt_card(names: list[str], *, copy: bool = True) -> RamSectors:
    card = RamSectors(5000)
    table = b"".join(
        struct.pack(
            "<16s16sQQQ72s", KIND, bytes([number] * 16), 100 * number, 100 * number + 99, 0,
            name.encode("utf-16-le"),
        )
        for number, name in enumerate(names, 1)
    ).ljust(128 * 128, b"\0")  # fmt: skip
    for lba, other, entries in ((1, 4999, 2), (4999, 1, 4967)):
        if lba == 1 or copy:
            fields = [b"EFI PART", 0x10000, 92, 0, 0, lba, other, 34, 4966, b"D" * 16, entries]
            tail = (128, 128, crc32(table))
            header = struct.pack("<8sIIIIQQQQ16sQIII", *fields, *tail)
            fields[3] = crc32(header)
            card.write(lba, struct.pack("<8sIIIIQQQQ16sQIII", *fields, *tail).ljust(512, b"\0"))
            card.write(entries, table)
    card.write(0, sector(entry(0xEE, 1, 4999)))
    return card


def flip(card: RamSectors, at: int, offset: int) -> None:
    content = bytearray(card.read(at, 1))
    content[offset] ^= 0xFF
    card.write(at, content)


def test_gpt_partitions_have_names_and_places():
    gpt = read_partitions(gpt_card(["KRUX", "daten ✓"])).gpt
    assert gpt is not None
    assert gpt.intact
    assert [(part.number, part.name, part.start, part.sectors) for part in gpt.partitions] == [
        (1, "KRUX", 100, 100),
        (2, "daten ✓", 200, 100),
    ]


@pytest.mark.parametrize(("at", "offset"), [(1, 24), (1, 16), (2, 40), (1, 80), (1, 84), (1, 12)])
def test_damaged_gpt_is_read_from_its_copy(at, offset):
    card = gpt_card(["KRUX"])
    flip(card, at, offset)
    gpt = read_partitions(card).gpt
    assert gpt is not None
    assert (gpt.intact, gpt.backup, gpt.partitions[0].name) == (True, True, "KRUX")


def test_gpt_with_an_impossible_header_size_is_not_intact():
    card = gpt_card(["KRUX"], copy=False)
    flip(card, 1, 13)
    gpt = read_partitions(card).gpt
    assert gpt is not None
    assert not gpt.intact


def test_gpt_with_unreadable_entries_has_no_partitions():
    class Broken(RamSectors):
        def peek(self, sector, count):
            if sector > 1:
                raise SectorError("no answer")
            return super().peek(sector, count)

    card = Broken(5000)
    card.write(0, gpt_card(["KRUX"]).read(0, 2))
    gpt = read_partitions(card).gpt
    assert gpt is not None
    assert (gpt.intact, gpt.partitions) == (False, ())


def test_gpt_partition_of_unknown_type_is_named_by_its_guid():
    assert GptPartition(1, "", "1234", 5, 6).type_name == "1234"


def test_damaged_gpt_without_a_copy_is_not_intact():
    card = gpt_card(["KRUX"], copy=False)
    flip(card, 1, 24)
    gpt = read_partitions(card).gpt
    assert gpt is not None
    assert (gpt.intact, gpt.backup, gpt.partitions[0].name) == (False, False, "KRUX")


def test_gpt_copy_alone_is_ignored():
    card = gpt_card(["KRUX"])
    card.write(0, bytes(1024))
    assert read_partitions(card).blank


def test_plan_starts_at_one_mebibyte_and_aligns_to_it():
    plan = plan_partitions(32 * GIB, ["512M", "25%", "rest"])
    assert [part.slot for part in plan] == [1, 2, 3]
    assert (plan[0].start, plan[0].sectors) == (MIB, 512 * MIB)
    assert plan[1].start == 513 * MIB
    assert plan[1].sectors == (32 * GIB - MIB) // 4 // MIB * MIB
    assert plan[2].end == 32 * GIB
    assert all(part.start % MIB == 0 for part in plan)
    assert [part.type for part in plan] == [0x0B, 0x0C, 0x0C]


@pytest.mark.parametrize(
    ("sizes", "lengths"),
    [
        (["rest"], [999 * MIB]),
        (["50%", "50%"], [499 * MIB, 499 * MIB]),
        (["rest", "100M"], [899 * MIB, 100 * MIB]),
        (["100M", "rest", "1"], None),
        ([512 * 5000, "1.5MiB", "rest"], [5000, 3072, 994 * MIB]),
        (["100k", "1 M", "2mb", "3MiB"], [200, MIB, 2 * MIB, 3 * MIB]),
    ],
)
def test_plan_sizes_are_parsed(sizes, lengths):
    if lengths is None:
        with pytest.raises(UsageError):
            plan_partitions(1000 * MIB, sizes)
    else:
        plan = plan_partitions(1000 * MIB, sizes)
        assert [part.sectors for part in plan] == lengths


@pytest.mark.parametrize(
    ("sectors", "unit"),
    [
        (8 * MIB, 16),
        (64 * MIB, 32),
        (256 * MIB, 64),
        (GIB, 128),
        (2 * GIB, 128),
        (32 * GIB, 8192),
        (128 * GIB, 32768),
        (512 * GIB, 65536),
        (2048 * GIB - 1, 131072),
    ],
)
def test_boundary_unit_depends_on_capacity(sectors, unit):
    assert boundary_unit(sectors) == unit
    (part,) = plan_partitions(sectors, ["rest"], align="sda")
    assert (part.start, part.end) == (unit, sectors)


@pytest.mark.parametrize(
    ("sectors", "sizes", "fragment"),
    [
        (100 * MIB, [], "0"),
        (100 * MIB, ["1M"] * 5, "5"),
        (100 * MIB, ["rest", "rest"], "rest"),
        (100 * MIB, ["100M"], "206848.*204800"),
        (100 * MIB, ["60M", "60M"], "204800"),
        (100 * MIB, ["99M", "rest"], "204800"),
        (100 * MIB, ["x"], "'x'"),
        (100 * MIB, ["0"], "'0'"),
        (100 * MIB, ["-5M"], "'-5M'"),
        (100 * MIB, ["1e3%"], "'1e3%'"),
        (100 * MIB, ["0.1%"], "'0.1%'"),
        (MIB, ["rest"], "2048"),
        (1 << 32, ["rest"], "4294967296"),
    ],
)
def test_plan_with_invalid_sizes_raises_usage_error(sectors, sizes, fragment):
    with pytest.raises(UsageError, match=fragment):
        plan_partitions(sectors, sizes)


def test_plan_with_unknown_alignment_raises_usage_error():
    with pytest.raises(UsageError, match="cylinder"):
        plan_partitions(100 * MIB, ["rest"], align="cylinder")


def test_made_mbr_is_read_back():
    plan = plan_partitions(16 * GIB, ["1G", "2G", "rest"])
    plan[0] = plan[0]._replace(bootable=True)
    card = RamSectors(16 * GIB)
    card.write(0, make_mbr(plan, disk_id=0xDEADBEEF))
    table = read_partitions(card)
    assert table.used == tuple(plan)
    assert (table.disk_id, table.notes) == (0xDEADBEEF, ())
    card.write(0, make_mbr(plan))
    assert read_partitions(card).used == tuple(plan)


def test_made_mbr_keeps_free_slots_and_boot_code():
    made = make_mbr([Partition(3, 0x0C, 2048, 4096)], disk_id=0, boot_code=b"\x90" * 440)
    card = RamSectors(10000)
    card.write(0, made)
    assert read_partitions(card).used == (Partition(3, 0x0C, 2048, 4096),)
    assert made[:440] == b"\x90" * 440


@pytest.mark.parametrize(
    ("at", "field"),
    [
        (0, b"\x00\x01\x00"),
        (63, b"\x01\x01\x00"),
        (2048, b"\x20\x21\x00"),
        (63 * 255 * 300, b"\x00\x41\x2c"),
        (CHS_SECTORS - 1, b"\xfe\xff\xff"),
        (CHS_SECTORS, b"\xfe\xff\xff"),
        (1 << 31, b"\xfe\xff\xff"),
    ],
)
def test_chs_counts_255_heads_and_63_sectors(at, field):
    assert chs(at) == field


@pytest.mark.parametrize(
    ("fat_type", "start", "sectors", "kind"),
    [
        (12, 63, 2880, 0x01),
        (12, 63, 70000, 0x06),
        (16, 2048, 65535, 0x04),
        (16, 2048, 65536, 0x06),
        (16, CHS_SECTORS, 4096, 0x0E),
        (32, 2048, CHS_SECTORS - 2048, 0x0B),
        (32, 2048, CHS_SECTORS - 2047, 0x0C),
    ],
)
def test_partition_type_depends_on_chs_reach(fat_type, start, sectors, kind):
    assert partition_type(fat_type, start, sectors) == kind


def test_type_name_of_an_unknown_type_is_its_number():
    assert Partition(1, 0x77, 1, 1).type_name == "type 77"
    assert Partition(1, 0, 0, 0).type_name == "free"


@pytest.mark.parametrize(
    ("partitions", "fragment"),
    [
        ([Partition(1, 0x0C, 10, 10), Partition(2, 0x0C, 19, 10)], "1 and 2"),
        ([Partition(1, 0x0C, 10, 10), Partition(1, 0x0C, 30, 10)], "slot"),
        ([Partition(5, 0x0C, 10, 10)], "partition 5"),
        ([Partition(1, 0x0C, 0, 10)], "from 0"),
        ([Partition(1, 0x0C, 10, 0)], "0 sectors"),
        ([Partition(1, 0, 10, 10)], "0x0"),
        ([Partition(1, 0x0C, 10, 1 << 32)], "4294967296"),
    ],
)
def test_make_mbr_with_invalid_partitions_raises_usage_error(partitions, fragment):
    with pytest.raises(UsageError, match=fragment):
        make_mbr(partitions)


def test_make_mbr_with_long_boot_code_raises_usage_error():
    with pytest.raises(UsageError, match="441"):
        make_mbr([], boot_code=bytes(441))


ENTRY = st.builds(
    entry,
    st.sampled_from([0, 5, 0x0C, 0x0F, 0xEE]),
    st.integers(0, 40) | st.integers(0, 0xFFFFFFFF),
    st.integers(0, 40) | st.integers(0, 0xFFFFFFFF),
    st.sampled_from([0, 0x80, 1]),
)


@given(st.dictionaries(st.integers(0, 39), st.lists(ENTRY, max_size=4), max_size=20))
def test_read_partitions_accepts_any_boot_records(records):
    card = RamSectors(40)
    for at, entries in records.items():
        card.write(at, sector(*entries))
    table = read_partitions(card)
    assert len(table.slots) == 4
    assert len(table.logical) <= MAX_LOGICAL


@given(st.binary(max_size=84), st.binary(max_size=512))
def test_read_gpt_accepts_any_header_and_entries(header, table):
    card = RamSectors(40)
    card.write(1, (b"EFI PART" + header).ljust(512, b"\0"))
    card.write(2, table.ljust(512, b"\0"))
    assert read_partitions(card).gpt is not None


SIZE = st.integers(512, 300 * MIB * 512) | st.sampled_from(["10M", "33%", "rest", "1k", "0.5G"])


@given(st.integers(16, 4 * GIB), st.lists(SIZE, max_size=5), st.sampled_from(["1MiB", "sda"]))
def test_plan_fits_the_card_or_raises(sectors, requests, align):
    try:
        plan = plan_partitions(sectors, requests, align=align)
    except UsageError:
        return
    assert len(plan) == len(requests)
    assert plan[-1].end <= sectors
    card = RamSectors(sectors)
    card.write(0, make_mbr(plan, disk_id=1))
    table = read_partitions(card)
    assert table.used == tuple(plan)
    assert table.notes == ()


def test_lost_table_leads_to_the_volumes_at_the_usual_starts() -> None:
    card = load_card("part1_0c")
    (part,) = read_partitions(card).partitions
    card.write(0, bytes(512))
    table = read_partitions(card)
    assert (table.scheme, table.lost, table.blank) == ("none", True, False)
    assert [(found.number, found.start) for found in table.partitions] == [(1, part.start)]


def test_whole_card_volume_has_number_0() -> None:
    table = read_partitions(load_card("superfloppy"))
    assert [(part.number, part.scheme, part.start) for part in table.partitions] == [
        (0, "none", 0)
    ]


def test_gpt_partitions_are_numbered_in_their_order() -> None:
    table = read_partitions(gpt_card(["KRUX", "data"]))
    assert table.scheme == "GPT"
    assert [(part.number, part.start) for part in table.partitions] == [(1, 100), (2, 200)]


def test_slots_beside_the_protective_one_win_over_a_gpt() -> None:
    card = gpt_card(["KRUX"])
    card.write(0, sector(entry(0x0C, 300, 400)))
    table = read_partitions(card)
    assert table.gpt is not None
    assert [(part.scheme, part.start) for part in table.partitions] == [("MBR", 300)]
