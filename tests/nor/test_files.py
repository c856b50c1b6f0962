"""Chips in files of the host: created, opened, dropped, removed, cut."""

from __future__ import annotations

import errno
import gc
import os
import sys
from pathlib import Path

import pytest

from maixfs.errors import ClosedError, ReadOnlyError
from maixfs.host import mapped
from maixfs.nor import NorChip, NorError, NorImageError, find_part

SIZE = 0x10000
mapped_files_can_go = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows keeps a mapped file where it is"
)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "flash.bin"
    path.write_bytes(b"\xff" * SIZE)
    return path


def test_new_image_is_erased_and_has_the_size_of_the_chip(tmp_path):
    path = tmp_path / "flash.bin"
    with NorChip.create(path, SIZE, content=b"boot") as chip:
        chip.program(0x100, b"more")
    assert path.read_bytes() == b"boot" + b"\xff" * 0xFC + b"more" + b"\xff" * (SIZE - 0x104)


def test_part_sets_the_size_of_a_new_image(tmp_path):
    with NorChip.create(tmp_path / "f", part=find_part("W25Q64JV")) as chip:
        assert chip.size == (tmp_path / "f").stat().st_size == 8 << 20


def test_create_overwrites_no_file(image):
    with pytest.raises(FileExistsError) as caught:
        NorChip.create(image, SIZE)
    assert isinstance(caught.value, NorError)
    assert caught.value.errno == errno.EEXIST
    assert caught.value.hint
    assert image.read_bytes() == b"\xff" * SIZE


def test_file_that_cannot_be_written_whole_is_removed(tmp_path, monkeypatch):
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(NorError) as caught:
        NorChip.create(tmp_path / "f", SIZE)
    assert caught.value.errno == errno.ENOSPC
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(FileNotFoundError) as missing:
        NorChip.create(tmp_path / "no" / "f", SIZE)
    assert isinstance(missing.value, NorError)


