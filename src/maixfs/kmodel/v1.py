"""Version 1, which the first SDKs load and MaixPy does not."""

from __future__ import annotations

from math import prod

from maixfs.kmodel import ondisk
from maixfs.kmodel.model import Layer, Tensor
from maixfs.kmodel.parts import MOST_LAYERS, KpuShape, Parts, kpu_shape
from maixfs.kmodel.reader import ModelReader

_MOST_START = 0x8000
"""Units of 64 bytes in the KPU's memory of 2 MiB."""


def read_v1(reader: ModelReader) -> Parts:
    """Return what a v1 model says; ``ModelError`` where it cannot be one."""
    reader.kind = f"kmodel v1 at 0x{reader.address:06X}"
    head = ondisk.V1Header._make(reader.row(ondisk.V1_HEADER, 0, "its header"))
    reader.check("flags", head.flags, 4, 0, 1)
    reader.check("layers_length", head.layers_length, 8, 1, MOST_LAYERS)
    reader.check("max_start_address", head.max_start_address, 12, 0, _MOST_START)
    first, count = ondisk.V1_HEADER.size, head.layers_length
    reader.check("layers_argument_start", head.layers_argument_start, 16, first, 1 << 24)
    rows = reader.rows(ondisk.V1_METADATA, first, count, "its table of layers")
    start, end = first + count * ondisk.V1_METADATA.size, head.layers_argument_start
    layers = [ondisk.V1Metadata._make(row) for row in rows]
    for index, row in enumerate(layers):
        for field in range(3):
            offset = first + index * ondisk.V1_METADATA.size + 4 * field
            reader.check(row._fields[field], int(row[field]), offset, start, end)
    shapes = _shapes(reader, end, count)
    return Parts(
        "v1",
        "k210",
        end + count * ondisk.LAYER_ARGUMENT.size,
        inputs=(_tensor("input 0", shapes[0].into),),
        outputs=(_tensor("output 0", shapes[-1].out),),
        layers=tuple(
            Layer("k210_conv", end + i * ondisk.LAYER_ARGUMENT.size, ondisk.LAYER_ARGUMENT.size)
            for i in range(count)
        ),
        main_memory=prod(shapes[-1].out),
        weights=end - start,
        notes=("MaixPy does not load version 1; nncase up to 0.1 makes version 3",),
    )


def _shapes(reader: ModelReader, offset: int, count: int) -> list[KpuShape]:
    arguments = reader.rows(ondisk.LAYER_ARGUMENT, offset, count, "layers_argument_start")
    return [kpu_shape(row[ondisk.CHANNEL_NUM], row[ondisk.IMAGE_SIZE]) for row in arguments]


def _tensor(name: str, shape: tuple[int, ...]) -> Tensor:
    return Tensor(name, "uint8", shape, prod(shape), "kpu", 0)
