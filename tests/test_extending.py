"""The examples of docs/EXTENDING.md work: each is put where the document says, and used."""

from __future__ import annotations

import errno
import importlib.util
import json
import runpy
import struct
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner, Result

import maixfs
from maixfs.board import moduletable
from maixfs.cli import table
from maixfs.cli.verb import maixfs as program
from maixfs.errors import FileSystemError, ReadOnlyError
from maixfs.finding import _KINDS, _RULES, Cost, examine
from maixfs.image import formats
from maixfs.image.errors import NoFileSystemError
from maixfs.image.identify import FileKind, identify
from maixfs.image.layout import load_layout
from maixfs.nor import parts
from maixfs.sd.mbr import Partition, make_mbr
from maixfs.spiffs import PRESETS, Geometry, check, geometry
from maixfs.spiffs.detect import detect
from maixfs.spiffs.pack import pack
from test_docs import ROOT, blocks_of

DOCUMENT = ROOT / "docs" / "EXTENDING.md"
BLOCKS = {
    " ".join(block.words[1:]): block.text
    for block in blocks_of(DOCUMENT.read_text(encoding="utf-8"))
}
Load = Callable[[str, str], ModuleType]
FILES = {"a.txt": b"first", "lib/b.py": b"B = 2\n" * 1000, "empty": b""}


def archive(files: dict[str, bytes] = FILES) -> bytes:
    """Return a TOY archive."""
    content = b"TOY1"
    for name, data in files.items():
        content += struct.pack("<BI", len(name), len(data)) + name.encode() + data
    return content


def run(*words: str) -> Result:
    return CliRunner().invoke(program, list(words), catch_exceptions=False)


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], ModuleType]:
    """Return what makes a module from its text."""

    def load_text(name: str, text: str) -> ModuleType:
        file = tmp_path / "src" / f"{name}.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
        spec = importlib.util.spec_from_file_location(name, file)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        return module

    return load_text


def entry_of(block: str, names: dict[str, Any]) -> Any:
    """Return the only element of a table of which a block is a part."""
    whole = f"{{{block}}}" if '": ' in block else f"[{block}]"
    value = eval(f"(\n{whole}\n)", dict(names))  # the project's own document
    return next(iter(value.items())) if isinstance(value, dict) else value[0]


def test_examples_name_files_or_their_folders() -> None:
    for words in BLOCKS:
        assert (ROOT / words.split()[0]).parent.is_dir() or "toyfs" in words, words


def test_preset_is_detected_and_can_be_packed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, preset = entry_of(BLOCKS["src/maixfs/spiffs/geometry.py"], vars(geometry))
    assert isinstance(preset, Geometry)
    monkeypatch.setitem(PRESETS, name, preset)
    (found,) = detect(pack({"/a": b"a"}, preset))
    assert found.preset == name
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a").write_bytes(b"a")
    image = tmp_path / "image.bin"
    assert run("pack", str(tmp_path / "files"), "-o", str(image), "--preset", name).exit_code == 0
    assert image.stat().st_size == preset.size
    shown = json.loads(run("info", str(image), "--json").stdout)
    assert shown["preset"] == name
    assert name in runpy.run_path(str(ROOT / "docs" / "tables.py"))["TABLES"]["presets"]()


def test_chip_is_found_by_name_and_id() -> None:
    (row,) = tomllib.loads(BLOCKS["src/maixfs/nor/parts.toml"])["part"]
    part = parts._part(row, parts._table())
    assert (part.name, part.size, part.times_are_own) == ("EX25Q64", 0x800000, False)


@pytest.fixture
def registries() -> Iterator[None]:
    known, kinds = [*_RULES], dict(_KINDS)
    yield
    _RULES[:] = known
    _KINDS.clear()
    _KINDS.update(kinds)


@pytest.mark.usefixtures("registries")
def test_finding_is_reported() -> None:
    examine("spiffs", check.SpiffsCheck(pack({"/a": b""}, PRESETS["esp-idf"]), PRESETS["esp-idf"]))
    names = dict(vars(check))
    exec(BLOCKS["src/maixfs/spiffs/check.py"], names)  # the project's own document
    from doctor import doctor_cases
    from doctor.test_doctor import examined

    _, case = entry_of(BLOCKS["tests/doctor/doctor_cases.py"], vars(doctor_cases))
    result = examined(case.build(), Cost.METADATA)
    (found,) = [finding for finding in result.findings if finding.key == case.key]
    assert found.severity is case.severity
    assert found.paths == ("/flash/boot.log",)


