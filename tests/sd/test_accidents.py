"""What cards and media do that no switch of the simulated card says."""

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
from maixfs.sd.bus import Exchange, GarbledError
from maixfs.sd.spi_driver import start

from .conftest import QUICK, Driver, make_bus, noise


class Told(Exchange):
    """An exchange with a good card, except for what it is told to answer instead."""

    def __init__(self, answers: dict[int, bytes], kind: CardKind = CardKind.SDHC) -> None:
        super().__init__(make_bus(kind))
        self.answers = answers
        self.garbled = 0

    def command(self, number: int, argument: int = 0, extra: int = 0) -> bytes:
        said = super().command(number, argument, extra)
        return self.answers.get(number, said)

    def receive(self, length: int, what: str) -> bytes:
        data = super().receive(length, what)
        self.garbled -= 1
        if self.garbled >= 0:
            raise GarbledError(f"{what}: garbled")
        return data


@pytest.mark.parametrize(
    ("answers", "kind", "says"),
    [
        ({8: b"\xff\xff\xff\xff\xff"}, CardKind.SDHC, "CMD8 got no response"),
        ({41: b"\x10"}, CardKind.SDHC, r"ACMD41: the card answers 0x10 \(erase"),
        ({41: b"\xff"}, CardKind.SDHC, "ACMD41: the card gives no response"),
        ({58: b"\x00\x40\xff\x80\x00"}, CardKind.SDHC, "OCR 0x40FF8000"),
        ({58: b"\x00\xc0\xff\x80\x00"}, CardKind.MMC, "the MMC addresses by sectors"),
        ({16: b"\x40"}, CardKind.SDSC_V1, r"CMD16 .*0x40 \(parameter"),
        ({9: b"\x01"}, CardKind.SDHC, r"CMD9 .*0x01 \(idle\)"),
    ],
)
def test_a_start_that_goes_wrong(answers: dict[int, bytes], kind: CardKind, says: str) -> None:
    with pytest.raises(SdError, match=says):
        start(Told(answers, kind), 25_000_000)


@pytest.mark.parametrize("garbled", [1, 2, 3])
def test_registers_are_read_again(garbled: int) -> None:
    told = Told({})
    told.garbled = garbled
    if garbled < 3:
        assert start(told, 25_000_000).csd.crc_ok
    else:
        with pytest.raises(GarbledError, match="CMD9"):
            start(told, 25_000_000)


def test_a_card_that_sends_no_data(driver: Driver) -> None:
    bus = make_bus()
    card = driver(bus)
    bus.card.timing = QUICK.__class__(read_access=10**10)
    with pytest.raises(SdError, match=r"0xFF"):
        card.read(0, 1)


def test_a_data_response_that_does_not_come() -> None:
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
    with pytest.raises(SdError, match="no data response"):
        SpiSdCard(bus).write(0, noise(1))
    assert bus.writes == 3  # each after a fresh start


def test_an_error_that_was_told_is_over(driver: Driver) -> None:
    bus = make_bus()
    card = driver(bus)
    bus.card.faults.read_tokens[3] = 0x04
    for count in (1, 4):
        with pytest.raises(SdError, match="sector 0x3"):
            card.read(4 - count if count > 1 else 3, count)
    bus.card.faults.read_tokens.clear()
    card.write(3, noise(2))  # and the error bits of before do not count against it
    assert card.read(3, 2) == noise(2)


class Failing(RamSectors):
    """A medium on which one sector is gone."""

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


def test_a_medium_that_fails_is_a_card_that_fails(driver: Driver) -> None:
    bus = SpiSdSlave(SdCard(Failing(8 << 21), timing=QUICK))
    card = driver(bus)
    card.write(8, noise(1))
    with pytest.raises(SdError, match=r"sector 0x7: .*0x04"):
        card.read(5, 4)
    with pytest.raises(SdError, match=r"sector 0x7: .*0xED"):
        card.write(5, noise(4))
    if isinstance(card, SpiSdCard):
        with pytest.raises(SdError, match=r"0x04 \(error\)"):
            card.erase(0, 100)
    assert card.read(8, 1) == noise(1)


def test_an_erase_that_is_only_pretended() -> None:
    bus = make_bus()
    card = SpiSdCard(bus)
    card.write(0, noise(100))
    bus.card.faults.drops_writes = True
    card.zero(0, 100)  # the erase did nothing, so zeros are written
    assert card.read(0, 100) == bytes(100 * 512)


def test_the_host_s_clock() -> None:
    clock = HostTime()
    before = clock.time()
    clock.sleep(1000)
    assert clock.time() > before


def test_a_bus_that_fails_while_it_waits() -> None:
    bus = make_bus()
    card = FirmwareSdCard(bus)

    def fail(*_: object) -> tuple[int, int]:
        raise OSError(errno.ENODEV, "no such device")

    bus.skip = fail  # type: ignore[method-assign]
    with pytest.raises(SdError, match="no such device"):
        card.read(0, 1)


# Drives of the host


def test_a_drive_without_a_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "sdb"
    path.write_bytes(b"")
    monkeypatch.setattr(stat, "S_ISBLK", lambda mode: True)
    with pytest.raises(CardImageError, match="states no size"):
        FileSectors.open(path)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems guard drives by themselves")
def test_a_drive_that_is_mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "sdb"
    path.write_bytes(noise(4))
    really_open = os.open

    def busy(name: Path, flags: int) -> int:
        if flags & os.O_EXCL:
            raise OSError(errno.EBUSY, "Device or resource busy")
        return really_open(name, flags)

    monkeypatch.setattr(stat, "S_ISBLK", lambda mode: True)
    monkeypatch.setattr(os, "open", busy)
    with pytest.raises(SectorError, match="busy") as caught:
        FileSectors.open(path, read_only=False)
    assert "mounted" in (caught.value.hint or "")
    with FileSectors.open(path) as card:
        assert card.block_device
        assert card.read(0, 4) == noise(4)


def test_a_drive_that_goes_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "sdb"
    path.write_bytes(noise(4))
    with FileSectors.open(path, read_only=False) as card:

        def fail(*_: object) -> int:
            raise OSError(errno.EIO, "No medium found")

        monkeypatch.setattr(os, "fstat", fail)
        with pytest.raises(SectorError, match="No medium"):
            card.block_device
        monkeypatch.undo()
        # Where the host cannot tell holes from data, zeros are written.
        monkeypatch.setattr(os, "lseek", fail)
        if hasattr(os, "pwrite"):
            card.zero(1, 2)
    assert path.read_bytes() == noise(4)[:512] + bytes(1024) + noise(4)[1536:]


def test_a_medium_s_name() -> None:
    assert "16777216 sectors" in str(RamSectors(8 << 21))
