"""The registers of a card: CSD, CID, OCR, SCR and SD status, declared by bits.

The numbers of the bits are those of the SD Physical Layer Simplified Specification, section 5:
bit 0 is the last to cross the bus. A table here both builds a register and takes it apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from maixfs.sd.crc import crc7
from maixfs.sd.errors import SdError

Fields: TypeAlias = Mapping[str, tuple[int, int]]
"""Name to (highest bit, lowest bit)."""

_CSD_COMMON: dict[str, tuple[int, int]] = {
    "CSD_STRUCTURE": (127, 126),
    "TAAC": (119, 112),
    "NSAC": (111, 104),
    "TRAN_SPEED": (103, 96),
    "CCC": (95, 84),
    "READ_BL_LEN": (83, 80),
    "READ_BL_PARTIAL": (79, 79),
    "WRITE_BLK_MISALIGN": (78, 78),
    "READ_BLK_MISALIGN": (77, 77),
    "DSR_IMP": (76, 76),
    "ERASE_BLK_EN": (46, 46),
    "SECTOR_SIZE": (45, 39),
    "WP_GRP_SIZE": (38, 32),
    "WP_GRP_ENABLE": (31, 31),
    "R2W_FACTOR": (28, 26),
    "WRITE_BL_LEN": (25, 22),
    "WRITE_BL_PARTIAL": (21, 21),
    "FILE_FORMAT_GRP": (15, 15),
    "COPY": (14, 14),
    "PERM_WRITE_PROTECT": (13, 13),
    "TMP_WRITE_PROTECT": (12, 12),
    "FILE_FORMAT": (11, 10),
    "CRC": (7, 1),
}
CSD_V1: Fields = {
    **_CSD_COMMON,
    "C_SIZE": (73, 62),
    "VDD_R_CURR_MIN": (61, 59),
    "VDD_R_CURR_MAX": (58, 56),
    "VDD_W_CURR_MIN": (55, 53),
    "VDD_W_CURR_MAX": (52, 50),
    "C_SIZE_MULT": (49, 47),
}
CSD_V2: Fields = {**_CSD_COMMON, "C_SIZE": (69, 48)}
CSD_V3: Fields = {**_CSD_COMMON, "C_SIZE": (75, 48)}
SCR: Fields = {
    "SCR_STRUCTURE": (63, 60),
    "SD_SPEC": (59, 56),
    "DATA_STAT_AFTER_ERASE": (55, 55),
    "SD_SECURITY": (54, 52),
    "SD_BUS_WIDTHS": (51, 48),
    "SD_SPEC3": (47, 47),
    "CMD_SUPPORT": (35, 32),
}
SD_STATUS: Fields = {
    "DAT_BUS_WIDTH": (511, 510),
    "SECURED_MODE": (509, 509),
    "SD_CARD_TYPE": (495, 480),
    "SIZE_OF_PROTECTED_AREA": (479, 448),
    "SPEED_CLASS": (447, 440),
    "PERFORMANCE_MOVE": (439, 432),
    "AU_SIZE": (431, 428),
    "ERASE_SIZE": (423, 408),
    "ERASE_TIMEOUT": (407, 402),
    "ERASE_OFFSET": (401, 400),
}

OCR_VOLTAGES = 0x00FF8000
"""2.7 to 3.6 V."""
_BLOCK_512_KIB = 1024
"""Sectors in the unit of C_SIZE of CSD version 2 and 3."""
_MMC_EPOCH = 1997
_TRAN_UNITS = (10_000, 100_000, 1_000_000, 10_000_000)
"""A tenth of TRAN_SPEED's units, since its factors are tenths."""
_TRAN_FACTORS = (0, 10, 12, 13, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 70, 80)


def build(fields: Fields, values: Mapping[str, int], size: int = 16) -> bytes:
    """Return a register of ``size`` bytes with ``values`` in it, the rest zero."""
    number = 0
    for name, value in values.items():
        number |= value << fields[name][1]
    return number.to_bytes(size, "big")


def take_apart(fields: Fields, raw: bytes) -> dict[str, int]:
    """Return all fields of a register by name."""
    number = int.from_bytes(raw, "big")
    return {
        name: number >> low & (1 << high - low + 1) - 1 for name, (high, low) in fields.items()
    }


