"""Everything that ``info`` says of a target, findings left out: as values and as a dictionary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from maixfs.errors import DeviceError
from maixfs.image.entries import Kind
from maixfs.image.errors import TargetError
from maixfs.nor.device import CHUNK, SECTOR, is_filled
from maixfs.spiffs import PRESETS, Geometry, ondisk
from maixfs.spiffs.room import SpiffsRoom
from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from maixfs.image.boardconfig import BoardConfig
    from maixfs.image.cardreport import CardSummary
    from maixfs.image.image import Image
    from maixfs.image.spiffsvolume import SpiffsVolume


_KBOOT = rb"Kboot_v[0-9.]{1,12}"
_KBOOT_PLACE = slice(0x1000, 0x1040)


class Counts(NamedTuple):
    """How often units were erased."""

    least: int
    mean: float
    most: int


class FirmwareFacts(NamedTuple):
    """A firmware image at the start of a flash."""

    size: int
    """Bytes in all, header and checksum included."""
    encrypted: bool
    intact: bool
    """Whether its SHA-256 is right."""
    loader: str | None
    """Name of the boot loader, where it is one that gives its name."""


class BoardFacts(NamedTuple):
    """What a board is made of."""

    part: str
    driver: str
    profile: str
    holder: int | None
    """The process that has it powered on (0: not known which), or ``None``."""


class Report(NamedTuple):
    """What is known of a target."""

    kind: Kind
    host: str
    size: int
    board: BoardFacts | None
    mount_point: str
    geometry: Geometry
    preset: str | None
    """Name of the preset of the same format."""
    confidence: float | None
    """How sure the geometry is, up to 1; ``None`` where it was not found but given."""
    reasons: tuple[str, ...]
    room: SpiffsRoom
    block_erases: Counts | None
    """By the counters in the file system, per block."""
    sector_erases: Counts | None
    """By the wear file beside a board's flash, per sector of the area."""
    firmware: FirmwareFacts | None
    card: CardSummary | None
    """What is in the slot of a board."""
    written_outside: int
    """Bytes of sectors outside of the file system that are not blank."""

    def as_dict(self) -> dict[str, Any]:
        """Return it all as plain values that JSON has."""
        geometry = self.geometry
        values: dict[str, Any] = {"target": self.host, **self._asdict()}
        del values["host"]
        values |= {
            "kind": str(self.kind),
            "board": self.board and self.board._asdict(),
            "geometry": geometry_dict(geometry),
            "mkspiffs": geometry.mkspiffs_flags(),
            "spiffsgen": geometry.spiffsgen_flags(),
            "reasons": [*self.reasons],
            "room": self.room.as_dict(),
            "block_erases": self.block_erases and self.block_erases._asdict(),
            "sector_erases": self.sector_erases and self.sector_erases._asdict(),
            "firmware": self.firmware and self.firmware._asdict(),
            "card": self.card and self.card.as_dict(),
        }
        return values


def geometry_dict(geometry: Geometry) -> dict[str, Any]:
    """Return the fields that make two geometries different."""
    from dataclasses import fields

    return {
        field.name: getattr(geometry, field.name) for field in fields(Geometry) if field.compare
    }


def make_report(whole: Image) -> Report:
    """Return all that is known of a flash; raises ``UsageError`` where it holds no SPIFFS."""
    target = whole.spiffs
    image, geometry, detection = target.medium.shown, target.geometry, target.detection
    bare = target.kind is Kind.SPIFFS_IMAGE
    return Report(
        kind=target.kind,
        host=str(target.host),
        size=len(image),
        board=_board_facts(target.medium.source.config, target.medium.holder),
        mount_point=target.mount.point,
        geometry=geometry,
        preset=(detection and detection.preset) or _preset_of(geometry),
        confidence=detection.confidence if detection else None,
        reasons=tuple(map(str, detection.reasons)) if detection else (),
        room=target.room(),
        block_erases=_block_erases(image, geometry),
        sector_erases=_sector_erases(target),
        firmware=None if bare else firmware_facts(image),
        card=_card_of(whole),
        written_outside=0 if bare else written_outside(image, geometry),
    )


def _card_of(image: Image) -> CardSummary | None:
    """Examine the card in a board's slot; ``None`` if there is none, or it cannot be read."""
    if image.config is None:
        return None
    from maixfs.image.cardreport import summarize_slot

    try:
        # A card that is missing or damaged must not hide what is known of the flash.
        return summarize_slot(image)
    except (TargetError, DeviceError):
        return None


def _board_facts(config: BoardConfig | None, holder: int | None) -> BoardFacts | None:
    if config is None:
        return None
    return BoardFacts(config.part, config.driver, config.profile, holder)


def _preset_of(geometry: Geometry) -> str | None:
    for name, preset in PRESETS.items():
        if preset == geometry:
            return name
    return None


def _block_erases(image: memoryview, geometry: Geometry) -> Counts | None:
    starts = range(geometry.base, geometry.base + geometry.size, geometry.block_size)
    counts = [ondisk.ERASE_COUNT.unpack(image, at + geometry.magic_offset)[0] for at in starts]
    return _counts([count for count in counts if count != ondisk.ID_FREE])


def _sector_erases(target: SpiffsVolume) -> Counts | None:
    wear, geometry = target.medium.wear, target.geometry
    if wear is None:
        return None
    first = geometry.base // SECTOR
    return _counts([*wear[first : first + geometry.size // SECTOR]])


def _counts(counts: list[int]) -> Counts | None:
    if not counts:
        return None
    return Counts(min(counts), sum(counts) / len(counts), max(counts))


def firmware_facts(image: memoryview) -> FirmwareFacts | None:
    """Return the firmware with a header at address 0; ``None`` where there is none."""
    from maixfs.firmware import FirmwareError, read_firmware

    try:
        firmware = read_firmware(image)
    except FirmwareError:
        return None
    if not firmware.wrapped:
        return None
    import re

    name = re.search(_KBOOT, bytes(image[_KBOOT_PLACE]))
    loader = name[0].decode("ascii") if name else None
    return FirmwareFacts(firmware.end, firmware.aes, firmware.sha_ok, loader)


def written_outside(image: memoryview, geometry: Geometry) -> int:
    """Return the bytes of all sectors outside of the file system that are not blank."""
    area = range(geometry.base, geometry.base + geometry.size)
    # Most of a flash is erased: whole chunks are compared before their sectors.
    sectors = (
        start
        for first in range(0, len(image), CHUNK)
        if not is_filled(image[first : first + CHUNK])
        for start in range(first, min(first + CHUNK, len(image)), SECTOR)
    )
    return sum(
        min(SECTOR, len(image) - start)
        for start in sectors
        if start not in area and not is_filled(image[start : start + SECTOR])
    )
