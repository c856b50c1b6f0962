"""Packages: read as they are found, and bounded whatever they say."""

from __future__ import annotations

import io
import json
import struct
import warnings
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maixfs.firmware import read_firmware
from maixfs.kfpkg import (
    LIST_NAME,
    KfpkgError,
    Part,
    archive,
    make_kfpkg,
    read_kfpkg,
)
from maixfs.kfpkg import package as package_module
from maixfs.kfpkg.archive import MAX_MEMBER
from maixfs.kfpkg.flashlist import kflash_trouble, parse_lenient

PAYLOAD = b"\x21\xa8\xef\xbe\xad\xde\x01\x00\x01\x00" + bytes(range(200))
MODEL = b"no model, but data"


def zipped(files: dict[str, bytes], **options: Any) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, **options) as packed:
        for name, data in files.items():
            packed.writestr(name, data)
    return stream.getvalue()


def package(text: str, **files: bytes) -> bytes:
    """A package with a list as it is written, and files without their suffix ``.bin``."""
    return zipped({LIST_NAME: text.encode(), **{f"{k}.bin": v for k, v in files.items()}})


def listed(*entries: dict[str, Any], version: str = "0.1.0") -> str:
    return json.dumps({"version": version, "files": entries})


def one(address: Any = 0x300000, name: str = "a.bin", prefix: Any = False) -> dict[str, Any]:
    return {"address": address, "bin": name, "sha256Prefix": prefix}


def test_package_is_read_as_it_was_made() -> None:
    parts = (Part(0, "fw.bin", PAYLOAD, True), Part(0x300000, "m.kmodel", MODEL, False))
    found = read_kfpkg(make_kfpkg(parts))
    assert found.version == "0.1.0"
    assert found.parts == parts
    assert found.notes == ()


def test_firmware_part_is_flashed_with_header_and_hash() -> None:
    part = Part(0, "fw.bin", PAYLOAD, True)
    landed = part.flashed(dio=True)
    firmware = read_firmware(landed)
    assert firmware.sha_ok and firmware.dio
    assert part.size == len(landed) == len(PAYLOAD) + 37


# The list as others write it


KENDRYTE = """{
  "version": "0.1.0",
  "files": [
    {
      "address": 0x00000000,
      "bin": "fw.bin",
      "sha256Prefix": true
    },
    {
      "address": 0x00A00000,
      "bin": "m.bin",
      "sha256Prefix": false,
      "reverse4Bytes": true
    },
  ]
}
"""


def test_hex_trailing_commas_and_reversed_words_are_read() -> None:
    found = read_kfpkg(package(KENDRYTE, fw=PAYLOAD, m=b"\x01\x02\x03\x04\x05"))
    assert [part.address for part in found.parts] == [0, 0xA00000]
    firmware, model = found.parts
    assert firmware.sha256_prefix and not firmware.is_reversed
    assert model.reverse4
    assert model.flashed() == b"\x04\x03\x02\x01\x00\x00\x00\x05"
    assert model.size == 8
    said = " ".join(found.notes)
    assert "in hex" in said and "comma" in said and "kflash does not read this list" in said


def test_kflash_reads_hex_addresses() -> None:
    text = KENDRYTE.replace("    },\n  ]", "    }\n  ]")
    assert kflash_trouble(text) == ""
    notes = read_kfpkg(package(text, fw=PAYLOAD, m=b"1234")).notes
    assert notes == ("the flash list has numbers in hex",)


def test_empty_key_is_the_version() -> None:
    text = '{"": "0.1.0", "files": [{"address": 4096,\n"bin": "a.bin", "sha256Prefix": false}]}'
    found = read_kfpkg(package(text, a=b"x"))
    assert found.version == "0.1.0"
    assert "kflash_gui" in found.notes[0]


@pytest.mark.parametrize(("version", "note"), [("0.1.1", False), ("2", True)])
def test_unknown_version_is_noted(version: str, note: bool) -> None:
    found = read_kfpkg(package(listed(one(), version=version), a=b"x"))
    assert found.version == version
    assert any("version" in said for said in found.notes) is note


