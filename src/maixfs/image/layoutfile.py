"""From a TOML table to a layout: every value is checked, and each error names its key."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, NoReturn

from maixfs.image.layout import KINDS, SECTOR, Layout, LayoutError, Region

MOST_REGIONS = 256
LARGEST_CHIP = 1 << 30
"""Bytes; the largest SPI NOR chips have 256 MiB."""
_REGION_KEYS = ("name", "kind", "start", "size", "owner", "alignment", "limit", "geometry")
_LAYOUT_KEYS = ("title", "size", "region")


class _Table:
    """A table of a file, and how its keys are called in errors."""

    def __init__(self, values: Any, where: str, known: tuple[str, ...]) -> None:
        self.where = where
        if not isinstance(values, Mapping):
            self.fail("", "is no table")
        self._values = values
        for key in values:
            if key not in known:
                self.fail(str(key), "is no key of a layout", hint=f"there are {', '.join(known)}")

    def fail(self, key: str, what: str, *, hint: str | None = None) -> NoReturn:
        """Raise the error about ``key``."""
        separator = "." if key and not self.where.endswith(": ") else ""
        raise LayoutError(f"{self.where}{separator}{key} {what}", hint=hint)

    def text(self, key: str, default: str | None = None) -> str:
        """Return a text that is not empty."""
        value = self._values.get(key, default)
        if not isinstance(value, str) or not value.strip() or not value.isprintable():
            self.fail(key, "is missing" if value is None else "is no line of text")
        return value

    def number(self, key: str, default: int | None = None, *, least: int = 0) -> int:
        """Return a number from ``least`` to the size of the largest chip."""
        value = self._values.get(key, default)
        if value is None:
            self.fail(key, "is missing")
        if isinstance(value, bool) or not isinstance(value, int):
            self.fail(key, f"= {value!r} is no whole number")
        if not least <= value <= LARGEST_CHIP:
            self.fail(key, f"= {value:#x} is not from {least:#x} to {LARGEST_CHIP:#x}")
        return value

    def sectors(self, key: str, *, least: int = 0) -> int:
        """Return a number of bytes in whole sectors."""
        value = self.number(key, least=least)
        if value % SECTOR:
            near = value // SECTOR * SECTOR
            hint = f"near are {near:#x} and {near + SECTOR:#x}"
            self.fail(key, f"= {value:#x} is no multiple of a sector ({SECTOR:#x})", hint=hint)
        return value

    def rows(self, key: str) -> list[Any]:
        """Return the tables of an array."""
        value = self._values.get(key)
        if not isinstance(value, list) or not value:
            self.fail(key, "is missing", hint=f"each region is a [[{key}]] table")
        if len(value) > MOST_REGIONS:
            self.fail(key, f"has {len(value)} tables, {MOST_REGIONS} is the most")
        return value

    def choice(self, key: str, names: tuple[str, ...]) -> str:
        """Return one of ``names``."""
        value = self.text(key)
        if value not in names:
            self.fail(key, f"= {value!r} is not known", hint=f"there are {', '.join(names)}")
        return value

    def __contains__(self, key: str) -> bool:
        return key in self._values


def make_layout(table: Mapping[str, Any], name: str, *, source: str = "layout") -> Layout:
    """Return the layout that a table describes.

    Raises ``LayoutError`` for keys that are missing, unknown or out of their range, regions that
    overlap, share a name or leave the chip, and starts off their alignment.
    """
    top = _Table(table, f"{source}: ", _LAYOUT_KEYS)
    size = top.sectors("size", least=SECTOR)
    rows = top.rows("region")
    regions = [_region(row, f"{source}: region[{nr}]", size) for nr, row in enumerate(rows)]
    regions.sort(key=lambda region: region.start)
    for first, second in pairwise(regions):
        if second.start < first.end:
            raise LayoutError(f"{source}: {first} and {second} overlap")
    names = [region.name for region in regions]
    for twin in names:
        if names.count(twin) > 1:
            raise LayoutError(f"{source}: two regions are called {twin!r}")
    return Layout(name, top.text("title", name), size, tuple(regions))


def _region(row: Any, where: str, chip: int) -> Region:
    table = _Table(row, where, _REGION_KEYS)
    size = table.sectors("size", least=SECTOR)
    region = Region(
        name=table.text("name"),
        kind=table.choice("kind", KINDS),
        start=table.sectors("start"),
        size=size,
        owner=table.text("owner", table.text("name")),
        alignment=table.number("alignment", SECTOR, least=1),
        limit=table.number("limit", size, least=1),
        geometry=_geometry(table, size),
    )
    if region.end > chip:
        table.fail("size", f"= {size:#x}: {region} ends behind the chip ({chip:#x})")
    if region.start % region.alignment:
        table.fail("start", f"= {region.start:#x} is no multiple of {region.alignment:#x}")
    if region.limit > size:
        table.fail("limit", f"= {region.limit:#x} is more than the region has ({size:#x})")
    return region


def _geometry(table: _Table, size: int) -> str | None:
    """Return the preset of a region's SPIFFS, once it is clear that the size suits it."""
    if "geometry" not in table:
        return None
    from maixfs.spiffs import PRESETS, GeometryError

    name = table.choice("geometry", tuple(PRESETS))
    try:
        PRESETS[name].with_size(size)
    except GeometryError as error:
        table.fail("size", f"= {size:#x} does not suit {name}: {error}")
    return name
