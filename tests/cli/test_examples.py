"""Every command line in the examples of the helps runs, in a folder with the files that it names.

A session makes the files once; each example gets copies of those that it reads.
"""

from __future__ import annotations

import importlib.util
import itertools
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from kmodel.make_models import make_v3
from maixfs.cli import table
from maixfs.cli.verb import maixfs
from maixfs.firmware.container import wrap

from .conftest import Run
from .flashes import PAYLOAD
from .test_help import command_of
from .test_kboot import make_krux

EXPECTED = {"maixfs diff before.bin after.bin": 1}
"""Exit codes of examples that find a problem or a difference."""
SETUP = {
    "maixfs mv board:/flash/main.py board:/flash/old.py": ["rm board:/flash/old.py"],
    "maixfs sd insert board card.img": ["sd eject board"],
    "maixfs sd fix card.img -o new.img": ["sd new 64M card.img --superfloppy -f"],
}
"""Commands that put the folder into the state that an example is about."""
CONSENT = {"maixfs sd write card.img reader.img": "y\n"}
"""What is typed at the question of an example."""
DRIVE = "/dev/sdb"
"""Examples name it; the tests use a file instead."""
KEY = "00112233445566778899aabbccddeeff"


def examples() -> list[str]:
    """Return the different command lines of all helps, without pipes and redirections."""
    lines = [line for line, _ in table.EXAMPLES]
    for row in table.ROWS:
        lines += [line for line, _ in command_of(row.name).examples]
    plain = (
        re.split(r" [|>] ", line.removeprefix('eval "$(').removesuffix(')"'))[0] for line in lines
    )
    return list(dict.fromkeys(line.replace(DRIVE, "reader.img") for line in plain))


def maixfs_run(*words: str) -> None:
    result = CliRunner().invoke(maixfs, [*words])
    assert result.exit_code == 0, f"{words}\n{result.output}"


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a folder with every file that an example reads."""
    folder = tmp_path_factory.mktemp("shelf")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in ("data", "src"):
            Path(name, "lib").mkdir(parents=True)
            Path(name, "main.py").write_text("print('a program of the examples')\n" * 5)
            Path(name, "lib", "a.py").write_text("A = 1\n")
            Path(name, "photo.jpg").write_bytes(b"\xff\xd8" + bytes(5000))
            Path(name, "old.py").write_text("x = 1\n")
            Path(name, "lib", "x.tmp").write_text("x")
        for name in ("fw.bin", "program.bin"):
            Path(name).write_bytes(PAYLOAD)
        for name in ("maixpy.bin", "second.bin"):
            Path(name).write_bytes(wrap(PAYLOAD))
        for name in ("m.kmodel", "face.kmodel"):
            Path(name).write_bytes(make_v3())
        Path("hello.py").write_text("print('hello')\n")
        Path("key").write_bytes(bytes.fromhex(KEY))
        Path("recipe.toml").write_text('firmware = "fw.bin"\n[[spiffs]]\ndir = "data"\n')
        Path("krux.bin").write_bytes(make_krux(0x1000000, (0x80000, 0x390000), entries=2))
        parts = ("--firmware", "fw.bin", "--model", "m.kmodel", "--spiffs", "data")
        maixfs_run("build", "-o", "dump.bin", *parts, "--raw", "second.bin@0x80000")
        maixfs_run(
            "kfpkg", "make", "-o", "maixpy.kfpkg", "--firmware", "fw.bin", "--model", "face.kmodel"
        )
        maixfs_run("kfpkg", "make", "-o", "face.kfpkg", "--model", "face.kmodel@0x300000")
        shutil.copy("dump.bin", "flash.bin")
        shutil.copy("dump.bin", "before.bin")
        shutil.copy("dump.bin", "after.bin")
        maixfs_run("cp", "hello.py", "after.bin:")
        maixfs_run("sd", "new", "16M", "card.img", "--partitions", "8M,rest")
        maixfs_run("cp", "-r", "data/.", "card.img:/")
        maixfs_run("mkdir", "card.img@2:/music")
        shutil.copy("card.img", "reader.img")
        maixfs_run("new", "board", "--from-dump", "dump.bin")
        maixfs_run("new", "mine", "--from-dump", "dump.bin")
        maixfs_run("sd", "insert", "board", "card.img", "--copy")
    yield folder


def inputs_of(line: str) -> set[str]:
    """Return the names of the files that an example may read; not those that it makes."""
    words = shlex.split(line)[1:]
    made = {word for before, word in itertools.pairwise(words) if before in ("-o", "--svg")}
    if words[:2] == ["sd", "new"]:
        made.add(words[3])
    if words[0] in ("new", "mkfs", "unpack", "split"):
        made |= {words[-1], *words[1:2]} if words[0] != "mkfs" or "@" not in line else set()
    if words[0] in ("unpack", "split"):
        made -= {words[1]}
    return {re.split(r"[:@]", word.lstrip("@"))[0] for word in words} - made


@pytest.fixture
def here(shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder, which is empty but for ``photos``."""
    folder = tmp_path / "here"
    (folder / "photos").mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


def put_on(shelf: Path, here: Path, line: str) -> None:
    names = inputs_of(line) | {"data", "fw.bin"}
    words = shlex.split(line)
    if words[1:] in (["tree"], ["df"], ["du"], ["gc"]):
        names.add("board")
    names -= {"mine"} if "new" in words else set()
    names |= {"dump.bin"} if "*.bin" in line else set()
    for name in names:
        place = shelf / name
        if place.is_dir():
            shutil.copytree(place, here / name)
        elif place.is_file():
            shutil.copy(place, here / name)


@pytest.mark.parametrize("line", examples())
def test_example_runs(line: str, shelf: Path, here: Path) -> None:
    put_on(shelf, here, line)
    words = shlex.split(line)[1:]
    if "*.bin" in words:  # as a shell expands it
        words[words.index("*.bin")] = "dump.bin"
    if "--key" in words:
        if importlib.util.find_spec("cryptography") is None:
            pytest.skip("needs the extra aes")
        maixfs_run("firmware", "wrap", "fw.bin", "-o", "image.bin", "--key", KEY)
    for setup in SETUP.get(line.removesuffix(" --copy"), ()):
        maixfs_run(*setup.split())
    if "--copy" in words:
        (here / "board" / "sd.img").unlink()
    result = CliRunner().invoke(maixfs, words, input=CONSENT.get(line, ""))
    assert result.exit_code == EXPECTED.get(line, 0), result.output
    assert "bug in maixfs" not in result.output


def test_examples_of_reading_verbs_change_nothing(shelf: Path, run: Run) -> None:
    before = (shelf / "dump.bin").read_bytes()
    run("info", str(shelf / "dump.bin"))
    assert (shelf / "dump.bin").read_bytes() == before
