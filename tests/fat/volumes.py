"""Small volumes of each kind, and a check of them that knows nothing of the driver."""

from __future__ import annotations

import gzip
import json
import struct
from dataclasses import dataclass, field
from itertools import compress, count
from pathlib import Path
from typing import Literal

import pytest

from maixfs.fat import FatCore, FatError, FResult, format_volume, read_geometry
from maixfs.sd import SECTOR, RamSectors, SectorError
from maixfs.sd.device import Buffer

NOW = (0x5A21, 0x6B42)
KINDS = {
    "fat12": (1000, {"fat_type": 12, "cluster_size": 512}),
    "fat16": (40000, {"fat_type": 16, "cluster_size": 2048, "fats": 2}),
    "fat32": (70000, {"fat_type": 32, "cluster_size": 512, "fats": 2}),
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def refused(result: FResult, call: object, *arguments: object) -> None:
    """Check that a call raises ``FatError`` with this result."""
    assert callable(call)
    with pytest.raises(FatError) as caught:
        call(*arguments)
    assert caught.value.result is result


def new_card(kind: str = "fat32") -> RamSectors:
    """Return a card that is one empty volume."""
    sectors, wish = KINDS[kind]
    card = RamSectors(sectors)
    format_volume(card, 0, sectors, serial=1, clock=lambda: NOW, **wish)  # type: ignore[arg-type]
    return card


def mount(card: RamSectors) -> FatCore:
    return FatCore(card, clock=lambda: NOW)


def load_extents(path: Path) -> RamSectors:
    """Return a card that is stored without its zeros."""
    with gzip.open(path) as source:
        about = json.loads(source.readline())
        card = RamSectors(about["size"] // SECTOR)
        for offset, length in about["extents"]:
            card.poke(offset // SECTOR, source.read(length))
    return card


class Recorder:
    """A card that notes its calls: sector, count and content of a write, or ``sync``.

    From the ``refuse_after``-th write on it takes none.
    """

    read_only = False

    def __init__(self, card: RamSectors) -> None:
        self.card = card
        self.sectors = card.sectors
        self.calls: list[tuple[int, int, bytes] | Literal["sync"]] = []
        self.refuse_after: int | None = None

    def read(self, sector: int, count: int) -> bytes:
        return self.card.read(sector, count)

    def readinto(self, sector: int, buffer: memoryview) -> None:
        self.card.readinto(sector, buffer)

    def write(self, sector: int, data: Buffer) -> None:
        if self.refuse_after is not None:
            if not self.refuse_after:
                raise SectorError("not taken")
            self.refuse_after -= 1
        self.card.write(sector, data)
        self.calls.append((sector, memoryview(data).nbytes // SECTOR, bytes(data)))

    def sync(self) -> None:
        self.calls.append("sync")


@dataclass
class Checked:
    """What ``check`` found: faults in words, and the clusters in use."""

    faults: list[str] = field(default_factory=list)
    owners: dict[int, str] = field(default_factory=dict)
    free: int = 0


class Checker:
    """Reads a card sector by sector, as simply as can be."""

    def __init__(self, card: RamSectors) -> None:
        self.card = card
        self.geometry = fat = read_geometry(card.read(0, 1))
        self.fats = [
            card.read(fat.fat_start + copy * fat.fat_sectors, fat.fat_sectors)
            for copy in range(fat.fats)
        ]
        self.entries = _entries(self.fats[0], fat.fat_type)[: fat.n_fatent]
        self.found = Checked()

    def chain(self, cluster: int, owner: str) -> bytes:
        geometry, content = self.geometry, bytearray()
        while 2 <= cluster < geometry.n_fatent:
            if cluster in self.found.owners:
                self.fault(f"{owner}: {cluster} is {self.found.owners[cluster]}'s")
                break
            self.found.owners[cluster] = owner
            at = geometry.data_start + (cluster - 2) * geometry.sectors_per_cluster
            content += self.card.read(at, geometry.sectors_per_cluster)
            cluster = self.entries[cluster] & 0x0FFFFFFF
            if cluster < 2:
                self.fault(f"{owner}: the chain leads to {cluster}")
        return bytes(content)

    def fault(self, text: str) -> None:
        self.found.faults.append(text)

    def folder(self, content: bytes, owner: str, above: int, own: int) -> None:
        for at in range(0, len(content), 32):
            entry = content[at : at + 32]
            if entry[0] == 0:
                if any(content[at::32]):
                    self.fault(f"{owner}: something after the end")
                break
            if entry[0] == 0xE5 or entry[11] & 0x08:
                continue
            high, low, size = struct.unpack("<20xH4xHI", entry)
            first = (high << 16 if self.geometry.fat_type == 32 else 0) | low
            name = f"{owner}/{entry[:11].decode('cp437')}"
            if entry[0] == ord("."):
                if first != (own if entry[1] == ord(" ") else above):
                    self.fault(f"{name} leads to {first}")
            elif entry[11] & 0x10:
                self.folder(self.chain(first, name), name, own, first)
            else:
                room = len(self.chain(first, name))
                each = self.geometry.cluster_size
                if room != -(-size // each) * each:
                    self.fault(f"{name}: {size} bytes in {room}")

    def check(self) -> Checked:
        geometry = self.geometry
        if any(other != self.fats[0] for other in self.fats):
            self.fault("the FATs differ")
        if geometry.fat_type == 32:
            root = self.chain(geometry.root_cluster, "root")
        else:
            root = self.card.read(geometry.root_start, geometry.root_sectors)
        self.folder(root, "", 0, 0)
        used = set(compress(count(), self.entries)) - {0, 1}
        self.found.free = geometry.clusters - len(used)
        for cluster in used - self.found.owners.keys():
            self.fault(f"cluster {cluster} is nobody's")
        if geometry.fat_type == 32:
            noted = struct.unpack("<488xI20x", self.card.read(1, 1))[0]
            if noted != self.found.free:
                self.fault(f"FSInfo says {noted} free, there are {self.found.free}")
        return self.found


def _entries(table: bytes, width: int) -> tuple[int, ...]:
    if width == 12:
        return tuple(
            int.from_bytes(table[n * 3 // 2 : n * 3 // 2 + 2], "little") >> (n & 1) * 4 & 0xFFF
            for n in range(len(table) * 2 // 3)
        )
    code = "H" if width == 16 else "I"
    return struct.unpack(f"<{len(table) * 8 // width}{code}", table)


def faults(card: RamSectors) -> list[str]:
    """Return everything that is wrong with a card."""
    return Checker(card).check().faults
