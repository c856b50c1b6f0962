"""Block devices under a FAT volume: a MicroPython program's and a ``SectorDevice``."""

from __future__ import annotations

from typing import Any

import pytest

from maixfs.errors import DeviceError
from maixfs.fat.errors import FatError, FResult
from maixfs.sd.device import SECTOR
from maixfs.sd.errors import SectorError
from maixfs.sd.media import RamSectors
from maixfs.vfs.blockdev import Blocks, OwnBlocks, ProgramBlocks, blocks_of


class Device:
    """A program's device of 300 sectors; ``answers`` holds its results by operation."""

    def __init__(self, answers: dict[int, Any] | None = None) -> None:
        self.answers = {4: 300, 5: 512} | (answers or {})
        self.cells = bytearray(300 * SECTOR)
        self.calls: list[tuple[Any, ...]] = []
        self.result: Any = None

    def readblocks(self, number: int, buffer: bytearray) -> Any:
        self.calls.append(("read", number, type(buffer), len(buffer)))
        buffer[:] = self.cells[number * SECTOR : number * SECTOR + len(buffer)]
        return self.result

    def writeblocks(self, number: int, buffer: bytearray) -> Any:
        self.calls.append(("write", number, type(buffer), len(buffer)))
        self.cells[number * SECTOR : number * SECTOR + len(buffer)] = buffer
        return self.result

    def ioctl(self, op: int, arg: int) -> Any:
        self.calls.append(("ioctl", op, arg))
        return self.answers.get(op)


class OldDevice:
    """The older protocol: ``count`` and ``sync``."""

    def __init__(self) -> None:
        self.synced = 0

    def readblocks(self, number: int, buffer: bytearray) -> None:
        buffer[0] = number

    def count(self) -> int:
        return 64

    def sync(self) -> None:
        self.synced += 1


def adapted(device: Any) -> Blocks:
    return blocks_of(device, lambda method: None)


def test_program_device_reads_and_writes_sectors() -> None:
    device = Device()
    blocks = adapted(device)
    blocks.write(7, b"\x11" * SECTOR + b"\x22" * SECTOR)
    assert blocks.read(8, 1) == b"\x22" * SECTOR
    buffer = bytearray(2 * SECTOR)
    blocks.readinto(7, memoryview(buffer))
    assert buffer == b"\x11" * SECTOR + b"\x22" * SECTOR
    assert device.calls == [
        ("write", 7, bytearray, 2 * SECTOR),
        ("read", 8, bytearray, SECTOR),
        ("read", 7, bytearray, 2 * SECTOR),
    ]


