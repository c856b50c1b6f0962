"""Kboot, the boot loader of Krux and LoBo: its configuration, and which application it starts.

The fields and checks are those of Kboot's source (docs/SPEC.md, section 26).
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable

from maixfs.errors import UsageError
from maixfs.firmware.container import (
    SHA_SIZE,
    Firmware,
    FirmwareError,
    FirmwareHeader,
    read_firmware,
)
from maixfs.nor import Buffer
from maixfs.record import Record, field
from maixfs.tuples import NamedTuple

STAGE_0 = 0x0000
STAGE_1 = 0x1000
CONFIG_MAIN = 0x4000
CONFIG_BACKUP = 0x5000
CONFIG_SIZE = 0x1000
DEFAULT_APP = 0x10000
ENTRIES = 8
_ENTRY_MAGIC = 0x5AA5D0C0
_ENTRY_MASK = 0xFFFFFFF0
_ENTRY_ACTIVE = 0x1
_ENTRY_CRC = 0x2
_ENTRY_SHA = 0x4
_ENTRY_SIZE = 0x8
_NAME_SIZE = 16
_APP_ADDRESS = (0x10000, 0x800000)
_APP_SIZE = (0x4000, 0x300000)
_BOOT_SILENT = _ENTRY_MAGIC
"""Boot flags: print nothing, ignore the boot pin."""
_BOOT_PIN_MAGIC = 0xA55A60C0
_BOOT_PIN_MASK = 0xFFFFFFC0
_PINS = 0x40
_WORD = 0xFFFFFFFF
_ID = b"Kboot_v"
_ID_OFFSET = STAGE_1 + 9


class EntryRecord(Record, big_endian=True):
    """One of the eight entries of a configuration sector."""

    id: int = field("I", "5AA5D0C0 and flags: active 1, check CRC 2, SHA 4, size 8")
    address: int = field("I", "of the application in flash")
    length: int = field("I", "of its payload")
    crc32: int = field("I", "of its payload")
    name: bytes = field(f"{_NAME_SIZE}s", "ends in a zero")


class ConfigRecord(Record, big_endian=True):
    """A configuration sector; the bytes behind these are not used."""

    entries: bytes = field(f"{ENTRIES * EntryRecord.size}s", "eight boot entries")
    boot_flags: int = field("I", "5AA5D0C0: silent; A55A60C0 and a pin: use that boot pin")


_BOOT_FLAGS = ConfigRecord.part("boot_flags")


class KbootError(UsageError):
    """A boot entry is outside Kboot's limits, or a sector is not a configuration sector."""


class BootEntry(NamedTuple):
    """An entry of a configuration sector; ``number`` from 0, sizes in bytes."""

    number: int
    id: int
    """Magic and flags."""
    address: int
    size: int
    """Of the payload, without header and hash."""
    crc32: int
    name: str

    @property
    def present(self) -> bool:
        """Whether the id is that of an entry."""
        return self.id & _ENTRY_MASK == _ENTRY_MAGIC

    @property
    def active(self) -> bool:
        """Whether Kboot starts it without the boot pin being held."""
        return self.present and bool(self.id & _ENTRY_ACTIVE)

    @property
    def check_crc(self) -> bool:
        """Whether the CRC-32 is compared; ``check_sha`` takes its place."""
        return bool(self.id & _ENTRY_CRC)

    @property
    def check_sha(self) -> bool:
        """Whether the hash behind the payload is compared."""
        return bool(self.id & _ENTRY_SHA)

    @property
    def check_size(self) -> bool:
        """Whether the size must be that in the application's header."""
        return bool(self.id & _ENTRY_SIZE)


class BootConfig(NamedTuple):
    """A configuration sector."""

    address: int
    entries: tuple[BootEntry, ...]
    boot_flags: int

    @property
    def silent(self) -> bool:
        """Whether Kboot prints nothing and ignores the boot pin."""
        return self.boot_flags == _BOOT_SILENT

    @property
    def boot_pin(self) -> int | None:
        """The boot pin that the sector names; ``None`` for Kboot's default."""
        if self.boot_flags & _BOOT_PIN_MASK != _BOOT_PIN_MAGIC:
            return None
        return self.boot_flags & ~_BOOT_PIN_MASK

    @property
    def present(self) -> tuple[BootEntry, ...]:
        """The entries that are in use."""
        return tuple(entry for entry in self.entries if entry.present)


def read_config(sector: Buffer, address: int = CONFIG_MAIN) -> BootConfig:
    """Decode a configuration sector; ``address`` is its place in the flash.

    Raises ``KbootError`` if it ends before the boot flags do.
    """
    data = bytes(memoryview(sector).cast("B")[:CONFIG_SIZE])
    if len(data) < ConfigRecord.size:
        raise KbootError(f"the configuration sector at {address:#x} has only {len(data)} bytes")
    record = ConfigRecord.unpack(data)
    entries = (
        _entry(number, EntryRecord.unpack(record.entries, number * EntryRecord.size))
        for number in range(ENTRIES)
    )
    return BootConfig(address, tuple(entries), record.boot_flags)


