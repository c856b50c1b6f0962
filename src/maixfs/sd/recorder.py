"""Record the writes to a card, and derive the states that a power cut can leave.

    recorder = SectorRecorder(card)
    run_a_workload(recorder)                     # any user of a SectorDevice
    for cut in recorder.recording.cuts():        # after each sector that was written
        mount(SnapshotSectors(cut.state))

A card writes whole sectors. ``cuts`` has them land in the order in which they were written;
``reordered_cuts`` is a card with a cache, which promises an order only by ``sync``.
"""

from __future__ import annotations

import random
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from maixfs.errors import UsageError
from maixfs.sd.device import SECTOR, Buffer, SectorDevice
from maixfs.sd.errors import out_of_card, partial_sector
from maixfs.snapshot import Recording, Snapshot
from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHUNK = 2048
"""Sectors that are read at once for the initial state: 1 MiB."""


class SectorOperation(NamedTuple):
    """A write of whole sectors or a sync: first sector, data and cause."""

    kind: Literal["write", "sync"]
    sector: int = 0
    data: bytes = b""
    cause: str | None = None

    @property
    def sectors(self) -> int:
        """Sectors that are written; 0 for a sync."""
        return len(self.data) // SECTOR


class SectorCut(NamedTuple):
    """The state after a power cut in operation ``number`` (from 0), of which ``landed`` sectors
    are on the card.

    ``seed`` is that of a card with a cache, and ``None`` where everything before landed.
    """

    number: int
    landed: int
    state: Snapshot
    seed: int | None = None

    @property
    def label(self) -> str:
        """The cut in one word: ``cut42.1``, or ``cut42.1r7`` for the cache of seed 7.

        ``SectorRecording.cut`` finds it again.
        """
        return f"cut{self.number}.{self.landed}" + ("" if self.seed is None else f"r{self.seed}")


class SectorRecording(Recording[SectorOperation]):
    """Everything that was written to a card, and each sync."""

    def play(self, state: Snapshot, operation: SectorOperation) -> None:
        """Apply a whole operation to ``state``; a sync changes nothing."""
        if operation.data:
            state.write(operation.sector * SECTOR, operation.data)

    def cuts(self) -> Iterator[SectorCut]:
        """Yield the initial state, and then the card after each sector that was written."""
        state = self.initial.copy()
        # The card before the first write is a state that a cut can leave, too.
        yield SectorCut(0, 0, state.copy())
        for index, operation in enumerate(self.operations):
            # Between sectors only: a card replaces a sector as a whole, unlike flash.
            for landed in range(1, operation.sectors + 1):
                _land(state, operation, landed - 1)
                yield SectorCut(index, landed, state.copy())

    def reordered_cuts(self, seed: int) -> Iterator[SectorCut]:
        """Yield the card after each sector, without some of the sectors since the last sync.

        Each of these landed with a chance of one half, or not, at a choice that ``seed``, the
        place of the cut and nothing else decide. Cuts after the first sector since a sync are
        left out: what can be there, ``cuts`` has too.
        """
        firm = self.initial.copy()
        pending: list[tuple[int, bytes]] = []
        for index, operation in enumerate(self.operations):
            # A sync is the only promise of order that a card with a cache makes.
            if operation.kind == "sync":
                for sector, data in pending:
                    firm.write(sector * SECTOR, data)
                pending = []
            for landed in range(1, operation.sectors + 1):
                pending.append(_sector_of(operation, landed - 1))
                if len(pending) > 1:
                    state = firm.copy()
                    # Seeded by the place of the cut: a label finds its state again without the
                    # others.
                    chance = random.Random(f"{seed} {index} {landed}")
                    for sector, data in pending:
                        if chance.random() < 0.5:
                            state.write(sector * SECTOR, data)
                    yield SectorCut(index, landed, state, seed)

    def cut(self, label: str) -> SectorCut:
        """Return the cut that ``SectorCut.label`` calls ``label``.

        Raises ``UsageError`` if there is no such cut in this recording.
        """
        place, _, seed = label.partition("r")
        number, _, count = place.removeprefix("cut").partition(".")
        if not (number.isdecimal() and count.isdecimal() and (seed or "0").isdecimal()):
            raise UsageError(
                f"{label!r} is not a cut of a card",
                hint="write cutN.M: N operations and M sectors of the next one landed",
            )
        index, landed = int(number), int(count)
        if seed:
            for cut in self.reordered_cuts(int(seed)):
                if (cut.number, cut.landed) == (index, landed):
                    return cut
            raise UsageError(f"this recording has no cut {label!r}")
        state = self.at(index)
        operation = self.operations[index] if index < len(self.operations) else None
        if landed > (operation.sectors if operation is not None else 0):
            raise UsageError(f"operation {index} does not write {landed} sectors")
        if operation is not None:
            for at in range(landed):
                _land(state, operation, at)
        return SectorCut(index, landed, state)