def test_missing_version_is_noted() -> None:
    found = read_kfpkg(package(json.dumps({"files": [one()]}), a=b"x"))
    assert found.version == ""
    assert "the flash list has no version" in found.notes


def test_one_file_may_go_to_several_places() -> None:
    entries = [one(0x4000, "config.bin"), one(0x5000, "config.bin")]
    found = read_kfpkg(package(listed(*entries), config=b"c" * 32))
    assert [(part.address, part.data) for part in found.parts] == [
        (0x4000, b"c" * 32),
        (0x5000, b"c" * 32),
    ]


def test_files_in_folders_and_with_backslashes_are_found() -> None:
    files = {LIST_NAME: listed(one(0, "sub/a.bin"), one(4096, "sub\\b.bin")).encode()}
    found = read_kfpkg(zipped({**files, "sub/a.bin": b"a", "sub/b.bin": b"b"}))
    assert [part.data for part in found.parts] == [b"a", b"b"]


def test_list_in_a_folder_is_read_and_noted() -> None:
    files = {f"pkg/{LIST_NAME}": listed(one()).encode(), "pkg/a.bin": b"a"}
    found = read_kfpkg(zipped(files))
    assert found.parts[0].data == b"a"
    assert any("folder pkg" in note for note in found.notes)


def test_swap_and_other_keys_are_kept() -> None:
    entry = {**one(), "swap": True, "comment": [1, 2]}
    part = read_kfpkg(package(listed(entry), a=b"1234")).parts[0]
    assert part.swap and part.flashed() == b"4321"
    assert part.extra == (("comment", "[1, 2]"),)


@pytest.mark.parametrize(("data", "prefix"), [(PAYLOAD, True), (MODEL, False)])
def test_missing_prefix_is_guessed_from_the_bytes(data: bytes, prefix: bool) -> None:
    entry = {"address": 0, "bin": "a.bin"}
    found = read_kfpkg(package(listed(entry), a=data))
    assert found.parts[0].sha256_prefix is prefix
    assert any("sha256Prefix is missing" in note for note in found.notes)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0x10", 16),
        ("0o17", 15),
        ("0b11", 3),
        ("0000", 0),
        ("-5", -5),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("[1, 2, ]", [1, 2]),
        ("{a: 'x',}", {"a": "x"}),
        ("// one\n# two\n/* three */ null", None),
        ("True", True),
        (r'"a\u0041\n"', "aA\n"),
        (r'"C:\x"', "C:\\x"),
        ('{"a": 1, "a": 2}', {"a": 2}),
    ],
)
def test_lenient_json_is_parsed(text: str, value: object) -> None:
    assert parse_lenient(text)[0] == value


def test_deviations_are_noted_once() -> None:
    notes = parse_lenient("[0x1, 0x2, 0x3,]")[1]
    assert notes == (
        "the flash list has numbers in hex",
        "the flash list has a comma behind the last entry",
    )
    assert parse_lenient('{"a": [1, true, null, "x"]}')[1] == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "line 1, has 'nothing'"),
        ("{", "where a key is needed"),
        ("[1 2]", "where ',' is needed"),
        ('{"a" 1}', "where ':' is needed"),
        ('{"a": 1}\n\nx', "line 3, goes on with 'x'"),
        ("[0123]", "'0123', which is not a number"),
        ("[0xZZ]", "not a number"),
        ("[" + "9" * 5000 + "]", "not a number"),
        ('["open', "not part of a list"),
        ("[" * 1000, "deeper than 16"),
        ("/* open", "not part of a list"),
    ],
)
def test_invalid_list_raises_with_its_line(text: str, words: str) -> None:
    with pytest.raises(KfpkgError, match="flash list, line") as caught:
        parse_lenient(text)
    assert words in str(caught.value)


@given(st.text(alphabet='{}[]:,"\\/*# 0x1aetruflsn\n-.', max_size=60))
def test_any_text_gives_a_value_or_kfpkg_error(text: str) -> None:
    try:
        parse_lenient(text)
    except KfpkgError as error:
        assert "line" in str(error)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda more: (
    st.lists(more, max_size=4) | st.dictionaries(st.text(), more, max_size=4)
), max_leaves=12))  # fmt: skip
def test_json_is_parsed_as_by_json(value: object) -> None:
    text = json.dumps(value)
    if max((len(word) for word in text.split()), default=0) < 30:
        assert parse_lenient(text)[0] == value


