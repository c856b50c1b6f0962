"""What the verbs on whole flashes are timed on: 16 MiB with firmware, five models, full SPIFFS."""

from __future__ import annotations

import random
import struct
from pathlib import Path
from typing import NamedTuple

from maixfs.firmware import wrap
from maixfs.kmodel import find_models
from maixfs.nor import NorChip, make_driver
from works import Work, full_area

SIZE = 0x1000000
MODELS = range(0x300000, 0xA80000, 0x180000)
"""Where the five models begin."""
MODEL_SIZE = 0x140000
RAW = 8 << 20
"""Bytes that are read raw at once."""


class FlashProcess(NamedTuple):
    """One line of the table: a whole process, what it may take, ms of CPU time and MiB."""

    title: str
    arguments: list[str]
    limit: int
    most_mib: int | None = None
    code: int = 0
    """The exit code that is right: 1 where two images differ, and where ``info`` has a warning,
    as for a file system that is full."""


def make_program(size: int = 0xF0000) -> bytes:
    """Return what begins as a program for the K210 does, and names itself."""
    name = (
        b"[MAIXPY]\0MicroPython v0.6.3-2-gd8901fd22 on 2023-11-10; Sipeed_M1 with kendryte-k210\0"
    )
    head = b"\x21\xa8\xef\xbe\xad\xde\x01\x00" + bytes(24)
    return head + random.Random(4).randbytes(size // 2) + name + bytes(size // 2 - len(name))


def make_model(size: int = MODEL_SIZE, seed: int = 1) -> bytes:
    """Return a model of version 3: one layer and its weights."""
    head = struct.pack("<7I", 3, 1, 0, 1, 0, 0x4000, 1) + struct.pack("<2I", 0, 40)
    layer = struct.pack("<2I", 12, size - len(head) - 8)
    weights = random.Random(seed).randbytes(size - len(head) - 8)
    return head + layer + weights


def make_flash() -> bytearray:
    """Return the image that is looked at."""
    image = bytearray(b"\xff") * SIZE
    firmware, area = wrap(make_program()), full_area()
    image[: len(firmware)] = firmware
    for place in MODELS:
        image[place : place + MODEL_SIZE] = make_model(seed=place)
    image[0xD00000:] = area
    return image


def flash_works() -> list[Work]:
    """Return what is timed within this process."""
    image = bytes(make_flash())
    driver = make_driver("ideal", NorChip.in_memory(SIZE, content=image))
    return [
        Work("find_models", "models at every 4 KiB of 16 MiB", 30, lambda: image, find_models),
        Work("read_raw", "raw read of 8 MiB", 8, lambda: driver, lambda one: one.read(0, RAW)),
    ]


def write_flashes(folder: Path) -> list[FlashProcess]:
    """Write what the verbs work on; return those that are timed as whole processes."""
    image = make_flash()
    dump, other = folder / "dump.bin", folder / "other.bin"
    dump.write_bytes(image)
    image[0x300000:0x380000] = random.Random(5).randbytes(0x80000)
    other.write_bytes(image)
    (folder / "fw.bin").write_bytes(make_program())
    (folder / "area.bin").write_bytes(image[0xD00000:])
    parts = ["--firmware", str(folder / "fw.bin"), "--spiffs", str(folder / "area.bin")]
    for place in MODELS:
        model = folder / f"{place:x}.kmodel"
        model.write_bytes(make_model(seed=place))
        parts += ["--model", f"{model}@{place:#x}"]
    new, svg = str(folder / "new.bin"), str(folder / "map.svg")
    return [
        FlashProcess("maixfs info of 16 MiB, all in it", ["info", str(dump)], 300, 80, code=1),
        FlashProcess("maixfs map --svg", ["map", str(dump), "--svg", svg, "--force"], 500),
        FlashProcess("maixfs diff of two 16 MiB", ["diff", str(dump), str(other)], 500, code=1),
        FlashProcess("maixfs build of 16 MiB", ["build", "-o", new, *parts, "--force"], 500),
    ]
