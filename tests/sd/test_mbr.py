"""Partition tables: read without belief, made with care."""

from __future__ import annotations

import struct
import uuid
from binascii import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fat.cards import FOLDERS, load_card, manifest
from maixfs.errors import UsageError
from maixfs.sd import RamSectors, SectorError
from maixfs.sd.mbr import (
    CHS_SECTORS,
    MAX_LOGICAL,
    Mbr,
    Partition,
    boundary_unit,
    chs,
    make_mbr,
    partition_type,
    plan_partitions,
    read_mbr,
)

MIB = 2048
GIB = 1 << 21


def places(table: Mbr) -> dict[object, tuple[int, int, int]]:
    found = table.used + table.logical
    return {part.slot: (part.type, part.start, part.sectors) for part in found}


@pytest.mark.parametrize("name", FOLDERS)
def test_the_tables_of_the_corpus_are_read(name):
    table = read_mbr(load_card(name))
    expected = {
        part["slot"]: (int(part["type"], 16), part["start"], part["sectors"])
        for part in manifest(name)["partitions"]
        if isinstance(part["slot"], int) and part["slot"] > 0
    }
    if name == "no_55aa":
        assert not table.signature
        assert table.slots == tuple(Partition(slot, 0, 0, 0) for slot in (1, 2, 3, 4))
        assert table.unsigned == (Partition(1, *expected[1]),)
    elif name == "gpt":
        assert {slot.type for slot in table.used} == {0xEE}
        assert table.gpt is not None
    else:
        assert places(table) == expected
        assert table.gpt is None
        assert table.unsigned == ()
    assert table.superfloppy == (name in ("superfloppy", "superfloppy_ff", "sector4096"))
    assert table.blank == (name in ("blank", "no_55aa"))
    assert bool(table.notes) == (name == "part_past_end")


def test_a_guid_partition_table_is_named():
    gpt = read_mbr(load_card("gpt")).gpt
    assert gpt is not None
    assert (gpt.intact, gpt.backup) == (True, False)
    (part,) = gpt.partitions
    assert (part.number, part.start, part.end) == (1, 2048, 2048 + part.sectors)
    assert "FAT" in part.type_name


def test_logical_partitions_are_listed_and_said_to_be_extended():
    table = read_mbr(load_card("extended"))
    assert [part.slot for part in table.logical] == [5]
    assert [part.extended for part in table.used] == [False, True]
    assert [part.type_name for part in table.used] == ["FAT32 (LBA)", "extended (LBA)"]


def entry(kind: int, start: int, sectors: int, status: int = 0) -> bytes:
    return struct.pack("<B3sB3sII", status, b"", kind, b"", start, sectors)


def sector(*entries: bytes) -> bytes:
    return bytes(446) + b"".join(entries).ljust(64, b"\0") + b"\x55\xaa"


def extended(*records: tuple[int, bytes]) -> Mbr:
    card = RamSectors(10000)
    card.write(0, sector(entry(0x05, 100, 9000)))
    for at, record in records:
        card.write(at, record)
    return read_mbr(card)


def test_a_chain_of_extended_boot_records_is_followed():
    table = extended(
        (100, sector(entry(0x0B, 10, 50), entry(0x05, 500, 100))),
        (600, sector(entry(0x83, 10, 60), entry(0x05, 700, 100))),
        (800, sector(entry(0x0C, 10, 70))),
    )
    assert [(part.slot, part.type, part.start, part.sectors) for part in table.logical] == [
        (5, 0x0B, 110, 50),
        (6, 0x83, 610, 60),
        (7, 0x0C, 810, 70),
    ]
    assert table.notes == ()


def test_a_chain_that_bites_its_tail_ends_with_a_note():
    table = extended(
        (100, sector(entry(0x0B, 10, 50), entry(0x05, 500, 100))),
        (600, sector(entry(0x0B, 10, 50), entry(0x05, 500, 100))),
    )
    assert len(table.logical) == 2
    assert "has no end" in table.notes[0]


def test_a_long_chain_is_cut():
    links = [
        (100 + number, sector(entry(0x0B, 1, 1), entry(0x05, number + 1, 1)))
        for number in range(300)
    ]
    table = extended(*links)
    assert len(table.logical) == MAX_LOGICAL
    assert "has no end" in table.notes[0]


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (bytes(512), "55 AA"),
        (sector(entry(0x0B, 10, 50), entry(0x05, 99999, 1)), "cannot be read"),
    ],
)
def test_a_broken_chain_is_noted(record, words):
    assert words in extended((100, record)).notes[0]


