"""Pieces of a whole flash image: bytes with an address, and how files become pieces."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from maixfs.errors import DeviceError, UsageError
from maixfs.firmware import (
    FirmwareError,
    begins_like_payload,
    read_config,
    read_firmware,
    unwrap,
    wrap,
)
from maixfs.firmware.kboot import CONFIG_SIZE, EntryRecord
from maixfs.host.files import read_file
from maixfs.image.layout import Layout
from maixfs.kmodel import ModelError, parse_model, reverse_words
from maixfs.nor.device import blank
from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from maixfs.kfpkg import Part
    from maixfs.spiffs import Geometry

DEFAULT_LAYOUT = "maixpy-16m"
KINDS = ("firmware", "model", "spiffs", "boot config", "blank", "data")
"""Kinds of pieces; ``blank`` erases, ``data`` is everything else."""
_MIN_SPIFFS = 3 * 0x1000
"""A SPIFFS has three blocks of at least a sector."""


class Piece(NamedTuple):
    """Bytes for the flash, and their address."""

    name: str
    """The name of its file."""
    kind: str
    """One of ``KINDS``."""
    address: int
    data: bytes
    """As written to the flash."""
    payload: bytes | None = None
    """If ``data`` was made by wrapping a payload: that payload."""

    @property
    def size(self) -> int:
        """Bytes that it takes in the flash."""
        return len(self.data)

    @property
    def end(self) -> int:
        """One past the address of its last byte."""
        return self.address + len(self.data)

    def __str__(self) -> str:
        return f"{self.name} ({self.address:#x}-{self.end:#x})"


def kind_of(data: bytes) -> str:
    """Return what kind of piece bytes are, one of ``KINDS``; raises nothing."""
    # Firmware first: a program may contain models, and models have no mark as strong as a hash.
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
    """Return True if bytes are a firmware image with a header and a correct hash."""
    try:
        firmware = read_firmware(data)
    except FirmwareError:
        return False
    return firmware.wrapped and firmware.sha_ok


def _has_spiffs(data: bytes) -> bool:
    if len(data) < _MIN_SPIFFS:
        return False
    from maixfs.spiffs.detect import detect

    return bool(detect(data, base=0))


def firmware_piece(name: str, data: bytes, address: int = 0, *, dio: bool = False) -> Piece:
    """Return firmware as a piece; a payload without header is wrapped.

    Raises ``FirmwareError`` if it does not begin like a program for this chip.
    """
    # A second header would make the ROM load the first one as a program.
    if is_image(data):
        return Piece(name, "firmware", address, data)
    if not begins_like_payload(data[:16]):
        raise FirmwareError(
            f"{name} does not begin like a program for the K210",
            kind="header",
            hint="firmware is the .bin that flashers take, or an image with header and hash",
        )
    return Piece(name, "firmware", address, wrap(data, dio=dio), data)


def pieces_of(parts: Iterable[Part], *, dio: bool = False) -> tuple[Piece, ...]:
    """Return the parts of a package as a flasher writes them, in the same order.

    Raises ``FirmwareError`` for parts that cannot be wrapped.
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
    """Return pieces as parts of a package: firmware as its payload, which flashers wrap.

    Encrypted firmware is left as it is.
    """
    from maixfs.kfpkg import Part

    parts = []
    for piece in pieces:
        payload = _payload_of(piece)
        parts.append(Part(piece.address, piece.name, payload or piece.data, payload is not None))
    return tuple(parts)


def _payload_of(piece: Piece) -> bytes | None:
    if piece.payload is not None or piece.kind != "firmware" or not is_image(piece.data):
        return piece.payload
    # Flashers wrap payloads themselves; data behind the hash would be lost by unwrapping.
    firmware = read_firmware(piece.data)
    whole = firmware.total == piece.size
    return unwrap(piece.data) if whole and not firmware.aes else None


# From files of the host

MAX_FILE = 64 << 20
"""Bytes of a file: no flash chip of these boards has more."""
MODEL_STEP = 0x10000
"""Models without an address begin at multiples of it: no flasher pads to a larger unit."""
_DEFAULT_MODELS = 0x300000
_DEFAULT_GEOMETRY = "maixpy"


class RecipeError(UsageError):
    """A recipe, or a file that it names, cannot be used."""


