"""A simulated card: its registers, its timing, its faults and the sectors behind them.

    card = SdCard(RamSectors(128 << 21))                      # SDXC, 128 GiB
    card = SdCard(FileSectors.open("old.img"), CardKind.SDSC_V1)

The registers (CSD, CID, OCR, SCR, SD status) are declared by bits, as in section 5 of the SD
Physical Layer Simplified Specification: bit 0 is the last one on the bus. Each table both builds
and decodes its register.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from operator import attrgetter
from typing import TypeAlias

from maixfs.sd.clock import TYPICAL, SdTiming
from maixfs.sd.commands import crc7
from maixfs.sd.device import SectorDevice
from maixfs.sd.errors import SdError
from maixfs.tuples import NamedTuple

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
CID: Fields = {
    "MID": (127, 120),
    "OID": (119, 104),
    "PNM": (103, 64),
    "PRV_MAJOR": (63, 60),
    "PRV_MINOR": (59, 56),
    "PSN": (55, 24),
    "MDT_YEAR": (19, 12),
    "MDT_MONTH": (11, 8),
}
MMC_CID: Fields = {
    "MID": (127, 120),
    "OID": (119, 104),
    "PNM": (103, 56),
    "PRV_MAJOR": (55, 52),
    "PRV_MINOR": (51, 48),
    "PSN": (47, 16),
    "MDT_MONTH": (15, 12),
    "MDT_YEAR": (11, 8),
}
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
"""Sectors in a unit of C_SIZE, CSD version 2 and 3."""
_EPOCH, _MMC_EPOCH = 2000, 1997
"""Years that MDT_YEAR counts from."""
_TRAN_UNITS = (10_000, 100_000, 1_000_000, 10_000_000)
"""A tenth of the units of TRAN_SPEED, since its factors are in tenths."""
_TRAN_FACTORS = (0, 10, 12, 13, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 70, 80)


REGISTER_BYTES = 16
"""Size of CSD and CID."""


def pack_register(fields: Fields, values: Mapping[str, int], size: int = REGISTER_BYTES) -> bytes:
    """Return a register of ``size`` bytes with ``values`` in their bits and zero elsewhere."""
    number = 0
    for name, value in values.items():
        high, low = fields[name]
        number |= (value & (1 << high - low + 1) - 1) << low
    return number.to_bytes(size, "big")


def unpack_register(fields: Fields, raw: bytes) -> dict[str, int]:
    """Return all fields of a register by name."""
    number = int.from_bytes(raw, "big")
    return {
        name: number >> low & (1 << high - low + 1) - 1 for name, (high, low) in fields.items()
    }


def with_crc7(raw: bytes) -> bytes:
    """Return a CSD or CID with its CRC7 and end bit in the last byte."""
    return raw[:15] + bytes([crc7(raw[:15]) << 1 | 1])


class Csd(NamedTuple):
    """The contents of a CSD that a host uses.

    ``sectors`` of 512 bytes; ``max_hz`` is the fastest bus clock; ``fields`` has all fields.
    """

    version: int
    sectors: int
    max_hz: int
    permanent_protect: bool
    temporary_protect: bool
    crc_ok: bool
    fields: dict[str, int]


def parse_csd(raw: bytes, *, mmc: bool = False) -> Csd:
    """Decode a CSD; raises ``SdError`` for an unknown structure.

    The ``CSD_STRUCTURE`` of an MMC counts versions of its own, all laid out like version 1 of
    an SD card.
    """
    _check_length("CSD", raw)
    version = 1 if mmc else unpack_register(CSD_V1, raw)["CSD_STRUCTURE"] + 1
    tables = {1: CSD_V1, 2: CSD_V2, 3: CSD_V3}
    if version not in tables:
        raise SdError(
            f"the card's CSD has structure {version - 1}, 0 to 2 are known ({raw.hex()})",
            hint="the line is bad, or the card is of a later kind",
        )
    fields = unpack_register(tables[version], raw)
    if version == 1:
        # C_SIZE + 1 units of 2^(C_SIZE_MULT + 2) blocks of 2^READ_BL_LEN bytes (section 5.3.2).
        shift = fields["C_SIZE_MULT"] + 2 + fields["READ_BL_LEN"]
        sectors = (fields["C_SIZE"] + 1 << shift) >> 9
    else:
        sectors = (fields["C_SIZE"] + 1) * _BLOCK_512_KIB
    speed = fields["TRAN_SPEED"]
    # Units 4 to 7 are reserved; a garbled register gets the fastest one instead of an error.
    unit = _TRAN_UNITS[min(speed & 7, 3)]
    return Csd(
        version=version,
        sectors=sectors,
        max_hz=_TRAN_FACTORS[speed >> 3 & 15] * unit,
        permanent_protect=bool(fields["PERM_WRITE_PROTECT"]),
        temporary_protect=bool(fields["TMP_WRITE_PROTECT"]),
        # Not an error: drivers check the CRC16 of the block in which the register came.
        crc_ok=raw[15] == crc7(raw[:15]) << 1 | 1,
        fields=fields,
    )


class Cid(NamedTuple):
    """Manufacturer, name and date of a card."""

    manufacturer: int
    oem: str
    name: str
    revision: str
    serial: int
    year: int
    month: int

    def pack(self, *, mmc: bool = False) -> bytes:
        """Return the register with its CRC7.

        ``oem`` is cut or padded to 2 characters, ``name`` to 5 (MMC: 6), as ASCII.
        """
        major, _, minor = self.revision.partition(".")
        values = {
            "MID": self.manufacturer,
            "OID": _number_of(self.oem, 2),
            "PNM": _number_of(self.name, 6 if mmc else 5),
            "PRV_MAJOR": int(major or 0),
            "PRV_MINOR": int(minor or 0),
            "PSN": self.serial,
            "MDT_YEAR": self.year - (_MMC_EPOCH if mmc else _EPOCH),
            "MDT_MONTH": self.month,
        }
        return with_crc7(pack_register(MMC_CID if mmc else CID, values))


def parse_cid(raw: bytes, *, mmc: bool = False) -> Cid:
    """Decode a CID; the name of an MMC has six characters and its years count from 1997."""
    _check_length("CID", raw)
    fields = unpack_register(MMC_CID if mmc else CID, raw)
    return Cid(
        manufacturer=fields["MID"],
        oem=_text_of(fields["OID"], 2),
        name=_text_of(fields["PNM"], 6 if mmc else 5),
        revision=f"{fields['PRV_MAJOR']}.{fields['PRV_MINOR']}",
        serial=fields["PSN"],
        year=fields["MDT_YEAR"] + (_MMC_EPOCH if mmc else _EPOCH),
        month=fields["MDT_MONTH"],
    )


def _check_length(register: str, raw: bytes) -> None:
    if len(raw) != REGISTER_BYTES:
        raise SdError(f"a {register} has {REGISTER_BYTES} bytes, this one {len(raw)}")


def _number_of(text: str, size: int) -> int:
    return int.from_bytes(text.encode("ascii", "replace")[:size].ljust(size), "big")


def _text_of(number: int, size: int) -> str:
    # Names of real cards may contain zeros and control characters.
    raw = number.to_bytes(size, "big")
    return "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in raw)


ALWAYS = 1 << 60
"""Value of a switch that counts down, for a fault that occurs every time."""


@dataclass(slots=True)
class Faults:
    """The ways in which real cards misbehave, as switches of a simulated card.

    Each switch is something that users of real cards have reported, or that the specification
    warns of. All are off by default, and can be changed while the card is in use.

    At the start: ``cmd0_tries`` is the number of the CMD0 that the card answers first;
    ``cmd0_answer`` replaces its response 0x01; ``refuses_spi`` never answers; ``cmd8_echo``
    replaces the check pattern; ``init_time`` (ns) replaces the time of ACMD41, and
    ``never_ready`` makes it endless; ``sticky_idle`` keeps the idle bit set in every later
    response; ``refused`` are commands that are answered as illegal (59: no CRC), ``refused_app``
    application commands.

    In use: ``read_tokens`` maps sectors to the error token sent instead of them;
    ``write_errors`` are sectors whose write is answered with 0x0D; ``drops_writes`` returns what
    was written only until power is cut, then the old content; ``busy_every`` (n, ns) makes every
    nth block busy for that time; ``hangs_after`` is the number of blocks after which the card
    stays busy for ever; ``real_sectors`` is the memory of a card of fake capacity, whose
    addresses wrap; ``dip_after`` is the number of commands until power dips for a moment,
    ``removed_after`` until the card is pulled out; ``flipped_reads``, ``flipped_writes`` and
    ``flipped_commands`` are numbers of blocks and commands that lose a bit on the line;
    ``stuff_byte`` follows CMD12; ``needs_toggle`` ignores a command unless chip select was high
    since the last one; ``line`` is a level at which MISO is stuck (0x00 or 0xFF). A count of -1
    is never reached.
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
        """Whether any switch is on."""
        # Asked before each access through a slot, so one comparison must do; ``==`` of the class
        # makes two tuples of all switches first.
        return _switches(self) != _HEALTHY


