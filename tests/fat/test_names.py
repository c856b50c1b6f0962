"""Names: conversion to short and long names, listed names, damaged long names.

The table and the digests come from FatFs R0.13c, compiled with the firmware's options.
"""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fat.cards import load_card
from maixfs.fat import ondisk
from maixfs.fat.codepage import (
    oem_capitals,
    oem_or_marks,
    oem_to_unicode,
    unicode_to_oem,
    units,
    upcase,
)
from maixfs.fat.errors import FatError, FResult
from maixfs.fat.names import (
    checksum,
    decode_long,
    listed_name,
    long_entries,
    make_name,
    numbered,
    read_long,
    short_oem,
    short_text,
    split_path,
)

# Name, short name, case bits, lossy, long entries needed, checksum, the sixth number's name.
NAMES = [
    ("file.txt", b"FILE    TXT", 24, False, False, 25, b"FIL~FDE0TXT"),
    ("FILE.TXT", b"FILE    TXT", 0, False, False, 25, b"FIL~ADFCTXT"),
    ("lower.TXT", b"LOWER   TXT", 8, False, False, 252, b"LOW~FE87TXT"),
    ("UPPER.txt", b"UPPER   TXT", 16, False, False, 51, b"UPP~C164TXT"),
    ("MiXed.Txt", b"MIXED   TXT", 0, False, True, 70, b"MIX~B837TXT"),
    ("README", b"README     ", 0, False, False, 150, b"REA~4149   "),
    ("noext", b"NOEXT      ", 8, False, False, 193, b"NOE~B581   "),
    ("a.b.c", b"AB      C  ", 0, True, True, 90, b"AB~2F67 C  "),
    ("1234.567", b"1234    567", 0, False, False, 39, b"1234~356567"),
    ("12345678.123", b"12345678123", 0, False, False, 122, b"123~5954123"),
    ("123456789.txt", b"12345678TXT", 0, True, True, 246, b"123~B5B4TXT"),
    ("12345678.1234", b"12345678123", 0, True, True, 122, b"123~8256123"),
    ("long file name.jpeg", b"LONGFILEJPE", 0, True, True, 222, b"LON~4DD3JPE"),
    (".hidden", b"        HID", 0, True, True, 186, b"~C83E   HID"),
    ("..two dots", b"        TWO", 0, True, True, 79, b"~595B   TWO"),
    (" lead.txt", b"LEAD    TXT", 0, True, True, 83, b"LEA~C983TXT"),
    ("trail. . ", b"TRAIL      ", 8, False, False, 128, b"TRA~2BAE   "),
    ("dot.in.the.middle.py", b"DOTINTHEPY ", 0, True, True, 128, b"DOT~789APY "),
    ("a+b,c;d=e[f].txt", b"A_B_C_D_TXT", 0, True, True, 137, b"A_B_~93ATXT"),
    ("x y.z", b"XY      Z  ", 0, True, True, 49, b"XY~1D4  Z  "),
    ("con", b"CON        ", 8, False, False, 190, b"CON~96DF   "),
    ("~weird~1.t~x", b"~WEIRD~1T~X", 24, False, False, 52, b"~WE~D12ET~X"),
    ("boot.py", b"BOOT    PY ", 24, False, False, 134, b"BOO~5C79PY "),
    ("cover.boot.py", b"COVERBOOPY ", 0, True, True, 116, b"COV~B22BPY "),
    ("Kamera.JPG", b"KAMERA  JPG", 0, False, True, 130, b"KAM~1AE9JPG"),
    ("UPPER lower.TXT", b"UPPERLOWTXT", 0, True, True, 238, b"UPP~64EFTXT"),
    ("é.txt", b"E       TXT", 0, False, True, 94, b"E~85F0  TXT"),
    ("Éclair.TXT", b"\x90CLAIR  TXT", 0, False, True, 98, b"\x90CL~F50CTXT"),
    ("naïve café.md", b"NAIVECAFMD ", 0, True, True, 137, b"NAI~BC48MD "),
    ("σ.txt", b"\x05       TXT", 0, False, True, 142, b"\x05~37EC  TXT"),
    ("ÿÖß.αβ", b"Y\x99\xe1     \xe0_ ", 0, True, True, 206, b"Y\x99\xe1~E435\xe0_ "),
    ("日本語.txt", b"___     TXT", 0, True, True, 187, b"___~EF12TXT"),
    ("😀.txt", b"__      TXT", 0, True, True, 251, b"__~1F7B TXT"),
    ("\u0178.txt", b"_       TXT", 0, True, True, 219, b"_~8A81  TXT"),
    ("a" * 255, b"AAAAAAAA   ", 0, True, True, 162, b"AAA~C81D   "),
    ("\u1e9e", b"_          ", 0, True, True, 254, b"_~19BE     "),
    ("A.", b"A          ", 0, False, False, 128, b"A~E2C6     "),
    ("longfile.textual", b"LONGFILETEX", 0, True, True, 238, b"LON~A2CBTEX"),
    ("tab1.2.3", b"TAB12   3  ", 0, True, True, 164, b"TAB~8DAA3  "),
    ("!#$%&'()-@^_`{}~.ok", b"!#$%&'()OK ", 0, True, True, 16, b"!#$~98AAOK "),
]
CASES = pytest.mark.parametrize(
    ("name", "short", "nt", "lossy", "long", "check", "sixth"), NAMES, ids=ascii
)
ANY_TEXT = st.text(st.characters(codec=None), max_size=300)


