"""How FatFs results, mode letters and FAT times are translated."""

from __future__ import annotations

import pytest

from maixfs.fat.clock import pack_time
from maixfs.fat.errors import FResult, fat_error, full_error
from maixfs.fat.openflag import OpenFlag
from maixfs.sd.errors import SectorError
from maixfs.vfs.fat import MILLENNIUM, late_date, seconds_since_2000, year_of
from maixfs.vfs.fat_file import errno_of, error_of, open_flags

ERRNOS = {
    FResult.DISK_ERR: 5,
    FResult.INT_ERR: 5,
    FResult.NOT_READY: 16,
    FResult.NO_FILE: 2,
    FResult.NO_PATH: 2,
    FResult.INVALID_NAME: 22,
    FResult.DENIED: 13,
    FResult.EXIST: 17,
    FResult.INVALID_OBJECT: 22,
    FResult.WRITE_PROTECTED: 30,
    FResult.INVALID_DRIVE: 19,
    FResult.NOT_ENABLED: 19,
    FResult.NO_FILESYSTEM: 19,
    FResult.MKFS_ABORTED: 5,
    FResult.TIMEOUT: 5,
    FResult.LOCKED: 5,
    FResult.NOT_ENOUGH_CORE: 12,
    FResult.TOO_MANY_OPEN: 24,
    FResult.INVALID_PARAMETER: 22,
}


def day(year: int, month: int, number: int) -> int:
    """Return a date as FAT stores it."""
    return pack_time(year, month, number, 0, 0, 0)[0]


@pytest.mark.parametrize("result", [result for result in FResult if result])
def test_fat_result_maps_to_its_errno(result: FResult) -> None:
    assert errno_of(result) == ERRNOS[result]
    assert error_of(fat_error(result)).args == (ERRNOS[result],)


def test_unknown_fat_result_is_eio() -> None:
    assert errno_of(-1) == errno_of(20) == 5


def test_fat_error_is_mapped_by_result_not_errno() -> None:
    assert error_of(full_error("/a", "no room")).args == (13,)
    assert error_of(SectorError("torn out")).args == (5,)


@pytest.mark.parametrize(
    ("letters", "flags"),
    [
        ("", 0),
        ("r", 0x01),
        ("rb", 0x01),
        ("w", 0x0A),
        ("x", 0x06),
        ("a", 0x12),
        ("r+", 0x03),
        ("w+b", 0x0B),
        ("a+", 0x13),
        ("rw", 0x0B),
        ("xw?!", 0x0E),
    ],
)
def test_mode_letters_are_ored(letters: str, flags: int) -> None:
    assert open_flags(letters) == OpenFlag(flags)


# Seconds as MicroPython v1.11 gives them for these dates and times.
@pytest.mark.parametrize(
    ("date", "time", "seconds"),
    [
        (day(2000, 1, 1), 0, 0),
        (day(1980, 1, 1), 0, -631152000),
        (day(1981, 1, 1), 0, -599529600),
        (day(1999, 1, 1), 0, -31536000),
        (day(2024, 2, 29), 0, 762480000),
        (day(2100, 2, 31), 0, 3161030400),
        (day(2107, 1, 1), 0, 3376598400),
        (day(2000, 1, 1), 0xFFFF, 115442),
    ],
)
def test_fat_time_gives_micropython_seconds(date: int, time: int, seconds: int) -> None:
    assert seconds_since_2000(date, time) == seconds


def test_invalid_month_counts_as_the_nearest() -> None:
    january, zero = day(2020, 1, 1), day(2020, 0, 1)
    thirteen, fifteen = day(2020, 13, 1), day(2020, 15, 1)
    assert seconds_since_2000(zero, 0) == seconds_since_2000(january, 0)
    assert seconds_since_2000(fifteen, 0) == seconds_since_2000(thirteen, 0)


def test_root_time_is_2000_01_01() -> None:
    assert pack_time(2000, 1, 1, 0, 0, 0) == MILLENNIUM
    assert year_of(MILLENNIUM[0]) == 2000


@pytest.mark.parametrize(("year", "shown"), [(1980, 2040), (2000, 2060), (2024, 2084)])
def test_late_date_is_60_years_late(year: int, shown: int) -> None:
    assert late_date(day(year, 3, 4)) == day(shown, 3, 4)
