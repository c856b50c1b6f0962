"""File systems that are not FAT, by the bytes that give them away."""

from __future__ import annotations

from typing import NamedTuple


class Magic(NamedTuple):
    """Bytes at a fixed place of a volume."""

    kind: str
    offset: int
    magic: bytes


_MAGICS = (
    Magic("exFAT", 3, b"EXFAT   "),
    Magic("NTFS", 3, b"NTFS    "),
    Magic("BitLocker", 3, b"-FVE-FS-"),
    Magic("GPT", 0, b"EFI PART"),
    Magic("LUKS", 0, b"LUKS\xba\xbe"),
    Magic("squashfs", 0, b"hsqs"),
    Magic("XFS", 0, b"XFSB"),
    Magic("APFS", 32, b"NXSB"),
    Magic("F2FS", 1024, b"\x10\x20\xf5\xf2"),
    Magic("HFS+", 1024, b"H+"),
    Magic("HFS+", 1024, b"HX"),
    Magic("HFS", 1024, b"BD"),
    Magic("Linux swap", 4086, b"SWAPSPACE2"),
    Magic("ISO 9660", 32769, b"CD001"),
    Magic("Btrfs", 65600, b"_BHRfS_M"),
)
PROBE_SECTORS = 136
"""Sectors in which all of them lie."""

_EXT_MAGIC = 1024 + 56
_EXT_COMPATIBLE = 1024 + 92
_EXT_INCOMPATIBLE = 1024 + 96
_EXT_JOURNAL, _EXT_EXTENTS = 4, 0x40


def foreign_kind(head: bytes) -> str | None:
    """Return the kind of file system that ``head``, the start of a volume, belongs to."""
    if head[_EXT_MAGIC : _EXT_MAGIC + 2] == b"\x53\xef":
        return _ext_kind(head)
    for kind, offset, magic in _MAGICS:
        if head[offset : offset + len(magic)] == magic:
            return kind
    return None


def _ext_kind(head: bytes) -> str:
    if int.from_bytes(head[_EXT_INCOMPATIBLE : _EXT_INCOMPATIBLE + 4], "little") & _EXT_EXTENTS:
        return "ext4"
    journal = int.from_bytes(head[_EXT_COMPATIBLE : _EXT_COMPATIBLE + 4], "little") & _EXT_JOURNAL
    return "ext3" if journal else "ext2"
