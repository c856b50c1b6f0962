"""Read the model at an address, and find all models in an image of a flash."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from maixfs.errors import UsageError
from maixfs.kmodel import ondisk
from maixfs.kmodel.load import SRAM, fits_memory, load_result
from maixfs.kmodel.model import CutOffError, Loadable, Model, ModelError, ModelReader, Parts
from maixfs.kmodel.ondisk import Buffer
from maixfs.kmodel.versions import read_sealed, read_v1, read_v3, read_v4, read_v5, read_v5_beta

_MAX_MISSING = 7
"""Bytes that real files lack at most: their last padding was not stored."""
_SECTOR = 4096
_FIRST_WORDS: dict[int, Callable[[ModelReader], Parts]] = {
    ondisk.V1_VERSION: read_v1,
    ondisk.V3_VERSION: read_v3,
    **dict.fromkeys(ondisk.SEALED, read_sealed),
}
_VERSIONS = {4: read_v4, 5: read_v5}


def parse_model(
    data: Buffer, address: int = 0, *, limit: int | None = None, whole: bool = True
) -> Model:
    """Read the model that begins at ``address`` of ``data``.

    It must end before the address ``limit``, by default the end of the data. With ``whole=False``
    a model may be cut off there behind its records; ``missing`` is then the number of bytes that
    it lacks. Raises ``ModelError`` if there is no model, ``CutOffError`` if it is cut off.
    """
    if address < 0:
        raise ModelError(f"no model at {address}: addresses begin at 0")
    reader = ModelReader(data, address, limit)
    first = reader.take(0, 4, "a model")
    word = int.from_bytes(first, "little")
    if word not in _FIRST_WORDS and word != ondisk.IDENTIFIER:
        # Flashers reverse the words of models that kpu.load_flash reads over SPI.
        word = int.from_bytes(first, "big")
        if word not in (ondisk.V3_VERSION, ondisk.IDENTIFIER):
            raise ModelError(f"no model at 0x{address:06X}: it begins {first.hex(' ')}")
        reader.is_reversed = True
    parts = _reader_for(reader, word)(reader)
    missing = max(0, parts.size - len(reader.view))
    if whole and missing > _MAX_MISSING:
        reader.need(0, parts.size, "the model")
    return _model(reader, parts, missing)


def _reader_for(reader: ModelReader, word: int) -> Callable[[ModelReader], Parts]:
    if word != ondisk.IDENTIFIER:
        return _FIRST_WORDS[word]
    prefix = reader.record(ondisk.V5Prefix, 0, "a model")
    if prefix.version not in _VERSIONS:
        place = prefix.offset_of("version")
        raise reader.wrong("version", prefix.version, place, "neither 4 nor 5")
    # nncase kept the version number when it changed the header before its first beta.
    if prefix.version == 5 and prefix.third != ondisk.V5Header.size:
        return read_v5_beta
    return _VERSIONS[prefix.version]


def _model(reader: ModelReader, parts: Parts, missing: int) -> Model:
    notes = [*parts.notes, *_notes(reader, parts, missing)]
    need = parts.size + parts.main_memory
    fits = fits_memory(need)
    if not fits:
        notes.append(f"it needs {need} bytes of memory, more than boards have left")
    flash = reader.view
    return Model(
        parts.version,
        reader.is_reversed,
        reader.address,
        parts.size,
        missing,
        parts.target,
        parts.inputs,
        parts.outputs,
        parts.layers,
        parts.main_memory,
        parts.weights,
        fits,
        Loadable(load_result(flash, v4_support=False), load_result(flash, v4_support=True)),
        tuple(notes),
    )


def _notes(reader: ModelReader, parts: Parts, missing: int) -> list[str]:
    notes = []
    if reader.is_reversed:
        notes.append("its words are reversed: it is for kpu.load_flash, kpu.load refuses it")
    if missing > _MAX_MISSING:
        notes.append(f"it is cut off: {missing} of {parts.size} bytes are missing")
    elif missing:
        notes.append(f"its last {missing} bytes, which are padding, are missing")
    # Some files have parameters behind the last body that no record counts.
    rest = bytes(reader.view[parts.size : parts.size + -(reader.address + parts.size) % _SECTOR])
    if rest.strip(b"\xff") and rest.strip(b"\0"):
        notes.append(
            f"data follows it at 0x{reader.address + parts.size:06X}: it may belong to the model"
        )
    return notes


# Search

_IDENTIFIER_REVERSED = 0x4C444D4B
_V3_REVERSED = 0x03000000
_BY_NAME = frozenset({ondisk.IDENTIFIER, _IDENTIFIER_REVERSED})
"""First words that do not occur by chance: such a model is reported even if it is cut off."""
_SEARCHED = _BY_NAME | {ondisk.V1_VERSION, ondisk.V3_VERSION, _V3_REVERSED, *ondisk.SEALED}


def find_models(
    image: Buffer, *, step: int = _SECTOR, start: int = 0, end: int | None = None
) -> list[Model]:
    """Return the models that begin at ``start`` and every ``step`` bytes (4 or more) after it.

    Only bytes before ``end`` are read. A model that is cut off there is returned if it is of v4
    or v5 and at least half of it is there (``missing`` is not 0). A model that begins inside
    another has a note that says so. Raises ``UsageError`` for a range or step that is negative.
    """
    if step < 4 or start < 0 or (end is not None and end < 0):
        raise UsageError(f"cannot search from {start} to {end} by {step} bytes")
    view = memoryview(image).cast("B")[:end].toreadonly()
    models = (_model_at(view, address) for address in _candidates(view, start, step))
    return _with_overlaps([model for model in models if model is not None])


def _candidates(view: memoryview, start: int, step: int) -> Iterator[int]:
    """Yield the addresses of words that begin a model."""
    # One struct call per image instead of one per address: 16 MiB have 4,096 sectors.
    rows = max(0, len(view) - start) // step
    last = start + rows * step
    if rows:
        words = struct.iter_unpack(f"<I{step - 4}x", view[start:last])
        yield from (start + i * step for i, (word,) in enumerate(words) if word in _SEARCHED)
    if int.from_bytes(view[last : last + 4], "little") in _SEARCHED:
        yield last


def _model_at(view: memoryview, address: int) -> Model | None:
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
    """Return the models, with a note on each that begins inside another."""
    noted = []
    longest: Model | None = None
    for model in models:
        inside = longest and model.address < longest.end
        noted.append(_inside(model, longest) if longest and inside else model)
        if longest is None or model.end > longest.end:
            longest = model
    return noted


def _inside(model: Model, other: Model) -> Model:
    where = f"it begins inside the model at 0x{other.address:06X}"
    return model._replace(notes=(*model.notes, f"{where}: one has overwritten the other"))
