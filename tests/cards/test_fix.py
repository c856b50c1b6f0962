"""Cards that no board mounts become cards that boards mount, with all their files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from maixfs.cards import CardError, Fixed, ProofError, examine, fix_card
from maixfs.cards.fix import prove_same, prove_sectors
from maixfs.cards.plan import find_readable, plan_moves
from maixfs.fat import FatCore, OpenFlag
from maixfs.fat.mkfs import format_volume
from maixfs.fat.reader import FatReader
from maixfs.sd.mbr import Partition, make_mbr
from maixfs.sd.media import FileSectors, RamSectors
from maixfs.sd.partitions import CardPartition, PartitionTable, read_partitions

from .conftest import fsck, manifest, needs_fsck

Unpacked = Callable[[str], Path]
CardCopy = Callable[[str], RamSectors]

CONVERTED = {
    "bad_bpb", "dirty", "empty_first", "extended", "few_clusters", "fsinfo_absent", "fsinfo_huge",
    "fsinfo_wrong", "gpt", "no_55aa", "part_past_end", "sector4096", "superfloppy",
    "superfloppy_ff", "x_fatdiff",
}  # fmt: skip
EXPLAINED = {"exfat": "exFAT", "ntfs": "NTFS", "blank": "nothing on it"}
AS_THEY_ARE = {
    "part1_0c", "fat12", "fat16", "foreign_first", "part4", "full", "x_loop", "x_root0", "x_cross",
}  # fmt: skip


def fix(source: RamSectors | Path, tmp_path: Path, sectors: int | None = None) -> Fixed:
    if isinstance(source, RamSectors):
        return fix_card(source, tmp_path / "new.img", sectors=sectors)
    with FileSectors.open(source) as card:
        return fix_card(card, tmp_path / "new.img", sectors=sectors)


def contents(card: FileSectors | RamSectors, start: int) -> dict[str, tuple[int, str]]:
    with FatCore(card, start, read_only=True) as fat:
        return {
            path: (0, "") if entry.is_dir else _content(fat, path) for path, entry in fat.walk()
        }


def _content(fat: FatCore, path: str) -> tuple[int, str]:
    data = fat.read_bytes(path)
    return len(data), hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("name", sorted(CONVERTED))
def test_fixed_card_has_all_files(name: str, unpacked: Unpacked, tmp_path: Path) -> None:
    before = unpacked(name).stat()
    fixed = fix(unpacked(name), tmp_path)
    assert unpacked(name).stat().st_mtime_ns == before.st_mtime_ns
    assert fixed.changes and not fixed.left
    assert fixed.report.healthy and fixed.report.mountable
    assert fixed.report.partitions[0].mount_point == "/sd"
    wanted = [part for part in manifest(name)["partitions"] if part.get("tree") is not None]
    with FileSectors.open(tmp_path / "new.img") as card:
        assert card.sectors * 512 == fixed.size == unpacked(name).stat().st_size
        for made, now in zip(wanted, fixed.report.partitions, strict=True):
            expected = {
                entry["path"]: (0, "")
                if entry["type"] == "dir"
                else (entry["size"], entry["sha256"])
                for entry in made["tree"]
            }
            assert contents(card, now.start) == expected
            assert now.serial == find_serial(unpacked(name), made["start"])


def find_serial(path: Path, start: int) -> int:
    with FileSectors.open(path) as card:
        volume = find_readable(card, start)
        assert volume is not None
        return volume.geometry.serial


@needs_fsck
@pytest.mark.parametrize("name", sorted(CONVERTED))
def test_others_find_nothing_wrong(name: str, unpacked: Unpacked, tmp_path: Path) -> None:
    fixed = fix(unpacked(name), tmp_path)
    with FileSectors.open(tmp_path / "new.img") as card:
        for part in fixed.report.partitions:
            assert not fsck(card, part.start, part.sectors, tmp_path / f"{part.number}.img")


@pytest.mark.parametrize("name", sorted(EXPLAINED))
def test_refused_conversion_names_its_reason(
    name: str, unpacked: Unpacked, tmp_path: Path
) -> None:
    with pytest.raises(CardError, match=EXPLAINED[name]) as refused:
        fix(unpacked(name), tmp_path)
    assert refused.value.hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", sorted(AS_THEY_ARE))
def test_fix_of_a_mountable_card_is_refused(name: str, unpacked: Unpacked, tmp_path: Path) -> None:
    with pytest.raises(CardError, match="nothing to convert") as refused:
        fix(unpacked(name), tmp_path)
    assert ("damage" in str(refused.value)) is name.startswith("x_")
    assert list(tmp_path.iterdir()) == []


def test_fix_copies_and_lists_damage(unpacked: Unpacked, tmp_path: Path) -> None:
    fixed = fix(unpacked("x_free_in_chain"), tmp_path)
    assert any("/A.BIN" in text for text in fixed.left)
    assert not fixed.report.healthy


def test_what_is_there_stays(unpacked: Unpacked, tmp_path: Path) -> None:
    (tmp_path / "new.img").write_bytes(b"precious")
    with pytest.raises(FileExistsError):
        fix(unpacked("gpt"), tmp_path)
    with FileSectors.open(unpacked("exfat")) as card, pytest.raises(CardError):
        fix_card(card, tmp_path / "new.img", force=True)
    assert (tmp_path / "new.img").read_bytes() == b"precious"


def test_fix_makes_a_larger_card_on_request(unpacked: Unpacked, tmp_path: Path) -> None:
    fixed = fix(unpacked("sector4096"), tmp_path, sectors=2 << 21)
    assert fixed.size == 2 << 30
    assert fixed.report.partitions[0].sectors == (2 << 21) - 2048
    with pytest.raises(CardError) as refused:
        fix_card_at(unpacked("gpt"), tmp_path / "small.img", 4096)
    assert refused.value.hint


def fix_card_at(source: Path, path: Path, sectors: int) -> Fixed:
    with FileSectors.open(source) as card:
        return fix_card(card, path, sectors=sectors)


def test_fix_of_a_full_superfloppy_grows_the_card(tmp_path: Path) -> None:
    card = RamSectors(80000)
    format_volume(card, 0, fat_type=32, layout="mkfs.fat", serial=5)
    with (
        FatCore(card, 0) as fat,
        fat.open("/all.bin", OpenFlag.WRITE | OpenFlag.CREATE_NEW) as file,
    ):
        file.write(bytes(range(256)) * 160000)
    fixed = fix(card, tmp_path)
    assert fixed.size == (80000 + 2048) * 512
    assert fixed.files == 1


def test_fix_restores_a_wiped_table(card_copy: CardCopy, tmp_path: Path) -> None:
    card = card_copy("part2")
    card.write(0, bytes(512))
    fixed = fix(card, tmp_path)
    assert fixed.report.partitions[0].files == 4


@pytest.mark.parametrize("name", ["superfloppy", "part1_0c"])
def test_a_boot_sector_without_its_signature(
    name: str, card_copy: CardCopy, tmp_path: Path
) -> None:
    card = card_copy(name)
    start = 0 if name == "superfloppy" else 2048
    card.write(start, card.read(start, 1)[:510] + bytes(2))
    fixed = fix(card, tmp_path)
    assert any("55 AA" in change for change in fixed.changes)
    assert fixed.report.healthy


def test_fix_of_a_gpt_leaves_out_an_empty_efi_partition(tmp_path: Path) -> None:
    card = RamSectors(300000)
    for start in (2048, 100000):
        format_volume(card, start, 80000, fat_type=32, layout="mkfs.fat", serial=start)
    with FatCore(card, 100000) as fat:
        fat.write_bytes("/data.txt", b"data")
    efi, data, other = (
        CardPartition(number, "GPT", kind, kind, None, start, 80000)
        for number, kind, start in (
            (1, "C12A7328-F81F-11D2-BA4B-00A0C93EC93B", 2048),
            (2, "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7", 100000),
            (3, "0FC63DAF-8483-4772-8E79-3D69D8477DE4", 200000),
        )
    )
    table = PartitionTable("GPT", (efi, data, other), True, False, False, False, 0, (), None, ())
    plan = plan_moves(card, table)
    assert [(move.place.number, move.type_byte) for move in plan.moves] == [(2, 0x0B), (3, 0x83)]
    with FatCore(card, 2048) as fat:
        fat.mkdir("/EFI")
        fat.write_bytes("/EFI/boot.efi", b"boot")
    plan = plan_moves(card, table)
    assert [move.place.number for move in plan.moves] == [2, 1, 3]
    crowded = table._replace(partitions=(efi, data, other, other, other))
    with pytest.raises(CardError, match="5 partitions"):
        plan_moves(card, crowded)


def test_fix_rebuilds_one_volume_beside_another(tmp_path: Path) -> None:
    card = RamSectors(100000)
    slots = [Partition(1, 0x0C, 20480, 79520), Partition(3, 0x83, 2048, 8192)]
    card.write(0, make_mbr(slots, disk_id=77, boot_code=b"\xeb\xfe"))
    format_volume(card, 20480, fat_type=32, layout="mkfs.fat", serial=5)
    with FatCore(card, 20480) as fat:
        fat.write_bytes("/a.txt", b"a")
    _few_clusters(card, files=20)
    fixed = fix(card, tmp_path)
    assert [part.kind for part in fixed.report.partitions] == ["FAT32", "FAT12"]
    assert [part.type for part in fixed.report.partitions] == ["0x0C", "0x01"]
    assert [part.files for part in fixed.report.partitions] == [1, 20]
    with FileSectors.open(tmp_path / "new.img") as new:
        assert new.read(0, 1)[:2] == b"\xeb\xfe"
        assert read_partitions(new).disk_id == 77


def test_fix_keeps_an_extended_partition(card_copy: CardCopy) -> None:
    """Three primary ones and two logical ones are more than a table has slots."""
    card = card_copy("extended")
    table = read_partitions(card)
    one, extended, logical = table.partitions
    more = [one._replace(number=number) for number in (1, 2, 3)]
    places = (*more, extended._replace(number=4), logical, logical._replace(number=6))
    plan = plan_moves(card, table._replace(partitions=places))
    assert [move.place.number for move in plan.moves] == [1, 2, 3]
    assert [place.number for place in plan.extended] == [4]
    assert not plan.changes


def test_fix_raises_if_files_do_not_fit(tmp_path: Path) -> None:
    """Clusters of a new volume are larger: many small files then need more room."""
    card = RamSectors(10240)
    card.write(0, make_mbr([Partition(1, 0x0C, 2048, 8192)]))
    _few_clusters(card, files=2500)
    with pytest.raises(CardError, match="do not fit") as refused:
        fix(card, tmp_path)
    assert refused.value.hint
    assert list(tmp_path.iterdir()) == []


def _few_clusters(card: RamSectors, files: int) -> None:
    """Make a FAT32 of too few clusters, full of small files: by hand, no driver makes one."""
    import struct

    from maixfs.fat import ondisk

    sectors, fat_sectors = 8192, 64
    boot = bytearray(512)
    ondisk.BootSector.struct.pack_into(
        boot, 0, b"\xeb\x58\x90", b"mkfs.fat", 512, 1, 32, 2, 0, 0, 0xF8, 0, 32, 4, 2048, sectors
    )
    ondisk.Extension32.part("BPB_FATSz32", "BS_FilSysType").pack_into(
        boot, 0, fat_sectors, 0, 0, 2, 1, 6, bytes(12), 0x80, 0, 0x29, 9, b"NO NAME    ",
        b"FAT32   ",
    )  # fmt: skip
    boot[510:] = b"\x55\xaa"
    card.write(2048, boot)
    folder = -(-files // 16)
    table = [0x0FFFFFF8, 0x0FFFFFFF, *range(3, 2 + folder), 0x0FFFFFFF]
    first = len(table)
    table += [0x0FFFFFFF] * files
    fat = struct.pack(f"<{len(table)}I", *table).ljust(fat_sectors * 512, b"\0")
    entries = b"".join(
        ondisk.DirEntry(
            b"%08dTXT" % number, 0x20, 0, 0, 0, 0, 0, 0, 0, 0x21, first + number, 1
        ).pack()
        for number in range(files)
    )
    card.write(2048 + 32, fat + fat)
    card.write(2048 + 32 + 2 * fat_sectors, entries.ljust(folder * 512, b"\0"))


@pytest.mark.parametrize("spoil", ["content", "time", "name"])
def test_proof_detects_a_changed_file(spoil: str, card_copy: CardCopy) -> None:
    old, new = card_copy("part1_0c"), card_copy("part1_0c")
    readers = []
    for card in (old, new):
        volume = find_readable(card, 2048)
        assert volume is not None
        readers.append(FatReader(card, 2048, volume.geometry))
    with FatCore(new, 2048) as fat:
        path = next(path for path, entry in fat.walk() if entry.size > 100)
        if spoil == "content":
            entry = fat.stat(path)
            with fat.open(path, OpenFlag.WRITE) as file:
                file.write(b"spoilt")
            fat.set_times(path, modified=(entry.write_date, entry.write_time), accessed=0)
        elif spoil == "time":
            fat.set_times(path, modified=(0x21, 0))
        else:
            fat.rename(path, f"{path}x")
    fresh = FatReader(new, 2048, readers[1].geometry)
    with pytest.raises(ProofError):
        prove_same(readers[0], fresh)


def test_fix_writes_the_card_that_the_finding_promises(unpacked: Unpacked, tmp_path: Path) -> None:
    fixed = fix(unpacked("extended"), tmp_path)
    with FileSectors.open(tmp_path / "new.img") as card:
        assert examine(card) == fixed.report
    assert [part.mount_point for part in fixed.report.partitions] == ["/sd", "/sd2"]


def test_fix_copies_foreign_partitions_whole(card_copy: CardCopy, tmp_path: Path) -> None:
    card = card_copy("foreign_first")
    noise = bytes(range(256)) * 2
    card.write(2048, noise)
    card.write(10000, noise)
    table = bytearray(card.read(0, 1))
    table[510:] = b"\0\0"
    card.write(0, table)
    fixed = fix(card, tmp_path)
    assert [part.mount_point for part in fixed.report.partitions] == [None, "/sd"]
    with FileSectors.open(tmp_path / "new.img") as new:
        assert new.read(2048, 1) == new.read(10000, 1) == noise
        prove_sectors(card, new, [(2048, 16384)])
        card.write(10001, noise)
        with pytest.raises(ProofError, match="0x2000"):
            prove_sectors(card, new, [(2048, 16384)])
