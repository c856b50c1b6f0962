"""Images compared: parts, files, pages, and whether garbage collection is behind it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image.imageparts import chip, krux
from kmodel.make_models import make_v3, make_v4
from maixfs.board import Board
from maixfs.cards import new_card
from maixfs.compare import Change, PartDiff, Reason, diff, find_ranges
from maixfs.compare.images import SECTOR, compare_areas, count_differing, differing_sectors
from maixfs.errors import UsageError
from maixfs.firmware import wrap
from maixfs.image.opening import open_image
from maixfs.nor import IdealDriver, NorChip
from maixfs.spiffs import PRESETS, Geometry, OpenFlag, SpiffsCore
from maixfs.spiffs.pack import pack

PROGRAM = b"\x21\xa8\xef\xbe\xad\xde\x01\x00\x01\x00" + bytes(range(256)) * 20
GEOMETRIES = {
    "maixpy": replace(PRESETS["maixpy"], base=0x40000, size=0xA0000),
    "esp-idf": replace(PRESETS["esp-idf"], base=0x40000, size=0x40000),
}
SIZE = 0x100000
NEW = OpenFlag.CREAT | OpenFlag.TRUNC | OpenFlag.WRONLY
FILES = {"/main.py": b"print(1)\n", "/lib/a.py": b"A = 1\n" * 2000, "/empty": b""}


def make(geometry: Geometry, files: dict[str, bytes] = FILES) -> bytearray:
    image = bytearray(b"\xff" * SIZE)
    put(image, 0, wrap(PROGRAM))
    put(image, 0x10000, make_v3())
    put(image, geometry.base, bytes(pack(files, geometry)))
    return image


def put(image: bytearray, address: int, data: bytes) -> None:
    image[address : address + len(data)] = data


def worked(image: bytes, geometry: Geometry, work: Callable[[SpiffsCore], object]) -> bytes:
    """Return the image after some work on its file system."""
    chip = NorChip.in_memory(len(image), content=image)
    work(SpiffsCore(IdealDriver(chip), geometry, faithful=True))
    return chip.read(0, chip.size)


def write(fs: SpiffsCore, path: str, data: bytes) -> None:
    with fs.open_descriptor(path, NEW) as file:
        file.write(data)


def only(parts: tuple[PartDiff, ...]) -> PartDiff:
    (part,) = parts
    return part


@pytest.fixture(params=GEOMETRIES)
def geometry(request: pytest.FixtureRequest) -> Geometry:
    return GEOMETRIES[request.param]


def test_equal_images_have_no_parts(geometry: Geometry) -> None:
    image = make(geometry)
    result = diff(image, bytes(image))
    assert result.equal and not result.parts and not result.sectors


def test_changed_file_is_reported_with_its_first_byte(geometry: Geometry) -> None:
    image = make(geometry)
    changed = bytearray(FILES["/lib/a.py"])
    changed[4567] ^= 1
    after = worked(image, geometry, lambda fs: write(fs, "/lib/a.py", changed))
    part = only(diff(image, after).parts)
    assert (part.kind, part.change) == ("spiffs", Change.CHANGED)
    area = part.area
    assert area is not None and area.reason is Reason.FILES
    (file,) = area.files
    assert (file.path, file.change, file.first) == ("/lib/a.py", Change.CHANGED, 4567)
    assert area.equal_files == 2
    owned = {page.path for page in area.pages if page.change is Change.CHANGED}
    assert owned == {"/lib/a.py"}
    assert {page.change for page in area.pages} <= {Change.CHANGED, Change.LOOKUP}


def test_added_removed_and_renamed_files_are_reported(geometry: Geometry) -> None:
    image = make(geometry)

    def work(fs: SpiffsCore) -> None:
        write(fs, "/new", b"new" * 100)
        fs.rename("/lib/a.py", "/lib/b.py")
        fs.remove("/main.py")

    area = only(diff(image, worked(image, geometry, work)).parts).area
    assert area is not None
    found = {file.path: (file.change, file.old_path) for file in area.files}
    assert found == {
        "/new": (Change.ADDED, None),
        "/lib/b.py": (Change.RENAMED, "/lib/a.py"),
        "/main.py": (Change.REMOVED, None),
    }
    assert area.equal_files == 1
    changes = Counter(page.change for page in area.pages)
    assert changes[Change.ADDED] == (2 if geometry.page_size > 300 else 3)
    assert changes[Change.REMOVED] == 2
    assert changes[Change.RENAMED] >= 1


def test_garbage_collection_is_not_a_change_of_files(geometry: Geometry) -> None:
    def churn(fs: SpiffsCore) -> None:
        for number in range(5):
            write(fs, "/main.py", b"%d" % number * 2000)
        write(fs, "/main.py", FILES["/main.py"])

    before = worked(make(geometry), geometry, churn)

    def collect(fs: SpiffsCore) -> None:
        state = fs.statvfs()
        more = state.free - 2 * geometry.usable_pages + 4
        fs.gc(more * geometry.data_size)

    after = worked(before, geometry, collect)
    part = only(diff(before, after).parts)
    assert part.change is Change.GC_ONLY
    area = part.area
    assert area is not None and area.reason is Reason.COLLECTION
    assert not area.files and area.equal_files == len(FILES)
    assert area.erased_blocks
    assert {page.change for page in area.pages} <= {
        Change.MOVED,
        Change.LEFTOVER,
        Change.LOOKUP,
    }


def test_rewritten_equal_file_is_reported_as_same_files(geometry: Geometry) -> None:
    image = make(geometry)
    after = worked(image, geometry, lambda fs: write(fs, "/main.py", FILES["/main.py"]))
    part = only(diff(image, after).parts)
    assert part.change is Change.SAME_FILES
    assert part.area is not None and part.area.reason is Reason.REWRITING


def test_bytes_without_file_are_leftover(geometry: Geometry) -> None:
    image = make(geometry)
    after = bytearray(image)
    after[geometry.base + geometry.size - 1] = 0x55
    part = only(diff(image, after).parts)
    assert part.area is not None and part.area.reason is Reason.LEFTOVER
    (page,) = part.area.pages
    assert (page.change, page.page) == (Change.LEFTOVER, geometry.pages - 1)
    assert part.differing == 1


def test_changed_added_and_moved_parts_are_reported() -> None:
    before = make(GEOMETRIES["maixpy"])
    after = bytearray(before)
    put(after, 0, wrap(PROGRAM[:-1] + b"!"))
    put(after, 0x10000, b"\xff" * len(make_v3()))
    put(after, 0x20000, make_v3())
    put(after, 0x30000, make_v4())
    parts = {part.start: part for part in diff(before, after).parts}
    assert {at: (one.kind, one.change) for at, one in parts.items()} == {
        0: ("firmware", Change.CHANGED),
        0x20000: ("model", Change.MOVED),
        0x30000: ("model", Change.ADDED),
    }
    assert parts[0x20000].old_start == 0x10000
    back = {part.start: part.change for part in diff(after, before).parts}
    assert back == {0: Change.CHANGED, 0x10000: Change.MOVED, 0x30000: Change.REMOVED}


def test_bytes_behind_a_part_belong_to_its_last_sector() -> None:
    before = make(GEOMETRIES["maixpy"])
    after = bytearray(before)
    end = len(wrap(PROGRAM))
    put(after, end + 9, b"tail")
    part = only(diff(before, after).parts)
    assert (part.kind, part.change, part.differing) == ("unknown", Change.CHANGED, 4)
    after[100] ^= 1
    part = only(diff(before, after).parts)
    assert (part.kind, part.start, part.differing) == ("firmware", 0, 5)


def test_detail_of_a_boot_configuration_lists_its_entries() -> None:
    before, after = bytearray(chip(krux())), bytearray(chip(krux(0x390000)))
    parts = {part.start: part for part in diff(before, after).parts}
    assert parts[0x4000].old_detail == "0: 'firmware' at 0x80000"
    assert parts[0x4000].new_detail == "0: 'firmware' at 0x390000"
    assert (parts[0x390000].change, parts[0x390000].old_start) == (Change.MOVED, 0x80000)
    assert set(parts) == {0x4000, 0x5000, 0x390000}


def test_bytes_without_part_are_added_removed_or_changed() -> None:
    before = make(GEOMETRIES["maixpy"])
    after = bytearray(before)
    put(after, 0xF0100, b"hello")
    put(after, 0xF2000, bytes(SECTOR))
    found = {p.start: (p.kind, p.change, p.differing) for p in diff(before, after).parts}
    assert found == {
        0xF0000: ("unknown", Change.ADDED, 5),
        0xF2000: ("zero", Change.ADDED, SECTOR),
    }
    back = [part.change for part in diff(after, before).parts]
    assert back == [Change.REMOVED, Change.REMOVED]


def test_longer_image_has_an_added_part() -> None:
    image = make(GEOMETRIES["maixpy"])
    result = diff(image, image + b"tail")
    assert not result.equal
    part = only(result.parts)
    assert (part.change, part.start, part.size, part.differing) == (Change.ADDED, SIZE, 4, 4)
    assert only(diff(image + b"tail", image).parts).change is Change.REMOVED
    assert diff(b"", b"").equal
    assert [one.change for one in diff(b"", b"x").parts] == [Change.ADDED]


def test_file_systems_are_paired_across_address_and_geometry() -> None:
    first, second = GEOMETRIES.values()
    part = only(diff(make(first), make(second)).parts)
    assert part.area is not None
    assert not part.area.same_geometry and not part.area.files
    moved = replace(first, base=0x50000)
    part = only(diff(make(first), make(moved)).parts)
    assert (part.change, part.old_start, part.start) == (Change.MOVED, 0x40000, 0x50000)


def test_damaged_area_gives_a_fault() -> None:
    geometry = GEOMETRIES["maixpy"]
    before = make(geometry)
    generator = random.Random(7)
    for _ in range(5):
        after = bytearray(before)
        for _ in range(40):
            after[geometry.base + generator.randrange(geometry.size)] = generator.randrange(256)
        result = diff(before, after)
        assert result.parts and not result.equal
    area = compare_areas(memoryview(before), geometry, memoryview(bytes(SIZE)), geometry)
    assert "does not mount" in area.fault or area.files


@given(
    st.binary(max_size=3 * SECTOR),
    st.lists(st.tuples(st.integers(0, 3 * SECTOR), st.integers(1, 255)), max_size=12),
    st.integers(-3, 3),
)
def test_sectors_and_ranges_match_a_plain_comparison(
    data: bytes, flips: list[tuple[int, int]], grow: int
) -> None:
    other = bytearray(data)
    for at, value in flips:
        if at < len(other):
            other[at] ^= value
    other = other + b"x" * grow if grow >= 0 else other[:grow]
    old, new = memoryview(data), memoryview(other)
    size = max(len(data), len(other))
    expected = [at for at in range(size) if data[at : at + 1] != other[at : at + 1]]
    sectors = list(differing_sectors(old, new))
    assert sectors == sorted({at - at % SECTOR for at in expected})
    assert count_differing(old, new, sectors, 0, size) == len(expected)
    ranges = list(find_ranges(old, new, sectors, 0, size))
    covered = [at for one in ranges for at in range(one.start, one.start + one.size)]
    assert set(expected) <= set(covered)
    assert all({one.start, one.start + one.size - 1} <= set(expected) for one in ranges)


def test_paths_are_compared_as_their_bytes(tmp_path: Path) -> None:
    before, after = tmp_path / "before.bin", tmp_path / "after.bin"
    before.write_bytes(b"\xff" * 0x3000)
    after.write_bytes(b"\xff" * 0x1000 + b"x" * 0x2000)
    assert diff(before, str(after)) == diff(before.read_bytes(), after.read_bytes())
    assert [part.start for part in diff(before, after).parts] == [0x1000]


def test_missing_path_raises_file_not_found(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        diff(tmp_path / "none.bin", b"")


def test_board_and_open_image_are_compared_as_flashes(tmp_path: Path) -> None:
    Board.create(tmp_path / "board", from_dump=None)
    with open_image(tmp_path / "board", "r+") as image:
        image.write_bytes("/flash/a", b"a")
        assert not diff(tmp_path / "board", image).equal
        image.commit()
        assert diff(str(tmp_path / "board"), image).equal
    assert diff(tmp_path / "board", tmp_path / "board" / "flash.bin").equal


def test_card_is_not_compared_as_a_flash(tmp_path: Path) -> None:
    new_card(tmp_path / "card.img", 16 << 20)
    with open_image(tmp_path / "card.img") as image, pytest.raises(UsageError):
        diff(b"", image)
