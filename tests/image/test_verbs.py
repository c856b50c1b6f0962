"""The verbs of ``os`` and ``pathlib`` on an image: the same on a flash and on a card."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

import maixfs
from image.cards import make_card
from image.places import Place
from maixfs.image.errors import ImageBusyError
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


def test_transaction_undoes_verbs_in_both_file_systems(image: Image) -> None:
    image.write_text("/flash/a", "a")
    with pytest.raises(KeyError), image.transaction():
        image.write_text("/sd/b", "b")
        image.rmtree("/flash")
        raise KeyError
    assert image.listdir("/flash") == ["a"] and image.listdir("/sd") == []


def test_root_of_a_board_is_neither_removed_nor_moved(image: Image) -> None:
    image.write_text("/flash/a", "a")
    image.write_text("/sd/b", "b")
    for change in (
        image.rmtree,
        lambda path: image.remove(path, recursive=True),
        lambda path: image.rename(path, "/flash/x"),
    ):
        with pytest.raises(maixfs.UsageError):
            change("/")
    assert image.listdir("/flash") == ["a"] and image.listdir("/sd") == ["b"]


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
    changes = (image.rmtree, image.rmdir, image.makedirs, image.remove, image.mkdir)
    for call in (*changes, image.exists, image.isdir, image.isfile, image.glob):
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


def test_closed_image_answers_nothing_and_opens_no_file(place: Place) -> None:
    with open_image(place.host) as image:
        image.listdir()
    for ask in (
        image.listdir,
        image.partitions,
        image.remarks,
        lambda: image.kind,
        lambda: image.is_flash,
        lambda: image.notes,
        lambda: image.parts,
        lambda: image.size,
        lambda: image.torn,
        lambda: image.read(0, 1),
    ):
        with pytest.raises(maixfs.ClosedError):
            ask()
    assert not [*image.volumes.media()]


def test_paths_of_every_kind_of_image_are_understood(place: Place) -> None:
    with open_image(place.host, "r+") as image:
        image.write_text("verbs.txt", "text")
        assert "verbs.txt" in image.listdir()
        assert image.read_text(f"{image.mount_point.rstrip('/')}/verbs.txt") == "text"


def test_changes_through_streams_and_file_systems_are_seen(image: Image, point: str) -> None:
    with image.open(f"{point}/a", "w") as stream:
        stream.write("a")
        assert image.stat(f"{point}/a").size == 0  # in the buffer of the stream
    assert image.stat(f"{point}/a").size == 1
    image.fs(point).write_text("/b", "b")
    assert image.listdir(point) == ["a", "b"]
    image.filesystems[point].remove("/a")
    assert not image.exists(f"{point}/a")
    fs, path = image.resolve(f"{point}/lib/c")
    fs.makedirs("/lib", exist_ok=True)
    fs.write_text(path, "c")
    assert image.isfile(f"{point}/lib/c")


def test_commit_inside_a_transaction_is_refused(image: Image, point: str) -> None:
    with image.transaction():
        image.write_text(f"{point}/a", "a")
        for end in (image.commit, image.discard, image.close):
            with pytest.raises(maixfs.UsageError):
                end()
    assert image.listdir(point) == ["a"]
    with pytest.raises(maixfs.UsageError), image.transaction():
        image.remove(f"{point}/a")
        image.commit()
    assert image.listdir(point) == ["a"]
    image.commit()
    image.discard()
    assert image.listdir(point) == ["a"]


def test_wrong_settings_and_lengths_change_nothing(image: Image) -> None:
    with pytest.raises(TypeError):
        image.config = 7  # type: ignore[assignment]
    for address, length in ((0, -1), (0, 1 << 50), (-1, 1), (16 << 20, 1)):
        with pytest.raises(maixfs.DeviceError):
            image.erase(address, length)
    with pytest.raises(TypeError):
        image.erase(0, "1")  # type: ignore[arg-type]
    assert image.changed is False


def test_writing_to_the_mount_point_of_a_card_is_a_usage_error(image: Image) -> None:
    for change in (image.mkdir, lambda path: image.write_bytes(path, b"")):
        with pytest.raises(maixfs.UsageError):
            change("/sd")


def test_entries_of_another_image_are_refused(image: Image, tmp_path: Path) -> None:
    with open_image(make_card(tmp_path / "other.img"), "r+") as other:
        entry = other.stat("/main.py")
        calls: list[Any] = [image.read_bytes, image.open, image.remove, image.stat]
        calls += [lambda entry: image.open(entry, "w"), lambda entry: image.remove_all([entry])]
        for call in calls:
            with pytest.raises(maixfs.UsageError):
                call(entry)
        assert other.exists("/main.py")
        other.rename(entry, "/renamed.py")
        assert other.isfile("/renamed.py")


def test_error_of_a_file_that_is_too_large_counts_what_is_free(image: Image) -> None:
    with pytest.raises(maixfs.FitError) as caught:
        image.write_bytes("/sd/a", bytes(20 << 20))
    assert 0 < caught.value.free < caught.value.needed


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("end", ["close", "drop"])
def test_forked_process_neither_commits_nor_unlocks(tmp_path: Path, end: str) -> None:
    (tmp_path / "files").mkdir()
    host = tmp_path / "dump.bin"
    maixfs.pack(tmp_path / "files", host, flash_size=16 << 20)
    image = open_image(host, "r+")
    image.write_text("/flash/a", "a")
    child = os.fork()
    if child == 0:
        status = 1
        try:
            if end == "close":
                image.close()
            else:
                del image
                gc.collect()
                status = 0
        except maixfs.UsageError:
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    with pytest.raises(ImageBusyError) as caught:
        open_image(host, "r+")
    assert caught.value.pid == os.getpid()
    image.close()
    with open_image(host) as read:
        assert read.listdir("/flash") == ["a"]
