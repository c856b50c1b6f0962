"""A card: sectors behind registers that say how many there are, and how it behaves.

card = SdCard(RamSectors(128 << 21))                      # SDXC, 128 GiB
card = SdCard(FileSectors.open("old.img"), CardKind.SDSC1)
"""

from __future__ import annotations

from enum import Enum

from maixfs.sd.clock import TYPICAL, SdTiming
from maixfs.sd.device import SectorDevice
from maixfs.sd.errors import SdError
from maixfs.sd.faults import Faults
from maixfs.sd.registers import CSD_V1, CSD_V2, SCR, SD_STATUS, Cid, build, parse_csd, seal

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
