"""Cards that show what the rules about cards and FAT volumes report: one for each key."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from fat.cards import load_card
from maixfs.cards.check import CardCheck
from maixfs.fat.mkfs import format_volume
from maixfs.sd.errors import SdError, SectorError
from maixfs.sd.mbr import Partition, make_mbr
from maixfs.sd.media import RamSectors


class CardCase(NamedTuple):
    """A card, and a finding of one subject that its examination has."""

    subject: str
    key: str
    build: Callable[[], CardCheck]
    most_entries: int | None = None
    """How many files and folders are examined, where the usual number would take too long."""


class Worn(RamSectors):
    """A copy of a card with sectors that cannot be read."""

    def __init__(self, card: RamSectors, bad: range) -> None:
        super().__init__(card.sectors)
        self._card = card
        self._bad = bad

    def read(self, sector: int, count: int) -> bytes:
        if set(range(sector, sector + count)) & set(self._bad):
            raise SectorError(f"sector {sector:#x} is worn")
        return self._card.read(sector, count)

    def readinto(self, sector: int, buffer: memoryview) -> None:
        buffer[:] = self.read(sector, len(buffer) // 512)


def edited(name: str, offset: int, data: bytes) -> CardCheck:
    """Return a golden card with bytes of sector 0 replaced."""
    card = load_card(name)
    sector = bytearray(card.read(0, 1))
    sector[offset : offset + len(data)] = data
    card.write(0, sector)
    return CardCheck(card)


def cut(name: str, sectors: int) -> CardCheck:
    """Return the first sectors of a golden card."""
    card = RamSectors(sectors)
    card.write(0, load_card(name).read(0, sectors))
    return CardCheck(card)


def large() -> CardCheck:
    """Return a sound card of 256 GiB."""
    card = RamSectors(256 << 21)
    card.write(0, make_mbr([Partition(1, 0x0C, 2048, card.sectors - 2048)]))
    format_volume(card, 2048, fat_type=32, layout="mkfs.fat", serial=1)
    return CardCheck(card)


def with_table(*partitions: Partition) -> CardCheck:
    """Return a card of 4 MiB with nothing but a partition table."""
    card = RamSectors(8192)
    card.write(0, make_mbr(partitions))
    return CardCheck(card)


def ext_volume() -> CardCheck:
    """Return a card that is formatted as ext."""
    card = RamSectors(2048)
    card.write(2, bytes(0x38) + b"\x53\xef" + bytes(1024 - 0x3A))
    return CardCheck(card)


GOLDEN = {
    "fat": {
        "bad-chain": "x_free_in_chain",
        "bad-start": "x_badstart",
        "broken-long-name": "x_lfn",
        "chain-loop": "x_loop",
        "cross-link": "x_cross",
        "dirty": "dirty",
        "dot-entries": "x_dotdot",
        "fat12": "fat12",
        "fat16": "fat16",
        "fats-differ": "x_fatdiff",
        "fsinfo-absent": "fsinfo_absent",
        "fsinfo-huge": "fsinfo_huge",
        "fsinfo-wrong": "fsinfo_wrong",
        "full": "full",
        "long-chain": "x_size_gt",
        "lost-clusters": "x_lost",
        "past-end": "part_past_end",
        "past-partition": "gpt",
        "root-cluster": "x_root0",
        "short-chain": "x_size_gt",
    },
    "card": {
        "bad-boot-sector": "bad_bpb",
        "blank": "blank",
        "empty-first-slot": "empty_first",
        "exfat": "exfat",
        "extended": "extended",
        "few-clusters": "few_clusters",
        "foreign": "foreign_first",
        "foreign-first": "foreign_first",
        "gpt": "gpt",
        "logical-partition": "extended",
        "no-signature": "no_55aa",
        "ntfs": "ntfs",
        "sector-size": "sector4096",
        "superfloppy": "superfloppy",
    },
}
"""By subject and key: a card of tests/data/fat that shows it."""


def golden(name: str) -> Callable[[], CardCheck]:
    """Return what loads a golden card."""
    return lambda: CardCheck(load_card(name))


CASES: dict[str, CardCase] = {
    **{
        f"{subject}-{key}": CardCase(subject, key, golden(name))
        for subject, names in GOLDEN.items()
        for key, name in names.items()
    },
    "files-behind-a-short-card": CardCase("fat", "files-past-end", lambda: cut("full", 40000)),
    "too-many-files": CardCase("fat", "not-looked-at", golden("part1_0c"), most_entries=2),
    "worn-fat": CardCase(
        "fat", "unreadable", lambda: CardCheck(Worn(load_card("part1_0c"), range(2080, 2090)))
    ),
    "volume-behind-the-card": CardCase(
        "card", "files-past-end", lambda: with_table(Partition(1, 0x0C, 0x10000, 0x1000))
    ),
    "killed-writer": CardCase(
        "card",
        "unapplied-journal",
        lambda: CardCheck(load_card("part1_0c"), journal=Path(".card.img.maixfs-journal")),
    ),
    "large-card": CardCase("card", "large", large),
    "empty-table": CardCase("card", "no-partition", with_table),
    "card-without-answer": CardCase(
        "card", "no-spi-mode", lambda: CardCheck(None, no_start=SdError("CMD0: no answer"))
    ),
    "wiped-table": CardCase("card", "no-table", lambda: edited("part1_0c", 0, bytes(512))),
    "odd-flag": CardCase("card", "odd-table", lambda: edited("part1_0c", 446, b"\x07")),
    "linux-type": CardCase("card", "odd-type", lambda: edited("part1_0c", 450, b"\x83")),
    "ext-card": CardCase("card", "other-volume", ext_volume),
    "overlapping-partitions": CardCase(
        "card", "overlap", lambda: edited("part2", 458, (90000).to_bytes(4, "little"))
    ),
    "worn-table": CardCase(
        "card", "unreadable", lambda: CardCheck(Worn(load_card("part1_0c"), range(1)))
    ),
}
"""By a name for what is shown; at least one for each key of ``fat`` and ``card``."""
