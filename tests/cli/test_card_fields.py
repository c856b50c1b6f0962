"""Every byte of a card has a field: table, boot sector, FAT, folders, files, and what is free."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maixfs.explain import AddressError, CardFields, fields_between, parse_address
from maixfs.image.opening import open_image

from .conftest import Run

SIZES = {"12": "2M", "16": "16M", "32": "64M"}
DATA = bytes(range(251)) * 40
Card = tuple[str, Path]


@pytest.fixture(scope="module", params=SIZES)
def card(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Card:
    """Return a card of each type of FAT with files in a folder, one of them removed."""
    from click.testing import CliRunner

    from maixfs.cli.verb import maixfs

    folder = tmp_path_factory.mktemp("card")
    image = folder / "card.img"
    plan = f"rest:fat{request.param}"
    line = ["sd", "new", SIZES[request.param], str(image), "--partitions", plan]
    result = CliRunner().invoke(maixfs, line)
    assert result.exit_code == 0, result.output
    with open_image(image, "r+") as target:
        target.write_bytes("/a long name.bin", DATA)
        target.write_bytes("/GONE.TXT", b"x" * 600)
        target.write_bytes("/SUB/B.TXT", b"hello")
    with open_image(image, "r+") as target:
        target.remove("/GONE.TXT")
    return str(request.param), image


@pytest.fixture
def fields(card: Card) -> Iterator[CardFields]:
    """Return the fields of the card."""
    with open_image(card[1]) as target:
        yield CardFields(target)


def sentence(fields: CardFields, place: str) -> str:
    return fields.explain(fields.resolve(parse_address(place))).sentence


def test_explain_names_the_fields_of_a_card(card: Card, fields: CardFields) -> None:
    start = fields._start
    said = {
        "0": "boot code of the MBR",
        "0x1BE": "status of slot 1 of the partition table",
        "0x1FE": "signature of the MBR: 55 AA",
        "sector:1": "before the first sector of the volume",
        f"sector:{start}@11": "BPB_BytsPerSec of the boot sector: 0200 (512); bytes per sector",
        f"sector:{start}@510": "boot code and signature",
        "fat:2": "cluster 2",
        "file:/SUB/B.TXT@1": "(65 'e', offset 1): data of cluster",
        "file:/a long name.bin@700": "of /a long name.bin",
        "file:/SUB": "the entry '.' of the folder /SUB",
        "cluster:300": "free of cluster 300: of no file",
    }
    for place, words in said.items():
        assert words in sentence(fields, place), place


def test_fat_entry_names_the_file_of_its_chain(fields: CardFields) -> None:
    runs = fields._owners.runs_of("/a long name.bin")
    first = runs[0].first
    assert "/a long name.bin" in sentence(fields, f"fat:{first}")
    assert "is the last of /a long name.bin" in sentence(fields, f"fat:{runs[-1].end - 1}")
    assert "is free" in sentence(fields, "fat:300")


def test_deleted_and_free_entries_are_named(fields: CardFields) -> None:
    names = [field.meaning for field in _metadata(fields) if field.name == "entry"]
    assert "deleted" in names and "free, as are all entries behind it" in names
    parts = {field.structure for field in _metadata(fields)}
    assert "a part of a long name in the folder /" in parts


def _metadata(fields: CardFields) -> list[object]:
    geometry = fields._geometry
    end = (fields._start + geometry.data_start + 64 * geometry.sectors_per_cluster) * 512
    start = (fields._start + geometry.root_start) * 512
    return list(fields_between(fields, start, end - start))


def test_fields_join_without_gap(card: Card, fields: CardFields) -> None:
    geometry = fields._geometry
    volume = fields._start * 512
    ends = [0, volume, volume + geometry.reserved * 512]
    ends += [volume + geometry.root_start * 512, volume + geometry.data_start * 512]
    ends.append(fields.size)
    for border in ends:
        at = first = max(0, border - 700)
        for field in fields_between(fields, first, 1400):
            assert field.start <= at < field.end, field
            assert field.section
            at = field.end
        assert at >= min(first + 1400, fields.size)


@settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(share=st.floats(0, 1, exclude_max=True))
def test_every_byte_of_a_card_has_a_field(share: float, fields: CardFields) -> None:
    address = int(share * fields.size)
    explained = fields.explain(address)
    assert explained.field.start <= address < explained.field.end
    assert explained.sentence


def test_file_address_leads_to_its_bytes(fields: CardFields) -> None:
    for offset in (0, 511, 512, 5000, len(DATA) - 1):
        address = fields.resolve(parse_address(f"file:/a long name.bin@{offset}"))
        assert fields.read(address, 1)[0] == DATA[offset]
        assert fields.at(address).owner == "/a long name.bin"


@pytest.mark.parametrize(
    "place",
    ["page:1", "block:1", "model:0", "cluster:1", "fat:99999999", "file:/no", "0x99999999"],
)
def test_impossible_places_are_refused(place: str, fields: CardFields) -> None:
    with pytest.raises(AddressError):
        fields.resolve(parse_address(place))


def test_hex_and_explain_work_on_cards(card: Card, run: Run) -> None:
    image = str(card[1])
    before = card[1].read_bytes()
    assert "of /SUB/B.TXT" in run("explain", image, "file:/SUB/B.TXT").stdout
    assert "68 65 6C 6C 6F|" in run("hex", f"{image}:/SUB/B.TXT", "-n", "16").stdout
    document = json.loads(run("hex", image, "--at", "0x1BE", "-n", "16", "--json").stdout)
    assert document["fields"][0]["name"] == "status"
    assert card[1].read_bytes() == before
