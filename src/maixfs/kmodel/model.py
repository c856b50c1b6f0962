"""What is known of a model, and the bounded reader that the versions are decoded with."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import prod
from typing import TypeVar

from maixfs.errors import ImageError
from maixfs.kmodel.load import LoadResult
from maixfs.kmodel.ondisk import Buffer, reverse_words, words_of
from maixfs.record import Record
from maixfs.tuples import NamedTuple

Plain = str | int | bool | None | list["Plain"] | dict[str, "Plain"]
"""A value that JSON can hold."""


class Tensor(NamedTuple):
    """An input or an output."""

    name: str
    """``input 0``, ``output 1``: models store no names."""
    datatype: str
    """``uint8``, ``float32``, ...; empty if the model does not store it."""
    shape: tuple[int, ...] | None
    """Batch, channels, height, width; ``None`` if the model does not store it."""
    size: int
    """Bytes."""
    memory: str
    """The name of the memory that it lies in."""
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
        """The number of its values; ``None`` if the shape is not known."""
        return None if self.shape is None else prod(self.shape)


class Layer(NamedTuple):
    """A layer of v1 or v3, a node of v4, a function or a section of v5."""

    name: str
    address: int
    """Offset of its body in the model; of a merged section in ``.rdata``."""
    size: int
    """Bytes of the body."""


class Loadable(NamedTuple):
    """What ``kpu.load(address)`` answers, by the build of MaixPy."""

    without_v4: LoadResult
    with_v4: LoadResult
    """Builds that have ``kmodel_v4`` in their name, and most full ones."""


class Model(NamedTuple):
    """A model in an image. Addresses, offsets and sizes are in bytes."""

    version: str
    """``v1``, ``v3``, ``v4``, ``v5``, ``v5 beta`` (before nncase 1.0.0-beta1); of encrypted
    models ``smodel v3``, ``smodel v4`` or ``emodel``."""
    reversed: bool
    """The bytes of each word are reversed, for ``kpu.load_flash``."""
    address: int
    size: int
    """By the model's records; data behind it may belong to it too."""
    missing: int
    """Bytes of ``size`` past the end of the data: some files lack their last padding."""
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
    """Properties that a user should know, a sentence each."""

    @property
    def end(self) -> int:
        """One past the address of its last byte."""
        return self.address + self.size

    @property
    def memory_need(self) -> int:
        """Bytes of RAM for the copy of the model and its main memory."""
        return self.size + self.main_memory


def as_dict(value: object) -> Plain:
    """Return a model, or a part of one, for JSON: objects with fields and properties."""
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
    """Return the names of a class's properties."""
    return tuple(name for name, value in vars(record).items() if isinstance(value, property))


class ModelError(ImageError):
    """There is no model, or a field has an impossible value; the message names field and place."""


class CutOffError(ModelError):
    """The data ends before the model does."""


# Decoding, bounded

# Limits far above what real models have: a count in a damaged model must not cause work without
# end.
MAX_LAYERS = 512
MAX_NODES = 1024
MAX_TENSORS = 32
MAX_MODULES = 8
MAX_FUNCTIONS = 128
MAX_POOLS = 16
MAX_RANK = 8
MAX_SIDE = 1 << 20


class Parts(NamedTuple):
    """A model as its records describe it, wherever it lies."""

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
    """Input and output of a layer of the KPU: batch, channels, height, width."""

    into: tuple[int, ...]
    out: tuple[int, ...]


def kpu_shape(channel_num: int, image_size: int) -> KpuShape:
    """Return the shapes in two registers of a ``LayerArgument``."""

    def shape(shift: int) -> tuple[int, ...]:
        channels = channel_num >> shift & 0x3FF
        width, height = image_size >> shift & 0x3FF, image_size >> shift + 10 & 0x1FF
        return 1, channels + 1, height + 1, width + 1

    return KpuShape(shape(0), shape(32))


_R = TypeVar("_R", bound=Record)


class ModelReader:
    """The bytes of one model, in either byte order. Offsets count from its start.

    Methods raise ``CutOffError`` and ``ModelError`` with the address in the image.
    """

    def __init__(
        self, image: Buffer, address: int, limit: int | None = None, *, is_reversed: bool = False
    ) -> None:
        view = memoryview(image).cast("B")
        end = len(view) if limit is None else min(limit, len(view))
        self.view = view[max(0, address) : max(0, end)]
        self.address = address
        self.is_reversed = is_reversed
        self.kind = "model"
        """How errors name it."""

    def take(self, offset: int, length: int, what: str) -> bytes:
        """Return bytes; raises ``CutOffError``, which names them ``what``, if they are cut off."""
        self.need(offset, length, what)
        if not self.is_reversed:
            return bytes(self.view[offset : offset + length])
        # Words were reversed counting from the model's start, so whole words have to be read.
        start = offset & ~3
        piece = reverse_words(self.view[start : offset + length + 3 & ~3])
        return piece[offset - start : offset - start + length]

    def need(self, offset: int, length: int, what: str) -> None:
        """Raise ``CutOffError`` if the bytes of ``what`` are cut off."""
        if offset + length > len(self.view):
            more = f"needs 0x{length:X} bytes, 0x{max(0, len(self.view) - offset):X} are left"
            raise CutOffError(f"{self.kind}: {what} at 0x{self.address + offset:06X} {more}")

    def record(self, kind: type[_R], offset: int, what: str) -> _R:
        """Return the record at an offset."""
        return kind.unpack(self.take(offset, kind.size, what))

    def records(self, kind: type[_R], offset: int, count: int, what: str) -> list[_R]:
        """Return ``count`` consecutive records."""
        data = self.take(offset, count * kind.size, what)
        return [kind.unpack(data, index * kind.size) for index in range(count)]

    def words(self, offset: int, count: int, what: str) -> Sequence[int]:
        """Return ``count`` consecutive words."""
        return words_of(self.take(offset, 4 * count, what))

    def wrong(self, field: str, value: int, offset: int, rule: str) -> ModelError:
        """Return the error for a field that cannot have this value."""
        where = f"0x{self.address + offset:06X}"
        return ModelError(f"{self.kind}: {field} at {where} is 0x{value:X}, {rule}")

    def check_word(self, field: str, value: int, offset: int, low: int, high: int) -> None:
        """Raise ``ModelError`` unless the value at an offset is in bounds."""
        if not low <= value <= high:
            raise self.wrong(field, value, offset, f"not between {low} and {high}")

    def check(
        self, record: Record, offset: int, field: str, low: int, high: int, *, of: str = ""
    ) -> None:
        """Raise ``ModelError`` unless a field of the record at ``offset`` is in bounds.

        ``of`` is put before the field's name in the message, as ``module`` in ``module.length``.
        """
        value = getattr(record, field)
        if not low <= value <= high:  # names and offsets are made only for errors
            name = f"{of}.{field}" if of else field
            place = offset + record.offset_of(field)
            raise self.wrong(name, value, place, f"not between {low} and {high}")
