"""``NamedTuple`` as in ``typing``, for classes that a command declares while it starts.

``typing`` compiles every annotation and the constructor when the class is made: 0.2 ms for five
fields. Here annotations stay strings, and the constructor is compiled when the first instance is
made, which most processes do for a few classes only. Instances, their methods and what type
checkers see are the same.
"""

from __future__ import annotations

__all__ = ["NamedTuple"]

TYPE_CHECKING = False  # as the type checker knows it; typing itself takes time to import
if TYPE_CHECKING:
    from typing import NamedTuple
else:
    from _collections import _tuplegetter

    class _Base(tuple):
        """Methods of all named tuples, and the constructor until it is compiled."""

        __slots__ = ()

        def __new__(cls, /, *values, **named):
            owner = next(base for base in cls.__mro__ if "_fields" in vars(base))
            names = ", ".join(owner._fields)
            # A field may be called anything but with an underscore at its start.
            source = (
                f"lambda _cls, {names}: _new(_cls, ({names},))"
                if names
                else "lambda _cls: _new(_cls)"
            )
            made = eval(source, {"__builtins__": {}, "_new": tuple.__new__})
            made.__defaults__ = tuple(owner._field_defaults.values())
            made.__name__ = "__new__"
            owner.__new__ = staticmethod(made)
            return made(cls, *values, **named)

        @classmethod
        def _make(cls, values):
            """Make an instance from an iterable of all fields."""
            made = tuple.__new__(cls, values)
            if len(made) != len(cls._fields):
                raise TypeError(f"{cls.__name__} has {len(cls._fields)} fields, not {len(made)}")
            return made

        def _replace(self, /, **values):
            """Return the tuple with other values in some fields."""
            made = self._make(map(values.pop, self._fields, self))
            if values:
                raise ValueError(f"Got unexpected field names: {list(values)!r}")
            return made

        def _asdict(self):
            """Return the fields by name."""
            return dict(zip(self._fields, self, strict=True))

        def __repr__(self):
            pairs = zip(self._fields, self, strict=True)
            return (
                f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in pairs)})"
            )

        def __getnewargs__(self):
            return tuple(self)

    class _Declaration(type):
        """Turns the body of a class into a named tuple."""

        def __new__(cls, name, bases, body):
            fields = tuple(body.get("__annotations__", ()))
            defaults = {field: body[field] for field in fields if field in body}
            if any(field.startswith("_") for field in fields):
                raise TypeError(f"{name}: the name of a field starts with an underscore")
            if tuple(defaults) != fields[len(fields) - len(defaults) :]:
                raise TypeError(
                    f"{name}: a field without a default follows one that has a default"
                )
            for index, field in enumerate(fields):
                body[field] = _tuplegetter(index, f"Alias for field number {index}")
            body |= {
                "_fields": fields, "_field_defaults": defaults,
                "__match_args__": fields, "__slots__": (),
            }  # fmt: skip
            return type(name, (_Base,), body)

    NamedTuple = type.__new__(_Declaration, "NamedTuple", (), {})