def _entry(number: int, record: EntryRecord) -> BootEntry:
    # Kboot overwrites the last byte of the name with the closing zero, so it never counts.
    name = record.name[:-1].partition(b"\0")[0].decode("ascii", "backslashreplace")
    return BootEntry(number, record.id, record.address, record.length, record.crc32, name)


def make_entry(
    number: int,
    address: int,
    size: int,
    name: str,
    *,
    crc32: int = 0,
    active: bool = True,
    check_crc: bool = False,
    check_sha: bool = True,
    check_size: bool = False,
) -> BootEntry:
    """Return an entry that Kboot accepts; raises ``KbootError`` for values outside its limits."""
    for what, value, (low, high) in (
        ("entry", number, (0, ENTRIES - 1)),
        ("address", address, _APP_ADDRESS),
        ("size", size, _APP_SIZE),
        ("CRC-32", crc32, (0, _WORD)),
    ):
        if not low <= value <= high:
            raise KbootError(f"{what} {value:#x} is not from {low:#x} to {high:#x}")
    if not name.isascii() or not name.isprintable() or len(name) >= _NAME_SIZE:
        raise KbootError(f"the name {name!r} is not 1 to {_NAME_SIZE - 1} ASCII characters")
    flags = (
        active * _ENTRY_ACTIVE
        | check_crc * _ENTRY_CRC
        | check_sha * _ENTRY_SHA
        | check_size * _ENTRY_SIZE
    )
    return BootEntry(number, _ENTRY_MAGIC | flags, address, size, crc32, name)


def entry_for(
    image: Buffer, address: int, name: str, *, number: int = 0, active: bool = True
) -> BootEntry:
    """Return an entry for the application at ``address``, whose size and SHA-256 are checked.

    Raises ``FirmwareError`` if there is no application, ``KbootError`` as ``make_entry`` does
    and for an application whose flags are not 0.
    """
    # Kboot starts no application whose header has a flag, that for DIO included.
    firmware = read_firmware(image, address)
    if not firmware.wrapped or firmware.flags:
        what = f"flags {firmware.flags:#04x}" if firmware.wrapped else "no header"
        raise KbootError(
            f"the application at {address:#x} has {what}: Kboot starts only those with flags 0",
            hint="wrap the application without AES and without DIO",
        )
    start = firmware.payload_address
    payload = memoryview(image).cast("B")[start : start + firmware.length]
    return make_entry(
        number,
        address,
        firmware.length,
        name,
        crc32=zlib.crc32(payload),
        active=active,
        check_size=True,
    )


def set_entry(sector: Buffer, entry: BootEntry) -> bytes:
    """Return the configuration sector (4 KiB) with an entry replaced."""
    record = EntryRecord(*entry[1:5], entry.name.encode("ascii", "replace"))
    return _replaced(sector, entry.number * EntryRecord.size, record.pack())


def clear_entry(sector: Buffer, number: int) -> bytes:
    """Return the sector with an entry's bytes zero; raises ``KbootError`` for a wrong number."""
    if not 0 <= number < ENTRIES:
        raise KbootError(f"there is no entry {number}: entries are 0 to {ENTRIES - 1}")
    return _replaced(sector, number * EntryRecord.size, bytes(EntryRecord.size))


def set_boot_flags(sector: Buffer, *, silent: bool = False, pin: int | None = None) -> bytes:
    """Return the sector with other boot flags; without arguments with Kboot's defaults.

    Raises ``KbootError`` for both at once and for a pin that does not exist.
    """
    if pin is not None and (silent or not 0 <= pin < _PINS):
        reason = "a silent boot ignores the boot pin" if silent else f"there is no pin {pin}"
        raise KbootError(reason)
    # One word holds either magic, so a silent boot cannot name a pin.
    word = _BOOT_PIN_MAGIC | pin if pin is not None else silent * _BOOT_SILENT
    return _replaced(sector, _BOOT_FLAGS.offset, _BOOT_FLAGS.pack(word))


def make_config(
    entries: Iterable[BootEntry], *, silent: bool = False, pin: int | None = None
) -> bytes:
    """Return a new sector with these entries, each at its number; the rest is zero."""
    sector = set_boot_flags(bytes(CONFIG_SIZE), silent=silent, pin=pin)
    for entry in entries:
        sector = set_entry(sector, entry)
    return sector


def _replaced(sector: Buffer, offset: int, data: bytes) -> bytes:
    old = bytes(memoryview(sector).cast("B"))
    if len(old) != CONFIG_SIZE:
        raise KbootError(f"a configuration sector has {CONFIG_SIZE} bytes, not {len(old)}")
    return old[:offset] + data + old[offset + len(data) :]


class EntryVerdict(NamedTuple):
    """Whether Kboot would start an entry."""

    config: str
    """``main`` or ``backup``."""
    entry: BootEntry
    ok: bool
    """Whether it would start; also set for entries that are not active."""
    reason: str
    """Why, or why not."""


