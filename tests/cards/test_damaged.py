"""Damage of any kind ends in a report, a new card or an error of ours, within bounds."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from maixfs.cards import PartitionRequest, examine, fix_card, read_card, write_card_layout
from maixfs.errors import MaixfsError
from maixfs.fat import FatCore, FatError
from maixfs.fat.chains import Ending, FatArray, PagedChains
from maixfs.fat.geometry import FatGeometry, decode_geometry, read_geometry
from maixfs.fat.mkfs import format_volume
from maixfs.fat.reader import FatReader
from maixfs.finding import kinds
from maixfs.sd.errors import SectorError
from maixfs.sd.media import FileSectors, RamSectors

KEYS = {kind.key for kind in (*kinds("card"), *kinds("fat"))}

Unpacked = Callable[[str], Path]

PLACES = (
    *((0, offset) for offset in (446, 450, 454, 458, 462, 466, 470, 510)),
    *((1, offset) for offset in (0, 484, 488, 492)),
    *((2048, offset) for offset in (0, 11, 13, 14, 16, 17, 19, 22, 32, 36, 44, 48, 82, 510)),
    *((2080, offset) for offset in range(0, 200, 8)),
    *((3340, offset) for offset in range(0, 320, 32)),
    *((3340, offset) for offset in range(20, 320, 32)),
)
"""Where a card says what is where: table, boot sector, FAT and root of most cards of the field."""

edits = st.lists(
    st.tuples(st.sampled_from(PLACES), st.binary(min_size=1, max_size=4)), min_size=1, max_size=6
)


def spoilt(path: Path, changes: list[tuple[tuple[int, int], bytes]]) -> RamSectors:
    """Return a copy of the start of a card with bytes changed; the rest of it is zero."""
    with FileSectors.open(path) as source:
        card = RamSectors(source.sectors, source.read(0, min(source.sectors, 4300)))
    for (sector, offset), data in changes:
        raw = bytearray(card.read(sector, 1))
        raw[offset : offset + len(data)] = data
        card.write(sector, raw[:512])
    return card


@given(name=st.sampled_from(["part1_0c", "deep", "superfloppy", "gpt", "x_loop"]), changes=edits)
@settings(max_examples=60)
def test_examine_of_a_damaged_card_returns_a_report(
    name: str, changes: list[tuple[tuple[int, int], bytes]], unpacked: Unpacked
) -> None:
    card = spoilt(unpacked(name), changes)
    report = examine(card)
    assert report.verdict
    assert {found.key for found in report.findings} <= KEYS
    for part in report.partitions:
        if part.mount_point:
            with FatCore(card, part.start, read_only=True) as fat:
                assert fat.geometry.clusters == part.clusters


@given(name=st.sampled_from(["part1_0c", "dirty", "superfloppy", "gpt"]), changes=edits)
@settings(max_examples=40)
def test_fix_of_a_damaged_card_converts_or_refuses(
    name: str, changes: list[tuple[tuple[int, int], bytes]], unpacked: Unpacked
) -> None:
    card = spoilt(unpacked(name), changes)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "new.img"
        try:
            fixed = fix_card(card, path)
        except (MaixfsError, OSError) as error:
            assert isinstance(error, MaixfsError)
            assert not list(Path(folder).iterdir())
        else:
            assert fixed.changes
            assert path.exists()


@pytest.mark.parametrize("name", ["x_loop", "x_cross", "x_dirloop", "x_root0", "bad_bpb"])
def test_used_extents_of_a_damaged_card_are_bounded(
    name: str, unpacked: Unpacked, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.img"
    read_card(unpacked(name), copy, used_only=True)
    with FileSectors.open(copy) as new, FileSectors.open(unpacked(name)) as old:
        assert examine(new) == examine(old)


def decoded(sector: bytes) -> FatGeometry:
    geometry, _ = decode_geometry(sector)
    assert geometry is not None
    return geometry


def chains_of(entries: list[int], fat_type: int) -> tuple[FatArray, PagedChains]:
    """Return both readers of a FAT with these entries from cluster 2 on."""
    card = RamSectors(200000)
    format_volume(card, 0, 200000, fat_type=fat_type, layout="mkfs.fat", serial=1)
    geometry = read_geometry(card.read(0, 1))
    size = fat_type // 8
    at = geometry.fat_start
    raw = bytearray(card.read(at, 8))
    for number, value in enumerate(entries, 2):
        raw[number * size : (number + 1) * size] = value.to_bytes(size, "little")
    card.write(at, raw)
    geometry = decoded(card.read(0, 1))
    return FatArray(card, 0, geometry), PagedChains(card, 0, geometry)


def chain_of(entries: list[int], start: int, limit: int, bad: int) -> tuple[list[int], Ending]:
    """Follow a chain one cluster after the other, as slowly as can be."""
    seen: list[int] = []
    at = start
    while True:
        if not 2 <= at < limit:
            return seen, Ending.OUT
        value = entries[at - 2] if at - 2 < len(entries) else 0
        if value == 0:
            return seen, Ending.FREE
        if value == bad:
            return seen, Ending.BAD
        if at in seen:
            return seen, Ending.LOOP
        seen.append(at)
        if value >= limit:
            kind = Ending.END if value > bad else Ending.BAD if value == bad else Ending.ODD
            return seen, kind
        at = value


links = st.one_of(
    st.integers(2, 40),
    st.sampled_from([0, 1, 0x0FFFFFF7, 0x0FFFFFF8, 0x0FFFFFFF, 0x0FFFFFF0]),
)


@given(
    fat_type=st.sampled_from([16, 32]),
    raw=st.lists(links, min_size=1, max_size=36),
    start=st.integers(0, 42),
)
@example(fat_type=32, raw=[3, 4, 2], start=2)
@example(fat_type=16, raw=[3, 4, 5, 6, 0x0FFFFFFF], start=4)
def test_reader_follows_damaged_chains(fat_type: int, raw: list[int], start: int) -> None:
    top = 0x0FFFFFFF if fat_type == 32 else 0xFFFF
    entries = [value & top if value > 100 else value for value in raw]
    table, paged = chains_of(entries, fat_type)
    limit, bad = table.geometry.n_fatent, top - 8
    wanted, ending = chain_of(entries, start, limit, bad)
    chain = table.claim(start, 7)
    assert (chain.clusters, chain.ending) == (len(wanted), ending)
    runs = table.runs(start, chain.clusters)
    assert [at + step for at, count in runs for step in range(count)] == wanted
    owned = set(wanted)
    used = {at for at, value in enumerate(entries, 2) if value not in {0, bad}}
    lost, _, first = table.lost()
    assert lost == len(used - owned)
    assert first == min(used - owned, default=0)
    assert table.count_free() == table.geometry.clusters - sum(value != 0 for value in entries)
    assert table.highest_used() == max(
        (at for at, value in enumerate(entries, 2) if value), default=0
    )
    second = table.claim(start, 8)
    if wanted:
        assert (second.clusters, second.ending, second.owner) == (0, Ending.SHARED, 7)
    steps = [at + step for at, count in paged.runs(start, len(wanted)) for step in range(count)]
    assert steps == wanted
    assert paged.claim(start, 7) == chain
    assert paged.claim(start, 8) == second


@given(
    fat_type=st.sampled_from([16, 32]),
    raw=st.lists(links, min_size=1, max_size=36),
    starts=st.lists(st.integers(2, 42), max_size=8),
)
def test_paged_chains_find_the_owners_that_the_array_finds(
    fat_type: int, raw: list[int], starts: list[int]
) -> None:
    top = 0x0FFFFFFF if fat_type == 32 else 0xFFFF
    table, paged = chains_of([value & top if value > 100 else value for value in raw], fat_type)
    for owner, start in enumerate(starts, 1):
        assert paged.claim(start, owner) == table.claim(start, owner)


FIELDS = (0, 11, 13, 14, 16, 17, 19, 22, 32, 36, 44, 48)
"""Offsets of what a boot sector says."""


@given(
    st.lists(
        st.tuples(st.sampled_from(FIELDS), st.sampled_from([0, 1, 2, 4, 32, 128, 255])),
        max_size=3,
    )
)
def test_geometry_agrees_with_the_mount_of_fatfs(changes: list[tuple[int, int]]) -> None:
    card = RamSectors(100000)
    format_volume(card, 0, fat_type=32, layout="mkfs.fat", serial=9)
    boot = bytearray(card.read(0, 1))
    for offset, value in changes:
        boot[offset] = value
    try:
        geometry = read_geometry(bytes(boot))
    except FatError:
        assert changes
        return
    layout = decoded(bytes(boot))
    assert layout.fat_type == geometry.fat_type
    assert (layout.clusters, layout.data_start) == (geometry.clusters, geometry.data_start)


@pytest.mark.parametrize("fat_type", [12, 16, 32])
def test_geometry_equals_that_of_the_driver(fat_type: int) -> None:
    card = RamSectors(100000)
    sectors = {12: 4000, 16: 40000, 32: 100000}[fat_type]
    made = format_volume(card, 0, sectors, fat_type=fat_type, serial=9, label="A LABEL")
    layout = decoded(card.read(0, 1))
    assert layout.clusters == made.clusters
    assert layout.data_start == made.data_start
    assert layout.fat_start == made.fat_start
    assert layout.cluster_size == made.cluster_size
    assert layout.serial == made.serial
    with FatCore(card, 0) as fat:
        fat.mkdir("/folder")
        fat.write_bytes("/folder/file.bin", b"x" * 5000)
    table = FatArray(card, 0, layout)
    with FatCore(card, 0, read_only=True) as fat:
        assert table.count_free() == fat.free_clusters(scan=True)


def test_card_with_an_unreadable_first_sector_is_reported() -> None:
    class Dead(RamSectors):
        def read(self, sector: int, count: int) -> bytes:
            raise SectorError(f"sector {sector:#x} is worn")

    report = examine(Dead(1000))
    assert [found.key for found in report.findings] == ["unreadable"]


names = st.sampled_from(["a", "Long name of a file.txt", "B.BIN", "ünïcode", "main.py", "x" * 60])
steps = st.lists(
    st.tuples(
        st.sampled_from(["write", "mkdir", "remove", "rename", "into"]),
        names,
        names,
        st.integers(0, 9000),
    ),
    max_size=25,
)


@given(fat_type=st.sampled_from([12, 16, 32]), todo=steps)
def test_examine_finds_nothing_on_a_card_of_the_driver(
    fat_type: int, todo: list[tuple[str, str, str, int]]
) -> None:
    sectors = {12: 6000, 16: 40000, 32: 80000}[fat_type]
    card = RamSectors(sectors)
    request = PartitionRequest(fat_type=fat_type, label="LABEL")
    write_card_layout(card, [request], serial=1)
    with FatCore(card, 2048) as fat:
        for what, one, two, size in todo:
            with suppress(FatError):
                if what == "write":
                    fat.write_bytes(f"/{one}", b"x" * size)
                elif what == "mkdir":
                    fat.mkdir(f"/{one}")
                elif what == "remove":
                    fat.remove(f"/{one}")
                elif what == "rename":
                    fat.rename(f"/{one}", f"/{two}")
                else:
                    fat.write_bytes(f"/{one}/{two}", b"y" * size)
        held = {path: entry.size for path, entry in fat.walk()}
        free = fat.free_clusters(scan=True)
    report = examine(card)
    assert {found.key for found in report.findings} <= {f"fat{fat_type}"}
    (part,) = report.partitions
    assert part.free_clusters == free
    assert (part.files or 0) + (part.folders or 0) == len(held)
    layout = decoded(card.read(2048, 1))
    assert {found.path: found.item.size for found in FatReader(card, 2048, layout).walk()} == held
