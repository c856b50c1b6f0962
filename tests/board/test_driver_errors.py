"""Errors of chips, cards and drivers: never taken for an ``OSError`` of the board's program."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, NoReturn

import pytest

from board.desk import Desk
from maixfs.board.console import Console
from maixfs.board.exceptions import exception_name, exception_text
from maixfs.board.kpu.loading import Loader
from maixfs.board.modules.machine import Config
from maixfs.errors import DeviceError
from maixfs.fat.errors import FResult, fat_error
from maixfs.nor.errors import NorError
from maixfs.spiffs import Code
from maixfs.spiffs.errors import spiffs_error
from maixfs.vfs import Errno, FileIO, PlainOSError, VfsError


class BrokenChipError(NorError, DeviceError):
    """A failure of the file of a chip."""


def broken(*_: object) -> NoReturn:
    raise BrokenChipError("no space on the host")


def test_program_cannot_catch_a_chip_error_as_oserror(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = """
try:
    with open("/flash/x", "w") as file:
        file.write("x" * 9000)
except OSError:
    print("caught")
"""
    with desk.on() as board:
        monkeypatch.setattr(type(board.chip), "program", broken)
        monkeypatch.setattr(type(board.chip), "replace", broken)
        with pytest.raises(BrokenChipError):
            board.run(program)
    assert "caught" not in desk.out.getvalue()


def test_config_json_on_a_broken_chip_is_not_a_missing_file() -> None:
    config = Config(broken, Console(), lambda frame: False)
    with pytest.raises(BrokenChipError):
        config.load()


def test_config_json_that_cannot_be_read_is_not_printed_as_oserror() -> None:
    raw: Any = SimpleNamespace(read_all=broken, close=lambda: None)
    config = Config(lambda *_: FileIO(raw), Console(), lambda frame: False)
    with pytest.raises(BrokenChipError):
        config.load()


@pytest.mark.parametrize("error", [PlainOSError(Errno.EIO), VfsError(Errno.ENOENT)])
def test_missing_config_json_has_no_values(error: OSError) -> None:
    def missing(*_: object) -> NoReturn:
        raise error

    assert Config(missing, Console(), lambda frame: False).get_value("key", 5) == 5


def loader(error: BaseException) -> Loader:
    def fail(path: str) -> NoReturn:
        raise error

    vfs: Any = SimpleNamespace(open_native=fail)
    store: Any = SimpleNamespace(count=0, free=0)
    raw: Any = None
    return Loader(raw, vfs, store, v4_support=True, cpu_hz=400_000_000)


def test_kpu_load_passes_a_chip_error_on() -> None:
    with pytest.raises(BrokenChipError):
        loader(BrokenChipError("no space on the host")).from_file("/flash/m")


def test_kpu_load_reports_an_error_of_a_program_s_device() -> None:
    assert not loader(PlainOSError("own")).from_file("/sd/m").answer.loads


@pytest.mark.parametrize(
    "error",
    [
        BrokenChipError("no space on the host"),
        spiffs_error(Code.NOT_FOUND, "/a"),
        fat_error(FResult.NO_FILE, "/a"),
        DeviceError("torn out"),
    ],
)
def test_driver_error_prints_its_message_without_a_number(error: Exception) -> None:
    assert exception_name(error) == "Exception"
    assert exception_text(error) == str(error)


def test_oserror_of_the_host_prints_its_number() -> None:
    error = FileNotFoundError(2, "No such file or directory")
    assert exception_name(error) == "OSError"
    assert exception_text(error) == "[Errno 2] ENOENT"
