"""Read a model of whatever version."""

from __future__ import annotations

from collections.abc import Callable

from maixfs.kmodel import ondisk
from maixfs.kmodel.errors import ModelError
from maixfs.kmodel.load import load_result
from maixfs.kmodel.memory import fits_memory
from maixfs.kmodel.model import Loadable, Model
from maixfs.kmodel.parts import Parts
from maixfs.kmodel.reader import Buffer, ModelReader
from maixfs.kmodel.sealed import SEALED, read_sealed
from maixfs.kmodel.v1 import read_v1
from maixfs.kmodel.v3 import read_v3
from maixfs.kmodel.v4 import read_v4
from maixfs.kmodel.v5 import read_v5, read_v5_beta

MOST_MISSING = 7
"""So many bytes real files lack: their last padding was not stored."""
SECTOR = 4096
_FIRST_WORDS: dict[int, Callable[[ModelReader], Parts]] = {
    ondisk.V1_VERSION: read_v1,
    ondisk.V3_VERSION: read_v3,
    **dict.fromkeys(SEALED, read_sealed),
}
_VERSIONS = {4: read_v4, 5: read_v5}


def parse_model(
    data: Buffer, address: int = 0, *, limit: int | None = None, whole: bool = True
) -> Model:
    """Read the model that begins at ``address`` of ``data``.

    ``limit`` is the address that it must not pass, the end of the data if not given. With
    ``whole=False`` a model may be cut off there, as long as its records are there; ``missing``
    tells.

    Raises ``ModelError`` where there is none, and ``CutOffError`` where there is a part of one.
    """
    if address < 0:
        raise ModelError(f"no model at {address}: addresses begin at 0")
    reader = ModelReader(data, address, limit)
    first = reader.take(0, 4, "a model")
    word = int.from_bytes(first, "little")
    if word not in _FIRST_WORDS and word != ondisk.IDENTIFIER:
        word = int.from_bytes(first, "big")
        if word not in (ondisk.V3_VERSION, ondisk.IDENTIFIER):
            raise ModelError(f"no model at 0x{address:06X}: it begins {first.hex(' ')}")
        reader.is_reversed = True
    parts = _reader_for(reader, word)(reader)
    missing = max(0, parts.size - len(reader.view))
    if whole and missing > MOST_MISSING:
        reader.need(0, parts.size, "the model")
    return _model(reader, parts, missing)


def _reader_for(reader: ModelReader, word: int) -> Callable[[ModelReader], Parts]:
    if word != ondisk.IDENTIFIER:
        return _FIRST_WORDS[word]
    _, version, third = reader.row(ondisk.V5_PREFIX, 0, "a model")
    if version not in _VERSIONS:
        raise reader.wrong("version", version, 4, "neither 4 nor 5")
    if version == 5 and third != ondisk.V5_HEADER.size:
        return read_v5_beta
    return _VERSIONS[version]


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
    if missing > MOST_MISSING:
        notes.append(f"it is cut off: {missing} of {parts.size} bytes are missing")
    elif missing:
        notes.append(f"its last {missing} bytes, which are padding, are not there")
    rest = bytes(reader.view[parts.size : parts.size + -(reader.address + parts.size) % SECTOR])
    if rest.strip(b"\xff") and rest.strip(b"\0"):
        notes.append(
            f"data follows it at 0x{reader.address + parts.size:06X}: it may belong to the model"
        )
    return notes
