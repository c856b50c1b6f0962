"""Identification: minimal files of every kind, damaged ones, and the real files of the tests."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import os
import random
import struct
import tarfile
import zipfile
from binascii import crc32
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import maixfs
from fat.cards import FOLDERS, load_card
from image.imageparts import STAGE_1, area, chip, krux, model, payload
from image.whole_image import make_flash
from kmodel.make_models import make_v1, make_v3, make_v4, make_v5
from maixfs.errors import DeviceError
from maixfs.finding import Command
from maixfs.firmware.container import wrap
from maixfs.host.compressed import open_image_bytes
from maixfs.image import identify as identify_module
from maixfs.image.identify import (
    CARD_KINDS,
    ENTRIES,
    HEAD,
    FileKind,
    Identification,
    identify,
    identify_card,
)
from maixfs.image.kinds.flashes import find_shift
from maixfs.nor.view import ImageDevice
from maixfs.spiffs import PRESETS
from maixfs.spiffs.pack import pack

DATA = Path(__file__).parent.parent / "data"
FLASH = bytes(make_flash())
NOISE = random.Random(5).randbytes(1 << 16)


def _at(size: int, *pieces: tuple[int, bytes]) -> bytes:
    """Return zeros with pieces at their offsets."""
    image = bytearray(size)
    for offset, piece in pieces:
        image[offset : offset + len(piece)] = piece
    return bytes(image)


def _boot_sector(name: bytes, size: int = 1 << 16) -> bytes:
    return _at(size, (0, b"\xeb\x58\x90"), (3, name), (510, b"\x55\xaa"))


def _ext(*, compat: int = 0, incompat: int = 0) -> bytes:
    block = struct.pack("<IIII", 64, 1024, 0, 0)
    return _at(
        1 << 20,
        (0x400, block),
        (0x418, struct.pack("<I", 0)),
        (0x428, struct.pack("<I", 64)),
        (0x438, b"\x53\xef"),
        (0x45C, struct.pack("<II", compat, incompat)),
    )


def _mbr(kind: int = 0x83, start: int = 8, sectors: int = 100) -> bytes:
    slot = struct.pack("<B3xB3xII", 0, kind, start, sectors)
    return _at((start + sectors) * 512, (0x1BE, slot), (510, b"\x55\xaa"))


def littlefs_2(version: int = 0x00020001, *, revision: int = 1, create: bool = False) -> bytes:
    """Return a metadata block: the superblock's name and structure, one commit."""
    structure = struct.pack("<IIIIII", version, 4096, 16, 255, 0x7FFFFFFF, 1022)
    tags = [(0x0FF << 20 | 8, b"littlefs"), (0x201 << 20 | 24, structure)]
    if create:
        tags.insert(0, (0x401 << 20, b""))
    block, previous = struct.pack("<I", revision), 0xFFFFFFFF
    for tag, data in tags:
        block += struct.pack(">I", tag ^ previous) + data
        previous = tag
    block += struct.pack(">I", (0x500 << 20 | 0x3FF << 10 | 4) ^ previous)
    block += struct.pack("<I", crc32(block) ^ 0xFFFFFFFF)
    return block.ljust(4096, b"\xff")


def littlefs_1() -> bytes:
    """Return the superblock of version 1."""
    entry = struct.pack("<BBBB8sIII8s", 0x2E, 20, 0, 8, bytes(8), 512, 64, 0x10007, b"littlefs")
    return (struct.pack("<IIII", 2, 16 + len(entry) + 4, 3, 2) + entry).ljust(512, b"\xff")


def _tar() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a"))
    return out.getvalue()


def _zip(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, NOISE)
    return out.getvalue()


def _uf2() -> bytes:
    head = struct.pack("<8I", 0x0A324655, 0x9E5D5157, 0x2000, 0, 256, 0, 1, 0xE48BFF56)
    return head.ljust(508, b"\0") + struct.pack("<I", 0x0AB16F30)


def _sealed() -> bytes:
    return struct.pack("<II", 10003, 0x8000) + NOISE[:0x8000]


HEX = b":10010000214601360121470136007EFE09D2190140\r\n:00000001FF\r\n"
JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF\0" + NOISE[:4096]
PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 2, 3)
ELF_K210 = _at(4096, (0, b"\x7fELF\2\1\1"), (16, struct.pack("<HHIQ", 2, 243, 1, 0x80000000)))

