"""Sizes, addresses, shares, names and numbers, as they are written and read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maixfs.cli.options import parse_size
from maixfs.cli.screen import (
    cell_width,
    count_text,
    hex_text,
    percent_text,
    printable,
    size_text,
    unit_text,
)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (1024 * 1024 - 1, "1.0 MiB"),
        (3 << 20, "3.0 MiB"),
        (5 << 30, "5.0 GiB"),
        (5 << 40, "5120.0 GiB"),
    ],
)
def test_size_text_has_three_digits(size: int, text: str) -> None:
    assert size_text(size) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (3 << 20, "3 MiB"),
        (128 << 10, "128 KiB"),
        (640 << 10, "640 KiB"),
        (256, "256 bytes"),
        (1025, "1025 bytes"),
        (0, "0 bytes"),
    ],
)
def test_unit_text_is_exact(size: int, text: str) -> None:
    assert unit_text(size) == text


def test_texts_of_addresses_counts_and_shares_have_units() -> None:
    assert hex_text(0xD00000) == "0xD00000"
    assert hex_text(0) == "0x000000"
    assert count_text(1, "file") == "1 file"
    assert count_text(2, "entry", "entries") == "2 entries"
    assert [percent_text(part, 1000) for part in (0, 1, 500, 1000)] == [
        "0 %",
        "<1 %",
        "50 %",
        "100 %",
    ]
    assert percent_text(1, 0) == "0 %"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("main.py", "main.py"),
        ("图片.jpg", "图片.jpg"),
        ("a\x1b[31mb\n", r"a\x1b[31mb\x0a"),
        (b"\xff\xfe".decode("utf-8", "surrogateescape"), r"\xff\xfe"),
        ("a\u202egpj.exe", r"a\u202egpj.exe"),
        ("\x9b31m", r"\u009b31m"),
        ("\U000e0041", r"\U000e0041"),
    ],
)
def test_printable_escapes_control_characters(name: str, shown: str) -> None:
    assert printable(name) == shown


@given(st.text())
def test_printable_returns_printable_text(text: str) -> None:
    assert printable(text).isprintable()


def test_wide_letters_take_two_columns() -> None:
    assert cell_width("图a") == 3


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0x300000", 3 << 20),
        ("3145728", 3 << 20),
        ("3M", 3 << 20),
        ("3 MiB", 3 << 20),
        ("64k", 65536),
        ("64KB", 65536),
        ("2 GiB", 2 << 30),
        ("512 b", 512),
        ("1_000", 1000),
        ("0x", None),
        ("012", None),
        ("-1", None),
        ("1.5M", None),
        ("1__0", None),
        ("", None),
    ],
)
def test_parse_size_reads_hex_and_decimal(text: str, number: int | None) -> None:
    assert parse_size(text) == number
