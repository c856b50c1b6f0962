"""Chains and folders as an examination and a lenient reader follow them, past damage."""

from __future__ import annotations

import pytest

from fat.test_damage import clusters, link, prepared
from fat.volumes import NOW, every_kind, new_card
from maixfs.errors import DamagedError
from maixfs.fat import Fat, FatError, FResult, check, reader
from maixfs.fat.chains import Chain, Ending, FatArray, PagedChains
from maixfs.fat.check import FatCheck
from maixfs.fat.geometry import read_geometry
from maixfs.fat.ondisk import CLUSTER_LOW, ENTRY_SIZE
from maixfs.fat.reader import FatReader
from maixfs.finding import MAX_PATHS, examine
from maixfs.sd import SECTOR, RamSectors, SectorError

both_chains = pytest.mark.parametrize("kind", [FatArray, PagedChains])
BAD = 0xFFF7
LIMIT = read_geometry(new_card("fat16").read(0, 1)).n_fatent


def examined(card: RamSectors) -> dict[str, object]:
    """Return the findings of an examination by their keys."""
    return {found.key: found for found in examine("fat", FatCheck(card, 0)).findings}


def poke_folder(card: RamSectors, cluster: int, at: int, data: bytes) -> None:
    """Change bytes of the first sector of a folder."""
    sector = read_geometry(card.read(0, 1)).sector_of(cluster)
    raw = bytearray(card.read(sector, 1))
    raw[at : at + len(data)] = data
    card.write(sector, raw)


def poke_root(card: RamSectors, slot: int, at: int, data: bytes) -> None:
    """Change bytes of an entry of the root."""
    sector = read_geometry(card.read(0, 1)).root_start + slot // 16
    raw = bytearray(card.read(sector, 1))
    place = slot % 16 * ENTRY_SIZE + at
    raw[place : place + len(data)] = data
    card.write(sector, raw)


# Chains


@both_chains
@pytest.mark.parametrize("middle", [1, 2, 4])
def test_chain_that_enters_the_middle_of_a_claimed_run_is_shared(
    kind: type[FatArray | PagedChains], middle: int
) -> None:
    card = prepared()
    run = clusters(card, "/f")
    assert run == [*range(run[0], run[0] + 5)]
    chains = kind(card, 0, read_geometry(card.read(0, 1)))
    chains.claim(clusters(card, "/other")[0], 6)
    assert chains.claim(run[middle], 7) == Chain(5 - middle, Ending.END, run[-1])
    # The clusters before the middle had no owner yet.
    assert chains.claim(run[0], 8) == Chain(middle, Ending.SHARED, run[middle], 7)
    assert chains.claim(run[0], 9) == Chain(0, Ending.SHARED, run[0], chains_owner(chains))


def chains_owner(chains: FatArray | PagedChains) -> int:
    """Return the owner of a run that two files share: the array has one owner for each run."""
    return 7 if isinstance(chains, FatArray) else 8


@both_chains
def test_chain_that_comes_back_to_itself_is_a_loop(kind: type[FatArray | PagedChains]) -> None:
    card = prepared()
    run = clusters(card, "/f")
    link(card, run[-1], run[2])
    chains = kind(card, 0, read_geometry(card.read(0, 1)))
    assert chains.claim(run[0], 7) == Chain(5, Ending.LOOP, run[2], 7)


@both_chains
@pytest.mark.parametrize(
    ("value", "ending"),
    [
        (BAD, Ending.BAD),
        (LIMIT, Ending.ODD),
        (0xFFF6, Ending.ODD),
        (0xFFF8, Ending.END),
        (0xFFFF, Ending.END),
    ],
)
def test_last_entry_decides_how_a_chain_ends(
    kind: type[FatArray | PagedChains], value: int, ending: Ending
) -> None:
    card = prepared()
    run = clusters(card, "/f")
    link(card, run[-1], value)
    chains = kind(card, 0, read_geometry(card.read(0, 1)))
    found = chains.claim(run[0], 7)
    assert found.ending is ending
    # A cluster whose own entry marks it as bad is not part of the chain.
    count = 4 if value == BAD else 5
    assert found.clusters == sum(length for _, length in chains.runs(run[0], 9)) == count


@both_chains
@pytest.mark.parametrize(
    ("start", "ending"), [(0, Ending.OUT), (1, Ending.OUT), (0xFFEF, Ending.OUT)]
)
def test_start_outside_the_volume_claims_nothing(
    kind: type[FatArray | PagedChains], start: int, ending: Ending
) -> None:
    card = prepared()
    chains = kind(card, 0, read_geometry(card.read(0, 1)))
    assert chains.claim(start, 7) == Chain(0, ending, start)
    assert [*chains.runs(start, 9)] == []


@every_kind
def test_both_readers_of_a_fat_find_the_same_chains(kind: str) -> None:
    card = new_card(kind)
    with Fat(card) as fs:
        size = fs.geometry.cluster_size
        with fs.open("/even", "wb") as even, fs.open("/odd", "wb") as odd:
            for _ in range(250):
                even.write(bytes(size))
                odd.write(bytes(size * 2))
        starts = [fs.stat(name).native.cluster for name in ("/even", "/odd")]
    geometry = read_geometry(card.read(0, 1))
    whole, paged = FatArray(card, 0, geometry), PagedChains(card, 0, geometry)
    for start in starts:
        runs = [*whole.runs(start, 2000)]
        assert runs == [*paged.runs(start, 2000)] and len(runs) > 1
    for owner, start in enumerate(starts, 1):
        found = whole.claim(start, owner)
        assert found == paged.claim(start, owner)
        assert (found.clusters, found.ending) == (250 * owner, Ending.END)
    assert whole.lost()[0] == (geometry.fat_type == 32)  # the root


