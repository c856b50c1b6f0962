"""Cards to and from drives: what is refused, what is copied, and that it is proved."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from maixfs.cards import (
    CardError,
    PartitionRequest,
    ProofError,
    examine,
    new_card,
    read_card,
    write_card,
)
from maixfs.cards import transfer as transfer_module
from maixfs.cards.extents import free_extents, used_extents, without
from maixfs.cards.transfer import LARGEST, refuse_unlikely
from maixfs.fat import FatCore
from maixfs.fat.reader import FatReader
from maixfs.host.drives import DriveFacts, drive_facts
from maixfs.sd.errors import SectorError
from maixfs.sd.media import FileSectors, RamSectors

MIB = 1 << 20
NOISE = bytes(range(256)) * 4096


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "card.img"
    new_card(path, 80 * MIB, [PartitionRequest("40M"), PartitionRequest()], serial=3)
    with FileSectors.open(path, read_only=False) as card, FatCore(card, 2048) as fat:
        fat.write_bytes("/main.py", b"print('hello')\n")
        fat.write_bytes("/photo.bin", NOISE)
    return path


def drive_of(path: Path, size: int) -> Path:
    """Make an old, full card."""
    with path.open("wb") as stream:
        for _ in range(size // len(NOISE)):
            stream.write(NOISE)
    return path


def test_write_card_writes_the_whole_card(image: Path, tmp_path: Path) -> None:
    drive = drive_of(tmp_path / "drive", 82 * MIB)
    phases: list[tuple[str, int, int]] = []
    done = write_card(image, drive, progress=lambda *event: phases.append(event))
    content = image.read_bytes()
    assert drive.read_bytes() == content + NOISE * 2
    assert done.sha256 == hashlib.sha256(content).hexdigest()
    assert done.copied == done.size == len(content)
    assert {phase for phase, _, _ in phases} == {"write", "read back"}
    assert [event[1:] for event in phases if event[1] == event[2]] == [(80 * MIB, 80 * MIB)] * 2


def test_write_card_writes_only_used_clusters_on_request(image: Path, tmp_path: Path) -> None:
    drive = drive_of(tmp_path / "drive", 80 * MIB)
    done = write_card(image, drive, used_only=True)
    assert done.copied < 8 * MIB < done.size
    with FileSectors.open(drive) as card:
        assert examine(card).healthy
        with FatCore(card, 2048, read_only=True) as fat:
            assert fat.read_bytes("/photo.bin") == NOISE
        assert card.read(100000, 1) == NOISE[:512]  # a free cluster of the second volume


def test_read_card_reads_the_whole_card(image: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.img"
    done = read_card(image, copy)
    assert copy.read_bytes() == image.read_bytes()
    assert done.sha256 == hashlib.sha256(image.read_bytes()).hexdigest()
    assert getattr(copy.stat(), "st_blocks", 0) * 512 < 8 * MIB
    with pytest.raises(FileExistsError):
        read_card(image, copy)
    read_card(image, copy, force=True)


def test_read_card_reads_only_used_clusters_on_request(image: Path, tmp_path: Path) -> None:
    drive = drive_of(tmp_path / "drive", 80 * MIB)
    write_card(image, drive, used_only=True)
    copy = tmp_path / "copy.img"
    read_card(drive, copy, used_only=True)
    with FileSectors.open(copy) as card:
        assert examine(card).healthy
        assert card.read(100000, 1) == bytes(512)


def test_write_card_raises_proof_error_for_different_data(
    image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Worn(FileSectors):
        def read(self, sector: int, count: int) -> bytes:
            data = super().read(sector, count)
            if self.path.name == "drive" and sector <= 2100 < sector + count:
                return bytes(len(data))
            return data

    drive = drive_of(tmp_path / "drive", 80 * MIB)
    monkeypatch.setattr(transfer_module, "FileSectors", Worn)
    with pytest.raises(ProofError):
        write_card(image, drive)


def test_write_card_to_a_too_small_drive_is_refused(image: Path, tmp_path: Path) -> None:
    drive = drive_of(tmp_path / "drive", MIB)
    with pytest.raises(CardError, match="sectors"):
        write_card(image, drive)
    assert drive.read_bytes() == NOISE


def test_write_card_to_what_is_no_drive_raises(image: Path, tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        write_card(image, tmp_path)
    with pytest.raises(FileNotFoundError):
        write_card(image, tmp_path / "none")
    with pytest.raises(SectorError):
        write_card(tmp_path / "none", image)


@pytest.mark.parametrize(
    ("facts", "forced", "words"),
    [
        ({"in_use": ("mounted on /media/x",), "removable": True}, False, "mounted on /media/x"),
        ({"in_use": ("swap",), "removable": True}, True, "in use"),
        ({"removable": False}, False, "no removable"),
        ({"removable": None}, False, "may be built in"),
        ({"removable": True, "partition_of": "/dev/sdb"}, False, "partition of /dev/sdb"),
        ({"removable": False, "model": "Big Disk"}, False, "Big Disk"),
    ],
)
def test_unlikely_drives_are_refused(
    facts: dict[str, object], forced: bool, words: str, image: Path, tmp_path: Path
) -> None:
    drive = drive_of(tmp_path / "drive", MIB)

    def look(path: Path) -> DriveFacts:
        return DriveFacts(path, regular=False, **facts)  # type: ignore[arg-type]

    with pytest.raises(CardError, match=words):
        write_card(image, drive, force=forced, look=look)
    assert drive.read_bytes() == NOISE


def test_likely_drives_are_accepted() -> None:
    plain = DriveFacts(Path("sdb"), regular=False, removable=True)
    refuse_unlikely(plain, 32 << 30)
    refuse_unlikely(plain._replace(removable=False, partition_of="x"), 32 << 30, force=True)
    refuse_unlikely(plain._replace(regular=True, removable=None), LARGEST * 2)
    with pytest.raises(CardError, match="more than a card has"):
        refuse_unlikely(plain, LARGEST + 1)


def make_host(root: Path, *, removable: str = "0", mounts: str = "", swaps: str = "") -> None:
    """Make what Linux shows of a drive sdz with two partitions."""
    drive = root / "sys/devices/pci0000/ata1/block/sdz"
    for name, number in (("", "8:80"), ("sdz1", "8:81"), ("sdz2", "8:82")):
        place = drive / name
        place.mkdir(parents=True, exist_ok=True)
        (place / "dev").write_text(f"{number}\n")
        if name:
            (place / "partition").write_text(f"{name[-1]}\n")
    (drive / "removable").write_text(f"{removable}\n")
    (drive / "device").mkdir()
    (drive / "device/model").write_text("CARD READER\n")
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/mountinfo").write_text(mounts)
    (root / "proc/swaps").write_text(f"Filename Type\n{swaps}")
    block = root / "sys/class/block"
    block.mkdir(parents=True)
    (block / "sdz").symlink_to(drive)
    (block / "sdz1").symlink_to(drive / "sdz1")


linux_only = pytest.mark.skipif(
    __import__("sys").platform != "linux", reason="asks Linux's sys and proc"
)


@linux_only
def test_drive_facts_are_those_of_linux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_host(
        tmp_path,
        removable="1",
        mounts="36 25 8:81 / /media/card rw - vfat /dev/sdz1 rw\n37 25 8:1 / / rw - ext4 x rw\n",
        swaps="/dev/sdz2 partition 1 0 -2\n",
    )
    monkeypatch.setattr("stat.S_ISREG", lambda mode: False)
    for name, whole in (("sdz", None), ("sdz1", "/dev/sdz")):
        node = tmp_path / name
        node.touch()
        facts = drive_facts(node, tmp_path)
        assert facts.in_use == ("mounted on /media/card", "swap")
        assert facts.removable is True
        assert facts.partition_of == whole
        assert facts.model == "CARD READER"


@linux_only
def test_disk_of_the_host_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_host(tmp_path)
    monkeypatch.setattr("stat.S_ISREG", lambda mode: False)
    (tmp_path / "sdz").touch()
    assert drive_facts(tmp_path / "sdz", tmp_path).removable is False
    holder = tmp_path / "sys/class/block/sdz/holders/dm-0"
    holder.mkdir(parents=True)
    assert drive_facts(tmp_path / "sdz", tmp_path).in_use == ("part of dm-0",)
    card = tmp_path / "sys/class/block/sdz/device/type"
    card.write_text("SD\n")
    assert drive_facts(tmp_path / "sdz", tmp_path).removable is True


def test_used_extents_leave_out_free_clusters(unpacked: Callable[[str], Path]) -> None:
    with FileSectors.open(unpacked("part4")) as card:
        extents = list(used_extents(card))
        report = examine(card)
        gaps = card.sectors - sum(length for _, length in extents)
        free = sum(
            (part.free_clusters or 0) * (part.cluster_size or 0) // 512
            for part in report.partitions
        )
        assert free - 4096 < gaps <= free
        assert extents == sorted(extents)


def test_free_extents_are_runs_of_free_clusters() -> None:
    card = RamSectors(80 * MIB // 512)
    from maixfs.cards import write_card_layout

    made = write_card_layout(card, serial=1)
    with FatCore(card, 2048) as fat:
        fat.write_bytes("/a", NOISE * 4)
        fat.write_bytes("/b", NOISE * 4)
        fat.write_bytes("/c", NOISE * 4)
        fat.remove("/b")
    from maixfs.cards.plan import find_readable

    volume = find_readable(card, 2048)
    assert volume is not None
    table = FatReader(card, 2048, volume.geometry).table
    first, second = free_extents(table, 2048)
    assert first[1] == 4 * MIB // 512
    assert second[0] + second[1] == 2048 + made.partitions[0].volume.data_end


def test_without_returns_what_lies_between_gaps() -> None:
    assert list(without(0, 100, [(10, 5), (12, 8), (90, 10)])) == [(0, 10), (20, 70)]
    assert list(without(5, 10, [])) == [(5, 5)]
    assert list(without(0, 10, [(0, 10)])) == []
    assert list(without(5, 10, [(8, 90), (200, 1)])) == [(5, 3)]
