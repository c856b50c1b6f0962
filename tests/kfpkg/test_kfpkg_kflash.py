"""kflash, as it is on the package index, flashes what is made here; we read what it would."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from kfpkg.fake_serial import FakeSerial
from kfpkg.test_kfpkg import KENDRYTE, PAYLOAD, package
from maixfs.image.layout import find_layout
from maixfs.kfpkg import make_kfpkg, read_kfpkg
from maixfs.recipes import Piece, assemble, parts_of, pieces_of, plan
from maixfs.recipes.pieces import firmware_piece

CHIP = 0x1000000
Flash = Callable[..., bytes]


@pytest.fixture
def kflash() -> ModuleType:
    """Return the module; its source has escapes that newer Pythons warn of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("serial", reason="kflash is not installed")
        return pytest.importorskip("kflash", reason="kflash is not installed")


@pytest.fixture
def flash(kflash: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Flash:
    """Return a function that has kflash write a package, and returns the flash."""
    monkeypatch.setattr("serial.Serial", FakeSerial)
    monkeypatch.setattr("time.sleep", lambda seconds: None)

    def run(data: bytes, io_mode: str = "qio") -> bytes:
        FakeSerial.flash = bytearray(b"\xff" * CHIP)
        FakeSerial.writes = []
        file = tmp_path / "made.kfpkg"
        file.write_bytes(data)
        tool = kflash.KFlash(print_callback=lambda *_, **__: None)
        tool.process(
            terminal=False, dev="/dev/null", baudrate=115200, board="dan", file=str(file),
            noansi=True, io_mode=io_mode,
        )  # fmt: skip
        return bytes(FakeSerial.flash)

    return run


def pieces() -> list[Piece]:
    return [
        firmware_piece("maixpy.bin", PAYLOAD * 400),
        Piece("config.bin", "data", 0x200000, b"c" * 32),
        Piece("config.bin", "data", 0x201000, b"c" * 32),
        Piece("model.kmodel", "model", 0x300000, bytes(range(256)) * 300),
        Piece("fs.bin", "data", 0xD01000, b"\xc0\xdb\xdc\xdd" * 40000),
    ]


def test_kflash_writes_what_was_planned(flash: Flash) -> None:
    planned = plan(pieces(), find_layout("maixpy-16m"))
    assert flash(make_kfpkg(parts_of(planned.pieces))) == assemble(planned)
    assert len(FakeSerial.writes) > 5


def test_kflash_sets_the_flag_as_planned(flash: Flash) -> None:
    parts = parts_of(pieces()[:1])
    planned = plan(pieces_of(parts, dio=True))
    assert flash(make_kfpkg(parts), io_mode="dio") == assemble(planned)


def test_kflash_reads_a_list_with_hex_addresses(flash: Flash) -> None:
    text = KENDRYTE.replace("    },\n  ]", "    }\n  ]")
    data = package(text, fw=PAYLOAD, m=b"M" * 100)
    written = flash(data)
    parts = [part._replace(reverse4=False) for part in read_kfpkg(data).parts]
    assert written == assemble(plan(pieces_of(parts)))


def test_list_that_kflash_refuses_is_noted(flash: Flash) -> None:
    text = (
        '{"version": "0.1.0", "files": [{"bin": "a.bin", "sha256Prefix": false, "address": 4096}]}'
    )
    data = package(text, a=b"x")
    assert any("kflash does not read" in note for note in read_kfpkg(data).notes)
    with pytest.raises(TypeError):
        flash(data)