def test_an_extended_partition_nowhere_is_not_followed():
    card = RamSectors(100)
    card.write(0, sector(entry(0x05, 0, 50)))
    table = read_mbr(card)
    assert table.logical == ()
    assert table.notes == ("partition 1 has no place on the card",)


def test_what_is_odd_is_noted():
    card = RamSectors(1000)
    card.write(0, sector(entry(0x0C, 10, 100, 0x07), entry(0x0C, 50, 100), entry(6, 500, 501)))
    assert read_mbr(card).notes == (
        "partition 1 has a status that is neither 00 nor 80",
        "partition 3 ends at sector 0x3e9, the card at 0x3e8",
        "partitions 1 and 2 overlap",
    )


def test_a_card_that_cannot_be_read_raises():
    class Dead(RamSectors):
        def peek(self, sector, count):
            raise SectorError("no answer")

    with pytest.raises(SectorError):
        read_mbr(Dead(8))


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


def test_names_of_a_guid_partition_table_are_read():
    gpt = read_mbr(gpt_card(["KRUX", "daten ✓"])).gpt
    assert gpt is not None
    assert gpt.intact
    assert [(part.number, part.name, part.start, part.sectors) for part in gpt.partitions] == [
        (1, "KRUX", 100, 100),
        (2, "daten ✓", 200, 100),
    ]


@pytest.mark.parametrize(("at", "offset"), [(1, 24), (1, 16), (2, 40), (1, 80), (1, 84), (1, 12)])
def test_a_damaged_guid_partition_table_is_read_from_its_copy(at, offset):
    card = gpt_card(["KRUX"])
    flip(card, at, offset)
    gpt = read_mbr(card).gpt
    assert gpt is not None
    assert (gpt.intact, gpt.backup, gpt.partitions[0].name) == (True, True, "KRUX")


def test_without_a_copy_the_damaged_one_is_shown_as_it_is():
    card = gpt_card(["KRUX"], copy=False)
    flip(card, 1, 24)
    gpt = read_mbr(card).gpt
    assert gpt is not None
    assert (gpt.intact, gpt.backup, gpt.partitions[0].name) == (False, False, "KRUX")


def test_a_forgotten_copy_alone_is_no_table():
    card = gpt_card(["KRUX"])
    card.write(0, bytes(1024))
    assert read_mbr(card).blank


def test_partitions_are_laid_out_with_a_mebibyte_in_front():
    plan = plan_partitions(32 * GIB, ["512M", "25%", "rest"])
    assert [part.slot for part in plan] == [1, 2, 3]
    assert (plan[0].start, plan[0].sectors) == (MIB, 512 * MIB)
    assert plan[1].start == 513 * MIB
    assert plan[1].sectors == (32 * GIB - MIB) // 4 // MIB * MIB
    assert plan[2].end == 32 * GIB
    assert all(part.start % MIB == 0 for part in plan)
    assert [part.type for part in plan] == [0x0B, 0x0C, 0x0C]


@pytest.mark.parametrize(
    ("wishes", "lengths"),
    [
        (["rest"], [999 * MIB]),
        (["50%", "50%"], [499 * MIB, 499 * MIB]),
        (["rest", "100M"], [899 * MIB, 100 * MIB]),
        (["100M", "rest", "1"], None),
        ([512 * 5000, "1.5MiB", "rest"], [5000, 3072, 994 * MIB]),
        (["100k", "1 M", "2mb", "3MiB"], [200, MIB, 2 * MIB, 3 * MIB]),
    ],
)
def test_sizes_are_understood(wishes, lengths):
    if lengths is None:
        with pytest.raises(UsageError, match="is not a size"):
            plan_partitions(1000 * MIB, wishes)
    else:
        plan = plan_partitions(1000 * MIB, wishes)
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
def test_the_sd_associations_boundary_goes_by_capacity(sectors, unit):
    assert boundary_unit(sectors) == unit
    (part,) = plan_partitions(sectors, ["rest"], align="sda")
    assert (part.start, part.end) == (unit, sectors)


@pytest.mark.parametrize(
    ("sectors", "wishes", "words"),
    [
        (100 * MIB, [], "one to 4"),
        (100 * MIB, ["1M"] * 5, "one to 4"),
        (100 * MIB, ["rest", "rest"], "only one"),
        (100 * MIB, ["100M"], "need 206848 sectors, the card has 204800"),
        (100 * MIB, ["60M", "60M"], "need"),
        (100 * MIB, ["99M", "rest"], "need"),
        (100 * MIB, ["x"], "is not a size"),
        (100 * MIB, ["0"], "is not a size"),
        (100 * MIB, ["-5M"], "is not a size"),
        (100 * MIB, ["1e3%"], "is not a size"),
        (100 * MIB, ["0.1%"], "is not a size"),
        (1 << 32, ["rest"], "too large"),
    ],
)
def test_wishes_that_do_not_fit_are_refused(sectors, wishes, words):
    with pytest.raises(UsageError, match=words):
        plan_partitions(sectors, wishes)


