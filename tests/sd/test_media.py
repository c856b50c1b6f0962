"""Media and windows: one suite over every device, then the features of each."""

from __future__ import annotations

import errno
import os
import pickle
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maixfs.errors import ClosedError, FullError, ImageError, ReadOnlyError
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
    """A minimal ``SectorDevice``: without ``zero``."""

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


def test_new_device_reads_zero(device: SectorDevice) -> None:
    assert device.sectors == SECTORS
    assert not device.read_only
    assert device.read(0, SECTORS) == bytes(SECTORS * SECTOR)
    assert device.read(17, 0) == b""


def test_written_sectors_are_read_back(device: SectorDevice) -> None:
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


def test_zero_clears_only_its_sectors(device: SectorDevice) -> None:
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
def test_arguments_out_of_range_raise_einval_and_change_nothing(
    device: SectorDevice, work: Callable[[SectorDevice], object]
) -> None:
    with pytest.raises(SectorError) as caught:
        work(device)
    assert caught.value.errno == errno.EINVAL
    assert not any(device.read(0, SECTORS))


@pytest.mark.parametrize(
    "work",
    [
        lambda device: device.read("0", 1),
        lambda device: device.read(1.0, 1),
        lambda device: device.read(1e9, 1),
        lambda device: device.read(0, None),
        lambda device: device.readinto(0, "text"),
        lambda device: device.readinto(1.5, memoryview(bytearray(SECTOR))),
        lambda device: device.write(0, None),
        lambda device: device.write(0, "x" * SECTOR),
        lambda device: device.write(1.0, b"x" * SECTOR),
        lambda device: device.write("0", b"x" * SECTOR),
        lambda device: device.zero(1.0, 128),
        lambda device: device.zero(0, "1"),
    ],
)
@pytest.mark.parametrize("medium", ["memory", "file"])
def test_arguments_of_a_wrong_type_raise_type_error_and_change_nothing(
    work: Callable[[object], object], medium: str, tmp_path: Path
) -> None:
    device = MAKERS[medium](tmp_path)
    device.write(0, noise(SECTORS))
    with pytest.raises(TypeError):
        work(device)
    assert device.read(0, SECTORS) == noise(SECTORS)
    if isinstance(device, Medium):
        device.close()


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
def test_ram_sectors_equal_a_bytearray(work: list[tuple[str, int, int, int]]) -> None:
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


def test_ram_sectors_allocate_only_written_pieces() -> None:
    card = RamSectors(128 << 21)
    card.write(0, noise(1))
    card.write((128 << 21) - 1, noise(1))
    assert card.memory == 2 << 16
    card.zero(0, 128 << 21)
    assert card.memory == 0
    assert card.read((128 << 21) - 1, 1) == bytes(SECTOR)


def test_ram_sectors_with_initial_content() -> None:
    card = RamSectors(4, b"boot")
    assert card.read(0, 1) == b"boot".ljust(SECTOR, b"\0")
    with pytest.raises(SectorError):
        RamSectors(1, bytes(SECTOR + 1))
    with pytest.raises(SectorError) as caught:
        RamSectors(0)
    assert caught.value.errno == errno.EINVAL
    with pytest.raises(TypeError):
        RamSectors(1.5)  # type: ignore[arg-type]


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


def test_observer_sees_writes_and_can_tear_them() -> None:
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


def test_file_is_sparse_and_persistent(tmp_path: Path) -> None:
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
        for change in (lambda: card.write(0, bytes(SECTOR)), lambda: card.zero(0, 1)):
            with pytest.raises(SectorError) as caught:
                change()
            assert isinstance(caught.value, ReadOnlyError)
            assert caught.value.errno == errno.EROFS
        card.sync()


@pytest.mark.parametrize(
    "work",
    [
        lambda card: card.read(0, 1),
        lambda card: card.readinto(0, memoryview(bytearray(SECTOR))),
        lambda card: card.write(0, bytes(SECTOR)),
        lambda card: card.zero(0, 1),
        lambda card: card.sync(),
        lambda card: card.block_device,
    ],
)
def test_closed_file_raises_closed_error(
    work: Callable[[FileSectors], object], tmp_path: Path
) -> None:
    card = FileSectors.create(tmp_path / "card.img", SECTORS)
    card.close()
    card.close()
    with pytest.raises(SectorError) as caught:
        work(card)
    assert isinstance(caught.value, ClosedError)
    assert isinstance(caught.value, ValueError)
    assert caught.value.errno == errno.EBADF


@pytest.fixture
def like_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pread", "pwrite", "preadv", "SEEK_DATA", "SEEK_HOLE"):
        monkeypatch.delattr(os, name, raising=False)


@pytest.mark.usefixtures("like_windows")
def test_file_on_a_host_without_pread(tmp_path: Path) -> None:
    with FileSectors.create(tmp_path / "card.img", SECTORS) as card:
        test_new_device_reads_zero(card)
        test_written_sectors_are_read_back(card)
        test_zero_clears_only_its_sectors(card)


