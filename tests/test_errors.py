"""The error family: builtin classes, errno, native numbers, pickling."""

from __future__ import annotations

import copy
import errno
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from maixfs import errors
from maixfs.errors import (
    AccessError,
    ClosedError,
    DamagedError,
    DeviceError,
    ExistsError,
    FileSystemError,
    FitError,
    FullError,
    ImageError,
    IsFolderError,
    MaixfsError,
    MaixfsOSError,
    NameTooLongError,
    NotEmptyError,
    NotFolderError,
    NotFoundError,
    ReadOnlyError,
    TooManyFilesError,
    UsageError,
    combined,
    error_class,
)
from maixfs.fat import FatError, FResult
from maixfs.fat.errors import fat_error, full_error
from maixfs.host.errors import host_error
from maixfs.image.boardlock import BoardBusyError
from maixfs.image.errors import ImageBusyError, MissingError
from maixfs.nor.errors import NorError, NorImageError, nor_error
from maixfs.nor.errors import closed as chip_closed
from maixfs.sd.errors import SdError, SectorError, sector_error
from maixfs.spiffs import Code, SpiffsError
from maixfs.spiffs.errors import spiffs_error


def card_closed() -> SectorError:
    """Return the error of a card whose file was closed."""
    return combined(SectorError, ClosedError)("card.img is closed", errno=errno.EBADF)


FAMILY = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type)
    and issubclass(kind, MaixfsError)
    and kind is not FitError  # has numbers of its own, and one errno
]


# Classes


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (ImageError, ValueError),
        (UsageError, ValueError),
        (ClosedError, ValueError),
        (MaixfsOSError, OSError),
        (DeviceError, OSError),
        (FileSystemError, OSError),
        (NotFoundError, FileNotFoundError),
        (ExistsError, FileExistsError),
        (IsFolderError, IsADirectoryError),
        (NotFolderError, NotADirectoryError),
        (AccessError, PermissionError),
    ],
)
def test_error_is_the_builtin_that_cpython_raises(
    kind: type[MaixfsError], builtin: type[Exception]
) -> None:
    assert issubclass(kind, builtin)


def test_closed_error_is_no_os_error() -> None:
    """Programs that catch ``OSError`` around a write must see the use of a closed file."""
    assert not issubclass(ClosedError, OSError)
    with pytest.raises(ValueError):
        raise ClosedError("the file is closed")


@pytest.mark.parametrize(
    "kind", [kind for kind in FAMILY if issubclass(kind, FileSystemError)], ids=repr
)
def test_file_system_errors_have_a_native_number_and_no_device_class(
    kind: type[FileSystemError],
) -> None:
    assert kind("nothing native").native is None
    assert not issubclass(kind, DeviceError)


@pytest.mark.parametrize("kind", FAMILY, ids=lambda kind: kind.__name__)
def test_message_is_str_and_hint_is_apart(kind: type[MaixfsError]) -> None:
    error = kind("page 7 at 0x1c00 is damaged", hint="recover it")
    assert str(error) == "page 7 at 0x1c00 is damaged"
    assert error.hint == "recover it"
    assert kind("no hint").hint is None


@pytest.mark.parametrize(
    "kind", [kind for kind in FAMILY if issubclass(kind, MaixfsOSError)], ids=repr
)
def test_os_errors_have_errno_and_strerror(kind: type[MaixfsOSError]) -> None:
    error = kind("no room", errno=errno.ENOSPC)
    assert (error.errno, error.strerror) == (errno.ENOSPC, "no room")
    assert error.args == (errno.ENOSPC, "no room")
    assert type(error) is kind
    assert kind("unknown cause").errno == errno.EIO


# Combined classes


KINDS = {
    errno.ENOENT: NotFoundError,
    errno.EEXIST: ExistsError,
    errno.EISDIR: IsFolderError,
    errno.ENOTDIR: NotFolderError,
    errno.EACCES: AccessError,
    errno.EPERM: AccessError,
    errno.ENOTEMPTY: NotEmptyError,
    errno.ENOSPC: FullError,
    errno.EROFS: ReadOnlyError,
    errno.ENAMETOOLONG: NameTooLongError,
    errno.EMFILE: TooManyFilesError,
}
DRIVERS = [SpiffsError, FatError, NorError, SectorError]


