"""Packing: packed files read back, page by page, at every geometry."""

from __future__ import annotations

import os
import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maixfs.errors import ExistsError, FullError, MaixfsError, UsageError
from maixfs.nor import NorChip, make_driver
from maixfs.spiffs import Spiffs
from maixfs.spiffs.errors import Code, SpiffsError
from maixfs.spiffs.geometry import Geometry, GeometryError
from maixfs.spiffs.pack import (
    PackWarning,
    collect,
    pack,
    page_capacity,
)
from maixfs.spiffs.room import FilePages, file_pages, pages_needed
from spiffs.geometries import GEOMETRIES, IDF, MAIXPY
from spiffs.plain_reader import audit, object_pages, read_files

every_geometry = pytest.mark.parametrize("geometry", GEOMETRIES.values(), ids=GEOMETRIES.keys())


def content(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


def edges(g: Geometry) -> list[int]:
    """Sizes in bytes around which the layout of a file changes."""
    data, header = g.data_size, g.header_entries * g.data_size
    further = header + g.index_entries * data
    return [n for edge in (0, data, header, further) for n in (edge - 1, edge, edge + 1) if n >= 0]


def fitting(sizes: list[int], g: Geometry) -> list[int]:
    """Return the leading sizes for which the area has room."""
    room, chosen = page_capacity(g), []
    for size in sizes:
        room -= file_pages(size, g).total
        if room < 0:
            break
        chosen.append(size)
    return chosen


@st.composite
def file_sets(draw: st.DrawFn, g: Geometry) -> list[tuple[bytes, bytes]]:
    size = st.sampled_from(edges(g)) | st.integers(0, 5 * g.data_size)
    sizes = fitting(draw(st.lists(size, max_size=12)), g)
    byte = st.integers(1, 255).map(lambda value: bytes([value]))
    name = st.lists(byte, min_size=1, max_size=g.name_length - 1).map(b"".join)
    names = draw(st.lists(name, min_size=len(sizes), max_size=len(sizes), unique=True))
    return [
        (name, content(size, k)) for k, (name, size) in enumerate(zip(names, sizes, strict=True))
    ]


@every_geometry
@settings(max_examples=12)
@given(data=st.data())
def test_packed_files_read_back_unchanged(geometry: Geometry, data: st.DataObject) -> None:
    files = data.draw(file_sets(geometry))
    image = bytes(pack(files, geometry))
    assert [(f.name, f.content) for f in read_files(image, geometry)] == files
    assert [f.obj_id for f in read_files(image, geometry)] == list(range(1, len(files) + 1))
    audit(image, geometry)


@every_geometry
def test_every_edge_size_reads_back(geometry: Geometry) -> None:
    for size in edges(geometry):
        if fitting([size], geometry):
            image = bytes(pack({"/f": content(size)}, geometry))
            assert [f.content for f in read_files(image, geometry)] == [content(size)]
            audit(image, geometry)


@every_geometry
def test_a_full_area_leaves_two_empty_blocks(geometry: Geometry) -> None:
    sizes = fitting([3 * geometry.data_size] * 1000, geometry)
    sizes += [0] * (page_capacity(geometry) - pages_needed(sizes, geometry))
    files = [(f"/{k}", content(size, k)) for k, size in enumerate(sizes)]
    image = bytes(pack(files, geometry))
    audit(image, geometry)
    free = [page.entry == 0xFFFF for page in object_pages(image, geometry).values()]
    assert free == [False] * page_capacity(geometry) + [True] * (2 * geometry.usable_pages)
    with pytest.raises(FullError):
        pack([*files, ("/one-more", b"")], geometry)


def mounted(image: bytes, g: Geometry) -> Spiffs:
    chip = NorChip.in_memory(g.base + g.size)
    chip.program(g.base, image)
    return Spiffs(make_driver("ideal", chip), g)


@every_geometry
def test_driver_reads_and_changes_a_packed_area(geometry: Geometry) -> None:
    sizes = fitting([size for size in edges(geometry) if size < 40 * geometry.data_size], geometry)
    files = {f"/{k}": content(size, k) for k, size in enumerate(sizes)}
    with mounted(bytes(pack(files, geometry)), geometry) as fs:
        assert {entry.path: entry.size for entry in fs.scandir()} == {
            name: len(data) for name, data in files.items()
        }
        files["/0"] += b"more"
        with fs.open("/0", "ab") as file:
            file.write(b"more")
        fs.remove("/1")
        del files["/1"]
        for name, data in files.items():
            assert fs.read_bytes(name) == data


def test_full_packed_area_takes_a_file_after_a_removal() -> None:
    files = {f"/{k}": content(9 * 4091, k) for k in range(68)}
    with mounted(bytes(pack(files, MAIXPY)), MAIXPY) as fs:
        with pytest.raises(FullError):
            fs.write_bytes("/new", files["/5"])
        fs.remove("/5")
        fs.write_bytes("/new", files["/5"])
        files["/new"] = files.pop("/5")
        for name, data in files.items():
            assert fs.read_bytes(name) == data


@every_geometry
def test_an_empty_area_is_a_fresh_format(geometry: Geometry) -> None:
    image = bytes(pack([], geometry))
    audit(image, geometry)
    assert read_files(image, geometry) == []


@every_geometry
def test_same_input_gives_same_bytes(geometry: Geometry) -> None:
    files = [("/a", content(700)), ("/b", b""), ("/c", content(40))]
    assert pack(files, geometry) == pack(iter(files), geometry)
    assert pack(files, geometry) == pack(dict(files), geometry)


def test_base_address_does_not_change_the_image() -> None:
    files = {"/a": content(5000)}
    assert pack(files, replace(IDF, base=0x10000)) == pack(files, IDF)


def test_an_empty_file_keeps_its_size_unwritten() -> None:
    # The first write programs the size in place: a zero there could not be changed any more.
    image = pack({"/empty": b""}, MAIXPY)
    assert image[0x1000 + 8 : 0x1000 + 12] == b"\xff" * 4


def test_padding_of_the_header_is_zero() -> None:
    image = pack({"/a": b"x"}, MAIXPY)
    assert image[0x1000 + 5 : 0x1000 + 8] == bytes(3)
    assert image[0x1000 + 141] == 0


def test_meta_is_stored_and_blank_by_default() -> None:
    image = bytes(pack([("/a", b"", b"\1\2\3\4"), ("/b", b"", None), ("/c", b"")], IDF))
    assert [f.meta for f in read_files(image, IDF)] == [b"\1\2\3\4", b"\xff" * 4, b"\xff" * 4]


@pytest.mark.parametrize("meta", [b"", b"123", b"12345"])
def test_meta_of_another_length_is_refused(meta: bytes) -> None:
    with pytest.raises(UsageError, match="meta is"):
        pack([("/a", b"", meta)], IDF)


def test_sixty_files_of_two_mebibytes_fit_the_maixpy_area() -> None:
    files = [(f"/f{k:02}.bin", content(2 * 1024 * 1024 // 60, k)) for k in range(60)]
    image = bytes(pack(files, MAIXPY))
    assert [(f.name.decode(), f.content) for f in read_files(image, MAIXPY)] == files
    starts = range(0, MAIXPY.size, MAIXPY.block_size)
    assert sum(image[at : at + 2] == b"\xff\xff" for at in starts) > 3


def test_files_that_do_not_fit_are_counted_and_named() -> None:
    sizes = {"/small": 10, "/huge": 2_000_000, "/big": 900_000, "/b": 4091, "/c": 1, "/d": 0}
    with pytest.raises(FullError) as caught:
        pack({name: bytes(size) for name, size in sizes.items()}, MAIXPY)
    needed = sum(file_pages(size, MAIXPY).total for size in sizes.values())
    assert f"{needed - 682} pages of 4096 bytes too many" in str(caught.value)
    assert f"6 files need {needed}, 682 fit" in str(caught.value)
    listed = "/huge (490), /big (221), /b (2), /c (2), /small (2)"
    assert caught.value.hint is not None
    assert caught.value.hint.endswith(listed)
    assert caught.value.code is Code.FULL


def test_a_host_file_that_cannot_fit_is_never_read(tmp_path: Path) -> None:
    huge = tmp_path / "huge"
    with huge.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(FullError):
        pack({"/huge": huge}, MAIXPY)


def test_fewer_spare_blocks_hold_more() -> None:
    g = GEOMETRIES["smallest"]
    files = [(f"/{k}", b"") for k in range(4 * g.usable_pages)]
    audit(bytes(pack(files, g, spare_blocks=0)), g)
    with pytest.raises(FullError):
        pack(files, g, spare_blocks=1)


@pytest.mark.parametrize("spare", [-1, 24, 1000])
def test_impossible_spare_blocks_are_refused(spare: int) -> None:
    with pytest.raises(UsageError, match="spare blocks"):
        pack({}, MAIXPY, spare_blocks=spare)


def test_more_files_than_object_ids() -> None:
    g = Geometry(0xFF0000, 0x10000, 256, erase_size=0x10000)
    assert len(pack([(str(k), b"") for k in range(0x7FFE)], g)) == g.size
    with pytest.raises(FullError, match="object ids"):
        pack([(str(k), b"") for k in range(0x7FFF)], g)


@pytest.mark.parametrize("name", ["", b"", "/a\0b", b"\0", "/\ud800"])
def test_names_that_cannot_be_stored_are_refused(name: str | bytes) -> None:
    with pytest.raises(UsageError):
        pack([(name, b"")], MAIXPY)


def test_name_length_is_counted_in_bytes() -> None:
    pack({"/" + "n" * 126: b""}, MAIXPY)
    for name in ("/" + "n" * 127, "/" + "é" * 64):
        with pytest.raises(SpiffsError) as caught:
            pack({name: b""}, MAIXPY)
        assert caught.value.code is Code.NAME_TOO_LONG


def test_host_names_that_are_not_utf8_are_kept_as_bytes() -> None:
    image = bytes(pack({b"/caf\xe9".decode("utf-8", "surrogateescape"): b""}, MAIXPY))
    assert [f.name for f in read_files(image, MAIXPY)] == [b"/caf\xe9"]


def test_a_name_given_twice_is_refused() -> None:
    with pytest.raises(ExistsError, match="/a"):
        pack([("/a", b""), (b"/a", b"1")], MAIXPY)


@pytest.mark.parametrize(
    "impossible",
    [
        IDF.with_size(0),
        Geometry(0x20000, 0x2000, 128),  # the entries leave no room for a magic
    ],
)
def test_geometries_without_room_are_refused(impossible: Geometry) -> None:
    with pytest.raises((GeometryError, SpiffsError)):
        pack({}, impossible)


def test_look_up_entries_past_their_pages_are_refused() -> None:
    with pytest.raises(GeometryError, match="192 look-up entries do not fit 1 pages"):
        Geometry(0x60000, 0xC000, 256)


def test_missing_host_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="gone"):
        pack({"/gone": tmp_path / "gone"}, MAIXPY)


def test_folder_as_content_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(UsageError, match="folder"):
        pack({"/folder": folder}, MAIXPY)


def test_host_file_that_grows_while_packing_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"x")
    monkeypatch.setattr("maixfs.spiffs.pack.read_file", lambda _: bytes(5000))
    with pytest.raises(UsageError, match="changed while it was read"):
        pack({"/log": path}, MAIXPY)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (0, FilePages(0, 1)),
        (1, FilePages(1, 1)),
        (251, FilePages(1, 1)),
        (252, FilePages(2, 1)),
        (103 * 251, FilePages(103, 1)),
        (103 * 251 + 1, FilePages(104, 2)),
        ((103 + 124) * 251, FilePages(227, 2)),
        ((103 + 124) * 251 + 1, FilePages(228, 3)),
    ],
)
def test_pages_of_a_file(size: int, expected: FilePages) -> None:
    assert file_pages(size, IDF) == expected


