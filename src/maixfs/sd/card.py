"""A simulated card: its registers, its timing, its faults and the sectors behind them.

    card = SdCard(RamSectors(128 << 21))                      # SDXC, 128 GiB
    card = SdCard(FileSectors.open("old.img"), CardKind.SDSC_V1)

The registers (CSD, CID, OCR, SCR, SD status) are declared by bits, as in section 5 of the SD
Physical Layer Simplified Specification: bit 0 is the last one on the bus. Each table both builds
and decodes its register.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple, TypeAlias

from maixfs.sd.clock import TYPICAL, SdTiming
from maixfs.sd.commands import crc7
from maixfs.sd.device import SectorDevice
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


ALWAYS = 1 << 60
"""For a switch that counts down: every time."""


@dataclass(slots=True)
class Faults:
    """The switches of one card.

    At the start: ``cmd0_tries`` is at which CMD0 the card answers; ``cmd0_answer`` what it says
    then instead of 0x01; ``refuses_spi`` says nothing at all; ``cmd8_echo`` is what it returns for
    the check pattern; ``init_time`` (ns) replaces the time of ACMD41, which ``never_ready`` makes
    endless; ``sticky_idle`` keeps the idle bit set in every response after that; ``refused``
    are commands that are answered as illegal (59: no CRC; 23 after CMD55 is ``refused_app``).

    In use: ``read_tokens`` maps sectors to the error token that comes instead of them,
    ``write_errors`` are sectors answered with 0x0D; ``drops_writes`` shows what is written
    until power is cut, and then what was there before; ``busy_every`` (n, ns) makes every nth
    block busy for so long; ``hangs_after`` counts the blocks written until busy lasts for ever;
    ``real_sectors`` is what a card with a fake capacity has: what lies past that wraps;
    ``dip_after`` counts the commands until power dips for a moment; ``removed_after`` those until
    the card is pulled out; ``flipped_reads`` and ``flipped_writes`` count blocks that lose a bit
    on the line; ``flipped_commands`` count commands; ``stuff_byte`` is what follows CMD12;
    ``needs_toggle`` ignores a command unless chip select was high since the last one;
    ``line`` is a level that MISO is stuck at (0x00 or 0xFF). A count of -1 never comes.
    """

    cmd0_tries: int = 1
    cmd0_answer: int | None = None
    refuses_spi: bool = False
    cmd8_echo: int | None = None
    init_time: int | None = None
    never_ready: bool = False
    sticky_idle: bool = False
    refused: set[int] = field(default_factory=set)
    refused_app: set[int] = field(default_factory=set)
    read_tokens: dict[int, int] = field(default_factory=dict)
    write_errors: set[int] = field(default_factory=set)
    drops_writes: bool = False
    busy_every: tuple[int, int] = (0, 0)
    hangs_after: int = -1
    real_sectors: int | None = None
    dip_after: int = -1
    removed_after: int = -1
    flipped_reads: int = 0
    flipped_writes: int = 0
    flipped_commands: int = 0
    stuff_byte: int = 0xFF
    needs_toggle: bool = False
    line: int | None = None

    def __bool__(self) -> bool:
        """Whether any switch is thrown."""
        return self != _HEALTHY


_HEALTHY = Faults()


_GIB = 1 << 21
"""Sectors of a GiB."""
_COMMAND_CLASSES = 0x135
"""Classes 0 basic, 2 read, 4 write, 5 erase, 8 application: what the card really has."""
_MAKER = Cid(0x00, "MF", "MAIXS", "1.0", 1, 2026, 1)
_AU_4_MIB = 9
AU_SECTORS = 8192
"""Sectors of an allocation unit, by which erases take their time."""


class CardKind(Enum):
    """Capacity classes, and the older card that fits the same slot.

    An SDSC card is addressed by bytes and has 2 GiB at most (4 in rare cases); version 1 does not
    know CMD8. SDHC (to 32 GiB) and SDXC (to 2 TiB) are addressed by sectors.
    """

    MMC = "MMC"
    SDSC_V1 = "SDSC v1"
    SDSC_V2 = "SDSC v2"
    SDHC = "SDHC"
    SDXC = "SDXC"

    @property
    def by_blocks(self) -> bool:
        """Whether addresses are sectors, not bytes."""
        return self in (CardKind.SDHC, CardKind.SDXC)

    @property
    def limit(self) -> int:
        """Most sectors that such a card can have."""
        return {CardKind.SDHC: 32 * _GIB, CardKind.SDXC: 2048 * _GIB}.get(self, 4 * _GIB)


def kind_of_size(sectors: int) -> CardKind:
    """Return the class that a card of so many sectors is sold as; raises ``SdError``."""
    if sectors <= 2 * _GIB:
        return CardKind.SDSC_V2
    if sectors <= 32 * _GIB:
        return CardKind.SDHC
    if sectors <= 2048 * _GIB:
        return CardKind.SDXC
    raise SdError(
        f"a card of {sectors} sectors (over 2 TiB) is an SDUC card, which has no SPI mode",
        hint="take a card of 2 TiB at most",
    )


class SdCard:
    """A card over any ``SectorDevice``.

    ``sectors`` is the capacity that its CSD states: that of ``medium``, less what the CSD cannot
    express (up to 512 KiB). ``write_protected`` sets the temporary write protection of the CSD,
    as a medium that is read-only does by itself. ``timing`` says how slow it is, ``faults`` how
    bad. Raises ``SdError`` for a medium that such a card cannot have.
    """

    def __init__(
        self,
        medium: SectorDevice,
        kind: CardKind | None = None,
        *,
        cid: Cid = _MAKER,
        timing: SdTiming = TYPICAL,
        faults: Faults | None = None,
        write_protected: bool = False,
    ) -> None:
        self.medium = medium
        self.kind = kind or kind_of_size(medium.sectors)
        if medium.sectors > self.kind.limit:
            raise SdError(
                f"no {self.kind.value} card has {medium.sectors} sectors,"
                f" {self.kind.limit} are the most"
            )
        self.timing = timing
        self.faults = Faults() if faults is None else faults  # without a switch thrown it is false
        self.write_protected = write_protected or medium.read_only
        self.csd = seal(self._csd())
        self.sectors = parse_csd(self.csd, mmc=self.kind is CardKind.MMC).sectors
        self.cid = cid.pack(mmc=self.kind is CardKind.MMC)
        self.scr = _scr(self.kind)
        self.sd_status = build(SD_STATUS, {"SPEED_CLASS": 4, "AU_SIZE": _AU_4_MIB}, 64)

    def __str__(self) -> str:
        return f"{self.kind.value} card of {self.sectors} sectors"

    def _csd(self) -> bytes:
        common = {
            "TAAC": 0x0E,
            "TRAN_SPEED": 0x32,
            "CCC": _COMMAND_CLASSES,
            "ERASE_BLK_EN": 1,
            "SECTOR_SIZE": 0x7F,
            "R2W_FACTOR": 2,
            "TMP_WRITE_PROTECT": int(self.write_protected),
        }
        if not self.kind.by_blocks:
            length, mult, size = _v1_size(self.medium.sectors)
            own = {"READ_BL_LEN": length, "READ_BL_PARTIAL": 1, "WRITE_BL_LEN": length}
            own |= {"C_SIZE": size - 1, "C_SIZE_MULT": mult}
            if self.kind is CardKind.MMC:
                own["CSD_STRUCTURE"] = 2
            return build(CSD_V1, {**common, **own})
        size = self.medium.sectors // 1024
        if not size:
            raise SdError(
                f"an {self.kind.value} card has at least 1024 sectors, not {self.medium.sectors}"
            )
        own = {"CSD_STRUCTURE": 1, "READ_BL_LEN": 9, "WRITE_BL_LEN": 9, "C_SIZE": size - 1}
        return build(CSD_V2, {**common, **own})


def _v1_size(sectors: int) -> tuple[int, int, int]:
    """Return READ_BL_LEN, C_SIZE_MULT and C_SIZE + 1 of the largest card in ``sectors``.

    Units of 2^(C_SIZE_MULT + 2) blocks of 2^READ_BL_LEN bytes, 4096 of them at most: the
    smallest unit that reaches loses least, and 512-byte blocks come first.
    """
    for length in (9, 10, 11):
        for mult in range(8):
            size = sectors >> mult + 2 + length - 9
            if 0 < size <= 4096:
                return length, mult, size
    raise SdError(f"a card with byte addresses has 4 sectors to 4 GiB, not {sectors} sectors")


def _scr(kind: CardKind) -> bytes:
    """Return the SCR: version 1.10, 2.00 or 3.0x, one and four data lines, erased reads 0."""
    version = {CardKind.MMC: 0, CardKind.SDSC_V1: 1}.get(kind, 2)
    values = {"SD_SPEC": version, "SD_BUS_WIDTHS": 5}
    if kind is CardKind.SDXC:
        values["SD_SPEC3"] = 1
    return build(SCR, values, 8)
