"""Cards that fail, and power that goes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fat.volumes import Checker, every_kind, faults, mount, new_card
from maixfs.fat import FatCore, FatError, FResult, OpenFlag
from maixfs.sd import RamSectors, SectorError
from maixfs.sd.device import Buffer

READ, WRITE, EMPTY = OpenFlag.READ, OpenFlag.WRITE, OpenFlag.CREATE_ALWAYS
Step = Callable[[FatCore], object]


class ProgramError(Exception):
    """What a program's own block device may raise."""


class Failing:
    """A card whose accesses fail from the ``after``-th on, until it is mended."""

    read_only = False

    def __init__(self, card: RamSectors, error: type[Exception] = SectorError) -> None:
        self.card = card
        self.sectors = card.sectors
        self.error = error
        self.reads: float = float("inf")
        self.writes: float = float("inf")
        self.written = 0

    def _reading(self) -> None:
        self.reads -= 1
        if self.reads < 0:
            raise self.error("no answer")

    def read(self, sector: int, count: int) -> bytes:
        self._reading()
        return self.card.read(sector, count)

    def readinto(self, sector: int, buffer: memoryview) -> None:
        self._reading()
        self.card.readinto(sector, buffer)

    def write(self, sector: int, data: Buffer) -> None:
        self.writes -= 1
        if self.writes < 0:
            raise self.error("not taken")
        self.written += 1
        self.card.write(sector, data)

    def sync(self) -> None:
        return

    def mend(self) -> None:
        self.reads = self.writes = float("inf")


def prepared(kind: str) -> RamSectors:
    card = new_card(kind)
    with mount(card) as fat:
        fat.mkdir("/d")
        fat.write_bytes("/kept", b"k" * 3000)
        fat.write_bytes("/d/A long name of a file.txt", b"1" * 5000)
        fat.write_bytes("/d/other", b"2" * 700)
    return card


def make(fat: FatCore) -> None:
    fat.write_bytes("/d/A new file with a name.bin", b"3" * 2500)


def empty(fat: FatCore) -> None:
    fat.write_bytes("/d/A long name of a file.txt", b"4" * 300)


def extend(fat: FatCore) -> None:
    with fat.open("/d/other", WRITE | OpenFlag.APPEND) as file:
        for _ in range(20):
            file.write(b"5" * 300)


def truncate(fat: FatCore) -> None:
    with fat.open("/d/A long name of a file.txt", WRITE) as file:
        file.seek(100)
        file.truncate()


def fill(fat: FatCore) -> None:
    for number in range(5):
        fat.write_bytes(f"/d/Name of file number {number}", b"6" * 100)


STEPS: dict[str, Step] = {
    "make": make,
    "empty": empty,
    "extend": extend,
    "truncate": truncate,
    "fill": fill,
    "mkdir": lambda fat: fat.mkdir("/d/A new folder"),
    "remove": lambda fat: fat.remove("/d/A long name of a file.txt"),
    "rename": lambda fat: fat.rename("/d/other", "/Another name of it"),
    "move folder": lambda fat: (fat.mkdir("/e"), fat.rename("/d", "/e/d")),
    "remove tree": lambda fat: fat.remove_tree("/d"),
    "label": lambda fat: fat.set_label("NAME"),
}
every_step = pytest.mark.parametrize("step", STEPS)


@every_kind
@every_step
def test_refused_writes_are_repeated_later(kind: str, step: str) -> None:
    for after in range(60):
        card = prepared(kind)
        device = Failing(card)
        fat = FatCore(device)
        device.writes = after
        try:
            STEPS[step](fat)
        except FatError as error:
            assert error.result is FResult.DISK_ERR
            assert isinstance(error.__cause__, SectorError)
        else:
            break
        device.mend()
        assert fat.read_bytes("/kept") == b"k" * 3000
        fat.close()
        assert faults(card) == []
    else:
        pytest.fail("it never came to an end")
    assert after


