"""What the readers of the versions give, and how much each may ask for."""

from __future__ import annotations

from typing import NamedTuple

from maixfs.kmodel.model import Layer, Tensor

# What real models stay far below. More is not believed, so that no count in a damaged model
# makes us work without end.
MOST_LAYERS = 512
MOST_NODES = 1024
MOST_TENSORS = 32
MOST_MODULES = 8
MOST_FUNCTIONS = 128
MOST_POOLS = 16
MOST_RANK = 8
MOST_SIDE = 1 << 20


class Parts(NamedTuple):
    """A model as its records describe it, without its place."""

    version: str
    target: str
    size: int
    inputs: tuple[Tensor, ...] = ()
    outputs: tuple[Tensor, ...] = ()
    layers: tuple[Layer, ...] = ()
    main_memory: int = 0
    weights: int = 0
    notes: tuple[str, ...] = ()


class KpuShape(NamedTuple):
    """What goes into a layer of the KPU and comes out: batch, channels, height, width."""

    into: tuple[int, ...]
    out: tuple[int, ...]


def kpu_shape(channel_num: int, image_size: int) -> KpuShape:
    """Return the shapes that two of the KPU's registers hold (``ondisk.CHANNEL_NUM``, ...)."""

    def shape(shift: int) -> tuple[int, ...]:
        channels = channel_num >> shift & 0x3FF
        width, height = image_size >> shift & 0x3FF, image_size >> shift + 10 & 0x1FF
        return 1, channels + 1, height + 1, width + 1

    return KpuShape(shape(0), shape(32))
