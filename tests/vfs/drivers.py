"""Every driver that can be mounted, on every medium that it knows: one suite runs over them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from maixfs.nor import NorChip, make_driver
from maixfs.spiffs import PRESETS, Geometry
from maixfs.vfs import Area, Vfs, VfsError, VfsSpiffs

MEDIUM_SIZE = 1 << 20


class Volume:
    """A medium with an empty file system, and a board that has it mounted at ``/v``."""

    def __init__(self, make_driver: Callable[[], Any]) -> None:
        self._make_driver = make_driver
        self.power_on()

    def power_on(self) -> None:
        """Start anew from what is on the medium; what was only in RAM is gone."""
        self.driver = self._make_driver()
        self.vfs = Vfs()
        self.vfs.mount(self.driver, "/v")

    def write(self, path: str, data: str | bytes) -> None:
        with self.vfs.open(path, "wb" if isinstance(data, bytes) else "w") as file:
            assert file.write(data) == len(data if isinstance(data, bytes) else data.encode())

    def read(self, path: str) -> bytes:
        with self.vfs.open(path, "rb") as file:
            data: bytes = file.read()
        return data


def spiffs_area(geometry: Geometry, nor: str = "ideal") -> Area:
    """Return an empty SPIFFS on a chip in RAM."""
    chip = NorChip.in_memory(geometry.base + geometry.size)
    area = Area(make_driver(nor, chip), geometry)
    area.format()
    return area


def spiffs_volume(preset: str, nor: str) -> Volume:
    """Return a board with SPIFFS of a usual shape, on a flash driver called ``nor``."""
    geometry = PRESETS[preset]
    if preset != "maixpy":
        geometry = geometry.with_size(MEDIUM_SIZE)
    area = spiffs_area(geometry, nor)
    return Volume(lambda: VfsSpiffs(area))


VOLUMES: dict[str, Callable[[], Volume]] = {
    "spiffs-maixpy": lambda: spiffs_volume("maixpy", "ideal"),
    "spiffs-maixpy-literal": lambda: spiffs_volume("maixpy", "literal"),
    "spiffs-esp-idf": lambda: spiffs_volume("esp-idf", "ideal"),
    "spiffs-esp8266": lambda: spiffs_volume("esp8266", "ideal"),
}


def errno_of(call: Callable[..., Any], *arguments: Any) -> int:
    """Return the number of the error that a call must raise."""
    with pytest.raises(VfsError) as caught:
        call(*arguments)
    return caught.value.errno
