"""What whole flash images and packages are put together from, and what kind of thing each is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from maixfs.firmware import FirmwareError, begins_like_payload, read_firmware, unwrap, wrap
from maixfs.firmware.kboot import CONFIG_SIZE, EntryRecord, read_config
from maixfs.kmodel import ModelError, parse_model
from maixfs.nor.device import blank

if TYPE_CHECKING:
    from maixfs.kfpkg import Part

KINDS = ("firmware", "model", "spiffs", "boot config", "blank", "data")
"""Kinds of pieces; ``blank`` erases, ``data`` is everything else."""
_LEAST_SPIFFS = 3 * 0x1000
"""A SPIFFS has three blocks of at least a sector."""


class Piece(NamedTuple):
    """Bytes that are to lie in the flash, and their place."""

    name: str
    """What its owner calls it: the name of its file."""
    kind: str
    """One of ``KINDS``."""
    address: int
    data: bytes
    """As they come to lie in the flash."""
    payload: bytes | None = None
    """What header and hash were put around to make ``data``, if they were."""

    @property
    def size(self) -> int:
        """Bytes that it takes in the flash."""
        return len(self.data)

    @property
    def end(self) -> int:
        """Address behind its last byte."""
        return self.address + len(self.data)

    def __str__(self) -> str:
        return f"{self.name} ({self.address:#x}-{self.end:#x})"


def kind_of(data: bytes) -> str:
    """Return what kind of thing bytes are, one of ``KINDS``; nothing is raised."""
    if is_image(data) or begins_like_payload(data[:16]):
        return "firmware"
    if data == blank(len(data)):
        return "blank"
    if EntryRecord.size <= len(data) <= CONFIG_SIZE and _begins_with_entry(data):
        return "boot config"
    try:
        parse_model(data)
    except ModelError:
        return "spiffs" if _has_spiffs(data) else "data"
    return "model"


def _begins_with_entry(data: bytes) -> bool:
    return read_config(data.ljust(CONFIG_SIZE, b"\0")).entries[0].present


def is_image(data: bytes) -> bool:
    """Tell whether bytes are a firmware image: header, payload, and a hash that is right."""
    try:
        firmware = read_firmware(data)
    except FirmwareError:
        return False
    return firmware.wrapped and firmware.sha_ok


def _has_spiffs(data: bytes) -> bool:
    if len(data) < _LEAST_SPIFFS:
        return False
    from maixfs.spiffs.detect import detect

    return bool(detect(data, base=0))


def firmware_piece(name: str, data: bytes, address: int = 0, *, dio: bool = False) -> Piece:
    """Return a firmware as a piece: what has no header and hash gets them.

    Raises ``FirmwareError`` for what is no program for this chip.
    """
    if is_image(data):
        return Piece(name, "firmware", address, data)
    if not begins_like_payload(data[:16]):
        raise FirmwareError(
            f"{name} does not begin like a program for the K210",
            kind="header",
            hint="a firmware is the .bin that flashers take, or an image with header and hash",
        )
    return Piece(name, "firmware", address, wrap(data, dio=dio), data)


def pieces_of(parts: Iterable[Part], *, dio: bool = False) -> tuple[Piece, ...]:
    """Return the parts of a package as they come to lie in the flash, in the same order.

    Raises ``FirmwareError`` for parts that cannot get a header.
    """
    return tuple(
        Piece(
            part.name,
            kind_of(part.data),
            part.address,
            part.flashed(dio=dio),
            part.data if part.sha256_prefix else None,
        )
        for part in parts
    )


def parts_of(pieces: Iterable[Piece]) -> tuple[Part, ...]:
    """Return pieces as parts of a package: firmware as its payload, as flashers want it.

    Encrypted firmware stays as it is.
    """
    from maixfs.kfpkg import Part

    return tuple(
        Part(one.address, one.name, payload or one.data, payload is not None)
        for one in pieces
        for payload in (_payload_of(one),)
    )


def _payload_of(piece: Piece) -> bytes | None:
    if piece.payload is not None or piece.kind != "firmware" or not is_image(piece.data):
        return piece.payload
    firmware = read_firmware(piece.data)
    whole = firmware.total == piece.size
    return unwrap(piece.data) if whole and not firmware.aes else None
