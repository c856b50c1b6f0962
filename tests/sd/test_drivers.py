"""One suite over both drivers and every kind of card, and every fault with both drivers."""

from __future__ import annotations

import errno
from collections.abc import Callable

import pytest

from maixfs.errors import ReadOnlyError
from maixfs.sd import (
    ALWAYS,
    CardKind,
    Faults,
    FirmwareSdCard,
    RamSectors,
    SdCard,
    SdError,
    SdTiming,
    SectorError,
    SpiSdCard,
    SpiSdSlave,
)
from maixfs.sd.bus import CardLostError, GarbledError, GuardedBus
from maixfs.sd.device import Buffer

from .conftest import QUICK, SIZES, Driver, make_bus, noise

MODERN = [CardKind.SDSC_V2, CardKind.SDHC, CardKind.SDXC]
MILLISECOND = 1_000_000
SECOND = 1_000_000_000


@pytest.fixture(
    params=[
        *((SpiSdCard, kind) for kind in SIZES),
        *((FirmwareSdCard, kind) for kind in MODERN),
    ],
    ids=lambda pair: f"{pair[0].__name__}-{pair[1].value}",
)
def card(request: pytest.FixtureRequest) -> SpiSdCard | FirmwareSdCard:
    driver, kind = request.param
    made: SpiSdCard | FirmwareSdCard = driver(make_bus(kind))
    assert made.sectors == SIZES[kind]
    assert not made.read_only
    return made


def test_written_sectors_are_read_back(card: SpiSdCard | FirmwareSdCard) -> None:
    card.write(3, noise(1))
    card.write(10, noise(9, 2))
    card.write(card.sectors - 2, memoryview(noise(2, 3)))
    card.sync()
    assert card.read(2, 3) == bytes(512) + noise(1) + bytes(512)
    assert card.read(10, 9) == noise(9, 2)
    assert card.read(12, 1) == noise(9, 2)[1024:1536]
    assert card.read(card.sectors - 2, 2) == noise(2, 3)
    assert card.read(0, 0) == b""
    buffer = bytearray(4 * 512)
    card.readinto(9, memoryview(buffer))
    assert bytes(buffer) == bytes(512) + noise(9, 2)[: 3 * 512]
    card.write(0, b"")


def test_invalid_arguments_raise_and_change_nothing(card: SpiSdCard | FirmwareSdCard) -> None:
    for work in (
        lambda: card.read(-1, 1),
        lambda: card.read(0, -1),
        lambda: card.readinto(0, memoryview(bytearray(100))),
        lambda: card.write(0, bytes(513)),
        lambda: card.write(-1, bytes(512)),
    ):
        with pytest.raises(SectorError) as caught:
            work()
        assert caught.value.errno == errno.EINVAL
    for work in (
        lambda: card.read(card.sectors, 1),
        lambda: card.write(card.sectors, bytes(512)),
    ):
        with pytest.raises(SectorError):
            work()
    for work in (
        lambda: card.read(1.5, 1),
        lambda: card.read("0", 1),
        lambda: card.write(0, "text"),
        lambda: card.write(0, None),
    ):
        with pytest.raises(TypeError):
            work()
    assert card.read(0, 1) == bytes(512)


def test_driver_identifies_each_kind_of_card() -> None:
    for kind in SIZES:
        card = SpiSdCard(make_bus(kind))
        assert card.kind is kind
        assert card.crc_on
        assert card.csd.sectors == card.sectors
        assert card.cid.name.startswith("MAIXS")
        assert bool(card.ocr & 0x40000000) == kind.by_blocks


def test_zero_erases_where_erased_sectors_read_zero() -> None:
    for kind in (CardKind.MMC, CardKind.SDHC):
        bus = make_bus(kind)
        card = SpiSdCard(bus)
        card.write(0, noise(200))
        card.zero(1, 150)
        assert card.read(0, 200) == noise(200)[:512] + bytes(150 * 512) + noise(200)[151 * 512 :]
        assert bus.clock.counts["CMD38"] == (kind is not CardKind.MMC)
        card.erase(0, 0)


def test_clock_stays_within_the_limits_of_card_and_caller() -> None:
    bus = make_bus()
    SpiSdCard(bus, hz=50_000_000)
    assert bus.clock.hz == 25_000_000
    SpiSdCard(bus, hz=1_000_000)
    assert bus.clock.hz == 1_000_000