@every_kind
@every_step
@pytest.mark.parametrize("error", [SectorError, ProgramError])
def test_failed_reads_leave_the_card_sound(kind: str, step: str, error: type[Exception]) -> None:
    for after in range(60):
        card = prepared(kind)
        device = Failing(card, error)
        fat = FatCore(device)
        device.reads = after
        try:
            STEPS[step](fat)
        except FatError as caught:
            assert caught.result is FResult.DISK_ERR
        except ProgramError:
            assert error is ProgramError
        else:
            break
        device.mend()
        assert fat.read_bytes("/kept") == b"k" * 3000
        fat.write_bytes("/later", b"l" * 3000)
        fat.close()
        with mount(card) as again:
            assert again.read_bytes("/kept") == b"k" * 3000
            assert again.read_bytes("/later") == b"l" * 3000
    else:
        pytest.fail("it never came to an end")


@every_kind
@every_step
def test_power_cut_leaves_closed_files(kind: str, step: str) -> None:
    """No cluster gets two owners, no entry leads to a free cluster, nobody else is touched."""
    for after in range(60):
        card = prepared(kind)
        device = Failing(card)
        fat = FatCore(device)
        device.writes = after
        try:
            STEPS[step](fat)
        except FatError:
            fat.abandon()
        else:
            break
        found = Checker(card).check().faults
        harmless = ("nobody's", "FATs differ", "FSInfo says", " bytes in ")
        if step in ("rename", "move folder"):
            # Between the new entry and the end of the old one both are there, as in FatFs.
            harmless += ("'s", "leads to")
        assert [fault for fault in found if not any(word in fault for word in harmless)] == []
        assert mount(card).read_bytes("/kept") == b"k" * 3000


def test_listing_continues_after_a_failed_read() -> None:
    card = prepared("fat32")
    device = Failing(card)
    fat = FatCore(device)
    names = [entry.name for entry in fat.scandir("/d")]
    file = fat.open("/kept")
    device.reads = 0
    for _ in range(2):
        with pytest.raises(FatError) as caught:
            file.read()
        assert caught.value.result is FResult.DISK_ERR
    assert [entry.name for entry in fat.scandir("/d")] == names
    device.mend()
    with pytest.raises(FatError):
        file.read()  # FatFs keeps the error until the file is closed
    file.close()
    assert fat.read_bytes("/kept") == b"k" * 3000


def test_tree_is_not_removed_while_its_folders_cannot_be_read() -> None:
    card = prepared("fat32")
    with mount(card) as fat:
        fat.mkdir("/d/below")
        fat.write_bytes("/d/below/unseen", b"u" * 700)
    device = Failing(card)
    fat = FatCore(device)
    list(fat.scandir("/d"))
    device.reads = 0
    with pytest.raises(FatError) as caught:
        fat.remove_tree("/d")
    assert caught.value.result is FResult.DISK_ERR
    device.mend()
    assert fat.read_bytes("/d/below/unseen") == b"u" * 700
    assert faults(card) == []


def test_unwritten_changes_are_written_later() -> None:
    card = prepared("fat32")
    device = Failing(card)
    fat = FatCore(device)
    file = fat.open("/f", WRITE | EMPTY)
    file.write(b"x" * 100)
    device.writes = 0
    for _ in range(2):
        with pytest.raises(FatError):
            file.close()
        assert not file.closed
    device.mend()
    file.close()
    assert file.closed
    fat.abandon()
    assert faults(card) == []
    assert mount(card).read_bytes("/f") == b"x" * 100


def test_close_writes_only_changes() -> None:
    card = prepared("fat32")
    device = Failing(card)
    fat = FatCore(device)
    with fat.open("/d/other", WRITE) as file:
        file.write(b"y" * 10)
    assert device.written == 2  # the sector of the file, and that of its entry
    device.written = 0
    with fat.open("/d/other", WRITE) as file:
        assert file.tell() == 0
    assert device.written == 0
    fat.close()
    assert device.written == 0
