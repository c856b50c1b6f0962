"""The label of a volume: an entry of the root, and a copy of it in the boot sector."""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.fat.errors import FResult, fat_error
from maixfs.fat.names import oem_to_unicode, oem_upcase, unicode_to_oem
from maixfs.fat.ondisk import EXTENSION_OFFSET, Attribute
from maixfs.sd.device import SECTOR

if TYPE_CHECKING:
    from maixfs.fat.volume import Volume

_LENGTH = 11
_NONE = b"NO NAME    "
"""What formatters write into the boot sector of a volume without a label."""
_FORBIDDEN = frozenset(b'"*+,./:;<=>?[\\]|\x7f')
_VOLUME_ID = int(Attribute.VOLUME_ID)


def read_label(volume: Volume) -> str:
    """Return the label in the root, or the empty string."""
    directory = volume.directory(0)
    slot = directory.find_label()
    if slot is None:
        return ""
    raw = directory.short_of(slot)
    if raw[0] == 0x05:
        raw = b"\xe5" + raw[1:]
    return oem_to_unicode(raw).rstrip(" ")


def set_label(volume: Volume, text: str) -> None:
    """Set the label, or remove it; raises ``INVALID_NAME``, ``DENIED`` when the root is full."""
    volume.check_writable()
    raw = _encoded(text)
    directory = volume.directory(0)
    slot = directory.find_label()
    date, time = volume.clock()
    if slot is None:
        if raw:
            stamp = time.to_bytes(2, "little") + date.to_bytes(2, "little")
            entry = raw + bytes((_VOLUME_ID,)) + bytes(10) + stamp + bytes(6)
            directory.insert(entry, None)
    elif raw:
        directory.write(slot, 0, raw)
        stamp = time.to_bytes(2, "little") + date.to_bytes(2, "little")
        directory.write(slot, 22, stamp)
    else:
        directory.free_slots(slot, slot)
    volume.flush()
    _set_boot_label(volume, raw or _NONE)


def _encoded(text: str) -> bytes:
    raw = unicode_to_oem(text.rstrip(" "))
    if raw is None or len(raw) > _LENGTH or any(c < 0x20 or c in _FORBIDDEN for c in raw):
        raise fat_error(
            FResult.INVALID_NAME,
            repr(text),
            "not a label",
            hint="a label has up to 11 characters, without punctuation marks of paths",
        )
    raw = oem_upcase(raw)
    if raw[:1] == b"\xe5":
        raw = b"\x05" + raw[1:]
    return raw.ljust(_LENGTH) if raw else b""


def _set_boot_label(volume: Volume, raw: bytes) -> None:
    """Put the label into the boot sector and its backup, where they have a field for it."""
    geometry = volume.geometry
    extension = EXTENSION_OFFSET + (28 if volume.wide else 0)
    for sector in (0, geometry.backup_sector):
        if sector == 0 or 0 < sector < geometry.reserved:
            boot = bytearray(volume.sectors.read(sector, 1))
            if boot[extension + 2] == 0x29 and boot[SECTOR - 2 :] == b"\x55\xaa":
                boot[extension + 7 : extension + 7 + _LENGTH] = raw
                volume.sectors.write(sector, boot)
        if not geometry.backup_sector:
            break
    volume.geometry = geometry._replace(label=oem_to_unicode(raw).rstrip(" "))
    volume.sectors.sync()