class TestCollect:
    def test_collect_orders_names_by_their_bytes(self, tmp_path: Path) -> None:
        for name in ("b.py", "a/z.py", "a.py", "a/b/c.txt", "Z", "ä"):
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(name.encode())
        plan = collect(tmp_path)
        names = [file.name.decode() for file in plan.files]
        assert names == ["/Z", "/a.py", "/a/b/c.txt", "/a/z.py", "/b.py", "/ä"]
        image = bytes(pack(plan.files, MAIXPY))
        assert all(b"/" + f.content == f.name for f in read_files(image, MAIXPY))
        assert plan.warnings == (PackWarning("folders", (b"/a/", b"/a/b/")),)

    def test_collect_with_an_empty_prefix_gives_names_without_a_slash(
        self, tmp_path: Path
    ) -> None:
        (tmp_path / "a").write_bytes(b"")
        assert [file.name for file in collect(str(tmp_path), prefix="").files] == [b"a"]

    def test_collect_warns_about_empty_folders(self, tmp_path: Path) -> None:
        for name in "dbca":
            (tmp_path / name).mkdir()
        plan = collect(tmp_path)
        assert plan.files == ()
        names = (b"/a/", b"/b/", b"/c/", b"/d/")
        assert PackWarning("empty-folder", names) in plan.warnings
        assert "/c/ and 1 more" in str(PackWarning("empty-folder", names))

    def test_collect_leaves_out_files_of_the_host(self, tmp_path: Path) -> None:
        (tmp_path / ".git").mkdir()
        for name in (".git/HEAD", ".DS_Store", ".hidden"):
            (tmp_path / name).write_bytes(b"")
        plan = collect(tmp_path)
        assert [file.name for file in plan.files] == [b"/.hidden"]
        assert plan.warnings == (PackWarning("host-file", (b"/.DS_Store", b"/.git")),)
        assert len(collect(tmp_path, everything=True).files) == 3

    def test_plan_lists_names_that_are_too_long(self, tmp_path: Path) -> None:
        (tmp_path / ("n" * 40)).write_bytes(b"")
        plan = collect(tmp_path)
        assert plan.too_long(MAIXPY) == ()
        assert plan.too_long(IDF) == (b"/" + b"n" * 40,)

    @pytest.mark.parametrize("name", ["missing", "file"])
    def test_collect_refuses_a_path_that_is_not_a_folder(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises(UsageError, match=name):
            collect(tmp_path / name)


def can_link(tmp_path: Path) -> bool:
    try:
        (tmp_path / "probe").symlink_to("nowhere")
    except OSError:
        return False
    (tmp_path / "probe").unlink()
    return True


class TestLinks:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        if not can_link(tmp_path):
            pytest.skip("this host makes no links")
        (tmp_path / "outside").mkdir()
        (tmp_path / "outside" / "secret").write_bytes(b"s")
        folder = tmp_path / "folder"
        (folder / "lib").mkdir(parents=True)
        (folder / "lib" / "m.py").write_bytes(b"m")
        return folder

    def names(self, folder: Path, *, follow_links: bool = False) -> list[str]:
        return [file.name.decode() for file in collect(folder, follow_links=follow_links).files]

    def test_links_out_are_followed_only_when_asked(self, folder: Path) -> None:
        (folder / "file").symlink_to(folder.parent / "outside" / "secret")
        (folder / "dir").symlink_to(folder.parent / "outside")
        assert self.names(folder) == ["/lib/m.py"]
        assert PackWarning("outside", (b"/dir/", b"/file")) in collect(folder).warnings
        assert self.names(folder, follow_links=True) == ["/dir/secret", "/file", "/lib/m.py"]

    def test_collect_leaves_out_links_to_another_drive(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def two_drives(_: object) -> bytes:
            raise ValueError("Paths don't have the same drive")

        (folder / "file").symlink_to("lib/m.py")
        monkeypatch.setattr(os.path, "commonpath", two_drives)
        assert self.names(folder) == []

    def test_collect_follows_links_inside_the_folder(self, folder: Path) -> None:
        (folder / "m").symlink_to("lib/m.py")
        (folder / "lib2").symlink_to("lib")
        assert self.names(folder) == ["/lib/m.py", "/lib2/m.py", "/m"]

    @pytest.mark.parametrize("follow_links", [False, True])
    def test_collect_leaves_out_links_that_form_a_circle(
        self, folder: Path, follow_links: bool
    ) -> None:
        (folder / "lib" / "up").symlink_to(folder)
        (folder / "self").symlink_to("self")
        assert self.names(folder, follow_links=follow_links) == ["/lib/m.py"]

    def test_links_that_multiply_are_refused(self, folder: Path) -> None:
        for depth in range(24):
            step = folder / f"d{depth}"
            step.mkdir()
            (step / "x").symlink_to(folder / f"d{depth + 1}")
            (step / "y").symlink_to(folder / f"d{depth + 1}")
        (folder / "d24").mkdir()
        with pytest.raises(UsageError, match="links to folders"):
            collect(folder)


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_collect_keeps_host_names_that_are_not_text(tmp_path: Path) -> None:
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")).write_bytes(b"1")
    except OSError:
        pytest.skip("this file system wants text")
    plan = collect(tmp_path)
    assert [file.name for file in plan.files] == [b"/caf\xe9"]
    assert plan.warnings == (PackWarning("not-utf8", (b"/caf\xe9",)),)
    assert r"/caf\xe9" in str(plan.warnings[0])
    assert [f.content for f in read_files(bytes(pack(plan.files, MAIXPY)), MAIXPY)] == [b"1"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this host has no pipes")
def test_collect_leaves_out_pipes(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    plan = collect(tmp_path)
    assert plan.files == ()
    assert plan.warnings == (PackWarning("special", (b"/pipe",)),)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.text(max_size=40), st.binary(max_size=40)), max_size=8))
def test_pack_raises_only_maixfs_errors(files: list[tuple[str, bytes]]) -> None:
    g = GEOMETRIES["smallest"]
    try:
        image = bytes(pack(files, g))
    except MaixfsError:
        return
    assert [(f.name.decode(), f.content) for f in read_files(image, g)] == files
