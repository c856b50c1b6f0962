"""``pack``, ``unpack`` and ``copy`` as Python functions: paths, open images, wrong arguments."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import maixfs
from image.places import SMALL, make_bare
from maixfs.errors import ReadOnlyError, UsageError
from maixfs.image.errors import TakenError
from maixfs.transfer.formatting import make_image
from maixfs.transfer.packing import Packed, PackedCard

GEOMETRY = maixfs.Geometry(size=0x80000, block_size=0x10000, page_size=0x400, name_length=64)
FILES = {"main.py": b"print(1)\n", "lib/a.bin": b"a" * 3000}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    home = tmp_path / "files"
    for name, data in FILES.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes(data)
    return home


@pytest.fixture
def image(tmp_path: Path, folder: Path) -> Path:
    maixfs.pack(folder, tmp_path / "fs.img", geometry=GEOMETRY)
    return tmp_path / "fs.img"


def tree(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_packed_spiffs_unpacks_to_the_same_files(image: Path, tmp_path: Path) -> None:
    written = maixfs.unpack(str(image), str(tmp_path / "out"))
    assert tree(tmp_path / "out") == FILES
    assert {record.size for record in written} == {9, 3000}


def test_preset_name_and_flash_size_make_a_whole_flash(folder: Path, tmp_path: Path) -> None:
    packed = maixfs.pack(folder, tmp_path / "f.bin", geometry="maixpy", flash_size=16 << 20)
    assert isinstance(packed, Packed)
    assert (packed.size, packed.files) == (16 << 20, 2)
    with maixfs.open(tmp_path / "f.bin") as image:
        assert image.read_bytes("/flash/main.py") == FILES["main.py"]


def test_card_format_makes_a_card(folder: Path, tmp_path: Path) -> None:
    packed = maixfs.pack(folder, tmp_path / "c.img", format="card", label="DATA", fat_type=32)
    assert isinstance(packed, PackedCard)
    assert packed.format == "FAT32"
    maixfs.unpack(tmp_path / "c.img", tmp_path / "out", path="/lib")
    assert tree(tmp_path / "out") == {"a.bin": FILES["lib/a.bin"]}


def test_unpack_takes_an_open_image_and_a_path_in_the_text(image: Path, tmp_path: Path) -> None:
    with maixfs.open(image) as opened:
        maixfs.unpack(opened, tmp_path / "one", path="/lib")
    maixfs.unpack(f"{image}:/lib", tmp_path / "two")
    assert tree(tmp_path / "one") == tree(tmp_path / "two") == {"a.bin": FILES["lib/a.bin"]}


def test_unpack_replaces_a_different_file_only_with_force(image: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "main.py").write_bytes(b"mine")
    with pytest.raises(TakenError):
        maixfs.unpack(image, tmp_path / "out")
    assert tree(tmp_path / "out") == {"main.py": b"mine"}
    maixfs.unpack(image, tmp_path / "out", force=True)
    assert tree(tmp_path / "out") == FILES


def test_unpack_puts_each_partition_into_its_folder(tmp_path: Path) -> None:
    card = tmp_path / "card.img"
    maixfs.new_card(card, 96 << 20, [partition("40M"), partition("40M")])
    for slot in (1, 2):
        with maixfs.open(f"{card}@{slot}", "r+") as image:
            image.write_bytes("/which", b"%d" % slot)
    maixfs.unpack(card, tmp_path / "out")
    assert tree(tmp_path / "out") == {"sd/which": b"1", "sd2/which": b"2"}


def partition(size: str) -> Any:
    from maixfs.cards.make import PartitionRequest

    return PartitionRequest(size)


def test_unpack_writes_the_other_files_if_one_is_damaged(tmp_path: Path) -> None:
    image = make_bare(tmp_path, SMALL).host
    with maixfs.open(image) as opened:
        page = opened.stat("/lib/a.py").native.page + 1
    content = bytearray(image.read_bytes())
    content[page * SMALL.page_size + 4] = 0x7C
    image.write_bytes(content)
    with pytest.raises(maixfs.UnpackError) as caught:
        maixfs.unpack(image, tmp_path / "out")
    assert len(caught.value.lost) == 1
    assert len(caught.value.written) == len(tree(tmp_path / "out")) == 3


def test_unpack_onto_a_folder_of_the_name_of_a_file_writes_nothing(
    tmp_path: Path, image: Path
) -> None:
    (tmp_path / "out" / "main.py").mkdir(parents=True)
    with pytest.raises(TakenError):
        maixfs.unpack(image, tmp_path / "out")
    assert tree(tmp_path / "out") == {}


def test_unpack_error_has_the_files_of_all_partitions(tmp_path: Path) -> None:
    card = tmp_path / "card.img"
    maixfs.new_card(card, 96 << 20, [partition("40M"), partition("40M")])
    for slot in (1, 2):
        with maixfs.open(f"{card}@{slot}", "r+") as image:
            image.write_bytes("/GOOD.TXT", b"good")
            image.write_bytes("/BAD.TXT", b"bad")
    content = card.read_bytes()
    assert content.count(b"BAD     TXT") == 2
    # The size in the entry (bytes 28 to 31) becomes larger than the chain of clusters.
    pieces = content.split(b"BAD     TXT")
    for at in (1, 2):
        pieces[at] = pieces[at][:17] + (1 << 20).to_bytes(4, "little") + pieces[at][21:]
    card.write_bytes(b"BAD     TXT".join(pieces))
    with pytest.raises(maixfs.UnpackError, match="2 of 4 files") as caught:
        maixfs.unpack(card, tmp_path / "out")
    assert (len(caught.value.lost), len(caught.value.written)) == (2, 2)


def test_flash_that_is_formatted_again_is_not_written(tmp_path: Path) -> None:
    image = tmp_path / "flash.img"
    first = make_image(image, SMALL, flash_size=0x100000)
    again = make_image(image, SMALL, force=True)
    assert first.changed and again == first._replace(changed=False)


def test_copy_puts_folders_and_files_into_an_image(image: Path, folder: Path) -> None:
    copied = maixfs.copy([folder / "main.py", str(folder / "lib")], f"{image}:/new/")
    assert [record.path for record in copied.files] == ["/new/main.py", "/new/lib/a.bin"]
    assert [Path(record.path) for record in copied.images] == [image]
    with maixfs.open(image) as opened:
        assert opened.read_bytes("/new/lib/a.bin") == FILES["lib/a.bin"]


def test_copy_out_of_an_image_expands_a_pattern(image: Path, tmp_path: Path) -> None:
    maixfs.copy(f"{image}:/*.py", f"{tmp_path}/out/")
    assert tree(tmp_path / "out") == {"main.py": FILES["main.py"]}


def test_copy_into_an_open_image_is_committed_by_its_owner(image: Path, folder: Path) -> None:
    before = image.read_bytes()
    with maixfs.open(image, "r+") as opened:
        copied = maixfs.copy(folder / "main.py", (opened, "/new.py"))
        assert copied.images == []
        assert opened.read_bytes("/new.py") == FILES["main.py"]
        assert image.read_bytes() == before
    with maixfs.open(image) as opened:
        assert opened.read_bytes("/new.py") == FILES["main.py"]


def test_failed_copy_into_an_open_image_changes_nothing(image: Path, folder: Path) -> None:
    def fail(phase: str, done: int, total: int) -> None:
        if done:
            raise InterruptedError

    (folder / "z").write_bytes(b"z")
    with maixfs.open(image, "r+") as opened:
        opened.write_bytes("/mine", b"mine")
        with pytest.raises(InterruptedError):
            maixfs.copy(f"{folder}/.", (opened, "/all/"), progress=fail)
        assert not opened.exists("/all")
        assert opened.read_bytes("/mine") == b"mine"


def test_copy_of_an_open_image_takes_its_uncommitted_files(image: Path, tmp_path: Path) -> None:
    with maixfs.open(image, "r+") as opened:
        opened.write_bytes("/new", b"new")
        maixfs.copy(opened, tmp_path / "out")
        opened.discard()
    assert tree(tmp_path / "out") == {**FILES, "new": b"new"}


def test_copy_between_two_open_images(image: Path, folder: Path, tmp_path: Path) -> None:
    maixfs.pack(folder / "lib", tmp_path / "c.img", format="card")
    with maixfs.open(image) as source, maixfs.open(tmp_path / "c.img", "r+") as card:
        maixfs.copy((source, "/main.py"), card)
        assert card.read_bytes("/main.py") == FILES["main.py"]


def test_copy_into_an_image_open_for_reading_is_refused(image: Path, folder: Path) -> None:
    with maixfs.open(image) as opened, pytest.raises(ReadOnlyError):
        maixfs.copy(folder / "main.py", (opened, "/new.py"))


@pytest.mark.parametrize(
    "call",
    [
        lambda there, out: maixfs.pack(7, out),
        lambda there, out: maixfs.pack(there, 7),
        lambda there, out: maixfs.pack(there, out, geometry=7),
        lambda there, out: maixfs.pack(there, out, flash_size="16M"),
        lambda there, out: maixfs.pack(there, out, flash_size=True),
        lambda there, out: maixfs.pack(there, out, format="card", label=7),
        lambda there, out: maixfs.pack(there, out, format="card", keep_times=1),
        lambda there, out: maixfs.unpack(7, out),
        lambda there, out: maixfs.unpack(b"there", out),
        lambda there, out: maixfs.unpack(there, out, path=7),
        lambda there, out: maixfs.copy(7, out),
        lambda there, out: maixfs.copy([there, 7], out),
        lambda there, out: maixfs.copy(there, 7),
        lambda there, out: maixfs.copy(there, b"out"),
        lambda there, out: maixfs.open(7),
        lambda there, out: maixfs.open(b"there"),
        lambda there, out: maixfs.open(there, 7),
        lambda there, out: maixfs.open(there, geometry="maixpy"),
        lambda there, out: maixfs.open(there, base="0"),
        lambda there, out: maixfs.examine(7),
        lambda there, out: maixfs.examine(there, depth=3),
        lambda there, out: maixfs.identify(7),
        lambda there, out: maixfs.build(7),
        lambda there, out: maixfs.diff(b"", 7),
    ],
)
def test_argument_of_a_wrong_type_is_a_type_error(
    call: Callable[[Path, Path], object], folder: Path, tmp_path: Path
) -> None:
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(TypeError):
        call(folder, tmp_path / "out")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "options",
    [{"format": "zip"}, {"label": "X"}, {"format": "card", "spare_blocks": 1}, {"geometry": "x"}],
)
def test_options_that_do_not_fit_the_format_are_refused(
    options: dict[str, Any], folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError):
        maixfs.pack(folder, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_copy_between_two_places_of_the_host_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        maixfs.copy(folder, tmp_path / "out")