def seal(raw: bytes) -> bytes:
    """Return a CSD or CID with its CRC7 and end bit in the last byte."""
    return raw[:15] + bytes([crc7(raw[:15]) << 1 | 1])


class Csd(NamedTuple):
    """What a host wants to know of a CSD.

    ``sectors`` are of 512 bytes, ``max_hz`` is the fastest clock, ``fields`` has everything.
    """

    version: int
    sectors: int
    max_hz: int
    permanent_protect: bool
    temporary_protect: bool
    crc_ok: bool
    fields: dict[str, int]


def parse_csd(raw: bytes, *, mmc: bool = False) -> Csd:
    """Take a CSD apart. Raises ``SdError`` for a structure that is not known.

    An MMC's ``CSD_STRUCTURE`` counts its own versions; all of them lie as an SD card's first.
    """
    if len(raw) != 16:
        raise SdError(f"a CSD has 16 bytes, this one {len(raw)}")
    version = 1 if mmc else (raw[0] >> 6) + 1
    tables = {1: CSD_V1, 2: CSD_V2, 3: CSD_V3}
    if version not in tables:
        raise SdError(
            f"the card's CSD has structure {raw[0] >> 6}, 0 to 2 are known ({raw.hex()})",
            hint="it came over a bad line, or is a card of a later kind",
        )
    fields = take_apart(tables[version], raw)
    if version == 1:
        shift = fields["C_SIZE_MULT"] + 2 + fields["READ_BL_LEN"]
        sectors = (fields["C_SIZE"] + 1 << shift) >> 9
    else:
        sectors = (fields["C_SIZE"] + 1) * _BLOCK_512_KIB
    speed = fields["TRAN_SPEED"]
    unit = _TRAN_UNITS[min(speed & 7, 3)]
    return Csd(
        version=version,
        sectors=sectors,
        max_hz=_TRAN_FACTORS[speed >> 3 & 15] * unit,
        permanent_protect=bool(fields["PERM_WRITE_PROTECT"]),
        temporary_protect=bool(fields["TMP_WRITE_PROTECT"]),
        crc_ok=raw[15] == crc7(raw[:15]) << 1 | 1,
        fields=fields,
    )


class Cid(NamedTuple):
    """Who made a card, and when."""

    manufacturer: int
    oem: str
    name: str
    revision: str
    serial: int
    year: int
    month: int

    def pack(self, *, mmc: bool = False) -> bytes:
        """Return the register with its CRC7; names are cut or filled to their 2 and 5 (MMC: 6)."""
        major, _, minor = self.revision.partition(".")
        if mmc:
            date = bytes([(self.month & 0xF) << 4 | (self.year - _MMC_EPOCH) & 0xF])
        else:
            date = ((self.year - 2000 & 0xFF) << 4 | self.month & 0xF).to_bytes(2, "big")
        raw = (
            bytes([self.manufacturer])
            + self.oem.encode("ascii", "replace")[:2].ljust(2)
            + self.name.encode("ascii", "replace").ljust(6)[: 6 if mmc else 5]
            + bytes([int(major or 0) << 4 & 0xF0 | int(minor or 0) & 0xF])
            + self.serial.to_bytes(4, "big")
        )
        gap = 15 - len(raw) - len(date)
        return seal(raw + bytes(gap) + date + b"\x00")


def parse_cid(raw: bytes, *, mmc: bool = False) -> Cid:
    """Take a CID apart; an MMC's name has six characters and its years count from 1997."""
    if len(raw) != 16:
        raise SdError(f"a CID has 16 bytes, this one {len(raw)}")
    end = 9 if mmc else 8
    year, month = 2000 + (raw[13] << 4 & 0xF0 | raw[14] >> 4), raw[14] & 0xF
    if mmc:
        year, month = _MMC_EPOCH + (raw[14] & 0xF), raw[14] >> 4
    return Cid(
        manufacturer=raw[0],
        oem=_text(raw[1:3]),
        name=_text(raw[3:end]),
        revision=f"{raw[end] >> 4}.{raw[end] & 0xF}",
        serial=int.from_bytes(raw[end + 1 : end + 5], "big"),
        year=year,
        month=month,
    )


def _text(raw: bytes) -> str:
    return "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in raw)