class BootChoice(NamedTuple):
    """What Kboot starts when the boot pin is not held."""

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
    """Of every entry in use, in the order in which Kboot tries them."""
    choice: BootChoice


def read_kboot(image: Buffer) -> Kboot | None:
    """Return the Kboot of an image and what it would start; ``None`` if the image has none."""
    view = memoryview(image).cast("B")
    name = bytes(view[_ID_OFFSET : _ID_OFFSET + 16])
    if not name.startswith(_ID) or len(view) < CONFIG_BACKUP + CONFIG_SIZE:
        return None
    # Both copies are always read: Kboot tries the backup whenever main has no entry that starts.
    main = read_config(view[CONFIG_MAIN:], CONFIG_MAIN)
    backup = read_config(view[CONFIG_BACKUP:], CONFIG_BACKUP)
    verdicts = tuple(
        judge_entry(view, entry, which)
        for which, config in (("main", main), ("backup", backup))
        for entry in config.present
    )
    return Kboot(
        name.partition(b"\0")[0].decode("ascii", "replace"),
        _stage(view, STAGE_0),
        _stage(view, STAGE_1),
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
    """Check an entry as Kboot does, whether it is active or not."""
    view = memoryview(image).cast("B")
    fault = _range_fault(entry) or _application_fault(view, entry)
    return EntryVerdict(config, entry, not fault, fault or _passed_checks(entry))


def _range_fault(entry: BootEntry) -> str:
    """Return why the entry itself is refused, or an empty string."""
    if not entry.present:
        return f"no entry: its id is {entry.id:08X}"
    for what, value, (low, high) in (
        ("address", entry.address, _APP_ADDRESS),
        ("size", entry.size, _APP_SIZE),
    ):
        if not low <= value <= high:
            return f"its {what} {value:#x} is not from {low:#x} to {high:#x}"
    return ""


def _application_fault(view: memoryview, entry: BootEntry) -> str:
    start = entry.address
    if start + FirmwareHeader.size > len(view):
        return f"the image ends before {start:#x}"
    flags, length = FirmwareHeader.unpack(view, start)
    if flags:
        return f"the byte at {start:#x} is {flags:02X}; only unencrypted images without DIO start"
    if entry.check_size and length != entry.size:
        return f"its size {entry.size:#x} is not that of the application, {length:#x}"
    return _content_fault(view, entry, length)


def _content_fault(view: memoryview, entry: BootEntry, length: int) -> str:
    """Return why the checks that the entry asks for fail, or an empty string.

    Kboot compares the CRC-32 only where the entry does not ask for the SHA-256.
    """
    start = entry.address
    end = start + FirmwareHeader.size + length
    if end + entry.check_sha * SHA_SIZE > len(view):
        return f"the application of {length:#x} bytes ends past the image"
    # With the hash asked for, Kboot ignores the CRC-32, even a wrong one.
    if entry.check_sha:
        return "" if _sha_right(view, start, end) else "the application's SHA-256 is wrong"
    if entry.check_crc and zlib.crc32(view[start + FirmwareHeader.size : end]) != entry.crc32:
        return "the application's CRC-32 is wrong"
    return ""


def _sha_right(view: memoryview, start: int, end: int) -> bool:
    return hashlib.sha256(view[start:end]).digest() == bytes(view[end : end + SHA_SIZE])


def _passed_checks(entry: BootEntry) -> str:
    checks = [("size", entry.check_size), ("SHA-256", entry.check_sha)]
    names = [name for name, is_set in checks if is_set]
    if entry.check_crc and not entry.check_sha:
        names.append("CRC-32")
    return f"{' and '.join(names)} right" if names else "nothing is checked but the first byte"


def _choose(view: memoryview, verdicts: tuple[EntryVerdict, ...]) -> BootChoice:
    """Return the first valid active entry, main before backup, else the default application."""
    first = next((verdict for verdict in verdicts if verdict.ok and verdict.entry.active), None)
    if first is None:
        return _default(view, "no entry is valid and active")
    entry = first.entry
    reason = f"entry {entry.number} of the {first.config} configuration, {first.reason}"
    if entry.address == DEFAULT_APP:
        # Kboot checks the application at this address by its own rules, not by the entry's.
        return _default(view, reason)
    length = FirmwareHeader.unpack(view, entry.address).length
    return BootChoice(first.config, entry.address, length, entry.name, reason)


def _default(view: memoryview, reason: str) -> BootChoice:
    """Choose the default application if its size and its hash are right; its flags are ignored."""
    start = DEFAULT_APP
    is_cut = start + FirmwareHeader.size > len(view)
    length = 0 if is_cut else FirmwareHeader.unpack(view, start).length
    end = start + FirmwareHeader.size + length
    if not _APP_SIZE[0] <= length <= _APP_SIZE[1]:
        fault = f"its size is {length:#x}"
    elif end + SHA_SIZE > len(view) or not _sha_right(view, start, end):
        fault = "its SHA-256 is wrong"
    else:
        return BootChoice("default", start, length, "default", reason)
    reason += f"; the default application at {start:#x} does not start: {fault}"
    return BootChoice("halt", start, 0, "", reason)
