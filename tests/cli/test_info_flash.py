"""``info`` of a whole chip: its parts, what a board does with them, and is it sound."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from doctor.doctor_cases import CASES, flash, loading
from image.whole_image import FILES, MAIXPY, make_flash
from kmodel.make_models import make_v3
from maixfs.image.identify import FileKind
from maixfs.spiffs.pack import pack

from .conftest import Run

ReadJson = Callable[..., dict[str, Any]]


@pytest.fixture
def dump(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the name of a sound dump in the current directory: firmware, five models, files."""
    monkeypatch.chdir(tmp_path)
    models = {at: make_v3(body=0x100) for at in range(0x300000, 0x800000, 0x100000)}
    Path("dump.bin").write_bytes(make_flash({**FILES, "/big.bin": bytes(1 << 20)}, models=models))
    return Path("dump.bin")


def test_info_shows_the_parts_of_a_dump(dump: Path, run: Run) -> None:
    text = run("dump.bin").stdout
    lines = text.splitlines()
    assert len(lines) <= 26
    assert lines[0] == "dump.bin  flash image, 16.0 MiB, layout maixpy-16m"
    assert "MicroPython v0.6.2-54-gf2a56a5-dirty on 2021-03-01" in text
    assert text.count("kmodel v3, input 28x28x1") == 5
    assert "/freq.conf: CPU 400 MHz" in text
    assert "/boot.py runs (11 bytes), then /main.py runs (6000 bytes)" in text
    assert "files     6" in text and "health    nothing is wrong in what was checked" in text


def test_info_prints_a_dump_as_json(dump: Path, run: Run, read_json: ReadJson) -> None:
    document = read_json("info", "dump.bin")
    assert document["healthy"] is True and document["room"]["files"] == 6
    assert document["confidence"] == 1 and document["preset"] == "maixpy"
    chip = document["flash"]
    assert chip.keys() == {"layout", "parts", "rest", "boot"}
    kinds = [part["kind"] for part in chip["parts"]]
    assert kinds == ["firmware", *["model"] * 5, "spiffs"]
    assert chip["parts"][0]["version"] == "v0.6.2-54-gf2a56a5-dirty"
    assert chip["rest"]["erased"] > 8 << 20
    assert chip["boot"]["starts"] is True and chip["boot"]["formats"] is False
    assert len(chip["boot"]["steps"]) >= 4


def test_info_of_a_board_shows_the_whole_flash(dump: Path, run: Run, read_json: ReadJson) -> None:
    run("new", "desk", "--from-dump", "dump.bin")
    text = run("info", "desk").stdout
    assert text.startswith("desk  virtual board, 16.0 MiB\n")
    assert text.count("kmodel v3, input 28x28x1") == 5 and "other data" not in text
    assert "/boot.py runs (11 bytes), then /main.py runs (6000 bytes)" in text
    document = read_json("info", "desk")
    assert document["healthy"] is True and document["board"]["driver"] == "maixpy"
    assert len(document["flash"]["parts"]) == 7


def test_info_in_plain_text_has_the_same_facts(dump: Path, run: Run) -> None:
    text = run("info", "dump.bin", "--plain").stdout
    assert "at 0xD00000, what spiffs, size 3.0 MiB" in text
    assert "boot: " in text and text.isascii()


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("gc-heap", "the board hangs at its start"),
        ("bad-hash", "SHA-256 is wrong"),
        ("changed-size", "FORMATTED"),
        ("model-in-firmware", "belong to two"),
        ("v5-model", "no MaixPy loads it"),
    ],
)
def test_info_lists_the_findings(case: str, words: str, dump: Path, run: Run) -> None:
    dump.write_bytes(CASES[case].build())
    text = run("info", "dump.bin", code=1).stdout
    assert words in text and "next: maixfs doctor dump.bin" in text


def test_info_shows_a_chip_without_a_file_system(dump: Path, run: Run) -> None:
    image = loading(make_v3())
    image[MAIXPY.base :] = b"\xff" * MAIXPY.size
    dump.write_bytes(image)
    text = run("info", "dump.bin").stdout
    assert "kmodel v3" in text and "the area at 0xd00000 is blank" in text
    assert "SPIFFS  " not in text


def test_two_file_systems_are_both_named(dump: Path, run: Run, read_json: ReadJson) -> None:
    image = flash()
    image[0x800000:0xB00000] = pack([("/x", b"x")], MAIXPY)
    dump.write_bytes(image)
    text = run("info", "dump.bin", code=1).stdout
    assert "0x800000  spiffs" in text and "0xD00000  spiffs" in text
    assert read_json("info", "dump.bin", "--base", "0xD00000", code=1)["room"]["files"] == len(
        FILES
    )


@pytest.mark.parametrize(("fill", "kind"), [(b"\xff", FileKind.ERASED), (b"\0", FileKind.ZERO)])
def test_info_of_a_blank_chip_identifies_it(
    fill: bytes, kind: FileKind, dump: Path, read_json: ReadJson
) -> None:
    dump.write_bytes(fill * (16 << 20))
    assert read_json("info", "dump.bin")["kind"] == kind


@pytest.mark.parametrize("cut", [slice(0x1000, None), slice(None, -0x1000)])
def test_dump_without_a_sector_is_not_sound(cut: slice, dump: Path, run: Run) -> None:
    dump.write_bytes(dump.read_bytes()[cut])
    assert "0x1000 bytes are missing" in run("info", "dump.bin", code=1).stdout
