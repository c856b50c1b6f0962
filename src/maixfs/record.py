"""Records of binary formats, each declared once.

A record is a class with an annotated attribute for each field, in the order of the medium:

    class PageHeader(Record):
        obj_id: int = field("H", "object id; bit 15 set on index pages")
        span_ix: int = field("H", "which part of the object this is, from 0")
        flags: int = field("B", "active low")

From that follow the struct, the offsets, the parts of it that are read or written alone, and the
rows of the tables in docs/SPEC.md and of hex views. Integers are little-endian unless the class
says ``big_endian=True``; nothing is aligned. An instance is a tuple of the fields' values, so that
decoding costs what a NamedTuple's costs.
"""

from __future__ import annotations

import struct
from operator import itemgetter
from typing import TYPE_CHECKING, Any, ClassVar, dataclass_transform

from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Self

    from maixfs.errors import ImageError

    Buffer = bytes | bytearray | memoryview


class Field(NamedTuple):
    """One field of a record; ``offset`` and ``size`` in bytes."""

    name: str
    offset: int
    size: int
    code: str
    """Its struct code, such as ``H`` or ``11s``."""
    meaning: str


class _Declared(NamedTuple):
    code: str
    meaning: str
    at: int | None
    default: Any


_REQUIRED = object()


def field(code: str, meaning: str = "", *, at: int | None = None, default: Any = _REQUIRED) -> Any:
    """Declare a field: struct code, meaning, and its offset where bytes before it are skipped.

    Skipped bytes are no field: they decode to nothing and are written as zeros. With a
    ``default`` the field may be left out when a record is made.
    """
    return _Declared(code, meaning, at, default)


class Part:
    """Consecutive fields of a record that are read or written without the others.

    ``offset`` is that of the first one in the record. ``unpack`` and ``pack_into`` take where the
    *record* starts in the buffer.
    """

    __slots__ = ("_struct", "offset", "size", "unpack")

    def __init__(self, offset: int, format_: str, order: str = "<") -> None:
        self.offset = offset
        self._struct = struct.Struct(order + format_)
        self.size = self._struct.size
        # A struct that skips what is before the fields: decoding is then one call of C.
        self.unpack: Callable[..., tuple[Any, ...]] = struct.Struct(
            f"{order}{offset}x{format_}"
        ).unpack_from
        """``unpack(data, start=0)`` returns the fields of the record that begins at ``start``."""

    def pack(self, *values: object) -> bytes:
        """Return the bytes of the fields."""
        return self._struct.pack(*values)

    def pack_into(self, data: bytearray | memoryview, start: int, *values: object) -> None:
        """Write the fields into ``data``, into the record that starts at ``start``."""
        self._struct.pack_into(data, start + self.offset, *values)


@dataclass_transform(field_specifiers=(field,))
class Record(tuple[Any, ...]):
    """Base of all records; see the head of this module.

    ``size`` is in bytes, ``fields`` are the declared fields, ``struct`` the whole record's. A
    field cannot have the name of an attribute of this class (``TypeError``).
    """

    __slots__ = ()
    struct: ClassVar[struct.Struct]
    size: ClassVar[int]
    fields: ClassVar[tuple[Field, ...]]
    _order: ClassVar[str]
    _defaults: ClassVar[dict[str, Any]]

    def __init_subclass__(cls, *, big_endian: bool = False) -> None:
        fields = tuple(_lay_out(cls))
        # Fields are properties of the class: one of these names would hide a method, or be
        # replaced by ``size``, ``fields`` or ``struct`` below.
        reserved = Record.__annotations__.keys() | vars(Record).keys()
        for declared in fields:
            if declared.name in reserved:
                raise TypeError(
                    f"{cls.__name__}.{declared.name}: records use this name themselves"
                )
        cls._defaults = {
            declared.name: value
            for declared in fields
            if (value := vars(cls)[declared.name].default) is not _REQUIRED
        }
        for index, declared in enumerate(fields):
            setattr(cls, declared.name, property(itemgetter(index), doc=declared.meaning))
        cls.fields = fields
        cls._order = ">" if big_endian else "<"
        cls.struct = struct.Struct(cls._order + _format(fields))
        cls.size = cls.struct.size

    def __new__(cls, *values: Any, **named: Any) -> Self:
        """Make a record from the values of its fields, by position or by name."""
        if len(values) == len(cls.fields) and not named:
            return tuple.__new__(cls, values)
        names = [declared.name for declared in cls.fields]
        by_position = dict(zip(names, values, strict=False))
        by_name = cls._defaults | by_position | named
        is_clear = len(values) == len(by_position) and not by_position.keys() & named.keys()
        if not is_clear or by_name.keys() != set(names):
            raise TypeError(f"{cls.__name__} takes {', '.join(names)}")
        return tuple.__new__(cls, [by_name[name] for name in names])

    @classmethod
    def unpack(cls, data: Buffer, offset: int = 0) -> Self:
        """Decode the record at ``offset`` of ``data``; raises ``ImageError`` if it is cut off."""
        try:
            return tuple.__new__(cls, cls.struct.unpack_from(data, offset))
        except struct.error as error:
            raise _cut_short(cls, len(data), offset) from error

    def pack(self) -> bytes:
        """Return the record's bytes."""
        return self.struct.pack(*self)

    def replace(self, **values: Any) -> Self:
        """Return the record with other values in some fields."""
        named = {declared.name: value for declared, value in zip(self.fields, self, strict=True)}
        return type(self)(**(named | values))

    def __repr__(self) -> str:
        pairs = zip(self.fields, self, strict=True)
        values = ", ".join(f"{declared.name}={value!r}" for declared, value in pairs)
        return f"{type(self).__name__}({values})"

    @classmethod
    def offset_of(cls, name: str) -> int:
        """Return the offset of a field, bytes."""
        return cls._field(name).offset

    @classmethod
    def part(cls, first: str, last: str | None = None) -> Part:
        """Return the fields from ``first`` to ``last`` (itself unless given) as a ``Part``."""
        names = [declared.name for declared in cls.fields]
        start, end = names.index(first), names.index(last or first)
        chosen = cls.fields[start : end + 1]
        origin = chosen[0].offset
        shifted = tuple(declared._replace(offset=declared.offset - origin) for declared in chosen)
        return Part(origin, _format(shifted), cls._order)

    @classmethod
    def _field(cls, name: str) -> Field:
        return next(declared for declared in cls.fields if declared.name == name)


def _lay_out(cls: type[Record]) -> Iterator[Field]:
    """Yield the fields that a class declares, with the offsets that follow from their sizes."""
    offset = 0
    for name in cls.__annotations__:
        declared = cls.__dict__.get(name)
        if isinstance(declared, _Declared):
            offset = offset if declared.at is None else declared.at
            size = struct.calcsize("<" + declared.code)
            yield Field(name, offset, size, declared.code, declared.meaning)
            offset += size


def _format(fields: tuple[Field, ...]) -> str:
    """Return the struct format of fields, with pad bytes where some are skipped."""
    codes, end = "", 0
    for declared in fields:
        skipped = declared.offset - end
        codes += (f"{skipped}x" if skipped else "") + declared.code
        end = declared.offset + declared.size
    return codes


def _cut_short(cls: type[Record], length: int, offset: int) -> ImageError:
    from maixfs.errors import ImageError

    return ImageError(
        f"{cls.__name__} at {offset:#x} needs {cls.size} bytes, {max(length - offset, 0)} are left"
    )
