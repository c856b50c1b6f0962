"""Faults of cards, buses and drives that no switch of the simulated card produces."""

from __future__ import annotations

import errno
import os
import stat
import sys
from pathlib import Path

import pytest

from maixfs.sd import (
    CardImageError,
    CardKind,
    FileSectors,
    FirmwareSdCard,
    HostTime,
    RamSectors,
    SdCard,
    SdError,
    SectorError,
    SpiSdCard,
    SpiSdSlave,
)
from maixfs.sd.bus import CardLostError, Exchange, GarbledError
from maixfs.sd.spi_driver import initialise

from .conftest import QUICK, Driver, make_bus, noise


class Scripted(Exchange):
    """An exchange with a good card, with some responses replaced."""

    def __init__(self, answers: dict[int, bytes], kind: CardKind = CardKind.SDHC) -> None:
        super().__init__(make_bus(kind))
        self.answers = answers
        self.garbled = 0

    def command(self, number: int, argument: int = 0, extra: int = 0) -> bytes:
        response = super().command(number, argument, extra)
        return self.answers.get(number, response)

    def receive(self, length: int, what: str) -> bytes:
        data = super().receive(length, what)
        self.garbled -= 1
        if self.garbled >= 0:
            raise GarbledError(f"{what}: garbled")
        return data


@pytest.mark.parametrize(
    ("answers", "kind", "pattern"),
    [
        ({8: b"\xff\xff\xff\xff\xff"}, CardKind.SDHC, "CMD8 .*0xFF"),
        ({41: b"\x10"}, CardKind.SDHC, "ACMD41: .*0x10"),
        ({41: b"\xff"}, CardKind.SDHC, "ACMD41: .*0xFF"),
        ({58: b"\x00\x40\xff\x80\x00"}, CardKind.SDHC, "OCR 0x40FF8000"),
        ({58: b"\x00\xc0\xff\x80\x00"}, CardKind.MMC, "OCR 0xC0FF8000"),
        ({16: b"\x40"}, CardKind.SDSC_V1, "CMD16 .*0x40"),
        ({9: b"\x01"}, CardKind.SDHC, "CMD9 .*0x01"),
    ],
)
def test_initialisation_with_a_wrong_response_names_the_command(
    answers: dict[int, bytes], kind: CardKind, pattern: str
) -> None:
    with pytest.raises(SdError, match=pattern):
        initialise(Scripted(answers, kind), 25_000_000)


@pytest.mark.parametrize("garbled", [1, 2, 3])
def test_garbled_register_is_read_up_to_three_times(garbled: int) -> None:
    exchange = Scripted({})
    exchange.garbled = garbled
    if garbled < 3:
        assert initialise(exchange, 25_000_000).csd.crc_ok
    else:
        with pytest.raises(GarbledError, match="CMD9"):
            initialise(exchange, 25_000_000)


def test_read_without_a_token_raises(driver: Driver) -> None:
    bus = make_bus()
    card = driver(bus)
    bus.card.timing = QUICK.__class__(read_access=10**10)
    with pytest.raises(SdError, match=r"0xFF"):
        card.read(0, 1)


def test_missing_data_response_is_retried_then_raises() -> None:
    class Deaf:
        """A bus on which the card never sees the block."""

        def __init__(self, bus: SpiSdSlave) -> None:
            self.set_clock, self.time, self.sleep = bus.set_clock, bus.time, bus.sleep
            self.select, self.deselect = bus.select, bus.deselect
            self._bus = bus
            self.writes = 0

        def transfer(self, tx: bytes) -> bytes:
            if len(tx) > 500 and tx[1] == 0xFE:
                self.writes += 1
                return self._bus.transfer(b"\xff" * len(tx))
            return self._bus.transfer(tx)

    bus = Deaf(make_bus())
    with pytest.raises(CardLostError, match="0xFF"):
        SpiSdCard(bus).write(0, noise(1))
    assert bus.writes == 3  # each after a fresh start


def test_read_error_does_not_fail_the_next_write(driver: Driver) -> None:
    bus = make_bus()
    card = driver(bus)
    bus.card.faults.read_tokens[3] = 0x04
    for count in (1, 4):
        with pytest.raises(SdError, match="sector 0x3"):
            card.read(4 - count if count > 1 else 3, count)
    bus.card.faults.read_tokens.clear()
    card.write(3, noise(2))  # the error bits of the read are cleared by then
    assert card.read(3, 2) == noise(2)


