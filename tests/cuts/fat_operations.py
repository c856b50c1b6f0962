"""Each call of a FAT volume that writes, on a card that makes it hard, to be cut everywhere."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

from cuts.fat_sets import read_volume
from fat.volumes import NOW, Checker
from maixfs.fat import FatCore, OpenFlag, format_volume
from maixfs.sd import SECTOR, SectorCut, SectorRecorder, SectorRecording, SnapshotSectors
from maixfs.snapshot import Snapshot
from spiffs.areas import pattern

READ, WRITE, EMPTY = OpenFlag.READ, OpenFlag.WRITE, OpenFlag.CREATE_ALWAYS
APPEND = OpenFlag.APPEND
KINDS = {
    "fat12": (2000, {"fat_type": 12, "cluster_size": 512}),
    "fat16": (9000, {"fat_type": 16, "cluster_size": 512, "fats": 2}),
    "fat16-4k": (34000, {"fat_type": 16, "cluster_size": 4096, "fats": 2}),
    "fat32": (70000, {"fat_type": 32, "cluster_size": 512, "fats": 2}),
    "fat32-1k": (140000, {"fat_type": 32, "cluster_size": 1024, "fats": 1}),
}
SLOW_KINDS = {"fat32-1k"}
"""Kinds that only the longer run cuts."""
LINKS = {"fat12": 341, "fat16": 256, "fat32": 128}
"""Whole links in a sector of the FAT."""
LONG = "A long name that needs several entries of its folder.txt"
_HARMLESS = re.compile(r"nobody's$|^the FATs differ$|^FSInfo says")
_SHARED = re.compile(r"'s$|/\.{1,2} +leads to|bytes in")
"""What a file or folder does that is there under two names; sizes differ in the second one,
whose chain the check does not follow again."""


@dataclass(frozen=True)
class Operation:
    """An operation: ``least`` cuts on every kind of volume, and what it may leave behind."""

    run: Callable[[FatCore], object]
    least: int
    moves: dict[str, str] = field(default_factory=dict)
    """Old and new path of what is renamed; one of the two must be there at every cut."""
    passing: frozenset[str] = frozenset()
    """Files that are removed and made again."""
    shortens: bool = False
    """A file's chain may be shorter than its entry says, as FatFs leaves it."""

    @property
    def name(self) -> str:
        return self.run.__name__


OPERATIONS: dict[str, Operation] = {}


def operation(
    least: int, *, passing: str = "", shortens: bool = False, **moves: str
) -> Callable[[Callable[[FatCore], object]], Operation]:
    """Enter a function into OPERATIONS; ``moves`` are ``old=...`` and ``new=...``."""
    moved = {moves["old"]: moves["new"]} if moves else {}

    def enter(run: Callable[[FatCore], object]) -> Operation:
        entry = Operation(run, least, moved, frozenset(passing.split()), shortens)
        OPERATIONS[entry.name] = entry
        return entry

    return enter


@cache
def card(kind: str) -> Snapshot:
    """Return a volume whose files lie on both sides of where a sector of the FAT ends.

    The folder /a has 12 files: a long name in it straddles the end of its first sector.
    """
    sectors, options = KINDS[kind]
    snapshot = Snapshot(sectors * SECTOR)
    device = SnapshotSectors(snapshot)
    format_volume(device, 0, sectors, serial=1, clock=lambda: NOW, **options)
    cluster = options["cluster_size"]
    with FatCore(device, clock=lambda: NOW) as fat:
        for path in ("/a", "/d", "/empty", "/keep", "/tree", "/tree/inner"):
            fat.mkdir(path)
        for number in range(12):
            fat.write_bytes(f"/a/f{number}", pattern(40 * number, number))
        fat.write_bytes("/tree/one", pattern(700, 20))
        fat.write_bytes(f"/tree/inner/{LONG}", pattern(1700, 21))
        fat.write_bytes(f"/keep/{LONG}", pattern(3000, 22))
        fat.write_bytes("/old", pattern(cluster * 4, 23))
        used = fat.geometry.clusters - fat.count_free()
        links = LINKS[kind.partition("-")[0]]
        fat.write_bytes("/fill", pattern(cluster * (links - 8 - (used + 2) % links), 24))
        fat.write_bytes("/border", pattern(cluster * 12, 25))
        fat.write_bytes("/d/last", pattern(cluster * 3 - 100, 26))
    return snapshot