def _sector_of(operation: SectorOperation, at: int) -> tuple[int, bytes]:
    return operation.sector + at, operation.data[at * SECTOR : (at + 1) * SECTOR]


def _land(state: Snapshot, operation: SectorOperation, at: int) -> None:
    sector, data = _sector_of(operation, at)
    state.write(sector * SECTOR, data)


def _contents(device: SectorDevice) -> Snapshot:
    if isinstance(device, SnapshotSectors):
        return device.snapshot.copy()
    contents = Snapshot(device.sectors * SECTOR)
    for start in range(0, device.sectors, _CHUNK):
        data = device.read(start, min(_CHUNK, device.sectors - start))
        # A snapshot keeps zeros without memory, and most of a card is zeros.
        if data.strip(b"\0"):
            contents.write(start * SECTOR, data)
    return contents


class SectorRecorder:
    """A card that records what is written through it to ``device``, and each sync.

    ``device`` is read once for the initial state, whole: this is for cards of up to a few
    hundred MiB.
    """

    def __init__(self, device: SectorDevice) -> None:
        self.device = device
        self.sectors = device.sectors
        self.current_cause: str | None = None
        self.recording = SectorRecording(_contents(device))

    @property
    def read_only(self) -> bool:
        """Whether ``write`` is refused."""
        return self.device.read_only

    def read(self, sector: int, count: int) -> bytes:
        """Return ``count`` sectors."""
        return self.device.read(sector, count)

    def readinto(self, sector: int, buffer: memoryview) -> None:
        """Fill ``buffer``, whole sectors long."""
        self.device.readinto(sector, buffer)

    def write(self, sector: int, data: Buffer) -> None:
        """Write ``data``, whole sectors long, and record it, unless the device refuses it."""
        self.device.write(sector, data)  # first: it refuses what is not a buffer
        kept = bytes(data)
        if kept:
            operation = SectorOperation("write", sector, kept, self.current_cause)
            self.recording.operations.append(operation)

    def sync(self) -> None:
        """Return when everything written is on the medium, and record that."""
        # Recorded only where the device could do it: a failed sync promises nothing.
        self.device.sync()
        self.recording.operations.append(SectorOperation("sync", cause=self.current_cause))

    @contextmanager
    def cause(self, text: str) -> Iterator[None]:
        """Name the reason of all operations in a ``with`` block."""
        outer, self.current_cause = self.current_cause, text
        try:
            yield
        finally:
            self.current_cause = outer


class SnapshotSectors:
    """A card over ``snapshot``, which it changes: copy it first to keep it.

    Raises ``SectorError`` as every ``SectorDevice``; bytes after the last whole sector of the
    snapshot are not part of the card.
    """

    read_only = False

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.sectors = snapshot.size // SECTOR

    def read(self, sector: int, count: int) -> bytes:
        """Return ``count`` sectors."""
        self._check(sector, count)
        return self.snapshot.read(sector * SECTOR, count * SECTOR)

    def readinto(self, sector: int, buffer: memoryview) -> None:
        """Fill ``buffer``, whole sectors long."""
        view = buffer.cast("B")
        view[:] = self.read(sector, _whole_sectors(view))

    def write(self, sector: int, data: Buffer) -> None:
        """Write ``data``, whole sectors long."""
        view = memoryview(data).cast("B")
        self._check(sector, _whole_sectors(view))
        self.snapshot.write(sector * SECTOR, view)

    def sync(self) -> None:
        """Do nothing: what is written is in the snapshot at once."""

    def _check(self, sector: int, count: int) -> None:
        if sector < 0 or count < 0 or sector + count > self.sectors:
            raise out_of_card(sector, count, self.sectors)


def _whole_sectors(view: memoryview) -> int:
    count, rest = divmod(len(view), SECTOR)
    if rest:
        raise partial_sector(len(view))
    return count