FILES: dict[str, tuple[FileKind, bytes]] = {
    "flash": (FileKind.FLASH, FLASH),
    "flash with Kboot": (FileKind.FLASH, bytes(chip(krux()))),
    "flash with firmware alone": (FileKind.FLASH, bytes(chip({0: wrap(payload())}))),
    "flash with a model alone": (FileKind.FLASH, bytes(chip({0x300000: model()}))),
    "start of a flash with Kboot": (FileKind.FLASH, bytes(chip(krux())[:0x10000])),
    "SPIFFS of MaixPy": (FileKind.SPIFFS, area({"/a": b"a"})),
    "SPIFFS without files": (FileKind.SPIFFS, area({})),
    "SPIFFS of ESP-IDF": (FileKind.SPIFFS, bytes(pack({"/a": NOISE}, PRESETS["esp-idf"]))),
    "SPIFFS of ESP8266": (FileKind.SPIFFS, bytes(pack({"/a": NOISE}, PRESETS["esp8266"]))),
    "firmware": (FileKind.FIRMWARE, wrap(payload())),
    "firmware in a frame": (FileKind.FIRMWARE, wrap(payload()) + bytes(2000)),
    "firmware without header": (FileKind.FIRMWARE, payload()),
    "firmware with a wrong hash": (FileKind.FIRMWARE, wrap(payload())[:-1] + b"\0"),
    "firmware cut short": (FileKind.FIRMWARE, wrap(payload())[:0x8000]),
    "Kboot stage": (FileKind.KBOOT, wrap(STAGE_1)),
    "Kboot configuration": (FileKind.KBOOT, krux()[0x4000]),
    "kmodel v1": (FileKind.KMODEL, make_v1()),
    "kmodel v3": (FileKind.KMODEL, make_v3()),
    "kmodel v4": (FileKind.KMODEL, make_v4()),
    "kmodel v5": (FileKind.KMODEL, make_v5()),
    "kmodel with data behind it": (FileKind.KMODEL, make_v5() + NOISE),
    "FAT damaged": (
        FileKind.FAT,
        _at(1 << 16, (0, b"\xeb\x58\x90MSDOS5.0"), (0x52, b"FAT32   "), (510, b"\x55\xaa")),
    ),
    "MBR": (FileKind.CARD, _mbr()),
    "MBR cut short": (FileKind.CARD, _mbr()[:8192]),
    "exFAT": (FileKind.EXFAT, _boot_sector(b"EXFAT   ")),
    "NTFS": (FileKind.NTFS, _boot_sector(b"NTFS    ")),
    "ext2": (FileKind.EXT, _ext()),
    "ext3": (FileKind.EXT, _ext(compat=4)),
    "ext4": (FileKind.EXT, _ext(compat=4, incompat=0x40)),
    "LUKS": (FileKind.OTHER_VOLUME, _at(1 << 16, (0, b"LUKS\xba\xbe"))),
    "F2FS": (FileKind.OTHER_VOLUME, _at(1 << 16, (0x400, b"\x10\x20\xf5\xf2"))),
    "HFS+": (FileKind.OTHER_VOLUME, _at(1 << 16, (0x400, b"H+\0\x04"))),
    "ISO 9660": (FileKind.OTHER_VOLUME, _at(1 << 16, (0x8001, b"CD001"))),
    "Btrfs": (FileKind.OTHER_VOLUME, _at(1 << 17, (0x10040, b"_BHRfS_M"))),
    "littlefs 1": (FileKind.LITTLEFS, littlefs_1() * 64),
    "littlefs 2.0": (FileKind.LITTLEFS, littlefs_2(0x20000) * 16),
    "littlefs 2.1": (FileKind.LITTLEFS, littlefs_2() * 16),
    "littlefs, revision as a kmodel": (FileKind.LITTLEFS, littlefs_2(revision=3) * 16),
    "littlefs, other order": (FileKind.LITTLEFS, (b"\xff" * 4096 + littlefs_2()) * 8),
    "littlefs, tag in front": (FileKind.LITTLEFS, littlefs_2(create=True) * 16),
    "romfs": (FileKind.ROMFS, b"-rom1fs-" + bytes(1016)),
    "kfpkg": (FileKind.KFPKG, _zip("flash-list.json", "a.bin")),
    "kfpkg in a folder": (FileKind.KFPKG, _zip("x/flash-list.json", "x/a.bin")),
    "kfpkg cut short": (FileKind.KFPKG, _zip("flash-list.json", "a.bin")[:90000]),
    "zip": (FileKind.ZIP, _zip("a", "b")),
    "7z": (FileKind.SEVEN_ZIP, b"7z\xbc\xaf\x27\x1c" + NOISE),
    "tar": (FileKind.TAR, _tar()),
    "lz4": (FileKind.COMPRESSED, b"\x04\x22\x4d\x18" + NOISE),
    "ELF for the K210": (FileKind.ELF, ELF_K210),
    "UF2": (FileKind.UF2, _uf2()),
    "Intel HEX": (FileKind.INTEL_HEX, HEX),
    "Python": (FileKind.PYTHON, b"import os\nprint(os.listdir('/'))\n"),
    "TOML": (FileKind.TOML, b"[flash]\nsize = 4096\n"),
    "JSON": (FileKind.JSON, b'{"a": [1, 2]}'),
    "text": (FileKind.TEXT, "Grüße, 日本\n".encode() * 40000),
    "PNG": (FileKind.PNG, PNG),
    "JPEG": (FileKind.JPEG, JPEG),
    "empty": (FileKind.EMPTY, b""),
    "erased": (FileKind.ERASED, b"\xff" * 70000),
    "zeros": (FileKind.ZERO, bytes(70000)),
    "random": (FileKind.RANDOM, NOISE),
    "encrypted model": (FileKind.SMODEL, _sealed()),
    "unknown": (FileKind.UNKNOWN, bytes(range(7)) * 3000),
}


