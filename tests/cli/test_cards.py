"""Every verb on cards: card.img:/path, card.img@2:/path, board:/sd/path."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from maixfs.board import Board
from maixfs.cards.make import PartitionRequest, new_card
from maixfs.host.drives import journal_of
from maixfs.image.fatvolume import FatVolume
from maixfs.image.opening import open_image
from maixfs.sd.journal import Journal

from .conftest import FILES as FLASH
from .conftest import Run

ReadJson = Callable[..., dict[str, Any]]
FILES = {
    "/main.py": b"print('card')\n",
    "/Music/song one.mp3": b"ID3" * 5000,
    "/Music/two.mp3": b"ID3",
}


@pytest.fixture
def card(place: Path) -> Path:
    """Return card.img beside the board: two partitions, files in the first."""
    path = place / "card.img"
    requests = [PartitionRequest(8 << 20, 12), PartitionRequest("rest", 16, "SECOND")]
    new_card(path, 32 << 20, requests, serial=1)
    with open_image(path, "r+") as target:
        for name, data in FILES.items():
            target.write_bytes(name, data)
    return path


@pytest.fixture
def board(card: Path, place: Path) -> Path:
    """Return the board with that card in its slot."""
    with Board.open(place / "board") as powered:
        powered.insert_sd(card)
    return place / "board"


def names_in(folder: str) -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir())


def test_ls_and_tree_show_a_card(card: Path, run: Run) -> None:
    assert run("ls", "card.img").stdout.splitlines() == [
        "14.7 KiB  Music/",
        "    14 B  main.py",
    ]
    heading, row = run("ls", "-l", "card.img:/MUSIC/t*").stdout.splitlines()
    assert heading.split() == ["size", "clusters", "attr", "written", "name"]
    assert row.split()[:4] == ["3", "B", "1", "---a"]
    assert "song one.mp3  14.6 KiB" in run("tree", "card.img").stdout
    assert "1 folder, 3 files" in run("tree", "card.img@1").stdout
    assert run("ls", "-1R", "card.img").stdout.splitlines() == [
        "Music/",
        "Music/song one.mp3",
        "Music/two.mp3",
        "main.py",
    ]


def test_ls_prints_json(card: Path, read_json: ReadJson) -> None:
    (found,) = read_json("ls", "card.img")["targets"]
    folder, file = found["entries"]
    assert (folder["type"], folder["name"], folder["size"]) == ("folder", "Music", 15003)
    assert file["clusters"] == 1
    assert file["short_name"] == "MAIN.PY"
    assert file["modified"][:2] == "20"
    assert "object_id" not in file


def test_cat_and_stat_read_a_card(card: Path, run: Run, read_json: ReadJson) -> None:
    assert run("cat", "card.img:MAIN.PY").stdout_bytes == FILES["/main.py"]
    text = run("stat", "card.img:/main.py").stdout
    for word in ("clusters", "short name", "attributes", "archive", "written", "readable"):
        assert word in text
    (entry,) = read_json("stat", "card.img:/Music/two.mp3")["entries"]
    assert entry["attribute_names"] == ["archive"]
    assert entry["first_cluster"]
    assert "folder" not in run("stat", "card.img:/Music").stdout


def test_df_shows_every_partition(card: Path, board: Path, run: Run, read_json: ReadJson) -> None:
    rows = read_json("df", "card.img", "board")["targets"]
    assert [(row["target"], row["mount_point"]) for row in rows] == [
        ("card.img@1", "/"),
        ("card.img@2", "/"),
        ("board", "/flash"),
        ("board", "/sd"),
        ("board", "/sd2"),
    ]
    assert rows[0]["files"] == 3
    assert "card.img@2" in run("df", "card.img").stdout
    assert len(run("df", "card.img@2").stdout.splitlines()) == 2


def test_du_shows_the_largest_first(card: Path, run: Run, read_json: ReadJson) -> None:
    (sums,) = read_json("du", "card.img")["targets"]
    assert sums["size"] == sum(map(len, FILES.values()))
    assert sums["on_card"] >= sums["size"]
    assert run("du", "-s", "card.img").stdout.splitlines()[-1].endswith("card.img")


def test_cp_to_a_card_prints_its_proof(card: Path, run: Run, read_json: ReadJson) -> None:
    assert "would write card.img:/src/boot.py" in run("cp", "-rn", "src", "card.img:/").stdout
    text = run("cp", "-r", "src", "card.img:/").stdout
    assert "copied card.img:/src/sub/c.py  6 B" in text
    assert "sectors, read back, sha256 " in text
    assert run("cp", "-r", "src", "card.img:/").stdout == "2 files up to date\n"
    result = read_json("cp", "src/boot.py", "card.img@2:/x.py")
    assert result["written"]["sectors"]
    assert run("cat", "card.img@2:/X.PY").stdout == "x = 1\n"


def test_cp_copies_between_all_kinds(board: Path, run: Run) -> None:
    run("cp", "board:/flash/main.py", ":/sd/flash.py")
    run("cp", "card.img:/flash.py", "dump.bin:/flash/x.py")
    assert run("cat", "dump.bin:/flash/x.py").stdout_bytes == FLASH["/flash/main.py"]
    run("cp", "board:/sd/Music/*.mp3", "songs/")
    assert names_in("songs") == ["song one.mp3", "two.mp3"]


def test_mv_and_rm_change_a_card(card: Path, run: Run) -> None:
    text = run("mv", "card.img:/main.py", "card.img:/Main.PY").stdout
    assert text.startswith("moved card.img:/main.py to card.img:/Main.PY\nwrote card.img: ")
    run("mv", "card.img:/Music", "card.img:/MUSIC")
    run("mv", "card.img:/music/*", "card.img:/Songs/")
    assert run("ls", "-1", "card.img:/Songs").stdout == "song one.mp3\ntwo.mp3\n"
    text = run("rm", "-r", "card.img:/SONGS").stdout
    assert "removed card.img:/Songs  " in text
    assert "removed card.img:/Songs/two.mp3  3 B" in text
    assert "is a folder" in run("rm", "card.img:/Music", code=1).stderr
    assert "removed card.img:/MUSIC  0 B" in run("rm", "-r", "card.img:/Music").stdout
    assert run("ls", "-1", "card.img").stdout == "Main.PY\n"
    text = run("mv", "card.img@1:/Main.PY", "card.img@2:/", code=2).stderr
    assert "not from card.img@1 to card.img@2" in text


def test_mkdir_makes_folders_on_a_card(card: Path, run: Run, read_json: ReadJson) -> None:
    assert "no such folder" in run("mkdir", "card.img:/a/b", code=1).stderr
    assert read_json("mkdir", "-p", "card.img:/a/b")["targets"][0]["made"] == ["/a/b"]
    assert run("mkdir", "-p", "card.img:/a/b").stdout == ""
    assert "exists already" in run("mkdir", "card.img:/a", code=1).stderr
    assert run("ls", "-1R", "card.img:/a").stdout == "b/\n"


def test_gc_has_nothing_to_do(card: Path, run: Run, read_json: ReadJson) -> None:
    before = card.read_bytes()
    assert "FAT12 needs no garbage collection" in run("gc", "card.img").stdout
    assert read_json("gc", "card.img@2")["freed_pages"] == 0
    assert card.read_bytes() == before


def test_info_is_about_the_whole_card(card: Path, run: Run, read_json: ReadJson) -> None:
    text = run("info", "card.img").stdout
    assert "card of 32.0 MiB, MBR" in text
    assert "A board mounts this card: partition 1 on /sd, partition 2 on /sd2" in text
    assert run("card.img").stdout == text
    facts = read_json("info", "card.img@2")
    assert [part["label"] for part in facts["card"]["partitions"]] == ["SECOND"]
    assert facts["healthy"]


def test_info_tells_what_no_board_mounts(place: Path, run: Run) -> None:
    with Path("gpt.img").open("wb") as stream:
        stream.truncate(1 << 20)
        stream.seek(446)
        stream.write(bytes.fromhex("00000200eeffffff01000000ff070000"))
        stream.seek(510)
        stream.write(b"\x55\xaaEFI PART")
    text = run("info", "gpt.img", code=1).stdout
    assert "A board would not mount this card" in text
    error = run("ls", "gpt.img", code=1).stderr
    assert "maixfs sd doctor gpt.img" in error


def test_verbs_reach_the_card_of_a_board(board: Path, run: Run, read_json: ReadJson) -> None:
    assert run("ls", "-1", "board:/").stdout.splitlines() == ["flash/", "sd/", "sd2/"]
    run("cp", "src/boot.py", "board:/sd2/")
    assert run("cat", ":/sd2/boot.py").stdout == "x = 1\n"
    assert "A board mounts this card" in run("info", "board").stdout
    assert read_json("info", "board")["card"]["healthy"]
    run("unpack", "board:/", "all")
    assert names_in("all") == ["flash", "sd", "sd2"]


def test_unpack_and_pack_whole_cards(card: Path, run: Run, read_json: ReadJson) -> None:
    run("cp", "src/boot.py", "card.img@2:/")
    run("unpack", "card.img", "out")
    assert names_in("out") == ["sd", "sd2"]
    assert Path("out/sd/Music/two.mp3").read_bytes() == b"ID3"
    packed = read_json("pack", "out/sd", "-o", "new-card.img")
    assert packed["format"] == "FAT32"
    assert packed["written"]["size"] == 64 << 20
    text = run("pack", "out/sd", "-o", "new-card.img").stdout
    assert text.startswith("up to date: new-card.img: 64.0 MiB, FAT32, 3 files and 1 folder in ")
    assert run("cat", "new-card.img:/main.py").stdout_bytes == FILES["/main.py"]
    run("pack", "src", "-o", "x.bin", "--format", "card", "--size", "4M", "--label", "X")
    assert "FAT12" in run("info", "x.bin").stdout
    run("pack", "src", "-o", "card2.img", "--format", "spiffs")
    assert run("ls", "-1", "card2.img:/boot.py").stdout == "/boot.py\n"
    assert "no clusters" in run("pack", "src", "-o", "y.bin", "--label", "X", code=2).stderr
    text = run("pack", "src", "-o", "card3.img", "--format", "card", "--page-size", "256", code=2)
    assert "does not apply to a card" in text.stderr


def test_mkfs_of_one_partition(card: Path, run: Run) -> None:
    assert "not blank" in run("mkfs", "card.img@2", code=1).stderr
    text = run("mkfs", "card.img@2", "--force", "--fat", "16", "--label", "NEW").stdout
    assert text.startswith("wrote card.img: ")
    assert "NEW" in run("info", "card.img@2").stdout
    assert "main.py" in run("ls", "card.img").stdout
    text = run("mkfs", "card.img", "--force", code=2).stderr
    assert "card.img is a whole card" in text
    assert "maixfs mkfs card.img@1" in text


def test_completion_knows_partitions(card: Path) -> None:
    from maixfs.cli.options import complete_place

    values = [item.value for item in complete_place("card.img@1:/Mu")]
    assert values == ["card.img@1:/Music/"]


def leave_half_written(image: Path, path: str, data: bytes) -> None:
    """Leave a card as a process does that is killed when its journal is whole."""
    with open_image(image, "r+") as target:
        target.write_bytes(path, data)
        volume = target.main
        assert isinstance(volume, FatVolume)
        volume.core.sync()
        overlay = volume.medium.overlay
        journal = Journal(image)
        journal.write(overlay, overlay.below, [*overlay.runs()], None)
        journal.leave()
        overlay.clear()


def test_every_verb_reads_through_a_pending_journal(card: Path, run: Run) -> None:
    before = json.loads(run("sd", "info", "card.img", "--json").stdout)
    leave_half_written(card, "/late.txt", b"late")
    for verb in ("info", "doctor"):
        found = json.loads(run("sd", verb, "card.img", "--json", code=1).stdout)
        assert found["partitions"][0]["files"] == before["partitions"][0]["files"] + 1
        assert found["findings"][0]["key"] == "unapplied-journal"
    run("sd", "read", "card.img", "-o", "read.img", "--used")
    assert journal_of(card).exists()
    assert run("cat", "read.img:/late.txt").stdout == "late"


def test_new_card_removes_the_journal_of_the_old_one(card: Path, run: Run) -> None:
    leave_half_written(card, "/late.txt", b"late")
    run("sd", "new", "32M", "card.img", "--force")
    assert run("ls", "card.img").stdout == ""
    leave_half_written(card, "/late.txt", b"late")
    Path("tree").mkdir()
    run("pack", "tree", "-o", "card.img", "--size", "32M", "--force")
    assert run("ls", "card.img").stdout == ""


def test_insert_applies_a_pending_journal(card: Path, run: Run) -> None:
    leave_half_written(card, "/late.txt", b"late")
    run("sd", "insert", "board", "card.img", "--copy")
    assert run("cat", "board/sd.img:/late.txt").stdout == "late"
    run("sd", "eject", "board")
    leave_half_written(card, "/later.txt", b"later")
    with Board.open("board") as powered:
        powered.insert_sd("card.img")
        powered.reset()
        assert powered.open("/sd/later.txt").read() == "later"
    assert not journal_of(card).exists()


def test_whole_volume_is_not_removed_or_moved(card: Path, board: Path, run: Run) -> None:
    before = card.read_bytes()
    for root in ("card.img:/", "card.img@1:/", "board:/sd"):
        assert "cannot be removed" in run("rm", "-r", root, code=2).stderr
        assert "cannot be moved" in run("mv", root, f"{root}/new", code=2).stderr
    assert card.read_bytes() == before


def test_board_with_a_missing_card_has_a_fix(card: Path, board: Path, run: Run) -> None:
    card.rename("away.img")
    for verb in (["ls", "board:/sd"], ["run", "--board", "board"], ["sd", "info", "board"]):
        stderr = run(*verb, code=1).stderr
        assert "card.img does not exist, and is the card in the slot of board" in stderr
        assert "maixfs sd eject board" in stderr
    assert "maixfs sd eject board" in run("info", "board", code=1).stdout
    assert run("ls", "board:/flash").stdout
    Path("card.img").mkdir()
    assert "is a folder" in run("info", "board", code=1).stdout


def test_missing_partitions_are_refused(card: Path, board: Path, run: Run) -> None:
    assert "no partition 7" in run("ls", "card.img@7", code=1).stderr
    assert "nothing for a board to mount" in run("ls", "board:/sd3", code=1).stderr


def test_names_that_are_equal_on_a_card_are_refused(place: Path, run: Run) -> None:
    Path("tree").mkdir()
    for name in ("same", "same."):
        Path("tree", name).write_text(name)
    stderr = run("pack", "tree", "-o", "card.img", code=2).stderr
    assert "same.: FAT takes this name" in stderr


def test_run_applies_a_pending_journal(place: Path, run: Run) -> None:
    image = place / "elsewhere.img"
    new_card(image, 8 << 20, serial=1)
    with Board.open("board") as powered:
        powered.insert_sd(image)
    leave_half_written(image, "/late.txt", b"late")
    Path("show.py").write_text("print(open('/sd/late.txt').read())\n")
    result = run("run", "show.py")
    assert "completed an interrupted write" in result.stderr
    assert not [name for name in names_in(".") if name.endswith("journal")]
    assert "finished" not in run("run", "show.py").stderr


def test_failure_is_printed_as_json(card: Path, run: Run) -> None:
    document = json.loads(run("ls", "card.img@3", "--json", code=1).stdout)
    assert "no partition 3" in document["error"]["message"]


def test_card_without_a_table_gets_a_note(place: Path, run: Run) -> None:
    new_card(place / "floppy.img", 8 << 20, serial=1, superfloppy=True)
    for line in (["ls", "floppy.img"], ["cp", "src/boot.py", "floppy.img:/"]):
        assert "a board does not mount that" in run(*line).stderr
    assert run("cat", "floppy.img:/boot.py").stdout == "x = 1\n"