_switches = attrgetter(*Faults.__slots__)
_HEALTHY = _switches(Faults())


_GIB = 1 << 21
"""Sectors of a GiB."""
_COMMAND_CLASSES = 0x135
"""Classes 0 basic, 2 read, 4 write, 5 erase, 8 application: those that ``spi_controller`` has."""
_MAKER = Cid(0x00, "MF", "MAIXS", "1.0", 1, 2026, 1)
_AU_4_MIB = 9
AU_SECTORS = 8192
"""Sectors of an allocation unit; the time of an erase is a multiple of it."""


class CardKind(Enum):
    """Capacity classes of SD cards, and the older MMC that fits the same slot.

    SDSC cards are addressed by bytes and have up to 2 GiB (4 in rare cases); version 1 does not
    know CMD8. SDHC (up to 32 GiB) and SDXC (up to 2 TiB) are addressed by sectors.
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
        """Largest capacity of the class in sectors."""
        return {CardKind.SDHC: 32 * _GIB, CardKind.SDXC: 2048 * _GIB}.get(self, 4 * _GIB)


def kind_of_size(sectors: int) -> CardKind:
    """Return the class of a card of ``sectors`` sectors; raises ``SdError`` if there is none."""
    # MMC and version 1 are only made on request: the firmware refuses both.
    if sectors <= 2 * _GIB:
        return CardKind.SDSC_V2
    if sectors <= 32 * _GIB:
        return CardKind.SDHC
    if sectors <= 2048 * _GIB:
        return CardKind.SDXC
    raise SdError(
        f"a card of {sectors} sectors (over 2 TiB) is an SDUC card, which has no SPI mode",
        errno=errno.EINVAL,
        hint="use a card of up to 2 TiB",
    )


class SdCard:
    """A simulated card whose sectors are those of any ``SectorDevice``.

    ``sectors`` is the capacity that its CSD states: that of ``medium``, less what the CSD cannot
    express (up to 512 KiB). ``write_protected`` sets the temporary write protection of the CSD;
    a read-only medium sets it too. ``timing`` and ``faults`` describe its behaviour. Raises
    ``SdError`` for a medium that no card of this kind can have.
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
        if not hasattr(medium, "sectors"):
            raise TypeError(f"a card needs a SectorDevice, not {type(medium).__name__}")
        if kind is not None and not isinstance(kind, CardKind):
            raise TypeError(f"a card's kind is a CardKind, not {type(kind).__name__}")
        self.medium = medium
        self.kind = kind or kind_of_size(medium.sectors)
        if medium.sectors > self.kind.limit:
            raise SdError(
                f"{self.kind.value} cards have up to {self.kind.limit} sectors,"
                f" not {medium.sectors}",
                errno=errno.EINVAL,
            )
        self.timing = timing
        # Not ``faults or Faults()``: without a switch on, the caller's own object is false.
        self.faults = Faults() if faults is None else faults
        self.write_protected = write_protected or medium.read_only
        # Hosts learn the capacity from the CSD only, so what it states is what the card has.
        self.csd = with_crc7(self._csd())
        self.sectors = parse_csd(self.csd, mmc=self.kind is CardKind.MMC).sectors
        self.cid = cid.pack(mmc=self.kind is CardKind.MMC)
        self.scr = _scr(self.kind)
        # Speed class 10 and allocation units of 4 MiB, as ordinary cards have today.
        self.sd_status = pack_register(SD_STATUS, {"SPEED_CLASS": 4, "AU_SIZE": _AU_4_MIB}, 64)

    def __str__(self) -> str:
        return f"{self.kind.value} card of {self.sectors} sectors"

    def _csd(self) -> bytes:
        # TAAC (1 ms), TRAN_SPEED (25 MHz), SECTOR_SIZE and R2W_FACTOR are constants that the
        # specification prescribes for version 2 (section 5.3.3); version 1 allows them too.
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
                # Version 1.2 in the MMC's own count, the one of cards up to 2 GiB.
                own["CSD_STRUCTURE"] = 2
            return pack_register(CSD_V1, {**common, **own})
        size = self.medium.sectors // 1024
        if not size:
            raise SdError(
                f"an {self.kind.value} card has at least 1024 sectors, not {self.medium.sectors}",
                errno=errno.EINVAL,
            )
        own = {"CSD_STRUCTURE": 1, "READ_BL_LEN": 9, "WRITE_BL_LEN": 9, "C_SIZE": size - 1}
        return pack_register(CSD_V2, {**common, **own})


