"""The examination of a volume, and what makes an edit dangerous."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from golden.extents import unpack_card
from maixfs.errors import ClosedError
from maixfs.fat import Fat, FatError, FResult, find_volume, format_volume
from maixfs.fat.check import HAZARDS, FatCheck, edit_hazards
from maixfs.finding import Cost, rules
from maixfs.sd.errors import SectorError
from maixfs.sd.media import FileSectors, RamSectors

from .volumes import every_kind, new_card

DATA = Path(__file__).parent.parent / "data" / "fat"
DANGEROUS = {
    "x_badstart": {"bad-start"},
    "x_cross": {"cross-link"},
    "x_dirloop": {"chain-loop"},
    "x_free_in_chain": {"bad-chain"},
    "x_loop": {"chain-loop"},
}
HARMLESS = ("part1_0c", "dirty", "fsinfo_wrong", "x_fatdiff", "x_lfn", "x_lost", "x_size_gt")


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folder = tmp_path_factory.mktemp("field")

    def path_of(name: str) -> Path:
        card = folder / f"{name}.img"
        if not card.exists():
            unpack_card(DATA / name / "image.ext.gz", card)
        return card

    return path_of


@pytest.mark.parametrize("name", [*DANGEROUS, *HARMLESS])
def test_edit_hazards_are_what_can_destroy_other_files(
    name: str, field: Callable[[str], Path]
) -> None:
    with FileSectors.open(field(name)) as card:
        found = edit_hazards(card, find_volume(card, 1))
    assert {hazard.key for hazard in found} == DANGEROUS.get(name, set())
    assert all(hazard.fix and hazard.paths for hazard in found)


@pytest.mark.parametrize("name", [*DANGEROUS, *HARMLESS])
def test_edit_hazards_are_those_of_the_full_check(name: str, field: Callable[[str], Path]) -> None:
    with FileSectors.open(field(name)) as card, Fat(card, find_volume(card, 1)) as fs:
        full = [found for found in fs.check().findings if found.key in HAZARDS]
        assert full == [*edit_hazards(card, fs.core.start)]


def test_edit_hazards_of_a_large_card_read_little() -> None:
    class Counting(RamSectors):
        read_sectors = 0

        def read(self, sector: int, count: int) -> bytes:
            self.read_sectors += count
            return super().read(sector, count)

        def readinto(self, sector: int, buffer: memoryview) -> None:
            self.read_sectors += len(buffer) // 512
            super().readinto(sector, buffer)

    card = Counting(1 << 22)
    format_volume(card, 0, fat_type=32, cluster_size=512, serial=1)
    with Fat(card) as fs:
        fs.write_bytes("/a", bytes(100_000))
    card.read_sectors = 0
    assert edit_hazards(card, 0) == ()
    assert card.read_sectors < 200


@every_kind
def test_check_of_a_written_volume_finds_nothing_but_its_type(kind: str) -> None:
    with Fat(new_card(kind)) as fs:
        fs.makedirs("/a/b")
        stream = fs.open("/a/b/long file name.txt", "wb")
        stream.write(bytes(5000))
        result = fs.check()
        assert {found.key for found in result.findings} <= {kind}
        assert result.healthy and not result.not_checked
        stream.close()


def test_check_runs_only_the_rules_of_its_depth(field: Callable[[str], Path]) -> None:
    with FileSectors.open(field("x_cross")) as card, Fat(card, find_volume(card, 1)) as fs:
        result = fs.check(Cost.MOUNT)
        assert result.findings == ()
        assert len(result.not_checked) == sum(rule.cost > Cost.MOUNT for rule in rules("fat"))
        with pytest.raises(TypeError):
            fs.check("deep")  # type: ignore[arg-type]
    with pytest.raises(ClosedError):
        fs.check()


def test_check_of_an_unreadable_fat_is_a_finding_and_says_what_was_not_checked() -> None:
    card = new_card("fat32")
    check = FatCheck(card, 0)

    class Worn(RamSectors):
        def readinto(self, sector: int, buffer: memoryview) -> None:
            if sector == check.geometry.fat_start:
                raise SectorError("sector is worn")
            card.readinto(sector, buffer)

        def read(self, sector: int, count: int) -> bytes:
            return card.read(sector, count)

    from maixfs.finding import examine

    result = examine("fat", FatCheck(Worn(card.sectors), 0))
    assert [found.key for found in result.findings] == ["unreadable"]
    assert result.not_checked


def test_check_addresses_are_bytes_of_the_device(field: Callable[[str], Path]) -> None:
    with FileSectors.open(field("x_cross")) as card, Fat(card, find_volume(card, 1)) as fs:
        (cross,) = (found for found in fs.check().findings if found.key == "cross-link")
        cluster = fs.stat("/A.BIN").native.cluster
        volume = fs.core.start * 512
        address = volume + fs.geometry.sector_of(cluster) * 512
        assert cross.where is not None
        assert address < cross.where < address + fs.stat("/A.BIN").size


def test_check_of_no_volume_is_an_error() -> None:
    with pytest.raises(FatError) as caught:
        FatCheck(RamSectors(100), 0)
    assert caught.value.result is FResult.NO_FILESYSTEM


@pytest.mark.parametrize(
    ("fat_type", "sector", "at", "value"),
    [
        (32, 0, 65, b"\1"),  # BS_Reserved1
        (16, 0, 37, b"\1"),
        (16, 1, 3, b"\x7f"),  # FAT[1]: cleanly shut down
        (16, 1, 3, b"\xbf"),  # no disk errors
        (32, 32, 7, b"\xf7"),
        (32, 32, 7, b"\xf3"),
    ],
)
def test_check_reports_marks_of_an_unclean_unmount(
    fat_type: int, sector: int, at: int, value: bytes
) -> None:
    card = RamSectors(80 << 11)
    format_volume(card, fat_type=fat_type, serial=1)
    content = bytearray(card.read(sector, 1))
    content[at : at + 1] = value
    card.write(sector, content)
    with Fat(card) as fs:
        assert [found.key for found in fs.check().findings if found.is_problem] == ["dirty"]
