"""Reading, writing and erasing a flash by address."""

from __future__ import annotations

from pathlib import Path

import pytest

from image.places import FILES, SMALL, flash_of, make_board, make_image
from maixfs.errors import DeviceError, ReadOnlyError
from maixfs.image.opening import open_image
from maixfs.nor.device import SECTOR


def test_write_changes_only_its_sectors(tmp_path: Path) -> None:
    image = make_image(tmp_path, SMALL, 0x100000)
    before = image.host.read_bytes()
    with open_image(image.host, "r+") as target:
        assert target.write(SECTOR - 2, b"abcd") == 2
        assert target.write(SECTOR - 2, b"abcd") == 0
        assert target.read(SECTOR - 2, 4) == b"abcd"
    expected = bytearray(before)
    expected[SECTOR - 2 : SECTOR + 2] = b"abcd"
    assert image.host.read_bytes() == bytes(expected)


def test_erase_counts_sectors_that_were_not_erased(tmp_path: Path) -> None:
    host = tmp_path / "dump.bin"
    host.write_bytes(flash_of(SMALL, 0x100000, FILES))
    with open_image(host, "r+") as target:
        assert target.erase(SMALL.base, 4 * SECTOR) == 4
        assert target.erase(SMALL.base, 4 * SECTOR) == 0
        assert target.read(SMALL.base, SECTOR) == b"\xff" * SECTOR


def test_write_behind_the_end_changes_nothing(tmp_path: Path) -> None:
    host = tmp_path / "dump.bin"
    host.write_bytes(flash_of(SMALL, 0x100000, FILES))
    before = host.read_bytes()
    with open_image(host, "r+") as target:
        for address in (-1, 0x100000 - 1):
            with pytest.raises(DeviceError):
                target.write(address, b"xy")
        assert target.commit() == []
    with open_image(host) as target, pytest.raises(ReadOnlyError):
        target.erase(0, SECTOR)
    assert host.read_bytes() == before


def test_transaction_undoes_bytes_and_files(tmp_path: Path) -> None:
    host = tmp_path / "dump.bin"
    host.write_bytes(flash_of(SMALL, 0x100000, FILES))
    before = host.read_bytes()
    with open_image(host, "r+") as target:
        with pytest.raises(KeyError), target.transaction():
            target.write(0, b"abcd")
            target.write_bytes("/flash/new", b"new")
            raise KeyError
        assert not target.exists("/flash/new") and target.commit() == []
    assert host.read_bytes() == before


def test_write_to_a_board_counts_erases(tmp_path: Path) -> None:
    board = make_board(tmp_path, SMALL, 0x100000)
    with open_image(board.host, "r+") as target:
        old = target.flash.wear
        target.write(3 * SECTOR, b"model")
        target.commit()
        new = target.flash.wear
    assert new is not None
    assert new[3] == (0 if old is None else old[3]) + 1
