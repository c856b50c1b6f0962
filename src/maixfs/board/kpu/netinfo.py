"""``kpu_netinfo_find``: what ``kpu.netinfo`` tells of a layer."""

from __future__ import annotations

from typing import Any, NamedTuple

from maixfs.board.kpu.model import LayerRow, LoadedModel
from maixfs.kmodel.ondisk import K210_CONV, V3_LAYERS, LayerArgument, V3Conv


class _Values(NamedTuple):
    """What is printed of a layer, in that order; most are 0 for what no KPU computes."""

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
    """A layer; each value is a method of that name, as on a board."""

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
    """Return what is known of a layer of a v3 model."""
    if row.type != K210_CONV:
        return LayerInfo(_Values(index, row.type, para_size=row.size))
    return LayerInfo(_kpu_values(index, _registers(model, row)))


def _registers(model: LoadedModel, row: LayerRow) -> LayerArgument:
    """Return the KPU's registers for a layer; what is past the model counts as erased."""
    place = model.word(row.place + V3Conv.offset_of("layer_offset"))
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