def _v1_size(sectors: int) -> tuple[int, int, int]:
    """Return READ_BL_LEN, C_SIZE_MULT and C_SIZE + 1 of the largest capacity up to ``sectors``.

    The capacity is C_SIZE + 1 (up to 4096) units of 2^(C_SIZE_MULT + 2) blocks of 2^READ_BL_LEN
    bytes. The smallest unit that suffices loses the fewest sectors; blocks of 512 bytes come
    first, as real cards use larger ones only from 2 GiB on.
    """
    # READ_BL_LEN 9, 10, 11: blocks of 512, 1024 and 2048 bytes, for up to 1, 2 and 4 GiB.
    for length in (9, 10, 11):
        for mult in range(8):
            size = sectors >> mult + 2 + length - 9
            if 0 < size <= 4096:
                return length, mult, size
    raise SdError(
        f"a card with byte addresses has 4 sectors to 4 GiB, not {sectors} sectors",
        errno=errno.EINVAL,
    )


def _scr(kind: CardKind) -> bytes:
    """Return the SCR: version 1.10, 2.00 or 3.0x; 1 and 4 data lines; erased sectors read 0."""
    version = {CardKind.MMC: 0, CardKind.SDSC_V1: 1}.get(kind, 2)
    values = {"SD_SPEC": version, "SD_BUS_WIDTHS": 5}
    # SDXC came with version 3.0, which has a bit of its own beside SD_SPEC 2.
    if kind is CardKind.SDXC:
        values["SD_SPEC3"] = 1
    return pack_register(SCR, values, 8)
