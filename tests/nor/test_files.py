"""Chips in files of the host: made, opened, dropped, gone, cut short."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

import pytest

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


def test_a_new_image_is_erased_and_exactly_the_chips_size(tmp_path):
    path = tmp_path / "flash.bin"
    with NorChip.create(path, SIZE, content=b"boot") as chip:
        chip.program(0x100, b"more")
    assert path.read_bytes() == b"boot" + b"\xff" * 0xFC + b"more" + b"\xff" * (SIZE - 0x104)


def test_a_part_sets_the_size_of_a_new_image(tmp_path):
    with NorChip.create(tmp_path / "f", part=find_part("W25Q64JV")) as chip:
        assert chip.size == (tmp_path / "f").stat().st_size == 8 << 20


def test_no_file_is_overwritten(image):
    with pytest.raises(NorError, match="exists already") as caught:
        NorChip.create(image, SIZE)
    assert caught.value.hint
    assert image.read_bytes() == b"\xff" * SIZE


def test_a_file_that_cannot_be_written_whole_is_removed(tmp_path, monkeypatch):
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(NorError, match="cannot be written: No space left"):
        NorChip.create(tmp_path / "f", SIZE)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(NorError, match="cannot be written"):
        NorChip.create(tmp_path / "no" / "f", SIZE)


def test_an_interrupted_create_leaves_no_half_image(tmp_path, monkeypatch):
    def interrupted(handle: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        NorChip.create(tmp_path / "f", SIZE)
    assert list(tmp_path.iterdir()) == []


def test_wrong_arguments_make_no_file(tmp_path):
    with pytest.raises(NorImageError):
        NorChip.create(tmp_path / "f", 5000)
    with pytest.raises(NorImageError):
        NorChip.create(tmp_path / "f", 0x1000, content=bytes(0x2000))
    assert list(tmp_path.iterdir()) == []


def test_power_off_is_a_dropped_object(image):
    chip = NorChip.open(image)
    chip.program(0x20, b"landed")
    chip.erase_sector(0x3000)
    del chip
    gc.collect()
    assert image.read_bytes()[0x20:0x26] == b"landed"


def test_what_is_written_is_in_the_file_at_once(image):
    with NorChip.open(image) as chip:
        chip.program(0, b"now")
        assert image.read_bytes()[:3] == b"now"
        chip.flush()


def test_opening_writes_nothing(image):
    before = image.stat().st_mtime_ns
    with NorChip.open(image, read_only=True) as chip:
        assert chip.read(0, 4) == b"\xff" * 4
        assert chip.window()[SIZE - 1] == 0xFF
    assert image.stat().st_mtime_ns == before


def test_a_read_only_chip_refuses_every_change(image):
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
            with pytest.raises(NorError, match="open for reading only") as caught:
                change()
            assert str(image) in str(caught.value)
    assert image.read_bytes() == bytes(SIZE)


def test_a_file_that_may_not_be_written_is_named_with_a_hint(image, monkeypatch):
    real = os.open

    def guarded(path: Path, flags: int) -> int:
        if flags & os.O_RDWR:
            raise PermissionError(13, "Permission denied")
        return real(path, flags)

    monkeypatch.setattr(os, "open", guarded)
    with pytest.raises(NorError, match="cannot be written: Permission denied") as caught:
        NorChip.open(image)
    assert "read-only" in caught.value.hint
    with NorChip.open(image, read_only=True) as chip:
        assert chip.read_only


@pytest.mark.parametrize("size", [0, 1, 5000, SIZE - 1, SIZE + 1])
def test_a_file_that_is_no_chips_size_is_refused_and_left_alone(tmp_path, size):
    path = tmp_path / "dump.bin"
    path.write_bytes(b"d" * size)
    with pytest.raises(NorImageError) as caught:
        NorChip.open(path)
    assert str(path) in str(caught.value)
    assert caught.value.hint
    assert path.read_bytes() == b"d" * size


def test_the_size_or_part_that_was_asked_for_must_be_the_files(image):
    with pytest.raises(NorImageError, match="65536 bytes, the chip has 16777216"):
        NorChip.open(image, part=find_part("W25Q128JV"))
    with pytest.raises(NorImageError, match="the chip has 131072"):
        NorChip.open(image, size=0x20000)
    with NorChip.open(image, size=SIZE) as chip:
        assert chip.size == SIZE


def test_no_file_and_a_folder(tmp_path):
    with pytest.raises(NorError, match="does not exist"):
        NorChip.open(tmp_path / "none.bin")
    with pytest.raises(NorError, match="is a folder"):
        NorChip.open(tmp_path)
    with pytest.raises(NorError, match="is a folder"):
        NorChip.open(tmp_path, read_only=True)


@mapped_files_can_go
def test_a_vanished_file_is_noticed_when_it_is_flushed(image):
    chip = NorChip.open(image)
    image.unlink()
    chip.program(0, b"x")
    with pytest.raises(NorError, match="is gone") as caught:
        chip.flush()
    assert caught.value.hint
    with pytest.raises(NorError, match="is gone"):
        chip.close()
    chip.close()
    with pytest.raises(NorError, match="closed"):
        chip.read(0, 1)


@mapped_files_can_go
def test_a_replaced_or_grown_file_is_noticed(image, tmp_path):
    chip = NorChip.open(image)
    other = tmp_path / "other"
    other.write_bytes(b"\xff" * SIZE)
    other.replace(image)
    with pytest.raises(NorError, match="was replaced"):
        chip.flush()
    chip = NorChip.open(image)
    with image.open("ab") as stream:
        stream.write(b"tail")
    with pytest.raises(NorImageError, match="cut or grown from 65536 to 65540"):
        chip.flush()


def test_a_host_that_cannot_write_back_is_reported(image, monkeypatch):
    chip = NorChip.open(image)

    class Failing:
        def flush(self) -> None:
            raise OSError(5, "Input/output error")

    class Length(Failing):
        def __len__(self) -> int:
            return SIZE

    monkeypatch.setattr(chip._file, "_map", Length())
    with pytest.raises(NorError, match="cannot be written: Input/output error"):
        chip.flush()


def test_a_window_outlives_the_close_of_its_chip(image):
    chip = NorChip.open(image)
    chip.program(0, b"kept")
    window = chip.window()
    chip.close()
    assert bytes(window[:4]) == b"kept"
