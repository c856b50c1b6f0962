"""Copies in every direction: planned first, then done whole."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from image.places import FILES, KINDS, SMALL, Place, litter, make_bare, make_board, make_image
from maixfs.errors import Command, FitError, NotFoundError, UsageError
from maixfs.image.address import TargetPath
from maixfs.image.entries import Where
from maixfs.image.errors import MissingError, TakenError, TargetError, UnreadableError
from maixfs.image.opening import open_image
from maixfs.spiffs import PRESETS
from maixfs.transfer.copying import Action, Copy, CopyOptions, copy_files
from transfer.copies import plan_of

OLD = {name.decode() for name in FILES}


@pytest.fixture(params=["board", "flash", "bare-esp-idf"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Return a target of three kinds: copies know no others."""
    (tmp_path / "host").mkdir()
    return KINDS[request.param](tmp_path / "host")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of the host, which is also the current one."""
    folder = tmp_path / "data"
    (folder / "src" / "sub").mkdir(parents=True)
    (folder / "src" / "one.py").write_bytes(b"one")
    (folder / "src" / "sub" / "two.py").write_bytes(b"two" * 3000)
    (folder / "note.txt").write_bytes(b"note")
    monkeypatch.chdir(folder)
    return folder


def names_in(place: Place) -> set[str]:
    with open_image(place.host) as target:
        return {entry.native.raw_name.decode() for entry in target.spiffs.files()}


@pytest.mark.parametrize(
    ("sources", "goal", "recursive", "new"),
    [
        (["note.txt"], "", False, {"/note.txt"}),
        (["note.txt"], "lib", False, {"/lib/note.txt"}),
        (["note.txt"], "other.txt", False, {"/other.txt"}),
        (["note.txt"], "other/", False, {"/other/note.txt"}),
        (["note.txt", "src/one.py"], "", False, {"/note.txt", "/one.py"}),
        (["note.txt", "src/one.py"], "in/", False, {"/in/note.txt", "/in/one.py"}),
        (["src"], "", True, {"/src/one.py", "/src/sub/two.py"}),
        (["src/"], "", True, {"/src/one.py", "/src/sub/two.py"}),
        (["src"], "new", True, {"/new/one.py", "/new/sub/two.py"}),
        (["src/."], "", True, {"/one.py", "/sub/two.py"}),
        (["src/*"], "", True, {"/one.py", "/sub/two.py"}),
        (["*.txt"], "", False, {"/note.txt"}),
        (["src", "note.txt"], "", True, {"/src/one.py", "/src/sub/two.py", "/note.txt"}),
    ],
)
def test_copy_into_an_image_writes_the_files(
    place: Place, data: Path, sources: list[str], goal: str, recursive: bool, new: set[str]
) -> None:
    goal = f"{place.host}:{place.prefix}/{goal}"
    with Copy(sources, goal, CopyOptions(recursive=recursive)) as copy:
        steps = copy.plan.steps
        assert {step.action for step in steps} == {Action.NEW}
        written = copy.run().files
        assert [file.size for file in written] == [step.size for step in steps]
        assert not any(file.changed for file in copy.run().files)
    assert names_in(place) == OLD | new


@pytest.mark.parametrize(
    ("sources", "goal", "recursive", "new"),
    [
        (["main.py"], "out.py", False, {"out.py"}),
        (["main.py"], "src", False, {"src/main.py"}),
        (["main.py"], "made/", False, {"made/main.py"}),
        (["*.py"], "src", False, {"src/main.py"}),
        (["main.py", "lib/a.py"], "src", False, {"src/main.py", "src/a.py"}),
        (["lib"], "src", True, {"src/lib/a.py", "src/lib/deep/b.bin"}),
        (["lib"], "made", True, {"made/a.py", "made/deep/b.bin"}),
        (["lib/."], "src", True, {"src/a.py", "src/deep/b.bin"}),
        (["lib/*"], "src", True, {"src/a.py", "src/deep/b.bin"}),
        ([""], "made", True, {f"made{name}" for name in OLD}),
    ],
)
def test_copy_out_of_an_image_writes_the_files(
    place: Place, data: Path, sources: list[str], goal: str, recursive: bool, new: set[str]
) -> None:
    old = files_under(data)
    given = [f"{place.host}:{place.prefix}/{source}" for source in sources]
    copy_files(given, goal, CopyOptions(recursive=recursive))
    assert files_under(data) == old | new


def test_copy_leaves_equal_files_alone(place: Place, data: Path) -> None:
    here = f"{place.host}:{place.prefix}/"
    for sources, goal in ((["src"], here), ([f"{here}lib"], "src")):
        copy_files(sources, goal, CopyOptions(recursive=True))
        with Copy(sources, goal, CopyOptions(recursive=True)) as copy:
            assert {step.action for step in copy.plan.steps} == {Action.SAME}
            assert copy.plan.total == 0
            assert not any(file.changed for file in copy.run().files)


def files_under(folder: Path) -> set[str]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix() for path in found}


def test_copy_between_two_images_writes_the_files(place: Place, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = make_bare(tmp_path / "other", PRESETS["esp8266"].with_size(0x60000), {})
    copy_files(
        [f"{place.host}:{place.prefix}/lib"], f"{other.host}:/", CopyOptions(recursive=True)
    )
    assert names_in(other) == {"/lib/a.py", "/lib/deep/b.bin"}
    with open_image(other.host) as target:
        assert target.read_bytes("/lib/a.py") == FILES[b"/lib/a.py"]


def test_copy_within_one_image_writes_the_files(place: Place) -> None:
    here = f"{place.host}:{place.prefix}"
    copy_files([f"{here}/lib"], f"{here}/copy", CopyOptions(recursive=True))
    copy_files([f"{here}/main.py"], f"{here}/lib")
    assert names_in(place) == OLD | {"/copy/a.py", "/copy/deep/b.bin", "/lib/main.py"}
    with pytest.raises(UsageError, match="are the same file"):
        plan_of([f"{here}/main.py"], f"{here}/main.py")


def test_plan_names_replaced_files(place: Place, data: Path) -> None:
    (data / "main.py").write_bytes(b"newer")
    plan = plan_of(["main.py", "note.txt"], f"{place.host}:{place.prefix}/")
    assert [step.action for step in plan.steps] == [Action.REPLACE, Action.NEW]
    assert plan.total == 9
    assert [str(step.destination) for step in plan.steps] == [
        f"{place.host}:{place.path('main.py')}",
        f"{place.host}:{place.path('note.txt')}",
    ]


def test_dry_run_of_a_copy_does_nothing(board: Place, data: Path) -> None:
    assert plan_of(["note.txt"], f"{board.host}:/flash").total == 4
    assert names_in(board) == OLD


def test_failed_copy_leaves_the_image_unchanged(board: Place, data: Path) -> None:
    (data / "src" / "long").write_bytes(b"x")
    with (
        pytest.raises(FileNotFoundError),
        Copy(["src"], f"{board.host}:/flash", CopyOptions(recursive=True)) as copy,
    ):
        (data / "src" / "sub" / "two.py").unlink()
        copy.run()
    assert names_in(board) == OLD
    assert litter(board.host) == []


@pytest.mark.parametrize("phase", ["copy", "write"])
@pytest.mark.parametrize("at_end", [False, True])
def test_interrupted_copy_leaves_the_image_unchanged(
    place: Place, data: Path, phase: str, at_end: bool
) -> None:
    image = place.host / "flash.bin" if place.host.is_dir() else place.host
    before = image.read_bytes()

    def progress(now: str, done: int, total: int) -> None:
        if now == phase and (done == total) is at_end:
            raise KeyboardInterrupt

    if phase == "write" and not at_end and len(before) <= 1 << 20:
        pytest.skip("this is written in one piece")
    arguments = ["src"], f"{place.host}:{place.prefix}/", CopyOptions(recursive=True)
    with pytest.raises(KeyboardInterrupt):
        copy_files(*arguments, progress=progress)
    assert image.read_bytes() == before
    assert litter(place.host.parent) == []
    assert copy_files(*arguments).files[0].changed


def test_copy_progress_counts_bytes(board: Place, data: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    copy_files(
        ["src"],
        f"{board.host}:/flash",
        CopyOptions(recursive=True),
        progress=lambda *report: seen.append(report),
    )
    copied = [report for report in seen if report[0] == "copy"]
    assert copied == [("copy", 0, 9003), ("copy", 3, 9003), ("copy", 9003, 9003)]
    assert seen[-1][0] == "write"


@pytest.mark.parametrize(
    ("sources", "goal", "recursive", "error", "message"),
    [
        (["note.txt"], "copy.txt", False, UsageError, "neither source nor destination"),
        (["src"], "@/new", False, TargetError, "src is a folder"),
        (["@/lib"], "out", False, TargetError, "/flash/lib is a folder"),
        (["none"], "@/x", False, FileNotFoundError, "none does not exist"),
        (["*.none"], "@/x", False, MissingError, "no file matches"),
        (["@/none"], "out", False, MissingError, "no such file"),
        (["@/*.none"], "out", False, MissingError, "no file matches"),
        (["note.txt", "src/one.py"], "@/new", False, TargetError, "is not a folder: several"),
        (["note.txt", "src/one.py"], "@/main.py", False, TargetError, "is a file, not a folder"),
        (["src"], "@/main.py", True, TargetError, "is a file, not a folder"),
        (["note.txt"], "@/main.py/", False, TargetError, "is a file, not a folder"),
        (["note.txt"], "board:/x", False, FileNotFoundError, "board does not exist"),
        (["@/lib/a.py", "@/main.py"], "new", False, TargetError, "is not a folder: several"),
        (["@/lib"], "note.txt", True, TargetError, "is a file, not a folder"),
        (["src/one.py", "sub/one.py"], "@/", False, UsageError, "would both become"),
        (["note.txt"], "@@/sd/x", False, MissingError, "no card"),
        (["note.txt"], "@@/x", False, UsageError, "nothing can be written to /"),
    ],
)
def test_impossible_copy_is_refused(
    board: Place,
    data: Path,
    sources: list[str],
    goal: str,
    recursive: bool,
    error: type[Exception],
    message: str,
) -> None:
    (data / "sub").mkdir()
    (data / "sub" / "one.py").write_bytes(b"another")

    def full(text: str) -> str:
        return text.replace("@@", f"{board.host}:").replace("@", f"{board.host}:/flash")

    with pytest.raises(error, match=message):
        plan_of([full(source) for source in sources], full(goal), CopyOptions(recursive=recursive))
    assert names_in(board) == OLD


def test_missing_image_raises_with_the_commands_that_make_one(data: Path) -> None:
    with pytest.raises(NotFoundError) as caught:
        plan_of(["note.txt"], "new.img:/")
    assert Command("sd new", ("SIZE", "new.img")) in caught.value.fix


def test_copy_onto_a_folder_is_refused(board: Place, data: Path) -> None:
    (data / "lib").write_bytes(b"a file")
    with pytest.raises(TakenError, match="is a folder"):
        plan_of(["lib"], f"{board.host}:/flash/")
    (data / "main.py").mkdir()
    with pytest.raises(TakenError, match="is a folder"):
        plan_of([f"{board.host}:/flash/main.py"], "./")


def test_copy_that_does_not_fit_is_refused_before_writing(board: Place, data: Path) -> None:
    for number in range(4):
        (data / "src" / f"{number}").write_bytes(bytes(200_000))
    with pytest.raises(FitError, match="6 files do not fit"):
        plan_of(["src"], f"{board.host}:/flash", CopyOptions(recursive=True))


def test_copy_of_a_damaged_file_is_refused(tmp_path: Path, data: Path) -> None:
    place = make_bare(tmp_path, SMALL)
    with open_image(place.host) as target:
        page = target.stat("/main.py").native.page + 1
    image = bytearray(place.host.read_bytes())
    image[page * 4096 + 4] = 0x7C
    place.host.write_bytes(image)
    (data / "main.py").write_bytes(b"mine")
    with pytest.raises(UnreadableError):
        copy_files([f"{place.host}:/main.py"], "main.py")
    assert (data / "main.py").read_bytes() == b"mine"
    other = make_image(tmp_path, SMALL, 0x100000)
    plan = plan_of([f"{place.host}:/main.py"], f"{other.host}:/flash/")
    assert [step.action for step in plan.steps] == [Action.REPLACE]
    with pytest.raises(UnreadableError):
        copy_files([f"{place.host}:/main.py"], f"{other.host}:/flash/")
    with open_image(other.host) as target:
        assert target.read_bytes("/flash/main.py") == FILES[b"/main.py"]


def test_odd_names_are_kept_by_a_round_trip(tmp_path: Path, data: Path) -> None:
    odd = {b"/..": b"1", b"/\xff": b"2", b"/a\\b": b"3"}
    place = make_bare(tmp_path, SMALL, odd)
    with Copy([f"{place.host}:/"], "out", CopyOptions(recursive=True)) as copy:
        plan = copy.plan
        copy.run()
    assert len(files_under(data / "out")) == 3
    assert r"was /\x2e\x2e" in {step.note for step in plan.steps}
    assert not (data / "1").exists()


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_names_of_bytes_are_stored_unchanged(board: Place, data: Path) -> None:
    Path(os.fsdecode(b"\xff.py")).write_bytes(b"odd")
    copy_files([os.fsdecode(b"\xff.py")], f"{board.host}:/flash")
    with open_image(board.host) as target:
        assert target.stat(r"/flash/\xff.py").native.raw_name == b"/\xff.py"


def test_link_to_a_single_file_is_followed(board: Place, data: Path) -> None:
    if os.name == "nt":
        pytest.skip("links are a right of their own there")
    (data / "real.txt").write_bytes(b"old")
    (data / "link.txt").symlink_to(data / "real.txt")
    copy_files([f"{board.host}:/flash/main.py"], "link.txt")
    assert (data / "link.txt").is_symlink()
    assert (data / "real.txt").read_bytes() == FILES[b"/main.py"]


def test_plan_copy_accepts_paths_and_target_paths(tmp_path: Path, data: Path) -> None:
    image = make_image(tmp_path, SMALL, 0x100000)
    copy_files(
        [data / "note.txt"],
        TargetPath(image.host, "/flash/n.txt"),
        CopyOptions(where=Where(geometry=SMALL)),
    )
    assert names_in(image) == OLD | {"/n.txt"}
    copy_files(
        [TargetPath(image.host, "n.txt")],
        data / "back.txt",
        CopyOptions(where=Where(base=SMALL.base)),
    )
    assert (data / "back.txt").read_bytes() == b"note"


def test_copy_to_a_board_that_was_never_on_writes_the_files(tmp_path: Path, data: Path) -> None:
    board = make_board(tmp_path, SMALL, 0x100000, {})
    (board.host / "flash.bin").write_bytes(b"\xff" * 0x100000)
    copy_files(["src/."], f"{board.host}:", CopyOptions(recursive=True))
    assert names_in(board) == {"/one.py", "/sub/two.py"}


def test_a_copy_opens_each_image_once(
    place: Place, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from maixfs.spiffs import SpiffsCore

    mounted: list[object] = []
    mount = SpiffsCore.__init__

    def counted(core: SpiffsCore, *arguments: Any, **named: Any) -> None:
        mounted.append(core)
        mount(core, *arguments, **named)

    monkeypatch.setattr(SpiffsCore, "__init__", counted)
    copy_files([f"{place.host}:main.py"], data / "out.py")
    assert len(mounted) == 1
