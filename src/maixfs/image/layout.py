"""What is meant to lie where in a chip: presets of firmwares, and layouts of the user's own.

The presets are files in ``layouts/`` (docs/SPEC.md, section 24.1); a layout of the user's own is
a file of the same form.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from maixfs.errors import DeviceError, UsageError
from maixfs.host.files import read_file
from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from maixfs.spiffs import Geometry

MOST_LAYOUT = 1 << 20
"""Bytes of a layout's file."""
SECTOR = 0x1000
"""Smallest erase unit in bytes: whoever shares one with a neighbour erases the neighbour too."""
KINDS = (
    "firmware",
    "kboot stage",
    "boot config",
    "models",
    "spiffs",
    "littlefs",
    "data",
    "reserved",
)
"""What a region may be for."""
MOST_REGIONS = 256
LARGEST_CHIP = 1 << 30
"""Bytes; the largest SPI NOR chips have 256 MiB."""
_REGION_KEYS = ("name", "kind", "start", "size", "owner", "alignment", "limit", "geometry")
_LAYOUT_KEYS = ("title", "size", "region")


class LayoutError(UsageError):
    """A layout contradicts itself or its chip, or cannot be read."""


class Region(NamedTuple):
    """A range of the chip and who owns it; sizes and addresses in bytes.

    ``limit`` is the most that what lies here may need (a firmware with its header and hash, say),
    ``alignment`` that of what is written into it, ``geometry`` the preset of a SPIFFS.
    """

    name: str
    kind: str
    start: int
    size: int
    owner: str
    alignment: int = SECTOR
    limit: int = 0
    geometry: str | None = None

    @property
    def end(self) -> int:
        """Address behind the last byte."""
        return self.start + self.size

    def spiffs_geometry(self) -> Geometry | None:
        """Return the shape of the SPIFFS that belongs here; ``None`` for other regions."""
        from dataclasses import replace

        from maixfs.spiffs import PRESETS

        if self.geometry is None:
            return None
        return replace(PRESETS[self.geometry], base=self.start, size=self.size)

    def __str__(self) -> str:
        return f"{self.name} ({self.start:#x}-{self.end:#x})"


class Layout(NamedTuple):
    """The regions of a chip of ``size`` bytes, by address; they do not overlap."""

    name: str
    title: str
    size: int
    regions: tuple[Region, ...]

    def region(self, name: str) -> Region:
        """Return the region of that name; raises ``LayoutError``."""
        for region in self.regions:
            if region.name == name:
                return region
        known = ", ".join(region.name for region in self.regions)
        raise LayoutError(f"{self.name} has no region {name!r}", hint=f"there are {known}")

    def region_at(self, address: int) -> Region | None:
        """Return the region that an address lies in, ``None`` between regions."""
        return next((one for one in self.regions if one.start <= address < one.end), None)

    def owner_of(self, start: int, size: int) -> tuple[Region, ...]:
        """Return the regions that ``size`` bytes from ``start`` touch, by address."""
        end = start + size
        return tuple(one for one in self.regions if one.start < end and start < one.end)

    def of_kind(self, kind: str) -> tuple[Region, ...]:
        """Return the regions of a kind, by address."""
        return tuple(one for one in self.regions if one.kind == kind)


@cache
def find_layout(name: str) -> Layout:
    """Return the preset of that name; raises ``LayoutError`` with the names that there are."""
    if name not in preset_names():
        known = ", ".join(preset_names())
        raise LayoutError(f"no layout called {name!r}", hint=f"there are {known}, or a TOML file")
    return load_layout(_folder() / f"{name}.toml")


@cache
def preset_names() -> tuple[str, ...]:
    """Return the names of the presets, MaixPy's first."""
    names = sorted(file.stem for file in _folder().iterdir() if file.suffix == ".toml")
    return tuple(sorted(names, key=lambda name: not name.startswith("maixpy")))


def _folder() -> Path:
    return Path(__file__).with_name("layouts")


class _Presets(Mapping[str, Layout]):
    """The presets by name, each read when it is asked for."""

    def __getitem__(self, name: str) -> Layout:
        if name not in preset_names():
            raise KeyError(name)
        return find_layout(name)

    def __iter__(self) -> Iterator[str]:
        return iter(preset_names())

    def __len__(self) -> int:
        return len(preset_names())


LAYOUTS: Mapping[str, Layout] = _Presets()
"""The presets by name."""


def load_layout(path: str | Path) -> Layout:
    """Read a layout from a TOML file.

    Raises ``LayoutError`` for a file that cannot be read or is no TOML, and as ``make_layout``.
    """
    import tomllib

    file = Path(path)
    try:
        table = tomllib.loads(read_file(file, MOST_LAYOUT).decode("utf-8"))
    except DeviceError as error:
        raise LayoutError(str(error), hint=error.hint) from error
    except (ValueError, RecursionError) as error:  # TOML errors and UTF-8 errors are ValueErrors
        raise LayoutError(f"{file}: no TOML: {error}") from error
    return make_layout(table, file.stem, source=str(file))


# From a TOML table to a layout: every value is checked, and each error names its key.


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
        # To Python ``true`` is a number.
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
    # Regions must not overlap: every address has one owner, which conflicts are reported with.
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
        # Tried here, so that a wrong size is reported with its key and not when the area is
        # opened.
        PRESETS[name].with_size(size)
    except GeometryError as error:
        table.fail("size", f"= {size:#x} does not suit {name}: {error}")
    return name
