"""What bytes are that are no SPIFFS, told in a few words from how they begin."""

from __future__ import annotations

from maixfs.nor.device import blank

_SAMPLE = 4096
_CHUNK = 1 << 16
_SECTOR = 512
_STARTS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x1f\x8b", "it is compressed (gzip): unpack it first"),
    (0, b"PK\x03\x04", "it is a zip archive (a .kfpkg is one): unpack it first"),
    (0, b"\xfd7zXZ\x00", "it is compressed (xz): unpack it first"),
    (0, b"7z\xbc\xaf\x27\x1c", "it is a 7z archive: unpack it first"),
    (0, b"\x7fELF", "it is an ELF program"),
    (0, b"\x89PNG\r\n\x1a\n", "it is a PNG picture"),
    (0, b"\xff\xd8\xff", "it is a JPEG picture"),
    (0, b"KMDL", "it is a kmodel (nncase v4)"),
    (0, b"\x03\x00\x00\x00", "it looks like a kmodel (v3)"),
    (3, b"EXFAT   ", "it is an exFAT volume"),
    (3, b"NTFS    ", "it is an NTFS volume"),
    (8, b"littlefs", "it is a littlefs image"),
    (0x36, b"FAT1", "it is a FAT volume"),
    (0x52, b"FAT32", "it is a FAT32 volume"),
    (0x438, b"\x53\xef", "it is an ext2/3/4 volume"),
)


def describe(image: memoryview) -> str:
    """Return what an image is in which no SPIFFS was found."""
    head = bytes(image[:_SAMPLE])
    if is_all(image, 0xFF):
        return "it is blank (all 0xFF)"
    if is_all(image, 0x00):
        return "it is all zeros"
    for offset, start, sentence in _STARTS:
        if head.startswith(start, offset):
            return sentence
    if head[_SECTOR - 2 : _SECTOR] == b"\x55\xaa":
        return "it begins like a disk or card (boot sector)"
    if _is_text(head):
        return "it is a text file"
    return "none of the known geometries fits"


def begins_like_card(sector: bytes) -> bool:
    """Tell whether a first sector is a card's: a partition table, or a volume's boot sector.

    A table has a status byte of 00 or 80 in each slot, and a type in one.
    """
    if sector[_SECTOR - 2 : _SECTOR] != b"\x55\xaa":
        return False
    if sector[:1] in _JUMPS and sector[3:11].strip(b"\0"):
        return True
    slots = [sector[at : at + 16] for at in range(0x1BE, _SECTOR - 2, 16)]
    return all(slot[0] in (0, 0x80) for slot in slots) and any(slot[4] for slot in slots)


_JUMPS = (b"\xeb", b"\xe9", b"\xe8")


def is_all(image: memoryview, value: int) -> bool:
    """Tell whether all bytes are ``value``; the first other one ends the search."""
    piece = blank(_CHUNK) if value == 0xFF else bytes([value]) * _CHUNK
    return all(
        bytes(image[start : start + _CHUNK]) == piece[: len(image) - start]
        for start in range(0, len(image), _CHUNK)
    )


def _is_text(head: bytes) -> bool:
    if b"\0" in head:
        return False
    text = head.decode("utf-8", "replace").rstrip("\ufffd")
    return all(letter.isprintable() or letter in "\r\n\t\f\b\x1b" for letter in text)
