"""Version 3, of nncase 0.1: every MaixPy loads it."""

from __future__ import annotations

from math import prod

from maixfs.kmodel import ondisk
from maixfs.kmodel.model import Layer, Tensor
from maixfs.kmodel.names import K210_CONV, V3_LAYERS
from maixfs.kmodel.parts import MOST_LAYERS, MOST_TENSORS, Parts, kpu_shape
from maixfs.kmodel.reader import ModelReader

_MOST_BODY = 1 << 24


def read_v3(reader: ModelReader) -> Parts:
    """Return what a v3 model says; ``ModelError`` where it cannot be one.

    The first word, 3, says little: everything else is looked at closely.
    """
    reader.kind = f"kmodel v3 at 0x{reader.address:06X}"
    head = ondisk.V3Header._make(reader.row(ondisk.V3_HEADER, 0, "its header"))
    reader.check("flags", head.flags, 4, 0, 3)
    reader.check("arch", head.arch, 8, 0, 0)
    reader.check("layers_length", head.layers_length, 12, 1, MOST_LAYERS)
    reader.check("main_mem_usage", head.main_mem_usage, 20, 0, _MOST_BODY)
    reader.check("output_count", head.output_count, 24, 1, MOST_TENSORS)
    outputs = _outputs(reader, head)
    layers, size = _layers(reader, head)
    shape = _input_shape(reader, layers)
    notes: tuple[str, ...] = ()
    if layers[0].name != V3_LAYERS[K210_CONV]:
        notes = (
            f"its first layer is {layers[0].name}, not k210_conv: kpu.load takes it, but "
            "kpu.forward with an image says 'first layer not conv layer!'",
        )
    return Parts(
        "v3",
        "k210",
        size,
        inputs=(_input(shape),) if shape else (),
        outputs=outputs,
        layers=layers,
        main_memory=head.main_mem_usage,
        weights=sum(layer.size for layer in layers),
        notes=notes,
    )


def _outputs(reader: ModelReader, head: ondisk.V3Header) -> tuple[Tensor, ...]:
    first = ondisk.V3_HEADER.size
    rows = reader.rows(ondisk.V3_OUTPUT, first, head.output_count, "its outputs")
    outputs = [ondisk.V3Output._make(row) for row in rows]
    for i, output in enumerate(outputs):
        most = head.main_mem_usage - output.size
        reader.check("output.size", output.size, first + 8 * i + 4, 1, head.main_mem_usage)
        reader.check("output.address", output.address, first + 8 * i, 0, most)
    return tuple(
        Tensor(f"output {i}", "float32", None, output.size, "main", output.address)
        for i, output in enumerate(outputs)
    )


def _layers(reader: ModelReader, head: ondisk.V3Header) -> tuple[tuple[Layer, ...], int]:
    """Return the layers, and where the last one's body ends."""
    first = ondisk.V3_HEADER.size + 8 * head.output_count
    rows = list(reader.rows(ondisk.V3_LAYER, first, head.layers_length, "its layers"))
    layers, place = [], first + 8 * head.layers_length
    for i, (kind, size) in enumerate(rows):
        if kind not in V3_LAYERS:
            raise reader.wrong("layer.type", kind, first + 8 * i, "no type of layer")
        least = ondisk.V3_CONV.size if kind == K210_CONV else 4
        reader.check("layer.body_size", size, first + 8 * i + 4, least, _MOST_BODY)
        layers.append(Layer(V3_LAYERS[kind], place, size))
        place += size
    return tuple(layers), place


def _input_shape(reader: ModelReader, layers: tuple[Layer, ...]) -> tuple[int, ...] | None:
    """Return what goes into the first layer that the KPU computes."""
    for layer in layers:
        if layer.name == V3_LAYERS[K210_CONV]:
            body = ondisk.V3Conv._make(reader.row(ondisk.V3_CONV, layer.address, "k210_conv"))
            reader.check("layer_offset", body.layer_offset, layer.address + 8, 28, 1 << 24)
            arguments = reader.row(ondisk.LAYER_ARGUMENT, body.layer_offset, "layer_offset")
            return kpu_shape(arguments[ondisk.CHANNEL_NUM], arguments[ondisk.IMAGE_SIZE]).into
    return None


def _input(shape: tuple[int, ...]) -> Tensor:
    return Tensor("input 0", "uint8", shape, prod(shape), "kpu", 0)
