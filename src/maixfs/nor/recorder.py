"""Recording what happens to flash, and the states that a power cut can leave.

    recorder = NorRecorder(make_driver("ideal", chip))
    run_a_workload(recorder)                     # any user of a NorDevice
    for cut in recorder.recording.cuts():        # between and within all operations
        mount(SnapshotFlash(cut.state))

``NorRecorder`` records the calls of a driver, which is what the recordings of other programs
hold too. ``ChipRecorder`` records the commands that a chip carried out: under the K210's driver
one call becomes an erase and 16 programs, and power can go between any two of them.
"""

from __future__ import annotations

import errno
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, TypeAlias

from maixfs.errors import UsageError
from maixfs.nor.device import SECTOR, and_bytes, blank, octets
from maixfs.nor.drivers import LiteralDriver, MaixpyDriver
from maixfs.nor.errors import NorError, misaligned, out_of_range
from maixfs.snapshot import Recording, Snapshot
from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from maixfs.nor.chip import NorChip, NorEvent
    from maixfs.nor.device import Buffer, NorDevice

# The bits that a torn short program has not reached.
_HALF_BYTE = 0x0F
_SHORT = 8
"""Longest program, in bytes, that is torn bit by bit: look-up entries, flags and magics."""


class NorOperation(NamedTuple):
    """A program or an erase: address and length in bytes, the data of a program, its cause."""

    kind: Literal["program", "erase"]
    address: int
    length: int
    data: bytes = b""
    cause: str | None = None


class Change(NamedTuple):
    """An operation that is cut: the bytes of its range before and after, and the whole state.

    ``rewrites``: the driver has to erase the sector to raise a bit, and programs it again.
    """

    operation: NorOperation
    old: bytes
    new: bytes
    before: Snapshot
    rewrites: bool


Patches: TypeAlias = "list[tuple[int, bytes]]"
"""What a torn operation left behind: addresses and bytes, laid over the state before it."""
Tear: TypeAlias = "Callable[[Change], Patches | None]"
"""A model of how an operation is torn; ``None`` where the model does not apply to it.

Patches may lie anywhere on the chip, so that a model can also damage what the operation did not
name: a sector that is rewritten, a wrong address.
"""


def _nothing(change: Change) -> Patches:
    """Nothing landed: the cut between two operations."""
    return []


def _first(change: Change, count: int) -> Patches | None:
    if count <= 0:
        return None
    return [(change.operation.address, change.new[:count])]


