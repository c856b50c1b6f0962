"""Page copies: in one program, or in the pieces of the C.

The expected operations are those that pellepl/spiffs, compiled with a copy buffer of 64 bytes,
asks of its flash for the same calls.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from maixfs.nor.device import Buffer, NorDevice
from maixfs.spiffs import Geometry, SpiffsCore
from spiffs.areas import RW, Area, contents, put

SMALL = Geometry(0x5000, 0x1000, 256, meta_length=4)
Operation = tuple[str, int, int]


class Recorder:
    """A flash driver that keeps kind, address and length of each operation."""

    def __init__(self, device: NorDevice) -> None:
        self._device = device
        self.size, self.erase_size = device.size, device.erase_size
        self.log: list[Operation] = []

    def read(self, address: int, length: int) -> bytes:
        return self._device.read(address, length)

    def window(self) -> memoryview | None:
        return self._device.window()

    def program(self, address: int, data: Buffer) -> None:
        self.log.append(("P", address, len(data)))
        self._device.program(address, data)

    def erase(self, address: int, length: int) -> None:
        self.log.append(("E", address, length))
        self._device.erase(address, length)


def overwrite(fs: SpiffsCore) -> None:
    with fs.open_descriptor("a", RW) as file:
        file.seek(300)
        file.write(b"B" * 10)


def cut(fs: SpiffsCore) -> None:
    with fs.open_descriptor("a", RW) as file:
        file.truncate(640)


def collect(fs: SpiffsCore) -> None:
    fs.gc(8000)


def pieces(target: int, *lengths: int) -> list[Operation]:
    """Return the programs of a copy to ``target``."""
    starts = [target + sum(lengths[:number]) for number in range(len(lengths))]
    return [("P", start, length) for start, length in zip(starts, lengths, strict=True)]


WHOLE = (64, 64, 64, 64)
NEW_HEADER: list[Operation] = [
    ("P", 0x600, 256),
    ("P", 0xA, 2),
    ("P", 0x604, 1),
    ("P", 0x0, 2),
    ("P", 0x104, 1),
]
CASES: dict[str, tuple[Callable[[SpiffsCore], None], list[Operation]]] = {
    "overwrite": (
        overwrite,
        [
            ("P", 0x8, 2),
            ("P", 0x500, 5),
            ("P", 0x505, 49),
            *pieces(0x540, 64, 64, 64),
            ("P", 0x536, 10),
            ("P", 0x504, 1),
            ("P", 0x4, 2),
            ("P", 0x304, 1),
            *NEW_HEADER,
        ],
    ),
    "truncation": (
        cut,
        [
            ("P", 0x8, 2),
            ("P", 0x500, 5),
            *pieces(0x505, 64, 64, 10),
            ("P", 0x6, 2),
            ("P", 0x404, 1),
            ("P", 0x504, 1),
            *NEW_HEADER,
        ],
    ),
    "garbage collection": (
        collect,
        [
            *[*pieces(0x1100, *WHOLE), ("P", 0x1000, 2), ("P", 0x2, 2), ("P", 0x204, 1)],
            *[*pieces(0x1200, *WHOLE), ("P", 0x1002, 2), ("P", 0x4, 2), ("P", 0x304, 1)],
            *[*pieces(0x1300, *WHOLE), ("P", 0x1004, 2), ("P", 0x6, 2), ("P", 0x404, 1)],
            *[("P", 0x1400, 256), ("P", 0x1006, 2), ("P", 0x1404, 1)],
            *[("P", 0x0, 2), ("P", 0x104, 1), ("E", 0x0, 0x1000), ("P", 0xFE, 2), ("P", 0xFC, 2)],
        ],
    ),
}


def recorded(case: str, *, copy_pieces: bool) -> tuple[list[Operation], Area]:
    """Run a case and return its operations."""
    area = Area(SMALL)
    device = Recorder(area.device)
    fs = SpiffsCore(device, SMALL, faithful=True, copy_pieces=copy_pieces, cache_pages=4)
    put(fs, "a", b"A" * 753)
    if case == "garbage collection":  # fills the first block
        put(fs, "b", b"A" * 2510)
        fs.remove("b")
    device.log.clear()
    CASES[case][0](fs)
    return device.log, area


def joined(log: list[Operation]) -> list[Operation]:
    """Return the operations with programs that adjoin taken as one."""
    whole: list[Operation] = []
    for kind, start, length in log:
        if whole and kind == "P" == whole[-1][0] and sum(whole[-1][1:]) == start:
            whole[-1] = (kind, whole[-1][1], whole[-1][2] + length)
        else:
            whole.append((kind, start, length))
    return whole


@pytest.mark.parametrize("case", CASES)
def test_copies_in_pieces_are_the_operations_of_the_c(case: str) -> None:
    assert recorded(case, copy_pieces=True)[0] == CASES[case][1]


@pytest.mark.parametrize("case", CASES)
def test_copies_at_once_are_the_same_operations_joined(case: str) -> None:
    log, whole = recorded(case, copy_pieces=False)
    assert log != CASES[case][1]
    assert joined(log) == joined(CASES[case][1])
    _, in_pieces = recorded(case, copy_pieces=True)
    assert whole.image == in_pieces.image
    assert contents(whole.mount()).keys() == {"a"}


def test_pieces_have_the_length_of_the_copy_buffer() -> None:
    geometry = Geometry(0x5000, 0x1000, 256, copy_buffer=100)
    area = Area(geometry)
    device = Recorder(area.device)
    fs = SpiffsCore(device, geometry, copy_pieces=True)
    put(fs, "a", b"A" * 753)
    put(fs, "b", b"A" * 2510)
    fs.remove("b")
    device.log.clear()
    fs.gc(8000)
    assert device.log[:3] == [("P", 0x1100, 100), ("P", 0x1164, 100), ("P", 0x11C8, 56)]
