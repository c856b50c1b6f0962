"""Version 4, of nncase 0.2: MaixPy loads it if it was built for it."""

from __future__ import annotations

from math import prod

from maixfs.kmodel import ondisk
from maixfs.kmodel.model import Layer, Tensor
from maixfs.kmodel.names import (
    V4_DATATYPES,
    V4_MEMORIES,
    V4_NODES,
    V4_TARGETS,
    named,
)
from maixfs.kmodel.parts import MOST_NODES, MOST_SIDE, MOST_TENSORS, Parts
from maixfs.kmodel.reader import ModelReader

_MOST_BYTES = 1 << 24


def read_v4(reader: ModelReader) -> Parts:
    """Return what a v4 model says; ``ModelError`` where it cannot be one."""
    reader.kind = f"kmodel v4 at 0x{reader.address:06X}"
    head = ondisk.V4Header._make(reader.row(ondisk.V4_HEADER, 0, "its header"))
    reader.check("target", head.target, 12, 0, 1)
    reader.check("constants", head.constants, 16, 0, _MOST_BYTES)
    reader.check("main_mem", head.main_mem, 20, 0, _MOST_BYTES)
    reader.check("nodes", head.nodes, 24, 1, MOST_NODES)
    reader.check("inputs", head.inputs, 28, 1, MOST_TENSORS)
    reader.check("outputs", head.outputs, 32, 1, MOST_TENSORS)
    shapes_at = ondisk.V4_HEADER.size + 16 * head.inputs
    outputs_at = shapes_at + 16 * head.inputs
    shapes = _shapes(reader, shapes_at, head.inputs)
    inputs = _tensors(reader, ondisk.V4_HEADER.size, "input", list(shapes))
    outputs = _tensors(reader, outputs_at, "output", [None] * head.outputs)
    nodes_at = outputs_at + 16 * head.outputs + head.constants
    layers, size = _nodes(reader, nodes_at, head.nodes)
    return Parts(
        "v4",
        V4_TARGETS[head.target],
        size,
        inputs=inputs,
        outputs=outputs,
        layers=layers,
        main_memory=head.main_mem,
        weights=head.constants + sum(layer.size for layer in layers),
        notes=(
            "the shapes of its outputs are not stored: a program gives them with kpu.set_outputs",
        ),
    )


def _shapes(reader: ModelReader, offset: int, count: int) -> list[tuple[int, ...]]:
    shapes = list(reader.rows(ondisk.V4_SHAPE, offset, count, "its input shapes"))
    for i, shape in enumerate(shapes):
        for axis, side in enumerate(shape):
            reader.check("shape", side, offset + 16 * i + 4 * axis, 1, MOST_SIDE)
    return shapes


def _tensors(
    reader: ModelReader, offset: int, name: str, shapes: list[tuple[int, ...] | None]
) -> tuple[Tensor, ...]:
    tensors = []
    rows = reader.rows(ondisk.V4_RANGE, offset, len(shapes), f"its {name}s")
    for i, (row, shape) in enumerate(zip(rows, shapes, strict=True)):
        at = ondisk.V4Range._make(row)
        reader.check(f"{name}.memory_type", at.memory_type, offset + 16 * i, 0, 2)
        reader.check(f"{name}.datatype", at.datatype, offset + 16 * i + 4, 0, 1)
        reader.check(f"{name}.size", at.size, offset + 16 * i + 12, 1, _MOST_BYTES)
        datatype, memory = V4_DATATYPES[at.datatype], V4_MEMORIES[at.memory_type]
        if shape and memory == "main" and prod(shape) * _bytes_of(datatype) > at.size:
            raise reader.wrong(
                f"{name}.size", at.size, offset + 16 * i + 12, "less than its shape"
            )
        tensors.append(Tensor(f"{name} {i}", datatype, shape, at.size, memory, at.start))
    return tuple(tensors)


def _bytes_of(datatype: str) -> int:
    return 4 if datatype == "float32" else 1


def _nodes(reader: ModelReader, offset: int, count: int) -> tuple[tuple[Layer, ...], int]:
    """Return the nodes, and where the last one's body ends."""
    layers, place = [], offset + 8 * count
    for i, (opcode, size) in enumerate(reader.rows(ondisk.V4_NODE, offset, count, "its nodes")):
        reader.check("node.body_size", size, offset + 8 * i + 4, 0, _MOST_BYTES)
        layers.append(Layer(named(V4_NODES, opcode), place, size))
        place += size
    return tuple(layers), place
