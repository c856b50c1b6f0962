"""CRCs and registers: vectors of the specification, and registers of real cards."""

from __future__ import annotations

import errno

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maixfs.sd import CardKind, Cid, RamSectors, SdCard, SdError, parse_cid, parse_csd
from maixfs.sd.card import SCR, SD_STATUS, kind_of_size, unpack_register
from maixfs.sd.clock import byte_time
from maixfs.sd.commands import (
    crc7,
    crc16,
    explain_r1,
    explain_status,
    explain_token,
    frame,
    parse_frame,
)


@pytest.mark.parametrize(
    ("command", "argument", "expected"),
    [(0, 0, 0x95), (8, 0x1AA, 0x87), (17, 0, 0x55), (55, 0, 0x65), (41, 0x40000000, 0x77)],
)
def test_frame_ends_with_the_crc7_of_the_specification(
    command: int, argument: int, expected: int
) -> None:
    sent = frame(command, argument)
    assert sent[5] == expected
    assert len(sent) == 6


def test_parse_frame_returns_what_frame_packed_and_detects_damage() -> None:
    sent = frame(17, 0x12345678)
    assert parse_frame(sent) == (17, 0x12345678, True)
    damaged = sent[:4] + bytes([sent[4] ^ 1]) + sent[5:]
    assert parse_frame(damaged) == (17, 0x12345679, False)


def test_crcs_equal_the_specification() -> None:
    assert crc7(bytes.fromhex("4000000000")) == 0x4A
    assert crc7(bytes.fromhex("5100000000")) == 0x2A
    assert crc7(bytes.fromhex("1100000900")) == 0x33  # the response to CMD17
    assert crc16(b"\xff" * 512) == 0x7FA1
    assert crc16(b"123456789") == 0x31C3


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.binary(min_size=1, max_size=600), st.integers(0, 4799))
def test_crcs_detect_a_flipped_bit(data: bytes, bit: int) -> None:
    bit %= len(data) * 8
    flipped = (int.from_bytes(data, "big") ^ 1 << bit).to_bytes(len(data), "big")
    assert crc16(flipped) != crc16(data)
    assert crc7(flipped[:16]) != crc7(data[:16]) or flipped[:16] == data[:16]
    assert crc16(data + crc16(data).to_bytes(2, "big")) == 0


@pytest.mark.parametrize(
    ("kind", "sectors"),
    [
        (CardKind.SDSC_V1, 4),
        (CardKind.SDSC_V1, 1 << 17),  # 64 MiB
        (CardKind.SDSC_V2, 1 << 21),  # 1 GiB, the most with blocks of 512 bytes
        (CardKind.SDSC_V2, 2 << 21),  # 2 GiB: blocks of 1024
        (CardKind.SDSC_V2, 4 << 21),  # 4 GiB: blocks of 2048
        (CardKind.MMC, 1 << 16),
        (CardKind.SDHC, 1024),
        (CardKind.SDHC, 8 << 21),
        (CardKind.SDXC, 128 << 21),
        (CardKind.SDXC, 2048 << 21),  # 2 TiB: all bits of C_SIZE set
    ],
)
def test_csd_states_the_capacity_of_each_kind(kind: CardKind, sectors: int) -> None:
    card = SdCard(RamSectors(sectors), kind)
    csd = parse_csd(card.csd, mmc=kind is CardKind.MMC)
    assert csd.sectors == card.sectors == sectors
    assert csd.crc_ok
    assert csd.max_hz == 25_000_000
    assert csd.version == (2 if kind.by_blocks else 1)
    assert not csd.permanent_protect
    assert not csd.temporary_protect


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.integers(1024, 2048 << 21))
def test_capacity_is_rounded_to_what_the_csd_expresses(sectors: int) -> None:
    card = SdCard(RamSectors(sectors))
    lost = 1024 if card.kind.by_blocks else max(4, sectors >> 11)
    assert 0 <= sectors - card.sectors < lost
    assert card.kind is kind_of_size(sectors)


def test_impossible_cards_raise_einval() -> None:
    for sectors, kind in (
        ((2048 << 21) + 1, None),
        (128 << 21, CardKind.SDHC),
        (1023, CardKind.SDHC),
        (3, None),
    ):
        with pytest.raises(SdError) as caught:
            SdCard(RamSectors(sectors), kind)
        assert caught.value.errno == errno.EINVAL


