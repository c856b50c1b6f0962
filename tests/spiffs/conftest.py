"""Areas for tests: every geometry with the ideal driver, some with the other two."""

from __future__ import annotations

from dataclasses import replace

import pytest

from maixfs.spiffs import SpiffsCore
from spiffs.areas import Area
from spiffs.geometries import GEOMETRIES

AREAS = [(name, "ideal") for name in GEOMETRIES]
AREAS += [(name, nor) for name in ("maixpy-512k", "8k-blocks") for nor in ("literal", "maixpy")]
AREAS += [("maixpy", "maixpy"), ("smallest", "literal")]


def make_area(name: str, nor: str) -> Area:
    geometry = GEOMETRIES[name]
    if geometry.base:  # as far up as it has to be, so that the chip is quickly made
        geometry = replace(geometry, base=0x40000)
    return Area(geometry, nor)


def area_id(pair: tuple[str, str]) -> str:
    return "-".join(pair)


@pytest.fixture(params=AREAS, ids=area_id)
def area(request: pytest.FixtureRequest) -> Area:
    """An empty area of each kind."""
    return make_area(*request.param)


@pytest.fixture(params=[pair for pair in AREAS if GEOMETRIES[pair[0]].use_magic], ids=area_id)
def signed_area(request: pytest.FixtureRequest) -> Area:
    """An empty area of each kind that has a magic in every block."""
    return make_area(*request.param)


@pytest.fixture
def fs(area: Area) -> SpiffsCore:
    """The area, mounted."""
    return area.mount()
