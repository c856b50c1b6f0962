"""The table of parts, and the SFDP of a chip."""

from __future__ import annotations

import errno
from dataclasses import replace
from struct import pack, unpack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maixfs.nor import NorError, NorImageError, Part, find_part, identify, sfdp
from maixfs.nor.parts import part_for, parts

# The basic table of a real chip (dwords 1 to 16).
MX25L12833F = (
    0xFFF120E5, 0x07FFFFFF, 0x6B08EB44, 0xBB043B08, 0xFFFFFFFE, 0xFF00FFFF, 0xEB44FFFF, 0x520F200C,
    0xFF00D810, 0x00BD4182, 0xC67BE581, 0x38670344, 0xB030B030, 0x5CD5BDF7, 0xFF29BE4A, 0xFFFFD0E1,
)  # fmt: skip


@pytest.mark.parametrize("part", parts(), ids=lambda part: part.name)
def test_each_part_is_consistent(part: Part):
    assert len(part.jedec) == 3
    assert len(part.device) == 2
    assert part.jedec[0] == part.device[0]
    assert part.size == 1 << part.jedec[2] == 2 << part.device[1]
    for times in (part.typical, part.maximum):
        assert times.page < times.sector < times.block32 < times.block64 < times.chip
    assert part.typical.page < part.maximum.page
    assert part.typical.chip < part.maximum.chip
    assert part.endurance == 100_000
    assert part.max_hz >= 100_000_000
    assert part.ids_source
    assert part.times_source
    low, high = map(float, part.voltage.split("-"))
    assert 1.6 < low < high <= 3.6


def test_parts_are_found_by_id_name_and_alias():
    for part in parts():
        assert identify(part.jedec) is part
        assert find_part(part.name.lower()) is part
        for alias in part.aliases:
            assert find_part(alias) is part
    assert identify(b"\xff\xff\xff") is None
    with pytest.raises(NorError, match="'W25Q1'") as caught:
        find_part("W25Q1")
    assert caught.value.errno == errno.EINVAL
    assert "W25Q128FW" in caught.value.hint


def test_parts_with_times_of_another_chip_say_so():
    assert find_part("W25Q128JV").times_are_own
    assert not find_part("W25Q128FW").times_are_own


def test_names_and_ids_are_unique():
    names = [name for part in parts() for name in (part.name, *part.aliases)]
    assert len(set(names)) == len(names)
    assert len({part.jedec for part in parts()}) == len(parts())


def test_default_parts_are_for_1_8_volts():
    assert part_for(16 << 20).jedec.hex() == "ef6018"
    assert part_for(8 << 20).jedec.hex() == "ef6017"
    small = part_for(0x10000)
    assert (small.jedec.hex(), small.device.hex(), small.size) == ("ef6010", "ef0f", 0x10000)
    assert small.typical.chip < part_for(16 << 20).typical.chip


@pytest.mark.parametrize("part", parts(), ids=lambda part: part.name)
def test_sfdp_of_each_part_parses_to_its_values(part: Part):
    table = sfdp.build(part)
    assert len(table) == sfdp.SFDP_SIZE
    assert table[:4] == b"SFDP"
    read = sfdp.parse(lambda address, count: table[address : address + count])
    assert (read.size, read.page_size) == (part.size, 256)
    assert read.erases == {0x1000: 0x20, 0x8000: 0x52, 0x10000: 0xD8}
    for what, usual, longest in (
        ("page", part.typical.page, part.maximum.page),
        (0x1000, part.typical.sector, part.maximum.sector),
        (0x8000, part.typical.block32, part.maximum.block32),
        (0x10000, part.typical.block64, part.maximum.block64),
        ("chip", part.typical.chip, part.maximum.chip),
    ):
        assert usual <= read.typical[what] <= usual * 1.2
        assert longest <= read.maximum[what]


def test_sfdp_times_beyond_the_range_are_the_largest():
    part = find_part("W25Q128JV")
    assert part.resized(part.size) is part
    slow = replace(part, typical=replace(part.typical, chip=10**11))
    assert parse(sfdp.build(slow)).typical["chip"] == 32 * 64_000_000
    even = replace(part, maximum=part.typical)
    assert parse(sfdp.build(even)).maximum["page"] == 2 * parse(sfdp.build(even)).typical["page"]
    spread = replace(part, maximum=replace(part.maximum, sector=part.typical.sector * 100))
    assert (
        parse(sfdp.build(spread)).maximum[0x1000] == 32 * parse(sfdp.build(part)).typical[0x1000]
    )


