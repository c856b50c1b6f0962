"""Changing a target: the same behaviour whatever it is on the host."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from image.places import FILES, SMALL, Place, litter, make_bare
from maixfs.errors import UsageError
from maixfs.image.errors import MissingError, TakenError, TargetError
from maixfs.image.opening import open_image
from maixfs.nor import IdealDriver, NorChip
from maixfs.spiffs import PRESETS, SpiffsCore
from maixfs.spiffs.ondisk import NAME_OFFSET, SIZE
from maixfs.spiffs.pack import pack


def stored(place: Place) -> dict[bytes, bytes]:
    """Return what a driver of its own finds in the target's area, by stored name."""
    host = place.host / "flash.bin" if place.host.is_dir() else place.host
    chip = NorChip.in_memory(content=host.read_bytes())
    fs = SpiffsCore(IdealDriver(chip), place.geometry, read_only=True)
    return {file.raw_name: fs.open_page(file.page).read() for file in fs.scandir()}


def test_written_file_is_read_back(place: Place) -> None:
    content = bytes(range(256)) * 100
    with open_image(place.host, "r+") as target:
        new = target.write_bytes(place.path("new/file.bin"), content)
        old = target.write_bytes(place.path("main.py"), b"short")
        assert target.read_bytes(place.path("new/file.bin")) == content
        assert target.stat(place.path("new")).is_dir
    assert (new.path, new.size, new.changed) == (place.path("new/file.bin"), len(content), True)
    assert new.sha256 == hashlib.sha256(content).hexdigest()
    assert old.changed
    assert stored(place) == FILES | {b"/new/file.bin": content, b"/main.py": b"short"}
    assert litter(place.host.parent) == []


def test_equal_content_is_not_written_to_spiffs(place: Place) -> None:
    with open_image(place.host, "r+") as target:
        for name, content in FILES.items():
            assert not target.write_bytes(place.path(name.decode()[1:]), content).changed
        assert target.commit() == []


def test_edit_changes_nothing_outside_of_the_area(place: Place) -> None:
    host = place.host / "flash.bin" if place.host.is_dir() else place.host
    before = host.read_bytes()
    with open_image(place.host, "r+") as target:
        target.write_bytes(place.path("x"), b"x" * 5000)
        (proof,) = target.commit()
    after = host.read_bytes()
    assert proof is not None
    assert proof.sha256 == hashlib.sha256(after).hexdigest()
    assert (proof.path, proof.size) == (str(host), len(after))
    start, end = place.geometry.base, place.geometry.base + place.geometry.size
    assert before != after
    assert (before[:start], before[end:]) == (after[:start], after[end:])


def test_remove_removes_files_and_folders(place: Place) -> None:
    with open_image(place.host, "r+") as target:
        target.remove(place.path("main.py"))
        with pytest.raises(TargetError, match="is a folder"):
            target.remove(place.path("lib"))
        gone = target.remove(place.path("lib"), recursive=True)
        assert [entry.name for entry in gone] == ["a.py", "b.bin"]
        with pytest.raises(MissingError):
            target.remove(place.path("lib"), recursive=True)
    assert stored(place) == {b"/empty": b""}


def test_rename_moves_files_and_folders(place: Place) -> None:
    with open_image(place.host, "r+") as target:
        target.rename(place.path("main.py"), place.path("old.py"))
        target.rename(place.path("lib"), place.path("library"))
        target.rename(place.path("empty"), place.path("library"))
        target.rename(place.path("old.py"), place.path("new") + "/")
        target.rename(place.path("new/old.py"), place.path("new/old.py"))
    assert stored(place) == {
        b"/new/old.py": FILES[b"/main.py"],
        b"/library/a.py": FILES[b"/lib/a.py"],
        b"/library/deep/b.bin": FILES[b"/lib/deep/b.bin"],
        b"/library/empty": b"",
    }


def test_rename_onto_a_file_needs_replace(place: Place) -> None:
    with open_image(place.host, "r+") as target:
        with pytest.raises(TakenError, match="exists already"):
            target.rename(place.path("main.py"), place.path("empty"))
        with pytest.raises(FileExistsError):
            target.rename(place.path("empty"), place.path("main.py"))
        target.rename(place.path("main.py"), place.path("empty"), replace=True)
    assert stored(place)[b"/empty"] == FILES[b"/main.py"]
    assert b"/main.py" not in stored(place)


def test_rename_of_a_folder_into_itself_is_refused(place: Place) -> None:
    with (
        open_image(place.host, "r+") as target,
        pytest.raises(UsageError, match="itself"),
    ):
        target.rename(place.path("lib"), place.path("lib/deep/more"))
    assert stored(place) == FILES