# The reader


def test_reader_stops_at_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    card = prepared()
    volume = FatReader(card, 0, read_geometry(card.read(0, 1)))
    everything = [*volume.walk()]
    monkeypatch.setattr(reader, "MOST_ENTRIES", len(everything))
    assert [*volume.walk()] == everything
    monkeypatch.setattr(reader, "MOST_ENTRIES", len(everything) - 1)
    with pytest.raises(DamagedError):
        [*volume.walk()]


def test_reader_lists_a_folder_whose_chain_loops_once() -> None:
    card = prepared()
    run = clusters(card, "/d")
    volume = FatReader(card, 0, read_geometry(card.read(0, 1)))
    before = volume.folder(run[0]).items
    link(card, run[-1], run[0])
    volume = FatReader(card, 0, read_geometry(card.read(0, 1)))
    assert volume.folder(run[0]).items == before


def test_reader_counts_parts_of_long_names_without_an_entry() -> None:
    card = new_card("fat16")
    with Fat(card) as fs:
        fs.write_bytes("/a long name in the root.txt", b"x")
        slot = fs.stat("/a long name in the root.txt").native.slot
    poke_root(card, slot, 0, b"\xe5")
    folder = FatReader(card, 0, read_geometry(card.read(0, 1))).folder(0)
    assert folder.items == [] and folder.orphans == 3
    found = examined(card)
    assert found["broken-long-name"].cases == 3  # type: ignore[attr-defined]


# The examination


def test_check_of_too_many_entries_says_so_and_counts_no_lost_clusters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(check, "MOST_ENTRIES", 10)
    found = examined(prepared())
    assert "not-looked-at" in found and "lost-clusters" not in found


def test_check_reports_progress() -> None:
    seen: list[int] = []
    volume = FatCheck(prepared(), 0, progress=lambda _, done, __: seen.append(done))
    assert volume.walk.files == 132 and seen[-1] == 132


def test_folder_and_file_with_content_need_a_first_cluster() -> None:
    card = prepared()
    with Fat(card) as fs:
        slots = [fs.stat(name).native.slot for name in ("/d", "/f")]
    for slot in slots:
        poke_root(card, slot, CLUSTER_LOW.offset, b"\0\0")
    found = examined(card)["bad-start"]
    assert found.paths == ("/f", "/d")  # type: ignore[attr-defined]


def test_check_keeps_the_first_cases_and_counts_all() -> None:
    card = new_card("fat16")
    with Fat(card, clock=lambda: NOW) as fs:
        for number in range(MAX_PATHS + 5):
            fs.write_bytes(f"/{number}", b"x")
        slots = [entry.native.slot for entry in fs.scandir("/")]
    for slot in slots:
        poke_root(card, slot, CLUSTER_LOW.offset, b"\0\0")
    found = examined(card)["bad-start"]
    assert found.cases == MAX_PATHS + 5  # type: ignore[attr-defined]
    assert len(found.paths) == MAX_PATHS  # type: ignore[attr-defined]


def test_case_in_a_folder_that_is_unreadable_later_has_no_name() -> None:
    card = prepared()
    folder = clusters(card, "/d")[0]
    poke_folder(card, folder, 2 * ENTRY_SIZE + CLUSTER_LOW.offset, b"\1\0")

    class Worn(RamSectors):
        refuse = False

        def read(self, sector: int, count: int) -> bytes:
            if self.refuse:
                raise SectorError("the card was removed")
            return card.read(sector, count)

        def readinto(self, sector: int, buffer: memoryview) -> None:
            card.readinto(sector, buffer)

    worn = Worn(card.sectors)
    volume = FatCheck(worn, 0)
    (cases,) = volume.walk.cases.values()
    assert volume.walk.path(cases[0].owner) == "/d/0"
    worn.refuse = True
    assert volume.walk.path(cases[0].owner).endswith("?")


# The device


class Refusing(RamSectors):
    """A card that fails in one kind of call."""

    refused = ""

    def readinto(self, sector: int, buffer: memoryview) -> None:
        self._refuse("readinto")
        super().readinto(sector, buffer)

    def sync(self) -> None:
        self._refuse("sync")
        super().sync()

    def _refuse(self, call: str) -> None:
        if call == self.refused:
            raise SectorError(f"{call} failed")


@pytest.mark.parametrize("call", ["readinto", "sync"])
def test_card_that_fails_is_disk_err(call: str) -> None:
    source = prepared()
    card = Refusing(source.sectors)
    card.poke(0, source.read(0, source.sectors))
    with Fat(card) as fs:
        with fs.open("/f", "r+b") as file:
            card.refused = call
            with pytest.raises(FatError) as caught:
                file.readinto(bytearray(4 * SECTOR)) if call == "readinto" else fs.sync()
            assert caught.value.result is FResult.DISK_ERR
            assert isinstance(caught.value.__cause__, SectorError)
            card.refused = ""
        assert fs.read_bytes("/f") == b"f" * 10_000
