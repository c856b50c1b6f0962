"""What is recorded of flash operations, and the states of a power cut in them."""

from __future__ import annotations

import pytest

from maixfs.errors import UsageError
from maixfs.nor import (
    SEQUENTIAL_TEARS,
    TEARS,
    Change,
    ChipRecorder,
    NorChip,
    NorError,
    NorOperation,
    NorRecorder,
    NorRecording,
    SnapshotFlash,
    make_driver,
)
from maixfs.snapshot import Snapshot

SIZE = 0x4000
OLD = b"\xf0" * SIZE


def recorder(driver: str = "ideal", content: bytes = OLD) -> NorRecorder:
    return NorRecorder(make_driver(driver, NorChip.in_memory(content=content)))


def states(recording: NorRecording) -> dict[str, bytes]:
    """Return the states of all cuts by their labels."""
    return {cut.label: bytes(cut.state) for cut in recording.cuts(TEARS)}


def test_recorder_records_programs_and_erases_with_their_causes() -> None:
    flash = recorder()
    with flash.cause("outer"):
        with flash.cause("inner"):
            flash.program(0xFFE, b"\x11\x22\x33")
        flash.erase(0x1000, 0x2000)
    flash.program(5, b"")
    with flash.device.chip.cause("the chip's"):  # type: ignore[attr-defined]
        flash.program(0, bytearray(b"\x80"))
    flash.program(1, memoryview(b"\x81"))
    assert flash.recording.operations == [
        NorOperation("program", 0xFFE, 3, b"\x11\x22\x33", "inner"),
        NorOperation("erase", 0x1000, 0x2000, b"", "outer"),
        NorOperation("program", 0, 1, b"\x80", "the chip's"),
        NorOperation("program", 1, 1, b"\x81"),
    ]


@pytest.mark.parametrize("driver", ["ideal", "literal", "chip"])
def test_replay_gives_the_device_at_each_operation(driver: str) -> None:
    chip = NorChip.in_memory(content=OLD)
    flash = NorRecorder(chip if driver == "chip" else make_driver(driver, chip))
    seen = [chip.peek(0, SIZE)]
    for address, data in ((10, b"\xff\x0f"), (0xFFD, b"\x33" * 5000), (0, b"\xaa" * 8)):
        flash.program(address, data)
        seen.append(chip.peek(0, SIZE))
    flash.erase(0x1000, 0x1000)
    seen.append(chip.peek(0, SIZE))
    assert [bytes(state) for state in flash.recording.states()] == seen
    assert [bytes(flash.recording.at(count)) for count in range(len(seen))] == seen
    assert flash.recording.literal == (driver == "literal")


def test_recorder_is_a_device_like_the_one_below() -> None:
    flash = recorder()
    assert (flash.size, flash.erase_size) == (SIZE, 0x1000)
    assert flash.read(3, 2) == b"\xf0\xf0"
    window = flash.window()
    assert window is not None
    flash.program(3, b"\0")
    assert window[3] == 0


def test_refused_operations_are_not_recorded() -> None:
    flash = recorder()
    with pytest.raises(NorError):
        flash.program(SIZE - 1, b"ab")
    with pytest.raises(NorError):
        flash.erase(0x800, 0x1000)
    assert len(flash.recording) == 0


def test_recorder_refuses_a_driver_whose_chip_ignores_calls() -> None:
    with pytest.raises(NorError):
        recorder("maixpy")


def test_chip_recorder_leaves_out_what_a_busy_chip_ignores() -> None:
    chip = NorChip.in_memory(content=OLD)
    flash = make_driver("maixpy", chip)
    recording = ChipRecorder(chip)
    with chip.cause("erase"):
        flash.erase(0, 0x3000)
    flash.program(0x3000, b"\xff")
    operations = recording.recording.operations
    assert operations[0] == NorOperation("erase", 0, 0x1000, b"", "erase")
    assert {operation.kind for operation in operations[1:]} == {"program"}
    assert bytes(recording.recording.at(len(operations))) == chip.peek(0, SIZE)
    recording.detach()
    flash.erase(0, 0x1000)
    assert len(recording.recording) == len(operations)


def test_chip_recorder_has_each_command_of_a_rewritten_sector() -> None:
    chip = NorChip.in_memory(content=OLD)
    recording = ChipRecorder(chip).recording
    make_driver("literal", chip).program(0x1010, b"\x0f\x0f")
    kinds = [(operation.kind, operation.address) for operation in recording.operations]
    assert kinds[0] == ("erase", 0x1000)
    assert kinds[1:] == [("program", 0x1000 + page) for page in range(0, 0x1000, 0x100)]


def test_program_is_torn_by_each_model() -> None:
    flash = recorder()
    flash.program(2, b"\x11\x22\x33\x44")

    def torn(data: str) -> bytes:
        return b"\xf0\xf0" + bytes.fromhex(data) + OLD[6:]

    assert states(flash.recording) == {
        "cut0.none": OLD,
        "cut0.half": torn("1020f0f0"),
        "cut0.most": torn("102030f0"),
        "cut0.bits": torn("10203040"),
        "cut0.byte": torn("10f0f0f0"),
        "cut0.quarter": torn("10f0f0f0"),
        "cut0.three": torn("102030f0"),
        "cut0.second": torn("f0f03040"),
        "cut0.even": torn("10f030f0"),
        "cut0.mixed": torn("50707050"),
        "cut1.none": torn("10203040"),
    }


