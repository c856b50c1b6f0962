"""Every command of the chip behind its SPI bus, frame by frame."""

from __future__ import annotations

import errno
from collections.abc import Callable

import pytest

from maixfs.nor import DeviceClock, NorChip, NorError, NorEvent, Observer, SpiFlashSlave
from maixfs.nor.bus import SHAPES, Op

SIZE = 0x100000
CYCLE = 40
MILLISECOND = 1_000_000


@pytest.fixture
def chip() -> NorChip:
    return NorChip.in_memory(content=bytes(range(256)) * (SIZE // 256))


@pytest.fixture
def bus(chip: NorChip) -> SpiFlashSlave:
    return SpiFlashSlave(chip)


@pytest.fixture
def send(bus: SpiFlashSlave) -> Callable[..., bytes]:
    """A function that sends a frame written in hex."""

    def frame(text: str, rx: int = 0, *, lines: int = 1) -> bytes:
        return bus.transfer(bytes.fromhex(text), rx, lines=lines)

    return frame


def wait(bus: SpiFlashSlave) -> None:
    bus.sleep(max(0, bus.clock.busy_until - bus.now()))


def enable_quad(bus: SpiFlashSlave) -> None:
    bus.transfer(b"\x06")
    bus.transfer(b"\x31\x02")
    wait(bus)


def test_id_commands_return_the_ids_of_the_part(send, chip):
    assert send("9f", 3) == chip.part.jedec
    assert send("9f", 5) == chip.part.jedec + b"\xff\xff"
    assert send("90 000000", 4) == chip.part.device * 2
    assert send("90 000001", 2) == chip.part.device[::-1]
    assert send("ab 000000", 2) == chip.part.device[1:] * 2
    assert send("ab", 5)[3:] == chip.part.device[1:] * 2
    assert send("4b 00000000", 8) == b"maixfs\x00\x01"


def test_unique_id_can_be_set(chip):
    bus = SpiFlashSlave(chip, unique_id=bytes(8))
    assert bus.transfer(b"\x4b\0\0\0\0", 9) == bytes(8) + b"\xff"


def test_sfdp_can_be_read_from_any_address(send):
    assert send("5a 000000 00", 4) == b"SFDP"
    table = send("5a 000000 00", 0x100)
    assert send("5a 000080 00", 64) == table[0x80:0xC0]
    assert send("5a 0000ff 00", 3) == b"\xff\xff\xff"


@pytest.mark.parametrize(
    ("head", "lines"),
    [
        ("03 {}", 1),
        ("0b {} 00", 1),
        ("3b {} 00", 2),
        ("6b {} 00", 4),
        ("bb {} 00", 2),
        ("eb {} 000000", 4),
    ],
)
def test_read_commands_return_the_contents_and_wrap_at_the_end(send, bus, head, lines):
    enable_quad(bus)
    assert send(head.format("001234"), 4, lines=lines) == bytes([0x34, 0x35, 0x36, 0x37])
    assert send(head.format("0ffffe"), 4, lines=lines) == bytes([0xFE, 0xFF, 0x00, 0x01])
    assert send(head.format("f00001"), 1, lines=lines) == b"\x01"
    assert send(head.format("000000"), 0, lines=lines) == b""


@pytest.mark.parametrize(
    ("head", "lines", "cycles"),
    [
        ("03 001234", 1, 8 + 24 + 80),
        ("0b 001234 00", 1, 8 + 32 + 80),
        ("3b 001234 00", 2, 8 + 32 + 40),
        ("6b 001234 00", 4, 8 + 32 + 20),
        ("bb 001234 00", 2, 8 + 16 + 40),
        ("eb 001234 000000", 4, 8 + 12 + 20),
        ("9f", 1, 8 + 80),
        ("05", 1, 8 + 80),
    ],
)
def test_frames_take_the_cycles_of_their_shape(send, bus, head, lines, cycles):
    enable_quad(bus)
    before = bus.now()
    send(head, 10, lines=lines)
    assert bus.now() - before == cycles * CYCLE


def test_clock_counts_reads_programs_erases_polls_and_status_writes(send, bus):
    send("03 0ffffe", 4)
    assert bus.clock.counts == {"read": 1, "bytes": 4}
    send("06")
    send("02 001000 00 00")
    wait(bus)
    send("06")
    send("20 001000")
    wait(bus)
    send("05", 3)
    send("06")
    send("31 02")
    assert bus.clock.counts == {
        "read": 1, "bytes": 6, "program": 1, "erase": 1, "poll": 1, "status": 1,
    }  # fmt: skip


@pytest.mark.parametrize("head", ["6b 000000 00", "eb 000000 000000"])
def test_quad_reads_need_qe(send, bus, head):
    assert send(head, 2, lines=4) == b"\xff\xff"
    enable_quad(bus)
    assert send(head, 2, lines=4) == b"\x00\x01"


@pytest.mark.parametrize(("head", "lines"), [("eb 000000 000000", 1), ("03 000000", 4)])
def test_frame_with_a_wrong_number_of_lines_is_ignored(send, bus, head, lines):
    enable_quad(bus)
    assert send(head, 2, lines=lines) == b"\xff\xff"


def test_write_enable_is_in_the_status_until_a_program_ends(send, bus, chip):
    assert send("05", 1) == b"\x00"
    send("06")
    assert send("05", 1) == b"\x02"
    send("04")
    assert send("05", 1) == b"\x00"
    send("06")
    send("02 000010 0f")
    assert send("05", 1) == b"\x03"
    wait(bus)
    assert send("05", 1) == b"\x00"
    assert chip.peek(0x10, 1) == b"\x00"


@pytest.mark.parametrize(
    "head", ["02 000000 00", "20 000000", "52 000000", "d8 000000", "c7", "60"]
)
def test_changes_without_write_enable_are_ignored(send, bus, chip, head):
    before = chip.peek(0, SIZE)
    send(head)
    assert chip.peek(0, SIZE) == before
    assert not bus.clock.busy


@pytest.mark.parametrize(("opcode", "lines"), [("02", 1), ("32", 4)])
def test_programs_only_clear_bits(send, bus, chip, opcode, lines):
    enable_quad(bus)
    send("06")
    send(opcode + "001110 0f f0 00 ff", lines=lines)
    assert chip.peek(0x1110, 5) == bytes([0x00, 0x10, 0x00, 0x13, 0x14])
    assert bus.clock.busy_until - bus.now() == 400_000


def test_quad_program_needs_qe(send, chip):
    send("06")
    send("32 000010 00", lines=4)
    assert chip.peek(0x10, 1) == b"\x10"


def test_program_wraps_in_its_page(send, bus, chip):
    send("06")
    send("02 0010fe 00 00 00 00")
    assert chip.peek(0x10FC, 6) == bytes([0xFC, 0xFD, 0x00, 0x00, 0x00, 0x01])
    assert chip.peek(0x1000, 3) == b"\x00\x00\x02"


def test_program_of_more_than_a_page_keeps_the_last_256_bytes(bus, chip):
    chip.poke(0x2000, b"\xff" * 256)
    bus.transfer(b"\x06")
    data = bytes(256) + bytes(range(256))[::-1] + b"\xaa"
    bus.transfer(b"\x02\x00\x20\x00" + data)
    assert chip.peek(0x2000, 256) == b"\xaa" + bytes(range(256))[::-1][1:]
    assert chip.peek(0x2100, 1) == b"\x00"


def test_program_without_data_is_ignored(send, bus):
    send("06")
    send("02 000000")
    assert not bus.clock.busy


@pytest.mark.parametrize(
    ("head", "start", "length", "milliseconds"),
    [
        ("20 023456", 0x23000, 0x1000, 45),
        ("52 02ffff", 0x28000, 0x8000, 120),
        ("d8 02ffff", 0x20000, 0x10000, 150),
        ("c7", 0, SIZE, 2500),
        ("60", 0, SIZE, 2500),
    ],
)
def test_erase_commands_erase_their_unit(send, bus, chip, head, start, length, milliseconds):
    send("06")
    send(head)
    assert chip.peek(start, length) == b"\xff" * length
    assert chip.wear.total() == length // 0x1000
    assert bus.clock.busy_until - bus.now() == milliseconds * MILLISECOND
    if length < SIZE:
        assert chip.peek(start - 1, 1) + chip.peek(start + length, 1) == b"\xff\x00"


def test_erase_frame_with_extra_bytes_is_ignored(send, bus, chip):
    send("06")
    send("20 001000 00")
    send("20 001000", 1)
    send("20 0010")
    assert chip.peek(0x1000, 1) == b"\x00"
    assert send("05", 1) == b"\x02"


def test_busy_chip_accepts_only_status_suspend_and_reset(send, bus, chip):
    send("06")
    send("20 001000")
    assert send("03 002001", 2) == b"\xff\xff"
    assert send("9f", 3) == b"\xff\xff\xff"
    send("06")
    send("20 002000")
    send("02 002000 00")
    assert send("05", 1) == b"\x03"
    assert chip.peek(0x2000, 2) == b"\x00\x01"
    bus.sleep(45 * MILLISECOND)
    assert send("05", 1) == b"\x00"
    assert send("03 002001", 2) == b"\x01\x02"
    assert bus.clock.counts["dropped"] == 3


def test_polls_advance_the_time_until_busy_ends(send, bus):
    send("06")
    send("02 000000 00")
    polls = 0
    while send("05", 1)[0] & 1:
        polls += 1
        assert polls < 1000
    assert 600 < polls <= 625


def test_long_status_read_shows_the_end_of_busy(send, bus):
    send("06")
    send("02 000000 00")
    answer = send("05", 2000)
    assert set(answer) == {0x03, 0x00}
    assert answer.count(3) == pytest.approx(1250, abs=2)


def test_busy_chip_answers_its_busy_byte(send, chip):
    chip.busy_byte = 0
    send("06")
    send("20 001000")
    assert send("03 002001", 2) == b"\x00\x00"


def test_observers_see_array_operations_and_dropped_commands(send, bus, chip):
    seen = []

    class Trace(Observer):
        def after(self, chip: NorChip, event: NorEvent) -> None:
            seen.append(event)

    chip.attach(Trace())
    send("06")
    send("20 001000")
    send("20 002345")
    send("02 002000 00")
    send("03 000004", 2)
    send("c7")
    send("06")
    wait(bus)
    send("03 000004", 2)
    assert [(e.kind, e.address, e.length, e.dropped) for e in seen] == [
        ("erase", 0x1000, 0x1000, False),
        ("erase", 0x2000, 0x1000, True),
        ("program", 0x2000, 1, True),
        ("read", 4, 2, True),
        ("erase", 0, SIZE, True),
        ("read", 4, 2, False),
    ]


def test_sleeping_chip_accepts_only_the_wake_command(send, bus, chip):
    send("b9")
    assert send("9f", 3) == b"\xff\xff\xff"
    assert send("05", 1) == b"\xff"
    send("06")
    assert send("ab 000000", 1) == chip.part.device[1:]
    assert send("05", 1) == b"\x00"
    assert send("9f", 3) == chip.part.jedec


def test_reset_needs_two_commands_in_a_row(send, bus):
    send("50")
    send("01 1c")
    send("06")
    send("99")
    assert send("05", 1) == b"\x1e"
    send("66")
    send("9f", 3)
    send("99")
    assert send("05", 1) == b"\x1e"
    send("66")
    send("99")
    assert bus.clock.busy
    wait(bus)
    assert send("05", 1) == b"\x00"


def test_reset_ends_a_running_erase(send, bus):
    send("06")
    send("20 000000")
    send("66")
    send("99")
    assert bus.clock.busy_until - bus.now() == 30_000


def test_suspended_erase_allows_reads_and_programs_elsewhere(send, bus, chip):
    send("06")
    send("d8 010000")
    bus.sleep(50 * MILLISECOND)
    send("75")
    assert (send("05", 1), send("35", 1)) == (b"\x00", b"\x80")
    assert send("03 000001", 1) == b"\x01"
    send("06")
    send("02 000001 00")
    wait(bus)
    assert chip.peek(1, 1) == b"\x00"
    send("06")
    send("02 010000 00")
    send("06")
    send("20 000000")
    assert chip.peek(0x10000, 1) + chip.peek(2, 1) == b"\xff\x02"
    send("06")
    send("31 02")
    assert send("35", 1) == b"\x80"
    send("04")
    send("7a")
    assert (send("05", 1), send("35", 1)) == (b"\x01", b"\x00")
    assert bus.clock.busy_until - bus.now() == pytest.approx(100 * MILLISECOND, abs=MILLISECOND)


def test_suspend_and_resume_without_an_operation_are_ignored(send, bus):
    send("75")
    send("7a")
    assert (send("05", 1), send("35", 1)) == (b"\x00", b"\x00")
    send("06")
    send("11 20")
    send("75")
    assert send("05", 1) == b"\x03"
    wait(bus)
    send("06")
    send("20 000000")
    send("75")
    send("06")
    send("02 010000 00")
    send("75")
    assert send("05", 1) == b"\x03"
    send("c7")
    wait(bus)
    send("06")
    send("c7")
    assert send("03 010001", 1) == b"\x01"


def test_security_registers_can_be_programmed_and_erased(send, bus):
    assert send("48 001000 00", 2) == b"\xff\xff"
    send("06")
    send("42 0010ff 12 34")
    wait(bus)
    assert send("48 0010ff 00", 3) == b"\x12\x34\xff"
    assert send("48 002000 00", 1) == b"\xff"
    send("06")
    send("44 001000")
    assert bus.clock.busy_until - bus.now() == 45 * MILLISECOND
    wait(bus)
    assert send("48 001000 00", 1) == b"\xff"
    send("42 001000 00")
    assert send("48 001000 00", 1) == b"\xff"


def test_security_program_wraps_and_keeps_the_last_256_bytes(send, bus):
    bus.transfer(b"\x06")
    bus.transfer(b"\x42\x00\x30\x01" + b"\x00" * 4 + bytes(range(255, -1, -1)))
    assert send("48 003000 00", 7) == b"\xff" * 7
    wait(bus)
    assert send("48 003000 00", 7) == bytes([4, 3, 2, 1, 0, 255, 254])
    assert send("48 0030fe 00", 4) == bytes([6, 5, 4, 3])


@pytest.mark.parametrize("place", ["000000", "004000", "001100"])
def test_addresses_outside_the_security_registers_are_ignored(send, bus, place):
    send("06")
    send(f"42 {place} 00")
    send(f"44 {place}")
    assert not bus.clock.busy
    assert send(f"48 {place} 00", 2) == b"\xff\xff"


def test_locked_security_register_cannot_be_changed(send, bus):
    send("06")
    send("42 002000 12")
    wait(bus)
    send("06")
    send("31 10")
    wait(bus)
    for change in ("42 002000 00", "44 002000", "31 00"):
        send("06")
        send(change)
        wait(bus)
    assert send("48 002000 00", 1) == b"\x12"
    assert send("35", 1) == b"\x10"
    send("06")
    send("42 001000 34")
    wait(bus)
    assert send("48 001000 00", 1) == b"\x34"


def test_unknown_commands_are_ignored(bus, chip):
    before = chip.peek(0, SIZE)
    for opcode in set(range(256)) - {int(op) for op in SHAPES}:
        bus.transfer(b"\x06")
        assert bus.transfer(bytes([opcode]) + bytes(8), 4) == b"\xff" * 4
        assert bus.transfer(b"\x05", 1) == b"\x02"
    assert chip.peek(0, SIZE) == before


def test_empty_frame_is_ignored(bus):
    assert bus.transfer(b"") == b""
    assert bus.transfer(b"", 2) == b"\xff\xff"


@pytest.mark.parametrize("opcode", [op for op, shape in SHAPES.items() if shape.head > 1])
def test_frame_shorter_than_its_head_is_ignored(bus, chip, opcode):
    before = chip.peek(0, SIZE)
    enable_quad(bus)
    bus.transfer(b"\x06")
    for length in range(1, SHAPES[opcode].head):
        frame = bytes([opcode]) + bytes(length - 1)
        assert bus.transfer(frame, 2, lines=SHAPES[opcode].data_lines) == b"\xff\xff"
    assert chip.peek(0, SIZE) == before
    assert not bus.clock.busy


def test_bytes_sent_during_the_answer_shift_it(bus):
    assert bus.transfer(bytes([Op.READ, 0, 0x10, 0, 0, 0]), 2) == b"\x02\x03"


def test_chip_without_a_24_bit_size_raises_einval():
    for size in (0x3000, 0x2000000):
        with pytest.raises(NorError, match=f"0x{size:X}") as caught:
            SpiFlashSlave(NorChip.in_memory(size))
        assert caught.value.errno == errno.EINVAL


@pytest.mark.parametrize("frame", ["9f", 3, [0x9F], None])
def test_frame_that_is_not_a_buffer_raises_type_error(bus, frame):
    with pytest.raises(TypeError):
        bus.transfer(frame, 3)
    assert bus.now() == 0


def test_slave_uses_the_clock_of_its_chip(chip):
    chip.clock = DeviceClock(bus_hz=1_000_000)
    bus = SpiFlashSlave(chip)
    bus.transfer(b"\x9f", 3)
    assert bus.now() == chip.clock.now == 32_000


def test_erase_larger_than_the_chip_erases_all_of_it():
    chip = NorChip.in_memory(content=bytes(0x4000))
    bus = SpiFlashSlave(chip)
    bus.transfer(b"\x06")
    bus.transfer(b"\xd8\x00\x10\x00")
    assert chip.peek(0, 0x4000) == b"\xff" * 0x4000