@CASES
def test_make_name_gives_the_names_of_fatfs(name, short, nt, lossy, long, check, sixth):
    made = make_name(name)
    stripped = name.rstrip(" .")
    assert made == (stripped, short, nt, lossy, long, False, upcase(stripped))
    assert checksum(short) == check
    assert numbered(short, made.long, 6) == sixth


@pytest.mark.parametrize("name", [row[0] for row in NAMES if unicode_to_oem(row[0])], ids=ascii)
def test_make_name_of_bytes_equals_that_of_text(name):
    assert make_name(name.encode("cp437")) == make_name(name)


@pytest.mark.parametrize(
    ("n", "expected"),
    [(1, b"LONGFI~1TEX"), (5, b"LONGFI~5TEX"), (6, b"LON~A2CBTEX"), (99, b"LON~6D75TEX")],
)
def test_numbered_is_plain_up_to_five_and_a_hash_from_six(n, expected):
    assert numbered(b"LONGFILETEX", "longfile.textual", n) == expected


def test_make_name_keeps_dot_and_dotdot():
    assert make_name(".") == (".", b".          ", 0, False, False, True, ".")
    assert make_name(b"..") == ("..", b"..         ", 0, False, False, True, "..")


@pytest.mark.parametrize(
    "bad", ['a"b', "a*", ":", "<>", "a?", "a|b", "\x7f", "a\x01b", "a/b", "\\"]
)
def test_make_name_refuses_forbidden_characters(bad):
    with pytest.raises(FatError) as caught:
        make_name(bad)
    assert caught.value.result is FResult.INVALID_NAME


@pytest.mark.parametrize("bad", ["", "...", " . ", b"", b". .", "b" * 256, "😀" * 128])
def test_make_name_refuses_empty_and_too_long_names(bad):
    with pytest.raises(FatError) as caught:
        make_name(bad)
    assert caught.value.result is FResult.INVALID_NAME


def test_make_name_accepts_255_units_and_refuses_256():
    assert units(make_name("😀" * 127 + "x").long) == 255
    assert units("ab😀\ud800") == 5
    with pytest.raises(FatError) as caught:
        make_name("😀" * 127 + "xy")
    assert caught.value.result is FResult.INVALID_NAME


def test_make_name_of_bytes_ends_at_a_control_byte():
    assert make_name(b"a\x01b") == make_name("a")


def test_make_name_refuses_the_filler_of_long_names():
    with pytest.raises(FatError) as caught:
        make_name("a\uffffb")
    assert caught.value.result is FResult.INVALID_NAME


