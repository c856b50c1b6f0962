"""Packages that are made: every flasher reads them, and equal parts give equal bytes."""

from __future__ import annotations

import io
import json
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfpkg.test_kfpkg import MODEL, PAYLOAD, one
from maixfs.kfpkg import LIST_NAME, KfpkgError, Part, make_kfpkg, read_kfpkg, write_kfpkg
from maixfs.kfpkg.flashlist import kflash_trouble


def test_list_is_plain_json_with_one_key_per_line() -> None:
    parts = (Part(0, "fw.bin", PAYLOAD, True), Part(0x300000, "m.bin", MODEL, False))
    text = zipfile.ZipFile(io.BytesIO(make_kfpkg(parts))).read(LIST_NAME).decode()
    assert kflash_trouble(text) == ""
    assert json.loads(text)["files"][1] == one(0x300000, "m.bin")
    lines = [line.strip() for line in text.splitlines()]
    assert '"address": 3145728,' in lines
    assert all(line.count(":") <= 1 for line in lines)


def test_equal_parts_give_equal_bytes() -> None:
    parts = [Part(0x2000 * nr, f"{nr}.bin", bytes([nr]) * 5000, False) for nr in range(3)]
    stream = io.BytesIO()
    write_kfpkg(parts, stream)
    assert stream.getvalue() == make_kfpkg(parts)
    packed = zipfile.ZipFile(stream)
    assert packed.namelist() == [LIST_NAME, "0.bin", "1.bin", "2.bin"]
    for member in packed.infolist():
        assert member.date_time == (1980, 1, 1, 0, 0, 0)
        assert member.compress_type == zipfile.ZIP_DEFLATED
        assert member.create_system == 3


def test_names_become_unique_and_plain() -> None:
    names = ["x/a.bin", "y/A.bin", "a.bin", "ä ö.bin", "flash-list.json", ".hidden", "/"]
    parts = [Part(0x1000 * nr, name, b"x", False) for nr, name in enumerate(names)]
    written = [part.name for part in read_kfpkg(make_kfpkg(parts)).parts]
    assert written == [
        "a.bin", "A-1.bin", "a-2.bin", "___.bin", "flash-list-1.json", "hidden", "part.bin",
    ]  # fmt: skip


def test_reversed_words_are_written_reversed() -> None:
    made = make_kfpkg([Part(0, "m.bin", b"12345", False, reverse4=True)])
    part = read_kfpkg(made).parts[0]
    assert (part.data, part.is_reversed) == (b"4321\0\0\0005", False)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ([], "not 0"),
        ([Part(0, "a", b"", False)], "a: is empty"),
        ([Part(0x1001, "a", b"x", False)], "no multiple of a sector"),
        ([Part(-4096, "a", b"x", False)], "not from 0"),
        ([Part(0, "a", PAYLOAD, True, swap=True)], "both a header and reversed words"),
        (
            [Part(0, "a", bytes(0x1000), True), Part(0x1000, "b", b"x", False)],
            "a: ends at 0x1025, and b begins at 0x1000",
        ),
    ],
)
def test_parts_that_flashers_refuse_raise_kfpkg_error(parts: list[Part], words: str) -> None:
    with pytest.raises(KfpkgError) as caught:
        make_kfpkg(parts)
    assert words in str(caught.value)


@given(
    st.lists(
        st.tuples(st.integers(0, 200), st.binary(min_size=1, max_size=4000), st.booleans()),
        min_size=1, max_size=6, unique_by=lambda row: row[0],
    )
)  # fmt: skip
def test_every_package_that_is_made_can_be_read(rows: list[tuple[int, bytes, bool]]) -> None:
    parts = [Part(at * 0x2000, f"{at}.bin", data, prefix) for at, data, prefix in rows]
    found = read_kfpkg(make_kfpkg(parts))
    assert found.parts == tuple(parts)
    assert found.notes == ()
