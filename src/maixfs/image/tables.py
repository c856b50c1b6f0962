"""The tables of ``board.toml``, read key by key: a wrong one is named in the error."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace
from typing import Any, TypeVar

from maixfs.image.boarderrors import BoardConfigError
from maixfs.spiffs.geometry import PRESETS, Geometry, GeometryError

GEOMETRY_KEYS = tuple(item.name for item in fields(Geometry) if item.compare)
"""The keys of ``[spiffs]`` besides ``preset``: what makes two geometries different."""

_T = TypeVar("_T")

_MOST_BITS = 63
"""Bits of the largest number, that of TOML. Python does not print numbers of any length."""

_LINE = 60
_KINDS: dict[type, str] = {
    int: "a whole number",
    str: "a text in quotes",
    bool: "true or false",
    dict: "a table",
}


class Table:
    """One table of the file: keys are taken by type, and none may be left over.

    Every method raises ``BoardConfigError``.
    """

    def __init__(self, name: str, values: dict[str, Any]) -> None:
        self._prefix = f"{name}." if name else ""
        self._values = dict(values)
        self._known: list[str] = []

    def take(self, key: str, kind: type[_T]) -> _T | None:
        """Return the value of ``key``, or ``None`` where it is not there."""
        self._known.append(key)
        value = self._values.pop(key, None)
        name = f"{self._prefix}{key}"
        if isinstance(value, int) and value.bit_length() > _MOST_BITS:
            raise BoardConfigError(f"{name} has more than {_MOST_BITS} bits")
        if value is None or type(value) is kind:
            return value
        raise BoardConfigError(f"{name} is {_shown(value)}", hint=f"{name} is {_KINDS[kind]}")

    def table(self, key: str) -> Table:
        """Return the table ``key``, empty where it is not there."""
        return Table(f"{self._prefix}{key}", self.take(key, dict) or {})

    def finish(self) -> None:
        """Raise ``BoardConfigError`` for a key that nobody took."""
        for key in self._values:
            raise BoardConfigError(
                f"{self._prefix}{key} is no key of a board", hint=one_of(self._known)
            )


def read_geometry(table: Table) -> Geometry | None:
    """Return the geometry that ``[spiffs]`` gives, ``None`` where it gives nothing."""
    name = table.take("preset", str)
    if name is not None and name not in PRESETS:
        raise BoardConfigError(f"spiffs.preset is {name!r}", hint=one_of(PRESETS))
    kinds = {item.name: bool if item.type == "bool" else int for item in fields(Geometry)}
    given = {key: table.take(key, kinds[key]) for key in GEOMETRY_KEYS}
    values: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    table.finish()
    if name is None and not values:
        return None
    try:
        return replace(PRESETS[name or "maixpy"], **values)
    except GeometryError as reason:
        raise BoardConfigError(f"spiffs: {reason}") from reason


def read_bytes(text: str | None) -> bytes | None:
    """Return the bytes of the key ``unique_id``, ``None`` where it is not there."""
    if text is None:
        return None
    try:
        return bytes.fromhex(text)
    except ValueError as reason:
        raise BoardConfigError(f"unique_id is {text!r}", hint="32 bytes in hex") from reason


def _shown(value: object) -> str:
    """Return a value for a message, cut to a line; a nested one may hold numbers of any length."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):
        return f"a {type(value).__name__}"
    return text if len(text) <= _LINE else f"{text[:_LINE]}..."


def one_of(names: Iterable[str]) -> str:
    """Return a hint that lists what can be said."""
    return f"one of {', '.join(names)}"
