"""The records of firmware images, Kboot and ``/freq.conf`` as they lie on flash, without logic.

docs/SPEC.md, sections 25 (firmware image), 26 (Kboot: big-endian words) and 12.3 (freq.conf).
"""

from __future__ import annotations

import struct
from typing import NamedTuple

# Firmware image

FLAG_AES = 0x01
"""The payload is encrypted with AES-128-CBC."""
FLAG_DIO = 0x02
"""Written for dual I/O mode of the flash; newer flashers set it unless told otherwise."""
FLAGS_KNOWN = FLAG_AES | FLAG_DIO
MOST_PAYLOAD = 0x600000
"""Bytes; the ROM loads the payload into the chip's 6 MiB of general memory."""
SHA_SIZE = 32
AES_BLOCK = 16


FIRMWARE_HEADER = struct.Struct("<BI")
"""Flags and length, in front of a payload."""
WRAPPER_SIZE = FIRMWARE_HEADER.size + SHA_SIZE
"""Bytes that wrapping adds to a payload: header in front, hash behind."""

# Kboot

STAGE_0 = 0x0000
STAGE_1 = 0x1000
CONFIG_MAIN = 0x4000
CONFIG_BACKUP = 0x5000
CONFIG_SIZE = 0x1000
DEFAULT_APP = 0x10000
ENTRIES = 8
ENTRY_MAGIC = 0x5AA5D0C0
ENTRY_MASK = 0xFFFFFFF0
ENTRY_ACTIVE = 0x1
ENTRY_CRC = 0x2
ENTRY_SHA = 0x4
ENTRY_SIZE = 0x8
NAME_SIZE = 16
APP_ADDRESS_MIN, APP_ADDRESS_MAX = 0x10000, 0x800000
APP_SIZE_MIN, APP_SIZE_MAX = 0x4000, 0x300000
BOOT_FLAGS_OFFSET = 0x100
BOOT_SILENT = ENTRY_MAGIC
"""Boot flags: print nothing, do not look at the boot pin."""
BOOT_PIN_MAGIC = 0xA55A60C0
BOOT_PIN_MASK = 0xFFFFFFC0


class EntryRecord(NamedTuple):
    """One of the eight entries of a configuration sector."""

    id: int
    address: int
    size: int
    crc32: int
    name: bytes


ENTRY = struct.Struct(">IIII16s")
BOOT_FLAGS = struct.Struct(">I")


FIELDS: dict[str, tuple[tuple[str, int, int, str], ...]] = {
    "firmware image": (
        ("flags", 0, 1, "bit 0: AES-128-CBC, bit 1: DIO; others 0"),
        ("length", 1, 4, "bytes of the payload as stored"),
        ("payload", 5, -1, "loaded to 80000000 and started"),
        ("sha256", -1, 32, "over everything in front of it"),
    ),
    "boot entry": (
        ("id", 0, 4, "5AA5D0C0 and flags: active 1, check CRC 2, SHA 4, size 8"),
        ("address", 4, 4, "of the application in flash"),
        ("size", 8, 4, "of its payload"),
        ("crc32", 12, 4, "of its payload"),
        ("name", 16, 16, "ends in a zero"),
    ),
    "boot config": (
        ("entries", 0, 256, "eight boot entries"),
        ("boot_flags", 256, 4, "5AA5D0C0: silent; A55A60C0 and a pin: use that boot pin"),
    ),
    "freq.conf": (
        ("freq_cpu", 0, 4, "clock of the processor, Hz"),
        ("freq_pll1", 4, 4, "clock of PLL1, Hz"),
        ("kpu_div", 8, 1, "divider of PLL1 for the KPU; 0 means 1"),
        ("_pad", 9, 3, "not set"),
        ("gc_heap_size", 12, 4, "bytes of MicroPython's heap; 0 means the default"),
    ),
}
"""Field name, offset, length (-1: depends on the image), meaning; for docs and hex views."""
