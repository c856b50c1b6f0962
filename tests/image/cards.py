"""Cards for the tests: small, sparse, the same each time."""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from maixfs.cards.make import PartitionRequest, new_card
from maixfs.image.opening import open_image

FILES = {
    "/main.py": b"print('hello')\n",
    "/lib/a.py": b"A = 1\n" * 3000,
    "/lib/deep/b.bin": bytes(range(256)) * 40,
    "/Übung mit Bild.jpeg": b"\xff\xd8" * 700,
    "/empty": b"",
}
WISHES = {
    12: PartitionRequest(4 << 20, 12, "TWELVE"),
    16: PartitionRequest(16 << 20, 16, "SIXTEEN"),
    32: PartitionRequest(40 << 20, 32, "BIG"),
}


def make_card(
    path: Path,
    *fat_types: int,
    files: Mapping[str, bytes] = FILES,
    superfloppy: bool = False,
) -> Path:
    """Make a card with a partition of each type, the files in the first."""
    requests = [WISHES[fat_type] for fat_type in fat_types or (32,)]
    if superfloppy:
        requests = [wish._replace(size="rest") for wish in requests]
    size = (4 << 20) + sum(
        wish.size if isinstance(wish.size, int) else 16 << 20 for wish in requests
    )
    new_card(path, size, requests, serial=0x1234, superfloppy=superfloppy)
    if files:
        with open_image(path, "r+") as target:
            for name, data in files.items():
                target.write_bytes(name, data)
    return path


def complaints(card: Path, scratch: Path) -> str:
    """Return what fsck.fat says of every volume of a card; nothing where all is well."""
    fsck = shutil.which("fsck.fat", path="/usr/sbin:/sbin:/usr/bin")
    if fsck is None:
        pytest.skip("fsck.fat is not here")
    said = ""
    with card.open("rb") as stream:
        sector = stream.read(512)
        slots = [struct.unpack_from("<4xB3xII", sector, 446 + 16 * at) for at in range(4)]
        for kind, start, count in slots:
            if kind:
                stream.seek(start * 512)
                scratch.write_bytes(stream.read(count * 512))
                done = subprocess.run(
                    [fsck, "-n", str(scratch)], capture_output=True, text=True, check=False
                )
                if done.returncode or done.stdout.count("\n") > 2:
                    said += done.stdout
    return said


def tree_of(card: Path | str) -> dict[str, bytes]:
    """Return all files of a target, by path."""
    with open_image(card) as target:
        return {
            entry.path: target.read_bytes(entry.path)
            for entry in target.scandir(recursive=True)
            if not entry.is_dir
        }