@pytest.mark.parametrize(
    ("path", "absolute", "names"),
    [
        ("", False, []),
        ("/", True, []),
        ("///", True, []),
        ("/sd/main.py", True, ["sd", "main.py"]),
        ("a//b\\\\c", False, ["a", "b", "c"]),
        ("\\a", True, ["a"]),
        ("/d/", True, ["d", ""]),
        ("d//", False, ["d", ""]),
        ("./../x", False, [".", "..", "x"]),
        (b"/a\x00/b", True, ["a"]),
        (b"/a/\x1fb", True, ["a", ""]),
        (b"\x82\x9c", False, ["é£"]),
        (b"\x01", False, []),
        ("a\x01/b", False, ["a\x01", "b"]),
    ],
)
def test_split_path_splits_as_fatfs(path, absolute, names):
    assert split_path(path) == (absolute, names)


def test_case_tables_equal_those_of_fatfs():
    letters = "".join(map(chr, range(0x10000)))
    capitals = upcase(letters).encode("utf-16-le", "surrogatepass")
    assert hashlib.sha256(capitals).hexdigest() == (
        "d882b158e0ef06d39d74dc438e0b520f986dadae472fcfe63c7be8570948a97e"
    )
    assert hashlib.sha256(oem_capitals()).hexdigest() == (
        "b246758976e51bff0b067f4287f2bf3a93986e1cdd4387d1fa717a627192759a"
    )


def test_upcase_keeps_the_number_of_units():
    assert upcase("straße ŉ ǆ ﬁ 😀 \ud83d") == "STRAßE ŉ Ǆ ﬁ 😀 \ud83d"
    assert upcase("\u1f80\u1fb3\u1fcc\u0131") == "\u1f88\u1fbc\u1fc3\u0131"


def test_code_page_437_round_trips_all_bytes():
    assert unicode_to_oem(oem_to_unicode(bytes(range(256)))) == bytes(range(256))
    assert unicode_to_oem("日") is None
    assert oem_or_marks("a日😀é") == b"a???\x82"


@given(st.text(st.characters(codec=None, exclude_characters="\0\uffff"), min_size=1, max_size=200))
def test_long_entries_round_trip_with_surrogates(long):
    if units(long) > ondisk.MAX_LONG_NAME:
        return
    short = b"SHORT~1 TXT"
    entries = long_entries(long, short)
    assert len(entries) == -(-units(long) // 13) * 32
    read = read_long(entries, short)
    assert read is not None
    # Two lone surrogates side by side are decoded as a pair.
    assert read.encode("utf-16-le", "surrogatepass") == long.encode("utf-16-le", "surrogatepass")


@given(ANY_TEXT | st.binary(max_size=300))
def test_make_name_of_any_text_returns_a_name_or_invalid_name(name):
    try:
        made = make_name(name)
    except FatError as error:
        assert error.result is FResult.INVALID_NAME
        return
    assert len(made.short) == 11
    assert made.dot or 1 <= units(made.long) <= ondisk.MAX_LONG_NAME
    assert made.needs_long or not made.lossy
    if made.needs_long:
        entries = long_entries(made.long, made.short)
        assert upcase(read_long(entries, made.short) or "") == upcase(made.long)


@given(st.text(st.characters(codec="cp437", exclude_categories=["Cc"]), max_size=40))
def test_make_name_of_cp437_text_equals_that_of_its_bytes(text):
    def converted(name: str | bytes) -> object:
        try:
            return make_name(name)
        except FatError as error:
            return error.result

    assert converted(text.encode("cp437")) == converted(text)


@given(st.binary(min_size=11, max_size=11), st.integers(0, 255))
def test_short_text_equals_short_oem_for_any_bytes(short, nt):
    assert oem_to_unicode(short_oem(short, nt)) == short_text(short, nt)


@given(st.binary(max_size=32 * 21), st.binary(min_size=11, max_size=11))
def test_read_long_of_any_bytes_returns_at_most_255_units(entries, short):
    found = read_long(entries, short)
    assert found is None or units(found) <= ondisk.MAX_LONG_NAME


LONG = "A long name of two parts.txt"
SHORT = make_name(LONG).short


def changed(at: int, value: int, name: str = LONG) -> bytes:
    entries = bytearray(long_entries(name, SHORT))
    entries[at] = value
    return bytes(entries)


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (0, 0x03),  # no mark of the last part
        (0, 0x42),  # a part is missing
        (32, 0x03),  # the numbers do not run down
        (13, 0x55),  # checksum of another name
        (26, 0x01),  # a cluster
        (30, 0x00),  # what follows the end is not FFFF
    ],
)
def test_read_long_rejects_a_damaged_set(at, value):
    assert read_long(changed(at, value), SHORT) is None


