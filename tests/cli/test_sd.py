"""``maixfs sd``: cards made, examined, converted, put into boards and readers."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from golden.extents import unpack_card
from maixfs.cards.check import PartitionReport
from maixfs.cards.fix import Fixed
from maixfs.cards.transfer import Transfer
from maixfs.cli.sd.make import ALIGNMENTS, LAYOUTS
from maixfs.fat import FatCore
from maixfs.finding import Finding
from maixfs.image.boardlock import CardLock
from maixfs.sd import mbr
from maixfs.sd.media import FileSectors

from .conftest import Run, run_process

FIELD = Path(__file__).parent.parent / "data" / "fat"

ReadJson = Callable[..., dict[str, Any]]


@pytest.fixture
def sd_json(run: Run) -> ReadJson:
    """Return a function that runs a verb of the group with ``--json`` and returns the document."""

    def call(verb: str, *arguments: str, code: int = 0) -> dict[str, Any]:
        result = run("sd", verb, *arguments, "--json", code=code)
        document: dict[str, Any] = json.loads(result.stdout)
        assert document.pop("maixfs") == 1
        assert document.pop("verb") == f"sd {verb}"
        return document

    return call


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def field(name: str) -> None:
    """Put a card of the field into the current directory."""
    unpack_card(FIELD / name / "image.ext.gz", Path(f"{name}.img"))


def test_card_in_use_is_not_replaced(here: Path, run: Run) -> None:
    run("sd", "new", "2M", "old.img")
    run("sd", "new", "2M", "card.img")
    Path("tree").mkdir()
    before = Path("card.img").read_bytes()
    lock = CardLock(Path("card.img"), read_only=True)
    try:
        for words in (
            ["sd", "new", "2M", "card.img"],
            ["sd", "read", "old.img", "-o", "card.img"],
            ["pack", "tree", "-o", "card.img"],
        ):
            assert "is in use" in run(*words, "--force", code=1).stderr
    finally:
        lock.release()
    assert Path("card.img").read_bytes() == before


def test_card_is_not_copied_to_itself(here: Path, run: Run) -> None:
    run("sd", "new", "2M", "card.img")
    Path("same.img").symlink_to("card.img")
    for words in (
        ["read", "card.img", "-o", "same.img", "--force"],
        ["fix", "card.img", "-o", "card.img", "--force"],
        ["write", "card.img", "same.img"],
    ):
        assert "is the source itself" in run("sd", *words, code=2).stderr


def test_insert_keeps_an_existing_copy(here: Path, run: Run) -> None:
    run("new", "board")
    run("sd", "new", "2M", "card.img")
    run("sd", "insert", "board", "card.img", "--copy")
    run("sd", "eject", "board")
    assert "maixfs sd insert" in run("sd", "insert", "board", "card.img", "--copy", code=1).stderr


def test_sd_new_refuses_a_too_small_card(here: Path, run: Run) -> None:
    stderr = run("sd", "new", "1M", "card.img", code=2).stderr
    assert "too small for a partition table" in stderr
    assert "sector 0x800" in stderr


def test_options_name_what_the_library_has() -> None:
    assert mbr.ALIGNMENTS == ALIGNMENTS
    assert set(LAYOUTS) == {"mkfs.fat", "fatfs"}


def test_sd_new_info_and_doctor_agree(here: Path, run: Run) -> None:
    made = run("sd", "new", "64M", "card.img", "--partitions", "40M:label=BOOT,rest:fat16").stdout
    assert "made card.img: card of 64.0 MiB" in made
    assert "partition 1: FAT32, 40.0 MiB from sector 0x800" in made
    assert "label BOOT" in made
    shown = run("sd", "info", "card.img").stdout
    assert "card.img  card of 64.0 MiB, MBR" in shown
    assert "FAT32" in shown and "BOOT" in shown and "/sd2" in shown and "sound" in shown
    verdict = run("sd", "doctor", "card.img").stdout
    assert verdict.startswith(
        "A board mounts this card: partition 1 on /sd, partition 2 on /sd2\n"
    )
    run("sd", "new", "1G", "one.img", "--label", "ONE", "--serial", "0x1234")
    text = run("sd", "doctor", "one.img").stdout
    assert text.splitlines() == [
        "A board mounts this card: partition 1 on /sd",
        "Nothing is wrong: 0 files and all clusters were checked.",
    ]


def test_sd_new_prints_json(here: Path, sd_json: ReadJson, run: Run) -> None:
    document = sd_json("new", "64M", "card.img", "--serial", "7", "--layout", "fatfs")
    assert set(document) == {"card", "sectors", "partitions"}
    (part,) = document["partitions"]
    assert part["fat_type"] == 32 and part["start"] == 2048
    assert run("sd", "new", "64M", "again.img", "--serial", "7", "--layout", "fatfs")
    assert Path("card.img").read_bytes() == Path("again.img").read_bytes()


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        (["new", "8", "x.img"], 2, "whole sectors"),
        (["new", "8Q", "x.img"], 2, "is not a size"),
        (["new", "8M", "x.img", "--partitions", "4M:fat99"], 2, "fat99"),
        (["new", "8M", "x.img", "--partitions", "4M:cluster=x"], 2, "cluster=x"),
        (["new", "8M", "x.img", "--partitions", "16M"], 2, "the card has"),
        (["new", "8M", "x.img", "--partitions", "lots"], 2, "lots"),
        (["new", "8M", "there.img"], 1, "--force replaces it"),
        (["new", "8M", "no/x.img"], 1, "make the folder no"),
        (["new", "16M", "x.img", "--partitions", "rest:fat32"], 1, "partition 1"),
        (["info", "none.img"], 1, "none.img does not exist"),
        (["doctor", "."], 1, "folder"),
        (["fix", "there.img", "-o", "there.img"], 2, "is the source itself"),
        (["write", "there.img", "none"], 1, "none"),
        (["read", "none", "-o", "x.img"], 1, "none"),
        (["insert", "none", "there.img"], 1, "none"),
        (["eject", "none"], 1, "none"),
        (["doctor"], 2, "missing argument"),
    ],
)
def test_sd_errors_have_their_hints(
    line: list[str], code: int, words: str, here: Path, run: Run
) -> None:
    Path("there.img").write_bytes(bytes(4096))
    result = run("sd", *line, code=code)
    assert result.stderr.startswith("error: ")
    assert words in result.stderr
    assert not Path("x.img").exists()


def test_sd_errors_are_printed_as_json(here: Path, sd_json: ReadJson) -> None:
    document = sd_json("doctor", "none.img", code=1)
    assert document["error"]["exit_code"] == 1


def test_superfloppy_gets_a_note(here: Path, run: Run) -> None:
    result = run("sd", "new", "40M", "card.img", "--superfloppy")
    assert "note: boards do not mount" in result.stderr
    assert "without a partition table" in run("sd", "doctor", "card.img", code=1).stdout


def test_sd_doctor_prints_fixes(here: Path, run: Run) -> None:
    field("gpt")
    text = run("sd", "doctor", "gpt.img", code=1).stdout
    assert text.startswith("A board would not mount this card: it has a GPT")
    assert "error: it has a GPT" in text
    assert "why: FatFs knows" in text
    assert "fix: maixfs sd fix gpt.img -o NEW" in text
    assert "not mounted" in run("sd", "info", "gpt.img", code=1).stdout


def test_sd_doctor_prints_json(here: Path, sd_json: ReadJson) -> None:
    field("x_cross")
    document = sd_json("doctor", "x_cross.img", code=1)
    keys = {
        "card", "verdict", "mountable", "healthy", "sectors", "table", "partitions", "findings",
    }  # fmt: skip
    assert set(document) == keys
    assert set(document["findings"][0]) == set(Finding._fields)
    assert set(document["partitions"][0]) == set(PartitionReport._fields)
    assert document["findings"][0]["key"] == "cross-link"
    assert set(sd_json("info", "x_cross.img", code=1)) == keys


def test_sd_doctor_exits_with_1_for_problems(here: Path, run: Run) -> None:
    for name, code in (("part1_0c", 0), ("fat16", 0), ("dirty", 1), ("blank", 1)):
        field(name)
        run("sd", "doctor", f"{name}.img", code=code)


def test_sd_fix_converts_a_card(here: Path, run: Run, sd_json: ReadJson) -> None:
    field("superfloppy")
    text = run("sd", "fix", "superfloppy.img", "-o", "new.img").stdout
    assert "done: it got an MBR" in text
    assert "wrote new.img: 40.0 MiB; 5 files in 1 folder" in text
    assert text.endswith("A board mounts this card: partition 1 on /sd\n")
    run("sd", "doctor", "new.img")
    document = sd_json("fix", "superfloppy.img", "-o", "new.img", "--force", "--size", "1G")
    assert set(document) == {"card", *Fixed._fields}
    assert document["size"] == 1 << 30
    assert document["report"]["mountable"] is True


def test_sd_fix_explains_what_it_refuses(here: Path, run: Run) -> None:
    field("exfat")
    result = run("sd", "fix", "exfat.img", "-o", "new.img", code=1)
    assert "exFAT is not converted" in result.stderr
    assert "copy its files" in result.stderr
    field("x_loop")
    result = run("sd", "fix", "x_loop.img", "-o", "new.img", code=1)
    assert "damage is not repaired" in result.stderr
    assert "unpack" in result.stderr
    field("x_lost")
    result = run("sd", "fix", "x_lost.img", "-o", "new.img", code=1)
    assert "left: 30 clusters" in result.stdout


def test_sd_write_and_read_give_the_same_bytes(here: Path, run: Run, sd_json: ReadJson) -> None:
    run("sd", "new", "40M", "card.img")
    Path("drive").write_bytes(b"\xff" * (41 << 20))
    text = run("sd", "write", "card.img", "drive").stdout
    assert text.startswith("wrote drive: 40.0 MiB, sha256 ")
    assert text.endswith("verified by reading back\n")
    assert "of it in use" in run("sd", "write", "card.img", "drive", "--used").stdout
    assert run("sd", "read", "drive", "-o", "back.img").stdout.startswith(
        "read back.img: 41.0 MiB"
    )
    assert Path("back.img").read_bytes()[: 40 << 20] == Path("card.img").read_bytes()
    document = sd_json("read", "drive", "-o", "back.img", "-f", "--used")
    assert set(document["transfer"]) == set(Transfer._fields)
    assert sd_json("write", "card.img", "drive")["transfer"]["size"] == 40 << 20


def test_drive_is_not_written_without_a_question(
    here: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from maixfs.host.drives import DriveFacts

    run("sd", "new", "4M", "card.img")
    Path("drive").write_bytes(bytes(4 << 20))

    def look(path: Path) -> DriveFacts:
        return DriveFacts(path, regular=False, removable=True)

    monkeypatch.setattr("maixfs.host.drives.drive_facts", look)
    result = run("sd", "write", "card.img", "drive", code=2)
    assert "would be lost" in result.stderr and "--yes" in result.stderr
    assert Path("drive").read_bytes() == bytes(4 << 20)
    run("sd", "write", "card.img", "drive", "--yes")


def test_insert_and_eject_change_the_slot(place: Path, run: Run, sd_json: ReadJson) -> None:
    run("sd", "new", "40M", "card.img")
    run("sd", "doctor", "board", code=1)
    text = run("sd", "insert", "board", "card.img").stdout
    assert text.startswith("inserted ")
    assert "/sd" in run("sd", "doctor", "board").stdout
    again = run("sd", "insert", "board", "card.img", code=1)
    assert "maixfs sd eject board" in again.stderr
    assert sd_json("eject", "board")["board"] == "board"
    assert Path("card.img").exists()
    run("sd", "eject", "board", code=1)
    document = sd_json("insert", "board", "card.img", "--copy", "--read-only")
    assert document["read_only"] is True
    assert Path(document["card"]) != Path("card.img")


def test_new_card_takes_files(here: Path, run: Run) -> None:
    run("sd", "new", "40M", "card.img")
    with FileSectors.open("card.img", read_only=False) as card, FatCore(card, 2048) as fat:
        fat.write_bytes("/main.py", b"print(1)\n")
    assert "1 file and all clusters" in run("sd", "doctor", "card.img").stdout


def test_names_cannot_drive_a_terminal(here: Path, run: Run) -> None:
    run("sd", "new", "40M", "card.img")
    with FileSectors.open("card.img", read_only=False) as card:
        with FatCore(card, 2048) as fat:
            fat.write_bytes("/A.BIN", b"x" * 2000)
            entry = fat.stat("/A.BIN")
            start = fat.geometry.data_start + 2048
            table = 2048 + fat.geometry.fat_start
        folder = bytearray(card.read(start, 1))
        at = folder.index(b"A       BIN")
        folder[at : at + 4] = b"\x1b[2J"
        card.write(start, folder)
        fat_sector = bytearray(card.read(table, 1))
        fat_sector[4 * entry.cluster : 4 * entry.cluster + 4] = b"\x03\0\0\0"
        card.write(table, fat_sector)
    text = run("sd", "doctor", "card.img", code=1).stdout
    assert "\x1b" not in text


def test_sd_verbs_work_as_a_process(here: Path) -> None:
    done = run_process("sd", "new", "40M", "card.img")
    assert done.returncode == 0, done.stderr
    plain = run_process("sd", "info", "card.img", "--plain")
    assert b"slot 1, type 0x0B" in plain.stdout


def test_card_of_a_running_board_gets_a_note(place: Path, run: Run) -> None:
    run("sd", "new", "40M", "card.img")
    run("sd", "new", "40M", "other.img")
    lock = CardLock(Path("card.img"), read_only=False)
    try:
        assert "its contents may change" in run("sd", "doctor", "card.img").stderr
        for line in (
            ["fix", "card.img", "-o", "x.img"],
            ["read", "card.img", "-o", "x.img"],
            ["write", "card.img", "other.img"],
            ["write", "other.img", "card.img"],
        ):
            assert "is in use" in run("sd", *line, code=1).stderr
    finally:
        lock.release()
    assert not Path("x.img").exists()
    run("sd", "write", "other.img", "card.img")


@pytest.mark.parametrize("name", ["no_55aa", "blank"])
def test_all_examinations_of_a_card_agree(here: Path, run: Run, name: str) -> None:
    field(name)
    # An image of the size of a chip could be a flash: a blank one is examined as a card only
    # beyond that.
    os.truncate(f"{name}.img", 64 << 20)
    keys = set()
    for verb in ("info", "doctor", "sd info", "sd doctor"):
        result = json.loads(run(*verb.split(), "--json", f"{name}.img", code=1).stdout)
        card = result["card"] if verb == "info" else result
        keys.add(tuple(found["key"] for found in card["findings"]))
    assert len(keys) == 1 and keys != {()}


def test_zeros_of_the_size_of_a_chip_are_not_examined_as_a_chip(here: Path, run: Run) -> None:
    with Path("zeros.bin").open("wb") as file:
        file.truncate(16 << 20)
    checked = json.loads(run("doctor", "--json", "zeros.bin").stdout)
    assert checked["findings"] == [] and checked["not_checked"]
    run("info", "zeros.bin")
