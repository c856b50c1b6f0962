"""Encrypted models: what can be said of them without the key of their board."""

from __future__ import annotations

from collections import Counter
from math import log2

from maixfs.kmodel import ondisk
from maixfs.kmodel.errors import ModelError
from maixfs.kmodel.memory import SRAM
from maixfs.kmodel.parts import Parts
from maixfs.kmodel.reader import Buffer, ModelReader

SEALED = {
    ondisk.SMODEL_V3: "smodel v3",
    ondisk.SMODEL_V4: "smodel v4",
    ondisk.EMODEL: "emodel",
}
_SAMPLE = 4096
_LEAST_FRACTION = 0.9
"""Random bytes reach 0.99 of the entropy that so many bytes can have; code stays under 0.8."""


def read_sealed(reader: ModelReader) -> Parts:
    """Return what an encrypted model says; ``ModelError`` where it cannot be one."""
    reader.kind = f"encrypted model at 0x{reader.address:06X}"
    head = ondisk.SealedHeader._make(reader.row(ondisk.SEALED_HEADER, 0, "its header"))
    reader.check("size", head.size, 4, ondisk.SEALED_UNIT, SRAM)
    if head.identifier != ondisk.EMODEL and head.size % ondisk.SEALED_UNIT:
        raise reader.wrong("size", head.size, 4, f"no multiple of {ondisk.SEALED_UNIT}")
    sample = reader.take(ondisk.SEALED_HEADER.size, min(head.size, _SAMPLE), "its content")
    if not _looks_random(sample):
        raise ModelError(f"{reader.kind}: what follows does not look encrypted")
    return Parts(
        SEALED[head.identifier],
        "",
        ondisk.SEALED_HEADER.size + head.size,
        notes=("it is encrypted, and loads only on the board that it was made for",),
    )


def _looks_random(sample: Buffer) -> bool:
    """Whether the bytes are spread as evenly as those of a cipher."""
    total = len(sample)
    entropy = -sum(n / total * log2(n / total) for n in Counter(bytes(sample)).values())
    return entropy >= _LEAST_FRACTION * min(8.0, log2(total)) - 0.2
