"""A board with a FAT volume at /sd, with the quirks of its driver."""

from __future__ import annotations

from typing import Any

from maixfs.vfs import FatOptions, Vfs, VfsFat
from vfs.drivers import RamDevice, fat_sectors

NOON = (44 << 9 | 5 << 5 | 17, 12 << 11)
"""2024-05-17 12:00:00 as FAT stores it."""
NOON_SECONDS = 769262400
"""The same in seconds of MicroPython v1.11."""


class FatBoard:
    """A FAT volume at /sd, the current folder; its clock is stopped at noon."""

    def __init__(self, device: Any = None, **options: Any) -> None:
        self.device: Any = fat_sectors(12) if device is None else device
        self.quirks: list[tuple[str, str]] = []
        self.options = FatOptions(clock=lambda: NOON, on_quirk=self._note, **options)
        self.driver = VfsFat(self.device, options=self.options)
        self.vfs = Vfs(self.options.profile)
        self.vfs.mount(self.driver, "/sd")
        self.vfs.chdir("/sd")

    def _note(self, key: str, sentence: str) -> None:
        self.quirks.append((key, sentence))

    def quirk_keys(self) -> list[str]:
        return [key for key, _ in self.quirks]

    def write(self, name: str, data: str | bytes) -> None:
        with self.vfs.open(name, "wb" if isinstance(data, bytes) else "w") as file:
            file.write(data)

    def read(self, name: str) -> str:
        with self.vfs.open(name) as file:
            text: str = file.read()
        return text

    def again(self) -> FatBoard:
        """Return a new board with the same medium."""
        return FatBoard(self.device)


def ram_board(sectors: int = 256, **options: Any) -> FatBoard:
    """Return a board whose volume is on a program's own block device."""
    device = RamDevice(sectors)
    VfsFat.mkfs(device)
    return FatBoard(device, **options)