def test_sfdp_of_a_real_chip_is_parsed():
    # Written with struct, not with the records under test.
    image = b"SFDP" + bytes([6, 1, 0, 0xFF]) + pack("<BBBBI", 0, 6, 1, 16, 0xFF000030)
    image = image.ljust(0x30, b"\xff") + pack("<16I", *MX25L12833F)
    read = sfdp.parse(lambda address, count: image[address : address + count])
    assert read.size == 16 << 20
    assert read.erases == {0x1000: 0x20, 0x8000: 0x52, 0x10000: 0xD8}
    part = find_part("MX25L12833F")
    assert read.typical == {
        0x1000: part.typical.sector,
        0x8000: part.typical.block32,
        0x10000: part.typical.block64,
        "page": part.typical.page,
        "chip": part.typical.chip,
    }
    assert read.maximum["page"] == part.maximum.page
    assert read.maximum[0x1000] == part.maximum.sector


def test_built_sfdp_has_the_dwords_of_jesd216b():
    table = sfdp.build(find_part("W25Q128FW"))
    assert table[:16].hex() == "53464450060100ff" + "00060110800000ff"
    assert table[16:0x80] == b"\xff" * 0x70
    dwords = unpack("<16I", table[0x80:0xC0])
    assert dwords == (
        0xFFF120E5, 0x07FFFFFF, 0x6B08EB44, 0xBB803B08, 0xFFFFFFEE, 0xFF00FFFF, 0xFF00FFFF,
        0x520F200C, 0xFF00D810,
        # 45, 120, 150 ms in units of 16 ms; the largest maximum is 14 times the typical time.
        6 | (1 << 5 | 2) << 4 | (1 << 5 | 7) << 11 | (1 << 5 | 9) << 18,
        # 400 us in units of 64 us, at most 8 times that; 40 s in units of 4 s; pages of 2^8.
        3 | 8 << 4 | (1 << 5 | 6) << 8 | (2 << 5 | 9) << 24 | 1 << 31,
        0x33E627EC, 0x757A757A, 0x5CD5A2F7, 0xFF500000, 0x00001008,
    )  # fmt: skip
    assert table[0xC0:] == b"\xff" * 0x40


def changed(dword: int, value: int, length: int = 16) -> bytes:
    """Return the SFDP of a 16 MiB chip with one dword and the table's length changed."""
    table = bytearray(sfdp.build(part_for(16 << 20)))
    table[11] = length
    place = sfdp.TABLE_ADDRESS + 4 * dword
    table[place : place + 4] = pack("<I", value)
    return bytes(table)


def parse(table: bytes) -> sfdp.Sfdp | None:
    return sfdp.parse(
        lambda address, count: table[address : address + count].ljust(count, b"\xff")
    )


def test_sfdp_of_nine_dwords_has_no_times():
    old = parse(changed(1, 0x07FFFFFF, length=9))
    assert (old.size, old.page_size, old.typical, old.maximum) == (16 << 20, 256, {}, {})
    assert old.erases == {0x1000: 0x20, 0x8000: 0x52, 0x10000: 0xD8}


def test_sfdp_density_with_bit_31_is_a_logarithm():
    assert parse(changed(1, 0x80000020)).size == 512 << 20


def test_sfdp_longer_than_16_dwords_is_parsed():
    assert parse(changed(15, 0, length=23)).size == 16 << 20


def test_sfdp_ignores_erase_sizes_of_2_gib_and_more():
    # Dword 8: the first erase type is 2^32 bytes, the second as before.
    assert parse(changed(7, 0x520F2020)).erases == {0x8000: 0x52, 0x10000: 0xD8}


@pytest.mark.parametrize(
    "table",
    [
        changed(1, 3),
        changed(1, 0xFFFFFFFF),
        changed(7, 0, length=8),
        changed(0, 0, length=8),
        bytes([*b"SFDP", 6, 1, 0, 0xFF, 0x84]) + bytes(20),
    ],
)
def test_impossible_sfdp_raises_nor_image_error(table):
    with pytest.raises(NorImageError) as caught:
        parse(table)
    assert caught.value.errno == errno.EINVAL


def test_sfdp_without_signature_is_none():
    assert parse(b"\xff" * 64) is None
    assert parse(bytes(64)) is None


@given(st.binary(max_size=0x100), st.booleans())
def test_sfdp_parse_raises_only_nor_image_error(noise, signed):
    try:
        read = parse(b"SFDP" + noise if signed else noise)
    except NorImageError:
        return
    assert read is None or read.size > 0
