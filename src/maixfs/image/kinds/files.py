"""Files of other programs: archives, programs, pictures, text; and bytes without any format."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from maixfs.finding import Command
from maixfs.image.identify import FileKind, Identification
from maixfs.image.parts import classify, entropy
from maixfs.nor.device import is_filled
from maixfs.record import Record, field

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maixfs.image.identify import Sample

_MOST_PARSED = 1 << 20
"""Bytes of text that is parsed to name its language."""
_CHUNK = 1 << 16
_SAMPLES = 64


# Archives


def archive(sample: Sample) -> Identification | None:
    """Recognise zip archives, and flashing packages among them."""
    import zipfile

    from maixfs.host.compressed import FLASH_LIST, ViewFile

    try:
        with zipfile.ZipFile(ViewFile(sample.view)) as opened:
            names = opened.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, LookupError, NotImplementedError) as error:
        packed = FLASH_LIST.encode() in sample.head
        kind = FileKind.KFPKG if packed else FileKind.ZIP
        evidence = ("a zip entry begins at 0x0", f"the archive is cut off or damaged: {error}")
        return Identification(kind, f"{kind}, damaged", evidence, 0.9, "get the file again")
    lists = [name for name in names if name.rpartition("/")[2] == FLASH_LIST]
    if lists:
        return Identification(
            FileKind.KFPKG,
            f"package for flashers (kfpkg), files to flash: {len(names) - 1}",
            ("a zip entry begins at 0x0", f"it has {lists[0]}"),
            1.0,
            Command("kfpkg list", ("{image}",)),
        )
    return Identification(
        FileKind.ZIP,
        f"zip archive, {len(names)} files",
        ("a zip entry begins at 0x0", f"it has no {FLASH_LIST}: it is no package for flashers"),
        0.99,
        "unpack it first: unzip",
    )


def tar(sample: Sample) -> Identification | None:
    """Recognise tar archives by the checksum of their first header."""
    header = sample.head[:512]
    stored = header[148:156].strip(b" \0")
    counted = sum(header[:148]) + 8 * 0x20 + sum(header[156:])
    if not stored or stored.strip(b"01234567") or int(stored, 8) != counted:
        return None
    name = header[:100].rstrip(b"\0").decode("utf-8", "replace")
    return Identification(
        FileKind.TAR,
        "tar archive",
        (f"header at 0x0 of {name!r}, checksum right",),
        1.0,
        "unpack it first: tar xf",
    )


# Programs


class ElfHeader(Record):
    """The start of an ELF file that does not depend on its class, little-endian."""

    elf_class: int = field("B", "1: 32 bits, 2: 64 bits", at=4)
    data: int = field("B", "1: little-endian, 2: big-endian")
    type: int = field("H", at=16)
    machine: int = field("H")
    version: int = field("I")
    entry: int = field("I", "where it starts; the lower half of 64 bits")


_MACHINES = {
    0x03: "x86",
    0x28: "ARM",
    0x3E: "x86-64",
    0x5E: "Xtensa (ESP)",
    0xB7: "AArch64",
    0xF3: "RISC-V",
}
_RISC_V = 0xF3


def elf(sample: Sample) -> Identification | None:
    """Recognise ELF programs and their machine."""
    if len(sample.head) < ElfHeader.size:
        return None
    header = ElfHeader.unpack(sample.head)
    if header.elf_class not in {1, 2} or header.data not in {1, 2}:
        return None
    swapped = header.data == 2
    machine = (
        int.from_bytes(header.machine.to_bytes(2, "big"), "little") if swapped else header.machine
    )
    name = _MACHINES.get(machine, f"machine {machine:#x}")
    bits = 32 * header.elf_class
    is_k210 = machine == _RISC_V and bits == 64 and header.entry >> 24 == 0x80
    words = f"ELF program, {name}, {bits} bits" + (", for the K210" if is_k210 else "")
    return Identification(
        FileKind.ELF,
        words,
        (f"the magic 7F 45 4C 46 at 0x0, machine {machine:#x} at 0x12",),
        0.99,
        "make a binary of it first (objcopy to the format binary), then wrap that as firmware"
        if is_k210
        else "boards do not run it",
    )


class Uf2Block(Record):
    """A block of an UF2 file; its end magic is at 508."""

    magic_0: int = field("I", "0A324655")
    magic_1: int = field("I", "9E5D5157")
    flags: int = field("I", "2000: the family is there")
    address: int = field("I")
    payload_size: int = field("I")
    number: int = field("I")
    blocks: int = field("I")
    family: int = field("I")
    magic_2: int = field("I", "0AB16F30", at=508)


_UF2_MAGICS = (0x0A324655, 0x9E5D5157, 0x0AB16F30)
_UF2_FAMILY = 0x2000
_FAMILIES = {
    0xE48BFF56: "RP2040",
    0xE48BFF59: "RP2350",
    0x1C5F21B0: "ESP32",
    0xBFDD4EEE: "ESP32-S2",
    0xC47E5767: "ESP32-S3",
    0x7EAB61ED: "ESP8266",
    0x68ED2B88: "SAMD21",
    0x55114460: "SAMD51",
    0xADA52840: "nRF52840",
    0x57755A57: "STM32F4",
}


def uf2(sample: Sample) -> Identification | None:
    """Recognise UF2 files and the chip that they are for."""
    if len(sample.head) < Uf2Block.size:
        return None
    block = Uf2Block.unpack(sample.head)
    if (block.magic_0, block.magic_1, block.magic_2) != _UF2_MAGICS:
        return None
    family = "no family"
    if block.flags & _UF2_FAMILY:
        family = _FAMILIES.get(block.family, f"family {block.family:#x}")
    return Identification(
        FileKind.UF2,
        f"UF2 file, {family}",
        (f"the three magics of block 0, which goes to {block.address:#x}",),
        0.99,
        "it is for another chip: K210 boards have no UF2 loader",
    )


_HEX_LINE = rb":([0-9A-Fa-f]{2})+$"


def intel_hex(sample: Sample) -> Identification | None:
    """Recognise Intel HEX files by the checksums of their first lines."""
    lines = sample.head.splitlines()[:16]
    if len(lines) > 1 and sample.size > len(sample.head):
        lines = lines[:-1]
    for line in filter(None, lines):
        if line[:1] != b":" or not re.match(_HEX_LINE, line):
            return None
        record = bytes.fromhex(line[1:].decode("ascii"))
        if len(record) != record[0] + 5 or sum(record) & 0xFF:
            return None
    return Identification(
        FileKind.INTEL_HEX,
        "Intel HEX file",
        (f"the checksums of {len(lines)} records from 0x0 on are right",),
        0.99,
        "make a binary of it first (objcopy from ihex to binary)",
    )


def picture(sample: Sample) -> Identification:
    """Recognise PNG and JPEG."""
    head = sample.head
    if head.startswith(b"\x89PNG"):
        width, height = (int.from_bytes(head[at : at + 4], "big") for at in (16, 20))
        words = f"PNG picture, {width}x{height}"
        return Identification(FileKind.PNG, words, ("the magic 89 50 4E 47 at 0x0",), 0.99)
    evidence = ("the magic FF D8 FF at 0x0",)
    confidence = 0.97 if head[3:4] and head[3] >= 0xC0 else 0.5
    return Identification(FileKind.JPEG, "JPEG picture", evidence, confidence)


# Text


def text(sample: Sample) -> Identification | None:
    """Recognise UTF-8 text, and Python, TOML and JSON by their syntax."""
    head, tail = sample.head, sample.read(max(0, sample.size - _CHUNK), _CHUNK)
    if not _is_text(head) or not _is_text(tail):
        return None
    size = f"{sample.size} bytes of UTF-8 text"
    if sample.size <= _MOST_PARSED:
        whole = sample.read(0, sample.size).decode("utf-8-sig", "replace")
        for kind, parses, step in _LANGUAGES:
            if parses(whole):
                return Identification(kind, str(kind), (size, f"it parses as {kind}"), 0.97, step)
    return Identification(FileKind.TEXT, "text", (size,), 0.95)


def _is_text(piece: bytes) -> bool:
    # A piece may begin or end inside of a character.
    words = piece.decode("utf-8", "replace").strip("\ufffd")
    if not words or "\ufffd" in words:
        return False
    return all(letter.isprintable() or letter in "\r\n\t\f\b\x1b\ufeff" for letter in words)


def _is_json(source: str) -> bool:
    import json

    if source.lstrip()[:1] not in {"{", "["}:
        return False
    try:
        json.loads(source)
    except (ValueError, RecursionError):
        return False
    return True


def _is_toml(source: str) -> bool:
    import tomllib

    try:
        return bool(tomllib.loads(source))
    except (ValueError, RecursionError):  # a number of too many digits is no TOMLDecodeError
        return False


_STATEMENT = (
    r"(?m)^\s*(?:import \w|from [\w.]+ import |def \w+\(|class \w+|print\(|while .*:|for \w.* in )"
)


def _is_python(source: str) -> bool:
    import ast
    import warnings

    if not re.search(_STATEMENT, source):
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


_LANGUAGES = (
    (FileKind.JSON, _is_json, None),
    (FileKind.TOML, _is_toml, None),
    (FileKind.PYTHON, _is_python, Command("run", ("{image}",))),
)


# Bytes without a format


def uniform(sample: Sample) -> Identification | None:
    """Recognise bytes that are all FF or all 00; large ones by pieces from all over them."""
    value = sample.head[0]
    if value not in {0x00, 0xFF}:
        return None
    if not all(is_filled(piece, value) for piece in _samples(sample)):
        return None
    kind = FileKind.ERASED if value else FileKind.ZERO
    seen = "all" if sample.searchable else "sampled"
    return Identification(
        kind,
        f"{'erased, all bytes are FF' if value else 'zeros, all bytes are 00'}",
        (f"{seen} bytes from 0x0 to {sample.size:#x} are {value:02X}",),
        1.0 if sample.searchable else 0.9,
        Command("mkfs", ("{image}",)),
    )


def _samples(sample: Sample) -> Iterator[bytes]:
    step = _CHUNK if sample.searchable else max(_CHUNK, sample.size // _SAMPLES)
    for at in range(0, sample.size, step):
        yield sample.read(at, _CHUNK)
    yield sample.read(max(0, sample.size - _CHUNK), _CHUNK)


def random(sample: Sample) -> Identification | None:
    """Recognise bytes as even as encrypted or compressed ones."""
    step = max(1, sample.size // 16)
    data = b"".join(sample.read(at, 4096) for at in range(0, sample.size, step))
    kind, _ = classify(data)
    if kind != "compressed":
        return None
    return Identification(
        FileKind.RANDOM,
        "random bytes: encrypted, or compressed in an unknown way",
        (f"{entropy(data):.2f} bits of entropy per byte, and no known format",),
        0.5,
    )
