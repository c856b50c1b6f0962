"""The same works by a FAT library for Python: ``python3 bench/python_peer.py pyfatfs CARD``.

Run it with the Python of an environment that has the library (pyfatfs or fatfs-ng), on an image
of 1 GiB with one FAT volume that fills it. It prints lines of ``name milliseconds``.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from typing import Any

PIECE = random.Random(1).randbytes(1 << 16)
MANY = "/many/A picture number {:05d}.jpg"


def pyfatfs_volume(card: str) -> Any:
    """Open a volume with pyfatfs."""
    from pyfatfs.PyFatFS import PyFatFS

    return PyFatFS(card)


def fatfs_volume(card: str) -> Any:
    """Open a volume with fatfs-ng; its files are used like pyfatfs's."""
    import os

    import fatfs

    class ImageDisk:
        def __init__(self) -> None:
            self.file = os.open(card, os.O_RDWR)

        def ioctl_get_sector_count(self) -> int:
            return os.fstat(self.file).st_size // 512

        def ioctl_get_sector_size(self) -> int:
            return 512

        def ioctl_get_block_size(self) -> int:
            return 1

        def read(self, sector: int, count: int) -> bytes:
            return os.pread(self.file, count, sector * 512)

        def write(self, sector: int, count: int, data: bytes) -> None:
            os.pwrite(self.file, data, sector * 512)

        def ioctl_sync(self) -> None:
            return

    volume = fatfs.Partition(ImageDisk())
    volume.mount()
    return volume


def write_big(volume: Any) -> None:
    """Write 256 MiB."""
    with volume.open("/big.bin", "wb") as file:
        for _ in range(4096):
            file.write(PIECE)


def read_big(volume: Any) -> None:
    """Read them."""
    left = 4096 * len(PIECE)
    with volume.open("/big.bin", "rb") as file:
        while piece := file.read(1 << 16):
            left -= len(piece)
    if left:
        raise ValueError(f"{left} bytes were not read")


def create(volume: Any, count: int) -> None:
    """Make so many files of 1 KiB."""
    getattr(volume, "makedir", volume.mkdir)("/many")
    for number in range(count):
        with volume.open(MANY.format(number), "wb") as file:
            file.write(PIECE[:1024])


def overwrite(volume: Any) -> None:
    """Write 4 KiB at 5,000 random places of a file."""
    places = random.Random(3)
    with volume.open("/big.bin", "r+b") as file:
        for _ in range(5000):
            file.seek(places.randrange(64 * 256) * 4096)
            file.write(PIECE[:4096])


def main() -> None:
    """Measure and print."""
    library, card = sys.argv[1:]
    opened = {"pyfatfs": pyfatfs_volume, "fatfs-ng": fatfs_volume}[library](card)
    works: list[tuple[str, Callable[[], object]]] = [
        ("write_256m", lambda: write_big(opened)),
        ("read_256m", lambda: read_big(opened)),
        ("overwrite_5000", lambda: overwrite(opened)),
        ("create_2000", lambda: create(opened, 2000)),
    ]
    for name, work in works:
        start = time.perf_counter()
        try:
            work()
        except (AttributeError, ValueError) as reason:  # it has no such call, or it is wrong
            print("#", name, reason, flush=True)
        else:
            print(name, round((time.perf_counter() - start) * 1000, 3), flush=True)


if __name__ == "__main__":
    main()