@pytest.fixture
def toyfs(tmp_path: Path, load: Load, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Register the toy file system; return an image of it."""
    load("maixfs.readonly.toyfs", BLOCKS["src/maixfs/readonly/toyfs/__init__.py"])
    entry = entry_of(BLOCKS["src/maixfs/image/formats.py"], vars(formats))
    monkeypatch.setattr(formats, "FORMATS", (entry,))
    image = tmp_path / "image.toy"
    image.write_bytes(archive())
    return image


def test_file_system_opens_as_an_image(toyfs: Path) -> None:
    with maixfs.open(toyfs) as image:
        assert str(image.kind) == "file system image"
        assert image.fs("/").read_bytes("/lib/b.py") == FILES["lib/b.py"]
        paths = [entry.path for entry in image.scandir("/", recursive=True)]
        assert paths == ["/a.txt", "/empty", "/lib", "/lib/b.py"]
        assert image.read_bytes("a.txt") == b"first"
        assert image.resolve("/lib/b.py")[1] == "/lib/b.py"
        assert image.read(0, 4) == b"TOY1"
        assert not [*image.parts]
        assert image.main.fs.check().healthy
        with pytest.raises(ReadOnlyError):
            image.fs("/").write_bytes("/a.txt", b"")
        with pytest.raises(FileNotFoundError):
            image.stat("/none")


def test_file_system_is_not_edited(toyfs: Path) -> None:
    with pytest.raises(ReadOnlyError) as caught:
        maixfs.open(toyfs, "r+")
    assert caught.value.errno == errno.EROFS
    assert run("rm", f"{toyfs}:/a.txt").exit_code == 1
    assert toyfs.read_bytes() == archive()
    assert {path.name for path in toyfs.parent.iterdir()} == {"src", "image.toy"}


def test_file_system_is_shown_by_the_verbs(toyfs: Path, tmp_path: Path) -> None:
    shown = json.loads(run("ls", "-R", str(toyfs), "--json").stdout)
    entries = {entry["path"]: entry["size"] for entry in shown["targets"][0]["entries"]}
    assert entries["/lib/b.py"] == 6000
    assert run("cat", f"{toyfs}:/a.txt").stdout == "first"
    for verb in (["ls", "-l"], ["tree"], ["du"], ["df"], ["info"], ["doctor"]):
        assert run(*verb, str(toyfs)).exit_code == 0, verb
    assert run("stat", f"{toyfs}:/a.txt").exit_code == 0
    assert run("unpack", str(toyfs), str(tmp_path / "out")).exit_code == 0
    for name, data in FILES.items():
        assert (tmp_path / "out" / name).read_bytes() == data


def test_file_system_is_identified(toyfs: Path) -> None:
    for thing in (toyfs, toyfs.read_bytes()):
        found = identify(thing)
        assert (found.kind, found.is_image) == (FileKind.FILE_SYSTEM, True)


def test_file_system_opens_as_a_partition_of_a_card(toyfs: Path, tmp_path: Path) -> None:
    card = tmp_path / "card.img"
    data = bytearray(4 << 20)
    data[:512] = make_mbr([Partition(1, 0x83, 2048, 2048)])
    data[2048 * 512 : 2048 * 512 + len(archive())] = archive()
    card.write_bytes(data)
    assert run("cat", f"{card}@1:/lib/b.py").stdout.encode() == FILES["lib/b.py"]
    with pytest.raises(ReadOnlyError), maixfs.open(f"{card}@1", "r+") as image:
        image.fs("/")
    with pytest.raises(NoFileSystemError), maixfs.open(f"{card}@2") as image:
        image.fs("/")


def test_damaged_file_system_raises(toyfs: Path) -> None:
    toyfs.write_bytes(archive()[:-4])
    with pytest.raises(FileSystemError), maixfs.open(toyfs) as image:
        image.fs("/")


def test_kind_of_file_is_identified(load: Load) -> None:
    name = "src/maixfs/image/identify.py"
    source = (ROOT / name).read_text(encoding="utf-8")
    for place, block in (
        ('    EMPTY = "empty file"\n', BLOCKS[f"{name} FileKind"]),
        ('    Entry("files:elf"', BLOCKS[f"{name} ENTRIES"]),
    ):
        assert source.count(place) == 1
        source = source.replace(place, block + place)
    module = load("identify_with_gif", source)
    assert module.identify(b"GIF89a" + bytes(100)).kind == "GIF picture"


def test_verb_is_run_and_listed(toyfs: Path, load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    row = entry_of(BLOCKS["src/maixfs/cli/table.py"], vars(table))
    monkeypatch.setattr(table, "ROWS", (*table.ROWS, row))
    load("maixfs.cli.verbs.count", BLOCKS["src/maixfs/cli/verbs/count.py"])
    assert run("count", str(toyfs)).stdout == "3\n"
    assert row.sentence in table.overview(100)


def test_layout_is_read(tmp_path: Path) -> None:
    path = "src/maixfs/image/layouts/example-8m.toml"
    file = tmp_path / Path(path).name
    file.write_text(BLOCKS[path], encoding="utf-8")
    layout = load_layout(file)
    assert layout.name == "example-8m"
    assert layout.region("flash").spiffs_geometry() is not None


def test_module_is_imported_by_a_script(
    tmp_path: Path, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = load("maixfs.board.modules.dice", BLOCKS["src/maixfs/board/modules/dice.py"])
    name, factory = entry_of(BLOCKS["src/maixfs/board/moduletable.py"], {"dice": module.dice})
    monkeypatch.setitem(moduletable._PLAIN, name, factory)
    script = tmp_path / "script.py"
    script.write_text("import dice\nprint(dice.next(dice.sides))\n", encoding="utf-8")
    shown = run("run", str(script), "--board", str(tmp_path / "board"))
    assert shown.stdout.splitlines()[:1] == ["1"]