@pytest.mark.parametrize("number", KINDS, ids=errno.errorcode.get)
@pytest.mark.parametrize("base", DRIVERS)
def test_driver_error_is_also_the_class_of_its_errno(
    base: type[MaixfsOSError], number: int
) -> None:
    kind = error_class(base, number)
    assert issubclass(kind, base)
    assert issubclass(kind, KINDS[number])
    assert kind.__name__ == KINDS[number].__name__


@pytest.mark.parametrize("number", [errno.EIO, errno.EINVAL, errno.EBUSY, errno.ENODEV])
def test_errno_without_a_class_gives_the_base(number: int) -> None:
    assert error_class(NorError, number) is NorError


def test_there_is_one_class_per_combination() -> None:
    assert combined(SpiffsError, ClosedError) is combined(SpiffsError, ClosedError)
    assert error_class(FatError, errno.EACCES) is error_class(FatError, errno.EPERM)
    assert error_class(FatError, errno.ENOENT) is not error_class(SpiffsError, errno.ENOENT)
    assert type(spiffs_error(Code.FULL)) is type(spiffs_error(Code.FULL, "/a"))


def test_class_is_not_combined_with_what_it_is_already() -> None:
    assert combined(NotFoundError, NotFoundError) is NotFoundError
    assert combined(FullError, FileSystemError) is FullError
    assert combined(SpiffsError, None) is SpiffsError
    found = error_class(SpiffsError, errno.ENOENT)
    assert error_class(found, errno.ENOENT) is found


FLASH_FILE = Path("flash.bin")
PICKLED: dict[str, Callable[[], MaixfsError]] = {
    "plain": lambda: ImageError("damaged", hint="recover it"),
    "closed": lambda: ClosedError("closed"),
    "device": lambda: DeviceError("no answer", errno=errno.ETIMEDOUT, hint="plug it in"),
    "fit": lambda: FitError("/a", needed=3, free=2, deleted=1, hint="remove files"),
    "file system": lambda: NotEmptyError("/d", errno=errno.ENOTEMPTY),
    "spiffs": lambda: spiffs_error(Code.NOT_FOUND, "/a", hint="look again"),
    "spiffs, closed": lambda: spiffs_error(Code.NOT_MOUNTED),
    "spiffs, no class": lambda: spiffs_error(Code.NOT_A_FS),
    "fat": lambda: fat_error(FResult.DENIED, "/d", errno=errno.ENOTEMPTY, hint="empty it"),
    "fat, closed": lambda: fat_error(FResult.INVALID_OBJECT),
    "chip": lambda: nor_error("cannot be read", errno.ENOENT),
    "chip, closed": chip_closed,
    "chip, image": lambda: NorImageError("3 bytes"),
    "card": lambda: error_class(SdError, errno.EROFS)("locked", errno=errno.EROFS, hint="slide"),
    "card, closed": card_closed,
    "image, busy": lambda: ImageBusyError("busy", 7, hint="wait"),
    "image, missing": lambda: MissingError("/a: no such file", hint="there is /b"),
    "board, busy": lambda: BoardBusyError("busy", None),
    "host": lambda: host_error(FLASH_FILE, "is missing", errno.ENOENT, base=NorError),
}


@pytest.mark.parametrize("case", PICKLED)
@pytest.mark.parametrize("way", ["copy", "deepcopy", *range(pickle.HIGHEST_PROTOCOL + 1)])
def test_error_is_the_same_after_pickling_and_copying(case: str, way: str | int) -> None:
    error = PICKLED[case]()
    if isinstance(way, int):
        again = pickle.loads(pickle.dumps(error, way))
    else:
        again = getattr(copy, way)(error)
    assert type(again) is type(error)
    assert (str(again), again.hint, vars(again)) == (str(error), error.hint, vars(error))
    for name in ("errno", "strerror", "filename", "native", "args"):
        assert getattr(again, name, None) == getattr(error, name, None)


