"""The C's recordings of SPIFFS areas, replayed, cut and read with our driver."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from functools import cache

from cuts.scripts import DATA, SPIFFS_PARTS, Found, Line, RecordedSet
from maixfs.nor import (
    SEQUENTIAL_TEARS,
    NorCut,
    NorOperation,
    NorRecorder,
    NorRecording,
    SnapshotFlash,
    make_driver,
)
from maixfs.nor.chip import NorChip
from maixfs.snapshot import Snapshot
from maixfs.spiffs import Geometry, OpenFlag, SpiffsCore, SpiffsError

SETS = sorted(path.parent.name for path in (DATA / "cuts").glob("*/manifest.json"))
_SECTOR = 4096
_RDWR, _CREAT, _TRUNC = OpenFlag.RDWR, OpenFlag.CREAT, OpenFlag.TRUNC
_COPY_PIECES = (64, 256)
"""Bytes in which the C copies pages."""


class SpiffsSet(RecordedSet):
    """One of the sets: ``recording`` has what the C asked of the flash, ``owners`` its lines."""

    def __init__(self, name: str) -> None:
        super().__init__(DATA / "cuts" / name, SPIFFS_PARTS)
        numbers = {key: self.manifest[key] for key in ("gc_max_runs", "copy_buffer")}
        self.geometry = Geometry(**self.manifest["geometry"], **numbers)
        base, end = self.geometry.base, self.geometry.base + self.geometry.size
        content = gzip.decompress((self.folder / "initial.bin.gz").read_bytes())
        initial = Snapshot.of(content, offset=base, size=end, value=0xFF)
        records, data = self.log(b"MXCUTS1\0", "<BBHII")
        operations: list[NorOperation] = []
        self.owners: list[int] = []
        start = 0
        for kind, _, owner, address, length in records:
            end = start + length if kind == 1 else start
            operations.append(
                NorOperation(
                    "program" if kind == 1 else "erase",
                    base + address,
                    length,
                    data[start:end],
                    self.lines[owner].text,
                )
            )
            self.owners.append(owner)
            start = end
        literal = self.manifest["nor_model"] == "literal"
        self.recording = NorRecording(initial, operations, literal=literal)

    def area(self, state: Snapshot) -> bytes:
        """Return the bytes of the area alone."""
        return state.read(self.geometry.base, self.geometry.size)

    def cuts(self, copies: int = 24) -> Iterator[NorCut]:
        """Yield the cuts; of the inner pieces of page copies only each ``copies``-th one's."""

        def selected(number: int) -> bool:
            return number % copies == 0 or not self._inside_copy(number)

        return self.recording.cuts(SEQUENTIAL_TEARS, selected=selected)

    def line_of(self, cut: NorCut) -> int:
        """Return the line that was running, one past the last after all of them."""
        return self.owners[cut.number] if cut.number < len(self.owners) else len(self.lines)

    def read(self, state: Snapshot) -> Found | str:
        """Return what our driver reads; a word where it does not mount."""
        options = {key: self.manifest[name] for key, name in _LIMITS.items()}
        options |= {"faithful": True, "read_only": True}
        try:
            fs = SpiffsCore(SnapshotFlash(state), self.geometry, **options)
        except SpiffsError as error:
            return str(int(error.code))
        found: Found = {}
        for entry in list(fs.scandir()):
            name = entry.raw_name
            if name in found:  # as a program finds it that asks for the name
                found[name] = _content(fs, name)
            else:
                found[name] = _content(fs, entry.page)
        return found

    def replay(
        self, *, copy_pieces: bool
    ) -> Iterator[tuple[Line, list[NorOperation], list[NorOperation]]]:
        """Run the script with our driver: yield line, the C's operations and ours."""
        chip = NorChip.in_memory(content=bytes(self.recording.initial))
        driver = "literal" if self.recording.literal else "ideal"
        flash = NorRecorder(make_driver(driver, chip))
        options = {key: self.manifest[name] for key, name in _LIMITS.items()}
        options |= {"faithful": True, "copy_pieces": copy_pieces}
        fs = SpiffsCore(flash, self.geometry, **options)
        ours = flash.recording.operations
        theirs: list[list[NorOperation]] = [[] for _ in self.lines]
        for owner, operation in zip(self.owners, self.recording.operations, strict=True):
            theirs[owner].append(operation)
        for line, operations in zip(self.lines, theirs, strict=True):
            start = len(ours)
            run(fs, line)
            yield line, operations, ours[start:]

    def _inside_copy(self, number: int) -> bool:
        """Return whether an operation is a piece of a page copy with pieces on both sides."""
        around = self.recording.operations[max(0, number - 1) : number + 2]
        if len(around) < 3:
            return False
        before, here, after = around
        return (
            {operation.kind for operation in around} == {"program"}
            and before.address + before.length == here.address
            and here.address + here.length == after.address
            and here.length in _COPY_PIECES
        )


_LIMITS = {"max_files": "fd_count", "cache_pages": "cache_pages"}


@cache
def load(name: str) -> SpiffsSet:
    """Return a set; loading one takes a moment."""
    return SpiffsSet(name)


def _content(fs: SpiffsCore, place: int | bytes) -> bytes | str:
    try:
        if isinstance(place, int):
            opened = fs.open_page(place)
        else:
            opened = fs.open_descriptor(place, OpenFlag.RDONLY)
        with opened as file:
            return file.read()
    except SpiffsError as error:
        return str(int(error.code))


def run(fs: SpiffsCore, line: Line) -> None:
    """Do what a line of a script says."""
    if line.verb == "rename":
        fs.rename(*line.names)
    elif line.verb == "rm":
        fs.remove(line.names[0])
    else:
        flags = {"put": _RDWR | _CREAT | _TRUNC, "append": _RDWR | _CREAT | OpenFlag.APPEND}
        with fs.open_descriptor(line.names[0], flags.get(line.verb, _RDWR)) as file:
            if line.verb == "pwrite":
                file.seek(line.offset)
            for piece in line.pieces:
                file.write(piece)


def joined(operations: list[NorOperation]) -> tuple[list[tuple[int, bytes | int]], set[int]]:
    """Return operations with adjoining programs as one and erases sector by sector, and the
    places between the operations, in bytes that were programmed or erased up to there.

    Two lists of operations that are equal like this differ only in how calls are divided.
    """
    result: list[tuple[int, bytes | int]] = []
    places: set[int] = set()
    done = 0
    for operation in operations:
        done += operation.length
        places.add(done)
        if operation.kind == "erase":
            end = operation.address + operation.length
            result += [(sector, _SECTOR) for sector in range(operation.address, end, _SECTOR)]
            continue
        if result:
            start, data = result[-1]
            if isinstance(data, bytes) and start + len(data) == operation.address:
                result[-1] = start, data + operation.data
                continue
        result.append((operation.address, operation.data))
    return result, places


def sectors_alone(operations: list[NorOperation]) -> list[tuple[str, int, bytes]]:
    """Return programs as they are and erases sector by sector, without their causes."""
    return [
        (operation.kind, address, operation.data)
        for operation in operations
        for address in (
            range(operation.address, operation.address + operation.length, _SECTOR)
            if operation.kind == "erase"
            else (operation.address,)
        )
    ]
