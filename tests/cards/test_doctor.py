"""The doctor names what is wrong with every card of the field, and with nothing that is right."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doctor.card_cases import Worn
from maixfs.cards import CardReport, examine, examine_slot
from maixfs.fat.mkfs import format_volume
from maixfs.finding import Command, Finding, Severity, kinds
from maixfs.sd.errors import SdError
from maixfs.sd.mbr import Partition, make_mbr
from maixfs.sd.media import FileSectors, RamSectors

from .conftest import NAMES, manifest

KINDS = (*kinds("card"), *kinds("fat"))

KEYS = {kind.key for kind in KINDS}

Unpacked = Callable[[str], Path]
CardCopy = Callable[[str], RamSectors]

FOUND: dict[str, set[str]] = {
    "bad_bpb": {"bad-boot-sector"},
    "blank": {"blank"},
    "dirty": {"dirty"},
    "empty_first": {"empty-first-slot"},
    "exfat": {"exfat"},
    "extended": {"extended", "logical-partition"},
    "fat12": {"fat12"},
    "fat16": {"fat16"},
    "few_clusters": {"few-clusters"},
    "foreign_first": {"foreign-first", "foreign"},
    "fsinfo_absent": {"fsinfo-absent"},
    "fsinfo_huge": {"fsinfo-huge"},
    "fsinfo_wrong": {"fsinfo-wrong"},
    "full": {"full"},
    "gpt": {"gpt", "past-partition"},
    "no_55aa": {"no-signature"},
    "ntfs": {"ntfs"},
    "part4": {"fat16"},
    "part_past_end": {"past-end"},
    "sector4096": {"superfloppy", "sector-size"},
    "superfloppy": {"superfloppy"},
    "superfloppy_ff": {"superfloppy", "fat16"},
    "x_badstart": {"bad-start", "lost-clusters"},
    "x_cross": {"cross-link", "lost-clusters"},
    "x_dirloop": {"chain-loop"},
    "x_dotdot": {"dot-entries"},
    "x_fatdiff": {"fats-differ"},
    "x_free_in_chain": {"bad-chain", "fsinfo-wrong", "lost-clusters"},
    "x_lfn": {"broken-long-name"},
    "x_loop": {"chain-loop"},
    "x_lost": {"lost-clusters", "fsinfo-wrong"},
    "x_root0": {"root-cluster"},
    "x_size_gt": {"short-chain", "long-chain"},
}
"""Ids of what is found on a card; on those that are not here nothing is."""
REFUSED = {
    "bad_bpb", "blank", "exfat", "few_clusters", "gpt", "no_55aa", "ntfs", "sector4096",
    "superfloppy", "superfloppy_ff",
}  # fmt: skip
"""Cards of which a board mounts nothing when it starts."""
DAMAGED = {
    "x_badstart", "x_cross", "x_dirloop", "x_free_in_chain", "x_loop", "x_root0", "x_size_gt",
}  # fmt: skip


def look(path: Path) -> CardReport:
    with FileSectors.open(path) as card:
        return examine(card)


def ids(report: CardReport) -> set[str]:
    return {found.key for found in report.findings}


def the(report: CardReport, key: str) -> Finding:
    (found,) = (found for found in report.findings if found.key == key)
    return found


def test_every_card_of_the_golden_set_has_a_case() -> None:
    assert set(FOUND) <= set(NAMES)
    assert len(NAMES) == 56


@pytest.mark.parametrize("name", NAMES)
def test_examine_finds_the_problems_of_each_card(name: str, unpacked: Unpacked) -> None:
    report = look(unpacked(name))
    assert ids(report) == FOUND.get(name, set())
    errors = [found for found in report.findings if found.severity is Severity.ERROR]
    assert bool(errors) is (name in REFUSED | DAMAGED)
    assert [*report.findings] == sorted(
        report.findings, key=lambda found: [*Severity].index(found.severity)
    )
    for found in report.findings:
        assert found.why or found.severity is Severity.NOTE


@pytest.mark.parametrize("name", NAMES)
def test_report_names_the_mounted_partitions(name: str, unpacked: Unpacked) -> None:
    about = manifest(name)
    report = look(unpacked(name))
    good = [
        part["slot"]
        for part in about["partitions"]
        if part["slot"] in {1, 2, 3, 4} and part["oofatfs"]["mount"] == "ok"
    ]
    if name == "no_55aa":  # no table leads to it
        good = []
    mounted = {part.number: part.mount_point for part in report.partitions if part.mount_point}
    assert mounted == {slot: f"/sd{slot}" if at else "/sd" for at, slot in enumerate(good)}
    assert report.mountable is (name not in REFUSED)
    verb = "mounts this card: partition" if report.mountable else "would not mount this card: "
    assert report.verdict.startswith(f"A board {verb}")


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("x_")])
def test_report_describes_the_contents(name: str, unpacked: Unpacked) -> None:
    report = look(unpacked(name))
    volumes: list[dict[str, Any]] = [
        part for part in manifest(name)["partitions"] if part.get("bpb")
    ]
    if name == "bad_bpb":
        volumes = []
    readable = [part for part in report.partitions if part.clusters is not None]
    for made, found in zip(volumes, readable, strict=True):
        assert (found.start, found.clusters) == (made["start"], made["bpb"]["ncl"])
        files = sum(entry["type"] == "file" for entry in made["tree"])
        assert (found.files, found.folders) == (files, len(made["tree"]) - files)
        if made["oofatfs"]["mount"] == "ok" and not name.startswith("fsinfo"):
            assert found.free_clusters == made["oofatfs"]["statvfs"][3]


def test_findings_name_files_and_sectors(unpacked: Unpacked) -> None:
    cross = the(look(unpacked("x_cross")), "cross-link")
    assert cross.paths == ("/B.BIN",)
    assert "/A.BIN" in cross.what
    assert cross.where == (2048 + 1292 + 7) * 512
    starts = the(look(unpacked("x_badstart")), "bad-start")
    assert (starts.data["cases"], starts.paths) == (2, ("/B.BIN", "/C.BIN"))
    lost = the(look(unpacked("x_lost")), "lost-clusters")
    assert lost.data["cases"] == 30
    loop = the(look(unpacked("x_dirloop")), "chain-loop")
    assert loop.paths == ("/SUB",)
    names = the(look(unpacked("x_lfn")), "broken-long-name")
    assert names.paths == ("/FIRSTL~1.TXT", "/SECOND~1.TXT")
    assert "BPB_SecPerClus" in look(unpacked("bad_bpb")).verdict


def test_gpt_fix_converts_the_examined_image(unpacked: Unpacked) -> None:
    assert the(look(unpacked("gpt")), "gpt").fix == (Command("sd fix", ("{image}", "-o", "NEW")),)


def test_findings_name_their_partition(unpacked: Unpacked) -> None:
    report = look(unpacked("part4"))
    assert [found.data["partition"] for found in report.findings] == [3]


def test_report_as_plain_values(unpacked: Unpacked) -> None:
    import json

    report = look(unpacked("part4"))
    values = json.loads(json.dumps(report.as_dict()))
    assert values["mountable"] is True and values["healthy"] is True
    assert [part["mount_point"] for part in values["partitions"]] == [
        "/sd",
        "/sd2",
        "/sd3",
        "/sd4",
    ]
    assert values["findings"][0]["key"] == "fat16"


def test_card_that_does_not_start_is_reported() -> None:
    def start() -> RamSectors:
        raise SdError("CMD0: no answer")

    report = examine_slot(start)
    assert ids(report) == {"no-spi-mode"}
    assert "CMD0" in report.verdict
    assert not report.mountable


def test_card_that_starts_is_examined(card_copy: CardCopy) -> None:
    assert examine_slot(lambda: card_copy("part2")).mountable


@pytest.mark.parametrize(
    "bad", [range(1), range(2048, 2049), range(2080, 2090), range(3340, 3341)]
)
def test_unreadable_sectors_are_reported(bad: range, card_copy: CardCopy) -> None:
    report = examine(Worn(card_copy("part1_0c"), bad))
    assert "unreadable" in ids(report)
    assert not report.healthy


def test_partition_behind_the_card_is_reported() -> None:
    card = RamSectors(8192)
    card.write(0, make_mbr([]))
    assert ids(examine(card)) == {"no-partition"}
    card.write(0, make_mbr([Partition(1, 0x0C, 0x10000, 0x1000)]))
    assert ids(examine(card)) == {"files-past-end"}


def test_files_behind_the_end_of_the_card_are_reported(card_copy: CardCopy) -> None:
    whole = card_copy("full")
    short = RamSectors(40000)
    short.write(0, whole.read(0, 40000))
    assert "files-past-end" in ids(examine(short))


def test_overlapping_partitions_are_reported(card_copy: CardCopy) -> None:
    card = card_copy("part2")
    table = bytearray(card.read(0, 1))
    table[446 + 12 : 446 + 16] = (90000).to_bytes(4, "little")
    card.write(0, table)
    assert the(examine(card), "overlap").where == 83968 * 512


@pytest.mark.parametrize("name", ["exfat", "ntfs"])
def test_card_with_another_file_system_is_named(name: str, card_copy: CardCopy) -> None:
    source = card_copy(name)
    card = RamSectors(source.sectors - 2048)
    card.write(0, source.read(2048, 100))
    report = examine(card)
    assert ids(report) == {name}
    assert report.partitions[0].number == 0


def test_card_with_a_volume_behind_an_empty_first_sector_is_not_blank() -> None:
    card = RamSectors(2048)
    superblock = bytearray(1024)
    superblock[0x38:0x3A] = b"\x53\xef"
    card.write(2, superblock)
    report = examine(card)
    assert ids(report) == {"other-volume"}


def test_boot_sector_without_its_signature_is_reported(card_copy: CardCopy) -> None:
    card = card_copy("superfloppy")
    card.write(0, card.read(0, 1)[:510] + bytes(2))
    assert ids(examine(card)) == {"no-signature", "bad-boot-sector"}
    card = card_copy("part2")
    card.write(2048, card.read(2048, 1)[:510] + bytes(2))
    report = examine(card)
    assert the(report, "bad-boot-sector").severity is Severity.WARNING
    assert [part.mount_point for part in report.partitions] == [None, "/sd"]


def test_type_that_is_not_fat_is_a_note(card_copy: CardCopy) -> None:
    card = card_copy("part1_0c")
    table = bytearray(card.read(0, 1))
    table[446 + 4] = 0x83
    card.write(0, table)
    assert the(examine(card), "odd-type").severity is Severity.NOTE
    assert examine(card).mountable


def test_wiped_table_is_reported_with_its_volumes(card_copy: CardCopy) -> None:
    card = card_copy("part1_0c")
    card.write(0, bytes(512))
    report = examine(card)
    assert ids(report) == {"no-table"}
    assert report.partitions[0].files == 7


def test_contradictions_in_the_table_are_notes(card_copy: CardCopy) -> None:
    card = card_copy("part1_0c")
    table = bytearray(card.read(0, 1))
    table[446] = 7
    card.write(0, table)
    assert the(examine(card), "odd-table").severity is Severity.NOTE
    assert examine(card).healthy


def test_card_larger_than_the_tested_ones_is_a_note() -> None:
    card = RamSectors(256 << 21)
    card.write(0, make_mbr([Partition(1, 0x0C, 2048, (256 << 21) - 2048)]))
    format_volume(card, 2048, fat_type=32, layout="mkfs.fat", serial=1)
    report = examine(card)
    assert ids(report) == {"large"}
    assert report.healthy


def test_examine_of_128_gib_uses_bounded_memory(unpacked: Unpacked) -> None:
    with FileSectors.open(unpacked("sparse128")) as card:
        tracemalloc.start()
        report = examine(card)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert report.healthy
    assert peak < 90 << 20


def test_every_finding_has_a_meaning_and_a_cause() -> None:
    assert all(kind.meaning for kind in KINDS)
    assert all(kind.why or kind.severity is Severity.NOTE for kind in KINDS)


@given(
    name=st.sampled_from(["part1_0c", "fat12", "superfloppy_ff", "gpt", "extended"]),
    edits=st.lists(
        st.tuples(st.integers(0, 4200), st.integers(0, 511), st.binary(min_size=1, max_size=8)),
        max_size=12,
    ),
)
def test_examine_of_any_bytes_returns_a_report(
    name: str, edits: list[tuple[int, int, bytes]], unpacked: Unpacked
) -> None:
    with FileSectors.open(unpacked(name)) as source:
        count = min(source.sectors, 4300)
        card = RamSectors(source.sectors, source.read(0, count))
    for sector, offset, data in edits:
        raw = bytearray(card.read(sector, 1))
        raw[offset : offset + len(data)] = data
        card.write(sector, raw[:512])
    report = examine(card)
    assert report.verdict
    assert ids(report) <= KEYS