# Lists that say what cannot be


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (one(-4096), "a.bin: its address -0x1000 is not from 0"),
        (one(1 << 40), "is not from 0 to 0xffffffff"),
        (one("here"), "missing or not a number"),
        (one(None), "missing or not a number"),
        (one(True), "missing or not a number"),
        (one(1.5), "missing or not a number"),
        (one(prefix="maybe"), "neither true nor false"),
        (one(name="b.bin"), "b.bin: is in the list, but not in the package"),
        (one(name="../a.bin"), "leads out of the package"),
        (one(name="/etc/passwd"), "leads out of the package"),
        (one(name="C:\\a.bin"), "leads out of the package"),
        (one(name=""), "file 1 has no name"),
        ("text", "file 1 is not an object"),
    ],
)
def test_invalid_entry_raises_kfpkg_error(entry: Any, words: str) -> None:
    with pytest.raises(KfpkgError) as caught:
        read_kfpkg(package(listed(entry), a=b"x"))
    assert words in str(caught.value)


@pytest.mark.parametrize("text", ["[]", "{}", '{"files": {}}', '{"files": []}', "7"])
def test_list_without_files_raises_kfpkg_error(text: str) -> None:
    with pytest.raises(KfpkgError, match="flash list"):
        read_kfpkg(package(text))


def test_addresses_as_text_are_numbers() -> None:
    found = read_kfpkg(package(listed(one("0x1000")), a=b"x"))
    assert found.parts[0].address == 0x1000


def test_list_that_is_not_utf8_raises_kfpkg_error() -> None:
    with pytest.raises(KfpkgError, match="not UTF-8"):
        read_kfpkg(zipped({LIST_NAME: b"\xff\xfe\x00"}))


# Archives that are not what they say


GOOD = package(listed(one()), a=b"x" * 3000)


@pytest.mark.parametrize("length", [*range(0, len(GOOD), 7)])
def test_cut_off_package_raises_kfpkg_error(length: int) -> None:
    with pytest.raises(KfpkgError):
        read_kfpkg(GOOD[:length])


@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_package_with_a_wrong_byte_raises_only_kfpkg_error(at: int, flip: int) -> None:
    damaged = bytearray(GOOD)
    damaged[at] ^= flip
    try:
        found = read_kfpkg(bytes(damaged))
    except KfpkgError:
        return
    assert len(found.parts[0].data) <= MAX_MEMBER


def test_data_that_is_no_archive_raises_kfpkg_error() -> None:
    with pytest.raises(KfpkgError, match="does not begin like an archive"):
        read_kfpkg(PAYLOAD)
    with pytest.raises(KfpkgError, match="is empty"):
        read_kfpkg(b"")
    with pytest.raises(KfpkgError, match=r"no flash-list.json.*it contains readme.txt"):
        read_kfpkg(zipped({"readme.txt": b"hello"}))


def claim(data: bytes, name: str, size: int) -> bytes:
    """Return an archive whose directory claims that a file has so many bytes."""
    out = bytearray(data)
    at = out.rfind(name.encode()) - 46
    assert out[at : at + 4] == b"PK\x01\x02"
    out[at + 24 : at + 28] = struct.pack("<I", size)
    return bytes(out)


@pytest.mark.parametrize("size", [0xFFFFFFFE, MAX_MEMBER + 1])
def test_file_of_four_gigabytes_by_header_raises(size: int) -> None:
    with pytest.raises(KfpkgError, match="the limit is"):
        read_kfpkg(claim(GOOD, "a.bin", size))


def test_impossible_compression_ratio_raises() -> None:
    with pytest.raises(KfpkgError, match="zip bomb"):
        read_kfpkg(claim(GOOD, "a.bin", MAX_MEMBER))


def test_file_with_more_bytes_than_declared_raises() -> None:
    with pytest.raises(KfpkgError, match=r"a\.bin"):
        read_kfpkg(claim(GOOD, "a.bin", 10))


