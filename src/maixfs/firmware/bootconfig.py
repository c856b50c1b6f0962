"""Kboot's configuration sectors: read, made and changed (docs/SPEC.md, section 26)."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import NamedTuple

from maixfs.errors import UsageError
from maixfs.firmware import ondisk
from maixfs.firmware.firmware import read_firmware
from maixfs.nor import Buffer

_PINS = 0x40
_WORD = 0xFFFFFFFF


class KbootError(UsageError):
    """A boot entry that Kboot would not take, or a sector that is none."""


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
        return self.id & ondisk.ENTRY_MASK == ondisk.ENTRY_MAGIC

    @property
    def active(self) -> bool:
        """Whether Kboot starts it by itself."""
        return self.present and bool(self.id & ondisk.ENTRY_ACTIVE)

    @property
    def check_crc(self) -> bool:
        """Whether the CRC-32 is compared; with ``check_sha`` it is not looked at."""
        return bool(self.id & ondisk.ENTRY_CRC)

    @property
    def check_sha(self) -> bool:
        """Whether the hash behind the payload is compared."""
        return bool(self.id & ondisk.ENTRY_SHA)

    @property
    def check_size(self) -> bool:
        """Whether the size must be that in the application's header."""
        return bool(self.id & ondisk.ENTRY_SIZE)


class BootConfig(NamedTuple):
    """A configuration sector."""

    address: int
    entries: tuple[BootEntry, ...]
    boot_flags: int

    @property
    def silent(self) -> bool:
        """Whether Kboot prints nothing and does not look at the boot pin."""
        return self.boot_flags == ondisk.BOOT_SILENT

    @property
    def boot_pin(self) -> int | None:
        """The pin that the sector names, ``None`` where it leaves that to Kboot."""
        if self.boot_flags & ondisk.BOOT_PIN_MASK != ondisk.BOOT_PIN_MAGIC:
            return None
        return self.boot_flags & ~ondisk.BOOT_PIN_MASK

    @property
    def present(self) -> tuple[BootEntry, ...]:
        """The entries that are there."""
        return tuple(entry for entry in self.entries if entry.present)


def read_config(sector: Buffer, address: int = ondisk.CONFIG_MAIN) -> BootConfig:
    """Read a configuration sector; ``address`` is where it lies.

    Raises ``KbootError`` for less than the eight entries and the boot flags.
    """
    data = bytes(memoryview(sector).cast("B")[: ondisk.CONFIG_SIZE])
    if len(data) < ondisk.BOOT_FLAGS_OFFSET + ondisk.BOOT_FLAGS.size:
        raise KbootError(f"a configuration sector of {len(data)} bytes")
    records = ondisk.ENTRY.iter_unpack(data[: ondisk.BOOT_FLAGS_OFFSET])
    entries = (_entry(number, ondisk.EntryRecord(*row)) for number, row in enumerate(records))
    (flags,) = ondisk.BOOT_FLAGS.unpack_from(data, ondisk.BOOT_FLAGS_OFFSET)
    return BootConfig(address, tuple(entries), flags)


def _entry(number: int, record: ondisk.EntryRecord) -> BootEntry:
    # Kboot takes the last byte of the name for the closing zero, whatever it is.
    name = record.name[:-1].partition(b"\0")[0].decode("ascii", "backslashreplace")
    return BootEntry(number, record.id, record.address, record.size, record.crc32, name)


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
    """Return an entry that Kboot takes; raises ``KbootError`` for what it would refuse."""
    for what, value, least, most in (
        ("entry", number, 0, ondisk.ENTRIES - 1),
        ("address", address, ondisk.APP_ADDRESS_MIN, ondisk.APP_ADDRESS_MAX),
        ("size", size, ondisk.APP_SIZE_MIN, ondisk.APP_SIZE_MAX),
        ("CRC-32", crc32, 0, _WORD),
    ):
        if not least <= value <= most:
            raise KbootError(f"{what} {value:#x}: Kboot takes {least:#x} to {most:#x}")
    if not name.isascii() or not name.isprintable() or len(name) >= ondisk.NAME_SIZE:
        raise KbootError(f"name {name!r}: Kboot has room for 15 ASCII letters")
    flags = (
        active * ondisk.ENTRY_ACTIVE
        | check_crc * ondisk.ENTRY_CRC
        | check_sha * ondisk.ENTRY_SHA
        | check_size * ondisk.ENTRY_SIZE
    )
    return BootEntry(number, ondisk.ENTRY_MAGIC | flags, address, size, crc32, name)


def entry_for(
    image: Buffer, address: int, name: str, *, number: int = 0, active: bool = True
) -> BootEntry:
    """Return an entry for the application at ``address``: its size and CRC, size and SHA checked.

    Raises ``FirmwareError`` where there is none, ``KbootError`` as ``make_entry`` and for one
    whose flags are not 0.
    """
    firmware = read_firmware(image, address)
    if not firmware.wrapped or firmware.flags:
        what = f"flags {firmware.flags:#04x}" if firmware.wrapped else "no header"
        raise KbootError(
            f"the application at {address:#x} has {what}: Kboot starts only those with flags 0",
            hint="wrap it without AES and without DIO",
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
    """Return the configuration sector with an entry put in its place (4 KiB)."""
    record = ondisk.ENTRY.pack(*entry[1:5], entry.name.encode("ascii", "replace"))
    return _replaced(sector, entry.number * ondisk.ENTRY.size, record)


def clear_entry(sector: Buffer, number: int) -> bytes:
    """Return the sector with an entry's 32 bytes zero; raises ``KbootError`` for no such one."""
    if not 0 <= number < ondisk.ENTRIES:
        raise KbootError(f"entry {number}: there are {ondisk.ENTRIES}, from 0")
    return _replaced(sector, number * ondisk.ENTRY.size, bytes(ondisk.ENTRY.size))


def set_boot_flags(sector: Buffer, *, silent: bool = False, pin: int | None = None) -> bytes:
    """Return the sector with other boot flags; neither asked for: the defaults.

    Raises ``KbootError`` for both at once and for a pin that does not exist.
    """
    if pin is not None and (silent or not 0 <= pin < _PINS):
        reason = "a silent boot looks at no pin" if silent else f"there is no pin {pin}"
        raise KbootError(reason)
    word = ondisk.BOOT_PIN_MAGIC | pin if pin is not None else silent * ondisk.BOOT_SILENT
    return _replaced(sector, ondisk.BOOT_FLAGS_OFFSET, ondisk.BOOT_FLAGS.pack(word))


def make_config(
    entries: Iterable[BootEntry], *, silent: bool = False, pin: int | None = None
) -> bytes:
    """Return a new sector with these entries, each at its number; the rest is zero."""
    sector = set_boot_flags(bytes(ondisk.CONFIG_SIZE), silent=silent, pin=pin)
    for entry in entries:
        sector = set_entry(sector, entry)
    return sector


def _replaced(sector: Buffer, offset: int, data: bytes) -> bytes:
    old = bytes(memoryview(sector).cast("B"))
    if len(old) != ondisk.CONFIG_SIZE:
        raise KbootError(f"a configuration sector has {ondisk.CONFIG_SIZE} bytes, not {len(old)}")
    return old[:offset] + data + old[offset + len(data) :]