@pytest.mark.parametrize("name", FILES)
def test_identify_names_the_kind(name: str) -> None:
    kind, content = FILES[name]
    found = identify(content)
    assert found.kind is kind
    assert found.description and found.evidence
    assert 0 <= found.confidence <= 1
    assert found.known is (kind not in {FileKind.UNKNOWN, FileKind.RANDOM})


def test_every_kind_has_a_minimal_file() -> None:
    of_cards = {FileKind.GPT}
    of_folders = {FileKind.BOARD, FileKind.FOLDER}
    registered = {FileKind.FILE_SYSTEM}  # tests/test_extending.py
    assert {kind for kind, _ in FILES.values()} == {*FileKind} - of_cards - of_folders - registered


@pytest.mark.parametrize("name", sorted(FOLDERS))
def test_identify_names_cards_from_the_device_and_from_the_head(name: str) -> None:
    card = load_card(name)
    found = identify(card)
    special = {
        "gpt": FileKind.GPT,
        "superfloppy": FileKind.FAT,
        "superfloppy_ff": FileKind.FAT,
        "sector4096": FileKind.FAT,
        "blank": FileKind.ZERO,
    }
    assert found.kind is special.get(name, FileKind.CARD)
    head = identify_card(card.read(0, min(card.sectors, HEAD // 512)), card.sectors * 512)
    # A table without signature needs a volume as proof, which lies behind the head.
    expected = found.kind if found.kind in CARD_KINDS and name != "no_55aa" else None
    assert (head.kind if head else None) is expected


@pytest.mark.parametrize("name", ["fat12", "fat16", "fat32"])
def test_identify_reads_through_compressed_volumes(name: str) -> None:
    path = DATA / "vfs" / "images" / f"{name}.img.xz"
    found = identify(path)
    assert (found.kind, found.compression) == (FileKind.FAT, ("xz",))
    assert name[3:] in found.description


@pytest.mark.parametrize("layer", ["gzip", "bzip2", "xz", "zip"])
def test_identify_looks_into_compressed_images(tmp_path: Path, layer: str) -> None:
    content = area({"/a": b"a"})
    packers = {
        "gzip": gzip.compress,
        "bzip2": bz2.compress,
        "xz": lzma.compress,
        "zip": _zip_of,
    }
    path = tmp_path / "image"
    path.write_bytes(packers[layer](content))
    for thing in (path, str(path), path.read_bytes()):
        found = identify(thing)
        assert (found.kind, found.compression) == (FileKind.SPIFFS, (layer,))


def _zip_of(data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("image.bin", data)
    return out.getvalue()


def test_identify_of_cut_off_compression_uses_what_there_is(tmp_path: Path) -> None:
    whole = gzip.compress(area({"/a": NOISE}))
    found = identify(whole[: len(whole) - 100])
    assert (found.kind, found.compression) == (FileKind.SPIFFS, ("gzip",))
    assert identify(whole[:12]).kind is FileKind.COMPRESSED


def test_identify_a_board_and_a_folder(tmp_path: Path) -> None:
    assert identify(tmp_path).kind is FileKind.FOLDER
    (tmp_path / "board.toml").write_text("format = 1\n")
    found = identify(tmp_path)
    assert found.kind is FileKind.BOARD and found.next == Command("info", ("{image}",))


def test_identify_a_missing_path_raises_not_found(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        identify(tmp_path / "none")
    assert isinstance(caught.value, DeviceError)


def test_identify_takes_flashes_and_views() -> None:
    assert identify(ImageDevice(memoryview(FLASH))).kind is FileKind.FLASH
    assert identify(memoryview(FLASH)).kind is FileKind.FLASH
    assert maixfs.identify(FLASH).kind is FileKind.FLASH


@pytest.mark.parametrize("content", ["zeros", "card"])
def test_identify_of_a_large_sparse_card_reads_little(
    tmp_path: Path, content: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "card.img"
    with path.open("wb") as stream:
        stream.write(_mbr() if content == "card" else b"")
        stream.truncate(128 << 30)
    read = []
    sample = identify_module._ViewSample
    plain = sample.read

    def counted(self: object, offset: int, length: int) -> bytes:
        data = plain(self, offset, length)  # type: ignore[arg-type]
        read.append(len(data))
        return data

    monkeypatch.setattr(sample, "read", counted)
    expected = FileKind.CARD if content == "card" else FileKind.ZERO
    assert identify(path).kind is expected
    assert sum(read) < 8 << 20


def test_identify_gpt_names_what_is_in_the_partitions() -> None:
    found = identify(load_card("gpt"))
    assert "FAT32" in found.description


def test_word_littlefs_alone_is_not_littlefs() -> None:
    content = bytes(range(7)) * 3000
    for image in (b"littlefs" + content, content[:8] + b"littlefs" + content):
        assert identify(image).kind is not FileKind.LITTLEFS


def test_littlefs_with_a_wrong_checksum_is_less_sure() -> None:
    damaged = bytearray(littlefs_2())
    damaged[0x30] ^= 1
    found = identify(damaged + bytes(15 * 4096))
    whole = identify(damaged + littlefs_2() * 15)
    assert found.kind is whole.kind is FileKind.LITTLEFS
    assert found.confidence < whole.confidence


def test_first_word_of_a_model_alone_is_no_model() -> None:
    for word in (1, 3, 0x4B4D444C, 10003):
        image = struct.pack("<I", word) + bytes(range(7)) * 3000
        assert identify(image).kind not in {FileKind.KMODEL, FileKind.SMODEL}


# Truncated, padded and shifted dumps


@pytest.mark.parametrize(
    ("content", "shift"),
    [
        (FLASH[8:], -8),
        (b"\0" + struct.pack("<I", len(FLASH)) + FLASH + hashlib.sha256(FLASH).digest(), 5),
        (bytes(3) + bytes(chip(krux())), 3),
        (bytes(7) + bytes(chip({0: wrap(payload())})), 7),
        (FLASH[0x80000:], -0x80000),
        (FLASH, 0),
        (bytes(make_flash(geometry=replace(PRESETS["maixpy"], base=0x800000))), 0),
    ],
    ids=[
        "front cut",
        "header in front",
        "Kboot",
        "firmware alone",
        "from 0x80000",
        "whole",
        "own",
    ],
)
def test_identify_says_how_far_a_dump_is_shifted(content: bytes, shift: int) -> None:
    found = identify(content)
    assert (found.kind, found.shift) == (FileKind.FLASH, shift)


def test_find_shift_of_a_dump_in_place_is_none() -> None:
    assert find_shift(FLASH) is None
    assert find_shift(bytes(chip(krux()))) is None
    assert find_shift(NOISE) is None


def test_identify_says_what_is_missing_and_what_is_padding() -> None:
    assert "0x100000" in identify(FLASH[:0xF00000]).description
    assert "0x80000" in identify(FLASH + b"\xff" * 0x80000).description
    assert "0x180000" in identify(FLASH[0xD00000:0xE80000]).description
    assert "0x40000" in identify(FLASH[0xD00000:] + bytes(0x40000)).description


# Properties


@given(st.binary(max_size=3000))
def test_identify_takes_any_bytes(content: bytes) -> None:
    assert isinstance(identify(content), Identification)


@given(
    st.sampled_from([entry for entry in ENTRIES if entry.magics]),
    st.integers(0, 7),
    st.binary(min_size=600, max_size=3000),
)
def test_identify_takes_any_bytes_behind_a_magic(entry: object, number: int, rest: bytes) -> None:
    assert isinstance(entry, identify_module.Entry)
    offset, magic = entry.magics[number % len(entry.magics)]
    image = bytearray(rest.ljust((offset or 0) + len(magic), b"\0"))
    image[offset or 0 : (offset or 0) + len(magic)] = magic
    assert isinstance(identify(image), Identification)


# Real files


@pytest.mark.parametrize(
    "path", sorted(DATA.glob("spiffs/*/*.bin.gz")), ids=lambda p: p.parent.name
)
def test_every_golden_area_is_a_spiffs_image(path: Path) -> None:
    found = identify(path)
    assert (found.kind, found.compression) == (FileKind.SPIFFS, ("gzip",))
    with open_image_bytes(path) as image:
        assert identify(image.view).kind is FileKind.SPIFFS


def _real_models() -> list[Path]:
    collection = os.environ.get("MAIXFS_GOLDEN")
    more = sorted(Path(collection).glob("kmodel/real/*.kmodel")) if collection else []
    return [*sorted(DATA.glob("kmodel/*.kmodel")), *more]


@pytest.mark.parametrize("path", _real_models(), ids=lambda path: path.stem)
def test_every_golden_model_is_a_kmodel(path: Path) -> None:
    assert identify(path).kind is FileKind.KMODEL


def test_source_file_is_identified_as_python() -> None:
    assert identify(__file__).kind is FileKind.PYTHON


# What only begins like a format

_SYNTAX = b"import os\ndef f(:\n"


def _tar_with(checksum: bytes) -> bytes:
    return _tar()[:148] + checksum + _tar()[156:]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (_tar(), FileKind.TAR),
        (_tar_with(b"9999999\0"), FileKind.UNKNOWN),
        (_tar_with(b"0000001\0"), FileKind.UNKNOWN),
        (_tar_with(b"words\0\0\0"), FileKind.UNKNOWN),
        (b"\x7fELF\2\1\1", FileKind.UNKNOWN),
        (_uf2()[:24], FileKind.UNKNOWN),
        (HEX.replace(b"40\r", b"41\r"), FileKind.TEXT),
        (b":0100000000FF\r\n", FileKind.INTEL_HEX),
        (b":0200000000FF\r\n", FileKind.TEXT),
        (HEX[:-3] + b"x\r\n", FileKind.TEXT),
        (_SYNTAX, FileKind.TEXT),
        (b"print('" + b"(" * 10000, FileKind.TEXT),
        (b"a = " + b"1" * 10000 + b"\n", FileKind.TEXT),
        (b"[" * 100_000, FileKind.TEXT),
        (b"{" + b" " * 10, FileKind.TEXT),
        (b"a = " + b"[" * 10_000, FileKind.TEXT),
    ],
)
def test_content_that_only_begins_like_a_format_is_not_taken_for_it(
    content: bytes, kind: FileKind
) -> None:
    assert identify(content).kind is kind


def test_large_text_is_not_parsed() -> None:
    assert identify(b"import os\n" * 200_000).kind is FileKind.TEXT


def test_hex_file_is_recognised_though_its_last_line_was_cut_off() -> None:
    record = b":10010000214601360121470136007EFE09D2190140\r\n"
    assert identify(record * 400_000).kind is FileKind.INTEL_HEX


def test_uf2_without_a_family_has_none() -> None:
    content = bytearray(_uf2())
    content[8:12] = bytes(4)
    found = identify(bytes(content))
    assert found.kind is FileKind.UF2 and "no family" in found.description
