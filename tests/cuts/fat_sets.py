"""The recordings of FatFs's cards, replayed, cut and read with our driver."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from functools import cache

from cuts.scripts import DATA, FAT_PARTS, Found, Line, RecordedSet
from maixfs.fat import FatCore, FatError, OpenFlag
from maixfs.sd import (
    SECTOR,
    SectorCut,
    SectorDevice,
    SectorOperation,
    SectorRecorder,
    SectorRecording,
    SnapshotSectors,
)
from maixfs.snapshot import Snapshot

SETS = sorted(path.parent.name for path in (DATA / "fatcuts").glob("*/manifest.json"))
NOW = (0x5CA6, 0x3905)
"""2026-05-06 07:08:10, the time of the recordings, as date and time of a FAT entry."""
_DEPTH = 8
_LARGEST = 1 << 24
"""A damaged entry can claim any size; no file of the recordings is that large."""


class FatSet(RecordedSet):
    """One of the sets: ``recording`` has what FatFs wrote, ``owners`` the lines that wrote it."""

    def __init__(self, name: str) -> None:
        super().__init__(DATA / "fatcuts" / name, FAT_PARTS)
        self.start: int = self.manifest["card"]["partition_start"]
        records, data = self.log(b"MXFCUT1\0", "<HBBII")
        operations: list[SectorOperation] = []
        self.owners: list[int] = []
        at = 0
        for owner, kind, _, sector, count in records:
            end = at + count * SECTOR if kind == 1 else at
            cause = self.lines[owner].text
            if kind == 1:
                operations.append(SectorOperation("write", sector, data[at:end], cause))
            else:
                operations.append(SectorOperation("sync", cause=cause))
            self.owners.append(owner)
            at = end
        self.recording = SectorRecording(load_extents(self.folder / "initial.ext.gz"), operations)

    def line_of(self, cut: SectorCut) -> int:
        """Return the line that was running, one past the last after all of them.

        After the last sector of a line that is the line still, if a sync follows.
        """
        number = cut.number
        if cut.landed == self.recording.operations[number].sectors:
            number += 1
        return self.owners[number] if number < len(self.owners) else len(self.lines)

    def read(self, state: Snapshot) -> Found | str:
        """Return what our driver reads; a word where it does not mount."""
        return read_volume(SnapshotSectors(state), self.start)

    def replay(self, *, faithful: bool = False) -> FatSet:
        """Return the set with what our driver writes for the same script in place of FatFs."""
        ours = FatSet(self.name)
        recorder = SectorRecorder(SnapshotSectors(self.recording.initial.copy()))
        fat = FatCore(recorder, self.start, faithful=faithful, clock=lambda: NOW)
        ours.recording, ours.owners = recorder.recording, []
        for number, line in enumerate(self.lines):
            with recorder.cause(line.text):
                run(fat, line)
            done = len(ours.owners)
            ours.owners += [number] * (len(recorder.recording) - done)
        return ours


@cache
def load(name: str) -> FatSet:
    """Return a set; loading one takes a moment."""
    return FatSet(name)


def load_extents(path: object) -> Snapshot:
    """Return the card of an ``image.ext.gz`` or ``initial.ext.gz``."""
    with gzip.open(str(path)) as source:
        about = json.loads(source.readline())
        card = Snapshot(about["size"])
        for offset, length in about["extents"]:
            card.write(offset, source.read(length))
    return card


def read_volume(device: SectorDevice, start: int = 0) -> Found | str:
    """Return all files by path, an error's name for one that cannot be read.

    A folder that cannot be read hides only what is in it.
    """
    try:
        fat = FatCore(device, start, read_only=True)
    except FatError as error:
        return error.result.name
    found: Found = {}
    folders = [b""]
    for folder in folders:
        for path, is_folder, size in _entries(fat, folder):
            if is_folder:
                if path.count(b"/") < _DEPTH:
                    folders.append(path)
            elif size > _LARGEST:
                found[path] = "too large"
            else:
                found[path] = _content(fat, path)
    return found


def _entries(fat: FatCore, folder: bytes) -> Iterator[tuple[bytes, bool, int]]:
    try:
        for entry in fat.scandir(folder or b"/"):
            yield folder + b"/" + entry.oem_name, entry.is_dir, entry.size
    except FatError:
        return


def _content(fat: FatCore, path: bytes) -> bytes | str:
    try:
        return fat.read_bytes(path)
    except FatError as error:
        return error.result.name


_FLAGS = {
    "put": OpenFlag.WRITE | OpenFlag.CREATE_ALWAYS,
    "append": OpenFlag.WRITE | OpenFlag.APPEND,
    "pwrite": OpenFlag.READ | OpenFlag.WRITE,
}


def run(fat: FatCore, line: Line) -> None:
    """Do what a line of a script says."""
    if line.verb == "mkdir":
        fat.mkdir(line.names[0])
    elif line.verb == "rm":
        fat.remove(line.names[0])
    elif line.verb == "rename":
        fat.rename(*line.names)
    else:
        with fat.open(line.names[0], _FLAGS[line.verb]) as file:
            if line.verb == "pwrite":
                file.seek(line.offset)
            for piece in line.pieces:
                file.write(piece)
