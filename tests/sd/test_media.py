"""What holds a card's sectors: one suite over every medium, and what each has of its own."""

from __future__ import annotations

import errno
import os
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maixfs.sd import (
    SECTOR,
    CardImageError,
    FileSectors,
    Medium,
    RamSectors,
    SectorDevice,
    SectorError,
    SectorWindow,
    zero_sectors,
)

SECTORS = 1000
CHUNK = 128  # sectors of 64 KiB


def noise(count: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(count * SECTOR)


class Plain:
    """A device of the least that there is: without ``zero``."""

    def __init__(self, device: SectorDevice) -> None:
        self.sectors, self.read_only = device.sectors, device.read_only
        self.read, self.readinto = device.read, device.readinto
        self.write, self.sync = device.write, device.sync


Maker = Callable[[Path], SectorDevice]
MAKERS: dict[str, Maker] = {
    "memory": lambda path: RamSectors(SECTORS),
    "file": lambda path: FileSectors.create(path / "card.img", SECTORS),
    "window": lambda path: SectorWindow(RamSectors(3 * SECTORS), 777, SECTORS),
    "window-plain": lambda path: SectorWindow(Plain(RamSectors(2 * SECTORS)), 5, SECTORS),
}


@pytest.fixture(params=MAKERS)
def device(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SectorDevice]:
    made = MAKERS[request.param](tmp_path)
    yield made
    if isinstance(made, Medium):
        made.close()


def test_a_new_card_is_zero(device: SectorDevice) -> None:
    assert device.sectors == SECTORS
    assert not device.read_only
    assert device.read(0, SECTORS) == bytes(SECTORS * SECTOR)
    assert device.read(17, 0) == b""


def test_what_is_written_is_read(device: SectorDevice) -> None:
    data = noise(300)
    device.write(100, data)
    device.write(400, memoryview(noise(1, 2)))
    device.write(401, bytearray(noise(1, 3)))
    device.sync()
    assert device.read(99, 302) == bytes(SECTOR) + data[: 300 * SECTOR] + noise(1, 2)
    buffer = bytearray(2 * SECTOR)
    device.readinto(400, memoryview(buffer))
    assert bytes(buffer) == noise(1, 2) + noise(1, 3)
    device.write(SECTORS - 1, noise(1))
    assert device.read(SECTORS - 1, 1) == noise(1)


def test_zero_makes_zero(device: SectorDevice) -> None:
    data = noise(SECTORS)
    device.write(0, data)
    zero_sectors(device, 3, 500)
    zero_sectors(device, 600, 0)
    wanted = data[: 3 * SECTOR] + bytes(500 * SECTOR) + data[503 * SECTOR :]
    assert device.read(0, SECTORS) == wanted


@pytest.mark.parametrize(
    "work",
    [
        lambda device: device.read(SECTORS, 1),
        lambda device: device.read(-1, 1),
        lambda device: device.read(0, -1),
        lambda device: device.read(SECTORS - 1, 2),
        lambda device: device.readinto(SECTORS - 1, memoryview(bytearray(2 * SECTOR))),
        lambda device: device.readinto(0, memoryview(bytearray(SECTOR - 1))),
        lambda device: device.write(SECTORS, bytes(SECTOR)),
        lambda device: device.write(-1, bytes(SECTOR)),
        lambda device: device.write(0, bytes(SECTOR + 1)),
        lambda device: zero_sectors(device, SECTORS - 1, 2),
        lambda device: zero_sectors(device, -1, 1),
    ],
)
def test_what_cannot_be_is_refused(
    device: SectorDevice, work: Callable[[SectorDevice], object]
) -> None:
    with pytest.raises(SectorError):
        work(device)
    assert not any(device.read(0, SECTORS))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["write", "zero"]),
            st.integers(0, 3 * CHUNK),
            st.integers(0, 2 * CHUNK + 3),
            st.integers(0, 255),
        ),
        max_size=12,
    )
)
def test_memory_against_plain_bytes(work: list[tuple[str, int, int, int]]) -> None:
    size = 6 * CHUNK
    card, model = RamSectors(size), bytearray(size * SECTOR)
    for kind, sector, count, value in work:
        data = bytes([value if kind == "write" else 0]) * count * SECTOR
        if kind == "write":
            card.write(sector, data)
        else:
            card.zero(sector, count)
        model[sector * SECTOR : sector * SECTOR + len(data)] = data
        assert card.read(0, size) == model
    filled = bytearray(len(model))
    card.readinto(0, memoryview(filled))
    assert filled == model


