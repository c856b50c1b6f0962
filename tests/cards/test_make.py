"""New cards: what is on them, that they are whole or not there, and what others say of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from maixfs.cards import (
    NewCard,
    examine,
    new_card,
    write_card_layout,
)
from maixfs.cards import PartitionRequest as Request
from maixfs.cards.newimage import new_image
from maixfs.errors import MaixfsError, UsageError
from maixfs.fat import FatCore
from maixfs.sd.media import FileSectors, RamSectors
from maixfs.sd.partitions import read_partitions

from .conftest import fsck, needs_fsck

MIB = 1 << 20
CASES: dict[str, tuple[int, list[Request], list[int]]] = {
    "one": (64 * MIB, [Request()], [32]),
    "large": (128 << 30, [Request(label="BIG")], [32]),
    "two": (128 * MIB, [Request("48M"), Request("rest", 16)], [32, 16]),
    "shares": (
        200 * MIB,
        [Request("25%"), Request("50%"), Request()],
        [32] * 3,
    ),
    "four": (
        160 * MIB,
        [
            Request(40 * MIB),
            Request("40M"),
            Request("8M", 12),
            Request(),
        ],
        [32, 32, 12, 32],
    ),
    "small": (24 * MIB, [Request()], [16]),
    "tiny": (2 * MIB, [Request()], [12]),
    "clusters": (64 * MIB, [Request(fat_type=16, cluster_size=4096)], [16]),
}


@pytest.mark.parametrize("layout", ["mkfs.fat", "fatfs"])
@pytest.mark.parametrize("align", ["1MiB", "sda"])
@pytest.mark.parametrize("case", CASES)
def test_new_card_is_mounted_by_a_board(
    case: str, align: str, layout: str, tmp_path: Path
) -> None:
    size, requests, types = CASES[case]
    path = tmp_path / "card.img"
    made = new_card(path, size, requests, align=align, layout=layout)  # type: ignore[arg-type]
    assert path.stat().st_size == size
    assert getattr(path.stat(), "st_blocks", 0) * 512 < 80 * MIB
    with FileSectors.open(path) as card:
        report = examine(card)
    assert not [found for found in report.findings if not found.key.startswith("fat1")]
    assert [part.kind for part in report.partitions] == [f"FAT{kind}" for kind in types]
    assert [part.label for part in report.partitions] == [request.label for request in requests]
    assert all(part.mount_point for part in report.partitions)
    assert [part.start for part in made.partitions] == [part.start for part in report.partitions]


def test_new_card_with_a_serial_is_reproducible(tmp_path: Path) -> None:
    requests = [Request("4M", label="one"), Request("4M", label="two")]
    cards = [tmp_path / name for name in ("a", "b", "c")]
    for card, serial in zip(cards, (7, 7, 8), strict=True):
        new_card(card, 10 * MIB, requests, serial=serial)
    first, same, other = (card.read_bytes() for card in cards)
    assert first == same
    assert first != other
    with FileSectors.open(cards[0]) as card:
        serials = [part.serial for part in examine(card).partitions]
        assert read_partitions(card).disk_id == 7
    assert len(set(serials)) == 2


def test_new_card_without_a_serial_has_a_random_id(tmp_path: Path) -> None:
    for name in ("a", "b"):
        new_card(tmp_path / name, 4 * MIB)
    assert (tmp_path / "a").read_bytes() != (tmp_path / "b").read_bytes()


def test_new_superfloppy_has_no_partition_table(tmp_path: Path) -> None:
    path = tmp_path / "card.img"
    made = new_card(path, 40 * MIB, superfloppy=True)
    assert [part.number for part in made.partitions] == [0]
    with FileSectors.open(path) as card:
        assert [found.key for found in examine(card).findings] == ["superfloppy"]
        with FatCore(card, 0, read_only=True) as fat:
            assert list(fat.scandir()) == []
    with pytest.raises(UsageError, match="one volume"):
        new_card(path, 40 * MIB, [Request("4M")] * 2, superfloppy=True, force=True)


@pytest.mark.parametrize(
    ("size", "requests"),
    [
        (1000, [Request()]),
        (0, [Request()]),
        (4 * MIB, [Request("8M")]),
        (4 * MIB, [Request("rest"), Request("rest")]),
        (4 * MIB, [Request("1M")] * 5),
        (4 * MIB, []),
        (64 * MIB, [Request("nonsense")]),
        (64 * MIB, [Request(fat_type=12, cluster_size=512)]),
        (64 * MIB, [Request(cluster_size=1000)]),
        (64 * MIB, [Request(label="a label too long")]),
        (16 * MIB, [Request(fat_type=32)]),
    ],
)
def test_impossible_card_leaves_no_file(
    size: int, requests: list[Request], tmp_path: Path
) -> None:
    with pytest.raises(MaixfsError):
        new_card(tmp_path / "card.img", size, requests)
    assert list(tmp_path.iterdir()) == []


def test_existing_image_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "card.img"
    path.write_bytes(b"precious")
    with pytest.raises(FileExistsError):
        new_card(path, 4 * MIB)
    with pytest.raises(UsageError):
        new_card(path, 4 * MIB, [Request("8M")], force=True)
    assert path.read_bytes() == b"precious"
    new_card(path, 4 * MIB, force=True)
    assert path.stat().st_size == 4 * MIB
    with pytest.raises(FileExistsError, match="folder"):
        new_card(tmp_path, 4 * MIB, force=True)
    with pytest.raises(FileNotFoundError) as missing:
        new_card(tmp_path / "no" / "card.img", 4 * MIB)
    assert "make the folder" in (getattr(missing.value, "hint", None) or "")


def test_layout_of_a_used_card_clears_old_tables() -> None:
    card = RamSectors(64 * MIB // 512)
    for sector in (0, 1, 2, 2047, 2049, 2100):
        card.write(sector, b"\xa5" * 512)
    made: NewCard = write_card_layout(card, serial=1)
    report = examine(card)
    assert report.healthy and report.table == "MBR"
    assert card.read(1, 2) == bytes(1024)
    assert made.sectors == card.sectors


@needs_fsck
@pytest.mark.parametrize("layout", ["mkfs.fat", "fatfs"])
@pytest.mark.parametrize("case", [case for case in CASES if case != "large"])
def test_others_find_nothing_wrong(case: str, layout: str, tmp_path: Path) -> None:
    size, requests, _ = CASES[case]
    path = tmp_path / "card.img"
    made = new_card(path, size, requests, layout=layout)  # type: ignore[arg-type]
    with FileSectors.open(path) as card:
        for part in made.partitions:
            assert not fsck(card, part.start, part.sectors, tmp_path / f"{part.number}.img")


def test_new_card_removes_drafts_of_killed_processes(tmp_path: Path) -> None:
    left = tmp_path / ".maixfs-0123456789ab.new"
    left.write_bytes(b"half a card")
    with new_image(tmp_path / "first.img", 8):
        assert not left.exists()
        new_card(tmp_path / "second.img", 4 << 20)  # one that is being written stays
    assert {path.name for path in tmp_path.iterdir()} == {"first.img", "second.img"}
