"""Copies between cards, flashes and the host; whole cards packed and unpacked."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import pytest

from image.cards import FILES, complaints, make_card, tree_of
from image.places import SMALL, litter, make_image, snapshot
from image.test_card_reading import golden
from maixfs.errors import FitError, UsageError
from maixfs.image.address import parse_target
from maixfs.image.errors import NoFileSystemError, TakenError, TargetError
from maixfs.image.opening import open_image
from maixfs.transfer.copying import Action, Copy, CopyOptions, copy_files
from maixfs.transfer.formatting import format_partition
from maixfs.transfer.packing import CardShape, pack_card
from maixfs.transfer.unpacking import UnpackError, unpack_files
from transfer.copies import plan_of

NOON = 1614859200  # 2021-03-04 12:00:00 UTC


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    (folder / "sub" / "empty").mkdir(parents=True)
    (folder / "note.txt").write_bytes(b"note\n")
    (folder / "sub" / "Größe.bin").write_bytes(b"x" * 70000)
    os.utime(folder / "note.txt", (NOON, NOON))
    return folder


@pytest.fixture
def card(tmp_path: Path) -> Path:
    return make_card(tmp_path / "card.img", 32, 16)


def test_copied_folder_keeps_its_empty_folders(card: Path, data: Path, tmp_path: Path) -> None:
    with Copy([data], f"{card}:/", CopyOptions(recursive=True)) as copy:
        plan = copy.plan
        copy.run()
    assert plan.warnings == ()
    assert [str(folder) for folder in plan.folders] == [
        f"{card}:/data",
        f"{card}:/data/sub",
        f"{card}:/data/sub/empty",
    ]
    assert tree_of(card) == {
        **FILES,
        "/data/note.txt": b"note\n",
        "/data/sub/Größe.bin": b"x" * 70000,
    }
    with open_image(card) as target:
        assert target.isdir("/data/sub/empty")
        assert target.stat("/data/note.txt").modified == datetime.fromtimestamp(NOON)
    with Copy([data], f"{card}:/", CopyOptions(recursive=True)) as copy:
        assert {step.action for step in copy.plan.steps} == {Action.SAME}
        assert copy.run().images == []
    assert complaints(card, tmp_path / "volume") == ""


def test_copy_to_a_card_keeps_the_case_of_existing_names(card: Path, data: Path) -> None:
    (data / "MAIN.PY").write_bytes(b"mine")
    plan = plan_of([data / "MAIN.PY"], f"{card}:/")
    (step,) = plan.steps
    assert (step.destination.path, step.action) == ("/main.py", Action.REPLACE)
    (data / "twin").mkdir()
    (data / "twin" / "Same.txt").write_bytes(b"1")
    (data / "twin" / "SAME.TXT").write_bytes(b"2")
    if len([*(data / "twin").iterdir()]) == 2:
        with pytest.raises(UsageError, match="would both become"):
            plan_of([data / "twin"], f"{card}:/", CopyOptions(recursive=True))


def test_dry_run_to_a_card_writes_nothing(card: Path, data: Path, tmp_path: Path) -> None:
    before = snapshot(tmp_path)
    plan_of([data], f"{card}:/x/", CopyOptions(recursive=True))
    assert snapshot(tmp_path) == before


def test_copy_from_a_card_restores_the_times(card: Path, data: Path, tmp_path: Path) -> None:
    copy_files([data], f"{card}:/", CopyOptions(recursive=True))
    copy_files([f"{card}:/data"], tmp_path / "back", CopyOptions(recursive=True))
    assert (tmp_path / "back" / "note.txt").stat().st_mtime == NOON
    assert (tmp_path / "back" / "sub" / "empty").is_dir()
    assert (tmp_path / "back" / "sub" / "Größe.bin").read_bytes() == b"x" * 70000


def test_copy_between_partitions_and_flash_writes_the_files(card: Path, tmp_path: Path) -> None:
    copy_files([f"{card}@1:/lib"], f"{card}@2:/", CopyOptions(recursive=True))
    assert tree_of(f"{card}@2") == {
        "/lib/a.py": FILES["/lib/a.py"],
        "/lib/deep/b.bin": FILES["/lib/deep/b.bin"],
    }
    with open_image(f"{card}@1") as one, open_image(f"{card}@2") as two:
        assert one.stat("/lib/a.py").modified == two.stat("/lib/a.py").modified
    flash = make_image(tmp_path, SMALL, 0x100000, {})
    copy_files([f"{card}@2:/lib/."], f"{flash.host}:/flash", CopyOptions(recursive=True))
    assert tree_of(flash.host) == {
        "/flash/a.py": FILES["/lib/a.py"],
        "/flash/deep/b.bin": FILES["/lib/deep/b.bin"],
    }
    copy_files([f"{flash.host}:/flash/a.py"], f"{card}:/from flash.py")
    assert tree_of(card)["/from flash.py"] == FILES["/lib/a.py"]
    with pytest.raises(UsageError, match="are the same file"):
        plan_of([f"{card}:/main.py"], f"{card}:/MAIN.py")


def test_copy_that_does_not_fit_a_card_is_refused_before_writing(card: Path, data: Path) -> None:
    with (data / "large").open("wb") as stream:
        stream.truncate(80 << 20)
    with pytest.raises(FitError, match="files do not fit: they need"):
        plan_of([data], f"{card}:/", CopyOptions(recursive=True))


def test_unpack_of_a_card_writes_all_files(card: Path, tmp_path: Path) -> None:
    with open_image(card) as target:
        written = unpack_files(target, None, tmp_path / "out")
    assert len(written) == len(FILES)
    for path, content in FILES.items():
        assert (tmp_path / "out" / path[1:]).read_bytes() == content


def test_unpack_of_a_card_leaves_out_damaged_files(tmp_path: Path) -> None:
    card = golden("x_size_gt", tmp_path)
    with open_image(card) as target, pytest.raises(UnpackError) as caught:
        unpack_files(target, None, tmp_path / "out")
    assert len(caught.value.lost) == 1
    assert len(caught.value.written) == len([*(tmp_path / "out").iterdir()]) > 2


def test_packed_card_is_reproducible(data: Path, tmp_path: Path) -> None:
    first = pack_card(data, tmp_path / "one.img")
    os.utime(data / "note.txt")
    second = pack_card(data, tmp_path / "two.img")
    assert (first.size, first.format, first.files, first.folders) == (64 << 20, "FAT32", 2, 2)
    assert first.sha256 == second.sha256
    assert (tmp_path / "one.img").read_bytes() == (tmp_path / "two.img").read_bytes()
    assert tree_of(tmp_path / "one.img") == {
        "/note.txt": b"note\n",
        "/sub/Größe.bin": b"x" * 70000,
    }
    with open_image(tmp_path / "one.img") as target:
        assert target.isdir("/sub/empty")
        assert target.stat("/note.txt").modified == datetime(1980, 1, 1)
        assert target.room().as_dict()["used_clusters"] == first.clusters
    assert complaints(tmp_path / "one.img", tmp_path / "volume") == ""
    assert litter(tmp_path) == []


def test_packed_card_has_kept_or_given_times(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack_card(data, tmp_path / "kept.img", keep_times=True)
    with open_image(tmp_path / "kept.img") as target:
        assert target.stat("/note.txt").modified == datetime.fromtimestamp(NOON)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(NOON))
    pack_card(data, tmp_path / "given.img")
    with open_image(tmp_path / "given.img") as target:
        assert target.stat("/sub/Größe.bin").modified == datetime(2021, 3, 4, 12)


def test_pack_card_leaves_an_equal_image_alone(data: Path, tmp_path: Path) -> None:
    out = data / "card.img"  # in the folder that is packed: it is left out
    assert pack_card(data, out).changed
    again = pack_card(data, out)
    assert not again.changed
    assert again.files == 2
    assert any("card.img" in warning for warning in again.warnings)
    (data / "note.txt").write_bytes(b"other")
    with pytest.raises(FileExistsError):
        pack_card(data, out)
    assert pack_card(data, out, force=True).changed


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (CardShape(16 << 20), "FAT16"),
        (CardShape(8 << 20, fat_type=12, cluster_size=4096), "FAT12"),
        (CardShape(128 << 20, cluster_size=1024, label="DATA"), "FAT32"),
    ],
)
def test_packed_card_has_the_requested_shape(
    shape: CardShape, expected: str, data: Path, tmp_path: Path
) -> None:
    packed = pack_card(data, tmp_path / "card.img", shape)
    assert (packed.size, packed.format) == (shape.size, expected)
    assert packed.cluster_size == shape.cluster_size or shape.cluster_size is None
    assert len(tree_of(tmp_path / "card.img")) == 2


def test_too_small_card_raises_with_the_missing_bytes(data: Path, tmp_path: Path) -> None:
    with (data / "large").open("wb") as stream:
        stream.truncate(3 << 20)
    with pytest.raises(FitError, match="bytes too many") as caught:
        pack_card(data, tmp_path / "card.img", CardShape(3 << 20))
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("the largest files: large (3145728 bytes)")
    assert not (tmp_path / "card.img").exists()
    with pytest.raises(UsageError, match="whole sectors"):
        pack_card(data, tmp_path / "card.img", CardShape((3 << 20) + 1))
    with pytest.raises(FileNotFoundError, match="cannot be written"):
        pack_card(data, tmp_path / "no" / "card.img", CardShape(8 << 20))


def test_names_that_fat_cannot_store_are_refused(data: Path, tmp_path: Path) -> None:
    try:
        (data / "a:b").write_bytes(b"")
    except OSError:
        pytest.skip("this host has no such name either")
    with pytest.raises(UsageError, match="a:b"):
        pack_card(data, tmp_path / "card.img")
    assert not (tmp_path / "card.img").exists()


def test_format_partition_leaves_the_others_unchanged(card: Path, tmp_path: Path) -> None:
    second = parse_target(f"{card}@2")
    with open_image(second, "r+") as target:
        target.write_bytes("/x", b"1")
    before = card.read_bytes()
    with pytest.raises(TakenError, match="not blank"):
        format_partition(second, CardShape())
    assert card.read_bytes() == before
    proof = format_partition(second, CardShape(label="NEW"), force=True, serial=7)
    assert proof.sectors
    assert tree_of(f"{card}@2") == {}
    assert tree_of(card) == FILES
    assert complaints(card, tmp_path / "volume") == ""
    with pytest.raises(UsageError, match="has no partition 3"):
        format_partition(parse_target(f"{card}@3"), CardShape())
    with pytest.raises(UsageError, match="size of a partition"):
        format_partition(second, CardShape(1 << 20), force=True)
    with pytest.raises(TargetError):
        format_partition(second, CardShape(fat_type=32, cluster_size=65536), force=True)


def test_format_partition_without_a_table_is_refused(tmp_path: Path) -> None:
    card = make_card(tmp_path / "card.img", 16, superfloppy=True)
    with pytest.raises(NoFileSystemError, match="no partition table"):
        format_partition(parse_target(f"{card}@1"), CardShape(), force=True)


def test_progress_of_a_large_file_comes_in_pieces(card: Path, data: Path) -> None:
    (data / "large").write_bytes(bytes(5 << 20))
    seen: list[tuple[str, int, int]] = []
    copy_files([data / "large"], f"{card}:/", progress=lambda *report: seen.append(report))
    assert {phase for phase, _, _ in seen} == {"copy", "journal", "write", "verify"}
    steps = [done for phase, done, _ in seen if phase == "copy"]
    assert steps == sorted(steps)
    assert len(set(steps)) >= 5
    assert {total for _, _, total in seen if total < 5 << 20} == set()
