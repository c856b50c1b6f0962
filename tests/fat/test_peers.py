"""What others say of our cards, and we of theirs: fsck.fat, mkfs.fat and mtools.

Skipped where these are not installed.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from golden.corpus import case_folders
from maixfs.fat import FatCore, OpenFlag
from maixfs.fat.errors import FatError
from maixfs.fat.mkfs import format_volume
from maixfs.sd import FileSectors

PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))
ENVIRONMENT = {**os.environ, "PATH": PATH, "LC_ALL": "C.UTF-8", "MTOOLSRC": os.devnull}
FSCK, MKFS, MCOPY = (shutil.which(name, path=PATH) for name in ("fsck.fat", "mkfs.fat", "mcopy"))

pytestmark = pytest.mark.skipif(
    None in (FSCK, MKFS, MCOPY), reason="dosfstools and mtools are not installed"
)

Tree = dict[str, bytes | None]
"""Path to content; a folder has None."""
MIB = 2048
VOLUMES = {
    "fat12": (2 * MIB, {"fat_type": 12}),
    "fat12-mkfs.fat": (4 * MIB, {"fat_type": 12, "layout": "mkfs.fat"}),
    "fat16": (40 * MIB, {"fat_type": 16}),
    "fat16-mkfs.fat": (24 * MIB, {"fat_type": 16, "layout": "mkfs.fat", "label": "SIXTEEN"}),
    "fat32": (64 * MIB, {"fat_type": 32}),
    "fat32-mkfs.fat": (40 * MIB, {"fat_type": 32, "layout": "mkfs.fat", "label": "MY CARD"}),
    "fat32-32k": (2300 * MIB, {"fat_type": 32, "cluster_size": 32768, "layout": "mkfs.fat"}),
}
NAMES = (  # no emoji: mtools cuts characters to 16 bits
    "boot.py",
    "MAIN.PY",
    "Mixed Case.txt",
    "A rather long file name that takes several entries.jpeg",
    "A rather long file name that takes more entries.jpeg",
    "Grüße aus Köln.txt",
    "日本語のファイル.bin",
    "naïve café ☕.md",
    "plus+equals=[x];.txt",
    ".hidden",
    "x" * 200 + ".dat",
)
FOLDERS = ("", "/lower", "/Folder with a long name", "/lower/deeper", "/lower/deeper/Ünder")


def run(*command: str | Path | None) -> str:
    """Run a program; returns what it printed, fails with it."""
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, env=ENVIRONMENT, text=True, check=False)
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout


def assert_clean(image: Path) -> None:
    """``fsck.fat -n`` prints its version and a summary, nothing else."""
    lines = run(FSCK, "-n", image).splitlines()
    assert len(lines) == 2 and "clusters" in lines[1], lines


def session(fs: FatCore, seed: int, steps: int = 60) -> Tree:
    """Write, append, cut, move and remove by chance; returns what must be there."""
    chance = random.Random(seed)
    tree: Tree = dict.fromkeys(FOLDERS[1:])
    for folder in FOLDERS[1:]:
        fs.mkdir(folder)
    for _ in range(steps):
        path = chance.choice(FOLDERS) + "/" + chance.choice(NAMES)
        chance.choice(ACTIONS)(fs, tree, path, chance)
    return tree


def write(fs: FatCore, tree: Tree, path: str, chance: random.Random) -> None:
    data = chance.randbytes(chance.choice((0, 1, 511, 512, 513, 4096, 20_000)))
    fs.write_bytes(path, data)
    tree[path] = data


def append(fs: FatCore, tree: Tree, path: str, chance: random.Random) -> None:
    data = chance.randbytes(chance.randrange(3000))
    with fs.open(path, OpenFlag.WRITE | OpenFlag.APPEND) as file:
        file.write(data)
    tree[path] = (tree.get(path) or b"") + data


def cut(fs: FatCore, tree: Tree, path: str, chance: random.Random) -> None:
    old = tree.get(path)
    if old:
        size = chance.randrange(len(old))
        with fs.open(path, OpenFlag.READ | OpenFlag.WRITE) as file:
            file.seek(size)
            file.truncate()
        tree[path] = old[:size]


def remove(fs: FatCore, tree: Tree, path: str, chance: random.Random) -> None:
    if path in tree:
        fs.remove(path)
        del tree[path]


def move(fs: FatCore, tree: Tree, path: str, chance: random.Random) -> None:
    target = chance.choice(FOLDERS) + "/" + chance.choice(NAMES)
    if path in tree and target not in tree:
        fs.rename(path, target)
        tree[target] = tree.pop(path)


ACTIONS: list[Callable[[FatCore, Tree, str, random.Random], None]] = [
    write,
    write,
    append,
    cut,
    remove,
    move,
]


def mtools_tree(image: Path, out: Path) -> Tree:
    """Return what mcopy finds on a volume."""
    out.mkdir()
    run(MCOPY, "-s", "-n", "-i", image, "::/*", out)
    return host_tree(out)


def host_tree(folder: Path) -> Tree:
    return {
        "/" + path.relative_to(folder).as_posix(): None if path.is_dir() else path.read_bytes()
        for path in folder.rglob("*")
    }


def our_tree(fs: FatCore) -> Tree:
    return {path: None if entry.is_dir else fs.read_bytes(path) for path, entry in fs.walk("/")}


@pytest.mark.parametrize("volume", VOLUMES)
def test_our_card_is_clean_for_fsck_and_mtools(volume: str, tmp_path: Path) -> None:
    sectors, requests = VOLUMES[volume]
    image = tmp_path / "card.img"
    with FileSectors.create(image, sectors) as card:
        format_volume(card, 0, sectors, serial=7, **requests)  # type: ignore[arg-type]
        with FatCore(card) as fs:
            tree = session(fs, seed=sectors)
            assert our_tree(fs) == tree
    assert_clean(image)
    assert mtools_tree(image, tmp_path / "out") == tree


def test_full_card_stays_clean(tmp_path: Path) -> None:
    image = tmp_path / "card.img"
    with FileSectors.create(image, 2 * MIB) as card:
        format_volume(card, 0, 2 * MIB, fat_type=12, serial=7)
        with FatCore(card) as fs:
            tree = session(fs, seed=1)
            tree["/filler"] = fill(fs, "/filler")
            for number in range(600):
                try:
                    fs.write_bytes(f"/lower/One more long name {number}", b"x")
                except FatError:
                    break
                tree[f"/lower/One more long name {number}"] = b"x"
            assert fs.free_clusters() == 0
            for path in [path for path, data in our_tree(fs).items() if data == b""]:
                tree.setdefault(path, b"")
            assert our_tree(fs) == tree
    assert_clean(image)
    assert mtools_tree(image, tmp_path / "out") == tree


def fill(fs: FatCore, path: str) -> bytes:
    """Write until nothing fits; returns what did."""
    piece, size = bytes(range(250)) * 16, 0
    with fs.open(path, OpenFlag.WRITE | OpenFlag.CREATE_ALWAYS) as file:
        while wrote := file.write(piece):
            size += wrote
    return (piece * (size // len(piece) + 1))[:size]


@pytest.mark.parametrize(
    ("kind", "sectors", "more"),
    [(12, 4 * MIB, []), (16, 32 * MIB, ["-f", "1"]), (32, 80 * MIB, ["-s", "2"])],
    ids=["fat12", "fat16", "fat32"],
)
def test_cards_of_other_tools_are_read_and_written(
    kind: int, sectors: int, more: list[str], tmp_path: Path
) -> None:
    image, source = tmp_path / "card.img", tmp_path / "source"
    with image.open("wb") as file:
        file.truncate(sectors * 512)
    run(MKFS, f"-F{kind}", "-i", "1234abcd", "-n", "THEIRS", *more, image)
    chance = random.Random(kind)
    for folder in FOLDERS:
        place = source / folder.lstrip("/")
        place.mkdir(parents=True, exist_ok=True)
        for name in NAMES:
            (place / name).write_bytes(chance.randbytes(chance.randrange(5000)))
    run(MCOPY, "-s", "-i", image, *sorted(source.iterdir()), "::/")
    wanted = host_tree(source)
    with FileSectors.open(image, read_only=False) as card, FatCore(card) as fs:
        assert fs.label == "THEIRS"
        assert fs.geometry.serial == 0x1234ABCD
        assert our_tree(fs) == wanted
        fs.mkdir("/ours")
        wanted["/ours"] = None
        write(fs, wanted, "/ours/A file of ours.bin", chance)
        remove(fs, wanted, "/" + NAMES[3], chance)
        move(fs, wanted, "/" + NAMES[5], random.Random(1))
    assert_clean(image)
    assert mtools_tree(image, tmp_path / "out") == wanted


GOLDEN = [
    pytest.param(folder, partition, id=f"{folder.name}-{partition['slot']}")
    for folder in case_folders("fat")
    for partition in json.loads((folder / "manifest.json").read_bytes())["partitions"]
    if partition.get("oofatfs", {}).get("mount") == "ok"
    and partition["fsck"]["rc"] == 0
    and len(partition["fsck"]["out"]) < 25
    and folder.name not in ("x_lfn", "full")
]


@pytest.mark.parametrize(("folder", "partition"), GOLDEN)
def test_golden_cards_stay_clean(folder: Path, partition: dict, tmp_path: Path) -> None:  # type: ignore[type-arg]
    image = tmp_path / "partition.img"
    unpack_partition(folder / "image.ext.gz", partition, image)
    with FileSectors.open(image, read_only=False) as card, FatCore(card) as fs:
        before = our_tree(fs)
        place = "/Made by the test"
        fs.mkdir(place)
        written: Tree = {place: None}
        for number in range(25):
            write(fs, written, f"{place}/File number {number}.bin", random.Random(number))
        for number in range(0, 25, 2):
            remove(fs, written, f"{place}/File number {number}.bin", random.Random())
        assert our_tree(fs) == before | written
    assert_clean(image)


def unpack_partition(packed: Path, partition: dict[str, int], image: Path) -> None:
    start, size = partition["start"] * 512, partition["sectors"] * 512
    with gzip.open(packed) as source, image.open("wb") as target:
        target.truncate(size)
        for offset, length in json.loads(source.readline())["extents"]:
            data = source.read(length)
            skip = max(0, start - offset)
            if skip < length and offset < start + size:
                target.seek(offset + skip - start)
                target.write(data[skip : start + size - offset])
