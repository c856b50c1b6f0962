"""The golden data: which cases there are, and how to read them (tests/data/README.md).

The folder is ``tests/data``, or what the environment variable MAIXFS_GOLDEN names.
"""

from __future__ import annotations

import gzip
import json
import os
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

from maixfs.spiffs.geometry import Geometry

OWN = Path(__file__).parent.parent / "data"


def golden_root() -> Path:
    """Return the folder of the golden data; an unset or empty variable means our own."""
    return Path(os.environ.get("MAIXFS_GOLDEN") or OWN)


def case_folders(kind: str) -> list[Path]:
    """Return the folders under ``kind`` (spiffs, fat, ...) that hold a manifest, by name."""
    return sorted(path.parent for path in (golden_root() / kind).glob("*/manifest.json"))


@dataclass(frozen=True)
class Operation:
    """One line of a script: its number from 1, the word, and what follows it."""

    line: int
    word: str
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class SpiffsCase:
    """One folder of golden/spiffs."""

    folder: Path

    @property
    def name(self) -> str:
        """Name of the case, for test ids."""
        return self.folder.name

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """The manifest as it stands."""
        manifest: dict[str, Any] = json.loads((self.folder / "manifest.json").read_bytes())
        return manifest

    @cached_property
    def geometry(self) -> Geometry:
        """Geometry of the area, which starts at address 0 of its image."""
        config = self.manifest["config"]
        return Geometry(
            size=config["phys_size"],
            block_size=config["block_size"],
            page_size=config["page_size"],
            erase_size=config["erase_size"],
            name_length=config["obj_name_len"],
            meta_length=config["meta_len"],
            use_magic=config["use_magic"],
            use_magic_length=config["use_magic_length"],
            aligned_tables=config["aligned_obj_ix_tables"],
            gc_max_runs=config["gc_max_runs"],
            copy_buffer=config["copy_buffer"],
        )

    @property
    def replayable(self) -> bool:
        """Whether the script, and then the pokes, give the image.

        Not where the power went inside an operation, nor where mkspiffs made the image.
        """
        return "power_cut" not in self.manifest and self.manifest["category"] != "mkspiffs"

    def poke(self, image: bytearray) -> None:
        """Do by hand the damage that was done to the image after its script."""
        for poke in self.manifest.get("pokes", ()):
            old, new = bytes.fromhex(poke["old"]), bytes.fromhex(poke["new"])
            place = slice(poke["offset"], poke["offset"] + len(old))
            assert image[place] == old, poke
            image[place] = new

    @property
    def image(self) -> bytes:
        """The area, unpacked."""
        return gzip.decompress((self.folder / "image.bin.gz").read_bytes())

    @property
    def after_check(self) -> bytes | None:
        """The area after the C's check, or ``None`` where that wrote nothing."""
        path = self.folder / "after_check.bin.gz"
        return gzip.decompress(path.read_bytes()) if path.exists() else None

    @cached_property
    def operations(self) -> list[Operation]:
        """The script, without empty lines and comments."""
        lines = (self.folder / "script.txt").read_text(encoding="utf-8").splitlines()
        return [
            Operation(number, *_split(line))
            for number, line in enumerate(lines, 1)
            if line.strip() and not line.startswith("#")
        ]

    @cached_property
    def results(self) -> dict[int, int]:
        """What each line of the script returned in the C, by line number."""
        rows = gzip.decompress((self.folder / "script_results.jsonl.gz").read_bytes())
        parsed = (json.loads(row) for row in rows.splitlines() if row.strip())
        return {row["line"]: row["res"] for row in parsed if "res" in row}


def spiffs_cases() -> list[SpiffsCase]:
    """Return every SPIFFS case that is there."""
    return [SpiffsCase(folder) for folder in case_folders("spiffs")]


def _split(line: str) -> tuple[str, tuple[str, ...]]:
    word, *arguments = line.split()
    return word, tuple(arguments)


def stored_name(escaped: str) -> bytes:
    """Return the bytes of a script's name."""
    return unquote_to_bytes(escaped)


@lru_cache(maxsize=16)
def source_bytes(source: str) -> bytes:
    """Return the bytes that a script's SOURCE stands for."""
    kind, _, rest = source.partition(":")
    if kind == "str":
        return unquote_to_bytes(rest)
    if kind == "hex":
        return bytes.fromhex(rest)
    first, length = (int(number, 0) for number in rest.split(":"))
    return _MAKERS[kind](first, length)


def _records(seed: int, length: int) -> bytes:
    start = f"{seed & 0xFFFFFF:06x}"
    return "".join(f"{start}:{k:08x}\n" for k in range(-(-length // 16))).encode()[:length]


def _xorshift(seed: int, length: int) -> bytes:
    mask = (1 << 64) - 1
    state = (seed * 0x9E3779B97F4A7C15 + 1) & mask
    out = bytearray(length)
    for position in range(length):
        state ^= state << 13 & mask
        state ^= state >> 7
        state ^= state << 17 & mask
        out[position] = state >> 24 & 0xFF
    return bytes(out)


def _fill(byte: int, length: int) -> bytes:
    return bytes([byte]) * length


_MAKERS = {"gen": _records, "rnd": _xorshift, "fill": _fill}
