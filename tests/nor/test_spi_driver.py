"""The SPI driver: identification, waits, and its errors on faulty buses."""

from __future__ import annotations

import errno
from dataclasses import replace

import pytest

from maixfs.errors import ReadOnlyError
from maixfs.nor import (
    DeviceClock,
    HostTime,
    NorChip,
    NorError,
    NorImageError,
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
    """A bus that records frames, swallows some commands and replaces the answers of others."""

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
    """A bus without a chip: the line stays high, or low."""

    def __init__(self, level: int) -> None:
        self.level = level
        self.frames = 0

    def transfer(self, tx: bytes, rx: int = 0, *, lines: int = 1) -> bytes:
        self.frames += 1
        return bytes([self.level]) * rx


@pytest.mark.parametrize("level", [0x00, 0xFF])
@pytest.mark.parametrize("lines", [1, 4])
def test_bus_without_a_chip_raises_enodev_at_once(level, lines):
    bus = Dead(level)
    with pytest.raises(NorError) as caught:
        SpiFlash(bus, lines=lines)
    assert caught.value.errno == errno.ENODEV
    assert caught.value.hint
    assert bus.frames < 10


@pytest.mark.parametrize("part", parts(), ids=lambda part: part.name)
def test_each_part_is_identified(part):
    flash = SpiFlash(SpiFlashSlave(NorChip.in_memory(part=part)))
    assert flash.part is part
    assert (flash.jedec, flash.size, flash.erase_size) == (part.jedec, part.size, 0x1000)
    assert flash.read_unique_id() == b"maixfs\x00\x01"


def test_unknown_chip_is_used_as_its_sfdp_says():
    part = replace(find_part("GD25LQ128").resized(0x400000), jedec=b"\x99\x88\x16")
    flash = SpiFlash(SpiFlashSlave(NorChip.in_memory(part=part)))
    assert (flash.size, flash.part.name) == (0x400000, "chip 998816")
    assert flash.part.typical.sector == part.typical.sector
    assert flash.part.maximum.page >= part.maximum.page


def test_unknown_chip_without_sfdp_raises_enodev(bus):
    bus.swallow.add(0x5A)
    bus.override[0x9F] = find_part("W25Q64JV").jedec
    assert SpiFlash(bus).part is find_part("W25Q64JV")
    bus.override[0x9F] = b"\x99\x88\x17"
    with pytest.raises(NorError, match="998817") as caught:
        SpiFlash(bus)
    assert caught.value.errno == errno.ENODEV
    assert caught.value.hint
    assert SpiFlash(bus, part=find_part("W25Q64JV")).size == 8 << 20


def test_impossible_sfdp_is_an_error_only_for_an_unknown_chip(bus):
    bus.override[0x5A] = b"SFDP\x06\x01\x00\xff\x84"
    bus.override[0x9F] = find_part("W25Q64JV").jedec
    assert SpiFlash(bus).part is find_part("W25Q64JV")
    bus.override[0x9F] = b"\x99\x88\x17"
    with pytest.raises(NorImageError):
        SpiFlash(bus)


def test_size_in_the_sfdp_wins_over_the_table_of_parts(bus):
    bus.override[0x9F] = find_part("W25Q128JV").jedec
    assert SpiFlash(bus).size == SIZE


def test_chip_over_16_mib_raises_enodev(bus):
    table = sfdp.build(find_part("W25Q128JV").resized(0x2000000))

    class Large(Tampered):
        def transfer(self, tx: bytes, rx: int = 0, *, lines: int = 1) -> bytes:
            if tx[0] == 0x5A:
                place = int.from_bytes(tx[1:4], "big")
                return table[place : place + rx]
            return super().transfer(tx, rx, lines=lines)

    with pytest.raises(NorError, match=r"0x2000000 .* 4096, 32768, 65536") as caught:
        SpiFlash(Large(bus.slave))
    assert caught.value.errno == errno.ENODEV


def test_chip_without_4_kib_erases_raises_enodev(bus):
    table = bytearray(sfdp.build(bus.slave.chip.part))
    # Erase types 1 to 4 are at dwords 8 and 9 of the basic table: only 64 KiB is left.
    table[sfdp.TABLE_ADDRESS + 28 : sfdp.TABLE_ADDRESS + 32] = bytes(4)
    bus.slave._sfdp = bytes(table)
    with pytest.raises(NorError, match="65536") as caught:
        SpiFlash(bus)
    assert caught.value.errno == errno.ENODEV
    # A named part overrules the SFDP.
    assert SpiFlash(bus, part=bus.slave.chip.part).size == SIZE


def test_wrong_number_of_lines_raises_einval(bus):
    with pytest.raises(NorError) as caught:
        SpiFlash(bus, lines=3)
    assert caught.value.errno == errno.EINVAL
    assert bus.frames == []


def test_driver_for_one_line_uses_one_line(slave):
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


def test_quad_enable_falls_back_to_the_older_command(bus):
    bus.swallow.add(0x31)
    flash = SpiFlash(bus, lines=4)
    assert flash.read(0, 2) == b"\0\0"
    assert bus.frames[-2][0] == 0x35
    assert bus.slave.status.quad_enabled


def test_chip_that_refuses_quad_enable_raises_eio(bus):
    bus.swallow |= {0x31, 0x01}
    with pytest.raises(NorError) as caught:
        SpiFlash(bus, lines=4)
    assert caught.value.errno == errno.EIO
    assert caught.value.hint


def test_long_reads_are_split_at_64_kib(bus):
    flash = SpiFlash(bus)
    assert flash.read(0x10, 0x20001) == bytes(0x20001)
    assert [frame.hex() for frame in bus.frames[-3:]] == ["0b00001000", "0b01001000", "0b02001000"]


def test_erase_uses_the_largest_units(bus):
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
    bus.frames.clear()
    flash.erase(0x10000, 0x10000)
    assert [frame.hex() for frame in bus.frames if frame[0] in (0x20, 0x52, 0xD8)] == ["d8010000"]
    flash.erase_chip()
    assert bus.slave.chip.peek(0, SIZE) == b"\xff" * SIZE


def test_sleeping_or_busy_chip_is_waited_for(slave):
    slave.transfer(b"\xb9")
    assert SpiFlash(slave).size == SIZE
    slave.transfer(b"\x06")
    slave.transfer(b"\xd8\0\0\0")
    assert SpiFlash(slave).read(0, 1) == b"\xff"


def test_chip_that_stays_busy_raises_etimedout_in_bounded_time(bus):
    flash = SpiFlash(bus)
    bus.override[0x05] = b"\x03"
    with pytest.raises(NorError, match="0x001000") as refused:
        flash.erase(0x1000, 0x1000)
    assert refused.value.errno == errno.EIO
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
    with pytest.raises(NorError) as caught:
        flash.erase(0x1000, 0x1000)
    assert caught.value.errno == errno.ETIMEDOUT
    assert caught.value.hint
    assert bus.slave.now() - before < 2_000_000_000
    assert polls < 400


def test_wait_ends_with_a_clock_that_stands_still(bus):
    class Stopped:
        def now(self) -> int:
            return 0

        def sleep(self, nanoseconds: int) -> None:
            pass

    flash = SpiFlash(bus, time=Stopped())
    bus.frames.clear()
    with pytest.raises(NorError) as caught:
        flash.erase(0x1000, 0x1000)
    assert caught.value.errno == errno.ETIMEDOUT
    assert len(bus.frames) < 400


def test_unplugged_chip_raises_an_error(bus):
    flash = SpiFlash(bus)
    bus.override[0x05] = b"\xff"
    with pytest.raises(NorError, match="0xFF") as refused:
        flash.program(0, b"x")
    assert refused.value.errno == errno.EIO

    class Unplugged(Tampered):
        def transfer(self, tx: bytes, rx: int = 0, *, lines: int = 1) -> bytes:
            answer = super().transfer(tx, rx, lines=lines)
            if tx[0] == 0x20:
                self.override[0x05] = b"\xff"
            return answer

    flash = SpiFlash(Unplugged(bus.slave))
    with pytest.raises(NorError) as caught:
        flash.erase(0, 0x1000)
    assert caught.value.errno == errno.ENODEV


def test_lost_write_enable_is_repeated_three_times(bus):
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
    with pytest.raises(NorError, match="0x00 after") as caught:
        flash.erase(0x1000, 0x1000)
    assert caught.value.errno == errno.EIO
    assert flash.bus.lost == 997


def test_protected_chip_raises_erofs_until_unprotected(bus):
    bus.slave.status.write(0, b"\x3c", volatile=False)
    flash = SpiFlash(bus)
    with pytest.raises(ReadOnlyError, match="0x000234") as caught:
        flash.program(0x234, b"x")
    assert isinstance(caught.value, NorError)
    assert caught.value.errno == errno.EROFS
    assert "unprotect" in caught.value.hint
    flash.unprotect()
    flash.erase(0, 0x1000)
    assert flash.read(0, 1) == b"\xff"


def test_unprotect_of_a_locked_chip_raises_erofs(bus):
    bus.slave.status.write(0, b"\x1c\x01", volatile=False)
    flash = SpiFlash(bus)
    with pytest.raises(ReadOnlyError) as caught:
        flash.unprotect()
    assert caught.value.errno == errno.EROFS
    assert caught.value.hint


def test_bus_with_too_few_bytes_raises_eio(bus):
    flash = SpiFlash(bus)

    class Short(Tampered):
        def transfer(self, tx: bytes, rx: int = 0, *, lines: int = 1) -> bytes:
            return super().transfer(tx, rx, lines=lines)[: rx - 1]

    flash.bus = Short(bus.slave)
    with pytest.raises(NorError, match=r"7 of 8 .* 0x000010") as caught:
        flash.read(0x10, 8)
    assert caught.value.errno == errno.EIO


def test_driver_waits_by_the_clock_of_the_bus(slave):
    chip = slave.chip
    chip.clock = DeviceClock(chip.part, profile="maximum")
    slow = SpiFlashSlave(chip)
    flash = SpiFlash(slow)
    flash.erase(0, 0x1000)
    assert 400_000_000 < slow.now() < 500_000_000


def test_driver_over_a_bus_without_clock_uses_the_host_time(bus):
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
