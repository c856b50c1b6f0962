"""Find models in the flash of a board."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from maixfs.errors import UsageError
from maixfs.kmodel import ondisk
from maixfs.kmodel.errors import CutOffError, ModelError
from maixfs.kmodel.memory import SRAM
from maixfs.kmodel.model import Model
from maixfs.kmodel.parse import SECTOR, parse_model
from maixfs.kmodel.reader import Buffer
from maixfs.kmodel.sealed import SEALED

_IDENTIFIER_REVERSED = 0x4C444D4B
_V3_REVERSED = 0x03000000
_BY_NAME = frozenset({ondisk.IDENTIFIER, _IDENTIFIER_REVERSED})
"""First words that are no chance: what begins so may be reported although it is cut off."""
FIRST_WORDS = _BY_NAME | {ondisk.V1_VERSION, ondisk.V3_VERSION, _V3_REVERSED, *SEALED}


def find_models(
    image: Buffer, *, step: int = SECTOR, start: int = 0, end: int | None = None
) -> list[Model]:
    """Return the models that begin at ``start`` and every ``step`` bytes (4 or more) after it.

    What lies at ``end`` and behind it is not looked at. A model that is cut off there is among
    the answers if it has a name (v4 and v5) and at least half of it is there; ``missing`` tells.
    Where one model begins inside another, both are, and their notes say so.
    """
    if step < 4 or start < 0 or (end is not None and end < 0):
        raise UsageError(f"no search goes from {start} to {end} by {step} bytes")
    view = memoryview(image).cast("B")[:end].toreadonly()
    found = []
    for address in _candidates(view, start, step):
        model = _try(view, address)
        if model is not None:
            found.append(model)
    return _with_overlaps(found)


def _candidates(view: memoryview, start: int, step: int) -> Iterator[int]:
    """Yield where a first word is that of a model."""
    rows = max(0, len(view) - start) // step
    last = start + rows * step
    if rows:
        words = struct.iter_unpack(f"<I{step - 4}x", view[start:last])
        yield from (start + i * step for i, (word,) in enumerate(words) if word in FIRST_WORDS)
    if int.from_bytes(view[last : last + 4], "little") in FIRST_WORDS:
        yield last


def _try(view: memoryview, address: int) -> Model | None:
    try:
        return parse_model(view, address)
    except CutOffError:
        if int.from_bytes(view[address : address + 4], "little") not in _BY_NAME:
            return None
    except ModelError:
        return None
    try:
        part = parse_model(view, address, whole=False)
    except ModelError:
        return None
    return part if part.size <= SRAM and 2 * part.missing <= part.size else None


def _with_overlaps(models: list[Model]) -> list[Model]:
    """Return the models with notes on those that begin inside of another."""
    noted = []
    longest: Model | None = None
    for model in models:
        inside = longest and model.address < longest.end
        noted.append(_inside(model, longest) if longest and inside else model)
        if longest is None or model.end > longest.end:
            longest = model
    return noted


def _inside(model: Model, other: Model) -> Model:
    where = f"it begins inside of the model at 0x{other.address:06X}"
    return model._replace(notes=(*model.notes, f"{where}: one has overwritten the other"))
