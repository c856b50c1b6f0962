"""The contents of a medium as copy-on-write snapshots, and recordings of what was done to it.

A medium is a list of immutable pieces of 4 KiB. A snapshot of it is a copy of the list: unchanged
pieces are shared between all snapshots, so that one state per operation of a long workload costs
a list and the pieces that the operation changed. ``nor.recorder`` and ``sd.recorder`` record the
operations of flash chips and cards.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Generic, TypeVar

from maixfs.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Buffer = bytes | bytearray | memoryview

PIECE = 4096
"""Bytes of a piece: a flash sector, or 8 sectors of a card. Only the last piece may be shorter."""
_CHECKPOINT = 256
"""Operations between two states that a recording keeps: ``at`` replays fewer than these."""


class Snapshot:
    """``size`` bytes of a medium; ``write`` and ``fill`` change this snapshot and no other one.

    ``Snapshot(size, 0xFF)`` is an erased chip, ``Snapshot.of(content)`` has that content.
    Methods raise ``UsageError`` for ranges that leave the medium.
    """

    __slots__ = ("_pieces", "size")

    def __init__(self, size: int, value: int = 0) -> None:
        if size < 0:
            raise UsageError(f"a medium of {size} bytes: the size must not be negative")
        self.size = size
        whole, rest = divmod(size, PIECE)
        # All equal pieces are one object: an empty card costs its list alone.
        self._pieces = [bytes((value,)) * PIECE] * whole
        if rest:
            self._pieces.append(bytes((value,)) * rest)

    @classmethod
    def of(
        cls, content: Buffer, *, size: int | None = None, offset: int = 0, value: int = 0
    ) -> Snapshot:
        """Return a medium that has ``content`` at ``offset`` and bytes ``value`` elsewhere.

        ``size`` is in bytes; the medium ends with the content unless it is given.
        """
        snapshot = cls(offset + len(content) if size is None else size, value)
        snapshot.write(offset, content)
        return snapshot

    def copy(self) -> Snapshot:
        """Return a snapshot of this state; it shares all pieces until one of the two changes."""
        other = object.__new__(Snapshot)
        other.size = self.size
        other._pieces = self._pieces.copy()
        return other

    def read(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes."""
        index, start = divmod(offset, PIECE)
        end = start + length
        if 0 <= start <= end <= PIECE and offset >= 0 and offset + length <= self.size:
            return self._pieces[index][start:end] if length else b""
        self._check(offset, length)
        last = -(-(offset + length) // PIECE)
        return b"".join(self._pieces[index:last])[start:end]

    def write(self, offset: int, data: Buffer) -> None:
        """Replace the bytes at ``offset`` by ``data``."""
        view = memoryview(data).cast("B")
        self._check(offset, len(view))
        pieces, done = self._pieces, 0
        while done < len(view):
            index, start = divmod(offset + done, PIECE)
            old = pieces[index]
            part = view[done : done + len(old) - start]
            # A piece that keeps its bytes stays the same object, so that it remains shared.
            if old[start : start + len(part)] != part:
                pieces[index] = b"".join((old[:start], part, old[start + len(part) :]))
            done += len(part)

    def fill(self, offset: int, length: int, value: int) -> None:
        """Set ``length`` bytes to ``value``; whole pieces share one object."""
        self._check(offset, length)
        end = offset + length
        first, last = -(-offset // PIECE), end // PIECE
        if first >= last:
            self.write(offset, bytes((value,)) * length)
            return
        self.write(offset, bytes((value,)) * (first * PIECE - offset))
        self._pieces[first:last] = [bytes((value,)) * PIECE] * (last - first)
        self.write(last * PIECE, bytes((value,)) * (end - last * PIECE))

    def fingerprint(self) -> int:
        """Return a hash of the contents, to recognise states that were seen before.

        Each piece object remembers its own hash, so only pieces that changed are hashed again.
        Values differ from one Python process to the next.
        """
        return hash(tuple(self._pieces))

    def __bytes__(self) -> bytes:
        """Return the whole contents."""
        return b"".join(self._pieces)

    def __eq__(self, other: object) -> bool:
        """Return whether another snapshot has the same bytes."""
        if not isinstance(other, Snapshot):
            return NotImplemented
        return self._pieces == other._pieces

    __hash__ = None  # type: ignore[assignment]  # it changes; see fingerprint

    def __repr__(self) -> str:
        return f"<snapshot of {self.size:#x} bytes, {len({*map(id, self._pieces)})} pieces>"

    def _check(self, offset: int, length: int) -> None:
        if offset < 0 or length < 0 or offset + length > self.size:
            raise UsageError(
                f"{length:#x} bytes at {offset:#x} leave a medium of {self.size:#x} bytes"
            )


Operation = TypeVar("Operation")


class Recording(ABC, Generic[Operation]):
    """The initial state of a medium and every operation that changed it, in order.

    ``operations`` may be appended to; ``initial`` and the operations in the list stay as they
    are, because states that were computed from them are kept.
    """

    def __init__(self, initial: Snapshot, operations: Iterable[Operation] = ()) -> None:
        self.initial = initial
        self.operations = list(operations)
        self._checkpoints = [initial.copy()]

    def __len__(self) -> int:
        return len(self.operations)

    def at(self, count: int) -> Snapshot:
        """Return the medium after the first ``count`` operations, as a snapshot of its own.

        Raises ``UsageError`` for a count that the recording does not reach.
        """
        if not 0 <= count <= len(self.operations):
            raise UsageError(f"a recording of {len(self.operations)} operations has no {count}")
        checkpoints = self._checkpoints
        while len(checkpoints) <= count // _CHECKPOINT:
            start = (len(checkpoints) - 1) * _CHECKPOINT
            checkpoints.append(self._played(checkpoints[-1], start, start + _CHECKPOINT))
        nearest = count // _CHECKPOINT
        return self._played(checkpoints[nearest], nearest * _CHECKPOINT, count)

    def states(self) -> Iterator[Snapshot]:
        """Yield the medium before each operation, and at last the one after all of them.

        The snapshots are the caller's own; the operations are applied once.
        """
        state = self.initial.copy()
        for operation in self.operations:
            yield state.copy()
            self.play(state, operation)
        yield state

    @abstractmethod
    def play(self, state: Snapshot, operation: Operation) -> None:
        """Apply a whole operation to ``state``."""

    def _played(self, state: Snapshot, start: int, end: int) -> Snapshot:
        state = state.copy()
        for operation in self.operations[start:end]:
            self.play(state, operation)
        return state
