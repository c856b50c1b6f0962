"""The fields of a model: headers, tables, and the bodies of its layers."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

from maixfs.explain.fields import Field, hex_address, value_of
from maixfs.kmodel import Model, reverse_words
from maixfs.kmodel import ondisk as k
from maixfs.record import Record

_REGION = "model"
_MAX_ROWS = 4096
"""Records of one table that are shown; real models have a few hundred."""
_CONV = k.V3_LAYERS[k.K210_CONV]
"""Layers of v3 whose body begins with a record of its own."""
Placed = tuple[str, int, type[Record]]
"""Title of a structure, its offset in the model, and its record."""


class ModelFields:
    """Says of every byte of a model what it is; the model was read before."""

    def __init__(self, view: memoryview, model: Model) -> None:
        self.model = model
        raw = bytes(view[model.address : model.end])
        self._data = reverse_words(raw)[: len(raw)] if model.reversed else raw
        self._name = f"the model at {hex_address(model.address)} (kmodel {model.version})"
        self._section = _section_of(model.version)
        self._constants: Field | None = None
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
        for structure, offset, record in self._records():
            yield from self._record(structure, offset, record)
        if self._constants is not None:
            yield self._constants
        for number, layer in enumerate(self.model.layers):
            skip = k.V3Conv.size if layer.name == _CONV else 0
            if layer.size > skip and self._has_bodies:
                meaning = f"body of layer {number}, {layer.name}"
                start, size = self.model.address + layer.address + skip, layer.size - skip
                made = Field(start, size, _REGION, self._name, "body", "", meaning, self._section)
                yield made._replace(offset=skip)

    @property
    def _has_bodies(self) -> bool:
        """Whether layers have places of their own; v1's lie where its records point."""
        return self.model.version in ("v3", "v4")

    def _record(self, structure: str, offset: int, record: type[Record]) -> Iterator[Field]:
        names = _KINDS.get(record, {})
        for row in record.fields:
            at = offset + row.offset
            raw = self._data[at : at + row.size]
            is_kind = row.name in ("type", "opcode") and bool(names)
            number = int.from_bytes(raw, "little")
            yield Field(
                self.model.address + at,
                row.size,
                _REGION,
                f"{structure} of {self._name}",
                row.name,
                value_of(raw) if raw else "",
                k.named(names, number) if is_kind else row.meaning,
                self._section,
                is_general=not is_kind,
            )

    def _records(self) -> Iterator[Placed]:
        version = self.model.version
        if version in ("v1", "v3", "v4"):
            yield from {"v1": self._v1, "v3": self._v3, "v4": self._v4}[version]()
        elif version == "v5":
            yield from self._v5()
        elif version == "v5 beta":
            yield "header", 0, k.BetaHeader
        else:
            yield "header", 0, k.SealedHeader

    def _table(
        self, title: str, record: type[Record], offset: int, count: int
    ) -> Iterator[Placed]:
        for number in range(min(count, _MAX_ROWS)):
            yield f"{title} {number}", offset + number * record.size, record

    def _v1(self) -> Iterator[Placed]:
        yield "header", 0, k.V1Header
        head = k.V1Header.unpack(self._data)
        yield from self._table("layer", k.V1Metadata, head.size, head.layers_length)

    def _v3(self) -> Iterator[Placed]:
        head = k.V3Header.unpack(self._data)
        at = head.size
        yield "header", 0, k.V3Header
        yield from self._table("output", k.V3Output, at, head.output_count)
        at += k.V3Output.size * head.output_count
        yield from self._table("layer", k.V3Layer, at, head.layers_length)
        for number, layer in enumerate(self.model.layers):
            if layer.name == _CONV:
                yield f"k210_conv, layer {number},", layer.address, k.V3Conv

    def _v4(self) -> Iterator[Placed]:
        head = k.V4Header.unpack(self._data)
        at = head.size
        yield "header", 0, k.V4Header
        yield from self._table("input", k.V4Range, at, head.inputs)
        at += k.V4Range.size * head.inputs
        yield from self._table("shape of input", k.V4Shape, at, head.inputs)
        at += k.V4Shape.size * head.inputs
        yield from self._table("output", k.V4Range, at, head.outputs)
        at += k.V4Range.size * head.outputs
        if head.constants:
            data = self._data[at : at + head.constants]
            self._constants = Field(
                self.model.address + at,
                head.constants,
                _REGION,
                self._name,
                "constants",
                value_of(data) if data else "",
                "parameters of all nodes",
                self._section,
                is_general=True,
            )
        at += head.constants
        yield from self._table("node", k.V4Node, at, head.nodes)

    def _v5(self) -> Iterator[Placed]:
        yield "header", 0, k.V5Header
        head = k.V5Header.unpack(self._data)
        at = head.size
        for number in range(min(head.modules, _MAX_ROWS)):
            if at + k.V5Module.size > len(self._data):
                return
            module = k.V5Module.unpack(self._data, at)
            yield f"module {number}", at, k.V5Module
            yield from self._v5_inside(module, at + module.size, f"of module {number}")
            at += max(module.length, module.size)

    def _v5_inside(self, module: k.V5Module, at: int, whose: str) -> Iterator[Placed]:
        pools = min(module.mempools, _MAX_ROWS)
        for number in range(pools):
            yield f"memory pool {number} {whose}", at + k.V5Pool.size * number, k.V5Pool
        at += k.V5Pool.size * module.mempools + k.V5SharedPool.size * module.shared_mempools
        for number in range(min(module.functions, _MAX_ROWS)):
            if at + k.V5Function.size > len(self._data):
                return
            yield f"function {number} {whose}", at, k.V5Function
            function = k.V5Function.unpack(self._data, at)
            at += max(function.length, function.size)
        for number in range(min(module.sections, _MAX_ROWS)):
            if at + k.V5Section.size > len(self._data):
                return
            yield f"section {number} {whose}", at, k.V5Section
            section = k.V5Section.unpack(self._data, at)
            at += section.size
            if not section.flags & k.MERGED_INTO_RDATA:
                at += section.body_start + section.body_size


_KINDS: dict[type[Record], dict[int, str]] = {k.V3Layer: k.V3_LAYERS, k.V4Node: k.V4_NODES}
"""Names of the numbers in the fields ``type`` and ``opcode``."""


def _section_of(version: str) -> str:
    numbers = {"v1": "27.1", "v3": "27.2", "v4": "27.3", "v5": "27.4", "v5 beta": "27.4"}
    return numbers.get(version, "27.5")
