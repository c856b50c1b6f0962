"""A loaded model: its records, layers and outputs as the firmware reads them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from maixfs.kmodel import KpuCode, LoadResult, ondisk
from maixfs.kmodel.ondisk import K210_CONV, V3_LAYERS, LayerArgument
from maixfs.tuples import NamedTuple
from maixfs.vfs import PlainOSError

# The model

Shape = tuple[int, int, int]
"""Width, height, channels."""

_WORD = 0xFFFFFFFF
_BODY_SIZE = ondisk.V3Layer.offset_of("body_size")


class LayerRow(NamedTuple):
    """A layer of a v3 model: its type, offset and size in the model."""

    type: int
    place: int
    size: int


class LoadedModel:
    """A model in the memory of the board; ``answer`` is the result of loading it."""

    __slots__ = ("answer", "data", "layers", "shapes")

    def __init__(self, answer: LoadResult, data: bytes) -> None:
        self.answer = answer
        self.data = data
        self.layers = answer.layers
        """Number of layers that run; ``kpu.set_layers`` changes it for a v3 model."""
        self.shapes: dict[int, Shape] = {}
        """Shapes of the outputs of a v4 model, by ``kpu.set_outputs``."""

    @property
    def is_v3(self) -> bool:
        """True for a model of version 3, False for version 4."""
        return self.word(0) == ondisk.V3_VERSION

    @property
    def outputs(self) -> int:
        """Number of outputs in the header."""
        if self.is_v3:
            return self.word(ondisk.V3Header.offset_of("output_count"))
        return self.word(ondisk.V4Header.offset_of("outputs"))

    def word(self, offset: int) -> int:
        """Return the word at ``offset``; bytes past the end are 0xFF, as in erased flash."""
        return int.from_bytes(self.data[offset : offset + 4].ljust(4, b"\xff"), "little")

    def output_size(self, index: int) -> int:
        """Return the size of an output of a v4 model in bytes, -1 if there is no such output."""
        # The number of outputs is not checked against the size of the model, as in the firmware.
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


# Layers


class _Values(NamedTuple):
    """Values of a layer in the order of printing; most are 0 for a layer that no KPU computes."""

    number: int
    type: int
    wi: int = 0
    hi: int = 0
    wo: int = 0
    ho: int = 0
    chi: int = 0
    cho: int = 0
    dw: int = 0
    kernel_type: int = 0
    pool_type: int = 0
    para_size: int = 0


class LayerInfo:
    """A layer as ``kpu.netinfo`` returns it; each value is a method of that name."""

    __slots__ = ("_values",)

    def __init__(self, values: _Values) -> None:
        self._values = values

    def __getattr__(self, name: str) -> object:
        values = self._by_name()
        if name not in values:
            raise AttributeError(f"'kpu_netinfo_find' object has no attribute '{name}'")
        return lambda: values[name]

    def __repr__(self) -> str:
        shown = self._by_name() | {"type": layer_name(self._values.type)}
        pairs = ", ".join(f'"{name}":{value}' for name, value in shown.items())
        return f"{{{pairs}}}"

    def _by_name(self) -> dict[str, Any]:
        number, *rest = self._values
        return {"index": number} | dict(zip(_Values._fields[1:], rest, strict=True))


LayerInfo.__name__ = LayerInfo.__qualname__ = "kpu_netinfo_find"
LayerInfo.__module__ = "builtins"


def layer_name(kind: int) -> str:
    """Return the firmware's name of a layer's type."""
    return f"KL_{V3_LAYERS.get(kind, V3_LAYERS[0]).upper()}"


def layer_info(model: LoadedModel, index: int, row: LayerRow) -> LayerInfo:
    """Return the values of a layer of a v3 model."""
    if row.type != K210_CONV:
        return LayerInfo(_Values(index, row.type, para_size=row.size))
    return LayerInfo(_kpu_values(index, _registers(model, row)))


def _registers(model: LoadedModel, row: LayerRow) -> LayerArgument:
    """Return the KPU's registers for a layer; bytes past the model are 0xFF."""
    place = model.word(row.place + ondisk.V3Conv.offset_of("layer_offset"))
    length = LayerArgument.size
    return LayerArgument.unpack(model.data[place : place + length].ljust(length, b"\xff"))


def _kpu_values(index: int, registers: LayerArgument) -> _Values:
    channels, size = registers.image_channel_num, registers.image_size
    kernel, load = registers.kernel_pool_type_cfg, registers.kernel_load_cfg
    return _Values(
        index,
        K210_CONV,
        wi=(size & 0x3FF) + 1,
        hi=(size >> 10 & 0x1FF) + 1,
        wo=(size >> 32 & 0x3FF) + 1,
        ho=(size >> 42 & 0x1FF) + 1,
        chi=(channels & 0x3FF) + 1,
        cho=(channels >> 32 & 0x3FF) + 1,
        dw=registers.interrupt_enable >> 3 & 1,
        kernel_type=kernel & 7,
        pool_type=kernel >> 4 & 0xF,
        para_size=load >> 15 & 0x1FFFF,
    )


# Calls on layers and outputs

Say = Callable[[str], object]

_PADDING, _UNPADDING, _UPLOAD = K210_CONV + 1, K210_CONV + 2, K210_CONV + 3
_LAST_LAYERS = {1, 2, 5, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 20, K210_CONV, _UNPADDING}
"""Types of layers whose result the firmware can return."""
_SIGN = 1 << 31


def layers_of(model: LoadedModel, say: Say) -> list[LayerInfo]:
    """Print the layers of a v3 model and return their values.

    Raises ``OSError`` for a v4 model: the firmware cannot read its nodes.
    """
    if not model.is_v3:
        raise PlainOSError(int(KpuCode.NOT_IMPLEMENT))
    rows = model.rows(model.layers)
    for index, row in enumerate(rows):
        size = (row.size ^ _SIGN) - _SIGN
        say(f"layer[{index}]: {layer_name(row.type)}, {size} bytes\r\n")
    return [layer_info(model, index, row) for index, row in enumerate(rows)]


def take_layers(model: LoadedModel, count: int, say: Say) -> None:
    """Let a v3 model end after ``count`` layers; print a message if that layer has no output.

    A v4 model does not change.
    """
    if not model.is_v3:
        return
    if not model.outputs:
        say("output index too big!\r\n")
        return
    model.layers = count
    kind = model.rows(count)[-1].type if count else 0
    if kind in (_PADDING, _UPLOAD):
        say(f"{layer_name(kind)} not support output to mainbuf!\r\n")
    elif kind not in _LAST_LAYERS:
        say(f"Unknow layer type: {kind}!\r\n")


def set_output(model: LoadedModel, index: int, shape: Shape, say: Say) -> bool:
    """Set the shape of an output of a v4 model; print an error and return False if it is wrong."""
    size = model.output_size(index)
    # The firmware multiplies in 32 bits and compares the wrapped product.
    floats = 4 * shape[0] * shape[1] * shape[2] & 0xFFFFFFFF
    if model.is_v3:
        say(
            f"[MAIXPY]kpu: set_outputs ctx error, maybe init err:{int(KpuCode.KMODEL_VERSION)}\r\n"
        )
    elif size < 0:
        say(f"[MAIXPY]kpu: set_outputs arg value error:kmodel output idx {index} out of range\r\n")
    elif floats != size:
        say(
            f"w*h*ch!={size}\r\n"
            "[MAIXPY]kpu: set_outputs arg value error: w,c,ch size not match output size\r\n"
        )
    else:
        model.shapes[index] = shape
        return True
    return False