class Plain:
    """A bus like that of a real adapter: without a clock and without ``skip``."""

    def __init__(self, bus: SpiSdSlave) -> None:
        self.set_clock = bus.set_clock
        self.select, self.deselect = bus.select, bus.deselect
        self._transfer = bus.transfer
        self.left = 1 << 30
        self.short = False

    def transfer(self, tx: Buffer) -> bytes:
        self.left -= 1
        if self.left < 0:
            raise OSError(errno.ENODEV, "adapter unplugged")
        return self._transfer(tx)[: 3 if self.short else None]


def test_driver_works_on_a_bus_without_clock_and_skip(driver: Driver) -> None:
    card = driver(Plain(make_bus()))  # type: ignore[arg-type]
    card.write(5, noise(3))
    assert card.read(5, 3) == noise(3)


@pytest.mark.parametrize("left", [0, 1, 4, 20, 200])
def test_failing_bus_raises_sd_error_with_its_errno(driver: Driver, left: int) -> None:
    bus = Plain(make_bus(timing=SdTiming(init=0)))
    bus.left = left
    with pytest.raises(SdError, match="adapter unplugged") as caught:
        card = driver(bus)  # type: ignore[arg-type]
        for _ in range(100):
            card.read(0, 3)
    assert caught.value.errno == errno.ENODEV


def test_guarded_bus_passes_sd_errors_unchanged() -> None:
    inner = GuardedBus(Plain(make_bus()))  # type: ignore[arg-type]
    problem = SdError("CMD0: the card is gone")

    def fail(_: Buffer) -> bytes:
        raise problem

    inner.transfer = fail  # type: ignore[method-assign]
    with pytest.raises(SdError) as caught:
        GuardedBus(inner).transfer(b"\xff")
    assert caught.value is problem


def test_short_transfer_raises_sd_error(driver: Driver) -> None:
    bus = Plain(make_bus())
    bus.short = True
    with pytest.raises(SdError, match="3 of 10 bytes"):
        driver(bus)  # type: ignore[arg-type]


def test_failing_bus_line_raises_sd_error(driver: Driver) -> None:
    def fail(*_: object) -> None:
        raise OSError("no such pin")

    for name in ("set_clock", "select", "deselect"):
        bus = Plain(make_bus())
        setattr(bus, name, fail)
        with pytest.raises(SdError, match="no such pin"):
            driver(bus)  # type: ignore[arg-type]


# The firmware's behaviour


@pytest.mark.parametrize("kind", [CardKind.MMC, CardKind.SDSC_V1])
def test_firmware_refuses_mmc_and_sdsc_version_1(kind: CardKind) -> None:
    with pytest.raises(SdError, match=r"CMD8: .* 0x05"):
        FirmwareSdCard(make_bus(kind))


def test_firmware_writes_with_cmd24_and_reads_with_cmd18() -> None:
    bus = make_bus()
    card = FirmwareSdCard(bus)
    card.write(0, noise(5))
    assert bus.clock.counts["CMD24"] == 5
    assert bus.clock.counts["CMD25"] == 0
    card.read(0, 5)
    assert bus.clock.counts["CMD18"] == bus.clock.counts["CMD12"] == 1
    assert bus.clock.counts["CMD59"] == 0


def test_firmware_clock_depends_on_card_and_build_option() -> None:
    for kind, fast, hz in (
        (CardKind.SDHC, False, 25_000_000),
        (CardKind.SDSC_V2, True, 25_000_000),
        (CardKind.SDSC_V2, False, 200_000),
    ):
        bus = make_bus(kind)
        card = FirmwareSdCard(bus, fast_sdsc=fast)
        assert bus.clock.hz == card.hz == hz
        assert card.version == (2 if kind.by_blocks else 1)


