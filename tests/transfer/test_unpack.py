"""Unpacking: names that the host takes, nothing overwritten, nothing outside of the folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image.places import FILES, SMALL, Place, litter, make_bare
from maixfs.errors import Command
from maixfs.image.entries import Written
from maixfs.image.errors import MissingError, TakenError, TargetError
from maixfs.image.names import parts_of
from maixfs.image.opening import open_image
from maixfs.transfer.copying import Copy
from maixfs.transfer.unpacking import HostNames, UnpackError, host_part, unpack_files

NASTY = {
    b"/../../escape": b"1",
    b"/..": b"2",
    b"//etc/passwd": b"3",
    b"/a/../../b": b"4",
    b"/sub/./x": b"5",
    b"/\xff\xfe": b"6",
    b"/file": b"7",
    b"/file/inside": b"8",
    b"/C:\\x": b"9",
}


def unpack_all(place: Place, folder: Path, **options: bool) -> list[Written]:
    with open_image(place.host) as target:
        return unpack_files(target, None, folder, **options)


def found(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_unpack_writes_all_files(place: Place, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    written = unpack_all(place, folder)
    assert found(folder) == {name.decode()[1:]: content for name, content in FILES.items()}
    assert all(file.changed and not file.note for file in written)
    again = unpack_all(place, folder)
    assert [file.changed for file in again] == [False] * len(FILES)
    assert [file.sha256 for file in again] == [file.sha256 for file in written]


def test_unpack_takes_a_folder_or_a_file(place: Place, tmp_path: Path) -> None:
    with open_image(place.host) as target:
        unpack_files(target, place.path("lib"), tmp_path / "lib")
        unpack_files(target, place.path("lib/deep/b.bin"), tmp_path / "one")
        with pytest.raises(MissingError):
            unpack_files(target, place.path("none"), tmp_path / "none")
    assert sorted(found(tmp_path / "lib")) == ["a.py", "deep/b.bin"]
    assert sorted(found(tmp_path / "one")) == ["b.bin"]
    assert not (tmp_path / "none").exists()


def test_unpack_of_an_empty_file_system_makes_an_empty_folder(tmp_path: Path) -> None:
    assert unpack_all(make_bare(tmp_path, SMALL, {}), tmp_path / "out") == []
    assert (tmp_path / "out").is_dir()


def test_unpacked_names_stay_in_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "out"
    written = unpack_all(make_bare(tmp_path, SMALL, NASTY), folder)
    assert sorted(found(folder).values()) == sorted(NASTY.values())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep", "spiffs.img"]
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["out"]
    renamed = {file.note for file in written if file.note}
    assert r"was /\x2e\x2e" in renamed
    assert (folder / "%2E%2E/%2E%2E/escape").read_bytes() == b"1"
    any_bytes = sys.platform not in ("win32", "darwin")
    odd = os.fsdecode(b"\xff\xfe") if any_bytes else "%FF%FE"
    assert (folder / odd).read_bytes() == b"6"
    assert (r"was /\xff\xfe" in renamed) is not any_bytes


def test_unpack_refuses_a_different_file_before_writing(place: Place, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "main.py").write_bytes(b"mine")
    with pytest.raises(TakenError, match="nothing was written"):
        unpack_all(place, folder)
    assert found(folder) == {"main.py": b"mine"}
    unpack_all(place, folder, force=True)
    assert found(folder)["main.py"] == FILES[b"/main.py"]


def test_unpack_refuses_a_folder_in_the_place_of_a_file(tmp_path: Path) -> None:
    place = make_bare(tmp_path, SMALL)
    folder = tmp_path / "out"
    folder.write_bytes(b"a file")
    with pytest.raises(FileExistsError, match="is in the way"):
        unpack_all(place, folder, force=True)
    folder.unlink()
    (folder / "main.py").mkdir(parents=True)
    with pytest.raises(TakenError, match="is a folder"):
        unpack_all(place, folder, force=True)


@pytest.mark.skipif(os.name == "nt", reason="links are a right of their own there")
def test_unpack_follows_no_link_out_of_the_folder(tmp_path: Path) -> None:
    place = make_bare(tmp_path, SMALL)
    outside, folder = tmp_path / "outside", tmp_path / "out"
    outside.mkdir()
    folder.mkdir()
    (folder / "lib").symlink_to(outside)
    with pytest.raises(TargetError, match="by a link"):
        unpack_all(place, folder, force=True)
    assert list(outside.iterdir()) == []
    (folder / "lib").unlink()
    (folder / "main.py").symlink_to(outside / "main.py")
    with pytest.raises(TargetError, match="by a link"):
        unpack_all(place, folder, force=True)
    assert list(outside.iterdir()) == []


def test_unpack_leaves_out_and_names_damaged_files(tmp_path: Path) -> None:
    place = make_bare(tmp_path, SMALL)
    with open_image(place.host) as target:
        page = target.stat("/lib/a.py").native.page + 1
    image = bytearray(place.host.read_bytes())
    image[page * 4096 + 4] = 0x7C
    place.host.write_bytes(image)
    folder = tmp_path / "out"
    with pytest.raises(UnpackError, match=r"1 of 4 files left out: /lib/a\.py") as caught:
        unpack_all(place, folder)
    (reason,) = caught.value.lost
    assert reason.startswith("/lib/a.py cannot be read: ")
    assert caught.value.fix == (Command("info", (str(place.host),)),)
    assert sorted(found(folder)) == ["empty", "lib/deep/b.bin", "main.py"]
    assert len(caught.value.written) == 3


def test_interrupted_unpack_leaves_whole_files(tmp_path: Path) -> None:
    place = make_bare(tmp_path, SMALL)

    calls = iter(range(10))

    def progress(_phase: str, _done: int, _total: int) -> None:
        if next(calls) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), open_image(place.host) as target:
        unpack_files(target, None, tmp_path / "out", progress=progress)
    contents = {name.decode()[1:]: content for name, content in FILES.items()}
    assert len(found(tmp_path / "out")) == 2
    assert found(tmp_path / "out").items() <= contents.items()
    assert litter(tmp_path) == []


@pytest.mark.parametrize(
    ("part", "posix", "windows"),
    [
        ("main.py", "main.py", "main.py"),
        (r"\x2e\x2e", "%2E%2E", "%2E%2E"),
        (r"\x2e", "%2E", "%2E"),
        (r"a\x2fb", "a%2Fb", "a%2Fb"),
        (r"\xff", "%FF", "%FF"),
        (r"a\x5cb", "a\\b", "a%5Cb"),
        ("a:b?", "a:b?", "a%3Ab%3F"),
        (r"a\x0ab", "a\nb", "a%0Ab"),
        ("con", "con", "%63on"),
        ("Aux.txt", "Aux.txt", "%41ux.txt"),
        ("NUL .x", "NUL .x", "%4EUL .x"),
        ("com10", "com10", "com10"),
        ("dot.", "dot.", "dot%2E"),
        ("space ", "space ", "space%20"),
        ("日本語", "日本語", "日本語"),
        (r"x\p12", "x~p12", "x~p12"),
    ],
)
def test_host_part_escapes_what_a_host_refuses(part: str, posix: str, windows: str) -> None:
    assert host_part(part, windows=False) == posix
    assert host_part(part, windows=True) == windows


def test_host_part_keeps_bytes_that_the_host_allows() -> None:
    path = (r"\xff", r"a\x0ab", r"back\x5cslash")
    names = HostNames([path], windows=False, caseless=False, any_bytes=True)
    assert names[path] == (os.fsdecode(b"\xff"), "a\nb", "back\\slash")
    assert names.note(path, "/odd") == ""
    names = HostNames([path], windows=False, caseless=False, any_bytes=False)
    assert names[path][0] == "%FF"
    assert names.note(path, "/odd") == "was /odd"


def test_failed_unpack_counts_the_written_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, folder = make_bare(tmp_path, SMALL), tmp_path / "out"
    (folder / "main.py").mkdir(parents=True)
    with pytest.raises(TakenError, match="is a folder") as caught:
        unpack_all(place, folder, force=True)
    assert caught.value.hint == "move it away first; 3 files are written already"
    (folder / "empty").unlink()
    with pytest.raises(TakenError) as caught:
        unpack_all(place, folder, force=True)
    assert caught.value.hint == "move it away first; 1 file is written already"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "copy" / "main.py").mkdir(parents=True)
    with Copy([f"{place.host}:/lib/a.py", f"{place.host}:/empty"], "copy") as copy:
        (tmp_path / "copy" / "empty").mkdir()
        with pytest.raises(TakenError) as caught:
            copy.run()
    assert caught.value.hint == "move it away first; 1 file is written already"


def test_host_names_number_equal_names() -> None:
    paths = [("Main.py",), ("main.py",), ("MAIN.PY",), ("a",), ("a", "b"), ("e\u0301",), ("é",)]
    names = HostNames(paths, windows=False, caseless=True)
    given = [names[path] for path in paths]
    assert given[:3] == [("Main.py",), ("main~1.py",), ("MAIN~2.PY",)]
    assert given[3:5] == [("a~1",), ("a", "b")]
    assert len({names[("e\u0301",)], names[("é",)]}) == 2
    plain = HostNames(paths, windows=False, caseless=False)
    assert [plain[path] for path in paths[:3]] == paths[:3]


@given(
    st.lists(st.binary(min_size=1, max_size=6).filter(lambda raw: b"\0" not in raw), max_size=8)
)
def test_host_names_are_distinct_and_stay_inside(stored: list[bytes]) -> None:
    paths = list({parts_of(name) for name in stored})
    for windows in (False, True):
        names = HostNames(paths, windows=windows, caseless=windows)
        given = [names[path] for path in paths]
        assert len(set(given)) == len(given)
        for parts in given:
            assert not {"", ".", ".."} & set(parts)
            assert not any("/" in part or "\0" in part for part in parts)
            assert not any(windows and "\\" in part for part in parts)