def test_short_and_long_programs_skip_models_that_do_not_apply() -> None:
    flash = recorder()
    flash.program(0, b"\0")
    flash.program(0, b"\0" * 2)
    flash.program(0, b"\0" * 9)
    models = [[], [], [], []]  # type: list[list[str]]
    for cut in flash.recording.cuts(SEQUENTIAL_TEARS):
        models[cut.number].append(cut.torn)
    assert models == [
        ["none", "bits"],
        ["none", "half", "bits"],
        ["none", "half", "most"],
        ["none"],
    ]


def test_erase_is_torn_by_each_model() -> None:
    flash = recorder()
    flash.erase(0x1000, 0x1000)
    sector = {label: state[0x1000:0x2000] for label, state in states(flash.recording).items()}
    half = 0x800
    assert sector == {
        "cut0.none": b"\xf0" * 0x1000,
        "cut0.half": b"\xff" * half + b"\xf0" * half,
        "cut0.byte": b"\xff" + b"\xf0" * 0xFFF,
        "cut0.quarter": b"\xff" * 0x400 + b"\xf0" * 0xC00,
        "cut0.three": b"\xff" * 0xC00 + b"\xf0" * 0x400,
        "cut0.second": b"\xf0" * half + b"\xff" * half,
        "cut0.even": b"\xff\xf0" * half,
        "cut0.zeros": bytes(0x1000),
        "cut1.none": b"\xff" * 0x1000,
    }


def test_literal_program_can_leave_the_erased_sector() -> None:
    flash = recorder("literal")
    flash.program(0x1004, b"\x10\x20")
    flash.program(0x1004, b"\x01\x20")
    cuts = {cut.label: cut.state for cut in flash.recording.cuts()}
    assert list(cuts) == [
        *("cut0.none", "cut0.half", "cut0.bits"),
        *("cut1.none", "cut1.half", "cut1.sector"),
        "cut2.none",
    ]
    assert cuts["cut1.sector"].read(0xFFF, 0x1002) == b"\xf0" + b"\xff" * 0x1000 + b"\xf0"
    assert cuts["cut2.none"].read(0x1003, 4) == b"\xf0\x01\x20\xf0"


@pytest.mark.parametrize("driver", ["ideal", "literal"])
def test_each_label_leads_back_to_its_state(driver: str) -> None:
    flash = recorder(driver)
    flash.program(0x10, b"\x0f" * 6)
    flash.erase(0x1000, 0x1000)
    flash.program(0xFFE, b"\x0f" * 300)
    cuts = list(flash.recording.cuts(TEARS))
    for cut in cuts:
        assert flash.recording.cut(cut.label) == cut
    assert len({cut.label for cut in cuts}) == len(cuts) > 10


@pytest.mark.parametrize(
    "label", ["", "cut0", "cutx.none", "cut0.torn", "cut1.none", "cut0.zeros", "cut-1.none"]
)
def test_labels_of_other_recordings_are_refused(label: str) -> None:
    recording = NorRecording(Snapshot(SIZE, 0xFF), [])
    with pytest.raises(UsageError):
        recording.cut(label)


def test_selected_chooses_the_operations_that_are_cut() -> None:
    flash = recorder()
    for address in range(10):
        flash.program(address, b"\0")
    cuts = flash.recording.cuts({"none": TEARS["none"]}, selected=lambda number: number % 4 == 1)
    assert [cut.number for cut in cuts] == [1, 5, 9, 10]


def test_a_tear_may_damage_another_place() -> None:
    """As a program that lands in the wrong page does."""

    def wrong_page(change: Change) -> list[tuple[int, bytes]]:
        address = change.operation.address + 0x100
        return [(address, change.before.read(address, 1)), (address + 1, change.new)]

    flash = recorder()
    flash.program(0, b"\x10")
    (cut, _) = flash.recording.cuts({"wrong": wrong_page})
    assert cut.state.read(0, 1) == b"\xf0"
    assert cut.state.read(0x100, 3) == b"\xf0\x10\xf0"


@pytest.mark.parametrize("literal", [False, True])
def test_snapshot_flash_behaves_like_a_driver_over_a_chip(literal: bool) -> None:
    flash = SnapshotFlash(Snapshot.of(OLD), literal=literal)
    peer = make_driver("literal" if literal else "ideal", NorChip.in_memory(content=OLD))
    assert (flash.size, flash.erase_size, flash.window()) == (peer.size, peer.erase_size, None)
    for device in (flash, peer):
        device.program(0xFFE, b"\x3c\xc3\x55")
        device.erase(0x2000, 0x2000)
        device.program(0x2000, memoryview(b"\x12" * 5000))
    assert flash.read(0, SIZE) == peer.read(0, SIZE)


@pytest.mark.parametrize(("address", "length"), [(-1, 1), (SIZE, 1), (SIZE - 1, 2)])
def test_snapshot_flash_refuses_ranges_outside(address: int, length: int) -> None:
    flash = SnapshotFlash(Snapshot.of(OLD))
    with pytest.raises(NorError):
        flash.read(address, length)
    with pytest.raises(NorError):
        flash.program(address, bytes(length))
    with pytest.raises(NorError):
        flash.erase(address, length)
    with pytest.raises(NorError):
        flash.erase(SIZE, 0x1000)
    assert bytes(flash.snapshot) == OLD