def test_firmware_capacity_overflows_at_32_bits() -> None:
    bus = SpiSdSlave(SdCard(RamSectors(4 << 21), CardKind.SDSC_V2, timing=QUICK))
    assert FirmwareSdCard(bus).sectors == 0  # 4 GiB with byte addresses
    bus = SpiSdSlave(SdCard(RamSectors(2048 << 21), timing=QUICK))
    # 2 TiB: (C_SIZE + 1) * 1024 is 2^32.
    assert FirmwareSdCard(bus).sectors == 0
    bus = SpiSdSlave(SdCard(RamSectors(1024 << 21), timing=QUICK))
    assert FirmwareSdCard(bus).sectors == 1024 << 21


def test_firmware_capacity_mixes_two_sdsc_cards() -> None:
    bus = SpiSdSlave(SdCard(RamSectors(1 << 20), CardKind.SDSC_V2, timing=QUICK))
    card = FirmwareSdCard(bus)
    before = card.sectors
    card.init()
    assert card.sectors == before == 1 << 20
    other = SdCard(RamSectors(2561 << 8), CardKind.SDSC_V2, timing=QUICK)
    assert SpiSdCard(SpiSdSlave(other)).sectors == 2561 << 8
    card._bus = SpiSdSlave(other)  # type: ignore[assignment]
    card.init()
    assert card.sectors == (2560 | 4095) + 1 << 8


def test_firmware_read_past_the_end_is_refused_by_the_card() -> None:
    card = FirmwareSdCard(make_bus())
    with pytest.raises(SdError, match=r"CMD17 .* 0x40"):
        card.read(card.sectors, 1)


# Faults. Each row: the switch, the operation, and what identifies the error of each driver: the
# command or sector and the response in hex (None: the operation succeeds).

Work = Callable[[SpiSdCard | FirmwareSdCard], object]


def nothing(card: SpiSdCard | FirmwareSdCard) -> None:
    assert card.active if isinstance(card, FirmwareSdCard) else card.sectors


def read_one(card: SpiSdCard | FirmwareSdCard) -> None:
    assert card.read(7, 1) == bytes(512)


def read_many(card: SpiSdCard | FirmwareSdCard) -> None:
    assert card.read(5, 6) == bytes(6 * 512)


def write_one(card: SpiSdCard | FirmwareSdCard) -> None:
    card.write(7, noise(1))
    assert card.read(7, 1) == noise(1)


def write_many(card: SpiSdCard | FirmwareSdCard) -> None:
    card.write(5, noise(6))
    assert card.read(5, 6) == noise(6)


