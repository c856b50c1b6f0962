"""The errors that programs see, and the SPIFFS error table."""

from __future__ import annotations

import copy
import pickle
import traceback

import pytest

from maixfs.errors import MaixfsError, UsageError
from maixfs.spiffs import Code
from maixfs.spiffs.errors import spiffs_error
from maixfs.vfs import (
    ERRORCODE,
    UERRNO,
    Errno,
    PlainOSError,
    PlainTimeoutError,
    Vfs,
    VfsError,
    without_errno_attribute,
)
from maixfs.vfs.spiffs import errno_of, error_of

# docs/SPEC.md, section 10: first number, last number, errno.
SPIFFS_ERRNOS = [
    (10000, 10000, 8),
    (10001, 10001, 28),
    (10002, 10002, 2),
    (10003, 10006, 5),
    (10007, 10007, 24),
    (10008, 10008, 1),
    (10009, 10009, 5),
    (10010, 10010, 9),
    (10011, 10011, 1),
    (10012, 10016, 5),
    (10017, 10017, 22),
    (10018, 10019, 5),
    (10020, 10020, 22),
    (10021, 10022, 1),
    (10023, 10023, 17),
    (10024, 10028, 5),
    (10029, 10029, 11),
    (10030, 10030, 17),
    (10031, 10031, 2),
    (10032, 10035, 5),
    (10036, 10036, 22),
    (10037, 10039, 5),
    (10040, 10040, 29),
    (10041, 10100, 5),
]


@pytest.mark.parametrize(
    ("number", "text"),
    [(2, "[Errno 2] ENOENT"), (19, "[Errno 19] ENODEV"), (28, "28"), (30, "30")],
)
def test_oserror_text_and_repr_are_micropython_s(number: int, text: str) -> None:
    error = VfsError(number)
    assert str(error) == text
    assert repr(error) == f"OSError({number},)"
    assert error.args == (number,)
    assert error.errno == number


@pytest.mark.parametrize(
    ("args", "text", "shown"),
    [
        ((2,), "[Errno 2] ENOENT", "OSError(2,)"),
        ((28,), "28", "OSError(28,)"),
        (("text",), "text", "OSError('text',)"),
        ((), "", "OSError()"),
        ((5, "text"), "(5, 'text')", "OSError(5, 'text')"),
        ((2, "b", "c"), "(2, 'b', 'c')", "OSError(2, 'b', 'c')"),
    ],
)
def test_plain_oserror_keeps_any_arguments(
    args: tuple[object, ...], text: str, shown: str
) -> None:
    error = PlainOSError(*args)
    assert (error.args, str(error), repr(error)) == (args, text, shown)
    assert type(error) is PlainOSError
    with pytest.raises(PlainOSError):
        raise VfsError(2)
    assert repr(PlainTimeoutError(110)) == "TimeoutError(110,)"
    assert isinstance(PlainTimeoutError(), PlainOSError)


def test_vfs_error_is_printed_as_oserror() -> None:
    error = VfsError(Errno.EIO)
    assert type(error).__name__ == "OSError"
    assert traceback.format_exception_only(error) == ["OSError: [Errno 5] EIO\n"]
    assert repr(error.args) == "(5,)"


def test_vfs_error_is_oserror_and_maixfs_error() -> None:
    with pytest.raises(OSError):
        raise VfsError(2)
    with pytest.raises(MaixfsError):
        raise VfsError(2)


@pytest.mark.parametrize("again", [copy.copy, lambda e: pickle.loads(pickle.dumps(e))])
def test_copied_vfs_error_keeps_class_and_number(again: object) -> None:
    error = again(VfsError(17))  # type: ignore[operator]
    assert type(error) is VfsError
    assert error.args == (17,)


def test_errno_attribute_can_be_disabled() -> None:
    error = VfsError(2)
    with without_errno_attribute():
        assert not hasattr(error, "errno")
        assert str(error) == "[Errno 2] ENOENT"
    assert error.errno == 2


def test_uerrno_has_the_firmware_s_names() -> None:
    assert UERRNO["ENOENT"] == 2
    assert ERRORCODE[110] == "ETIMEDOUT"
    assert len(UERRNO) == len(ERRORCODE) == 22
    assert not {"ENOSPC", "EROFS", "EMFILE", "ENOTDIR"} & UERRNO.keys()


@pytest.mark.parametrize(("first", "last", "errno"), SPIFFS_ERRNOS)
def test_spiffs_number_maps_to_its_errno(first: int, last: int, errno: int) -> None:
    assert {errno_of(-number) for number in range(first, last + 1)} == {errno}


def test_spiffs_error_maps_to_its_errno() -> None:
    for code in Code:
        expected = Errno.EROFS if code is Code.RO_NOT_IMPL else errno_of(code)
        assert error_of(spiffs_error(code)).args == (expected,)


def test_unknown_spiffs_number_is_eio() -> None:
    assert errno_of(-1) == errno_of(0) == errno_of(-9999) == Errno.EIO


def test_unknown_profile_is_usage_error() -> None:
    with pytest.raises(UsageError):
        Vfs("old")