def test_wrong_types_of_a_card_raise_type_error() -> None:
    with pytest.raises(TypeError):
        SdCard("card.img")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        SdCard(RamSectors(4096), "SDHC")  # type: ignore[arg-type]


def test_str_of_a_card_names_kind_and_size() -> None:
    assert str(SdCard(RamSectors(128 << 21))) == "SDXC card of 268435456 sectors"


@pytest.mark.parametrize(
    ("raw", "version", "sectors"),
    [
        ("400e00325b590003a5df7f800a400007", 2, 239_072 << 10),  # Kingston, 128 GB
        ("400e00325b59000076b27f800a404013", 2, 30_387 << 10),  # SanDisk, 16 GB
        ("002600325f5a83c93efbcfff928040cb", 1, 3_877 << 10),  # SanDisk, 2 GB
        ("002d00325b5a83d5fefbff80168000cf", 1, 3_928 << 10),  # Kingston, 2 GB
    ],
)
def test_parse_csd_of_real_cards(raw: str, version: int, sectors: int) -> None:
    csd = parse_csd(bytes.fromhex(raw))
    assert (csd.version, csd.sectors, csd.max_hz) == (version, sectors, 25_000_000)
    assert csd.crc_ok


def test_parse_cid_of_a_real_card() -> None:
    raw = bytes.fromhex("0353445355303847800204968f00c560")
    assert parse_cid(raw) == Cid(3, "SD", "SU08G", "8.0", 0x0204968F, 2012, 5)


def test_invalid_registers_raise_sd_error() -> None:
    with pytest.raises(SdError, match="ff" * 16):
        parse_csd(b"\xff" * 16)
    for parse in (parse_csd, parse_cid):
        with pytest.raises(SdError):
            parse(bytes(15))
    assert not parse_csd(bytes(16)).crc_ok
    # Version 3 (SDUC) is decoded too, although such cards have no SPI mode.
    assert parse_csd(b"\x80" + bytes(15)).version == 3


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.binary(min_size=16, max_size=16), st.booleans())
def test_parsers_accept_any_bytes_or_raise_sd_error(raw: bytes, mmc: bool) -> None:
    parse_cid(raw, mmc=mmc)
    try:
        parse_csd(raw, mmc=mmc)
    except SdError:
        assert raw[0] >> 6 == 3


@pytest.mark.parametrize("mmc", [False, True])
def test_packed_cid_is_parsed_back(mmc: bool) -> None:
    name = "ABCDEF" if mmc else "SU08G"
    cid = Cid(3, "SD", name, "8.0", 0x12345678, 2008, 11)
    assert parse_cid(cid.pack(mmc=mmc), mmc=mmc) == cid
    assert parse_cid(bytes(16)).name == "....."


def test_packed_cid_cuts_and_pads_its_text() -> None:
    cid = Cid(0x1FF, "TOOLONG", "A", "1", 1 << 32, 2026, 12)
    assert parse_cid(cid.pack()) == Cid(0xFF, "TO", "A    ", "1.0", 0, 2026, 12)
    # The register of the real card above; the host that printed it left out the end bit.
    assert Cid(3, "SD", "SU08G", "8.0", 0x0204968F, 2012, 5).pack().hex() == (
        "0353445355303847800204968f00c561"
    )


def test_scr_and_sd_status_of_a_card() -> None:
    card = SdCard(RamSectors(128 << 21))
    assert unpack_register(SCR, card.scr)["SD_SPEC3"] == 1
    assert unpack_register(SCR, card.scr)["DATA_STAT_AFTER_ERASE"] == 0
    assert unpack_register(SD_STATUS, card.sd_status)["SPEED_CLASS"] == 4
    assert byte_time(25_000_000) == 320
    assert byte_time(200_000) == 40_000


def test_responses_are_named_by_their_bits() -> None:
    assert explain_r1(0x05) == "answers 0x05 (idle, illegal command)"
    assert explain_r1(0x00) == "answers 0x00 (ready)"
    assert explain_r1(0xFF) == "gives no response (0xFF)"
    assert explain_token(0x08) == "sends the error token 0x08 (out of range)"
    assert explain_token(0x00) == "sends the error token 0x00 (no error)"
    assert explain_token(0x7E) == "sends 0x7E, which is not a token"
    assert explain_token(0xFF) == "sends nothing (0xFF)"
    assert explain_status(0x24) == "0x24 (error, write-protected)"
    assert explain_status(0) == "0x00 (no error)"