def test_total_size_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_TOTAL", 0x10000)
    files = {f"{nr}.bin": bytes(0x5000) for nr in range(4)}
    entries = [one(nr * 0x20000, f"{nr}.bin") for nr in range(4)]
    bomb = zipped({LIST_NAME: listed(*entries).encode(), **files})
    with pytest.raises(KfpkgError, match=r"3\.bin: has 0x5000 bytes: .* for all"):
        read_kfpkg(bomb)


def test_one_file_at_many_places_counts_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package_module, "MAX_TOTAL", 0x10000)
    entries = [one(nr * 0x20000) for nr in range(4)]
    with pytest.raises(KfpkgError, match="0x14000 bytes into the flash"):
        read_kfpkg(package(listed(*entries), a=bytes(0x5000)))


def test_encrypted_file_raises_kfpkg_error() -> None:
    out = bytearray(GOOD)
    at = out.rfind(b"a.bin") - 46
    out[at + 8] |= 1
    with pytest.raises(KfpkgError, match=r"a\.bin: is encrypted"):
        read_kfpkg(bytes(out))


def test_other_compression_methods_raise_kfpkg_error() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_BZIP2) as packed:
        packed.writestr(LIST_NAME, listed(one()))
        packed.writestr("a.bin", b"x")
    with pytest.raises(KfpkgError, match="method 12"):
        read_kfpkg(stream.getvalue())


def test_symbolic_link_raises_kfpkg_error() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        packed.writestr(LIST_NAME, listed(one()))
        link = zipfile.ZipInfo("a.bin")
        link.external_attr = 0o120777 << 16
        packed.writestr(link, "/etc/passwd")
    with pytest.raises(KfpkgError, match=r"a\.bin: is a symbolic link"):
        read_kfpkg(stream.getvalue())


@pytest.mark.parametrize("name", ["../up.bin", "/top.bin", "a/../../b", "C:/x.bin", "..\\w.bin"])
def test_name_that_leads_out_raises_kfpkg_error(name: str) -> None:
    data = zipped({LIST_NAME: listed(one()).encode(), "a.bin": b"x", name: b"evil"})
    with pytest.raises(KfpkgError, match="leads out of the package"):
        read_kfpkg(data)


@pytest.mark.parametrize(("second", "refused"), [(b"x", False), (b"y", True)])
def test_duplicate_file_is_noted_or_raises(second: bytes, refused: bool) -> None:
    stream = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(stream, "w") as packed:
        warnings.simplefilter("ignore")
        packed.writestr(LIST_NAME, listed(one()))
        packed.writestr("a.bin", b"x")
        packed.writestr("a.bin", second)
    if refused:
        with pytest.raises(KfpkgError, match="twice, with different contents"):
            read_kfpkg(stream.getvalue())
    else:
        assert "a.bin is in the archive twice" in read_kfpkg(stream.getvalue()).notes


def test_folders_are_skipped_and_empty_names_raise() -> None:
    data = zipped({LIST_NAME: listed(one()).encode(), "a.bin": b"x", "sub/": b""})
    assert not any("never flashed" in note for note in read_kfpkg(data).notes)
    with pytest.raises(KfpkgError, match="without name"):
        archive.safe_name("")


def test_file_that_is_not_listed_is_noted() -> None:
    data = zipped({LIST_NAME: listed(one()).encode(), "a.bin": b"x", "readme.txt": b""})
    assert any("never flashed: readme.txt" in note for note in read_kfpkg(data).notes)


def test_missing_package_raises_kfpkg_error(tmp_path: Path) -> None:
    with pytest.raises(KfpkgError, match="does not exist"):
        read_kfpkg(tmp_path / "no.kfpkg")


def test_errors_name_the_package_and_the_file_in_it(tmp_path: Path) -> None:
    place = tmp_path / "odd.kfpkg"
    place.write_bytes(package(listed(one(-1)), **{"a.bin": b"x"}))
    with pytest.raises(KfpkgError) as caught:
        read_kfpkg(place)
    assert str(caught.value).startswith(f"{place}: a.bin: its address -0x1 is not")
    assert caught.value.member == "a.bin"
