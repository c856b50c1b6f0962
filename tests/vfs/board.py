"""A board with MaixPy's SPIFFS at /flash, with the quirks and messages of its driver."""

from __future__ import annotations

import pytest

from maixfs.spiffs import PRESETS, OpenFlag
from maixfs.vfs import Area, Vfs, VfsError, VfsSpiffs
from vfs.drivers import spiffs_area

GEOMETRY = PRESETS["maixpy"]


class Board:
    """A SPIFFS at /flash; ``quirks`` and ``messages`` are those of its driver."""

    def __init__(self, area: Area | None = None) -> None:
        self.area = area or spiffs_area(GEOMETRY)
        self.quirks: list[tuple[str, str]] = []
        self.messages: list[str] = []
        self.driver = VfsSpiffs(
            self.area.mount(),
            lambda key, sentence: self.quirks.append((key, sentence)),
            on_message=self.messages.append,
        )
        self.vfs = Vfs()
        self.vfs.attach(self.driver, "/flash")
        self.vfs.chdir("/flash")

    def write(self, name: str, text: str) -> None:
        with self.vfs.open(name, "w") as file:
            file.write(text)

    def read(self, name: str) -> str:
        with self.vfs.open(name) as file:
            text: str = file.read()
        return text

    def store(self, name: bytes) -> None:
        """Create a file with exactly this name on flash."""
        self.driver.fs.open_descriptor(name, OpenFlag.CREAT).close()

    def fill(self) -> None:
        """Fill the volume."""
        with self.vfs.open("filler", "wb") as file:
            for size in (64 * 1024, 4096, 2048, 1):
                with pytest.raises(VfsError):
                    for _ in range(1000):
                        file.write(bytes(size))
                        file.flush()

    def quirk_keys(self) -> list[str]:
        return [key for key, _ in self.quirks]