def _half(change: Change) -> Patches | None:
    """The first half of a program landed, or the first half of a range was erased."""
    return _first(change, len(change.new) // 2)


def _most(change: Change) -> Patches | None:
    """All bytes of a program but the last; of two bytes that is the half already."""
    length = len(change.new)
    # An erase has no order of bytes, so it is torn in halves alone.
    if change.operation.kind == "erase" or length == 2:
        return None
    return _first(change, length - 1)


def _sector(change: Change) -> Patches | None:
    """The rewritten sector is erased and not yet programmed."""
    if not change.rewrites:
        return None
    # Of all sectors that the program touches: the K210's driver erases each before it programs it,
    # and what else lay there is gone too.
    start = change.operation.address // SECTOR * SECTOR
    end = change.operation.address + len(change.new)
    return [(address, blank(SECTOR)) for address in range(start, end, SECTOR)]


def _bits(change: Change) -> Patches | None:
    """The upper four bits of each byte of a short program: cells differ in speed."""
    if change.operation.kind == "erase" or change.rewrites or len(change.new) > _SHORT:
        return None
    # Bits that were 0 stay 0; of those to be cleared the lower four are not reached.
    pairs = zip(change.old, change.new, strict=True)
    torn = bytes(old & (new | _HALF_BYTE) for old, new in pairs)
    return [(change.operation.address, torn)]


def _byte(change: Change) -> Patches | None:
    """One byte landed."""
    return _first(change, 1)


def _quarter(change: Change) -> Patches | None:
    return _first(change, len(change.new) // 4)


def _three_quarters(change: Change) -> Patches | None:
    return _first(change, len(change.new) * 3 // 4)


def _second(change: Change) -> Patches | None:
    """The second half landed: some chips program their page buffer from its end."""
    middle = len(change.new) // 2
    return [(change.operation.address + middle, change.new[middle:])] if middle else None


def _even(change: Change) -> Patches | None:
    """Every other byte landed."""
    if len(change.new) < 2:
        return None
    torn = bytearray(change.old)
    torn[::2] = change.new[::2]
    return [(change.operation.address, bytes(torn))]


def _mixed(change: Change) -> Patches | None:
    """Half of the bits of a program landed."""
    if change.operation.kind == "erase" or change.rewrites:
        return None
    # One large number instead of a loop over bytes: every operation of a recording is torn.
    torn = int.from_bytes(change.new, "little") | int.from_bytes(b"\x55" * len(change.new))
    torn &= int.from_bytes(change.old, "little")
    return [(change.operation.address, torn.to_bytes(len(change.new), "little"))]


def _zeros(change: Change) -> Patches | None:
    """An erase programs all cells to 0 before it raises them, and got no further."""
    if change.operation.kind == "program":
        return None
    return [(change.operation.address, bytes(len(change.new)))]


SEQUENTIAL_TEARS: dict[str, Tear] = {
    "none": _nothing,
    "half": _half,
    "most": _most,
    "sector": _sector,
    "bits": _bits,
}
"""Cuts of a chip that works upwards; those with which the recordings of the C were measured."""
TEARS: dict[str, Tear] = SEQUENTIAL_TEARS | {
    "byte": _byte,
    "quarter": _quarter,
    "three": _three_quarters,
    "second": _second,
    "even": _even,
    "mixed": _mixed,
    "zeros": _zeros,
}
"""All models of a torn operation by name."""


class NorCut(NamedTuple):
    """The state after a power cut while operation ``number`` (from 0) was under way.

    With ``number`` equal to the length of the recording, nothing was under way.
    """

    number: int
    torn: str
    state: Snapshot

    @property
    def label(self) -> str:
        """The cut in one word, such as ``cut42.half``; ``NorRecording.cut`` finds it again."""
        return f"cut{self.number}.{self.torn}"


class NorRecording(Recording[NorOperation]):
    """Everything that was programmed and erased.

    ``literal``: a program replaces the bytes, as through the K210's driver; otherwise it only
    clears bits.
    """

    def __init__(
        self,
        initial: Snapshot,
        operations: Iterable[NorOperation] = (),
        *,
        literal: bool = False,
    ) -> None:
        super().__init__(initial, operations)
        self.literal = literal

    def play(self, state: Snapshot, operation: NorOperation) -> None:
        """Apply a whole operation to ``state``."""
        if operation.kind == "erase":
            state.fill(operation.address, operation.length, 0xFF)
        elif self.literal:
            state.write(operation.address, operation.data)
        else:
            # NOR clears bits only; the C relies on that where it programs a page in place.
            old = state.read(operation.address, operation.length)
            state.write(operation.address, and_bytes(old, operation.data))

    def cuts(
        self,
        tears: Mapping[str, Tear] = SEQUENTIAL_TEARS,
        *,
        selected: Callable[[int], bool] | None = None,
    ) -> Iterator[NorCut]:
        """Yield each operation torn by each model that applies, and the state after all of them.

        ``selected`` is asked for the index of each operation; without it all are cut.
        """
        state = self.initial.copy()
        for index, operation in enumerate(self.operations):
            if selected is None or selected(index):
                # From the state before it: what a cut leaves depends on what lay there.
                change = self._change(state, operation)
                for name, tear in tears.items():
                    patches = tear(change)
                    if patches is not None:
                        yield NorCut(index, name, _patched(state, patches))
            # Once for each operation: replaying from the start for every cut would take quadratic
            # time.
            self.play(state, operation)
        yield NorCut(len(self.operations), "none", state)

    def cut(self, label: str) -> NorCut:
        """Return the cut that ``NorCut.label`` calls ``label``.

        Raises ``UsageError`` where there is no such cut in this recording.
        """
        number, _, torn = label.removeprefix("cut").partition(".")
        if not number.isdecimal() or torn not in TEARS:
            raise UsageError(
                f"{label!r} is not a cut of flash",
                hint=f"write cutN.MODEL, MODEL one of {', '.join(TEARS)}",
            )
        index = int(number)
        state = self.at(index)
        if index < len(self.operations):
            patches = TEARS[torn](self._change(state, self.operations[index]))
            if patches is not None:
                return NorCut(index, torn, _patched(state, patches))
        elif torn == "none":
            return NorCut(index, torn, state)
        raise UsageError(f"operation {index} cannot be torn like {torn!r}")

    def _change(self, state: Snapshot, operation: NorOperation) -> Change:
        old = state.read(operation.address, operation.length)
        if operation.kind == "erase":
            return Change(operation, old, blank(operation.length), state, rewrites=False)
        new = and_bytes(old, operation.data)
        if not self.literal:
            return Change(operation, old, new, state, rewrites=False)
        # The driver rewrites a sector only where a bit must rise; elsewhere a cut tears a plain
        # program.
        return Change(operation, old, operation.data, state, rewrites=new != operation.data)


def _patched(state: Snapshot, patches: Patches) -> Snapshot:
    torn = state.copy()
    for address, data in patches:
        torn.write(address, data)
    return torn


class NorRecorder:
    """A flash device that records what is programmed and erased through it.

    ``device`` is a chip or a driver over one; it is read once for the initial state. Raises
    ``NorError`` for the driver ``maixpy``, whose calls do not say what the busy chip ignores:
    record its chip instead.
    """

    def __init__(self, device: NorDevice) -> None:
        if isinstance(device, MaixpyDriver):
            raise NorError(
                "calls of the driver maixpy do not tell what a busy chip ignores",
                errno=errno.EINVAL,
                hint="record the chip: ChipRecorder(driver.chip)",
            )
        self.device = device
        self.erase_size = device.erase_size
        self.current_cause: str | None = None
        literal = isinstance(device, LiteralDriver)
        if isinstance(device, SnapshotFlash):
            # Copied without reading it: most of a snapshot may be one byte repeated.
            contents, literal = device.snapshot.copy(), device.literal
        else:
            contents = Snapshot.of(device.read(0, device.size))
        self.recording = NorRecording(contents, literal=literal)

    @property
    def size(self) -> int:
        """Capacity in bytes."""
        return self.device.size

    def read(self, address: int, length: int) -> bytes:
        """Return ``length`` bytes."""
        return self.device.read(address, length)

    def program(self, address: int, data: Buffer) -> None:
        """Write ``data`` and record it, unless the device refuses it."""
        self.device.program(address, data)  # first: it refuses what is not a buffer
        kept = bytes(data)
        self._record(NorOperation("program", address, len(kept), kept, self._cause()))

    def erase(self, address: int, length: int) -> None:
        """Erase whole units and record it, unless the device refuses it."""
        self.device.erase(address, length)
        self._record(NorOperation("erase", address, length, cause=self._cause()))

    def window(self) -> memoryview | None:
        """Return the live contents where the device has them at hand."""
        return self.device.window()

    @contextmanager
    def cause(self, text: str) -> Iterator[None]:
        """Name the reason of all operations in a ``with`` block."""
        outer, self.current_cause = self.current_cause, text
        try:
            yield
        finally:
            self.current_cause = outer

    def _cause(self) -> str | None:
        """Return the caller's cause, or the one that was set on the chip itself."""
        if self.current_cause is not None:
            return self.current_cause
        chip = getattr(self.device, "chip", self.device)
        cause: str | None = getattr(chip, "current_cause", None)
        return cause

    def _record(self, operation: NorOperation) -> None:
        # Nothing can be torn in an operation of no bytes.
        if operation.length:
            self.recording.operations.append(operation)


class ChipRecorder:
    """An observer that records the commands that ``chip`` carries out from now on.

    Commands that a busy chip ignores are left out. ``detach`` ends the recording.
    """

    def __init__(self, chip: NorChip) -> None:
        self.chip = chip
        self.recording = NorRecording(Snapshot.of(chip.peek(0, chip.size)))
        chip.attach(self)

    def detach(self) -> None:
        """Stop recording."""
        self.chip.detach(self)

    def before(self, chip: NorChip, event: NorEvent) -> None:
        """Do nothing: an operation counts when it has landed."""

    def after(self, chip: NorChip, event: NorEvent) -> None:
        """Record a command unless it was a read or was ignored."""
        # A chip that is busy ignores commands; under the board's driver that happens to most
        # erases.
        if event.kind != "read" and not event.dropped and event.length:
            kind: Literal["program", "erase"] = event.kind
            operation = NorOperation(kind, event.address, event.length, event.data, event.cause)
            self.recording.operations.append(operation)


class SnapshotFlash:
    """A flash device over ``snapshot``, which it changes: copy it first to keep it.

    A program clears bits, or replaces the bytes if ``literal`` (the K210's driver). Raises
    ``NorError`` as a chip does.
    """

    erase_size = SECTOR

    def __init__(self, snapshot: Snapshot, *, literal: bool = False) -> None:
        self.snapshot = snapshot
        self.size = snapshot.size
        self.literal = literal

    def read(self, address: int, length: int) -> bytes:
        """Return ``length`` bytes."""
        try:
            return self.snapshot.read(address, length)
        except UsageError:
            raise out_of_range(address, length, self.size) from None

    def program(self, address: int, data: Buffer) -> None:
        """Write ``data``."""
        data = octets(data)
        old = self.read(address, len(data))
        self.snapshot.write(address, data if self.literal else and_bytes(old, data))

    def erase(self, address: int, length: int) -> None:
        """Erase whole sectors of 4 KiB."""
        if address % SECTOR or length % SECTOR:
            raise misaligned(address, length, SECTOR)
        try:
            self.snapshot.fill(address, length, 0xFF)
        except UsageError:
            raise out_of_range(address, length, self.size) from None

    def window(self) -> memoryview | None:
        """Return ``None``: the contents lie in pieces."""
        return None
