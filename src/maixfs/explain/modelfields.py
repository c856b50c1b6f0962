"""The fields of a model: headers, tables, and the bodies of its layers."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

from maixfs.explain.fields import Field, Row, hex_address, value_of
from maixfs.kmodel import Model
from maixfs.kmodel import ondisk as k
from maixfs.kmodel.names import K210_CONV, V3_LAYERS, V4_NODES, named
from maixfs.kmodel.reader import reverse_words

_REGION = "model"
_MOST_ROWS = 4096
"""Records of one table that are told apart; real models have a few hundred."""
_CONV = V3_LAYERS[K210_CONV]
"""Layers of v3 whose body begins with a record of its own."""
Record = tuple[str, int, tuple[Row, ...]]
"""Structure, offset in the model, and the rows of its fields."""


class ModelFields:
    """Says of every byte of a model what it is; the model was read before."""

    def __init__(self, view: memoryview, model: Model) -> None:
        self.model = model
        raw = bytes(view[model.address : model.end])
        self._data = reverse_words(raw)[: len(raw)] if model.reversed else raw
        self._name = f"the model at {hex_address(model.address)} (kmodel {model.version})"
        self._section = _section_of(model.version)
        self._fields = list(self._whole())
        self._starts = [field.start for field in self._fields]

    def at(self, address: int) -> Field:
        """Return the field that an address of the model is in."""
        return self._fields[max(0, bisect_right(self._starts, address) - 1)]

    def _whole(self) -> Iterator[Field]:
        """Yield fields from the model's start to its end, without gaps."""
        at, end = self.model.address, self.model.end
        for field in sorted(self._known(), key=lambda field: (field.start, field.size)):
            if field.start < at or field.end > end:
                continue
            if field.start > at:
                yield self._gap(at, field.start)
            yield field
            at = field.end
        if at < end:
            yield self._gap(at, end)

    def _gap(self, start: int, end: int) -> Field:
        meaning = "parameters that the layers' records point at, or padding"
        return Field(start, end - start, _REGION, self._name, "data", "", meaning, self._section)

    def _known(self) -> Iterator[Field]:
        for structure, offset, rows in self._records():
            yield from self._record(structure, offset, rows)
        for number, layer in enumerate(self.model.layers):
            skip = k.V3_CONV.size if layer.name == _CONV else 0
            if layer.size > skip and self._has_bodies:
                meaning = f"body of layer {number}, {layer.name}"
                start, size = self.model.address + layer.address + skip, layer.size - skip
                made = Field(start, size, _REGION, self._name, "body", "", meaning, self._section)
                yield made._replace(offset=skip)

    @property
    def _has_bodies(self) -> bool:
        """Whether layers have places of their own; v1's lie where its records point."""
        return self.model.version in ("v3", "v4")

    def _record(self, structure: str, offset: int, rows: tuple[Row, ...]) -> Iterator[Field]:
        counted = structure.startswith(("layer ", "node "))
        for name, first, size, meaning in rows:
            raw = self._data[offset + first : offset + first + size]
            start = self.model.address + offset + first
            title = self._name if structure == name else f"{structure} of {self._name}"
            told = counted and name in ("type", "opcode")
            said = self._kind_of(raw) if told else meaning
            value = value_of(raw) if raw else ""
            yield Field(
                start, size, _REGION, title, name, value, said, self._section, is_general=not told
            )

    def _kind_of(self, raw: bytes) -> str:
        names = V3_LAYERS if self.model.version == "v3" else V4_NODES
        return named(names, int.from_bytes(raw, "little"))

    def _records(self) -> Iterator[Record]:
        version = self.model.version
        if version in ("v1", "v3", "v4"):
            yield from {"v1": self._v1, "v3": self._v3, "v4": self._v4}[version]()
        elif version == "v5":
            yield from self._v5()
        elif version == "v5 beta":
            yield "header", 0, k.FIELDS["kmodel v5 beta header"]
        else:
            yield "header", 0, k.FIELDS["smodel header"]

    def _word(self, offset: int) -> int:
        return int.from_bytes(self._data[offset : offset + 4], "little")

    def _table(
        self, title: str, fields: str, offset: int, count: int, size: int
    ) -> Iterator[Record]:
        rows = k.FIELDS[fields]
        for number in range(min(count, _MOST_ROWS)):
            yield f"{title} {number}", offset + number * size, rows

    def _v1(self) -> Iterator[Record]:
        yield "header", 0, k.FIELDS["kmodel v1 header"]
        yield from self._table("layer", "kmodel v1 layer", 20, self._word(8), 20)

    def _v3(self) -> Iterator[Record]:
        head = k.V3Header._make(k.V3_HEADER.unpack_from(self._data))
        at = k.V3_HEADER.size
        yield "header", 0, k.FIELDS["kmodel v3 header"]
        yield from self._table("output", "kmodel v3 output", at, head.output_count, 8)
        at += 8 * head.output_count
        yield from self._table("layer", "kmodel v3 layer", at, head.layers_length, 8)
        for number, layer in enumerate(self.model.layers):
            if layer.name == _CONV:
                yield f"k210_conv, layer {number},", layer.address, k.FIELDS["kmodel v3 k210_conv"]

    def _v4(self) -> Iterator[Record]:
        head = k.V4Header._make(k.V4_HEADER.unpack_from(self._data))
        at, size = k.V4_HEADER.size, k.V4_RANGE.size
        yield "header", 0, k.FIELDS["kmodel v4 header"]
        yield from self._table("input", "kmodel v4 range", at, head.inputs, size)
        at += size * head.inputs
        for number in range(min(head.inputs, _MOST_ROWS)):
            yield f"shape of input {number}", at + 16 * number, _SHAPE
        at += k.V4_SHAPE.size * head.inputs
        yield from self._table("output", "kmodel v4 range", at, head.outputs, size)
        at += size * head.outputs
        yield "constants", at, (("constants", 0, head.constants, "parameters of all nodes"),)
        at += head.constants
        yield from self._table("node", "kmodel v4 node", at, head.nodes, 8)

    def _v5(self) -> Iterator[Record]:
        yield "header", 0, k.FIELDS["kmodel v5 header"]
        at = k.V5_HEADER.size
        for number in range(min(self._word(20), _MOST_ROWS)):
            head = self._data[at : at + k.V5_MODULE.size]
            if len(head) < k.V5_MODULE.size:
                return
            module = k.V5Module._make(k.V5_MODULE.unpack(head))
            yield f"module {number}", at, k.FIELDS["kmodel v5 module"]
            yield from self._v5_inside(module, at + k.V5_MODULE.size, f"of module {number}")
            at += max(module.size, k.V5_MODULE.size)

    def _v5_inside(self, module: k.V5Module, at: int, whose: str) -> Iterator[Record]:
        pools = min(module.mempools, _MOST_ROWS)
        for number in range(pools):
            yield f"memory pool {number} {whose}", at + 8 * number, k.FIELDS["kmodel v5 pool"]
        at += 8 * (module.mempools + module.shared_mempools)
        for number in range(min(module.functions, _MOST_ROWS)):
            yield f"function {number} {whose}", at, k.FIELDS["kmodel v5 function"]
            at += max(self._word(at + 4), k.V5_FUNCTION.size)
        for number in range(min(module.sections, _MOST_ROWS)):
            yield f"section {number} {whose}", at, k.FIELDS["kmodel v5 section"]
            flags, start, size = (self._word(at + offset) for offset in (16, 20, 24))
            at += k.V5_SECTION.size
            at += 0 if flags & k.MERGED_INTO_RDATA else start + size


_SHAPE: tuple[Row, ...] = (
    ("batch", 0, 4, "pictures at a time"),
    ("channels", 4, 4, "of the input"),
    ("height", 8, 4, "of the input"),
    ("width", 12, 4, "of the input"),
)


def _section_of(version: str) -> str:
    numbers = {"v1": "27.1", "v3": "27.2", "v4": "27.3", "v5": "27.4", "v5 beta": "27.4"}
    return numbers.get(version, "27.5")
