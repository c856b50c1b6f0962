"""Targets of every kind, made for a test, and a look at what the host has of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from maixfs.board.folder import create_folder
from maixfs.doctor import examine_target
from maixfs.finding import Finding, Severity
from maixfs.firmware import wrap
from maixfs.image.boardconfig import BoardConfig
from maixfs.spiffs import PRESETS, Geometry
from maixfs.spiffs.pack import pack

FILES = {
    b"/main.py": b"print('hello')\n",
    b"/lib/a.py": b"A = 1\n" * 3000,
    b"/lib/deep/b.bin": bytes(range(256)) * 40,
    b"/empty": b"",
}
MAIXPY = PRESETS["maixpy"]
FIRMWARE = wrap(b"\x5a" * 16)
SMALL = replace(MAIXPY, size=0x80000, block_size=0x10000, base=0x40000)
"""The MaixPy format with blocks of 64 KiB, so that an area is full soon."""


class Place(NamedTuple):
    """A target on the host; ``prefix`` stands before its paths."""

    host: Path
    geometry: Geometry
    prefix: str

    def path(self, name: str) -> str:
        return f"{self.prefix}/{name}"


def flash_of(geometry: Geometry, size: int, files: Mapping[bytes, bytes]) -> bytes:
    """Return a flash: firmware, bytes behind it, the area, blank."""
    area = pack(files, geometry)
    front = FIRMWARE.ljust(min(geometry.base, 0x3000), b"\x5a")
    return (front.ljust(geometry.base, b"\xff") + area).ljust(size, b"\xff")


def make_image(
    folder: Path, geometry: Geometry, size: int, files: Mapping[bytes, bytes] = FILES
) -> Place:
    host = folder / "flash.img"
    host.write_bytes(flash_of(geometry, size, files))
    return Place(host, geometry, "/flash")


def make_bare(folder: Path, geometry: Geometry, files: Mapping[bytes, bytes] = FILES) -> Place:
    geometry = replace(geometry, base=0)
    host = folder / "spiffs.img"
    host.write_bytes(pack(files, geometry))
    return Place(host, geometry, "")


def make_board(
    folder: Path, geometry: Geometry, size: int, files: Mapping[bytes, bytes] = FILES
) -> Place:
    host = folder / "board"
    config = BoardConfig(flash_size=size, geometry=geometry)
    create_folder(host, config, flash_of(geometry, size, files))
    return Place(host, geometry, "/flash")


KINDS: dict[str, Callable[[Path], Place]] = {
    "board": lambda folder: make_board(folder, SMALL, 0x100000),
    "flash": lambda folder: make_image(folder, SMALL, 0x100000),
    "bare-maixpy": lambda folder: make_bare(folder, SMALL),
    "bare-esp-idf": lambda folder: make_bare(folder, PRESETS["esp-idf"].with_size(0x40000)),
    "bare-esp8266": lambda folder: make_bare(folder, PRESETS["esp8266"].with_size(0x40000)),
}


def snapshot(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Return mode, time of change and bytes of everything in a folder, itself included."""
    found = {}
    for path in [folder, *sorted(folder.rglob("*"))]:
        status = path.stat()
        content = path.read_bytes() if path.is_file() else b""
        found[str(path)] = (status.st_mode, status.st_mtime_ns, content)
    return found


def litter(folder: Path) -> list[str]:
    """Return drafts that were left behind."""
    return [
        name for _, _, names in os.walk(folder) for name in names if name.startswith(".maixfs")
    ]


USUAL = frozenset({"folders", "foreign", "no-main"})
"""Notes about images of these tests, which are not MaixPy's in every respect."""


def findings_of(host: Path) -> list[Finding]:
    """Return what an examination finds, but for the usual notes."""
    return [each for each in examine_target(host).findings if each.key not in USUAL]


def has_errors(host: Path) -> bool:
    """Return True if an examination finds errors; warnings about room do not count."""
    return any(each.severity is Severity.ERROR for each in findings_of(host))
