"""What is meant to lie where in a chip: presets of firmwares, and layouts of the user's own.

The presets are files in ``layouts/`` (docs/SPEC.md, section 24.1); a layout of the user's own is
a file of the same form.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

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
    names = sorted(file.stem for file in _folder().glob("*.toml"))
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
    from maixfs.image.layoutfile import make_layout

    return make_layout(table, file.stem, source=str(file))