def test_a_huge_card_costs_what_is_written() -> None:
    card = RamSectors(128 << 21)
    card.write(0, noise(1))
    card.write((128 << 21) - 1, noise(1))
    assert card.memory == 2 << 16
    card.zero(0, 128 << 21)
    assert card.memory == 0
    assert card.read((128 << 21) - 1, 1) == bytes(SECTOR)


def test_memory_with_content() -> None:
    card = RamSectors(4, b"boot")
    assert card.read(0, 1) == b"boot".ljust(SECTOR, b"\0")
    with pytest.raises(SectorError):
        RamSectors(1, bytes(SECTOR + 1))
    with pytest.raises(SectorError):
        RamSectors(0)


class Watcher:
    def __init__(self) -> None:
        self.seen: list[tuple[str, int, int]] = []
        self.cut_at = -1

    def before(self, medium: Medium, sector: int, data: memoryview) -> None:
        self.seen.append(("before", sector, len(data) // SECTOR))
        if len(self.seen) == self.cut_at:
            medium.poke(sector, data[:SECTOR])
            raise InterruptedError

    def after(self, medium: Medium, sector: int, data: memoryview) -> None:
        assert medium.peek(sector, len(data) // SECTOR) == data
        self.seen.append(("after", sector, len(data) // SECTOR))


def test_an_observer_sees_writes_and_can_cut_them() -> None:
    card, watcher = RamSectors(SECTORS), Watcher()
    card.observers.append(watcher)
    card.write(3, noise(2))
    card.zero(0, CHUNK + 1)
    assert watcher.seen == [
        (when, *where)
        for where in ((3, 2), (0, CHUNK), (CHUNK, 1))
        for when in ("before", "after")
    ]
    watcher.cut_at = len(watcher.seen) + 1
    with pytest.raises(InterruptedError):
        card.write(10, noise(3))
    assert card.read(10, 3) == noise(3)[:SECTOR] + bytes(2 * SECTOR)


# Files


def test_a_file_is_sparse_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "card.img"
    with FileSectors.create(path, 128 << 21) as card:
        card.write(1 << 21, noise(3))
        card.zero(0, 128 << 21)
        card.write(12345, noise(3))
        card.sync()
        assert str(card) == str(path)
    assert path.stat().st_size == 128 << 30
    if sys.platform == "linux":
        assert path.stat().st_blocks * 512 < 1 << 20
    with FileSectors.open(path) as card:
        assert card.read_only
        assert card.read(12344, 4) == bytes(SECTOR) + noise(3)
        assert not any(card.read(1 << 21, 3))
        with pytest.raises(SectorError, match="read-only"):
            card.write(0, bytes(SECTOR))
        with pytest.raises(SectorError, match="read-only"):
            card.zero(0, 1)
        card.sync()
        card.close()
        with pytest.raises(SectorError, match="closed"):
            card.read(0, 1)


@pytest.fixture
def like_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pread", "pwrite", "preadv", "SEEK_DATA", "SEEK_HOLE"):
        monkeypatch.delattr(os, name, raising=False)


@pytest.mark.usefixtures("like_windows")
def test_a_host_without_pread(tmp_path: Path) -> None:
    with FileSectors.create(tmp_path / "card.img", SECTORS) as card:
        test_a_new_card_is_zero(card)
        test_what_is_written_is_read(card)
        test_zero_makes_zero(card)


@pytest.mark.parametrize("fallback", [False, True])
def test_short_transfers_are_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fallback: bool
) -> None:
    if fallback:
        for name in ("pread", "pwrite", "preadv"):
            monkeypatch.delattr(os, name, raising=False)
    with FileSectors.create(tmp_path / "card.img", SECTORS) as card:
        # A host may do less than it is asked for.
        handle = card._file
        write, read = handle._write, handle._read
        monkeypatch.setattr(handle, "_write", lambda data, at: write(data[:700], at))
        monkeypatch.setattr(handle, "_read", lambda at, length: read(at, min(length, 300)))
        card.write(7, noise(5))
        assert card.read(6, 7) == bytes(SECTOR) + noise(5) + bytes(SECTOR)


def test_odd_sizes(tmp_path: Path) -> None:
    path = tmp_path / "odd.img"
    path.write_bytes(noise(3) + b"rest")
    with FileSectors.open(path) as card:
        assert card.sectors == 3
        assert card.note is not None
        assert "4 bytes" in card.note
        assert card.read(0, 3) == noise(3)
    with pytest.raises(CardImageError, match="4 bytes after"):
        FileSectors.open(path, read_only=False)
    path.write_bytes(b"short")
    with pytest.raises(CardImageError, match="5 bytes"):
        FileSectors.open(path)
    path.write_bytes(noise(2))
    with FileSectors.open(path) as card:
        assert card.note is None
        assert not card.block_device


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    path = tmp_path / "card.img"
    with pytest.raises(SectorError, match="does not exist"):
        FileSectors.open(path)
    with pytest.raises(SectorError, match="folder"):
        FileSectors.open(tmp_path)
    with pytest.raises(SectorError, match="not a name"):
        FileSectors.open("a\0b")
    with pytest.raises(SectorError, match="not a name"):
        FileSectors.create("a\0b", 4)
    with pytest.raises(SectorError, match="cannot be written"):
        FileSectors.create(tmp_path / "none" / "card.img", 4)
    with pytest.raises(SectorError, match="0 sectors"):
        FileSectors.create(path, 0)
    path.write_bytes(noise(1))
    with pytest.raises(SectorError, match="exists already"):
        FileSectors.create(path, 4)
    assert path.read_bytes() == noise(1)


def test_a_file_that_may_not_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "card.img"
    path.write_bytes(noise(1))

    def refuse(*_: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(SectorError, match="cannot be written: Permission denied") as caught:
        FileSectors.open(path, read_only=False)
    assert caught.value.hint is not None


def test_a_creation_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from maixfs.host import drafts

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(drafts, "_mark_sparse", full)
    with pytest.raises(SectorError, match="No space"):
        FileSectors.create(tmp_path / "card.img", 4)
    assert not list(tmp_path.iterdir())


def test_a_file_cut_short_in_use(tmp_path: Path) -> None:
    path = tmp_path / "card.img"
    with FileSectors.create(path, 8) as card:
        os.truncate(path, 5 * SECTOR)
        with pytest.raises(CardImageError, match="ends at sector 0x5"):
            card.read(4, 3)
        with pytest.raises(CardImageError, match="ends at sector 0x5"):
            card.readinto(4, memoryview(bytearray(3 * SECTOR)))


def test_errors_of_the_host_name_path_and_sector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "card.img"

    def fail(*_: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    with FileSectors.create(path, 8) as card:
        for name in ("pread", "pwrite", "preadv", "fsync"):
            monkeypatch.setattr(os, name, fail, raising=False)
        for work in (
            lambda: card.read(3, 1),
            lambda: card.readinto(3, memoryview(bytearray(SECTOR))),
            lambda: card.write(3, bytes(SECTOR)),
        ):
            with pytest.raises(SectorError, match=r"card\.img cannot .* sector 0x3: Input"):
                work()
        with pytest.raises(SectorError, match="Input/output"):
            card.sync()


def test_a_window_lies_inside(tmp_path: Path) -> None:
    card = RamSectors(10)
    for start, sectors in ((-1, 2), (0, 0), (9, 2), (0, 11)):
        with pytest.raises(SectorError):
            SectorWindow(card, start, sectors)
    path = tmp_path / "card.img"
    path.write_bytes(noise(4))
    with FileSectors.open(path) as file:
        assert SectorWindow(file, 1, 2).read_only
