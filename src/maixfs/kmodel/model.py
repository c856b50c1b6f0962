"""What is known of a model."""

from __future__ import annotations

from functools import cache
from math import prod
from typing import NamedTuple

from maixfs.kmodel.load import LoadResult

Plain = str | int | bool | None | list["Plain"] | dict[str, "Plain"]
"""What JSON can hold."""


class Tensor(NamedTuple):
    """An input or an output."""

    name: str
    """Models do not name them: ``input 0``, ``output 1``."""
    datatype: str
    """``uint8``, ``float32``, ...; empty where the model does not say."""
    shape: tuple[int, ...] | None
    """Batch, channels, height, width; ``None`` where the model does not say."""
    size: int
    """Bytes."""
    memory: str
    """Which memory it lies in."""
    address: int
    """Place in that memory, in bytes."""

    @property
    def dimensions(self) -> str:
        """Width x height x channels as MaixPy counts them, or the shape, or the bytes."""
        if self.shape is None:
            return f"{self.size} bytes"
        if len(self.shape) == 4 and self.shape[0] == 1:
            _, channels, height, width = self.shape
            return f"{width}x{height}x{channels}"
        return "x".join(map(str, self.shape)) or "1"

    @property
    def elements(self) -> int | None:
        """How many numbers it has, if the shape is known."""
        return None if self.shape is None else prod(self.shape)


class Layer(NamedTuple):
    """A layer of v1 or v3, a node of v4, a function or a section of v5."""

    name: str
    address: int
    """Where its body is, from the start of the model; of a merged section: in ``.rdata``."""
    size: int
    """Bytes of the body."""


class Loadable(NamedTuple):
    """What ``kpu.load(address)`` answers, by the build of MaixPy."""

    without_v4: LoadResult
    with_v4: LoadResult
    """Builds that have ``kmodel_v4`` in their name, and most full ones."""


class Model(NamedTuple):
    """A model that was found. Offsets and sizes are in bytes."""

    version: str
    """``v1``, ``v3``, ``v4``, ``v5``, ``v5 beta`` (before nncase 1.0.0-beta1); of encrypted
    models ``smodel v3``, ``smodel v4`` or ``emodel``."""
    reversed: bool
    """The bytes of each word are reversed, for ``kpu.load_flash``."""
    address: int
    size: int
    """As the model's records say; there may be data behind it that belongs to it."""
    missing: int
    """Bytes of ``size`` that are not there: some files end before their last padding."""
    target: str
    """``k210``, ``cpu``, or the kinds of v5's modules; empty for encrypted models."""
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    layers: tuple[Layer, ...]
    main_memory: int
    """Memory for intermediate results, inputs and outputs; without the KPU's own."""
    weights: int
    """Bytes of parameters: bodies of layers, constants, ``.rdata``."""
    fits: bool
    """Whether it fits into memory beside a firmware and a heap of the usual size."""
    loadable: Loadable
    notes: tuple[str, ...]
    """What else a user should know, a sentence each."""

    @property
    def end(self) -> int:
        """The address behind the model."""
        return self.address + self.size

    @property
    def memory_need(self) -> int:
        """Bytes of RAM: the copy of the model, and its main memory."""
        return self.size + self.main_memory


def as_dict(value: object) -> Plain:
    """Return a model, or a part of one, for JSON: records as objects, with what they derive."""
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        fields: dict[str, object] = value._asdict()
        fields |= {name: getattr(value, name) for name in _derived(type(value))}
        return {name: as_dict(part) for name, part in fields.items()}
    if isinstance(value, tuple):
        return [as_dict(part) for part in value]
    raise TypeError(f"{type(value).__name__} has no place in JSON")


@cache
def _derived(record: type) -> tuple[str, ...]:
    """Return the names of a record's properties."""
    return tuple(name for name, value in vars(record).items() if isinstance(value, property))
