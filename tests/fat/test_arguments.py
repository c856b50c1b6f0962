"""Arguments are checked before anything changes; calls after the end of a mount."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fat.volumes import mount, new_card
from maixfs.errors import ClosedError
from maixfs.fat import FatCore, FatError, FResult, OpenFlag
from maixfs.sd import RamSectors

READ, WRITE = OpenFlag.READ, OpenFlag.WRITE
Call = Callable[[Any], object]


def image(card: RamSectors) -> bytes:
    return card.read(0, card.sectors)


@pytest.fixture
def card() -> RamSectors:
    card = new_card("fat32")
    with mount(card) as fat:
        fat.mkdir("/d")
        fat.write_bytes("/x", b"old content")
    return card


WRONG_TYPES: dict[str, Call] = {
    "write_bytes text": lambda fat: fat.write_bytes("/x", "text"),
    "write_bytes None": lambda fat: fat.write_bytes("/x", None),
    "write_bytes int": lambda fat: fat.write_bytes("/x", 5),
    "write_bytes strided": lambda fat: fat.write_bytes("/x", memoryview(b"abcd")[::2]),
    "write_bytes path": lambda fat: fat.write_bytes(5, b""),
    "open path": lambda fat: fat.open(None),
    "open bytearray": lambda fat: fat.open(bytearray(b"/new"), OpenFlag.CREATE_NEW),
    "open flags": lambda fat: fat.open("/x", "w"),
    "open float flags": lambda fat: fat.open("/x", 1.0),
    "read_bytes": lambda fat: fat.read_bytes(3),
    "stat": lambda fat: fat.stat(3),
    "exists": lambda fat: fat.exists(3),
    "scandir": lambda fat: fat.scandir(3),
    "walk": lambda fat: list(fat.walk(3)),
    "mkdir": lambda fat: fat.mkdir(3),
    "remove": lambda fat: fat.remove(3),
    "rename old": lambda fat: fat.rename(3, "/y"),
    "rename new": lambda fat: fat.rename("/x", 3),
    "remove_tree": lambda fat: fat.remove_tree(3),
    "set_attributes": lambda fat: fat.set_attributes("/x", "1"),
    "set_attributes mask": lambda fat: fat.set_attributes("/x", 1, 1.5),
    "set_times": lambda fat: fat.set_times("/x", modified=(1, 2), created=(1.5, 1)),
    "set_times accessed": lambda fat: fat.set_times("/x", modified=(1, 2), accessed="1"),
    "chdir": lambda fat: fat.chdir(3),
    "getcwd": lambda fat: fat.getcwd(1.5),
    "set_label": lambda fat: fat.set_label(3),
}


@pytest.mark.parametrize("call", WRONG_TYPES.values(), ids=WRONG_TYPES)
def test_wrong_types_change_nothing(card: RamSectors, call: Call) -> None:
    before = image(card)
    fat = mount(card)
    with pytest.raises(TypeError):
        call(fat)
    fat.close()
    assert image(card) == before


OUT_OF_RANGE: dict[str, Call] = {
    "flags": lambda fat: fat.open("/x", 0x40 | WRITE | OpenFlag.CREATE_ALWAYS),
    "negative flags": lambda fat: fat.open("/x", -1),
    "attributes": lambda fat: fat.set_attributes("/x", 256),
    "mask": lambda fat: fat.set_attributes("/x", 1, -1),
    "modified": lambda fat: fat.set_times("/x", modified=(65536, 0)),
    "created": lambda fat: fat.set_times("/x", modified=(1, 1), created=(0, -1)),
    "accessed": lambda fat: fat.set_times("/x", modified=(1, 1), accessed=65536),
    "most": lambda fat: fat.getcwd(-1),
}


@pytest.mark.parametrize("call", OUT_OF_RANGE.values(), ids=OUT_OF_RANGE)
def test_values_out_of_range_change_nothing(card: RamSectors, call: Call) -> None:
    before = image(card)
    fat = mount(card)
    with pytest.raises(FatError) as caught:
        call(fat)
    assert caught.value.result is FResult.INVALID_PARAMETER
    fat.close()
    assert image(card) == before


FILE_CALLS: dict[str, Call] = {
    "write text": lambda file: file.write("text"),
    "write None": lambda file: file.write(None),
    "write strided": lambda file: file.write(memoryview(b"abcd")[::2]),
    "read": lambda file: file.read(1.5),
    "read text": lambda file: file.read("1"),
    "readinto bytes": lambda file: file.readinto(b"1234"),
    "readinto int": lambda file: file.readinto(4),
    "seek float": lambda file: file.seek(1.5),
    "seek None": lambda file: file.seek(None),
}


@pytest.mark.parametrize("call", FILE_CALLS.values(), ids=FILE_CALLS)
def test_wrong_types_leave_a_file_as_it_is(card: RamSectors, call: Call) -> None:
    before = image(card)
    fat = mount(card)
    with fat.open("/x", READ | WRITE) as file:
        file.seek(4)
        with pytest.raises(TypeError):
            call(file)
        assert (file.tell(), file.size, file.modified) == (4, 11, False)
        assert file.read() == b"content"
    fat.close()
    assert image(card) == before


def test_negative_position_leaves_a_file_as_it_is(card: RamSectors) -> None:
    with mount(card) as fat, fat.open("/x", READ | WRITE) as file:
        file.seek(4)
        with pytest.raises(FatError) as caught:
            file.seek(-1)
        assert caught.value.result is FResult.INVALID_PARAMETER
        assert file.tell() == 4


def test_start_must_be_a_sector_number() -> None:
    with pytest.raises(TypeError):
        FatCore(new_card("fat12"), 0.0)  # type: ignore[arg-type]
    with pytest.raises(FatError) as caught:
        FatCore(new_card("fat12"), -1)
    assert caught.value.result is FResult.INVALID_PARAMETER


AFTER_CLOSE: dict[str, Call] = {
    "sync": lambda fat: fat.sync(),
    "held": lambda fat: fat.held().__enter__(),
    "open": lambda fat: fat.open("/x"),
    "read_bytes": lambda fat: fat.read_bytes("/x"),
    "write_bytes": lambda fat: fat.write_bytes("/x", b""),
    "stat": lambda fat: fat.stat("/x"),
    "stat root": lambda fat: fat.stat("/"),
    "exists": lambda fat: fat.exists("/x"),
    "scandir": lambda fat: fat.scandir(),
    "walk": lambda fat: list(fat.walk()),
    "mkdir": lambda fat: fat.mkdir("/new"),
    "remove": lambda fat: fat.remove("/x"),
    "rename": lambda fat: fat.rename("/x", "/y"),
    "remove_tree": lambda fat: fat.remove_tree("/d"),
    "set_attributes": lambda fat: fat.set_attributes("/x", 1),
    "set_times": lambda fat: fat.set_times("/x", accessed=1),
    "chdir": lambda fat: fat.chdir("/d"),
    "getcwd": lambda fat: fat.getcwd(),
    "info": lambda fat: fat.info(),
    "free_clusters": lambda fat: fat.free_clusters(),
    "count_free": lambda fat: fat.count_free(),
    "label": lambda fat: fat.label,
    "set_label": lambda fat: fat.set_label("A"),
}


@pytest.mark.parametrize("end", [FatCore.close, FatCore.abandon])
@pytest.mark.parametrize("call", AFTER_CLOSE.values(), ids=AFTER_CLOSE)
def test_calls_after_the_end_raise_not_enabled(
    card: RamSectors, call: Call, end: Callable[[FatCore], None]
) -> None:
    before = image(card)
    fat = mount(card)
    end(fat)
    with pytest.raises(FatError) as caught:
        call(fat)
    assert caught.value.result is FResult.NOT_ENABLED
    assert isinstance(caught.value, ClosedError)
    assert isinstance(caught.value, ValueError)
    fat.close()
    assert image(card) == before


@pytest.mark.parametrize("listing", [lambda fat: fat.scandir("/"), lambda fat: fat.walk("/")])
def test_listing_that_outlives_its_mount_raises_not_enabled(
    card: RamSectors, listing: Call
) -> None:
    fat = mount(card)
    entries: Any = listing(fat)
    next(entries)
    fat.close()
    with pytest.raises(FatError) as caught:
        next(entries)
    assert caught.value.result is FResult.NOT_ENABLED


FILE_AFTER_CLOSE: dict[str, Call] = {
    "read": lambda file: file.read(),
    "readinto": lambda file: file.readinto(bytearray(1)),
    "write": lambda file: file.write(b"1"),
    "seek": lambda file: file.seek(0),
    "truncate": lambda file: file.truncate(),
    "sync": lambda file: file.sync(),
}


@pytest.mark.parametrize("call", FILE_AFTER_CLOSE.values(), ids=FILE_AFTER_CLOSE)
@pytest.mark.parametrize("volume_too", [False, True])
def test_file_calls_after_close_raise_invalid_object(
    card: RamSectors, call: Call, volume_too: bool
) -> None:
    fat = mount(card)
    file = fat.open("/x", READ | WRITE)
    (fat if volume_too else file).close()  # type: ignore[attr-defined]
    with pytest.raises(FatError) as caught:
        call(file)
    assert caught.value.result is FResult.INVALID_OBJECT
    assert isinstance(caught.value, ValueError)
    file.close()
