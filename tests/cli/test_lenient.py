"""Compressed and damaged images on the command line."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from cli.conftest import Run
from golden.corpus import SpiffsCase, case_folders
from image.places import FILES, SMALL, flash_of
from image.test_card_reading import golden


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """Return a compressed dump."""
    host = tmp_path / "dump.bin.gz"
    host.write_bytes(gzip.compress(flash_of(SMALL, 0x100000, FILES)))
    return host


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """Return a SPIFFS in which an index is damaged."""
    name = "maixpy-powercut-inflight-read-error"
    (case,) = (folder for folder in case_folders("spiffs") if folder.name == name)
    host = tmp_path / "fs.img"
    host.write_bytes(gzip.decompress((SpiffsCase(case).folder / "image.bin.gz").read_bytes()))
    return host


def test_compressed_dump_is_read_by_verbs(run: Run, packed: Path, tmp_path: Path) -> None:
    assert "main.py" in run("ls", f"{packed}:").stdout
    assert "SPIFFS" in run("info", str(packed)).stdout
    run("cp", f"{packed}:main.py", str(tmp_path / "main.py"))
    assert (tmp_path / "main.py").read_bytes() == FILES[b"/main.py"]
    run("unpack", str(packed), str(tmp_path / "out"))
    assert (tmp_path / "out/main.py").read_bytes() == FILES[b"/main.py"]


def test_compressed_dump_is_not_changed(run: Run, packed: Path, tmp_path: Path) -> None:
    before = packed.read_bytes()
    (tmp_path / "x.py").write_bytes(b"x")
    result = run("cp", str(tmp_path / "x.py"), f"{packed}:/flash/", code=1)
    assert "gunzip" in result.stderr
    assert packed.read_bytes() == before


def test_rescued_files_are_named(run: Run, damaged: Path, tmp_path: Path) -> None:
    result = run("unpack", str(damaged), str(tmp_path / "out"), code=1)
    notes = [line for line in result.stderr.splitlines() if "rescued" in line]
    assert notes
    name = notes[0].split(": ")[1]
    assert (tmp_path / "out").joinpath(name.rpartition("/")[2]).exists()


def test_cat_and_cp_of_a_rescued_file_say_so(run: Run, damaged: Path, tmp_path: Path) -> None:
    notes = run("cp", f"{damaged}:*", f"{tmp_path}/", code=0).stderr.splitlines()
    (path, *_) = [line.split(": ")[1] for line in notes if "rescued" in line]
    result = run("cat", path)
    assert "rescued" in result.stderr and "rescued" not in result.stdout


def test_damaged_card_is_changed_only_on_demand(run: Run, tmp_path: Path) -> None:
    card = golden("x_cross", tmp_path)
    before = card.read_bytes()
    (tmp_path / "x.py").write_bytes(b"x")
    hints = run("cp", str(tmp_path / "x.py"), f"{card}:/", code=1).stderr
    assert f"maixfs unpack {card} DIR" in hints and "--damaged" in hints
    assert card.read_bytes() == before
    run("cp", "--damaged", str(tmp_path / "x.py"), f"{card}:/")
    assert run("cat", f"{card}:/x.py").stdout == "x"


def test_renamed_files_are_listed_with_exit_code_1(run: Run, tmp_path: Path) -> None:
    host = tmp_path / "fs.img"
    # A host has no file beside a folder of the same name.
    host.write_bytes(flash_of(SMALL, 0x100000, {b"/a": b"1", b"/a/b": b"2", b"/c": b"3"}))
    for number, words in enumerate((["unpack", f"{host}"], ["cp", "-r", f"{host}:/flash/."])):
        result = run(*words, str(tmp_path / f"out{number}"), code=1)
        assert "/a" in result.stderr and "/c" not in result.stderr
        assert (tmp_path / f"out{number}/c").read_bytes() == b"3"
    assert run("unpack", f"{host}:/flash/c", str(tmp_path / "out2")).exit_code == 0


def test_compressed_file_that_is_cut_short_is_a_problem(run: Run, tmp_path: Path) -> None:
    host = tmp_path / "dump.bin.gz"
    content = gzip.compress(flash_of(SMALL, 0x100000, FILES))
    host.write_bytes(content[:-6])
    for verb in ("info", "doctor"):
        found = json.loads(run(verb, "--json", str(host), code=1).stdout)["findings"]
        assert "packed-damage" in {each["key"] for each in found}
    host.write_bytes(content[: len(content) // 8])
    for verb in ("info", "ls"):
        document = json.loads(run(verb, "--json", str(host), code=1).stdout)
        assert "gzip" in str(document)
