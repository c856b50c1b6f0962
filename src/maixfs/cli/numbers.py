"""Numbers and geometries on the command line: hex or decimal, with or without a unit."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from maixfs.spiffs import Geometry

_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_NUMBER = re.compile(r"(0x[0-9a-f_]+|[0-9][0-9_]*)\s*(?:([kmg])(?:i?b)?|b)?", re.IGNORECASE)
_SHORT_NAMES = {"block": "block_size", "page": "page_size", "erase": "erase_size"}


class SizeType(click.ParamType):  # type: ignore[type-arg]
    """A size or an address: ``0x300000``, ``3145728``, ``3M``, ``64 KiB``."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return bytes."""
        number = parse_size(str(value))
        if number is None:
            self.fail(f"{value!r} is no size; write it like 0x300000, 3145728 or 3M", param, ctx)
        return number


class GeometryType(click.ParamType):  # type: ignore[type-arg]
    """``PRESET``, ``KEY=NUMBER,...`` or both; the numbers then change the preset."""

    name = "geometry"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Geometry:
        """Return the geometry; what is not said is as in the preset, MaixPy's unless named."""
        from maixfs.spiffs import PRESETS

        preset, changes = "maixpy", {}
        for word in str(value).split(","):
            key, is_pair, text = word.strip().partition("=")
            if is_pair:
                changes[_SHORT_NAMES.get(key, key)] = self._number(key, text, param, ctx)
            elif key in PRESETS:
                preset = key
            else:
                self.fail(f"{key!r} is none of {', '.join(PRESETS)}", param, ctx)
        return make_geometry(preset, changes)

    def _number(
        self, key: str, text: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        from maixfs.spiffs import Geometry

        known = [name for name, kind in Geometry.__annotations__.items() if kind in _SIMPLE]
        number = parse_size(text)
        if _SHORT_NAMES.get(key, key) not in known:
            self.fail(f"a geometry has no {key!r}; it has {', '.join(known)}", param, ctx)
        if number is None:
            self.fail(f"{text!r} is no number for {key}", param, ctx)
        return number


_SIMPLE = {"int", "bool"}
SIZE = SizeType()
GEOMETRY = GeometryType()


def parse_size(text: str) -> int | None:
    """Return the number that a text means, ``None`` where it means none."""
    found = _NUMBER.fullmatch(text.strip())
    if found is None:
        return None
    try:
        return int(found[1], 0) * _UNITS[(found[2] or "").lower()]
    except ValueError:  # 0123, or an underscore out of place
        return None


def make_geometry(preset: str, changes: dict[str, int]) -> Geometry:
    """Return a preset with some fields changed; raises ``GeometryError``."""
    from dataclasses import replace

    from maixfs.spiffs import PRESETS

    base = PRESETS[preset]
    kept = {
        name: bool(value) if isinstance(getattr(base, name), bool) else value
        for name, value in changes.items()
    }
    return replace(base, **kept)  # type: ignore[arg-type]


_NOTATION = "PRESET, KEY=NUMBER,... or both, as in maixpy,size=0x400000"


def geometry_option(
    about: str = "Take this geometry instead of what is found",
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the option ``--geometry``."""
    return click.option(
        "--geometry", type=GEOMETRY, metavar="GEOMETRY", help=f"{about}: {_NOTATION}."
    )
