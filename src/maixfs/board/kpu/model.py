"""A model in the board's memory."""

from __future__ import annotations

from typing import NamedTuple

from maixfs.kmodel import LoadResult, ondisk

Shape = tuple[int, int, int]
"""Width, height, channels."""

_WORD = 0xFFFFFFFF
_BODY_SIZE = ondisk.V3Layer.offset_of("body_size")


class LayerRow(NamedTuple):
    """A layer of a v3 model: its type, and where in the model its body lies."""

    type: int
    place: int
    size: int


class LoadedModel:
    """A model as the firmware copied it; ``answer`` is what loading it gave."""

    __slots__ = ("answer", "data", "layers", "shapes")

    def __init__(self, answer: LoadResult, data: bytes) -> None:
        self.answer = answer
        self.data = data
        self.layers = answer.layers
        """How many of its layers run; ``kpu.set_layers`` changes that of a v3 model."""
        self.shapes: dict[int, Shape] = {}
        """What ``kpu.set_outputs`` was told of a v4 model's outputs."""

    @property
    def is_v3(self) -> bool:
        """Whether it is version 3; else it is version 4."""
        return self.word(0) == ondisk.V3_VERSION

    @property
    def outputs(self) -> int:
        """How many outputs its header claims."""
        if self.is_v3:
            return self.word(ondisk.V3Header.offset_of("output_count"))
        return self.word(ondisk.V4Header.offset_of("outputs"))

    def word(self, offset: int) -> int:
        """Return a word of the model; past its end all bits are 1, as in erased flash."""
        return int.from_bytes(self.data[offset : offset + 4].ljust(4, b"\xff"), "little")

    def output_size(self, index: int) -> int:
        """Return the bytes of an output of a v4 model, -1 for one that it has not."""
        if index >= self.outputs:
            return -1
        inputs = self.word(ondisk.V4Header.offset_of("inputs"))
        record = ondisk.V4Range
        first = ondisk.V4Header.size + inputs * (record.size + ondisk.V4Shape.size)
        return self.word(first + record.size * index + record.offset_of("length"))

    def rows(self, count: int) -> list[LayerRow]:
        """Return the first ``count`` layers of a v3 model."""
        row = ondisk.V3Layer.size
        table = ondisk.V3Header.size + ondisk.V3Output.size * self.outputs
        place = table + row * self.answer.layers
        rows = []
        for first in range(table, table + row * count, row):
            kind, size = self.word(first), self.word(first + _BODY_SIZE)
            rows.append(LayerRow(kind, place, size))
            place = place + size & _WORD
        return rows