def test_transfer_is_split_at_128_sectors() -> None:
    device = Device()
    blocks = adapted(device)
    data = bytes(range(256)) * (2 * 300)
    blocks.write(0, data)
    assert blocks.read(0, 300) == data
    sizes = [(number, size // SECTOR) for _, number, _, size in device.calls]
    assert sizes == [(0, 128), (128, 128), (256, 44)] * 2


def test_device_properties_come_from_ioctl() -> None:
    blocks = adapted(Device())
    blocks.start()
    assert blocks.sectors == 0xFFFFFFFF
    assert (blocks.capacity(), blocks.sectors, blocks.read_only) == (300, 300, False)


def test_ioctl_gets_micropython_operation_numbers() -> None:
    device = Device()
    blocks = adapted(device)
    blocks.start()
    blocks.sync()
    assert blocks.capacity() == 300
    assert device.calls == [("ioctl", op, 0) for op in (1, 5, 3, 4)]


@pytest.mark.parametrize("answer", [None, 0])
def test_start_accepts_none_and_zero(answer: Any) -> None:
    adapted(Device({1: answer})).start()


@pytest.mark.parametrize("answer", [1, -1, "no", False])
def test_start_with_another_answer_is_not_ready(answer: Any) -> None:
    with pytest.raises(FatError) as caught:
        adapted(Device({1: answer})).start()
    assert caught.value.result is FResult.NOT_READY


@pytest.mark.parametrize("size", [1, 1024, 4096])
def test_block_size_other_than_512_is_disk_error(size: int) -> None:
    with pytest.raises(FatError, match="512") as caught:
        adapted(Device({5: size})).start()
    assert caught.value.result is FResult.DISK_ERR


@pytest.mark.parametrize("size", [512, None, 0, -1, "512"])
def test_unusable_block_size_counts_as_512(size: Any) -> None:
    adapted(Device({5: size})).start()


def test_failing_block_size_query_counts_as_512() -> None:
    class Strict(Device):
        def ioctl(self, op: int, arg: int) -> Any:
            if op == 5:
                raise ValueError(op)

    adapted(Strict()).start()


def test_block_size_query_passes_a_device_error_on() -> None:
    class Broken(Device):
        def ioctl(self, op: int, arg: int) -> Any:
            if op == 5:
                raise DeviceError("no space on the host")

    with pytest.raises(DeviceError):
        adapted(Broken()).start()


@pytest.mark.parametrize("count", [None, "many"])
def test_block_count_of_another_type_is_typeerror(count: Any) -> None:
    blocks = adapted(Device({4: count}))
    with pytest.raises(TypeError):
        blocks.capacity()


def test_count_and_sync_replace_ioctl() -> None:
    device = OldDevice()
    blocks = adapted(device)
    blocks.start()
    blocks.sync()
    assert (device.synced, blocks.capacity(), blocks.sectors) == (1, 64, 64)
    assert blocks.read_only
    assert blocks.read(5, 1)[0] == 5


def test_missing_sync_is_ignored() -> None:
    class Bare:
        readblocks = OldDevice.readblocks
        count = OldDevice.count

    adapted(Bare()).sync()


@pytest.mark.parametrize("missing", ["readblocks", "count"])
def test_missing_device_method_is_attributeerror(missing: str) -> None:
    names = {"readblocks", "writeblocks", "sync", "count"} - {missing}
    device = type("Odd", (), {name: lambda self: None for name in names})()
    with pytest.raises(AttributeError, match=f"'Odd' object has no attribute '{missing}'"):
        adapted(device)


def test_device_methods_are_looked_up_once() -> None:
    device = Device()
    blocks = adapted(device)
    device.readblocks = None  # type: ignore[method-assign, assignment]
    assert blocks.read(0, 1) == bytes(SECTOR)


@pytest.mark.parametrize("result", [1, -5])
def test_nonzero_result_is_sector_error(result: int) -> None:
    failed: list[str] = []
    device = Device()
    blocks = ProgramBlocks(device, failed.append)
    device.result = result
    with pytest.raises(SectorError, match=f"readblocks returned {result}"):
        blocks.read(0, 1)
    with pytest.raises(SectorError, match="writeblocks"):
        blocks.write(0, bytes(SECTOR))
    assert failed == ["readblocks", "writeblocks"]


@pytest.mark.parametrize("result", [None, 0, True, "fine"])
def test_other_result_is_success(result: Any) -> None:
    device = Device()
    device.result = result
    assert adapted(device).read(0, 1) == bytes(SECTOR)


@pytest.mark.parametrize("size", [10, 1000])
def test_resized_buffer_is_cut_or_padded(size: int) -> None:
    class Careless(Device):
        def readblocks(self, number: int, buffer: bytearray) -> Any:
            buffer[:] = b"x" * size

    assert adapted(Careless()).read(0, 1) == (b"x" * size).ljust(SECTOR, b"\0")[:SECTOR]


def test_device_exception_passes_through() -> None:
    class Broken(Device):
        def readblocks(self, number: int, buffer: bytearray) -> Any:
            raise KeyError(number)

    with pytest.raises(KeyError):
        adapted(Broken()).read(3, 1)


@pytest.mark.parametrize("device", [Device(), RamSectors(64)])
def test_protected_device_refuses_writes(device: Any) -> None:
    blocks = adapted(device)
    assert not blocks.read_only
    blocks.protect()
    assert blocks.read_only
    with pytest.raises(SectorError):
        blocks.write(3, bytes(SECTOR))
    assert blocks.read(3, 1) == bytes(SECTOR)


def test_sector_device_is_used_directly() -> None:
    device = RamSectors(64)
    blocks = adapted(device)
    assert isinstance(blocks, OwnBlocks)
    blocks.start()
    blocks.write(5, b"\x33" * SECTOR)
    blocks.sync()
    buffer = bytearray(SECTOR)
    blocks.readinto(5, memoryview(buffer))
    assert bytes(buffer) == device.read(5, 1) == b"\x33" * SECTOR
    assert (blocks.sectors, blocks.capacity()) == (64, 64)
    device.read_only = True
    assert blocks.read_only
