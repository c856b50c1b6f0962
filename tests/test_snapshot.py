"""Media as copy-on-write snapshots."""

from __future__ import annotations

import random

import pytest

from maixfs.errors import UsageError
from maixfs.snapshot import PIECE, Recording, Snapshot


class Overwrites(Recording[tuple[int, bytes]]):
    """A recording whose operations replace bytes."""

    def play(self, state: Snapshot, operation: tuple[int, bytes]) -> None:
        state.write(*operation)


def pieces_of(snapshot: Snapshot) -> set[int]:
    return {id(piece) for piece in snapshot._pieces}


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 5 * PIECE + 512])
def test_snapshot_reads_and_writes_like_a_bytearray(size: int) -> None:
    rng = random.Random(size)
    snapshot, model = Snapshot(size, 0xA5), bytearray(b"\xa5" * size)
    assert snapshot.size == len(bytes(snapshot)) == size
    for _ in range(200):
        offset = rng.randint(0, size)
        length = rng.choice((0, 1, 7, 300, PIECE, 3 * PIECE))
        length = min(length, size - offset)
        if rng.random() < 0.5:
            data = rng.randbytes(length)
            snapshot.write(offset, rng.choice((bytes, bytearray, memoryview))(data))
            model[offset : offset + length] = data
        else:
            value = rng.randrange(256)
            snapshot.fill(offset, length, value)
            model[offset : offset + length] = bytes((value,)) * length
        start, end = sorted(rng.randint(0, size) for _ in range(2))
        assert snapshot.read(start, end - start) == model[start:end]
    assert bytes(snapshot) == model


def test_copy_keeps_its_state_and_shares_unchanged_pieces() -> None:
    snapshot = Snapshot.of(random.Random(1).randbytes(8 * PIECE))
    copy, before = snapshot.copy(), bytes(snapshot)
    snapshot.write(PIECE + 5, b"new")
    assert bytes(copy) == before
    assert len(pieces_of(snapshot) & pieces_of(copy)) == 7


def test_equal_writes_keep_pieces_shared() -> None:
    snapshot = Snapshot.of(bytes(range(256)) * 64)
    copy = snapshot.copy()
    copy.write(100, snapshot.read(100, 9000))
    assert pieces_of(copy) == pieces_of(snapshot)
    assert len(pieces_of(Snapshot(100 * PIECE))) == 1


def test_of_places_content_in_a_larger_medium() -> None:
    snapshot = Snapshot.of(b"abc", offset=PIECE - 1, size=3 * PIECE, value=0xFF)
    assert snapshot.size == 3 * PIECE
    assert snapshot.read(PIECE - 2, 5) == b"\xffabc\xff"


def test_equality_and_fingerprint_follow_the_bytes() -> None:
    one, other = Snapshot(2 * PIECE), Snapshot.of(bytes(2 * PIECE))
    assert one == other
    assert one.fingerprint() == other.fingerprint()
    other.write(PIECE, b"x")
    assert one != other
    assert one.fingerprint() != other.fingerprint()
    assert one != bytes(2 * PIECE)


@pytest.mark.parametrize(("offset", "length"), [(-1, 1), (0, -1), (9, 2), (11, 0), (10, 1)])
def test_ranges_that_leave_the_medium_are_refused(offset: int, length: int) -> None:
    snapshot = Snapshot(10)
    with pytest.raises(UsageError):
        snapshot.read(offset, length)
    with pytest.raises(UsageError):
        snapshot.fill(offset, length, 0)
    if length >= 0:
        with pytest.raises(UsageError):
            snapshot.write(offset, bytes(length))
    with pytest.raises(UsageError):
        Snapshot(-1)
    assert bytes(snapshot) == bytes(10)


def test_recording_replays_to_any_operation() -> None:
    rng = random.Random(2)
    operations = [(rng.randrange(3 * PIECE), rng.randbytes(5)) for _ in range(700)]
    recording = Overwrites(Snapshot(4 * PIECE), operations[:600])
    recording.at(600)
    recording.operations += operations[600:]
    forward = [bytes(state) for state in recording.states()]
    assert len(forward) == len(recording) + 1 == 701
    assert forward[0] == bytes(4 * PIECE)
    for count in (700, 0, 1, 255, 256, 257, 512, 600, 601, 699):
        assert bytes(recording.at(count)) == forward[count]
    recording.at(300).write(0, b"changed")
    assert bytes(recording.at(300)) == forward[300]


@pytest.mark.parametrize("count", [-1, 3])
def test_recording_refuses_operations_that_it_does_not_have(count: int) -> None:
    with pytest.raises(UsageError):
        Overwrites(Snapshot(10), [(0, b"a"), (1, b"b")]).at(count)
