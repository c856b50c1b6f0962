"""The verbs of ``os`` and ``pathlib`` on an image: the same on a flash and on a card."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

import maixfs
from image.cards import make_card
from image.places import Place
from maixfs.image.image import Image
from maixfs.image.opening import open_image


@pytest.fixture(params=["/flash", "/sd"])
def point(request: pytest.FixtureRequest) -> str:
    """Return a mount point of ``image``."""
    return str(request.param)


@pytest.fixture
def image(tmp_path: Path) -> Iterator[Image]:
    """Return a board with an empty card, open for changing."""
    files = tmp_path / "files"
    files.mkdir()
    maixfs.pack(files, tmp_path / "dump.bin", flash_size=16 << 20)
    maixfs.Board.create(tmp_path / "board", from_dump=tmp_path / "dump.bin", sd=16 << 20)
    with open_image(tmp_path / "board", "r+") as opened:
        yield opened


def test_text_and_bytes_are_read_as_they_were_written(image: Image, point: str) -> None:
    written = image.write_text(f"{point}/a", "ä\nb\n", newline="\r\n")
    assert written.size == 7
    assert image.read_bytes(f"{point}/a") == "ä\r\nb\r\n".encode()
    assert image.read_text(f"{point}/a") == "ä\nb\n"
    image.write_bytes(PurePosixPath(point, "a"), memoryview(b"\xe4"))
    assert image.read_text(PurePosixPath(point, "a"), "latin-1") == "ä"


def test_text_that_cannot_be_encoded_leaves_the_file(image: Image, point: str) -> None:
    image.write_text(f"{point}/a", "old")
    with pytest.raises(UnicodeEncodeError):
        image.write_text(f"{point}/a", "ä", "ascii")
    assert image.read_text(f"{point}/a") == "old"


def test_folders_are_listed_and_walked(image: Image, point: str) -> None:
    for name in ("a", "lib/b", "lib/deep/c"):
        image.write_text(f"{point}/{name}", name)
    assert image.listdir(point) == ["a", "lib"]
    assert image.listdir("/") == ["flash", "sd"]
    walked = [
        (path, [entry.name for entry in folders], [entry.name for entry in files])
        for path, folders, files in image.walk(point)
    ]
    assert walked == [
        (point, ["lib"], ["a"]),
        (f"{point}/lib", ["deep"], ["b"]),
        (f"{point}/lib/deep", [], ["c"]),
    ]
    for _, folders, _ in image.walk("/"):
        assert {entry.name for entry in folders} <= {"flash", "sd", "lib", "deep"}
        folders[:] = [entry for entry in folders if entry.name != "lib"]
    assert image.isdir(f"{point}/lib") and not image.isfile(f"{point}/lib")
    assert image.isfile(f"{point}/a") and not image.isdir(f"{point}/a")
    assert not image.isfile(f"{point}/none") and not image.isdir(f"{point}/none")


def test_files_and_folders_are_taken_for_what_they_are(image: Image, point: str) -> None:
    image.write_text(f"{point}/lib/b", "b")
    for refused in (image.listdir, image.rmdir, image.rmtree, lambda path: [*image.walk(path)]):
        with pytest.raises(NotADirectoryError):
            refused(f"{point}/lib/b")
    for call in (image.read_bytes, image.read_text, image.open, image.remove):
        with pytest.raises(IsADirectoryError):
            call(f"{point}/lib")
    with pytest.raises(OSError, match="not empty"):
        image.rmdir(f"{point}/lib")
    image.rmtree(f"{point}/lib")
    assert image.listdir(point) == []


def test_makedirs_is_portable(image: Image, point: str) -> None:
    image.makedirs(f"{point}/x/y")
    image.makedirs(f"{point}/x/y", exist_ok=True)
    image.write_text(f"{point}/x/y/z", "")
    with pytest.raises(FileExistsError):
        image.makedirs(f"{point}/x/y")
    for exist_ok in (False, True):
        with pytest.raises(FileExistsError):
            image.makedirs(f"{point}/x/y/z", exist_ok=exist_ok)
    image.remove(image.stat(f"{point}/x/y/z"))
    image.makedirs(f"{point}/x/y", exist_ok=True)


def test_replace_replaces_and_rename_does_not(image: Image, point: str) -> None:
    image.write_text(f"{point}/a", "a")
    image.write_text(f"{point}/b", "b")
    with pytest.raises(FileExistsError):
        image.rename(f"{point}/a", f"{point}/b")
    image.replace(f"{point}/a", f"{point}/b")
    assert image.listdir(point) == ["b"] and image.read_text(f"{point}/b") == "a"


def test_a_transaction_undoes_verbs_in_both_file_systems(image: Image) -> None:
    image.write_text("/flash/a", "a")
    with pytest.raises(KeyError), image.transaction():
        image.write_text("/sd/b", "b")
        image.rmtree("/flash")
        raise KeyError
    assert image.listdir("/flash") == ["a"] and image.listdir("/sd") == []


def test_wrong_types_raise_before_anything_changes(image: Image, point: str) -> None:
    image.write_text(f"{point}/a", "a")
    wrong: Any
    for wrong in (b"/flash/a", 7):
        for call in (image.stat, image.exists, image.isdir, image.read_text, image.mkdir):
            with pytest.raises(TypeError):
                call(wrong)
        for change in (image.write_bytes, image.write_text, image.rename):
            with pytest.raises(TypeError):
                change(wrong, f"{point}/a")
            with pytest.raises(TypeError):
                change(f"{point}/a", wrong if change != image.write_bytes else "text")
        with pytest.raises(TypeError):
            image.open(f"{point}/a", wrong)
    for call in (image.rmtree, image.rmdir, image.makedirs, image.remove, image.mkdir):
        with pytest.raises(TypeError):
            call(None)  # type: ignore[arg-type]
    assert image.listdir(point) == ["a"] and image.read_text(f"{point}/a") == "a"


def test_verbs_refuse_changes_of_an_image_that_is_read(tmp_path: Path) -> None:
    with open_image(make_card(tmp_path / "card.img")) as image:
        for call in (image.makedirs, image.rmdir, image.rmtree, image.remove):
            with pytest.raises(maixfs.ReadOnlyError):
                call("/lib")
        with pytest.raises(maixfs.ReadOnlyError):
            image.write_text("/lib/x", "")
    with pytest.raises(maixfs.ClosedError):
        image.listdir("/")


def test_paths_of_every_kind_of_image_are_understood(place: Place) -> None:
    with open_image(place.host, "r+") as image:
        image.write_text("verbs.txt", "text")
        assert "verbs.txt" in image.listdir()
        assert image.read_text(f"{image.mount_point.rstrip('/')}/verbs.txt") == "text"