def test_interrupted_create_leaves_no_file(tmp_path, monkeypatch):
    def interrupted(handle: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        NorChip.create(tmp_path / "f", SIZE)
    assert list(tmp_path.iterdir()) == []


def test_wrong_arguments_create_no_file(tmp_path):
    with pytest.raises(NorImageError, match="5000"):
        NorChip.create(tmp_path / "f", 5000)
    with pytest.raises(NorImageError):
        NorChip.create(tmp_path / "f", 0x1000, content=bytes(0x2000))
    assert list(tmp_path.iterdir()) == []


def test_dropped_chip_keeps_its_programs_like_a_power_off(image):
    chip = NorChip.open(image)
    chip.program(0x20, b"landed")
    chip.erase_sector(0x3000)
    del chip
    gc.collect()
    assert image.read_bytes()[0x20:0x26] == b"landed"


def test_program_is_in_the_file_at_once(image):
    with NorChip.open(image) as chip:
        chip.program(0, b"now")
        assert image.read_bytes()[:3] == b"now"
        chip.flush()


def test_open_writes_nothing(image):
    before = image.stat().st_mtime_ns
    with NorChip.open(image, read_only=True) as chip:
        assert chip.read(0, 4) == b"\xff" * 4
        assert chip.window()[SIZE - 1] == 0xFF
    assert image.stat().st_mtime_ns == before


def test_read_only_chip_refuses_every_change(image):
    image.write_bytes(bytes(SIZE))
    with NorChip.open(image, read_only=True) as chip:
        for change in (
            lambda: chip.program(0, b"x"),
            lambda: chip.page_program(0, b"x"),
            lambda: chip.erase(0, 0x1000),
            lambda: chip.poke(0, b"x"),
            lambda: chip.replace(0, b"x"),
            chip.erase_chip,
        ):
            with pytest.raises(ReadOnlyError) as caught:
                change()
            assert caught.value.errno == errno.EROFS
            assert str(image) in str(caught.value)
    assert image.read_bytes() == bytes(SIZE)


def test_write_protected_file_raises_permission_error(image, monkeypatch):
    real = os.open

    def guarded(path: Path, flags: int) -> int:
        if flags & os.O_RDWR:
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(path, flags)

    monkeypatch.setattr(os, "open", guarded)
    with pytest.raises(PermissionError) as caught:
        NorChip.open(image)
    assert isinstance(caught.value, NorError)
    assert caught.value.errno == errno.EACCES
    assert caught.value.hint
    with NorChip.open(image, read_only=True) as chip:
        assert chip.read_only


@pytest.mark.parametrize("size", [0, 1, 5000, SIZE - 1, SIZE + 1])
def test_file_of_an_impossible_size_is_refused_and_kept(tmp_path, size):
    path = tmp_path / "dump.bin"
    path.write_bytes(b"d" * size)
    with pytest.raises(NorImageError) as caught:
        NorChip.open(path)
    assert str(path) in str(caught.value)
    assert caught.value.errno == errno.EINVAL
    assert caught.value.hint
    assert path.read_bytes() == b"d" * size


def test_file_must_have_the_size_of_the_part(image):
    with pytest.raises(NorImageError, match=r"65536 .* 16777216"):
        NorChip.open(image, part=find_part("W25Q128JV"))
    with pytest.raises(NorImageError, match=r"65536 .* 131072"):
        NorChip.open(image, size=0x20000)
    with NorChip.open(image, size=SIZE) as chip:
        assert chip.size == SIZE


def test_missing_file_and_folder_raise_the_builtin_errors(tmp_path):
    with pytest.raises(FileNotFoundError) as missing:
        NorChip.open(tmp_path / "none.bin")
    assert isinstance(missing.value, NorError)
    assert missing.value.errno == errno.ENOENT
    for read_only in (False, True):
        with pytest.raises(IsADirectoryError) as folder:
            NorChip.open(tmp_path, read_only=read_only)
        assert isinstance(folder.value, NorError)
        assert folder.value.errno == errno.EISDIR


def test_failed_open_releases_the_file(image, monkeypatch):
    maps = []
    real = mapped.MappedFile.__init__

    def remember(self, path, **options):
        real(self, path, **options)
        maps.append(self)

    monkeypatch.setattr(mapped.MappedFile, "__init__", remember)
    with pytest.raises(TypeError):
        NorChip.open(image, wear_path=5)
    assert maps[0]._map.closed


@mapped_files_can_go
def test_flush_of_a_removed_file_raises_file_not_found(image):
    chip = NorChip.open(image)
    image.unlink()
    chip.program(0, b"x")
    for use in (chip.flush, chip.close):
        with pytest.raises(FileNotFoundError) as caught:
            use()
        assert isinstance(caught.value, NorError)
        assert caught.value.hint
    chip.close()
    with pytest.raises(ClosedError):
        chip.read(0, 1)


@mapped_files_can_go
def test_flush_of_a_replaced_or_grown_file_raises_eio(image, tmp_path):
    chip = NorChip.open(image)
    other = tmp_path / "other"
    other.write_bytes(b"\xff" * SIZE)
    other.replace(image)
    with pytest.raises(NorError) as replaced:
        chip.flush()
    assert not isinstance(replaced.value, NorImageError)
    assert replaced.value.errno == errno.EIO
    chip = NorChip.open(image)
    with image.open("ab") as stream:
        stream.write(b"tail")
    with pytest.raises(NorImageError, match=r"65536 .* 65540") as grown:
        chip.flush()
    assert grown.value.errno == errno.EIO


def test_flush_reports_a_failing_host(image, monkeypatch):
    chip = NorChip.open(image)

    class Failing:
        def flush(self) -> None:
            raise OSError(errno.EIO, "Input/output error")

    class Length(Failing):
        def __len__(self) -> int:
            return SIZE

    monkeypatch.setattr(chip._file, "_map", Length())
    with pytest.raises(NorError, match="Input/output error") as caught:
        chip.flush()
    assert caught.value.errno == errno.EIO


def test_window_stays_readable_after_close(image):
    chip = NorChip.open(image)
    chip.program(0, b"kept")
    window = chip.window()
    chip.close()
    assert bytes(window[:4]) == b"kept"