# Native numbers


SPIFFS_ERRORS: dict[Code, tuple[int, type[MaixfsError]]] = {
    Code.NOT_MOUNTED: (errno.EBADF, ClosedError),
    Code.FULL: (errno.ENOSPC, FullError),
    Code.NOT_FOUND: (errno.ENOENT, NotFoundError),
    Code.END_OF_OBJECT: (errno.EINVAL, SpiffsError),
    Code.DELETED: (errno.EIO, DamagedError),
    Code.NOT_FINALIZED: (errno.EIO, DamagedError),
    Code.NOT_INDEX: (errno.EIO, DamagedError),
    Code.OUT_OF_FILE_DESCS: (errno.EMFILE, TooManyFilesError),
    Code.FILE_CLOSED: (errno.EBADF, ClosedError),
    Code.FILE_DELETED: (errno.EBADF, ClosedError),
    Code.BAD_DESCRIPTOR: (errno.EBADF, ClosedError),
    Code.IS_INDEX: (errno.EIO, DamagedError),
    Code.IS_FREE: (errno.EIO, DamagedError),
    Code.INDEX_SPAN_MISMATCH: (errno.EIO, DamagedError),
    Code.DATA_SPAN_MISMATCH: (errno.EIO, DamagedError),
    Code.INDEX_REF_FREE: (errno.EIO, DamagedError),
    Code.INDEX_REF_LU: (errno.EIO, DamagedError),
    Code.INDEX_REF_INVALID: (errno.EIO, DamagedError),
    Code.INDEX_FREE: (errno.EIO, DamagedError),
    Code.INDEX_LU: (errno.EIO, DamagedError),
    Code.INDEX_INVALID: (errno.EIO, DamagedError),
    Code.NOT_WRITABLE: (errno.EBADF, SpiffsError),
    Code.NOT_READABLE: (errno.EBADF, SpiffsError),
    Code.CONFLICTING_NAME: (errno.EEXIST, ExistsError),
    Code.NOT_CONFIGURED: (errno.EINVAL, SpiffsError),
    Code.NOT_A_FS: (errno.ENODEV, SpiffsError),
    Code.MOUNTED: (errno.EBUSY, SpiffsError),
    Code.ERASE_FAIL: (errno.EIO, DamagedError),
    Code.MAGIC_NOT_POSSIBLE: (errno.EINVAL, SpiffsError),
    Code.NO_DELETED_BLOCKS: (errno.EAGAIN, SpiffsError),
    Code.FILE_EXISTS: (errno.EEXIST, ExistsError),
    Code.NOT_A_FILE: (errno.ENOENT, NotFoundError),
    Code.RO_NOT_IMPL: (errno.EROFS, ReadOnlyError),
    Code.RO_ABORTED_OPERATION: (errno.EROFS, ReadOnlyError),
    Code.PROBE_TOO_FEW_BLOCKS: (errno.EIO, DamagedError),
    Code.PROBE_NOT_A_FS: (errno.EIO, DamagedError),
    Code.NAME_TOO_LONG: (errno.ENAMETOOLONG, NameTooLongError),
    Code.SEEK_BOUNDS: (errno.EINVAL, SpiffsError),
    Code.INTERNAL: (errno.EIO, DamagedError),
}
FAT_ERRORS: dict[FResult, tuple[int, type[MaixfsError]]] = {
    FResult.DISK_ERR: (errno.EIO, FatError),
    FResult.INT_ERR: (errno.EIO, DamagedError),
    FResult.NOT_READY: (errno.EBUSY, FatError),
    FResult.NO_FILE: (errno.ENOENT, NotFoundError),
    FResult.NO_PATH: (errno.ENOENT, NotFoundError),
    FResult.INVALID_NAME: (errno.EINVAL, FatError),
    FResult.DENIED: (errno.EACCES, AccessError),
    FResult.EXIST: (errno.EEXIST, ExistsError),
    FResult.INVALID_OBJECT: (errno.EBADF, ClosedError),
    FResult.WRITE_PROTECTED: (errno.EROFS, ReadOnlyError),
    FResult.INVALID_DRIVE: (errno.ENODEV, FatError),
    FResult.NOT_ENABLED: (errno.EBADF, ClosedError),
    FResult.NO_FILESYSTEM: (errno.ENODEV, FatError),
    FResult.MKFS_ABORTED: (errno.EINVAL, FatError),
    FResult.TIMEOUT: (errno.ETIMEDOUT, FatError),
    FResult.LOCKED: (errno.EBUSY, FatError),
    FResult.NOT_ENOUGH_CORE: (errno.ENOMEM, FatError),
    FResult.TOO_MANY_OPEN: (errno.EMFILE, TooManyFilesError),
    FResult.INVALID_PARAMETER: (errno.EINVAL, FatError),
}


