"""The label of a volume: an entry of the root, and a copy of it in the boot sector.

It has eleven bytes of code page 437, in upper case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.fat.codepage import oem_to_unicode, unicode_to_oem, upcase
from maixfs.fat.errors import FResult, fat_error
from maixfs.fat.geometry import is_boot_sector
from maixfs.fat.ondisk import (
    ENTRY_FREE,
    ENTRY_KANJI_E5,
    HAS_LABEL,
    WRITTEN,
    Attribute,
    DirEntry,
    Extension16,
    Extension32,
)

if TYPE_CHECKING:
    from maixfs.fat.directory import Tree

NO_LABEL = b"NO NAME    "
"""What stands in the boot sector of a volume without a label."""
LABEL_LENGTH = 11
_FORBIDDEN = frozenset(b'+.,;=[]/\\"*:<>?|\x7f') | frozenset(range(0x20))
_VOLUME_ID = int(Attribute.VOLUME_ID)


def label_bytes(label: str | bytes) -> bytes:
    """Return ``label`` as it lies on a card: padded, in upper case; spaces alone for none.

    Raises ``FatError`` (``INVALID_NAME``) for more than 11 characters, for one that code page
    437 does not have or a label cannot hold, and for a space in front. Letters beyond ASCII are
    right on FAT, but fsck.fat 4.2 takes them for control characters.
    """
    if not isinstance(label, (bytes, str)):
        raise TypeError(f"a label is bytes or str, not {type(label).__name__}")
    text = oem_to_unicode(label) if isinstance(label, bytes) else label
    text = text.rstrip(" ")
    oem = unicode_to_oem(upcase(text))
    if oem is None:
        raise _no_label(text, "has a character that code page 437 does not have")
    if len(oem) > LABEL_LENGTH:
        raise _no_label(text, f"has {len(oem)} characters, and a label has {LABEL_LENGTH} at most")
    if oem[:1] == b" ":
        raise _no_label(text, "begins with a space")
    bad = next((byte for byte in oem if byte in _FORBIDDEN), None)
    if bad is not None:
        raise _no_label(text, f"{chr(bad)!r} cannot be in a label")
    return oem.ljust(LABEL_LENGTH)


def label_text(label: bytes) -> str:
    """Return the label that eleven bytes of a card are, without its padding."""
    return "" if label == NO_LABEL else oem_to_unicode(label.rstrip(b" \0"))


def read_label(volume: Tree) -> str:
    """Return the label in the root, or the empty string."""
    directory = volume.directory(0)
    slot = directory.find_label()
    if slot is None:
        return ""
    raw = directory.short_of(slot)
    # E5 itself would mark the slot as deleted, so 05 stands for it.
    if raw[0] == ENTRY_KANJI_E5:
        raw = bytes((ENTRY_FREE,)) + raw[1:]
    return oem_to_unicode(raw).rstrip(" ")


def set_label(volume: Tree, text: str) -> None:
    """Set the label, or remove it; raises ``INVALID_NAME``, ``DENIED`` when the root is full."""
    volume.check_writable()
    raw = label_bytes(text)
    named = bool(raw.strip())
    directory = volume.directory(0)
    slot = directory.find_label()
    date, time = volume.clock()
    if slot is None and named:
        entry = DirEntry(raw, _VOLUME_ID, 0, 0, 0, 0, 0, 0, time, date, 0, 0)
        directory.insert(entry.pack(), None)
    elif slot is not None and named:
        directory.put_raw(slot, raw)
        directory.put(slot, WRITTEN, time, date)
    elif slot is not None:
        directory.free_slots(slot, slot)
    # The root first: systems show that label, and the copy in the boot sector is for tools.
    volume.writer.flush()
    _set_boot_label(volume, raw if named else NO_LABEL)


def _set_boot_label(volume: Tree, raw: bytes) -> None:
    """Put the label into the boot sector and its backup, where they have a field for it."""
    geometry = volume.geometry
    kind = Extension32 if volume.wide else Extension16
    for sector in {0, geometry.backup_sector}:
        # A damaged number of the backup may lead into a FAT.
        if sector >= geometry.reserved:
            continue
        boot = bytearray(volume.sectors.read(sector, 1))
        # Without this mark the same bytes are boot code.
        if kind.unpack(boot).BS_BootSig == HAS_LABEL and is_boot_sector(bytes(boot)):
            kind.part("BS_VolLab").pack_into(boot, 0, raw)
            volume.sectors.write(sector, boot)
    volume.geometry = geometry._replace(label=oem_to_unicode(raw).rstrip(" "))
    volume.sectors.sync()


def _no_label(label: str, what: str) -> Exception:
    return fat_error(FResult.INVALID_NAME, f"label {label!r}", what)
