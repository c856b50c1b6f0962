"""Looking at a target: the same behaviour whatever it is on the host."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import maixfs
from image.places import FILES, SMALL, Place, make_bare, make_board, make_image
from maixfs.image.address import TargetPath
from maixfs.image.entries import Kind
from maixfs.image.errors import MissingError, NoFileSystemError, TargetError
from maixfs.image.opening import open_image, open_mounted
from maixfs.spiffs import PRESETS
from maixfs.spiffs.pack import pack


def test_kind_and_geometry_are_found(place: Place) -> None:
    with open_image(place.host) as target:
        assert target.spiffs.geometry == place.geometry
        assert target.spiffs.geometry.base == place.geometry.base
        if place.host.is_dir():
            assert target.kind is Kind.BOARD
            assert target.spiffs.detection is None
            assert target.size == 0x100000
        else:
            assert target.kind is (Kind.FLASH_IMAGE if place.prefix else Kind.SPIFFS_IMAGE)
            assert target.spiffs.detection is not None
            assert target.size == place.host.stat().st_size
        assert target.mount_point == (place.prefix or "/")


def test_every_file_reads_as_it_was_written(place: Place) -> None:
    with open_image(place.host) as target:
        for name, content in FILES.items():
            path = place.path(name.decode()[1:])
            assert target.read_bytes(path) == content
            with target.open(path, "rb") as stream:
                assert stream.read() == content
            entry = target.stat(path)
            assert (entry.path, entry.size, entry.native.raw_name) == (path, len(content), name)
            assert entry.readable
            assert entry.fault is None


def test_slashes_in_names_read_as_folders(place: Place) -> None:
    with open_image(place.host) as target:
        here = [(entry.name, entry.is_dir) for entry in target.scandir()]
        assert here == [("empty", False), ("lib", True), ("main.py", False)]
        lib = target.stat(place.path("lib"))
        assert lib.size == sum(len(c) for n, c in FILES.items() if n.startswith(b"/lib"))
        assert lib.units == sum(
            e.units for e in target.scandir(lib.path, recursive=True) if not e.is_dir
        )
        assert [e.path for e in target.scandir(place.path("lib"), recursive=True)] == [
            place.path("lib/a.py"),
            place.path("lib/deep"),
            place.path("lib/deep/b.bin"),
        ]
        assert [e.name for e in target.scandir(place.path("main.py"))] == ["main.py"]


def test_the_root_lists_what_is_mounted(board: Place) -> None:
    with open_image(board.host) as target:
        assert [(e.path, e.is_dir) for e in target.scandir("/")] == [("/flash", True)]
        assert target.stat("/").is_dir
        assert target.stat("/flash").size == sum(map(len, FILES.values()))


def test_relative_paths_start_at_the_mount_point(place: Place) -> None:
    with open_image(place.host) as target:
        assert target.read_bytes("main.py") == FILES[b"/main.py"]
        assert target.read_bytes("lib/../main.py") == FILES[b"/main.py"]
        assert target.exists("")


def test_a_bare_image_understands_flash(tmp_path: Path) -> None:
    with open_image(make_bare(tmp_path, SMALL).host) as target:
        assert target.read_bytes("/flash/main.py") == FILES[b"/main.py"]
        assert [e.name for e in target.scandir("/flash")] == ["empty", "lib", "main.py"]
    files = {b"/flash/main.py": b"deep", b"/main.py": b"top"}
    with open_image(make_bare(tmp_path, SMALL, files).host) as target:
        assert target.read_bytes("/flash/main.py") == b"deep"
        assert target.read_bytes("/flash/flash/main.py") == b"deep"


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*.py", ["main.py"]),
        ("*", ["empty", "lib", "main.py"]),
        ("lib/*", ["a.py", "deep"]),
        ("**/*.py", ["a.py", "main.py"]),
        ("**", ["empty", "lib", "a.py", "deep", "b.bin", "main.py"]),
        ("lib/[a-c].*", ["a.py"]),
        ("mai?.py", ["main.py"]),
        ("*.txt", []),
        ("main.py", ["main.py"]),
        ("nothing", []),
    ],
)
def test_glob_returns_what_a_pattern_matches(place: Place, pattern: str, names: list[str]) -> None:
    with open_image(place.host) as target:
        assert [entry.name for entry in target.glob(place.path(pattern))] == names


def test_name_that_looks_like_a_pattern_is_found(tmp_path: Path) -> None:
    files = {b"/a[1].py": b"1", b"/a1.py": b"2"}
    with open_image(make_bare(tmp_path, SMALL, files).host) as target:
        assert [entry.native.raw_name for entry in target.glob("/a[1].py")] == [b"/a[1].py"]
        assert [entry.name for entry in target.glob("/a*")] == ["a1.py", "a[1].py"]


def test_glob_of_many_stars_ends(tmp_path: Path) -> None:
    files = {b"/" + b"a/" * 40 + b"a": b""}
    with open_image(make_bare(tmp_path, SMALL, files).host) as target:
        assert target.glob("/" + "**/a/" * 20 + "b") == []
        assert len(target.glob("/**/a/**/a/**/a")) == 39


def test_names_without_a_leading_slash_are_found(tmp_path: Path) -> None:
    files = {b"main.py": b"bare", b"x": b"1", b"/x": b"2"}
    with open_image(make_bare(tmp_path, SMALL, files).host) as target:
        assert target.read_bytes("/main.py") == b"bare"
        first, second = target.scandir()[1:]
        assert [target.read_bytes(first.path), target.read_bytes(second.path)] == [b"1", b"2"]
        assert second.path == rf"/x\p{second.native.page}"


def test_names_that_are_not_utf8_can_be_typed(tmp_path: Path) -> None:
    with open_image(make_bare(tmp_path, SMALL, {b"/\xff\xfe a": b"odd"}).host) as target:
        (entry,) = target.scandir()
        assert entry.path == r"/\xff\xfe a"
        assert target.read_bytes(entry.path) == b"odd"
        assert target.read_bytes("/\udcff\udcfe a") == b"odd"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/sd/x", "no card in this board"),
        ("/spiffs/x", "nothing is mounted there"),
        ("/flash/none", "no such file"),
        ("/flash/main.py/x", "no such file"),
        (r"/flash/main.py\p9999", "no file has its header at page 9999"),
    ],
)
def test_missing_path_raises_missing_error(board: Place, path: str, message: str) -> None:
    with open_image(board.host) as target:
        assert not target.exists(path)
        with pytest.raises(MissingError, match=message):
            target.read_bytes(path)
        with pytest.raises(FileNotFoundError):
            target.stat(path)


def test_missing_path_offers_a_similar_name(board: Place) -> None:
    with open_image(board.host) as target, pytest.raises(MissingError) as caught:
        target.read_bytes("/flash/mian.py")
    assert caught.value.hint == "there is /flash/main.py"


def test_folder_opened_as_a_file_raises(board: Place) -> None:
    with open_image(board.host) as target, pytest.raises(TargetError, match="is a folder"):
        target.read_bytes("/flash/lib")


def test_room_adds_up(place: Place) -> None:
    with open_image(place.host) as target:
        room = target.room()
        assert room.files == len(FILES)
        assert room.used_pages + room.free_pages + room.deleted_pages == room.total_pages
        assert room.used_pages == sum(
            e.units for e in target.scandir(recursive=True) if not e.is_dir
        )
        assert room.as_dict()["free"] == room.free == room.free_pages * room.data_size
        assert room.total == room.used + room.deleted + room.free


def test_text_path_and_target_path_open_alike(board: Place) -> None:
    for given in (str(board.host), f"{board.host}:/flash", board.host, TargetPath(board.host)):
        with open_image(given) as target:
            assert target.host == board.host
    with maixfs.open(str(board.host)) as target:
        assert target.read_bytes("/flash/main.py") == FILES[b"/main.py"]


def test_board_that_was_never_on_reads_as_empty(tmp_path: Path) -> None:
    host = tmp_path / "board"
    make_board(tmp_path, SMALL, 0x100000)
    (host / "flash.bin").write_bytes(b"\xff" * 0x100000)
    with open_image(host) as target:
        assert target.spiffs.blank
        assert target.scandir() == []
        assert target.room().free_pages == target.room().total_pages


def test_given_geometry_is_used(tmp_path: Path) -> None:
    bare = make_bare(tmp_path, PRESETS["maixpy"])
    with open_image(bare.host, geometry=PRESETS["maixpy"]) as target:
        assert target.kind is Kind.SPIFFS_IMAGE
        assert target.spiffs.detection is None
        assert target.read_bytes("/main.py") == FILES[b"/main.py"]
    small = make_bare(tmp_path, PRESETS["esp-idf"].with_size(0x40000))
    with open_image(small.host, geometry=PRESETS["esp-idf"]) as target:
        assert target.spiffs.geometry.size == 0x40000


def test_base_overrides_that_of_a_given_geometry(tmp_path: Path) -> None:
    image = make_image(tmp_path, SMALL, 0x100000)
    with open_image(image.host, geometry=replace(SMALL, base=0), base=SMALL.base) as target:
        assert target.read_bytes("/flash/main.py") == FILES[b"/main.py"]
        assert target.spiffs.geometry == SMALL
    with pytest.raises(NoFileSystemError, match="cut short"):
        open_mounted(image.host, "r+", geometry=SMALL, base=0xC0000)
    with pytest.raises(NoFileSystemError, match="base"):
        open_mounted(image.host, geometry=SMALL, base=0x1234)


def test_base_opens_another_area_of_a_board(tmp_path: Path) -> None:
    board = make_board(tmp_path, SMALL, 0x100000)
    second = replace(PRESETS["esp-idf"], size=0x40000, base=0xC0000)
    flash = bytearray((board.host / "flash.bin").read_bytes())
    flash[second.base :] = pack({b"/other": b"esp" * 4000}, second)
    (board.host / "flash.bin").write_bytes(flash)
    with open_image(board.host, "r+", base=second.base) as target:
        assert target.read_bytes("other") == b"esp" * 4000
        target.write_bytes("new", b"n")
    with open_image(board.host, base=SMALL.base) as target:
        assert target.spiffs.detection is None
        assert target.read_bytes("main.py") == FILES[b"/main.py"]
    with open_image(board.host, base=second.base) as target:
        assert target.read_bytes("new") == b"n"


def test_flash_with_bytes_behind_its_end_is_read(tmp_path: Path) -> None:
    image = make_image(tmp_path, SMALL, 0x100000)
    image.host.write_bytes(image.host.read_bytes() + b"tail")
    with open_image(image.host) as target:
        assert target.read_bytes("/flash/main.py") == FILES[b"/main.py"]
        assert target.size == 0x100004