class Failing(RamSectors):
    """A medium with one unreadable sector."""

    bad = 7

    def read(self, sector: int, count: int) -> bytes:
        if sector <= self.bad < sector + count:
            raise SectorError("the host cannot read")
        return super().read(sector, count)

    def write(self, sector: int, data: bytes | bytearray | memoryview) -> None:
        if sector <= self.bad < sector + len(data) // 512:
            raise SectorError("the host cannot write")
        super().write(sector, data)

    def zero(self, sector: int, count: int) -> None:
        raise SectorError("the host cannot write")


def test_failing_medium_is_reported_as_a_card_error(driver: Driver) -> None:
    bus = SpiSdSlave(SdCard(Failing(8 << 21), timing=QUICK))
    card = driver(bus)
    card.write(8, noise(1))
    with pytest.raises(SdError, match=r"sector 0x7: .*0x04"):
        card.read(5, 4)
    with pytest.raises(SdError, match=r"sector 0x7: .*0xED"):
        card.write(5, noise(4))
    if isinstance(card, SpiSdCard):
        with pytest.raises(SdError, match="0x04"):
            card.erase(0, 100)
    assert card.read(8, 1) == noise(1)


def test_zero_writes_zeros_if_the_erase_had_no_effect() -> None:
    bus = make_bus()
    card = SpiSdCard(bus)
    card.write(0, noise(100))
    bus.card.faults.drops_writes = True
    card.zero(0, 100)  # the erase did nothing, so zeros are written
    assert card.read(0, 100) == bytes(100 * 512)


def test_host_time_advances_by_sleep() -> None:
    clock = HostTime()
    before = clock.time()
    clock.sleep(1000)
    assert clock.time() > before


def test_bus_failure_during_a_wait_is_an_sd_error() -> None:
    bus = make_bus()
    card = FirmwareSdCard(bus)

    def fail(*_: object) -> tuple[int, int]:
        raise OSError(errno.ENODEV, "no such device")

    bus.skip = fail  # type: ignore[method-assign]
    with pytest.raises(SdError) as caught:
        card.read(0, 1)
    assert caught.value.errno == errno.ENODEV


# Drives of the host


def test_drive_without_a_card_raises_card_image_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "sdb"
    path.write_bytes(b"")
    monkeypatch.setattr(stat, "S_ISBLK", lambda mode: True)
    with pytest.raises(CardImageError, match="sdb"):
        FileSectors.open(path)


@pytest.mark.skipif(
    sys.platform != "linux", reason="other systems protect mounted drives themselves"
)
def test_mounted_drive_opens_read_only_but_not_for_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "sdb"
    path.write_bytes(noise(4))
    really_open = os.open

    def busy(name: Path, flags: int) -> int:
        if flags & os.O_EXCL:
            raise OSError(errno.EBUSY, "Device or resource busy")
        return really_open(name, flags)

    monkeypatch.setattr(stat, "S_ISBLK", lambda mode: True)
    monkeypatch.setattr(os, "open", busy)
    with pytest.raises(SectorError) as caught:
        FileSectors.open(path, read_only=False)
    assert caught.value.errno == errno.EBUSY
    assert "mounted" in (caught.value.hint or "")
    with FileSectors.open(path) as card:
        assert card.block_device
        assert card.read(0, 4) == noise(4)


def test_drive_that_disappears_raises_sector_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "sdb"
    path.write_bytes(noise(4))
    with FileSectors.open(path, read_only=False) as card:

        def fail(*_: object) -> int:
            raise OSError(errno.ENODEV, "No medium found")

        monkeypatch.setattr(os, "fstat", fail)
        with pytest.raises(SectorError) as caught:
            card.block_device
        assert caught.value.errno == errno.ENODEV
        monkeypatch.undo()
        # If the host cannot report holes, zeros are written over everything.
        monkeypatch.setattr(os, "lseek", fail)
        if hasattr(os, "pwrite"):
            card.zero(1, 2)
    assert path.read_bytes() == noise(4)[:512] + bytes(1024) + noise(4)[1536:]


def test_str_of_a_ram_medium_names_its_size() -> None:
    assert "16777216" in str(RamSectors(8 << 21))
