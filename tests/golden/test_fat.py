"""Every golden card: it mounts, reads or is refused as its manifest says FatFs does.

Where ours is better than FatFs, ``BETTER`` says which card and how; docs/SPEC.md has the reasons.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from golden.corpus import case_folders
from maixfs.fat import FatCore, FatEntry
from maixfs.fat.clock import unpack_time
from maixfs.fat.errors import FatError, FResult
from maixfs.fat.volume_find import find_volume
from maixfs.sd import SECTOR, RamSectors
from maixfs.vfs.fat import seconds_since_2000, year_of

ERRNO = {
    FResult.DISK_ERR: 5,
    FResult.INT_ERR: 5,
    FResult.NO_FILE: 2,
    FResult.NO_PATH: 2,
    FResult.NO_FILESYSTEM: 19,
}
EPOCH_2000 = 946_684_800
"""Unix seconds of 2000-01-01."""
READ_AT_MOST = 2_000_000
"""Bytes of a file after which the reference stopped reading, at the end of a piece of 4096."""
BETTER = {
    "x_dirloop": "the folder whose chain loops is listed once; FatFs repeats it to 65,536 entries",
}


class Watched(RamSectors):
    """A card in memory that counts what is read and takes no write."""

    sectors_read = 0

    def read(self, sector: int, count: int) -> bytes:
        self.sectors_read += count
        return super().read(sector, count)

    def readinto(self, sector: int, buffer: memoryview) -> None:
        self.sectors_read += buffer.nbytes // SECTOR
        super().readinto(sector, buffer)

    def lock(self) -> None:
        self.write = self.zero = self.refuse  # type: ignore[method-assign]

    def refuse(self, *_: object) -> None:
        raise AssertionError("reading wrote to the card")


@dataclass(frozen=True)
class Card:
    """One folder of golden/fat."""

    folder: Path

    @cached_property
    def manifest(self) -> dict[str, Any]:
        manifest: dict[str, Any] = json.loads((self.folder / "manifest.json").read_bytes())
        return manifest

    @property
    def loops(self) -> bool:
        """Whether a folder's chain loops, where ours is the better listing."""
        return self.folder.name.startswith(tuple(BETTER))

    def load(self) -> Watched:
        """Return the card, in memory and locked."""
        with gzip.open(self.folder / "image.ext.gz") as source:
            about = json.loads(source.readline())
            card = Watched(about["size"] // SECTOR)
            for offset, length in about["extents"]:
                lay_down(card, offset, source.read(length))
        card.lock()
        return card


def lay_down(card: RamSectors, offset: int, data: bytes) -> None:
    first, skip = divmod(offset, SECTOR)
    count = -(-(skip + len(data)) // SECTOR)
    sectors = bytearray(card.read(first, count))
    sectors[skip : skip + len(data)] = data
    card.write(first, sectors)


CARDS = [Card(folder) for folder in case_folders("fat")]
PARTITIONS = [
    pytest.param(card, partition, id=f"{card.folder.name}-{partition['slot']}")
    for card in CARDS
    for partition in card.manifest["partitions"]
]
LISTED = [param for param in PARTITIONS if param.values[1]["oofatfs"].get("tree")]
"""Those that mount, and whose root can be reached."""


def test_cards_are_here() -> None:
    assert CARDS
    assert [card.manifest["name"] for card in CARDS] == [card.folder.name for card in CARDS]


@pytest.mark.parametrize(("card", "partition"), PARTITIONS)
def test_partition_as_fatfs_has_it(card: Card, partition: dict[str, Any]) -> None:
    wanted = partition["oofatfs"]
    medium = card.load()
    if wanted["mount"] != "ok":
        with pytest.raises(FatError) as caught:
            FatCore(medium, partition["start"])
        assert caught.value.result is FResult.NO_FILESYSTEM
        assert wanted["mount"] == f"OSError({ERRNO[caught.value.result]},)"
        assert len(str(caught.value)) > 20, "says what is wrong"
        return
    fs = FatCore(medium, partition["start"])
    check_room(fs, wanted["statvfs"])
    if "walk" in wanted:
        with pytest.raises(FatError) as caught:
            list(fs.scandir(b"/"))
        assert wanted["walk"] == f"OSError({ERRNO[caught.value.result]},)"
        return
    check_rows(fs, wanted, loops=card.loops)
    fs.close()


def check_room(fs: FatCore, statvfs: list[int]) -> None:
    free = fs.free_clusters()
    info = fs.info()
    assert [info.cluster_size] * 2 + [info.clusters, free, free] == statvfs[:5]
    assert info.free == free


def check_rows(fs: FatCore, wanted: dict[str, Any], *, loops: bool) -> None:
    found = list(listed(fs, b"/"))
    rows = [(path, 0x4000 if entry.is_dir else 0x8000, entry.size) for path, entry in found]
    golden = [(raw_path(row[0]), row[1], row[2]) for row in wanted["tree"]]
    if loops:
        assert wanted["truncated"]
        assert rows == golden[: len(rows)]
        assert golden[len(rows)] in rows, "FatFs begins again"
    else:
        assert (rows[: len(golden)] if wanted.get("truncated") else rows) == golden
    for (path, entry), row in zip(found, wanted["tree"], strict=False):
        if len(row) == 4:  # listed, and not found by the name that was listed
            with pytest.raises(FatError) as caught:
                fs.stat(path)
            assert row[3] == f"OSError({ERRNO[caught.value.result]},)" == read_through(fs, path)
        elif len(row) > 4:
            assert seconds(entry) == row[3]
            assert read_through(fs, path) == (row[4] if len(row) == 5 else (row[4], row[5]))


def raw_path(path: str) -> bytes:
    """Return the bytes of a path; those that are not ASCII were written in hexadecimal."""
    return path.encode("ascii") if path[0] == "/" else bytes.fromhex(path)


def listed(fs: FatCore, folder: bytes) -> Iterator[tuple[bytes, FatEntry]]:
    """List depth first, by the firmware's view."""
    for entry in fs.scandir(folder):
        path = folder.rstrip(b"/") + b"/" + entry.oem_name
        yield path, entry
        if entry.is_dir:
            yield from listed(fs, path)


def seconds(entry: FatEntry) -> int:
    """Return the Unix seconds of an entry; the reference takes 2100 for a leap year."""
    late = 86400 if year_of(entry.write_date) > 2100 else 0
    return seconds_since_2000(entry.write_date, entry.write_time) + EPOCH_2000 + late


def read_through(fs: FatCore, path: bytes) -> tuple[str, int] | str:
    """Read as the reference did; returns hash and length, or the exception's text."""
    digest, length = hashlib.sha256(), 0
    try:
        with fs.open(path) as file:
            while length < READ_AT_MOST and (piece := file.read(4096)):
                digest.update(piece)
                length += len(piece)
    except FatError as error:
        return f"OSError({ERRNO[error.result]},)"
    return digest.hexdigest(), length


@pytest.mark.parametrize(("card", "partition"), LISTED)
def test_unicode_view_has_what_was_put_in(card: Card, partition: dict[str, Any]) -> None:
    fs = FatCore(card.load(), partition["start"])
    entries = dict(fs.walk("/"))
    for row in partition["tree"]:
        if "LFN" in row.get("damaged", ""):
            assert row["path"] not in entries
            continue
        entry = entries[row["path"]]
        assert entry.is_dir == (row["type"] == "dir")
        if entry.is_dir or "damaged" in row:
            continue
        assert entry.size == row["size"]
        assert hashlib.sha256(fs.read_bytes(row["path"])).hexdigest() == row["sha256"]
        if row.get("mtime"):
            moment = datetime.fromisoformat(row["mtime"])
            assert unpack_time(entry.write_date, entry.write_time) == moment.timetuple()[:6]
    if not card.loops:
        assert len(entries) == len(partition["tree"])


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.folder.name)
def test_volume_is_found_as_fatfs_finds_it(card: Card) -> None:
    medium, wanted = card.load(), card.manifest["oofatfs_whole_card_auto"]
    if wanted["mount"] == "ok":
        check_room(FatCore(medium, find_volume(medium, 0)), wanted["statvfs"])
    else:
        with pytest.raises(FatError) as caught:
            FatCore(medium, find_volume(medium, 0))
        assert wanted["mount"] == f"OSError({ERRNO[caught.value.result]},)"
    slots = {
        partition["slot"]: partition["start"]
        for partition in card.manifest["partitions"]
        if partition.get("oofatfs", {}).get("mount") == "ok" and card.folder.name != "no_55aa"
    }
    assert forced(medium) == {slot: start for slot, start in slots.items() if slot in range(1, 5)}


def forced(medium: Watched) -> dict[int, int]:
    """Return the start of each partition that mounts when its number is asked for."""
    found = {}
    for slot in range(1, 5):
        try:
            start = find_volume(medium, slot)
            FatCore(medium, start)
        except FatError as error:
            assert error.result is FResult.NO_FILESYSTEM
        else:
            found[slot] = start
    return found


def test_big_card_is_not_read_through() -> None:
    card = max(CARDS, key=lambda card: int(card.manifest["size"]))
    assert card.manifest["size"] >= 128 << 30
    medium = card.load()
    fs = FatCore(medium, find_volume(medium, 1))
    free = fs.free_clusters()
    assert sum(1 for _ in fs.walk("/")) == len(card.manifest["partitions"][0]["tree"])
    assert medium.sectors_read < 2000
    assert fs.free_clusters(scan=True) == free
    assert medium.sectors_read < 40_000
