"""The same works by mkfs.fat and mtools, where they are installed.

Times include the start of each program, which is what a script pays. A work that takes longer
than the patience is given up.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from fat_works import FILE_SIZE, FILES, FOLDERS, MANY, PIECE

START_BYTES = 1 << 20
PROGRAMS = ("mkfs.fat", "mcopy", "mdir", "mdeltree", "mmd")


class Mtools:
    """mkfs.fat and mtools on card images in ``folder``; times are milliseconds."""

    def __init__(self, folder: Path, patience: float) -> None:
        self.folder = folder
        self.patience = patience
        self.path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))

    def installed(self) -> bool:
        """Tell whether all programs are there."""
        return all(shutil.which(name, path=self.path) for name in PROGRAMS)

    def times(self) -> dict[str, float]:
        """Measure; a work that was given up has infinity."""
        works: list[Callable[[], dict[str, float]]] = [
            self.huge_card,
            self.big_file,
            self.many_files,
            self.tree,
        ]
        found: dict[str, float] = {}
        for work in works:
            found.update(work())
        return found

    def huge_card(self) -> dict[str, float]:
        """Format a sparse image of 128 GiB; list it, which asks FSInfo."""
        image = self.folder / "huge.img"
        formatting = self.timed(lambda: self.card(image, 128 << 30))
        asking = self.call("mdir", "-i", self.at(image), "::")
        image.unlink()
        return {"format_128g": formatting, "mount_128g": asking}

    def big_file(self) -> dict[str, float]:
        """Copy 256 MiB in and out."""
        image, host = self.card(self.folder / "card.img"), self.folder / "big.bin"
        with host.open("wb") as file:
            for _ in range(4096):
                file.write(PIECE)
        into = self.call("mcopy", "-i", self.at(image), host, "::/big.bin")
        out = self.call("mcopy", "-n", "-i", self.at(image), "::/big.bin", self.folder / "out.bin")
        return {"write_256m": into, "read_256m": out}

    def many_files(self) -> dict[str, float]:
        """Create 2,000 files; list them and read them at random where that did not take long."""
        image, source = self.card(self.folder / "card.img"), self.folder / "many"
        source.mkdir(exist_ok=True)
        names = [MANY.format(number).rsplit("/", 1)[1] for number in range(2000)]
        for name in names:
            (source / name).write_bytes(PIECE[:1024])
        self.call("mmd", "-i", self.at(image), "::/many")
        paths = [source / name for name in names]
        took = self.call("mcopy", "-i", self.at(image), *paths, "::/many")
        found = {"create_2000": took}
        if took < float("inf"):
            found["list_2000"] = self.call("mdir", "-i", self.at(image), "::/many")
            found["read_random_2000"] = self.random_reads(image, names)
        return found

    def random_reads(self, image: Path, names: list[str]) -> float:
        """Copy each file out, one program each."""
        order = list(names)
        random.Random(2).shuffle(order)
        start = time.perf_counter()
        for name in order:
            self.call("mcopy", "-n", "-i", self.at(image), f"::/many/{name}", self.folder / "one")
            if time.perf_counter() - start > self.patience:
                return float("inf")
        return (time.perf_counter() - start) * 1000

    def tree(self) -> dict[str, float]:
        """Copy a tree in and delete it."""
        image, source = self.card(self.folder / "card.img"), self.folder / "tree"
        for folder in range(FOLDERS):
            place = source / f"Folder number {folder:02d}"
            place.mkdir(parents=True, exist_ok=True)
            for number in range(FILES):
                (place / f"Some file {number:03d}.bin").write_bytes(PIECE[:FILE_SIZE])
        into = self.call("mcopy", "-s", "-i", self.at(image), source, "::/")
        if into == float("inf"):
            return {"tree_in": into}
        return {
            "tree_in": into,
            "tree_delete": self.call("mdeltree", "-i", self.at(image), "::/tree"),
        }

    def card(self, image: Path, size: int = 1 << 30) -> Path:
        """Make a card image with one FAT32 volume at 1 MiB."""
        image.unlink(missing_ok=True)
        with image.open("wb") as file:
            file.truncate(size)
        clusters = [] if size > 1 << 30 else ["-s", "8"]
        kib = (size - START_BYTES) >> 10
        self.call("mkfs.fat", "-F32", *clusters, "--offset", "2048", image, str(kib))
        return image

    @staticmethod
    def at(image: Path) -> str:
        """Return how mtools is told where the volume begins."""
        return f"{image}@@{START_BYTES}"

    def call(self, *command: str | Path) -> float:
        """Run a program; returns its time, infinity where patience ended."""
        return self.timed(lambda: self.run([str(word) for word in command]))

    def timed(self, work: Callable[[], object]) -> float:
        """Time one run of ``work``."""
        start = time.perf_counter()
        try:
            work()
        except subprocess.TimeoutExpired:
            return float("inf")
        return (time.perf_counter() - start) * 1000

    def run(self, command: Sequence[str]) -> None:
        """Run a program with the system's own places on its path."""
        environment = {**os.environ, "PATH": self.path, "MTOOLS_SKIP_CHECK": "1"}
        subprocess.run(
            command, check=True, capture_output=True, env=environment, timeout=self.patience
        )


def python_peers(python: str, mtools: Mtools) -> dict[str, dict[str, float]]:
    """Return the times of the FAT libraries that ``python`` has, on a volume of mkfs.fat."""
    script = str(Path(__file__).with_name("python_peer.py"))
    return {
        library: found
        for library in ("pyfatfs", "fatfs-ng")
        if (found := library_times([python, script, library], mtools))
    }


def library_times(command: list[str], mtools: Mtools) -> dict[str, float]:
    """Run a library's works until they end or patience does."""
    card = mtools.folder / "library.img"
    card.unlink(missing_ok=True)
    with card.open("wb") as file:
        file.truncate(1 << 30)
    mtools.run(["mkfs.fat", "-F32", "-s", "8", str(card)])
    words = [*command, str(card)]
    try:
        output = subprocess.run(
            words, check=False, capture_output=True, timeout=mtools.patience
        ).stdout
    except subprocess.TimeoutExpired as late:
        output = late.stdout or b""
    lines = (line.split() for line in output.decode().splitlines() if line[:1] != "#")
    return {name: float(milliseconds) for name, milliseconds in lines}
