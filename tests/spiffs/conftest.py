"""Areas to test on: every geometry behind the ideal driver, some behind the other two."""

from __future__ import annotations

import pytest

from maixfs.spiffs import Spiffs
from spiffs.areas import Area
from spiffs.geometries import GEOMETRIES

LITERAL = ["maixpy", "maixpy-512k", "esp-idf", "8k-blocks", "smallest"]
AREAS = [(name, "ideal") for name in GEOMETRIES]
AREAS += [(name, nor) for name in LITERAL for nor in ("literal", "maixpy")]


@pytest.fixture(params=AREAS, ids=lambda pair: f"{pair[0]}-{pair[1]}")
def area(request: pytest.FixtureRequest) -> Area:
    """An empty area of each kind."""
    name, nor = request.param
    return Area(GEOMETRIES[name], nor)


@pytest.fixture
def fs(area: Area) -> Spiffs:
    """The area, mounted."""
    return area.mount()