def test_mkdir_on_spiffs_is_refused(place: Place) -> None:
    with open_image(place.host, "r+") as target, pytest.raises(TargetError) as caught:
        target.mkdir(place.path("new"))
    assert "SPIFFS has no folders" in str(caught.value)
    assert caught.value.hint is not None


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/main.py", "nothing can be written to /"),
        ("/", "nothing can be written to /"),
        ("/sd/x", "no card in this board"),
        ("/other/x", "nothing is mounted there"),
        ("/flash", "is no file"),
        ("/flash/x/", "is the name of a folder"),
        (r"/flash/a\x00b", "zero byte"),
        ("/flash/a\0b", "zero byte"),
        ("/flash/" + "n" * 127, "has 128 bytes, 127 fit"),
        ("/flash/" + "é" * 64, "has 129 bytes, 127 fit"),
        (r"/flash/x\p5", "can only be read"),
    ],
)
def test_impossible_names_are_refused(board: Place, path: str, message: str) -> None:
    with open_image(board.host, "r+") as target:
        with pytest.raises((UsageError, MissingError), match=message):
            target.write_bytes(path, b"x")
        if not target.exists(path) and not path.endswith("/"):
            with pytest.raises((UsageError, MissingError), match=message):
                target.rename("/flash/empty", path)
    assert stored(board) == FILES


def test_longest_names_fit(place: Place) -> None:
    most = place.geometry.name_length - 1
    with open_image(place.host, "r+") as target:
        target.write_bytes(place.path("n" * (most - 1)), b"1")
        target.write_bytes(place.path(r"\xff" * (most - 1)), b"2")
    assert stored(place)[b"/" + b"n" * (most - 1)] == b"1"
    assert stored(place)[b"/" + b"\xff" * (most - 1)] == b"2"


def test_name_without_a_leading_slash_is_kept(tmp_path: Path) -> None:
    place = make_bare(tmp_path, SMALL, {b"main.py": b"old"})
    with open_image(place.host, "r+") as target:
        target.write_bytes("/main.py", b"new")
        target.write_bytes("/other.py", b"more")
    assert stored(place) == {b"main.py": b"new", b"/other.py": b"more"}


def test_write_keeps_or_sets_meta_bytes(tmp_path: Path) -> None:
    geometry = replace(PRESETS["esp-idf"], size=0x40000)
    place = make_bare(tmp_path, geometry)
    with open_image(place.host, "r+") as target:
        target.write_bytes("/main.py", b"1", meta=b"meta")
        target.write_bytes("/main.py", b"2")
        target.write_bytes("/new", b"3", meta=b"\x00\x01\x02\x03")
        assert target.write_bytes("/new", b"3", meta=b"\x00\x01\x02\x04").changed
        assert not target.write_bytes("/new", b"3", meta=b"\x00\x01\x02\x04").changed
    with open_image(place.host) as target:
        assert target.spiffs.core.stat("/main.py").meta == b"meta"
        assert target.spiffs.core.stat("/new").meta == b"\x00\x01\x02\x04"
        assert target.spiffs.core.stat("/empty").meta == b"\xff" * 4


def test_gc_frees_deleted_pages(place: Place) -> None:
    with open_image(place.host, "r+") as target:
        for number in range(20):
            target.write_bytes(place.path("churn"), bytes([number]) * 5000)
        before = target.room()
        freed = target.gc()
        after = target.room()
        assert before.deleted_pages > 0
        assert freed == before.deleted_pages - after.deleted_pages > 0
        assert after.free_pages == before.free_pages + freed
        assert target.gc() <= after.deleted_pages
    assert stored(place) == FILES | {b"/churn": bytes([19]) * 5000}


def test_gc_without_deleted_pages_changes_nothing(place: Place) -> None:
    with open_image(place.host, "r+") as target:
        assert target.gc() == 0
        assert target.commit() == []


def test_empty_file_with_a_stored_size_of_0_takes_its_first_bytes(tmp_path: Path) -> None:
    # As spiffsgen.py writes it; in place, flash can only clear bits of that size.
    area = bytearray(pack([("/empty", b"")], PRESETS["maixpy"]))
    header = area.index(b"/empty") - NAME_OFFSET
    area[header + SIZE.offset : header + SIZE.offset + SIZE.size] = bytes(4)
    image = tmp_path / "image.bin"
    image.write_bytes(area)
    with open_image(image, "r+") as target:
        target.write_bytes("/empty", b"no longer")
    with open_image(image) as target:
        assert target.read_bytes("/empty") == b"no longer"
