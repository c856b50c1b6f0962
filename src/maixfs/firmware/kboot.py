"""Kboot, the loader of Krux and LoBo: which application it starts (docs/SPEC.md, section 26)."""

from __future__ import annotations

import hashlib
import zlib
from typing import NamedTuple

from maixfs.firmware import ondisk
from maixfs.firmware.bootconfig import BootConfig, BootEntry, read_config
from maixfs.firmware.errors import FirmwareError
from maixfs.firmware.firmware import Firmware, read_firmware
from maixfs.firmware.ondisk import FIRMWARE_HEADER, SHA_SIZE
from maixfs.nor import Buffer

_ID = b"Kboot_v"
_ID_OFFSET = ondisk.STAGE_1 + 9


class EntryVerdict(NamedTuple):
    """What Kboot makes of an entry."""

    config: str
    """``main`` or ``backup``."""
    entry: BootEntry
    ok: bool
    """Whether it would start; also said of entries that are not active."""
    reason: str
    """Why, or why not."""


class BootChoice(NamedTuple):
    """What Kboot starts when nobody holds the boot pin."""

    source: str
    """``main``, ``backup``, ``default`` (the application at 0x10000) or ``halt``."""
    address: int
    size: int
    """Bytes of the payload, as its header says."""
    name: str
    reason: str


class Kboot(NamedTuple):
    """Kboot as it lies in an image."""

    version: str
    """As ``Kboot_v1.4.1``."""
    stage_0: Firmware | None
    stage_1: Firmware | None
    main: BootConfig
    backup: BootConfig
    verdicts: tuple[EntryVerdict, ...]
    """Of every entry that is there, in the order in which Kboot comes to them."""
    choice: BootChoice


def read_kboot(image: Buffer) -> Kboot | None:
    """Return the Kboot of an image and what it would start; ``None`` where there is none."""
    view = memoryview(image).cast("B")
    name = bytes(view[_ID_OFFSET : _ID_OFFSET + 16])
    if not name.startswith(_ID) or len(view) < ondisk.CONFIG_BACKUP + ondisk.CONFIG_SIZE:
        return None
    main = read_config(view[ondisk.CONFIG_MAIN :], ondisk.CONFIG_MAIN)
    backup = read_config(view[ondisk.CONFIG_BACKUP :], ondisk.CONFIG_BACKUP)
    verdicts = tuple(
        judge_entry(view, entry, which)
        for which, config in (("main", main), ("backup", backup))
        for entry in config.present
    )
    return Kboot(
        name.partition(b"\0")[0].decode("ascii", "replace"),
        _stage(view, ondisk.STAGE_0),
        _stage(view, ondisk.STAGE_1),
        main,
        backup,
        verdicts,
        _choose(view, verdicts),
    )


def _stage(view: memoryview, address: int) -> Firmware | None:
    try:
        return read_firmware(view, address)
    except FirmwareError:
        return None


def judge_entry(image: Buffer, entry: BootEntry, config: str = "main") -> EntryVerdict:
    """Judge an entry as Kboot does, without regard to whether it is active."""
    view = memoryview(image).cast("B")
    fault = _range_fault(entry) or _application_fault(view, entry)
    return EntryVerdict(config, entry, not fault, fault or _checks_made(entry))


def _range_fault(entry: BootEntry) -> str:
    """Return why an entry itself is refused; empty where it is not."""
    if not entry.present:
        return f"no entry: its id is {entry.id:08X}"
    for what, value, least, most in (
        ("address", entry.address, ondisk.APP_ADDRESS_MIN, ondisk.APP_ADDRESS_MAX),
        ("size", entry.size, ondisk.APP_SIZE_MIN, ondisk.APP_SIZE_MAX),
    ):
        if not least <= value <= most:
            return f"its {what} {value:#x} is not from {least:#x} to {most:#x}"
    return ""


def _application_fault(view: memoryview, entry: BootEntry) -> str:
    start = entry.address
    head = bytes(view[start : start + FIRMWARE_HEADER.size])
    if len(head) < FIRMWARE_HEADER.size:
        return f"the image ends before {start:#x}"
    flags, length = FIRMWARE_HEADER.unpack(head)
    if flags:
        return f"the byte at {start:#x} is {flags:02X}; only unencrypted images without DIO start"
    if entry.check_size and length != entry.size:
        return f"its size {entry.size:#x} is not that of the application, {length:#x}"
    return _content_fault(view, entry, length)


def _content_fault(view: memoryview, entry: BootEntry, length: int) -> str:
    """Return what the checks that the entry asks for find; SHA-256 goes before CRC-32."""
    start = entry.address
    end = start + FIRMWARE_HEADER.size + length
    if end + entry.check_sha * SHA_SIZE > len(view):
        return f"the application of {length:#x} bytes ends behind the image"
    if entry.check_sha:
        return "" if _sha_right(view, start, end) else "the application's SHA-256 is wrong"
    if entry.check_crc and zlib.crc32(view[start + FIRMWARE_HEADER.size : end]) != entry.crc32:
        return "the application's CRC-32 is wrong"
    return ""


def _sha_right(view: memoryview, start: int, end: int) -> bool:
    return hashlib.sha256(view[start:end]).digest() == bytes(view[end : end + SHA_SIZE])


def _checks_made(entry: BootEntry) -> str:
    made = [name for name, on in (("size", entry.check_size), ("SHA-256", entry.check_sha)) if on]
    if entry.check_crc and not entry.check_sha:
        made.append("CRC-32")
    return f"{' and '.join(made)} right" if made else "nothing is checked but the first byte"


def _choose(view: memoryview, verdicts: tuple[EntryVerdict, ...]) -> BootChoice:
    """Return the first valid active entry, main before backup, else the default application."""
    first = next((one for one in verdicts if one.ok and one.entry.active), None)
    if first is None:
        return _default(view, "no entry is valid and active")
    entry = first.entry
    reason = f"entry {entry.number} of the {first.config} configuration, {first.reason}"
    if entry.address == ondisk.DEFAULT_APP:
        return _default(view, reason)  # held to that one's rules, whatever the entry says
    _, length = FIRMWARE_HEADER.unpack_from(view, entry.address)
    return BootChoice(first.config, entry.address, length, entry.name, reason)


def _default(view: memoryview, reason: str) -> BootChoice:
    """Judge the default application: its size, and always its hash."""
    start = ondisk.DEFAULT_APP
    head = bytes(view[start : start + FIRMWARE_HEADER.size])
    length = FIRMWARE_HEADER.unpack(head)[1] if len(head) == FIRMWARE_HEADER.size else 0
    end = start + FIRMWARE_HEADER.size + length
    if not ondisk.APP_SIZE_MIN <= length <= ondisk.APP_SIZE_MAX:
        fault = f"its size is {length:#x}"
    elif end + SHA_SIZE > len(view) or not _sha_right(view, start, end):
        fault = "its SHA-256 is wrong"
    else:
        return BootChoice("default", start, length, "default", reason)
    reason += f"; the default application at {start:#x} does not start: {fault}"
    return BootChoice("halt", start, 0, "", reason)
