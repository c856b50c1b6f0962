"""A flash as boards have it: firmware, models of each version, a SPIFFS with a life behind it."""

from __future__ import annotations

import struct
from collections.abc import Mapping

from kmodel.make_models import make_v1, make_v3, make_v4, make_v5
from maixfs.firmware import FreqConf, wrap
from maixfs.spiffs import PRESETS, Geometry
from maixfs.spiffs.pack import pack

SIZE = 0x1000000
FLASH = 0xD00000
MAIXPY = PRESETS["maixpy"]
MODELS = {0x300000: make_v3, 0x380000: make_v4, 0x400000: make_v5, 0x480000: make_v1}
FILES = {
    "/boot.py": b"import sys\n",
    "/main.py": b"print('hello')\n" * 400,
    "/freq.conf": FreqConf().pack(),
    "/lib/a.py": b"A = 1\n",
    "/empty.txt": b"",
}
LINE = (
    b"[MAIXPY] MicroPython v0.6.2-54-gf2a56a5-dirty on 2021-03-01; Sipeed_M1 with kendryte-k210\0"
)


def payload(size: int = 0x20000, *, words: bytes = b"") -> bytes:
    """Return what begins as a program for the K210 does; ``words`` lie somewhere in it."""
    head = b"\x21\xa8" + struct.pack("<II", 0xDEADBEEF, 0x00010001) + LINE + words
    return (head + bytes(range(1, 250)) * (size // 249 + 1))[:size]


def make_flash(
    files: Mapping[str, bytes] = FILES,
    *,
    firmware: bytes | None = None,
    models: Mapping[int, bytes] | None = None,
    geometry: Geometry = MAIXPY,
    size: int = SIZE,
) -> bytearray:
    """Return an image with a firmware, models by address, and a SPIFFS with these files."""
    image = bytearray(b"\xff" * size)

    def put(address: int, data: bytes) -> None:
        image[address : address + len(data)] = data

    put(0, wrap(payload()) if firmware is None else firmware)
    given = {at: make() for at, make in MODELS.items()} if models is None else models
    for address, data in given.items():
        put(address, data)
    if geometry.base < size:
        put(geometry.base, pack(list(files.items()), geometry))
    assert len(image) == size
    return image
