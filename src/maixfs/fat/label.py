"""The label of a volume: an entry of the root, and a copy of it in the boot sector."""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.fat.geometry import is_boot_sector
from maixfs.fat.labels import LABEL_LENGTH, NO_LABEL, label_bytes
from maixfs.fat.names import oem_to_unicode
from maixfs.fat.ondisk import ENTRY_FREE, ENTRY_KANJI_E5, EXTENSION_OFFSET, Attribute

if TYPE_CHECKING:
    from maixfs.fat.volume import Volume

_WIDER = 28
"""Bytes that FAT32 puts before the fields that FAT12 and FAT16 have too."""
_HAS_LABEL = 0x29
"""BS_BootSig of a boot sector that has a label."""
_VOLUME_ID = int(Attribute.VOLUME_ID)


def read_label(volume: Volume) -> str:
    """Return the label in the root, or the empty string."""
    directory = volume.directory(0)
    slot = directory.find_label()
    if slot is None:
        return ""
    raw = directory.short_of(slot)
    if raw[0] == ENTRY_KANJI_E5:
        raw = bytes((ENTRY_FREE,)) + raw[1:]
    return oem_to_unicode(raw).rstrip(" ")


def set_label(volume: Volume, text: str) -> None:
    """Set the label, or remove it; raises ``INVALID_NAME``, ``DENIED`` when the root is full."""
    volume.check_writable()
    raw = label_bytes(text)
    named = bool(raw.strip())
    if raw[0] == ENTRY_FREE:
        raw = bytes((ENTRY_KANJI_E5,)) + raw[1:]
    directory = volume.directory(0)
    slot = directory.find_label()
    date, time = volume.clock()
    stamp = time.to_bytes(2, "little") + date.to_bytes(2, "little")
    if slot is None and named:
        directory.insert(raw + bytes((_VOLUME_ID,)) + bytes(10) + stamp + bytes(6), None)
    elif slot is not None and named:
        directory.write(slot, 0, raw)
        directory.write(slot, 22, stamp)
    elif slot is not None:
        directory.free_slots(slot, slot)
    volume.flush()
    _set_boot_label(volume, raw if named else NO_LABEL)


def _set_boot_label(volume: Volume, raw: bytes) -> None:
    """Put the label into the boot sector and its backup, where they have a field for it."""
    geometry = volume.geometry
    at = EXTENSION_OFFSET + (_WIDER if volume.wide else 0)
    for sector in {0, geometry.backup_sector}:
        if sector >= geometry.reserved:
            continue
        boot = bytearray(volume.sectors.read(sector, 1))
        if boot[at + 2] == _HAS_LABEL and is_boot_sector(bytes(boot)):
            boot[at + 7 : at + 7 + LABEL_LENGTH] = raw
            volume.sectors.write(sector, boot)
    volume.geometry = geometry._replace(label=oem_to_unicode(raw).rstrip(" "))
    volume.sectors.sync()