@operation(2)
def create_empty(fat: FatCore) -> None:
    fat.open("/NEW.TXT", WRITE | EMPTY).close()


@operation(4)
def create_with_long_names(fat: FatCore) -> None:
    """The entries of each name straddle the end of the folder's first sector or cluster."""
    for name in ("moved to the end.x", "And another one of that kind.bin", "x.y"):
        fat.write_bytes(f"/a/{name}", pattern(60, 1))


@operation(4)
def write_small(fat: FatCore) -> None:
    fat.write_bytes("/d/small", pattern(10))


@operation(12)
def write_large(fat: FatCore) -> None:
    with fat.open("/d/large", WRITE | EMPTY) as file:
        for piece in range(12):
            file.write(pattern(7 * SECTOR + 13, piece))


@operation(5)
def append(fat: FatCore) -> None:
    with fat.open("/d/last", WRITE | APPEND) as file:
        file.write(pattern(700, 2))
        file.write(pattern(7000, 3))


@operation(3)
def overwrite(fat: FatCore) -> None:
    with fat.open("/border", READ | WRITE) as file:
        file.seek(700)
        file.write(pattern(1800, 4))


@operation(5)
def rewrite(fat: FatCore) -> None:
    fat.write_bytes("/border", pattern(SECTOR * 14, 5))


@operation(4)
def empty_then_folder(fat: FatCore) -> None:
    fat.open("/border", WRITE | EMPTY)
    fat.mkdir("/new")
    fat.write_bytes("/new/file", pattern(SECTOR * 3, 6))


@operation(4)
def empty_then_other(fat: FatCore) -> None:
    fat.open("/border", WRITE | EMPTY)
    fat.write_bytes("/other", pattern(SECTOR * 3, 6))


@operation(40)
def empty_then_names(fat: FatCore) -> None:
    """A folder grows into clusters that a file had, backwards, and over the border."""
    fat.open("/old", WRITE | EMPTY)
    for number in range(9):
        fat.write_bytes(f"/d/A long name for number {number}", pattern(700, number))
    fat.open("/border", WRITE | EMPTY)
    for number in range(20):
        fat.write_bytes(f"/d/Another long name, {number}", b"")


@operation(6)
def written_then_emptied(fat: FatCore) -> None:
    """One file has grown in RAM when another is emptied."""
    with fat.open("/d/last", READ | WRITE | APPEND) as file:
        file.write(pattern(SECTOR * 5, 7))
        fat.open("/border", WRITE | EMPTY)
        file.write(pattern(SECTOR * 20, 8))


@operation(3, shortens=True)
def truncate(fat: FatCore) -> None:
    with fat.open("/border", WRITE) as file:
        file.seek(700)
        file.truncate()


@operation(4, shortens=True)
def shorten(fat: FatCore) -> None:
    with fat.open("/fill", WRITE) as file:
        file.seek(SECTOR)
        file.truncate()
        file.sync()
        fat.write_bytes("/other", pattern(SECTOR * 3, 6))


@operation(4, shortens=True)
def shorten_and_take(fat: FatCore) -> None:
    """What was cut off is another file's before the first is closed."""
    with fat.open("/border", WRITE) as file:
        file.truncate()
        fat.write_bytes("/other", pattern(SECTOR * 3, 6))
        file.write(pattern(SECTOR, 9))


@operation(30)
def backwards(fat: FatCore) -> None:
    """The last file goes on where the first one was."""
    fat.remove("/old")
    fat.open("/fill", WRITE | EMPTY).close()
    with fat.open("/d/last", WRITE | APPEND) as file:
        for number in range(30):
            file.write(pattern(SECTOR * 7, number))


@operation(3)
def remove(fat: FatCore) -> None:
    fat.remove("/border")


@operation(3)
def remove_with_long_name(fat: FatCore) -> None:
    fat.remove(f"/keep/{LONG}")


