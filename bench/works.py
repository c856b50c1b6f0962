"""What the driver is timed on: a MaixPy area in RAM, as the C reference is timed."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from maixfs.nor import NorChip, make_driver
from maixfs.spiffs import PRESETS, Geometry, OpenFlag, Spiffs, SpiffsCore
from maixfs.spiffs.pack import pack

AREA = replace(PRESETS["maixpy"], base=0)
WIDE = AREA.with_size(0x600000)
"""Room for 500 files, which take two pages each."""
NEW = OpenFlag.CREAT | OpenFlag.TRUNC | OpenFlag.RDWR
BIG = random.Random(1).randbytes(2 << 20)
SMALL = BIG[:4096]


@dataclass(frozen=True)
class Work:
    """One line of the table: ``run`` is timed on what ``prepare`` returns."""

    key: str
    """Name under which a reference program prints its milliseconds."""
    title: str
    limit: float
    """What it may take, milliseconds, on the machine that the limits were set for."""
    prepare: Callable[[], Any]
    run: Callable[[Any], object]


def fresh(geometry: Geometry = AREA) -> SpiffsCore:
    """Return an empty file system in RAM."""
    device = make_driver("ideal", NorChip.in_memory(geometry.size))
    SpiffsCore.format(device, geometry)
    return SpiffsCore(device, geometry, faithful=True)


def write_pieces(fs: SpiffsCore, name: str, data: bytes, step: int = 4096) -> None:
    """Write a new file in pieces, each one call to the driver."""
    with fs.open_descriptor(name, NEW) as file:
        for at in range(0, len(data), step):
            file.write(data[at : at + step])


def filled(pieces: int, size: int, geometry: Geometry = AREA) -> SpiffsCore:
    """Return a file system with so many files of ``size`` bytes."""
    fs = fresh(geometry)
    for number in range(pieces):
        write_pieces(fs, f"/file{number:03d}", BIG[:size], size)
    return fs


def full_area() -> bytes:
    """Return the bytes of an area filled with files of 64 KiB."""
    device = make_driver("ideal", NorChip.in_memory(AREA.size))
    SpiffsCore.format(device, AREA)
    with SpiffsCore(device, AREA, faithful=True) as fs:
        for number in range(37):
            write_pieces(fs, f"/file{number:03d}", BIG[:65536], 65536)
    return device.read(0, AREA.size)


def one_file(size: int) -> SpiffsCore:
    """Return a file system with one file ``/big``."""
    fs = fresh()
    write_pieces(fs, "/big", BIG[:size])
    return fs


def as_filesystem(core: SpiffsCore) -> Spiffs:
    """Mount the flash of a native core for Python's streams."""
    return Spiffs(core.device, core.geometry, read_only=True, faithful=True)


def read_pieces(fs: Spiffs) -> None:
    """Read ``/big`` in pieces of 4 KiB."""
    with fs.open("/big", "rb") as file:
        while file.read(4096):
            pass


def read_whole(fs: Spiffs) -> None:
    """Read ``/big`` in one call."""
    with fs.open("/big", "rb") as file:
        file.read()


def create_files(fs: SpiffsCore, count: int = 100, data: bytes = SMALL) -> None:
    """Create files, of 4 KiB unless told otherwise."""
    for number in range(count):
        with fs.open_descriptor(f"/file{number:03d}", NEW) as file:
            file.write(data)


def stat_files(fs: SpiffsCore, count: int = 100) -> None:
    """Look every file up by name."""
    for number in range(count):
        fs.stat(f"/file{number:03d}")


def read_files(fs: Spiffs, count: int = 100) -> None:
    """Open, read and close every file."""
    for number in range(count):
        with fs.open(f"/file{number:03d}", "rb") as file:
            file.read()


def overwrite(fs: SpiffsCore) -> None:
    """Write 256 bytes at 2,000 random places of a file of 1 MiB."""
    places = random.Random(2)
    with fs.open_descriptor("/big", OpenFlag.RDWR) as file:
        for _ in range(2000):
            file.seek(places.randrange((1 << 20) - 256))
            file.write(SMALL[:256])


def pack_files(count: int, total: int, name: str = "/file{:03d}.bin") -> list[tuple[str, bytes]]:
    """Return files of uneven size that hold ``total`` bytes together."""
    cuts = sorted(random.Random(3).sample(range(1, total), count - 1))
    edges = [0, *cuts, total]
    return [
        (name.format(number), BIG[edges[number] : edges[number + 1]]) for number in range(count)
    ]


def works() -> list[Work]:
    """Return the lines of the table, in order."""
    area = make_driver("ideal", NorChip.in_memory(AREA.size, content=full_area()))
    hundred = filled(100, 4096)
    big, hundred_streams = as_filesystem(one_file(2 << 20)), as_filesystem(hundred)
    sixty = pack_files(60, int(1.94 * (1 << 20)))
    return [
        Work(
            "mount_full",
            "mount of a full area",
            0.3,
            lambda: area,
            lambda a: SpiffsCore(a, AREA, faithful=True),
        ),
        Work("read_2mib_4k", "read 2 MiB in 4 KiB reads", 1.5, lambda: big, read_pieces),
        Work("read_2mib_once", "read() of the whole 2 MiB", 0.6, lambda: big, read_whole),
        Work(
            "write_2mib_4k",
            "write 2 MiB in 4 KiB writes (36 block erases)",
            40,
            fresh,
            lambda fs: write_pieces(fs, "/big", BIG),
        ),
        Work("create_100_4k", "create 100 files of 4 KiB", 10, fresh, create_files),
        Work("list_100", "list 100", 0.15, lambda: hundred, lambda fs: list(fs.scandir())),
        Work("stat_100", "stat 100", 0.3, lambda: hundred, stat_files),
        Work(
            "open_read_100_4k",
            "open and read 100 files of 4 KiB",
            1.5,
            lambda: hundred_streams,
            read_files,
        ),
        Work(
            "overwrite_2000x256",
            "2,000 random overwrites of 256 B in 1 MiB",
            150,
            lambda: one_file(1 << 20),
            overwrite,
        ),
        Work("pack_60", "the packing of 60 files / 1.94 MiB", 10, lambda: sixty, pack_area),
    ]


def pack_area(files: list[tuple[str, bytes]]) -> object:
    """Pack files into a MaixPy area."""
    return pack(files, AREA)