def test_an_unknown_alignment_is_refused():
    with pytest.raises(UsageError, match="1MiB, sda"):
        plan_partitions(100 * MIB, ["rest"], align="cylinder")


def test_a_table_that_was_made_is_read_back():
    plan = plan_partitions(16 * GIB, ["1G", "2G", "rest"])
    plan[0] = plan[0]._replace(bootable=True)
    card = RamSectors(16 * GIB)
    card.write(0, make_mbr(plan, disk_id=0xDEADBEEF))
    table = read_mbr(card)
    assert table.used == tuple(plan)
    assert (table.disk_id, table.notes) == (0xDEADBEEF, ())
    card.write(0, make_mbr(plan))
    assert read_mbr(card).used == tuple(plan)


def test_slots_may_be_left_free():
    made = make_mbr([Partition(3, 0x0C, 2048, 4096)], disk_id=0, boot_code=b"\x90" * 440)
    card = RamSectors(10000)
    card.write(0, made)
    assert read_mbr(card).used == (Partition(3, 0x0C, 2048, 4096),)
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
def test_chs_fields_are_those_of_255_heads_and_63_sectors(at, field):
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
def test_the_type_says_whether_chs_reaches(fat_type, start, sectors, kind):
    assert partition_type(fat_type, start, sectors) == kind


def test_a_type_without_a_name_is_its_number():
    assert Partition(1, 0x77, 1, 1).type_name == "type 77"
    assert Partition(1, 0, 0, 0).type_name == "free"


@pytest.mark.parametrize(
    ("partitions", "words"),
    [
        ([Partition(1, 0x0C, 10, 10), Partition(2, 0x0C, 19, 10)], "1 and 2 overlap"),
        ([Partition(1, 0x0C, 10, 10), Partition(1, 0x0C, 30, 10)], "same slot"),
        ([Partition(5, 0x0C, 10, 10)], "slots 1 to 4"),
        ([Partition(1, 0x0C, 0, 10)], "from 0 on"),
        ([Partition(1, 0x0C, 10, 0)], "0 sectors"),
        ([Partition(1, 0, 10, 10)], "type 0x0"),
        ([Partition(1, 0x0C, 10, 1 << 32)], "cannot have"),
    ],
)
def test_a_table_that_cannot_be_is_refused(partitions, words):
    with pytest.raises(UsageError, match=words):
        make_mbr(partitions)


def test_boot_code_that_is_too_long_is_refused():
    with pytest.raises(UsageError, match="boot code"):
        make_mbr([], boot_code=bytes(441))


ENTRY = st.builds(
    entry,
    st.sampled_from([0, 5, 0x0C, 0x0F, 0xEE]),
    st.integers(0, 40) | st.integers(0, 0xFFFFFFFF),
    st.integers(0, 40) | st.integers(0, 0xFFFFFFFF),
    st.sampled_from([0, 0x80, 1]),
)


@given(st.dictionaries(st.integers(0, 39), st.lists(ENTRY, max_size=4), max_size=20))
def test_any_tables_are_read(records):
    card = RamSectors(40)
    for at, entries in records.items():
        card.write(at, sector(*entries))
    table = read_mbr(card)
    assert len(table.slots) == 4
    assert len(table.logical) <= MAX_LOGICAL


@given(st.binary(max_size=84), st.binary(max_size=512))
def test_any_guid_partition_table_is_read(header, table):
    card = RamSectors(40)
    card.write(1, (b"EFI PART" + header).ljust(512, b"\0"))
    card.write(2, table.ljust(512, b"\0"))
    assert read_mbr(card).gpt is not None


SIZE = st.integers(512, 300 * MIB * 512) | st.sampled_from(["10M", "33%", "rest", "1k", "0.5G"])


@given(st.integers(16, 4 * GIB), st.lists(SIZE, max_size=5), st.sampled_from(["1MiB", "sda"]))
def test_a_plan_fits_or_is_refused(sectors, wishes, align):
    try:
        plan = plan_partitions(sectors, wishes, align=align)
    except UsageError:
        return
    assert len(plan) == len(wishes)
    assert plan[-1].end <= sectors
    card = RamSectors(sectors)
    card.write(0, make_mbr(plan, disk_id=1))
    table = read_mbr(card)
    assert table.used == tuple(plan)
    assert table.notes == ()
