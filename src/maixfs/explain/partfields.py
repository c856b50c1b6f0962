"""The fields of what lies outside of file systems: firmware, Kboot, and what is nothing."""

from __future__ import annotations

from maixfs.explain.fields import Field, hex_address, record_field
from maixfs.firmware import BootConfig, BootEntry, Firmware
from maixfs.firmware.container import LOAD_ADDRESS
from maixfs.firmware.kboot import ConfigRecord, EntryRecord
from maixfs.image import records
from maixfs.image.records import Found

_FIRMWARE, _KBOOT, _MAP = "25", "26", "24"


def firmware_field(view: memoryview, found: Found, address: int) -> Field:
    """Return the field of a firmware image or a Kboot stage."""
    firmware = found.what
    assert isinstance(firmware, Firmware)
    structure = _firmware_name(firmware, found)
    start = firmware.payload_address
    if address < start:
        return _firmware_header(view, firmware, found.kind, structure, address)
    end = start + firmware.length
    if address < end:
        code = "encrypted program" if firmware.aes else "program"
        meaning = f"{code}, which the ROM loads to {LOAD_ADDRESS:#x} and starts"
        return Field(
            start, end - start, found.kind, structure, "payload", "", meaning, _FIRMWARE, "", 0
        )
    behind = firmware.address + firmware.total
    if address < behind:
        value = bytes(view[end:behind]).hex()
        meaning = "right" if firmware.sha_ok else "wrong: the image is damaged"
        meaning = f"over flags, length and payload; {meaning}"
        return Field(
            end, behind - end, found.kind, structure, "SHA-256", value, meaning, _FIRMWARE
        )
    meaning = "zeros with which the flasher filled up its last piece"
    size = max(found.end, address + 1) - behind
    return Field(behind, size, found.kind, structure, "padding", "", meaning, _FIRMWARE)


def _firmware_name(firmware: Firmware, found: Found) -> str:
    name = firmware.banner.product or "firmware"
    if found.kind == records.KBOOT_STAGE:
        name = found.detail.partition(",")[0]
        return f"Kboot, {name}"
    return f"the firmware at {hex_address(firmware.address)}" + f" ({name})" * (name != "firmware")


def _firmware_header(
    view: memoryview, firmware: Firmware, kind: str, structure: str, address: int
) -> Field:
    base = firmware.address
    if address == base:
        words = ["encrypted" if firmware.aes else "not encrypted"]
        words.append("DIO" if firmware.dio else "no DIO")
        value = f"{view[base]:02X}"
        return Field(base, 1, kind, structure, "flags", value, ", ".join(words), _FIRMWARE)
    value = f"{firmware.length:08X} ({firmware.length})"
    meaning = f"bytes of the payload; the image ends at {base + firmware.total:#x}"
    return Field(base + 1, 4, kind, structure, "length", value, meaning, _FIRMWARE)


def config_field(view: memoryview, found: Found, address: int) -> Field:
    """Return the field of a boot configuration of Kboot."""
    config = found.what
    assert isinstance(config, BootConfig)
    base = found.start
    which = found.detail.partition(",")[0]
    offset = address - base
    flags_at, end = ConfigRecord.offset_of("boot_flags"), ConfigRecord.size
    if offset < flags_at:
        number = offset // EntryRecord.size
        entry = config.entries[number]
        return _entry_field(view, base + number * EntryRecord.size, address, which, entry)
    if offset < end:
        value = f"{config.boot_flags:08X}"
        at = base + flags_at
        return Field(
            at, 4, found.kind, f"the {which}", "boot flags", value, _flags_words(config), _KBOOT
        )
    meaning = "Kboot does not look here"
    rest = found.size - end
    return Field(base + end, rest, found.kind, f"the {which}", "rest", "", meaning, _KBOOT)


def _flags_words(config: BootConfig) -> str:
    if config.silent:
        return "silent: nothing is printed, no boot pin is looked at"
    pin = config.boot_pin
    return "no flags: the usual boot pin" if pin is None else f"boot pin {pin}"


def _entry_field(view: memoryview, base: int, address: int, which: str, entry: BootEntry) -> Field:
    named = f" ({entry.name})" if entry.present and entry.name else ""
    made = record_field(
        view,
        EntryRecord.fields,
        base,
        address,
        region=records.BOOT_CONFIG,
        structure=f"entry {entry.number}{named} of the {which}",
        section=_KBOOT,
        big_endian=True,
    )
    assert made is not None  # the rows of an entry leave no gap
    if not entry.present:
        return made._replace(meaning="there is no entry here: its id is none", is_general=False)
    if made.name != "id":
        return made
    return made._replace(meaning=_entry_words(entry), is_general=False)


def _entry_words(entry: BootEntry) -> str:
    checks = [
        name
        for name, on in (
            ("CRC-32", entry.check_crc and not entry.check_sha),
            ("SHA-256", entry.check_sha),
            ("size", entry.check_size),
        )
        if on
    ]
    active = "active" if entry.active else "not active"
    return f"an entry, {active}; checked: {' and '.join(checks) or 'nothing'}"


def plain_field(found: Found, owner: str) -> Field:
    """Return the field for what is erased, zero or unknown; ``owner`` tells whose place it is."""
    names = {records.ERASED: "erased flash", records.ZERO: "zeros"}
    meaning = f"in {owner}" if owner else "nobody's by the layout"
    if found.kind == records.UNKNOWN:
        bits = (
            "" if found.entropy is None else f", {abs(found.entropy):.1f} bits of entropy per byte"
        )
        meaning = f"{found.detail}{bits}; {meaning}"
    name = names.get(found.kind, "bytes that nothing is known of")
    return Field(found.start, found.size, found.kind, "", name, "", meaning, _MAP)