def test_tables_name_every_native_number() -> None:
    assert set(SPIFFS_ERRORS) == set(Code)
    assert set(FAT_ERRORS) == set(FResult) - {FResult.OK}


@pytest.mark.parametrize("code", Code, ids=lambda code: code.name)
def test_spiffs_code_has_an_errno_and_a_class(code: Code) -> None:
    number, kind = SPIFFS_ERRORS[code]
    error = spiffs_error(code, "/a")
    assert (error.errno, error.native, error.code) == (number, int(code), code)
    assert isinstance(error, SpiffsError)
    assert isinstance(error, kind)
    assert str(error).startswith("/a: ")
    assert str(error).endswith(f" ({int(code)})")
    assert str(error) == f"{error.strerror} ({int(code)})"


@pytest.mark.parametrize("result", FAT_ERRORS, ids=lambda result: result.name)
def test_fat_result_has_an_errno_and_a_class(result: FResult) -> None:
    number, kind = FAT_ERRORS[result]
    error = fat_error(result, "/a")
    assert (error.errno, error.native, error.result) == (number, int(result), result)
    assert isinstance(error, FatError)
    assert isinstance(error, kind)
    assert str(error).startswith("/a: ")
    assert str(error) == error.strerror


@pytest.mark.parametrize(
    "error",
    [
        *(spiffs_error(code) for code, (_, kind) in SPIFFS_ERRORS.items() if kind is SpiffsError),
        *(fat_error(result) for result, (_, kind) in FAT_ERRORS.items() if kind is FatError),
    ],
    ids=str,
)
def test_error_without_a_special_class_is_of_the_bare_class(error: FileSystemError) -> None:
    assert type(error) in (SpiffsError, FatError)


@pytest.mark.parametrize(
    ("error", "number", "kind"),
    [
        (fat_error(FResult.DENIED, "/d", errno=errno.ENOTEMPTY), errno.ENOTEMPTY, NotEmptyError),
        (fat_error(FResult.DENIED, "/d", errno=errno.EISDIR), errno.EISDIR, IsADirectoryError),
        (full_error("/a", "no free cluster"), errno.ENOSPC, FullError),
    ],
)
def test_fat_denied_has_the_errno_of_its_cause(
    error: FatError, number: int, kind: type[Exception]
) -> None:
    assert (error.errno, error.result) == (number, FResult.DENIED)
    assert isinstance(error, kind)


@pytest.mark.parametrize(
    "error",
    [spiffs_error(Code.NOT_MOUNTED), fat_error(FResult.NOT_ENABLED), chip_closed(), card_closed()],
    ids=["spiffs", "fat", "chip", "card"],
)  # fmt: skip
def test_use_after_close_is_a_value_error_with_ebadf(error: MaixfsOSError) -> None:
    assert isinstance(error, ClosedError)
    assert isinstance(error, ValueError)
    assert error.errno == errno.EBADF


@pytest.mark.parametrize("number", [*KINDS, errno.EIO, errno.EINVAL])
def test_device_errors_keep_the_errno_of_the_host(number: int) -> None:
    for error in (
        nor_error("chip", number),
        sector_error("card", number),
        host_error(FLASH_FILE, "fails", OSError(number, "reason")),
    ):
        assert error.errno == number
        assert isinstance(error, DeviceError)
        assert number not in KINDS or isinstance(error, KINDS[number])
