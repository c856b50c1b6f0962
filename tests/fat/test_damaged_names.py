"""Files whose names no path can hold are listed, read and removed by their entries."""

from __future__ import annotations

import pytest

from maixfs.errors import FileSystemError
from maixfs.fat import Attribute, Fat
from maixfs.fat.entries import FatEntry
from maixfs.fat.names import long_entries
from maixfs.fat.ondisk import DirEntry
from maixfs.filesystem import Entry
from maixfs.sd import SECTOR, RamSectors

from .volumes import every_kind, new_card

FIRST = 3
"""Cluster of the first file; cluster 2 may be the root."""
SHORT_NAMES = {
    b'A"B     TXT': '/A"B.TXT',
    b"C*D     TXT": "/C*D.TXT",
    b"Q?      TXT": "/Q?.TXT",
    b"\x01E      TXT": r"/\x01E.TXT",
    b"DEL\x7f    TXT": r"/DEL\x7f.TXT",
    b"lower   txt": "/lower.txt",
    b"SL/ASH  TXT": r"/SL\x2fASH.TXT",
    b"BACK\\SL TXT": r"/BACK\x5cSL.TXT",
    b"DUP     TXT": "/DUP.TXT",
}
LONG_NAMES = {
    "a/long name": r"/a\x2flong name",
    "../../escape": r"/..\x2f..\x2fescape",
    "half \ud800 pair": r"/half \xed\xa0\x80 pair",
    "line\nfeed": r"/line\x0afeed",
}


def record(name: bytes, cluster: int, size: int, attributes: int = 0x20) -> bytes:
    return DirEntry(name, attributes, 0, 0, 0, 0, 0, 0, 0, 0x21, cluster, size).pack()


def card_with(kind: str, slots: bytes, files: int) -> RamSectors:
    """Return a volume whose root has these slots, and files of one byte: their numbers."""
    card = new_card(kind)
    with Fat(card) as fs:
        geometry = fs.geometry
        for number in range(files + 2):
            fs.write_bytes(f"/{number}", bytes((number,)))
        first = fs.stat("/0").native.cluster
        assert first <= FIRST
        root = (
            geometry.root_start if kind != "fat32" else geometry.sector_of(geometry.root_cluster)
        )
    room = -(-len(slots) // SECTOR)
    card.write(root, slots.ljust(room * SECTOR, b"\0"))
    return card


@every_kind
def test_short_names_that_no_path_holds_are_read_by_entry(kind: str) -> None:
    names = [*SHORT_NAMES, b"DUP     TXT"]
    slots = b"".join(record(name, FIRST + at, 1) for at, name in enumerate(names))
    with Fat(card_with(kind, slots, len(names))) as fs:
        entries = list(fs.scandir())
        duplicate = rf"/DUP.TXT\slot{len(SHORT_NAMES)}"
        assert [entry.path for entry in entries] == [*SHORT_NAMES.values(), duplicate]
        contents = [fs.read_bytes(entry) for entry in entries]
        first = contents[0][0]
        assert contents == [bytes((first + at,)) for at in range(len(names))]
        assert [file.path for _, _, files in fs.walk() for file in files] == [
            entry.path for entry in entries
        ]
        for entry in entries:
            fs.remove(entry)
        assert fs.listdir() == []


@every_kind
def test_long_names_with_a_slash_are_read_by_entry(kind: str) -> None:
    slots = b""
    for at, name in enumerate(LONG_NAMES):
        short = b"LONG~%d     " % at
        slots += long_entries(name, short) + record(short, FIRST + at, 1)
    with Fat(card_with(kind, slots, len(LONG_NAMES))) as fs:
        entries = list(fs.scandir())
        assert [entry.path for entry in entries] == [*LONG_NAMES.values()]
        first = fs.read_bytes(entries[0])[0]
        for at, entry in enumerate(entries):
            assert fs.read_bytes(entry) == bytes((first + at,))
            assert entry.name == entry.path[1:]
            with pytest.raises((FileSystemError, ValueError)):
                fs.read_bytes(entry.path)


@every_kind
def test_folder_with_an_impossible_name_is_walked_by_entry(kind: str) -> None:
    card = new_card(kind)
    with Fat(card) as fs:
        fs.mkdir("/DIR")
        fs.write_bytes("/DIR/in.txt", b"inside")
        geometry, slot = fs.geometry, fs.stat("/DIR").native.slot
        root = (
            geometry.root_start if kind != "fat32" else geometry.sector_of(geometry.root_cluster)
        )
    raw = bytearray(card.read(root, 1))
    raw[slot * DirEntry.size : slot * DirEntry.size + 11] = b"D/R        "
    card.write(root, raw)
    with Fat(card) as fs:
        ((_, (folder,), _), (path, _, (file,))) = fs.walk()
        assert (folder.path, path, file.path) == (r"/D\x2fR", r"/D\x2fR", r"/D\x2fR/in.txt")
        assert [entry.path for entry in fs.scandir(folder)] == [file.path]
        assert fs.read_bytes(file) == b"inside"


@every_kind
def test_orphaned_and_damaged_long_slots_leave_the_short_name(kind: str) -> None:
    short = b"SHORT~1 TXT"
    good = long_entries("A long name.txt", short)
    wrong_sum = bytearray(good)
    wrong_sum[13] ^= 0xFF
    slots = good + record(b"LABEL      ", 0, 0, int(Attribute.VOLUME_ID))  # orphans
    slots += bytes(wrong_sum) + record(short, FIRST, 1)
    slots += good[DirEntry.size :] + record(b"OTHER~1 TXT", FIRST + 1, 1)
    with Fat(card_with(kind, slots, 2)) as fs:
        entries = list(fs.scandir())
        assert [entry.path for entry in entries] == ["/SHORT~1.TXT", "/OTHER~1.TXT"]
        assert all(fs.read_bytes(entry) == fs.read_bytes(entry.path) for entry in entries)


def test_entries_of_one_folder_have_different_paths() -> None:
    names = [b"SAME    TXT"] * 4 + [b"SAME\\X2FTXT", b"SAME/   TXT"]
    slots = b"".join(record(name, FIRST + at, 1) for at, name in enumerate(names))
    with Fat(card_with("fat16", slots, len(names))) as fs:
        entries: list[Entry[FatEntry]] = list(fs.scandir())
        assert len({entry.path for entry in entries}) == len(names)
        assert all(entry.path.isprintable() for entry in entries)
