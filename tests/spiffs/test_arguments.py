"""Arguments are checked before anything changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from maixfs.errors import UsageError
from maixfs.spiffs import Descriptor, Geometry, SpiffsCore
from spiffs.areas import NEW, RW, Area, ram_of

GEOMETRY = Geometry(0x10000, 0x1000, 256, meta_length=4)
CONTENT = b"0123456789"


@pytest.fixture
def area() -> Area:
    """An area with one file ``a``."""
    area = Area(GEOMETRY)
    with area.mount() as fs, fs.open_descriptor("a", NEW) as file:
        file.write(CONTENT)
    return area


NAMES: list[Any] = [3, None, ["a"], ("a",), 1.5, memoryview(b"a"), object()]
CALLS_BY_NAME: dict[str, Callable[[SpiffsCore, Any], object]] = {
    "open_descriptor": lambda fs, name: fs.open_descriptor(name, NEW),
    "create": lambda fs, name: fs.create(name),
    "stat": lambda fs, name: fs.stat(name),
    "find": lambda fs, name: fs.find(name),
    "exists": lambda fs, name: fs.exists(name),
    "check_name": lambda fs, name: fs.check_name(name),
    "remove": lambda fs, name: fs.remove(name),
    "rename": lambda fs, name: fs.rename(name, "b"),
    "rename to": lambda fs, name: fs.rename("a", name),
    "rename_page": lambda fs, name: fs.rename_page(fs.stat("a").page, name),
    "set_meta": lambda fs, name: fs.set_meta(name, bytes(4)),
}


@pytest.mark.parametrize("call", CALLS_BY_NAME)
@pytest.mark.parametrize("name", NAMES, ids=lambda name: type(name).__name__)
def test_names_of_a_wrong_type_raise_type_error(area: Area, call: str, name: Any) -> None:
    fs, before = area.mount(), area.image
    ram = ram_of(fs)
    with pytest.raises(TypeError):
        CALLS_BY_NAME[call](fs, name)
    assert (area.image, ram_of(fs)) == (before, ram)


@pytest.mark.parametrize("call", CALLS_BY_NAME)
def test_names_that_utf8_cannot_express_are_wrong_usage(area: Area, call: str) -> None:
    fs, before = area.mount(), area.image
    with pytest.raises(UsageError):
        CALLS_BY_NAME[call](fs, "\ud800")
    assert area.image == before


WRONG_CALLS: dict[str, tuple[Callable[[SpiffsCore], object], type[Exception]]] = {
    "flags of another type": (lambda fs: fs.open_descriptor("b", "w"), TypeError),  # type: ignore[arg-type]
    "unknown flags": (lambda fs: fs.open_descriptor("b", NEW | 128), UsageError),
    "negative flags": (lambda fs: fs.open_descriptor("b", -1), UsageError),
    "unknown flags of a page": (lambda fs: fs.open_page(fs.stat("a").page, 256), UsageError),
    "a page of another type": (lambda fs: fs.open_page(1.0), TypeError),  # type: ignore[arg-type]
    "a page as text to remove": (lambda fs: fs.remove_page("1"), TypeError),  # type: ignore[arg-type]
    "no page to rename": (lambda fs: fs.rename_page(None, "b"), TypeError),  # type: ignore[arg-type]
    "text as meta": (lambda fs: fs.create("b", "meta"), TypeError),  # type: ignore[arg-type]
    "a number as meta": (lambda fs: fs.set_meta("a", 4), TypeError),  # type: ignore[arg-type]
    "no meta": (lambda fs: fs.set_meta("a", None), TypeError),  # type: ignore[arg-type]
    "short meta": (lambda fs: fs.set_meta("a", b"123"), UsageError),
    "long meta": (lambda fs: fs.create("b", b"12345"), UsageError),
    "a negative length to collect": (lambda fs: fs.gc(-1), UsageError),
    "half a byte to collect": (lambda fs: fs.gc(0.5), TypeError),  # type: ignore[arg-type]
    "negative free pages": (lambda fs: fs.gc_quick(-1), UsageError),
    "free pages as text": (lambda fs: fs.gc_quick("1"), TypeError),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("call", WRONG_CALLS)
def test_wrong_arguments_change_nothing(area: Area, call: str) -> None:
    function, error = WRONG_CALLS[call]
    fs, before = area.mount(max_files=1), area.image
    ram = ram_of(fs)
    with pytest.raises(error):
        function(fs)
    assert (area.image, ram_of(fs)) == (before, ram)
    fs.open_descriptor("a", RW).close()  # the only descriptor is free


WRONG_FILE_CALLS: dict[str, tuple[Callable[[Descriptor], object], type[Exception]]] = {
    "text": (lambda file: file.write("text"), TypeError),  # type: ignore[arg-type]
    "text at once": (lambda file: file.write_now("text"), TypeError),  # type: ignore[arg-type]
    "nothing": (lambda file: file.write(None), TypeError),  # type: ignore[arg-type]
    "half a byte to read": (lambda file: file.read(0.5), TypeError),  # type: ignore[arg-type]
    "a buffer that cannot be filled": (lambda file: file.readinto(b"12"), TypeError),  # type: ignore[arg-type]
    "unknown whence": (lambda file: file.seek(0, 7), UsageError),
    "whence as text": (lambda file: file.seek(0, "set"), TypeError),  # type: ignore[arg-type]
    "a broken offset": (lambda file: file.seek(1.5), TypeError),  # type: ignore[arg-type]
    "a broken size": (lambda file: file.truncate(1.5), TypeError),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("call", WRONG_FILE_CALLS)
def test_wrong_arguments_of_files_change_nothing(area: Area, call: str) -> None:
    """The bytes in the write cache are not flushed either."""
    function, error = WRONG_FILE_CALLS[call]
    fs = area.mount()
    file = fs.open_descriptor("a", RW)
    file.seek(4)
    file.write(b"!")
    before = area.image
    with pytest.raises(error):
        function(file)
    assert area.image == before
    assert file.tell() == 5
    file.seek(0)
    assert file.read() == b"0123!56789"


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"max_files": -1}, UsageError),
        ({"max_files": "2"}, TypeError),
        ({"max_files": 0x8000}, UsageError),
        ({"max_files": 2**70}, UsageError),
        ({"cache_pages": -1}, UsageError),
        ({"cache_pages": 1.5}, TypeError),
    ],
    ids=str,
)
def test_mounting_with_impossible_resources_is_refused(
    area: Area, options: dict[str, Any], error: type[Exception]
) -> None:
    before = area.image
    with pytest.raises(error):
        area.mount(**options)
    assert area.image == before


def test_a_geometry_of_another_type_is_refused(area: Area) -> None:
    with pytest.raises(TypeError):
        SpiffsCore(area.device, "maixpy")  # type: ignore[arg-type]


def test_numbers_may_be_bool_and_int_subclasses(area: Area) -> None:
    with area.mount() as fs, fs.open_descriptor("a", RW) as file:
        assert file.seek(True) == 1
        assert file.read(True) == b"1"
