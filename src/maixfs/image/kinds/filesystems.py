"""File systems of other microcontrollers: littlefs and romfs.

littlefs is recognised by its superblock, which lies in the blocks 0 and 1 in either order, not by
the word alone. Sources: littlefs SPEC.md of version 2.1 ("Metadata blocks", "The superblock"), and
of version 1.7 ("Superblock").
"""

from __future__ import annotations

from binascii import crc32
from typing import TYPE_CHECKING

from maixfs.image.identify import FileKind, Identification
from maixfs.record import Record, field
from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from maixfs.image.identify import Sample

_WORD = b"littlefs"
_BLOCK_SIZES = tuple(128 << shift for shift in range(11))
"""Places of block 1 that are tried, bytes."""
_MOST_TAGS = 4096


class SuperblockStruct(Record):
    """The inline structure of the superblock (version 2)."""

    version: int = field("I", "major in the upper half")
    block_size: int = field("I", "bytes")
    block_count: int = field("I")


class SuperblockV1(Record):
    """The superblock entry of version 1, behind revision, size and tail of the block."""

    type: int = field("B", "2E", at=16)
    entry_length: int = field("B", "14")
    attr_length: int = field("B")
    name_length: int = field("B", "08")
    root: bytes = field("8s")
    block_size: int = field("I", "bytes")
    block_count: int = field("I")
    version: int = field("I")
    magic: bytes = field("8s", "littlefs")


class _Superblock(NamedTuple):
    address: int
    version: int
    block_size: int
    block_count: int
    checked: bool
    """The checksum of a commit with it is right."""


def littlefs(sample: Sample) -> Identification | None:
    """Recognise littlefs 1 and 2 by a superblock in block 0 or 1."""
    head = sample.head
    blocks = [block for at in (0, *_BLOCK_SIZES) if (block := _read_block(head, at))]
    blocks = [block for block in blocks if block.address in {0, block.block_size}]
    if not blocks:
        return None
    found = max(blocks, key=lambda block: block.checked)
    size = found.block_size * found.block_count
    missing = size - sample.size
    words = f"littlefs {found.version >> 16}.{found.version & 0xFFFF}"
    short = f"; cut short by {missing:#x} bytes" if missing > 0 and sample.complete else ""
    checksum = ", checksum right" if found.checked else ""
    return Identification(
        FileKind.LITTLEFS,
        f"{words} image, {found.block_count} blocks of {found.block_size:#x} bytes{short}",
        (
            f"superblock of a metadata pair at {found.address:#x}{checksum}",
            f"it ends at {size:#x}, the bytes at {sample.size:#x}",
        ),
        1.0 if found.checked else 0.9,
        "maixfs does not read littlefs: use littlefs-python",
    )


def _read_block(head: bytes, address: int) -> _Superblock | None:
    return _read_v2(head, address) or _read_v1(head, address)


def _read_v1(head: bytes, address: int) -> _Superblock | None:
    if len(head) < address + SuperblockV1.size:
        return None
    block = SuperblockV1.unpack(head, address)
    if block.type != 0x2E or block.magic != _WORD or not _fits(block.block_size, block.version):
        return None
    return _Superblock(address, block.version, block.block_size, block.block_count, checked=False)


def _read_v2(head: bytes, address: int) -> _Superblock | None:
    """Follow the tags of a metadata block, of which each is stored XOR the one before it."""
    at, tag, named, structure, checked = address + 4, 0xFFFFFFFF, False, b"", False
    crc = crc32(head[address:at])
    for _ in range(_MOST_TAGS):
        stored = head[at : at + 4]
        tag ^= int.from_bytes(stored, "big")
        if len(stored) < 4 or tag & 0x80000000:
            break
        kind, entry, size = tag >> 20, tag >> 10 & 0x3FF, tag & 0x3FF
        size = 0 if size == 0x3FF else size
        data = head[at + 4 : at + 4 + size]
        at += 4 + size
        if kind & 0x7C0 == 0x500 and size >= 4:
            checked = crc32(stored, crc) ^ 0xFFFFFFFF == int.from_bytes(data[:4], "little")
            if not checked:
                break
            # The next commit starts with the valid bit that the erased flash leaves.
            tag ^= (kind & 1) << 31
            crc = 0
            if structure:
                break
            continue
        crc = crc32(data, crc32(stored, crc))
        named |= kind == 0x0FF and data == _WORD
        if kind == 0x201 and entry == 0 and size >= SuperblockStruct.size:
            structure = data
    if not named or not structure:
        return None
    block = SuperblockStruct.unpack(structure)
    if not _fits(block.block_size, block.version):
        return None
    return _Superblock(address, block.version, block.block_size, block.block_count, checked)


def _fits(block_size: int, version: int) -> bool:
    return 104 <= block_size <= 1 << 26 and version >> 16 in {1, 2}


def romfs(sample: Sample) -> Identification | None:
    """Recognise Linux' romfs, and MicroPython's."""
    if sample.head.startswith(b"-rom1fs-"):
        size = int.from_bytes(sample.head[8:12], "big")
        words, evidence = "romfs image (Linux)", f"the magic -rom1fs- at 0x0, {size:#x} bytes"
    else:
        words, evidence = "romfs image (MicroPython)", "the magic D2 CD 31 at 0x0"
    return Identification(FileKind.ROMFS, words, (evidence,), 0.9, "maixfs does not read romfs")
