"""Cards are changed: whole operations, nothing else touched, clean to other programs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image.cards import FILES, complaints, make_card, tree_of
from image.places import litter
from maixfs.errors import Command, FitError, UsageError
from maixfs.fat.check import HAZARDS
from maixfs.image.content import Content
from maixfs.image.errors import MissingError, TakenError, TargetError, UnsoundError
from maixfs.image.image import Image
from maixfs.image.opening import open_image

from .test_card_reading import golden


@pytest.fixture(params=[12, 16, 32])
def card(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return make_card(tmp_path / "card.img", request.param)


def test_session_does_all_changes_of_a_card(card: Path, tmp_path: Path) -> None:
    with open_image(card, "r+") as target:
        target.write_bytes("/new/made/on the way.txt", b"x" * 5000)
        target.write_bytes("/MAIN.PY", b"replaced")
        target.mkdir("/empty folder")
        target.rename("/lib/a.py", "/new/")
        target.rename("/lib/deep", "/Deep")
        target.remove("/empty")
    assert tree_of(card) == {
        "/new/made/on the way.txt": b"x" * 5000,
        "/main.py": b"replaced",
        "/new/a.py": FILES["/lib/a.py"],
        "/Deep/b.bin": FILES["/lib/deep/b.bin"],
        "/Übung mit Bild.jpeg": FILES["/Übung mit Bild.jpeg"],
    }
    with open_image(card) as target:
        assert target.isdir("/empty folder")
        assert target.isdir("/lib")
        assert [entry.name for entry in target.scandir("/") if entry.is_dir] == [
            "Deep", "empty folder", "lib", "new",
        ]  # fmt: skip
    assert complaints(card, tmp_path / "volume") == ""
    assert litter(tmp_path) == []


def test_equal_content_is_not_written(card: Path) -> None:
    before = card.read_bytes()
    with open_image(card, "r+") as target:
        assert not target.write_bytes("/lib/A.py", FILES["/lib/a.py"]).changed
        target.rename("/main.py", "/main.py")
        assert target.mkdir("/lib", parents=True) is False
        assert target.commit() == []
    assert card.read_bytes() == before


def test_proof_is_that_of_the_written_sectors(card: Path) -> None:
    with open_image(card, "r+") as target:
        target.write_bytes("/x", b"y")
        (proof,) = target.commit()
        assert proof is not None
        assert proof.sectors
        assert proof.size == 512 * proof.sectors
        assert len(proof.sha256) == 64


def test_uncommitted_changes_are_discarded(card: Path) -> None:
    before = card.read_bytes()
    with pytest.raises(KeyError), open_image(card, "r+") as target:
        target.write_bytes("/x", b"y" * 10000)
        target.remove("/lib", recursive=True)
        raise KeyError
    assert card.read_bytes() == before


def test_written_file_has_the_time_of_its_content(card: Path) -> None:
    moment = datetime(2021, 3, 4, 5, 6, 8)
    with open_image(card, "r+") as target:
        target.write_bytes("/x", Content.of(b"1", moment))
        assert target.stat("/x").modified == moment
        target.write_bytes("/far", Content.of(b"1", datetime(1971, 1, 1)))
        assert target.stat("/far").modified == datetime(1980, 1, 1)


def test_rename_changes_the_case(card: Path, tmp_path: Path) -> None:
    with open_image(card, "r+") as target:
        target.rename("/main.py", "/Main.py")
        assert [entry.name for entry in target.glob("/MAIN.*")] == ["Main.py"]
    assert complaints(card, tmp_path / "volume") == ""


def test_renaming_replaces_only_if_asked(card: Path) -> None:
    with open_image(card, "r+") as target:
        with pytest.raises(TakenError, match="exists already"):
            target.rename("/main.py", "/LIB/a.py")
        target.rename("/main.py", "/LIB/a.py", replace=True)
        assert target.read_bytes("/lib/a.py") == FILES["/main.py"]
        with pytest.raises(UsageError, match="cannot be moved into itself"):
            target.rename("/lib", "/lib/deep/")
        with pytest.raises(TakenError, match="is a file"):
            target.rename("/lib", "/empty")
        target.mkdir("/other")
        target.rename("/lib", "/other")
        assert target.exists("/other/lib/deep/b.bin")


def test_renames_are_all_or_none(card: Path) -> None:
    before = tree_of(card)
    with open_image(card, "r+") as target:
        with pytest.raises(UsageError, match="two to one path"):
            target.rename_all([("/main.py", "/x"), ("/empty", "/X")])
        with pytest.raises(MissingError):
            target.rename_all([("/main.py", "/x"), ("/nothing", "/y")])
        assert {path: target.read_bytes(path) for path in before} == before


@pytest.mark.parametrize(
    ("path", "match"),
    [
        ("/a:b", "a:b"),
        ("/lib", "is a folder"),
        ("/main.py/x", "is a file, not a folder"),
        ("/x/", "name of a folder"),
        ("/", "is no file"),
        ("/" + "n" * 256, "name"),
        (r"/\xff", "is text"),
        (r"/a\p7", "not a name"),
        ("/tab\tbed", "tab"),
    ],
)
def test_impossible_names_are_refused(card: Path, path: str, match: str) -> None:
    before = card.read_bytes()
    expected = pytest.raises((UsageError, TargetError), match=match)
    with open_image(card, "r+") as target, expected:
        target.write_bytes(path, b"1")
    assert card.read_bytes() == before


def test_final_dots_and_spaces_are_removed(card: Path) -> None:
    with open_image(card, "r+") as target:
        assert target.place_of("/New file. .") == "/New file"
        assert target.write_bytes("/New file. .", b"1").path == "/New file"
        assert target.read_bytes("/new FILE") == b"1"


def test_write_that_does_not_fit_changes_nothing(card: Path) -> None:
    with open_image(card, "r+") as target:
        free = target.room().free
        with pytest.raises(FitError, match="does not fit: needs") as caught:
            target.check_fits({"/x": free + 1})
        assert caught.value.hint is not None
        assert "/lib/a.py" in caught.value.hint
        with pytest.raises(FitError):
            target.write_bytes("/deep/er/x", b"z" * (free + 1))
        assert not target.exists("/deep")
        assert target.commit() == []
        target.check_fits({"/lib/A.py": free})
        with pytest.raises(FitError, match="at most 4294967295"):
            target.check_fits({"/x": 1 << 32})


def test_card_can_be_filled_to_the_last_cluster(card: Path, tmp_path: Path) -> None:
    with open_image(card, "r+") as target:
        free = target.room().free
        target.write_bytes("/all", b"a" * free)
        assert target.room().free == 0
        with pytest.raises(FitError):
            target.write_bytes("/more", b"1")
        target.write_bytes("/none", b"")
    assert complaints(card, tmp_path / "volume") == ""
    with open_image(card) as target:
        assert target.read_bytes("/all") == b"a" * free


def test_wrong_free_count_does_not_refuse_a_write(tmp_path: Path) -> None:
    card = golden("fsinfo_wrong", tmp_path)
    with open_image(card, "r+") as target:
        target.write_bytes("/x", b"x" * 100_000)
    assert tree_of(card)["/x"] == b"x" * 100_000
    assert complaints(card, tmp_path / "volume") == ""
    with open_image(card) as target:
        room = target.room().as_dict()
        assert room["told_free"] == room["free_clusters"]


def test_read_only_files_are_protected(card: Path) -> None:
    from maixfs.image.fatvolume import FatVolume

    with open_image(card, "r+") as target:
        assert isinstance(target.main, FatVolume)
        target.main.core.set_attributes("/main.py", 1, 1)
    with open_image(card, "r+") as target:
        with pytest.raises(TargetError, match=r"^/main.py is read-only") as caught:
            target.write_bytes("/main.py", b"2")
        assert caught.value.fix == (Command("rm", ("-f", f"{card}:/main.py")),)
        with pytest.raises(TargetError, match="is read-only"):
            target.remove("/main.py")
        target.remove_all([target.stat("/main.py")], force=True)
        assert not target.exists("/main.py")


def test_remove_of_a_folder_removes_its_contents(card: Path, tmp_path: Path) -> None:
    with open_image(card, "r+") as target:
        before = target.room().free
        with pytest.raises(TargetError, match="is a folder"):
            target.remove("/lib")
        gone = target.remove("/lib", recursive=True)
        assert [entry.path for entry in gone] == [
            "/lib", "/lib/a.py", "/lib/deep", "/lib/deep/b.bin",
        ]  # fmt: skip
        assert not target.exists("/lib")
        assert target.room().free > before
    assert complaints(card, tmp_path / "volume") == ""


def test_mkdir_makes_folders(card: Path) -> None:
    with open_image(card, "r+") as target:
        with pytest.raises(MissingError, match="no such folder"):
            target.mkdir("/x/y")
        assert target.mkdir("/x/y", parents=True)
        with pytest.raises(TakenError):
            target.mkdir("/X/Y")
        with pytest.raises(TakenError):
            target.mkdir("/main.py", parents=True)
        assert target.gc() == 0


def test_change_by_another_program_is_detected(card: Path) -> None:
    with open_image(card, "r+") as target:
        target.write_bytes("/x", b"1")
        with card.open("r+b") as stream:
            stream.seek(0, 2)
            stream.write(bytes(512))
        with pytest.raises(TargetError, match="was changed by another program"):
            target.commit()
        target.volumes.close()


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["write", "remove", "rename", "mkdir"]),
            st.sampled_from(["/a", "/B.txt", "/dir/long name here.bin", "/dir/sub/c", "/dir"]),
            st.integers(0, 3000),
        ),
        max_size=12,
    )
)
def test_random_changes_of_a_card_equal_a_dictionary(
    tmp_path_factory: pytest.TempPathFactory, steps: list
) -> None:  # type: ignore[type-arg]
    folder = tmp_path_factory.mktemp("card")
    card = make_card(folder / "card.img", 12, files={})
    model: dict[str, bytes] = {}
    with open_image(card, "r+") as target:
        for verb, path, size in steps:
            data = bytes([size % 251]) * size
            try:
                if verb == "write":
                    target.write_bytes(path, data)
                    model[path] = data
                elif verb == "remove":
                    target.remove(path)
                    del model[path]
                elif verb == "rename":
                    target.rename(path, "/moved to/here.txt", replace=True)
                    model["/moved to/here.txt"] = model.pop(path)
                else:
                    target.mkdir(path, parents=True)
            except (TargetError, UsageError):
                continue
            except KeyError:  # a folder was renamed: start over
                break
        else:
            assert {path: target.read_bytes(path) for path in model} == model
            target.commit()
            assert {path: data for path, data in tree_of(card).items() if path in model} == model


EDITS: dict[str, Callable[[Image], object]] = {
    "write": lambda target: target.write_bytes("/NEW.TXT", b"new"),
    "remove": lambda target: target.remove("/A.BIN"),
    "rename": lambda target: target.rename("/A.BIN", "/Z.BIN"),
    "mkdir": lambda target: target.mkdir("/NEW"),
}


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("name", ["x_cross", "x_loop", "x_badstart", "x_free_in_chain"])
def test_edit_of_a_volume_with_shared_clusters_is_refused(
    name: str, edit: str, tmp_path: Path
) -> None:
    card = golden(name, tmp_path)
    before = card.read_bytes()
    with open_image(card, "r+") as target:
        with pytest.raises(UnsoundError) as caught:
            EDITS[edit](target)
        assert {found.key for found in caught.value.findings} <= HAZARDS
        assert caught.value.hint
    assert card.read_bytes() == before


def test_forced_edit_of_a_damaged_volume_is_done(tmp_path: Path) -> None:
    card = golden("x_cross", tmp_path)
    with open_image(card, "r+", force=True) as target:
        target.write_bytes("/NEW.TXT", b"new")
    with open_image(card, "r+") as target:
        target.remove_all([target.stat("/A.BIN")], force=True)
    with open_image(card) as target:
        assert target.read_bytes("/NEW.TXT") == b"new"
        assert not target.exists("/A.BIN")


@pytest.mark.parametrize("name", ["x_lost", "x_lfn", "dirty", "fsinfo_wrong"])
def test_edit_of_a_volume_with_harmless_findings_is_done(name: str, tmp_path: Path) -> None:
    card = golden(name, tmp_path)
    with open_image(card, "r+") as target:
        target.write_bytes("/NEW.TXT", b"new")
    with open_image(card) as target:
        assert target.read_bytes("/NEW.TXT") == b"new"
