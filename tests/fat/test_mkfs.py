"""New volumes: the bytes of FatFs and of mkfs.fat, and requests that are refused.

The digests come from FatFs R0.13c on cards of these sizes.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fat.cards import load_card
from maixfs.errors import UsageError
from maixfs.fat.errors import FatError, FResult
from maixfs.fat.geometry import FatGeometry, read_geometry
from maixfs.fat.mkfs import format_volume, make_filesystem
from maixfs.fat.mkfs_plans import DOSFS
from maixfs.fat.ondisk import FsInfo
from maixfs.sd import SECTOR, FileSectors, RamSectors, SectorError

MIB = 2048
SERIAL = 0x5A216B3C
DATE, TIME = SERIAL >> 16, SERIAL & 0xFFFF


def clock() -> tuple[int, int]:
    return DATE, TIME


class Sparse(RamSectors):
    """A card that records which sectors were written, and counts them."""

    def __init__(self, sectors: int) -> None:
        super().__init__(sectors)
        self.touched: set[int] = set()
        self.written = 0

    def write(self, sector, data):
        super().write(sector, data)
        count = len(data) // SECTOR
        self.written += count
        self.touched.update(range(sector, sector + count))

    def digest(self) -> str:
        made = hashlib.sha256()
        for sector in sorted(self.touched):
            content = self.read(sector, 1)
            if content.strip(b"\0"):
                made.update(sector.to_bytes(4, "little") + content)
        return made.hexdigest()[:16]


@pytest.mark.parametrize(
    ("sectors", "fat_type", "cluster_size", "digest"),
    [
        (100, None, None, "c2fd916ca798413c"),
        (4096, None, None, "6e53e93b8b7b4672"),
        (16384, None, None, "920b7e11b81a218b"),
        (65536, None, None, "5c8634a40d26853c"),
        (81920, 32, 512, "d8cfbbd55be98713"),
        (131072, 32, None, "18412791cdc55125"),
        (133120, 32, None, "039dfe68f971aca2"),
        (262144, 32, None, "0016c77148adb3e9"),
        (524288, None, None, "140509f495de3908"),
        (1048576, 32, None, "386ff4cf16040f41"),
        (2096552, None, None, "be6cf5f92e20be21"),
        (4194297, None, None, "5c5eeee53d0e06cd"),
        (4198400, 32, None, "b9f273ec784721d5"),
        (8388608, None, None, "5c7cb91596085838"),
        (16777216, 32, 65536, "62f4c690619fc0c5"),
        (67108801, 32, None, "1adbdaaf8dda2627"),
        (268435456, 32, None, "c3f76918eec6b47a"),
    ],
)
def test_fatfs_layout_equals_fatfs_byte_for_byte(sectors, fat_type, cluster_size, digest):
    card = Sparse(sectors)
    format_volume(card, fat_type=fat_type, cluster_size=cluster_size, serial=SERIAL)
    assert card.digest() == digest


@pytest.mark.parametrize(
    ("sectors", "digest"),
    [
        (50, "2949f7f338ce91d6"),
        (2880, "c500d9026cd0e1b4"),
        (16384, "920b7e11b81a218b"),
        (131072, "ff5b0511c0f0180b"),
        (8386560, "96d6b0b45fd82668"),
        (8390656, "63385c1b79b1dca6"),
        (268435456, "a4f9c3c149e9a26e"),
    ],
)
def test_make_filesystem_equals_the_board(sectors, digest):
    card = Sparse(sectors)
    make_filesystem(card, clock=clock)
    assert card.digest() == digest


def test_boot_sector_equals_that_of_a_card_the_board_formatted():
    theirs = load_card("superfloppy_ff").read(0, 1)
    serial = read_geometry(theirs).serial
    card = RamSectors(81920)
    made = make_filesystem(card, clock=lambda: (serial >> 16, serial & 0xFFFF))
    assert card.read(0, 1) == theirs
    assert made == read_geometry(theirs)


PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))
TOOLS = {name: shutil.which(name, path=PATH) for name in ("mkfs.fat", "fsck.fat", "minfo", "mdir")}
ENVIRONMENT = {**os.environ, "LC_ALL": "C.UTF-8", "MTOOLSRC": os.devnull}


def run(tool: str, *arguments: str | Path) -> str:
    command = [TOOLS[tool] or "", *map(str, arguments)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env=ENVIRONMENT, timeout=60
    )
    return done.stdout + done.stderr


def has_mkfs_fat() -> bool:
    return TOOLS["mkfs.fat"] is not None and "4.2" in run("mkfs.fat", "--help")


INVARIANT = (2015 - 1980) << 9 | 3 << 5 | 14, 9 << 11 | 26 << 5 | 53 // 2
"""The time that mkfs.fat --invariant writes: 2015-03-14 09:26:53."""
SHAPES = {
    "64 KiB": (128, {}),
    "a diskette": (2880, {"label": "DISK"}),
    "a 360 KiB diskette": (720, {}),
    "2 MiB": (2 * MIB, {"fats": 1}),
    "16 MiB": (16 * MIB, {"label": "SIXTEEN"}),
    "FAT12 of 30 MiB": (30 * MIB, {"fat_type": 12}),
    "100 MiB, odd": (100 * MIB + 1, {"hidden": 2048}),
    "500 MiB": (500 * MIB, {}),
    "FAT16 of 2 GiB": (2048 * MIB, {"fat_type": 16, "cluster_size": 65536}),
    "FAT32 of 40 MiB": (40 * MIB, {"fat_type": 32, "label": "KRUX CARD"}),
    "FAT32 of 259 MiB": (259 * MIB, {"fat_type": 32, "fats": 1}),
    "FAT32 of 261 MiB": (261 * MIB, {"fat_type": 32}),
    "512 MiB": (512 * MIB, {"geometry": (255, 63)}),
    "8 GiB and a bit": (8200 * MIB, {}),
    "32 GiB and a bit": (33000 * MIB, {"cluster_size": 8192, "hidden": 8192}),
    "128 GiB": (131072 * MIB, {"label": "BIG"}),
}


def flags_of(options: dict[str, object]) -> list[str]:
    made = ["--invariant", "-h", str(options.get("hidden", 0))]
    for word, flag in (("fat_type", "-F"), ("fats", "-f"), ("label", "-n")):
        made += [flag, str(options[word])] if word in options else []
    if "cluster_size" in options:
        made += ["-s", str(int(str(options["cluster_size"])) // SECTOR)]
    if "geometry" in options:
        made += ["-g", "255/63"]
    return made


def without_text(content: bytes, made: FatGeometry) -> bytes:
    """Blank the message of the boot code: its words are ours."""
    start = (90 if made.fat_type == 32 else 62) + 29
    for boot in (0, made.backup_sector * SECTOR):
        at = boot + start
        content = content[:at] + bytes(100) + content[at + 100 :]
    return content


@pytest.mark.skipif(not has_mkfs_fat(), reason="mkfs.fat 4.2 is not installed")
@pytest.mark.parametrize("shape", SHAPES)
def test_mkfs_fat_layout_equals_mkfs_fat_byte_for_byte(shape, tmp_path):
    sectors, options = SHAPES[shape]
    card = RamSectors(sectors)
    made = format_volume(
        card,
        layout="mkfs.fat",
        serial=0x1234ABCD,
        clock=lambda: INVARIANT,
        **{"hidden": 0, **options},  # type: ignore[arg-type]
    )
    theirs = tmp_path / "card"
    with theirs.open("wb") as file:
        file.truncate(sectors * SECTOR)
    run("mkfs.fat", *flags_of(options), theirs)
    with theirs.open("rb") as file:
        head = file.read((made.fat_start + 1) * SECTOR)
        second = made.fat_start + made.fat_sectors
        file.seek((second - 1) * SECTOR)
        middle = file.read(2 * SECTOR)
        file.seek((made.root_start - 1) * SECTOR)
        root = file.read((1 + (made.root_sectors or made.sectors_per_cluster)) * SECTOR)
    ours = card.read(0, made.fat_start + 1)
    assert without_text(ours, made) == without_text(head, made)
    assert ours != head  # they differ in the text alone
    assert card.read(second - 1, 2) == middle
    assert card.read(made.root_start - 1, len(root) // SECTOR) == root


def test_boot_code_has_the_length_of_mkfs_fat():
    for _, code in DOSFS.boot.values():
        assert len(code) == 129


FORMATS = {
    "fat12": (4 * MIB, {}),
    "fat16": (64 * MIB, {"label": "SIXTEEN"}),
    "fat16 with two FATs": (64 * MIB, {"fats": 2}),
    "fat32": (70 * MIB, {"fat_type": 32, "label": "Thirty-two"}),
    "fat32 with two FATs": (300 * MIB, {"fat_type": 32, "fats": 2}),
    "fat32, large": (40000 * MIB, {"fat_type": 32}),
    "mkfs.fat's fat12": (3 * MIB, {"layout": "mkfs.fat"}),
    "mkfs.fat's fat16": (200 * MIB, {"layout": "mkfs.fat", "label": "CARD 2"}),
    "mkfs.fat's fat32": (600 * MIB, {"layout": "mkfs.fat", "label": "MAIXPY"}),
}


@pytest.mark.skipif(None in TOOLS.values(), reason="dosfstools and mtools are not installed")
@pytest.mark.parametrize("shape", FORMATS)
def test_fsck_finds_nothing_and_mtools_reads_the_volume(shape, tmp_path):
    sectors, options = FORMATS[shape]
    path = tmp_path / "card"
    with FileSectors.create(path, sectors) as card:
        made = format_volume(card, **options)  # type: ignore[arg-type]
    lines = run("fsck.fat", "-n", path).splitlines()
    assert len(lines) == 2
    assert lines[1].endswith(f"/{made.clusters} clusters")
    info = run("minfo", "-i", path)
    assert f'disk type="FAT{"32" if made.fat_type == 32 else ""}' in info
    listing = run("mdir", "-i", path)
    label = str(options.get("label", "")).upper()
    assert (f"is {label}" if label.isascii() and label else "Volume") in listing


def test_format_volume_with_serial_and_clock_is_reproducible():
    def made(**options: object) -> str:
        card = Sparse(80 * MIB)
        format_volume(card, 2048, clock=clock, label="SAME", **options)  # type: ignore[arg-type]
        return card.digest()

    assert made(serial=7) == made(serial=7)
    assert made(serial=7) != made(serial=8)
    assert made() != made()


def test_format_volume_writes_inside_its_partition_only():
    card = RamSectors(80 * MIB, b"\xaa" * (60 * MIB * SECTOR))
    made = format_volume(card, 3000, 50 * MIB, fat_type=32, layout="mkfs.fat")
    assert made.hidden == 3000
    for sector in (0, 2999, 3000 + 50 * MIB):
        assert card.read(sector, 1) == b"\xaa" * SECTOR
    fat = card.read(3000 + made.fat_start, made.fat_sectors * 2)
    assert not fat[12 : made.fat_sectors * SECTOR].strip(b"\0")
    root = card.read(3000 + made.root_start, made.sectors_per_cluster)
    assert not root.strip(b"\0")
    assert card.read(3000 + made.data_end - 1, 1) == b"\xaa" * SECTOR


@pytest.mark.parametrize("layout", ["fatfs", "mkfs.fat"])
def test_fat32_has_backups_of_boot_sector_and_fsinfo(layout):
    card = RamSectors(80 * MIB)
    made = format_volume(card, fat_type=32, layout=layout, label="COPY")
    assert card.read(0, 2) == card.read(6, 2)
    info = FsInfo.unpack(card.read(1, 1))
    assert (info.FSI_Free_Count, info.FSI_Nxt_Free) == (made.clusters - 1, 2)
    assert (made.fsinfo_sector, made.backup_sector, made.label) == (1, 6, "COPY")


def test_label_is_an_entry_of_the_root():
    card = RamSectors(16 * MIB)
    made = format_volume(card, label="größe 7", clock=clock)
    entry = card.read(made.root_start, 1)[:32]
    assert entry[:11].decode("cp437") == "GRÖßE 7    "
    assert (entry[11], entry[22:26]) == (
        8,
        TIME.to_bytes(2, "little") + DATE.to_bytes(2, "little"),
    )


def test_root_without_a_label_is_empty():
    card = RamSectors(16 * MIB)
    made = format_volume(card, label="   ")
    assert made.label == "NO NAME"
    assert not card.read(made.root_start, 1).strip(b"\0")


def test_format_of_128_gib_writes_few_sectors():
    card = Sparse(131072 * MIB)
    format_volume(card, 8192, fat_type=32, layout="mkfs.fat")
    assert card.written < 16


class Plain:
    """A device without a quick way to zeros."""

    def __init__(self, sectors: int) -> None:
        self.card = RamSectors(sectors, b"\xff" * (sectors * SECTOR))
        self.sectors = sectors
        self.read_only = False

    def read(self, sector, count):
        return self.card.read(sector, count)

    def readinto(self, sector, buffer):
        self.card.readinto(sector, buffer)

    def write(self, sector, data):
        self.card.write(sector, data)

    def sync(self):
        self.card.sync()


def test_device_without_zeroing_gets_the_same_volume():
    plain, quick = Plain(40 * MIB), RamSectors(40 * MIB)
    for card in (plain, quick):
        made = format_volume(card, fat_type=32, serial=3, layout="mkfs.fat")
    assert plain.read(0, made.data_start + 1) == quick.read(0, made.data_start + 1)


@pytest.mark.parametrize(
    ("sectors", "options"),
    [
        (20, {}),
        (60, {"cluster_size": 4096}),
        (16 * MIB, {"fat_type": 32}),
        (16 * MIB, {"fat_type": 32, "layout": "mkfs.fat"}),
        (100 * MIB, {"fat_type": 32, "cluster_size": 4096}),
        (8192 * MIB, {"fat_type": 16}),
        (8192 * MIB, {"fat_type": 16, "layout": "mkfs.fat"}),
        (1024 * MIB, {"fat_type": 12}),
        (2 * MIB, {"fat_type": 16, "cluster_size": 4096}),
        (4120, {"cluster_size": 512}),
        (262144 * MIB, {"fat_type": 32, "cluster_size": 512}),
        (96, {"layout": "mkfs.fat"}),
        (2100000 * MIB, {}),
    ],
)
def test_impossible_volume_is_refused_before_anything_is_written(sectors, options):
    card = Sparse(sectors)
    with pytest.raises(FatError) as caught:
        format_volume(card, **options)
    assert caught.value.result is FResult.MKFS_ABORTED
    assert card.written == 0


@pytest.mark.parametrize(
    "options",
    [
        {"fat_type": 8},
        {"cluster_size": 1000},
        {"cluster_size": 0},
        {"cluster_size": 131072},
        {"cluster_size": 1536},
        {"fats": 3},
        {"layout": "minix"},
        {"geometry": (0, 63)},
        {"start": -1},
        {"start": 10, "sectors": 20 * MIB},
        {"start": 21 * MIB},
    ],
)
def test_arguments_out_of_range_raise_usage_error(options):
    with pytest.raises(UsageError):
        format_volume(RamSectors(20 * MIB), **options)


@pytest.mark.parametrize("label", ["twelve chars", "a/b", "x.y", "日本", " x", "tab\t", "a\x7f"])
def test_invalid_label_is_refused_before_anything_is_written(label):
    card = Sparse(16 * MIB)
    with pytest.raises(FatError) as caught:
        format_volume(card, label=label)
    assert caught.value.result is FResult.INVALID_NAME
    assert card.written == 0


def test_read_only_card_raises_write_protected():
    card = RamSectors(16 * MIB)
    card.read_only = True
    for make in (format_volume, make_filesystem):
        with pytest.raises(FatError) as caught:
            make(card)
        assert caught.value.result is FResult.WRITE_PROTECTED


@pytest.mark.parametrize("layout", ["fatfs", "mkfs.fat"])
@pytest.mark.parametrize("fats", [1, 2])
def test_fat32_has_more_clusters_than_fatfs_takes_for_fat16(layout: str, fats: int) -> None:
    """FatFs takes up to 65,525 clusters for FAT16."""
    sectors, made = 66_040, None
    while made is None:
        sectors += 1
        try:
            made = format_volume(
                RamSectors(sectors),
                fat_type=32, cluster_size=512, fats=fats, layout=layout, geometry=(1, 1),
            )  # fmt: skip
        except FatError as error:
            assert error.result is FResult.MKFS_ABORTED
    assert sectors > 66_041
    assert made.fat_type == 32 and made.clusters == 65_526


class Failing(Plain):
    good = 50

    def write(self, sector, data):
        if sector > self.good:
            raise SectorError(f"sector {sector} is bad")
        super().write(sector, data)


@pytest.mark.parametrize("good", [-1, 0, 50])
def test_write_error_raises_disk_err(good):
    card = Failing(16 * MIB)
    card.good = good
    with pytest.raises(FatError) as caught:
        format_volume(card, layout="mkfs.fat")
    assert caught.value.result is FResult.DISK_ERR
    assert isinstance(caught.value.__cause__, SectorError)


@pytest.mark.parametrize("sectors", [1, 21, 49])
def test_make_filesystem_refuses_a_card_that_is_too_small(sectors):
    with pytest.raises(FatError) as caught:
        make_filesystem(RamSectors(sectors))
    assert caught.value.result is FResult.MKFS_ABORTED


@given(
    st.integers(22, 1 << 29) | st.integers(22, 200_000),
    st.sampled_from([None, 12, 16, 32]),
    st.sampled_from([None, 512, 1024, 4096, 32768, 65536]),
    st.sampled_from([None, 1, 2]),
    st.sampled_from(["fatfs", "mkfs.fat"]),
)
def test_volume_has_the_requested_type_size_and_fats(
    sectors, fat_type, cluster_size, fats, layout
):
    card = RamSectors(sectors)
    try:
        made = format_volume(
            card, fat_type=fat_type, cluster_size=cluster_size, fats=fats, layout=layout
        )
    except FatError as error:
        assert error.result is FResult.MKFS_ABORTED
        assert card.read(0, 1) == bytes(SECTOR)
        return
    assert made == read_geometry(card.read(0, 1))
    assert made.fat_type == (fat_type or made.fat_type)
    assert made.cluster_size == (cluster_size or made.cluster_size)
    assert made.fats == (fats or (1 if layout == "fatfs" else 2))
    assert made.data_end <= sectors