CASES: dict[str, tuple[Faults, Work, str | None, str | None]] = {
    "CMD0 twice": (Faults(cmd0_tries=2), nothing, None, None),
    "CMD0 three times": (Faults(cmd0_tries=3), nothing, None, None),
    "CMD0 five times": (Faults(cmd0_tries=5), nothing, None, r"CMD0: .*0xFF"),
    "CMD0 for ever": (Faults(cmd0_tries=99), nothing, "CMD0 .*0xFF", r"CMD0: .*0xFF"),
    "CMD0 says 0": (Faults(cmd0_answer=0), nothing, "CMD0 .* 0x00", "CMD0: .* 0x00"),
    "CMD0 says odd": (Faults(cmd0_answer=0x3F), nothing, "CMD0: .* 0x3F", "CMD0: .* 0x3F"),
    "no SPI mode": (Faults(refuses_spi=True), nothing, "CMD0 .*0xFF", "CMD0: .*0xFF"),
    "MISO low": (Faults(line=0x00), nothing, "CMD0 .* 0x00", r"CMD0: .* 0x00"),
    "MISO high": (Faults(line=0xFF), nothing, "CMD0 .*0xFF", "0xFF"),
    "wrong echo": (Faults(cmd8_echo=0x55), nothing, "CMD8 .*0x00000155", None),
    "no CMD59": (Faults(refused={59}), nothing, None, None),
    "no ACMD23": (Faults(refused_app={23}), write_many, None, None),
    "no ACMD51": (Faults(refused_app={51}), nothing, None, None),
    "no CMD58": (Faults(refused={58}), nothing, "CMD58 .*0x04", None),
    "no CMD9": (Faults(refused={9}), nothing, "CMD9 .*0x04", "CMD9 .*0x04"),
    "slow start": (Faults(init_time=150 * MILLISECOND), nothing, None, None),
    "very slow start": (Faults(init_time=700 * MILLISECOND), nothing, None, None),
    "slowest start": (Faults(init_time=1000 * MILLISECOND), nothing, None, "CMD16 .*0x05"),
    "never ready": (Faults(never_ready=True), nothing, "ACMD41 .*0x01", "CMD16 .*0x05"),
    "stays idle": (Faults(sticky_idle=True), nothing, r"CMD58 .*0x01", "0x01"),
    "needs select": (Faults(needs_toggle=True), write_one, None, None),
    "needs select, many": (Faults(needs_toggle=True), write_many, None, "CMD24 .*0xFF"),
    "ECC": (Faults(read_tokens={7: 0x04}), read_one, "sector 0x7: .*0x04", "0x7: .*0x04"),
    "ECC in many": (Faults(read_tokens={7: 0x05}), read_many, "sector 0x7: .*0x05", ".*0x05"),
    "sector 0": (Faults(read_tokens={0: 0x01}), lambda card: card.read(0, 1), "0x0: ", "0x0: "),
    "write error": (
        Faults(write_errors={7}),
        write_one,
        r"sector 0x7: .* 0xED .*status 0x04",
        r"sector 0x7: .* 0xED",
    ),
    "write error in many": (
        Faults(write_errors={7}),
        write_many,
        r"sector 0x7: .* 0xED .*status 0x04",
        r"sector 0x7: .* 0xED",
    ),
    "long busy": (Faults(busy_every=(2, 240 * MILLISECOND)), write_many, None, None),
    "busy for ever": (
        Faults(hangs_after=1),
        write_one,
        "sector 0x7: .*0x00",
        "sector 0x7: .*0x00",
    ),
    "busy for ever, many": (
        Faults(hangs_after=3),
        write_many,
        "sector 0x7: .*0x00",
        "sector 0x7: .*0x00",
    ),
    "stuff byte": (Faults(stuff_byte=0x7F), read_many, None, None),
    "stuff byte 0": (Faults(stuff_byte=0x00), read_many, None, None),
    "damaged command": (Faults(flipped_commands=1), nothing, None, None),
    "removed": (Faults(removed_after=1), nothing, "0xFF", "0xFF"),
}


@pytest.mark.parametrize("name", CASES)
def test_fault_ends_in_success_or_in_the_expected_error(name: str, driver: Driver) -> None:
    faults, work, spi_error, firmware_error = CASES[name]
    # Some switches count down, so each run has its own.
    faults = Faults(**{key: getattr(faults, key) for key in Faults.__slots__})
    bus = make_bus(timing=QUICK, faults=faults)
    pattern = spi_error if driver is SpiSdCard else firmware_error
    if pattern is None:
        work(driver(bus))
    else:
        with pytest.raises(SdError, match=pattern):
            work(driver(bus))
    assert bus.clock.now < 20 * SECOND


def started(driver: Driver, **switches: object) -> tuple[SpiSdSlave, SpiSdCard | FirmwareSdCard]:
    """Return a card whose faults begin once it is initialised."""
    bus = make_bus()
    card = driver(bus)
    for name, value in switches.items():
        setattr(bus.card.faults, name, value)
    return bus, card


def test_single_damaged_block_is_retried_by_the_spi_driver_only(driver: Driver) -> None:
    _, card = started(driver, flipped_reads=1)
    good = card.read(5, 6) == bytes(6 * 512)
    assert good == isinstance(card, SpiSdCard)  # the firmware does not check
    bus, card = started(driver, flipped_writes=1)
    card.write(5, noise(6))
    good = bus.card.medium.read(5, 6) == noise(6)
    assert good == isinstance(card, SpiSdCard)


def test_permanently_damaged_line_raises_garbled_error() -> None:
    for work, switch in ((read_many, "flipped_reads"), (write_many, "flipped_writes")):
        _, card = started(SpiSdCard, **{switch: ALWAYS})
        with pytest.raises(GarbledError, match="CRC"):
            work(card)
    _, card = started(SpiSdCard, flipped_commands=ALWAYS)
    with pytest.raises(GarbledError, match=r"CMD18 .*0x08"):
        read_many(card)