@operation(2, old="/old", new="/Named.txt")
def rename(fat: FatCore) -> None:
    fat.rename("/old", "/Named.txt")


@operation(2, old="/a/f1", new="/a/moved to the end.x")
def rename_across_sectors(fat: FatCore) -> None:
    """The new entries straddle two sectors; the old entry lies in the first of them."""
    fat.rename("/a/f1", "/a/moved to the end.x")


@operation(2, old="/old", new=f"/d/{LONG}")
def rename_into_other_folder(fat: FatCore) -> None:
    fat.rename("/old", f"/d/{LONG}")


@operation(2, old=f"/keep/{LONG}", new="/a/Another long name for it that is long.bin")
def rename_long_names(fat: FatCore) -> None:
    fat.rename(f"/keep/{LONG}", "/a/Another long name for it that is long.bin")


@operation(2, old="/tree/inner", new="/tree/Other name of the folder")
def rename_folder(fat: FatCore) -> None:
    fat.rename("/tree/inner", "/tree/Other name of the folder")


@operation(3, old="/tree/inner", new="/d/inner")
def move_folder(fat: FatCore) -> None:
    fat.rename("/tree/inner", "/d/inner")


@operation(3)
def make_folder(fat: FatCore) -> None:
    fat.mkdir("/d/new")


@operation(4)
def make_folder_with_long_name(fat: FatCore) -> None:
    """The folder above grows by a cluster where clusters are small."""
    fat.mkdir(f"/a/{LONG}")
    fat.mkdir(f"/a/{LONG}/in it")


@operation(2)
def remove_folder(fat: FatCore) -> None:
    fat.remove("/empty")


@operation(3)
def remove_tree(fat: FatCore) -> None:
    fat.remove_tree("/tree")


@operation(2)
def set_attributes(fat: FatCore) -> None:
    fat.set_attributes(f"/keep/{LONG}", 0x01)


@operation(2)
def set_times(fat: FatCore) -> None:
    fat.set_times("/a/f3", modified=(0x5555, 0x1111), created=(0x5554, 0x1111), accessed=0x5553)


@operation(3)
def set_label(fat: FatCore) -> None:
    fat.set_label("LABEL")
    fat.set_label("")


@operation(10)
def sync_open_files(fat: FatCore) -> None:
    with fat.open("/d/last", WRITE | APPEND) as file:
        for number in range(4):
            file.write(pattern(300, number))
            file.sync()
        file.write(pattern(1300, 4))
        fat.sync()


@operation(20)
def two_files(fat: FatCore) -> None:
    with fat.open("/one", WRITE | EMPTY) as one, fat.open("/d/two", WRITE | EMPTY) as two:
        for number in range(6):
            one.write(pattern(900, number))
            two.write(pattern(1100, number))
        one.sync()
        two.write(pattern(1100, 7))


@operation(10, passing="/border /a/f5")
def remove_and_create_again(fat: FatCore) -> None:
    fat.remove("/border")
    fat.write_bytes("/border", pattern(3000, 9))
    fat.remove("/a/f5")
    fat.write_bytes("/a/f5", pattern(900, 9))


@operation(20)
def many_held(fat: FatCore) -> None:
    with fat.held():
        for number in range(12):
            fat.mkdir(f"/d/Folder {number}")
            fat.write_bytes(f"/d/Folder {number}/A file of it", pattern(700, number))
        fat.write_bytes("/border", pattern(SECTOR * 14, 5))
        fat.remove("/old")
        fat.write_bytes("/new", pattern(SECTOR * 6, 6))
        assert fat.read_bytes("/d/Folder 3/A file of it") == pattern(700, 3)


@operation(2, old="/old", new="/a/New place and name")
def rename_held(fat: FatCore) -> None:
    with fat.held():
        fat.rename("/old", "/a/New place and name")
        fat.write_bytes("/a/f2", pattern(500, 11))


def record(kind: str, name: str, *, faithful: bool = False) -> SectorRecording:
    """Run an operation on the card of a kind and return what was written."""
    recorder = SectorRecorder(SnapshotSectors(card(kind).copy()))
    fat = FatCore(recorder, faithful=faithful, clock=lambda: NOW)
    with recorder.cause(name):
        OPERATIONS[name].run(fat)
        fat.close()
    return recorder.recording


