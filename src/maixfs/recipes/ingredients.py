"""Pieces from files and folders of the host."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from maixfs.errors import DeviceError, UsageError
from maixfs.host.files import read_file
from maixfs.image.layout import Layout
from maixfs.nor.device import blank
from maixfs.recipes.pieces import Piece, firmware_piece

if TYPE_CHECKING:
    from maixfs.spiffs import Geometry

MOST_FILE = 64 << 20
"""Bytes of a file: no chip of these boards has more."""
MODEL_STEP = 0x10000
"""Models without address begin at multiples of it: no flasher fills up more than that."""
_DEFAULT_MODELS = 0x300000
_DEFAULT_GEOMETRY = "maixpy"


class RecipeError(UsageError):
    """A recipe, or a file that it names, cannot be used."""


def read_ingredient(path: Path) -> bytes:
    """Return the bytes of a file; raises ``RecipeError``."""
    try:
        return read_file(path, MOST_FILE)
    except DeviceError as error:
        raise RecipeError(str(error), hint=error.hint) from error


def load_firmware(path: Path, address: int = 0, *, dio: bool = False) -> Piece:
    """Return a firmware, with header and hash; raises ``FirmwareError`` for what is none."""
    return firmware_piece(path.name, read_ingredient(path), address, dio=dio)


def model_piece(path: Path, address: int = 0, *, reverse: bool = False) -> Piece:
    """Return a model, its words reversed where ``kpu.load_flash`` wants that.

    What cannot be read as a model is taken, too: it may be an encrypted one.
    """
    return Piece(path.name, "model", address, _turned(read_ingredient(path), reverse))


def _turned(data: bytes, reverse: bool) -> bytes:
    from maixfs.kmodel import reverse_words

    return reverse_words(data) if reverse else data


def data_piece(path: Path, address: int, *, reverse: bool = False) -> Piece:
    """Return a file as it is, whatever it may be, or with the bytes of each word reversed."""
    data = _turned(read_ingredient(path), reverse)
    return Piece(path.name, "blank" if data == blank(len(data)) else "data", address, data)


def fill_piece(address: int, size: int, value: int) -> Piece:
    """Return ``size`` times one byte; raises ``RecipeError``."""
    if not 0 < size <= MOST_FILE or value > 0xFF:
        raise RecipeError(f"the fill at {address:#x}: {size:#x} bytes of {value:#x} cannot be")
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
    """Return a SPIFFS, and what there is to know about its files.

    A folder is packed for the layout's area at ``address`` (``None``: its first one), or with the
    preset ``geometry`` and ``size``. Links lead out of the folder only with ``follow_links``.
    """
    place = _spiffs_place(path, layout) if address is None else address
    if is_image:
        return Piece(path.name, "spiffs", place, read_ingredient(path)), ()
    home = layout.region_at(place)
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


def _spiffs_place(path: Path, layout: Layout) -> int:
    for region in layout.of_kind("spiffs"):
        return region.start
    raise RecipeError(f"{path}: {layout.name} has no SPIFFS", hint="give its address")


def _preset(name: str) -> Geometry:
    from maixfs.spiffs import PRESETS

    if name not in PRESETS:
        raise RecipeError(f"no geometry {name!r}", hint=f"there are {', '.join(PRESETS)}")
    return PRESETS[name]


def next_address(pieces: Iterable[Piece], layout: Layout, size: int) -> int:
    """Return where a model can go that has no address: the first room in the models' region.

    Where there is none it is behind all others, which then is a conflict that names them.
    """
    region = next(iter(layout.of_kind("models")), None)
    address = _DEFAULT_MODELS if region is None else region.start
    for piece in sorted(pieces, key=lambda one: one.address):
        if piece.address < address + size and address < piece.end:
            address = piece.end + -piece.end % MODEL_STEP
    return address