@pytest.mark.parametrize("work", [read_one, read_many, write_one, write_many])
@pytest.mark.parametrize("after", [1, 2, 3])
def test_power_dip_is_recovered_by_the_spi_driver_only(
    driver: Driver, work: Work, after: int
) -> None:
    _, card = started(driver, dip_after=after)
    if isinstance(card, SpiSdCard):
        work(card)
        return
    with pytest.raises(SdError, match=r"0x05|0xFF"):
        for _ in range(4):
            work(card)
    card.init()
    work(card)


@pytest.mark.parametrize("work", [read_one, read_many, write_one, write_many])
@pytest.mark.parametrize("after", [1, 2])
def test_removal_raises_within_bounded_time(driver: Driver, work: Work, after: int) -> None:
    bus, card = started(driver, removed_after=after)
    with pytest.raises(SdError, match="0xFF"):
        for _ in range(4):
            work(card)
    assert bus.clock.now < 20 * SECOND
    assert not bus.driving


def test_replaced_card_raises_instead_of_mixing_data() -> None:
    bus, card = started(SpiSdCard, dip_after=1)
    bus.card.cid = bytes(16)
    with pytest.raises(SdError) as caught:
        card.read(0, 1)
    assert not isinstance(caught.value, CardLostError)


def test_dropped_writes_disappear_with_power(driver: Driver) -> None:
    bus = make_bus(faults=Faults(drops_writes=True))
    card = driver(bus)
    card.write(5, noise(6))
    assert card.read(5, 6) == noise(6)
    bus.power_cycle()
    assert driver(bus).read(5, 6) == bytes(6 * 512)


def test_fake_capacity_wraps_addresses(driver: Driver) -> None:
    bus = make_bus(faults=Faults(real_sectors=1000))
    card = driver(bus)
    card.write(0, noise(1))
    card.write(999, noise(2, 2))
    assert card.read(0, 1) == noise(2, 2)[512:]
    assert card.read(5999, 1) == noise(2, 2)[:512]
    if isinstance(card, SpiSdCard):
        card.zero(900, 200)
        assert not any(bus.card.medium.read(0, 100))


def test_write_protected_card_rejects_writes(driver: Driver) -> None:
    bus = SpiSdSlave(SdCard(RamSectors(8 << 21), timing=QUICK, write_protected=True))
    card = driver(bus)
    with pytest.raises(SdError) as caught:
        card.write(0, noise(1))
    assert card.read_only == isinstance(card, SpiSdCard)
    if isinstance(card, SpiSdCard):
        # The firmware does not read the protection: for it the card fails (EIO).
        assert isinstance(caught.value, ReadOnlyError)
        assert caught.value.errno == errno.EROFS
        with pytest.raises(ReadOnlyError):
            card.zero(0, 100)
    else:
        assert caught.value.errno == errno.EIO


def test_initialisation_ends_an_interrupted_block() -> None:
    bus = make_bus()
    SpiSdCard(bus)
    bus.select()
    bus.transfer(bytes.fromhex("580000000001") + b"\xff\xff\xff\xfe" + bytes(100))
    # A program that is killed here leaves chip select low.
    assert SpiSdCard(bus).read(0, 1) == bytes(512)


def test_slowest_allowed_card_works_with_the_spi_driver_only() -> None:
    slowest = SdTiming(
        response=8,
        read_access=99 * MILLISECOND,
        next_access=99 * MILLISECOND,
        register_access=99 * MILLISECOND,
        write_busy=499 * MILLISECOND,
        next_busy=499 * MILLISECOND,
        stop_busy=499 * MILLISECOND,
        init=999 * MILLISECOND,
    )
    write_many(SpiSdCard(make_bus(timing=slowest)))
    with pytest.raises(SdError, match="CMD9"):  # 65,535 bytes are 21 ms at 25 MHz
        FirmwareSdCard(make_bus(timing=slowest))


def test_timeouts_end_with_a_clock_that_stands_still() -> None:
    class Still:
        def time(self) -> int:
            return 0

        def sleep(self, nanoseconds: int) -> None:
            return

    bus = make_bus(faults=Faults(never_ready=True))
    with pytest.raises(SdError, match="ACMD41"):
        SpiSdCard(bus, time=Still())
    bus = make_bus()
    card = SpiSdCard(bus, time=Still())
    bus.card.faults.hangs_after = 1
    with pytest.raises(SdError, match=r"sector 0x0: .*0x00"):
        card.write(0, noise(1))
