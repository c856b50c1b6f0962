"""Records of binary formats: everything that follows from one declaration."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maixfs.errors import ImageError
from maixfs.record import Record, field


class Sample(Record):
    """Fields of every kind, with bytes skipped before, between and after a pair of them."""

    kind: int = field("B", "what it is", at=2)
    number: int = field("H", "little-endian")
    label: bytes = field("3s")
    total: int = field("I", at=0x10)
    delta: int = field("b")


class Single(Record):
    """The shortest record."""

    value: int = field("H")


BYTES = bytes.fromhex("0000 05 3412 616263 0000000000000000 78563412 ff")
VALUES = (5, 0x1234, b"abc", 0x12345678, -1)


@pytest.fixture
def sample() -> Sample:
    return Sample(*VALUES)


def test_offsets_follow_from_sizes_and_skipped_bytes() -> None:
    assert [(f.name, f.offset, f.size, f.code) for f in Sample.fields] == [
        ("kind", 2, 1, "B"),
        ("number", 3, 2, "H"),
        ("label", 5, 3, "3s"),
        ("total", 0x10, 4, "I"),
        ("delta", 0x14, 1, "b"),
    ]
    assert [Sample.offset_of(f.name) for f in Sample.fields] == [2, 3, 5, 0x10, 0x14]
    assert Sample.size == Sample.struct.size == 0x15


def test_meaning_is_that_of_the_declaration() -> None:
    assert [f.meaning for f in Sample.fields] == ["what it is", "little-endian", "", "", ""]
    described: Any = vars(Sample)["kind"]
    assert described.__doc__ == "what it is"


def test_unpack_decodes_little_endian_values_by_name(sample: Sample) -> None:
    record = Sample.unpack(BYTES)
    assert record == sample == VALUES
    assert (record.kind, record.number, record.label) == (5, 0x1234, b"abc")
    assert (record.total, record.delta) == (0x12345678, -1)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
@pytest.mark.parametrize("offset", [0, 1, 7])
def test_unpack_starts_at_the_offset(kind: Any, offset: int) -> None:
    data = kind(b"\xaa" * offset + BYTES + b"\xaa" * 3)
    assert Sample.unpack(data, offset) == VALUES


def test_pack_writes_zeros_where_bytes_are_skipped(sample: Sample) -> None:
    assert sample.pack() == BYTES
    assert Sample.unpack(b"\xee" * Sample.size).pack() != b"\xee" * Sample.size


@given(
    st.tuples(
        st.integers(0, 0xFF),
        st.integers(0, 0xFFFF),
        st.binary(min_size=3, max_size=3),
        st.integers(0, 0xFFFFFFFF),
        st.integers(-0x80, 0x7F),
    )
)
def test_packed_record_is_unpacked_to_the_same_values(values: tuple[Any, ...]) -> None:
    record = Sample(*values)
    assert Sample.unpack(record.pack()) == record == values


@pytest.mark.parametrize("length", range(Sample.size))
def test_cut_off_data_raises_image_error_with_the_place(length: int) -> None:
    with pytest.raises(ImageError, match=r"Sample at 0x20 ") as caught:
        Sample.unpack(bytes(0x20 + length), 0x20)
    assert isinstance(caught.value.__cause__, struct.error)


def test_offset_behind_the_data_raises_image_error() -> None:
    with pytest.raises(ImageError):
        Sample.unpack(BYTES, 1000)


def test_value_that_does_not_fit_cannot_be_packed() -> None:
    with pytest.raises(struct.error):
        Single(0x10000).pack()


# Construction


@pytest.mark.parametrize(
    ("values", "named"),
    [
        (VALUES, {}),
        (VALUES[:2], {"delta": -1, "label": b"abc", "total": 0x12345678}),
        ((), dict(zip(("kind", "number", "label", "total", "delta"), VALUES, strict=True))),
    ],
)
def test_record_takes_values_by_position_and_by_name(
    values: tuple[Any, ...], named: dict[str, Any]
) -> None:
    assert Sample(*values, **named) == VALUES


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ((), {}),
        (VALUES[:4], {}),
        ((*VALUES, 0), {}),
        (VALUES, {"kind": 5}),
        (VALUES[:4], {"kind": 5}),
        (VALUES[1:], {"number": 1}),
        (VALUES[:4], {"other": -1}),
        (VALUES, {"other": 1}),
    ],
)
def test_missing_surplus_repeated_or_unknown_values_raise_type_error(
    values: tuple[Any, ...], named: dict[str, Any]
) -> None:
    with pytest.raises(TypeError, match="Sample"):
        Sample(*values, **named)


def test_replace_returns_a_changed_copy(sample: Sample) -> None:
    changed = sample.replace(total=1, kind=7)
    assert type(changed) is Sample
    assert changed == (7, 0x1234, b"abc", 1, -1)
    assert sample == VALUES
    with pytest.raises(TypeError):
        sample.replace(other=1)


def test_fields_cannot_be_assigned(sample: Sample) -> None:
    with pytest.raises(AttributeError):
        sample.kind = 6


def test_repr_names_every_field(sample: Sample) -> None:
    assert repr(sample) == ("Sample(kind=5, number=4660, label=b'abc', total=305419896, delta=-1)")
    assert repr(Single(1)) == "Single(value=1)"


class Tuned(Record):
    """Fields with defaults."""

    clock: int = field("I")
    divider: int = field("B", default=1)


def test_fields_with_a_default_may_be_left_out() -> None:
    assert Tuned(9) == Tuned(clock=9) == (9, 1)
    assert Tuned(9, divider=2) == (9, 2)
    for values, named in (((), {}), ((9, 1), {"divider": 2}), ((9, 1, 2), {})):
        with pytest.raises(TypeError, match="Tuned"):
            Tuned(*values, **named)


class Big(Record, big_endian=True):
    """Fields in network order."""

    number: int = field("H")
    total: int = field("I", at=4)


def test_big_endian_record_and_its_parts_swap_bytes() -> None:
    data = bytes.fromhex("0102 0000 03040506")
    assert Big.unpack(data) == (0x0102, 0x03040506)
    assert Big(0x0102, 0x03040506).pack() == data
    assert Big.part("total").unpack(data) == (0x03040506,)
    assert Big.part("total").pack(1) == b"\0\0\0\1"


# Parts


PARTS: list[tuple[str, str | None, int, int, tuple[Any, ...]]] = [
    ("kind", None, 2, 1, (5,)),
    ("number", None, 3, 2, (0x1234,)),
    ("kind", "label", 2, 6, (5, 0x1234, b"abc")),
    ("label", "total", 5, 15, (b"abc", 0x12345678)),  # skipped bytes between the two
    ("total", "delta", 16, 5, (0x12345678, -1)),
    ("kind", "delta", 2, 19, VALUES),
]


@pytest.mark.parametrize(("first", "last", "offset", "size", "values"), PARTS)
def test_part_reads_and_writes_its_fields_alone(
    first: str, last: str | None, offset: int, size: int, values: tuple[Any, ...]
) -> None:
    part = Sample.part(first, last)
    assert (part.offset, part.size) == (offset, size)
    assert part.unpack(BYTES) == part.unpack(b"\xaa" * 4 + BYTES, 4) == values
    assert part.pack(*values) == BYTES[offset : offset + size]

    start = 3
    data = bytearray(b"\xee" * (start + Sample.size + 2))
    part.pack_into(data, start, *values)
    assert data[: start + offset] == b"\xee" * (start + offset)
    assert data[start + offset : start + offset + size] == BYTES[offset : offset + size]
    assert data[start + offset + size :] == b"\xee" * (Sample.size + 2 - offset - size)


def test_part_of_an_unknown_field_raises_value_error() -> None:
    with pytest.raises(ValueError):
        Sample.part("other")


# Declaration


RESERVED = ("size", "struct", "fields", "unpack", "pack", "replace", "offset_of", "part")


@pytest.mark.parametrize("name", RESERVED)
def test_field_with_the_name_of_a_record_attribute_raises_type_error(name: str) -> None:
    body = {"__annotations__": {"first": int, name: int}, "first": field("B"), name: field("H")}
    with pytest.raises(TypeError, match=rf"Wrong\.{name}\b"):
        type("Wrong", (Record,), body)


def test_class_attributes_that_are_not_declared_as_fields_are_kept() -> None:
    class Marked(Record):
        magic = b"MARK"
        limit: int = 5
        value: int = field("B")

    assert (Marked.magic, Marked.limit, Marked.size) == (b"MARK", 5, 1)
    assert Marked(value=3) == (3,)