def test_read_long_rejects_a_set_of_another_short_name():
    entries = long_entries(LONG, SHORT)
    assert read_long(entries, SHORT) == LONG
    assert read_long(entries, b"OTHER   TXT") is None
    assert read_long(b"", SHORT) is None
    assert read_long(entries[:-1], SHORT) is None


def test_read_long_ignores_the_type_byte():
    assert read_long(changed(12, 7), SHORT) == LONG


def test_decode_long_ends_at_a_zero_in_a_middle_part():
    parts = [f"{text}\0".encode("utf-16-le").ljust(26, b"\xff") for text in ("ab", "c")]
    assert decode_long(b"".join(parts)) == "ab"


@pytest.mark.parametrize(("length", "fits"), [(255, True), (256, False), (260, False)])
def test_decode_long_of_20_parts_accepts_at_most_255_units(length, fits):
    text = ("y" * length + "\0").encode("utf-16-le")[:520].ljust(520, b"\xff")
    assert decode_long(text) == ("y" * 255 if fits else None)


@pytest.mark.parametrize(
    ("short", "nt", "listed"),
    [
        (b"README  TXT", 0, b"README.TXT"),
        (b"README  TXT", 24, b"readme.txt"),
        (b"README  TXT", 8, b"readme.TXT"),
        (b"README     ", 16, b"README"),
        (b"\x05AB     X  ", 24, b"\xe5ab.x"),
        (b"A B     X Y", 0, b"AB.XY"),
        (b"AB       XY", 0, b"ABXY"),
        (b"           ", 0, b"?"),
        (b"A\0B     TXT", 0, b"A"),
        (b"A.B     TXT", 16, b"A.b.txt"),
        (b"\x90\x8e      TXT", 24, b"\x90\x8e.txt"),
    ],
)
def test_short_oem_lists_as_fatfs(short, nt, listed):
    assert short_oem(short, nt) == listed


def test_listed_name_outside_the_code_page_is_the_short_name():
    assert listed_name("Grüße.txt", b"GRE~1   TXT", 0) == "Grüße.txt".encode("cp437")
    assert listed_name("日本.txt", b"__~1    TXT", 24) == b"__~1.txt"
    assert listed_name("\ud83d.txt", b"_~1     TXT", 0) == b"_~1.TXT"


def test_numbered_gives_the_tails_on_a_card_of_fatfs():
    """Each numbered name on the card is the number of its long name for some n below 100."""
    card = load_card("tails")
    found = 0
    for sector in range(2048, 2048 + 4096):
        data = card.read(sector, 2)
        for at in range(0, 512, 32):
            entry = data[at : at + 32]
            if entry[11] == 0x0F and entry[0] & 0x40:
                count = entry[0] & 0x3F
                end = at + 32 * count
                short = data[end : end + 11]
                long = read_long(data[at:end], short)
                if long is not None and b"~" in short:
                    made = make_name(long)
                    tails = {numbered(made.short, long, n) for n in range(1, 100)}
                    assert short in tails
                    found += 1
    assert found > 5


@given(st.binary(min_size=11, max_size=11))
@example(b"\xff" * 11)  # the largest sums
@example(bytes(11))
def test_checksum_rotates_right_and_adds_each_byte(short: bytes) -> None:
    total = 0
    for byte in short:
        total = ((total >> 1) + (total << 7) + byte) & 0xFF
    assert checksum(short) == total
