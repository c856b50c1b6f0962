"""The simulated card in SPI mode, byte for byte."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maixfs.sd import CardKind, Faults, RamSectors, SdCard, SdClock, SdTiming, SpiSdSlave
from maixfs.sd.commands import crc16, frame

from .conftest import QUICK, SIZES, make_bus, noise

HCS = 0x40000000


class Host:
    """A host that checks every byte."""

    def __init__(self, bus: SpiSdSlave) -> None:
        self.bus = bus
        bus.set_clock(200_000)
        bus.deselect()
        bus.transfer(b"\xff" * 10)

    def send(self, command: int, argument: int = 0, extra: int = 0, *, crc: int = -1) -> bytes:
        """Return R1 and ``extra`` bytes, the card still selected."""
        sent = frame(command, argument)
        self.bus.select()
        self.bus.transfer(sent if crc < 0 else sent[:5] + bytes([crc]))
        count, r1 = self.bus.skip(0xFF, 9)
        return (bytes([r1]) if count <= 9 else b"\xff") + self.bus.transfer(b"\xff" * extra)

    def do(self, command: int, argument: int = 0, extra: int = 0) -> bytes:
        """Send a command as ``send`` does, then deselect the card."""
        answer = self.send(command, argument, extra)
        self.end()
        return answer

    def app(self, command: int, argument: int = 0, extra: int = 0) -> bytes:
        self.do(55)
        return self.do(command, argument, extra)

    def end(self) -> None:
        self.bus.deselect()
        self.bus.transfer(b"\xff")

    def start(self) -> Host:
        kind = self.bus.card.kind
        assert self.do(0) == b"\x01"
        if kind not in (CardKind.MMC, CardKind.SDSC_V1):
            assert self.do(8, 0x1AA, 4) == b"\x01\x00\x00\x01\xaa"
        for _ in range(100):
            r1 = self.do(1) if kind is CardKind.MMC else self.app(41, HCS)
            if r1 == b"\x00":
                break
            assert r1 == b"\x01"
        assert r1 == b"\x00"
        self.bus.set_clock(25_000_000)
        return self

    def block(self, length: int = 512) -> bytes:
        """Receive a block, check its CRC and return its data."""
        _, token = self.bus.skip(0xFF, 1 << 16)
        assert token == 0xFE
        data = self.bus.transfer(b"\xff" * (length + 2))
        assert crc16(data) == 0
        return data[:length]

    def give(self, data: bytes, token: int = 0xFE, *, crc: int | None = None) -> int:
        """Send a block, wait while the card is busy, return the defined bits of its response."""
        check = crc16(data) if crc is None else crc
        self.bus.transfer(b"\xff" + bytes([token]) + data + check.to_bytes(2, "big"))
        response = self.bus.transfer(b"\xff")[0] & 0x1F
        self.bus.skip(0x00, 1 << 20)
        return response


@pytest.fixture
def host(bus: SpiSdSlave) -> Host:
    return Host(bus).start()


@pytest.mark.parametrize("clocks", [0, 9, 10])
def test_card_needs_74_clocks_with_select_high(bus: SpiSdSlave, clocks: int) -> None:
    bus.transfer(b"\xff" * clocks)
    bus.select()
    bus.transfer(frame(0))
    assert (0x01 in bus.transfer(b"\xff" * 9)) == (clocks == 10)


def test_no_response_before_cmd0_with_a_valid_crc(bus: SpiSdSlave) -> None:
    host = Host(bus)
    assert host.do(8, 0x1AA, 4) == b"\xff" * 5
    assert host.send(0, crc=0x97) == b"\xff"  # still in SD mode, where CRCs are checked
    host.end()
    assert host.do(0) == b"\x01"
    assert host.send(0, crc=0x01) == b"\x01"  # in SPI mode they are not


@pytest.mark.parametrize("kind", SIZES)
def test_each_kind_answers_the_initialisation(kind: CardKind) -> None:
    host = Host(make_bus(kind))
    assert host.do(0) == b"\x01"
    modern = kind in (CardKind.SDSC_V2, CardKind.SDHC, CardKind.SDXC)
    assert host.do(8, 0x1AA, 4) == (b"\x01\x00\x00\x01\xaa" if modern else b"\x05" + b"\xff" * 4)
    assert host.do(8, 0x2AA, 4)[:4] == (b"\x01\0\0\0" if modern else b"\x05\xff\xff\xff")
    assert host.do(55) == (b"\x05" if kind is CardKind.MMC else b"\x01")
    assert host.do(58, 0, 4) == b"\x01\x00\xff\x80\x00"
    assert host.do(17, 0) == b"\x05"
    host.start()
    ccs = 0xC0 if kind.by_blocks else 0x80
    assert host.do(58, 0, 4) == bytes([0, ccs, 0xFF, 0x80, 0])


def test_sdhc_stays_idle_without_cmd8_and_hcs() -> None:
    host = Host(make_bus(timing=SdTiming(init=0)))
    host.do(0)
    assert host.app(41, HCS) == b"\x01"  # no CMD8 yet
    host.do(8, 0x1AA, 4)
    assert host.app(41, 0) == b"\x01"
    assert host.app(41, HCS) == b"\x00"
    host = Host(make_bus(CardKind.SDSC_V2, timing=SdTiming(init=0)))
    host.do(0)
    assert host.app(41, 0) == b"\x00"


def test_initialisation_time_passes_once_per_power_up() -> None:
    bus = make_bus(timing=SdTiming(init=10_000_000))
    Host(bus).start()
    assert bus.clock.now >= 10_000_000
    start = bus.clock.now
    Host(bus).start()
    assert bus.clock.now - start < 5_000_000
    bus.power_cycle()
    start = bus.clock.now
    Host(bus).start()
    assert bus.clock.now - start >= 10_000_000


def test_registers_are_sent_as_blocks(host: Host) -> None:
    card = host.bus.card
    for command, app, length, register in (
        (9, False, 16, card.csd),
        (10, False, 16, card.cid),
        (51, True, 8, card.scr),
        (22, True, 4, bytes(4)),
    ):
        if app:
            assert host.do(55) == b"\x00"
        assert host.send(command) == b"\x00"
        assert host.block(length) == register
        host.end()
    host.do(55)
    assert host.send(13, 0, 1) == b"\x00\x00"
    assert host.block(64) == card.sd_status
    host.end()


@pytest.mark.parametrize("kind", SIZES)
def test_single_block_write_and_read(kind: CardKind) -> None:
    host = Host(make_bus(kind)).start()
    unit = 1 if kind.by_blocks else 512
    data = noise(1)
    assert host.send(24, 5 * unit) == b"\x00"
    assert host.give(data) == 0x05
    host.end()
    assert host.bus.card.medium.read(5, 1) == data
    assert host.send(17, 5 * unit) == b"\x00"
    assert host.block() == data
    host.end()
    assert host.do(13, 0, 1) == b"\x00\x00"


def test_consecutive_commands_with_select_held(host: Host) -> None:
    for sector in (3, 4):
        host.bus.transfer(b"")
        assert host.send(24, sector) == b"\x00"
        assert host.give(noise(1, sector)) == 0x05
    host.end()
    assert host.bus.card.medium.read(3, 2) == noise(1, 3) + noise(1, 4)


def test_multi_block_write_and_read(host: Host) -> None:
    assert host.app(23, 3) == b"\x00"
    assert host.send(25, 7) == b"\x00"
    assert host.do(17, 0) == b"\x04"  # in the middle of a transfer
    host.bus.select()
    for index in range(3):
        assert host.give(noise(1, index), 0xFC) == 0x05
    host.bus.transfer(b"\xfd")
    assert host.bus.transfer(b"\xff\xff") == b"\xff\x00"
    host.bus.skip(0, 1 << 16)
    host.end()
    host.do(55)
    host.send(22)
    assert host.block(4) == b"\x00\x00\x00\x03"
    host.end()
    assert host.send(18, 7) == b"\x00"
    for index in range(3):
        assert host.block() == noise(1, index)
    host.bus.transfer(frame(12))
    assert host.bus.transfer(b"\xff" * 3) == b"\xff\xff\x00"  # stuff byte, wait, R1
    host.end()
    assert host.do(12) == b"\x04"


def test_block_length_applies_to_byte_addressed_cards() -> None:
    host = Host(make_bus(CardKind.SDSC_V1)).start()
    host.bus.card.medium.write(0, noise(2))
    assert host.do(16, 0) == b"\x40"
    assert host.do(16, 513) == b"\x40"
    assert host.do(16, 100) == b"\x00"
    assert host.send(17, 50) == b"\x00"
    assert host.block(100) == noise(2)[50:150]
    host.end()
    assert host.do(17, 450) == b"\x20"  # across two sectors
    assert host.do(24, 1) == b"\x20"
    host = Host(make_bus(CardKind.SDHC)).start()
    assert host.do(16, 100) == b"\x00"
    assert host.send(17, 0) == b"\x00"
    assert host.block() == bytes(512)


def test_access_past_the_end_is_refused(host: Host) -> None:
    last = host.bus.card.sectors - 1
    for command in (17, 18, 24, 25, 32):
        assert host.do(command, last + 1) == b"\x40"
    assert host.send(18, last) == b"\x00"
    host.block()
    assert host.bus.skip(0xFF, 1 << 16)[1] == 0x09  # out of range
    host.do(12)
    assert host.do(13, 0, 1) == b"\x00\x80"
    assert host.do(13, 0, 1) == b"\x00\x00"
    assert host.send(25, last) == b"\x00"
    assert host.give(noise(1), 0xFC) == 0x05
    assert host.give(noise(1), 0xFC) == 0x0D
    assert host.give(noise(1), 0xFC) == 0x0D
    assert host.do(12) == b"\x00"
    assert host.do(13, 0, 1) == b"\x00\x80"


def test_crcs_are_checked_after_cmd59(host: Host) -> None:
    assert host.send(13, 0, 1, crc=0x01) == b"\x00\x00"
    host.end()
    assert host.send(24, 1) == b"\x00"
    assert host.give(noise(1), crc=0) == 0x05
    host.end()
    assert host.do(59, 1) == b"\x00"
    assert host.send(13, crc=0x01) == b"\x08"
    host.end()
    assert host.send(24, 2) == b"\x00"
    assert host.give(noise(1), crc=0) == 0x0B
    host.end()
    assert host.bus.card.medium.read(1, 2) == noise(1) + bytes(512)
    assert host.do(59, 0) == b"\x00"
    assert host.send(8, 0x1AA, crc=0x01) == b"\x08"  # CMD8 is always checked


def test_erase_sequence(host: Host) -> None:
    medium = host.bus.card.medium
    medium.write(0, noise(10))
    assert host.do(38) == b"\x10"
    assert host.do(33, 4) == b"\x10"
    assert host.do(32, 2) == b"\x00"
    assert host.do(38) == b"\x10"
    assert host.do(32, 2) == b"\x00"
    assert host.do(58, 0, 4)[:1] == b"\x02"  # another command came between
    assert host.do(33, 4) == b"\x10"
    for command, argument in ((32, 2), (33, 4), (38, 0)):
        assert host.send(command, argument) == b"\x00"
    assert host.bus.transfer(b"\xff") == b"\x00"
    host.bus.skip(0, 1 << 16)
    host.end()
    assert medium.read(0, 10) == noise(10)[:1024] + bytes(3 * 512) + noise(10)[5 * 512 :]
    for command, argument in ((32, 4), (33, 2), (38, 0)):
        assert host.do(command, argument) == b"\x00"
    assert host.do(13, 0, 1) == b"\x00\x40"


def test_write_protected_card_reports_status() -> None:
    card = SdCard(RamSectors(8 << 21, noise(2)), write_protected=True, timing=QUICK)
    host = Host(SpiSdSlave(card)).start()
    assert host.send(24, 0) == b"\x00"
    assert host.give(noise(1, 9)) == 0x0D
    assert host.do(13, 0, 1) == b"\x00\x20"
    for command, argument in ((32, 0), (33, 1), (38, 0)):
        host.do(command, argument)
    assert host.do(13, 0, 1) == b"\x00\x02"
    assert card.medium.read(0, 2) == noise(2)


def test_miso_is_released_one_byte_after_deselect(host: Host) -> None:
    bus = host.bus
    assert host.send(24, 0) == b"\x00"
    bus.transfer(b"\xff\xfe" + noise(1) + b"\xff\xff")
    assert bus.transfer(b"\xff\xff")[1:] == b"\x00"
    assert bus.driving
    bus.deselect()
    assert bus.driving
    assert bus.transfer(b"\xff\xff") == b"\x00\xff"
    assert not bus.driving
    bus.select()
    assert bus.transfer(b"\xff") == b"\x00"  # still busy
    assert bus.skip(0, 1 << 20)[1] == 0xFF


def test_busy_card_accepts_only_cmd0(host: Host) -> None:
    host.bus.card.faults.hangs_after = 1
    host.send(24, 0)
    host.bus.transfer(b"\xff\xfe" + noise(1) + b"\xff\xff\xff")
    assert host.bus.transfer(frame(13) + b"\xff" * 4) == bytes(10)
    host.bus.card.faults.hangs_after = -1
    host.bus.transfer(frame(0))
    assert host.bus.skip(0, 100)[1] in (0xFF, 0x01)


def test_deselect_discards_incomplete_command_and_block(host: Host) -> None:
    host.bus.select()
    host.bus.transfer(frame(17)[:4])
    host.end()
    assert host.do(13, 0, 1) == b"\x00\x00"
    assert host.send(24, 0) == b"\x00"
    host.bus.transfer(b"\xff\xfe" + noise(1)[:100])
    host.end()
    assert host.do(13, 0, 1) == b"\x00\x00"
    assert host.bus.card.medium.read(0, 1) == bytes(512)


def test_time_is_that_of_the_bytes_on_the_bus() -> None:
    base = SdClock()
    bus = SpiSdSlave(SdCard(RamSectors(8 << 21)), base)
    bus.set_clock(200_000)
    bus.transfer(b"\xff" * 5)
    bus.set_clock(25_000_000)
    bus.select()
    bus.transfer(b"\xff" * 10)
    bus.sleep(7)
    assert bus.time() == base.now == 5 * 40_000 + 10 * 320 + 7
    assert bus.skip(0x00, 5) == (1, 0xFF)
    assert bus.skip(0xFF, 1 << 20) == (1 << 20, 0xFF)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 5000), st.integers(0, 5000), st.integers(0, 8), st.booleans())
def test_skip_takes_the_time_of_single_bytes(
    access: int, busy: int, response: int, by: bool
) -> None:
    timing = SdTiming(response=response, read_access=access, write_busy=busy, init=0)
    clocks = []
    for skipping in (False, True):
        host = Host(make_bus(timing=timing)).start()
        host.send(17 if by else 24, 0)
        if not by:
            host.bus.transfer(b"\xff\xfe" + noise(1) + b"\xff\xff\xff")
        value = 0xFF if by else 0x00
        if skipping:
            host.bus.skip(value, 1 << 20)
        else:
            while host.bus.transfer(b"\xff")[0] == value:
                pass
        clocks.append(host.bus.clock.now)
    assert clocks[0] == clocks[1]


steps = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.builds(frame, st.integers(0, 63), st.integers(0, 0xFFFFFFFF)),
        st.builds(frame, st.sampled_from([17, 18, 24, 25, 12, 13, 55, 41]), st.integers(0, 2000)),
        st.sampled_from(
            [
                b"\xff" * 600,
                b"\xff\xfe" + bytes(514),
                b"\xfc" + bytes(514),
                b"\xfd\xff",
                "select",
                "deselect",
                "cycle",
                "fast",
                "slow",
                "skip",
            ]
        ),
    ),
    max_size=40,
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(steps, st.sampled_from(list(SIZES)), st.booleans())
def test_card_survives_any_sequence(
    work: list[bytes | str], kind: CardKind, started: bool
) -> None:
    bus = make_bus(kind)
    host = Host(bus)
    if started:
        host.start()
    bus.select()
    actions = {
        "select": bus.select,
        "deselect": bus.deselect,
        "cycle": bus.power_cycle,
        "fast": lambda: bus.set_clock(25_000_000),
        "slow": lambda: bus.set_clock(0),
        "skip": lambda: bus.skip(0xFF, 700),
    }
    for step in work:
        if isinstance(step, str):
            actions[step]()
        else:
            assert len(bus.transfer(step)) == len(step)
    bus.power_cycle()
    Host(bus).start()


def test_card_without_spi_mode_never_answers() -> None:
    host = Host(make_bus(faults=Faults(refuses_spi=True)))
    assert [host.do(0) for _ in range(20)] == [b"\xff"] * 20
