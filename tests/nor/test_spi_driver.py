"""The SPI driver: what it finds, and that it ends in a clear error whatever the bus does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from maixfs.nor import (
    DeviceClock,
    HostTime,
    NorChip,
    NorError,
    SpiFlash,
    SpiFlashSlave,
    find_part,
    sfdp,
)
from maixfs.nor.parts import parts

SIZE = 0x100000


@pytest.fixture
def slave() -> SpiFlashSlave:
    return SpiFlashSlave(NorChip.in_memory(content=bytes(SIZE)))


class Tampered:
    """A bus that passes frames on unless ``answer`` has something else to say."""

    def __init__(self, slave: SpiFlashSlave) -> None:
        self.slave = slave
        self.frames: list[bytes] = []
        self.override: dict[int, bytes] = {}
        self.swallow: set[int] = set()
        self.now = slave.now
        self.sleep = slave.sleep

    def transfer(self, tx: bytes, rx: int = 0, *, lines: int = 1) -> bytes:
        self.frames.append(bytes(tx))
        if tx[0] in self.swallow:
            return b"\xff" * rx
        answer = self.slave.transfer(tx, rx, lines=lines)
        if tx[0] in self.override:
            return self.override[tx[0]][:rx].ljust(rx, b"\xff")
        return answer

    def count(self, opcode: int) -> int:
        return sum(frame[0] == opcode for frame in self.frames)


@pytest.fixture
def bus(slave: SpiFlashSlave) -> Tampered:
    return Tampered(slave)


class Dead:
    """A bus with nothing on it: the line stays high, or low."""

    def __init__(self, level: int) -> None:
        self.level = level
        self.frames = 0

    def transfer(self, tx: bytes, rx: int = 0, *, lines: int = 1) -> bytes:
        self.frames += 1
        return bytes([self.level]) * rx


@pytest.mark.parametrize("level", [0x00, 0xFF])
@pytest.mark.parametrize("lines", [1, 4])
def test_no_chip_is_an_error_at_once(level, lines):
    bus = Dead(level)
    with pytest.raises(NorError, match="no flash chip answers") as caught:
        SpiFlash(bus, lines=lines)
    assert caught.value.hint
    assert bus.frames < 10


@pytest.mark.parametrize("part", parts(), ids=lambda part: part.name)
def test_each_part_is_known(part):
    flash = SpiFlash(SpiFlashSlave(NorChip.in_memory(part=part)))
    assert flash.part is part
    assert (flash.jedec, flash.size, flash.erase_size) == (part.jedec, part.size, 0x1000)
    assert flash.read_unique_id() == b"maixfs\x00\x01"


def test_a_stranger_is_taken_at_its_word():
    part = replace(find_part("GD25LQ128").resized(0x400000), jedec=b"\x99\x88\x16")
    flash = SpiFlash(SpiFlashSlave(NorChip.in_memory(part=part)))
    assert (flash.size, flash.part.name) == (0x400000, "chip 998816")
    assert flash.part.typical.sector == part.typical.sector
    assert flash.part.maximum.page >= part.maximum.page


def test_a_known_chip_needs_no_sfdp_and_a_stranger_does(bus):
    bus.swallow.add(0x5A)
    bus.override[0x9F] = find_part("W25Q64JV").jedec
    assert SpiFlash(bus).part is find_part("W25Q64JV")
    bus.override[0x9F] = b"\x99\x88\x17"
    with pytest.raises(NorError, match="998817 is not known and has no SFDP") as caught:
        SpiFlash(bus)
    assert "like" in caught.value.hint
    assert SpiFlash(bus, part=find_part("W25Q64JV")).size == 8 << 20


def test_a_broken_sfdp_matters_only_for_a_stranger(bus):
    bus.override[0x5A] = b"SFDP\x06\x01\x00\xff\x84"
    bus.override[0x9F] = find_part("W25Q64JV").jedec
    assert SpiFlash(bus).part is find_part("W25Q64JV")
    bus.override[0x9F] = b"\x99\x88\x17"
    with pytest.raises(NorError, match="SFDP has no basic table"):
        SpiFlash(bus)


def test_where_list_and_chip_disagree_the_chip_is_believed(bus):
    bus.override[0x9F] = find_part("W25Q128JV").jedec
    assert SpiFlash(bus).size == SIZE


def test_chips_beyond_24_bits_are_refused(bus):
    table = sfdp.build(find_part("W25Q128JV").resized(0x2000000))

    class Large(Tampered):
        def transfer(self, tx: bytes, rx: int = 0, *, lines: int = 1) -> bytes:
            if tx[0] == 0x5A:
                place = int.from_bytes(tx[1:4], "big")
                return table[place : place + rx]
            return super().transfer(tx, rx, lines=lines)

    with pytest.raises(NorError, match="0x2000000 bytes and erases of 4096, 32768, 65536"):
        SpiFlash(Large(bus.slave))


def test_only_lines_that_there_are(bus):
    with pytest.raises(NorError, match="not 3"):
        SpiFlash(bus, lines=3)


def test_one_line_asks_for_no_more(slave):
    class OneLine:
        def transfer(self, tx: bytes, rx: int = 0, *, lines: int = 1) -> bytes:
            assert lines == 1
            return slave.transfer(tx, rx)

    flash = SpiFlash(OneLine(), time=slave)
    flash.erase(0, 0x1000)
    flash.program(0, b"one line")
    assert flash.read(0, 8) == b"one line"


def test_four_lines_set_quad_enable_once(bus):
    SpiFlash(bus, lines=4)
    SpiFlash(bus, lines=4)
    assert bus.count(0x31) == 1
    assert bus.slave.status.quad_enabled


def test_quad_enable_is_set_the_old_way_where_the_new_one_fails(bus):
    bus.swallow.add(0x31)
    flash = SpiFlash(bus, lines=4)
    assert flash.read(0, 2) == b"\0\0"
    assert bus.frames[-2][0] == 0x35
    assert bus.slave.status.quad_enabled


def test_a_chip_that_refuses_four_lines(bus):
    bus.swallow |= {0x31, 0x01}
    with pytest.raises(NorError, match="QE stays 0") as caught:
        SpiFlash(bus, lines=4)
    assert caught.value.hint


def test_long_reads_come_in_pieces_of_64_kib(bus):
    flash = SpiFlash(bus)
    assert flash.read(0x10, 0x20001) == bytes(0x20001)
    assert [frame.hex() for frame in bus.frames[-3:]] == ["0b00001000", "0b01001000", "0b02001000"]


def test_erases_are_the_largest_that_fit(bus):
    flash = SpiFlash(bus)
    bus.frames.clear()
    flash.erase(0x7000, 0x3A000)
    erases = [frame.hex() for frame in bus.frames if frame[0] in (0x20, 0x52, 0xD8)]
    assert erases == [
        "20007000",
        "52008000",
        "d8010000",
        "d8020000",
        "d8030000",
        "20040000",
    ]
    flash.erase_chip()
    assert bus.slave.chip.peek(0, SIZE) == b"\xff" * SIZE


def test_a_sleeping_or_busy_chip_is_waited_for(slave):
    slave.transfer(b"\xb9")
    assert SpiFlash(slave).size == SIZE
    slave.transfer(b"\x06")
    slave.transfer(b"\xd8\0\0\0")
    assert SpiFlash(slave).read(0, 1) == b"\xff"


def test_a_chip_that_never_ends_is_given_up_in_bounded_time(bus):
    flash = SpiFlash(bus)
    bus.override[0x05] = b"\x03"
    with pytest.raises(NorError, match="does not let itself be written at 0x001000"):
        flash.erase(0x1000, 0x1000)
    bus.override[0x05] = b"\x02"
    polls = 0

    class Hanging(Tampered):
        def transfer(self, tx: bytes, rx: int = 0, *, lines: int = 1) -> bytes:
            nonlocal polls
            answer = super().transfer(tx, rx, lines=lines)
            if tx[0] == 0x20:
                self.override[0x05] = b"\x03"
            polls += tx[0] == 0x05
            return answer

    flash = SpiFlash(Hanging(bus.slave))
    before = bus.slave.now()
    with pytest.raises(NorError, match="still busy after") as caught:
        flash.erase(0x1000, 0x1000)
    assert caught.value.hint
    assert bus.slave.now() - before < 2_000_000_000
    assert polls < 400


def test_a_clock_that_stands_still_ends_no_later(bus):
    class Stopped:
        def now(self) -> int:
            return 0

        def sleep(self, nanoseconds: int) -> None:
            pass

    flash = SpiFlash(bus, time=Stopped())
    bus.frames.clear()

    with pytest.raises(NorError, match="still busy"):
        flash.erase(0x1000, 0x1000)
    assert len(bus.frames) < 400


def test_a_chip_taken_off_in_between_is_an_error(bus):
    flash = SpiFlash(bus)
    bus.override[0x05] = b"\xff"
    with pytest.raises(NorError, match=r"does not let itself be written .* 0xFF"):
        flash.program(0, b"x")

    class Unplugged(Tampered):
        def transfer(self, tx: bytes, rx: int = 0, *, lines: int = 1) -> bytes:
            answer = super().transfer(tx, rx, lines=lines)
            if tx[0] == 0x20:
                self.override[0x05] = b"\xff"
            return answer

    flash = SpiFlash(Unplugged(bus.slave))
    with pytest.raises(NorError, match="no longer answers"):
        flash.erase(0, 0x1000)


def test_a_lost_write_enable_is_tried_again_but_not_for_ever(bus):
    flash = SpiFlash(bus)

    class Deaf(Tampered):
        lost = 2

        def transfer(self, tx: bytes, rx: int = 0, *, lines: int = 1) -> bytes:
            if tx[0] == 0x06 and self.lost:
                self.lost -= 1
                return b""
            return super().transfer(tx, rx, lines=lines)

    flash = SpiFlash(Deaf(bus.slave))
    flash.erase(0, 0x1000)
    assert flash.read(0, 1) == b"\xff"
    flash.bus.lost = 1000
    with pytest.raises(NorError, match="status 0x00 after a write enable"):
        flash.erase(0x1000, 0x1000)
    assert flash.bus.lost == 997


def test_a_protected_chip_says_so_and_can_be_freed(bus):
    bus.slave.status.write(0, b"\x3c", volatile=False)
    flash = SpiFlash(bus)
    with pytest.raises(NorError, match="write-protected") as caught:
        flash.program(0x234, b"x")
    assert "unprotect" in caught.value.hint
    assert "0x000234" in str(caught.value)
    flash.unprotect()
    flash.erase(0, 0x1000)
    assert flash.read(0, 1) == b"\xff"


def test_a_locked_protection_cannot_be_freed(bus):
    bus.slave.status.write(0, b"\x1c\x01", volatile=False)
    flash = SpiFlash(bus)
    with pytest.raises(NorError, match="stays write-protected") as caught:
        flash.unprotect()
    assert "locked" in caught.value.hint


def test_a_bus_that_gives_too_few_bytes(bus):
    flash = SpiFlash(bus)

    class Short(Tampered):
        def transfer(self, tx: bytes, rx: int = 0, *, lines: int = 1) -> bytes:
            return super().transfer(tx, rx, lines=lines)[: rx - 1]

    flash.bus = Short(bus.slave)
    with pytest.raises(NorError, match="7 of 8 bytes at 0x000010"):
        flash.read(0x10, 8)


def test_it_waits_by_the_bus_where_that_has_a_clock(slave):
    chip = slave.chip
    chip.clock = DeviceClock(chip.part, profile="maximum")
    slow = SpiFlashSlave(chip)
    flash = SpiFlash(slow)
    flash.erase(0, 0x1000)
    assert 400_000_000 < slow.now() < 500_000_000


def test_the_hosts_time_moves(bus):
    time = HostTime()
    before = time.now()
    time.sleep(1000)
    assert time.now() > before
    assert isinstance(SpiFlash(Timeless(bus)).time, HostTime)


class Timeless:
    """A bus without a clock of its own."""

    def __init__(self, bus: Tampered) -> None:
        self.bus = bus

    def transfer(self, tx: bytes, rx: int = 0, *, lines: int = 1) -> bytes:
        return self.bus.transfer(tx, rx, lines=lines)
