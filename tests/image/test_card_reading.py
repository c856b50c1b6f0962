"""What is seen of cards: partitions, files, folders, room, damage."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from golden.extents import unpack_card
from image.cards import FILES, make_card, tree_of
from image.places import snapshot
from maixfs.errors import Command, ReadOnlyError, UsageError
from maixfs.image.address import TargetPath
from maixfs.image.entries import Kind
from maixfs.image.errors import MissingError, NoFileSystemError, TargetError, UnreadableError
from maixfs.image.opening import open_image, open_mounted
from maixfs.transfer.unpacking import unpack_files

DATA = Path(__file__).parent.parent / "data" / "fat"


@pytest.fixture(params=[12, 16, 32])
def card(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return make_card(tmp_path / "card.img", request.param)


def golden(name: str, tmp_path: Path) -> Path:
    card = tmp_path / f"{name}.img"
    unpack_card(DATA / name / "image.ext.gz", card)
    return card


def test_card_lists_files_and_folders(card: Path) -> None:
    with open_image(card) as target:
        assert target.kind is Kind.CARD
        assert target.mount_point == "/"
        assert {path: target.read_bytes(path) for path in FILES} == FILES
        assert [entry.path for entry in target.scandir("/lib", recursive=True)] == [
            "/lib/a.py",
            "/lib/deep",
            "/lib/deep/b.bin",
        ]
        lib = target.stat("/lib")
        assert (lib.is_dir, lib.size) == (True, 18000 + 10240)
        assert target.stat("/lib/a.py").units == -(
            -18000 // target.room().as_dict()["cluster_size"]
        )


def test_card_finds_names_in_any_case(card: Path) -> None:
    with open_image(card) as target:
        assert target.stat("/LIB/A.PY").path == "/lib/a.py"
        assert target.read_bytes("/ÜBUNG MIT BILD.JPEG") == FILES["/Übung mit Bild.jpeg"]
        assert target.stat("/bung~1.jpe" if target.exists("/bung~1.jpe") else "/main.py").size
        assert [entry.path for entry in target.glob("/L*/*.Py")] == ["/lib/a.py"]
        assert [entry.path for entry in target.glob("/**/*.BIN")] == ["/lib/deep/b.bin"]


def test_short_name_leads_to_the_file(card: Path) -> None:
    with open_image(card) as target:
        short = target.stat("/Übung mit Bild.jpeg").native.short_name
        assert "~" in short
        assert target.stat(f"/{short.lower()}").path == "/Übung mit Bild.jpeg"


def test_path_of_a_board_is_found_on_a_card(card: Path) -> None:
    with open_image(card) as target:
        assert target.read_bytes("/sd/main.py") == FILES["/main.py"]
        assert target.read_bytes("main.py") == FILES["/main.py"]
        assert target.absolute("lib/../LIB/./a.py") == "/lib/a.py"


def test_missing_name_offers_a_similar_one(card: Path) -> None:
    with open_image(card) as target:
        with pytest.raises(MissingError, match=r"^/lib/b.py: no such file") as caught:
            target.stat("/lib/b.py")
        assert caught.value.hint == "there is /lib/a.py"
        with pytest.raises(MissingError):
            target.read_bytes("/main.py/x")
        with pytest.raises(TargetError, match="is a folder"):
            target.read_bytes("/lib")
        with pytest.raises(MissingError, match="no file matches"):
            target.find("/*.mp3")
        with pytest.raises(UsageError, match="holds no SPIFFS"):
            target.spiffs


def test_room_of_a_card_is_counted_in_the_fat(card: Path) -> None:
    with open_image(card) as target:
        room = target.room()
        facts = room.as_dict()
        assert facts["files"] == len(FILES)
        assert facts["folders"] == 2
        assert room.used + room.free == room.total
        assert room.deleted == 0
        sizes = [-(-len(data) // facts["cluster_size"]) for data in FILES.values()]
        folders = facts["used_clusters"] - sum(sizes)
        assert folders in {2, 3}  # the root of FAT32 is one of them


def test_looking_leaves_no_trace(card: Path, tmp_path: Path) -> None:
    before = snapshot(tmp_path)
    with open_image(card) as target:
        target.scandir(recursive=True)
        target.room()
        target.stat("/main.py")
        target.check_fits({"/x": 100})
        with pytest.raises(ReadOnlyError):
            target.write_bytes("/x", b"")
    assert snapshot(tmp_path) == before


def test_partitions_are_named_by_their_slot(tmp_path: Path) -> None:
    card = make_card(tmp_path / "card.img", 32, 16, 12)
    with open_image(f"{card}@2", "r+") as target:
        target.write_bytes("/second", b"2")
    with open_image(TargetPath(card, slot=3), "r+") as target:
        target.write_bytes("/sd3/third", b"3")
    assert tree_of(f"{card}@2") == {"/second": b"2"}
    assert tree_of(f"{card}@3:/") == {"/third": b"3"}
    assert tree_of(f"{card}@1") == tree_of(card) == FILES
    with open_image(card) as target:
        assert {name: part.slot for name, part in target.partitions().items()} == {
            "sd": 1,
            "sd2": 2,
            "sd3": 3,
        }
    with pytest.raises(NoFileSystemError) as caught:
        open_mounted(f"{card}@4")
    assert caught.value.hint == f"there is one in {card}@1 or {card}@2 or {card}@3"
    with pytest.raises(UsageError, match="geometry and base are those of a SPIFFS"):
        open_image(f"{card}@1", base=0)


@pytest.mark.parametrize(
    ("name", "number", "keys"),
    [
        ("gpt", 1, ["not-mounted"]),
        ("extended", 5, ["not-mounted"]),
        ("superfloppy", 0, ["superfloppy"]),
        ("no_55aa", 1, ["not-mounted"]),
        ("part4", 4, []),
    ],
)
def test_every_fat_volume_opens_by_its_number(
    name: str, number: int, keys: list[str], tmp_path: Path
) -> None:
    card = golden(name, tmp_path)
    about = json.loads((DATA / name / "manifest.json").read_text("utf-8"))
    (made,) = [part for part in about["partitions"] if str(number) in str(part["slot"])]
    with open_image(TargetPath(card, slot=number)) as target:
        assert [finding.key for finding in target.main.findings()] == keys
        for entry in made["tree"]:
            if entry["type"] == "file":
                assert len(target.read_bytes(entry["path"])) == entry["size"]


def test_lost_partition_table_hides_no_volume(tmp_path: Path) -> None:
    card = make_card(tmp_path / "card.img", 32)
    with card.open("r+b") as stream:
        stream.write(bytes(512))
    assert tree_of(f"{card}@1") == FILES


def test_card_without_a_table_has_a_note(tmp_path: Path) -> None:
    card = make_card(tmp_path / "card.img", 16, superfloppy=True)
    assert tree_of(card) == FILES
    with open_image(card) as target:
        assert [finding.key for finding in target.main.findings()] == ["superfloppy"]


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("exfat", "it is formatted as exFAT"),
        ("ntfs", "it is formatted as NTFS"),
        ("bad_bpb", "BPB_SecPerClus is 3"),
        ("few_clusters", "FAT32 with 32232 clusters"),
        ("sector4096", "its sectors have 4096 bytes"),
    ],
)
def test_unmountable_card_raises_with_a_fix(name: str, what: str, tmp_path: Path) -> None:
    card = golden(name, tmp_path)
    with pytest.raises(NoFileSystemError, match=what) as caught:
        open_mounted(card)
    assert caught.value.fix == (Command("sd doctor", (str(card),)),)


@pytest.mark.parametrize(
    ("name", "lost"),
    [("x_size_gt", 1), ("x_free_in_chain", 1), ("x_badstart", 2), ("x_cross", 1)],
)
def test_damaged_files_have_a_fault(name: str, lost: int, tmp_path: Path) -> None:
    with open_image(golden(name, tmp_path)) as target:
        bad = []
        for entry in target.scandir(recursive=True):
            if entry.is_dir:
                continue
            try:
                assert len(target.read_bytes(entry.path)) == entry.size
                assert target.stat(entry.path).readable
            except UnreadableError:
                bad.append(entry.path)
                assert not target.stat(entry.path).readable
        assert len(bad) == lost


def test_listing_of_a_folder_in_itself_ends(tmp_path: Path) -> None:
    with open_image(golden("x_dirloop", tmp_path)) as target:
        assert len(target.scandir(recursive=True)) < 100
        target.room()


def test_unreadable_root_raises(tmp_path: Path) -> None:
    card = golden("x_root0", tmp_path)
    expected = pytest.raises(UnreadableError, match="cannot be read")
    with open_image(card) as target, expected:
        target.scandir()


def test_wrong_free_counts_are_not_believed(tmp_path: Path) -> None:
    card = golden("fsinfo_wrong", tmp_path)
    with open_image(card) as target:
        room = target.room().as_dict()
        assert (room["told_free"], room["free_clusters"]) == (5, 80610)
        target.check_fits({"/x": 10 << 20})


def test_modified_is_the_time_on_the_card(tmp_path: Path) -> None:
    with open_image(golden("part1_0c", tmp_path)) as target:
        assert target.stat("/model.kmodel").modified == datetime(2019, 3, 1, 13, 0, 2)


def test_closing_an_unread_image_releases_the_file(card: Path) -> None:
    for _ in range(2):
        with open_image(card, "r+"):
            pass


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"A\x01B     TXT", r"A\x01B.TXT"),
        (b'Q"UOTE  TXT', 'Q"UOTE.TXT'),
        (b"ST*R    TXT", "ST*R.TXT"),
    ],
)
def test_file_with_an_impossible_name_is_read_by_its_entry(
    name: bytes, shown: str, tmp_path: Path
) -> None:
    card = make_card(tmp_path / "card.img", 16, files={"/GOOD.TXT": b"good", "/ODD.TXT": b"odd"})
    raw = card.read_bytes()
    assert raw.count(b"ODD     TXT") == 1
    card.write_bytes(raw.replace(b"ODD     TXT", name))
    with open_image(card) as target:
        files = {entry.path: target.read_bytes(entry) for entry in target.scandir()}
        assert files == {"/GOOD.TXT": b"good", f"/{shown}": b"odd"}
        assert target.read_bytes(f"/{shown}") == b"odd"
        unpack_files(target, None, tmp_path / "out")
    assert sorted(path.read_bytes() for path in (tmp_path / "out").iterdir()) == [b"good", b"odd"]


def test_both_entries_of_one_name_can_be_read(tmp_path: Path) -> None:
    card = make_card(
        tmp_path / "card.img", 16, files={"/ONE.TXT": b"first", "/TWO.TXT": b"second"}
    )
    raw = card.read_bytes()
    card.write_bytes(raw.replace(b"TWO     TXT", b"ONE     TXT"))
    with open_image(card) as target:
        first, second = target.scandir()
        assert first.path == "/ONE.TXT"
        assert second.path == rf"/ONE.TXT\p{second.native.slot}"
        assert [target.read_bytes(entry.path) for entry in (first, second)] == [
            b"first",
            b"second",
        ]


def test_image_left_open_at_exit_prints_nothing(card: Path) -> None:
    # The function keeps the image until the modules are gone, where importing fails.
    code = f"import maixfs; image = maixfs.open({str(card)!r}, 'r+'); image.read(0, 1)"
    line = [sys.executable, "-c", f"{code}; keep = lambda: image"]
    assert subprocess.run(line, capture_output=True, check=True).stderr == b""
