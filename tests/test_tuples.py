"""Named tuples whose annotations are not compiled behave as those of ``typing``."""

from __future__ import annotations

import copy
import pickle

import pytest

from maixfs.tuples import NamedTuple


class Point(NamedTuple):
    """A point."""

    x: int
    y: int = 2
    label: NotImported = ""  # type: ignore[name-defined, assignment]  # noqa: F821

    @property
    def total(self) -> int:
        return self.x + self.y


class Pixel(Point):
    """A class derived from a named tuple."""

    __slots__ = ()


def test_instances_take_values_by_position_and_name():
    assert Point(1) == (1, 2, "")
    assert Point(y=5, x=3, label="a") == (3, 5, "a")
    assert Point(1, 4).total == 5


@pytest.mark.parametrize(
    "values", [((), {}), ((1, 2, "", 4), {}), ((1,), {"x": 2}), ((1,), {"z": 2})]
)
def test_wrong_arguments_raise_type_error(values):
    positional, named = values
    with pytest.raises(TypeError):
        Point(*positional, **named)


def test_first_instance_of_a_derived_class_has_its_type():
    class Base(NamedTuple):
        x: int

    class Derived(Base):
        pass

    assert type(Derived(1)) is Derived
    assert type(Base(1)) is Base
    assert type(Pixel(1)._replace(x=2)) is Pixel


def test_replace_refuses_unknown_fields():
    assert Point(1)._replace(y=7) == (1, 7, "")
    with pytest.raises(ValueError, match="z"):
        Point(1)._replace(z=7)


def test_make_refuses_a_wrong_number_of_values():
    assert Point._make([1, 2, "c"]) == Point(1, 2, "c")
    with pytest.raises(TypeError):
        Point._make([1])


def test_fields_defaults_and_dict_are_those_of_typing():
    assert Point._fields == ("x", "y", "label")
    assert Point._field_defaults == {"y": 2, "label": ""}
    assert Point(1)._asdict() == {"x": 1, "y": 2, "label": ""}
    assert repr(Point(1)) == "Point(x=1, y=2, label='')"
    assert not hasattr(Point(1), "__dict__")


def test_instances_survive_pickle_and_copy():
    assert pickle.loads(pickle.dumps(Point(1))) == Point(1)
    assert type(copy.copy(Point(1))) is Point


def test_instances_match_by_position():
    match Point(1, 5):
        case Point(x, y):
            assert (x, y) == (1, 5)


def test_field_without_default_after_one_with_default_is_refused():
    body = {"__annotations__": {"x": "int", "y": "int"}, "x": 1}
    with pytest.raises(TypeError, match="default"):
        type(NamedTuple)("Wrong", (NamedTuple,), body)


def test_field_name_with_an_underscore_at_its_start_is_refused():
    with pytest.raises(TypeError, match="underscore"):
        type(NamedTuple)("Wrong", (NamedTuple,), {"__annotations__": {"_x": "int"}})


def test_fields_may_have_the_names_of_the_constructor():
    class Names(NamedTuple):
        cls: int
        new: int
        tuple: int = 3

    assert Names(1, new=2) == (1, 2, 3)