class Judge:
    """Knows what a card may hold at any cut of an operation."""

    def __init__(self, name: str, recording: SectorRecording) -> None:
        self.operation = OPERATIONS[name]
        self.recording = recording
        self.before = self._files(recording.initial)
        self.after = self._files(recording.at(len(recording)))
        self.quiet = {
            path: data for path, data in self.before.items() if self.after.get(path) == data
        }

    def lost(self, cut: SectorCut) -> list[str]:
        """Return the closed files that the operation does not touch and that a cut cost."""
        found = read_volume(SnapshotSectors(cut.state))
        if isinstance(found, str):
            return [f"the volume does not mount: {found}"]
        return [
            f"{path!r} is lost" for path, data in self.quiet.items() if found.get(path) != data
        ]

    def faults(self, cut: SectorCut) -> list[str]:
        """Return everything that is wrong with the card after a cut."""
        found = read_volume(SnapshotSectors(cut.state))
        if isinstance(found, str):
            return [f"the volume does not mount: {found}"]
        wrong = [f"{path} is lost" for path, data in self.quiet.items() if found.get(path) != data]
        for path in (self.before.keys() | self.after.keys()) - self.quiet.keys():
            wrong += self._hot(path, found.get(path))
        for path in found.keys() - self.before.keys() - self.after.keys():
            wrong.append(f"{path!r} never was")
        for old, new in self.operation.moves.items():
            wrong += self._moved(old.encode(), new.encode(), found)
        check = Checker(SnapshotSectors(cut.state)).check()
        return wrong + [fault for fault in check.faults if not self._harmless(fault)]

    def works(self, cut: SectorCut) -> list[str]:
        """Write three files to the card of a cut; return what goes wrong then."""
        device = SnapshotSectors(cut.state.copy())
        new = {f"/After {number}": pattern(900, number) for number in range(3)}
        with FatCore(device, clock=lambda: NOW) as fat:
            for path, data in new.items():
                fat.write_bytes(path, data)
        found = read_volume(device)
        assert not isinstance(found, str)
        expected = self.quiet | {path.encode(): data for path, data in new.items()}
        return [f"{path!r} is lost" for path in expected if found.get(path) != expected[path]]

    def _hot(self, path: bytes, data: bytes | str | None) -> list[str]:
        """Judge a file that the operation changes: old, new, or a part of one of them."""
        old, new = self.before.get(path), self.after.get(path)
        if data is None:
            passing = path.decode() in self.operation.passing
            return [] if passing or old is None or new is None else [f"{path!r} is gone"]
        if isinstance(data, str):
            return [f"{path!r} cannot be read: {data}"]
        if data in (old, new):
            return []
        for whole in (old, new):
            if whole is not None and whole.startswith(data):
                return []
        if old is not None and new is not None and len(data) in (len(old), len(new)):
            places = range(len(data))
            if all(data[at] in (*old[at : at + 1], *new[at : at + 1]) for at in places):
                return []
        return [f"{path!r} has other bytes"]

    def _moved(self, old: bytes, new: bytes, found: dict[bytes, bytes | str]) -> list[str]:
        wrong = []
        for path, data in self.before.items():
            if path == old or path.startswith(old + b"/"):
                names = (path, new + path[len(old) :])
                if data not in [found.get(name) for name in names]:
                    wrong.append(f"{path!r} is under neither name")
        return wrong

    def _harmless(self, fault: str) -> bool:
        """Room that nobody has, that a file has beyond its size, or that two names share."""
        if self.operation.moves and _SHARED.search(fault):
            return True
        size, is_size, room = fault.rpartition(": ")[2].partition(" bytes in ")
        if is_size:
            return self.operation.shortens or int(size) <= int(room)
        return _HARMLESS.search(fault) is not None

    @staticmethod
    def _files(state: Snapshot) -> dict[bytes, bytes]:
        found = read_volume(SnapshotSectors(state))
        assert not isinstance(found, str)
        return {path: data for path, data in found.items() if isinstance(data, bytes)}
