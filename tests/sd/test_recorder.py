"""What is recorded of a card, and the states of a power cut in it."""

from __future__ import annotations

import pytest

from maixfs.errors import UsageError
from maixfs.sd import (
    SECTOR,
    RamSectors,
    SectorError,
    SectorOperation,
    SectorRecorder,
    SectorRecording,
    SnapshotSectors,
    zero_sectors,
)
from maixfs.snapshot import Snapshot

SECTORS = 20


def sector(letter: str) -> bytes:
    return letter.encode() * SECTOR


def card_of(snapshot: Snapshot) -> str:
    """Return the first byte of each sector that is not zero, a dot for the others."""
    firsts = bytes(snapshot)[::SECTOR]
    return "".join(chr(first) if first else "." for first in firsts)


@pytest.fixture
def recorder() -> SectorRecorder:
    card = RamSectors(SECTORS)
    card.write(1, sector("a"))
    return SectorRecorder(card)


@pytest.fixture
def recording(recorder: SectorRecorder) -> SectorRecording:
    recorder.write(2, sector("b") + sector("c"))
    recorder.sync()
    recorder.write(1, sector("d"))
    recorder.write(4, sector("e") + sector("f") + sector("g"))
    recorder.sync()
    return recorder.recording


def test_recorder_records_writes_and_syncs_with_their_causes(recorder: SectorRecorder) -> None:
    with recorder.cause("outer"):
        with recorder.cause("inner"):
            recorder.write(3, bytearray(sector("x")))
        recorder.sync()
    recorder.write(4, memoryview(sector("y")))
    recorder.write(5, b"")
    assert recorder.recording.operations == [
        SectorOperation("write", 3, sector("x"), "inner"),
        SectorOperation("sync", cause="outer"),
        SectorOperation("write", 4, sector("y")),
    ]
    assert [operation.sectors for operation in recorder.recording.operations] == [1, 0, 1]


def test_recorder_is_a_card_like_the_one_below(recorder: SectorRecorder) -> None:
    assert (recorder.sectors, recorder.read_only) == (SECTORS, False)
    recorder.write(3, sector("x"))
    zero_sectors(recorder, 3, 1)
    buffer = bytearray(2 * SECTOR)
    recorder.readinto(1, memoryview(buffer))
    assert buffer == recorder.read(1, 2) == sector("a") + bytes(SECTOR)
    assert recorder.recording.operations[-1].data == bytes(SECTOR)


def test_refused_writes_are_not_recorded(recorder: SectorRecorder) -> None:
    for place, data in ((SECTORS, sector("x")), (0, b"x")):
        with pytest.raises(SectorError):
            recorder.write(place, data)
    assert len(recorder.recording) == 0


def test_replay_gives_the_card_at_each_operation(recording: SectorRecording) -> None:
    cards = [card_of(state).rstrip(".") for state in recording.states()]
    assert cards == [".a", ".abc", ".abc", ".dbc", ".dbcefg", ".dbcefg"]
    assert [card_of(recording.at(count)).rstrip(".") for count in range(6)] == cards


def test_cuts_come_after_each_sector(recording: SectorRecording) -> None:
    cuts = [(cut.label, card_of(cut.state).rstrip(".")) for cut in recording.cuts()]
    assert cuts == [
        ("cut0.0", ".a"),
        ("cut0.1", ".ab"),
        ("cut0.2", ".abc"),
        ("cut2.1", ".dbc"),
        ("cut3.1", ".dbce"),
        ("cut3.2", ".dbcef"),
        ("cut3.3", ".dbcefg"),
    ]


def test_reordered_cuts_lose_only_sectors_since_the_last_sync(recording: SectorRecording) -> None:
    seen: set[str] = set()
    for seed in range(40):
        cuts = list(recording.reordered_cuts(seed))
        assert [(cut.number, cut.landed) for cut in cuts] == [(0, 2), (3, 1), (3, 2), (3, 3)]
        for cut in cuts:
            card = card_of(cut.state)
            written = "bc" if cut.number == 0 else "defg"[: cut.landed + 1]
            assert card[1] in ("ad" if cut.number else "a")
            assert cut.number == 0 or card[2:4] == "bc"
            assert set(card) - {".", "a", "b", "c"} <= set(written)
            seen.add(card.rstrip("."))
    assert {".a", ".a.c", ".abc.f", ".dbc..g", ".dbcefg"} <= seen


def test_each_label_leads_back_to_its_state(recording: SectorRecording) -> None:
    cuts = [*recording.cuts(), *recording.reordered_cuts(3), *recording.reordered_cuts(4)]
    assert len({cut.label for cut in cuts}) == len(cuts) == 15
    for cut in cuts:
        assert recording.cut(cut.label) == cut


@pytest.mark.parametrize(
    "label", ["", "cut0", "cut0.x", "cut0.3", "cut1.1", "cut6.0", "cut5.1", "cut2.1r3", "cut0.0rx"]
)
def test_labels_of_other_recordings_are_refused(recording: SectorRecording, label: str) -> None:
    with pytest.raises(UsageError):
        recording.cut(label)


def test_snapshot_sectors_are_a_card() -> None:
    card = SnapshotSectors(Snapshot(SECTORS * SECTOR + 100))
    peer = RamSectors(SECTORS)
    for device in (card, peer):
        device.write(0, sector("a"))
        device.write(7, memoryview(sector("b") + sector("c")))
        device.sync()
    buffer = bytearray(3 * SECTOR)
    card.readinto(6, memoryview(buffer))
    assert buffer == peer.read(6, 3)
    assert card.sectors == SECTORS
    assert card.read(0, SECTORS) == peer.read(0, SECTORS)
    assert not card.read_only


def test_snapshot_sectors_refuse_what_is_not_on_the_card() -> None:
    card = SnapshotSectors(Snapshot(SECTORS * SECTOR))
    with pytest.raises(SectorError):
        card.read(SECTORS, 1)
    with pytest.raises(SectorError):
        card.read(-1, 1)
    with pytest.raises(SectorError):
        card.write(SECTORS - 1, bytes(2 * SECTOR))
    with pytest.raises(SectorError):
        card.write(0, b"short")
    with pytest.raises(SectorError):
        card.readinto(0, memoryview(bytearray(10)))
    assert not any(bytes(card.snapshot))