@pytest.mark.parametrize("fallback", [False, True])
def test_short_transfers_of_the_host_are_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fallback: bool
) -> None:
    if fallback:
        for name in ("pread", "pwrite", "preadv"):
            monkeypatch.delattr(os, name, raising=False)
    with FileSectors.create(tmp_path / "card.img", SECTORS) as card:
        # A host may transfer fewer bytes than requested.
        handle = card._file
        write, read = handle._write, handle._read
        monkeypatch.setattr(handle, "_write", lambda data, at: write(data[:700], at))
        monkeypatch.setattr(handle, "_read", lambda at, length: read(at, min(length, 300)))
        card.write(7, noise(5))
        assert card.read(6, 7) == bytes(SECTOR) + noise(5) + bytes(SECTOR)


def test_file_with_a_partial_sector_is_read_only(tmp_path: Path) -> None:
    path = tmp_path / "odd.img"
    path.write_bytes(noise(3) + b"rest")
    with FileSectors.open(path) as card:
        assert card.sectors == 3
        assert card.note is not None
        assert "4 bytes" in card.note
        assert card.read(0, 3) == noise(3)
    for content, read_only in ((noise(3) + b"rest", False), (b"short", True), (b"", True)):
        path.write_bytes(content)
        with pytest.raises(CardImageError) as caught:
            FileSectors.open(path, read_only=read_only)
        assert isinstance(caught.value, ImageError)
    path.write_bytes(noise(2))
    with FileSectors.open(path) as card:
        assert card.note is None
        assert not card.block_device


def test_files_that_cannot_be_opened_raise_the_builtin_error(tmp_path: Path) -> None:
    path = tmp_path / "card.img"
    (tmp_path / "old.img").write_bytes(noise(1))
    for work, builtin, number in (
        (lambda: FileSectors.open(path), FileNotFoundError, errno.ENOENT),
        (lambda: FileSectors.open(tmp_path), IsADirectoryError, errno.EISDIR),
        (lambda: FileSectors.open("a\0b"), OSError, errno.EINVAL),
        (lambda: FileSectors.create("a\0b", 4), OSError, errno.EINVAL),
        (lambda: FileSectors.create(path / "x", 4), FileNotFoundError, errno.ENOENT),
        (lambda: FileSectors.create(path, 0), OSError, errno.EINVAL),
        (lambda: FileSectors.create(tmp_path / "old.img", 4), FileExistsError, errno.EEXIST),
    ):
        with pytest.raises(SectorError) as caught:
            work()
        assert isinstance(caught.value, builtin)
        assert caught.value.errno == number
    for path_of_wrong_type in (5, None, b"card.img"):
        with pytest.raises(TypeError):
            FileSectors.open(path_of_wrong_type)  # type: ignore[arg-type]
    assert (tmp_path / "old.img").read_bytes() == noise(1)
    assert not path.exists()


def test_unwritable_file_raises_permission_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "card.img"
    path.write_bytes(noise(1))

    def refuse(*_: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(SectorError) as caught:
        FileSectors.open(path, read_only=False)
    assert isinstance(caught.value, PermissionError)
    assert caught.value.hint is not None


def test_failed_creation_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from maixfs.host import drafts

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(drafts, "_mark_sparse", full)
    with pytest.raises(SectorError) as caught:
        FileSectors.create(tmp_path / "card.img", 4)
    assert isinstance(caught.value, FullError)
    assert caught.value.errno == errno.ENOSPC
    assert not list(tmp_path.iterdir())


def test_file_truncated_in_use_raises_card_image_error(tmp_path: Path) -> None:
    path = tmp_path / "card.img"
    with FileSectors.create(path, 8) as card:
        os.truncate(path, 5 * SECTOR)
        with pytest.raises(CardImageError, match="sector 0x5"):
            card.read(4, 3)
        with pytest.raises(CardImageError, match="sector 0x5"):
            card.readinto(4, memoryview(bytearray(3 * SECTOR)))


def test_host_errors_keep_errno_and_name_path_and_sector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "card.img"

    def fail(*_: object) -> int:
        raise OSError(errno.ENXIO, "No such device or address")

    with FileSectors.create(path, 8) as card:
        for name in ("pread", "pwrite", "preadv", "fsync"):
            monkeypatch.setattr(os, name, fail, raising=False)
        for work in (
            lambda: card.read(3, 1),
            lambda: card.readinto(3, memoryview(bytearray(SECTOR))),
            lambda: card.write(3, bytes(SECTOR)),
        ):
            with pytest.raises(SectorError, match=r"card\.img .* sector 0x3") as caught:
                work()
            assert caught.value.errno == errno.ENXIO
        with pytest.raises(SectorError) as caught:
            card.sync()
        assert caught.value.errno == errno.ENXIO


def test_sector_error_survives_pickling(tmp_path: Path) -> None:
    with pytest.raises(SectorError) as caught:
        FileSectors.open(tmp_path / "none.img")
    copy = pickle.loads(pickle.dumps(caught.value))
    assert type(copy) is type(caught.value)
    assert (copy.errno, str(copy)) == (errno.ENOENT, str(caught.value))


def test_window_stays_within_its_device(tmp_path: Path) -> None:
    card = RamSectors(10)
    for start, sectors in ((-1, 2), (0, 0), (9, 2), (0, 11)):
        with pytest.raises(SectorError):
            SectorWindow(card, start, sectors)
    path = tmp_path / "card.img"
    path.write_bytes(noise(4))
    with FileSectors.open(path) as file:
        assert SectorWindow(file, 1, 2).read_only
