"""Areas to test on: every geometry behind the ideal driver, some behind the other two."""

from __future__ import annotations

from dataclasses import replace

import pytest

from maixfs.spiffs import Spiffs
from spiffs.areas import Area
from spiffs.geometries import GEOMETRIES

AREAS = [(name, "ideal") for name in GEOMETRIES]
AREAS += [(name, nor) for name in ("maixpy-512k", "8k-blocks") for nor in ("literal", "maixpy")]
AREAS += [("maixpy", "maixpy"), ("smallest", "literal")]


@pytest.fixture(params=AREAS, ids=lambda pair: f"{pair[0]}-{pair[1]}")
def area(request: pytest.FixtureRequest) -> Area:
    """An empty area of each kind."""
    name, nor = request.param
    geometry = GEOMETRIES[name]
    if geometry.base:  # as far up as it has to be, so that the chip is quickly made
        geometry = replace(geometry, base=0x40000)
    return Area(geometry, nor)


@pytest.fixture
def fs(area: Area) -> Spiffs:
    """The area, mounted."""
    return area.mount()