def read_ingredient(path: Path) -> bytes:
    """Return the bytes of a file; raises ``RecipeError``."""
    try:
        return read_file(path, MAX_FILE)
    except DeviceError as error:
        raise RecipeError(str(error), hint=error.hint) from error


def load_firmware(path: Path, address: int = 0, *, dio: bool = False) -> Piece:
    """Return a firmware file as ``firmware_piece`` does."""
    return firmware_piece(path.name, read_ingredient(path), address, dio=dio)


def model_piece(path: Path, address: int = 0, *, reverse: bool = False) -> Piece:
    """Return a model; ``reverse`` reverses its words, as ``kpu.load_flash`` needs them.

    A file that cannot be read as a model is accepted too: it may be encrypted.
    """
    data = read_ingredient(path)
    return Piece(path.name, "model", address, reverse_words(data) if reverse else data)


def data_piece(path: Path, address: int, *, reverse: bool = False) -> Piece:
    """Return any file as it is, or with the bytes of each word reversed."""
    data = read_ingredient(path)
    data = reverse_words(data) if reverse else data
    return Piece(path.name, "blank" if data == blank(len(data)) else "data", address, data)


def fill_piece(address: int, size: int, value: int) -> Piece:
    """Return ``size`` times one byte; raises ``RecipeError``."""
    if not 0 < size <= MAX_FILE or value > 0xFF:
        raise RecipeError(
            f"the fill at {address:#x} has a wrong size or value: {size:#x} bytes of {value:#x}"
        )
    kind = "blank" if value == 0xFF else "data"
    return Piece(f"fill-{address:#08x}", kind, address, bytes([value]) * size)


def spiffs_piece(
    path: Path,
    layout: Layout,
    *,
    is_image: bool = False,
    address: int | None = None,
    geometry: str = "",
    size: int = 0,
    spare_blocks: int = 2,
    follow_links: bool = False,
) -> tuple[Piece, tuple[str, ...]]:
    """Return a SPIFFS area, and a sentence on each file that is unusual.

    A folder is packed for the layout's area at ``address`` (default: its first one), or with the
    preset ``geometry`` and ``size``. Links that lead out of the folder are followed only with
    ``follow_links``. Raises ``RecipeError``.
    """
    place = _spiffs_address(path, layout) if address is None else address
    if is_image:
        return Piece(path.name, "spiffs", place, read_ingredient(path)), ()
    home = layout.region_at(place)
    # The firmware formats an area that is not exactly its region, so the layout decides unless
    # another geometry is asked for.
    chosen = home.spiffs_geometry() if home is not None and not geometry else None
    shape = chosen or _preset(geometry or _DEFAULT_GEOMETRY)
    from maixfs.spiffs.geometry import GeometryError
    from maixfs.spiffs.pack import collect, pack

    plan = collect(path, follow_links=follow_links)
    try:
        area = replace(shape, base=place, size=size or shape.size)
    except GeometryError as error:
        raise RecipeError(f"{path}: {error}", hint=error.hint) from error
    image = bytes(pack(plan.files, area, spare_blocks=spare_blocks))
    return Piece(f"{path.resolve().name}.bin", "spiffs", place, image), tuple(
        map(str, plan.warnings)
    )


def _spiffs_address(path: Path, layout: Layout) -> int:
    for region in layout.of_kind("spiffs"):
        return region.start
    raise RecipeError(f"{path}: {layout.name} has no SPIFFS", hint="its address is needed")


def _preset(name: str) -> Geometry:
    from maixfs.spiffs import PRESETS

    if name not in PRESETS:
        raise RecipeError(f"no geometry {name!r}", hint=f"known are {', '.join(PRESETS)}")
    return PRESETS[name]


def next_address(pieces: Iterable[Piece], layout: Layout, size: int) -> int:
    """Return an address for a model without one: the first free place in the models' region.

    If the region is full it is behind its end, which is then reported as a conflict.
    """
    region = next(iter(layout.of_kind("models")), None)
    address = _DEFAULT_MODELS if region is None else region.start
    for piece in sorted(pieces, key=lambda piece: piece.address):
        if piece.address < address + size and address < piece.end:
            # By address, so one pass is enough: a place that is free of all lower pieces can only
            # meet higher ones.
            address = piece.end + -piece.end % MODEL_STEP
    return address
